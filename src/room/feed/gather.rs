//! Followers that are the board's own: its webhooks, for which events are gathered.
//!
//! Owns [`Gathered`], and from when on a board was followed. Must not know to whom events are sent. Key
//! invariants: such a follower is no connection, keeps no room in memory, and can be lost; it knows up to
//! which update of the board it has been told, so that whoever follows the board anew knows whether anything
//! was missed. Tests: `room/tests/gather.rs`.

use std::task::Waker;

use super::{Feed, Filter, Follower, Told};
use crate::ids::MemberId;
use crate::limits;
use crate::room::{Effects, Room};
use crate::time::Now;

/// From where on a webhook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// All that has happened since the board came into memory.
    WithTheFeed,
    /// What happens from now on.
    Now,
}

/// What a webhook is told next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Events, each an object of JSON.
    pub events: Vec<String>,
    /// Their bytes.
    pub bytes: usize,
    /// Why the board has to be read anew before these.
    pub reset: Option<&'static str>,
    /// The update of the board up to which there is nothing more to tell, once that is known.
    pub through: Option<u64>,
}

impl Gathered {
    /// Whether it is as much as is delivered at once.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.events.len() >= limits::WEBHOOK_EVENTS_MAX || self.bytes >= limits::WEBHOOK_EVENTS_BYTES
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.reset.is_none()
    }

    fn add(&mut self, event: String) {
        self.bytes = self.bytes.saturating_add(event.len());
        self.events.push(event);
    }
}

/// An event as one object, of the text that [`Feed`] keeps.
fn as_object(text: &str) -> Option<String> {
    let (name, rest) = text.strip_prefix("event: ")?.split_once('\n')?;
    let (_, data) = rest.split_once("\ndata: {")?;
    Some(format!("{{\"event\":\"{name}\",{}", data.trim_end()))
}

impl Feed {
    fn gather(&mut self, id: MemberId, waker: &Waker, into: &mut Gathered) -> Told {
        let (first, end, looked) = (self.first(), self.end, self.looked);
        let Self {
            events, followers, ..
        } = self;
        let Some(follower) = followers.iter_mut().find(|follower| follower.id == id) else {
            return Told::End(None);
        };
        if let Some(fault) = follower.closing {
            return Told::End(Some(fault));
        }
        if follower.at < first {
            // What was gathered before is part of what has to be read anew.
            *into = Gathered {
                reset: Some("too_many"),
                through: into.through,
                ..Gathered::default()
            };
            follower.at = first;
        }
        let skipped = usize::try_from(follower.at.saturating_sub(first)).unwrap_or(usize::MAX);
        for event in events.iter().skip(skipped) {
            if into.is_full() {
                return Told::Events;
            }
            follower.at = follower.at.saturating_add(1);
            if follower.filter.lets_pass(&event.topic)
                && let Some(event) = as_object(&event.text)
            {
                into.add(event);
            }
        }
        follower.at = follower.at.max(end);
        into.through = looked.or(into.through);
        if into.is_empty() {
            follower.waker = Some(waker.clone());
            return Told::Nothing;
        }
        Told::Events
    }
}

impl Room {
    /// Begins a feed of a board that has just been loaded, so that nothing of what follows is missed.
    pub fn begin_feed(&mut self, run: u64, now: Now) {
        let mut feed = Feed::new(run, self.settings.outbox_bytes_max, now.tick);
        feed.begun_at = Some(self.sequence());
        self.feed = Some(Box::new(feed));
    }

    /// The update at which the board was when its feed began, where that was when it was loaded.
    #[must_use]
    pub fn feed_begun_at(&self) -> Option<u64> {
        self.feed.as_ref().and_then(|feed| feed.begun_at)
    }

    /// Takes a webhook in; whether it is the first who follows.
    pub fn follow_for_board(
        &mut self,
        (filter, begins): (Filter, Begins),
        run: u64,
        now: Now,
    ) -> (MemberId, bool) {
        let (bytes_max, is_first) = (self.settings.outbox_bytes_max, self.feed.is_none());
        let feed = self
            .feed
            .get_or_insert_with(|| Box::new(Feed::new(run, bytes_max, now.tick)));
        let id = feed.next_id();
        feed.followers.push(Follower {
            id,
            filter,
            credentials: None,
            ends_at: None,
            at: match begins {
                Begins::WithTheFeed => 1,
                Begins::Now => feed.end,
            },
            is_greeted: true,
            reset: None,
            closing: None,
            waker: None,
        });
        (id, is_first)
    }

    /// Adds what a webhook is told next, up to what is delivered at once.
    pub fn poll_gathered(&mut self, id: MemberId, waker: &Waker, into: &mut Gathered) -> Told {
        let feed = self.feed.as_mut();
        feed.map_or(Told::End(None), |feed| feed.gather(id, waker, into))
    }

    /// Notes that all up to this update has been looked at and told.
    pub fn note_looked(&mut self, sequence: u64, effects: &mut Effects) {
        let Some(feed) = &mut self.feed else { return };
        if feed.looked.replace(sequence) != Some(sequence) {
            let own = feed.followers.iter_mut().filter(|one| one.credentials.is_none());
            effects.wakers.extend(own.filter_map(|one| one.waker.take()));
        }
    }
}
