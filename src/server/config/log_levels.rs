//! How much is logged: in all, and of parts of the server by name.
//!
//! Owns [`LogLevel`], [`LogLevels`] and their notation, `info,store=debug`. Must not know who writes lines.
//! Key invariant: each part that writes lines has a name here, and no other has. Tests are below.

use std::collections::BTreeMap;

/// The parts that write lines: modules of `src`.
pub const PARTS: [&str; 8] = [
    "api", "boards", "bridge", "net", "nodes", "server", "store", "webhooks",
];

/// What `--log-level` takes, in words.
pub(super) const EXPECTED: &str = "error, warn, info, debug or trace, and behind commas others for parts of the server, such \
     as info,store=debug; the parts are api, boards, bridge, net, nodes, server, store and webhooks";

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// And what may soon.
    Warn,
    /// And the life of server, boards and connections.
    Info,
    /// And what only somebody who looks for a fault wants to know.
    Debug,
    /// And what the libraries below have to say.
    Trace,
}

/// How much is logged of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevels {
    /// Of all that no other is for.
    pub of_all: LogLevel,
    /// Of parts, by their names in [`PARTS`].
    pub of_parts: BTreeMap<&'static str, LogLevel>,
}

/// Reads levels: one for all, which is `info` where there is none, and any for parts; none twice.
pub(super) fn read(text: &str) -> Option<LogLevels> {
    let (mut of_all, mut of_parts) = (None, BTreeMap::new());
    for item in text.split(',') {
        let is_first = match item.split_once('=') {
            None => of_all.replace(level(item)?).is_none(),
            Some((part, of_it)) => {
                let part = PARTS.into_iter().find(|known| *known == part)?;
                of_parts.insert(part, level(of_it)?).is_none()
            }
        };
        if !is_first {
            return None;
        }
    }
    Some(LogLevels {
        of_all: of_all.unwrap_or(LogLevel::Info),
        of_parts,
    })
}

fn level(text: &str) -> Option<LogLevel> {
    match text {
        "error" => Some(LogLevel::Error),
        "warn" => Some(LogLevel::Warn),
        "info" => Some(LogLevel::Info),
        "debug" => Some(LogLevel::Debug),
        "trace" => Some(LogLevel::Trace),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(of_all: LogLevel, of_parts: &[(&'static str, LogLevel)]) -> Option<LogLevels> {
        let of_parts = of_parts.iter().copied().collect();
        Some(LogLevels { of_all, of_parts })
    }

    #[test]
    fn there_is_a_level_for_all_and_one_for_each_part_that_is_named() {
        use LogLevel::{Debug, Error, Info, Trace, Warn};
        for (text, expected) in [
            ("warn", levels(Warn, &[])),
            (
                "info,store=debug,net=warn",
                levels(Info, &[("store", Debug), ("net", Warn)]),
            ),
            ("store=trace", levels(Info, &[("store", Trace)])),
            ("net=info,error", levels(Error, &[("net", Info)])),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_level_or_no_part_or_comes_twice_is_refused() {
        for text in [
            "",
            "loud",
            "INFO",
            "info,",
            ",info",
            "info, store=debug",
            "info,warn",
            "info,info",
            "store=debug,store=debug",
            "store",
            "store=",
            "=debug",
            "room=debug",
            "stores=debug",
            "boardwire::store=debug",
            "store=debug=info",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_words_name_every_part_and_level() {
        for part in PARTS {
            let told = EXPECTED
                .split(|c: char| !c.is_ascii_lowercase())
                .any(|word| word == part);
            assert!(told, "{part}");
        }
        for word in ["error", "warn", "info", "debug", "trace"] {
            assert!(level(word).is_some() && EXPECTED.contains(word), "{word}");
        }
    }
}
