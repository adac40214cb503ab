//! Waiting for sockets: epoll, level-triggered, with a number for each socket.
//!
//! Owns the epoll descriptor. Must not know what a socket is for.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// A socket that can go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) id: usize,
    /// Something came, or the other side ended.
    pub(crate) read: bool,
    /// There is room to send.
    pub(crate) write: bool,
}

/// When a socket is of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    ReadAndWrite,
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Self::Read => EventFlags::IN,
            Self::ReadAndWrite => EventFlags::IN | EventFlags::OUT,
        }
    }
}

/// The sockets that are watched.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self {
            epoll,
            events: Vec::with_capacity(1_024),
        })
    }

    pub(crate) fn add(&self, socket: impl AsFd, id: usize) -> io::Result<()> {
        let data = EventData::new_u64(id as u64);
        Ok(epoll::add(&self.epoll, socket, data, Interest::Read.flags())?)
    }

    pub(crate) fn watch(&self, socket: impl AsFd, id: usize, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(id as u64);
        Ok(epoll::modify(&self.epoll, socket, data, interest.flags())?)
    }

    /// Watches a socket no longer.
    pub(crate) fn forget(&self, socket: impl AsFd) {
        // It fails only for one that is not watched.
        epoll::delete(&self.epoll, socket).unwrap_or_default();
    }

    /// Waits until sockets are ready, and appends them to `ready`.
    pub(crate) fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|span| Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: span.subsec_nanos().into(),
        });
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        ready.extend(self.events.iter().map(|event| {
            let flags = event.flags;
            Ready {
                id: usize::try_from(event.data.u64()).unwrap_or(usize::MAX),
                read: flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR),
                write: flags.contains(EventFlags::OUT),
            }
        }));
        Ok(())
    }
}
