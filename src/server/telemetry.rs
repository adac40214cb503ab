//! Logs: one structured event a line, on standard error.
//!
//! Owns the format and the level, and which node a line is of. Key invariant: no token, key, payload or query
//! string is ever a field; events name board, connection and subject. Tests are in tests/it/logs.rs.

use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::server::config::{LogFormat, LogLevel};

/// Sends the process's events to standard error, each with the name of this `node`, where it is one of
/// several. Does nothing when a subscriber is set already.
pub fn start(format: LogFormat, level: LogLevel, node: Option<&str>) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let started = match format {
        LogFormat::Text => {
            let last = node.map(|node| ("\n", format!(" node={node:?}\n")));
            builder
                .map_event_format(|lines| Signed { lines, last })
                .try_init()
        }
        LogFormat::Json => {
            let last = node.map(|node| ("}\n", format!(",\"node\":{}}}\n", serde_json::Value::from(node))));
            let builder = builder.json().flatten_event(true);
            builder
                .map_event_format(|lines| Signed { lines, last })
                .try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("a log subscriber was set before");
    }
}

/// Lines with one more field than the event has.
struct Signed<F> {
    lines: F,
    /// How a line ends, and what stands there instead.
    last: Option<(&'static str, String)>,
}

impl<S, N, F> FormatEvent<S, N> for Signed<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some((end, instead)) = &self.last else {
            return self.lines.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(line.strip_suffix(end).unwrap_or(&line))?;
        writer.write_str(instead)
    }
}
