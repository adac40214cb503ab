//! Any bytes as a file of tldraw's: nothing panics, records of the document alone are read.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire_import::fuzzing::tldr(data));
