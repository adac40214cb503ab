//! Fan-out: some clients of each board write at an even rate, and everybody else gets it.
//!
//! Owns one run of it. Must not know the command line. Key invariant: the schedule is fixed before the run
//! and never waits for a server (open loop); a change is late from the moment it was due.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fleet::{Dialect, Event, Fleet, Target};
use crate::process::Usage;
use crate::tally::{Schedule, Tally};
use crate::updates::{self, Series};

/// How long is waited for saved echoes when all else is done.
const ECHO_PATIENCE: Duration = Duration::from_secs(1);

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) boards: usize,
    /// Of each board, and how many of them write.
    pub(crate) clients: usize,
    pub(crate) writers: usize,
    /// Updates a second of each board.
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    pub(crate) warm_up: f64,
    /// How long is waited for what is missing at the end.
    pub(crate) patience: Duration,
    /// The server's process, to say what it cost.
    pub(crate) pid: Option<String>,
    /// What its boards are called.
    pub(crate) name: String,
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// Updates that counted, and deliveries that were to come of them.
    pub(crate) updates: usize,
    pub(crate) expected: u64,
    pub(crate) seconds: f64,
    pub(crate) asked: u64,
    pub(crate) denied: u64,
    pub(crate) closed: u64,
    /// From due to sent.
    pub(crate) lag: crate::histogram::Histogram,
    pub(crate) own_share: f64,
    cost: Option<Usage>,
}

impl Outcome {
    pub(crate) fn lost(&self) -> u64 {
        self.expected - self.tally.late.total()
    }

    /// Why the figures say more of the generator than of the server, if they do.
    pub(crate) fn warning(&self) -> Option<String> {
        let lag = self.lag.within_ms(0.99);
        if self.own_share > 0.95 {
            Some(format!(
                "the generator was busy all the time ({:.2} of a core)",
                self.own_share
            ))
        } else if lag > 1.0 && lag > self.tally.late.within_ms(0.99) / 3.0 {
            Some(format!("the generator sent late ({lag:.1} ms at p99)"))
        } else {
            None
        }
    }

    pub(crate) fn report(&self) -> Value {
        let late = |share| self.tally.late.within_ms(share);
        let mut report = json!({
            "updates": self.updates,
            "deliveries": self.tally.late.total(),
            "all_deliveries": self.tally.all,
            "deliveries_per_second": self.tally.late.total() as f64 / self.seconds,
            "lost": self.lost(),
            "repeated": self.tally.repeated,
            "disordered": self.tally.disordered,
            "unknown": self.tally.unknown,
            "asked_again": self.asked,
            "denied": self.denied,
            "closed": self.closed,
            "p50_ms": late(0.5),
            "p99_ms": late(0.99),
            "p999_ms": late(0.999),
            "echoes": self.tally.echoes.total(),
            "echo_p50_ms": self.tally.echoes.within_ms(0.5),
            "echo_p99_ms": self.tally.echoes.within_ms(0.99),
            "own_cpu_share": self.own_share,
            "send_lag_p99_ms": self.lag.within_ms(0.99),
            "warning": self.warning(),
        });
        if let (Some(cost), Value::Object(report)) = (self.cost, &mut report) {
            let deliveries = self.tally.late.total().max(1) as f64;
            let updates = self.updates.max(1) as f64;
            let entries = [
                ("cpu_us_per_delivery", cost.cpu_ns as f64 / 1e3 / deliveries),
                ("cpu_share", cost.cpu_ns as f64 / 1e9 / self.seconds),
                ("written_bytes_per_update", cost.written as f64 / updates),
            ];
            report.extend(entries.map(|(name, value)| (name.to_owned(), json!(value))));
        }
        report
    }
}

/// CPU and disk at the start of what counts.
struct Mark {
    at: Instant,
    own: Usage,
    server: Option<Usage>,
}

impl Mark {
    fn now(plan: &Plan) -> Self {
        Self {
            at: Instant::now(),
            own: Usage::of("self"),
            server: plan.pid.as_deref().map(Usage::of),
        }
    }
}

/// Runs a plan. `series` are the updates of each writer; more are made where the plan needs more.
pub(crate) fn run(target: &Target, plan: &Plan, series: &mut Vec<Series>) -> io::Result<Outcome> {
    let per_second = plan.rate * plan.boards as f64;
    let first = (plan.warm_up * per_second).round() as usize;
    let total = first + (plan.seconds * per_second).round().max(1.0) as usize;
    while series.len() < plan.writers {
        series.push(Series::new(series.len()));
    }
    for series in series.iter_mut().take(plan.writers) {
        series.grow(total / (plan.boards * plan.writers) + 1);
    }
    let series = series.as_slice();

    let mut fleet = Fleet::new(target.clone())?;
    let names: Vec<String> = (0..plan.boards)
        .map(|board| format!("{}-{board}", plan.name))
        .collect();
    let rooms = names
        .iter()
        .flat_map(|name| std::iter::repeat_n(name, plan.clients));
    fleet.connect_all(rooms, series)?;
    let schedule = Schedule {
        boards: plan.boards,
        writers: plan.writers,
        gap: 1e9 / per_second,
        start: fleet.now() + 20_000_000,
        first,
        total,
    };
    drive(&mut fleet, plan, &schedule, series, target.dialect)
}

fn drive(
    fleet: &mut Fleet,
    plan: &Plan,
    schedule: &Schedule,
    series: &[Series],
    dialect: Dialect,
) -> io::Result<Outcome> {
    let others = plan.clients as u64 - 1;
    let mut outcome = Outcome {
        tally: Tally::new(plan.boards * plan.clients, plan.writers),
        updates: schedule.counted(),
        expected: schedule.counted() as u64 * others,
        seconds: plan.seconds,
        asked: 0,
        denied: 0,
        closed: 0,
        lag: crate::histogram::Histogram::default(),
        own_share: 0.0,
        cost: None,
    };
    let mut next = 0;
    let mut start = None;
    let mut ended: Option<Instant> = None;
    let all = schedule.total as u64 * others;
    loop {
        next = send_due(fleet, plan, schedule, series, (next, &mut outcome));
        if next > schedule.first && start.is_none() {
            start = Some(Mark::now(plan));
        }
        let is_sent = next == schedule.total;
        let since = fleet.now().saturating_sub(schedule.due(schedule.total));
        if is_sent && ended.is_none() && (outcome.tally.all == all || since > plan.patience.as_nanos() as u64)
        {
            ended = Some(Instant::now());
            outcome.close_books(plan, start.as_ref());
        }
        if let Some(ended) = ended {
            let is_echoed = dialect == Dialect::Bare || outcome.tally.echoed == schedule.total as u64;
            if is_echoed || outcome.lost() > 0 || ended.elapsed() > ECHO_PATIENCE {
                return Ok(outcome);
            }
        }
        let wait = if is_sent {
            5_000_000
        } else {
            schedule.due(next).saturating_sub(fleet.now())
        };
        fleet.turn(
            Some(Duration::from_nanos(wait)),
            series,
            &mut |id, now, event| match event {
                Event::Update(update) => updates::spans(update, |client, from, to| {
                    let who = (id / plan.clients, id % plan.clients, id);
                    let writer = updates::writer_of(client).unwrap_or(usize::MAX);
                    for clock in from..to.min(from.saturating_add(schedule.total as u64)) {
                        outcome.tally.got(schedule, who, (writer, clock), now);
                    }
                }),
                Event::Joined(_) => {}
                Event::Asked => outcome.asked += 1,
                Event::Denied => outcome.denied += 1,
                Event::Closed => outcome.closed += 1,
            },
        )?;
    }
}

/// Sends all that is due, each writer's in one write, and returns which update is next.
fn send_due(
    fleet: &mut Fleet,
    plan: &Plan,
    schedule: &Schedule,
    series: &[Series],
    (from, outcome): (usize, &mut Outcome),
) -> usize {
    let now = fleet.now();
    let mut next = from;
    while next < schedule.total && schedule.due(next) <= now {
        next += 1;
    }
    // The last update of each writer says how far it is.
    let reach = (plan.boards * plan.writers).min(next - from);
    for at in next - reach..next {
        let (board, writer, clock) = schedule.place(at);
        let id = board * plan.clients + writer;
        fleet.feed(id, series, (writer, series[writer].end(clock + 1)));
    }
    let sent = fleet.now();
    for at in from.max(schedule.first)..next {
        outcome.lag.record(sent - schedule.due(at));
    }
    next
}

impl Outcome {
    fn close_books(&mut self, plan: &Plan, start: Option<&Mark>) {
        let Some(start) = start else {
            return;
        };
        let end = Mark::now(plan);
        let cpu = end.own.cpu_ns - start.own.cpu_ns;
        self.own_share = cpu as f64 / (end.at - start.at).as_nanos() as f64;
        self.cost = start.server.zip(end.server).map(|(start, end)| Usage {
            cpu_ns: end.cpu_ns.saturating_sub(start.cpu_ns),
            written: end.written.saturating_sub(start.written),
            memory: end.memory,
        });
    }
}
