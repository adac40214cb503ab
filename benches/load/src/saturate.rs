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
    let mut good = (0.0, None);
    let mut bad = scenario.from;
    for _ in 0..DOUBLINGS_MAX {
        match search.step(bad)? {
            Some(outcome) => good = (bad, Some(outcome)),
            None => break,
        }
        bad *= 2.0;
    }
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(good.0, bad);
        match search.step(middle)? {
            Some(outcome) => good = (middle, Some(outcome)),
            None => bad = middle,
        }
    }
    let (rate, best) = good;
    let steps = std::mem::take(&mut search.steps);
    // All else that is told is of the largest rate that passed.
    let mut found = best.map(|outcome: Outcome| outcome.found).unwrap_or_default();
    let figures = [
        ("limit_ms", json!(scenario.limit_ms)),
        ("updates_per_second", json!(search.per_second(rate))),
        ("deliveries_per_second", json!(search.deliveries(rate))),
    ];
    found
        .figures
        .extend(figures.map(|(name, value)| (name.to_owned(), value)));
    found.steps = steps;
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

    /// Runs one rate, twice if it does not pass; what came out when it did.
    fn step(&mut self, rate: f64) -> Result<Option<Outcome>, String> {
        for _ in 0..2 {
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
            if passes {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }
}
