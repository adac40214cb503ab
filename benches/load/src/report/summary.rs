//! The summary that fits a pull request, as Markdown.
//!
//! Owns its lines. Key invariant: each figure of the result that is not known here is told by its name.

use std::fmt::Write;

use serde_json::Value;

use super::figures::{Row, groups};
use super::text::markdown;
use super::{Run, about, apart, runs, warnings};

/// What one run found, or two beside each other, in lines.
pub(crate) fn summary(a: &Value, b: Option<&Value>) -> String {
    let runs = runs(a, b);
    let mut told = title(&runs);
    for line in about(&runs) {
        // Each a paragraph of its own.
        told.push_str(&format!("\n{}\n", markdown(&line)));
    }
    let groups = groups(&runs);
    let rows = groups.iter().flat_map(|group| &group.rows);
    let rows: Vec<&Row> = rows.filter(|row| row.is_brief()).collect();
    if !rows.is_empty() {
        told.push('\n');
        table(&runs, &rows, &mut told);
    }
    for warning in warnings(&runs) {
        told.push_str(&format!("\n**Warning:** {}\n", markdown(&warning)));
    }
    for (letter, command) in apart(&runs, Run::repeat) {
        let letter = letter.map(|letter| format!(" {letter}")).unwrap_or_default();
        // Four spaces before each line: nothing inside can end the code.
        told.push_str(&format!("\nTo repeat{letter}:\n\n"));
        for line in command.split(['\n', '\r']) {
            told.push_str(&format!("    {line}\n"));
        }
    }
    told
}

fn title(runs: &[Run<'_>]) -> String {
    let mut scenarios: Vec<&str> = runs.iter().map(Run::scenario).collect();
    scenarios.dedup();
    let servers: Vec<String> = runs.iter().map(Run::label).collect();
    let title = format!("{}: {}", scenarios.join(" and "), servers.join(", "));
    format!("### {}\n", markdown(&title))
}

fn table(runs: &[Run<'_>], rows: &[&Row], told: &mut String) {
    let mut cells: Vec<Vec<String>> = Vec::new();
    let mut head = vec![String::new()];
    head.extend(runs.iter().map(|run| markdown(&run.label())));
    if runs.len() > 1 {
        head.push("B / A".to_owned());
    }
    cells.push(head);
    for row in rows {
        let label = row
            .label
            .clone()
            .unwrap_or_else(|| format!("`{}`", row.name.replace(['`', '|', '\n'], " ")));
        let mut line = vec![label];
        for value in &row.values {
            let text = row.print(*value);
            line.push(if row.is_fault(*value) {
                format!("**{text}**")
            } else {
                text
            });
        }
        if runs.len() > 1 {
            line.push(row.ratio());
        }
        cells.push(line);
    }
    aligned(&cells, told);
}

/// A table whose source can be read too.
fn aligned(cells: &[Vec<String>], told: &mut String) {
    let columns = cells.first().map_or(0, Vec::len);
    let long = |text: &String| text.chars().count();
    let wide = |column: usize| cells.iter().filter_map(|line| line.get(column)).map(long).max();
    let widths: Vec<usize> = (0..columns)
        .map(|column| wide(column).unwrap_or(0).max(3))
        .collect();
    for (at, line) in cells.iter().enumerate() {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            // A string takes all that is written to it.
            match column {
                0 => write!(told, "| {cell:<width$} |").unwrap_or_default(),
                _ => write!(told, " {cell:>width$} |").unwrap_or_default(),
            }
        }
        told.push('\n');
        if at == 0 {
            for (column, width) in widths.iter().enumerate() {
                let line = "-".repeat(width - usize::from(column > 0));
                told.push_str(&if column == 0 {
                    format!("| {line} |")
                } else {
                    format!(" {line}: |")
                });
            }
            told.push('\n');
        }
    }
}
