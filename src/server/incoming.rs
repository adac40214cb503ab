//! A peer's socket as HTTP uses it: what was received ahead, and the body of the request at hand.
//!
//! Owns [`Incoming`]: reading heads' bytes and bodies within their bounds of bytes, time and memory. Must not know what
//! a path or a body means. Key invariants: a body is read only when somebody wants it, and only then the peer is told to
//! go on; after a body that was not read to its end no further request is read. Tests: `incoming/tests.rs`, and over TCP
//! tests/it/http.rs.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use async_io::{Async, Timer};
use smol::future::FutureExt;

use crate::http::body::{BodyError, Decoder, Progress};
use crate::http::head::{Framing, Head, Method, Persistence};
use crate::http::response::{CONTINUE, Problem, Response};
use crate::limits;
use crate::server::Server;

/// Bytes read at once while a head is incomplete.
const HEAD_READ_BYTES: usize = 4 * 1024;

/// Bytes read at once of a body.
const BODY_READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// Where bytes are received, so that a connection that waits for some holds no room for them.
    static RECEIVE: RefCell<Vec<u8>> = RefCell::new(vec![0; BODY_READ_BYTES]);
}

/// Why a body could not be had. The connection closes after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is too large, or its framing is malformed.
    Body(BodyError),
    /// It took longer than `limits::BODY_TIME_MAX`.
    Late,
    /// The peer ended the connection within it.
    CutOff,
}

impl From<Unreadable> for Problem {
    fn from(why: Unreadable) -> Self {
        let (status, code, title, detail) = match why {
            Unreadable::Body(error) => return error.into(),
            Unreadable::Late => (
                408,
                "body_timeout",
                "The request body took too long",
                "send it faster, or in parts",
            ),
            Unreadable::CutOff => (
                400,
                "bad_request",
                "Malformed request",
                "the request body is cut off",
            ),
        };
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            field: None,
        }
    }
}

/// What bounds the reading of bodies.
pub(crate) trait Bounds {
    /// Bytes of a body, inclusive.
    fn body_bytes(&self) -> usize;

    /// How long a body may take.
    fn body_time(&self) -> Duration;

    /// Notes that the body `id` holds `bytes` in memory, where it held `before`.
    fn note(&self, id: u64, before: usize, bytes: usize);

    /// Whether the body `id`, which holds `bytes`, must wait for others.
    fn must_pause(&self, id: u64, bytes: usize) -> bool;

    /// A number that no other body or connection has.
    fn next_id(&self) -> u64;
}

impl Bounds for Server {
    fn body_bytes(&self) -> usize {
        self.config.bounds.body_bytes
    }

    fn body_time(&self) -> Duration {
        limits::BODY_TIME_MAX
    }

    fn note(&self, id: u64, before: usize, bytes: usize) {
        self.receiving.note(id, before, bytes);
    }

    fn must_pause(&self, id: u64, bytes: usize) -> bool {
        self.committer_is_full() || self.receiving.must_pause(id, bytes)
    }

    fn next_id(&self) -> u64 {
        self.next_connection_id()
    }
}

/// How far the body of the request at hand was read.
enum Body {
    /// Nobody asked for it yet; the peer may be waiting for our word.
    Unread(Framing, Expectation),
    /// The next byte belongs to the next request.
    Ended,
    /// Where the next request would begin is unknown.
    Lost,
}

/// Whether the peer holds its body back until it is told to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expectation {
    None,
    Continue,
}

/// A socket that requests come from.
pub(crate) struct Incoming<B: Bounds = Server> {
    bounds: Arc<B>,
    stream: Async<TcpStream>,
    /// Received, and not yet used.
    ahead: Vec<u8>,
    body: Body,
    held: Option<Held<B>>,
}

/// A body counted among what is being received, until its request is done with.
struct Held<B: Bounds> {
    bounds: Arc<B>,
    id: u64,
    bytes: usize,
}

impl<B: Bounds> Held<B> {
    fn new(bounds: &Arc<B>) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            id: bounds.next_id(),
            bytes: 0,
        }
    }

    fn set(&mut self, bytes: usize) {
        self.bounds.note(self.id, self.bytes, bytes);
        self.bytes = bytes;
    }

    fn must_pause(&self) -> bool {
        self.bounds.must_pause(self.id, self.bytes)
    }
}

impl<B: Bounds> Drop for Held<B> {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl<B: Bounds> Incoming<B> {
    /// Nothing was read of `stream` yet.
    pub(crate) fn new(bounds: Arc<B>, stream: Async<TcpStream>) -> Self {
        Self {
            bounds,
            stream,
            ahead: Vec::new(),
            body: Body::Ended,
            held: None,
        }
    }

    /// What was received and not used.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Takes the first `bytes` of what was received.
    pub(crate) fn take(&mut self, bytes: usize) -> Vec<u8> {
        let rest = self.ahead.split_off(bytes.min(self.ahead.len()));
        std::mem::replace(&mut self.ahead, rest)
    }

    /// The socket, and what was read of it and not used.
    pub(crate) fn into_parts(self) -> (Async<TcpStream>, Vec<u8>) {
        (self.stream, self.ahead)
    }

    /// Reads some of what there is behind [`Self::ahead`]; zero at the end.
    pub(crate) async fn receive(&mut self) -> io::Result<usize> {
        receive(&self.stream, HEAD_READ_BYTES, &mut self.ahead).await
    }

    /// Begins the request with `head`; what was received behind it is its body.
    ///
    /// # Errors
    /// The body is known to be too large; there is no finding the next request then.
    pub(crate) fn begin(&mut self, head: &Head<'_>) -> Result<(), Unreadable> {
        self.held = None;
        self.body = Body::Lost;
        let decoder = Decoder::new(head.framing, self.bounds.body_bytes()).map_err(Unreadable::Body)?;
        self.body = match decoder.is_done() {
            true => Body::Ended,
            false if head.expects_continue() => Body::Unread(head.framing, Expectation::Continue),
            false => Body::Unread(head.framing, Expectation::None),
        };
        Ok(())
    }

    /// Whether the next byte belongs to the next request.
    pub(crate) fn body_has_ended(&self) -> bool {
        matches!(self.body, Body::Ended)
    }

    /// Gives up finding the end of the body.
    pub(crate) fn lose(&mut self) {
        self.body = Body::Lost;
    }

    /// Reads the body whole; empty where there is none, or where it was read before.
    ///
    /// Who waits for `100 Continue` gets it now. What was read counts among what is being received until the next
    /// request begins.
    ///
    /// # Errors
    /// [`Unreadable`]; there is no finding the next request then.
    ///
    /// # Cancellation
    /// As for an error.
    pub(crate) async fn read_body(&mut self) -> Result<Vec<u8>, Unreadable> {
        let (framing, expectation) = match std::mem::replace(&mut self.body, Body::Lost) {
            Body::Unread(framing, expectation) => (framing, expectation),
            Body::Ended => {
                self.body = Body::Ended;
                return Ok(Vec::new());
            }
            Body::Lost => return Err(Unreadable::CutOff),
        };
        let decoder = Decoder::new(framing, self.bounds.body_bytes()).map_err(Unreadable::Body)?;
        let time = self.bounds.body_time();
        let read = async {
            if expectation == Expectation::Continue {
                let told = send_all(&self.stream, CONTINUE).await;
                told.map_err(|_| Unreadable::CutOff)?;
            }
            self.gather(decoder).await
        };
        let late = async {
            Timer::after(time).await;
            Err(Unreadable::Late)
        };
        let (body, held) = read.or(late).await?;
        self.held = Some(held);
        self.body = Body::Ended;
        Ok(body)
    }

    /// Decodes a body to its end.
    async fn gather(&mut self, mut decoder: Decoder) -> Result<(Vec<u8>, Held<B>), Unreadable> {
        let mut held = Held::new(&self.bounds);
        let mut body = Vec::new();
        loop {
            let progress = feed(&mut self.ahead, &mut decoder, |data| body.extend_from_slice(data));
            held.set(body.len());
            if progress.map_err(Unreadable::Body)? == Progress::Done {
                return Ok((body, held));
            }
            while held.must_pause() {
                Timer::after(limits::BACKPRESSURE_RETRY).await;
            }
            if !matches!(
                receive(&self.stream, BODY_READ_BYTES, &mut self.ahead).await,
                Ok(1..)
            ) {
                return Err(Unreadable::CutOff);
            }
        }
    }

    /// Ends the request at hand: its body counts no more, and is skipped if nobody read it and it is short, so that the
    /// next request is found behind it.
    ///
    /// It is not skipped where the peer waits to be told to send it: it will not be told.
    ///
    /// # Errors
    /// Its framing is malformed; there is no finding the next request then.
    pub(crate) async fn end_body(&mut self) -> Result<(), BodyError> {
        self.held = None;
        let framing = match std::mem::replace(&mut self.body, Body::Lost) {
            Body::Ended => {
                self.body = Body::Ended;
                return Ok(());
            }
            Body::Unread(framing, Expectation::None) => framing,
            Body::Unread(..) | Body::Lost => return Ok(()),
        };
        let skip = async {
            let mut decoder = Decoder::new(framing, limits::SKIPPED_BYTES_MAX)?;
            while feed(&mut self.ahead, &mut decoder, |_| ())? == Progress::More {
                if !matches!(
                    receive(&self.stream, BODY_READ_BYTES, &mut self.ahead).await,
                    Ok(1..)
                ) {
                    return Ok(Body::Lost);
                }
            }
            Ok(Body::Ended)
        };
        let late = async {
            Timer::after(limits::SKIPPED_TIME_MAX).await;
            Ok(Body::Lost)
        };
        match skip.or(late).await {
            Ok(body) => self.body = body,
            Err(BodyError::TooLarge) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends an answer, within [`time_for`] it.
    pub(crate) async fn answer(
        &self,
        response: &Response,
        method: Method,
        persistence: Persistence,
    ) -> io::Result<()> {
        let head = response.encode_head(persistence);
        within(
            time_for(response),
            send_both(&self.stream, &head, response.payload(method)),
        )
        .await
    }

    /// Ends our half and waits a little for the peer to end its own, so that it can read the answer.
    pub(crate) async fn linger(&self) {
        if self.stream.get_ref().shutdown(Shutdown::Write).is_err() {
            return;
        }
        let drained = async {
            let mut sink = Vec::new();
            while matches!(receive(&self.stream, BODY_READ_BYTES, &mut sink).await, Ok(1..)) {
                sink.clear();
            }
            Ok(())
        };
        within(limits::LINGER_TIME_MAX, drained).await.unwrap_or_default();
    }
}

/// Decodes what was received; all of it is used, but for what lies behind the end of the body. A connection that waits
/// for more keeps no memory for it.
fn feed(
    ahead: &mut Vec<u8>,
    decoder: &mut Decoder,
    mut sink: impl FnMut(&[u8]),
) -> Result<Progress, BodyError> {
    let mut used = 0;
    loop {
        let step = decoder.decode(ahead.get(used..).unwrap_or_default())?;
        used += step.consumed;
        if !step.data.is_empty() {
            sink(step.data);
        }
        match step.progress {
            Progress::Done => {
                *ahead = ahead.get(used..).unwrap_or_default().to_vec();
                return Ok(Progress::Done);
            }
            Progress::More if step.consumed == 0 => {
                *ahead = Vec::new();
                return Ok(Progress::More);
            }
            Progress::More => {}
        }
    }
}

/// Reads up to `bytes_max` bytes to the end of `into`; zero at the end.
async fn receive(stream: &Async<TcpStream>, bytes_max: usize, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut read = |mut socket: &TcpStream| {
        RECEIVE.with_borrow_mut(|buffer| {
            let end = bytes_max.min(buffer.len());
            let received = socket.read(buffer.get_mut(..end).unwrap_or_default())?;
            into.extend_from_slice(buffer.get(..received).unwrap_or_default());
            Ok(received)
        })
    };
    let received = stream.read_with(|socket| read(socket)).await?;
    if received == bytes_max {
        // There is more, for all we know: others have their turn first, and so does the timer beside this.
        smol::future::yield_now().await;
    }
    Ok(received)
}

/// How long an answer may take to leave: longer where waiting costs a socket and no memory.
fn time_for(response: &Response) -> Duration {
    match response.holds_memory() {
        true => limits::RESPONSE_TIME_MAX,
        false => limits::PAGE_TIME_MAX,
    }
}

async fn send_all(stream: &Async<TcpStream>, bytes: &[u8]) -> io::Result<()> {
    send_both(stream, bytes, &[]).await
}

/// Sends two runs of bytes as one, without copying them together.
async fn send_both(stream: &Async<TcpStream>, mut first: &[u8], mut second: &[u8]) -> io::Result<()> {
    while !(first.is_empty() && second.is_empty()) {
        let both = [IoSlice::new(first), IoSlice::new(second)];
        let sent = stream
            .write_with(|mut socket| socket.write_vectored(&both))
            .await?;
        second = second.get(sent.saturating_sub(first.len())..).unwrap_or_default();
        first = first.get(sent..).unwrap_or_default();
    }
    Ok(())
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = async {
        Timer::after(time).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    work.or(late).await
}

#[cfg(test)]
mod tests;
