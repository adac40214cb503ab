//! `boardwire completions`: what a shell needs to complete commands, flags and values.
//!
//! Owns how bash, fish and zsh are told. Must not know any flag by name. Key invariant: what is completed is
//! what the parser takes, since both are made from the same commands. Tests are below; bash itself completes
//! in tests/node/release.test.mjs.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::manual;

/// The shells, as they are named.
pub(crate) const SHELLS: &str = "bash, fish or zsh";

/// A command with the words that lead to it: none, `serve`, `board export`.
struct Place<'a> {
    words: Vec<&'a str>,
    command: &'a Command,
}

/// What may stand behind a flag.
enum Value {
    /// Nothing: it is a switch.
    None,
    /// A path.
    File,
    /// One of these.
    Words(Vec<String>),
    /// What nobody can guess.
    Any,
}

fn value(flag: &Arg) -> Value {
    let named = manual::value_of(flag);
    match named.as_str() {
        "" => Value::None,
        name if ["FILE", "DIR", "WHERE", "PATH"]
            .iter()
            .any(|part| name.contains(part)) =>
        {
            Value::File
        }
        name if name.contains('|') => Value::Words(name.split('|').map(str::to_owned).collect()),
        _ => Value::Any,
    }
}

fn places<'a>(command: &'a Command, words: &[&'a str], found: &mut Vec<Place<'a>>) {
    let words = words.to_vec();
    found.push(Place {
        words: words.clone(),
        command,
    });
    for below in manual::listed(command) {
        let mut longer = words.clone();
        longer.push(below.get_name());
        places(below, &longer, found);
    }
}

/// The script for this shell.
///
/// # Errors
/// It is none of the shells that are known.
pub(crate) fn script(command: &Command, shell: &str) -> Result<String, String> {
    let mut all = Vec::new();
    places(command, &[], &mut all);
    match shell {
        "bash" => Ok(bash(&all)),
        "fish" => Ok(fish(&all)),
        "zsh" => Ok(zsh(&all)),
        _ => Err(format!(
            "completions: {shell:?} is no shell that is known; expected {SHELLS}"
        )),
    }
}

impl Place<'_> {
    /// How the scripts call it: a blank before each word.
    fn key(&self) -> String {
        self.words.iter().map(|word| format!(" {word}")).collect()
    }

    /// Commands and flags that may come next, with what they are for.
    fn next(&self) -> Vec<(String, String)> {
        let commands =
            manual::listed(self.command).map(|below| (below.get_name().to_owned(), about(below.get_about())));
        let flags = self
            .flags()
            .into_iter()
            .map(|(long, flag)| (format!("--{long}"), about(flag.get_help())));
        commands.chain(flags).collect()
    }

    fn flags(&self) -> Vec<(&str, &Arg)> {
        let flags = manual::flags_of(self.command);
        flags.filter_map(|flag| Some((flag.get_long()?, flag))).collect()
    }
}

/// The first sentence of a help text, without its default.
fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    let sentence = text.split(" [").next().unwrap_or_default();
    sentence.split(". ").next().unwrap_or_default().replace('\n', " ")
}

/// A text that a shell takes as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The patterns of a `case` that finds out which command it is.
fn known(all: &[Place<'_>]) -> String {
    let keys = all.iter().filter(|place| !place.words.is_empty());
    keys.map(|place| format!("\"{}\"", place.key()))
        .collect::<Vec<_>>()
        .join("|")
}

fn bash(all: &[Place<'_>]) -> String {
    let mut script = format!(
        "# Completes boardwire in bash.\n_boardwire() {{\n    \
         local current=\"${{COMP_WORDS[COMP_CWORD]}}\" before=\"${{COMP_WORDS[COMP_CWORD - 1]}}\" at='' word\n    \
         for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n        \
         case \"$at $word\" in\n            {}) at+=\" $word\" ;;\n        esac\n    done\n    \
         COMPREPLY=()\n    case \"$at $before\" in\n",
        known(all)
    );
    for place in all {
        for (long, flag) in place.flags() {
            let does = match value(flag) {
                Value::None => continue,
                Value::File => "mapfile -t COMPREPLY < <(compgen -f -- \"$current\")".to_owned(),
                Value::Words(words) => {
                    format!(
                        "mapfile -t COMPREPLY < <(compgen -W {} -- \"$current\")",
                        quoted(&words.join(" "))
                    )
                }
                Value::Any => ":".to_owned(),
            };
            writeln!(script, "        \"{} --{long}\") {does}; return ;;", place.key()).ok();
        }
    }
    script += "    esac\n    case \"$at\" in\n";
    for place in all {
        let words: Vec<String> = place.next().into_iter().map(|(word, _)| word).collect();
        let words = quoted(&words.join(" "));
        writeln!(
            script,
            "        \"{}\") mapfile -t COMPREPLY < <(compgen -W {words} -- \"$current\") ;;",
            place.key()
        )
        .ok();
    }
    script
        + "    esac\n}\n# What is none of these is completed as a path.\ncomplete -o default -F _boardwire boardwire\n"
}

fn zsh(all: &[Place<'_>]) -> String {
    let mut script = format!(
        "#compdef boardwire\n# Completes boardwire in zsh.\n_boardwire() {{\n    local at='' word\n    local -a next\n    \
         for word in \"${{(@)words[2,CURRENT-1]}}\"; do\n        case \"$at $word\" in\n            ({}) at+=\" $word\" ;;\n        \
         esac\n    done\n    case \"$at ${{words[CURRENT-1]}}\" in\n",
        known(all)
    );
    for place in all {
        for (long, flag) in place.flags() {
            let does = match value(flag) {
                Value::None => continue,
                Value::File => "_files".to_owned(),
                Value::Words(words) => format!("compadd -- {}", words.join(" ")),
                Value::Any => format!("_message {}", quoted(&manual::value_of(flag))),
            };
            writeln!(script, "        (\"{} --{long}\") {does}; return ;;", place.key()).ok();
        }
    }
    script += "    esac\n    case \"$at\" in\n";
    for place in all {
        let next: Vec<String> = place
            .next()
            .iter()
            .map(|(word, about)| quoted(&format!("{word}:{}", about.replace(':', "\\:"))))
            .collect();
        writeln!(
            script,
            "        (\"{}\") next=({}) ;;",
            place.key(),
            next.join(" ")
        )
        .ok();
    }
    script + "    esac\n    _describe 'boardwire' next || _files\n}\n_boardwire \"$@\"\n"
}

fn fish(all: &[Place<'_>]) -> String {
    let mut script = "# Completes boardwire in fish.\ncomplete -c boardwire -f\n".to_owned();
    for place in all {
        let condition = quoted(&seen(place, all));
        for below in manual::listed(place.command) {
            let about = quoted(&about(below.get_about()));
            writeln!(
                script,
                "complete -c boardwire -n {condition} -a {} -d {about}",
                below.get_name()
            )
            .ok();
        }
        for (long, flag) in place.flags() {
            let takes = match value(flag) {
                Value::None => String::new(),
                Value::File => " -r -F".to_owned(),
                Value::Words(words) => format!(" -x -a {}", quoted(&words.join(" "))),
                Value::Any => " -x".to_owned(),
            };
            let about = quoted(&about(flag.get_help()));
            writeln!(
                script,
                "complete -c boardwire -n {condition} -l {long}{takes} -d {about}"
            )
            .ok();
        }
    }
    script
}

/// When fish is at a command: its words were seen, and none that would lead on from it, or from the top.
fn seen(place: &Place<'_>, all: &[Place<'_>]) -> String {
    let on: Vec<&str> = manual::listed(place.command).map(Command::get_name).collect();
    let Some((last, before)) = place.words.split_last() else {
        return "__fish_use_subcommand".to_owned();
    };
    let mut tests: Vec<String> = before
        .iter()
        .map(|word| format!("__fish_seen_subcommand_from {word}"))
        .collect();
    tests.push(format!("__fish_seen_subcommand_from {last}"));
    if before.is_empty() {
        // `copy` is a command of its own, and one of `board`.
        let parents = all
            .iter()
            .filter(|other| other.words.len() == 2 && other.words.last() == Some(last));
        let parents: Vec<&str> = parents.filter_map(|other| other.words.first().copied()).collect();
        tests.extend(
            parents
                .iter()
                .map(|word| format!("not __fish_seen_subcommand_from {word}")),
        );
    }
    if !on.is_empty() {
        tests.push(format!("not __fish_seen_subcommand_from {}", on.join(" ")));
    }
    tests.join("; and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_every_flag_is_completed_in_every_shell() {
        let command = super::super::command();
        let mut all = Vec::new();
        places(&command, &[], &mut all);
        assert!(all.len() > 15, "commands are found");
        for shell in ["bash", "fish", "zsh"] {
            let script = script(&command, shell).expect("a shell that is known");
            for place in &all {
                for (word, _) in place.next() {
                    assert!(script.contains(word.trim_start_matches('-')), "{shell}: {word}");
                }
            }
        }
    }

    #[test]
    fn a_shell_that_is_not_known_is_refused_with_those_that_are() {
        let line = script(&super::super::command(), "tcsh").expect_err("no such shell");
        assert!(line.contains("tcsh") && line.contains(SHELLS), "{line}");
    }
}
