//! What must hold: while things happen, after a crash, and at rest.
//!
//! Owns [`Book`], which notes what clients were promised, and what they have: [`Content`]. Must not know how
//! the node works; it looks at what clients have, at what is stored, and at bounds. Key invariant: what is
//! compared is read by yrs, not by the code that is tested.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, IdSet, ReadTxn, Transact, Update};

use super::client::{Client, Identity};
use super::executor::World;
use crate::ids::{BoardId, Level};
use crate::limits;
use crate::store::{Store, Stored, StoredBoard};
use crate::time::Tick;

/// How long somebody who has gone may be shown: until its state expires at the node, or at those who see it;
/// then comes the next look at the time, a broadcast, and the way there.
const SHOWN_AFTER_GONE_MAX: Duration = Duration::from_secs(limits::AWARENESS_TIMEOUT.as_secs() * 2 + 3 + 5);

/// What a document holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    ends: BTreeMap<u64, u32>,
    deleted: IdSet,
    values: String,
}

impl Content {
    /// Of a document.
    pub(super) fn of(doc: &Doc) -> Self {
        let (text, map, other) = (
            doc.get_or_insert_text("t"),
            doc.get_or_insert_map("m"),
            doc.get_or_insert_text("r"),
        );
        let transaction = doc.transact();
        let snapshot = transaction.snapshot();
        let mut values = BTreeMap::new();
        if let yrs::Any::Map(entries) = map.to_json(&transaction) {
            values.extend(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_string())),
            );
        }
        Self {
            ends: snapshot
                .state_map
                .iter()
                .filter(|end| *end.1 > 0)
                .map(|(id, end)| (id.get(), *end))
                .collect(),
            deleted: snapshot.delete_set,
            values: format!(
                "{} {values:?} {}",
                text.get_string(&transaction),
                other.get_string(&transaction)
            ),
        }
    }

    /// Of one update.
    pub(super) fn of_update(update: &[u8]) -> Self {
        let doc = Doc::new();
        let update = Update::decode_v1(update).expect("it decodes");
        doc.transact_mut().apply_update(update).expect("it applies");
        Self::of(&doc)
    }

    /// In a few words.
    fn brief(&self) -> String {
        let mut values = self.values.clone();
        values.truncate(300);
        format!("{:?} without {:?}: {values}", self.ends, self.deleted)
    }
}

/// What a board has promised, or its log holds.
#[derive(Clone, Default)]
pub(super) struct Known {
    inserted: IdSet,
    deleted: IdSet,
}

impl Known {
    /// An update more.
    pub(super) fn learn(&mut self, update: &Update) {
        self.inserted.merge_with(update.insertions(true));
        self.deleted.merge_with(update.delete_set().clone());
    }

    /// What of an update is not known.
    pub(super) fn lacks(&self, update: &Update) -> Option<String> {
        let inserted = update.insertions(true).diff(&self.inserted);
        let deleted = update.delete_set().diff(&self.deleted);
        let lacks = !inserted.is_empty() || !deleted.is_empty();
        lacks.then(|| format!("{inserted:?} and deletions {deleted:?}"))
    }

    /// What of it a document does not have.
    fn missing_in(&self, doc: &Doc) -> Option<String> {
        let snapshot = doc.transact().snapshot();
        let ends = &snapshot.state_map;
        let mut inserted = self.inserted.iter();
        let lost = inserted.find(|(id, ranges)| ranges.iter().any(|range| range.end > ends.get(id)));
        if let Some((id, _)) = lost {
            let inserted = &self.inserted;
            return Some(format!("of {id:?} what {inserted:?} has, where it has {ends:?}"));
        }
        let deleted = self.deleted.diff(&snapshot.delete_set);
        (!deleted.is_empty()).then(|| format!("deletions {deleted:?}"))
    }
}

#[derive(Default)]
struct Notes {
    boards: BTreeMap<u64, usize>,
    promised: BTreeMap<usize, Known>,
    liars: BTreeSet<u64>,
    /// Since when clients are gone.
    gone: BTreeMap<u64, Tick>,
    echoes: u64,
}

/// What clients were promised.
pub(super) struct Book {
    world: World,
    boards: Vec<BoardId>,
    notes: Mutex<Notes>,
    log: OnceLock<Box<Log>>,
    may_be_stale: AtomicBool,
}

/// What looks at each echo, with its board's number.
type Log = dyn Fn(usize, &Update) + Send + Sync;

impl Book {
    pub(super) fn new(world: &World, boards: Vec<BoardId>) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            boards,
            notes: Mutex::default(),
            log: OnceLock::new(),
            may_be_stale: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    /// A client's id belongs to its board and to no other.
    pub(super) fn register(&self, client: &Identity) {
        let now = self.world.now().tick;
        let mut notes = self.lock();
        notes.boards.insert(client.id, client.board);
        notes.gone.insert(client.id, now);
    }

    /// As [`Self::register`], for an id of somebody who lies: what is lost of it, nobody brings again.
    pub(super) fn register_liar(&self, id: u64, board: usize) {
        let mut notes = self.lock();
        notes.boards.insert(id, board);
        notes.liars.insert(id);
    }

    pub(super) fn came(&self, id: u64) {
        self.lock().gone.remove(&id);
    }

    pub(super) fn went(&self, id: u64) {
        let now = self.world.now().tick;
        self.lock().gone.insert(id, now);
    }

    /// How many echoes there were.
    pub(super) fn echoes(&self) -> u64 {
        self.lock().echoes
    }

    /// A client was sent back what it had sent.
    pub(super) fn promised(&self, client: &Identity, update: &Update) {
        let mut notes = self.lock();
        notes.echoes += 1;
        notes.promised.entry(client.board).or_default().learn(update);
        drop(notes);
        if let Some(log) = self.log.get() {
            log(client.board, update);
        }
    }

    /// Calls `log` with each update that is echoed, and with the board of it.
    pub(super) fn watch(&self, log: impl Fn(usize, &Update) + Send + Sync + 'static) {
        drop(self.log.set(Box::new(log)));
    }

    /// What a board has promised so far.
    pub(super) fn promises(&self, board: usize) -> Known {
        self.lock().promised.get(&board).cloned().unwrap_or_default()
    }

    /// What somebody is served holds all that was promised when it began to connect.
    pub(super) fn check_fresh(&self, client: &Identity, promised: &Known, doc: &Doc) {
        if let Some(missing) = promised.missing_in(doc).filter(|_| !self.may_be_stale()) {
            self.world.violated(format!(
                "client {} is served a stale copy of board {}: it lacks {missing}",
                client.id, client.board
            ));
        }
    }

    /// Whether a stale copy may be served for a while: the clock that leases end by has jumped ahead.
    fn may_be_stale(&self) -> bool {
        self.may_be_stale.load(Ordering::Relaxed)
    }

    /// See [`Self::may_be_stale`].
    pub(super) fn excuse_stale_copies(&self) {
        self.may_be_stale.store(true, Ordering::Relaxed);
    }

    /// An update that somebody on `board` is sent is of that board.
    pub(super) fn check_origin(&self, board: usize, update: &Update) {
        let notes = self.lock();
        let inserted = update.insertions(true);
        let foreign = inserted
            .client_ids()
            .find(|id| notes.boards.get(&id.get()) != Some(&board));
        if let Some(id) = foreign {
            self.world
                .violated(format!("board {board} shows what client {id:?} wrote elsewhere"));
        }
    }

    /// Nobody but its owner says what an id shows.
    pub(super) fn check_states(&self, entries: &[(u64, u64, String)]) {
        let is_own = |id: u64, text: &str| text == "null" || text.starts_with(&format!("{{\"user\":{id},"));
        if let Some((id, _, text)) = entries.iter().find(|(id, _, text)| !is_own(*id, text)) {
            self.world.violated(format!("somebody else shows {text} as {id}"));
        }
    }

    /// Who is shown to `client` is there, or has not been gone for long.
    pub(super) fn check_presence(&self, client: &Identity, shown: &BTreeMap<u64, String>) {
        let (notes, now) = (self.lock(), self.world.now().tick);
        for id in shown.keys() {
            if notes.boards.get(id) != Some(&client.board) {
                self.world
                    .violated(format!("board {} shows {id}, who is elsewhere", client.board));
            }
            if notes
                .gone
                .get(id)
                .is_some_and(|at| now.since(*at) > SHOWN_AFTER_GONE_MAX)
            {
                self.world
                    .violated(format!("client {} is shown {id}, who is long gone", client.id));
            }
        }
    }

    /// What is stored holds all that was promised, and nothing twice; gives the documents.
    pub(super) fn check_stored(&self, store: &dyn Store) -> Vec<Option<Doc>> {
        let boards = self.boards.iter().enumerate();
        boards
            .map(|(number, board)| self.check_board(number, board, store))
            .collect()
    }

    fn check_board(&self, number: usize, board: &BoardId, store: &dyn Store) -> Option<Doc> {
        let notes = self.lock();
        let promised = notes.promised.get(&number);
        let stored = match store.load(board) {
            Ok(Stored::Present(stored)) => stored,
            Ok(Stored::Absent) if promised.is_none() => return None,
            other => {
                self.world.violated(format!("board {number} is lost: {other:?}"));
                return None;
            }
        };
        let doc = self.open(number, &stored);
        let snapshot = doc.transact().snapshot();
        if let Some(missing) = promised.and_then(|promised| promised.missing_in(&doc)) {
            self.world
                .violated(format!("board {number} lost what was echoed: {missing}"));
        }
        drop(notes);
        let ends: u64 = snapshot.state_map.iter().map(|(_, end)| u64::from(*end)).sum();
        self.world
            .note("stored", &[number as u64, ends, stored.updates.len() as u64]);
        Some(doc)
    }

    /// Opens what is stored, row by row: each brings only what those before it lack.
    fn open(&self, number: usize, stored: &StoredBoard) -> Doc {
        let doc = Doc::new();
        let mut known = IdSet::new();
        let snapshot = stored.snapshot.iter().map(|(_, state)| state);
        for row in snapshot.chain(stored.updates.iter().map(|(_, update)| update)) {
            let update = Update::decode_v1(row).expect("what is stored decodes");
            let inserted = update.insertions(true);
            let again = inserted.intersect(&known);
            if !again.is_empty() {
                self.world
                    .violated(format!("board {number} has stored twice: {again:?}"));
            }
            known.merge_with(inserted);
            let mut transaction = doc.transact_mut();
            transaction.apply_update(update).expect("what is stored applies");
            if transaction.has_missing_updates() {
                self.world
                    .violated(format!("what is stored of board {number} has a hole"));
            }
        }
        doc
    }

    /// Whether a viewer has what the node lost and nobody brings again, since a viewer may not.
    fn is_excused(&self, client: &Client, theirs: &Content, ours: &Content) -> bool {
        let notes = self.lock();
        let lost = |id: &u64| notes.liars.contains(id) || notes.gone.contains_key(id);
        let more = |(id, end): (&u64, &u32)| lost(id) && ours.ends.get(id) < Some(end);
        let deletes_more = !theirs.deleted.diff(&ours.deleted).is_empty() && !notes.gone.is_empty();
        client.is.level != Level::Edit && (deletes_more || theirs.ends.iter().any(more))
    }

    /// Once all is quiet, each board that was in memory is one full state.
    pub(super) fn check_compacted(&self, store: &dyn Store, boards: &BTreeSet<usize>) {
        for board in boards.iter().map(|number| &self.boards[*number]) {
            if let Ok(Stored::Present(stored)) = store.load(board)
                && !stored.updates.is_empty()
            {
                self.world.violated(format!(
                    "{} updates of {board} were never compacted",
                    stored.updates.len()
                ));
            }
        }
    }

    /// Whether a viewer may be refused for good: nobody who edits is there to make the board, and nothing of
    /// it was promised to those who were.
    fn has_nothing_to_see(&self, client: &Client, clients: &[Arc<Client>]) -> bool {
        let makes = |other: &Arc<Client>| {
            other.is.board == client.is.board && other.is.level == Level::Edit && other.is_wanted()
        };
        client.is.level == Level::View
            && !clients.iter().any(makes)
            && !self.lock().promised.contains_key(&client.is.board)
    }

    /// Why not all who are there, and the node, have the same; nothing where they have. `node` gives its
    /// document of a board.
    pub(super) fn unlike(
        &self,
        clients: &[Arc<Client>],
        node: impl Fn(usize) -> Option<Content>,
    ) -> Option<String> {
        for client in clients.iter().filter(|client| client.is_wanted()) {
            let id = client.is.id;
            if !client.is_online() && self.has_nothing_to_see(client, clients) {
                continue;
            }
            if !client.is_online() {
                return Some(format!("client {id} is not online"));
            }
            let (theirs, ours) = (client.content(), node(client.is.board));
            let Some(ours) = ours else {
                return Some(format!("the node has no room for client {id}"));
            };
            if theirs != ours && !self.is_excused(client, &theirs, &ours) {
                return Some(format!(
                    "client {id} has\n  {}\nand the node\n  {}",
                    theirs.brief(),
                    ours.brief()
                ));
            }
            let (end, saved) = client.saved();
            if end != saved {
                return Some(format!(
                    "client {id} wrote {end} and knows of {saved} that they are saved"
                ));
            }
            let sees = client.sees();
            for other in clients
                .iter()
                .filter(|other| other.is.board == client.is.board && other.is_wanted())
            {
                let shows = other.shows();
                if sees.get(&other.is.id) != shows.as_ref() {
                    return Some(format!(
                        "client {id} sees {:?} of {}, who shows {shows:?}",
                        sees.get(&other.is.id),
                        other.is.id
                    ));
                }
            }
            if let Some(ghost) = sees.keys().find(|seen| self.lock().gone.contains_key(seen)) {
                return Some(format!("client {id} sees {ghost}, who is gone"));
            }
        }
        None
    }
}
