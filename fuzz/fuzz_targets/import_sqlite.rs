//! Any bytes as a file of SQLite: nothing panics, what is read fits into the file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire_import::fuzzing::sqlite(data));
