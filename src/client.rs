//! Requests to other servers: one request, one answer, one connection.
//!
//! Owns [`Client`]. Must not know what is sent, to whom, or why. Key invariants: all of it, looking the name
//! up included, ends at a deadline; an answer's bytes are bounded before they are kept; it connects to the
//! very addresses that were checked, and follows no redirect, so that nobody is led where it must not go; an
//! error holds nothing of an address but kinds, and nothing that the other side wrote. Tests:
//! `client/tests.rs`.
//!
//! Half of HTTP/1.1, by hand, on what the server has anyway: `http::body` takes the framing off. A library
//! would bring a second way of reading it, connections to keep, and traits of a runtime that is not ours.

mod address;
mod answer;
#[cfg(feature = "tls")]
mod certificate;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod reach;
mod socket;
#[cfg(test)]
mod tests;

pub use address::{Address, AddressError, is_public};
pub use reach::{Encrypted, NotReached, Reached, Step, Upgraded};
pub use socket::{Frame, Opcode, Socket};

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use smol::future::FutureExt as _;
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
#[cfg(feature = "tls")]
use smol::lock::OnceCell;
use smol::net::TcpStream;

use self::answer::{Body, Head, end_of_head};
use crate::http::body::{BodyError, Decoder, Progress};
use crate::limits;
use crate::net::{Late, within};
#[cfg(feature = "tls")]
use crate::tls::{TlsError, Verifier};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 8 * 1024;

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is to be done.
    pub verb: Verb,
    /// Where.
    pub address: &'a Address,
    /// More fields of the head; those of `Host`, framing and the connection are written by the client.
    pub fields: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

/// The methods that are of use here. None of them has an answer whose body only seems to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`, without a body.
    Delete,
}

/// How much of an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Its head; the connection is closed before the body.
    Head,
    /// Also its body, of so many bytes, inclusive.
    Body(usize),
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    fields: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of the first field of this name, which is in small letters.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// The host's name leads to no address.
    NoAddress,
    /// It leads to addresses only that must not be reached.
    NotAllowed,
    /// Nobody takes the connection.
    Connect(ErrorKind),
    /// This program was built without TLS.
    NoTls,
    /// This machine has nobody whose certificates it trusts.
    NoAuthorities,
    /// The certificate is not trusted, or is of another name.
    Certificate,
    /// The file with the certificate of the server on this machine cannot be read.
    NoCertificate,
    /// The server on this machine has another certificate than that file.
    OtherCertificate,
    /// Another step of the TLS handshake failed.
    Handshake,
    /// The connection ended before the answer.
    Ended(ErrorKind),
    /// It took longer than it may.
    TimedOut,
    /// What came is no answer of HTTP/1.1.
    NotHttp,
    /// The answer is larger than it may be.
    TooLarge,
    /// A field has characters that none may have.
    Field,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "the host's name has no address",
            Self::NotAllowed => "the host's address is private",
            Self::Connect(kind) => return write!(f, "cannot connect: {kind}"),
            Self::NoTls => "https is not possible: this build is without the feature `tls`",
            Self::NoAuthorities => {
                "there is no certificate of an authority to trust; install ca-certificates"
            }
            Self::Certificate => "its certificate is not trusted, or is of another name",
            Self::NoCertificate => "the certificate of --tls-cert cannot be read",
            Self::OtherCertificate => {
                "its certificate is not that of --tls-cert; a new one is taken up within seconds"
            }
            Self::Handshake => "the TLS handshake failed",
            Self::Ended(kind) => return write!(f, "the connection ended: {kind}"),
            Self::TimedOut => "no answer in time",
            Self::NotHttp => "what answers is not HTTP/1.1",
            Self::TooLarge => "the answer is too large",
            Self::Field => "a field of the request has a character that it must not have",
        })
    }
}

impl std::error::Error for ClientError {}

impl From<Late> for ClientError {
    fn from(_: Late) -> Self {
        Self::TimedOut
    }
}

fn ended(error: std::io::Error) -> ClientError {
    ClientError::Ended(error.kind())
}

/// Sends requests.
pub struct Client {
    may_reach: fn(IpAddr) -> bool,
    /// The certificate of the one server that is trusted, where that is on this machine.
    certificate: Option<PathBuf>,
    #[cfg(feature = "tls")]
    verifier: OnceCell<Verifier>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// One that connects to addresses of which `may_reach` says so.
    #[must_use]
    pub fn new(may_reach: fn(IpAddr) -> bool) -> Self {
        Self {
            may_reach,
            certificate: None,
            #[cfg(feature = "tls")]
            verifier: OnceCell::new(),
        }
    }

    /// One for the server on this machine, which has the key of the certificate in this file, whatever name
    /// that is of; with none it trusts whom [`Self::new`] does.
    #[must_use]
    pub fn of_owner(certificate: Option<&Path>) -> Self {
        Self {
            certificate: certificate.map(Path::to_owned),
            ..Self::new(|_| true)
        }
    }

    /// Sends a request, and takes its answer within a time.
    ///
    /// # Errors
    /// [`ClientError`]. After all but those that say that there was no connection, the other side may have
    /// done what it was asked for.
    ///
    /// # Cancellation
    /// The connection ends.
    pub async fn send(
        &self,
        request: Request<'_>,
        wanted: Wanted,
        time: Duration,
    ) -> Result<Answer, ClientError> {
        let head = head_of(&request)?;
        within(time, Box::pin(self.exchange(request, &head, wanted))).await?
    }

    async fn exchange(
        &self,
        request: Request<'_>,
        head: &[u8],
        wanted: Wanted,
    ) -> Result<Answer, ClientError> {
        if !request.address.is_https() {
            let stream = self.connect(request.address).await?;
            return exchange(stream, (head, request.body), wanted).await;
        }
        #[cfg(feature = "tls")]
        {
            let load = || {
                let certificate = self.certificate.clone();
                smol::unblock(move || match certificate {
                    Some(file) => Verifier::of_owner(&file).map_err(|_| ClientError::NoCertificate),
                    None => Verifier::new(None).map_err(ClientError::from),
                })
            };
            let verifier = self.verifier.get_or_try_init(load).await?;
            let stream = self.connect(request.address).await?;
            let encrypted = verifier.encrypt(&request.address.name(), stream).await;
            let stream = encrypted.map_err(|error| match (&self.certificate, error) {
                (Some(_), TlsError::Certificate(_)) => ClientError::OtherCertificate,
                (_, error) => error.into(),
            })?;
            exchange(stream, (head, request.body), wanted).await
        }
        #[cfg(not(feature = "tls"))]
        Err(ClientError::NoTls)
    }

    /// Connects to the first address that may be reached and takes the connection.
    async fn connect(&self, address: &Address) -> Result<TcpStream, ClientError> {
        self.connect_to(&find(address).await?).await
    }

    async fn connect_to(&self, found: &[SocketAddr]) -> Result<TcpStream, ClientError> {
        let mut outcome = match found.is_empty() {
            true => Err(ClientError::NoAddress),
            false => Err(ClientError::NotAllowed),
        };
        let allowed = found.iter().filter(|address| (self.may_reach)(address.ip()));
        for address in allowed.take(limits::CLIENT_ADDRESSES_MAX) {
            let connecting = within(limits::CLIENT_CONNECT_TIME_MAX, TcpStream::connect(*address));
            outcome = match connecting.await {
                Ok(Ok(stream)) => {
                    // It only makes small requests slower where it fails.
                    stream.set_nodelay(true).unwrap_or_default();
                    return Ok(stream);
                }
                Ok(Err(error)) => Err(ClientError::Connect(error.kind())),
                Err(Late) => Err(ClientError::Connect(ErrorKind::TimedOut)),
            };
        }
        outcome
    }
}

#[cfg(feature = "tls")]
impl From<TlsError> for ClientError {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Authorities(_) => Self::NoAuthorities,
            TlsError::Certificate(_) => Self::Certificate,
            TlsError::Handshake(_) => Self::Handshake,
        }
    }
}

/// The addresses of a host.
async fn find(address: &Address) -> Result<Vec<SocketAddr>, ClientError> {
    match address.ip() {
        Some(ip) => Ok(vec![SocketAddr::new(ip, address.port())]),
        // On the blocking pool.
        None => smol::net::resolve((address.name(), address.port()))
            .await
            .map_err(|_| ClientError::NoAddress),
    }
}

/// Whether fields are such that they may stand in a head.
fn check_fields(fields: &[(&str, &str)]) -> Result<(), ClientError> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let is_fine = |(name, value): &(&str, &str)| {
        let visible = value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        !name.is_empty() && name.bytes().all(is_token) && visible
    };
    match fields.iter().all(is_fine) {
        true => Ok(()),
        false => Err(ClientError::Field),
    }
}

/// The head as it is sent.
fn head_of(request: &Request<'_>) -> Result<Vec<u8>, ClientError> {
    check_fields(request.fields)?;
    let length = || format!("Content-Length: {}\r\n", request.body.len());
    let (verb, length) = match request.verb {
        Verb::Get => ("GET", String::new()),
        Verb::Delete => ("DELETE", String::new()),
        Verb::Post => ("POST", length()),
        Verb::Put => ("PUT", length()),
        Verb::Patch => ("PATCH", length()),
    };
    let (target, authority) = (request.address.target(), request.address.authority());
    let version = env!("CARGO_PKG_VERSION");
    let mut head = format!(
        "{verb} {target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: boardwire/{version}\r\nConnection: close\r\n{length}"
    );
    for (name, value) in request.fields {
        head.extend([*name, ": ", *value, "\r\n"]);
    }
    head.push_str("\r\n");
    Ok(head.into_bytes())
}

/// Sends head and body, and takes the answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    (head, body): (&[u8], &[u8]),
    wanted: Wanted,
) -> Result<Answer, ClientError> {
    let (mut reading, mut writing) = smol::io::split(stream);
    let write = async {
        let written = async {
            writing.write_all(head).await?;
            writing.write_all(body).await?;
            writing.flush().await
        };
        // Where it fails, reading says why; and who refuses a body answers before it has all of it.
        written.await.unwrap_or_default();
        std::future::pending().await
    };
    receive(&mut reading, wanted).or(write).await
}

/// A connection, encrypted or not.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// What comes from the other side, and what of it is not used yet.
struct Incoming<'a, S> {
    stream: &'a mut S,
    unused: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Incoming<'_, S> {
    /// Waits for more bytes; how many, 0 at the end.
    async fn more(&mut self) -> Result<usize, ClientError> {
        // A peer that never stops must not keep the timer beside it from being looked at.
        smol::future::yield_now().await;
        let mut chunk = [0; CHUNK_BYTES];
        let read = self.stream.read(&mut chunk).await.map_err(ended)?;
        self.unused
            .extend_from_slice(chunk.get(..read).unwrap_or_default());
        Ok(read)
    }
}

async fn receive(stream: &mut (impl AsyncRead + Unpin), wanted: Wanted) -> Result<Answer, ClientError> {
    let mut incoming = Incoming {
        stream,
        unused: Vec::new(),
    };
    let head = receive_head(&mut incoming, Switching::Refused).await?;
    receive_body(incoming, head, wanted).await
}

/// What follows a head, and all of it as an answer.
async fn receive_body(
    mut incoming: Incoming<'_, impl AsyncRead + Unpin>,
    head: Head,
    wanted: Wanted,
) -> Result<Answer, ClientError> {
    let body = match (wanted, head.body) {
        (Wanted::Head, _) => Vec::new(),
        (Wanted::Body(bytes_max), Body::UntilEnd) => {
            while incoming.unused.len() <= bytes_max {
                if incoming.more().await? == 0 {
                    break;
                }
            }
            incoming.unused
        }
        (Wanted::Body(bytes_max), Body::Framed(framing)) => {
            let decoder = Decoder::new(framing, bytes_max)?;
            receive_framed(&mut incoming, decoder).await?
        }
    };
    match wanted {
        Wanted::Body(bytes_max) if body.len() > bytes_max => Err(ClientError::TooLarge),
        _ => Ok(Answer {
            status: head.status,
            fields: head.fields,
            body,
        }),
    }
}

/// Whether another protocol may follow a head (101).
#[derive(Clone, Copy)]
enum Switching {
    /// Nothing was asked for that it would be.
    Refused,
    Taken,
}

/// The head that is no interim answer.
async fn receive_head(
    incoming: &mut Incoming<'_, impl AsyncRead + Unpin>,
    switching: Switching,
) -> Result<Head, ClientError> {
    let (mut looked, mut used) = (0, 0);
    loop {
        if let Some(end) = end_of_head(&incoming.unused, looked) {
            let head = Head::parse(incoming.unused.get(..end).unwrap_or_default())?;
            used += head.length;
            if used > limits::CLIENT_HEAD_BYTES_MAX {
                return Err(ClientError::TooLarge);
            }
            incoming.unused.drain(..head.length);
            looked = 0;
            match (head.status, switching) {
                (101, Switching::Taken) => return Ok(head),
                (101, Switching::Refused) => return Err(ClientError::NotHttp),
                (100..=199, _) => continue,
                _ => return Ok(head),
            }
        }
        looked = incoming.unused.len();
        if used.saturating_add(looked) > limits::CLIENT_HEAD_BYTES_MAX {
            return Err(ClientError::TooLarge);
        }
        if incoming.more().await? == 0 {
            return Err(match looked.saturating_add(used) {
                0 => ClientError::Ended(ErrorKind::UnexpectedEof),
                _ => ClientError::NotHttp,
            });
        }
    }
}

async fn receive_framed(
    incoming: &mut Incoming<'_, impl AsyncRead + Unpin>,
    mut decoder: Decoder,
) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while !decoder.is_done() {
        let mut used = 0;
        loop {
            let step = decoder.decode(incoming.unused.get(used..).unwrap_or_default())?;
            body.extend_from_slice(step.data);
            used += step.consumed;
            if step.consumed == 0 || step.progress == Progress::Done {
                break;
            }
        }
        incoming.unused.drain(..used);
        if !decoder.is_done() && incoming.more().await? == 0 {
            return Err(ClientError::Ended(ErrorKind::UnexpectedEof));
        }
    }
    Ok(body)
}

impl From<BodyError> for ClientError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge,
            BodyError::Chunk => Self::NotHttp,
        }
    }
}
