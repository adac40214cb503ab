//! Refusals of members of an item.
//!
//! Owns how one is said. Must not know members.

use serde_json::Value;

use crate::items::Why;
use crate::limits;

/// A refusal of a member; `detail` goes on from its name.
pub(super) fn invalid(field: &str, detail: impl Into<String>) -> Why {
    Why::Invalid {
        field: field.to_owned(),
        detail: detail.into(),
    }
}

/// A coordinate on the page.
pub(super) fn coordinate(field: &str, value: &Value) -> Result<f64, Why> {
    let max = limits::ITEM_COORDINATE_MAX;
    let number = value.as_f64().filter(|number| number.abs() <= max);
    number.ok_or_else(|| invalid(field, format!("must be a number from -{max} to {max}")))
}
