//! Whatever updates come, a board stays whole.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::room::board::fuzzing::update_accept(data));
