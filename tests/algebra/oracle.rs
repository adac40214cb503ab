//! What the tests of the algebra share: Yjs under Node, yrs, a generator, and short forms.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use boardwire::room::board::{Board, compact};
use boardwire::update::Budgets;
use bytes::Bytes;
use serde_json::{Value, json};
use yrs::updates::decoder::Decode;
use yrs::{Doc, OffsetKind, Options, ReadTxn, Transact, Update};

/// Node with both versions of Yjs.
pub(crate) struct Oracle {
    node: Child,
    to: ChildStdin,
    lines: Receiver<String>,
}

/// How long Yjs may take over one request; what takes longer hangs browsers, and the test says so.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// What a document is, as the oracle reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) dump: String,
    pub(crate) vector: String,
    pub(crate) deletes: String,
    pub(crate) pending: bool,
}

impl Report {
    pub(crate) fn of(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        Self {
            dump: text("dump"),
            vector: text("vector"),
            deletes: text("deletes"),
            pending: value["pending"].as_bool().unwrap(),
        }
    }
}

impl Oracle {
    pub(crate) fn start() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
        assert!(
            dir.join("node_modules/yjs").exists(),
            "tests/node/node_modules is missing: run scripts/test, or `npm ci --omit=optional` in tests/node"
        );
        let mut node = Command::new("node")
            .arg("oracle.mjs")
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is missing: install Node 20 or later, then run scripts/test");
        let to = node.stdin.take().unwrap();
        let from = BufReader::new(node.stdout.take().unwrap());
        let (line, lines) = channel();
        // Ends with the process, or with who waits for its lines.
        std::thread::spawn(move || {
            from.lines()
                .map_while(Result::ok)
                .try_for_each(|it| line.send(it))
        });
        Self { node, to, lines }
    }

    pub(crate) fn ask(&mut self, request: &Value) -> Result<Value, String> {
        writeln!(self.to, "{request}").unwrap();
        let line = self.lines.recv_timeout(ANSWER_TIME_MAX);
        let line = line.expect("the oracle ended, or hangs");
        let mut answer: Value = serde_json::from_str(&line).expect("the oracle ended");
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }

    pub(crate) fn load(&mut self, version: u32, updates: &[Bytes]) -> Result<Report, String> {
        let updates: Vec<String> = updates.iter().map(|u| STANDARD.encode(u)).collect();
        let answer = self.ask(&json!({"op": "load", "version": version, "updates": updates}))?;
        Ok(Report::of(&answer))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.node.kill().ok();
        self.node.wait().ok();
    }
}

/// A small generator of our own: a seed makes the whole test.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T], reach: usize) {
        for at in 0..list.len() {
            let other = (at + self.below(reach)).min(list.len() - 1);
            list.swap(at, other);
        }
    }
}

pub(crate) fn board() -> Board {
    Board::new(Budgets::default())
}

pub(crate) fn compacted(board: &mut Board) -> Bytes {
    let capture = board.capture();
    let compacted = compact(&capture).unwrap();
    board.abandon_capture();
    compacted.bytes()
}

/// The canonical state through yrs and back.
pub(crate) fn through_yrs(state: &Bytes) -> Bytes {
    let doc = Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::default()
    });
    let mut txn = doc.transact_mut();
    let update = Update::decode_v1(state);
    txn.apply_update(update.unwrap()).unwrap();
    assert!(!txn.has_missing_updates());
    txn.encode_state_as_update_v1(&yrs::StateVector::default()).into()
}

pub(crate) fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}
