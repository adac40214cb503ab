//! What this machine has: limits, disks, memory, ports.
//!
//! Owns how each is found out. Must not judge. Key invariants: the one file that is made is removed, whatever
//! happens but `kill -9`; each look is bounded in bytes and time. Tests are below, and in
//! tests/node/doctor.test.mjs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use boardwire::client::ClientError;
use boardwire::server::config::reachable;
use rustix::process::{Resource, getrlimit};
use serde_json::Value;

use super::super::health;
use super::super::one_line;
use super::judged::Port;

/// As much as a page of the data file.
const WRITE: [u8; 4_096] = [0x5A; 4_096];

/// How many writes are timed.
const WRITES: usize = 16;

/// When no further one is begun.
const WRITES_TIME: Duration = Duration::from_secs(5);

/// More than any file of the kernel has that is read here.
const KERNEL_FILE_BYTES_MAX: u64 = 64 * 1024;

/// How many files the server may raise its limit to.
pub(super) fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// A file that is gone when this is.
struct Probe {
    path: PathBuf,
    file: File,
}

impl Drop for Probe {
    fn drop(&mut self) {
        // Whether it goes or not, there is nothing else to do.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

/// The directory that a file is in.
pub(super) fn directory(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// How long writes of a page take until they are on the disk of `directory`.
pub(super) fn fsync_times(directory: &Path) -> io::Result<Vec<Duration>> {
    let path = directory.join(format!(".boardwire-doctor-{}", std::process::id()));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let mut probe = Probe { path, file };
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < WRITES && (times.is_empty() || begun.elapsed() < WRITES_TIME) {
        let before = Instant::now();
        probe.file.write_all(&WRITE)?;
        probe.file.sync_data()?;
        times.push(before.elapsed());
    }
    Ok(times)
}

/// Bytes that are free on the disk of `directory`, for who is not root.
pub(super) fn free_space(directory: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(directory)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// What kind of file system `directory` is on, where that can be told.
#[cfg(target_os = "linux")]
pub(super) fn file_system(directory: &Path) -> Option<u64> {
    let found = rustix::fs::statfs(directory).ok()?;
    Some(found.f_type as u64 & 0xFFFF_FFFF)
}

/// What kind of file system `directory` is on, where that can be told.
#[cfg(not(target_os = "linux"))]
pub(super) fn file_system(_: &Path) -> Option<u64> {
    None
}

/// Bytes of memory that are to be had: of the machine, and within each control group around this process.
pub(super) fn memory() -> Option<u64> {
    let machine = mem_available(&kernel_file(Path::new("/proc/meminfo"))?);
    let groups = kernel_file(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let group = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap_or_default();
    let root = Path::new("/sys/fs/cgroup");
    let within = root
        .join(group)
        .ancestors()
        .take_while(|place| place.starts_with(root))
        .filter_map(|place| {
            let number = |name: &str| kernel_file(&place.join(name))?.trim().parse::<u64>().ok();
            Some(number("memory.max")?.saturating_sub(number("memory.current")?))
        })
        .min();
    [machine, within].into_iter().flatten().min()
}

fn kernel_file(path: &Path) -> Option<String> {
    let mut text = String::new();
    let mut file = File::open(path).ok()?.take(KERNEL_FILE_BYTES_MAX);
    file.read_to_string(&mut text).ok()?;
    Some(text)
}

/// `MemAvailable` of /proc/meminfo, in bytes.
fn mem_available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    kib.checked_mul(1_024)
}

/// Who has the port.
pub(super) fn port(server: &health::Asked) -> Port {
    match TcpListener::bind(server.listen) {
        Ok(_) => Port::Free,
        Err(error) if error.kind() == ErrorKind::AddrInUse => taken(server),
        Err(error) => Port::Refused(error.kind()),
    }
}

/// What answers there.
fn taken(server: &health::Asked) -> Port {
    let answer = match health::ask(reachable(server.listen), server) {
        Ok(answer) => answer,
        Err(ClientError::NotHttp) => return Port::Other("it does not speak HTTP".to_owned()),
        Err(error) => return Port::Other(error.to_string()),
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(one_line);
    match (text("version"), text("status")) {
        (Some(version), Some(status)) => Port::Boardwire {
            version,
            trouble: (answer.status != 200).then(|| text("reason").unwrap_or(status)),
        },
        _ => Port::Other(format!("it answers GET /health with {}", answer.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_that_is_available_is_read_in_bytes() {
        let text = "MemTotal:  16384 kB\nMemFree: 1 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(mem_available(text), Some(2 << 20));
        for text in [
            "",
            "MemAvailable: x kB",
            "MemAvailable: 5",
            "MemAvailable: 18446744073709551615 kB",
        ] {
            assert_eq!(mem_available(text), None, "{text}");
        }
    }

    #[test]
    fn writes_are_timed_and_their_file_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let times = fsync_times(directory.path()).unwrap();
        assert!((1..=WRITES).contains(&times.len()), "{times:?}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(fsync_times(&directory.path().join("missing")).is_err());
    }

    #[test]
    fn a_name_alone_is_in_the_working_directory() {
        assert_eq!(directory(Path::new("boardwire.redb")), Path::new("."));
        assert_eq!(directory(Path::new("/a/b.redb")), Path::new("/a"));
    }
}
