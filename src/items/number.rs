//! Numbers of records: read with a default, and written as JavaScript would.
//!
//! Key invariant: a number that is written is finite, and a whole one has no fraction in its text, whatever
//! it went through. Tests are below.

use serde_json::{Number, Value};

use crate::items::Record;

/// Whole numbers up to here are exact, in JavaScript too.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

/// The value for a number; 0 for one that is not finite.
#[expect(clippy::cast_possible_truncation, reason = "it is whole, and below 2^53")]
pub(super) fn value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or_else(|| Value::from(0), Value::Number)
}

/// A member that is a number; `default` where it is none.
pub(super) fn of(record: &Record, member: &str, default: f64) -> f64 {
    record.get(member).and_then(Value::as_f64).unwrap_or(default)
}

/// Sets a prop that is a number, where it is another one; what has become of extreme ones is not finite, and
/// is not set.
pub(super) fn set(props: &mut Record, name: &str, wanted: Option<f64>) {
    if let Some(wanted) = wanted.filter(|wanted| wanted.is_finite())
        && props.get(name).and_then(Value::as_f64) != Some(wanted)
    {
        props.insert(name.to_owned(), value(wanted));
    }
}

/// Whether two numbers are the same but for the last digits of a division.
pub(super) fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_would() {
        for (number, text) in [
            (200.0, "200"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (-1e9, "-1000000000"),
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
            (1e300, "1e300"),
            (9_007_199_254_740_991.0, "9007199254740991"),
        ] {
            assert_eq!(value(number).to_string().replace("e+", "e"), text);
        }
    }
}
