//! `POST /mcp`: what an assistant asks over the Model Context Protocol is done as over HTTP, by the same
//! rights, and answered in its own way. The official clients are in tests/node/mcp.test.mjs.

mod tools;

use boardwire::ids::Level;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http::Http;
use crate::support::server::{Server, Setup};
use crate::support::tokens::Token;

/// An assistant, which sends its credential in this field and asks at this path.
struct Assistant {
    server: std::net::SocketAddr,
    field: (&'static str, String),
    path: String,
}

impl Assistant {
    fn new(server: &Server, field: (&'static str, String), path: &str) -> Self {
        Self {
            server: server.address(),
            field,
            path: path.to_owned(),
        }
    }

    /// With an API key as bearer.
    fn with_key(server: &Server, key: &str) -> Self {
        Self::new(server, ("Authorization", format!("Bearer {key}")), "/mcp")
    }

    /// Sends a message with these fields; the status and the body.
    fn send(&self, message: &Value, fields: &[(&str, &str)]) -> (u16, Value) {
        let body = message.to_string();
        let mut head = format!("POST {} HTTP/1.1\r\nHost: {}\r\n", self.path, self.server);
        for (name, value) in fields
            .iter()
            .copied()
            .chain([(self.field.0, self.field.1.as_str())])
        {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut http = Http::connect(self.server);
        http.send(head + &body);
        let answer = http.answer("POST");
        let json = serde_json::from_slice(&answer.body).unwrap_or_default();
        (answer.status, json)
    }

    /// A request of today's revision.
    fn ask(&self, method: &str, mut params: Value) -> (u16, Value) {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let name = params.get("name").or_else(|| params.get("uri")).cloned();
        let mut fields = vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)];
        fields.extend(
            name.as_ref()
                .and_then(Value::as_str)
                .map(|name| ("Mcp-Name", name)),
        );
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.send(&message, &fields)
    }

    /// Calls a tool: its text, and whether it says that it failed.
    #[track_caller]
    fn call(&self, tool: &str, arguments: Value) -> (String, bool) {
        let (status, answer) = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        assert_eq!(status, 200, "{answer}");
        let result = &answer["result"];
        let text = result["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"));
        (text.to_owned(), result["isError"].as_bool().unwrap())
    }

    /// The same for what must succeed.
    #[track_caller]
    fn does(&self, tool: &str, arguments: Value) -> String {
        let (text, failed) = self.call(tool, arguments);
        assert!(!failed, "{text}");
        text
    }

    /// The same for what must fail.
    #[track_caller]
    fn fails(&self, tool: &str, arguments: Value) -> String {
        let (text, failed) = self.call(tool, arguments);
        assert!(failed, "{text}");
        text
    }
}

fn board() -> (Server, Api) {
    let server = Setup::new().start();
    let alice = Api::user(&server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    (server, alice)
}

fn key(alice: &Api, level: &str) -> String {
    let made = alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"level": level, "name": "Helper"}),
        201,
    );
    made["key"].as_str().unwrap().to_owned()
}

fn drawing() -> (Server, Api, Assistant) {
    let (server, alice) = board();
    let assistant = Assistant::with_key(&server, &key(&alice, "edit"));
    (server, alice, assistant)
}

#[test]
fn an_assistant_that_is_paused_is_told_so() {
    let (server, alice) = board();
    let made = alice.must(
        "POST",
        "/v1/boards/b/keys",
        &json!({"level": "edit", "name": "Helper"}),
        201,
    );
    let assistant = Assistant::with_key(&server, made["key"].as_str().unwrap());
    assistant.does("read_board", json!({}));
    let key = format!("/v1/boards/b/keys/{}", made["id"].as_str().unwrap());
    alice.must("PATCH", &key, &json!({"paused": true}), 200);
    let (status, answer) = assistant.ask("tools/list", json!({}));
    assert_eq!((status, &answer["code"]), (403, &json!("agent_paused")));
    alice.must("PATCH", &key, &json!({"paused": false}), 200);
    assistant.does("read_board", json!({}));
}

#[test]
fn the_board_is_a_resource() {
    let (_server, _alice, assistant) = drawing();
    assistant.does(
        "draw",
        json!({"items": [{"id": "n", "type": "sticky", "x": 0, "y": 0}]}),
    );
    let (status, answer) = assistant.ask("resources/list", json!({}));
    assert_eq!(status, 200);
    let uri = answer["result"]["resources"][0]["uri"].as_str().unwrap();
    assert_eq!(uri, "boardwire://boards/b");
    let (status, answer) = assistant.ask("resources/read", json!({ "uri": uri }));
    let contents = &answer["result"]["contents"][0];
    assert_eq!((status, &contents["mimeType"]), (200, &json!("text/plain")));
    assert!(
        contents["text"]
            .as_str()
            .unwrap()
            .contains("sticky n (0,0 200x200)")
    );
    assert_eq!(answer["result"]["cacheScope"], "private");
    for other in ["boardwire://boards/c", "boardwire://boards/b/x", ""] {
        let (_, answer) = assistant.ask("resources/read", json!({ "uri": other }));
        assert_eq!(answer["error"]["code"], -32_602, "{other}");
    }
}

#[test]
fn each_revision_is_answered_in_its_way() {
    let (_server, _alice, assistant) = drawing();
    let (status, answer) = assistant.ask("server/discover", json!({}));
    assert_eq!(status, 200);
    assert_eq!(
        answer["result"]["supportedVersions"],
        json!(["2026-07-28", "2025-11-25", "2025-06-18"])
    );
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
    }});
    let (status, answer) = assistant.send(&initialize, &[]);
    assert_eq!(
        (status, &answer["result"]["protocolVersion"]),
        (200, &json!("2025-11-25"))
    );
    assert_eq!(answer["result"]["serverInfo"]["name"], "boardwire");
    let old = [("MCP-Protocol-Version", "2025-11-25")];
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(assistant.send(&note, &old), (202, Value::Null));
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let (status, answer) = assistant.send(&list, &old);
    assert_eq!(status, 200);
    assert!(answer["result"]["tools"].as_array().unwrap().len() >= 7);
    let unknown = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "erase"}});
    let (_, answer) = assistant.send(&unknown, &old);
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("there are read_board"),
        "{answer}"
    );
    let (status, answer) = assistant.send(&json!([list]), &old);
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32_700)));
}

#[test]
fn every_credential_works_and_says_which_board_or_must_name_one() {
    let (server, alice) = board();
    let key = key(&alice, "view");
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let status = |field: (&'static str, String), path: &str| {
        let (status, answer) = Assistant::new(&server, field, path).send(&ping, &[]);
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    let token = format!("Bearer {}", Token::of("alice").sign());
    let fine = (200, String::new());
    assert_eq!(status(("Authorization", format!("Bearer {key}")), "/mcp"), fine);
    assert_eq!(status(("X-API-Key", key.clone()), "/mcp"), fine);
    assert_eq!(
        status(("X-Nothing", "x".to_owned()), &format!("/mcp?apiKey={key}")),
        fine
    );
    assert_eq!(
        status(("Authorization", format!("Bearer {key}")), "/mcp?board=b"),
        fine
    );
    assert_eq!(status(("Authorization", token.clone()), "/mcp?board=b"), fine);
    let refused = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(
        status(("Authorization", token.clone()), "/mcp"),
        refused(400, "invalid_parameter")
    );
    assert_eq!(
        status(("Authorization", token.clone()), "/mcp?board=c"),
        refused(404, "no_such_board")
    );
    assert_eq!(
        status(("Authorization", token), "/mcp?board=b&board=b"),
        refused(400, "invalid_parameter")
    );
    assert_eq!(
        status(("X-Nothing", "x".to_owned()), "/mcp"),
        refused(401, "unauthenticated")
    );
    let wrong = format!("bw_{}", "A".repeat(43));
    assert_eq!(
        status(("Authorization", format!("Bearer {wrong}")), "/mcp"),
        refused(401, "invalid_credential")
    );
    assert_eq!(
        status(("X-API-Key", wrong), "/mcp"),
        refused(401, "invalid_credential")
    );
    assert_eq!(
        status(("X-API-Key", key.clone()), "/mcp?board=c"),
        refused(403, "forbidden")
    );
    assert_eq!(
        status(
            ("Origin", "https://elsewhere.example".to_owned()),
            &format!("/mcp?apiKey={key}")
        )
        .0,
        403
    );
    let get = Api::key(&server, &key).call("GET", "/mcp");
    assert_eq!((get.status, get.field("allow")), (405, Some("POST, OPTIONS")));
}

#[test]
fn who_may_only_look_draws_nothing() {
    let (server, alice) = board();
    for (field, path) in [
        (
            ("Authorization", format!("Bearer {}", key(&alice, "view"))),
            "/mcp",
        ),
        (
            (
                "Authorization",
                format!("Bearer {}", Token::of("bob").with("b", Level::Comment).sign()),
            ),
            "/mcp?board=b",
        ),
    ] {
        let assistant = Assistant::new(&server, field, path);
        assistant.does("read_board", json!({}));
        let item = json!({"items": [{"type": "sticky", "x": 0, "y": 0}]});
        for (tool, arguments) in [
            ("draw", item),
            ("change", json!({"changes": [{"id": "n", "x": 1}]})),
            ("delete", json!({"ids": ["n"]})),
        ] {
            let words = assistant.fails(tool, arguments);
            assert!(words.starts_with("forbidden: "), "{words}");
        }
    }
    assert_eq!(alice.list("/v1/boards/b/items", 10).len(), 0);
}
