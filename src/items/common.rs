//! What shapes of all types have alike beside their place: how they are turned, how much they let through,
//! and whether people can touch them.
//!
//! Owns the members `rotation`, `opacity` and `locked` of an item. Must not know types of items. Key
//! invariant: a member that has its default is not shown. Tests: src/items/tests/common.rs.

use serde_json::Value;

use crate::items::place::Frame;
use crate::items::refusing::invalid;
use crate::items::{Record, Why, number, place};
use crate::limits;

/// The members that are to change.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Common {
    /// Radians, clockwise, as seen on the page.
    rotation: Option<f64>,
    opacity: Option<f64>,
    is_locked: Option<bool>,
}

impl Common {
    /// Takes a member; whether it is one of these.
    pub(super) fn take(&mut self, name: &str, value: &Value) -> Result<bool, Why> {
        match name {
            "rotation" => self.rotation = Some(rotation(value)?),
            "opacity" => self.opacity = Some(opacity(value)?),
            "locked" => self.is_locked = Some(locked(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Makes the shape what is wanted; `around` is what it lies in.
    pub(super) fn write(&self, record: &mut Record, around: Option<Frame>) {
        let outer = around.map_or(0.0, Frame::angle);
        number::set(record, "rotation", self.rotation.map(|angle| angle - outer));
        number::set(record, "opacity", self.opacity);
        if let Some(is_locked) = self.is_locked {
            record.insert("isLocked".to_owned(), is_locked.into());
        }
    }
}

/// The members of a shape that are not their default; `around` is what it lies in.
pub(super) fn shown(record: &Record, around: Option<Frame>) -> impl Iterator<Item = (&'static str, Value)> {
    let differs = |number: f64, default: f64| number.is_finite() && number != default;
    let rotation = place::rotation(record, around);
    let opacity = number::of(record, "opacity", 1.0);
    let is_locked = record.get("isLocked") == Some(&Value::Bool(true));
    let members = [
        differs(rotation, 0.0).then(|| ("rotation", number::value(rotation))),
        differs(opacity, 1.0).then(|| ("opacity", number::value(opacity))),
        is_locked.then_some(("locked", Value::Bool(true))),
    ];
    members.into_iter().flatten()
}

fn rotation(value: &Value) -> Result<f64, Why> {
    let max = limits::ITEM_ROTATION_MAX;
    let angle = default_or_number(value, 0.0).filter(|angle| angle.abs() <= max);
    angle.ok_or_else(|| {
        let detail = format!("must be radians from -{max} to {max}, clockwise; 90 degrees are 1.5708");
        invalid("rotation", detail)
    })
}

fn opacity(value: &Value) -> Result<f64, Why> {
    let opacity = default_or_number(value, 1.0).filter(|opacity| (0.0..=1.0).contains(opacity));
    opacity.ok_or_else(|| invalid("opacity", "must be a number from 0 to 1"))
}

fn locked(value: &Value) -> Result<bool, Why> {
    let is_locked = if value.is_null() {
        Some(false)
    } else {
        value.as_bool()
    };
    is_locked.ok_or_else(|| invalid("locked", "must be true or false"))
}

fn default_or_number(value: &Value, default: f64) -> Option<f64> {
    if value.is_null() {
        Some(default)
    } else {
        value.as_f64()
    }
}
