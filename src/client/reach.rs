//! One connection that stays open: what it took to get it, and the WebSocket that it may become.
//!
//! Owns [`Reached`]. Must not know what is said over it. Key invariants: as in `client`; the words of TLS
//! that an error has may hold names of the other side's certificate: who prints them cleans them. Tests:
//! tests/node/doctor.test.mjs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smol::io::AsyncWriteExt as _;

use super::socket::Socket;
use super::{
    Address, Answer, Client, ClientError, Duplex, Incoming, Switching, Wanted, check_fields, find,
    receive_body, receive_head,
};
use crate::http::upgrade::accept_key;
use crate::net::within;
use crate::time::UnixMillis;
#[cfg(feature = "tls")]
use crate::tls::Verifier;

/// A connection, over which nothing was said yet.
pub struct Reached {
    /// Addresses that the name has.
    pub found: usize,
    /// How long it took to find them.
    pub resolving: Duration,
    /// How long it took to connect.
    pub connecting: Duration,
    /// Where it leads.
    pub peer: Option<SocketAddr>,
    /// From where.
    pub local: Option<SocketAddr>,
    /// Of https.
    pub encrypted: Option<Encrypted>,
    stream: Box<dyn Duplex>,
}

/// What TLS has agreed on, after it found the certificate to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encrypted {
    /// The version of TLS.
    pub version: &'static str,
    /// When the certificate ends, where it says so.
    pub ends_at: Option<UnixMillis>,
    /// How long the handshake took.
    pub took: Duration,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Finding the addresses of the name.
    Resolving,
    /// Connecting to one.
    Connecting,
    /// The handshake of TLS.
    Encrypting,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReached {
    /// What failed.
    pub step: Step,
    /// How.
    pub error: ClientError,
    /// The words of TLS, not cleaned.
    pub words: Option<String>,
}

/// What became of the request for a WebSocket.
pub enum Upgraded {
    /// It is one.
    Socket(Socket),
    /// What was answered instead.
    Refused(Answer),
}

impl Client {
    /// Connects, and stays so.
    ///
    /// # Errors
    /// [`NotReached`].
    pub async fn reach(&self, address: &Address, time: Duration) -> Result<Reached, NotReached> {
        let late = |step| NotReached {
            step,
            error: ClientError::TimedOut,
            words: None,
        };
        let begun = Instant::now();
        let found = within(time, find(address))
            .await
            .unwrap_or(Err(ClientError::TimedOut));
        let resolving = begun.elapsed();
        let failed = |step| {
            move |error| NotReached {
                step,
                error,
                words: None,
            }
        };
        let found = found.map_err(failed(Step::Resolving))?;
        let begun = Instant::now();
        let stream = self.connect_to(&found).await.map_err(failed(Step::Connecting))?;
        let mut reached = Reached {
            found: found.len(),
            resolving,
            connecting: begun.elapsed(),
            peer: stream.peer_addr().ok(),
            local: stream.local_addr().ok(),
            encrypted: None,
            stream: Box::new(stream),
        };
        if address.is_https() {
            let encrypting = Box::pin(self.encrypt(address, reached));
            reached = within(time, encrypting)
                .await
                .map_err(|_| late(Step::Encrypting))??;
        }
        Ok(reached)
    }

    #[cfg(feature = "tls")]
    async fn encrypt(&self, address: &Address, reached: Reached) -> Result<Reached, NotReached> {
        let failed = |error: crate::tls::TlsError| NotReached {
            step: Step::Encrypting,
            words: Some(error.to_string()),
            error: error.into(),
        };
        let load = || smol::unblock(|| Verifier::new(None));
        let verifier = self.verifier.get_or_try_init(load).await.map_err(failed)?;
        let begun = Instant::now();
        let stream = verifier.encrypt(&address.name(), reached.stream).await;
        let stream = stream.map_err(failed)?;
        let (version, certificate) = crate::tls::seen(&stream);
        let encrypted = Encrypted {
            version,
            ends_at: certificate.and_then(super::certificate::ends_at),
            took: begun.elapsed(),
        };
        Ok(Reached {
            encrypted: Some(encrypted),
            stream: Box::new(stream),
            ..reached
        })
    }

    #[cfg(not(feature = "tls"))]
    async fn encrypt(&self, _: &Address, _: Reached) -> Result<Reached, NotReached> {
        Err(NotReached {
            step: Step::Encrypting,
            error: ClientError::NoTls,
            words: None,
        })
    }
}

impl Reached {
    /// Asks for a WebSocket at an address of the same host, as a browser does; `fields` come beside those
    /// that it takes. Of a refusal so many bytes are read.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::NotHttp`] also for a 101 that is not the answer to this request.
    pub async fn upgrade(
        self,
        address: &Address,
        fields: &[(&str, &str)],
        (bytes_max, time): (usize, Duration),
    ) -> Result<Upgraded, ClientError> {
        check_fields(fields)?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| ClientError::Ended(std::io::ErrorKind::Other))?;
        let key = STANDARD.encode(random);
        let (target, authority) = (address.target(), address.authority());
        let mut head = format!(
            "GET {target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: boardwire/{}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
            env!("CARGO_PKG_VERSION")
        );
        for (name, value) in fields {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        head.push_str("\r\n");
        let exchange = Box::pin(exchange(self.stream, head, (key, bytes_max)));
        within(time, exchange).await?
    }
}

async fn exchange(
    mut stream: Box<dyn Duplex>,
    head: String,
    (key, bytes_max): (String, usize),
) -> Result<Upgraded, ClientError> {
    stream.write_all(head.as_bytes()).await.map_err(super::ended)?;
    stream.flush().await.map_err(super::ended)?;
    let mut incoming = Incoming {
        stream: &mut stream,
        unused: Vec::new(),
    };
    let head = receive_head(&mut incoming, Switching::Taken).await?;
    if head.status != 101 {
        let answer = receive_body(incoming, head, Wanted::Body(bytes_max)).await;
        return Ok(Upgraded::Refused(answer?));
    }
    let accept = head
        .fields
        .iter()
        .find(|(name, _)| name == "sec-websocket-accept");
    if accept.is_none_or(|(_, value)| *value != accept_key(&key)) {
        return Err(ClientError::NotHttp);
    }
    let unused = incoming.unused;
    Ok(Upgraded::Socket(Socket::new(stream, unused)))
}
