//! What a process costs, read from /proc by its number.
//!
//! Owns the reading of /proc. Must not know what is measured with it. Key invariant: CPU is counted in
//! nanoseconds as the scheduler counts them (schedstat), not in its ticks of 10 ms.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// CPU, disk and memory of a process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// CPU of all its threads that live, in nanoseconds.
    pub(crate) cpu_ns: u64,
    /// Bytes it caused to be written to disk.
    pub(crate) written: u64,
    /// Memory in bytes that is its own: pages of files, which its program is too, it shares with who else
    /// runs.
    pub(crate) memory: u64,
}

impl Usage {
    /// Of a process by its number; `self` is our own. What cannot be read is 0.
    pub(crate) fn of(pid: &str) -> Self {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            number.unwrap_or(0_u64)
        };
        Self {
            cpu_ns: cpu_ns(pid),
            written: field("io", "write_bytes:"),
            memory: 1024 * field("smaps_rollup", "Anonymous:"),
        }
    }
}

fn cpu_ns(pid: &str) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    let of = |path: std::path::PathBuf| -> Option<u64> {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    tasks.flatten().filter_map(|task| of(task.path())).sum()
}

/// As many open files as we may have: each client is one.
pub(crate) fn open_many() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Without it a large run says which connection failed.
    setrlimit(Resource::Nofile, most).unwrap_or_default();
}

/// Whether there is such a process, and we may read what it costs.
pub(crate) fn is_readable(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/io")).is_ok()
}
