//! Files of tldraw's: `.tldr`.
//!
//! Owns what such a file is. Must not draw, nor bring records of older versions up to this one: the page does
//! that when it opens the board. Key invariant: of a newer tldraw nothing is taken, since nobody here could
//! show it. Tests are below, and in web/src/import/schema.test.ts.

use std::collections::BTreeMap;

use boardwire::items::{Record, Write};
use boardwire::limits::IMPORT_RECORDS_MAX;
use boardwire::room::document::{Document, RECORDS};
use serde::Deserialize;
use serde_json::{Value, json};

/// The schema of the tldraw that web/ has, as it writes it into files.
const SCHEMA: &str = include_str!("schema.json");

/// The form of a file.
const VERSION: u64 = 1;

/// The kinds of records that a document has; others are of one person's view.
const KINDS: [&str; 5] = ["document", "page", "shape", "binding", "asset"];

#[derive(Deserialize)]
struct File {
    #[serde(rename = "tldrawFileFormatVersion")]
    version: u64,
    schema: Schema,
    records: Vec<Value>,
}

#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    sequences: BTreeMap<String, u64>,
}

fn ours() -> BTreeMap<String, u64> {
    serde_json::from_str::<Schema>(SCHEMA).map_or_else(|_| BTreeMap::new(), |schema| schema.sequences)
}

/// The file of a board, whose shared types these are.
pub(super) fn write(document: &Value) -> Vec<u8> {
    let records = document.get(RECORDS).and_then(Value::as_object);
    let records: Vec<&Value> = records.into_iter().flat_map(|records| records.values()).collect();
    let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    let file = json!({ "tldrawFileFormatVersion": VERSION, "schema": schema, "records": records });
    file.to_string().into_bytes()
}

/// Reads a file: the update that draws it on an empty board.
///
/// # Errors
/// Why not, in one line.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let file: File =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no .tldr file: {error}"))?;
    if file.version != VERSION {
        return Err(format!(
            "it is a .tldr file of form {}, and {VERSION} is known",
            file.version
        ));
    }
    let ours = ours();
    let newer = |(name, version): &(&String, &u64)| ours.get(*name).is_some_and(|known| known < version);
    if let Some((name, version)) = file.schema.sequences.iter().find(newer) {
        return Err(format!(
            "it was made by a newer tldraw than this server's page has ({} {version})",
            super::one_line(name)
        ));
    }
    if file.records.len() > IMPORT_RECORDS_MAX {
        return Err(format!(
            "it has {} records, and {IMPORT_RECORDS_MAX} are the most",
            file.records.len()
        ));
    }
    let writes: Result<Vec<Write>, String> = file.records.into_iter().filter_map(record).collect();
    let writes = writes?;
    if writes.is_empty() {
        return Err("it has no records".to_owned());
    }
    let mut writer = [0; 4];
    getrandom::fill(&mut writer).map_err(|error| format!("no random bytes: {error}"))?;
    let unopened = |_| "it cannot be made a document".to_owned();
    let empty = bytes::Bytes::from_static(&[0, 0]);
    let mut document = Document::open(empty, u32::from_le_bytes(writer).into()).map_err(unopened)?;
    Ok(document.write(&writes).map_err(unopened)?.to_vec())
}

/// A record under its id; `None` for one that no document has.
fn record(value: Value) -> Option<Result<Write, String>> {
    let Value::Object(record) = value else {
        return Some(Err("a record of it is no object".to_owned()));
    };
    let text = |record: &Record, name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(kind), Some(key)) = (text(&record, "typeName"), text(&record, "id")) else {
        return Some(Err("a record of it has no id and typeName".to_owned()));
    };
    if !KINDS.contains(&kind.as_str()) {
        return None;
    }
    if !key.starts_with(&format!("{kind}:")) {
        return Some(Err(format!(
            "a record of it is a {kind} with an id of something else"
        )));
    }
    Some(Ok(Write {
        key,
        record: Some(record),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(schema: Value, records: Value) -> Vec<u8> {
        let file = json!({ "tldrawFileFormatVersion": 1, "schema": schema, "records": records });
        file.to_string().into_bytes()
    }

    fn page() -> Value {
        json!({ "typeName": "page", "id": "page:p", "name": "Page 1", "index": "a1", "meta": {} })
    }

    #[test]
    fn what_is_written_is_read_again_without_what_is_of_one_person() {
        let camera = json!({ "typeName": "camera", "id": "camera:page:p", "x": 1 });
        let written = write(&json!({ RECORDS: { "page:p": page() }, "other": [1] }));
        let parsed: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(parsed["records"], json!([page()]));
        assert!(parsed["schema"]["sequences"]["com.tldraw.shape.geo"].is_u64());
        for bytes in [written, file(parsed["schema"].clone(), json!([camera, page()]))] {
            let update = read(&bytes).unwrap();
            let json = boardwire::room::document::to_json(update.into(), &mut |_| true).unwrap();
            let document: Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(document, json!({ RECORDS: { "page:p": page() } }));
        }
    }

    #[test]
    fn what_is_no_drawing_is_refused_with_the_cause() {
        let newer = json!({ "schemaVersion": 2, "sequences": { "com.tldraw.page": 99 } });
        let older = json!({ "schemaVersion": 2, "sequences": { "com.tldraw.page": 0 } });
        assert!(read(&file(older.clone(), json!([page()]))).is_ok());
        let odd = json!({ "typeName": "page", "id": "shape:p" });
        for (bytes, words) in [
            (b"no json".to_vec(), "it is no .tldr file"),
            (b"{}".to_vec(), "it is no .tldr file"),
            (
                json!({ "tldrawFileFormatVersion": 2, "schema": {}, "records": [] })
                    .to_string()
                    .into_bytes(),
                "form 2",
            ),
            (file(newer, json!([page()])), "newer tldraw"),
            (file(older.clone(), json!([])), "no records"),
            (file(older.clone(), json!([1])), "no object"),
            (file(older.clone(), json!([{}])), "no id"),
            (file(older, json!([odd])), "of something else"),
        ] {
            let why = read(&bytes).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }
}
