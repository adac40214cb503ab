//! A chunked body decodes to the same bytes however it was cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::http::fuzzing::body(data));
