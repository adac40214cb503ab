//! Saturation: the largest rate at which nearly all is delivered within a limit.
//!
//! Owns the search. Key invariant: a rate is too large only when it failed twice: one hiccup of a shared
//! machine decides nothing.

use std::io;

use serde_json::{Value, json};

use crate::fanout::{self, Outcome, Plan};
use crate::fleet::Target;
use crate::updates::Series;

/// Halvings between the largest rate that passed and the smallest that did not.
const BISECTIONS: usize = 4;
const DOUBLINGS_MAX: usize = 24;

/// Finds the rate. The plan's own is where the search begins.
pub(crate) fn run(target: &Target, plan: &Plan, limit_ms: f64) -> io::Result<Value> {
    let mut series: Vec<Series> = Vec::new();
    let mut steps = Vec::new();
    let mut step = |rate: f64| -> io::Result<Option<Outcome>> {
        for _ in 0..2 {
            let plan = Plan {
                rate,
                name: format!("{}-{}", plan.name, steps.len()),
                ..plan.clone()
            };
            let outcome = fanout::run(target, &plan, &mut series)?;
            let p99 = outcome.tally.late.within_ms(0.99);
            let passes = outcome.lost() == 0 && outcome.closed == 0 && p99 <= limit_ms;
            steps.push(json!({
                "updates_per_second": rate * plan.boards as f64,
                "p99_ms": p99,
                "lost": outcome.lost(),
                "closed": outcome.closed,
                "own_cpu_share": outcome.own_share,
                "passes": passes,
            }));
            if passes {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    };
    let mut good = (0.0, None);
    let mut bad = plan.rate;
    for _ in 0..DOUBLINGS_MAX {
        match step(bad)? {
            Some(outcome) => good = (bad, Some(outcome)),
            None => break,
        }
        bad *= 2.0;
    }
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(good.0, bad);
        match step(middle)? {
            Some(outcome) => good = (middle, Some(outcome)),
            None => bad = middle,
        }
    }
    let others = plan.clients as f64 - 1.0;
    let (rate, best) = good;
    Ok(json!({
        "limit_ms": limit_ms,
        "deliveries_per_second": rate * plan.boards as f64 * others,
        "best": best.map(|outcome| outcome.report()),
        "steps": steps,
    }))
}
