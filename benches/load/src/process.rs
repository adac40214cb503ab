//! What a process costs, read from /proc by its number.
//!
//! Owns the reading of /proc, of this machine too. Must not know what is measured with it. Key invariant: CPU
//! is counted in nanoseconds as the scheduler counts them (schedstat), not in its ticks of 10 ms.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

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

/// Lets the kernel forget the most memory that a process had.
pub(crate) fn reset_peak(pid: &str) {
    // Where that is not ours to do, the peak is of its whole life.
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap_or_default();
}

/// The most memory that a process had since, in bytes, pages of files included.
pub(crate) fn peak(pid: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// The words that a process was started with, where it can be read.
pub(crate) fn command(pid: &str) -> Option<Vec<String>> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = text.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let words: Vec<String> = words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    (!words.is_empty()).then_some(words)
}

/// What a file, or all in a directory, takes on the disk.
pub(crate) fn size_on_disk(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return 0;
    };
    let of_entries = fs::read_dir(path).into_iter().flatten().flatten();
    let below: u64 = of_entries.map(|entry| size_on_disk(&entry.path())).sum();
    below + metadata.blocks() * 512
}

/// The machine in a few members.
pub(crate) fn machine() -> Value {
    let line = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = line("/proc/meminfo", "MemTotal").and_then(|text| {
        let kib: u64 = text.split(' ').next()?.parse().ok()?;
        Some(kib * 1024)
    });
    // All that there are: this process may be tied to one.
    let cores = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = cores.lines().filter(|line| line.starts_with("processor")).count();
    json!({
        "cpus": cores.max(1),
        "model": line("/proc/cpuinfo", "model name"),
        "memory_bytes": memory,
        "kernel": rustix::system::uname().release().to_string_lossy(),
    })
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
