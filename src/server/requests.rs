//! One HTTP connection: request after request, until it closes or becomes a WebSocket.
//!
//! Owns reading heads within their bounds of bytes and time, keep-alive, which hosts are served, and what
//! every answer gets (CORS). Must not know what a path means. Key invariants: requests are answered in order;
//! after an answer that could be misread (an error in the head, a body that was not read to its end) the
//! connection closes. What another node passed on is one request, and is never passed on again.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::{self, cors};
use crate::boards::fenced;
use crate::fault::Fault;
use crate::http::forwarded;
use crate::http::head::{self, Head, Method, Outline, Persistence};
use crate::http::response::Response;
use crate::http::target::Target;
use crate::http::upgrade;
use crate::limits;
use crate::metrics::latency::About;
use crate::net::admission::{self, Came, Request};
use crate::net::events::Stream;
use crate::net::incoming::Incoming;
use crate::net::request_id::{self, RequestId};
use crate::net::socket::Socket;
use crate::net::{Late, Shell, hosts, sign_in, upgrades, within};
use crate::nodes::{Carrying, Passage};
use crate::server::routing::Routing;

/// What connections are served with.
pub(crate) struct Site {
    pub(crate) shell: Arc<Shell>,
    /// Set where there may be other nodes.
    pub(crate) routing: Option<Routing>,
}

/// A connection, and what is known of it already.
pub(crate) struct Arrival {
    pub(crate) socket: Socket,
    /// The other end of the socket; of what another node passed on, the client.
    pub(crate) peer: IpAddr,
    pub(crate) came: Came,
    /// The head of the first request, where another node has read it.
    pub(crate) head: Option<Vec<u8>>,
}

/// Where a request comes from, and what it is called.
struct Origin {
    peer: IpAddr,
    came: Came,
    id: RequestId,
}

/// What to do after a request.
enum Next {
    /// Read the next one.
    Request,
    /// Nothing.
    Close,
    Leave(Box<Leads>),
}

/// What ends the exchange of requests and answers.
enum Leads {
    /// An upgrade.
    Upgrade(upgrades::Opening),
    /// Another node has the board, and took the request.
    Away(Passage),
    /// Events, whose head has left.
    Stream(Box<Stream>),
}

/// How a connection lives on.
enum Entered {
    Member(Box<upgrades::Connected>),
    Away(Box<Carrying>),
    Follower(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// Serves one TCP connection until it ends; `place` counts it for as long.
pub(crate) fn serve<P: Send>(site: Arc<Site>, arrival: Arrival, place: P) -> impl Future<Output = ()> + Send {
    // What comes before and after is boxed, so that the long life as a WebSocket does not pay for it in
    // memory.
    let entering = Box::pin(fenced(enter(site, arrival)));
    async move {
        match entering.await {
            Ok(Some(Entered::Member(mut connected))) => {
                let end = connected.run().await;
                Box::pin(connected.leave(end)).await;
            }
            // A panic is told where it is caught.
            Ok(Some(Entered::Away(carrying))) => fenced(carrying).await.unwrap_or_default(),
            Ok(Some(Entered::Follower(following))) => fenced(following).await.unwrap_or_default(),
            Ok(None) | Err(_) => {}
        }
        drop(place);
    }
}

/// Answers requests until one was an upgrade that led into a room, was for events, or was passed on.
async fn enter(site: Arc<Site>, arrival: Arrival) -> Option<Entered> {
    let (leads, socket) = exchange(&site, arrival).await?;
    match *leads {
        // Boxed, as the answering of a request is, so that a connection that waits for its next request stays
        // small.
        Leads::Upgrade(opening) => Box::pin(upgrades::enter(&site.shell, opening, socket))
            .await
            .map(Entered::Member),
        Leads::Away(passage) => Some(Entered::Away(Box::new(passage.carry(socket)))),
        Leads::Stream(stream) => Some(Entered::Follower(Box::pin(stream.run(socket)))),
    }
}

/// Answers requests; `Some` once one was an upgrade, was for events, or was passed on.
async fn exchange(site: &Site, arrival: Arrival) -> Option<(Box<Leads>, Socket)> {
    let Arrival {
        socket,
        peer,
        came,
        head: mut given,
    } = arrival;
    let shell = &site.shell;
    let connection = shell.next_connection_id();
    let mut incoming = Incoming::new(Arc::clone(&shell.bounds), socket);

    let (mut patience, mut nth) = (limits::HEAD_TIME_MAX, 0);
    loop {
        nth += 1;
        let id = RequestId::new(connection, nth);
        let read = match given.take() {
            Some(head) => ReadHead::Given(head),
            None => read_head(&mut incoming, patience).await.ok()?,
        };
        let answered = match read {
            // The head gets bytes of its own: the body behind it is read into the others.
            ReadHead::Complete(bytes) => {
                let head = incoming.take(bytes);
                Box::pin(answer(site, head, Origin { peer, came, id }, &mut incoming)).await
            }
            ReadHead::Given(head) => {
                incoming.count_head(head.len());
                Box::pin(answer(site, head, Origin { peer, came, id }, &mut incoming)).await
            }
            ReadHead::Refused(refusal) => {
                shell.metrics.answered(Method::Other, refusal.status);
                let refusal = named(refusal, &id);
                let sent = incoming.answer(refusal, Method::Get, Persistence::Close).await;
                sent.map(|()| Next::Close)
            }
        };
        match answered.ok()? {
            Next::Leave(leads) => return Some((leads, incoming.into_socket())),

            Next::Request => {
                patience = limits::KEEP_ALIVE_IDLE_MAX;
                // Who sends faster than we answer is never waited for: without this it would have the thread
                // for itself.
                smol::future::yield_now().await;
            }
            Next::Close => {
                incoming.linger().await;
                return None;
            }
        }
    }
}

/// What came instead of, or as, a request head.
enum ReadHead {
    /// A well-formed one of so many bytes.
    Complete(usize),
    /// Another node read it.
    Given(Vec<u8>),
    /// Something else; the connection closes after the answer.
    Refused(Response),
}

/// Reads until a head is complete; `patience` is for its first byte, then `HEAD_TIME_MAX` counts.
async fn read_head(incoming: &mut Incoming, patience: Duration) -> io::Result<ReadHead> {
    let patience = match incoming.ahead().is_empty() {
        true => patience,
        false => limits::HEAD_TIME_MAX,
    };
    let mut deadline = Instant::now() + patience;
    let mut outline = Outline::default();
    loop {
        match outline.look(incoming.ahead()) {
            Err(error) => return Ok(ReadHead::Refused(Response::problem(&error.into()))),
            Ok(Some(bytes)) => return Ok(ReadHead::Complete(bytes)),
            Ok(None) => {}
        }
        let first = incoming.ahead().is_empty();
        let left = deadline.saturating_duration_since(Instant::now());
        match within(left, incoming.readable()).await {
            Ok(ready) => ready?,
            Err(Late) if first => return Err(Late.into()),
            Err(Late) => {
                let answer = Response::text(408, "the request head took too long\n");
                return Ok(ReadHead::Refused(answer));
            }
        }
        let began = Instant::now();
        let room = incoming.room().await;
        // Until others left room for it, it was we who did not listen.
        let has_waited = began.elapsed() > limits::BACKPRESSURE_RETRY;
        if incoming.receive(room).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first || has_waited {
            deadline = Instant::now() + limits::HEAD_TIME_MAX;
        }
    }
}

/// Answers the request with this head, whose body comes next.
async fn answer(site: &Site, bytes: Vec<u8>, origin: Origin, incoming: &mut Incoming) -> io::Result<Next> {
    let shell = &site.shell;
    let Ok(Some((head, _))) = head::parse(&bytes) else {
        // They were a head when they were taken.
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (began, about) = (shell.now().tick, About::of(head.target));
    let Origin { peer, came, id } = origin;
    let id = id.with(&head);
    let response = match decide(site, (&head, &bytes), (peer, came, &id), incoming).await {
        Ok(leads) => return Ok(Next::Leave(Box::new(leads))),
        Err(response) => cors::share(shell, &head, response),
    };
    let response = match incoming.end_body().await {
        // Somebody who only asked is told that the question was malformed; who changed something, what came
        // of it.
        Err(error) if matches!(head.method, Method::Get | Method::Head) => {
            cors::share(shell, &head, Response::problem(&error.into()))
        }
        _ => response,
    };
    // Of another node one request comes over a connection.
    let stream = incoming.take_stream(&response);
    let keep = incoming.body_has_ended()
        && !response.is_stream()
        && !shell.boards.is_stopping()
        && came == Came::Directly;
    let persistence = if keep {
        head.persistence()
    } else {
        Persistence::Close
    };
    let method = head.method;
    // An answer may take its time, and the head is of no use any more.
    drop(bytes);
    let response = named(incoming.admit(response, method), &id);
    shell.metrics.answered(method, response.status);
    tell(shell, &id, &response);
    incoming.answer(response, method, persistence).await?;
    shell
        .metrics
        .latency()
        .answered(about, shell.now().tick.since(began));
    if let Some(stream) = stream {
        return Ok(Next::Leave(Box::new(Leads::Stream(stream))));
    }
    Ok(match persistence {
        Persistence::KeepAlive => Next::Request,
        Persistence::Close => Next::Close,
    })
}

/// The same answer, with the name of the request where it is refused: so it is found in the log.
fn named(response: Response, id: &RequestId) -> Response {
    match response.code() {
        Some(_) => response.field(request_id::FIELD, id.to_string()),
        None => response,
    }
}

/// Counts what went over a bound, and says in the log what failed: each bug of ours, and now and then what
/// is so only at the moment, of which there may be a flood.
fn tell(shell: &Shell, id: &RequestId, response: &Response) {
    let (connection, status, code) = (id.connection, response.status, response.code());
    tracing::debug!(connection, request = %id, status, code, "answered");
    let Some(code) = code else { return };
    shell.metrics.over_bound(code);
    if status == 500 {
        tracing::error!(connection, request = %id, code, "a request failed; this is a bug");
    } else if status > 500
        && let Some(count) = shell.unanswered.count(shell.now().tick)
    {
        tracing::warn!(connection, request = %id, status, code, count, "requests cannot be served at the moment");
    }
}

/// Finds out what a request wants: a WebSocket, or the answer.
async fn decide(
    site: &Site,
    (head, bytes): (&Head<'_>, &[u8]),
    (peer, came, id): (IpAddr, Came, &RequestId),
    incoming: &mut Incoming,
) -> Result<Leads, Response> {
    let shell = &site.shell;
    let address = match came {
        Came::Directly => {
            let forwarded = head.values("x-forwarded-for").collect::<Vec<_>>();
            let live = shell.live.get();
            forwarded::client_address(peer, forwarded.into_iter(), &live.trusted_proxies)
        }
        // The other node has looked at that.
        Came::FromNode => peer,
    };
    let target = Target::parse(head.target).map(|target| local(target, &shell.settings.base_path));
    let bytes_max = target
        .as_ref()
        .map_or(0, |target| api::body_bytes_max(shell, target));
    let begun = incoming.begin(head, bytes_max);
    hosts::check(shell, head.host)?;
    let target = target.map_err(|error| Response::problem(&error.into()))?;
    begun.map_err(|why| Response::problem(&why.into()))?;
    if came == Came::Directly {
        sign_in::check_proxy(shell, head, peer).map_err(admission::problem)?;
    }
    let request = Request {
        head,
        target: &target,
        address,
        peer,
        id,
    };
    if let Some(routing) = &site.routing
        && came == Came::Directly
    {
        match away(routing, &request, (shell, bytes)).await {
            Ok(Some(passage)) => return Ok(Leads::Away(passage)),
            Ok(None) => {}
            Err(fault) if matches!(target.path().as_slice(), ["ws", "canvas", _]) => {
                return upgrades::refused(shell, &request, fault).map(Leads::Upgrade);
            }
            Err(fault) => {
                if !incoming.body_has_ended() {
                    incoming.lose();
                }
                return Err(admission::problem(fault));
            }
        }
    }
    match (target.path().as_slice(), head.method) {
        (["ws", "canvas", _], Method::Options) => Err(cors::options(shell, head, upgrade::ALLOWED)),
        (["ws", "canvas", board], _) => {
            let opening = upgrades::decide(shell, &request, board).await;
            if !incoming.body_has_ended() {
                incoming.lose();
            }
            opening.map(Leads::Upgrade)
        }
        _ => {
            let answer = fenced(api::answer(shell, &request, incoming)).await;
            Err(answer.unwrap_or_else(|fault| {
                incoming.lose();
                admission::problem(fault)
            }))
        }
    }
}

/// Passes a request on that is about a board, where another node has that.
///
/// # Errors
/// As [`Routing::away`] has them.
async fn away(
    routing: &Routing,
    request: &Request<'_>,
    (shell, bytes): (&Arc<Shell>, &[u8]),
) -> Result<Option<Passage>, Fault> {
    let named = api::board_of(shell, request.head, request.target);
    match within(limits::NODE_PATIENCE, named).await {
        Ok(Ok(Some(board))) => routing.away(&board, request.address, bytes).await,
        // What is wrong with a credential is told by who serves the request.
        Ok(Ok(None) | Err(Fault::NoCredential | Fault::InvalidCredential)) => Ok(None),
        Ok(Err(fault)) => Err(fault),
        Err(Late) => Err(Fault::StateUnreadable),
    }
}

/// The target as the routes know it: a proxy takes the base path of `--public-url` off, and who comes without
/// one does not. What is a path of ours as it stands is one, since the base may be called as one of these.
pub(super) fn local<'a>(target: Target<'a>, base: &str) -> Target<'a> {
    if base.is_empty() {
        return target;
    }
    let path = target.path();
    match matches!(*path, ["ws", "canvas", _]) || api::has_route(&path) {
        true => target,
        false => target.below(base),
    }
}
