//! What others answer is read the same however it comes, and within its bounds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::client::fuzzing::answer(data));
