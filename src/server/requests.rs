//! One HTTP connection: request after request, until it closes or becomes a WebSocket.
//!
//! Owns reading heads within their bounds of bytes and time, keep-alive, which hosts are served, and what
//! every answer gets (CORS). Must not know what a path means. Key invariant: requests are answered in order;
//! after an answer that could be misread (an error in the head, a body that was not read to its end) the
//! connection closes.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::{self, cors};
use crate::boards::fenced;
use crate::http::forwarded;
use crate::http::head::{self, Head, Method, Outline, Persistence};
use crate::http::response::Response;
use crate::http::target::Target;
use crate::http::upgrade;
use crate::limits;
use crate::net::admission::{self, Request};
use crate::net::doors::SocketPlace;
use crate::net::incoming::Incoming;
use crate::net::socket::Socket;

use crate::net::{Late, Shell, hosts, upgrades, within};

/// What to do after a request.
enum Next {
    /// Read the next one.
    Request,
    /// Nothing.
    Close,
    Upgrade(Box<upgrades::Opening>),
}

/// Serves one accepted TCP connection until it ends; `place` counts it for as long.
pub(crate) fn serve(
    shell: Arc<Shell>,
    socket: Socket,
    peer: IpAddr,
    place: SocketPlace,
) -> impl Future<Output = ()> + Send {
    // What comes before and after is boxed, so that the long life as a WebSocket does not pay for it in
    // memory.
    let entering = Box::pin(fenced(enter(shell, socket, peer)));
    async move {
        if let Ok(Some(mut connected)) = entering.await {
            let end = connected.run().await;
            Box::pin(connected.leave(end)).await;
        }
        drop(place);
    }
}

/// Answers requests until one was an upgrade that led into a room.
async fn enter(shell: Arc<Shell>, socket: Socket, peer: IpAddr) -> Option<Box<upgrades::Connected>> {
    let (opening, socket) = exchange(&shell, socket, peer).await?;
    // Boxed, as the answering of a request is, so that a connection that waits for its next request stays
    // small.
    Box::pin(upgrades::enter(&shell, *opening, socket)).await
}

/// Answers requests; `Some` once one was an upgrade.
async fn exchange(
    shell: &Arc<Shell>,
    socket: Socket,
    peer: IpAddr,
) -> Option<(Box<upgrades::Opening>, Socket)> {
    let mut incoming = Incoming::new(Arc::clone(&shell.bounds), socket);

    let mut patience = limits::HEAD_TIME_MAX;
    loop {
        let answered = match read_head(&mut incoming, patience).await.ok()? {
            // The head gets bytes of its own: the body behind it is read into the others.
            ReadHead::Complete(bytes) => {
                let head = incoming.take(bytes);
                Box::pin(answer(shell, head, peer, &mut incoming)).await
            }
            ReadHead::Refused(refusal) => {
                shell.metrics.answered(Method::Other, refusal.status);
                let sent = incoming.answer(refusal, Method::Get, Persistence::Close).await;
                sent.map(|()| Next::Close)
            }
        };
        match answered.ok()? {
            Next::Upgrade(opening) => return Some((opening, incoming.into_socket())),

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
async fn answer(
    shell: &Arc<Shell>,
    bytes: Vec<u8>,
    peer: IpAddr,
    incoming: &mut Incoming,
) -> io::Result<Next> {
    let Ok(Some((head, _))) = head::parse(&bytes) else {
        // They were a head when they were taken.
        return Err(io::ErrorKind::InvalidData.into());
    };
    let response = match decide(shell, &head, peer, incoming).await {
        Ok(opening) => return Ok(Next::Upgrade(Box::new(opening))),
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
    let keep = incoming.body_has_ended() && !shell.boards.is_stopping();
    let persistence = if keep {
        head.persistence()
    } else {
        Persistence::Close
    };
    let method = head.method;
    // An answer may take its time, and the head is of no use any more.
    drop(bytes);
    let response = incoming.admit(response, method);
    shell.metrics.answered(method, response.status);
    incoming.answer(response, method, persistence).await?;
    Ok(match persistence {
        Persistence::KeepAlive => Next::Request,
        Persistence::Close => Next::Close,
    })
}

/// Finds out what a request wants: a WebSocket, or the answer.
async fn decide(
    shell: &Arc<Shell>,
    head: &Head<'_>,
    peer: IpAddr,
    incoming: &mut Incoming,
) -> Result<upgrades::Opening, Response> {
    let forwarded = head.values("x-forwarded-for").collect::<Vec<_>>();
    let address = forwarded::client_address(peer, forwarded.into_iter(), &shell.settings.trusted_proxies);
    let begun = incoming.begin(head);
    hosts::check(shell, head.host)?;
    let target = Target::parse(head.target).map_err(|error| Response::problem(&error.into()))?;
    let target = local(target, &shell.settings.base_path);
    begun.map_err(|why| Response::problem(&why.into()))?;
    let request = Request {
        head,
        target: &target,
        address,
        peer,
    };
    match (target.path().as_slice(), head.method) {
        (["ws", "canvas", _], Method::Options) => Err(cors::options(shell, head, upgrade::ALLOWED)),
        (["ws", "canvas", board], _) => {
            let opening = upgrades::decide(shell, &request, board).await;
            if !incoming.body_has_ended() {
                incoming.lose();
            }
            opening
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

/// The target as the routes know it: a proxy takes the base path of `--public-url` off, and who comes without
/// one does not. What is a path of ours as it stands is one, since the base may be called as one of these.
fn local<'a>(target: Target<'a>, base: &str) -> Target<'a> {
    if base.is_empty() {
        return target;
    }
    let path = target.path();
    match matches!(*path, ["ws", "canvas", _]) || api::has_route(&path) {
        true => target,
        false => target.below(base),
    }
}
