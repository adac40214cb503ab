//! Ends of connectors, as the contract has them: an item with an anchor in it, or a place on the page.
//!
//! Owns the JSON of an end, and what a patch of one means. Must not know records. Key invariant: an end is an
//! item or a place, never both. Tests: src/items/tests/connectors.rs.

use serde_json::{Map, Value, json};

use crate::ids::ItemId;
use crate::items::place::Point;
use crate::items::refusing::{coordinate, invalid};
use crate::items::{Record, Why, number, shown};

/// Which end of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terminal {
    Start,
    End,
}

/// What a connector ends at.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    /// An item: its middle, or the anchor, which goes from 0 to 1 both ways.
    Item { id: ItemId, anchor: Option<Point> },
    /// A place on the page.
    Place(Point),
}

impl Terminal {
    pub(super) const ALL: [Self; 2] = [Self::Start, Self::End];

    /// The contract's word.
    pub(super) fn member(self) -> &'static str {
        match self {
            Self::Start => "from",
            Self::End => "to",
        }
    }

    /// tldraw's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
        }
    }
}

impl End {
    /// The end that was sent as the member `field`.
    pub(super) fn parse(field: &str, value: &Value) -> Result<Self, Why> {
        let at = |member: &str| format!("{field}.{member}");
        let members = value.as_object().ok_or_else(|| {
            invalid(
                field,
                "must be an object: {\"item\", \"anchor\"} or {\"x\", \"y\"}",
            )
        })?;
        if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            let detail = format!("is no member of an end: {}", MEMBERS.join(", "));
            return Err(invalid(&at(&shown(unknown)), detail));
        }
        let given = |member: &str| members.get(member).filter(|value| !value.is_null());
        let Some(item) = given("item") else {
            if given("anchor").is_some() {
                return Err(invalid(&at("anchor"), "is for an end that has an item"));
            }
            let side = |member| {
                let value = given(member).ok_or_else(|| invalid(&at(member), "is missing"))?;
                coordinate(&at(member), value)
            };
            let (x, y) = (side("x")?, side("y")?);
            return Ok(Self::Place(Point { x, y }));
        };
        if let Some(member) = ["x", "y"].into_iter().find(|member| given(member).is_some()) {
            return Err(invalid(&at(member), "is for an end that has no item"));
        }
        let id = item.as_str().and_then(ItemId::parse);
        let id = id.ok_or_else(|| invalid(&at("item"), "must be the id of an item"))?;
        let anchor = given("anchor").map(|anchor| parse_anchor(&at("anchor"), anchor));
        Ok(Self::Item {
            id,
            anchor: anchor.transpose()?,
        })
    }

    /// As the contract shows it.
    pub(super) fn json(&self) -> Value {
        let point = |point: &Point| json!({"x": number::value(point.x), "y": number::value(point.y)});
        match self {
            Self::Item { id, anchor: None } => json!({"item": id.as_str()}),
            Self::Item {
                id,
                anchor: Some(anchor),
            } => json!({"item": id.as_str(), "anchor": point(anchor)}),
            Self::Place(place) => point(place),
        }
    }
}

const MEMBERS: [&str; 4] = ["item", "anchor", "x", "y"];

fn parse_anchor(field: &str, value: &Value) -> Result<Point, Why> {
    let members = value
        .as_object()
        .ok_or_else(|| invalid(field, "must be an object with x and y"))?;
    if let Some(unknown) = members.keys().find(|name| !["x", "y"].contains(&name.as_str())) {
        let field = format!("{field}.{}", shown(unknown));
        return Err(invalid(&field, "is no member of an anchor: x, y"));
    }
    let side = |member: &str| {
        let number = members.get(member).and_then(Value::as_f64);
        let number = number.filter(|number| (0.0..=1.0).contains(number));
        number.ok_or_else(|| invalid(&format!("{field}.{member}"), "must be a number from 0 to 1"))
    };
    Ok(Point {
        x: side("x")?,
        y: side("y")?,
    })
}

/// Puts whole ends into the `news` of a patch, in place of what it says of them: ends as they would be, or
/// nothing where they stay as they are `shown`.
pub(super) fn complete(news: &mut Record, patch: &Record, shown: &Value) {
    for member in Terminal::ALL.map(Terminal::member) {
        let Some(wanted) = patch.get(member) else {
            continue;
        };
        let whole = match (wanted, shown.get(member)) {
            (Value::Object(wanted), Some(Value::Object(is))) => Value::Object(merged(is, wanted)),
            _ => wanted.clone(),
        };
        if shown.get(member).is_some_and(|is| is_same(is, &whole)) {
            news.remove(member);
        } else {
            news.insert(member.to_owned(), whole);
        }
    }
}

/// A merge patch (RFC 7396) of an end; one that names an item takes the place's place, and the other way
/// round.
fn merged(is: &Map<String, Value>, wanted: &Map<String, Value>) -> Map<String, Value> {
    let names = |member: &str| wanted.get(member).is_some_and(|value| !value.is_null());
    let mut whole = is.clone();
    if names("item") {
        whole.retain(|name, _| name != "x" && name != "y");
    } else if names("x") || names("y") {
        whole.retain(|name, _| name != "item" && name != "anchor");
    }
    for (name, value) in wanted {
        match (value, whole.get_mut(name)) {
            (Value::Null, _) => drop(whole.remove(name)),
            (Value::Object(members), Some(Value::Object(inner))) => {
                for (name, value) in members {
                    inner.insert(name.clone(), value.clone());
                }
            }
            _ => drop(whole.insert(name.clone(), value.clone())),
        }
    }
    whole
}

/// Whether two values are the same, numbers by what they are.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Object(a), Value::Object(b)) => {
            let same =
                |(name, value): (&String, &Value)| b.get(name).is_some_and(|other| is_same(value, other));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}
