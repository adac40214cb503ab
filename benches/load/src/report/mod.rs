//! Reports: what people read of one run, or of two side by side.
//!
//! Owns the reading of results and what is said of them. Must not measure anything. Key invariants: a result
//! is a stranger's text and can only be read; what it does not have is not drawn, and what is not known here
//! is listed by its name.

mod chart;
mod figures;
mod html;
mod number;
mod pictures;
mod scale;
mod summary;
#[cfg(test)]
mod tests;
mod text;

use std::fs;

use serde_json::Value;

pub(crate) use html::html;
pub(crate) use summary::summary;

use crate::results::FORMAT;

/// Reads one or two results, writes the page where one is wanted, and returns the summary.
pub(crate) fn command(files: &[String], page: Option<&str>) -> Result<String, String> {
    let results: Vec<Value> = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    let [a, rest @ ..] = results.as_slice() else {
        return Err("a report is made of one result or of two".to_owned());
    };
    if let Some(page) = page {
        fs::write(page, html(a, rest.first())).map_err(|error| format!("{page}: {error}"))?;
    }
    Ok(summary(a, rest.first()))
}

fn read(file: &str) -> Result<Value, String> {
    let text = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    parse(&text).map_err(|error| format!("{file}: {error}"))
}

/// A result, or what is wrong with it and what would be right.
fn parse(text: &[u8]) -> Result<Value, String> {
    const WANTED: &str = "what `boardwire-load run ... --json FILE` wrote is wanted";
    let result: Value =
        serde_json::from_slice(text).map_err(|error| format!("this is no JSON ({error}); {WANTED}"))?;
    match result.get("format") {
        Some(Value::String(format)) if format == FORMAT => {}
        Some(format) => {
            return Err(format!(
                "its format is {format}, and only \"{FORMAT}\" can be read; {WANTED}"
            ));
        }
        None => return Err(format!("it has no \"format\": \"{FORMAT}\"; {WANTED}")),
    }
    check(&result)?;
    Ok(result)
}

/// Whether each member that is there has its shape.
fn check(result: &Value) -> Result<(), String> {
    let need = |is_right: bool, member: &str, wanted: &str| {
        let wrong = || format!("it is damaged: `{member}` is to be {wanted}");
        is_right.then_some(()).ok_or_else(wrong)
    };
    let numbers = |value: &Value| {
        value
            .as_object()
            .is_some_and(|members| members.values().all(is_number))
    };
    let there = |name: &str| result.get(name).filter(|member| !member.is_null());
    for (name, inner) in [("tool", "command"), ("server", "command")] {
        if let Some(words) = there(name).and_then(|member| member.get(inner)) {
            let is_right = words
                .as_array()
                .is_some_and(|words| words.iter().all(Value::is_string));
            need(is_right, &format!("{name}.{inner}"), "a list of words")?;
        }
    }
    for name in ["tool", "machine", "server", "scenario", "histogram"] {
        need(there(name).is_none_or(Value::is_object), name, "an object")?;
    }
    need(
        there("figures").is_none_or(numbers),
        "figures",
        "an object of numbers",
    )?;
    for (name, classes) in there("histogram")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let numbers = |class: &Vec<Value>| class.len() == 2 && class.iter().all(Value::is_number);
        let pair = |class: &Value| class.as_array().is_some_and(numbers);
        let is_right = classes.as_array().is_some_and(|classes| classes.iter().all(pair));
        need(
            is_right,
            &format!("histogram.{name}"),
            "a list of [milliseconds, count]",
        )?;
    }
    for name in ["over_time", "steps", "marks"] {
        let is_right = |list: &Value| {
            list.as_array()
                .is_some_and(|list| list.iter().all(Value::is_object))
        };
        need(there(name).is_none_or(is_right), name, "a list of objects")?;
    }
    let texts = |list: &Value| {
        list.as_array()
            .is_some_and(|list| list.iter().all(Value::is_string))
    };
    need(there("warnings").is_none_or(texts), "warnings", "a list of texts")
}

/// What does not apply, and what JSON has no number for, is null.
fn is_number(value: &Value) -> bool {
    value.is_number() || value.is_null()
}

/// One result, as it stands in the report.
#[derive(Clone, Copy)]
struct Run<'a> {
    result: &'a Value,
    /// What it is called beside another: A or B.
    letter: Option<&'static str>,
}

fn runs<'a>(a: &'a Value, b: Option<&'a Value>) -> Vec<Run<'a>> {
    let letters = b.map_or([None, None], |_| [Some("A"), Some("B")]);
    let results = [Some(a), b].into_iter().flatten().zip(letters);
    results.map(|(result, letter)| Run { result, letter }).collect()
}

impl<'a> Run<'a> {
    fn text(&self, path: &str) -> Option<&'a str> {
        self.result.pointer(path)?.as_str()
    }

    fn number(&self, path: &str) -> Option<f64> {
        self.result.pointer(path)?.as_f64()
    }

    fn list(&self, path: &str) -> &'a [Value] {
        let list = self.result.pointer(path).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    fn figure(&self, name: &str) -> Option<f64> {
        self.result.get("figures")?.get(name)?.as_f64()
    }

    /// What the server is called.
    fn server(&self) -> &'a str {
        let label = self.text("/server/label").filter(|label| !label.is_empty());
        label
            .or_else(|| self.text("/server/dialect"))
            .unwrap_or("a server")
    }

    /// The server's name, behind A or B where there are two.
    fn label(&self) -> String {
        let letter = self.letter.map(|letter| format!("{letter} "));
        format!("{}{}", letter.unwrap_or_default(), self.server())
    }

    fn scenario(&self) -> &'a str {
        self.text("/scenario/name").unwrap_or("a run")
    }

    /// The machine in a few words.
    fn machine(&self) -> Option<String> {
        let cores = self.number("/machine/cpus").map(|cpus| match cpus {
            1.0 => "1 core".to_owned(),
            cpus => format!("{} cores", number::digits(cpus)),
        });
        let model = self.text("/machine/model").map(str::to_owned);
        let memory = self
            .number("/machine/memory_bytes")
            .map(|bytes| number::Unit::Bytes.print(bytes));
        let kernel = self
            .text("/machine/kernel")
            .map(|kernel| format!("Linux {kernel}"));
        let words: Vec<String> = [cores, model, memory, kernel].into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// The command that repeats it.
    fn repeat(&self) -> Option<String> {
        let words = self.list("/tool/command");
        (!words.is_empty()).then(|| text::shell(words.iter().filter_map(Value::as_str)))
    }

    fn serve(&self) -> Option<String> {
        let words = self.list("/server/command");
        (!words.is_empty()).then(|| text::shell(words.iter().filter_map(Value::as_str)))
    }

    /// How late a delivery may be.
    fn limit_ms(&self) -> Option<f64> {
        self.number("/scenario/limit-ms")
    }

    /// What the run's scenario is made of, in a line: its groups, then what is said of all.
    fn shape(&self) -> Option<String> {
        let scenario = self.result.get("scenario")?.as_object()?;
        let lists = scenario.values().filter_map(Value::as_array).flatten();
        let parts = lists.filter_map(Value::as_object).chain([scenario]).map(settings);
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Something of each run, once where it is the same.
fn apart<'a>(
    runs: &[Run<'a>],
    of: impl Fn(&Run<'a>) -> Option<String>,
) -> Vec<(Option<&'static str>, String)> {
    let each = runs.iter().filter_map(|run| Some((run.letter, of(run)?)));
    let mut each: Vec<(Option<&'static str>, String)> = each.collect();
    if let [(_, a), (_, b)] = each.as_slice()
        && a == b
    {
        each = vec![(None, a.clone())];
    }
    each
}

/// What was run, where, and when, in lines.
fn about(runs: &[Run<'_>]) -> Vec<String> {
    let line = |(letter, text): (Option<&str>, String)| match letter {
        Some(letter) => format!("{letter}: {text}"),
        None => text,
    };
    let at = |run: &Run<'_>| Some(line((run.letter, run.text("/at")?.to_owned())));
    let at: Vec<String> = runs.iter().filter_map(at).collect();
    let shapes = apart(runs, Run::shape).into_iter().map(line);
    let mut lines: Vec<String> = shapes.collect();
    let machines = apart(runs, Run::machine).into_iter().map(line);
    let place: Vec<String> = machines.chain((!at.is_empty()).then(|| at.join(", "))).collect();
    lines.extend((!place.is_empty()).then(|| place.join(". ")));
    lines
}

/// The values of a scenario's table that make a difference, as people say them.
fn settings(members: &serde_json::Map<String, Value>) -> String {
    let number = |name: &str| members.get(name).and_then(Value::as_f64);
    let is_said = |name: &str| match (name, members.get("kind").and_then(Value::as_str)) {
        ("patience" | "warm-up" | "settle", _) => false,
        ("from", kind) => kind == Some("saturate"),
        ("shapes" | "overwrites" | "at-once" | "cold", kind) => kind == Some("join"),
        ("cursor-rate", _) => number("cursors") > Some(0.0),
        ("slow-bytes", _) => number("slow") > Some(0.0),
        _ => true,
    };
    let plain = members.iter().filter(|(name, _)| is_said(name));
    let words = plain.filter_map(|(name, value)| {
        let number = value.as_f64().filter(|number| *number != 0.0)?;
        let number = number::tick(number);
        if name == "seconds" {
            return Some(format!("{number} s"));
        }
        let (name, unit) = name
            .strip_suffix("-ms")
            .map_or((name.as_str(), ""), |name| (name, " ms"));
        Some(format!("{} {number}{unit}", name.replace('-', " ")))
    });
    words.collect::<Vec<String>>().join(", ")
}

/// What each run warned of, and why two are not to be compared.
fn warnings(runs: &[Run<'_>]) -> Vec<String> {
    let mut told = Vec::new();
    for run in runs {
        let letter = run.letter.map(|letter| format!("{letter}: ")).unwrap_or_default();
        let texts = run.list("/warnings").iter().filter_map(Value::as_str);
        told.extend(texts.map(|text| format!("{letter}{text}")));
    }
    if let [a, b] = runs {
        for (path, what) in [("scenario", "scenarios"), ("machine", "machines")] {
            if a.result.get(path) != b.result.get(path) {
                told.push(format!(
                    "the {what} of A and B are not the same: ratios say little"
                ));
            }
        }
    }
    told
}
