//! A peer's TCP stream, whatever it speaks, for thousands that are idle.
//!
//! Owns receiving through one shared buffer per thread, what was received ahead, so that an idle connection
//! holds nothing, sending in turns, and the orderly end. Must not know requests or frames. Key invariants: no
//! system call is made for a socket that is known to be empty or full; memory grows no further than
//! [`Socket::ahead_after`] said, but for what [`Socket::held`] says of an encrypted one. What is encrypted
//! and what is not are told apart here and nowhere above.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use smol::future::yield_now;

use crate::net::pace::Leaving;
use crate::net::poller::{Direction, Registered};
use crate::net::secured::Secured;
use crate::net::within;
use crate::room::outgoing::Line;
use crate::ws::reader::{make_room, room_after};

/// Bytes taken from the kernel at once, at most; what the reader does not use at once is kept until it does.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// Bytes of something large that one task writes before others get their turn: an answer may be as large as a
/// board, and a kernel takes megabytes of it at once.
pub(crate) const WRITE_TURN_BYTES: usize = 256 * 1024;

/// Bytes taken at once of an encrypted peer, at least: less would be many system calls for one record.
const SECURED_READ_BYTES_MIN: usize = 1024;

/// Reads in a row that say nothing before others get their turn.
const DRY_READS_MAX: usize = 4;

thread_local! {
    /// Where bytes are received, so that a connection that waits for some holds no room for them.

    static RECEIVE: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A non-blocking TCP stream with the bytes read ahead of it.
#[derive(Debug)]
pub(crate) struct Socket {
    io: Arc<Registered<TcpStream>>,
    /// The kernel may have bytes for us.
    readable: bool,
    /// Received, and not used yet.
    ahead: Vec<u8>,
    ahead_at: usize,

    /// Bytes that may be received before other tasks get their turn.
    allowance: usize,
    /// Bytes received since this was last asked.
    received: usize,
    /// Set where it is encrypted.
    secured: Option<Box<Decrypted>>,
}

/// What an encrypted peer has said, and how.
#[derive(Debug)]
struct Decrypted {
    by: Arc<Secured>,
    /// Said, and not received yet: a record may say more than was asked for.
    plain: Vec<u8>,
    plain_at: usize,
    /// Memory held of what is no whole record.
    held: usize,
}

impl Socket {
    /// Wraps `io`, of which nothing was read yet.
    pub(crate) fn new(io: Registered<TcpStream>) -> Self {
        Self {
            io: Arc::new(io),
            // The poller tells when there is something.
            readable: false,
            ahead: Vec::new(),
            ahead_at: 0,
            received: 0,
            allowance: usize::MAX,
            secured: None,
        }
    }

    /// Goes on encrypted, where keys were agreed on; `plain` was said already.
    pub(crate) fn secure(&mut self, by: Arc<Secured>, plain: Vec<u8>) {
        self.secured = Some(Box::new(Decrypted {
            by,
            plain,
            plain_at: 0,
            held: 0,
        }));
    }

    /// Its sending half, for who sends to many.
    pub(crate) fn line(&self) -> Arc<dyn Line> {
        match &self.secured {
            Some(secured) => Arc::clone(&secured.by) as Arc<dyn Line>,
            None => Arc::clone(&self.io) as Arc<dyn Line>,
        }
    }

    /// Lets about `bytes` be received before others must have their turn: a message that never completes
    /// would keep it reading for as long as its sender keeps up.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// How many bytes were received since the last call.
    pub(crate) fn take_received(&mut self) -> usize {
        std::mem::take(&mut self.received)
    }

    /// Counts of what was received only what is [`Self::ahead`]: the rest was for somebody else.
    pub(crate) fn forget_received(&mut self) {
        self.received = self.ahead().len();
    }

    /// Writes what the kernel takes of `bytes`; `Pending` once it takes nothing, and the task will be woken.
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write(cx, || self.write(bytes, &[]))
    }

    /// Writes what the kernel takes of `bytes` right now; an error shows at the next [`Self::poll_send`].
    pub(crate) fn send_now(&self, bytes: &[u8]) -> usize {
        match &self.secured {
            Some(secured) => Line::send(&*secured.by, bytes),
            None => self.io.send(bytes),
        }
    }

    /// Sends what an encryption has made to be sent.
    pub(crate) async fn flush(&self, by: &Secured) -> io::Result<()> {
        let flush = || by.flush().map(|()| 1);
        poll_fn(|cx| self.poll_write(cx, flush)).await.map(drop)
    }

    /// `Ready` once the peer takes nothing any more, though nothing is sent to it.
    pub(crate) fn poll_cut(&self, cx: &Context<'_>) -> Poll<()> {
        self.io.poll_over(cx, Direction::Write)
    }

    /// Ends the sending half.
    ///
    /// # Errors
    /// The peer is gone.
    pub(crate) fn end(&self) -> io::Result<()> {
        match &self.secured {
            Some(secured) => secured.by.end(),
            None => self.io.get_ref().shutdown(Shutdown::Write),
        }
    }

    /// What it stands on, for somebody who may have to cut it.
    pub(crate) fn registered(&self) -> &Arc<Registered<TcpStream>> {
        &self.io
    }

    /// Writes what the kernel takes of two runs of bytes.
    fn write(&self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let mut stream = self.io.get_ref();
        match &self.secured {
            Some(secured) => secured.by.send(first, second),
            None if second.is_empty() => stream.write(first),
            None => stream.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]),
        }
    }

    fn poll_write(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                other => return Poll::Ready(other),
            }
            ready!(self.io.poll_ready(cx, Direction::Write));
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Cancellation
    /// Any prefix may have been written.
    pub(crate) async fn send_all(&self, bytes: &[u8]) -> io::Result<()> {
        self.send_paced(bytes, &[], Leaving::Whole(Duration::MAX)).await
    }

    /// Writes two runs of bytes as one, without copying them together, in the time that they may take.
    ///
    /// # Cancellation
    /// Any prefix may have been written.
    pub(crate) async fn send_paced(
        &self,
        mut first: &[u8],
        mut second: &[u8],
        leaving: Leaving,
    ) -> io::Result<()> {
        let (began, mut all) = (Instant::now(), 0);
        while !(first.is_empty() && second.is_empty()) {
            let turn = first.get(..WRITE_TURN_BYTES).unwrap_or(first);
            let left = WRITE_TURN_BYTES.saturating_sub(turn.len());
            let more = second.get(..left).unwrap_or(second);
            let write = poll_fn(|cx| self.poll_write(cx, || self.write(turn, more)));
            let sent = within(leaving.left(all, began.elapsed()), write).await??;
            all += sent;
            second = second.get(sent.saturating_sub(first.len())..).unwrap_or_default();
            first = first.get(sent..).unwrap_or_default();
            if sent == WRITE_TURN_BYTES {
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Ends the sending half, then reads and forgets what still comes, until the peer ends its half too.
    ///
    /// Closing a socket with unread bytes makes the kernel reset the connection, and the peer may then never
    /// see the last frames that it was sent.
    pub(crate) async fn drain(&mut self) {
        if self.end().is_err() {
            return;
        }
        self.use_ahead(usize::MAX);
        self.allowance = usize::MAX;
        while matches!(self.receive_into(READ_BYTES, <[u8]>::len).await, Ok(1..)) {}
    }

    /// What was received and not used.
    pub(crate) fn ahead(&self) -> &[u8] {
        self.ahead.get(self.ahead_at..).unwrap_or_default()
    }

    /// Memory held of it.
    pub(crate) fn ahead_held(&self) -> usize {
        self.ahead.capacity()
    }

    /// Memory held of all that came, what an encrypted peer has said but in part with it:
    /// `limits::TLS_HELD_BYTES_MAX` and as much as is read at once, at most.
    pub(crate) fn held(&self) -> usize {
        let secured = self.secured.as_ref();
        self.ahead_held() + secured.map_or(0, |secured| secured.plain.capacity() + secured.held)
    }

    /// Drops the first `bytes` of what was received and not used.
    pub(crate) fn use_ahead(&mut self, bytes: usize) {
        self.ahead_at = self.ahead_at.saturating_add(bytes);
        if self.ahead_at >= self.ahead.len() {
            self.ahead = Vec::new();
            self.ahead_at = 0;
        }
    }

    /// Moves what was not used to where what was used lay, so that there is room behind it.
    pub(crate) fn settle_ahead(&mut self) {
        self.ahead.drain(..self.ahead_at.min(self.ahead.len()));
        self.ahead_at = 0;
    }

    /// The most that [`Self::ahead_held`] can be once so many more bytes were received and not used.
    pub(crate) fn ahead_after(&self, more: usize) -> usize {
        room_after(&self.ahead, more, usize::MAX)
    }

    /// Waits until there is something to receive, or the end, and receives nothing.
    pub(crate) async fn readable(&mut self) -> io::Result<()> {
        loop {
            poll_fn(|cx| self.poll_readable(cx)).await;
            if self.has_plain() {
                return Ok(());
            }
            // What was told may have been received since, and who counts on something would wait for it
            // without a bound.
            match self.io.get_ref().peek(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(|_| ()),
            }
        }
    }

    /// Whether an encrypted peer has said something that was not received.
    fn has_plain(&self) -> bool {
        self.secured
            .as_ref()
            .is_some_and(|secured| !secured.plain.is_empty())
    }

    fn poll_readable(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.readable && !self.has_plain() {
            ready!(self.io.poll_ready(cx, Direction::Read));
            self.readable = true;
        }
        Poll::Ready(())
    }

    /// Receives up to `bytes_max` bytes behind what is [`Self::ahead`]; zero at the end.
    pub(crate) async fn receive(&mut self, bytes_max: usize) -> io::Result<usize> {
        self.receive_into(bytes_max, |_| 0).await
    }

    async fn receive_into(
        &mut self,
        bytes_max: usize,
        mut sink: impl FnMut(&[u8]) -> usize,
    ) -> io::Result<usize> {
        let received = poll_fn(|cx| self.poll_receive(cx, bytes_max, &mut sink)).await?;
        if received == bytes_max {
            // There is more, for all we know: others have their turn first, and so does the timer beside
            // this.
            yield_now().await;
        }
        Ok(received)
    }

    /// Receives up to `bytes_max` bytes; `sink` tells how many of them it used, and the others are kept,
    /// behind what is [`Self::ahead`]. Zero at the end.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        bytes_max: usize,
        mut sink: impl FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        if self.allowance == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        for _ in 0..DRY_READS_MAX {
            ready!(self.poll_readable(cx));
            match RECEIVE.with_borrow_mut(|buffer| self.read(buffer, bytes_max, &mut sink)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Poll::Ready(other),
            }
        }
        // Records that say nothing may come for as long as their sender keeps up.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn read(
        &mut self,
        buffer: &mut [u8],
        bytes_max: usize,
        sink: impl FnOnce(&[u8]) -> usize,
    ) -> io::Result<usize> {
        if self.secured.is_some() {
            return self.read_secured(buffer, bytes_max, sink);
        }
        let end = bytes_max.min(buffer.len());
        let received = self
            .io
            .get_ref()
            .read(buffer.get_mut(..end).unwrap_or_default())?;
        // A short read has emptied the socket; the poller tells when there is more.
        self.readable = received == end;
        self.allowance = self.allowance.saturating_sub(received);
        self.hand_over(buffer.get(..received).unwrap_or_default(), sink);
        Ok(received)
    }

    /// Gives what was received to who asked for it, and keeps what that does not use.
    fn hand_over(&mut self, bytes: &[u8], sink: impl FnOnce(&[u8]) -> usize) {
        self.received += bytes.len();
        let used = sink(bytes);
        let kept = bytes.get(used..).unwrap_or_default();
        if !self.ahead.is_empty() {
            // More of it may come bit by bit.
            make_room(&mut self.ahead, kept.len(), usize::MAX);
        }
        self.ahead.extend_from_slice(kept);
    }

    /// The same of an encrypted peer; `Interrupted` where what came says nothing yet.
    fn read_secured(
        &mut self,
        buffer: &mut [u8],
        bytes_max: usize,
        sink: impl FnOnce(&[u8]) -> usize,
    ) -> io::Result<usize> {
        let Some(mut secured) = self.secured.take() else {
            return Err(io::ErrorKind::Interrupted.into());
        };
        let read = match secured.plain.is_empty() {
            true => self.fill(&mut secured, buffer, bytes_max),
            false => Ok(()),
        };
        let said = secured.plain.get(secured.plain_at..).unwrap_or_default();
        let said = said.get(..bytes_max).unwrap_or(said);
        let received = said.len();
        if received > 0 {
            self.hand_over(said, sink);
        }
        secured.plain_at += received;
        if secured.plain_at >= secured.plain.len() {
            (secured.plain, secured.plain_at) = (Vec::new(), 0);
        }
        let has_ended = secured.by.session().has_ended();
        self.secured = Some(secured);
        match read {
            _ if received > 0 => Ok(received),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(error),
            Ok(()) if has_ended => Ok(0),
            Ok(()) => Err(io::ErrorKind::Interrupted.into()),
        }
    }

    /// Reads records, and takes what they say; `UnexpectedEof` where the peer ends without a word.
    fn fill(&mut self, secured: &mut Decrypted, buffer: &mut [u8], bytes_max: usize) -> io::Result<()> {
        let end = bytes_max.max(SECURED_READ_BYTES_MIN).min(buffer.len());
        let mut stream = self.io.get_ref();
        let received = stream.read(buffer.get_mut(..end).unwrap_or_default())?;
        self.readable = received == end;
        self.allowance = self.allowance.saturating_sub(received);
        if received == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = buffer.get(..received).unwrap_or_default();
        secured.held = secured.by.take(bytes, &mut secured.plain)?;
        Ok(())
    }
}

impl Line for Registered<TcpStream> {
    fn send(&self, bytes: &[u8]) -> usize {
        let sent = self.get_ref().write(bytes).unwrap_or(0);
        self.flushed.fetch_add(sent as u64, Ordering::Relaxed);
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn pair() -> (Socket, std::net::TcpStream) {
        let (stream, peer) = crate::net::poller::pair();
        (Socket::new(stream), peer)
    }

    /// Polls once, and sees that the work lets others have their turn and comes back by itself.
    fn takes_turns<T>(work: impl Future<Output = T>) {
        let work = std::pin::pin!(work);
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        assert!(work.poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(woken.0.load(Ordering::Relaxed) > 0, "it comes back by itself");
    }

    /// Polls once, and tells how many bytes the peer has then.
    fn sent_in_one_turn<T>(sending: impl Future<Output = T>, peer: &mut std::net::TcpStream) -> usize {
        takes_turns(sending);
        peer.set_nonblocking(true).unwrap();
        let mut got = 0;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match peer.read(&mut buffer) {
                Ok(n) => got += n,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return got;
                }
            }
        }
    }

    #[test]
    fn a_writer_that_had_its_turn_lets_others_have_theirs() {
        let (head, body) = (vec![7; 100], vec![8; 8 << 20]);
        let leaving = Leaving::Whole(Duration::from_secs(60));
        let (socket, mut peer) = pair();
        let sent = sent_in_one_turn(socket.send_all(&body), &mut peer);
        assert!((1..=WRITE_TURN_BYTES).contains(&sent), "{sent}");
        let (socket, mut peer) = pair();
        let sent = sent_in_one_turn(socket.send_paced(&head, &body, leaving), &mut peer);
        assert!((1..=WRITE_TURN_BYTES).contains(&sent), "{sent}");
    }

    #[test]
    fn what_still_comes_at_the_end_is_forgotten_in_turns() {
        let (mut socket, mut peer) = pair();
        peer.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(more) = peer.write(&[7; READ_BYTES]) {
            sent += more;
        }
        assert!(sent > READ_BYTES, "{sent}");
        smol::block_on(socket.readable()).unwrap();
        takes_turns(socket.drain());
        let first = socket.take_received();
        assert!((1..=READ_BYTES).contains(&first), "{first}");
        smol::block_on(smol::future::zip(socket.drain(), async { drop(peer) }));
        assert_eq!((first + socket.take_received(), socket.ahead_held()), (sent, 0));
    }

    #[test]
    fn what_is_received_ahead_takes_no_more_memory_than_was_said_before() {
        let (mut socket, mut peer) = pair();
        let mut all = 0;

        for bytes in [2_000, 1_000, 300, 1_000, 1] {
            peer.write_all(&vec![7; bytes]).unwrap();
            smol::block_on(socket.readable()).unwrap();
            let most = socket.ahead_after(bytes);
            assert_eq!(smol::block_on(socket.receive(READ_BYTES)).unwrap(), bytes);
            all += bytes;
            assert_eq!(socket.ahead().len(), all);
            assert!((all..=most).contains(&socket.ahead_held()), "{bytes}");
            assert!(most <= all + all / 4 + 256, "{most} for {all}");
        }
        socket.use_ahead(1_001);
        socket.settle_ahead();
        assert_eq!(socket.ahead().len(), all - 1_001);
        assert_eq!(socket.ahead_after(1_000), socket.ahead_held(), "there is room");
    }

    #[test]
    fn what_is_not_used_is_kept_and_nothing_is_lost() {
        let (mut socket, mut peer) = pair();
        peer.write_all(b"ahead").unwrap();
        assert_eq!(smol::block_on(socket.receive(64)).unwrap(), 5);
        peer.write_all(b" and more").unwrap();
        drop(peer);
        let mut got = Vec::new();
        while got.len() < b"ahead".len() {
            got.push(socket.ahead()[0]);
            socket.use_ahead(1);
        }
        assert_eq!((socket.ahead(), socket.ahead_held()), (&b""[..], 0));
        smol::block_on(poll_fn(|cx| {
            socket.poll_receive(cx, 6, |bytes| {
                got.extend_from_slice(&bytes[..4]);
                4
            })
        }))
        .unwrap();
        assert_eq!(socket.ahead(), b" m");
        got.extend_from_slice(socket.ahead());
        socket.use_ahead(2);
        let rest = |bytes: &[u8]| {
            got.extend_from_slice(bytes);
            bytes.len()
        };
        let mut rest = rest;
        while smol::block_on(poll_fn(|cx| socket.poll_receive(cx, 64, &mut rest))).unwrap() > 0 {}
        assert_eq!(got, b"ahead and more");
        assert_eq!(socket.take_received(), got.len());
        assert_eq!(socket.take_received(), 0);
    }

    #[test]
    fn a_reader_that_had_its_allowance_lets_others_have_their_turn() {
        let (mut socket, mut peer) = pair();
        peer.write_all(b"abcdef").unwrap();
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = &mut Context::from_waker(&waker);
        smol::block_on(socket.readable()).unwrap();
        socket.allow(2);
        let mut receive = |socket: &mut Socket| socket.poll_receive(cx, 2, <[u8]>::len);
        assert!(matches!(receive(&mut socket), Poll::Ready(Ok(2))));
        assert!(receive(&mut socket).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "it comes back by itself");
        socket.allow(1);
        assert!(matches!(receive(&mut socket), Poll::Ready(Ok(2))));
    }
}
