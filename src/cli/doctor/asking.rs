//! Requests to the server that is looked at from outside.
//!
//! Owns how long each may take, and how much is read of an answer. Must not judge. Key invariants: whoever
//! answers may be anybody, so each answer is bounded in bytes and time; a credential goes to the host of
//! `--url` alone. Tests: tests/node/doctor.test.mjs.

use std::time::Duration;

use boardwire::client::{
    Address, Answer, Client, ClientError, NotReached, Reached, Request, Upgraded, Verb, Wanted,
};
use serde_json::Value;

use super::super::one_line;

/// How long each step may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// More than any answer has that is asked for.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What a problem document of a Boardwire has as its type.
const PROBLEM: &str = "urn:boardwire:problem:";

/// A server, and how one asks it.
pub(super) struct Server {
    /// Without a slash at its end.
    base: String,
    client: Client,
    /// Of an admin, where there is one.
    authorization: Option<String>,
}

/// What became of the request for a WebSocket.
pub(super) enum Opened {
    Socket(boardwire::client::Socket),
    /// The status, and the code of the problem where a Boardwire answered.
    Refused(u16, Option<String>),
    Failed(ClientError),
}

impl Server {
    pub(super) fn new(base: String, authorization: Option<String>) -> Self {
        Self {
            base,
            client: Client::new(|_| true),
            authorization,
        }
    }

    /// Whether it is asked as an admin.
    pub(super) fn is_asked_as_admin(&self) -> bool {
        self.authorization.is_some()
    }

    fn address(&self, path: &str) -> Result<Address, ClientError> {
        Address::parse(&format!("{}{path}", self.base)).map_err(|_| ClientError::NoAddress)
    }

    /// Connects, and says nothing.
    pub(super) fn reach(&self) -> Result<Reached, NotReached> {
        let address = self.address("/health").map_err(|error| NotReached {
            step: boardwire::client::Step::Resolving,
            error,
            words: None,
        })?;
        smol::block_on(self.client.reach(&address, PATIENCE))
    }

    /// Sends a request with these fields beside the credential.
    pub(super) fn ask(
        &self,
        verb: Verb,
        path: &str,
        (fields, body): (&[(&str, &str)], &Value),
    ) -> Result<Answer, ClientError> {
        let address = self.address(path)?;
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let authorization = self
            .authorization
            .iter()
            .map(|text| ("Authorization", text.as_str()));
        let fields: Vec<_> = authorization.chain(fields.iter().copied()).collect();
        let request = Request {
            verb,
            address: &address,
            fields: &fields,
            body: body.as_bytes(),
        };
        smol::block_on(
            self.client
                .send(request, Wanted::Body(ANSWER_BYTES_MAX), PATIENCE),
        )
    }

    /// Asks another address, without a credential, for the head of its answer.
    pub(super) fn ask_elsewhere(&self, url: &str) -> Result<Answer, ClientError> {
        let address = Address::parse(url).map_err(|_| ClientError::NoAddress)?;
        let request = Request {
            verb: Verb::Get,
            address: &address,
            fields: &[],
            body: b"",
        };
        smol::block_on(self.client.send(request, Wanted::Head, PATIENCE))
    }

    /// Asks for a WebSocket, as a page of this origin does, or as a program that has none.
    pub(super) fn open(&self, board: &str, origin: Option<&str>) -> Opened {
        let path = format!("/ws/canvas/{board}");
        let address = match self.address(&path) {
            Ok(address) => address,
            Err(error) => return Opened::Failed(error),
        };
        let authorization = self
            .authorization
            .iter()
            .map(|text| ("Authorization", text.as_str()));
        let origin = origin.map(|origin| ("Origin", origin));
        let fields: Vec<_> = authorization.chain(origin).collect();
        let upgraded = smol::block_on(async {
            let reached = self
                .client
                .reach(&address, PATIENCE)
                .await
                .map_err(|not| not.error)?;
            reached
                .upgrade(&address, &fields, (ANSWER_BYTES_MAX, PATIENCE))
                .await
        });
        match upgraded {
            Ok(Upgraded::Socket(socket)) => Opened::Socket(socket),
            Ok(Upgraded::Refused(answer)) => Opened::Refused(answer.status, problem(&answer)),
            Err(error) => Opened::Failed(error),
        }
    }
}

/// An answer's body as JSON; `Null` where it is none.
pub(super) fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// The code of the problem that a Boardwire answered with.
pub(super) fn problem(answer: &Answer) -> Option<String> {
    let body = json(answer);
    body.get("type")?.as_str()?.strip_prefix(PROBLEM).map(one_line)
}

/// What a server says of why it refused, in one line.
pub(super) fn reason(answer: &Answer) -> String {
    let body = json(answer);
    let detail = body.get("detail").and_then(Value::as_str).map(one_line);
    let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{detail}", answer.status)
}
