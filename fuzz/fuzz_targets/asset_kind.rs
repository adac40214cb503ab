//! The beginning of any file: it is one of the kinds that are taken, or none, whatever follows.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::asset::fuzzing::asset_kind(data));
