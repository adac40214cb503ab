//! The pictures of a report: which there are, and what of the results is in them.
//!
//! Owns what is drawn. Must not know how. Key invariant: two runs are in the same picture, in the same units.

mod spread;
mod time;

use serde_json::Value;

use super::Run;
use super::chart::{Axis, Chart, Rule, Series, Shape};
use super::number::{Unit, digits, short_tick, tick};
use super::scale::Kind;

/// A limit that is further away than this from what was measured is not in the picture.
const LIMIT_FACTOR: f64 = 5.0;

pub(crate) struct Picture {
    pub(crate) chart: Chart,
    /// What is to be known to read it.
    pub(crate) note: String,
}

/// All pictures that there is something for.
pub(crate) fn pictures(runs: &[Run<'_>]) -> Vec<Picture> {
    let mut all = vec![rate(runs), time::latency(runs), time::cpu(runs)];
    for kind in spread::kinds(runs) {
        all.push(spread::tail(runs, &kind));
        all.push(spread::histogram(runs, &kind));
    }
    all.push(time::memory(runs));
    all.push(time::file(runs));
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
    let (letter, shape) = match (run.letter, shape) {
        (Some("B"), Shape::Dots) => ("b", Shape::Diamonds),
        (Some("B"), shape) => ("b", shape),
        (_, shape) => ("a", shape),
    };
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

/// The limits of the runs, where they are near what is in the picture.
fn limits(runs: &[Run<'_>], series: &[Series]) -> Vec<Rule> {
    let drawn = series.iter().flat_map(|series| &series.points);
    let numbers = drawn.map(|point| point.1).filter(|y| y.is_finite());
    let most = numbers.fold(0.0, f64::max);
    let mut limits = all_limits(runs);
    limits.retain(|limit| limit.at <= most * LIMIT_FACTOR);
    limits
}

fn all_limits(runs: &[Run<'_>]) -> Vec<Rule> {
    let mut limits: Vec<f64> = runs.iter().filter_map(Run::limit_ms).collect();
    limits.dedup();
    limits.into_iter().map(limit).collect()
}

fn limit(at: f64) -> Rule {
    Rule {
        at,
        text: format!("limit {}", Unit::Millis.print(at)),
        class: String::new(),
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
    let rate = Axis {
        tick: short_tick,
        ..axis(what, Kind::Log)
    };
    let axes = (rate, axis("p99, ms, log scale", Kind::Log));
    let mut chart = chart("Rate against latency", axes, all, "ms");
    chart.limits = all_limits(runs);
    Picture {
        chart,
        note: "The p99 of each rate that was tried; one that lost deliveries or was later than the limit did not \
               pass."
            .to_owned(),
    }
}
