//! Logs: one structured event a line, on standard error.
//!
//! Owns the format and the level, and which node a line is of. Key invariant: no token, key, payload or query
//! string is ever a field; events name board, connection and subject. Tests are in tests/it/logs.rs.

use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use crate::server::config::{LogFormat, LogLevel, LogLevels};

/// Changes how much is logged, while the process runs.
#[derive(Clone, Debug)]
pub struct Level(reload::Handle<Targets, Registry>);

impl Level {
    /// From now on.
    pub fn set(&self, levels: &LogLevels) {
        if let Err(error) = self.0.reload(filter(levels)) {
            tracing::warn!(%error, "the log level stays");
        }
    }
}

/// Lets through what is loud enough: a line is of the part in whose module it is written.
fn filter(levels: &LogLevels) -> Targets {
    let part =
        |(part, level): (&&str, &LogLevel)| (format!("{}::{part}", env!("CARGO_CRATE_NAME")), of(*level));
    Targets::new()
        .with_default(of(levels.of_all))
        .with_targets(levels.of_parts.iter().map(part))
}

fn of(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Sends the process's events to standard error, each with the name of this `node`, where it is one of
/// several. Does nothing when a subscriber is set already; nor does what it returns, then.
pub fn start(format: LogFormat, levels: &LogLevels, node: Option<&str>) -> Level {
    let (filter, handle) = reload::Layer::new(filter(levels));
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let started = match format {
        LogFormat::Text => {
            let last = node.map(|node| ("\n", format!(" node={node:?}\n")));
            let layer = layer.map_event_format(|lines| Signed { lines, last });
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            let last = node.map(|node| ("}\n", format!(",\"node\":{}}}\n", serde_json::Value::from(node))));
            let layer = layer.json().flatten_event(true);
            let layer = layer.map_event_format(|lines| Signed { lines, last });
            registry.with(layer).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("a log subscriber was set before");
    }
    Level(handle)
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
