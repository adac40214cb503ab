//! A page of a backup is read as one that can be written, or not at all.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::store::pages::fuzzing::backup_page(data));
