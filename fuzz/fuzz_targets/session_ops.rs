//! Any sequence of what connections, the disk and time can do to a room.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::session::fuzzing::session_ops(data));
