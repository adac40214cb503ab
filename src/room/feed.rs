//! What those are told who follow a board without being members: events, in their order.
//!
//! Owns [`Feed`]: the last events as bytes, who follows and how far each is, and who changed the board since
//! it was last looked at. Must not know what an event is about; `boards::news` does. Key invariants: a board
//! that nobody follows has no feed, and pays for none; what is kept has its bound, and whoever is too far
//! behind is told so. Tests: `room/tests/feed.rs`.

pub mod gather;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::access::{Credentials, Decision};
use crate::fault::Fault;
use crate::ids::{MemberId, Subject};
use crate::limits;
use crate::room::presence::Present;
use crate::room::{Effects, Held, Room};
use crate::time::{Now, Tick, UnixMillis};

/// Numbers of followers begin here, where no connection's place ever is; those of agents lie behind.
const FOLLOWERS_FROM: u32 = 1 << 30;

/// Bytes of events that are sent at once, about.
const GATHERED_BYTES: usize = 64 * 1024;

/// What an event takes beside its bytes, about.
const EVENT_OVERHEAD_BYTES: usize = 64;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// An item, of this type.
    Item(Arc<str>),
    /// Who is connected.
    Presence,
}

/// An event that has no number yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What it is about.
    pub topic: Topic,
    /// The name of the event.
    pub name: &'static str,
    /// Its data: JSON, in one line.
    pub data: String,
}

/// Which events somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Those of items.
    pub items: bool,
    /// Those of presence.
    pub presence: bool,
    /// Of items only those of these types, where there are some.
    pub kinds: Vec<String>,
}

impl Filter {
    fn lets_pass(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Item(kind) => {
                self.items && (self.kinds.is_empty() || self.kinds.iter().any(|one| **one == **kind))
            }
            Topic::Presence => self.presence,
        }
    }
}

/// Somebody who wants to follow a board.
#[derive(Clone, Debug)]
pub struct Following {
    /// Which events it wants.
    pub filter: Filter,
    /// The id of the last event that it has seen, if it has.
    pub last_seen: Option<String>,
    /// When the first of its credentials ends, leeway included; `None` for never.
    pub ends_at: Option<UnixMillis>,
    /// What its rights rest on.
    pub credentials: Arc<Credentials>,
    /// How long after it has left events are still gathered.
    pub kept: Duration,
}

/// A connection that is here: its place, and since when.
pub type Place = (MemberId, UnixMillis);

/// What somebody who follows is sent next.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing; the waker is kept and will be woken.
    Nothing,
    /// The bytes that were appended to the buffer.
    Events,
    /// Nothing more, for this reason; without one there is nothing to follow any more.
    End(Option<Fault>),
}

/// The events of a board, while somebody follows it.
#[derive(Debug)]
pub struct Feed {
    /// Tells this feed from others of the board: numbers begin anew with each.
    run: u64,
    events: VecDeque<Event>,
    /// The number of the next event; those of `events` lie right before it.
    end: u64,
    bytes: usize,
    bytes_max: usize,
    followers: Vec<Follower>,
    next_follower: u32,
    /// Who changed the board since it was last looked at, in order.
    authors: VecDeque<Authored>,
    /// Somebody came or went since.
    presence_due: bool,
    /// Woken when there is something to look at.
    looker: Option<Waker>,
    /// When the last follower left.
    left_at: Tick,
    /// How long after that it is over.
    kept: Duration,
    /// The update at which the board was when this began, where that was when it was loaded.
    begun_at: Option<u64>,
    /// The last update that was looked at.
    looked: Option<u64>,
}

#[derive(Debug)]
struct Event {
    topic: Topic,
    text: Box<str>,
}

impl Event {
    fn weight(&self) -> usize {
        self.text.len().saturating_add(EVENT_OVERHEAD_BYTES)
    }
}

/// Updates in a row of one author, where it is known.
#[derive(Debug)]
struct Authored {
    first: u64,
    last: u64,
    by: Option<Subject>,
}

#[derive(Debug)]
struct Follower {
    id: MemberId,
    filter: Filter,
    /// What its rights rest on; `None` for one that is the board's own (`gather`).
    credentials: Option<Arc<Credentials>>,
    ends_at: Option<UnixMillis>,
    /// The number of the event that it is sent next.
    at: u64,
    /// Whether it has been sent where it begins.
    is_greeted: bool,
    /// Why it has to read the board anew, if it has to.
    reset: Option<&'static str>,
    closing: Option<Fault>,
    waker: Option<Waker>,
}

impl Feed {
    fn new(run: u64, bytes_max: usize, now: Tick) -> Self {
        Self {
            run,
            events: VecDeque::new(),
            end: 1,
            bytes: 0,
            bytes_max: bytes_max.min(limits::EVENTS_KEPT_BYTES_MAX),
            followers: Vec::new(),
            next_follower: 0,
            authors: VecDeque::new(),
            presence_due: true,
            looker: None,
            left_at: now,
            kept: Duration::ZERO,
            begun_at: None,
            looked: None,
        }
    }

    /// The number of the first event that is kept.
    fn first(&self) -> u64 {
        self.end
            .saturating_sub(u64::try_from(self.events.len()).unwrap_or(u64::MAX))
    }

    /// The id of the next one that follows.
    fn next_id(&mut self) -> MemberId {
        let id = MemberId::new(FOLLOWERS_FROM | self.next_follower);
        self.next_follower = self.next_follower.wrapping_add(1) % FOLLOWERS_FROM;
        id
    }

    fn follower(&mut self, id: MemberId) -> Option<&mut Follower> {
        self.followers.iter_mut().find(|follower| follower.id == id)
    }

    fn id_of(&self, number: u64) -> String {
        format!("{:x}-{number}", self.run)
    }

    /// Where somebody goes on that has seen the event of this id; or why it cannot.
    fn behind(&self, id: &str) -> Result<u64, &'static str> {
        let (run, number) = id.split_once('-').ok_or("unknown_id")?;
        let number: u64 = number.parse().map_err(|_| "unknown_id")?;
        if u64::from_str_radix(run, 16) != Ok(self.run) || number >= self.end {
            return Err("unknown_id");
        }
        let next = number.saturating_add(1);
        if next < self.first() {
            return Err("too_old");
        }
        Ok(next)
    }

    fn push(&mut self, news: News) {
        let News { topic, name, data } = news;
        let id = self.id_of(self.end);
        let event = Event {
            topic,
            text: format!("event: {name}\nid: {id}\ndata: {data}\n\n").into(),
        };
        self.end = self.end.saturating_add(1);
        self.bytes = self.bytes.saturating_add(event.weight());
        self.events.push_back(event);
        while self.bytes > self.bytes_max {
            let Some(gone) = self.events.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(gone.weight());
        }
    }

    /// Lets all events go, so that whoever follows has to read the board anew.
    fn clear(&mut self) {
        self.events = VecDeque::new();
        self.bytes = 0;
        self.end = self.end.saturating_add(1);
    }

    fn wake_followers(&mut self, effects: &mut Effects) {
        let wakers = self.followers.iter_mut().filter_map(|one| one.waker.take());
        effects.wakers.extend(wakers);
    }

    fn wake_looker(&mut self, effects: &mut Effects) {
        effects.wakers.extend(self.looker.take());
    }

    /// Notes who made the update of this number.
    fn note_author(&mut self, sequence: u64, by: Option<&Subject>) {
        let is_full = self.authors.len() >= limits::EVENT_AUTHORS_MAX;
        match self.authors.back_mut() {
            Some(last) if is_full || last.by.as_ref() == by => {
                if last.by.as_ref() != by {
                    last.by = None;
                }
                last.last = sequence;
            }
            _ => self.authors.push_back(Authored {
                first: sequence,
                last: sequence,
                by: by.cloned(),
            }),
        }
    }

    /// Appends what a follower is sent next.
    fn tell(&mut self, id: MemberId, waker: &Waker, out: &mut Vec<u8>) -> Told {
        let (first, end) = (self.first(), self.end);
        let last_id = self.id_of(end.saturating_sub(1));
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
            follower.reset.get_or_insert("too_many");
        }
        if let Some(why) = follower.reset.take() {
            out.extend_from_slice(
                format!("event: reset\nid: {last_id}\ndata: {{\"why\":\"{why}\"}}\n\n").as_bytes(),
            );
            (follower.at, follower.is_greeted) = (end, true);
        }
        if !std::mem::replace(&mut follower.is_greeted, true) {
            // It sees all events behind this one, also if it is cut off before the first.
            let begins = follower.at.saturating_sub(1);
            let run = last_id.split('-').next().unwrap_or_default();
            out.extend_from_slice(format!(": following\nid: {run}-{begins}\n\n").as_bytes());
        }
        let skipped = usize::try_from(follower.at.saturating_sub(first)).unwrap_or(usize::MAX);
        for event in events.iter().skip(skipped) {
            if out.len() >= GATHERED_BYTES {
                break;
            }
            follower.at = follower.at.saturating_add(1);
            if follower.filter.lets_pass(&event.topic) {
                out.extend_from_slice(event.text.as_bytes());
            }
        }
        if out.is_empty() {
            follower.waker = Some(waker.clone());
            return Told::Nothing;
        }
        Told::Events
    }
}

impl Room {
    /// How many connections there are, those that follow among them.
    pub(super) fn connections(&self) -> usize {
        let followers = self.feed.iter().flat_map(|feed| &feed.followers);
        let connected = followers.filter(|follower| follower.credentials.is_some());
        self.member_count.saturating_add(connected.count())
    }

    /// Takes somebody in who follows the board. `run` is any number, and tells a feed that begins with this
    /// from others.
    ///
    /// # Errors
    /// [`Fault::TooManyConnections`] at `--max-connections-per-board`.
    pub fn follow(&mut self, following: Following, run: u64, now: Now) -> Result<MemberId, Fault> {
        if self.connections() >= self.settings.members_max {
            return Err(Fault::TooManyConnections);
        }
        let bytes_max = self.settings.outbox_bytes_max;
        let feed = self
            .feed
            .get_or_insert_with(|| Box::new(Feed::new(run, bytes_max, now.tick)));
        let Following {
            filter,
            last_seen,
            ends_at,
            credentials,
            kept,
        } = following;
        feed.kept = feed.kept.max(kept);
        let begins = last_seen.map_or(Ok(feed.end), |id| feed.behind(&id));
        let id = feed.next_id();
        feed.followers.push(Follower {
            id,
            filter,
            credentials: Some(credentials),
            ends_at,
            at: begins.unwrap_or(feed.end),
            is_greeted: false,
            reset: begins.err(),
            closing: None,
            waker: None,
        });
        self.active_at = now.tick;
        // It may end earlier than anybody else.
        self.look_by(now.tick);
        Ok(id)
    }

    /// Somebody follows no more.
    pub fn unfollow(&mut self, id: MemberId, now: Tick) {
        let mut is_connection = true;
        if let Some(feed) = &mut self.feed {
            is_connection = (feed.follower(id)).is_none_or(|follower| follower.credentials.is_some());
            feed.followers.retain(|follower| follower.id != id);
            feed.left_at = now;
        }
        if is_connection {
            self.active_at = now;
        }
    }

    /// Whether there is a feed: somebody follows, or did lately.
    #[must_use]
    pub fn has_feed(&self) -> bool {
        self.feed.is_some()
    }

    /// Whether the feed is over, which it is once nobody has followed for as long as any of them asked for.
    pub fn end_idle_feed(&mut self, now: Tick, effects: &mut Effects) -> bool {
        let is_idle = |feed: &Feed| feed.followers.is_empty() && now.since(feed.left_at) >= feed.kept;
        let is_over = self.retired || self.feed.as_deref().is_none_or(is_idle);
        if is_over {
            self.end_feed(effects);
        }
        is_over
    }

    /// Ends the feed, whoever follows.
    pub fn end_feed(&mut self, effects: &mut Effects) {
        if let Some(mut feed) = self.feed.take() {
            feed.wake_followers(effects);
            feed.wake_looker(effects);
        }
    }

    /// Appends what somebody is sent next that follows.
    pub fn poll_told(&mut self, id: MemberId, waker: &Waker, out: &mut Vec<u8>) -> Told {
        let feed = self.feed.as_mut();
        feed.map_or(Told::End(None), |feed| feed.tell(id, waker, out))
    }

    /// Whether somebody must end that takes nothing at the moment: for a fault, or since it has fallen behind
    /// all that is kept.
    pub fn poll_cut_off(&mut self, id: MemberId, waker: &Waker) -> Poll<Option<Fault>> {
        let Some(feed) = &mut self.feed else {
            return Poll::Ready(None);
        };
        let first = feed.first();
        let Some(follower) = feed.follower(id) else {
            return Poll::Ready(None);
        };
        if let Some(fault) = follower.closing {
            return Poll::Ready(Some(fault));
        }
        if follower.at < first {
            return Poll::Ready(Some(Fault::SlowConsumer));
        }
        follower.waker = Some(waker.clone());
        Poll::Pending
    }

    /// A comment for somebody to whom nothing was sent for long, with how far it is: events that it does not
    /// want went by.
    #[must_use]
    pub fn sign_of_life(&self, id: MemberId) -> Vec<u8> {
        let at = self.feed.as_ref().and_then(|feed| {
            let follower = feed.followers.iter().find(|follower| follower.id == id)?;
            Some(feed.id_of(follower.at.saturating_sub(1)))
        });
        let at = at.map_or_else(String::new, |at| format!("id: {at}\n"));
        format!(":\n{at}\n").into_bytes()
    }

    // --- looking ------------------------------------------------------------------------------------------

    /// `Ready` once there is something to look at beyond the update `seen`, or there is no feed any more.
    pub fn poll_news(&mut self, seen: Option<u64>, waker: &Waker) -> Poll<()> {
        let (sequence, retired) = (self.sequence(), self.retired);
        match &mut self.feed {
            Some(feed) if !retired && seen == Some(sequence) && !feed.presence_due => {
                feed.looker = Some(waker.clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// Who is here, if somebody came or went since this was last asked: each place, and more of those that
    /// are not known yet.
    pub fn take_presence(
        &mut self,
        is_known: impl Fn(&Place) -> bool,
    ) -> Option<Vec<(Place, Option<Present>)>> {
        let feed = self.feed.as_mut()?;
        if !std::mem::take(&mut feed.presence_due) {
            return None;
        }
        let members = (0u32..).zip(&self.members).filter_map(|(index, slot)| {
            let (member, id) = (slot.as_ref()?, MemberId::new(index));
            let place = (id, member.joined_at);
            let present = (!is_known(&place)).then(|| self.present_as(id, member));
            Some((place, present))
        });
        let agents = self.present_agents(None).map(|present| {
            let place = (present.member, present.connected_at);
            (place, Some(present))
        });
        Some(members.chain(agents).collect())
    }

    /// Has presence looked at again.
    pub fn note_presence(&mut self, effects: &mut Effects) {
        if let Some(feed) = &mut self.feed {
            feed.presence_due = true;
            feed.wake_looker(effects);
        }
    }

    /// Notes who made the update `sequence`: a member, or somebody else who is told by
    /// [`Self::note_author`].
    pub(super) fn note_update(&mut self, sequence: u64, member: Option<MemberId>, effects: &mut Effects) {
        if self.feed.is_none() {
            return;
        }
        let by = member
            .and_then(|id| self.member(id))
            .map(|m| m.joiner.subject.clone());
        if let Some(feed) = &mut self.feed {
            feed.note_author(sequence, by.as_ref());
            feed.wake_looker(effects);
        }
    }

    /// Says who has just made an update that is no member's.
    pub fn note_author(&mut self, subject: &Subject) {
        let sequence = self.sequence();
        if let Some(feed) = &mut self.feed
            && let Some(last) = feed.authors.back()
            && last.last == sequence
            && last.by.is_none()
        {
            if last.first == sequence {
                feed.authors.pop_back();
            } else if let Some(last) = feed.authors.back_mut() {
                last.last = sequence.saturating_sub(1);
            }
            feed.note_author(sequence, Some(subject));
        }
    }

    /// Who changed the board up to the update `sequence` since this was last asked; `None` is for somebody
    /// who is not known.
    pub fn take_authors(&mut self, sequence: u64) -> Vec<Option<Subject>> {
        let Some(feed) = &mut self.feed else {
            return Vec::new();
        };
        let mut authors = Vec::new();
        while feed.authors.front().is_some_and(|front| front.first <= sequence) {
            let Some(mut front) = feed.authors.pop_front() else {
                break;
            };
            if !authors.contains(&front.by) {
                authors.push(front.by.clone());
            }
            if front.last > sequence {
                front.first = sequence.saturating_add(1);
                feed.authors.push_front(front);
            }
        }
        authors
    }

    /// Tells those who follow. `None`: so much has changed that they have to read the board anew.
    pub fn publish(&mut self, news: Option<Vec<News>>, effects: &mut Effects) {
        let Some(feed) = &mut self.feed else { return };
        match news {
            Some(news) if news.is_empty() => return,
            Some(news) => news.into_iter().for_each(|news| feed.push(news)),
            None => feed.clear(),
        }
        feed.wake_followers(effects);
    }

    // --- rights -------------------------------------------------------------------------------------------

    /// What the rights of those rest on who follow.
    pub(super) fn held_by_followers(&self) -> impl Iterator<Item = Held> {
        let followers = self.feed.iter().flat_map(|feed| &feed.followers);
        followers.filter_map(|follower| {
            Some(Held {
                member: follower.id,
                credentials: Arc::clone(follower.credentials.as_ref()?),
            })
        })
    }

    /// Carries out what was decided anew about somebody who follows.
    pub(super) fn set_follower(
        &mut self,
        held: &Held,
        decision: &Decision,
        now: Tick,
        effects: &mut Effects,
    ) {
        let Some(follower) = self.feed.as_mut().and_then(|feed| feed.follower(held.member)) else {
            return;
        };
        let credentials = follower.credentials.as_ref();
        if !credentials.is_some_and(|credentials| Arc::ptr_eq(credentials, &held.credentials)) {
            return;
        }
        match decision {
            Decision::Refused(fault) => {
                follower.closing.get_or_insert(*fault);
                effects.wakers.extend(follower.waker.take());
            }
            Decision::Granted(grant) => follower.ends_at = grant.ends_at,
        }
        self.look_by(now);
    }

    /// Makes all end who follow.
    pub(super) fn close_followers(&mut self, fault: Fault, effects: &mut Effects) {
        if let Some(feed) = &mut self.feed {
            for follower in &mut feed.followers {
                follower.closing.get_or_insert(fault);
            }
            feed.wake_followers(effects);
            feed.wake_looker(effects);
        }
    }

    /// When the first credential of those ends who follow and are not about to end.
    pub(super) fn followers_end_at(&self) -> Option<UnixMillis> {
        let followers = self.feed.iter().flat_map(|feed| &feed.followers);
        followers
            .filter(|follower| follower.closing.is_none())
            .filter_map(|follower| follower.ends_at)
            .min()
    }
}
