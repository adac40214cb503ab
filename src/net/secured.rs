//! An encrypted connection on its socket: what is sent and received, for whoever does either.
//!
//! Owns [`Secured`]. Must not know who sends, nor wait: what would have to wait is `WouldBlock`. Key
//! invariants: bytes are told as sent once the kernel has all of their record; what one sender could not send
//! the next one, who begins with the same bytes, does not send twice; it holds one record of what the kernel
//! does not take, at most. Its lock is held over a system call that does not block, and no room's lock is
//! taken under it. Tests: tests/it/tls.rs.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::net::TcpStream;

use crate::net::poller::Registered;
use crate::room::outgoing::Line;
use crate::tls::{RECORD_BYTES, SEALED_BYTES, Session};

thread_local! {
    /// Where what goes into one record is joined, and where it is sealed.
    static SCRATCH: RefCell<[Vec<u8>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// A TLS session, and the stream that it goes over.
pub(crate) struct Secured {
    io: Arc<Registered<TcpStream>>,
    session: Mutex<Session>,
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secured({:?})", self.io)
    }
}

impl Secured {
    /// A session of which nothing was said yet.
    pub(crate) fn new(io: Arc<Registered<TcpStream>>, session: Session) -> Self {
        Self {
            io,
            session: Mutex::new(session),
        }
    }

    pub(crate) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what came, and adds what it says to `plain`; how much is held of records that are not whole.
    ///
    /// # Errors
    /// The peer speaks no TLS; it was told so.
    pub(crate) fn take(&self, bytes: &[u8], plain: &mut Vec<u8>) -> io::Result<usize> {
        let session = &mut *self.session();
        let taken = session.take(bytes, plain);
        // What it makes us say leaves now, or before what is said next.
        match self.flush_now(session) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        taken?;
        Ok(session.held())
    }

    /// Sends what was made to be sent.
    ///
    /// # Errors
    /// `WouldBlock` where the kernel does not take all of it; the peer is gone.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.flush_now(&mut self.session())
    }

    fn flush_now(&self, session: &mut Session) -> io::Result<()> {
        while !session.going().is_empty() {
            let sent = self.write(session.going())?;
            session.gone(sent);
        }
        Ok(())
    }

    /// Writes what the kernel takes, something at least.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.io.get_ref().write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                other => return other,
            }
        }
    }

    /// Sends what the kernel takes of two runs of bytes; how much of them that is.
    ///
    /// # Errors
    /// `WouldBlock` where that is nothing; the peer is gone.
    pub(crate) fn send(&self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let session = &mut *self.session();
        let mut told = 0;
        loop {
            match self.send_record(session, rest_of(first, second, told)) {
                Ok(0) => return Ok(told),
                Ok(sent) => told += sent,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && told > 0 => return Ok(told),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends one record; how many bytes it says, of those given. Zero where none are.
    fn send_record(&self, session: &mut Session, (first, second): (&[u8], &[u8])) -> io::Result<usize> {
        self.flush_now(session)?;
        let untold = session.take_untold();
        if !untold.is_empty() && begin_with(first, second, &untold) {
            return Ok(untold.len());
        }
        if first.is_empty() && second.is_empty() {
            return Ok(0);
        }
        SCRATCH.with_borrow_mut(|[joined, sealed]| {
            let plain = match (first, second) {
                (first, _) if first.len() >= RECORD_BYTES => first,
                (first, []) => first,
                ([], second) => second,
                (first, second) => {
                    joined.clear();
                    joined.extend_from_slice(first);
                    let left = RECORD_BYTES.saturating_sub(first.len()).min(second.len());
                    joined.extend_from_slice(second.get(..left).unwrap_or_default());
                    joined
                }
            };
            let plain = plain.get(..RECORD_BYTES).unwrap_or(plain);
            sealed.resize(SEALED_BYTES, 0);
            let Some(length) = session.seal(plain, sealed)? else {
                // Something else is to leave first.
                return Err(io::ErrorKind::Interrupted.into());
            };
            let mut record = sealed.get(..length).unwrap_or_default();
            while !record.is_empty() {
                match self.write(record) {
                    Ok(sent) => record = record.get(sent..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        session.keep_going(record, plain);
                        return Err(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(plain.len())
        })
    }

    /// Says that no more is said, and ends the sending half.
    ///
    /// # Errors
    /// The peer is gone.
    pub(crate) fn end(&self) -> io::Result<()> {
        let session = &mut *self.session();
        session.close();
        // Where the kernel takes no more, the end of the stream says the same.
        self.flush_now(session).unwrap_or_default();
        self.io.get_ref().shutdown(Shutdown::Write)
    }
}

/// Two runs of bytes without the first so many.
fn rest_of<'a>(first: &'a [u8], second: &'a [u8], bytes: usize) -> (&'a [u8], &'a [u8]) {
    match first.get(bytes..) {
        Some(first) => (first, second),
        None => (
            &[],
            second
                .get(bytes.saturating_sub(first.len())..)
                .unwrap_or_default(),
        ),
    }
}

/// Whether two runs of bytes, one behind the other, begin with these.
fn begin_with(first: &[u8], second: &[u8], bytes: &[u8]) -> bool {
    match bytes.split_at_checked(first.len()) {
        Some((head, tail)) => head == first && second.starts_with(tail),
        None => first.starts_with(bytes),
    }
}

impl Line for Secured {
    fn send(&self, bytes: &[u8]) -> usize {
        let sent = Self::send(self, bytes, &[]).unwrap_or(0);
        self.io.flushed.fetch_add(sent as u64, Ordering::Relaxed);
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_bytes_are_one() {
        for cut in 0..=4 {
            let (first, second) = b"abcd".split_at(cut);
            for end in 0..=4 {
                assert!(begin_with(first, second, &b"abcd"[..end]));
                let (a, b) = rest_of(first, second, end);
                assert_eq!([a, b].concat(), b"abcd"[end..], "{cut} {end}");
            }
            assert!(!begin_with(first, second, b"abcde") && !begin_with(first, second, b"abd"));
        }
    }
}
