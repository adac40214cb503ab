//! Saturation: the largest rate at which nearly all is delivered within a limit.
//!
//! Owns the search. Key invariant: a rate is too large only when it failed twice: one hiccup of a shared
//! machine decides nothing.

use serde_json::{Value, json};

use crate::progress::{Progress, Talk};
use crate::results::Found;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::target::Target;
use crate::traffic::{self, Outcome, Settings, Stock};

/// Halvings between the largest rate that passed and the smallest that did not.
const BISECTIONS: usize = 4;
const DOUBLINGS_MAX: usize = 24;

/// The search.
struct Search<'a> {
    target: &'a Target,
    scenario: &'a Scenario,
    server: &'a mut Server,
    settings: &'a Settings,
    stock: Stock,
    steps: Vec<Value>,
    progress: Progress,
}

/// What a search ends with: the largest rate that passed and the smallest that did not, with what came of
/// each.
struct Bounds<T> {
    good: Option<(f64, T)>,
    bad: Option<(f64, T)>,
}

impl<T> Bounds<T> {
    /// Doubles until a rate does not pass, then halves what is between. `step` says what came of a rate, and
    /// whether it passes.
    fn find(from: f64, mut step: impl FnMut(f64) -> Result<(T, bool), String>) -> Result<Self, String> {
        let (mut good, mut bad) = (None, None);
        let mut rate = from;
        for _ in 0..DOUBLINGS_MAX {
            match step(rate)? {
                (outcome, true) => good = Some((rate, outcome)),
                (outcome, false) => {
                    bad = Some((rate, outcome));
                    break;
                }
            }
            rate *= 2.0;
        }
        let rate_of = |bound: &Option<(f64, T)>, none| bound.as_ref().map_or(none, |(rate, _)| *rate);
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(rate_of(&good, 0.0), rate_of(&bad, rate));
            match step(middle)? {
                (outcome, true) => good = Some((middle, outcome)),
                (outcome, false) => bad = Some((middle, outcome)),
            }
        }
        Ok(Self { good, bad })
    }
}

/// Finds the rate. The scenario's `from` is where the search begins.
pub(crate) fn run(
    target: &Target,
    scenario: &Scenario,
    server: &mut Server,
    settings: &Settings,
) -> Result<Found, String> {
    let tries = DOUBLINGS_MAX + BISECTIONS;
    let mut search = Search {
        target,
        scenario,
        server,
        settings,
        stock: Stock::default(),
        steps: Vec::new(),
        progress: Progress::new(settings.talk, &scenario.name, tries as f64 * scenario.seconds),
    };
    let Bounds { good, bad } = Bounds::find(scenario.from, |rate| search.step(rate))?;
    let (rate, best) = good.map_or((0.0, None), |(rate, outcome)| (rate, Some(outcome)));
    let steps = std::mem::take(&mut search.steps);
    // All else that is told is of the largest rate that passed.
    let mut found = best.map(|outcome| outcome.found).unwrap_or_default();
    let figures = [
        ("limit_ms", json!(scenario.limit_ms)),
        ("updates_per_second", json!(search.per_second(rate))),
        ("deliveries_per_second", json!(search.deliveries(rate))),
    ];
    found
        .figures
        .extend(figures.map(|(name, value)| (name.to_owned(), value)));
    found.steps = steps;
    // Why it went no further: the generator may have been the limit, or one that the server sets itself.
    if let Some((rate, outcome)) = bad {
        let rate = search.per_second(rate);
        let told = |why| format!("at {rate:.0} updates a second, which did not pass: {why}");
        found
            .warnings
            .extend(outcome.found.warnings.into_iter().map(told));
    }
    if rate <= 0.0 {
        found
            .warnings
            .push("no rate passed: begin with a smaller one (--from)".to_owned());
    }
    Ok(found)
}

impl Search<'_> {
    fn per_second(&self, rate: f64) -> f64 {
        self.scenario
            .groups
            .iter()
            .map(|group| rate * group.boards as f64)
            .sum()
    }

    fn deliveries(&self, rate: f64) -> f64 {
        let of = |group: &crate::scenario::Group| rate * group.boards as f64 * (group.fast() as f64 - 1.0);
        self.scenario.groups.iter().map(of).sum()
    }

    /// Runs one rate, twice if it does not pass: what came out last, and whether it passes.
    fn step(&mut self, rate: f64) -> Result<(Outcome, bool), String> {
        let mut tries = 2;
        loop {
            tries -= 1;
            let mut scenario = self.scenario.clone();
            scenario.groups.iter_mut().for_each(|group| group.rate = rate);
            let settings = Settings {
                name: format!("{}-{}", self.settings.name, self.steps.len()),
                talk: Talk::Quiet,
                counts_calls: false,
            };
            let outcome = traffic::run(self.target, &scenario, self.server, &settings, &mut self.stock)?;
            let p99 = outcome.late.within_ms(0.99);
            let passes = outcome.lost() == 0 && outcome.closed == 0 && p99 <= scenario.limit_ms;
            self.steps.push(json!({
                "updates_per_second": self.per_second(rate),
                "deliveries_per_second": self.deliveries(rate),
                "p99_ms": p99,
                "lost": outcome.lost(),
                "closed": outcome.closed,
                "own_cpu_share": outcome.own_share,
                "send_lag_p99_ms": outcome.lag.within_ms(0.99),
                "passes": passes,
            }));
            let second = self.steps.len() as f64 * scenario.seconds;
            let rate = self.per_second(rate);
            self.progress
                .tell(second, || format!("{rate:.0} updates/s: p99 {p99:.1} ms"));
            if passes || tries == 0 {
                return Ok((outcome, passes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ends_between_what_passed_and_what_did_not() {
        for (limit, good, bad) in [
            (100.0, Some(100.0), Some(105.0)),
            (39.0, Some(38.75), Some(40.0)),
            (19.0, Some(18.75), Some(20.0)),
            (0.5, None, Some(1.25)),
        ] {
            let mut tried = Vec::new();
            let step = |rate: f64| {
                tried.push(rate);
                Ok((format!("of {rate}"), rate <= limit))
            };
            let found = Bounds::find(20.0, step).unwrap();
            let with_word = |rate: f64| (rate, format!("of {rate}"));
            assert_eq!(
                (found.good, found.bad),
                (good.map(with_word), bad.map(with_word)),
                "{limit}: {tried:?}"
            );
        }
        assert!(Bounds::<()>::find(20.0, |_| Err("no".to_owned())).is_err());
    }
}
