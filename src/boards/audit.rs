//! The audit log's way in: who did what, and which of many like events are written.
//!
//! Owns [`Audit`]. Must not block or await. Key invariants: an event is queued before anything that follows
//! from it; however many refusals come, the memory and the entries they take are bounded. Tests are below.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::boards::Boards;
use crate::boards::rights::Granted;
use crate::fault::Fault;
use crate::ids::{BoardId, Level, Subject};
use crate::limits;
use crate::store::Change;
use crate::time::UnixMillis;

/// What the audit log needs to remember between events.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// Begins anywhere, so that a clock set back over a restart makes no two entries take one place.
    numbers: AtomicU32,
    seen: Mutex<Seen>,
}

/// Events that count into an entry that was written already.
#[derive(Debug, Default)]
struct Seen {
    /// When an actor's reads and writes over HTTP were last noted.
    accesses: BTreeMap<(BoardId, Subject), UnixMillis>,
    /// Refusals since `since`.
    refusals: BTreeMap<Refusal, Counted>,
    /// How many of `refusals` are of a board.
    by_board: BTreeMap<BoardId, usize>,
    since: UnixMillis,
}

/// What makes two refusals the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Refusal {
    board: BoardId,
    subject: Subject,
    /// `None` for those of a board that are too many to be told apart.
    source: Option<(IpAddr, Fault)>,
}

/// An entry that counts.
#[derive(Debug)]
struct Counted {
    entry: Entry,
    reason: &'static str,
    count: u64,
    last: UnixMillis,
    /// Whether the count has grown since it was written.
    unwritten: bool,
}

impl Counted {
    /// The entry as it reads now.
    fn write(&mut self) -> Box<Entry> {
        self.unwritten = false;
        let mut entry = self.entry.clone();
        entry.detail = match self.count {
            1 => json!({ "reason": self.reason, "count": 1 }),
            count => json!({ "reason": self.reason, "count": count, "last_at": self.last.to_string() }),
        };
        Box::new(entry)
    }
}

impl Audit {
    /// Nothing is remembered yet; `random` begins the numbers of entries.
    pub(crate) fn new(random: u64) -> Self {
        Self {
            numbers: AtomicU32::new(u32::try_from(random & u64::from(u32::MAX)).unwrap_or_default()),
            ..Self::default()
        }
    }

    /// An entry for now, to be stored with what it is about.
    pub(crate) fn entry(
        &self,
        actor: Actor,
        action: Action,
        level: Option<Level>,
        at: UnixMillis,
    ) -> Box<Entry> {
        let n = self.numbers.fetch_add(1, Ordering::Relaxed);
        Box::new(Entry {
            level,
            ..Entry::new(EntryKey { at, n }, actor, action)
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a read or write over HTTP is the first of its actor on the board in `limits::AUDIT_ONCE_IN`.
    fn is_first(&self, board: &BoardId, subject: &Subject, now: UnixMillis) -> bool {
        let key = (board.clone(), subject.clone());
        let mut seen = self.seen();
        if seen.accesses.get(&key).is_some_and(|at| !is_over(*at, now)) {
            return false;
        }
        if seen.accesses.len() >= limits::AUDIT_ACCESSES_MAX {
            seen.accesses.retain(|_, at| !is_over(*at, now));
        }
        if seen.accesses.len() >= limits::AUDIT_ACCESSES_MAX {
            seen.accesses.clear();
        }
        seen.accesses.insert(key, now);
        true
    }

    /// Counts a refusal; gives the entries to be written because of it.
    fn refused(
        &self,
        board: &BoardId,
        actor: Actor,
        fault: Fault,
        now: UnixMillis,
    ) -> Vec<(BoardId, Box<Entry>)> {
        let mut seen = self.seen();
        let mut due = Vec::new();
        if is_over(seen.since, now) {
            due = seen.unwritten();
            seen.refusals.clear();
            seen.by_board.clear();
            seen.since = now;
        }
        let mut refusal = Refusal {
            board: board.clone(),
            subject: actor.subject.clone(),
            source: actor.address.map(|address| (address, fault)),
        };
        let of_board = seen.by_board.get(board).copied().unwrap_or(0);
        let full = of_board >= limits::AUDIT_REFUSALS_PER_BOARD_MAX
            || seen.refusals.len() >= limits::AUDIT_REFUSALS_MAX;
        let mut actor = actor;
        let mut reason = fault.code();
        if full && !seen.refusals.contains_key(&refusal) {
            (refusal.subject, refusal.source) = (Subject::anonymous(), None);
            actor = Actor::unknown();
            reason = "various";
        }
        if let Some(counted) = seen.refusals.get_mut(&refusal) {
            counted.count = counted.count.saturating_add(1);
            counted.last = now;
            counted.unwritten = true;
            return due;
        }
        if seen.refusals.len() >= 2 * limits::AUDIT_REFUSALS_MAX {
            // So many boards at once: what comes further is in nobody's log until the hour is over.
            return due;
        }
        let mut counted = Counted {
            entry: *self.entry(actor, Action::AccessDenied, None, now),
            reason,
            count: 1,
            last: now,
            unwritten: true,
        };
        due.push((board.clone(), counted.write()));
        seen.refusals.insert(refusal, counted);
        *seen.by_board.entry(board.clone()).or_insert(0) += 1;
        due
    }
}

impl Seen {
    /// The entries whose count has grown.
    fn unwritten(&mut self) -> Vec<(BoardId, Box<Entry>)> {
        let grown = self.refusals.iter_mut().filter(|(_, counted)| counted.unwritten);
        grown
            .map(|(refusal, counted)| (refusal.board.clone(), counted.write()))
            .collect()
    }
}

/// Whether `limits::AUDIT_ONCE_IN` has passed since `at`; also where the calendar was set back before it.
fn is_over(at: UnixMillis, now: UnixMillis) -> bool {
    now < at || Duration::from_millis(now.0 - at.0) >= limits::AUDIT_ONCE_IN
}

impl Boards {
    /// An entry about what somebody does now, to be stored with it.
    pub(crate) fn entry_of(&self, granted: &Granted, action: Action) -> Box<Entry> {
        let (actor, level) = (granted.actor.clone(), Some(granted.grant.level));
        self.audit.entry(actor, action, level, self.now().unix)
    }

    /// Notes a connection in the audit log.
    pub(crate) fn note_connection(&self, board: &BoardId, actor: Actor, level: Level) {
        let entry = self
            .audit
            .entry(actor, Action::BoardAccess, Some(level), self.now().unix);
        self.submit_entry(board.clone(), entry);
    }

    /// Notes a read or write over HTTP, once an hour for each actor and board.
    pub(crate) fn note_request(&self, board: &BoardId, actor: &Actor, level: Level) {
        if self.audit.is_first(board, &actor.subject, self.now().unix) {
            self.note_connection(board, actor.clone(), level);
        }
    }

    /// Notes that somebody was refused, if it is for what they may do; repeats are counted.
    pub(crate) fn note_refusal(&self, board: &BoardId, actor: Actor, fault: Fault) {
        if fault.is_of_rights() {
            let due = self.audit.refused(board, actor, fault, self.now().unix);
            for (board, entry) in due {
                self.submit_entry(board, entry);
            }
        }
    }

    /// Writes the counts of refusals that have grown.
    pub(crate) fn write_refusals(&self) {
        let grown = self.audit.seen().unwritten();
        for (board, entry) in grown {
            self.submit_entry(board, entry);
        }
    }

    fn submit_entry(&self, board: BoardId, entry: Box<Entry>) {
        self.committer.submit(Change::Audit { board, entry }, None);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn board(id: &str) -> BoardId {
        BoardId::parse(id).unwrap()
    }

    fn from(n: u32) -> Actor {
        Actor {
            subject: Subject::anonymous(),
            address: Some(IpAddr::V4(n.into())),
            user_agent: Some("curl".into()),
        }
    }

    fn minutes(n: u64) -> UnixMillis {
        UnixMillis(1_000_000_000_000 + n * 60_000)
    }

    fn refused(audit: &Audit, id: &str, actor: Actor, fault: Fault, now: UnixMillis) -> Vec<(String, Value)> {
        let due = audit.refused(&board(id), actor, fault, now);
        due.into_iter()
            .map(|(board, entry)| (board.to_string(), entry.detail))
            .collect()
    }

    #[test]
    fn requests_of_one_actor_on_one_board_are_noted_once_an_hour() {
        let audit = Audit::default();
        let (anonymous, alice) = (Subject::anonymous(), Subject::parse("user:alice").unwrap());
        for (id, subject, now, first) in [
            ("a", &alice, 0, true),
            ("a", &alice, 59, false),
            ("b", &alice, 59, true),
            ("a", &anonymous, 59, true),
            ("a", &alice, 60, true),
            ("a", &alice, 119, false),
            ("a", &alice, 10, true),
        ] {
            assert_eq!(
                audit.is_first(&board(id), subject, minutes(now)),
                first,
                "{id} {subject:?} {now}"
            );
        }
    }

    #[test]
    fn actors_are_remembered_up_to_a_bound() {
        let audit = Audit::default();
        let anonymous = Subject::anonymous();
        for n in 0..limits::AUDIT_ACCESSES_MAX {
            assert!(audit.is_first(&board(&n.to_string()), &anonymous, minutes(0)));
        }
        assert!(!audit.is_first(&board("0"), &anonymous, minutes(0)));
        assert!(audit.is_first(&board("more"), &anonymous, minutes(0)));
        assert_eq!(audit.seen().accesses.len(), 1);
    }

    #[test]
    fn repeated_refusals_are_counted_into_the_entry_of_the_first() {
        let audit = Audit::default();
        let denied = Fault::NoPermission;
        let first = refused(&audit, "a", from(1), denied, minutes(0));
        assert_eq!(
            first,
            [("a".to_owned(), json!({"reason": "forbidden", "count": 1}))]
        );
        for _ in 0..41 {
            assert_eq!(refused(&audit, "a", from(1), denied, minutes(1)), []);
        }
        // Another address, reason or board is another entry.
        assert_eq!(refused(&audit, "a", from(2), denied, minutes(1)).len(), 1);
        assert_eq!(
            refused(&audit, "a", from(1), Fault::NoCredential, minutes(1)).len(),
            1
        );
        assert_eq!(refused(&audit, "b", from(1), denied, minutes(1)).len(), 1);
        let grown = audit.seen().unwritten();
        assert_eq!(grown.len(), 1);
        assert_eq!(
            (grown[0].1.detail["count"].as_u64(), grown[0].1.key.at),
            (Some(42), minutes(0))
        );
        assert_eq!(grown[0].1.detail["last_at"], minutes(1).to_string());
        assert_eq!(audit.seen().unwritten(), [], "written once");
        // An hour later it is a new entry, and what was counted since is not lost.
        refused(&audit, "a", from(1), denied, minutes(2));
        let later = refused(&audit, "a", from(1), denied, minutes(60));
        assert_eq!(later[0].1["count"], 43);
        assert_eq!(later[1].1["count"], 1);
    }

    #[test]
    fn a_flood_of_different_refusals_makes_a_bounded_number_of_entries() {
        let audit = Audit::default();
        let mut entries = 0;
        for n in 0..5_000 {
            entries += refused(&audit, "a", from(n), Fault::NoCredential, minutes(0)).len();
        }
        assert_eq!(entries, limits::AUDIT_REFUSALS_PER_BOARD_MAX + 1);
        let grown = audit.seen().unwritten();
        assert_eq!(grown.len(), 1);
        let expected = 5_000 - limits::AUDIT_REFUSALS_PER_BOARD_MAX;
        assert_eq!(grown[0].1.detail["count"], expected);
        assert_eq!(
            (grown[0].1.actor.address, &grown[0].1.detail["reason"]),
            (None, &json!("various"))
        );
        let mut entries = 0;
        for n in 0..3 * limits::AUDIT_REFUSALS_MAX {
            entries += refused(&audit, &n.to_string(), from(1), Fault::NoCredential, minutes(0)).len();
        }
        let known = limits::AUDIT_REFUSALS_PER_BOARD_MAX + 1;
        assert_eq!(entries + known, 2 * limits::AUDIT_REFUSALS_MAX);
        assert_eq!(
            refused(&audit, "a", from(1), Fault::NoCredential, minutes(1)),
            [],
            "counted"
        );
        let later = refused(&audit, "x", from(1), Fault::NoCredential, minutes(60));
        assert_eq!(
            later.last().map(|(board, _)| board.as_str()),
            Some("x"),
            "a new hour"
        );
    }
}
