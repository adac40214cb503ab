//! The figures of a result: in which order they are told, and what they are called.
//!
//! Owns the names. Key invariant: each figure of a result is in one row, one that is not known here under its
//! own name.

use std::collections::BTreeSet;

use super::Run;
use super::number::{Unit, digits};

/// Percentiles, as names of figures have them.
const SHARES: [(&str, &str); 7] = [
    ("p50", "p50"),
    ("p90", "p90"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("p999", "p99.9"),
    ("p9999", "p99.99"),
    ("max", "max"),
];

/// Whether a short summary has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Always,
    /// Only when it is not 0.
    NotZero,
    /// Only by the page.
    InFull,
}
use Told::{Always, InFull, NotZero};

/// A figure, or with a `*` those of each percentile; what people call it; whether a summary has it.
type Known = (&'static str, &'static str, Told);

const GROUPS: [(&str, &[Known]); 9] = [
    (
        "Deliveries",
        &[
            ("*_ms", "latency", Always),
            ("within_limit", "within the limit", Always),
            ("deliveries_per_second", "deliveries a second", Always),
            ("deliveries", "deliveries", Always),
            ("all_deliveries", "deliveries, warm-up too", InFull),
            ("updates", "updates", InFull),
            ("updates_per_second", "updates a second", Always),
            ("limit_ms", "the limit", InFull),
            ("lost", "lost", Always),
            ("repeated", "repeated", Always),
            ("disordered", "out of order", Always),
            ("unknown", "unknown", NotZero),
            ("asked_again", "asked again", NotZero),
            ("denied", "denied", NotZero),
            ("closed", "closed", NotZero),
        ],
    ),
    (
        "Back at their author (who stores first says so by that)",
        &[
            ("echoes", "back at their author", InFull),
            ("taken", "told as taken", InFull),
            ("echo_*_ms", "back at its author", Always),
        ],
    ),
    (
        "Cursors",
        &[
            ("presence_deliveries", "cursors delivered", InFull),
            ("presence_lost", "cursors whose last place was lost", Always),
            ("presence_skipped", "cursors overtaken by newer ones", InFull),
            ("presence_*_ms", "cursors", Always),
        ],
    ),
    (
        "Items over HTTP",
        &[
            ("items", "items", InFull),
            ("items_failed", "items that failed", Always),
            ("items_lost", "items lost", Always),
            ("items_unanswered", "items without an answer", NotZero),
            ("items_repeated", "items repeated", Always),
            ("items_http_*_ms", "items, answered", Always),
            ("items_*_ms", "items, at a client", Always),
        ],
    ),
    (
        "Slow readers",
        &[
            ("slow_readers", "slow readers", Always),
            ("slow_closed", "of the slow, closed", Always),
            ("slow_behind", "of the slow, behind at the end", Always),
            ("slow_deliveries", "deliveries to the slow", InFull),
        ],
    ),
    (
        "Restart",
        &[
            ("restart_down_ms", "server down", Always),
            ("rejoin_*_ms", "clients back", Always),
            ("restart_away", "clients not back", Always),
            ("resent", "sent again after it", Always),
            ("restart_sent", "updates sent before it", InFull),
            ("restart_acknowledged", "updates acknowledged before it", Always),
            ("restart_lost_acknowledged", "acknowledged, then lost", Always),
            ("restart_lost_seen", "seen by others, then lost", Always),
            ("restart_lost_unseen", "lost, seen by nobody", Always),
        ],
    ),
    (
        "Joins",
        &[
            ("join_*_ms", "join", Always),
            ("cold_join_*_ms", "cold join", Always),
            ("at_once_*_ms", "whole crowd joined", Always),
            ("at_once_each_*_ms", "join in a crowd", Always),
            ("at_once", "size of the crowd", InFull),
            ("at_once_memory_bytes", "memory for the crowd", Always),
            ("cpu_ms_per_join", "CPU a join", Always),
            ("joins", "joins, one by one", InFull),
            ("visitors", "visitors", InFull),
            ("visitors_refused", "visitors refused", NotZero),
            ("visitors_unserved", "visitors who never had the board", NotZero),
            ("state_bytes", "size of the board", InFull),
            ("first_join_bytes", "bytes of the first join", InFull),
            ("last_join_bytes", "bytes of the last join", InFull),
        ],
    ),
    (
        "What the server costs",
        &[
            ("cpu_us_per_delivery", "CPU a delivery", Always),
            ("cpu_share", "CPU, of a core", Always),
            ("written_bytes", "disk written", InFull),
            ("written_bytes_per_update", "disk written an update", Always),
            ("syscalls_per_delivery", "system calls a delivery", Always),
            ("other_syscalls_per_delivery", "system calls, sends aside", Always),
            ("memory_max_bytes", "memory, most", Always),
            ("memory_start_bytes", "memory at the start", InFull),
            ("memory_joined_bytes", "memory, all joined", InFull),
            ("memory_end_bytes", "memory at the end", InFull),
            ("bytes_per_connection", "memory a connection", Always),
            ("connections", "connections", InFull),
            ("memory_growth_bytes_per_hour", "memory grows, an hour", Always),
            ("file_growth_bytes_per_hour", "file grows, an hour", Always),
        ],
    ),
    (
        "The generator itself",
        &[
            ("own_cpu_share", "generator's CPU, of a core", Always),
            ("send_lag_*_ms", "generator sent late", Always),
            ("connect_*_ms", "connect", InFull),
        ],
    ),
];

/// What ought to be 0.
const FAULTS: [&str; 12] = [
    "lost",
    "repeated",
    "disordered",
    "unknown",
    "denied",
    "presence_lost",
    "items_failed",
    "items_lost",
    "items_repeated",
    "items_unanswered",
    "visitors_unserved",
    "restart_lost_acknowledged",
];

/// One figure of each run.
pub(crate) struct Row {
    pub(crate) name: String,
    /// None where only the name is known.
    pub(crate) label: Option<String>,
    pub(crate) values: Vec<Option<f64>>,
    told: Told,
}

pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<Row>,
}

impl Row {
    fn new(runs: &[Run<'_>], (name, label): (&str, Option<String>), told: Told) -> Option<Self> {
        let values: Vec<Option<f64>> = runs.iter().map(|run| run.figure(name)).collect();
        let is_there = values.iter().any(Option::is_some);
        is_there.then(|| Self {
            name: name.to_owned(),
            label,
            values,
            told,
        })
    }

    pub(crate) fn print(&self, value: Option<f64>) -> String {
        value.map_or_else(|| "-".to_owned(), |value| Unit::of(&self.name).print(value))
    }

    /// B in parts of A.
    pub(crate) fn ratio(&self) -> String {
        match self.values.as_slice() {
            [Some(a), Some(b)] if *a > 0.0 && *b >= 0.0 && b / a < 100.0 => format!("{:.2}", b / a),
            [Some(a), Some(b)] if *a > 0.0 && *b >= 0.0 => digits(b / a),
            _ => "-".to_owned(),
        }
    }

    pub(crate) fn is_fault(&self, value: Option<f64>) -> bool {
        FAULTS.contains(&self.name.as_str()) && value.is_some_and(|value| value > 0.0)
    }

    pub(crate) fn is_brief(&self) -> bool {
        match self.told {
            Always => true,
            NotZero => self.values.iter().flatten().any(|value| *value > 0.0),
            InFull => false,
        }
    }
}

/// All figures of the runs.
pub(crate) fn groups(runs: &[Run<'_>]) -> Vec<Group> {
    let mut rest: BTreeSet<&str> = BTreeSet::new();
    for run in runs {
        let figures = run.result.get("figures").and_then(|figures| figures.as_object());
        rest.extend(figures.into_iter().flatten().map(|(name, _)| name.as_str()));
    }
    let mut groups = Vec::new();
    for (title, known) in GROUPS {
        let named = known.iter().flat_map(names);
        let rows = named.filter_map(|(name, label, told)| {
            rest.remove(name.as_str());
            Row::new(runs, (&name, Some(label)), told)
        });
        groups.push(Group {
            title,
            rows: rows.collect(),
        });
    }
    let rows = rest
        .into_iter()
        .filter_map(|name| Row::new(runs, (name, None), Always));
    groups.push(Group {
        title: "Others, by name",
        rows: rows.collect(),
    });
    groups.retain(|group| !group.rows.is_empty());
    groups
}

fn names(&(pattern, label, told): &Known) -> Vec<(String, String, Told)> {
    if !pattern.contains('*') {
        return vec![(pattern.to_owned(), label.to_owned(), told)];
    }
    let each = SHARES.iter();
    each.map(|(part, share)| (pattern.replace('*', part), format!("{label} {share}"), told))
        .collect()
}

/// The few that say most: the first that are there, at most this many. Of a search it is what it found.
pub(crate) fn headline(groups: &[Group], is_search: bool, most: usize) -> Vec<&Row> {
    const FOUND: &str = "deliveries_per_second";
    const NAMES: [&str; 16] = [
        "restart_lost_acknowledged",
        "restart_down_ms",
        "rejoin_max_ms",
        "p50_ms",
        "p99_ms",
        "max_ms",
        "within_limit",
        "lost",
        FOUND,
        "join_p50_ms",
        "cold_join_p50_ms",
        "at_once_max_ms",
        "cpu_us_per_delivery",
        "memory_max_bytes",
        "bytes_per_connection",
        "presence_p99_ms",
    ];
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let first = is_search.then_some(FOUND).into_iter();
    let others = NAMES.into_iter().filter(|name| !is_search || *name != FOUND);
    let found = first
        .chain(others)
        .filter_map(|name| rows().find(|row| row.name == name));
    found.take(most).collect()
}
