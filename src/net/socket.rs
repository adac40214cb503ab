//! A TCP stream for thousands of idle WebSocket connections.
//!
//! Owns reading through one shared buffer per thread, so that an idle connection holds none, and the control frames that
//! answer the peer's (pongs, our half of a closing handshake), which the connection puts between its own frames. Must not
//! know WebSocket frames. Key invariant: no system call is made for a socket that is known to be empty or full.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::task::{Context, Poll, ready};

use async_io::Async;

/// Bytes taken from the kernel at once; what the reader does not use at once is kept until it does.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// Bytes of something large that one task writes before others get their turn: an answer may be as large as a board, and
/// a kernel takes megabytes of it at once.
pub(crate) const WRITE_TURN_BYTES: usize = 256 * 1024;

thread_local! {
    static RECEIVE: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A non-blocking TCP stream with the bytes read ahead of it.
#[derive(Debug)]
pub(crate) struct Socket {
    io: Async<TcpStream>,
    /// The kernel may have bytes for us.
    readable: bool,
    /// Received, and not used yet.
    ahead: Vec<u8>,
    ahead_at: usize,
    /// Answers to control frames, not yet taken by the connection.
    control: Vec<u8>,
    /// Bytes that may be received before other tasks get their turn.
    allowance: usize,
    /// Bytes received since this was last asked.
    received: usize,
}

impl Socket {
    /// Wraps `io`, of which `ahead` was already read.
    pub(crate) fn new(io: Async<TcpStream>, ahead: Vec<u8>) -> Self {
        let received = ahead.len();
        Self {
            io,
            readable: true,
            ahead,
            ahead_at: 0,
            control: Vec::new(),
            received,
            allowance: usize::MAX,
        }
    }

    /// Lets about `bytes` be received before others must have their turn: a message that never completes would
    /// keep it reading for as long as its sender keeps up.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// How many bytes were received since the last call.
    pub(crate) fn take_received(&mut self) -> usize {
        std::mem::take(&mut self.received)
    }

    /// Adds a control frame to be sent.
    pub(crate) fn push_control(&mut self, frame: &[u8]) {
        self.control.extend_from_slice(frame);
    }

    /// Takes the control frames to be sent.
    pub(crate) fn take_control(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.control)
    }

    /// Bytes of the control frames to be sent.
    pub(crate) fn control_len(&self) -> usize {
        self.control.len()
    }

    /// Writes what the kernel takes of `bytes`; `Pending` once it takes nothing, and the task will be woken.
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.io.get_ref().write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                other => return Poll::Ready(other),
            }
            ready!(self.io.poll_writable(cx))?;
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Cancellation
    /// Any prefix may have been written.
    pub(crate) async fn send_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let turn = bytes.get(..WRITE_TURN_BYTES).unwrap_or(bytes);
            let sent = std::future::poll_fn(|cx| self.poll_send(cx, turn)).await?;
            bytes = bytes.get(sent..).unwrap_or_default();
            if sent == WRITE_TURN_BYTES {
                smol::future::yield_now().await;
            }
        }
        Ok(())
    }

    /// Ends the sending half, then reads and forgets what still comes, until the peer ends its half too.
    ///
    /// Closing a socket with unread bytes makes the kernel reset the connection, and the peer may then never see
    /// the last frames that it was sent.
    pub(crate) async fn drain(&mut self) {
        if self.io.get_ref().shutdown(Shutdown::Write).is_err() {
            return;
        }
        self.use_ahead(usize::MAX);
        loop {
            self.allowance = usize::MAX;
            match std::future::poll_fn(|cx| self.poll_receive(cx, READ_BYTES, <[u8]>::len)).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// What was received and not used.
    pub(crate) fn ahead(&self) -> &[u8] {
        self.ahead.get(self.ahead_at..).unwrap_or_default()
    }

    /// Memory held of it.
    pub(crate) fn ahead_held(&self) -> usize {
        self.ahead.capacity()
    }

    /// Drops the first `bytes` of what was received and not used.
    pub(crate) fn use_ahead(&mut self, bytes: usize) {
        self.ahead_at = self.ahead_at.saturating_add(bytes);
        if self.ahead_at >= self.ahead.len() {
            self.ahead = Vec::new();
            self.ahead_at = 0;
        }
    }

    /// Receives up to `bytes_max` bytes; `sink` tells how many of them it used, and the others are kept. To be called
    /// when nothing is [`Self::ahead`]. Zero at the end.
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
        loop {
            if !self.readable {
                ready!(self.io.poll_readable(cx))?;
                self.readable = true;
            }
            match RECEIVE.with_borrow_mut(|buffer| self.receive(buffer, bytes_max, &mut sink)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Poll::Ready(other),
            }
        }
    }

    fn receive(
        &mut self,
        buffer: &mut [u8],
        bytes_max: usize,
        sink: impl FnOnce(&[u8]) -> usize,
    ) -> io::Result<usize> {
        let end = bytes_max.min(buffer.len());
        let received = self
            .io
            .get_ref()
            .read(buffer.get_mut(..end).unwrap_or_default())?;
        // A short read has emptied the socket; the poller tells when there is more.
        self.readable = received == end;
        self.received += received;
        self.allowance = self.allowance.saturating_sub(received);
        let bytes = buffer.get(..received).unwrap_or_default();
        let used = sink(bytes);
        self.ahead
            .extend_from_slice(bytes.get(used..).unwrap_or_default());
        Ok(received)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::future::Future;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = Async::new(listener.accept().unwrap().0).unwrap();
        (Socket::new(stream, b"ahead".to_vec()), peer)
    }

    /// Polls once, and tells how many bytes the peer has then.
    pub(crate) fn sent_in_one_turn<T>(sending: impl Future<Output = T>, peer: &mut TcpStream) -> usize {
        let mut sending = std::pin::pin!(sending);
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        assert!(
            sending
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert!(woken.0.load(Ordering::Relaxed) > 0, "it comes back by itself");
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
        let (socket, mut peer) = pair();
        let bytes = vec![7; 8 << 20];
        let sent = sent_in_one_turn(socket.send_all(&bytes), &mut peer);
        assert!((1..=WRITE_TURN_BYTES).contains(&sent), "{sent}");
    }

    #[test]
    fn what_is_not_used_is_kept_and_nothing_is_lost() {
        let (mut socket, mut peer) = pair();
        peer.write_all(b" and more").unwrap();
        drop(peer);
        let mut got = Vec::new();
        while got.len() < b"ahead".len() {
            got.push(socket.ahead()[0]);
            socket.use_ahead(1);
        }
        assert_eq!((socket.ahead(), socket.ahead_held()), (&b""[..], 0));
        smol::block_on(std::future::poll_fn(|cx| {
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
        while smol::block_on(std::future::poll_fn(|cx| socket.poll_receive(cx, 64, &mut rest))).unwrap() > 0 {
        }
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
        smol::block_on(socket.io.readable()).unwrap();
        socket.allow(2);
        let mut receive = |socket: &mut Socket| socket.poll_receive(cx, 2, <[u8]>::len);
        assert!(matches!(receive(&mut socket), Poll::Ready(Ok(2))));
        assert!(receive(&mut socket).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "it comes back by itself");
        socket.allow(1);
        assert!(matches!(receive(&mut socket), Poll::Ready(Ok(2))));
    }
}
