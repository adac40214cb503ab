//! Scenarios: what happens in a run, as a file of TOML or one that is built in, and the knobs that change it.
//!
//! Owns names, defaults and what fits together. Must not measure anything. Key invariant: a knob on the
//! command line is a member of the file of the same name, so whatever can be said there can be kept in a
//! file.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// The scenarios that are built in, as the files that they are.
const BUILT_IN: [(&str, &str); 13] = [
    ("fanout", include_str!("../scenarios/fanout.toml")),
    ("boards", include_str!("../scenarios/boards.toml")),
    ("idle", include_str!("../scenarios/idle.toml")),
    ("presence", include_str!("../scenarios/presence.toml")),
    ("slow", include_str!("../scenarios/slow.toml")),
    ("agents", include_str!("../scenarios/agents.toml")),
    ("mixed", include_str!("../scenarios/mixed.toml")),
    ("soak", include_str!("../scenarios/soak.toml")),
    ("reconnect", include_str!("../scenarios/reconnect.toml")),
    ("durable", include_str!("../scenarios/durable.toml")),
    ("saturate", include_str!("../scenarios/saturate.toml")),
    ("join", include_str!("../scenarios/join.toml")),
    ("join-storm", include_str!("../scenarios/join-storm.toml")),
];

/// How a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Groups of boards, each with people who do something at a rate of theirs.
    Traffic,
    /// The same again and again, to find the largest rate within the limit.
    Saturate,
    /// Newcomers on one large board.
    Join,
}

/// Boards that are alike, and who is on them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Group {
    pub(crate) boards: usize,
    /// Of each board.
    pub(crate) clients: usize,
    /// How many of them write, in turn.
    pub(crate) writers: usize,
    /// Updates a second of each board.
    pub(crate) rate: f64,
    /// How many of the clients of each board move a cursor,
    pub(crate) cursors: usize,
    /// and how many times a second each.
    pub(crate) cursor_rate: f64,
    /// How many of the clients read slowly,
    pub(crate) slow: usize,
    /// and how many bytes a second each.
    pub(crate) slow_bytes: usize,
    /// How many visitors come a second, to all boards together; each stays until the next comes to its board.
    pub(crate) joins: f64,
    /// How many items agents write a second to each board, over HTTP.
    pub(crate) items_rate: f64,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            boards: 1,
            clients: 2,
            writers: 1,
            rate: 0.0,
            cursors: 0,
            cursor_rate: 10.0,
            slow: 0,
            slow_bytes: 20_000,
            joins: 0.0,
            items_rate: 0.0,
        }
    }
}

/// A scenario. Times are in seconds, unless their name says otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Scenario {
    #[serde(skip_deserializing)]
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) kind: Kind,
    /// How long what counts lasts,
    pub(crate) seconds: f64,
    /// after so long of the same that does not count,
    pub(crate) warm_up: f64,
    /// after so long of nothing once all have joined.
    pub(crate) settle: f64,
    /// How late a delivery may be.
    pub(crate) limit_ms: f64,
    /// How long is waited at the end for what is missing.
    pub(crate) patience: f64,
    /// When the server is ended (0: never), from the start of what counts; it is started again at once.
    pub(crate) restart_after: f64,
    /// How: KILL or TERM.
    pub(crate) restart_signal: String,
    /// For how long a newcomer on each board then looks at what is there, before others are back; 0: nobody
    /// does.
    pub(crate) probe: f64,
    /// Saturate: updates a second of each board to begin with.
    pub(crate) from: f64,
    /// Join: shapes of the board,
    pub(crate) shapes: usize,
    /// how many times each is changed right before,
    pub(crate) overwrites: usize,
    /// how many join at once,
    pub(crate) at_once: usize,
    /// and how many times the server is started anew, to see the first join.
    pub(crate) cold: usize,
    #[serde(rename = "group")]
    pub(crate) groups: Vec<Group>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            about: String::new(),
            kind: Kind::Traffic,
            seconds: 10.0,
            warm_up: 1.0,
            settle: 0.0,
            limit_ms: 200.0,
            patience: 5.0,
            restart_after: 0.0,
            restart_signal: "KILL".to_owned(),
            probe: 0.0,
            from: 20.0,
            shapes: 5_000,
            overwrites: 0,
            at_once: 10,
            cold: 0,
            groups: Vec::new(),
        }
    }
}

/// A knob: a member of a scenario or of its only group.
pub(crate) struct Knob {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    is_of_group: bool,
}

const fn knob(name: &'static str, help: &'static str) -> Knob {
    Knob {
        name,
        help,
        is_of_group: false,
    }
}

const fn of_group(name: &'static str, help: &'static str) -> Knob {
    Knob {
        name,
        help,
        is_of_group: true,
    }
}

pub(crate) const KNOBS: [Knob; 23] = [
    knob("seconds", "How long what counts lasts"),
    knob("warm-up", "How long it went on before that"),
    knob("settle", "How long nothing happens once all have joined"),
    knob("limit-ms", "How late a delivery may be"),
    knob("patience", "How long is waited at the end for what is missing"),
    of_group("boards", "Boards"),
    of_group("clients", "Clients of each board"),
    of_group("writers", "How many of them write"),
    of_group("rate", "Updates a second of each board"),
    of_group("cursors", "Clients of each board that move a cursor"),
    of_group("cursor-rate", "How many times a second each"),
    of_group("slow", "Clients of each board that read slowly"),
    of_group("slow-bytes", "How many bytes a second each"),
    of_group("joins", "Visitors a second, to all boards together"),
    of_group(
        "items-rate",
        "Items a second that agents write to each board over HTTP",
    ),
    knob(
        "restart-after",
        "When the server is ended and started again (needs --serve)",
    ),
    knob("restart-signal", "How it is ended: KILL or TERM"),
    knob(
        "probe",
        "How long a newcomer looks at what is there then, before others are back",
    ),
    knob("from", "saturate: updates a second of each board to begin with"),
    knob("shapes", "join: shapes of the board"),
    knob("overwrites", "join: how many times each is changed right before"),
    knob("at-once", "join: how many at the same moment"),
    knob(
        "cold",
        "join: how many times the server is started anew (needs --serve)",
    ),
];

/// Names and first lines of those that are built in.
pub(crate) fn list() -> String {
    let line = |(name, text): (&str, &str)| {
        let about = Scenario::read(name, text, &[]).map(|scenario| scenario.about);
        format!("{name:<12}{}\n", about.unwrap_or_default())
    };
    BUILT_IN.into_iter().map(line).collect()
}

/// The file of one that is built in.
pub(crate) fn file(name: &str) -> Option<&'static str> {
    let found = BUILT_IN.into_iter().find(|(built_in, _)| *built_in == name)?;
    Some(found.1)
}

/// A value as it is written on the command line: a number where it is one.
fn value(text: &str) -> Value {
    if let Ok(number) = text.parse() {
        return Value::Integer(number);
    }
    text.parse()
        .map_or_else(|_| Value::String(text.to_owned()), Value::Float)
}

impl Scenario {
    /// Opens a scenario by its name, or the file of one, and turns its knobs.
    pub(crate) fn open(what: &str, knobs: &[(&'static str, String)]) -> Result<Self, String> {
        if let Some(text) = file(what) {
            return Self::read(what, text, knobs);
        }
        let is_path = what.contains(['.', '/']);
        if !is_path {
            return Err(format!(
                "{what}: there is no such scenario; there are\n{}and files of your own, as NAME.toml",
                list()
            ));
        }
        let text = std::fs::read_to_string(what).map_err(|error| format!("{what}: {error}"))?;
        let name = std::path::Path::new(what).file_stem().unwrap_or_default();
        Self::read(&name.to_string_lossy(), &text, knobs)
    }

    fn read(name: &str, text: &str, knobs: &[(&'static str, String)]) -> Result<Self, String> {
        let wrong = |error: toml::de::Error| format!("{name}: {error}");
        let mut table: Table = toml::from_str(text).map_err(wrong)?;
        for (knob, text) in knobs {
            let is_of_group = KNOBS.iter().any(|known| known.name == *knob && known.is_of_group);
            let place = if is_of_group {
                let groups = table.get_mut("group").and_then(Value::as_array_mut);
                match groups.map(Vec::as_mut_slice) {
                    Some([Value::Table(only)]) => only,
                    _ => {
                        return Err(format!(
                            "--{knob}: {name} has several groups or none; keep a changed file of it instead \
                             (boardwire-load scenarios {name} > mine.toml)"
                        ));
                    }
                }
            } else {
                &mut table
            };
            place.insert((*knob).to_owned(), value(text));
        }
        let scenario: Self = table.try_into().map_err(wrong)?;
        let scenario = Self {
            name: name.to_owned(),
            ..scenario
        };
        scenario.check().map_err(|error| format!("{name}: {error}"))?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), String> {
        let times = [
            self.seconds,
            self.warm_up,
            self.settle,
            self.limit_ms,
            self.patience,
            self.restart_after,
            self.probe,
        ];
        let is_time = |time: &f64| time.is_finite() && (0.0..=1e7).contains(time);
        if !times.iter().all(is_time) || self.seconds <= 0.0 || self.limit_ms <= 0.0 {
            return Err("times are numbers from 0, and seconds and limit-ms above 0".to_owned());
        }
        if !["KILL", "TERM"].contains(&self.restart_signal.as_str()) {
            return Err("restart-signal is KILL or TERM".to_owned());
        }
        if self.restart_after >= self.seconds {
            return Err("restart-after comes before the end, which seconds says".to_owned());
        }
        let needs_groups = self.kind != Kind::Join;
        if needs_groups && self.groups.is_empty() {
            return Err("there is no [[group]]: nobody is there".to_owned());
        }
        if self.kind == Kind::Saturate
            && (self.groups.len() != 1 || !(self.from > 0.0 && self.from.is_finite()))
        {
            return Err("saturate takes one [[group]], and begins from a rate above 0".to_owned());
        }
        if self.kind == Kind::Join && (self.shapes == 0 || self.at_once == 0) {
            return Err("join takes at least one of shapes, and at-once of one".to_owned());
        }
        self.groups.iter().try_for_each(|group| {
            let mut group = group.clone();
            if self.kind == Kind::Saturate {
                group.rate = self.from;
            }
            group.check()
        })
    }
}

impl Group {
    /// Clients that read as fast as they can, so that their deliveries are timed.
    pub(crate) fn fast(&self) -> usize {
        self.clients - self.slow
    }

    /// How many clients of a board write: nobody does where nothing is to be written.
    pub(crate) fn writing(&self) -> usize {
        if self.rate > 0.0 { self.writers } else { 0 }
    }

    fn check(&self) -> Result<(), String> {
        let rates = [self.rate, self.cursor_rate, self.joins, self.items_rate];
        if !rates.iter().all(|rate| rate.is_finite() && *rate >= 0.0) {
            return Err("rates are numbers from 0".to_owned());
        }
        if self.boards == 0 || self.clients == 0 {
            return Err("a group has a board and a client at least".to_owned());
        }
        let busy = self.writers.max(self.cursors);
        if self.slow > self.clients || busy > self.fast() {
            return Err("writers and cursors are of the clients that are not slow".to_owned());
        }
        if self.rate > 0.0 && (self.writers == 0 || self.fast() < 2) {
            return Err("with a rate a board needs a writer, and somebody else who is not slow".to_owned());
        }
        if self.slow > 0 && self.slow_bytes == 0 {
            return Err("slow-bytes: at least 1 a second, or they would never read".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, knobs: &[(&'static str, &str)]) -> String {
        let knobs: Vec<_> = knobs
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        Scenario::open(name, &knobs).unwrap_err()
    }

    #[test]
    fn each_that_is_built_in_says_what_it_is_and_can_be_written_and_read_again() {
        for (name, _) in BUILT_IN {
            let scenario = Scenario::open(name, &[]).unwrap();
            assert!(scenario.about.len() > 20, "{name}");
            let mut text = Table::try_from(&scenario).unwrap();
            text.remove("name");
            let again = Scenario::read(name, &text.to_string(), &[]).unwrap();
            assert_eq!(format!("{again:?}"), format!("{scenario:?}"));
        }
        assert_eq!(list().lines().count(), BUILT_IN.len());
    }

    #[test]
    fn knobs_are_members_of_the_file() {
        let knobs = [
            ("rate", "7".to_owned()),
            ("seconds", "2.5".to_owned()),
            ("clients", "9".to_owned()),
        ];
        let scenario = Scenario::open("fanout", &knobs).unwrap();
        let group = &scenario.groups[0];
        assert_eq!((scenario.seconds, group.rate, group.clients), (2.5, 7.0, 9));
        for knob in &KNOBS {
            let text = Table::try_from(Scenario {
                groups: vec![Group::default()],
                ..Scenario::default()
            })
            .unwrap();
            let group = text["group"].as_array().unwrap()[0].as_table().unwrap();
            assert!(
                if knob.is_of_group { group } else { &text }.contains_key(knob.name),
                "{}",
                knob.name
            );
        }
    }

    #[test]
    fn what_does_not_fit_says_what_would() {
        for (name, knobs, says) in [
            ("fan", &[][..], "there are\nfanout"),
            ("none.toml", &[], "No such file"),
            ("mixed", &[("clients", "3")], "several groups"),
            ("join", &[("clients", "3")], "several groups or none"),
            ("fanout", &[("clients", "1")], "somebody else"),
            ("fanout", &[("clients", "many")], "expected"),
            ("fanout", &[("clients", "-1")], "expected"),
            ("fanout", &[("writers", "51")], "not slow"),
            ("fanout", &[("slow", "50")], "not slow"),
            ("fanout", &[("seconds", "0")], "above 0"),
            ("fanout", &[("rate", "-1")], "rates"),
            ("fanout", &[("restart-signal", "HUP")], "KILL or TERM"),
            ("fanout", &[("restart-after", "10")], "before the end"),
            ("slow", &[("slow-bytes", "0")], "slow-bytes"),
            ("saturate", &[("from", "0")], "above 0"),
            ("saturate", &[("writers", "0")], "needs a writer"),
            ("saturate", &[("clients", "1")], "somebody else"),
            ("join", &[("shapes", "0")], "shapes"),
        ] {
            let error = error(name, knobs);
            assert!(error.contains(says), "{name} {knobs:?}: {error}");
        }
        let error = Scenario::read("x", "[[group]]\nclint = 3", &[]).unwrap_err();
        assert!(
            error.contains("unknown field") && error.contains("clients"),
            "{error}"
        );
    }
}
