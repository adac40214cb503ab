//! Files of Hocuspocus: its documents in a file of SQLite.
//!
//! Owns as much of SQLite's file format as it takes to read one table. Must not know Yjs, nor write. Key
//! invariants: reading is strict and total, and bounded by the size of the file whatever is in it: no page is
//! walked twice, no more rows are read than fit into the file, and nothing is taken by a length that was only
//! announced. Tests are below, on a file that SQLite has written; fuzz body: `fuzzing::sqlite`.
//!
//! Hocuspocus makes `documents (name varchar(255) NOT NULL, data blob NOT NULL, UNIQUE(name))`, `data` being
//! the whole state as one update (@hocuspocus/extension-sqlite, src/SQLite.ts). The file format is that of
//! https://www.sqlite.org/fileformat2.html.

use crate::Document;

/// What a file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The table of documents.
const TABLE: &str = "documents";

/// Columns of a row that are looked at, inclusive.
const COLUMNS_MAX: usize = 64;

const CUT: &str = "it is no file of SQLite, or is damaged or cut off";

/// What a journal begins with whose change has to be taken back; it lies beside the file.
pub const JOURNAL: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// A value of a row; numbers but for whole ones are of no use here.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Whole(i64),
    Bytes(Vec<u8>),
}

impl Value {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            Self::Null | Self::Whole(_) => None,
        }
    }
}

/// A file, as pages.
struct File<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    /// Of a page, what is used.
    usable: usize,
    /// Pages that may still be read.
    left: usize,
    /// Bytes of rows that may still be read.
    rows_left: usize,
}

/// Reads the documents of a file: the state of each is one update.
///
/// # Errors
/// It is no such file, in words.
pub fn read(bytes: &[u8]) -> Result<Vec<Document>, String> {
    let mut file = File::open(bytes).ok_or(CUT)?;
    let schema = file.rows(1).ok_or(CUT)?;
    let is_table = |row: &&Vec<Value>| {
        let text = |at: usize| row.get(at).and_then(Value::text);
        text(0) == Some("table") && text(1) == Some(TABLE)
    };
    let table = schema.iter().find(is_table);
    let table = table.ok_or_else(|| format!("it has no table {TABLE}, as Hocuspocus makes it"))?;
    let root = match table.get(3) {
        Some(Value::Whole(root)) => usize::try_from(*root).map_err(|_| CUT)?,
        _ => return Err(CUT.to_owned()),
    };
    let columns = table.get(4).and_then(Value::text).unwrap_or_default();
    if !is_known(columns) {
        return Err(format!(
            "its table {TABLE} is not one of Hocuspocus: {}",
            crate::one_line(columns)
        ));
    }
    let mut documents = Vec::new();
    for row in file.rows(root).ok_or(CUT)? {
        match (row.first().and_then(Value::text), row.get(1)) {
            (Some(name), Some(Value::Bytes(data))) => documents.push(Document {
                name: name.to_owned(),
                updates: vec![data.clone()],
            }),
            _ => return Err("a document of it has no name, or no data".to_owned()),
        }
    }
    Ok(documents)
}

/// Whether a table has the name first and the data second.
fn is_known(sql: &str) -> bool {
    let plain: String = sql
        .chars()
        .filter(|c| !matches!(c, '"' | '`' | '[' | ']'))
        .collect::<String>()
        .to_lowercase();
    let Some((_, columns)) = plain.split_once('(') else {
        return false;
    };
    let mut columns = columns.split(',').map(str::trim_start);
    let mut begins = |name: &str| columns.next().is_some_and(|column| column.starts_with(name));
    begins("name ") && begins("data ")
}

fn be_u16(bytes: &[u8], at: usize) -> Option<usize> {
    let (head, _) = bytes.get(at..)?.split_first_chunk::<2>()?;
    Some(usize::from(u16::from_be_bytes(*head)))
}

fn be_u32(bytes: &[u8], at: usize) -> Option<usize> {
    let (head, _) = bytes.get(at..)?.split_first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes(*head)).ok()
}

/// Takes a number of one to nine bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for at in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if at == 8 {
            return Some(number << 8 | u64::from(*byte));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        bytes.strip_prefix(MAGIC)?;
        let page_bytes = match be_u16(bytes, 16)? {
            1 => 65_536,
            size => size,
        };
        let reserved = usize::from(*bytes.get(20)?);
        // Texts in UTF-8; SQLite makes no page whose used part is smaller.
        let usable = page_bytes.checked_sub(reserved).filter(|usable| *usable >= 480)?;
        // How long it is stands in it where a SQLite since 2010 was the last to write it.
        let (is_told, pages) = (be_u32(bytes, 24)? == be_u32(bytes, 92)?, be_u32(bytes, 28)?);
        let is_whole = !is_told || bytes.len() / page_bytes.max(1) >= pages;
        (page_bytes.is_power_of_two() && be_u32(bytes, 56)? == 1 && is_whole).then_some(Self {
            bytes,
            page_bytes,
            usable,
            left: bytes.len() / page_bytes,
            rows_left: bytes.len(),
        })
    }

    /// A page by its number, which counts from one; each costs one of those that are left.
    fn page(&mut self, number: usize) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let start = number.checked_sub(1)?.checked_mul(self.page_bytes)?;
        self.bytes.get(start..start.checked_add(self.usable)?)
    }

    /// The rows of the table with this root, in the order of their numbers.
    fn rows(&mut self, root: usize) -> Option<Vec<Vec<Value>>> {
        // Of each tree no page belongs to another one.
        self.left = self.bytes.len() / self.page_bytes;
        // And of each page no row lies on another one.
        self.rows_left = self.bytes.len();
        let mut rows = Vec::new();
        let mut open = vec![root];
        while let Some(number) = open.pop() {
            let page = self.page(number)?;
            // The first page begins with the head of the file.
            let head = if number == 1 { 100 } else { 0 };
            let (kind, cells) = (*page.get(head)?, be_u16(page, head + 3)?);
            let first = head + if kind == 0x05 { 12 } else { 8 };
            let cell = |at: usize| page.get(be_u16(page, first + 2 * at)?..);
            match kind {
                0x05 => {
                    // The last one is the first to be walked, and so is put below the others.
                    open.push(be_u32(page, head + 8)?);
                    for at in (0..cells).rev() {
                        open.push(be_u32(cell(at)?, 0)?);
                    }
                    if open.len() > self.left {
                        return None;
                    }
                }
                0x0d => {
                    for at in 0..cells {
                        let payload = self.payload(cell(at)?)?;
                        rows.push(values(&payload)?);
                    }
                }
                _ => return None,
            }
        }
        Some(rows)
    }

    /// What a cell of a leaf holds, also what of it stands on pages of its own.
    fn payload(&mut self, mut cell: &[u8]) -> Option<Vec<u8>> {
        let length = usize::try_from(varint(&mut cell)?).ok()?;
        varint(&mut cell)?;
        self.rows_left = self.rows_left.checked_sub(length)?;
        let most = self.usable - 35;
        if length <= most {
            return Some(cell.get(..length)?.to_vec());
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let fitting = least + (length - least) % (self.usable - 4);
        let local = if fitting <= most { fitting } else { least };
        let mut payload = cell.get(..local)?.to_vec();
        let mut next = be_u32(cell, local)?;
        while payload.len() < length {
            let page = self.page(next)?;
            next = be_u32(page, 0)?;
            let part = page.get(4..)?;
            let wanted = part.len().min(length - payload.len());
            payload.extend_from_slice(part.get(..wanted)?);
        }
        Some(payload)
    }
}

/// The values of a row.
fn values(payload: &[u8]) -> Option<Vec<Value>> {
    let mut head = payload;
    let head_bytes = usize::try_from(varint(&mut head)?).ok()?;
    let taken = payload.len() - head.len();
    let mut head = head.get(..head_bytes.checked_sub(taken)?)?;
    let mut body = payload.get(head_bytes..)?;
    let mut found = Vec::new();
    while !head.is_empty() && found.len() < COLUMNS_MAX {
        let kind = varint(&mut head)?;
        let (bytes, is_whole) = match kind {
            0 | 8 | 9 => (0, false),
            1..=4 => (kind, true),
            5 => (6, true),
            6 => (8, true),
            7 => (8, false),
            10 | 11 => return None,
            _ => ((kind - 12) / 2, false),
        };
        let (value, rest) = body.split_at_checked(usize::try_from(bytes).ok()?)?;
        body = rest;
        found.push(match kind {
            8 => Value::Whole(0),
            9 => Value::Whole(1),
            _ if is_whole => {
                let sign = value
                    .first()
                    .map_or(0, |byte| if byte & 0x80 == 0 { 0 } else { -1 });
                Value::Whole(
                    value
                        .iter()
                        .fold(sign, |number, byte| number << 8 | i64::from(*byte)),
                )
            }
            12.. => Value::Bytes(value.to_vec()),
            _ => Value::Null,
        });
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite 3 has written: see tests/it/keeping/sqlite.py.
    const FILE: &[u8] = include_bytes!("../../tests/it/keeping/hocuspocus.sqlite");

    #[test]
    fn every_document_is_read_whole_in_the_order_of_their_rows() {
        let documents = read(FILE).unwrap();
        assert_eq!(documents.len(), 42);
        assert_eq!(documents[0].name, "small");
        assert_eq!(documents[1].name, "large");
        // Over many pages of its own.
        assert!(documents[1].updates[0].len() > 9_000);
        let text = "0123456789".repeat(900);
        assert!(
            documents[1].updates[0]
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        );
        assert_eq!(documents[41].name, "many-39");
    }

    #[test]
    fn what_is_no_such_file_is_refused_and_nothing_makes_it_panic() {
        for (bytes, words) in [
            (&b""[..], "no file of SQLite"),
            (b"SQLite format 3\0", "no file of SQLite"),
            (&FILE[..4096], "no file of SQLite"),
            (&FILE[..FILE.len() - 1], "damaged or cut off"),
            (&[0; 5000], "no file of SQLite"),
        ] {
            let why = read(bytes).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        let renamed = replaced(b"documents", b"documentz");
        assert!(read(&renamed).unwrap_err().contains("no table documents"));
        for at in (0..FILE.len()).step_by(3) {
            for byte in [0, 0x7f, 0xff] {
                let mut changed = FILE.to_vec();
                changed[at] = byte;
                // Whatever it is, it is read to an end.
                drop(read(&changed));
            }
        }
    }

    fn replaced(old: &[u8], new: &[u8]) -> Vec<u8> {
        let mut bytes = FILE.to_vec();
        for at in 0..bytes.len() - old.len() {
            if bytes[at..].starts_with(old) {
                bytes[at..at + old.len()].copy_from_slice(new);
            }
        }
        bytes
    }

    #[test]
    fn a_tree_that_leads_to_itself_ends() {
        let mut bytes = FILE.to_vec();
        // The root of the documents is an inner page; its last child is made itself.
        let page = 4096;
        assert_eq!(bytes[page], 0x05);
        bytes[page + 8..page + 12].copy_from_slice(&2_u32.to_be_bytes());
        assert!(read(&bytes).is_err());
    }

    #[test]
    fn one_row_that_is_named_over_and_over_is_not_read_as_often() {
        let mut bytes = FILE.to_vec();
        // The last leaf of the documents: each of its cells is made the first one.
        let page = (1..FILE.len() / 4096)
            .map(|page| page * 4096)
            .rfind(|at| FILE[*at] == 0x0d)
            .unwrap();
        let first = [FILE[page + 8], FILE[page + 9]];
        let cells = 500_u16;
        bytes[page + 3..page + 5].copy_from_slice(&cells.to_be_bytes());
        for cell in 0..usize::from(cells) {
            bytes[page + 8 + 2 * cell..page + 10 + 2 * cell].copy_from_slice(&first);
        }
        assert!(read(&bytes).is_err());
    }

    #[test]
    fn other_tables_of_that_name_are_told_apart() {
        for (sql, expected) in [
            (
                "CREATE TABLE documents (name varchar(255) NOT NULL, data blob NOT NULL, UNIQUE(name))",
                true,
            ),
            (
                "CREATE TABLE \"documents\" (\"name\" varchar(255) NOT NULL,\"data\" blob NOT NULL)",
                true,
            ),
            ("CREATE TABLE documents (id integer, name text, data blob)", false),
            ("CREATE TABLE documents (data blob, name text)", false),
            ("CREATE TABLE documents", false),
            ("", false),
        ] {
            assert_eq!(is_known(sql), expected, "{sql}");
        }
    }
}
