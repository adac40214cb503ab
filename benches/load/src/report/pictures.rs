//! The pictures of a report: which there are, and what of the results is in them.
//!
//! Owns what is drawn. Must not know how. Key invariant: two runs are in the same picture, in the same units.

use serde_json::Value;

use super::Run;
use super::chart::{Axis, Chart, Rule, Series, Shape};
use super::number::{Unit, byte_unit, tick};
use super::scale::Kind;

/// Seconds of a run that are drawn; of a longer one each point is the largest of several.
const POINTS_MAX: usize = 500;
/// A limit that is further away than this from what was measured is not in the picture.
const LIMIT_FACTOR: f64 = 5.0;
/// Bars of a histogram, about.
const BARS: f64 = 60.0;
/// How wide the classes of the generator are, as a power of ten.
const CLASS: f64 = 0.0068;
/// Where the picture of the tail ends.
const TAIL_END: f64 = 0.9999;

pub(crate) struct Picture {
    pub(crate) chart: Chart,
    /// What is to be known to read it.
    pub(crate) note: String,
}

/// All pictures that there is something for.
pub(crate) fn pictures(runs: &[Run<'_>]) -> Vec<Picture> {
    let mut all = vec![latency(runs), cpu(runs), rate(runs)];
    for kind in kinds(runs) {
        all.push(tail(runs, &kind));
        all.push(histogram(runs, &kind));
    }
    all.push(bytes(runs, "memory_bytes", "Memory of the server"));
    all.push(bytes(runs, "file_bytes", "Size of the file on disk"));
    all.retain(|picture| !picture.chart.series.is_empty());
    all
}

fn axis(title: &str, kind: Kind) -> Axis {
    Axis {
        title: title.to_owned(),
        kind,
        tick,
    }
}

/// A line of each run, with a name that says which.
fn series(
    run: &Run<'_>,
    what: &str,
    (shape, class): (Shape, &str),
    points: Vec<(f64, f64)>,
) -> Option<Series> {
    let letter = if run.letter == Some("B") { "b" } else { "a" };
    let drawn = points.iter().any(|(x, y)| x.is_finite() && y.is_finite());
    let name = match run.letter {
        Some(_) => format!("{} {what}", run.label()),
        None if what.is_empty() => run.server().to_owned(),
        None => what.to_owned(),
    };
    drawn.then(|| Series {
        name: name.trim_end().to_owned(),
        class: format!("{letter} {class}"),
        shape,
        points,
    })
}

/// What each series reaches, for who cannot see it.
fn told(series: &[Series], unit: &str) -> String {
    let of = series.iter().map(|series| {
        let numbers = || {
            series
                .points
                .iter()
                .map(|point| point.1)
                .filter(|y| y.is_finite())
        };
        let least = numbers().fold(f64::INFINITY, f64::min);
        let most = numbers().fold(0.0, f64::max);
        let digits = super::number::digits;
        format!("{}: {} to {} {unit}.", series.name, digits(least), digits(most))
    });
    of.collect::<Vec<String>>().join(" ")
}

fn chart(title: &str, (x, y): (Axis, Axis), series: Vec<Series>, unit: &str) -> Chart {
    Chart {
        title: title.to_owned(),
        told: told(&series, unit),
        x,
        y,
        series,
        limits: Vec::new(),
        moments: Vec::new(),
    }
}

/// A member of each second, times a factor; a second without it is a gap.
fn over_time(run: &Run<'_>, member: &str, factor: f64) -> Vec<(f64, f64)> {
    let number = |second: &Value, name: &str| second.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let seconds = run.list("/over_time");
    let points = seconds
        .iter()
        .map(|second| (number(second, "second"), number(second, member) * factor));
    let points: Vec<(f64, f64)> = points.collect();
    let largest = |part: &[(f64, f64)]| {
        part.iter()
            .copied()
            .max_by(|a, b| total(a.1).total_cmp(&total(b.1)))
    };
    points
        .chunks(seconds.len().div_ceil(POINTS_MAX).max(1))
        .filter_map(largest)
        .collect()
}

/// What is no number is the least of all.
fn total(number: f64) -> f64 {
    if number.is_nan() {
        f64::NEG_INFINITY
    } else {
        number
    }
}

fn thinned(runs: &[Run<'_>]) -> &'static str {
    let is_long = runs.iter().any(|run| run.list("/over_time").len() > POINTS_MAX);
    if is_long {
        " Each point is the largest of several seconds."
    } else {
        ""
    }
}

fn moments(runs: &[Run<'_>]) -> Vec<Rule> {
    let of = runs.iter().flat_map(|run| {
        run.list("/marks").iter().filter_map(move |mark| {
            let text = mark.get("text")?.as_str()?;
            let letter = run.letter.map(|letter| format!("{letter}: ")).unwrap_or_default();
            Some(Rule {
                at: mark.get("second")?.as_f64()?,
                text: format!("{letter}{text}"),
                class: if run.letter == Some("B") { "b" } else { "a" }.to_owned(),
            })
        })
    });
    of.collect()
}

/// The limits of the runs, where they are near what is in the picture.
fn limits(runs: &[Run<'_>], series: &[Series]) -> Vec<Rule> {
    let drawn = series.iter().flat_map(|series| series.points.iter());
    let most = drawn
        .map(|point| point.1)
        .filter(|y| y.is_finite())
        .fold(0.0, f64::max);
    let mut limits: Vec<f64> = runs
        .iter()
        .filter_map(|run| run.number("/scenario/limit_ms"))
        .collect();
    limits.dedup();
    limits.retain(|limit| *limit <= most * LIMIT_FACTOR);
    limits.into_iter().map(limit).collect()
}

fn limit(at: f64) -> Rule {
    Rule {
        at,
        text: format!("limit {}", Unit::Millis.print(at)),
        class: String::new(),
    }
}

fn latency(runs: &[Run<'_>]) -> Picture {
    let lines = |run: &Run<'_>| {
        [
            ("p50_ms", "p50", (Shape::Line, "thin")),
            ("p99_ms", "p99", (Shape::Line, "strong")),
            ("max_ms", "max", (Shape::Dots, "faint")),
        ]
        .map(|(member, what, look)| series(run, what, look, over_time(run, member, 1.0)))
    };
    let all: Vec<Series> = runs.iter().flat_map(lines).flatten().collect();
    let axes = (
        axis("seconds of the run", Kind::Time),
        axis("ms, log scale", Kind::Log),
    );
    let limits = limits(runs, &all);
    let mut chart = chart("Latency over time", axes, all, "ms");
    chart.limits = limits;
    chart.moments = moments(runs);
    Picture {
        chart,
        note: format!(
            "From when an update was due until another client had it, by second.{}",
            thinned(runs)
        ),
    }
}

/// The search for the largest rate: each step a dot, those that passed joined.
fn rate(runs: &[Run<'_>]) -> Picture {
    let member = |step: &Value, name: &str| step.get(name).and_then(Value::as_f64);
    let steps = || runs.iter().flat_map(|run| run.list("/steps"));
    let has_deliveries = steps().all(|step| member(step, "deliveries_per_second").is_some());
    let (name, what) = if has_deliveries {
        ("deliveries_per_second", "deliveries a second, log scale")
    } else {
        ("updates_per_second", "updates a second, log scale")
    };
    let lines = |run: &Run<'_>| {
        let of = |passes: bool| {
            let steps = run.list("/steps").iter();
            let those = steps.filter(|step| step.get("passes").and_then(Value::as_bool) == Some(passes));
            let points = those.filter_map(|step| member(step, name).zip(member(step, "p99_ms")));
            let mut points: Vec<(f64, f64)> = points.collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points
        };
        [
            series(run, "", (Shape::Line, "thin"), of(true)),
            series(run, "passed", (Shape::Dots, "full"), of(true)),
            series(run, "did not pass", (Shape::Dots, "hollow"), of(false)),
        ]
    };
    let mut all: Vec<Series> = runs.iter().flat_map(lines).flatten().collect();
    // The line has the dots' name.
    for line in all.iter_mut().filter(|series| series.shape == Shape::Line) {
        line.name.clear();
    }
    let axes = (axis(what, Kind::Log), axis("p99, ms, log scale", Kind::Log));
    let mut limits: Vec<f64> = runs
        .iter()
        .filter_map(|run| run.number("/scenario/limit_ms"))
        .collect();
    limits.dedup();
    let mut chart = chart("Rate against latency", axes, all, "ms");
    chart.limits = limits.into_iter().map(limit).collect();
    Picture {
        chart,
        note: "The p99 of each rate that was tried; one that lost deliveries or was later than the limit did not \
               pass."
            .to_owned(),
    }
}

/// Which histograms there are: deliveries first, empty ones not.
fn kinds(runs: &[Run<'_>]) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for run in runs {
        let all = run.result.get("histogram").and_then(Value::as_object);
        for (name, classes) in all.into_iter().flatten() {
            let is_empty = classes.as_array().is_none_or(Vec::is_empty);
            if !is_empty && !kinds.contains(name) {
                kinds.push(name.clone());
            }
        }
    }
    kinds.sort_by_key(|kind| kind != "deliveries");
    kinds
}

/// What a histogram is of, in words.
fn of_kind(kind: &str) -> String {
    match kind {
        "deliveries" => "Latency of deliveries".to_owned(),
        "echoes" => "Until an update is saved".to_owned(),
        "presence" => "Latency of cursors".to_owned(),
        "items" => "Latency of items over HTTP".to_owned(),
        other => format!("Latency: {other}"),
    }
}

/// The classes of a histogram that hold something: their upper ends, and counts.
fn classes(run: &Run<'_>, kind: &str) -> Vec<(f64, f64)> {
    let histogram = run.result.get("histogram").and_then(|all| all.get(kind));
    let pairs = histogram.and_then(Value::as_array).into_iter().flatten();
    let numbers = pairs.filter_map(|pair| pair.get(0)?.as_f64().zip(pair.get(1)?.as_f64()));
    let mut classes: Vec<(f64, f64)> = numbers.filter(|(ms, count)| *ms > 0.0 && *count > 0.0).collect();
    classes.sort_by(|a, b| a.0.total_cmp(&b.0));
    classes
}

fn tail(runs: &[Run<'_>], kind: &str) -> Picture {
    let line = |run: &Run<'_>| {
        let classes = classes(run, kind);
        let total: f64 = classes.iter().map(|class| class.1).sum();
        let mut points = Vec::new();
        let mut seen = 0.0;
        for (ms, count) in classes {
            let from = seen / total;
            if from >= TAIL_END {
                break;
            }
            seen += count;
            // The last is not at 100 %, which is nowhere on this axis, but where all but one are.
            let to = (seen / total).min(1.0 - 1.0 / total.max(1.0));
            points.extend([(from, ms), (to.max(from), ms)]);
        }
        series(run, "", (Shape::Line, "strong"), points)
    };
    let all: Vec<Series> = runs.iter().filter_map(line).collect();
    let share = Axis {
        tick: |share| format!("{} %", tick(share * 100.0)),
        ..axis("share of all that came within", Kind::Tail)
    };
    let axes = (share, axis("ms, log scale", Kind::Log));
    // What is saved, nobody waits for.
    let limits = if kind == "echoes" {
        Vec::new()
    } else {
        limits(runs, &all)
    };
    let mut chart = chart(&format!("{}: the tail", of_kind(kind)), axes, all, "ms");
    chart.limits = limits;
    Picture {
        chart,
        note: "How late the latest are: each nine is as wide as the one before.".to_owned(),
    }
}

fn histogram(runs: &[Run<'_>], kind: &str) -> Picture {
    let all: Vec<Vec<(f64, f64)>> = runs.iter().map(|run| classes(run, kind)).collect();
    let ends = || all.iter().flatten().map(|class| class.0.log10());
    let (low, high) = (
        ends().fold(f64::INFINITY, f64::min),
        ends().fold(f64::NEG_INFINITY, f64::max),
    );
    let wide = [0.02, 0.05, 0.1, 0.2]
        .into_iter()
        .find(|wide| (high - low) / wide <= BARS);
    // A range without end has few bars, not a million.
    let wide = wide.unwrap_or((high - low) / BARS);
    let area = |(run, classes): (&Run<'_>, &Vec<(f64, f64)>)| {
        series(run, "", (Shape::Area, "area"), bars(classes, wide))
    };
    let all: Vec<Series> = runs.iter().zip(&all).filter_map(area).collect();
    let axes = (axis("ms, log scale", Kind::Log), axis("% of all", Kind::Linear));
    Picture {
        chart: chart(&format!("{}: how often", of_kind(kind)), axes, all, "%"),
        note: "Each step is as many times later as the one before.".to_owned(),
    }
}

/// The outline of bars that are each `wide` powers of ten. A class is spread over those that it lies in.
fn bars(classes: &[(f64, f64)], wide: f64) -> Vec<(f64, f64)> {
    let total: f64 = classes.iter().map(|class| class.1).sum();
    let place = |ms: f64| ms.log10() / wide;
    let (Some(first), Some(last)) = (classes.first(), classes.last()) else {
        return Vec::new();
    };
    let from = (place(first.0) - CLASS / wide).floor();
    let mut heights = vec![0.0; (place(last.0) - from).max(0.0) as usize + 1];
    for (ms, count) in classes {
        let (low, high) = (place(*ms) - CLASS / wide - from, place(*ms) - from);
        let bars = heights.iter_mut().enumerate().skip(low as usize);
        for (at, height) in bars.take_while(|(at, _)| *at as f64 <= high) {
            let at = at as f64;
            let inside = (high.min(at + 1.0) - low.max(at)).max(0.0);
            *height += count / total * 100.0 * inside / (high - low);
        }
    }
    let edge = |at: usize| 10_f64.powf((from + at as f64) * wide);
    let steps = heights.iter().enumerate();
    steps
        .flat_map(|(at, height)| [(edge(at), *height), (edge(at + 1), *height)])
        .collect()
}

fn cpu(runs: &[Run<'_>]) -> Picture {
    let lines = |run: &Run<'_>| {
        [
            ("cpu_share", "server", "strong"),
            ("own_cpu_share", "generator", "thin"),
        ]
        .map(|(member, what, class)| series(run, what, (Shape::Line, class), over_time(run, member, 100.0)))
    };
    let all: Vec<Series> = runs.iter().flat_map(lines).flatten().collect();
    let axes = (
        axis("seconds of the run", Kind::Time),
        axis("% of a core", Kind::Linear),
    );
    let mut chart = chart("CPU", axes, all, "% of a core");
    chart.moments = moments(runs);
    Picture {
        chart,
        note: format!(
            "Where the generator nears 100 %, it is the limit, not the server.{}",
            thinned(runs)
        ),
    }
}

fn bytes(runs: &[Run<'_>], member: &str, title: &str) -> Picture {
    let numbers = runs.iter().flat_map(|run| over_time(run, member, 1.0));
    let most = numbers
        .map(|point| point.1)
        .filter(|bytes| bytes.is_finite())
        .fold(0.0, f64::max);
    let (size, unit) = byte_unit(most);
    let line = |run: &Run<'_>| {
        series(
            run,
            "",
            (Shape::Line, "strong"),
            over_time(run, member, 1.0 / size),
        )
    };
    let all: Vec<Series> = runs.iter().filter_map(line).collect();
    let axes = (axis("seconds of the run", Kind::Time), axis(unit, Kind::Linear));
    let mut chart = chart(title, axes, all, unit);
    chart.moments = moments(runs);
    Picture {
        chart,
        note: thinned(runs).trim_start().to_owned(),
    }
}
