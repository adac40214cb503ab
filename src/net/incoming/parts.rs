//! Bodies that are not held whole: read part by part, and sent so.
//!
//! Must not know what they are. Key invariants: no more of a body is in memory than two parts; a peer that
//! sends too slowly, or takes nothing, is given up.

use std::io;
use std::time::{Duration, Instant};

use async_io::Timer;

use super::{BODY_READ_BYTES, Body, Incoming, NoBody};
use crate::boards::assets::Download;
use crate::http::body::{Decoder, Progress};
use crate::http::head::Method;
use crate::limits;
use crate::net::pace::Leaving;
use crate::net::{Late, within};

/// A body that is being read.
pub(crate) struct Parts {
    /// `None` once it has ended.
    decoder: Option<Decoder>,
    /// What came of it and is less than a part.
    rest: Vec<u8>,
    /// How long the rest may take.
    time: Duration,
}

impl Incoming {
    /// Has the peer send its body, of up to so many bytes.
    ///
    /// # Errors
    /// As [`Self::read_body`].
    pub(crate) async fn open_parts(&mut self, bytes_max: usize) -> Result<Parts, NoBody> {
        Ok(Parts {
            decoder: self.open_body(bytes_max).await?,
            rest: Vec::new(),
            time: limits::UPLOAD_TIME_MAX,
        })
    }

    /// The next part of a body, of so many bytes, or the last one of fewer; `None` at the end.
    ///
    /// # Errors
    /// As [`Self::read_body`].
    ///
    /// # Cancellation
    /// As for an error.
    pub(crate) async fn next_part(
        &mut self,
        parts: &mut Parts,
        bytes: usize,
    ) -> Result<Option<Vec<u8>>, NoBody> {
        while let Some(decoder) = &mut parts.decoder
            && parts.rest.len() < bytes
        {
            let rest = &mut parts.rest;
            let progress = self.decode(decoder, |data| rest.extend_from_slice(data));
            self.request = self.head + rest.capacity();
            match progress.map_err(NoBody::Body)? {
                Progress::Done => {
                    parts.decoder = None;
                    self.body = Body::Ended;
                }
                Progress::More if rest.len() < bytes => self.receive_more(parts).await?,
                Progress::More => {}
            }
        }
        let later = parts.rest.split_off(parts.rest.len().min(bytes));
        let part = std::mem::replace(&mut parts.rest, later);
        // The part is still there for as long as the next one is read.
        self.request = self.head + parts.rest.capacity() + part.capacity();
        self.count();
        Ok(Some(part).filter(|part| !part.is_empty()))
    }

    async fn receive_more(&mut self, parts: &mut Parts) -> Result<(), NoBody> {
        // The time does not count in which it is we who do not listen.
        while (self.bounds.disk_is_behind)() {
            Timer::after(limits::BACKPRESSURE_RETRY).await;
        }
        let began = Instant::now();
        let patience = parts.time.min(limits::UPLOAD_PAUSE_MAX);
        let ready = within(patience, self.readable()).await;
        ready.map_err(|Late| NoBody::Late)?.map_err(|_| NoBody::CutOff)?;
        parts.time = parts.time.saturating_sub(began.elapsed());
        let held = parts.rest.capacity();
        let room = self
            .room_beside(BODY_READ_BYTES, |more| held.saturating_add(more))
            .await;
        match self.receive(room).await {
            Ok(1..) => Ok(()),
            _ => Err(NoBody::CutOff),
        }
    }

    /// Says what gives the body of the answer to the request at hand, part by part.
    pub(crate) fn download(&mut self, download: Download) {
        self.download = Some(Box::new(download));
    }

    /// Sends that body behind a head that has left, where the request wants one.
    ///
    /// # Errors
    /// The peer takes nothing, or what was to be sent could not be read: the connection must end, since the
    /// peer waits for the rest.
    pub(super) async fn send_parts(&mut self, method: Method) -> io::Result<()> {
        let Some(mut download) = self.download.take().filter(|_| method != Method::Head) else {
            return Ok(());
        };
        loop {
            match download.next().await {
                Ok(None) => return Ok(()),
                Ok(Some(bytes)) => {
                    let time = Leaving::Moving(self.bounds.answer_time);
                    self.socket.send_paced(&[], &bytes, time).await?;
                }
                Err(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}
