//! The command line: turns arguments and environment into a configuration and runs it.

fn main() {}
