//! The walk against a second implementation that is as simple as can be, against yrs, on honest boards and
//! attacks.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests panic on their own mistakes"
)]

mod attacks;
mod boards;

mod naive;

use std::collections::BTreeMap;

use super::{Work, integration_work, meter};
use crate::lib0::{put_blob, put_number};
use crate::limits;
use crate::meter::{Exhausted, Meter};
use crate::update::Budgets;
use crate::update::scan::scan;

/// A small generator of our own: a seed makes the whole test.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// One struct as it stands in an update.
struct Written {
    client: u64,
    len: u32,
    bytes: Vec<u8>,
}

impl Written {
    fn new(client: u64, len: u32, bytes: Vec<u8>) -> Self {
        Self { client, len, bytes }
    }
}

fn id(out: &mut Vec<u8>, id: Option<(u64, u32)>) {
    if let Some((client, clock)) = id {
        put_number(out, client);
        put_number(out, u64::from(clock));
    }
}

/// A state of structs, those of each client in their order, and deleted ranges of clients.
fn put_state(structs: impl Iterator<Item = Written>, deletes: &[(u64, Vec<(u32, u32)>)]) -> Vec<u8> {
    let mut sections: BTreeMap<u64, (u64, Vec<u8>)> = BTreeMap::new();
    for it in structs {
        assert!(it.len > 0);
        let section = sections.entry(it.client).or_default();
        section.0 += 1;
        section.1.extend(it.bytes);
    }
    let mut out = Vec::new();
    put_number(&mut out, sections.len() as u64);
    for (client, (count, bytes)) in sections.iter().rev() {
        put_number(&mut out, *count);
        put_number(&mut out, *client);
        put_number(&mut out, 0);
        out.extend_from_slice(bytes);
    }
    put_number(&mut out, deletes.len() as u64);
    for (client, ranges) in deletes {
        put_number(&mut out, *client);
        put_number(&mut out, ranges.len() as u64);
        for (start, end) in ranges {
            put_number(&mut out, u64::from(*start));
            put_number(&mut out, u64::from(end - start));
        }
    }
    out
}

fn work_of(state: &[u8]) -> (Work, u64) {
    let outline = scan(state, &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap();
    let mut meter = Meter::unbounded();
    let work = integration_work(state, &outline, &[], &mut meter).unwrap();
    (work, meter.spent())
}

fn allowed(bytes: usize) -> u64 {
    let steps = limits::INTEGRATION_STEPS_PER_BYTE * bytes as u64 + limits::INTEGRATION_STEPS;
    steps.min(limits::INTEGRATION_STEPS_MAX)
}

fn bounded(state: &[u8]) -> Result<Work, Exhausted> {
    let outline = scan(state, &Budgets::UNBOUNDED, &mut Meter::unbounded()).unwrap();
    integration_work(state, &outline, &[], &mut meter(state.len()))
}

/// Prints a line of the table of figures.
#[allow(clippy::print_stdout, reason = "figures for who runs this test alone")]
fn print(name: &str, state: &[u8]) -> (Work, u64) {
    let from = std::time::Instant::now();
    let (work, steps) = work_of(state);
    let nanos = from.elapsed().as_nanos() as u64 / work.structs.max(1);
    println!(
        "{name}: {} bytes, {} structs, {} passed, {} walked, {} marks, {steps} steps, {} a byte, {nanos} ns a struct",
        state.len(),
        work.structs,
        work.passed,
        work.walked,
        work.marks,
        steps / state.len() as u64
    );
    (work, steps)
}
