//! Operations on items: what each writes, and what is answered.
//!
//! Owns the order of checks, what a repeated request gets, and what a deletion takes along. Must not know
//! JSON of HTTP. Key invariants: each operation sees those before it; the first refusal undoes them all.
//! Tests: src/items/tests.rs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ids::ItemId;
use crate::items::change::{self, Change};
use crate::items::end::Terminal;
use crate::items::frames::Put;
use crate::items::kind::Kind;
use crate::items::layout::{self, Graph};
use crate::items::overlay::Overlay;
use crate::items::place::{self, Area, Point};
use crate::items::props::{part, part_mut};
use crate::items::refusing::invalid;
use crate::items::setting::Setting;
use crate::items::{
    DOCUMENT, PAGE, asset, connector, index_key, number, order, points, read, shape, shape_key,
};
use crate::items::{Item, Operation, Outcome, Plan, Record, Records, Refused, Stamp, Why};
use crate::limits;

/// See [`crate::items::apply()`].
pub(super) fn apply(
    records: &dyn Records,
    operations: &[Operation],
    stamp: Stamp<'_>,
) -> Result<Plan, Refused> {
    let is_repeated = operations.iter().any(|operation| is_done(records, operation));
    let mut pen = Pen {
        overlay: Overlay::new(records),
        operations,
        stamp,
        moves: 0,
        released: 0,
        index: 0,
        connected: Vec::new(),
        set_out: 0,
    };
    let mut outcomes = Vec::with_capacity(operations.len());
    let mut bytes = 0_usize;
    for (index, operation) in operations.iter().enumerate() {
        pen.index = index;
        let outcome = if is_repeated {
            pen.repeat(operation)
        } else {
            pen.perform(operation)
        };
        let outcome = outcome.map_err(|why| Refused { index, why })?;
        let said = outcome.items().iter().map(|item| item.bytes);
        bytes = said.fold(bytes, usize::saturating_add);
        if index > 0 && bytes.saturating_add(pen.released) > limits::ITEM_ANSWER_BYTES_MAX {
            let why = Why::TooLarge;
            return Err(Refused { index, why });
        }
        outcomes.push(outcome);
    }
    let writes = if is_repeated {
        Vec::new()
    } else {
        pen.settle(&mut outcomes)?;
        pen.overlay.into_writes()
    };
    Ok(Plan { writes, outcomes })
}

/// Whether a creation finds that its own request has made the item before.
fn is_done(records: &dyn Records, operation: &Operation) -> bool {
    let Operation::Create { item, id, request } = operation else {
        return false;
    };
    let id = named(item).ok().flatten().unwrap_or_else(|| id.clone());
    let made_by = records
        .get(&shape_key(&id))
        .filter(|record| shape::kind_of(record).is_some())
        .and_then(|record| request_of(&record, &id));
    request.is_some() && *request == made_by
}

/// The request that made an item.
fn request_of(record: &Record, id: &ItemId) -> Option<String> {
    let meta = part(record, "meta").filter(|_| read::is_own_meta(record, id))?;
    meta.get("request")?.as_str().map(str::to_owned)
}

/// The id that a new item names.
fn named(item: &Record) -> Result<Option<ItemId>, Why> {
    match item.get("id") {
        None | Some(Value::Null) => Ok(None),
        Some(id) => {
            let id = id.as_str().and_then(ItemId::parse);
            id.map(Some)
                .ok_or_else(|| invalid("id", "must have 1 to 128 characters of A-Z a-z 0-9 . _ ~ -"))
        }
    }
}

/// Writes onto an overlay, in somebody's name.
struct Pen<'a> {
    overlay: Overlay<'a>,
    /// All that are asked for.
    operations: &'a [Operation],
    stamp: Stamp<'a>,
    /// Shapes that were moved out of deleted ones, and bindings that went with them.
    moves: usize,
    /// Bytes of the arrows that were released from deleted shapes: their records were read for it.
    released: usize,
    /// The operation that is being done.
    index: usize,
    /// Connectors whose ends were named, by which operation.
    connected: Vec<(usize, ItemId, Vec<Terminal>)>,
    /// Items and connectors that layouts named.
    set_out: usize,
}

impl Pen<'_> {
    fn perform(&mut self, operation: &Operation) -> Result<Outcome, Why> {
        match operation {
            Operation::Create { item, id, request } => {
                self.create(item, id, request.as_deref()).map(Outcome::Created)
            }
            Operation::Update { id, patch } => self.update(id, patch).map(Outcome::Updated),
            Operation::Delete { id } => self.delete(id).map(|item| Outcome::Deleted(Some(item))),
            Operation::Layout { layout } => self.lay_out(layout).map(Outcome::LaidOut),
        }
    }

    /// Answers an operation of a request that was done before; what it writes is thrown away.
    fn repeat(&mut self, operation: &Operation) -> Result<Outcome, Why> {
        match operation {
            Operation::Create { item, id, request } => {
                let at = named(item)?.unwrap_or_else(|| id.clone());
                match read::read(&self.overlay, &at) {
                    Some(item) => Ok(Outcome::Repeated(item)),
                    None if self.overlay.is_taken(&shape_key(&at)) => Ok(Outcome::Deleted(None)),
                    // It is gone again: this is what it was.
                    None => self.create(item, id, request.as_deref()).map(Outcome::Repeated),
                }
            }
            Operation::Update { id, .. } => {
                let item = read::read(&self.overlay, id);
                Ok(item.map_or(Outcome::Deleted(None), Outcome::Updated))
            }
            Operation::Delete { id } => Ok(Outcome::Deleted(read::read(&self.overlay, id))),
            Operation::Layout { layout } => {
                let items = Setting::parse(layout)?.items;
                let items = items.iter().filter_map(|id| read::read(&self.overlay, id));
                Ok(Outcome::LaidOut(items.collect()))
            }
        }
    }

    fn create(&mut self, item: &Record, derived: &ItemId, request: Option<&str>) -> Result<Item, Why> {
        let named = named(item)?;
        let kind = change::kind(item)?;
        let change = Change::create(kind, item)?;
        let id = named.as_ref().unwrap_or(derived);
        let key = shape_key(id);
        if self.overlay.is_taken(&key) {
            return Err(if named.is_none() && request.is_some() {
                Why::Reused
            } else {
                Why::Exists
            });
        }
        let page = self.page();
        let index = self.overlay.index_above(&page);
        let mut record = shape::blank(kind, &key, &page, &index);
        if let Some(meta) = part_mut(&mut record, "meta") {
            meta.insert("item_id".to_owned(), id.as_str().into());
            meta.insert("item_type".to_owned(), kind.as_str().into());
            self.sign(meta, "created");
            if let Some(request) = request {
                meta.insert("request".to_owned(), request.into());
            }
        }
        self.alter(kind, &key, &mut record, &change);
        self.connect(id, &key, &mut record, &change)?;
        self.put(kind, &key, &mut record, &change)?;
        self.finish(id, kind, &key, record)
    }

    fn update(&mut self, id: &ItemId, patch: &Record) -> Result<Item, Why> {
        let key = shape_key(id);
        let before = self.overlay.get(&key).ok_or(Why::Absent)?;
        let kind = shape::kind_of(&before).ok_or(Why::Absent)?;
        let item = read::item(&self.overlay, id, kind, &before);
        let change = Change::patch(kind, &item.json, patch)?;
        if change.is_nothing() {
            return Ok(item);
        }
        let shown = asset::of(&self.overlay, &before);
        let mut record = before.clone();
        let released = self.alter(kind, &key, &mut record, &change);
        let is_connected = self.connect(id, &key, &mut record, &change)?;
        self.put(kind, &key, &mut record, &change)?;
        if record == before && !is_connected && asset::of(&self.overlay, &record) == shown {
            return Ok(item);
        }
        let is_own = read::is_own_meta(&record, id);
        if let Some(meta) = part_mut(&mut record, "meta").filter(|_| !is_own) {
            // A copy made on the canvas: nothing is known of who made it.
            for name in ["created_by", "created_at", "request"] {
                meta.remove(name);
            }
            meta.insert("item_id".to_owned(), id.as_str().into());
            meta.insert("item_type".to_owned(), kind.as_str().into());
        }
        let item = self.finish(id, kind, &key, record)?;
        if let Some(asset) = released {
            asset::release(&mut self.overlay, &asset);
        }
        Ok(item)
    }

    /// Makes the shape what the change wants; returns the asset that it no longer shows.
    fn alter(&mut self, kind: Kind, key: &str, record: &mut Record, change: &Change) -> Option<String> {
        let around = place::Frame::around(&self.overlay, record);
        let mut at = shape::corner(kind, record, around);
        change.common.write(record, around);
        if let Some(points) = &change.points {
            points::write(kind, record, points, around);
            at = shape::corner(kind, record, around);
        }
        let wanted = Point {
            x: change.x.unwrap_or(at.x),
            y: change.y.unwrap_or(at.y),
        };
        let now = shape::corner(kind, record, around);
        place::shift(record, around, (now, wanted));
        shape::alter(kind, record, change);
        let source = (kind == Kind::Image).then(|| change.url()).flatten()?;
        asset::show(&mut self.overlay, key, record, source)
    }

    /// Binds the ends of a connector that the change names; tells whether it names any.
    fn connect(&mut self, id: &ItemId, key: &str, record: &mut Record, change: &Change) -> Result<bool, Why> {
        let named: Vec<Terminal> = change.ends().map(|(terminal, _)| terminal).collect();
        if named.is_empty() {
            return Ok(false);
        }
        connector::bind(&mut self.overlay, key, record, change, self.stamp)?;
        self.connected.push((self.index, id.clone(), named));
        Ok(true)
    }

    /// Lays the connectors whose ends were named, which may be items that came later, and answers with what
    /// they are then.
    fn settle(&mut self, outcomes: &mut [Outcome]) -> Result<(), Refused> {
        let mut laid = BTreeSet::new();
        for (index, id, named) in std::mem::take(&mut self.connected) {
            let key = shape_key(&id);
            connector::settle(&mut self.overlay, &key, &named).map_err(|why| Refused { index, why })?;
            laid.insert(id.as_str().to_owned());
        }
        for outcome in outcomes {
            let (Outcome::Created(item) | Outcome::Updated(item)) = outcome else {
                continue;
            };
            let id = item.json.get("id").and_then(Value::as_str).unwrap_or_default();
            let id = ItemId::parse(id).filter(|id| laid.contains(id.as_str()));
            if let Some(new) = id.and_then(|id| read::read(&self.overlay, &id)) {
                *item = new;
            }
        }
        Ok(())
    }

    /// Lets a shape lie where the change wants it, and stand so among its siblings.
    fn put(&mut self, kind: Kind, key: &str, record: &mut Record, change: &Change) -> Result<(), Why> {
        if let Some(parent) = &change.parent {
            let page = place::page_of(&self.overlay, record).unwrap_or_else(|| self.page());
            order::put_into(&mut self.overlay, key, record, (parent, &page))?;
        } else if change.is_moving() {
            self.put_down(kind, key, record);
        }
        match &change.z {
            Some(level) => order::arrange(&mut self.overlay, key, record, level),
            None => Ok(()),
        }
    }

    /// A shape that was put somewhere belongs to the frame there, or to the page; one of a group stays with
    /// it. A connector belongs to what it connects.
    fn put_down(&mut self, kind: Kind, key: &str, record: &mut Record) {
        if kind == Kind::Connector {
            return;
        }
        let parent = record
            .get("parentId")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let Some(page) = place::page_of(&self.overlay, record) else {
            return;
        };
        if parent != page && self.overlay.text(&parent, "type").as_deref() != Some("frame") {
            return;
        }
        let (width, height) = shape::size(kind, record);
        let around = place::Frame::around(&self.overlay, record);
        let turned = number::of(record, "rotation", 0.0) + around.map_or(0.0, place::Frame::angle);
        let at = shape::corner(kind, record, around);
        let half = Point {
            x: width / 2.0,
            y: height / 2.0,
        };
        let put = Put {
            key,
            page: &page,
            parent: &parent,
            middle: place::Frame::at(at, turned).to_page(half),
            width,
            height,
        };
        let Some(frames) = self.overlay.frames() else {
            return;
        };
        let taking = frames.taking(&put);
        let into = taking.unwrap_or(&page);
        if into != parent {
            order::reparent(&mut self.overlay, record, into);
        }
    }

    /// Signs and writes a changed shape.
    fn finish(&mut self, id: &ItemId, kind: Kind, key: &str, mut record: Record) -> Result<Item, Why> {
        if let Some(meta) = part_mut(&mut record, "meta") {
            self.sign(meta, "updated");
        }
        self.overlay.set(key, Some(record.clone()));
        Ok(read::item(&self.overlay, id, kind, &record))
    }

    fn sign(&self, meta: &mut Record, verb: &str) {
        meta.insert(format!("{verb}_by"), self.stamp.actor.into());
        meta.insert(format!("{verb}_at"), self.stamp.at.to_string().into());
    }

    fn delete(&mut self, id: &ItemId) -> Result<Item, Why> {
        let key = shape_key(id);
        let record = self.overlay.get(&key).ok_or(Why::Absent)?;
        let kind = shape::kind_of(&record).ok_or(Why::Absent)?;
        let item = read::item(&self.overlay, id, kind, &record);
        let children = self.overlay.children(&key);
        let bindings = self.overlay.bindings(&key);
        let is_first = self.moves == 0;
        self.moves = self
            .moves
            .saturating_add(children.len())
            .saturating_add(bindings.len());
        if self.moves > limits::ITEM_MOVES_MAX && !is_first {
            return Err(Why::TooLarge);
        }
        for binding in bindings {
            let bytes = connector::release(&mut self.overlay, &binding, &key);
            self.released = self.released.saturating_add(bytes.unwrap_or_default());
            self.overlay.set(&binding, None);
        }
        self.move_out(children, &key, &record);
        let shown = asset::of(&self.overlay, &record);
        self.overlay.set(&key, None);
        if let Some((asset, _)) = shown {
            asset::release(&mut self.overlay, &asset);
        }
        Ok(item)
    }

    /// Sets items out, from where the leftmost and the uppermost of them are, or from where it is wanted.
    fn lay_out(&mut self, layout: &Record) -> Result<Vec<Item>, Why> {
        let setting = Setting::parse(layout)?;
        let named = setting.items.len().saturating_add(setting.connectors.len());
        self.set_out = self.set_out.saturating_add(named);
        if self.set_out > limits::ITEM_LAYOUT_MAX {
            let max = limits::ITEM_LAYOUT_MAX;
            let detail = format!("and connectors of all layouts of a request must be at most {max}");
            return Err(invalid("items", detail));
        }
        let boxes = setting.boxes(&self.overlay)?;
        let graph = Graph {
            sizes: boxes
                .iter()
                .map(|area| (area.right - area.left, area.bottom - area.top))
                .collect(),
            edges: setting.edges(&self.overlay, self.operations)?,
        };
        let here = Area::around(&boxes).unwrap_or_else(|| Area::bounds(0.0));
        let at = setting.at.unwrap_or(Point {
            x: here.left,
            y: here.top,
        });
        let bounds = Area::bounds(limits::ITEM_COORDINATE_MAX);
        let corners = layout::corners(&graph, setting.kind, setting.direction, setting.gap);
        let move_to = |(id, corner): (&ItemId, Point)| {
            let corner = place::rounded_at(Point {
                x: at.x + corner.x,
                y: at.y + corner.y,
            });
            if !bounds.has(corner) {
                return Err(invalid("at", "leaves no room for all of them"));
            }
            let patch = [("x", corner.x), ("y", corner.y)];
            let patch = patch.map(|(name, value)| (name.to_owned(), number::value(value)));
            self.update(id, &patch.into_iter().collect())
        };
        setting.items.iter().zip(corners).map(move_to).collect()
    }

    /// What is inside of a shape that goes stays on the page, where it is, above all others.
    fn move_out(&mut self, children: Vec<String>, key: &str, outer: &Record) {
        let text = |name: &str| outer.get(name).and_then(Value::as_str);
        let is_parent = |parent: &&str| parent.starts_with("page:") || parent.starts_with("shape:");
        let outside = text("parentId").filter(is_parent);
        let frame = place::inside(outer);
        let turned = number::of(outer, "rotation", 0.0);
        for child in children {
            let Some(mut record) = self.overlay.get(&child).filter(|_| child != key) else {
                continue;
            };
            // A circle of parents ends here.
            let outside = outside.filter(|outside| *outside != key && *outside != child);
            let parent = outside.map_or_else(|| self.page(), str::to_owned);
            let own = Point {
                x: number::of(&record, "x", 0.0),
                y: number::of(&record, "y", 0.0),
            };
            let at = frame.to_page(own);
            let angle = number::of(&record, "rotation", 0.0) + turned;
            for (name, value) in [("x", at.x), ("y", at.y), ("rotation", angle)] {
                number::set(&mut record, name, Some(value));
            }
            let index = self.overlay.index_above(&parent);
            record.insert("parentId".to_owned(), parent.as_str().into());
            record.insert("index".to_owned(), index.into());
            self.overlay.set(&child, Some(record));
        }
    }

    /// The page that new shapes belong on; made, with the document's own record, where there is none: both as
    /// tldraw makes them (`createIntegrityChecker` in src/TLStore.ts of @tldraw/tlschema 3.15.6).
    fn page(&mut self) -> String {
        if self.overlay.get(DOCUMENT).is_none() {
            let document = json!({
                "id": DOCUMENT, "typeName": "document", "gridSize": 10, "name": "", "meta": {},
            });
            self.overlay.set(DOCUMENT, document.as_object().cloned());
        }
        if let Some(page) = self.overlay.page() {
            return page;
        }
        let page = json!({
            "id": PAGE, "typeName": "page", "name": "Page 1", "index": index_key::FIRST, "meta": {},
        });
        self.overlay.set(PAGE, page.as_object().cloned());
        PAGE.to_owned()
    }
}
