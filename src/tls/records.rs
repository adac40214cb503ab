//! One encrypted connection of a client, without its socket: records in, records out.
//!
//! Owns [`Session`]. Must not know sockets, nor wait. Key invariants: while nothing is on its way it holds no
//! bytes; what it holds of the peer is less than [`limits::TLS_HELD_BYTES_MAX`]; what it made to be sent
//! leaves in the order in which it was made. Tests: `tls/tests.rs`, tests/it/tls.rs.
//!
//! # Source
//! RFC 8446, 5.1: records.

use std::fmt;
use std::io;
use std::sync::Arc;

use futures_rustls::rustls::server::UnbufferedServerConnection;
use futures_rustls::rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use futures_rustls::rustls::{Error, ServerConfig};

use crate::limits;

/// Bytes that one record holds, at most.
pub(crate) const RECORD_BYTES: usize = 16 * 1024;

/// Bytes that such a record takes once it is sealed, at most, with one of another kind before it.
pub(crate) const SEALED_BYTES: usize = RECORD_BYTES + 512;

/// Bytes of the head of a record.
const HEAD_BYTES: usize = 5;

/// The first byte of everything that a client says before it has keys.
pub(crate) const HANDSHAKE: u8 = 22;

/// Why a session cannot go on, in the words of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        Self::new(io::ErrorKind::InvalidData, broken)
    }
}

/// Whether a step of the state machine was the last for now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    Last,
}

/// One side of a TLS connection: the server's.
pub(crate) struct Session {
    connection: UnbufferedServerConnection,
    /// Of the peer: what is no whole record yet.
    coming: Vec<u8>,
    /// Made, and not sent yet.
    going: Vec<u8>,
    going_at: usize,
    /// What the last record of `going` says, where whoever said it was not told that it has left.
    untold: Vec<u8>,
    has_ended: bool,
}

impl Session {
    /// Nothing was exchanged yet.
    ///
    /// # Errors
    /// The configuration is of no use.
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, Broken> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            coming: Vec::new(),
            going: Vec::new(),
            going_at: 0,
            untold: Vec::new(),
            has_ended: false,
        })
    }

    /// Whether keys are still to be agreed on.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the peer has said that it sends no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Memory held of what came.
    pub(crate) fn held(&self) -> usize {
        self.coming.capacity()
    }

    /// Keeps what came, and does nothing with it.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.coming.extend_from_slice(bytes);
    }

    /// Whether there is a whole record to be taken.
    pub(crate) fn has_record(&self) -> bool {
        match self.coming.get(..HEAD_BYTES) {
            Some([_, _, _, high, low]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                self.coming.len() - HEAD_BYTES >= length
            }
            _ => false,
        }
    }

    /// Takes all whole records of what came, and adds what they say to `plain`. In a handshake this takes the
    /// time of a signature.
    ///
    /// # Errors
    /// The peer speaks no TLS that we do; what it is to be told is among what is to be sent.
    pub(crate) fn take(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), Broken> {
        self.keep(bytes);
        let mut at = 0;
        let taken = loop {
            match self.step(&mut at, plain) {
                Ok(Step::More) => {}
                Ok(Step::Last) => break Ok(()),
                Err(broken) => break Err(broken),
            }
        };
        if taken.is_err() {
            self.alert(at);
        }
        if at >= self.coming.len() {
            self.coming = Vec::new();
        } else {
            self.coming.drain(..at);
            self.coming.shrink_to(self.coming.len().saturating_mul(2));
        }
        if taken.is_ok() && self.coming.len() > limits::TLS_HELD_BYTES_MAX {
            return Err(Broken("a message of the handshake is too long".to_owned()));
        }
        taken
    }

    /// One step of the state machine, over what came from `at` on.
    fn step(&mut self, at: &mut usize, plain: &mut Vec<u8>) -> Result<Step, Broken> {
        let coming = self.coming.get_mut(*at..).unwrap_or_default();
        let UnbufferedStatus { discard, state } = self.connection.process_tls_records(coming);
        *at += discard;
        match state? {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    plain.extend_from_slice(record.payload);
                    *at += record.discard;
                }
            }
            ConnectionState::EncodeTlsData(mut data) => {
                encode(&mut self.going, |out| data.encode(out))?;
            }
            // It is among what is to be sent, in its place.
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::PeerClosed => self.has_ended = true,
            ConnectionState::Closed => {
                self.has_ended = true;
                return Ok(Step::Last);
            }
            ConnectionState::WriteTraffic(_) | ConnectionState::BlockedHandshake => return Ok(Step::Last),
            // Of data before the handshake none is asked for.
            _ => return Err(Broken("data came before the handshake".to_owned())),
        }
        Ok(Step::More)
    }

    /// Makes what a peer is told that cannot be gone on with.
    fn alert(&mut self, at: usize) {
        let coming = self.coming.get_mut(at..).unwrap_or_default();
        // It comes first, before the error comes again.
        if let Ok(ConnectionState::EncodeTlsData(mut data)) =
            self.connection.process_tls_records(coming).state
        {
            encode(&mut self.going, |out| data.encode(out)).unwrap_or_default();
        }
    }

    /// Seals up to [`RECORD_BYTES`] as one record; how many bytes that takes, or `None` where something else
    /// is to leave first. `out` has room for [`SEALED_BYTES`].
    ///
    /// # Errors
    /// Nothing can be sent any more.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut [u8]) -> Result<Option<usize>, Broken> {
        loop {
            let status = self.connection.process_tls_records(&mut self.coming);
            match status.state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let sealed = traffic.encrypt(plain, out);
                    return sealed.map(Some).map_err(|error| Broken(error.to_string()));
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    encode(&mut self.going, |out| data.encode(out))?;
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    return Ok(None);
                }
                ConnectionState::PeerClosed => self.has_ended = true,
                _ => return Err(Broken("the connection is over".to_owned())),
            }
        }
    }

    /// Makes the last that we say.
    pub(crate) fn close(&mut self) {
        let status = self.connection.process_tls_records(&mut self.coming);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
            let mut out = [0; 64];
            // Without it the peer learns of the end all the same.
            if let Ok(written) = traffic.queue_close_notify(&mut out) {
                self.going
                    .extend_from_slice(out.get(..written).unwrap_or_default());
            }
        }
    }

    /// What is to be sent next.
    pub(crate) fn going(&self) -> &[u8] {
        self.going.get(self.going_at..).unwrap_or_default()
    }

    /// Notes that so much of it was.
    pub(crate) fn gone(&mut self, bytes: usize) {
        self.going_at += bytes;
        if self.going_at >= self.going.len() {
            self.going = Vec::new();
            self.going_at = 0;
        }
    }

    /// Keeps the rest of a record, and what that says, until it was sent.
    pub(crate) fn keep_going(&mut self, rest: &[u8], says: &[u8]) {
        self.going.extend_from_slice(rest);
        self.untold = says.to_vec();
    }

    /// What a record that was kept says, once all of it was sent.
    pub(crate) fn take_untold(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.untold)
    }
}

/// Makes room for what is encoded behind `going`, and puts it there.
fn encode(
    going: &mut Vec<u8>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), Broken> {
    let before = going.len();
    let required = match encode(&mut []) {
        Err(EncodeError::InsufficientSize(error)) => error.required_size,
        Ok(_) => return Ok(()),
        Err(error) => return Err(Broken(error.to_string())),
    };
    going.resize(before + required, 0);
    let written = encode(going.get_mut(before..).unwrap_or_default());
    written.map(drop).map_err(|error| Broken(error.to_string()))
}
