//! Shapes: the tldraw record of a new item, what an item of a record is, and what a change does to it.
//!
//! Owns the props of note, text, geo, frame and image (`@tldraw/tlschema` 3.15.6, src/shapes), but for an
//! image's source, which `asset` has, and points, which `points` has. Key invariant: a member that a change
//! does not name, and whatever the item does not show, stays as it is. Tests: src/items/tests.rs.

use serde_json::{Value, json};

use crate::items::Record;
use crate::items::change::Change;
use crate::items::kind::{Kind, Member};
use crate::items::place::{self, Area, Frame, Point};
use crate::items::props::{face, part, part_mut, string, text};
use crate::items::rich_text::{self, Titled};
use crate::items::style::Style;
use crate::items::{note, number, points, text_size};

/// Bytes of a style that is shown, whoever wrote it; tldraw's longest word has 13.
const STYLE_BYTES_MAX: usize = 64;

/// The type of item that a record stands for.
pub(super) fn kind_of(record: &Record) -> Option<Kind> {
    let text = |name| record.get(name).and_then(Value::as_str);
    let noted = part(record, "meta").and_then(|meta| meta.get("item_type"));
    (text("typeName") == Some("shape"))
        .then(|| Kind::of(text("type")?, noted.and_then(Value::as_str)))
        .flatten()
}

/// A shape of a type, as tldraw makes it, at the origin of `parent`.
pub(super) fn blank(kind: Kind, key: &str, parent: &str, index: &str) -> Record {
    let shape = json!({
        "id": key,
        "typeName": "shape",
        "type": kind.shape_type(),
        "x": 0,
        "y": 0,
        "rotation": 0,
        "index": index,
        "parentId": parent,
        "isLocked": false,
        "opacity": 1,
        "props": blank_props(kind),
        "meta": {},
    });
    object(shape)
}

fn blank_props(kind: Kind) -> Record {
    let (w, h) = kind.default_size();
    let (w, h) = (number::value(w), number::value(h));
    let text = rich_text::whole(Vec::new());
    let props = match kind {
        Kind::Sticky | Kind::Document => json!({
            "labelColor": "black",
            "fontSizeAdjustment": 0,
            "verticalAlign": if kind == Kind::Document { "start" } else { "middle" },
            "growY": 0,
            "url": "",
            "richText": text,
            "scale": 1,
        }),
        Kind::Text => json!({"w": w, "richText": text, "scale": 1, "autoSize": false}),
        Kind::Shape => json!({
            "labelColor": "black",
            "verticalAlign": "middle",
            "growY": 0,
            "url": "",
            "richText": text,
            "scale": 1,
            "w": w,
            "h": h,
        }),
        Kind::Frame => json!({"w": w, "h": h, "name": ""}),
        Kind::Connector => arrow_props(),
        Kind::Line => json!({"spline": "line", "points": {}, "scale": 1}),
        Kind::Highlight => json!({"segments": [], "isComplete": true, "isPen": false, "scale": 1}),
        Kind::Draw => {
            json!({"segments": [], "isComplete": true, "isClosed": false, "isPen": false, "scale": 1})
        }
        Kind::Image => json!({
            "w": w,
            "h": h,
            "playing": true,
            "url": "",
            "assetId": null,
            "crop": null,
            "flipX": false,
            "flipY": false,
            "altText": "",
        }),
    };
    let mut props = object(props);
    for style in Style::ALL {
        if let Some(prop) = style.prop(kind) {
            props.insert(prop.to_owned(), style.default_word(kind).into());
        }
    }
    props
}

/// The props of a new arrow, without its styles.
fn arrow_props() -> Value {
    json!({
        "labelColor": "black",
        "fill": "none",
        "bend": 0,
        "start": {"x": 0, "y": 0},
        "end": {"x": 0, "y": 0},
        "text": "",
        "labelPosition": 0.5,
        "scale": 1,
        "elbowMidPoint": 0.5,
    })
}

fn object(value: Value) -> Record {
    match value {
        Value::Object(object) => object,
        _ => Record::new(),
    }
}

/// A member of the content, as the item shows it; an image's source is not in its shape.
pub(super) fn content(kind: Kind, member: Member, props: &Record) -> String {
    match (kind, member) {
        (Kind::Document, Member::Title | Member::Text) => {
            let rich_text = props.get("richText").unwrap_or(&Value::Null);
            let titled = Titled::of(rich_text);
            if member == Member::Title {
                titled.title()
            } else {
                titled.text()
            }
        }
        (_, Member::Text) => text(props),
        (_, Member::Title) => string(props, "name"),
        (_, Member::Url) => string(props, "url"),
        (_, Member::Alt) => string(props, "altText"),
    }
}

/// A style, as the item shows it: also words that this server does not know, but none that is no word.
pub(super) fn style(kind: Kind, style: Style, props: &Record) -> Option<String> {
    let prop = style.prop(kind)?;
    let word = props.get(prop).and_then(Value::as_str);
    let word = word.unwrap_or_else(|| style.default_word(kind));
    (word.len() <= STYLE_BYTES_MAX).then(|| word.to_owned())
}

/// Where the upper left corner is on the page, before the shape is turned; `around` is what it lies in.
pub(super) fn corner(kind: Kind, record: &Record, around: Option<Frame>) -> Point {
    let own = if kind.has_points() {
        points::area(record)
    } else {
        Area::bounds(0.0)
    };
    if own.left == 0.0 && own.top == 0.0 {
        return place::seen(record, around);
    }
    let corner = Point {
        x: own.left,
        y: own.top,
    };
    place::rounded_at(points::inside(record, around).to_page(corner))
}

/// Width and height, as the item shows them.
pub(super) fn size(kind: Kind, record: &Record) -> (f64, f64) {
    let empty = Record::new();
    let props = part(record, "props").unwrap_or(&empty);
    let prop = |name| number::of(props, name, 0.0);
    let scale = number::of(props, "scale", 1.0);
    match kind {
        Kind::Sticky | Kind::Document => note::size(record),
        Kind::Shape => (prop("w"), prop("h") + prop("growY")),
        Kind::Frame | Kind::Image => (prop("w"), prop("h")),
        // It has ends instead.
        Kind::Connector => (0.0, 0.0),
        Kind::Line | Kind::Highlight | Kind::Draw => {
            let area = points::area(record);
            (
                place::rounded(area.right - area.left),
                place::rounded(area.bottom - area.top),
            )
        }
        Kind::Text => {
            let (text, face) = (text(props), face(props));
            let auto = props.get("autoSize").and_then(Value::as_bool).unwrap_or(false);
            let width = if auto {
                text_size::text_width(&text, face)
            } else {
                prop("w")
            };
            // A line as wide as the text does not wrap.
            let room = if auto { f64::MAX } else { width };
            (width * scale, text_size::text_height(&text, face, room) * scale)
        }
    }
}

/// Makes the shape what the change wants, but for its place and an image's source.
pub(super) fn alter(kind: Kind, record: &mut Record, change: &Change) {
    let (width, height) = size(kind, record);
    let wanted = |wanted: Option<f64>, is: f64| wanted.filter(|wanted| *wanted != is);
    let (width, height) = (wanted(change.width, width), wanted(change.height, height));
    let Some(props) = part_mut(record, "props") else {
        return;
    };
    let before = (text(props), string(props, "font"), string(props, "size"));
    write_content(kind, props, &change.content);
    for (style, word) in &change.style {
        if let Some(prop) = style.prop(kind)
            && props.get(prop).and_then(Value::as_str) != Some(word)
        {
            props.insert(prop.to_owned(), (*word).into());
        }
    }
    let is_set_anew = before != (text(props), string(props, "font"), string(props, "size"));
    match kind {
        Kind::Sticky | Kind::Document if is_set_anew || width.is_some() || height.is_some() => {
            note::fit(record, width, height, kind);
        }
        Kind::Shape if is_set_anew || width.is_some() || height.is_some() => {
            number::set(props, "w", width);
            number::set(props, "h", height);
            fit_geo(props);
        }
        Kind::Frame | Kind::Image => {
            number::set(props, "w", width);
            number::set(props, "h", height);
        }
        Kind::Text if width.is_some() => {
            let scale = number::of(props, "scale", 1.0);
            number::set(props, "w", width.map(|width| width / scale));
            props.insert("autoSize".to_owned(), false.into());
        }
        Kind::Connector => number::set(props, "bend", change.bend),
        Kind::Text | Kind::Sticky | Kind::Document | Kind::Shape => {}
        Kind::Line | Kind::Highlight | Kind::Draw => {}
    }
}

/// A label that is higher than its shape makes the shape grow.
fn fit_geo(props: &mut Record) {
    let scale = number::of(props, "scale", 1.0);
    let (width, height) = (
        number::of(props, "w", 0.0) / scale,
        number::of(props, "h", 0.0) / scale,
    );
    let label = text_size::geo_label_height(&text(props), face(props), width);
    number::set(props, "growY", Some((label - height).max(0.0) * scale));
}

fn write_content(kind: Kind, props: &mut Record, content: &[(Member, String)]) {
    let wanted = |member| {
        content
            .iter()
            .find(|(name, _)| *name == member)
            .map(|(_, text)| text.as_str())
    };
    let differs = |member: &Member, text: &str| self::content(kind, *member, props) != text;
    let changed: Vec<&(Member, String)> = content
        .iter()
        .filter(|(member, text)| differs(member, text))
        .collect();
    let is_changed = |member| changed.iter().any(|(name, _)| *name == member);
    match kind {
        Kind::Document if is_changed(Member::Title) || is_changed(Member::Text) => {
            let old = props.get("richText").cloned().unwrap_or(Value::Null);
            let only = |member| wanted(member).filter(|_| is_changed(member));
            let blocks = Titled::of(&old).with(only(Member::Title), only(Member::Text));
            props.insert("richText".to_owned(), rich_text::whole(blocks));
        }
        Kind::Document | Kind::Connector => {}
        _ => {
            if let Some(text) = wanted(Member::Text).filter(|_| is_changed(Member::Text)) {
                props.insert(
                    "richText".to_owned(),
                    rich_text::whole(rich_text::paragraphs(text)),
                );
            }
        }
    }
    for (member, text) in changed {
        let prop = match (kind, member) {
            (Kind::Document, Member::Url) => "url",
            (Kind::Connector, Member::Text) => "text",
            (Kind::Frame, Member::Title) => "name",
            (_, Member::Alt) => "altText",
            _ => continue,
        };
        props.insert(prop.to_owned(), text.as_str().into());
    }
}
