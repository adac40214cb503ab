//! The HTTP API as one caller uses it.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::http::{Answer, Http, request};
use super::server::Server;
use super::tokens::Token;

/// A caller: an address, and what it sends as credential.
#[derive(Clone)]
pub(crate) struct Api {
    address: SocketAddr,
    credential: (String, String),
}

impl Api {
    /// A user with a plain token.
    pub(crate) fn user(server: &Server, user: &str) -> Self {
        Self::token(server, &Token::of(user).sign())
    }

    /// An admin.
    pub(crate) fn admin(server: &Server) -> Self {
        Self::token(server, &Token::of("root").admin().sign())
    }

    /// Whoever holds this token.
    pub(crate) fn token(server: &Server, token: &str) -> Self {
        Self::with(server, "Authorization", &format!("Bearer {token}"))
    }

    /// An agent with this API key.
    pub(crate) fn key(server: &Server, key: &str) -> Self {
        Self::with(server, "X-API-Key", key)
    }

    /// Nobody.
    pub(crate) fn nobody(server: &Server) -> Self {
        Self::with(server, "X-Nothing", "")
    }

    /// With any header field.
    pub(crate) fn with(server: &Server, name: &str, value: &str) -> Self {
        Self {
            address: server.address(),
            credential: (name.to_owned(), value.to_owned()),
        }
    }

    /// Sends a request with a body, and reads its answer.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        let mut http = Http::connect(self.address);
        let length = body.len().to_string();
        let (name, value) = &self.credential;
        let mut fields = vec![
            (name.as_str(), value.as_str()),
            ("User-Agent", "tests"),
            ("Connection", "close"),
        ];
        if !body.is_empty() {
            fields.push(("Content-Length", &length));
        }
        http.send(request(method, target, &fields));
        http.send(body);
        http.answer(method)
    }

    /// A request without a body.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, target: &str) -> Answer {
        self.send(method, target, b"")
    }

    /// `GET`.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.call("GET", target)
    }

    /// A request with a JSON body.
    #[track_caller]
    pub(crate) fn json(&self, method: &str, target: &str, body: &Value) -> Answer {
        self.send(method, target, body.to_string().as_bytes())
    }

    /// A request with a JSON body that must be answered with `status`; the answer's body.
    #[track_caller]
    pub(crate) fn must(&self, method: &str, target: &str, body: &Value, status: u16) -> Value {
        let answer = match body {
            Value::Null => self.call(method, target),
            body => self.json(method, target, body),
        };
        assert_eq!(
            answer.status,
            status,
            "{method} {target}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        match answer.body.is_empty() {
            true => Value::Null,
            false => answer.json(),
        }
    }

    /// Grants `level` on board `b` to `who`, such as `users/bob`.
    #[track_caller]
    pub(crate) fn grant(&self, who: &str, level: &str) {
        let target = format!("/v1/boards/b/permissions/{who}");
        self.must("PUT", &target, &json!({ "level": level }), 200);
    }

    /// All items of a list, `limit` at a time.
    #[track_caller]
    pub(crate) fn list(&self, target: &str, limit: usize) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.must(
                "GET",
                &format!("{target}?limit={limit}{cursor}"),
                &Value::Null,
                200,
            );
            let of_page = page["items"].as_array().unwrap();
            assert!(of_page.len() <= limit);
            items.extend(of_page.iter().cloned());
            match &page["next_cursor"] {
                Value::Null => return items,
                next => cursor = format!("&cursor={}", next.as_str().unwrap()),
            }
        }
    }
}
