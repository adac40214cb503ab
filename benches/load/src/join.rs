//! Joins: how long until a newcomer has a board whole, one at a time, many at once, and first after a start.
//!
//! Owns the board that is joined, and the measuring. Must not know the command line. Key invariant: the time
//! is from the start of the connect to the last byte of step 2.

use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::fleet::{Event, Fleet, State};
use crate::progress::Progress;
use crate::results::Found;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::target::{self, Target};
use crate::times::Times;
use crate::traffic::Settings;
use crate::yjs::{self, Drawing};

const ONE_BY_ONE: usize = 30;
const ROUNDS_AT_ONCE: usize = 5;
/// A crowd larger than this joins once only.
const CROWD: usize = 50;
const TURN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);
/// Makes a shape as large as one with some properties more: 5,000 of them are 1.2 MB.
const FILLER: &str = "what somebody wrote on it, in words";
/// Shapes that are drawn in one message.
const SHAPES_A_MESSAGE: usize = 1_000;

/// How long a server may take after what was written and who joined first.
const SETTLED: Duration = Duration::from_secs(1);

/// Somebody who has seen how large the board is.
struct Joined {
    first: usize,
    bytes: usize,
    /// Until the last of them had it.
    nanos: u64,
    times: Times,
}

/// Where the board is.
struct Board<'a> {
    fleet: Fleet,
    room: Rc<str>,
    server: &'a mut Server,
}

impl Board<'_> {
    fn turn(&mut self, wait: Duration, tell: &mut impl FnMut(usize, u64, Event<'_>)) -> Result<(), String> {
        self.fleet
            .turn(Some(wait), &[], tell)
            .map_err(|error| error.to_string())
    }

    /// Lets some join at the same moment, and waits until all have the board.
    fn join(&mut self, clients: usize) -> Result<Joined, String> {
        let start = self.fleet.now();
        let mut ids = Vec::new();
        self.fleet.joins.clear();
        for _ in 0..clients {
            ids.push(
                self.fleet
                    .connect(&self.room)
                    .map_err(|error| error.to_string())?,
            );
        }
        let (mut missing, mut bytes, mut nanos) = (clients, 0, 0);
        let deadline = Instant::now() + PATIENCE;
        while missing > 0 {
            if Instant::now() > deadline {
                return Err("not all had the board within a minute".to_owned());
            }
            self.turn(TURN, &mut |_, now, event| {
                if let Event::Joined(state) = event {
                    missing -= 1;
                    bytes = state.len();
                    nanos = now - start;
                }
            })?;
            if ids.iter().any(|id| self.fleet.state(*id) == State::Closed) {
                return Err(self.fleet.refused());
            }
        }
        let times = self.fleet.joins.clone();
        let first = ids.first().copied().unwrap_or_default();
        for id in ids.into_iter().skip(1) {
            self.fleet.release(id);
        }
        Ok(Joined {
            first,
            bytes,
            nanos,
            times,
        })
    }

    /// Joins and leaves.
    fn visit(&mut self, clients: usize) -> Result<Joined, String> {
        let joined = self.join(clients)?;
        self.fleet.release(joined.first);
        Ok(joined)
    }

    /// Sends updates as fast as the server takes them. Who comes then sees whether all of it is there.
    fn write(&mut self, id: usize, mut update: impl FnMut() -> Option<Vec<u8>>) -> Result<(), String> {
        let mut is_done = false;
        let mut quiet = Instant::now();
        let deadline = quiet + PATIENCE;
        // Some servers send to the author what they have stored: then it is over when they have.
        while !is_done || quiet.elapsed() < SETTLED {
            if Instant::now() > deadline {
                return Err("the board could not be written within a minute".to_owned());
            }
            for _ in 0..64 {
                match update() {
                    Some(update) => self.fleet.say(id, &yjs::update_message(&update)),
                    None => is_done = true,
                }
            }
            self.fleet.send_said(id, &[]);
            let wait = if is_done { TURN } else { Duration::ZERO };
            self.turn(wait, &mut |_, _, event| {
                if matches!(event, Event::Update(_)) {
                    quiet = Instant::now();
                }
            })?;
            if !is_done || !self.fleet.has_sent(id) {
                quiet = Instant::now();
            }
            if self.fleet.state(id) == State::Closed {
                return Err(format!(
                    "the server closed the connection that wrote the board ({}): are its limits too small?",
                    self.fleet.fault.as_deref().unwrap_or("without a word")
                ));
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), String> {
        let start = Instant::now();
        while let Some(rest) = SETTLED.checked_sub(start.elapsed()) {
            self.turn(rest, &mut |_, _, _| {})?;
        }
        Ok(())
    }
}

/// Makes the board, then measures.
pub(crate) fn run(
    target: &Target,
    scenario: &Scenario,
    server: &mut Server,
    settings: &Settings,
) -> Result<Found, String> {
    if scenario.cold > 0 && !server.can_restart() {
        return Err("--serve is missing: cold joins are the first after a start".to_owned());
    }
    let room: Rc<str> = settings.name.as_str().into();
    target.prepare(&target::agent(), &room)?;
    let fleet = Fleet::new(target.clone()).map_err(|error| error.to_string())?;
    let mut board = Board { fleet, room, server };
    let steps = 2 + scenario.cold;
    let mut progress = Progress::new(settings.talk, &scenario.name, steps as f64);
    let (drawing, author) = draw(&mut board, scenario)?;
    let state = drawing.state().len();
    let mut found = Found::default();
    let figures = &mut found.figures;
    put(figures, "state_bytes", json!(state));
    progress.tell(1.0, || format!("a board of {state} bytes"));

    if scenario.overwrites == 0 {
        // What the first to come makes the server do is not part of a warm join.
        let first = board.visit(1)?;
        check(first.bytes, state)?;
        board.settle()?;
    }
    found
        .histogram
        .insert("joins".to_owned(), warm(&mut board, state, figures)?.classes());
    let figures = &mut found.figures;
    crowd(&mut board, scenario, figures)?;
    progress.tell(2.0, || "warm".to_owned());
    board.fleet.release(author);
    let mut cold = Times::default();
    for at in 0..scenario.cold {
        board.server.restart()?;
        let joined = board.visit(1)?;
        check(joined.bytes, state)?;
        cold.add(&joined.times);
        progress.tell(3.0 + at as f64, || "cold".to_owned());
    }
    cold.tell("cold_join_", figures);
    Ok(found)
}

fn put(figures: &mut Map<String, Value>, name: &str, value: Value) {
    if !value.is_null() {
        figures.insert(name.to_owned(), value);
    }
}

/// A join with less than the board is none.
fn check(bytes: usize, state: usize) -> Result<(), String> {
    if bytes * 10 < state * 9 {
        return Err(format!(
            "a newcomer got {bytes} bytes of a board of {state}: what was written is not there"
        ));
    }
    Ok(())
}

/// Draws the board; the author stays.
fn draw(board: &mut Board<'_>, scenario: &Scenario) -> Result<(Drawing, usize), String> {
    let drawing = Drawing::new(1_000_001);
    let shape = |at: usize| format!("{}-{FILLER}", at % scenario.shapes);
    let author = board.join(1)?.first;
    let mut at = 0;
    board.write(author, || {
        let end = (at + SHAPES_A_MESSAGE).min(scenario.shapes);
        let shapes = (at..end).map(|at| (shape(at), at));
        let update = (at < end).then(|| drawing.put_all(shapes));
        at = end;
        update
    })?;
    let end = scenario.shapes * (scenario.overwrites + 1);
    if at < end {
        board.write(author, || {
            let update = (at < end).then(|| drawing.put(&shape(at), at));
            at += 1;
            update
        })?;
    }
    Ok((drawing, author))
}

/// One after the other.
fn warm(board: &mut Board<'_>, state: usize, figures: &mut Map<String, Value>) -> Result<Times, String> {
    let mut times = Times::default();
    let mut bytes = Vec::new();
    let before = board.server.usage();
    for _ in 0..ONE_BY_ONE {
        let joined = board.visit(1)?;
        check(joined.bytes, state)?;
        times.add(&joined.times);
        bytes.push(joined.bytes);
    }
    let cpu = before.zip(board.server.usage());
    let cpu = cpu
        .map(|(before, after)| after.cpu_ns.saturating_sub(before.cpu_ns) as f64 / 1e6 / ONE_BY_ONE as f64);
    put(figures, "joins", json!(ONE_BY_ONE));
    put(figures, "first_join_bytes", json!(bytes.first()));
    put(figures, "last_join_bytes", json!(bytes.last()));
    put(figures, "cpu_ms_per_join", json!(cpu));
    times.tell("join_", figures);
    Ok(times)
}

/// All at the same moment: until the last has it, and what each waits.
fn crowd(board: &mut Board<'_>, scenario: &Scenario, figures: &mut Map<String, Value>) -> Result<(), String> {
    let rounds = if scenario.at_once > CROWD {
        1
    } else {
        ROUNDS_AT_ONCE
    };
    let (mut all, mut each) = (Times::default(), Times::default());
    let before = board.server.reset_peak();
    for _ in 0..rounds {
        let joined = board.visit(scenario.at_once)?;
        all.record(joined.nanos);
        each.add(&joined.times);
    }
    let grown = before
        .zip(board.server.peak())
        .map(|(before, peak)| peak.saturating_sub(before));
    put(figures, "at_once", json!(scenario.at_once));
    all.tell("at_once_", figures);
    each.tell("at_once_each_", figures);
    put(figures, "at_once_memory_bytes", json!(grown));
    Ok(())
}
