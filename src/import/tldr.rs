//! Files of tldraw's: `.tldr`.
//!
//! Owns what such a file is. Must not draw, nor bring records of older versions up to this one: the page does
//! that when it opens the board. Key invariant: of a newer tldraw nothing is taken, since nobody here could
//! show it. Tests are below, and in web/src/import/schema.test.ts; fuzz body: `fuzzing::tldr`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

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

/// A record of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its id.
    pub key: String,
    /// What it is.
    pub record: Map<String, Value>,
}

/// What of a file is taken.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The schema of the tldraw that will show it, as it writes it into files.
    pub schema: &'a str,
    /// Records, inclusive.
    pub records_max: usize,
}

/// Reads a file: the records of its document.
///
/// # Errors
/// Why not, in one line.
pub fn read(bytes: &[u8], known: Known<'_>) -> Result<Vec<Record>, String> {
    let file: File =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no .tldr file: {error}"))?;
    if file.version != VERSION {
        return Err(format!(
            "it is a .tldr file of form {}, and {VERSION} is known",
            file.version
        ));
    }
    let ours =
        serde_json::from_str(known.schema).map_or_else(|_| BTreeMap::new(), |ours: Schema| ours.sequences);
    let newer = |(name, version): &(&String, &u64)| ours.get(*name).is_some_and(|known| known < version);
    if let Some((name, version)) = file.schema.sequences.iter().find(newer) {
        return Err(format!(
            "it was made by a newer tldraw than this server's page has ({} {version})",
            crate::one_line(name)
        ));
    }
    let most = known.records_max;
    if file.records.len() > most {
        return Err(format!(
            "it has {} records, and {most} are the most",
            file.records.len()
        ));
    }
    let records: Result<Vec<Record>, String> = file.records.into_iter().filter_map(record).collect();
    let records = records?;
    match records.is_empty() {
        true => Err("it has no records".to_owned()),
        false => Ok(records),
    }
}

/// A record under its id; `None` for one that no document has.
fn record(value: Value) -> Option<Result<Record, String>> {
    let Value::Object(record) = value else {
        return Some(Err("a record of it is no object".to_owned()));
    };
    let text =
        |record: &Map<String, Value>, name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
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
    Some(Ok(Record { key, record }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KNOWN: Known<'_> = Known {
        schema: r#"{"sequences": {"com.tldraw.page": 1}}"#,
        records_max: 2,
    };

    fn file(schema: Value, records: Value) -> Vec<u8> {
        let file = json!({ "tldrawFileFormatVersion": 1, "schema": schema, "records": records });
        file.to_string().into_bytes()
    }

    fn page() -> Value {
        json!({ "typeName": "page", "id": "page:p", "name": "Page 1", "index": "a1", "meta": {} })
    }

    #[test]
    fn records_of_the_document_are_read_and_those_of_one_person_left_out() {
        let camera = json!({ "typeName": "camera", "id": "camera:page:p", "x": 1 });
        let records = read(&file(json!({}), json!([camera, page()])), KNOWN).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].key, "page:p");
        assert_eq!(Value::Object(records[0].record.clone()), page());
        assert!(
            read(&file(json!({}), json!([page(), page(), page()])), KNOWN)
                .is_err_and(|why| why.contains("2 are the most"))
        );
    }

    #[test]
    fn what_is_no_drawing_is_refused_with_the_cause() {
        let newer = json!({ "schemaVersion": 2, "sequences": { "com.tldraw.page": 99 } });
        let older = json!({ "schemaVersion": 2, "sequences": { "com.tldraw.page": 0 } });
        assert!(read(&file(older.clone(), json!([page()])), KNOWN).is_ok());
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
            let why = read(&bytes, KNOWN).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }
}
