//! One table: fault to HTTP status, close code, public words and log level.
//!
//! Owns what the outside sees of a [`Fault`]; the wire side is the table "Refusals and closes" of
//! docs/protocol.md. Key invariant: the match has no catch-all arm, so a new fault cannot be forgotten here.

use tracing::Level as LogLevel;

use crate::fault::Fault;

/// Which close codes refusals use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCodes {
    /// 4001, 4003, 4004, ...
    Plain,
    /// The HTTP status and 4000, as y-websocket 3.1 understands it.
    Mirror,
}

/// What becomes of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// Status of a plain HTTP answer.
    pub status: u16,
    /// The stable word of a problem document.
    pub code: &'static str,
    /// Close code with `--close-codes=plain`.
    pub plain: u16,
    /// Close code with `--close-codes=mirror`.
    pub mirror: u16,
    /// Words for the close reason, the auth message and the problem document.
    pub reason: &'static str,
    /// How loudly it is logged.
    pub log: LogLevel,
}

impl Disposition {
    /// The close code of the set in use.
    #[must_use]
    pub fn close_code(&self, codes: CloseCodes) -> u16 {
        match codes {
            CloseCodes::Plain => self.plain,
            CloseCodes::Mirror => self.mirror,
        }
    }
}

/// Looks a fault up.
#[must_use]
#[rustfmt::skip] // One row a line: it is a table.
pub fn of(fault: Fault) -> Disposition {
    use Fault as F;
    use LogLevel as L;
    let row = |status, plain, mirror, reason, log| Disposition { status, code: fault.code(), plain, mirror, reason, log };
    match fault {
        F::NoCredential => row(401, 4001, 4401, "authentication required", L::INFO),
        F::InvalidCredential => row(401, 4001, 4401, "invalid credential", L::INFO),
        F::ExpiredCredential => row(401, 4001, 4401, "credential expired or revoked", L::INFO),
        F::NoPermission => row(403, 4003, 4403, "no permission on this board", L::INFO),
        F::AgentPaused => row(403, 4003, 4403, "agent_paused: the board's owner paused this key", L::INFO),
        F::NoSuchBoard => row(404, 4004, 4404, "no such board", L::INFO),
        F::BoardDeleted => row(410, 4004, 4404, "board deleted", L::INFO),
        F::InvalidBoardId => row(400, 1007, 4400, "invalid board id", L::INFO),
        F::MalformedMessage => row(400, 1007, 4400, "malformed message", L::WARN),
        F::MalformedUpdate => row(400, 1007, 4400, "malformed update", L::WARN),
        F::MessageTooLarge => row(413, 1009, 4413, "message too large", L::WARN),
        F::OverBudget => row(413, 4013, 4413, "update exceeds a budget of the board", L::WARN),
        F::OwnerFull => row(413, 4013, 4413, "the boards of this owner take too many bytes", L::WARN),
        F::TooManyBoards => row(409, 4013, 4413, "this owner has too many boards", L::WARN),
        F::TooCostly => row(413, 4013, 4413, "update costs too much work", L::WARN),
        F::TextFrame => row(400, 1003, 1003, "text frames are not accepted", L::INFO),
        F::WebSocketProtocol => row(400, 1002, 1002, "WebSocket protocol error", L::INFO),
        F::SlowConsumer => row(429, 1013, 1013, "too slow to receive", L::WARN),
        F::TooManyConnections => row(429, 1013, 1013, "too many connections", L::WARN),
        F::ConnectionLost => row(408, 1001, 1001, "connection silent", L::INFO),
        F::StateUnreadable => row(503, 1011, 4503, "the board's stored state cannot be read", L::ERROR),
        F::StoreFailed => row(503, 1011, 4503, "the board cannot be saved at the moment", L::ERROR),
        F::ShuttingDown => row(503, 1001, 4503, "server shutting down", L::INFO),
        F::Elsewhere => row(503, 1001, 4503, "the board moves to another node", L::INFO),
        F::Internal => row(500, 1011, 4503, "internal error", L::ERROR),
    }
}

/// Logs an event at a level that is known at run time only.
macro_rules! log_at {
    ($level:expr, $($event:tt)+) => {
        match $level {
            tracing::Level::ERROR => tracing::error!($($event)+),
            tracing::Level::WARN => tracing::warn!($($event)+),
            tracing::Level::INFO => tracing::info!($($event)+),
            tracing::Level::DEBUG => tracing::debug!($($event)+),
            tracing::Level::TRACE => tracing::trace!($($event)+),
        }
    };
}
pub(crate) use log_at;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_codes_that_may_be_sent_and_words_that_fit_a_close_frame() {
        for fault in Fault::ALL {
            let row = of(fault);
            for code in [row.plain, row.mirror] {
                let sendable = matches!(code, 1001 | 1002 | 1003 | 1007 | 1009 | 1011 | 1013 | 4000..=4999);
                assert!(sendable, "{fault:?} {code}");
            }
            assert!((400..600).contains(&row.status), "{fault:?}");
            assert!((1..=123).contains(&row.reason.len()), "{fault:?}");
            assert!(
                row.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn the_rows_are_those_of_the_contract() {
        let rows = [
            (Fault::NoCredential, 401, 4001, 4401),
            (Fault::InvalidCredential, 401, 4001, 4401),
            (Fault::ExpiredCredential, 401, 4001, 4401),
            (Fault::NoPermission, 403, 4003, 4403),
            (Fault::AgentPaused, 403, 4003, 4403),
            (Fault::NoSuchBoard, 404, 4004, 4404),
            (Fault::BoardDeleted, 410, 4004, 4404),
            (Fault::InvalidBoardId, 400, 1007, 4400),
            (Fault::MalformedMessage, 400, 1007, 4400),
            (Fault::MalformedUpdate, 400, 1007, 4400),
            (Fault::MessageTooLarge, 413, 1009, 4413),
            (Fault::OverBudget, 413, 4013, 4413),
            (Fault::TooCostly, 413, 4013, 4413),
            (Fault::OwnerFull, 413, 4013, 4413),
            (Fault::TooManyBoards, 409, 4013, 4413),
            (Fault::SlowConsumer, 429, 1013, 1013),
            (Fault::TooManyConnections, 429, 1013, 1013),
            (Fault::StateUnreadable, 503, 1011, 4503),
            (Fault::StoreFailed, 503, 1011, 4503),
            (Fault::ShuttingDown, 503, 1001, 4503),
            (Fault::Elsewhere, 503, 1001, 4503),
        ];
        for (fault, status, plain, mirror) in rows {
            let row = of(fault);
            assert_eq!(
                (row.status, row.plain, row.mirror),
                (status, plain, mirror),
                "{fault:?}"
            );
            assert_eq!(row.close_code(CloseCodes::Plain), plain);
            assert_eq!(row.close_code(CloseCodes::Mirror), mirror);
        }
    }
}
