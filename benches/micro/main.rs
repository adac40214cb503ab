//! Micro benchmarks: what one step of each part costs. How to run them, and figures: docs/benchmarks.md.
//!
//! `cargo bench` measures; `cargo test --benches` runs each once, so that none rots.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement prints, and panics on its own mistakes"
)]

mod board;
mod costly;
mod disk;
mod room;
mod shapes;
mod wire;

fn main() {
    let is_told = |flag: &str| std::env::args().any(|argument| argument == flag);
    // One by one they are counted, by scripts/bench: the less is around them, the better.
    if is_told("--bench") && !is_told("--exact") {
        board::print_memory();
    }
    divan::main();
}
