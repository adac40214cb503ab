//! Any message of the Model Context Protocol, with any header fields: it is answered once, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boardwire::mcp::fuzzing::mcp_message(data));
