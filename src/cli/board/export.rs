//! Boards as files.
//!
//! Owns the forms of a file, and that it is there whole or not at all. Must not know boards. Tests:
//! tests/it/keeping/board.rs.

use std::fs;
use std::io;
use std::path::Path;

use boardwire::client::Verb;
use boardwire::room::document::RECORDS;
use serde_json::Value;

use super::super::operator::Server;
use super::{pictures, tldr};

/// What a file has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The document as one Yjs update.
    Update,
    /// Its shared types.
    Json,
    /// A file of tldraw's.
    Tldr,
}

impl Format {
    /// What is asked for, else what the name of the file says.
    ///
    /// # Errors
    /// It is no form, in one line.
    pub(super) fn of(asked: Option<&str>, name: &str) -> Result<Self, String> {
        match asked {
            Some("update") => Ok(Self::Update),
            Some("json") => Ok(Self::Json),
            Some("tldr") => Ok(Self::Tldr),
            Some(other) => Err(format!(
                "--format {other:?} is not right; expected update, json or tldr"
            )),
            None if name.ends_with(".tldr") => Ok(Self::Tldr),
            None if name.ends_with(".json") => Ok(Self::Json),
            None => Ok(Self::Update),
        }
    }
}

/// Writes the board under `path` of the server; gives what to print.
///
/// # Errors
/// The server refuses, or the file cannot be made.
pub(super) fn write(server: &Server, path: &str, (to, format): (&Path, Format)) -> Result<Vec<u8>, String> {
    let target = match format {
        Format::Update => format!("{path}/document"),
        Format::Json | Format::Tldr => format!("{path}/document?format=json"),
    };
    let mut bytes = server.ask(Verb::Get, &target, b"")?.body;
    if format == Format::Tldr {
        let mut document: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let records = document.get_mut(RECORDS).and_then(Value::as_object_mut);
        // tldraw has no server beside the file.
        pictures::put_into(
            server,
            path,
            records.into_iter().flatten().map(|(_, record)| record),
        )?;
        bytes = tldr::write(&document);
    }
    if to == Path::new("-") {
        return Ok(bytes);
    }
    put(to, &bytes).map_err(|error| format!("cannot make {}: {error}", to.display()))?;
    Ok(format!("{}: {} bytes\n", to.display(), bytes.len()).into_bytes())
}

/// Makes a new file.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = io::Write::write_all(&mut file, bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        fs::remove_file(path)?;
    }
    written
}
