//! Request targets and percent-encoding.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::http::fuzzing::target(data));
