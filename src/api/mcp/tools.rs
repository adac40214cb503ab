//! What each tool does, by the same ways as the calls of HTTP.
//!
//! Owns how arguments become operations, and what is told of them. Must not know messages. Key invariant:
//! whatever a tool changes goes the way of a batch of items, so that it is all or nothing, checked, durable
//! and published like any other. Tests: tests/it/mcp.rs.

mod following;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::items::{self as resource, Wanted};
use crate::api::mcp::tools::following::changes;
pub(super) use crate::api::mcp::tools::words::Words;
use crate::api::picture::{self, Form, Options};
use crate::api::{Call, body};
use crate::boards::Boards;
use crate::boards::agents::{Cursor, Touched};
use crate::boards::rights::Granted;
use crate::http::response::Response;
use crate::ids::ItemId;
use crate::items::{self, Filter, Outcome, Record, Room};
use crate::limits;
use crate::mcp::telling::tell;
use crate::mcp::tools::Tool;

/// Does what a tool is asked to; the content of its result.
pub(super) async fn run(
    call: &Call<'_>,
    granted: Granted,
    tool: Tool,
    arguments: Record,
) -> Result<Value, Words> {
    let boards = call.boards();
    let text = match tool {
        Tool::Read => told(boards, &granted, Asked::of(arguments)?).await?,
        Tool::Draw => change(call, granted, drawing(arguments)?).await?,
        Tool::Change => change(call, granted, changing(arguments)?).await?,
        Tool::Delete => change(call, granted, deleting(arguments)?).await?,
        Tool::Space => space(boards, &granted, arguments).await?,
        Tool::Picture => return look(boards, &granted, arguments).await,
        Tool::Changes => changes(call, granted, arguments).await?,
        Tool::Point => point(boards, granted, arguments).await?,
    };
    Ok(json!({ "type": "text", "text": text }))
}

/// How a board is to be read.
pub(super) struct Asked {
    wanted: Wanted,
    as_items: bool,
}

impl Asked {
    /// All that fits, as text.
    pub(super) fn all() -> Self {
        Self {
            wanted: Wanted {
                limit: limits::PAGE_ITEMS_MAX,
                ..Wanted::default()
            },
            as_items: false,
        }
    }

    fn of(mut arguments: Record) -> Result<Self, Response> {
        let mut filter = Filter::default();
        for name in items::FILTERS {
            let value = body::optional(arguments.remove(name), |value| text(name, value))?;
            if let Some(value) = value {
                let set = filter.set(name, &value);
                set.map_err(|detail| body::invalid(name, &detail))?;
            }
        }
        let form = body::optional(arguments.remove("as"), |value| text("as", value))?;
        let limit = body::optional(arguments.remove("limit"), |value| {
            let most = u64::try_from(limits::PAGE_ITEMS_MAX).unwrap_or_default();
            body::whole("limit", &value, 1..=most)
        })?;
        let after = body::optional(arguments.remove("cursor"), |value| {
            let cursor = value.as_str().and_then(ItemId::parse);
            cursor.ok_or_else(|| body::invalid("cursor", "is none that an answer has named"))
        })?;
        Ok(Self {
            wanted: Wanted {
                after,
                filter,
                limit: limit.map_or(limits::MCP_ITEMS, |limit| {
                    usize::try_from(limit).unwrap_or_default()
                }),
            },
            as_items: match form.as_deref() {
                None | Some("text") => false,
                Some("items") => true,
                Some(_) => return Err(body::invalid("as", "must be \"text\" or \"items\"")),
            },
        })
    }
}

/// A text of any length.
fn text(name: &'static str, value: Value) -> Result<String, Response> {
    body::text(name, value, 0..=usize::MAX)
}

/// What is on the board.
pub(super) async fn told(boards: &Arc<Boards>, granted: &Granted, asked: Asked) -> Result<String, Response> {
    let (found, next) = resource::look(boards, &granted.board, asked.wanted).await?;
    let mut told = match asked.as_items {
        true => format!("{}\n", Value::from(found)),
        false => lines(&granted.board, &found),
    };
    if let Some(cursor) = next {
        told.push_str(&format!("More follows: go on with \"cursor\": \"{cursor}\".\n"));
    }
    Ok(told)
}

fn lines(board: &crate::ids::BoardId, found: &[Value]) -> String {
    let mut told = format!(
        "Board {board}: {} items. Each: type id (x,y widthxheight) \"text\" style; x to the right, y down.\n",
        found.len()
    );
    for item in found {
        tell(item, &mut told);
    }
    told
}

/// Does a batch, and tells what has become of its items.
async fn change(call: &Call<'_>, granted: Granted, work: Work) -> Result<String, Words> {
    let granted = call.editor(granted)?;
    let mut batch = Record::new();
    batch.insert("operations".to_owned(), work.operations.into());
    let changed = resource::change(call.boards(), granted, batch).await;
    let outcomes = changed.map_err(|refusal| Words::from(refusal).of_call(&work.names))?;
    // An item that was made and then set out is where it was set.
    let (mut order, mut last) = (Vec::new(), BTreeMap::new());
    let mut gone = 0_usize;
    for outcome in &outcomes {
        if matches!(outcome, Outcome::Deleted(_)) {
            gone += 1;
            continue;
        }
        for item in outcome.items() {
            let id = item.json.get("id").and_then(Value::as_str).unwrap_or_default();
            if last.insert(id, &item.json).is_none() {
                order.push(id);
            }
        }
    }
    let mut told = "Done; everybody sees it.\n".to_owned();
    for item in order.iter().filter_map(|id| last.get(id)) {
        tell(item, &mut told);
    }
    if gone > 0 {
        told.push_str(&format!("{gone} deleted.\n"));
    }
    Ok(told)
}

/// A batch, and what its operations are called by who asked for it.
struct Work {
    operations: Vec<Value>,
    /// Arguments that became operations, one after the other, each with how many.
    names: Vec<(&'static str, usize)>,
}

fn operation(action: &str, item: Value) -> Value {
    json!({ "action": action, "item": item })
}

/// An argument that is an array of at least one and at most so many.
fn array(name: &'static str, value: Option<Value>, most: usize) -> Result<Vec<Value>, Response> {
    body::required(name, value, |value| match value {
        Value::Array(array) if (1..=most).contains(&array.len()) => Ok(array),
        _ => Err(body::invalid(name, &format!("must be an array of 1 to {most}"))),
    })
}

/// The operations of `draw`: its items in their order, and then its layouts.
fn drawing(mut arguments: Record) -> Result<Work, Response> {
    let items = array("items", arguments.remove("items"), limits::MCP_DRAWN_MAX)?;
    let layouts = match arguments.remove("layout") {
        None | Some(Value::Null) => Vec::new(),
        // One is meant where one is sent.
        Some(layout @ Value::Object(_)) => vec![layout],
        layout => array("layout", layout, limits::MCP_LAYOUTS_MAX)?,
    };
    let is_unnamed = |item: &Value| item.get("id").is_none_or(Value::is_null);
    if !layouts.is_empty() && items.iter().any(is_unnamed) {
        return Err(body::invalid(
            "items",
            "must all have an id of your own where there is a layout",
        ));
    }
    let of = |wanted: fn(&str) -> bool| -> Value {
        let kind = |item: &&Value| item.get("type").and_then(Value::as_str).is_some_and(wanted);
        let ids = items
            .iter()
            .filter(kind)
            .filter_map(|item| item.get("id").cloned());
        ids.collect()
    };
    let (nodes, connectors) = (
        of(|kind| !matches!(kind, "connector" | "frame")),
        of(|kind| kind == "connector"),
    );
    let laid = layouts.into_iter().map(|mut layout| {
        if let Some(layout) = layout.as_object_mut() {
            let is_layered = layout.get("kind").and_then(Value::as_str) == Some("layered");
            if is_layered && !layout.contains_key("connectors") {
                layout.insert("connectors".to_owned(), connectors.clone());
            }
            layout.entry("items").or_insert_with(|| nodes.clone());
        }
        operation("layout", layout)
    });
    let laid: Vec<Value> = laid.collect();
    let names = vec![("items", items.len()), ("layout", laid.len())];
    let created = items.into_iter().map(|item| operation("create", item));
    Ok(Work {
        operations: created.chain(laid).collect(),
        names,
    })
}

fn changing(mut arguments: Record) -> Result<Work, Response> {
    let changes = array(
        "changes",
        arguments.remove("changes"),
        limits::ITEM_OPERATIONS_MAX,
    )?;
    let names = vec![("changes", changes.len())];
    let update = |change| operation("update", change);
    Ok(Work {
        operations: changes.into_iter().map(update).collect(),
        names,
    })
}

fn deleting(mut arguments: Record) -> Result<Work, Response> {
    let ids = array("ids", arguments.remove("ids"), limits::ITEM_OPERATIONS_MAX)?;
    let names = vec![("ids", ids.len())];
    let delete = |id| operation("delete", json!({ "id": id }));
    Ok(Work {
        operations: ids.into_iter().map(delete).collect(),
        names,
    })
}

async fn space(boards: &Arc<Boards>, granted: &Granted, mut arguments: Record) -> Result<String, Response> {
    let side = |name: &'static str, value: Option<Value>| {
        let (min, max) = (limits::ITEM_SIDE_MIN, limits::ITEM_SIDE_MAX);
        body::required(name, value, |value| {
            let side = value.as_f64().filter(|side| (min..=max).contains(side));
            side.ok_or_else(|| body::invalid(name, &format!("must be a number from {min} to {max}")))
        })
    };
    let near = body::optional(arguments.remove("near"), |near| place("near", &near))?;
    let room = Room {
        width: side("width", arguments.remove("width"))?,
        height: side("height", arguments.remove("height"))?,
        near: near.map(|Cursor { x, y }| [x, y]),
    };
    let found = resource::room(boards, &granted.board, room).await?;
    let found = serde_json::to_string(&found).unwrap_or_default();
    Ok(format!("There is room with the upper left corner at {found}.\n"))
}

/// A place on the page.
fn place(name: &'static str, value: &Value) -> Result<Cursor, Response> {
    let max = limits::ITEM_COORDINATE_MAX;
    let number = |member: &str| {
        let number = value.get(member).and_then(Value::as_f64);
        number.filter(|number| number.abs() <= max)
    };
    let point = number("x").zip(number("y")).map(|(x, y)| Cursor { x, y });
    point.ok_or_else(|| body::invalid(name, &format!("must have x and y, from -{max} to {max}")))
}

/// What models can look at, where this build has it.
pub(super) const LOOK: Form = if cfg!(feature = "png") {
    Form::Png
} else {
    Form::Svg
};

/// How the board looks: as an image, or as the text of an SVG.
async fn look(boards: &Arc<Boards>, granted: &Granted, mut arguments: Record) -> Result<Value, Words> {
    for side in ["width", "height"] {
        // Larger is more than a model looks at.
        let asked = arguments
            .entry(side)
            .or_insert_with(|| limits::MCP_PICTURE_SIDE.into());
        // Parameters of a query are texts.
        *asked = match &*asked {
            Value::Number(number) => number.to_string().into(),
            other => other.clone(),
        };
    }
    let drawn = drawn(boards, granted, &arguments).await?;
    Ok(match LOOK {
        Form::Png => json!({ "type": "image", "data": drawn, "mimeType": LOOK.media_type() }),
        Form::Svg => json!({ "type": "text", "text": drawn }),
    })
}

/// A picture: a PNG in base64, or an SVG.
pub(super) async fn drawn(
    boards: &Arc<Boards>,
    granted: &Granted,
    arguments: &Record,
) -> Result<String, Response> {
    let options = Options::read(LOOK, |name| match arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(body::invalid(name, "must be a string")),
    })?;
    let bytes = picture::draw(boards, &granted.board, options).await?;
    Ok(match LOOK {
        Form::Png => STANDARD.encode(bytes),
        Form::Svg => String::from_utf8(bytes).unwrap_or_default(),
    })
}

/// Shows who asks at an item or a place.
async fn point(boards: &Arc<Boards>, granted: Granted, mut arguments: Record) -> Result<String, Response> {
    let item = body::optional(arguments.remove("item"), |value| {
        let id = value.as_str().and_then(ItemId::parse);
        id.ok_or_else(|| body::invalid("item", "must be the id of an item"))
    })?;
    let message = body::optional(arguments.remove("message"), |value| {
        body::text("message", value, 1..=limits::AGENT_MESSAGE_BYTES_MAX)
    })?;
    let mut touched = Touched::default();
    if let Some(id) = item {
        let item = resource::one(boards, &granted.board, id).await?;
        let number = |name: &str| item.json.get(name).and_then(Value::as_f64).unwrap_or_default();
        touched.cursor = Some(Cursor {
            x: number("x") + number("width") / 2.0,
            y: number("y") + number("height") / 2.0,
        });
        touched.page = item.page;
    } else {
        touched.cursor = Some(place("x", &arguments.into())?);
    }
    touched.message = message;
    boards.show_agent(&granted, touched);
    Ok("Whoever is on the board sees you there.\n".to_owned())
}
