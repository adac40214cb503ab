//! Any records and any operations on items: nothing panics, and what is written is valid.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::items::fuzzing::items(data));
