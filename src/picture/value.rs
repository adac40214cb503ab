//! Members of records, whatever stands in them.
//!
//! Owns how JSON of strangers becomes numbers and words. Must not know shapes. Key invariant: a number is
//! finite and no larger than [`LARGEST`], either way. Tests are below.

use serde_json::Value;

use crate::Record;

/// Farther away nothing is drawn as it stands.
pub(crate) const LARGEST: f64 = 1e8;

static EMPTY: std::sync::LazyLock<Record> = std::sync::LazyLock::new(Record::new);

pub(crate) fn number(record: &Record, name: &str) -> Option<f64> {
    let number = record.get(name)?.as_f64()?;
    number.is_finite().then(|| number.clamp(-LARGEST, LARGEST))
}

pub(crate) fn number_or(record: &Record, name: &str, otherwise: f64) -> f64 {
    number(record, name).unwrap_or(otherwise)
}

/// How much larger a shape is drawn than its style says.
pub(crate) fn scale(props: &Record) -> f64 {
    number_or(props, "scale", 1.0).clamp(0.01, 100.0)
}

pub(crate) fn text<'r>(record: &'r Record, name: &str) -> &'r str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn is(record: &Record, name: &str) -> bool {
    record.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// A member that is an object; an empty one where it is none.
pub(crate) fn part<'r>(record: &'r Record, name: &str) -> &'r Record {
    record.get(name).and_then(Value::as_object).unwrap_or(&EMPTY)
}

pub(crate) fn list<'r>(record: &'r Record, name: &str) -> &'r [Value] {
    record
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_number_is_none_and_a_large_one_is_cut() {
        let record = json!({"a": "1", "b": 1e300, "c": -2, "d": null});
        let record = record.as_object().unwrap();
        let read = ["a", "b", "c", "d", "e"].map(|name| number(record, name));
        assert_eq!(read, [None, Some(LARGEST), Some(-2.0), None, None]);
    }
}
