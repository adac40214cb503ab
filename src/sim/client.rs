//! A client that behaves as stock y-websocket 3 and 4 do, with a real yrs document.
//!
//! Owns [`Client`]: its document, what it shows and sees of others, and its provider: reconnects with
//! backoff, step 1 and 2, updates, and which of its structs the server has sent back (y-websocket 4 takes
//! those as saved). Must not know the node. Key invariant: it says nothing that a stock client would not say;
//! those who lie are in `liars.rs`.
//!
//! # Source
//! y-websocket 3.1, y-websocket.js; @y/websocket 4.0.0-3; y-protocols 1.0.7, awareness.js; docs of both in
//! tests/node.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{ClientID, Doc, Map, Options, ReadTxn, StateVector, Text, Transact, Update};

use super::checks::{Book, Content, Known};
use super::executor::{Random, Sleep, World};
use super::network::{End, Gone};
use super::presence::Presence;
use super::wire::{self, Heard};
use crate::ids::{Level, UserId};
use crate::time::Tick;

/// How often the providers look at the time, and what they do by it.
const LOOK_EVERY: Duration = Duration::from_secs(3);
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long a user goes away at most.
pub(super) const GONE_MAX: Duration = Duration::from_secs(5);

/// The longest wait between attempts to connect.
const BACKOFF_MAX: Duration = Duration::from_millis(2_500);

/// Who a client is.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// Its Yjs client id, which is its awareness id.
    pub(super) id: u64,
    pub(super) user: UserId,
    pub(super) level: Level,
    /// Which of the boards, by number.
    pub(super) board: usize,
    /// How long it waits after each time it has read something.
    pub(super) reads_every: Duration,
}

struct State {
    doc: Doc,
    presence: Presence,
    /// What waits to be sent.
    out: Vec<u8>,
    waker: Option<Waker>,
    is_wanted: bool,
    is_open: bool,
    is_synced: bool,
    /// Updates that came before the first step 2: Yjs keeps them for later too, where they do not fit yet.
    early: Vec<Vec<u8>>,
    /// What the board had promised when this connection began.
    promised: Known,
    heard_at: Tick,
    /// The edits that it sent on this connection and was not sent back.
    unsaved: BTreeSet<Vec<u8>>,
    /// The end of what the server has sent back of its own.
    saved: u32,
}

/// One client.
pub(super) struct Client {
    pub(super) is: Identity,
    pub(super) world: World,
    book: Arc<Book>,
    state: Mutex<State>,
}

/// One connection, from the client's side.
struct Line {
    end: End,
    frames: wire::Frames,
    pause: Option<Sleep>,
    look: Sleep,
}

impl Client {
    pub(super) fn new(world: &World, book: &Arc<Book>, is: Identity) -> Arc<Self> {
        let options = Options {
            guid: "sim".into(),
            ..Options::with_client_id(ClientID::new(is.id))
        };
        let state = State {
            doc: Doc::with_options(options),
            presence: Presence::new(is.id),
            out: Vec::new(),
            waker: None,
            is_wanted: true,
            is_open: false,
            is_synced: false,
            early: Vec::new(),
            promised: Known::default(),
            heard_at: world.now().tick,
            unsaved: BTreeSet::new(),
            saved: 0,
        };
        let client = Arc::new(Self {
            is,
            world: world.clone(),
            book: Arc::clone(book),
            state: Mutex::new(state),
        });
        client.book.register(&client.is);
        client
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    // --- the provider -------------------------------------------------------------------------------------

    /// Connects whenever that is wanted; `dial` gives an end, or nothing where nobody answers.
    pub(super) async fn run(self: Arc<Self>, dial: impl Fn(&Identity) -> Option<End>) {
        let mut failures = 0;
        loop {
            poll_fn(|cx| self.poll_wanted(cx)).await;
            // Whoever takes it in must know all of this.
            let promised = self.book.promises(self.is.board);
            let end = dial(&self.is);
            self.world
                .nap(Duration::from_millis(1), Duration::from_millis(60))
                .await;
            match end {
                Some(end) => {
                    failures = 0;
                    self.open(promised);
                    let mut line = Line {
                        end,
                        frames: wire::Frames::default(),
                        pause: None,
                        look: self.world.sleep(LOOK_EVERY),
                    };
                    poll_fn(|cx| self.poll(cx, &mut line)).await;
                    self.closed();
                }
                None => failures += 1,
            }
            let wait = Duration::from_millis(100) * 2u32.pow(failures.min(5));
            self.world.sleep(wait.min(BACKOFF_MAX)).await;
        }
    }

    fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        state.waker = Some(cx.waker().clone());
        if state.is_wanted {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn open(&self, promised: Known) {
        let mut state = self.lock();
        state.promised = promised;
        state.is_open = true;
        state.is_synced = false;
        state.heard_at = self.world.now().tick;
        state.early.clear();
        state.unsaved.clear();
        let vector = state.doc.transact().state_vector().encode_v1();
        self.world.note("open", &[self.is.id]);
        self.say(&mut state, &[0, 0], &vector);
        if state.presence.is_shown() {
            self.tell(&mut state, &[self.is.id]);
        }
        drop(state);
        self.book.came(self.is.id);
    }

    fn closed(&self) {
        let mut state = self.lock();
        self.world.note("closed", &[self.is.id]);
        state.is_open = false;
        state.is_synced = false;
        state.out.clear();
        state.presence.forget();
        drop(state);
        self.book.went(self.is.id);
    }

    /// Sends, reads, and looks at the time, until the connection is over.
    fn poll(&self, cx: &mut Context<'_>, line: &mut Line) -> Poll<()> {
        loop {
            let mut state = self.lock();
            state.waker = Some(cx.waker().clone());
            while !state.out.is_empty() {
                match line.end.poll_send(cx, &state.out) {
                    Poll::Ready(Ok(sent)) => drop(state.out.drain(..sent)),
                    Poll::Ready(Err(Gone)) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            if !state.is_wanted {
                // What it had to say last is on its way, or not.
                return Poll::Ready(());
            }
            if Pin::new(&mut line.look).poll(cx).is_ready() {
                line.look = self.world.sleep(LOOK_EVERY);
                if self.look(&mut state) {
                    return Poll::Ready(());
                }
                continue;
            }
            if let Some(pause) = &mut line.pause {
                if Pin::new(pause).poll(cx).is_pending() {
                    return Poll::Pending;
                }
                line.pause = None;
            }
            let received = match line.end.poll_receive(cx, 16 * 1024) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(received)) if !received.is_empty() => received,
                Poll::Ready(_) => return Poll::Ready(()),
            };
            if !self.is.reads_every.is_zero() {
                line.pause = Some(self.world.sleep(self.is.reads_every));
            }
            for heard in line.frames.feed(&received) {
                if let Heard::Close(code) = heard {
                    self.world.note("closing", &[self.is.id, u64::from(code)]);
                    return Poll::Ready(());
                }
                self.hear(&mut state, heard);
            }
        }
    }

    fn hear(&self, state: &mut State, heard: Heard) {
        if !matches!(heard, Heard::Ping(_)) {
            state.heard_at = self.world.now().tick;
        }
        match heard {
            Heard::Ping(payload) => state.out.extend(wire::masked(&self.world, 0xA, &payload)),
            Heard::Step1(vector) => {
                let vector = StateVector::decode_v1(&vector).unwrap();
                let missing = state.doc.transact().encode_diff_v1(&vector);
                self.say(state, &[0, 1], &missing);
            }
            Heard::Step2(update) => {
                self.integrate(state, &update);
                if !state.is_synced {
                    self.book.check_fresh(&self.is, &state.promised, &state.doc);
                }
                state.is_synced = true;
                for update in std::mem::take(&mut state.early) {
                    self.integrate(state, &update);
                }
            }
            Heard::Update(update) => {
                self.note_saved(state, &update);
                match state.is_synced {
                    true => self.integrate(state, &update),
                    false => state.early.push(update),
                }
            }
            Heard::Awareness(entries) => {
                self.book.check_states(&entries);
                // The provider sends back what it learns.
                let changed = state.presence.learn(entries, self.world.now().tick);
                if !changed.is_empty() {
                    self.tell(state, &changed);
                }
            }
            Heard::Denied => self.world.note("denied", &[self.is.id]),
            Heard::Close(_) => {}
        }
    }

    fn integrate(&self, state: &mut State, update: &[u8]) {
        let update = Update::decode_v1(update).expect("the server sends updates");
        self.book.check_origin(self.is.board, &update);
        let mut transaction = state.doc.transact_mut();
        transaction.apply_update(update).expect("it applies");
        if transaction.has_missing_updates() {
            self.world.violated(format!(
                "client {} was sent something that builds on what it was not sent",
                self.is.id
            ));
        }
    }

    /// What comes back of its own is taken as saved. It is promised where it is what was sent on this
    /// connection: other bytes of its own may be what somebody else had kept of it, which the server relays
    /// before it is durable; and two who delete the same send the same bytes, so what only deletes is no
    /// proof either.
    fn note_saved(&self, state: &mut State, bytes: &[u8]) {
        let update = Update::decode_v1(bytes).expect("the server sends updates");
        let inserted = update.insertions(true);
        let own = inserted.iter().find(|(id, _)| id.get() == self.is.id);
        let end = own.and_then(|(_, ranges)| ranges.iter().map(|range| range.end).max());
        if let Some(end) = end {
            self.world.note("saved", &[self.is.id, end.into()]);
            state.saved = state.saved.max(end);
        }
        if end.is_some() && state.unsaved.remove(bytes) {
            self.book.promised(&self.is, &update);
        }
    }

    /// Looks at the time; returns whether the server is taken for gone.
    fn look(&self, state: &mut State) -> bool {
        let now = self.world.now().tick;
        if state.presence.look(now) {
            self.tell(state, &[self.is.id]);
        }
        self.book.check_presence(&self.is, &state.presence.sees());
        now.since(state.heard_at) > PATIENCE
    }

    fn say(&self, state: &mut State, types: &[u8], body: &[u8]) {
        if state.is_open {
            state
                .out
                .extend(wire::masked(&self.world, 2, &wire::message(types, body)));
            state.waker.take().into_iter().for_each(Waker::wake);
        }
    }

    // --- presence -----------------------------------------------------------------------------------------

    /// Sends what it knows of these ids.
    fn tell(&self, state: &mut State, ids: &[u64]) {
        let payload = state.presence.payload(ids);
        self.say(state, &[1], &payload);
    }

    fn show_in(&self, state: &mut State, shown: Option<String>) {
        state.presence.show(shown, self.world.now().tick);
        self.tell(state, &[self.is.id]);
    }

    /// Shows something else from now on.
    pub(super) fn show(&self, number: u64) {
        let shown = format!("{{\"user\":{},\"n\":{number}}}", self.is.id);
        self.show_in(&mut self.lock(), Some(shown));
    }

    // --- its user -----------------------------------------------------------------------------------------

    /// Changes the document somewhere.
    pub(super) fn edit(&self) {
        let mut state = self.lock();
        let (text, map) = (
            state.doc.get_or_insert_text("t"),
            state.doc.get_or_insert_map("m"),
        );
        let mut transaction = state.doc.transact_mut();
        let length = u64::from(text.len(&transaction));
        let (kind, at, number) = self
            .world
            .random(|r| (r.between(0, 100), r.between(0, length + 1), r.next()));
        match kind {
            0..50 => {
                let words = "abcdefghijklmnop".get(..1 + (number % 15) as usize).unwrap();
                text.insert(&mut transaction, at as u32, words);
            }
            50..70 if length > at => {
                text.remove_range(
                    &mut transaction,
                    at as u32,
                    (1 + number % 6).min(length - at) as u32,
                );
            }
            70..71 => text.insert(&mut transaction, at as u32, &"large ".repeat(12_000)),
            _ => drop(map.insert(
                &mut transaction,
                format!("k{}", number % 4),
                (number % 1_000) as f64,
            )),
        }
        let update = transaction.encode_update_v1();
        drop(transaction);
        self.world.note("edit", &[self.is.id, kind, update.len() as u64]);
        if update != [0, 0] {
            self.say(&mut state, &[0, 2], &update);
            if state.is_open {
                state.unsaved.insert(update);
            }
        }
    }

    /// Goes as `disconnect()` does, or as a tab that is killed.
    pub(super) fn leave(&self, how: Leave) {
        let mut state = self.lock();
        if how == Leave::Politely && state.is_open {
            self.show_in(&mut state, None);
        }
        state.is_wanted = false;
        state.waker.take().into_iter().for_each(Waker::wake);
    }

    /// Comes back.
    pub(super) fn come_back(&self) {
        let mut state = self.lock();
        state.is_wanted = true;
        state.waker.take().into_iter().for_each(Waker::wake);
    }

    // --- what it has --------------------------------------------------------------------------------------

    /// Whether it is there for good, and what it shows, if anything.
    pub(super) fn is_online(&self) -> bool {
        let state = self.lock();
        state.is_wanted && state.is_synced
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.lock().is_wanted
    }

    /// Its document.
    pub(super) fn content(&self) -> Content {
        Content::of(&self.lock().doc)
    }

    /// The end of its own structs, and of those that are saved.
    pub(super) fn saved(&self) -> (u32, u32) {
        let state = self.lock();
        let end = state
            .doc
            .transact()
            .state_vector()
            .get(&ClientID::new(self.is.id));
        (end, state.saved)
    }

    /// What its user shows.
    pub(super) fn shows(&self) -> Option<String> {
        self.lock().presence.shown.clone()
    }

    /// What it sees of everybody.
    pub(super) fn sees(&self) -> BTreeMap<u64, String> {
        self.lock().presence.sees()
    }
}

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Politely,
    Killed,
}

/// What a user does, for so long.
pub(super) async fn use_it(client: Arc<Client>, until: Tick) {
    let world = client.world.clone();
    let pace = world.random(|random| random.time(Duration::from_millis(50), Duration::from_millis(1_000)));
    client.show(0);
    while world.now().tick < until {
        world.nap(Duration::ZERO, pace).await;
        let (what, number) =
            world.random(|random: &mut Random| (random.between(0, 100), random.next() % 1_000));
        match what {
            0..60 if client.is.level == Level::Edit => client.edit(),
            0..80 => client.show(number),
            80..84 => {
                let how = if number % 2 == 0 {
                    Leave::Politely
                } else {
                    Leave::Killed
                };
                client.leave(how);
                world.nap(Duration::ZERO, GONE_MAX).await;
                if how == Leave::Politely {
                    client.show(number);
                }
                client.come_back();
            }
            _ => {}
        }
    } // Some do not come back.
    if world.random(|random| random.chance(20)) {
        client.leave(Leave::Killed);
    }
}
