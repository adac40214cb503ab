//! A request head reads the same however it was cut, and as httparse reads it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::http::fuzzing::request_head(data));
