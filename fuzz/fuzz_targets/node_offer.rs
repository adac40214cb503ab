//! What a node says to pass a request on is read as what it is, or not at all.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::nodes::handshake::fuzzing::offer(data));
