//! The closed list of ways a request is refused or a connection ended, by cause.
//!
//! Owns [`Fault`]. What goes on the wire for each (HTTP status, close code, words) and into the log is
//! decided in one table, `net::disposition`; lower layers only name the cause. Payloads are our own numbers
//! and words, never a peer's text.

use std::fmt;

/// Why a request is refused or a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// No credential was sent where one is needed.
    NoCredential,
    /// A credential that was sent does not verify.
    InvalidCredential,
    /// A credential has expired or was revoked, also mid-session.
    ExpiredCredential,
    /// The credential gives no level on this board, also when it is taken away mid-session.
    NoPermission,
    /// Whoever manages the board has paused the API key that was sent, also mid-session.
    AgentPaused,
    /// There is no such board.
    NoSuchBoard,
    /// The board was deleted; its id is never used again.
    BoardDeleted,
    /// The path's board id breaks the rules of `ids::BoardId`.
    InvalidBoardId,
    /// A message does not decode.
    MalformedMessage,
    /// An update does not decode, or would make a stock client throw.
    MalformedUpdate,
    /// A message is over `--max-message-bytes`.
    MessageTooLarge,
    /// An update would take the board over one of its budgets.
    OverBudget,
    /// An update would take the bytes of its board's owner over `--max-bytes-per-owner`, or a board given
    /// away would.
    OwnerFull,
    /// Whoever would own the board has `--max-boards-per-owner` already.
    TooManyBoards,
    /// An update, or what it makes stock clients do, would cost work or memory out of proportion to its
    /// bytes.
    TooCostly,
    /// The peer sent a text frame.
    TextFrame,
    /// The peer broke RFC 6455.
    WebSocketProtocol,
    /// The peer reads too slowly: more than `--max-outbox-bytes` behind.
    SlowConsumer,
    /// A bound on connections is reached.
    TooManyConnections,
    /// Nothing was received for `limits::SILENCE_MAX`, or the socket broke.
    ConnectionLost,
    /// The board's stored state cannot be read.
    StateUnreadable,
    /// The disk refuses writes.
    StoreFailed,
    /// The server is shutting down.
    ShuttingDown,
    /// Another node has the board, or will have it: this one may serve it no more.
    Elsewhere,
    /// A bug of ours: a panic was caught.
    Internal,
}

impl Fault {
    /// Every variant, for tests and for tables that must cover them all.
    pub const ALL: [Self; 25] = [
        Self::NoCredential,
        Self::InvalidCredential,
        Self::ExpiredCredential,
        Self::NoPermission,
        Self::AgentPaused,
        Self::NoSuchBoard,
        Self::BoardDeleted,
        Self::InvalidBoardId,
        Self::MalformedMessage,
        Self::MalformedUpdate,
        Self::MessageTooLarge,
        Self::OverBudget,
        Self::OwnerFull,
        Self::TooManyBoards,
        Self::TooCostly,
        Self::TextFrame,
        Self::WebSocketProtocol,
        Self::SlowConsumer,
        Self::TooManyConnections,
        Self::ConnectionLost,
        Self::StateUnreadable,
        Self::StoreFailed,
        Self::ShuttingDown,
        Self::Elsewhere,
        Self::Internal,
    ];

    /// The stable word for it, in problem documents, metrics and the audit log.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoCredential => "unauthenticated",
            Self::InvalidCredential => "invalid_credential",
            Self::ExpiredCredential => "expired_credential",
            Self::NoPermission => "forbidden",
            Self::AgentPaused => "agent_paused",
            Self::NoSuchBoard => "no_such_board",
            Self::BoardDeleted => "board_deleted",
            Self::InvalidBoardId => "invalid_board_id",
            Self::MalformedMessage => "malformed_message",
            Self::MalformedUpdate => "malformed_update",
            Self::MessageTooLarge => "message_too_large",
            Self::OverBudget => "board_too_large",
            Self::OwnerFull => "owner_full",
            Self::TooManyBoards => "too_many_boards",
            Self::TooCostly => "too_costly",
            Self::TextFrame => "text_frame",
            Self::WebSocketProtocol => "websocket_protocol",
            Self::SlowConsumer => "slow_consumer",
            Self::TooManyConnections => "too_many_connections",
            Self::ConnectionLost => "connection_lost",
            Self::StateUnreadable => "state_unreadable",
            Self::StoreFailed => "store_failed",
            Self::ShuttingDown => "shutting_down",
            Self::Elsewhere => "board_elsewhere",
            Self::Internal => "internal",
        }
    }

    /// Whether it is about what somebody may do, rather than about the board or the server.
    #[must_use]
    pub fn is_of_rights(self) -> bool {
        matches!(
            self,
            Self::NoCredential
                | Self::InvalidCredential
                | Self::ExpiredCredential
                | Self::NoPermission
                | Self::AgentPaused
        )
    }
}

/// An error and its causes in one line; an error's own text leaves its cause out.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCredential => "no credential",
            Self::InvalidCredential => "invalid credential",
            Self::ExpiredCredential => "expired credential",
            Self::NoPermission => "no permission",
            Self::AgentPaused => "API key paused",
            Self::NoSuchBoard => "no such board",
            Self::BoardDeleted => "board deleted",
            Self::InvalidBoardId => "invalid board id",
            Self::MalformedMessage => "malformed message",
            Self::MalformedUpdate => "malformed update",
            Self::MessageTooLarge => "message too large",
            Self::OverBudget => "board over its budget",
            Self::OwnerFull => "owner over its bytes",
            Self::TooManyBoards => "owner has too many boards",
            Self::TooCostly => "out of proportion to its bytes",
            Self::TextFrame => "text frame",
            Self::WebSocketProtocol => "WebSocket protocol violation",
            Self::SlowConsumer => "slow consumer",
            Self::TooManyConnections => "too many connections",
            Self::ConnectionLost => "connection lost",
            Self::StateUnreadable => "stored state unreadable",
            Self::StoreFailed => "disk refuses writes",
            Self::ShuttingDown => "shutting down",
            Self::Elsewhere => "board on another node",
            Self::Internal => "internal error",
        })
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = crate::server::StartError::System(std::io::Error::other("no threads left"));
        let told = "cannot start threads or signal handlers: no threads left";
        assert_eq!(causes(&error), told);
    }
}
