//! Boards as files of tldraw's: `.tldr`.
//!
//! Owns that a file is written in the form of the tldraw that web/ has, and that what boardwire-import reads
//! of one becomes an update. Tests are below, and in web/src/import/schema.test.ts.

#[cfg(feature = "import")]
use boardwire::items::Write;
use boardwire::room::document::RECORDS;
#[cfg(feature = "import")]
use boardwire::{limits::IMPORT_RECORDS_MAX, room::document::Document};
#[cfg(feature = "import")]
use boardwire_import::tldr::{Known, Record};
use serde_json::{Value, json};

/// The schema of the tldraw that web/ has, as it writes it into files.
const SCHEMA: &str = include_str!("schema.json");

/// The form of a file.
const VERSION: u64 = 1;

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
#[cfg(feature = "import")]
pub(super) fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let known = Known {
        schema: SCHEMA,
        records_max: IMPORT_RECORDS_MAX,
    };
    let written = |Record { key, record }: Record| Write {
        key,
        record: Some(record),
    };
    let records = boardwire_import::tldr::read(bytes, known)?;
    let writes: Vec<Write> = records.into_iter().map(written).collect();
    let mut writer = [0; 4];
    getrandom::fill(&mut writer).map_err(|error| format!("no random bytes: {error}"))?;
    let unopened = |_| "it cannot be made a document".to_owned();
    let empty = bytes::Bytes::from_static(&[0, 0]);
    let mut document = Document::open(empty, u32::from_le_bytes(writer).into()).map_err(unopened)?;
    Ok(document.write(&writes).map_err(unopened)?.to_vec())
}

#[cfg(all(test, feature = "import"))]
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
    fn what_a_newer_tldraw_has_made_is_refused() {
        let newer = json!({ "schemaVersion": 2, "sequences": { "com.tldraw.page": 99 } });
        let why = read(&file(newer, json!([page()]))).unwrap_err();
        assert!(why.contains("newer tldraw"), "{why}");
    }
}
