//! Exactly one text decodes to given bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::jwt::fuzzing::base64url(data));
