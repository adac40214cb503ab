//! Where a server is and how one gets in: address, dialect, token, headers, what makes a room.
//!
//! Owns the patterns (`{room}`, `{token}`, `{n}`) and the requests that go over plain HTTP. Must not know
//! what is measured. Key invariant: a token appears in requests only, never in a result or a message.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use serde_json::Value;
use sha2::Sha256;

use crate::ws;
use crate::yjs::Dialect;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const CHOICE_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a token that is made here is valid.
const TOKEN_SECONDS: u64 = 24 * 3_600;

/// What `{token}` stands for.
#[derive(Clone, Debug, Default)]
pub(crate) enum Access {
    #[default]
    Open,
    Token(String),
    /// A secret that tokens are made with, and their claims as JSON with `{room}` and `{n}`.
    Secret {
        secret: String,
        claims: String,
    },
}

/// An HTTP request as it is written on the command line: `METHOD URL [BODY]`.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    url: String,
    body: String,
}

impl Request {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.trim().splitn(3, ' ');
        let (method, url) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if method.is_empty()
            || !method.chars().all(|char| char.is_ascii_uppercase())
            || !url.starts_with("http://")
        {
            return Err("it is written as 'METHOD http://HOST/PATH BODY', as in \
                        'POST http://127.0.0.1:8080/doc/new {\"docId\": \"{room}\"}'"
                .to_owned());
        }
        Ok(Self {
            method: method.to_owned(),
            url: url.to_owned(),
            body: words.next().unwrap_or_default().to_owned(),
        })
    }
}

/// A server, seen by its clients.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    host: String,
    path: String,
    pub(crate) dialect: Dialect,
    /// What the host's name stands for; only what listens once that was looked at.
    addresses: Vec<SocketAddr>,
    pub(crate) access: Access,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) subprotocol: Option<String>,
    /// What makes a room, before anybody comes.
    pub(crate) prepare: Option<Request>,
    /// Where agents write.
    pub(crate) items: Option<Request>,
}

impl Target {
    /// Reads `ws://HOST:PORT/path/{room}?query`.
    pub(crate) fn parse(url: &str, dialect: Dialect) -> Result<Self, String> {
        if url.starts_with("wss://") {
            return Err(format!(
                "{url}: TLS is not spoken here, since it would be measured too; use the ws:// address behind the proxy"
            ));
        }
        let rest = url.strip_prefix("ws://");
        let rest = rest.ok_or_else(|| format!("{url}: an address starts with ws://"))?;
        // Hocuspocus says the name in its messages.
        if !rest.contains("{room}") && dialect != Dialect::Hocuspocus {
            return Err(format!("{url}: {{room}} says where the name of a board goes"));
        }
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = path.strip_prefix('/').unwrap_or(path);
        let addresses = addresses(host).map_err(|error| format!("{host}: {error}"))?;
        Ok(Self {
            url: url.to_owned(),
            host: host.to_owned(),
            path: format!("/{path}"),
            dialect,
            addresses,
            access: Access::Open,
            headers: Vec::new(),
            subprotocol: None,
            prepare: None,
            items: None,
        })
    }

    pub(crate) fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&self.address(), CONNECT_TIMEOUT)
    }

    /// Of several addresses that the host has, as localhost, takes the first where somebody listens.
    pub(crate) fn choose(&mut self) {
        let listens = |address: &&SocketAddr| TcpStream::connect_timeout(address, CHOICE_TIMEOUT).is_ok();
        if self.addresses.len() > 1
            && let Some(address) = self.addresses.iter().find(listens)
        {
            self.addresses = vec![*address];
        }
    }

    /// Begins to connect and does not wait: who waited for one would be late with all others.
    pub(crate) fn dial(&self) -> io::Result<TcpStream> {
        let address = self.address();
        let family = if address.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        match net::connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The token of client `n` for a room; empty where none is needed.
    pub(crate) fn token(&self, room: &str, n: usize) -> String {
        match &self.access {
            Access::Open => String::new(),
            Access::Token(token) => token.clone(),
            Access::Secret { secret, claims } => {
                let claims = claims.replace("{room}", room).replace("{n}", &n.to_string());
                sign(secret.as_bytes(), &claims)
            }
        }
    }

    fn filled(&self, pattern: &str, room: &str, n: usize) -> String {
        let text = pattern.replace("{room}", room);
        if text.contains("{token}") {
            text.replace("{token}", &self.token(room, n))
        } else {
            text
        }
    }

    /// The request that opens a WebSocket.
    pub(crate) fn upgrade(&self, room: &str, n: usize) -> Vec<u8> {
        let mut headers: Vec<(&str, String)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), self.filled(value, room, n)))
            .collect();
        if let Some(name) = &self.subprotocol {
            headers.push(("Sec-WebSocket-Protocol", self.filled(name, room, n)));
        }
        ws::request(&self.host, &self.filled(&self.path, room, n), &headers)
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn path_has_token(&self) -> bool {
        self.path.contains("{token}")
    }

    /// Whether a token that was given would go anywhere.
    pub(crate) fn uses_token(&self) -> bool {
        let values = self.headers.iter().map(|(_, value)| value);
        let mut patterns = values.chain(&self.subprotocol).chain([&self.path]);
        self.dialect == Dialect::Hocuspocus || patterns.any(|pattern| pattern.contains("{token}"))
    }

    /// Makes a room, where a server wants that.
    pub(crate) fn prepare(&self, agent: &ureq::Agent, room: &str) -> Result<(), String> {
        let Some(prepare) = &self.prepare else {
            return Ok(());
        };
        self.send(agent, prepare, (room, 0, ""))
            .map_err(|error| format!("--prepare for {room}: {error}"))
    }

    /// Sends a request; `text` is what `{text}` stands for.
    pub(crate) fn send(
        &self,
        agent: &ureq::Agent,
        request: &Request,
        (room, n, text): (&str, usize, &str),
    ) -> Result<(), String> {
        let filled = |pattern: &str| self.filled(pattern, room, n).replace("{text}", text);
        let mut builder = ureq::http::Request::builder()
            .method(request.method.as_str())
            .uri(filled(&request.url));
        for (name, value) in &self.headers {
            builder = builder.header(name, filled(value));
        }
        if !request.body.is_empty() {
            builder = builder.header("Content-Type", "application/json");
        }
        // Neither error says more than the kind: both would print an address with a token in it.
        let request = builder
            .body(filled(&request.body))
            .map_err(|_| "address or headers cannot be sent".to_owned())?;
        match agent.run(request) {
            Ok(mut answer) if answer.status().is_success() => {
                // Read to its end, so that the connection can be used again.
                answer
                    .body_mut()
                    .read_to_vec()
                    .map(drop)
                    .map_err(|_| "the answer was cut short".to_owned())
            }
            Ok(answer) => Err(format!("the server answers {}", answer.status())),
            Err(ureq::Error::Timeout(_)) => Err("no answer in time".to_owned()),
            Err(ureq::Error::Io(error)) => Err(error.to_string()),
            Err(_) => Err("the request failed".to_owned()),
        }
    }
}

/// What a host with or without a port stands for: one address at least.
fn addresses(host: &str) -> io::Result<Vec<SocketAddr>> {
    let name = host.rsplit(']').next().unwrap_or(host);
    let with_port = if name.contains(':') {
        host.to_socket_addrs()?
    } else {
        format!("{host}:80").to_socket_addrs()?
    };
    let addresses: Vec<SocketAddr> = with_port.collect();
    if addresses.is_empty() {
        return Err(io::Error::other("it has no address"));
    }
    Ok(addresses)
}

/// Who sends requests; each has connections of its own.
pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder();
    let config = config
        .http_status_as_error(false)
        .timeout_global(Some(REQUEST_TIMEOUT));
    config.build().into()
}

/// A JWT with these claims, as HS256 (RFC 7515, section 3.1; RFC 7519).
fn sign(secret: &[u8], claims: &str) -> String {
    let header = BASE64_URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims));
    // HMAC takes keys of all lengths.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return String::new();
    };
    mac.update(signed.as_bytes());
    format!(
        "{signed}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

/// Claims as they are signed: those that are given, with `iat` and `exp` where they have none.
pub(crate) fn claims(given: &str) -> Result<String, String> {
    let wrong = "--claims: a JSON object is wanted, as in {\"sub\": \"load-{n}\", \"role\": \"admin\"}";
    let Ok(Value::Object(mut claims)) = serde_json::from_str(given) else {
        return Err(wrong.to_owned());
    };
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    claims.entry("iat").or_insert(now.into());
    claims.entry("exp").or_insert((now + TOKEN_SECONDS).into());
    Ok(Value::Object(claims).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_signed_as_others_sign_it() {
        // Made with Python's hmac module.
        let token = sign(b"secret", r#"{"sub":"a"}"#);
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts[0], "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
        assert_eq!(parts[1], "eyJzdWIiOiJhIn0");
        assert_eq!(parts[2], "qBdA9L_PTGPhu7ipY7Xs4Eol-m79U_HNIifGEFJXeJQ");
    }

    #[test]
    fn patterns_are_filled_for_each_client() {
        let mut target = Target::parse("ws://127.0.0.1:80/a/{room}?t={token}", Dialect::Yjs).unwrap();
        target.access = Access::Secret {
            secret: "s".to_owned(),
            claims: claims(r#"{"sub":"u{n}","board":"{room}","exp":7}"#).unwrap(),
        };
        target.headers.push(("X-Room".to_owned(), "{room}".to_owned()));
        target.subprotocol = Some("yjs".to_owned());
        let text = String::from_utf8(target.upgrade("plan", 3)).unwrap();
        let token = text.split("t=").nth(1).unwrap().split(' ').next().unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            (&claims["sub"], &claims["board"], &claims["exp"]),
            (&"u3".into(), &"plan".into(), &7.into())
        );
        assert!(text.starts_with("GET /a/plan?t=") && text.contains("\r\nX-Room: plan\r\n"));
        assert!(text.contains("\r\nSec-WebSocket-Protocol: yjs\r\n"));
        assert!(target.uses_token());
    }

    #[test]
    fn addresses_are_read_as_browsers_read_them() {
        for (url, address, path) in [
            ("ws://127.0.0.1/{room}", "127.0.0.1:80", "GET /plan "),
            ("ws://[::1]:81/a/b/{room}?c=d", "[::1]:81", "GET /a/b/plan?c=d "),
            ("ws://[::1]/{room}", "[::1]:80", "GET /plan "),
            ("ws://127.0.0.1:82?at={room}", "127.0.0.1:82", "GET /?at=plan "),
            (
                "ws://127.0.0.1:82/x?at=/{room}/",
                "127.0.0.1:82",
                "GET /x?at=/plan/ ",
            ),
        ] {
            let target = Target::parse(url, Dialect::Yjs).unwrap();
            assert_eq!(target.addresses(), [address.parse().unwrap()], "{url}");
            let request = String::from_utf8(target.upgrade("plan", 0)).unwrap();
            assert!(request.starts_with(path), "{request}");
        }
    }

    #[test]
    fn of_several_addresses_it_takes_the_one_that_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let mut target = Target::parse("ws://127.0.0.1:1/{room}", Dialect::Yjs).unwrap();
        target.choose();
        assert_eq!(target.addresses().len(), 1, "there is no choice");
        target.addresses.push(here);
        target.choose();
        assert_eq!(target.addresses(), [here]);
        assert!(target.connect().is_ok() && target.dial().is_ok());
    }

    #[test]
    fn addresses_that_cannot_be_used_say_what_would_be_right() {
        for (url, says) in [
            ("wss://127.0.0.1/{room}", "ws:// address behind the proxy"),
            ("http://127.0.0.1/{room}", "starts with ws://"),
            ("ws://127.0.0.1:1/x", "{room}"),
        ] {
            let error = Target::parse(url, Dialect::Yjs).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(Target::parse("ws://127.0.0.1:1", Dialect::Hocuspocus).is_ok());
        for wrong in ["", "POST", "post http://a/", "POST https://a/", "POST ws://a"] {
            assert!(Request::parse(wrong).is_err(), "{wrong}");
        }
        assert!(claims("[]").is_err() && claims("{\"a\":1}").unwrap().contains("\"iat\":"));
    }
}
