//! What is accepted as an upgrade has all that RFC 6455 asks for.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::http::fuzzing::upgrade(data));
