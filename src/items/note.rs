//! Notes: tldraw's have no width and height, but a scale, and as much more height as their text needs.
//!
//! Owns how a box that is asked for becomes scale and growth, and the memory of it in `meta.asked`. Key
//! invariants: a note never leaves its box to the right; what was asked for counts only as long as scale and
//! growth are what it led to. Source: tldraw 3.15.6, src/lib/shapes/note. Tests: src/items/tests.rs.

use serde_json::{Value, json};

use crate::items::kind::Kind;
use crate::items::props::{face, part, part_mut, text};
use crate::items::{Record, number, text_size};

/// The side of a note at scale 1.
const SIDE: f64 = 200.0;

/// Bold letters are wider; a document's title is bold, and counts for all of it.
const BOLD: f64 = 1.04;

/// Scale and growth, which is in units of the scale.
fn measures(record: &Record) -> (f64, f64) {
    let props = part(record, "props");
    let prop = |name, default| props.map_or(default, |props| number::of(props, name, default));
    (prop("scale", 1.0), prop("growY", 0.0))
}

/// The box that was asked for, where it still counts.
fn asked(record: &Record) -> Option<(f64, f64)> {
    let asked = part(part(record, "meta")?, "asked")?;
    let member = |name| asked.get(name).and_then(Value::as_f64);
    let (width, height, grown) = (member("width")?, member("height")?, member("grow_y")?);
    let (scale, grow) = measures(record);
    let counts = number::same(scale, width.min(height) / SIDE) && number::same(grow, grown);
    counts.then_some((width, height))
}

/// Width and height, as the canvas shows them.
pub(super) fn drawn_size(record: &Record) -> (f64, f64) {
    let (scale, grow) = measures(record);
    (SIDE * scale, (SIDE + grow) * scale)
}

/// Width and height, as the item shows them.
pub(super) fn size(record: &Record) -> (f64, f64) {
    let (side, grown) = drawn_size(record);
    asked(record).map_or((side, grown), |(width, height)| (width, height.max(grown)))
}

/// Fits the note into the box that it had, with another width or height, as far as its text lets it.
pub(super) fn fit(record: &mut Record, width: Option<f64>, height: Option<f64>, kind: Kind) {
    let (scale, _) = measures(record);
    let side = SIDE * scale;
    // Growth that nobody asked for was for a text.
    let (old_width, old_height) = asked(record).unwrap_or((side, side));
    let (width, height) = (width.unwrap_or(old_width), height.unwrap_or(old_height));
    let scale = width.min(height) / SIDE;
    let Some(props) = part_mut(record, "props") else {
        return;
    };
    let label = text_size::note_label(&text(props), face(props));
    let label_height = if kind == Kind::Document {
        label.height * BOLD
    } else {
        label.height
    };
    let grow = (height / scale - SIDE).max(label_height.ceil() - SIDE).max(0.0);
    // Of a note that somebody made extreme: tldraw would not take it, so it stays as it is.
    if !scale.is_finite() || scale <= 0.0 || !grow.is_finite() {
        return;
    }
    number::set(props, "scale", Some(scale));
    number::set(props, "growY", Some(grow));
    number::set(props, "fontSizeAdjustment", Some(label.font));
    let Some(meta) = part_mut(record, "meta") else {
        return;
    };
    if width == height {
        meta.remove("asked");
    } else {
        let [width, height, grow] = [width, height, grow].map(number::value);
        meta.insert(
            "asked".to_owned(),
            json!({"width": width, "height": height, "grow_y": grow}),
        );
    }
}
