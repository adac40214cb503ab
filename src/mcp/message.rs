//! Messages: from a JSON object and the header fields beside it to what is asked, and back.
//!
//! Owns which revisions of the protocol are spoken, and how a request tells its own. Must not know what a
//! tool does. Key invariants: a request of today's revision means in its header fields what it means in its
//! body; an error names what would be right, and the revisions that are spoken. Tests: src/mcp/tests.rs.
//!
//! # Source
//! JSON-RPC 2.0; MCP 2026-07-28: basic/index, basic/versioning, transports/streamable-http; 2025-11-25:
//! basic/lifecycle, basic/transports.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::items::shown;
use crate::limits;

/// The revisions of the protocol that are spoken, the newest first.
pub const VERSIONS: [&str; 3] = [TODAY, "2025-11-25", "2025-06-18"];

/// The revision in which every request tells its own; those before it begin with `initialize`.
const TODAY: &str = "2026-07-28";

/// What a client is taken to speak that tells nothing, since the field came later.
const UNTOLD: &str = "2025-03-26";

/// Where a request tells its revision.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// The names of the header fields.
const VERSION_FIELD: &str = "MCP-Protocol-Version";
const METHOD_FIELD: &str = "Mcp-Method";
const NAME_FIELD: &str = "Mcp-Name";

/// Around a value of a field that is in base64.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// How long a client may keep what never changes while this server runs.
const LISTS_FRESH_MS: u32 = 300_000;

/// What every model is told that uses this server.
const INSTRUCTIONS: &str = include_str!("instructions.txt");

/// The header fields that repeat what the body says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Option<&'a str>,
    /// `Mcp-Method`.
    pub method: Option<&'a str>,
    /// `Mcp-Name`.
    pub name: Option<&'a str>,
}

/// By which kind of revision a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Today's: each request tells all that it is answered by.
    Request,
    /// Those before, which begin with `initialize`.
    Handshake,
}

/// What came.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A request, which is answered.
    Call(Call),
    /// A notification, or an answer to what was never asked: it needs no answer.
    Note,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its id, which the answer repeats.
    pub id: Value,
    /// How it is answered.
    pub era: Era,
    /// What is asked.
    pub asked: Asked,
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// `server/discover`.
    Discover,
    /// `initialize`, with the revision that the client would speak.
    Initialize(String),
    /// `ping`.
    Ping,
    /// `tools/list`.
    Tools,
    /// `tools/call`.
    Tool {
        /// Which.
        name: String,
        /// Its arguments, not checked yet.
        arguments: Map<String, Value>,
    },
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
    /// `resources/read`, of this URI.
    Resource(String),
}

/// Why a request is not answered as it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The request's id; null where it has none that can be told.
    pub id: Value,
    /// How it is answered.
    pub era: Era,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is no JSON object.
    Unreadable(String),
    /// It is no message of JSON-RPC.
    Invalid(&'static str),
    /// There is no such method.
    NoMethod(String),
    /// A parameter is missing or wrong.
    Parameters(String),
    /// The header fields say something else than the body, or lack what they must say.
    Fields(String),
    /// This revision is not spoken.
    Version(String),
    /// There is no such resource.
    NoResource(String),
}

impl Why {
    fn code(&self) -> i32 {
        match self {
            Self::Unreadable(_) => -32_700,
            Self::Invalid(_) => -32_600,
            Self::NoMethod(_) => -32_601,
            Self::Parameters(_) | Self::NoResource(_) => -32_602,
            Self::Fields(_) => -32_020,
            Self::Version(_) => -32_022,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Unreadable(detail) => format!("not a JSON object: {detail}"),
            Self::Invalid(detail) => (*detail).to_owned(),
            Self::NoMethod(method) => format!("there is no method {method}"),
            Self::Parameters(detail) => detail.clone(),
            Self::Fields(detail) => format!("the header fields do not match the body: {detail}"),
            Self::Version(_) => format!(
                "this revision of the protocol is not spoken; use one of {}",
                VERSIONS.join(", ")
            ),
            Self::NoResource(uri) => format!("there is no resource {uri}; resources/list has them all"),
        }
    }

    fn data(&self) -> Option<Value> {
        match self {
            Self::Version(requested) => Some(json!({ "supported": VERSIONS, "requested": requested })),
            Self::NoResource(uri) => Some(json!({ "uri": uri })),
            _ => None,
        }
    }
}

impl Refused {
    /// Of a body that could not be read.
    #[must_use]
    pub fn unreadable(detail: String) -> Self {
        Self {
            id: Value::Null,
            era: Era::Request,
            why: Why::Unreadable(detail),
        }
    }

    /// The HTTP status and the body of the answer.
    ///
    /// Clients of the revisions before today's take any other status than 200 for a failed transport, and
    /// never read the error; so they get one only where the message itself cannot be taken.
    #[must_use]
    pub fn answer(&self) -> (u16, Value) {
        let status = match (&self.why, self.era) {
            (Why::NoMethod(_), Era::Request) => 404,
            (Why::NoMethod(_) | Why::Parameters(_) | Why::NoResource(_), Era::Handshake) => 200,
            // What was asked of a resource or tool is no fault of the transport.
            (Why::NoResource(_), Era::Request) => 200,
            _ => 400,
        };
        let mut error = json!({ "code": self.why.code(), "message": self.why.words() });
        if let (Some(data), Some(error)) = (self.why.data(), error.as_object_mut()) {
            error.insert("data".to_owned(), data);
        }
        let mut answer = json!({ "jsonrpc": "2.0", "error": error });
        if let Some(answer) = answer.as_object_mut()
            && !self.id.is_null()
        {
            answer.insert("id".to_owned(), self.id.clone());
        }
        (status, answer)
    }
}

/// Reads a message.
///
/// # Errors
/// [`Refused`].
pub fn read(mut message: Map<String, Value>, fields: Fields<'_>) -> Result<Message, Refused> {
    let id = message.remove("id");
    let known = id.clone().filter(is_id);
    let refused = |era, why| Refused {
        id: known.clone().unwrap_or_default(),
        era,
        why,
    };
    let invalid = |detail| refused(Era::Request, Why::Invalid(detail));
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid("must have \"jsonrpc\": \"2.0\""));
    }
    let is_answer = message.contains_key("result") || message.contains_key("error");
    let method = match message.remove("method") {
        Some(Value::String(method)) => method,
        None if is_answer => return Ok(Message::Note),
        _ => return Err(invalid("must have a method")),
    };
    let params = match message.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(invalid("params must be an object")),
    };
    if id.is_none() {
        return Ok(Message::Note);
    }
    let Some(id) = known.clone() else {
        return Err(invalid(
            "id must be a string of at most 256 bytes or a whole number",
        ));
    };
    let era = era(&method, &params, fields);
    let told = match era {
        Era::Request => by_request(&method, &params, fields),
        Era::Handshake => by_handshake(fields),
    };
    told.map_err(|why| refused(era, why))?;
    let asked = asked(era, method, params).map_err(|why| refused(era, why))?;
    Ok(Message::Call(Call { id, era, asked }))
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::String(text) => text.len() <= limits::MCP_ID_BYTES_MAX,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

fn meta<'a>(params: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    params.get("_meta")?.get(key)
}

/// How a request tells by which revision it is to be answered.
fn era(method: &str, params: &Map<String, Value>, fields: Fields<'_>) -> Era {
    let tells = meta(params, VERSION_KEY).is_some() || method == "server/discover";
    match tells || (fields.version == Some(TODAY) && method != "initialize") {
        true => Era::Request,
        false => Era::Handshake,
    }
}

/// That a request of today's revision tells all that it must, and the same in its fields.
fn by_request(method: &str, params: &Map<String, Value>, fields: Fields<'_>) -> Result<(), Why> {
    let missing = |key: &str, what: &str| Why::Parameters(format!("params._meta must have {what} in {key}"));
    let Some(version) = meta(params, VERSION_KEY).and_then(Value::as_str) else {
        return Err(missing(VERSION_KEY, "the revision of the protocol"));
    };
    let agrees = |name: &str, field: Option<&str>, body: &str| match field {
        None => Err(Why::Fields(format!("{name} is missing"))),
        Some(field) if decoded(field).as_deref() == Some(body) => Ok(()),
        Some(_) => Err(Why::Fields(format!(
            "{name} must say what the body says: {}",
            shown(body)
        ))),
    };
    agrees(VERSION_FIELD, fields.version, version)?;
    if version != TODAY {
        return Err(Why::Version(shown(version)));
    }
    if !meta(params, CAPABILITIES_KEY).is_some_and(Value::is_object) {
        return Err(missing(CAPABILITIES_KEY, "the client's capabilities"));
    }
    agrees(METHOD_FIELD, fields.method, method)?;
    let name = match method {
        "tools/call" | "prompts/get" => params.get("name"),
        "resources/read" => params.get("uri"),
        _ => return Ok(()),
    };
    match name.and_then(Value::as_str) {
        Some(name) => agrees(NAME_FIELD, fields.name, name),
        // What is missing in the body is told by who reads it.
        None => Ok(()),
    }
}

/// A value of a field, which is in base64 where it could not stand there as it is.
fn decoded(field: &str) -> Option<String> {
    let inner = field
        .strip_prefix(ENCODED.0)
        .and_then(|rest| rest.strip_suffix(ENCODED.1));
    match inner {
        None => Some(field.to_owned()),
        Some(inner) => String::from_utf8(STANDARD.decode(inner).ok()?).ok(),
    }
}

/// The header fields that go with a message, for a client that passes it on over HTTP; `spoken` is the
/// revision that a handshake agreed on.
#[must_use]
pub fn fields_of(message: &Value, spoken: Option<&str>) -> Vec<(&'static str, String)> {
    let text = |path: &str| message.pointer(path).and_then(Value::as_str);
    let Some(version) = text("/params/_meta/io.modelcontextprotocol~1protocolVersion") else {
        let spoken = spoken.map(|version| (VERSION_FIELD, version.to_owned()));
        return spoken.into_iter().collect();
    };
    let name = text("/params/name").or_else(|| text("/params/uri"));
    let fields = [
        (VERSION_FIELD, Some(version)),
        (METHOD_FIELD, text("/method")),
        (NAME_FIELD, name),
    ];
    let fields = fields.into_iter();
    fields
        .filter_map(|(name, value)| Some((name, encoded(value?))))
        .collect()
}

/// A value as a field can say it.
fn encoded(value: &str) -> String {
    let is_plain = value.bytes().all(|b| (b' '..=b'~').contains(&b))
        && value.trim() == value
        && !value.starts_with(ENCODED.0);
    match is_plain {
        true => value.to_owned(),
        false => format!("{}{}{}", ENCODED.0, STANDARD.encode(value), ENCODED.1),
    }
}

/// That a request of a revision before today's names one that is spoken, if it names one.
fn by_handshake(fields: Fields<'_>) -> Result<(), Why> {
    match fields.version {
        Some(version) if version != UNTOLD && !VERSIONS.contains(&version) => {
            Err(Why::Version(shown(version)))
        }
        _ => Ok(()),
    }
}

fn asked(era: Era, method: String, mut params: Map<String, Value>) -> Result<Asked, Why> {
    if method.ends_with("/list") && params.get("cursor").is_some_and(|cursor| !cursor.is_null()) {
        return Err(Why::Parameters(
            "cursor is none of ours: there is one page".to_owned(),
        ));
    }
    let mut text = |name: &str| match params.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Why::Parameters(format!("params must have {name}, a string"))),
    };
    Ok(match (method.as_str(), era) {
        ("server/discover", Era::Request) => Asked::Discover,
        ("initialize", Era::Handshake) => Asked::Initialize(text("protocolVersion")?),
        ("ping", Era::Handshake) => Asked::Ping,
        ("tools/list", _) => Asked::Tools,
        ("tools/call", _) => {
            let name = text("name")?;
            let arguments = match params.remove("arguments") {
                None => Map::new(),
                Some(Value::Object(arguments)) => arguments,
                Some(_) => return Err(Why::Parameters("params.arguments must be an object".to_owned())),
            };
            Asked::Tool { name, arguments }
        }
        ("resources/list", _) => Asked::Resources,
        ("resources/templates/list", _) => Asked::Templates,
        ("resources/read", _) => Asked::Resource(text("uri")?),
        _ => return Err(Why::NoMethod(shown(&method))),
    })
}

impl Call {
    /// The answer with this result.
    #[must_use]
    pub fn answer(&self, result: Value) -> Value {
        let mut result = match result {
            Value::Object(result) => result,
            _ => Map::new(),
        };
        if self.era == Era::Request {
            result.insert("resultType".to_owned(), "complete".into());
            result.insert("_meta".to_owned(), json!({ SERVER_KEY: server() }));
            if let Some((fresh, scope)) = self.freshness() {
                result.insert("ttlMs".to_owned(), fresh.into());
                result.insert("cacheScope".to_owned(), scope.into());
            }
        }
        json!({ "jsonrpc": "2.0", "id": self.id, "result": result })
    }

    /// The refusal of it.
    #[must_use]
    pub fn refused(&self, why: Why) -> Refused {
        Refused {
            id: self.id.clone(),
            era: self.era,
            why,
        }
    }

    /// How long the answer may be kept, and by whom, where that is told.
    fn freshness(&self) -> Option<(u32, &'static str)> {
        match self.asked {
            Asked::Discover | Asked::Tools | Asked::Templates => Some((LISTS_FRESH_MS, "public")),
            Asked::Resources => Some((LISTS_FRESH_MS, "private")),
            Asked::Resource(_) => Some((0, "private")),
            Asked::Initialize(_) | Asked::Ping | Asked::Tool { .. } => None,
        }
    }
}

/// Who answers.
fn server() -> Value {
    json!({ "name": "boardwire", "title": "Boardwire", "version": env!("CARGO_PKG_VERSION") })
}

/// The result of `server/discover`.
#[must_use]
pub fn discovered() -> Value {
    json!({
        "supportedVersions": VERSIONS,
        "capabilities": { "tools": {}, "resources": {} },
        "instructions": INSTRUCTIONS,
    })
}

/// The result of `initialize`: the revision that the client would speak, or the newest that begins so.
#[must_use]
pub fn initialized(requested: &str) -> Value {
    let [_, handshakes @ ..] = VERSIONS;
    let spoken = handshakes.iter().find(|version| **version == requested);
    json!({
        "protocolVersion": spoken.or_else(|| handshakes.first()),
        "capabilities": { "tools": {}, "resources": {} },
        "serverInfo": server(),
        "instructions": INSTRUCTIONS,
    })
}

/// The URIs of a board's two resources: its text, and its picture.
#[must_use]
pub fn uris(board: &str) -> [String; 2] {
    let text = format!("boardwire://boards/{board}");
    let picture = format!("{text}/picture");
    [text, picture]
}

/// The result of `resources/list` for a board whose picture is of this media type.
#[must_use]
pub fn resources(board: &str, picture_type: &str) -> Value {
    let [text, picture] = uris(board);
    json!({ "resources": [
        {
            "uri": text,
            "name": board,
            "title": format!("Board {board}"),
            "description": "What is on the board, an item a line, with ids and positions",
            "mimeType": "text/plain",
        },
        {
            "uri": picture,
            "name": format!("{board}-picture"),
            "title": format!("Picture of board {board}"),
            "description": "What the board looks like now",
            "mimeType": picture_type,
        },
    ]})
}
