//! A message of Redis is read as what it is, or not at all, and is never taken for our own.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::bridge::message::fuzzing::redis_message(data));
