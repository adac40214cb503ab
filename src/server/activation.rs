//! A socket that somebody else listens on and hands over, as systemd does (socket activation): who connects
//! while no server runs waits, and is served by the next.
//!
//! Owns [`take`]. Must not know what is served. Key invariant: a socket is taken only if it was meant for
//! this process, and the rest of the environment is left alone. Tests: tests/it/activation.rs.
//!
//! # Source
//! sd_listen_fds(3).

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

/// The socket that was handed to this process, if any was.
///
/// # Errors
/// What was handed over is not one TCP socket.
pub(super) fn take() -> io::Result<Option<TcpListener>> {
    let of = |name| std::env::var(name).ok();
    let count = of("LISTEN_FDS").and_then(|count| count.parse::<usize>().ok());
    // Those who only inherited the variables have other descriptors of that number.
    let is_ours = of("LISTEN_PID") == Some(std::process::id().to_string());
    match count.filter(|count| is_ours && *count > 0) {
        None => Ok(None),
        Some(1) => ListenFd::from_env().take_tcp_listener(0),
        Some(count) => {
            let what = format!("{count} sockets were handed over (LISTEN_FDS); expected one ListenStream");
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
    }
}
