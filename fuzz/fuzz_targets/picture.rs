//! Any records, drawn: nothing panics, the SVG is well-formed and refers to nothing outside, bounds hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire_picture::fuzzing::picture(data));
