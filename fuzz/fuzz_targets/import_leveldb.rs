//! Any files as a store of LevelDB: nothing panics, what is read is within the bound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire_import::fuzzing::leveldb(data));
