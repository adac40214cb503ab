//! What leaves by flushes and by the members' own tasks together: every frame once and in order, however they
//! interleave and whatever the lines take.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::room::flush::Flush;
use crate::room::outgoing::Line;

/// A line that takes as much as it has room for.
#[derive(Debug, Default)]
struct Pipe {
    taken: Mutex<Vec<u8>>,
    room: AtomicUsize,
}

impl Line for Pipe {
    fn send(&self, bytes: &[u8]) -> usize {
        let some = bytes.len().min(self.room.load(Ordering::SeqCst));
        self.room.fetch_sub(some, Ordering::SeqCst);
        self.taken.lock().unwrap().extend_from_slice(&bytes[..some]);
        some
    }
}

/// How far a flush is.
#[derive(Debug)]
enum At {
    Begun(Flush),
    Sent(Flush),
}

struct Rig {
    table: Table,
    lines: Vec<Arc<Pipe>>,
    /// What each task has in hand, while it does not wait.
    hands: Vec<Option<Vec<u8>>>,
    flush: Option<At>,
    /// Sends that a flush made.
    served: usize,
    /// Updates by author, in the order in which they were accepted.
    written: Vec<(usize, Vec<u8>)>,
}

impl Rig {
    fn new(members: usize) -> Self {
        let mut table = Table::with(RoomSettings {
            members_max: members,
            ..settings()
        });
        for n in 0..members {
            table.editor(&format!("member {n}"));
        }
        let lines: Vec<Arc<Pipe>> = (0..members).map(|_| Arc::default()).collect();
        for (peer, line) in lines.iter().enumerate() {
            table.read(peer);
            let member = table.member(peer);
            table.room.set_line(member, Arc::clone(line) as Arc<dyn Line>);
        }
        Self {
            table,
            lines,
            hands: vec![None; members],
            flush: None,
            served: 0,
            written: Vec::new(),
        }
    }

    fn write(&mut self, peer: usize) {
        let client = peer as u64 + 1;
        let clock = self.written.iter().filter(|(author, _)| *author == peer).count();
        let update = insert(client, clock as u64, "x");
        self.table.update(peer, &update).unwrap();
        self.written.push((peer, update));
    }

    /// One of the three steps of a flush, if one is due.
    fn flush(&mut self) {
        self.flush = match self.flush.take() {
            None if self.table.flush_due => {
                let begun = self
                    .table
                    .step(|room, effects, now| room.begin_flush(now.tick, effects));
                self.table.flush_due = begun.is_some();
                begun.map(At::Begun)
            }
            None => None,
            Some(At::Begun(mut flush)) => {
                flush.send();
                self.served += 1;
                Some(At::Sent(flush))
            }
            Some(At::Sent(flush)) => {
                self.table.step(|room, effects, _| room.end_flush(flush, effects));
                None
            }
        };
    }

    /// A member's task, if it was woken or has something in hand, takes one step.
    fn run(&mut self, peer: usize) {
        let hand = match self.hands[peer].take() {
            None if !self.table.is_woken(peer) => return,
            None => Vec::new(),
            Some(hand) => hand,
        };
        if hand.is_empty() {
            let bytes = self.table.read_bytes(peer).unwrap();
            self.hands[peer] = (!bytes.is_empty()).then_some(bytes);
        } else {
            let sent = self.lines[peer].send(&hand);
            self.hands[peer] = Some(hand[sent..].to_vec());
        }
    }

    fn is_at_rest(&self) -> bool {
        let awake = |peer: usize| self.hands[peer].is_some() || self.table.is_woken(peer);
        self.flush.is_none() && !self.table.flush_due && !(0..self.hands.len()).any(awake)
    }

    fn act(&mut self, (kind, peer, bytes): (u8, usize, usize)) {
        let peer = peer % self.lines.len();
        match kind {
            0..=2 => self.write(peer),
            3 => self.table.commit_all(),
            4..=7 => self.flush(),
            8..=10 => self.run(peer),
            _ => {
                self.lines[peer].room.fetch_add(bytes, Ordering::SeqCst);
            }
        }
    }

    /// Lets all leave, and looks at what each was sent.
    fn end(&mut self) {
        self.table.commit_all();
        for line in &self.lines {
            line.room.store(1 << 20, Ordering::SeqCst);
        }
        let mut steps = 0;
        while !self.is_at_rest() {
            self.flush();
            (0..self.lines.len()).for_each(|peer| self.run(peer));
            steps += 1;
            assert!(steps < 10_000, "it never rests");
        }
        for (peer, line) in self.lines.iter().enumerate() {
            let got: Vec<Vec<u8>> = parse_frames(&line.taken.lock().unwrap())
                .into_iter()
                .filter_map(|got| match got {
                    Got::Update(update) => Some(update),
                    _ => None,
                })
                .collect();
            for own in [true, false] {
                let is_meant = |author: usize| (author == peer) == own;
                let sent = self.written.iter().filter(|(author, _)| is_meant(*author));
                let sent: Vec<&Vec<u8>> = sent.map(|(_, update)| update).collect();
                let came: Vec<&Vec<u8>> = got.iter().filter(|update| sent.contains(update)).collect();
                assert_eq!(came, sent, "member {peer}, own: {own}");
            }
            assert_eq!(got.len(), self.written.len(), "and nothing else");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_member_is_sent_each_frame_once_and_in_order(
        acts in prop::collection::vec((0u8..14, 0usize..8, 1usize..200), 1..160),
        members in 2usize..6,
    ) {
        let mut rig = Rig::new(members);
        acts.into_iter().for_each(|act| rig.act(act));
        rig.end();
    }
}

#[test]
fn one_send_a_member_and_burst_and_no_task_is_woken() {
    let mut rig = Rig::new(5);
    for line in &rig.lines {
        line.room.store(1 << 20, Ordering::SeqCst);
    }
    for _ in 0..10 {
        rig.write(0);
    }
    assert!((1..5).all(|peer| !rig.table.is_woken(peer)));
    for _ in 0..4 {
        rig.flush();
    }
    assert_eq!(rig.served, 1, "ten updates leave at once");
    assert!((1..5).all(|peer| !rig.table.is_woken(peer)));
    rig.end();
}

#[test]
fn a_flush_serves_so_many_and_then_others_have_their_turn() {
    let mut rig = Rig::new(130);
    for line in &rig.lines {
        line.room.store(1 << 20, Ordering::SeqCst);
    }
    rig.write(0);
    while rig.table.flush_due {
        rig.flush();
    }
    assert_eq!(rig.served, 3, "129 members, 64 at a time");
    rig.end();
}

#[test]
fn who_is_closed_while_it_is_served_ends_after_what_it_was_sent() {
    let mut rig = Rig::new(2);
    rig.write(0);
    rig.flush();
    rig.table
        .step(|room, effects, _| room.close_all(Fault::ShuttingDown, effects));
    assert_eq!(
        rig.table.read_bytes(1),
        Ok(Vec::new()),
        "not before the flush has ended"
    );
    rig.flush();
    rig.flush();
    assert!(rig.table.is_woken(1));
    // Nothing was taken, so all of it comes by its own task, and then the end.
    let sent = rig.table.read(1);
    assert!(
        matches!(&sent[..], [Got::Update(_), Got::Closed(Fault::ShuttingDown)]),
        "{sent:?}"
    );
}
