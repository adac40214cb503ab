//! Joins: how long until a newcomer has a board whole, one at a time and ten at once.
//!
//! Owns the board that is joined, and the measuring. Must not know the command line. Key invariant: the time
//! is from the start of the connect to the last byte of step 2.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fleet::{Event, Fleet, State, Target};
use crate::histogram::Histogram;
use crate::process::Usage;
use crate::updates::{self, Drawing};

const ONE_BY_ONE: usize = 30;
const AT_ONCE: usize = 10;
const ROUNDS_AT_ONCE: usize = 5;
const TURN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);
/// Makes a shape as large as one with some properties more: 5,000 of them are 1.2 MB.
const FILLER: &str = "what somebody wrote on it, in words";

/// How long a server may take after that.
const SETTLED: Duration = Duration::from_secs(1);

/// The board, and what happens to it before the joins.
pub(crate) struct Plan {
    pub(crate) shapes: usize,
    /// How many times each shape is changed right before.
    pub(crate) overwrites: usize,
    pub(crate) pid: Option<String>,
    pub(crate) name: String,
}

/// Somebody who has seen how large the board is.
struct Joined {
    id: usize,
    bytes: usize,
    nanos: u64,
}

fn late(what: &str) -> io::Error {
    io::Error::other(format!("{what} within a minute"))
}

/// Lets some join at the same moment, and waits until all have the board.
fn join(fleet: &mut Fleet, room: &str, clients: usize) -> io::Result<Joined> {
    let start = fleet.now();
    let first = fleet.connect(room)?;
    for _ in 1..clients {
        fleet.connect(room)?;
    }
    let mut joined = Joined {
        id: first,
        bytes: 0,
        nanos: 0,
    };
    let mut missing = clients;
    let deadline = Instant::now() + PATIENCE;
    while missing > 0 {
        if Instant::now() > deadline {
            return Err(late("not all had the board"));
        }
        fleet.turn(Some(TURN), &[], &mut |id, now, event| {
            if let (true, Event::Joined(bytes)) = (id >= first, event) {
                missing -= 1;
                joined.bytes = bytes;
                joined.nanos = now - start;
            }
        })?;
        if fleet.state(first) == State::Closed {
            return Err(io::Error::other(
                "the server closed a connection that was joining",
            ));
        }
    }
    Ok(joined)
}

/// Sends updates as fast as the server takes them, and waits until it echoes all of them or says nothing
/// more.
fn write(
    fleet: &mut Fleet,
    id: usize,
    clocks: u64,
    update: &mut impl FnMut() -> Option<Vec<u8>>,
) -> io::Result<()> {
    let mut safe = 0;
    let deadline = Instant::now() + PATIENCE;
    let mut is_done = false;
    while safe < clocks || !is_done {
        if Instant::now() > deadline {
            return Err(late("not all that was written came back"));
        }
        for _ in 0..64 {
            match update() {
                Some(update) => fleet.say(id, &updates::update_message(&update)),
                None => is_done = true,
            }
        }
        fleet.send_said(id);
        let wait = if is_done { TURN } else { Duration::ZERO };
        fleet.turn(Some(wait), &[], &mut |from, _, event| {
            if let (true, Event::Update(update)) = (from == id, event) {
                updates::spans(update, |_, _, end| safe = safe.max(end));
            }
        })?;
        if fleet.state(id) == State::Closed {
            return Err(io::Error::other(
                "the server closed the connection that wrote the board",
            ));
        }
    }
    Ok(())
}

/// Makes the board, then measures.
pub(crate) fn run(target: &Target, plan: &Plan) -> io::Result<Value> {
    let drawing = Drawing::new(1_000_001);
    let shape = |at: usize| format!("{}-{FILLER}", at % plan.shapes);
    for at in 0..plan.shapes {
        drawing.put(&shape(at), at);
    }
    let state = drawing.state();
    let mut fleet = Fleet::new(target.clone())?;
    let author = join(&mut fleet, &plan.name, 1)?.id;
    let mut whole = Some(state.clone());
    write(&mut fleet, author, plan.shapes as u64, &mut || whole.take())?;
    let mut at = plan.shapes;
    let end = plan.shapes * (plan.overwrites + 1);
    let mut next = || {
        let update = (at < end).then(|| drawing.put(&shape(at), at));
        at += 1;
        update
    };
    if plan.overwrites > 0 {
        write(&mut fleet, author, end as u64, &mut next)?;
    } else {
        // What the first to come makes the server do is not part of a warm join.
        let first = join(&mut fleet, &plan.name, 1)?;
        fleet.close(first.id);
        std::thread::sleep(SETTLED);
    }

    let mut one = Histogram::default();
    let mut bytes = Vec::new();
    let usage = || plan.pid.as_deref().map(Usage::of);
    let before = usage();
    for _ in 0..ONE_BY_ONE {
        let joined = join(&mut fleet, &plan.name, 1)?;
        one.record(joined.nanos);
        bytes.push(joined.bytes);
        fleet.close(joined.id);
    }
    let cpu = before
        .zip(usage())
        .map(|(before, after)| after.cpu_ns - before.cpu_ns);
    let mut ten = Histogram::default();
    for _ in 0..ROUNDS_AT_ONCE {
        let joined = join(&mut fleet, &plan.name, AT_ONCE)?;
        ten.record(joined.nanos);
        for id in joined.id..joined.id + AT_ONCE {
            fleet.close(id);
        }
    }
    Ok(json!({
        "state_bytes": drawing.state().len(),
        "first_join_bytes": bytes.first(),
        "last_join_bytes": bytes.last(),
        "joins": ONE_BY_ONE,
        "join_p50_ms": one.within_ms(0.5),
        "join_max_ms": one.within_ms(1.0),
        "cpu_ms_per_join": cpu.map(|cpu| cpu as f64 / 1e6 / ONE_BY_ONE as f64),
        "ten_at_once_p50_ms": ten.within_ms(0.5),
    }))
}
