//! A TCP stream for thousands of idle WebSocket connections.
//!
//! Owns reading through one shared buffer per thread, so that an idle connection holds none, and the bytes that
//! tungstenite wants to write (pongs, its half of a closing handshake), which the connection puts between its own
//! frames. Must not know WebSocket frames. Key invariant: no system call is made for a socket that is known to be
//! empty or full.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_io::Async;
use smol::io::{AsyncRead, AsyncWrite};

/// Bytes taken from the kernel at once; what the reader cannot use at once is kept until it does.
const RECEIVE_BYTES: usize = 64 * 1024;

thread_local! {
    static RECEIVE: RefCell<Vec<u8>> = RefCell::new(vec![0; RECEIVE_BYTES]);
}

/// A non-blocking TCP stream with the bytes read ahead of it.
#[derive(Debug)]
pub(crate) struct Socket {
    io: Async<TcpStream>,
    /// The kernel may have bytes for us.
    readable: bool,
    /// Received, and not yet asked for.
    ahead: Vec<u8>,
    ahead_at: usize,
    /// Written by tungstenite, and not yet taken by the connection.
    control: Vec<u8>,
    /// Bytes that may be handed out before other tasks get their turn.
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

    /// Lets the reader have `bytes` before it must let others have their turn: a message that never completes would
    /// keep it reading for as long as its sender keeps up.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// How many bytes were received since the last call.
    pub(crate) fn take_received(&mut self) -> usize {
        std::mem::take(&mut self.received)
    }

    /// Takes whole frames that tungstenite wants to send.
    pub(crate) fn take_control(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.control)
    }

    /// Bytes of the frames that tungstenite wants to send.
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
            let sent = std::future::poll_fn(|cx| self.poll_send(cx, bytes)).await?;
            bytes = bytes.get(sent..).unwrap_or_default();
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
        let mut sink = [0u8; 512];
        loop {
            self.ahead = Vec::new();
            self.ahead_at = 0;
            self.allowance = usize::MAX;
            match std::future::poll_fn(|cx| self.poll_receive(cx, &mut sink)).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.allowance == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = ready!(self.poll_receive_any(cx, into));
        if let Ok(bytes) = read {
            self.allowance = self.allowance.saturating_sub(bytes);
        }
        Poll::Ready(read)
    }

    fn poll_receive_any(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Some(ahead) = self.ahead.get(self.ahead_at..).filter(|a| !a.is_empty()) {
            let taken = ahead.len().min(into.len());
            copy(into, ahead.get(..taken).unwrap_or_default());
            self.ahead_at += taken;
            return Poll::Ready(Ok(taken));
        }
        if self.ahead_at > 0 {
            self.ahead = Vec::new();
            self.ahead_at = 0;
        }
        loop {
            if !self.readable {
                ready!(self.io.poll_readable(cx))?;
                self.readable = true;
            }
            match RECEIVE.with_borrow_mut(|buffer| self.receive(buffer, into)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Poll::Ready(other),
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8], into: &mut [u8]) -> io::Result<usize> {
        let received = self.io.get_ref().read(buffer)?;
        // A short read has emptied the socket; the poller tells when there is more.
        self.readable = received == buffer.len();
        self.received += received;
        let bytes = buffer.get(..received).unwrap_or_default();
        let (now, later) = bytes.split_at(received.min(into.len()));
        copy(into, now);
        self.ahead.extend_from_slice(later);
        Ok(now.len())
    }
}

/// Copies `from`, which is not longer than `into`.
fn copy(into: &mut [u8], from: &[u8]) {
    if let Some(into) = into.get_mut(..from.len()) {
        into.copy_from_slice(from);
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_receive(cx, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.control.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn what_was_read_ahead_comes_first_and_nothing_is_lost() {
        let (mut socket, mut peer) = pair();
        peer.write_all(b" and more").unwrap();
        drop(peer);
        let mut got = Vec::new();
        smol::block_on(smol::io::AsyncReadExt::read_to_end(&mut socket, &mut got)).unwrap();
        assert_eq!(got, b"ahead and more");
        assert_eq!(socket.take_received(), got.len());
        assert_eq!(socket.take_received(), 0);
    }

    #[test]
    fn a_reader_that_had_its_allowance_lets_others_have_their_turn() {
        let (mut socket, _peer) = pair();
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = &mut Context::from_waker(&waker);
        let mut into = [0; 2];
        socket.allow(2);
        assert!(matches!(socket.poll_receive(cx, &mut into), Poll::Ready(Ok(2))));
        assert!(socket.poll_receive(cx, &mut into).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "it comes back by itself");
        socket.allow(1);
        assert!(matches!(socket.poll_receive(cx, &mut into), Poll::Ready(Ok(2))));
    }
}
