//! Messages of a client's frame.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::sync::fuzzing::sync_message(data));
