//! Traffic: groups of boards with people on them, for a while, and what came of it.
//!
//! Owns one run. Must not know the command line. Key invariant: what is due when is fixed before the run and
//! never waits for the server (open loop); all is late from the moment it was due.

mod cursors;
mod group;
mod items;
mod outcome;
mod restart;
mod samples;
mod visitors;

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::fleet::{Event, Fleet};
use crate::progress::{Progress, Talk};
use crate::scenario::Scenario;
use crate::server::{Server, Trace};
use crate::target::{self, Target};
use crate::times::Times;
use crate::traffic::group::{Group, Records, Span, TRICKLE_NS};
use crate::traffic::items::Items;
use crate::traffic::restart::Restart;
use crate::traffic::samples::Samples;
use crate::yjs::{Author, Dialect, Feed};

pub(crate) use outcome::Outcome;

/// From the last join to the first thing that is due.
const LEAD_NS: u64 = 20_000_000;
/// How long is waited for saved echoes when all else is done.
const ECHO_PATIENCE_NS: u64 = 1_000_000_000;
/// How long a turn lasts at most when all is sent; before, `TRICKLE_NS`.
const END_TURN_NS: u64 = 5_000_000;
/// Where in the run system calls are counted: joins and the end are others.
const TRACED: (f64, f64) = (0.2, 0.9);

/// Updates that were made, to be used again by the next run.
#[derive(Default)]
pub(crate) struct Stock {
    authors: Vec<Author>,
    feeds: Vec<Feed>,
}

/// What a run is told beside the scenario.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What its boards are called.
    pub(crate) name: String,
    pub(crate) talk: Talk,
    pub(crate) counts_calls: bool,
}

/// Runs a scenario.
pub(crate) fn run(
    target: &Target,
    scenario: &Scenario,
    server: &mut Server,
    settings: &Settings,
    stock: &mut Stock,
) -> Result<Outcome, String> {
    if scenario.restart_after > 0.0 && !server.can_restart() {
        return Err("--serve is missing: the server is to be ended and started again".to_owned());
    }
    if scenario.groups.iter().any(|group| group.items_rate > 0.0) && target.items.is_none() {
        return Err("--items is missing: where do agents write?".to_owned());
    }
    let failed = |error: io::Error| error.to_string();
    let mut fleet = Fleet::new(target.clone()).map_err(failed)?;
    let mut run = Run::new(scenario, settings);
    run.gather(&mut fleet, server, settings)?;
    let span = run.prepare(&mut fleet, stock)?;
    let mut drive = Drive {
        restart: Restart::new(scenario, &span),
        samples: Samples::new(&span, server),
        progress: Progress::new(settings.talk, &scenario.name, scenario.seconds),
        trace: None,
        calls: None,
        trickle_at: span.begin,
        ended: None,
        span,
    };
    drive.run(&mut fleet, &mut run, server, (&stock.feeds, settings))?;
    let is_gone = server.is_gone();
    Ok(outcome::close(run, drive, (&fleet, is_gone), scenario))
}

/// Who is there and what was counted.
struct Run {
    patience_ns: u64,
    seconds: (f64, f64, f64),
    groups: Vec<Group>,
    records: Records,
    connects: Times,
    asked: u64,
    taken: u64,
    denied: u64,
    closed: u64,
    /// Before anybody came, and when all had joined.
    memory: Option<(u64, u64)>,
}

impl Run {
    fn new(scenario: &Scenario, settings: &Settings) -> Self {
        let mut first = 0;
        let groups = scenario.groups.iter().enumerate().map(|(at, plan)| {
            let name = |board| Rc::from(format!("{}-{at}-{board}", settings.name));
            let group = Group::new(plan, (0..plan.boards).map(name).collect(), first);
            first += group.clients();
            group
        });
        Self {
            patience_ns: (scenario.patience * 1e9) as u64,
            seconds: (scenario.warm_up, scenario.seconds, scenario.settle),
            groups: groups.collect(),
            records: Records::default(),
            connects: Times::default(),
            asked: 0,
            taken: 0,
            denied: 0,
            closed: 0,
            memory: None,
        }
    }

    /// Makes the boards and lets everybody join.
    fn gather(&mut self, fleet: &mut Fleet, server: &Server, settings: &Settings) -> Result<(), String> {
        let failed = |error: io::Error| error.to_string();
        let http = target::agent();
        let settle = Duration::from_secs_f64(self.seconds.2);
        let warm = format!("{}-warm", settings.name);
        if !settle.is_zero() {
            // The first connection makes a server grow once.
            fleet.target().prepare(&http, &warm)?;
            let warm = Rc::from(warm);
            let id = fleet
                .connect_all([&warm].into_iter(), &mut |_, _, _| {})
                .map_err(failed)?;
            rest(fleet, settle)?;
            fleet.release(id);
        }
        let before = server.usage();
        for room in self.groups.iter().flat_map(|group| &group.rooms) {
            fleet.target().prepare(&http, room)?;
        }
        fleet.joins.clear();
        for group in &mut self.groups {
            let rooms = group
                .rooms
                .iter()
                .flat_map(|room| std::iter::repeat_n(room, group.plan.clients));
            let first = fleet.connect_all(rooms, &mut |_, _, _| {}).map_err(failed)?;
            debug_assert_eq!(first, group.first);
            for id in group.slow_ids() {
                fleet.slow_down(id).map_err(failed)?;
            }
        }
        self.connects = std::mem::take(&mut fleet.joins);
        rest(fleet, settle)?;
        self.memory = before
            .zip(server.usage())
            .map(|(before, after)| (before.memory, after.memory));
        Ok(())
    }

    /// Makes all updates, while nothing is read, and says when what is due.
    fn prepare(&mut self, fleet: &mut Fleet, stock: &mut Stock) -> Result<Span, String> {
        let dialect = fleet.target().dialect;
        if dialect == Dialect::Hocuspocus {
            // They hold the names of the boards of the run before.
            stock.feeds.clear();
        }
        let seconds = |seconds: f64| (seconds * 1e9) as u64;
        let (warm_up, length) = (seconds(self.seconds.0), seconds(self.seconds.1));
        let span = |begin| Span {
            begin,
            start: begin + warm_up,
            end: begin + warm_up + length,
        };
        let mut first_feed = 0;
        for group in &mut self.groups {
            let is_shared = dialect != Dialect::Hocuspocus;
            let writers = group.plan.writing();
            let first = if is_shared { 0 } else { first_feed };
            group.begin(&span(0), (first, if is_shared { 0 } else { writers }));
            first_feed = group.feed(group.plan.boards, 0);
            let updates = group.schedule.written(0, 0, group.schedule.total);
            let updates = usize::try_from(updates).unwrap_or(usize::MAX);
            for board in 0..if is_shared { 1 } else { group.plan.boards } {
                let prefix = dialect.prefix(&group.rooms[board]);
                for writer in 0..writers {
                    let at = group.feed(board, writer);
                    while stock.authors.len() <= writer {
                        stock.authors.push(Author::new(stock.authors.len()));
                    }
                    while stock.feeds.len() <= at {
                        stock.feeds.push(Feed::default());
                    }
                    stock.feeds[at].grow(&mut stock.authors[writer], updates, &prefix);
                }
            }
        }
        // What came meanwhile is read before the schedule begins.
        rest(fleet, Duration::from_millis(1))?;
        let span = span(fleet.now() + LEAD_NS);
        let base = fleet.base();
        for group in &mut self.groups {
            let feeds = (group.feed(0, 0), group.feed(1, 0) - group.feed(0, 0));
            group.begin(&span, feeds);
            let plan = &group.plan;
            if plan.items_rate > 0.0 {
                let schedule = span.schedule(plan.boards, 1, plan.items_rate);
                let who = (plan.clients, plan.fast());
                group.items = Some(Items::start(fleet.target(), &group.rooms, schedule, who, base));
            }
        }
        Ok(span)
    }

    fn heard(&mut self, (id, now): (usize, u64), event: Event<'_>, restart: &mut Restart) {
        let found = self
            .groups
            .iter_mut()
            .find_map(|group| Some((group.place(id)?, group)));
        let Some((place, group)) = found else {
            if restart.looked(id, &event) {
                return;
            }
            // A visitor: only whether it can join and stay is of interest.
            self.denied += u64::from(matches!(event, Event::Denied));
            let mut visitors = self.groups.iter_mut().map(|group| &mut group.visitors);
            visitors.any(|visitors| visitors.heard(id, now, &event));
            return;
        };
        match event {
            Event::Update(update) => group.got(place, update, now, &mut self.records),
            Event::Awareness(update) => group.cursors.got(place, update, now, &mut self.records),
            Event::Joined(state) => {
                restart.joined(id, now);
                group.got(place, state, now, &mut self.records);
            }
            Event::Asked { vector, again } => {
                self.asked += u64::from(again);
                restart.asked(id, vector, place);
            }
            Event::Taken => {
                self.taken += 1;
                group.taken(place);
            }
            Event::Denied => self.denied += 1,
            Event::Closed => {
                self.closed += u64::from(!restart.closed(id, now));
            }
        }
    }

    fn sum(&self, of: impl Fn(&Group) -> u64) -> u64 {
        self.groups.iter().map(of).sum()
    }
}

/// Reads what comes for a while.
fn rest(fleet: &mut Fleet, span: Duration) -> Result<(), String> {
    let end = fleet.now() + span.as_nanos() as u64;
    while let Some(rest) = end.checked_sub(fleet.now()).filter(|rest| *rest > 0) {
        let turn = fleet.turn(Some(Duration::from_nanos(rest)), &[], &mut |_, _, _| {});
        turn.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The loop of a run, and what goes on beside the groups.
struct Drive {
    span: Span,
    restart: Restart,
    samples: Samples,
    progress: Progress,
    trace: Option<(Trace, u64)>,
    /// What strace counted, and deliveries in that time.
    calls: Option<Result<(crate::server::Calls, u64), String>>,
    trickle_at: u64,
    /// When all was done, or nothing more was waited for.
    ended: Option<u64>,
}

impl Drive {
    fn run(
        &mut self,
        fleet: &mut Fleet,
        run: &mut Run,
        server: &mut Server,
        (feeds, settings): (&[Feed], &Settings),
    ) -> Result<(), String> {
        loop {
            for group in &mut run.groups {
                group.send_due(fleet, feeds, &mut run.records);
                group
                    .cursors
                    .send_due((fleet, feeds), group.first, &mut run.records);
                group.visitors.come(fleet, &group.rooms);
                if let Some(items) = &mut group.items {
                    items.listen();
                }
            }
            if self.restart.ends_it(fleet.now()) {
                self.samples.take_now(fleet.now(), &mut run.records, server);
            }
            self.restart.act((fleet, feeds), server, &run.groups)?;
            self.trickle(fleet, run);
            if settings.counts_calls {
                self.count_calls(fleet.now(), run, server);
            }
            self.samples.take(fleet.now(), &mut run.records, server);
            self.tell(fleet.now(), run);
            if self.is_over(fleet, run, server) {
                return Ok(());
            }
            let wait = self.due(run).saturating_sub(fleet.now());
            let restart = &mut self.restart;
            let turn = fleet.turn(Some(Duration::from_nanos(wait)), feeds, &mut |id, now, event| {
                run.heard((id, now), event, restart);
            });
            turn.map_err(|error| error.to_string())?;
        }
    }

    /// When something is due next.
    fn due(&self, run: &Run) -> u64 {
        let of = |group: &Group| [group.due(), group.cursors.due(), group.visitors.due()];
        let beside = [self.restart.due(), Some(self.samples.due())];
        let has_slow = run.groups.iter().any(|group| group.plan.slow > 0);
        let dues = run.groups.iter().flat_map(of).chain(beside).flatten();
        let due = dues.chain(has_slow.then_some(self.trickle_at)).min().unwrap_or(0);
        // Whatever happens, it looks at the clock in time: at the end soon, for what agents say now and then.
        due.min(self.samples.now() + self.turn_ns(self.samples.now()))
    }

    /// How long a turn lasts at most.
    fn turn_ns(&self, now: u64) -> u64 {
        if now < self.span.end {
            TRICKLE_NS
        } else {
            END_TURN_NS
        }
    }

    /// Slow readers read a little; at the end they take what there is.
    fn trickle(&mut self, fleet: &mut Fleet, run: &mut Run) {
        let now = fleet.now();
        if now < self.trickle_at {
            return;
        }
        self.trickle_at = now + self.turn_ns(now);
        for at in 0..run.groups.len() {
            let plan = &run.groups[at].plan;
            let most = (plan.slow_bytes as u64 * TRICKLE_NS / 1_000_000_000).max(1);
            let most = if now < self.span.end {
                usize::try_from(most).unwrap_or(1)
            } else {
                usize::MAX
            };
            for id in run.groups[at].slow_ids() {
                let restart = &mut self.restart;
                fleet.trickle(id, most, &mut |id, now, event| {
                    run.heard((id, now), event, restart)
                });
            }
        }
    }

    fn count_calls(&mut self, now: u64, run: &Run, server: &Server) {
        let at = |share: f64| self.span.start + ((self.span.end - self.span.start) as f64 * share) as u64;
        let all = run.sum(Group::delivered);
        if self.trace.is_none() && self.calls.is_none() && now >= at(TRACED.0) {
            match server.trace() {
                Ok(trace) => self.trace = Some((trace, all)),
                Err(error) => self.calls = Some(Err(error)),
            }
        }
        if now >= at(TRACED.1)
            && let Some((trace, before)) = self.trace.take()
        {
            let counted = trace.end().map_err(|error| error.to_string());
            self.calls = Some(counted.map(|calls| (calls, all - before)));
        }
    }

    fn tell(&mut self, now: u64, run: &Run) {
        let second = now.saturating_sub(self.span.start) as f64 / 1e9;
        let samples = &self.samples;
        self.progress.tell(second, || {
            let deliveries = run.sum(|group| group.tally.counted);
            format!("{deliveries} deliveries{}", samples.last())
        });
    }

    /// Whether nothing more is waited for. The books of what it cost are closed when the last delivery came.
    fn is_over(&mut self, fleet: &Fleet, run: &mut Run, server: &Server) -> bool {
        let now = fleet.now();
        if now < self.span.end {
            return false;
        }
        let is_patient = now < self.span.end + run.patience_ns;
        if self.ended.is_none() {
            let is_complete = run.groups.iter().all(|group| group.is_complete(fleet));
            if is_complete || !is_patient {
                self.samples.end(now, &mut run.records, server);
                self.ended = Some(now);
            }
        }
        let Some(ended) = self.ended else {
            return false;
        };
        let is_echoed = fleet.target().dialect != Dialect::Yjs
            || run
                .groups
                .iter()
                .all(|group| group.tally.echoed >= group.schedule.total as u64);
        let lost = run
            .groups
            .iter()
            .any(|group| group.tally.all < group.expected().1);
        is_echoed || lost || now > ended + ECHO_PATIENCE_NS
    }
}
