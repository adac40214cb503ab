//! Commits, failures and reopenings of the store against a model.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::store::redb::fuzzing::store_ops(data));
