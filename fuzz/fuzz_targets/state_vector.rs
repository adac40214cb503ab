//! State vectors.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::update::vector::fuzzing::state_vector(data));
