//! Honest histories read the same from the compacted board, with yrs as the oracle.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::room::board::fuzzing::compact_vs_model(data));
