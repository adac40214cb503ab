//! Pictures of what changed during a run.
//!
//! Owns the time axis and what is marked on it. Key invariant: what is thinned keeps its largest points.

use serde_json::Value;

use super::{Picture, axis, chart, limits, series};
use crate::report::Run;
use crate::report::chart::{Rule, Series, Shape};
use crate::report::number::{byte_unit, digits};
use crate::report::scale::Kind;

/// Seconds of a run that are drawn; of a longer one each point is the largest of several.
const POINTS_MAX: usize = 500;

/// In what time is told: its length, and what it is called beside a number and under the axis.
type Clock = (f64, &'static str, &'static str);

/// What is drawn of each second.
struct Plot<'a> {
    title: &'a str,
    axis: (&'a str, Kind),
    unit: &'a str,
    /// Members of a second, what they are called, and how they are drawn.
    lines: &'a [(&'a str, &'a str, (Shape, &'a str))],
    /// From the file to the axis.
    factor: f64,
    note: &'a str,
}

pub(super) fn latency(runs: &[Run<'_>]) -> Picture {
    let plot = Plot {
        title: "Latency over time",
        axis: ("ms, log scale", Kind::Log),
        unit: "ms",
        lines: &[
            ("p50_ms", "p50", (Shape::Line, "thin")),
            ("p99_ms", "p99", (Shape::Line, "strong")),
            ("max_ms", "max", (Shape::Dots, "faint")),
        ],
        factor: 1.0,
        note: "From when an update was due until another client had it, by second.",
    };
    let mut picture = plot.picture(runs);
    picture.chart.limits = limits(runs, &picture.chart.series);
    picture
}

pub(super) fn cpu(runs: &[Run<'_>]) -> Picture {
    let plot = Plot {
        title: "CPU",
        axis: ("% of a core", Kind::Linear),
        unit: "% of a core",
        lines: &[
            ("cpu_share", "server", (Shape::Line, "strong")),
            ("own_cpu_share", "generator", (Shape::Line, "thin")),
        ],
        factor: 100.0,
        note: "Where the generator nears 100 %, it is the limit, not the server.",
    };
    plot.picture(runs)
}

pub(super) fn memory(runs: &[Run<'_>]) -> Picture {
    bytes(runs, "memory_bytes", "Memory of the server")
}

pub(super) fn file(runs: &[Run<'_>]) -> Picture {
    bytes(runs, "file_bytes", "Size of the file on disk")
}

fn bytes(runs: &[Run<'_>], member: &str, title: &str) -> Picture {
    let seconds = runs.iter().flat_map(|run| run.list("/over_time"));
    let numbers = seconds.filter_map(|second| second.get(member)?.as_f64());
    let (size, unit) = byte_unit(numbers.fold(0.0, f64::max));
    let plot = Plot {
        title,
        axis: (unit, Kind::Linear),
        unit,
        lines: &[(member, "", (Shape::Line, "strong"))],
        factor: 1.0 / size,
        note: "",
    };
    plot.picture(runs)
}

impl Plot<'_> {
    fn picture(&self, runs: &[Run<'_>]) -> Picture {
        let clock = clock(runs);
        let all: Vec<Series> = runs
            .iter()
            .flat_map(|run| {
                let lines = self.lines.iter();
                lines.filter_map(|(member, what, look)| {
                    series(run, what, *look, self.points(run, member, clock))
                })
            })
            .collect();
        let axes = (axis(clock.2, Kind::Time), axis(self.axis.0, self.axis.1));
        let mut chart = chart(self.title, axes, all, self.unit);
        chart.moments = moments(runs, clock);
        let happened = chart
            .moments
            .iter()
            .map(|moment| (moment.at, moment.text.as_str()));
        let is_thinned = runs.iter().any(|run| run.list("/over_time").len() > POINTS_MAX);
        let thinned = if is_thinned {
            "Each point is the largest of several."
        } else {
            ""
        };
        let parts = [self.note, thinned, &marked(happened, clock)];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        Picture {
            note: parts.collect::<Vec<&str>>().join(" "),
            chart,
        }
    }

    /// A member of each second; a second without it is a gap.
    fn points(&self, run: &Run<'_>, member: &str, clock: Clock) -> Vec<(f64, f64)> {
        let number =
            |second: &Value, name: &str| second.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let seconds = run.list("/over_time");
        let points = seconds.iter();
        let points = points.map(|second| {
            (
                number(second, "second") / clock.0,
                number(second, member) * self.factor,
            )
        });
        let points: Vec<(f64, f64)> = points.collect();
        let largest = |part: &[(f64, f64)]| {
            part.iter()
                .copied()
                .max_by(|a, b| rank(a.1).total_cmp(&rank(b.1)))
        };
        let parts = points.chunks(seconds.len().div_ceil(POINTS_MAX).max(1));
        parts.filter_map(largest).collect()
    }
}

/// What is no number is the least of all.
fn rank(number: f64) -> f64 {
    if number.is_nan() {
        f64::NEG_INFINITY
    } else {
        number
    }
}

/// Fit for the longest of the runs.
fn clock(runs: &[Run<'_>]) -> Clock {
    let seconds = runs.iter().flat_map(|run| run.list("/over_time"));
    let seconds = seconds.filter_map(|second| second.get("second")?.as_f64());
    match seconds.fold(0.0, f64::max) {
        s if s > 4.0 * 3600.0 => (3600.0, "h", "hours of the run"),
        s if s > 300.0 => (60.0, "min", "minutes of the run"),
        _ => (1.0, "s", "seconds of the run"),
    }
}

fn moments(runs: &[Run<'_>], clock: Clock) -> Vec<Rule> {
    let of = runs.iter().flat_map(|run| {
        run.list("/marks").iter().filter_map(move |mark| {
            let text = mark.get("text")?.as_str()?;
            let letter = run.letter.map(|letter| format!("{letter}: ")).unwrap_or_default();
            Some(Rule {
                at: mark.get("second")?.as_f64()? / clock.0,
                text: format!("{letter}{text}"),
                class: if run.letter == Some("B") { "b" } else { "a" }.to_owned(),
            })
        })
    });
    of.collect()
}

/// The moments in words: a picture has no room for all of them.
fn marked<'a>(moments: impl Iterator<Item = (f64, &'a str)>, clock: Clock) -> String {
    let words = moments.map(|(at, text)| format!("{text} at {} {}", digits(at), clock.1));
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        String::new()
    } else {
        format!("Marked: {}.", words.join("; "))
    }
}
