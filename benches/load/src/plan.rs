//! Whether a machine suffices for so many people, and what is the limit first.
//!
//! Owns the arithmetic from people to CPU, memory, disk and network, and its words. Must not measure
//! anything: the constants are those of `measured`. Key invariant: what fits leaves the margin of each
//! resource free.

mod measured;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use measured::{Measured, Person};

/// What is kept free of each resource: people come in bursts, and machines differ.
const MARGIN: f64 = 0.3;

/// `COMPACT_EVERY` of the server: as often the whole of a board that people draw on is written anew.
const COMPACT_EVERY_SECONDS: f64 = 30.0;

/// The server's `--max-connections` and `--max-connections-per-board` where nobody sets them.
const CONNECTIONS_MAX: u32 = 10_000;
const CONNECTIONS_PER_BOARD_MAX: f64 = 1_024.0;

const MEGA: f64 = 1e6;
const MEBI: f64 = 1_048_576.0;

/// Who is there, what they do, and what the machine has.
#[derive(Clone, Debug)]
struct Asked {
    people: f64,
    boards: f64,
    cores: f64,
    memory: f64,
    shapes: f64,
    drawing_share: f64,
    updates_per_second: f64,
    pointing_share: f64,
    moves_per_second: f64,
    hours: f64,
    /// Bytes a second.
    disk: f64,
    network: f64,
}

/// One resource: `fixed` is used by a server without people.
#[derive(Debug)]
struct Use {
    name: &'static str,
    fixed: f64,
    used: f64,
    limit: f64,
}

impl Use {
    fn share(&self) -> f64 {
        self.used / self.limit
    }

    /// How many times as many people, on as many times the boards, leave the margin free.
    fn fits(&self) -> f64 {
        let of_people = self.used - self.fixed;
        if of_people > 0.0 {
            ((1.0 - MARGIN) * self.limit - self.fixed).max(0.0) / of_people
        } else {
            f64::INFINITY
        }
    }
}

/// What is to be said.
#[derive(Debug)]
struct Answer {
    uses: [Use; 4],
    /// Of a core or more, as runs like it took.
    cores: f64,
    written_a_day: f64,
    people_per_board: f64,
}

impl Answer {
    fn of(measured: &Measured, asked: &Asked) -> Self {
        let is = &measured.constants;
        let people_per_board = asked.people / asked.boards;
        let updates = asked.people * asked.drawing_share * asked.updates_per_second;
        let messages = updates + asked.people * asked.pointing_share * asked.moves_per_second;
        let deliveries = messages * (people_per_board - 1.0).max(0.0);
        let work = measured.work((messages, deliveries));

        let connection = is.memory_bytes_per_connection + is.kernel_bytes_per_connection.unwrap_or(0.0);
        let board = is.memory_bytes_per_board + asked.shapes * is.memory_bytes_per_shape;
        let memory = is.memory_bytes + asked.people * connection + asked.boards * board;

        let state = asked.shapes * is.state_bytes_per_shape;
        let compactions = asked.boards * state * is.written_per_state_byte / COMPACT_EVERY_SECONDS;
        let (fixed, written) = if updates > 0.0 {
            // Of the time, while somebody draws.
            let share = 1.0 - (1.0 - asked.drawing_share).powf(asked.people);
            let fixed = share * is.written_bytes_per_second;
            (fixed, fixed + updates * is.written_bytes_per_update + compactions)
        } else {
            (0.0, 0.0)
        };
        let sent = (deliveries + 2.0 * messages) * is.network_bytes_per_message;
        let uses = [
            ("CPU", 0.0, work, measured.work_of(asked.cores)),
            ("memory", is.memory_bytes, memory, asked.memory),
            ("disk", fixed, written, asked.disk),
            ("network", 0.0, sent, asked.network),
        ];
        Self {
            uses: uses.map(|(name, fixed, used, limit)| Use {
                name,
                fixed,
                used,
                limit,
            }),
            cores: if work > 0.0 {
                is.cores_factor * work.powf(is.cores_exponent)
            } else {
                0.0
            },
            written_a_day: written * 3_600.0 * asked.hours,
            people_per_board,
        }
    }

    /// What is full first.
    fn limit(&self) -> &Use {
        let [first, rest @ ..] = &self.uses;
        rest.iter().fold(
            first,
            |least, one| if one.fits() < least.fits() { one } else { least },
        )
    }

    fn suffices(&self) -> bool {
        self.limit().fits() >= 1.0
    }

    fn fits_people(&self, asked: &Asked) -> f64 {
        (asked.people * self.limit().fits()).floor()
    }

    fn notes(&self, measured: &Measured, asked: &Asked) -> Vec<String> {
        let mut notes = Vec::new();
        let most = measured.most_work().last().map_or(0.0, |(cores, _)| *cores);
        if asked.cores > most {
            notes.push(format!(
                "more than {most} cores were not measured, and count as {most}"
            ));
        }
        if asked.people > f64::from(CONNECTIONS_MAX) {
            notes.push(format!(
                "start the server with --max-connections {} or more",
                asked.people
            ));
        }
        if self.people_per_board > CONNECTIONS_PER_BOARD_MAX {
            notes.push(format!(
                "start the server with --max-connections-per-board {} or more",
                self.people_per_board.ceil()
            ));
        }
        notes
    }

    fn json(&self, measured: &Measured, asked: &Asked) -> Value {
        let uses = self.uses.iter().map(|one| {
            let use_ = json!({ "used": one.used, "limit": one.limit, "share": one.share() });
            (one.name.to_lowercase(), use_)
        });
        json!({
            "format": "boardwire-plan/1",
            "people": asked.people as u64,
            "boards": asked.boards as u64,
            "suffices": self.suffices(),
            "limit": self.limit().name,
            "fits_people": self.fits_people(asked) as u64,
            "margin": MARGIN,
            "cores_used": self.cores,
            "written_bytes_a_day": self.written_a_day,
            "uses": Value::Object(uses.collect()),
            "notes": self.notes(measured, asked),
            "measured": { "at": measured.at, "model": measured.machine.model },
        })
    }

    fn text(&self, measured: &Measured, asked: &Asked) -> String {
        let fits = self.fits_people(asked);
        let limit = self.limit().name;
        let verdict = if self.suffices() {
            format!(
                "It suffices. As many on each board, about {} people fit",
                grouped(fits)
            )
        } else if fits < 1.0 {
            "It does not suffice: a server without anybody is too much".to_owned()
        } else {
            format!(
                "It does not suffice: as many on each board, about {} people fit",
                grouped(fits)
            )
        };
        let [work, memory, disk, network] = &self.uses;
        let cores = format!(
            "{} core{}",
            asked.cores,
            if asked.cores == 1.0 { "" } else { "s" }
        );
        let rows = [
            (work, format!("{:.2} cores", self.cores), cores),
            (memory, mebi(memory.used), mebi(memory.limit)),
            (
                disk,
                format!("{:.2} MB/s", disk.used / MEGA),
                format!("{} MB/s", disk.limit / MEGA),
            ),
            (
                network,
                format!("{:.2} Mbit/s", 8.0 * network.used / MEGA),
                format!("{} Mbit/s", 8.0 * network.limit / MEGA),
            ),
        ];
        let mut text = format!(
            "{} people on {} boards of {} shapes, {:.1} on each.\n{verdict}; {limit} is the limit then.\n\n",
            grouped(asked.people),
            grouped(asked.boards),
            grouped(asked.shapes),
            self.people_per_board,
        );
        let mut line = |cells: [&str; 4]| {
            let [what, used, of, share] = cells;
            // Writing to a string does not fail.
            writeln!(text, "| {what:<8} | {used:>14} | {of:>12} | {share:>8} |").unwrap_or_default();
        };
        line(["what", "used", "of", "share"]);
        line([&"-".repeat(8), &"-".repeat(14), &"-".repeat(12), &"-".repeat(8)]);
        for (one, used, of) in rows {
            line([one.name, &used, &of, &format!("{:.1} %", 100.0 * one.share())]);
        }
        let closing = [
            format!(
                "Written to disk a day of {} hours: {:.1} GB.",
                asked.hours,
                self.written_a_day / 1e9
            ),
            format!(
                "The share of CPU is of the traffic at which p99 passed {} ms; {:.0} % of everything is kept free.",
                measured.limit_ms,
                100.0 * MARGIN,
            ),
            format!(
                "Measured on {} with cores of {} (docs/capacity.md).",
                measured.at.get(..10).unwrap_or(&measured.at),
                measured.machine.model,
            ),
        ];
        let notes = self.notes(measured, asked);
        let notes = notes.iter().map(|note| format!("Note: {note}.")).chain(closing);
        format!("{text}\n{}\n", notes.collect::<Vec<_>>().join("\n"))
    }
}

fn mebi(bytes: f64) -> String {
    format!("{} MiB", grouped((bytes / MEBI).round()))
}

/// A whole number with commas.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

// ---- the command line ----

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share from 0 to 1 is wanted, such as 0.1".to_owned())
}

fn amount(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "a number above 0 is wanted".to_owned())
}

/// Bytes, as `512M` or `2GiB`: powers of 1,024 either way.
fn bytes(text: &str) -> Result<f64, String> {
    let wrong = || "an amount of memory is wanted, such as 512M or 2G".to_owned();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 1.0,
        "K" | "k" => 1_024.0,
        "M" => MEBI,
        "G" => 1_024.0 * MEBI,
        _ => return Err(wrong()),
    };
    amount(number).map(|number| number * unit).map_err(|_| wrong())
}

/// The subcommand.
pub(crate) fn command() -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let whole = |name, help| flag(name, "N", help).value_parser(value_parser!(u32).range(1..));
    Command::new("plan")
        .about("Says whether a machine suffices for so many people, and what is the limit first")
        .args([
            whole("people", "People at the same time").required(true),
            whole(
                "boards",
                "Boards that they have open [default: one for four people]",
            ),
            whole("shapes", "Shapes of a board [default: 2000]"),
            flag(
                "cores",
                "X",
                "Cores; 0.25 is one that is a quarter as fast as the measured one",
            )
            .value_parser(amount)
            .default_value("1"),
            flag("memory", "SIZE", "Memory that the server may take")
                .value_parser(bytes)
                .default_value("512M"),
            flag(
                "disk",
                "MB",
                "Megabytes a second that the disk writes for hours; cards do 10",
            )
            .value_parser(amount)
            .default_value("10"),
            flag("network", "MBIT", "Megabits a second, both ways together")
                .value_parser(amount)
                .default_value("100"),
            flag(
                "drawing-share",
                "X",
                "Of their time people draw so much [default: 0.1]",
            )
            .value_parser(share),
            flag("updates-per-second", "X", "While they do [default: 20]").value_parser(amount),
            flag(
                "pointing-share",
                "X",
                "Of their time their cursor moves so much [default: 0.3]",
            )
            .value_parser(share),
            flag("moves-per-second", "X", "While it does [default: 10]").value_parser(amount),
            flag("hours", "X", "Hours of use a day")
                .value_parser(amount)
                .default_value("8"),
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Prints JSON"),
        ])
}

impl Asked {
    fn of(matches: &ArgMatches, person: &Person) -> Result<Self, String> {
        let whole = |name| matches.get_one(name).map(|number: &u32| f64::from(*number));
        let real = |name, default| matches.get_one(name).copied().unwrap_or(default);
        let people = whole("people").ok_or("--people is missing")?;
        let boards = whole("boards").unwrap_or_else(|| (people / person.people_per_board).ceil());
        if boards > people {
            return Err(format!(
                "--boards {boards} for --people {people}: name the boards that are open; one that nobody has open \
                 takes no more than its place on disk"
            ));
        }
        Ok(Self {
            people,
            boards,
            cores: real("cores", 1.0),
            memory: real("memory", 512.0 * MEBI),
            shapes: whole("shapes").unwrap_or(person.shapes_per_board),
            drawing_share: real("drawing-share", person.drawing_share),
            updates_per_second: real("updates-per-second", person.updates_per_second),
            pointing_share: real("pointing-share", person.pointing_share),
            moves_per_second: real("moves-per-second", person.moves_per_second),
            hours: real("hours", 8.0),
            disk: real("disk", 10.0) * MEGA,
            network: real("network", 100.0) * MEGA / 8.0,
        })
    }
}

/// The answer as text, or as JSON where that is wanted.
pub(crate) fn run(matches: &ArgMatches) -> Result<String, String> {
    let measured = Measured::read()?;
    let asked = Asked::of(matches, &measured.person)?;
    let answer = Answer::of(&measured, &asked);
    Ok(if matches.get_flag("json") {
        format!("{:#}\n", answer.json(&measured, &asked))
    } else {
        answer.text(&measured, &asked)
    })
}
