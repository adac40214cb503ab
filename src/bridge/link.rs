//! One connection to Redis.
//!
//! Owns [`Link`]: finding, connecting, signing in, sending and receiving, each within a time. Must not know
//! boards. Key invariants: nothing here blocks the executor, and no wait is without end but
//! [`Link::receive`], whose caller sets one; an error holds neither credentials nor what Redis wrote. Tests
//! are in `tests/it/redis.rs`, with servers that misbehave.

use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::time::Duration;

use async_io::Timer;
use redis::{Cmd, Value, cmd};
use smol::future::FutureExt as _;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::TcpStream;

use crate::bridge::address::Address;
use crate::bridge::replies::{BadReply, Replies};
use crate::limits;

/// Why there is no connection, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// The name has no address, or nothing listens there.
    Connect(ErrorKind),
    /// It ended.
    Ended(ErrorKind),
    /// Redis took too long.
    TimedOut,
    /// What came is not what Redis sends.
    Bad(BadReply),
    /// Redis answered something else than was to be expected.
    Unexpected,
    /// Redis wants a password.
    PasswordNeeded,
    /// Redis does not know user and password.
    PasswordWrong,
    /// The user may not do it.
    NoPermission,
    /// Redis refused for another reason.
    Refused,
    /// It was not tried yet.
    NotYet,
    /// The server's own task failed.
    Internal,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(kind) => write!(f, "cannot connect: {kind}"),
            Self::Ended(kind) => write!(f, "the connection ended: {kind}"),
            Self::TimedOut => f.write_str("Redis does not answer in time"),
            Self::Bad(BadReply::Nonsense) => f.write_str("what answers is not Redis"),
            Self::Bad(BadReply::TooLarge) => f.write_str("Redis sent a value that is too large"),
            Self::Unexpected => f.write_str("Redis answered something unexpected"),
            Self::PasswordNeeded => f.write_str("Redis asks for a password"),
            Self::PasswordWrong => f.write_str("Redis does not accept user and password"),
            Self::NoPermission => f.write_str("the Redis user has not the permission it needs"),
            Self::Refused => f.write_str("Redis refuses the command"),
            Self::NotYet => f.write_str("not connected yet"),
            Self::Internal => f.write_str("a task of the bridge failed"),
        }
    }
}

impl std::error::Error for LinkError {}

impl From<BadReply> for LinkError {
    fn from(bad: BadReply) -> Self {
        Self::Bad(bad)
    }
}

/// A connection that is signed in.
pub(crate) struct Link {
    stream: TcpStream,
    replies: Replies,
    chunk: Box<[u8]>,
    /// What of the chunk is not parsed yet.
    unread: std::ops::Range<usize>,
}

/// Bytes read at a time.
const CHUNK_BYTES: usize = 16 * 1024;

impl Link {
    /// Connects, signs in and looks whether Redis answers.
    ///
    /// # Errors
    /// [`LinkError`].
    pub(crate) async fn open(address: &Address) -> Result<Self, LinkError> {
        within(limits::REDIS_CONNECT_TIME_MAX, async {
            // Names are resolved on the blocking pool.
            let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
            let stream = stream.map_err(|error| LinkError::Connect(error.kind()))?;
            stream
                .set_nodelay(true)
                .map_err(|error| LinkError::Connect(error.kind()))?;
            let mut link = Self {
                stream,
                replies: Replies::default(),
                chunk: vec![0; CHUNK_BYTES].into(),
                unread: 0..0,
            };
            if let Some(password) = &address.password {
                let user = address.user.as_deref();
                let auth = cmd("AUTH").arg(user).arg(password).to_owned();
                link.expect(&auth, |reply| *reply == Value::Okay).await?;
            }
            if address.database != 0 {
                let select = cmd("SELECT").arg(address.database).to_owned();
                link.expect(&select, |reply| *reply == Value::Okay).await?;
            }
            link.expect(&cmd("PING"), is_pong).await?;
            Ok(link)
        })
        .await
    }

    /// Sends a command and takes its reply, which must be as `expected`.
    ///
    /// # Errors
    /// [`LinkError`].
    pub(crate) async fn expect(
        &mut self,
        command: &Cmd,
        expected: impl Fn(&Value) -> bool,
    ) -> Result<(), LinkError> {
        self.send(&command.get_packed_command()).await?;
        let reply = self.answer().await?;
        match refusal(&reply) {
            Some(error) => Err(error),
            None => expected(&reply).then_some(()).ok_or(LinkError::Unexpected),
        }
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// [`LinkError`]; the connection is of no more use.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let write = async {
            let written = self.stream.write_all(bytes).await;
            written.map_err(|error| LinkError::Ended(error.kind()))
        };
        within(limits::REDIS_ANSWER_TIME_MAX, write).await
    }

    /// As [`Self::receive`], for an answer that is due.
    ///
    /// # Errors
    /// [`LinkError`]; an error that Redis answers with is a value.
    pub(crate) async fn answer(&mut self) -> Result<Value, LinkError> {
        within(limits::REDIS_ANSWER_TIME_MAX, self.receive()).await
    }

    /// The next value, whenever it comes.
    ///
    /// # Errors
    /// [`LinkError`]; the connection is of no more use.
    ///
    /// # Cancellation
    /// Nothing is lost.
    pub(crate) async fn receive(&mut self) -> Result<Value, LinkError> {
        loop {
            let mut bytes = self.chunk.get(self.unread.clone()).unwrap_or_default();
            let value = self.replies.next(&mut bytes)?;
            self.unread.start = self.unread.end.saturating_sub(bytes.len());
            if let Some(value) = value {
                return Ok(value);
            }
            // A peer that never stops must not keep the timers beside it from being looked at.
            smol::future::yield_now().await;
            let read = self.stream.read(&mut self.chunk).await;
            self.unread = 0..read.map_err(|error| LinkError::Ended(error.kind()))?;
            if self.unread.is_empty() {
                return Err(LinkError::Ended(ErrorKind::UnexpectedEof));
            }
        }
    }
}

/// What an error that Redis answers with means; `None` for any other value.
pub(crate) fn refusal(reply: &Value) -> Option<LinkError> {
    let Value::ServerError(error) = reply else {
        return None;
    };
    Some(match error.code() {
        "NOAUTH" => LinkError::PasswordNeeded,
        "WRONGPASS" => LinkError::PasswordWrong,
        "NOPERM" => LinkError::NoPermission,
        _ => LinkError::Refused,
    })
}

/// The answer to a PING, whether or not something is subscribed to.
pub(crate) fn is_pong(reply: &Value) -> bool {
    match reply {
        Value::SimpleString(text) => text == "PONG",
        Value::Array(parts) => parts.first() == Some(&Value::BulkString(b"pong".to_vec())),
        _ => false,
    }
}

/// Gives up after a time.
async fn within<T>(time: Duration, work: impl Future<Output = Result<T, LinkError>>) -> Result<T, LinkError> {
    let timeout = async {
        Timer::after(time).await;
        Err(LinkError::TimedOut)
    };
    work.or(timeout).await
}
