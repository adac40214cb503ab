//! Where a shape belongs: what it lies in, and where it stands among its siblings.
//!
//! Owns the members `parent`, `group` and `z` of an item. Must not know types of items. Key invariants: a
//! shape that is given another parent stays where it is on the page; nothing ever lies in itself. Tests:
//! src/items/tests/order.rs.

use serde_json::Value;

use crate::ids::ItemId;
use crate::items::overlay::Overlay;
use crate::items::place::{self, Frame};
use crate::items::props::string;
use crate::items::refusing::invalid;
use crate::items::{Record, Records, Why, index_key, number, shape_key};

/// What an item shall lie in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Parent {
    /// Nothing but its page.
    Page,
    /// A frame or a group.
    In(ItemId),
}

/// Where an item shall stand among its siblings.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Level {
    Front,
    Back,
    /// Right above another.
    Above(ItemId),
    /// Right below another.
    Below(ItemId),
}

impl Parent {
    pub(super) fn parse(value: &Value) -> Result<Self, Why> {
        if value.is_null() {
            return Ok(Self::Page);
        }
        let id = value.as_str().and_then(ItemId::parse);
        id.map(Self::In).ok_or_else(no_parent)
    }
}

impl Level {
    /// `None` for null, which asks for nothing.
    pub(super) fn parse(value: &Value) -> Result<Option<Self>, Why> {
        let detail = "must be front, back, {\"above\": id} or {\"below\": id}";
        let level = match value {
            Value::Null => return Ok(None),
            Value::String(word) if word == "front" => Some(Self::Front),
            Value::String(word) if word == "back" => Some(Self::Back),
            Value::Object(members) if members.len() == 1 => {
                let id = |name: &str| members.get(name)?.as_str().and_then(ItemId::parse);
                id("above")
                    .map(Self::Above)
                    .or_else(|| id("below").map(Self::Below))
            }
            _ => None,
        };
        level.map(Some).ok_or_else(|| invalid("z", detail))
    }
}

fn no_parent() -> Why {
    invalid(
        "parent",
        "must be the id of a frame or a group, or null for the page",
    )
}

/// The members that say what a shape lies in, where that is a frame or a group.
pub(super) fn shown(records: &dyn Records, record: &Record) -> Vec<(&'static str, Value)> {
    let parent = || {
        let key = record.get("parentId")?.as_str()?;
        let id = ItemId::parse(key.strip_prefix("shape:")?)?;
        Some((id, records.text(key, "type")?))
    };
    match parent() {
        Some((id, kind)) if kind == "frame" => vec![("parent", id.as_str().into())],
        Some((id, kind)) if kind == "group" => {
            vec![("parent", id.as_str().into()), ("group", id.as_str().into())]
        }
        _ => Vec::new(),
    }
}

/// Puts a shape, which is on `page` so far, into what it shall lie in. A new one may come to another page.
pub(super) fn put_into(
    overlay: &mut Overlay<'_>,
    key: &str,
    record: &mut Record,
    (parent, page): (&Parent, &str),
) -> Result<(), Why> {
    let into = match parent {
        Parent::Page => page.to_owned(),
        Parent::In(id) => {
            let into = shape_key(id);
            let is_holding = overlay.text(&into, "typeName").as_deref() == Some("shape")
                && matches!(overlay.text(&into, "type").as_deref(), Some("frame" | "group"));
            let way = place::way_up(overlay, &into).filter(|_| is_holding);
            let way = way.ok_or_else(no_parent)?;
            if way.iter().any(|outer| outer == key) {
                return Err(invalid("parent", "must not lie in the item itself"));
            }
            let is_there = overlay.get(key).is_some();
            if is_there && way.last().is_none_or(|outermost| outermost != page) {
                return Err(invalid("parent", "must be on the item's own page"));
            }
            into
        }
    };
    if record.get("parentId").and_then(Value::as_str) != Some(into.as_str()) {
        reparent(overlay, record, &into);
    }
    Ok(())
}

/// Lets a shape lie in another one or right on a page, above all others, and be where it is.
pub(super) fn reparent(overlay: &mut Overlay<'_>, record: &mut Record, into: &str) {
    let around = Frame::around(overlay, record);
    let at = place::seen(record, around);
    let angle = number::of(record, "rotation", 0.0) + around.map_or(0.0, Frame::angle);
    let inside = if into.starts_with("shape:") {
        Frame::on_page(overlay, into)
    } else {
        None
    };
    let own = inside.map_or(at, |inside| inside.to_own(at));
    let angle = angle - inside.map_or(0.0, Frame::angle);
    for (name, value) in [("x", own.x), ("y", own.y), ("rotation", angle)] {
        number::set(record, name, Some(value));
    }
    let index = overlay.index_above(into);
    record.insert("parentId".to_owned(), into.into());
    record.insert("index".to_owned(), index.into());
}

/// Gives a shape its place among its siblings.
pub(super) fn arrange(
    overlay: &mut Overlay<'_>,
    key: &str,
    record: &mut Record,
    level: &Level,
) -> Result<(), Why> {
    let (parent, index) = (string(record, "parentId"), string(record, "index"));
    let (low, high) = match level {
        Level::Front => (overlay.index_below(&parent, None, key), None),
        Level::Back => (None, overlay.index_over(&parent, None, key)),
        Level::Above(other) => {
            let low = sibling(overlay, key, &parent, ("z.above", other))?;
            let high = overlay.index_over(&parent, Some(&low), key);
            (Some(low), high)
        }
        Level::Below(other) => {
            let high = sibling(overlay, key, &parent, ("z.below", other))?;
            (overlay.index_below(&parent, Some(&high), key), Some(high))
        }
    };
    let is_there = index_key::counts(&index)
        && low.as_ref().is_none_or(|low| *low < index)
        && high.as_ref().is_none_or(|high| index < *high);
    if !is_there {
        let between = index_key::between(low.as_deref(), high.as_deref());
        let between = between.ok_or_else(|| invalid("z", "finds no room there; try front or back"))?;
        record.insert("index".to_owned(), between.into());
    }
    Ok(())
}

/// The index key of a shape that lies beside another one.
fn sibling(
    overlay: &Overlay<'_>,
    key: &str,
    parent: &str,
    (field, other): (&str, &ItemId),
) -> Result<String, Why> {
    let other = shape_key(other);
    let is_beside = other != key
        && overlay.text(&other, "typeName").as_deref() == Some("shape")
        && overlay.text(&other, "parentId").as_deref() == Some(parent);
    let index = overlay.text(&other, "index");
    index
        .filter(|index| is_beside && index_key::counts(index))
        .ok_or_else(|| {
            invalid(
                field,
                "must be an item beside it: in the same frame or group, or on the page",
            )
        })
}
