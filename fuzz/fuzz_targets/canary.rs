//! Fails as soon as coverage leads to the word: scripts/fuzz runs it first, to know that a finding would be
//! seen.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| assert!(!data.starts_with(b"tweet"), "the canary sings"));
