//! What somebody wants an item to be: JSON to checked values, or a refusal that names the member.
//!
//! Owns the rules for members that are sent, of new items and of patches alike (RFC 7396: `null` is the
//! default). Must not know records. Key invariant: an unknown member is refused, so that an agent's typing
//! error does not vanish. Tests: src/items/tests.rs.

use serde_json::Value;

use crate::items::common::Common;
use crate::items::end::{self, End, Terminal};
use crate::items::kind::{Kind, Member};
use crate::items::order::{Level, Parent};
use crate::items::place::Point;
use crate::items::refusing::{coordinate, invalid};
use crate::items::style::Style;
use crate::items::{Record, Why, link, points, shown};
use crate::limits;

/// Members that the server writes, or that follow from others; ignored where they are sent.
const OWN: &[&str] = &["created_by", "created_at", "updated_by", "updated_at", "group"];

/// The style that is a number.
const BEND: &str = "bend";

/// The members that are to change.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    pub(super) x: Option<f64>,
    pub(super) y: Option<f64>,
    pub(super) width: Option<f64>,
    pub(super) height: Option<f64>,
    pub(super) content: Vec<(Member, String)>,
    pub(super) style: Vec<(Style, &'static str)>,
    /// Of a connector, as are its ends.
    pub(super) bend: Option<f64>,
    pub(super) from: Option<End>,
    pub(super) to: Option<End>,
    /// On the page.
    pub(super) points: Option<Vec<Point>>,
    pub(super) common: Common,
    pub(super) parent: Option<Parent>,
    pub(super) z: Option<Level>,
}

/// A refusal of a member of an item that is nothing but points.
fn follows(field: &str) -> Why {
    invalid(field, "follows from the points; leave it out")
}

/// The type that a new item names.
pub(super) fn kind(item: &Record) -> Result<Kind, Why> {
    let word = item.get("type").ok_or_else(|| invalid("type", "is missing"))?;
    let kind = word.as_str().and_then(Kind::parse);
    kind.ok_or_else(|| invalid("type", one_of(&Kind::ALL.map(Kind::as_str))))
}

impl Change {
    /// The members of a new item, defaults for what it leaves out included.
    pub(super) fn create(kind: Kind, item: &Record) -> Result<Self, Why> {
        let mut change = Self::of(kind, item, true)?;
        let missing = |field| invalid(field, "is missing");
        if kind == Kind::Connector {
            change.from.as_ref().ok_or_else(|| missing("from"))?;
            change.to.as_ref().ok_or_else(|| missing("to"))?;
            return Ok(change);
        }
        if kind.has_points() {
            change.points.as_ref().ok_or_else(|| missing("points"))?;
            return Ok(change);
        }
        for (field, value) in [("x", change.x), ("y", change.y)] {
            if value.is_none() {
                return Err(invalid(field, "is missing"));
            }
        }
        let (width, height) = kind.default_size();
        change.width.get_or_insert(width);
        change.height.get_or_insert(height);
        Ok(change)
    }

    /// The members of a patch that differ from what the item `shown` is now: what people drew may lie beyond
    /// the bounds of what is asked for, and must not be refused when it comes back with one member changed.
    pub(super) fn patch(kind: Kind, shown: &Value, patch: &Record) -> Result<Self, Why> {
        let mut news = news(patch, shown);
        if kind == Kind::Connector {
            end::complete(&mut news, patch, shown);
        }
        for field in ["id", "type"] {
            if news.contains_key(field) {
                return Err(invalid(field, "cannot change"));
            }
        }
        let mut change = Self::of(kind, &news, false)?;
        // Who moves it and names what it lies in does not want it to be put elsewhere.
        if let Some(parent) = patch.get("parent").filter(|_| change.is_moving()) {
            change.parent = Some(Parent::parse(parent)?);
        }
        Ok(change)
    }

    /// Whether it says where on the page the item is to be.
    pub(super) fn is_moving(&self) -> bool {
        self.x.is_some() || self.y.is_some() || self.points.is_some()
    }

    /// Whether no member is to change.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The ends that it names.
    pub(super) fn ends(&self) -> impl Iterator<Item = (Terminal, &End)> {
        let ends = [(Terminal::Start, &self.from), (Terminal::End, &self.to)];
        ends.into_iter()
            .filter_map(|(terminal, end)| Some((terminal, end.as_ref()?)))
    }

    /// The address that the content is to have.
    pub(super) fn url(&self) -> Option<&str> {
        let url = self.content.iter().find(|(member, _)| *member == Member::Url);
        url.map(|(_, text)| text.as_str())
    }

    fn of(kind: Kind, members: &Record, is_new: bool) -> Result<Self, Why> {
        let mut change = Self::default();
        let (width, height) = kind.default_size();
        for (name, value) in members {
            match name.as_str() {
                "id" | "type" => {}
                "from" if kind == Kind::Connector => change.from = Some(End::parse("from", value)?),
                "to" if kind == Kind::Connector => change.to = Some(End::parse("to", value)?),
                "x" | "y" | "width" | "height" | "rotation" | "parent" if kind == Kind::Connector => {
                    return Err(invalid(
                        name,
                        "of a connector follows from its ends: name from and to",
                    ));
                }
                "x" | "y" if is_new && kind.has_points() => return Err(follows(name)),
                "width" | "height" | "points_total" if kind.has_points() => return Err(follows(name)),
                "points" if kind.has_points() => change.points = Some(points::parse(value)?),
                "x" => change.x = Some(coordinate("x", value)?),
                "y" => change.y = Some(coordinate("y", value)?),
                "width" => change.width = Some(side("width", value, width)?),
                "height" => change.height = Some(side("height", value, height)?),
                "content" => change.content = contents(kind, value)?,
                "style" => {
                    change.bend = bend(kind, value)?;
                    change.style = styles(kind, value)?;
                }
                "parent" => change.parent = Some(Parent::parse(value)?),
                "z" => change.z = Level::parse(value)?,
                own if OWN.contains(&own) => {}
                common if change.common.take(common, value)? => {}
                _ => return Err(invalid(&shown(name), "is no member of an item")),
            }
        }
        Ok(change)
    }
}

/// The members that differ from what is shown, in objects too.
fn news(patch: &Record, shown: &Value) -> Record {
    let new = |(name, value): (&String, &Value)| {
        let value = match (value, shown.get(name)) {
            (Value::Object(members), Some(shown @ Value::Object(_))) => Value::Object(news(members, shown)),
            (value, Some(shown)) if is_same(value, shown) => return None,
            _ => value.clone(),
        };
        Some((name.clone(), value))
    };
    patch.iter().filter_map(new).collect()
}

/// Whether two values are the same, however their numbers are written.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        _ => a == b,
    }
}

fn one_of(words: &[&str]) -> String {
    format!("must be one of {}", words.join(", "))
}

fn side(field: &str, value: &Value, default: f64) -> Result<f64, Why> {
    if value.is_null() {
        return Ok(default);
    }
    let (min, max) = (limits::ITEM_SIDE_MIN, limits::ITEM_SIDE_MAX);
    let number = value.as_f64().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| invalid(field, format!("must be a number from {min} to {max}")))
}

fn contents(kind: Kind, value: &Value) -> Result<Vec<(Member, String)>, Why> {
    if value.is_null() {
        return Ok(kind
            .members()
            .iter()
            .map(|member| (*member, String::new()))
            .collect());
    }
    let members = value
        .as_object()
        .ok_or_else(|| invalid("content", "must be an object"))?;
    let read = |(name, value): (&String, &Value)| {
        let field = format!("content.{}", shown(name));
        let own = Member::parse(name).filter(|member| kind.members().contains(member));
        let member = own.ok_or_else(|| {
            let members: Vec<&str> = kind.members().iter().map(|member| member.as_str()).collect();
            let kind = kind.as_str();
            invalid(
                &field,
                format!("is no member of the content of {kind}: {}", members.join(", ")),
            )
        })?;
        Ok((member, text(kind, member, &field, value)?))
    };
    members.iter().map(read).collect()
}

fn text(kind: Kind, member: Member, field: &str, value: &Value) -> Result<String, Why> {
    let text = match value {
        Value::Null => "",
        Value::String(text) => text.as_str(),
        _ => return Err(invalid(field, "must be a string")),
    };
    let max = match member {
        Member::Text | Member::Alt => limits::ITEM_TEXT_BYTES_MAX,
        Member::Title => limits::TITLE_BYTES_MAX,
        Member::Url if kind == Kind::Image && link::is_image_data(text) => limits::ITEM_IMAGE_BYTES_MAX,
        Member::Url => limits::ITEM_URL_BYTES_MAX,
    };
    if text.len() > max {
        return Err(invalid(field, format!("must have at most {max} bytes of UTF-8")));
    }
    if matches!(member, Member::Text | Member::Title) && has_endless_word(text) {
        let max = limits::ITEM_WORD_LETTERS_MAX;
        return Err(invalid(
            field,
            format!("must have no word of more than {max} letters"),
        ));
    }
    match (member, kind) {
        (Member::Title, _) if text.contains(['\n', '\r']) => Err(invalid(field, "must be one line")),
        (Member::Url, _) if text.is_empty() => Ok(String::new()),
        (Member::Url, Kind::Image) if !link::is_image_source(text) => {
            let detail = "must be a http or https URL with a plain host name, a path that starts with one slash, or data:image/...;base64,...";
            Err(invalid(field, detail))
        }
        (Member::Url, kind) if kind != Kind::Image && !link::is_link(text) => Err(invalid(
            field,
            "must be a http or https URL with a plain host name, or a mailto URL",
        )),
        // Lines end in one way.
        (Member::Text, _) => Ok(text.replace("\r\n", "\n").replace('\r', "\n")),
        _ => Ok(text.to_owned()),
    }
}

/// The one style that is a number.
fn bend(kind: Kind, style: &Value) -> Result<Option<f64>, Why> {
    let max = limits::ITEM_BEND_MAX;
    let is_connector = kind == Kind::Connector;
    match style.get(BEND) {
        None => Ok(Some(0.0).filter(|_| is_connector && style.is_null())),
        Some(_) if !is_connector => Err(invalid("style.bend", "is for items of type connector")),
        Some(Value::Null) => Ok(Some(0.0)),
        Some(value) => {
            let number = value.as_f64().filter(|number| number.abs() <= max);
            let detail = || format!("must be a number from -{max} to {max}");
            number.map(Some).ok_or_else(|| invalid("style.bend", detail()))
        }
    }
}

fn styles(kind: Kind, value: &Value) -> Result<Vec<(Style, &'static str)>, Why> {
    if value.is_null() {
        return Ok(Style::ALL
            .iter()
            .map(|style| (*style, style.default_word(kind)))
            .collect());
    }
    let members = value
        .as_object()
        .ok_or_else(|| invalid("style", "must be an object"))?;
    let read = |(name, value): (&String, &Value)| {
        let field = format!("style.{}", shown(name));
        let style = Style::parse(name).ok_or_else(|| {
            let styles = Style::ALL.map(Style::as_str);
            invalid(&field, format!("is no style: {}, {BEND}", styles.join(", ")))
        })?;
        if style == Style::Geo && kind != Kind::Shape {
            return Err(invalid(&field, "is for items of type shape"));
        }
        if matches!(style, Style::ArrowStart | Style::ArrowEnd | Style::Route) && kind != Kind::Connector {
            return Err(invalid(&field, "is for items of type connector"));
        }
        if value.is_null() {
            return Ok((style, style.default_word(kind)));
        }
        let words = style.words(kind);
        let word = words.iter().find(|word| value.as_str() == Some(**word));
        word.map(|word| (style, *word))
            .ok_or_else(|| invalid(&field, one_of(words)))
    };
    let words = members.iter().filter(|(name, _)| *name != BEND);
    words.map(read).collect()
}

/// Whether a word is too long for a browser to break in time. Scripts that are written without spaces break
/// anywhere.
fn has_endless_word(text: &str) -> bool {
    let mut words = text.split(|letter: char| letter.is_whitespace() || letter >= '\u{2e80}');
    words.any(|word| word.chars().nth(limits::ITEM_WORD_LETTERS_MAX).is_some())
}
