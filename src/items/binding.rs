//! Bindings: what ties the ends of tldraw's arrows to shapes.
//!
//! Owns the record (`@tldraw/tlschema` 3.15.6, src/bindings/TLArrowBinding.ts), its id, and which of several
//! counts. Must not know ends as the contract has them. Key invariant: of an arrow that somebody gave many
//! bindings, only the first ones are looked at, always the same. Tests: src/items/tests/connectors.rs and
//! arrows.rs.

use serde_json::{Value, json};

use crate::items::end::Terminal;
use crate::items::overlay::Overlay;
use crate::items::place::Point;
use crate::items::props::part;
use crate::items::{Record, Records, Stamp, Why, number};

/// Bindings of an arrow that are looked at; tldraw gives it two.
const BINDINGS_MAX: usize = 8;

/// Ids that are tried for a new binding, each but the first with the time in it.
const IDS_MAX: usize = 4;

/// The middle of a shape.
const MIDDLE: Point = Point { x: 0.5, y: 0.5 };

/// The bindings of one arrow.
pub(super) struct Bindings(Vec<Binding>);

/// One of them.
pub(super) struct Binding {
    pub(super) key: String,
    pub(super) record: Record,
}

impl Bindings {
    pub(super) fn of(overlay: &Overlay<'_>, arrow: &str) -> Self {
        let keys = overlay.bindings_from(arrow, BINDINGS_MAX).into_iter();
        let bindings = keys.filter_map(|key| {
            let record = overlay.get(&key)?;
            (record.get("type").and_then(Value::as_str) == Some("arrow")).then_some(Binding { key, record })
        });
        Self(bindings.collect())
    }

    /// The one that counts for an end.
    pub(super) fn at(&self, terminal: Terminal) -> Option<&Binding> {
        self.all_at(terminal).next()
    }

    fn all_at(&self, terminal: Terminal) -> impl Iterator<Item = &Binding> {
        let word = terminal.word();
        self.0
            .iter()
            .filter(move |binding| binding.prop("terminal").and_then(Value::as_str) == Some(word))
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.0.iter().map(|binding| &binding.record)
    }
}

impl Binding {
    fn prop(&self, name: &str) -> Option<&Value> {
        part(&self.record, "props")?.get(name)
    }

    fn is(&self, name: &str) -> bool {
        self.prop(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The key of the shape that the end is bound to.
    pub(super) fn target(&self) -> Option<&str> {
        let target = self.record.get("toId").and_then(Value::as_str)?;
        target.starts_with("shape:").then_some(target)
    }

    /// Where in the shape the end is, where it is not in the middle.
    pub(super) fn anchor(&self) -> Option<Point> {
        let anchor = self.prop("normalizedAnchor")?.as_object()?;
        let side = |name| number::of(anchor, name, 0.5);
        self.is("isPrecise").then(|| Point {
            x: side("x"),
            y: side("y"),
        })
    }

    /// Whether the arrow goes on into the shape, up to the very anchor.
    pub(super) fn is_exact(&self) -> bool {
        self.is("isExact")
    }

    /// Where in the shape the end is.
    pub(super) fn place(&self) -> Point {
        self.anchor().unwrap_or(MIDDLE)
    }
}

/// Binds an end of an arrow to a shape, and to no other.
pub(super) fn tie(
    overlay: &mut Overlay<'_>,
    arrow: &str,
    terminal: Terminal,
    (target, anchor): (&str, Option<Point>),
    stamp: Stamp<'_>,
) -> Result<(), Why> {
    let bindings = Bindings::of(overlay, arrow);
    let (key, is_exact, meta) = match bindings.at(terminal) {
        Some(Binding { key, record }) => {
            let is_exact = bindings.at(terminal).is_some_and(Binding::is_exact);
            (key.clone(), is_exact, part(record, "meta").cloned())
        }
        None => (free_key(overlay, arrow, terminal, stamp)?, false, None),
    };
    for other in bindings.all_at(terminal).skip(1) {
        overlay.set(&other.key, None);
    }
    let at = anchor.unwrap_or(MIDDLE);
    let binding = json!({
        "id": key,
        "typeName": "binding",
        "type": "arrow",
        "fromId": arrow,
        "toId": target,
        "props": {
            "terminal": terminal.word(),
            "normalizedAnchor": {"x": number::value(at.x), "y": number::value(at.y)},
            "isExact": is_exact,
            "isPrecise": anchor.is_some(),
            "snap": "none",
        },
        "meta": meta.unwrap_or_default(),
    });
    overlay.set(&key, binding.as_object().cloned());
    Ok(())
}

/// Unbinds an end of an arrow.
pub(super) fn untie(overlay: &mut Overlay<'_>, arrow: &str, terminal: Terminal) {
    // Others may follow those that were looked at.
    while let Some(binding) = Bindings::of(overlay, arrow).at(terminal) {
        overlay.set(&binding.key, None);
    }
}

/// An id for a new binding, which tells the arrow and the end; where something else has it, one with the time
/// in it.
fn free_key(
    overlay: &mut Overlay<'_>,
    arrow: &str,
    terminal: Terminal,
    stamp: Stamp<'_>,
) -> Result<String, Why> {
    let id = arrow.strip_prefix("shape:").unwrap_or(arrow);
    let usual = format!("binding:{id}-{}", terminal.word());
    let others = (1..IDS_MAX).map(|n| format!("{usual}-{}-{n}", stamp.at.0));
    let mut keys = std::iter::once(usual.clone()).chain(others);
    keys.find(|key| !overlay.is_taken(key)).ok_or(Why::Exists)
}
