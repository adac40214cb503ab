//! One HTTP connection: request after request, until it closes or becomes a WebSocket.
//!
//! Owns reading heads within their bounds of bytes and time, and keep-alive. Must not know what a path means.
//! Key invariant: after an answer that could be misread (an error in the head, an unread body) the connection closes.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_io::{Async, Timer};
use smol::future::FutureExt;

use crate::api;
use crate::http::body::{BodyError, Decoder, Progress};
use crate::http::forwarded;
use crate::http::head::{self, Framing, Head, Method, Persistence};
use crate::http::response::Response;
use crate::http::target::Target;
use crate::limits;
use crate::server::admission::Request;
use crate::server::{Server, upgrades};

/// Bytes read at once while a head is incomplete.
const READ_BYTES: usize = 4 * 1024;

/// What to do after a request.
enum Next {
    /// Answer it; what is left of the body, framed so, belongs to no request.
    Answer(Response, Persistence, Framing),
    Upgrade(Box<upgrades::Opening>),
}

/// Counts an open socket for as long as it lives.
struct SocketCount(Arc<Server>);

impl Drop for SocketCount {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves one accepted TCP connection until it ends.
pub(crate) async fn serve(server: Arc<Server>, stream: Async<TcpStream>, peer: IpAddr) {
    server.sockets.fetch_add(1, Ordering::Relaxed);
    let count = SocketCount(server);
    // What comes before and after is boxed, so that the long life as a WebSocket does not pay for it in memory.
    let entered = Box::pin(Server::fenced(enter(&count.0, stream, peer))).await;
    if let Ok(Some(mut connected)) = entered {
        let end = connected.run().await;
        Box::pin(connected.leave(end)).await;
    }
}

/// Answers requests until one was an upgrade that led into a room.
async fn enter(
    server: &Arc<Server>,
    stream: Async<TcpStream>,
    peer: IpAddr,
) -> Option<Box<upgrades::Connected>> {
    let (opening, stream) = exchange(server, stream, peer).await?;
    upgrades::enter(server, *opening, stream).await
}

/// Answers requests; `Some` once one was an upgrade.
async fn exchange(
    server: &Arc<Server>,
    stream: Async<TcpStream>,
    peer: IpAddr,
) -> Option<(Box<upgrades::Opening>, Async<TcpStream>)> {
    let mut buffer = Vec::new();
    let mut patience = limits::HEAD_TIME_MAX;
    loop {
        let (next, used) = read_head(server, &stream, peer, &mut buffer, patience)
            .await
            .ok()?;
        match next {
            Next::Upgrade(mut opening) => {
                opening.ahead = buffer.split_off(used);
                return Some((opening, stream));
            }
            Next::Answer(mut answer, mut persistence, framing) => {
                let method = if answer_has_no_body(&buffer) {
                    Method::Head
                } else {
                    Method::Get
                };
                buffer.drain(..used);
                if persistence == Persistence::KeepAlive
                    && let Err(error) = skip_body(&stream, &mut buffer, framing, server).await?
                {
                    answer = Response::problem(&error.into());
                    persistence = Persistence::Close;
                }
                let bytes = answer.encode(method, persistence);
                within(limits::RESPONSE_TIME_MAX, send_all(&stream, &bytes))
                    .await
                    .ok()?;
                if persistence == Persistence::Close {
                    linger(&stream).await;
                    return None;
                }
                patience = limits::KEEP_ALIVE_IDLE_MAX;
            }
        }
    }
}

/// Whether the request at the beginning of `buffer` is a `HEAD`.
fn answer_has_no_body(buffer: &[u8]) -> bool {
    buffer.trim_ascii_start().starts_with(b"HEAD ")
}

/// Reads until a head is complete, and decides; `patience` is for its first byte, then `HEAD_TIME_MAX` counts.
async fn read_head(
    server: &Arc<Server>,
    stream: &Async<TcpStream>,
    peer: IpAddr,
    buffer: &mut Vec<u8>,
    patience: Duration,
) -> io::Result<(Next, usize)> {
    let mut deadline = Timer::after(if buffer.is_empty() {
        patience
    } else {
        limits::HEAD_TIME_MAX
    });
    loop {
        match head::parse(buffer) {
            Err(error) => {
                let answer = Response::problem(&error.into());
                return Ok((
                    Next::Answer(answer, Persistence::Close, Framing::Empty),
                    buffer.len(),
                ));
            }
            Ok(Some((head, used))) => return Ok((decide(server, &head, peer).await, used)),
            Ok(None) => {}
        }
        let first = buffer.is_empty();
        let read = async { receive(stream, buffer).await.map(Some) };
        let late = async {
            (&mut deadline).await;
            Ok(None)
        };
        match read.or(late).await? {
            None if first => return Err(io::ErrorKind::TimedOut.into()),
            None => {
                let answer = Response::text(408, "the request head took too long\n");
                return Ok((
                    Next::Answer(answer, Persistence::Close, Framing::Empty),
                    buffer.len(),
                ));
            }
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(_) if first => deadline.set_after(limits::HEAD_TIME_MAX),
            Some(_) => {}
        }
    }
}

/// Finds out what a request wants.
async fn decide(server: &Arc<Server>, head: &Head<'_>, peer: IpAddr) -> Next {
    let forwarded = head.values("x-forwarded-for").collect::<Vec<_>>();
    let address = forwarded::client_address(peer, forwarded.into_iter(), &server.config.trusted_proxies);
    let target = match Target::parse(head.target) {
        Ok(target) => target,
        Err(error) => {
            return Next::Answer(
                Response::problem(&error.into()),
                Persistence::Close,
                Framing::Empty,
            );
        }
    };
    let request = Request {
        head,
        target: &target,
        address,
    };
    // Who waits for our word before it sends a body is told the answer instead.
    let persistence = if server.is_stopping() || head.expects_continue() {
        Persistence::Close
    } else {
        head.persistence()
    };
    if let ["ws", "canvas", board] = target.path().as_slice() {
        let has_body = !matches!(head.framing, Framing::Empty | Framing::Length(0));
        let persistence = if has_body { Persistence::Close } else { persistence };
        return match upgrades::decide(server, &request, board).await {
            Ok(opening) => Next::Upgrade(Box::new(opening)),
            Err(answer) => Next::Answer(answer, persistence, head.framing),
        };
    }
    Next::Answer(api::answer(server, &request).await, persistence, head.framing)
}

/// Reads a body that no resource wants, up to `--max-body-bytes`, so that the next request is found behind it.
///
/// `None` when the connection broke or took too long over it.
async fn skip_body(
    stream: &Async<TcpStream>,
    buffer: &mut Vec<u8>,
    framing: Framing,
    server: &Server,
) -> Option<Result<(), BodyError>> {
    let mut decoder = match Decoder::new(framing, server.config.bounds.body_bytes) {
        Ok(decoder) => decoder,
        Err(error) => return Some(Err(error)),
    };
    let skipped = async {
        loop {
            let step = match decoder.decode(buffer) {
                Ok(step) => step,
                Err(error) => return Ok(Err(error)),
            };
            let (consumed, progress) = (step.consumed, step.progress);
            buffer.drain(..consumed);
            match progress {
                Progress::Done => return Ok(Ok(())),
                Progress::More if consumed > 0 => {}
                Progress::More => {
                    if receive(stream, buffer).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    };
    within(limits::RESPONSE_TIME_MAX, skipped).await.ok()
}

/// Reads what there is; the number of bytes, zero at the end.
async fn receive(stream: &Async<TcpStream>, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = vec![0u8; READ_BYTES];
    let received = stream.read_with(|mut socket| socket.read(&mut chunk)).await?;
    buffer.extend_from_slice(chunk.get(..received).unwrap_or_default());
    Ok(received)
}

pub(crate) async fn send_all(stream: &Async<TcpStream>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = stream.write_with(|mut socket| socket.write(bytes)).await?;
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Ends our half and waits a little for the peer to end its own, so that it can read the answer.
async fn linger(stream: &Async<TcpStream>) {
    if stream.get_ref().shutdown(std::net::Shutdown::Write).is_err() {
        return;
    }
    let drained = async {
        let mut chunk = Vec::new();
        while matches!(receive(stream, &mut chunk).await, Ok(1..)) {
            chunk.clear();
        }
        Ok(())
    };
    within(limits::LINGER_TIME_MAX, drained).await.unwrap_or_default();
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = async {
        Timer::after(time).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    work.or(late).await
}
