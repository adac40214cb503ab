//! A peer's socket as HTTP uses it: what was received ahead, and the body of the request at hand.
//!
//! Owns [`Incoming`]: a [`Socket`] and the reading of heads' bytes and bodies from it, within their bounds of
//! bytes, time and memory. Must not know what a path or a body means. Key invariants: a body is read only
//! when somebody wants it, and only then the peer is told to go on; after a body that was not read to its end
//! no further request is read. Tests: `incoming/tests.rs`, and over TCP tests/it/http.rs.

use std::io;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_io::Timer;
use bytes::Bytes;

use crate::boards::answers::{Answers, Permit};
use crate::boards::assets::Download;
use crate::http::body::{BodyError, Decoder, Progress};
use crate::http::head::{Framing, Head, Method, Persistence};
use crate::http::response::{CONTINUE, Problem, Response};
use crate::limits;
use crate::net::events::Stream;
use crate::net::pace::Leaving;
use crate::net::receiving::{Place, Receiving};
use crate::net::socket::{READ_BYTES, Socket};

use crate::net::{Late, within};
use crate::ws::reader::{make_room, room_after};

mod parts;

pub(crate) use parts::Parts;

/// Bytes read at once while a head is incomplete: as much as is received without being counted.
const HEAD_READ_BYTES: usize = limits::RECEIVING_FREE_BYTES;

/// Bytes read at once of a body.
const BODY_READ_BYTES: usize = READ_BYTES;

/// Why a body could not be had. The connection closes after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// It is too large, or its framing is malformed.
    Body(BodyError),
    /// It took longer than `limits::BODY_TIME_MAX`.
    Late,
    /// The peer ended the connection within it.
    CutOff,
}

impl From<NoBody> for Problem {
    fn from(why: NoBody) -> Self {
        let (status, code, title, detail) = match why {
            NoBody::Body(error) => return error.into(),
            NoBody::Late => (
                408,
                "body_timeout",
                "The request body took too long",
                "send it faster, or in parts",
            ),
            NoBody::CutOff => (
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

/// What bounds the reading of heads and bodies, and the sending of answers.
pub(crate) struct Bounds {
    /// Bytes of a body, inclusive.
    pub(crate) body_bytes: AtomicUsize,
    /// How long a body may take, the time left out in which it is not read because of others.
    pub(crate) body_time: Duration,
    /// How long an answer may leave not at all.
    pub(crate) answer_time: Duration,
    /// The budget of what is being received.
    pub(crate) receiving: Arc<Receiving>,
    /// The budget of answers.
    pub(crate) answers: Arc<Answers>,
    /// Tells whether bodies must wait for the disk.
    pub(crate) disk_is_behind: Box<dyn Fn() -> bool + Send + Sync>,
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
pub(crate) struct Incoming {
    bounds: Arc<Bounds>,
    socket: Socket,
    body: Body,
    /// Bytes of the head of the request at hand, and of its body with it.
    head: usize,
    request: usize,
    /// All of that, among what is being received.
    place: Place,
    /// Room for the answer.
    permit: Option<Permit>,
    /// What sends the body of the answer, where that is a stream.
    stream: Option<Box<Stream>>,
    /// What gives the body of the answer part by part.
    download: Option<Box<Download>>,
}

impl Incoming {
    /// Nothing was read of `socket` yet.
    pub(crate) fn new(bounds: Arc<Bounds>, socket: Socket) -> Self {
        let place = bounds.receiving.place();
        Self {
            bounds,
            socket,

            body: Body::Ended,
            head: 0,
            request: 0,
            place,
            permit: None,
            stream: None,
            download: None,
        }
    }

    /// What was received and not used.
    pub(crate) fn ahead(&self) -> &[u8] {
        self.socket.ahead()
    }

    /// Takes the first `bytes` of what was received, as the head of a request.
    pub(crate) fn take(&mut self, bytes: usize) -> Vec<u8> {
        let ahead = self.ahead();
        let head = ahead.get(..bytes).unwrap_or(ahead).to_vec();
        self.socket.use_ahead(head.len());
        self.count_head(head.len());
        head
    }

    /// Counts the head of the request that begins, wherever it was read.
    pub(crate) fn count_head(&mut self, bytes: usize) {
        self.head = bytes;
        self.request = bytes;
        self.count();
    }

    /// The socket, with what was received and not used, for somebody who speaks another protocol on it.
    pub(crate) fn into_socket(mut self) -> Socket {
        self.socket.forget_received();
        self.socket
    }

    /// Counts what is held.
    fn count(&mut self) {
        self.place.set(self.held());
    }

    fn held(&self) -> usize {
        self.socket.held() + self.request
    }

    /// Waits until others leave room to receive more; how many bytes, for [`Self::receive`].
    pub(crate) async fn room(&mut self) -> usize {
        self.room_beside(HEAD_READ_BYTES, |_| 0).await
    }

    /// The same for up to `bytes_max`, where `beside` is what they take beside what is received ahead.
    async fn room_beside(&mut self, bytes_max: usize, beside: impl Fn(usize) -> usize) -> usize {
        // What was used goes first. What is left is less than a head, or than was read at once, and is moved
        // once only: from now on nothing before it is used.
        self.socket.settle_ahead();
        self.count();
        let held = self.held();
        let (socket, head) = (&self.socket, self.head);
        let body = self.request - head;
        let secured = socket.held() - socket.ahead_held();
        let after = |more| socket.ahead_after(more) + secured + head + body.max(beside(more));

        self.place.room(held, bytes_max, after).await
    }

    /// Waits until there is something to receive, or the end. Room for it is taken then: a peer that sends
    /// nothing has none.
    pub(crate) async fn readable(&mut self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Reads up to `room` bytes of what there is behind [`Self::ahead`]; zero at the end.
    ///
    /// # Errors
    /// Those of the socket; `TimedOut` where there was nothing after all, for long.
    pub(crate) async fn receive(&mut self, room: usize) -> io::Result<usize> {
        let received = within(limits::HEAD_TIME_MAX, self.socket.receive(room)).await;
        self.count();
        received?
    }

    /// Begins the request with `head`; what was received behind it is its body, of up to so many bytes.
    ///
    /// # Errors
    /// The body is known to be too large; there is no finding the next request then.
    pub(crate) fn begin(&mut self, head: &Head<'_>, bytes_max: usize) -> Result<(), NoBody> {
        self.body = Body::Lost;
        let decoder = Decoder::new(head.framing, bytes_max).map_err(NoBody::Body)?;
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
    /// Who waits for `100 Continue` gets it now. What was read counts among what is being received until the
    /// next request begins.
    ///
    /// # Errors
    /// [`NoBody`]; there is no finding the next request then.
    ///
    /// # Cancellation
    /// As for an error.
    pub(crate) async fn read_body(&mut self) -> Result<Vec<u8>, NoBody> {
        let body = self.read_body_now().await;
        self.count();
        body
    }

    /// Has the peer send its body, of up to so many bytes; `None` where there is none, or it was read before.
    async fn open_body(&mut self, bytes_max: usize) -> Result<Option<Decoder>, NoBody> {
        let (framing, expectation) = match std::mem::replace(&mut self.body, Body::Lost) {
            Body::Unread(framing, expectation) => (framing, expectation),
            Body::Ended => {
                self.body = Body::Ended;
                return Ok(None);
            }
            Body::Lost => return Err(NoBody::CutOff),
        };
        let decoder = Decoder::new(framing, bytes_max).map_err(NoBody::Body)?;
        if expectation == Expectation::Continue {
            match within(self.bounds.body_time, self.socket.send_all(CONTINUE)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(Late) => return Err(NoBody::CutOff),
            }
        }
        Ok(Some(decoder))
    }

    async fn read_body_now(&mut self) -> Result<Vec<u8>, NoBody> {
        let bytes_max = self.bounds.body_bytes.load(Ordering::Relaxed);
        let Some(mut decoder) = self.open_body(bytes_max).await? else {
            return Ok(Vec::new());
        };
        let mut time = self.bounds.body_time;
        let mut body = Vec::new();
        loop {
            let progress = self.decode(&mut decoder, |data| {
                make_room(&mut body, data.len(), bytes_max);
                body.extend_from_slice(data);
            });
            self.request = self.head + body.capacity();
            if progress.map_err(NoBody::Body)? == Progress::Done {
                break;
            }
            // Nor does the time count in which it is we who do not listen.
            while (self.bounds.disk_is_behind)() {
                Timer::after(limits::BACKPRESSURE_RETRY).await;
            }
            let began = Instant::now();
            let ready = within(time, self.readable()).await;
            ready.map_err(|Late| NoBody::Late)?.map_err(|_| NoBody::CutOff)?;
            time = time.saturating_sub(began.elapsed());
            let beside = |more| room_after(&body, more, bytes_max);
            let room = self.room_beside(BODY_READ_BYTES, beside).await;
            if !matches!(self.receive(room).await, Ok(1..)) {
                return Err(NoBody::CutOff);
            }
        }
        // It may be kept for long.
        body.shrink_to_fit();
        self.request = self.head + body.capacity();
        self.body = Body::Ended;
        Ok(body)
    }

    /// Decodes what was received; all of it is used, but for what lies behind the end of the body.
    fn decode(&mut self, decoder: &mut Decoder, mut sink: impl FnMut(&[u8])) -> Result<Progress, BodyError> {
        loop {
            let step = decoder.decode(self.ahead())?;
            let (used, progress) = (step.consumed, step.progress);
            if !step.data.is_empty() {
                sink(step.data);
            }
            self.socket.use_ahead(used);
            if progress == Progress::Done || used == 0 {
                return Ok(progress);
            }
        }
    }

    /// Ends the request at hand: its body counts no more, and is skipped if nobody read it and it is short,
    /// so that the next request is found behind it.
    ///
    /// It is not skipped where the peer waits to be told to send it: it will not be told.
    ///
    /// # Errors
    /// Its framing is malformed; there is no finding the next request then.
    pub(crate) async fn end_body(&mut self) -> Result<(), BodyError> {
        self.head = 0;
        self.request = 0;
        self.count();
        let framing = match std::mem::replace(&mut self.body, Body::Lost) {
            Body::Ended => {
                self.body = Body::Ended;
                return Ok(());
            }
            Body::Unread(framing, Expectation::None) => framing,
            Body::Unread(..) | Body::Lost => return Ok(()),
        };
        let skipped = {
            let skipping = pin!(self.skip(framing));
            within(limits::SKIPPED_TIME_MAX, skipping).await
        };
        match skipped {
            Ok(Ok(body)) => self.body = body,
            Ok(Err(BodyError::TooLarge)) | Err(Late) => {}
            Ok(Err(error)) => return Err(error),
        }
        Ok(())
    }

    /// Reads and forgets a body.
    async fn skip(&mut self, framing: Framing) -> Result<Body, BodyError> {
        let mut decoder = Decoder::new(framing, limits::SKIPPED_BYTES_MAX)?;
        while self.decode(&mut decoder, |_| ())? == Progress::More {
            if self.readable().await.is_err() {
                return Ok(Body::Lost);
            }
            let room = self.room_beside(BODY_READ_BYTES, |_| 0).await;
            if !matches!(self.receive(room).await, Ok(1..)) {
                return Ok(Body::Lost);
            }
        }
        Ok(Body::Ended)
    }

    /// Waits until there is room for an answer of `bytes`, which the answer to the request at hand then has.
    ///
    /// # Errors
    /// 503, if there is none within `limits::ANSWER_WAIT_MAX`.
    pub(crate) async fn reserve(&mut self, bytes: usize) -> Result<(), Response> {
        self.permit = None;
        let waiting = self.bounds.answers.permit(bytes);
        let permit = within(limits::ANSWER_WAIT_MAX, waiting).await;
        self.permit = Some(permit.map_err(|Late| busy())?);
        Ok(())
    }

    /// Whether `body` is on its way to somebody already; the answer to the request at hand then shares its
    /// room.
    pub(crate) fn joins(&mut self, body: &Bytes) -> bool {
        let joined = self.bounds.answers.join(body);
        let is_joined = joined.is_some();
        // Room that was kept stays where there is none to share.
        self.permit = joined.or_else(|| self.permit.take());
        is_joined
    }

    /// Lets the answer to the request at hand be sent whatever else is on its way: it is for who runs the
    /// server.
    pub(crate) fn insist(&mut self) {
        self.permit = Some(self.bounds.answers.must(&Bytes::new()));
    }

    /// Counts the answer's body, and gives up room that was kept for it and is not needed. An answer that
    /// nobody kept room for becomes another where there is none: 503 to who only asked.
    pub(crate) fn admit(&mut self, response: Response, method: Method) -> Response {
        let permit = self.permit.take();
        if response.is_in_parts() {
            self.permit = permit;
            return response;
        }
        let Some(body) = response.held().filter(|_| !response.payload(method).is_empty()) else {
            return response;
        };
        let answers = &self.bounds.answers;
        let asks = matches!(method, Method::Get | Method::Head);
        let mut permit = match permit.or_else(|| answers.try_permit(body.len())) {
            Some(permit) => permit,
            None if asks => return busy(),
            // It was done.
            None => answers.must(body),
        };
        permit.hold(body);
        self.permit = Some(permit);
        response
    }

    /// Sends an answer, in the time that it may take.
    pub(crate) async fn answer(
        &mut self,
        response: Response,
        method: Method,
        persistence: Persistence,
    ) -> io::Result<()> {
        let head = response.encode_head(persistence);
        let is_in_parts = response.is_in_parts();
        // A body that is not sent is not kept either.
        let response = Some(response).filter(|response| !response.payload(method).is_empty());
        let payload = response
            .as_ref()
            .map_or(&[][..], |response| response.payload(method));
        let is_built_in = response
            .as_ref()
            .is_some_and(|response| response.held().is_none());
        let time = match is_built_in {
            // It costs a socket and no memory.
            true => Leaving::Whole(limits::PAGE_TIME_MAX),
            false => Leaving::Moving(self.bounds.answer_time),
        };
        let mut sent = self.socket.send_paced(&head, payload, time).await;
        if sent.is_ok() && is_in_parts {
            sent = self.send_parts(method).await;
        }
        self.permit = None;
        self.download = None;
        sent
    }

    /// Says what sends the body of the answer to the request at hand.
    pub(crate) fn stream(&mut self, stream: Stream) {
        self.stream = Some(Box::new(stream));
    }

    /// What sends the body of the answer, where that is a stream.
    pub(crate) fn take_stream(&mut self, response: &Response) -> Option<Box<Stream>> {
        self.stream.take().filter(|_| response.is_stream())
    }

    /// Ends our half and waits a little for the peer to end its own, so that it can read the answer.
    pub(crate) async fn linger(&mut self) {
        within(limits::LINGER_TIME_MAX, self.socket.drain())
            .await
            .unwrap_or_default();
    }
}

/// There is no room for an answer.
fn busy() -> Response {
    let problem = Problem {
        status: 503,
        code: "server_busy",
        title: "Too much is on its way to others",
        detail: "try again in a moment".into(),
        field: None,
    };
    Response::problem(&problem).field("Retry-After", "2")
}

#[cfg(test)]
mod tests;
