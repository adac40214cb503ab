//! Pictures of how the latencies of a run are spread.
//!
//! Owns what is made of classes and counts.

use serde_json::Value;

use super::{Picture, axis, chart, limits, series};
use crate::report::Run;
use crate::report::chart::{Axis, Series, Shape};
use crate::report::number::tick;
use crate::report::scale::Kind;

/// Bars of a histogram, about.
const BARS: f64 = 60.0;
/// How wide the classes of the generator are, as a power of ten.
const CLASS: f64 = 0.0068;
/// Where the picture of the tail ends.
const TAIL_END: f64 = 0.9999;

/// Which histograms there are: deliveries first, empty ones not.
pub(super) fn kinds(runs: &[Run<'_>]) -> Vec<String> {
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

pub(super) fn tail(runs: &[Run<'_>], kind: &str) -> Picture {
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
    let mut chart = chart(&format!("{} (CDF)", of_kind(kind)), axes, all, "ms");
    chart.limits = limits;
    Picture {
        chart,
        note: "Above 99.9 % stands the time within which 999 of 1,000 came.".to_owned(),
    }
}

pub(super) fn histogram(runs: &[Run<'_>], kind: &str) -> Picture {
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
        chart: chart(&format!("{} (histogram)", of_kind(kind)), axes, all, "%"),
        note: "How many of all took that long. Each bar is by the same factor later than the one before."
            .to_owned(),
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
