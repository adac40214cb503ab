//! `boardwire mcp`: the Model Context Protocol on standard input and output, for assistants that start
//! programs.
//!
//! Owns the way of a line to `POST /mcp` of a server and of its answer back. Must not know what a message
//! asks. Key invariants: every request gets one answer line, whatever becomes of it; what is not an answer
//! goes to standard error. Tests: tests/node/mcp.test.mjs, and below.
//!
//! # Source
//! MCP 2026-07-28, basic/transports/stdio.

use std::ffi::OsString;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boardwire::client::{Address, Client, Request as Sent, Verb, Wanted};
use boardwire::limits;
use boardwire::mcp::message::fields_of;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Value, json};
use smol::channel::{Receiver, Sender};

pub(crate) const HELP: &str = "\
For the settings of an assistant that starts programs: it speaks the Model Context Protocol on standard input and
output, and this passes each message on to the server.

BOARDWIRE_KEY is the API key, or a token with --board; whoever lists the processes of the machine sees --key.

Example of such settings:
  {\"mcpServers\": {\"board\": {\"command\": \"boardwire\", \"args\": [\"mcp\", \"--url\", \"https://boards.example\"],
    \"env\": {\"BOARDWIRE_KEY\": \"bw_...\"}}}}";

/// How long one request may take: longer than `changes` waits and a board takes to load.
const TIME_MAX: Duration = Duration::from_secs(120);

/// Requests on their way at once.
const AT_ONCE: usize = 8;

/// Where messages go, and by whose right.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Request {
    address: Address,
    credential: String,
}

/// Without the credential.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The flags.
pub(crate) fn arguments() -> [Arg; 3] {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(help)
            .action(ArgAction::Set)
    };
    [
        flag(
            "url",
            "URL",
            "The server, as people open it: https://boards.example",
        )
        .required(true),
        flag(
            "key",
            "KEY",
            "An API key of the board, or a token; better in BOARDWIRE_KEY",
        ),
        flag("board", "ID", "The board, where the credential is for several"),
    ]
}

impl Request {
    /// Checks the flags.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(crate) fn from_values(
        flags: &ArgMatches,
        variables: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let flag = |name: &str| flags.get_one::<String>(name).cloned();
        let of_variable = || variables("BOARDWIRE_KEY").and_then(|key| key.into_string().ok());
        let credential = flag("key").or_else(of_variable).filter(|key| !key.is_empty());
        let credential = credential.ok_or("an API key is needed: --key, or BOARDWIRE_KEY")?;
        let url = flag("url").unwrap_or_default();
        let mut address = format!("{}/mcp", url.trim_end_matches('/'));
        if let Some(board) = flag("board") {
            let board = boardwire::ids::BoardId::parse(&board).ok_or("--board must be the id of a board")?;
            address = format!("{address}?board={board}");
        }
        let address = Address::parse(&address).map_err(|error| format!("--url {error}"))?;
        Ok(Self { address, credential })
    }
}

/// Passes messages on until standard input ends, and all were answered.
///
/// # Errors
/// Standard input cannot be read.
pub(crate) fn run(request: Request) -> Result<(), String> {
    let (lines, waiting) = smol::channel::bounded(AT_ONCE);
    let reader = std::thread::spawn(move || read(&lines));
    let bridge = Arc::new(Bridge {
        client: Client::new(|_| true),
        authorization: format!("Bearer {}", request.credential),
        address: request.address,
        spoken: Mutex::default(),
    });
    smol::block_on(async {
        let executor = smol::LocalExecutor::new();
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|_| executor.spawn(Arc::clone(&bridge).serve(waiting.clone())))
            .collect();
        executor
            .run(async {
                for task in tasks {
                    task.await;
                }
            })
            .await;
    });
    let read = reader.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
    read.map_err(|error| format!("standard input: {error}"))
}

/// Hands on the lines of standard input.
fn read(lines: &Sender<Vec<u8>>) -> io::Result<()> {
    let mut input = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        // One byte more than a server would take tells that it is too long.
        let most = u64::try_from(limits::BODY_BYTES_MAX)
            .unwrap_or(u64::MAX)
            .saturating_add(2);
        if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if lines.send_blocking(line).is_err() {
            return Ok(());
        }
    }
}

struct Bridge {
    client: Client,
    address: Address,
    authorization: String,
    /// The revision that a handshake agreed on.
    spoken: Mutex<Option<String>>,
}

impl Bridge {
    async fn serve(self: Arc<Self>, waiting: Receiver<Vec<u8>>) {
        while let Ok(line) = waiting.recv().await {
            if let Some(answer) = self.pass_on(&line).await {
                // A reader that went away ends the input too.
                writeln!(io::stdout().lock(), "{answer}").unwrap_or_default();
            }
        }
    }

    /// Sends a message to the server; the answer, where it is to have one.
    async fn pass_on(&self, line: &[u8]) -> Option<Value> {
        let message: Value = serde_json::from_slice(line).unwrap_or_default();
        let spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let told = fields_of(&message, spoken.as_deref());
        let mut fields = vec![
            ("Authorization", self.authorization.as_str()),
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ];
        fields.extend(told.iter().map(|(name, value)| (*name, value.as_str())));
        let sent = Sent {
            verb: Verb::Post,
            address: &self.address,
            fields: &fields,
            body: line,
        };
        let answer = self
            .client
            .send(sent, Wanted::Body(limits::BODY_BYTES_MAX), TIME_MAX)
            .await;
        let refusal = match answer {
            Ok(answer) if answer.status == 202 => return None,
            Ok(answer) => {
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                if body.get("jsonrpc").is_some() {
                    self.note(&message, &body);
                    return Some(body);
                }
                refused(answer.status, &body)
            }
            Err(error) => json!({ "code": FAILED, "message": format!("{}: {error}", self.address) }),
        };
        let Some(id) = message.get("id") else {
            writeln!(io::stderr(), "boardwire: {refusal}").unwrap_or_default();
            return None;
        };
        Some(json!({ "jsonrpc": "2.0", "id": id, "error": refusal }))
    }

    /// Remembers what a handshake agreed on.
    fn note(&self, message: &Value, answer: &Value) {
        let spoken = answer.pointer("/result/protocolVersion").and_then(Value::as_str);
        if message.get("method").and_then(Value::as_str) == Some("initialize")
            && let Some(spoken) = spoken
        {
            *self.spoken.lock().unwrap_or_else(PoisonError::into_inner) = Some(spoken.to_owned());
        }
    }
}

/// The code of an error that is no answer of a server.
const FAILED: u16 = 1;

/// A refusal of HTTP as an error of the protocol: its status is the code.
fn refused(status: u16, problem: &Value) -> Value {
    let text = |member: &str| problem.get(member).and_then(Value::as_str);
    let message = match (text("code"), text("detail")) {
        (Some(code), Some(detail)) => format!("{code}: {detail}"),
        _ => format!("the server answered with status {status}; is this its address?"),
    };
    json!({ "code": status, "message": message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(arguments: &[&str], key: Option<&str>) -> Result<Request, String> {
        let command = clap::Command::new("mcp").args(super::arguments());
        let matches = command.get_matches_from([&["mcp"], arguments].concat());
        Request::from_values(&matches, |name| {
            assert_eq!(name, "BOARDWIRE_KEY");
            key.map(OsString::from)
        })
    }

    #[test]
    fn the_address_is_that_of_the_server_with_its_base_path() {
        for (arguments, address) in [
            (
                &["--url", "http://127.0.0.1:8080"][..],
                "http://127.0.0.1:8080/mcp",
            ),
            (
                &["--url", "https://a.example/boards/"],
                "https://a.example/boards/mcp",
            ),
            (
                &["--url", "http://a", "--board", "plan"],
                "http://a/mcp?board=plan",
            ),
        ] {
            let request = request(arguments, Some("bw_x")).unwrap();
            assert_eq!(request.address.as_str(), address);
            assert!(!format!("{request:?}").contains("bw_x"));
        }
        assert_eq!(
            request(&["--url", "http://a", "--key", "bw_y"], Some("bw_x"))
                .unwrap()
                .credential,
            "bw_y"
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (arguments, key, words) in [
            (&["--url", "http://a"][..], None, "an API key is needed"),
            (&["--url", "http://a"], Some(""), "an API key is needed"),
            (&["--url", "ftp://a"], Some("x"), "--url must begin with https://"),
            (
                &["--url", "http://a", "--board", "a/b"],
                Some("x"),
                "--board must be",
            ),
        ] {
            let line = request(arguments, key).unwrap_err();
            assert!(line.contains(words), "{line}");
        }
    }

    #[test]
    fn a_refusal_of_http_becomes_an_error_with_its_status() {
        let problem = json!({ "code": "agent_paused", "detail": "the owner has paused this key" });
        assert_eq!(
            refused(403, &problem),
            json!({ "code": 403, "message": "agent_paused: the owner has paused this key" })
        );
        let told = refused(502, &Value::Null);
        assert!(told["message"].as_str().unwrap().contains("status 502"));
    }
}
