//! Connectors: tldraw's arrows, from end to end.
//!
//! Owns where the ends are, how a connector lies on its page, and what it keeps of an item that goes; all as
//! tldraw does (3.15.6, src/lib/bindings/arrow and src/lib/shapes/arrow). Must not know requests. Key
//! invariant: an arrow that is bound follows by its bindings alone: what its own record says of that end is
//! for readers that know no bindings. Tests: src/items/tests/connectors.rs and arrows.rs.

use serde_json::Value;

use crate::ids::ItemId;
use crate::items::binding::{self, Binding, Bindings};
use crate::items::change::Change;
use crate::items::end::{End, Terminal};
use crate::items::kind::Kind;
use crate::items::overlay::Overlay;
use crate::items::place::{self, Frame, Point};
use crate::items::props::{part, part_mut, string};
use crate::items::refusing::invalid;
use crate::items::{Record, Records, Stamp, Why, has_path, note, number, revision, shape, shape_key};
use crate::limits;

/// Space between an arrowhead and the shape that it points at (`BOUND_ARROW_OFFSET`).
const HEAD_OFFSET: f64 = 10.0;

/// An arrow, and where it goes from and to.
pub(super) struct Connector {
    start: Joint,
    end: Joint,
    bindings: Bindings,
}

/// An end, and where it is.
struct Joint {
    end: End,
    /// On the page.
    at: Point,
    /// The shape that it is bound to, which may be none that is an item, or gone.
    target: Option<String>,
}

impl Connector {
    pub(super) fn of(overlay: &Overlay<'_>, key: &str, record: &Record) -> Self {
        let bindings = Bindings::of(overlay, key);
        let own = place::inside_on_page(overlay, record);
        let joint = |terminal| Joint::of(overlay, record, own, (terminal, bindings.at(terminal)));
        Self {
            start: joint(Terminal::Start),
            end: joint(Terminal::End),
            bindings,
        }
    }

    fn joint(&self, terminal: Terminal) -> &Joint {
        match terminal {
            Terminal::Start => &self.start,
            Terminal::End => &self.end,
        }
    }

    fn joints(&self) -> [&Joint; 2] {
        [&self.start, &self.end]
    }

    /// As the contract shows it.
    pub(super) fn end(&self, terminal: Terminal) -> &End {
        &self.joint(terminal).end
    }

    /// Where the ends are, on the page.
    pub(super) fn places(&self) -> [Point; 2] {
        self.joints().map(|joint| joint.at)
    }

    /// The top left corner of the box around the ends.
    pub(super) fn corner(&self) -> Point {
        let [start, end] = self.places();
        Point {
            x: start.x.min(end.x),
            y: start.y.min(end.y),
        }
    }

    /// The size of that box.
    pub(super) fn size(&self) -> (f64, f64) {
        let [start, end] = self.places();
        let distance = |a: f64, b: f64| place::rounded((a - b).abs());
        (distance(start.x, end.x), distance(start.y, end.y))
    }

    /// The records of its bindings.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.bindings.records()
    }

    /// The page of the shapes that it is bound to; `None` where it is bound to none.
    fn page(&self, overlay: &Overlay<'_>) -> Result<Option<String>, Why> {
        let [start, end] = self.joints().map(|joint| {
            let way = place::way_up(overlay, joint.target.as_deref()?)?;
            way.into_iter().next_back()
        });
        if start.is_some() && end.is_some() && start != end {
            return Err(invalid(
                "to.item",
                "must be on the page of what it is connected to",
            ));
        }
        Ok(start.or(end))
    }
}

impl Joint {
    fn of(
        overlay: &Overlay<'_>,
        record: &Record,
        own: Frame,
        (terminal, binding): (Terminal, Option<&Binding>),
    ) -> Self {
        let target = binding.and_then(Binding::target);
        let bound = binding.zip(target).and_then(|(binding, target)| {
            let at = anchor_on_page(overlay, target, binding.place())?;
            Some((at, binding.anchor()))
        });
        let at = bound.map_or_else(|| own.to_page(stored(record, terminal)), |(at, _)| at);
        let at = Point {
            x: place::rounded(at.x),
            y: place::rounded(at.y),
        };
        let item = target.and_then(|target| item_of(overlay, target));
        let end = match item.zip(bound) {
            Some((id, (_, anchor))) => End::Item { id, anchor },
            None => End::Place(at),
        };
        Self {
            end,
            at,
            target: target.map(str::to_owned),
        }
    }
}

/// Where the arrow's own record has an end.
fn stored(record: &Record, terminal: Terminal) -> Point {
    let point = part(record, "props").and_then(|props| part(props, terminal.word()));
    let side = |name| point.map_or(0.0, |point| number::of(point, name, 0.0));
    Point {
        x: side("x"),
        y: side("y"),
    }
}

/// The page draws nothing whose numbers are beyond `limits::ITEM_COORDINATE_MAX`.
fn store(record: &mut Record, terminal: Terminal, point: Point) {
    if let Some(props) = part_mut(record, "props")
        && let Some(end) = part_mut(props, terminal.word())
    {
        let max = limits::ITEM_COORDINATE_MAX;
        number::set(end, "x", Some(point.x.clamp(-max, max)));
        number::set(end, "y", Some(point.y.clamp(-max, max)));
    }
}

/// The item that a shape is, where a connector may be bound to it.
fn item_of(overlay: &Overlay<'_>, key: &str) -> Option<ItemId> {
    let kind = kind_of(overlay, key).filter(|kind| *kind != Kind::Connector);
    let id = ItemId::parse(key.strip_prefix("shape:")?);
    id.filter(|id| kind.is_some() && has_path(id.as_str()))
}

/// The type of item that a shape is, about, without reading all of it.
fn kind_of(overlay: &Overlay<'_>, key: &str) -> Option<Kind> {
    (overlay.text(key, "typeName").as_deref() == Some("shape"))
        .then(|| Kind::of(&overlay.text(key, "type")?, None))
        .flatten()
}

/// A point of a shape, on the page; `None` where the shape is gone, or its size is not known.
fn anchor_on_page(overlay: &Overlay<'_>, key: &str, anchor: Point) -> Option<Point> {
    let (width, height) = overlay.size_of(key, drawn_size)?;
    let inside = Frame::on_page(overlay, key)?;
    Some(inside.to_page(Point {
        x: width * anchor.x,
        y: height * anchor.y,
    }))
}

/// How large the canvas shows a shape.
fn drawn_size(record: &Record) -> Option<(f64, f64)> {
    match shape::kind_of(record) {
        Some(Kind::Sticky | Kind::Document) => Some(note::drawn_size(record)),
        // Arrows are not bound to each other.
        Some(Kind::Connector) => None,
        Some(kind) => Some(shape::size(kind, record)),
        None => {
            let side = |name| part(record, "props")?.get(name)?.as_f64();
            side("w").zip(side("h"))
        }
    }
}

/// Binds the ends that a change names, or places them, wherever what they name is; [`settle`] follows.
pub(super) fn bind(
    overlay: &mut Overlay<'_>,
    key: &str,
    record: &mut Record,
    change: &Change,
    stamp: Stamp<'_>,
) -> Result<(), Why> {
    for (terminal, end) in change.ends() {
        match end {
            End::Item { id, anchor } => {
                binding::tie(overlay, key, terminal, (&shape_key(id), *anchor), stamp)?;
            }
            End::Place(place) => {
                let own = place::inside_on_page(overlay, record).to_own(*place);
                binding::untie(overlay, key, terminal);
                store(record, terminal, own);
            }
        }
    }
    Ok(())
}

/// Checks the ends of a connector that were named, once all operations are done, and lays it between them.
pub(super) fn settle(overlay: &mut Overlay<'_>, key: &str, named: &[Terminal]) -> Result<(), Why> {
    let record = overlay.get(key);
    let record = record.filter(|record| shape::kind_of(record) == Some(Kind::Connector));
    let Some(mut record) = record else {
        // A later operation has deleted it.
        return Ok(());
    };
    let connector = Connector::of(overlay, key, &record);
    for terminal in named {
        if let Some(target) = &connector.joint(*terminal).target {
            check(overlay, key, target).map_err(|detail| {
                let field = format!("{}.item", terminal.member());
                invalid(&field, detail)
            })?;
        }
    }
    let page = connector.page(overlay)?;
    if connector.start.end == connector.end.end {
        return Err(invalid("to", "must be another place than from"));
    }
    let (width, height) = connector.size();
    if width.max(height) > limits::ITEM_COORDINATE_MAX {
        let detail = format!("must be at most {} away from from", limits::ITEM_COORDINATE_MAX);
        return Err(invalid("to", detail));
    }
    lay(overlay, key, &mut record, &connector, page);
    overlay.set(key, Some(record));
    Ok(())
}

/// Whether a connector may be bound to `target`.
fn check(overlay: &Overlay<'_>, key: &str, target: &str) -> Result<(), &'static str> {
    if target == key {
        return Err("must be another item");
    }
    match kind_of(overlay, target) {
        None => Err("must be the id of an item on the board, or of one that the same batch makes"),
        Some(Kind::Connector) => Err("must not be a connector"),
        Some(_) => Ok(()),
    }
}

/// Puts the arrow where its ends are: with what it is bound to, and above that (`reparentArrow`).
fn lay(
    overlay: &mut Overlay<'_>,
    key: &str,
    record: &mut Record,
    connector: &Connector,
    page: Option<String>,
) {
    let Some(page) = page.or_else(|| place::page_of(overlay, record)) else {
        return;
    };
    let angle = place::inside_on_page(overlay, record).angle();
    let [start, end] = connector.places();
    let ways = connector.joints().map(|joint| {
        let way = place::way_up(overlay, joint.target.as_deref()?)?;
        // Whatever lies in the arrow itself cannot hold it.
        (!way.iter().any(|id| id == key)).then_some(way)
    });
    let (old_parent, index) = (string(record, "parentId"), string(record, "index"));
    let parent = parent_of(&ways, &old_parent).unwrap_or(page);
    let under = ways.iter().flatten().filter_map(|way| {
        let at = way.iter().position(|id| *id == parent)?;
        overlay.text(way.get(at.checked_sub(1)?)?, "index")
    });
    if parent != old_parent || under.max().is_some_and(|under| index <= under) {
        let index = overlay.index_above(&parent);
        record.insert("index".to_owned(), index.into());
    }
    let around = Frame::on_page(overlay, &parent).filter(|_| parent.starts_with("shape:"));
    record.insert("parentId".to_owned(), parent.into());
    let own = around.map_or(start, |around| around.to_own(start));
    let turned = angle - around.map_or(0.0, Frame::angle);
    for (name, value) in [("x", own.x), ("y", own.y), ("rotation", turned)] {
        number::set(record, name, Some(value));
    }
    store(record, Terminal::Start, Point { x: 0.0, y: 0.0 });
    store(record, Terminal::End, Frame::at(start, angle).to_own(end));
}

/// What an arrow lies in that is bound so: the nearest that holds all of it; `None` for the page.
fn parent_of(ways: &[Option<Vec<String>>; 2], old_parent: &str) -> Option<String> {
    let outside = |way: &[String]| way.get(1..).unwrap_or_default().to_vec();
    match ways {
        [Some(a), Some(b)] => {
            let b = outside(b);
            outside(a).into_iter().find(|id| b.contains(id))
        }
        [Some(way), None] | [None, Some(way)] => way.get(1).filter(|id| *id == old_parent).cloned(),
        [None, None] => Some(old_parent.to_owned()),
    }
}

/// Leaves an arrow at the edge of the shape `going`, which a binding of it binds; gives the bytes of the
/// arrow's records, about.
pub(super) fn release(overlay: &mut Overlay<'_>, binding: &str, going: &str) -> Option<usize> {
    let arrow = overlay.text(binding, "fromId").filter(|arrow| arrow != going)?;
    let mut record = overlay.get(&arrow)?;
    if shape::kind_of(&record) != Some(Kind::Connector) {
        return None;
    }
    let connector = Connector::of(overlay, &arrow, &record);
    let bytes = [&record].into_iter().chain(connector.records());
    let bytes = revision::of(&bytes.collect::<Vec<_>>(), &[], 0.0).1;
    let mut terminals = Terminal::ALL.into_iter();
    let at = |terminal| connector.bindings.at(terminal);
    if let Some(terminal) = terminals.find(|terminal| at(*terminal).is_some_and(|at| at.key == binding)) {
        let edge = edge(overlay, &record, &connector, terminal);
        let own = place::inside_on_page(overlay, &record).to_own(edge);
        store(&mut record, terminal, own);
        overlay.set(&arrow, Some(record));
    }
    Some(bytes)
}

/// Where an end of a straight arrow meets the edge of what it is bound to, on the page.
fn edge(overlay: &Overlay<'_>, record: &Record, connector: &Connector, terminal: Terminal) -> Point {
    let (here, there) = match terminal {
        Terminal::Start => (&connector.start, &connector.end),
        Terminal::End => (&connector.end, &connector.start),
    };
    let is_exact = connector.bindings.at(terminal).is_some_and(Binding::is_exact);
    let target = here.target.as_deref().filter(|_| !is_exact);
    let met = target.and_then(|target| {
        let inside = Frame::on_page(overlay, target)?;
        let size = overlay.size_of(target, drawn_size)?;
        let (from, to) = (inside.to_own(there.at), inside.to_own(here.at));
        let way = (to.x - from.x).hypot(to.y - from.y);
        let back = head_offset(overlay, record, target, terminal) / way;
        let at = (entry(from, to, size)? - back).max(0.0);
        Some(inside.to_page(Point {
            x: from.x + (to.x - from.x) * at,
            y: from.y + (to.y - from.y) * at,
        }))
    });
    met.unwrap_or(here.at)
}

/// How far before the edge an arrowhead ends; without one the line goes up to it.
fn head_offset(overlay: &Overlay<'_>, record: &Record, target: &str, terminal: Terminal) -> f64 {
    let Some(props) = part(record, "props") else {
        return 0.0;
    };
    let head = match terminal {
        Terminal::Start => "arrowheadStart",
        Terminal::End => "arrowheadEnd",
    };
    let word = |props: &Record, name: &str| props.get(name).and_then(Value::as_str).map(str::to_owned);
    if word(props, head).is_none_or(|head| head == "none") {
        return 0.0;
    }
    let stroke = |props: &Record| match word(props, "size").as_deref() {
        Some("s") => 2.0,
        Some("m") => 3.5,
        Some("l") => 5.0,
        Some("xl") => 10.0,
        _ => 0.0,
    };
    let target = overlay.get(target);
    let outline = target
        .as_ref()
        .and_then(|target| part(target, "props"))
        .map_or(0.0, stroke);
    (HEAD_OFFSET + f64::midpoint(stroke(props), outline)) * number::of(props, "scale", 1.0)
}

/// How far along the way from `from` to `to` (0 to 1) a box of this size at the origin is entered; `None` for
/// a way that begins in it, or does not meet it.
fn entry(from: Point, to: Point, (width, height): (f64, f64)) -> Option<f64> {
    let (mut first, mut last) = (0.0_f64, 1.0_f64);
    for (start, end, side) in [(from.x, to.x, width), (from.y, to.y, height)] {
        let way = end - start;
        if way == 0.0 {
            if !(0.0..=side).contains(&start) {
                return None;
            }
            continue;
        }
        let (a, b) = (-start / way, (side - start) / way);
        first = first.max(a.min(b));
        last = last.min(a.max(b));
    }
    (first > 0.0 && first <= last).then_some(first)
}
