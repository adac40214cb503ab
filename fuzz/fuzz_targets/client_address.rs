//! An address to send to is what it shows, or is refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::client::fuzzing::address(data));
