//! From an upgrade request to a member of a room, or to a refusal that a browser can read.
//!
//! Owns what becomes of an upgrade request: its origin, its places, its answer. Must not know what messages
//! mean. Key invariants: no room is created or loaded for a refused client; a refused upgrade is completed,
//! told why and closed with a code.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_io::Timer;

use crate::boards::fenced;
use crate::boards::rights::Granted;
use crate::fault::Fault;
use crate::http::head::Head;
use crate::http::origin;
use crate::http::response::{Problem, Response};
use crate::http::upgrade::{self, Upgrade, UpgradeError};
use crate::ids::Subject;
use crate::metrics::ORIGIN_REFUSED;
use crate::net::admission::{self, Request};
use crate::net::connection::{Connection, End};
use crate::net::disposition::{self, log_at};
use crate::net::doors::{ConnectionPlace, Hold};
use crate::net::seldom::shown;
use crate::net::socket::Socket;
use crate::net::{Shell, sign_in, within};
use crate::{limits, sync, ws};

/// A WebSocket to be opened.
#[derive(Debug)]
pub(crate) struct Opening {
    upgrade: Upgrade,
    decision: Decision,
    /// Who asked.
    client: Client,
}

/// Who asked for a WebSocket, as the log has it.
#[derive(Clone, Copy, Debug)]
struct Client {
    address: IpAddr,
    /// The number of the connection.
    connection: u64,
}

impl Client {
    fn of(request: &Request<'_>) -> Self {
        Self {
            address: request.address,
            connection: request.id.connection,
        }
    }
}

#[derive(Debug)]
enum Decision {
    Granted(Granted, ConnectionPlace),
    /// Without a hold, it is told and closed at once.
    Refused(Fault, Option<Hold>),
}

/// Decides about a request for `/ws/canvas/{board}`.
///
/// # Errors
/// The plain HTTP answer, where there is no upgrade to complete or nothing more is to be spent on a refusal.
pub(crate) async fn decide(
    shell: &Arc<Shell>,
    request: &Request<'_>,
    board: &str,
) -> Result<Opening, Response> {
    let head = request.head;
    check_origin(shell, head)?;
    sign_in::check_origin(shell, (head, request.target), sign_in::Doing::Upgrade)?;
    let upgrade = upgrade::check(head);
    if upgrade == Err(UpgradeError::NotAsked) {
        tell_stripped(shell, head);
    }
    let outcome = admission::grant(shell, request, board).await.and_then(|grant| {
        let place = shell.doors.admit(request.address)?;
        Ok((grant, place))
    });
    let outcome = outcome.inspect_err(|fault| shell.metrics.refused(*fault));
    let (address, client) = (request.address, Client::of(request));
    match (upgrade, outcome) {
        (Ok(upgrade), Ok((grant, place))) => Ok(Opening {
            upgrade,
            decision: Decision::Granted(grant, place),
            client,
        }),
        (Ok(upgrade), Err(fault)) => match shell.doors.refuse(address, shell.now().tick) {
            Some(hold) => Ok(Opening {
                upgrade,
                decision: Decision::Refused(fault, Some(hold)),
                client,
            }),
            None => Err(admission::problem(fault)),
        },
        (Err(_), Err(fault)) => Err(admission::problem(fault)),
        (Err(error), Ok(_)) => Err(error.response()),
    }
}

/// Refuses a request for `/ws/canvas/{board}` before anything is decided about it: at once, since whoever
/// comes back may be served.
///
/// # Errors
/// The plain HTTP answer, where there is no upgrade to complete.
pub(crate) fn refused(shell: &Shell, request: &Request<'_>, fault: Fault) -> Result<Opening, Response> {
    check_origin(shell, request.head)?;
    shell.metrics.refused(fault);
    match upgrade::check(request.head) {
        Ok(upgrade) => Ok(Opening {
            upgrade,
            decision: Decision::Refused(fault, None),
            client: Client::of(request),
        }),
        Err(_) => Err(admission::problem(fault)),
    }
}

/// Lets a request on that no page of a stranger sent.
///
/// # Errors
/// The refusal.
pub(crate) fn check_origin(shell: &Shell, head: &Head<'_>) -> Result<(), Response> {
    let sent = head.unique("origin").ok().flatten();
    if origin::allowed(sent, head.host, &shell.live.get().origins) {
        return Ok(());
    }
    shell.metrics.refused_origin();
    if let Some(count) = shell.foreign.count(shell.now().tick) {
        let (origin, host) = (
            shown(sent.unwrap_or_default()),
            shown(head.host.unwrap_or_default()),
        );
        tracing::warn!(
            origin,
            host,
            count,
            help = "docs/troubleshooting.md#origin_refused",
            "refused connections of pages whose origin is not the Host of the request; a proxy must pass Host on, or \
             --public-url name the address that people open, or --allow-origin the page of another application"
        );
    }
    Err(Response::problem(&Problem {
        status: 403,
        code: ORIGIN_REFUSED,
        title: "The page's origin is not allowed",
        detail: "open the board from the server's own host, or name that with --public-url, or allow the \
                 origin with --allow-origin"
            .into(),
        field: None,
    }))
}

/// Tells of a WebSocket that a proxy made a plain request of: it has the key, which a proxy passes on like
/// any field.
fn tell_stripped(shell: &Shell, head: &Head<'_>) {
    if head.values("sec-websocket-key").next().is_none() {
        return;
    }
    if let Some(count) = shell.stripped.count(shell.now().tick) {
        tracing::warn!(
            count,
            help = "docs/troubleshooting.md#upgrade_required",
            "refused WebSocket connections whose upgrade got lost on the way; a proxy must speak HTTP/1.1 to this \
             server and pass Upgrade and Connection on"
        );
    }
}

/// A connection that is a member of a room; small, since it lives as long as the connection.
pub(crate) struct Connected {
    connection: Connection,
    subject: Subject,
    id: u64,
    _place: ConnectionPlace,
}

/// Completes the upgrade and joins the room; `None` once a refused client was told and is gone.
pub(crate) async fn enter(shell: &Arc<Shell>, opening: Opening, socket: Socket) -> Option<Box<Connected>> {
    let Opening {
        upgrade,
        decision,
        client,
    } = opening;
    let Client {
        address,
        connection: id,
    } = client;
    let began = shell.now().tick;

    socket.send_all(&upgrade.encode()).await.ok()?;
    let (granted, place) = match decision {
        Decision::Granted(granted, place) => (granted, place),
        Decision::Refused(fault, hold) => {
            refuse(shell, socket, client, fault, hold).await;
            return None;
        }
    };
    let joined = shell.boards.join(granted).await;
    let (granted, joined) = match joined.inspect_err(|fault| shell.metrics.refused(*fault)) {
        Ok(joined) => joined,
        Err(fault) => {
            // While it is held, a refused client takes no place of those who may come in.
            drop(place);
            let hold = match fault {
                // It is to come back soon, to whichever node has the board then.
                Fault::Elsewhere => None,
                _ => shell.doors.refuse(address, shell.now().tick),
            };
            refuse(shell, socket, client, fault, hold).await;
            return None;
        }
    };
    let Granted {
        board, grant, actor, ..
    } = granted;
    let subject = grant.subject;
    let access = grant.level.as_str();
    tracing::info!(connection = id, %board, subject = subject.as_str(), access, %address, "connected");
    shell.boards.note_connection(&board, actor, grant.level);
    shell.metrics.opened();
    shell.metrics.latency().joined(shell.now().tick.since(began));
    let connection = Connection::new(Arc::clone(shell), joined, socket);
    Some(Box::new(Connected {
        connection,
        subject,
        id,
        _place: place,
    }))
}

impl Connected {
    /// Runs the connection until either side ends it.
    pub(crate) async fn run(&mut self) -> End {
        fenced(self.connection.run()).await.unwrap_or_else(End::Fault)
    }

    /// Leaves the room, and closes.
    pub(crate) async fn leave(self, end: End) {
        let Self {
            connection,
            subject,
            id,
            _place,
        } = self;
        connection.leave_room(end);
        connection.tell_end(id, &subject, end);
        connection.finish(end).await;
    }
}

/// Tells a refused client why, after the hold, and closes.
///
/// Without a hold, when too many are held already, it is told and closed at once.
async fn refuse(shell: &Shell, mut socket: Socket, client: Client, fault: Fault, hold: Option<Hold>) {
    // Nothing that it sent is read any more.
    socket.use_ahead(usize::MAX);
    let row = disposition::of(fault);
    let held = hold.as_ref().map_or(Duration::ZERO, |hold| hold.time);
    let held_ms = u64::try_from(held.as_millis()).unwrap_or(u64::MAX);
    let Client { address, connection } = client;
    log_at!(row.log, connection, %address, reason = row.reason, held_ms, "refused");
    let denied = sync::denied_frame(row.reason);
    if socket.send_all(&denied).await.is_err() {
        return;
    }
    Timer::after(held).await;
    let close = ws::close_frame(row.close_code(shell.settings.close_codes), row.reason);
    let closing = pin!(async {
        if socket.send_all(&close).await.is_ok() {
            socket.drain().await;
        }
    });
    within(limits::LINGER_TIME_MAX, closing).await.unwrap_or_default();
    // A held place is one for as long as anything is spent on the refused client.
    drop(hold);
}
