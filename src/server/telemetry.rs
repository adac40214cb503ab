//! Logs: one structured event a line, on standard error.
//!
//! Owns the format and the level. Key invariant: no token, key, payload or query string is ever a field;
//! events name board, connection and subject.

use tracing::level_filters::LevelFilter;

use crate::server::config::{LogFormat, LogLevel};

/// Sends the process's events to standard error. Does nothing when a subscriber is set already.
pub fn start(format: LogFormat, level: LogLevel) {
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
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("a log subscriber was set before");
    }
}
