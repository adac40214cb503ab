//! The page: one HTML file with all in it, that runs nothing and loads nothing.
//!
//! Owns the page's parts and their order. Key invariant: all that comes of a result is escaped.

use serde_json::Value;

use super::chart::{Chart, Shape};
use super::figures::{Group, Row, groups, headline};
use super::pictures::{Picture, pictures};
use super::text::{escape, toml};
use super::{Run, about, apart, runs, warnings};

const STYLE: &str = include_str!("page.css");
/// What most readers want first.
const TILES: usize = 6;
/// Pictures in a row of two, and on a phone.
const WIDE: (f64, f64) = (540.0, 300.0);
const NARROW: (f64, f64) = (330.0, 250.0);

/// The page of one run, or of two side by side.
pub(crate) fn html(a: &Value, b: Option<&Value>) -> String {
    let runs = runs(a, b);
    let groups = groups(&runs);
    let mut scenarios: Vec<&str> = runs.iter().map(Run::scenario).collect();
    scenarios.dedup();
    let name = escape(&scenarios.join(" and "));
    let servers: Vec<&str> = runs.iter().map(Run::server).collect();
    let servers = escape(&servers.join(" and "));
    let pictures: Vec<String> = pictures(&runs).iter().enumerate().filter_map(figure).collect();
    let is_search = runs.iter().any(|run| !run.list("/steps").is_empty());
    let parts = [
        header(&runs, &name),
        tiles(&runs, &headline(&groups, is_search, TILES)),
        warned(&runs),
        section("Pictures", "pictures", &pictures.concat()),
        section("Figures", "figures", &table(&runs, &groups)),
        section("To repeat it", "runs", &each(&runs, repeat)),
        section("Scenario", "runs", &each(&runs, scenario)),
        section("Machine and server", "runs", &each(&runs, machine)),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{name}: {servers}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}\
         <footer>Made by boardwire-load {}: {}</footer>\n</main>\n</body>\n</html>\n",
        parts.concat(),
        env!("CARGO_PKG_VERSION"),
        "latency counts from when an update was due, not from when it was sent.",
    )
}

fn section(title: &str, class: &str, inner: &str) -> String {
    if inner.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>{title}</h2>\n<div class=\"{class}\">\n{inner}</div>\n</section>\n")
}

/// The run's letter and the server's name, in the run's colour.
fn chip(run: &Run<'_>) -> String {
    let class = if run.letter == Some("B") { "b" } else { "a" };
    let letter = run
        .letter
        .map(|letter| format!("<b class=\"{class}\">{letter}</b> "));
    let server = escape(run.server());
    format!(
        "{}<span class=\"name\">{server}</span>",
        letter.unwrap_or_default()
    )
}

fn header(runs: &[Run<'_>], name: &str) -> String {
    let chips: Vec<String> = runs
        .iter()
        .map(|run| format!("<span class=\"chip\">{}</span>", chip(run)))
        .collect();
    let lines = about(runs);
    let lines = lines.iter().map(|line| format!("<p>{}</p>\n", escape(line)));
    let about: Vec<String> = lines.collect();
    format!(
        "<header>\n<p class=\"tool\">boardwire-load</p>\n<h1>{name}</h1>\n<p class=\"chips\">{}</p>\n{}</header>\n",
        chips.join(" "),
        about.concat()
    )
}

fn tiles(runs: &[Run<'_>], rows: &[&Row]) -> String {
    let tile = |row: &&Row| {
        let values = row.values.iter().zip(runs).map(|(value, run)| {
            let letter = run
                .letter
                .map(|letter| format!("<b class=\"{}\">{letter}</b> ", letter.to_ascii_lowercase()));
            let class = if row.is_fault(*value) {
                " class=\"fault\""
            } else {
                ""
            };
            format!(
                "<dd{class}>{}{}</dd>",
                letter.unwrap_or_default(),
                row.print(*value)
            )
        });
        let values: String = values.collect();
        format!("<div><dt>{}</dt>{values}</div>\n", label(row))
    };
    let tiles: String = rows.iter().map(tile).collect();
    if tiles.is_empty() {
        tiles
    } else {
        format!("<dl class=\"tiles\">\n{tiles}</dl>\n")
    }
}

fn label(row: &Row) -> String {
    let name = || format!("<code>{}</code>", escape(&row.name));
    row.label.as_deref().map_or_else(name, escape)
}

fn warned(runs: &[Run<'_>]) -> String {
    let lines = warnings(runs);
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = lines
        .iter()
        .map(|line| format!("<li>{}</li>\n", escape(line)))
        .collect();
    format!(
        "<section class=\"warnings\">\n<h2>Warnings</h2>\n<ul>\n{}</ul>\n</section>\n",
        lines.concat()
    )
}

fn figure((at, picture): (usize, &Picture)) -> Option<String> {
    let chart = &picture.chart;
    let wide = chart.svg(&format!("w{at}"), WIDE)?;
    let narrow = chart.svg(&format!("n{at}"), NARROW)?;
    let caption = if picture.note.is_empty() {
        String::new()
    } else {
        format!("<figcaption>{}</figcaption>\n", escape(&picture.note))
    };
    Some(format!(
        "<figure>\n<h3>{}</h3>\n{}<div class=\"wide\">{wide}</div>\n<div class=\"narrow\">{narrow}</div>\n\
         {}</figure>\n",
        escape(&chart.title),
        legend(chart),
        caption,
    ))
}

fn legend(chart: &Chart) -> String {
    let named = chart.series.iter().filter(|series| !series.name.is_empty());
    let items: Vec<String> = named
        .map(|series| {
            let class = escape(&series.class);
            let mark = match series.shape {
                Shape::Line => format!("<path class=\"{class}\" d=\"M0 6L26 6\"/>"),
                Shape::Dots => format!("<circle class=\"{class}\" cx=\"13\" cy=\"6\" r=\"3.5\"/>"),
                Shape::Diamonds => {
                    format!("<path class=\"{class} dot\" d=\"M13 2L17 6L13 10L9 6Z\"/>")
                }
                Shape::Area => format!("<path class=\"{class}\" d=\"M2 11L2 2L24 2L24 11Z\"/>"),
            };
            let swatch = format!("<svg viewBox=\"0 0 26 12\" aria-hidden=\"true\">{mark}</svg>");
            format!("<li>{swatch}{}</li>", escape(&series.name))
        })
        .collect();
    // One series alone is what the title says.
    if items.len() < 2 {
        return String::new();
    }
    format!("<ul class=\"legend\">{}</ul>\n", items.concat())
}

fn table(runs: &[Run<'_>], groups: &[Group]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let is_pair = runs.len() > 1;
    let heads: Vec<String> = runs
        .iter()
        .map(|run| format!("<th scope=\"col\">{}</th>", chip(run)))
        .collect();
    let ratio = if is_pair {
        "<th scope=\"col\">B / A</th>"
    } else {
        ""
    };
    let mut told = format!(
        "<table>\n<thead><tr><td></td>{}{ratio}</tr></thead>\n",
        heads.concat()
    );
    let columns = 1 + runs.len() + usize::from(is_pair);
    for group in groups {
        told.push_str(&format!(
            "<tbody>\n<tr class=\"group\"><th colspan=\"{columns}\" scope=\"rowgroup\">{}</th></tr>\n",
            group.title
        ));
        told.extend(group.rows.iter().map(|row| line(row, is_pair)));
        told.push_str("</tbody>\n");
    }
    told.push_str("</table>\n");
    told
}

fn line(row: &Row, is_pair: bool) -> String {
    let cell = |value: &Option<f64>| {
        let class = if row.is_fault(*value) {
            " class=\"fault\""
        } else {
            ""
        };
        format!("<td{class}>{}</td>", row.print(*value))
    };
    let cells: String = row.values.iter().map(cell).collect();
    let ratio = if is_pair {
        format!("<td>{}</td>", row.ratio())
    } else {
        String::new()
    };
    format!("<tr><th scope=\"row\">{}</th>{cells}{ratio}</tr>\n", label(row))
}

/// Something of each run, beside each other where there is room, and once where it is the same.
fn each(runs: &[Run<'_>], of: fn(&Run<'_>) -> Option<String>) -> String {
    let parts = apart(runs, of).into_iter().map(|(letter, inner)| {
        let run = runs.iter().find(|run| run.letter == letter && letter.is_some());
        let head = run.map(|run| format!("<h3>{}</h3>\n", chip(run)));
        format!("<div>\n{}{inner}</div>\n", head.unwrap_or_default())
    });
    parts.collect()
}

fn code(text: &str) -> String {
    // It can be scrolled, so it can be reached by keys.
    format!("<pre tabindex=\"0\"><code>{}</code></pre>\n", escape(text))
}

fn repeat(run: &Run<'_>) -> Option<String> {
    run.repeat().map(|command| code(&command))
}

fn scenario(run: &Run<'_>) -> Option<String> {
    let members = run.result.get("scenario")?.as_object()?;
    Some(code(&toml(members)))
}

fn machine(run: &Run<'_>) -> Option<String> {
    let own = |path: &str| run.text(path).map(str::to_owned);
    let entries = [
        ("Machine", run.machine()),
        ("Server", run.serve()),
        ("Address", own("/server/url")),
        ("Dialect", own("/server/dialect")),
        ("boardwire-load", own("/tool/version")),
        ("At", own("/at")),
    ];
    let entry = |(name, value): (&str, Option<String>)| {
        value.map(|text| format!("<dt>{name}</dt><dd>{}</dd>\n", escape(&text)))
    };
    let entries: String = entries.into_iter().filter_map(entry).collect();
    (!entries.is_empty()).then(|| format!("<dl>\n{entries}</dl>\n"))
}
