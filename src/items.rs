//! Items: what agents and applications see of a board's drawing, and the tldraw records behind it.
//!
//! Owns the way from an item to records of the Y.Map `tldraw` and back. Must not know documents, rooms or
//! HTTP: records come in through [`Records`], and what must be written goes out as values. Key invariant:
//! every record that leaves here is valid for the tldraw version that web/ pins; several operations change
//! all or nothing.

mod apply;
mod asset;
mod binding;
mod change;
mod common;
mod connector;
mod end;
mod filter;
mod frames;
mod index_key;
mod kind;
mod layout;
mod link;
mod note;
mod number;
mod order;
mod overlay;
mod place;
mod points;
mod props;
mod read;
mod refusing;
mod revision;
mod rich_text;
mod setting;
mod shape;
mod space;
mod style;
mod text_size;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use filter::{FILTERS, Filter, numbers};
pub use space::{Room, space};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::ids::ItemId;
use crate::items::overlay::Overlay;
use crate::time::UnixMillis;

/// The page that tldraw makes on an empty board.
pub const PAGE: &str = "page:page";

/// No item is named so: what the paths are of.
pub const PATHS: [(&str, &str); 2] = [("batch", "batches"), ("space", "free room")];

/// The key of an item's shape.
fn shape_key(id: &ItemId) -> String {
    format!("shape:{id}")
}

/// The record that each board has once.
const DOCUMENT: &str = "document:document";

/// A record of the Y.Map `tldraw`: a JSON object.
pub type Record = Map<String, Value>;

/// The records of a document, as they are at one moment.
pub trait Records {
    /// The record under `key`; `None` where there is none, or something else than a plain JSON object.
    fn get(&self, key: &str) -> Option<Record>;

    /// A member of a record that is a string, without reading the rest of it.
    fn text(&self, key: &str, member: &str) -> Option<String>;

    /// A member of a record that is a finite number, without reading the rest of it.
    fn number(&self, key: &str, member: &str) -> Option<f64>;

    /// A number or boolean at a path of members, without reading the rest.
    fn plain(&self, key: &str, path: &[&str]) -> Option<Value>;

    /// The keys of all records, in no order.
    fn keys(&self) -> Vec<String>;
}

/// What somebody wants done.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Make an item.
    Create {
        /// The item as it was sent: JSON, not checked yet.
        item: Record,
        /// The id where the item names none.
        id: ItemId,
        /// What tells a repetition of this very request; kept in the record's meta as `request`.
        request: Option<String>,
    },
    /// Change an item.
    Update {
        /// Which.
        id: ItemId,
        /// A merge patch (RFC 7396), not checked yet.
        patch: Record,
    },
    /// Delete an item.
    Delete {
        /// Which.
        id: ItemId,
    },
    /// Set items out.
    Layout {
        /// Which, and how, as it was sent: not checked yet.
        layout: Record,
    },
}

/// Who does it, and when.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// As the contract writes it: `user:alice`, `key:...`.
    pub actor: &'a str,
    /// The time.
    pub at: UnixMillis,
}

/// An item as the contract shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Item {
    /// The contract's JSON.
    pub json: Value,
    /// Changes whenever a record of the item does: for `ETag` and `If-Match`. Not part of the JSON.
    #[serde(skip)]
    pub revision: String,
    /// The key of the page that it is on, where it is on one. Not part of the JSON.
    #[serde(skip)]
    pub page: Option<String>,
    /// What it takes to answer with it: bytes of its strings, or of the records behind it, which may hold
    /// more than it shows; the larger, about. Not part of the JSON.
    #[serde(skip)]
    pub bytes: usize,
}

/// Bytes of the strings in an item's JSON, which is three deep.
fn text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Object(members) => members.values().map(text_bytes).sum(),
        _ => 0,
    }
}

/// What became of one operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The item is new.
    Created(Item),
    /// The same request made it before; this is what it is now.
    Repeated(Item),
    /// The item was changed.
    Updated(Item),
    /// This is what it was; `None` where a repeated request finds that it is gone, whatever it had done to
    /// it.
    Deleted(Option<Item>),
    /// These were set out, in the order in which they were named; those that are there, where the request is
    /// a repeated one.
    LaidOut(Vec<Item>),
}

impl Outcome {
    /// The items that it is about.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        match self {
            Self::Created(item) | Self::Repeated(item) | Self::Updated(item) => std::slice::from_ref(item),
            Self::Deleted(item) => item.as_slice(),
            Self::LaidOut(items) => items,
        }
    }
}

/// One entry of the Y.Map to be set, or to be removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The record's id, which is its key.
    pub key: String,
    /// The record; `None` removes it.
    pub record: Option<Record>,
}

/// What must be written, and what to answer once it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In order; a key stands once.
    pub writes: Vec<Write>,
    /// One for each operation.
    pub outcomes: Vec<Outcome>,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Of which operation, from 0.
    pub index: usize,
    /// Why.
    pub why: Why,
}

/// What is wrong with an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A member is missing, unknown, or has a value that it cannot have.
    Invalid {
        /// The path to it: `content.text`.
        field: String,
        /// What would be right, in words.
        detail: String,
    },
    /// There is an item, or another record, of this id.
    Exists,
    /// There is no such item.
    Absent,
    /// The key of this request was used for another one.
    Reused,
    /// All that there is to answer, or to move, is too much.
    TooLarge,
}

/// What operations do to records, each seeing those before it, and what to answer once it is written.
///
/// Where one creation finds the item that the same request made before, the whole request was done before
/// (all of it, or it would not be there): nothing is written, and each operation reports what is there now.
///
/// # Errors
/// The first operation that cannot be done; then none is.
pub fn apply(records: &dyn Records, operations: &[Operation], stamp: Stamp<'_>) -> Result<Plan, Refused> {
    apply::apply(records, operations, stamp)
}

/// The item `id`; `None` where there is none, or a shape that is no item.
pub fn read(records: &dyn Records, id: &ItemId) -> Option<Item> {
    reader(records)(id)
}

/// The same for many: who is bound to whom is looked up once.
pub fn reader(records: &dyn Records) -> impl Fn(&ItemId) -> Option<Item> + '_ {
    let overlay = Overlay::new(records);
    move |id| read::read(&overlay, id)
}

/// An item that another server shows, as it may be asked for here: without what follows from the rest.
#[must_use]
pub fn told(mut item: Record) -> Record {
    let kind = item
        .get("type")
        .and_then(Value::as_str)
        .and_then(kind::Kind::parse);
    let count = item.get("points").and_then(Value::as_array).map(Vec::len);
    let all = item.get("points_total").and_then(Value::as_u64);
    let is_whole = all.is_none() || all == count.and_then(|count| u64::try_from(count).ok());
    let derived: &[&str] = match kind {
        Some(kind::Kind::Connector) => &["x", "y", "width", "height", "rotation"],
        Some(kind) if kind.has_points() && is_whole => &["x", "y", "width", "height", "points_total"],
        // It can be moved, but not be drawn again.
        Some(kind) if kind.has_points() => &["points", "width", "height", "points_total"],
        _ => &[],
    };
    // What it lies in follows from where it is; the frame may come later.
    for name in derived.iter().chain(&["parent", "group"]) {
        item.remove(*name);
    }
    item
}

/// The ids of all items, sorted by their text. Looks at two members of each record.
pub fn ids(records: &dyn Records) -> Vec<ItemId> {
    read::ids(records)
}

/// Whether there are items of this type.
#[must_use]
pub fn is_type(word: &str) -> bool {
    kind::Kind::parse(word).is_some()
}

/// Whether a path leads to an item of this id.
#[must_use]
pub fn has_path(id: &str) -> bool {
    PATHS.iter().all(|(path, _)| *path != id)
}

/// A name that was sent, as it may stand in an answer.
#[must_use]
pub fn shown(name: &str) -> String {
    let short: String = name.chars().take(64).collect();
    if short.len() < name.len() {
        short + "..."
    } else {
        short
    }
}
