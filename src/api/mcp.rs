//! `POST /mcp`: the Model Context Protocol, for assistants that draw on one board.
//!
//! Owns the way of a message to its answer. Must not know how a tool does its work (`tools`), nor what a
//! message looks like (`crate::mcp`). Key invariants: who asks is decided before anything is read, by every
//! request anew; a tool that cannot do its work says in its result what would be right, and only a message
//! that is none is an error of the protocol. Tests: tests/it/mcp.rs, tests/node/mcp.test.mjs.

mod tools;

use serde_json::{Value, json};

use crate::api::mcp::tools::Words;
use crate::api::picture::Form;
use crate::api::{Answer, Call, body};
use crate::boards::rights::Granted;
use crate::http::head::Head;
use crate::http::response::Response;
use crate::items::{self, Record};
use crate::limits;
use crate::mcp::message::{self, Asked, Fields, Message, Refused, Why};
use crate::mcp::tools::{Tool, listed};
use crate::net::upgrades;

/// Answers one message.
pub(crate) async fn post(mut call: Call<'_>) -> Answer {
    upgrades::check_origin(call.shell, call.request.head)?;
    let granted = call.granted_by_query().await?;
    let bytes = call.body().await?;
    let message =
        body::parse::<Record>(&bytes).map_err(|refusal| Refused::unreadable(Words::from(refusal).0));
    // It may hold a picture's worth of text twice.
    drop(bytes);
    let read = message.and_then(|message| message::read(message, fields(call.request.head)));
    let mut asked = match read {
        Ok(Message::Call(asked)) => asked,
        Ok(Message::Note) => return Ok(Response::new(202)),
        Err(refused) => return Ok(refusal(&refused)),
    };
    if let Some(bytes) = room_for(&asked.asked) {
        call.reserve(bytes).await?;
    }
    let result = match &mut asked.asked {
        Asked::Discover => message::discovered(),
        Asked::Initialize(version) => message::initialized(version),
        Asked::Ping => json!({}),
        Asked::Tools => listed(),
        Asked::Templates => json!({ "resourceTemplates": [] }),
        Asked::Resources => message::resources(granted.board.as_str(), tools::LOOK.media_type()),
        Asked::Resource(uri) => match resource(&call, &granted, uri).await {
            Some(Ok(contents)) => json!({ "contents": [contents] }),
            Some(Err(failed)) => return Err(failed),
            None => {
                let uri = items::shown(uri);
                return Ok(refusal(&asked.refused(Why::NoResource(uri))));
            }
        },
        Asked::Tool { name, arguments } => match Tool::parse(name) {
            Ok(tool) => run(&call, granted, tool, std::mem::take(arguments)).await,
            Err(words) => return Ok(refusal(&asked.refused(Why::Parameters(words)))),
        },
    };
    Ok(json_answer(200, &asked.answer(result)))
}

/// Bytes to keep free for an answer before it is made. None for what waits: whoever waits must not keep
/// others from being answered, and is told little.
fn room_for(asked: &Asked) -> Option<usize> {
    let tool = match asked {
        Asked::Tool { name, .. } => Tool::parse(name).ok(),
        _ => None,
    };
    match (tool, asked) {
        (Some(Tool::Changes), _) => None,
        (Some(Tool::Picture), _) | (_, Asked::Resource(_)) => Some(limits::PICTURE_SVG_BYTES),
        _ => Some(limits::ANSWER_BYTES),
    }
}

fn json_answer(status: u16, value: &Value) -> Response {
    Response::json(status, value).field("Cache-Control", "no-store")
}

fn refusal(refused: &Refused) -> Response {
    let (status, answer) = refused.answer();
    json_answer(status, &answer)
}

fn fields<'a>(head: &'a Head<'_>) -> Fields<'a> {
    // One that stands twice says nothing that the body could match.
    let field = |name| head.unique(name).unwrap_or(Some("twice"));
    Fields {
        version: field("mcp-protocol-version"),
        method: field("mcp-method"),
        name: field("mcp-name"),
    }
}

/// The contents of a resource; `None` where there is none.
async fn resource(call: &Call<'_>, granted: &Granted, uri: &str) -> Option<Result<Value, Response>> {
    let [text, picture] = message::uris(granted.board.as_str());
    if uri == text {
        let told = tools::told(call.boards(), granted, tools::Asked::all()).await;
        return Some(told.map(|text| json!({ "uri": uri, "mimeType": "text/plain", "text": text })));
    }
    if uri != picture {
        return None;
    }
    let drawn = tools::drawn(call.boards(), granted, &Record::new()).await;
    let contents = |data: String| match tools::LOOK {
        Form::Png => json!({ "uri": uri, "mimeType": Form::Png.media_type(), "blob": data }),
        Form::Svg => json!({ "uri": uri, "mimeType": Form::Svg.media_type(), "text": data }),
    };
    Some(drawn.map(contents))
}

/// What a tool answers: what it has done, or what is wrong with what it was asked.
async fn run(call: &Call<'_>, granted: Granted, tool: Tool, arguments: Record) -> Value {
    let checked = tool.check(&arguments).map_err(Words);
    let ran = match checked {
        Ok(()) => tools::run(call, granted, tool, arguments).await,
        Err(words) => Err(words),
    };
    match ran {
        Ok(content) => json!({ "content": [content], "isError": false }),
        Err(Words(words)) => json!({ "content": [{ "type": "text", "text": words }], "isError": true }),
    }
}
