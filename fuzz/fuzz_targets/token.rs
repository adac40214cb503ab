//! No token verifies but the one that was signed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::jwt::fuzzing::token(data));
