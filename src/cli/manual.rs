//! `boardwire manual`: pages for `man`, made from the same table as the help.
//!
//! Owns their names and how they look in roff. Must not know any flag by name, but those of the table of
//! settings. Key invariant: each command has a page, and each flag of it a paragraph. Tests are below; over
//! the binary, and with programs that read such pages, in tests/node/release.test.mjs.

use std::fmt::Write as _;

use boardwire::server::config::Setting;
use clap::{Arg, Command};

/// The commands of one that its help lists.
pub(super) fn listed(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set())
}

/// The flags of a command, and the words that it takes without one.
pub(super) fn flags_of(command: &Command) -> impl Iterator<Item = &Arg> {
    let added = |flag: &Arg| ["help", "version"].contains(&flag.get_id().as_str());
    command
        .get_arguments()
        .filter(move |flag| !added(flag) && !flag.is_hide_set())
}

/// What stands for the value of a flag in help; empty for a switch.
pub(super) fn value_of(flag: &Arg) -> String {
    if !flag.get_action().takes_values() {
        return String::new();
    }
    let names = flag.get_value_names().unwrap_or_default();
    names
        .first()
        .map_or_else(|| flag.get_id().to_string(), ToString::to_string)
}

/// A page for each command, by name: `boardwire`, `boardwire-serve`, `boardwire-board-export`.
fn pages(command: &Command, name: &str, found: &mut Vec<(String, Command)>) {
    found.push((name.to_owned(), command.clone()));
    for below in listed(command) {
        pages(below, &format!("{name}-{}", below.get_name()), found);
    }
}

/// The page of this name, or without one the names of all, each on a line.
///
/// # Errors
/// There is no such page.
pub(crate) fn run(command: &Command, wanted: Option<&str>) -> Result<String, String> {
    let mut all = Vec::new();
    pages(command, "boardwire", &mut all);
    let Some(wanted) = wanted else {
        return Ok(all.into_iter().map(|(name, _)| name + "\n").collect());
    };
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let page = all.iter().find(|(name, _)| name == wanted);
    let (name, command) =
        page.ok_or_else(|| format!("there is no page {wanted:?}, but {}", names.join(", ")))?;
    Ok(page_of(name, command, &names))
}

/// One page.
fn page_of(name: &str, command: &Command, names: &[&str]) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let called = name
        .replace("boardwire-", "boardwire ")
        .replace("board-", "board ");
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(
        ".TH {} 1 \"\" \"boardwire {version}\" \"Boardwire\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n",
        roff(&name.to_uppercase()),
        roff(name),
        roff(&about),
        roff(&called),
    );
    let mut heading = "";
    let mut paragraphs = String::new();
    for flag in flags_of(command) {
        let now = flag.get_help_heading().unwrap_or("Options");
        if now != heading {
            heading = now;
            writeln!(paragraphs, ".SH {}", roff(&heading.to_uppercase())).ok();
        }
        paragraph(flag, &mut paragraphs);
    }
    if listed(command).next().is_some() {
        page += "\\fICOMMAND\\fR\n";
        paragraphs += ".SH COMMANDS\n";
        for below in listed(command) {
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            writeln!(paragraphs, ".TP\n.B {}\n{}", roff(below.get_name()), roff(&about)).ok();
        }
    } else if !paragraphs.is_empty() {
        let words = flags_of(command).filter(|flag| flag.get_long().is_none());
        page.extend(words.map(|word| format!("\\fI{}\\fR ", roff(&value_of(word)))));
        page += "[\\fIOPTIONS\\fR]\n";
    }
    page += &paragraphs;
    if let Some(notes) = command.get_after_help() {
        page += ".SH NOTES\n.nf\n";
        for line in notes.to_string().lines() {
            page += &roff(line);
            page.push('\n');
        }
        page += ".fi\n";
    }
    let others: Vec<String> = names
        .iter()
        .filter(|other| **other != name)
        .map(|other| format!(".BR {} (1)", roff(other)))
        .collect();
    format!("{page}.SH SEE ALSO\n{}\n", others.join(",\n"))
}

/// What a flag, or a word that needs none, is called and means.
fn paragraph(flag: &Arg, page: &mut String) {
    page.push_str(".TP\n");
    let value = value_of(flag);
    match (flag.get_long(), value.as_str()) {
        (Some(long), "") => writeln!(page, "\\fB{}\\fR", roff(&format!("--{long}"))),
        (Some(long), value) => writeln!(
            page,
            "\\fB{}\\fR \\fI{}\\fR",
            roff(&format!("--{long}")),
            roff(value)
        ),
        (None, value) => writeln!(page, "\\fI{}\\fR", roff(value)),
    }
    .ok();
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    writeln!(page, "{}", roff(&help)).ok();
    if let Some(setting) = Setting::named(flag.get_id().as_str()) {
        writeln!(page, ".br\nVariable: {}", roff(&setting.variable())).ok();
    }
}

/// Text as roff shows it: every character itself, on one line, and none at the start a command.
fn roff(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    if text.starts_with(['.', '\'']) {
        shown.push_str("\\&");
    }
    for character in text.chars() {
        match character {
            '\\' => shown.push_str("\\e"),
            '-' => shown.push_str("\\-"),
            '\'' => shown.push_str("\\(aq"),
            '`' => shown.push_str("\\(ga"),
            '^' => shown.push_str("\\(ha"),
            '~' => shown.push_str("\\(ti"),
            '\n' => shown.push(' '),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str) -> String {
        run(&super::super::command(), Some(name)).expect("the page is there")
    }

    #[test]
    fn every_command_has_a_page_and_every_flag_of_it_a_paragraph() {
        let command = super::super::command();
        let names = run(&command, None).expect("names");
        assert!(
            names.lines().any(|name| name == "boardwire-board-export"),
            "{names}"
        );
        for name in names.lines() {
            assert!(page(name).starts_with(".TH "), "{name}");
        }
        let serve = page("boardwire-serve");
        for setting in boardwire::server::config::SETTINGS {
            let flag = roff(&format!("--{}", setting.name));
            assert!(serve.contains(&flag), "{flag}");
            assert!(serve.contains(&roff(&setting.variable())), "{}", setting.name);
        }
    }

    #[test]
    fn a_page_that_there_is_not_is_named_with_those_that_there_are() {
        let line = run(&super::super::command(), Some("boardwire-fly")).expect_err("no such page");
        assert!(
            line.contains("boardwire-fly") && line.contains("boardwire-serve"),
            "{line}"
        );
    }

    #[test]
    fn no_text_is_taken_for_a_command_of_roff() {
        assert_eq!(roff(".so /etc/passwd"), "\\&.so /etc/passwd");
        assert_eq!(roff("'a' -\\n"), "\\&\\(aqa\\(aq \\-\\en");
    }
}
