//! Logs: one structured event a line, on standard error.
//!
//! Owns the format and the level. Key invariant: no token, key, payload or query string is ever a field; events name
//! board, connection and subject.

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

/// An error and its causes in one line; an error's own text leaves its cause out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Logs an event at a level that is known at run time only.
macro_rules! log_at {
    ($level:expr, $($event:tt)+) => {
        match $level {
            tracing::Level::ERROR => tracing::error!($($event)+),
            tracing::Level::WARN => tracing::warn!($($event)+),
            tracing::Level::INFO => tracing::info!($($event)+),
            tracing::Level::DEBUG => tracing::debug!($($event)+),
            tracing::Level::TRACE => tracing::trace!($($event)+),
        }
    };
}
pub(crate) use log_at;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_logged_with_its_causes() {
        let error = crate::server::StartError::System(std::io::Error::other("no threads left"));
        assert_eq!(
            chain(&error),
            "cannot start threads or signal handlers: no threads left"
        );
    }
}
