//! Filters: which items of a board somebody asks for.
//!
//! Owns the parameters of a list of items and what they let through. Must not know records or HTTP. Key
//! invariant: an item passes only where every filter lets it. Tests: src/items/tests/filter.rs.

use serde_json::Value;

use crate::items::Item;
use crate::items::kind::Kind;
use crate::items::place::{Area, Frame, Point};

/// The names of all filters.
pub const FILTERS: [&str; 5] = ["type", "bbox", "created_by", "text", "since"];

/// What items must be.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    kinds: Option<Vec<Kind>>,
    area: Option<Area>,
    created_by: Option<String>,
    /// In lower case.
    text: Option<String>,
    since: Option<String>,
}

impl Filter {
    /// Sets the filter `name`; `Err` says what would be right.
    ///
    /// # Errors
    /// The value cannot be understood.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "type" => self.kinds = Some(kinds(value)?),
            "bbox" => self.area = Some(area(value)?),
            "created_by" => self.created_by = Some(value.to_owned()),
            "text" => self.text = Some(value.to_lowercase()),
            "since" => {
                let since = instant(value);
                let detail = "must be a time as items show it: 2026-01-31T12:00:00.000Z";
                self.since = Some(since.ok_or(detail)?);
            }
            _ => return Err("is no filter".to_owned()),
        }
        Ok(())
    }

    /// Whether an item passes.
    #[must_use]
    pub fn takes(&self, item: &Item) -> bool {
        let text = |name: &str| item.json.get(name).and_then(Value::as_str);
        let is_kind = |kinds: &Vec<Kind>| kinds.iter().any(|kind| text("type") == Some(kind.as_str()));
        let is_later = |since: &String| {
            let changed = text("updated_at").and_then(instant);
            changed.is_some_and(|changed| changed >= *since)
        };
        self.kinds.as_ref().is_none_or(is_kind)
            && self
                .created_by
                .as_deref()
                .is_none_or(|by| text("created_by") == Some(by))
            && self.since.as_ref().is_none_or(is_later)
            && self.area.is_none_or(|area| area.meets(taken_by(item)))
            && self.text.as_ref().is_none_or(|words| says(item, words))
    }
}

/// What an item takes of the page.
fn taken_by(item: &Item) -> Area {
    let number = |name: &str| item.json.get(name).and_then(Value::as_f64).unwrap_or_default();
    let corner = Point {
        x: number("x"),
        y: number("y"),
    };
    Area::of(
        Frame::at(corner, number("rotation")),
        number("width"),
        number("height"),
    )
}

/// Whether a member of the content has these words, in lower case.
fn says(item: &Item, words: &str) -> bool {
    let content = item.json.get("content").and_then(Value::as_object);
    let mut texts = content
        .into_iter()
        .flatten()
        .filter_map(|(_, text)| text.as_str());
    texts.any(|text| text.to_lowercase().contains(words))
}

fn kinds(value: &str) -> Result<Vec<Kind>, String> {
    let kinds = value.split(',').map(|word| {
        let words = || Kind::ALL.map(Kind::as_str).join(", ");
        Kind::parse(word)
            .ok_or_else(|| format!("must be one of {}, or some of them with commas between", words()))
    });
    kinds.collect()
}

fn area(value: &str) -> Result<Area, String> {
    let area = numbers::<4>(value).filter(|[_, _, width, height]| *width >= 0.0 && *height >= 0.0);
    let [x, y, width, height] = area.ok_or("must be four numbers, x,y,width,height, on the page")?;
    Ok(Area::of(Frame::at(Point { x, y }, 0.0), width, height))
}

/// Finite numbers with commas between; `None` where they are others, or not so many.
#[must_use]
pub fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    let numbers: Option<Vec<f64>> = text.split(',').map(number).collect();
    numbers?.try_into().ok()
}

/// A time in UTC as this server writes it, whose text compares as the time does; `None` where it is none.
/// Digits beyond the millisecond are cut off, and may be missing.
fn instant(text: &str) -> Option<String> {
    let (seconds, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let is_shaped = seconds.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let digits = match fraction {
        "" => "",
        fraction => fraction.strip_prefix('.').filter(|digits| !digits.is_empty())?,
    };
    let is_fraction = digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_shaped && is_fraction).then(|| format!("{seconds}.{:0<3.3}Z", digits))
}
