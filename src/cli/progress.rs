//! How far a command is: a bar on a terminal, a line now and then elsewhere; both on standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(10);

/// Who tells.
#[derive(Default)]
pub(crate) struct Progress {
    /// `None` where there is no terminal.
    bar: Option<ProgressBar>,
    told: Option<Instant>,
    of: u64,
    says: Says,
}

/// What is told.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Says {
    #[default]
    All,
    /// How far it is, nobody wants to know.
    Findings,
}

impl Progress {
    /// One that says only what it is told to say.
    pub(crate) fn quiet() -> Self {
        let mut progress = Self::default();
        progress.says = Says::Findings;
        progress
    }

    /// Nobody knows how many boards are to come.
    pub(crate) fn begin_unknown(&mut self) {
        if io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {pos} boards  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            self.bar = Some(bar);
        } else {
            // There is nothing to tell yet.
            self.told = Some(Instant::now());
        }
    }

    /// So many boards are to come.
    pub(crate) fn begin(&mut self, of: u64) {
        self.of = of;
        if self.says == Says::All && io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(of), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("[{bar:40}] {pos}/{len} boards  {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("=> "));
            self.bar = Some(bar);
        } else {
            self.line(&format!("{of} boards"));
        }
    }

    /// So many of them are done.
    pub(crate) fn tell(&mut self, boards: u64, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(boards);
            bar.set_message(text.to_owned());
        } else if self.told.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
            match self.of {
                0 => self.line(&format!("{boards} boards, {text}")),
                of => self.line(&format!("{boards} of {of} boards, {text}")),
            }
        }
    }

    /// Something that must not be overwritten.
    pub(crate) fn say(&self, line: &dyn Display) {
        let write = || {
            // Nobody is left to tell when this fails.
            writeln!(io::stderr(), "boardwire: {line}").ok();
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn line(&mut self, text: &str) {
        if self.says == Says::Findings {
            return;
        }
        self.told = Some(Instant::now());
        self.say(&text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
