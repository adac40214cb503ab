//! From a shape's record to the item that it stands for.
//!
//! Owns which records are items, and the contract's JSON. Must not know who asks. Key invariants: any JSON is
//! read without a panic; what the meta of a copied shape says about its original is not said of the copy.
//! Tests: src/items/tests.rs.

use serde_json::{Map, Value};

use crate::ids::ItemId;
use crate::items::connector::Connector;
use crate::items::end::Terminal;
use crate::items::kind::{Kind, Member};
use crate::items::overlay::Overlay;
use crate::items::place::Frame;
use crate::items::props::part;
use crate::items::style::Style;
use crate::items::{Item, Record, Records, has_path, shape_key, text_bytes};
use crate::items::{asset, common, number, order, place, points, revision, shape};

/// What is known of who made and changed an item.
const HISTORY: [&str; 4] = ["created_by", "created_at", "updated_by", "updated_at"];

/// Bytes of one of them that is shown. This server writes far less; others may write anything.
const HISTORY_BYTES_MAX: usize = 512;

/// The item `id`.
pub(super) fn read(records: &Overlay<'_>, id: &ItemId) -> Option<Item> {
    let record = records.get(&shape_key(id))?;
    let kind = shape::kind_of(&record)?;
    Some(item(records, id, kind, &record))
}

/// Whether the meta of a shape is about this very item: tldraw copies meta along with a shape.
pub(super) fn is_own_meta(record: &Record, id: &ItemId) -> bool {
    let noted = part(record, "meta").and_then(|meta| meta.get("item_id"));
    noted.and_then(Value::as_str) == Some(id.as_str())
}

/// The item of a record.
pub(super) fn item(records: &Overlay<'_>, id: &ItemId, kind: Kind, record: &Record) -> Item {
    let empty = Record::new();
    let props = part(record, "props").unwrap_or(&empty);
    let shown = (kind == Kind::Image)
        .then(|| asset::of(records, record))
        .flatten();
    let asset = shown.as_ref().map(|(_, asset)| asset);
    let connector = (kind == Kind::Connector).then(|| Connector::of(records, &shape_key(id), record));
    let around = Frame::around(records, record);
    let at = connector
        .as_ref()
        .map_or_else(|| shape::corner(kind, record, around), Connector::corner);
    let page = place::page_of(records, record);
    let (width, height) = connector
        .as_ref()
        .map_or_else(|| shape::size(kind, record), Connector::size);
    let mut json = Map::new();
    json.insert("id".to_owned(), id.as_str().into());
    json.insert("type".to_owned(), kind.as_str().into());
    for (name, member) in [("x", at.x), ("y", at.y), ("width", width), ("height", height)] {
        json.insert(name.to_owned(), number::value(member));
    }
    for (connector, end) in connector.iter().flat_map(|it| Terminal::ALL.map(|end| (it, end))) {
        json.insert(end.member().to_owned(), connector.end(end).json());
    }
    let content = kind.members().iter().map(|member| {
        let text = match (kind, member) {
            (Kind::Image, Member::Url) => asset::source(asset).to_owned(),
            _ => shape::content(kind, *member, props),
        };
        (member.as_str().to_owned(), Value::String(text))
    });
    json.insert("content".to_owned(), Value::Object(content.collect()));
    let style = Style::ALL.into_iter().filter_map(|style| {
        let word = shape::style(kind, style, props)?;
        Some((style.as_str().to_owned(), Value::String(word)))
    });
    let bend = || ("bend".to_owned(), number::value(number::of(props, "bend", 0.0)));
    let style = style.chain(connector.is_some().then(bend));
    json.insert("style".to_owned(), Value::Object(style.collect()));
    let points = kind.has_points().then(|| points::shown(record, around));
    let members = points.into_iter().flatten();
    let members = members
        .chain(common::shown(record, around))
        // Of a connector, it is within what follows from its ends.
        .filter(|(name, _)| connector.is_none() || *name != "rotation")
        .chain(order::shown(records, record));
    json.extend(members.map(|(name, value)| (name.to_owned(), value)));
    let meta = part(record, "meta").filter(|_| is_own_meta(record, id));
    for name in HISTORY {
        let noted = meta
            .and_then(|meta| meta.get(name))
            .filter(|value| value.as_str().is_some_and(|text| text.len() <= HISTORY_BYTES_MAX));
        json.insert(name.to_owned(), noted.cloned().unwrap_or(Value::Null));
    }
    let bindings = connector.iter().flat_map(Connector::records);
    let records: Vec<&Record> = [Some(record), asset]
        .into_iter()
        .flatten()
        .chain(bindings)
        .collect();
    let places = connector.as_ref().map(Connector::places);
    let places = places
        .as_ref()
        .map_or_else(|| std::slice::from_ref(&at), <[_; 2]>::as_slice);
    let angle = around.map_or(0.0, Frame::angle);
    let (revision, record_bytes) = revision::of(&records, places, angle);
    let json = Value::Object(json);
    Item {
        bytes: record_bytes.max(text_bytes(&json)),
        json,
        revision,
        page,
    }
}

/// The ids of all items, sorted; without one that no path leads to.
pub(super) fn ids(records: &dyn Records) -> Vec<ItemId> {
    let id = |key: String| {
        let id = ItemId::parse(key.strip_prefix("shape:")?).filter(|id| has_path(id.as_str()))?;
        let is_item = records.text(&key, "typeName").as_deref() == Some("shape")
            && Kind::of(&records.text(&key, "type")?, None).is_some();
        is_item.then_some(id)
    };
    let mut ids: Vec<ItemId> = records.keys().into_iter().filter_map(id).collect();
    ids.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    ids.dedup();
    ids
}
