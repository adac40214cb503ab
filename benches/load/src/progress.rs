//! How far a run is: a bar on a terminal, a line now and then elsewhere.
//!
//! Owns what is written to standard error while a run goes on. Must not know what is measured.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(10);
/// What a bar says is made so often only: a run asks in each of its turns.
const BAR_EVERY: Duration = Duration::from_millis(100);

/// Who tells.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    drawn: Option<Instant>,
    lines: Option<Instant>,
}

/// Whether anybody wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    Progress,
    Quiet,
}

impl Progress {
    /// For a run of so many seconds.
    pub(crate) fn new(talk: Talk, name: &str, seconds: f64) -> Self {
        let stderr = std::io::stderr();
        if talk == Talk::Quiet {
            return Self {
                bar: None,
                drawn: None,
                lines: None,
            };
        }
        if !stderr.is_terminal() {
            let mut progress = Self {
                bar: None,
                drawn: None,
                lines: Some(Instant::now()),
            };
            progress.line(&format!("{name}: {seconds:.0} s"));
            return progress;
        }
        let bar = ProgressBar::with_draw_target(Some(seconds.ceil() as u64), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} s  {msg}");
        bar.set_style(
            style
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> "),
        );
        bar.set_prefix(name.to_owned());
        Self {
            bar: Some(bar),
            drawn: None,
            lines: None,
        }
    }

    /// So many seconds are over; `text` says what has come so far.
    pub(crate) fn tell(&mut self, second: f64, text: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            if self.drawn.is_none_or(|last| last.elapsed() >= BAR_EVERY) {
                self.drawn = Some(Instant::now());
                bar.set_position(second as u64);
                bar.set_message(text());
            }
        } else if self.lines.is_some_and(|last| last.elapsed() >= LINE_EVERY) {
            let text = text();
            self.line(&format!("{second:.0} s: {text}"));
        }
    }

    fn line(&mut self, text: &str) {
        self.lines = Some(Instant::now());
        // Nobody is left to tell when this fails.
        writeln!(std::io::stderr(), "  {text}").unwrap_or_default();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
