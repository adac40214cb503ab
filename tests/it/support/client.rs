//! An honest client: a yrs document that speaks the protocol as a stock provider does.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{
    Array, ArrayRef, ClientID, Doc, GetString, Map, MapRef, OffsetKind, Options, ReadTxn, StateVector, Text,
    TextRef, Transact, TransactionMut, Update,
};

use super::server::Server;
use super::socket::{Event, Socket, path};
use super::tokens::editor;
use super::wire::{self, Message};
use super::{SOON, until};

/// What a document holds, to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) map: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) list: Vec<String>,
    /// The state vector.
    pub(crate) clocks: BTreeMap<u64, u32>,
}

/// A document with a map, a text and a list, and perhaps a connection.
pub(crate) struct Client {
    doc: Doc,
    id: ClientID,
    /// Of its awareness state.
    clock: u64,
    map: MapRef,
    text: TextRef,
    list: ArrayRef,
    target: String,
    socket: Option<Socket>,
    /// Updates that came before the step 2.
    early: Vec<Vec<u8>>,
    /// A step 2 has come on this connection.
    pub(crate) synced: bool,
    /// How far the own structs were echoed, on whatever connection.
    pub(crate) saved: u32,
    /// Reasons of auth messages.
    pub(crate) denied: Vec<String>,
    /// Code and reason of the close frame.
    pub(crate) closed: Option<(u16, String)>,
    /// The last entry of each awareness id: clock and state.
    pub(crate) awareness: BTreeMap<u64, (u64, String)>,
    /// How many step 1 came on this connection.
    pub(crate) asked: usize,
}

impl Client {
    /// A document without connection.
    pub(crate) fn offline(id: u64) -> Self {
        let id = ClientID::new(id);
        let options = Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::with_client_id(id)
        };
        let doc = Doc::with_options(options);
        Self {
            map: doc.get_or_insert_map("tldraw"),
            text: doc.get_or_insert_text("text"),
            list: doc.get_or_insert_array("list"),
            doc,
            id,
            clock: 1,
            target: String::new(),
            socket: None,
            early: Vec::new(),
            synced: false,
            saved: 0,
            denied: Vec::new(),
            closed: None,
            awareness: BTreeMap::new(),
            asked: 0,
        }
    }

    /// A new editor of `board`, with everything that was there.
    #[track_caller]
    pub(crate) fn join(server: &Server, board: &str, id: u64) -> Self {
        let mut client = Self::offline(id);
        client.connect(
            server.address(),
            &path(board, &editor(&format!("user-{id}"), board)),
        );
        client.sync();
        client
    }

    /// Connects, and sends what a provider sends first.
    #[track_caller]
    pub(crate) fn connect(&mut self, address: SocketAddr, target: &str) {
        let mut socket = Socket::open(address, target);
        socket.send(&wire::step_1(&self.doc.transact().state_vector().encode_v1()));
        socket.send(&wire::awareness(&[(self.id.get(), self.clock, "{}")]));
        target.clone_into(&mut self.target);
        self.socket = Some(socket);
        (self.synced, self.asked, self.closed) = (false, 0, None);
        self.early.clear();
    }

    /// Connects anew, to where it was.
    #[track_caller]
    pub(crate) fn reconnect(&mut self, address: SocketAddr) {
        self.connect(address, &self.target.clone());
        self.sync();
    }

    /// Is to go to `target` when it connects again.
    pub(crate) fn aim(&mut self, target: &str) {
        target.clone_into(&mut self.target);
    }

    /// Tries once to connect to where it was, and to sync; whether it is in.
    pub(crate) fn try_reconnect(&mut self, address: SocketAddr) -> bool {
        let target = self.target.clone();
        let Ok(mut socket) = Socket::try_open(address, &target) else {
            return false;
        };
        socket.send(&wire::step_1(&self.doc.transact().state_vector().encode_v1()));
        socket.send(&wire::awareness(&[(self.id.get(), self.clock, "{}")]));
        self.socket = Some(socket);
        (self.synced, self.asked, self.closed) = (false, 0, None);
        self.early.clear();
        while !self.synced && self.poll() {
            std::thread::sleep(super::LOOK_EVERY);
        }
        self.synced
    }

    /// Drops the connection without a word.
    pub(crate) fn cut(&mut self) {
        self.socket = None;
    }

    /// Waits for the step 2, and handles what comes until then.
    #[track_caller]
    pub(crate) fn sync(&mut self) {
        until(SOON, || {
            self.poll();
            assert_eq!(self.closed, None);
            self.synced
        });
    }

    /// Waits until everything of its own was echoed.
    #[track_caller]
    pub(crate) fn save(&mut self) {
        until(SOON, || {
            self.poll();
            assert_eq!(self.closed, None);
            self.is_saved()
        });
    }

    /// Whether everything of its own was echoed.
    pub(crate) fn is_saved(&self) -> bool {
        self.saved == self.own_clock()
    }

    /// How far its own structs go.
    pub(crate) fn own_clock(&self) -> u32 {
        self.doc.transact().state_vector().get(&self.id)
    }

    /// Handles what has come; false when there is no connection any more.
    pub(crate) fn poll(&mut self) -> bool {
        let Some(mut socket) = self.socket.take() else {
            return false;
        };
        loop {
            match socket.poll() {
                None => break,
                Some(Event::Message(bytes)) => self.handle(&wire::parse(&bytes), &mut socket),
                Some(Event::Pong(_)) => {}
                Some(Event::Close(code, reason)) => {
                    self.closed = Some((code, reason));
                    return false;
                }
                Some(Event::End) => return false,
            }
        }
        self.socket = Some(socket);
        true
    }

    fn handle(&mut self, message: &Message, socket: &mut Socket) {
        match message {
            Message::Step1(state_vector) => {
                let asked = StateVector::decode_v1(state_vector).unwrap();
                socket.send(&wire::step_2(
                    &self.doc.transact().encode_state_as_update_v1(&asked),
                ));
                self.asked += 1;
            }
            Message::Step2(update) => {
                self.apply(update);
                for update in std::mem::take(&mut self.early) {
                    self.apply(&update);
                }
                self.synced = true;
            }
            Message::Update(update) => {
                if self.synced {
                    self.apply(update);
                } else {
                    // It may build on what only the step 2 brings.
                    self.early.push(update.clone());
                }
                self.saved = self.saved.max(end_of(update, self.id));
            }
            Message::Awareness(entries) => {
                for (id, clock, state) in entries {
                    if *id == self.id.get() && state == "null" && *clock >= self.clock {
                        // As y-protocols does when it is told that its own state is gone.
                        self.clock = clock + 1;
                        socket.send(&wire::awareness(&[(*id, self.clock, "{}")]));
                        continue;
                    }
                    self.awareness.insert(*id, (*clock, state.clone()));
                }
            }
            Message::Denied(reason) => self.denied.push(reason.clone()),
        }
    }

    /// Applies an update as it comes from the server, which never has holes.
    #[track_caller]
    pub(crate) fn apply(&self, update: &[u8]) {
        let mut transaction = self.doc.transact_mut();
        transaction
            .apply_update(Update::decode_v1(update).unwrap())
            .unwrap();
        assert!(
            !transaction.has_missing_updates(),
            "the server sent an update over a hole"
        );
    }

    /// Changes the document, and gives the update without sending it.
    pub(crate) fn change(
        &mut self,
        edit: impl FnOnce(&mut TransactionMut<'_>, &MapRef, &TextRef, &ArrayRef),
    ) -> Vec<u8> {
        let mut transaction = self.doc.transact_mut();
        edit(&mut transaction, &self.map, &self.text, &self.list);
        transaction.encode_update_v1()
    }

    /// Sends an update, where connected.
    pub(crate) fn send(&mut self, update: &[u8]) {
        if let Some(socket) = &mut self.socket {
            socket.send(&wire::update(update));
        }
    }

    /// Sends an awareness message, where connected.
    pub(crate) fn announce(&mut self, entries: &[(u64, u64, &str)]) {
        if let Some(socket) = &mut self.socket {
            socket.send(&wire::awareness(entries));
        }
    }

    /// Sets a key of the map, and gives the update without sending it.
    pub(crate) fn setting(&mut self, key: &str, value: &str) -> Vec<u8> {
        self.change(|transaction, map, _, _| {
            map.insert(transaction, key, value);
        })
    }

    /// Sets a key of the map.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        let update = self.setting(key, value);
        self.send(&update);
    }

    /// Removes a key of the map.
    pub(crate) fn unset(&mut self, key: &str) {
        let update = self.change(|transaction, map, _, _| {
            map.remove(transaction, key);
        });
        self.send(&update);
    }

    /// Inserts into the text.
    pub(crate) fn write(&mut self, at: u32, words: &str) {
        let update = self.change(|transaction, _, text, _| text.insert(transaction, at, words));
        self.send(&update);
    }

    /// Deletes from the text.
    pub(crate) fn erase(&mut self, at: u32, length: u32) {
        let update = self.change(|transaction, _, text, _| text.remove_range(transaction, at, length));
        self.send(&update);
    }

    /// Appends to the list.
    pub(crate) fn push(&mut self, item: &str) {
        let update = self.change(|transaction, _, _, list| {
            list.push_back(transaction, item);
        });
        self.send(&update);
    }

    /// Length of the text in UTF-16 units.
    pub(crate) fn text_length(&self) -> u32 {
        self.text.len(&self.doc.transact())
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let transaction = self.doc.transact();
        self.map
            .get(&transaction, key)
            .map(|value| value.to_string(&transaction))
    }

    /// The whole state as an update.
    pub(crate) fn state(&self) -> Vec<u8> {
        self.doc
            .transact()
            .encode_state_as_update_v1(&StateVector::default())
    }

    /// What an encoded state vector lacks of it.
    pub(crate) fn lacking(&self, state_vector: &[u8]) -> Vec<u8> {
        let vector = StateVector::decode_v1(state_vector).unwrap();
        self.doc.transact().encode_state_as_update_v1(&vector)
    }

    /// The state vector, encoded.
    pub(crate) fn state_vector(&self) -> Vec<u8> {
        self.doc.transact().state_vector().encode_v1()
    }

    /// What it holds.
    pub(crate) fn content(&self) -> Content {
        let transaction = self.doc.transact();
        let text_of = |out: yrs::Out| out.to_string(&transaction);
        Content {
            map: self
                .map
                .iter(&transaction)
                .map(|(key, out)| (key.to_owned(), text_of(out)))
                .collect(),
            text: self.text.get_string(&transaction),
            list: self.list.iter(&transaction).map(text_of).collect(),
            clocks: transaction
                .state_vector()
                .iter()
                .map(|(id, clock)| (id.get(), *clock))
                .collect(),
        }
    }
}

/// The content that an update makes of an empty document.
#[track_caller]
pub(crate) fn content_of(update: &[u8]) -> Content {
    let client = Client::offline(1);
    client.apply(update);
    client.content()
}

/// Where the structs of `id` in `update` end; 0 without any.
pub(crate) fn end_of(update: &[u8], id: ClientID) -> u32 {
    let inserted = Update::decode_v1(update).unwrap().insertions(true);
    inserted
        .get(&id)
        .and_then(|ranges| ranges.clock_end())
        .unwrap_or(0)
}

/// Waits until all documents hold the same and everything is saved.
#[track_caller]
pub(crate) fn converge(clients: &mut [Client]) {
    until(SOON, || {
        for client in clients.iter_mut() {
            client.poll();
            assert_eq!(client.closed, None);
        }
        clients.iter().all(Client::is_saved)
            && clients.windows(2).all(|two| two[0].content() == two[1].content())
    });
}
