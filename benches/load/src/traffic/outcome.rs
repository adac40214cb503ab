//! What came of a run, as figures.
//!
//! Owns their names; README.md says what each is. Key invariant: what was not measured is absent, never 0.

use serde_json::{Map, Value, json};

use crate::fleet::{Fleet, State};
use crate::results::Found;
use crate::scenario::Scenario;
use crate::times::Times;
use crate::traffic::restart::Books;
use crate::traffic::samples::Cost;
use crate::traffic::{Drive, Group, Run};

/// The most that the generator may use of a core before it is the limit itself.
const OWN_SHARE_MAX: f64 = 0.95;
/// From so many milliseconds on, at p99, sending late is worth a word.
const LAG_MS: f64 = 1.0;

/// What came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) late: Times,
    pub(crate) lag: Times,
    pub(crate) closed: u64,
    pub(crate) own_share: f64,
    /// Deliveries that were to come of what counts, and those that came.
    pub(crate) expected: u64,
    pub(crate) counted: u64,
    pub(crate) found: Found,
}

impl Outcome {
    pub(crate) fn lost(&self) -> u64 {
        self.expected - self.counted
    }

    #[cfg(test)]
    pub(crate) fn figure(&self, name: &str) -> f64 {
        self.found
            .figures
            .get(name)
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN)
    }
}

/// Closes the books of a run.
pub(super) fn close(
    run: Run,
    drive: Drive,
    (fleet, is_gone): (&Fleet, bool),
    scenario: &Scenario,
) -> Outcome {
    let cost = drive.samples.cost();
    let mut found = Found::default();
    let expected = run.sum(|group| group.expected().0);
    let counted = run.sum(|group| group.tally.counted);
    let updates = run.sum(|group| group.schedule.counted() as u64);
    let figures = &mut found.figures;
    tell_deliveries((&run, &drive), scenario, (expected, counted, updates), figures);
    run.connects.tell("connect_", figures);
    tell_cost(&run, &cost, updates, figures);
    tell_calls_and_growth(&drive, figures);
    tell_presence(&run, figures);
    tell_items(&run, figures);
    tell_slow(&run, fleet, figures);
    tell_visitors(&run, figures);
    if drive.restart.has_begun() {
        tell_restart(&run, &drive, fleet, figures);
        found.marks = marks(&drive, scenario);
    }
    let records = &run.records;
    for (name, times) in [
        ("deliveries", &records.late),
        ("echoes", &records.echoes),
        ("presence", &records.presence),
        ("items", &records.items),
        ("joins", &fleet.joins),
    ] {
        if times.total() > 0 {
            found.histogram.insert(name.to_owned(), times.classes());
        }
    }
    found.over_time = drive.samples.over_time();
    found.warnings = own_limits(&run, &cost);
    found
        .warnings
        .extend(warnings(&run, &drive, (fleet, is_gone), scenario));
    Outcome {
        late: run.records.late,
        lag: run.records.lag,
        closed: run.closed,
        own_share: cost.shares.own,
        expected,
        counted,
        found,
    }
}

fn tell_deliveries(
    (run, drive): (&Run, &Drive),
    scenario: &Scenario,
    (expected, counted, updates): (u64, u64, u64),
    figures: &mut Map<String, Value>,
) {
    // After a restart writers rightly send again what the server lost, and others have it already.
    let again = if drive.restart.has_begun() {
        "resent"
    } else {
        "repeated"
    };
    put(
        figures,
        [
            ("updates", json!(updates)),
            ("deliveries", json!(counted)),
            ("all_deliveries", json!(run.sum(|group| group.tally.all))),
            ("deliveries_per_second", json!(counted as f64 / scenario.seconds)),
            ("lost", json!(expected - counted)),
            (again, json!(run.sum(|group| group.tally.repeated))),
            ("disordered", json!(run.sum(|group| group.tally.disordered))),
            ("unknown", json!(run.sum(Group::unknown))),
            ("asked_again", json!(run.asked)),
            ("denied", json!(run.denied)),
            ("closed", json!(run.closed)),
        ],
    );
    let records = &run.records;
    records.late.tell("", figures);
    if expected > 0 {
        let within = records.late.within(scenario.limit_ms) as f64 / expected as f64;
        put(figures, [("within_limit", json!(within.min(1.0)))]);
    }
    if records.echoes.total() > 0 {
        put(figures, [("echoes", json!(records.echoes.total()))]);
    }
    if run.taken > 0 {
        put(figures, [("taken", json!(run.taken))]);
    }
    records.echoes.tell("echo_", figures);
}

fn tell_calls_and_growth(drive: &Drive, figures: &mut Map<String, Value>) {
    let calls = drive.calls.as_ref().and_then(|calls| calls.as_ref().ok());
    if let Some((calls, deliveries)) = calls.filter(|(_, deliveries)| *deliveries > 0) {
        put(
            figures,
            [
                (
                    "syscalls_per_delivery",
                    json!(calls.all as f64 / *deliveries as f64),
                ),
                (
                    "other_syscalls_per_delivery",
                    json!(calls.other as f64 / *deliveries as f64),
                ),
            ],
        );
    }
    let (memory, file) = drive.samples.growth();
    put(
        figures,
        [
            ("memory_growth_bytes_per_hour", json!(memory)),
            ("file_growth_bytes_per_hour", json!(file)),
        ],
    );
}

fn tell_presence(run: &Run, figures: &mut Map<String, Value>) {
    if run.groups.iter().any(|group| group.cursors.are_there()) {
        put(
            figures,
            [
                ("presence_deliveries", json!(run.sum(|group| group.cursors.seen))),
                ("presence_skipped", json!(run.sum(|group| group.cursors.skipped))),
                ("presence_lost", json!(run.sum(|group| group.cursors.lost()))),
            ],
        );
        run.records.presence.tell("presence_", figures);
    }
}

fn tell_visitors(run: &Run, figures: &mut Map<String, Value>) {
    let visitors: usize = run.groups.iter().map(|group| group.visitors.came).sum();
    if visitors > 0 {
        put(
            figures,
            [
                ("visitors", json!(visitors)),
                ("visitors_refused", json!(run.sum(|group| group.visitors.refused))),
                (
                    "visitors_unserved",
                    json!(run.sum(|group| group.visitors.unserved())),
                ),
            ],
        );
        let mut joins = Times::default();
        run.groups
            .iter()
            .for_each(|group| joins.add(&group.visitors.joins));
        joins.tell("join_", figures);
    }
}

/// What happened when, for the pictures.
fn marks(drive: &Drive, scenario: &Scenario) -> Vec<Value> {
    let at = |nanos: u64| nanos.saturating_sub(drive.span.start) as f64 / 1e9;
    let (ended, up) = (
        drive.restart.ended_at,
        drive.restart.ended_at + drive.restart.down_ns,
    );
    vec![
        json!({"second": at(ended), "text": format!("server ended ({})", scenario.restart_signal)}),
        json!({"second": at(up), "text": "first client is back"}),
    ]
}

fn put<const N: usize>(figures: &mut Map<String, Value>, entries: [(&str, Value); N]) {
    let entries = entries.into_iter().filter(|(_, value)| !value.is_null());
    figures.extend(entries.map(|(name, value)| (name.to_owned(), value)));
}

fn tell_cost(run: &Run, cost: &Cost, updates: u64, figures: &mut Map<String, Value>) {
    let deliveries = run.sum(Group::delivered);
    let items = run.sum(|group| group.items.as_ref().map_or(0, |items| items.counted));
    let each = |sum: Option<u64>, of: u64| sum.filter(|_| of > 0).map(|sum| sum as f64 / of as f64);
    let clients: usize = run.groups.iter().map(Group::clients).sum();
    let grown = run
        .memory
        .map(|(before, after)| after.saturating_sub(before) as f64 / clients as f64);
    put(
        figures,
        [
            ("connections", json!(clients)),
            (
                "cpu_us_per_delivery",
                json!(each(cost.cpu_ns, deliveries).map(|nanos| nanos / 1e3)),
            ),
            ("cpu_share", json!(cost.shares.server)),
            ("written_bytes", json!(cost.written)),
            (
                "written_bytes_per_update",
                json!(each(cost.written, updates + items)),
            ),
            ("memory_start_bytes", json!(run.memory.map(|memory| memory.0))),
            ("memory_joined_bytes", json!(run.memory.map(|memory| memory.1))),
            ("memory_end_bytes", json!(cost.memory_end)),
            ("memory_max_bytes", json!(cost.memory_max)),
            ("bytes_per_connection", json!(grown)),
            ("own_cpu_share", json!(cost.shares.own)),
        ],
    );
    if run.records.lag.total() > 0 {
        put(
            figures,
            [("send_lag_p99_ms", json!(run.records.lag.within_ms(0.99)))],
        );
    }
}

fn tell_items(run: &Run, figures: &mut Map<String, Value>) {
    let items = || run.groups.iter().filter_map(|group| group.items.as_ref());
    if items().next().is_none() {
        return;
    }
    let mut http = Times::default();
    items().for_each(|items| http.add(&items.http));
    put(
        figures,
        [
            ("items", json!(items().map(|items| items.counted).sum::<u64>())),
            (
                "items_failed",
                json!(items().map(|items| items.failed).sum::<u64>()),
            ),
            (
                "items_lost",
                json!(items().map(crate::traffic::Items::lost).sum::<u64>()),
            ),
            (
                "items_repeated",
                json!(items().map(crate::traffic::Items::repeated).sum::<u64>()),
            ),
        ],
    );
    let unanswered: u64 = items().map(crate::traffic::Items::unanswered).sum();
    put(figures, [("items_unanswered", json!(unanswered))]);
    http.tell("items_http_", figures);
    run.records.items.tell("items_", figures);
}

fn tell_slow(run: &Run, fleet: &Fleet, figures: &mut Map<String, Value>) {
    let ids = || run.groups.iter().flat_map(Group::slow_ids);
    if ids().next().is_none() {
        return;
    }
    let closed = ids().filter(|id| fleet.state(*id) == State::Closed).count();
    put(
        figures,
        [
            ("slow_readers", json!(ids().count())),
            ("slow_closed", json!(closed)),
            ("slow_behind", json!(run.sum(|group| group.slow_behind(fleet)))),
            ("slow_deliveries", json!(run.sum(|group| group.slow.all))),
        ],
    );
}

fn tell_restart(run: &Run, drive: &Drive, fleet: &Fleet, figures: &mut Map<String, Value>) {
    let restart = &drive.restart;
    let ids = run
        .groups
        .iter()
        .flat_map(|group| group.first..group.first + group.clients());
    let away = ids.filter(|id| fleet.state(*id) != State::Open).count();
    put(
        figures,
        [
            ("restart_down_ms", json!(restart.down_ns as f64 / 1e6)),
            ("restart_away", json!(away)),
        ],
    );
    if let Some(books) = restart.books {
        let Books {
            sent,
            acknowledged,
            lost_acknowledged,
            lost_seen,
            lost_unseen,
        } = books;
        put(
            figures,
            [
                ("restart_sent", json!(sent)),
                ("restart_acknowledged", json!(acknowledged)),
                ("restart_lost_acknowledged", json!(lost_acknowledged)),
                ("restart_lost_seen", json!(lost_seen)),
                ("restart_lost_unseen", json!(lost_unseen)),
            ],
        );
    }
    restart.rejoins.tell("rejoin_", figures);
}

/// Why the figures say more of the generator than of the server.
fn own_limits(run: &Run, cost: &Cost) -> Vec<String> {
    let mut limits = Vec::new();
    let share = cost.shares.own;
    if share > OWN_SHARE_MAX {
        limits.push(format!(
            "the generator was the limit, not the server: it was busy all the time ({share:.2} of a core)"
        ));
    }
    // Of cursors where nothing else is.
    let late = [&run.records.late, &run.records.presence].map(|times| times.within_ms(0.99));
    let (lag, late) = (run.records.lag.within_ms(0.99), late[0].max(late[1]));
    if lag > LAG_MS && lag > late / 3.0 {
        limits.push(format!(
            "the generator sent late ({lag:.1} ms at p99): it had no core of its own, and the times are its own in part"
        ));
    }
    limits
}

/// What one has to know about the figures.
fn warnings(run: &Run, drive: &Drive, (fleet, is_gone): (&Fleet, bool), scenario: &Scenario) -> Vec<String> {
    let mut warnings = Vec::new();
    if is_gone {
        warnings.push("the server's process ended by itself during the run".to_owned());
    }
    if run.closed > 0 {
        warnings.push(format!(
            "the server closed {} connections; of the first: {}",
            run.closed,
            fleet.fault.as_deref().unwrap_or("nothing is known")
        ));
    }
    if drive.restart.books.is_some() {
        warnings.push(format!(
            "newcomers looked for {} s at what was there before the others were let in: late deliveries are that late",
            scenario.probe
        ));
    }
    let (refused, unserved) = (
        run.sum(|group| group.visitors.refused),
        run.sum(|group| group.visitors.unserved()),
    );
    if refused + unserved > 0 {
        warnings.push(format!(
            "{refused} visitors were refused or closed, and {unserved} had not joined when the next came or the \
             run ended: how long they would have waited is in no figure"
        ));
    }
    let unanswered = run.sum(|group| group.items.as_ref().map_or(0, super::Items::unanswered));
    if unanswered > 0 {
        warnings.push(format!(
            "{unanswered} items were due and never answered: how long they would have taken is in no figure"
        ));
    }
    let faults = run
        .groups
        .iter()
        .filter_map(|group| group.items.as_ref()?.fault.as_ref());
    warnings.extend(faults.map(|fault| format!("items could not be written: {fault}")));
    match &drive.calls {
        Some(Ok(_)) => warnings.push(
            "system calls were counted, which slows the server: its times and CPU are too large".to_owned(),
        ),
        Some(Err(error)) => warnings.push(error.clone()),
        None => {}
    }
    warnings
}
