//! What is well on a machine and what is not: numbers in, findings out.
//!
//! Owns the bounds between well, doubtful and wrong. Must not look at anything itself (`machine` does). Tests
//! are below, at each edge.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use boardwire::limits;
use boardwire::store::redb::CACHE_BYTES;

use super::{Finding, bytes, time};

/// With a slower disk the echo of a change takes longer than people take for at once.
const FSYNC_SLOW: Duration = Duration::from_millis(20);

/// Commits of this length are what the alert `BoardwireSavesAreSlow` is about.
const FSYNC_TOO_SLOW: Duration = Duration::from_millis(500);

/// Less free space than this, and the next commits may fail.
const SPACE_MIN: u64 = 32 << 20;

/// Less memory than this, and a server does not even start.
const MEMORY_MIN: u64 = 64 << 20;

/// What a server takes by itself.
const OWN_BYTES: usize = 32 << 20;

/// When this was written, in seconds since 1970; and the end of the century.
const PLAUSIBLE: std::ops::Range<u64> = 1_780_000_000..4_102_444_800;

/// How many files may be open.
pub(super) fn open_files(limit: Option<u64>, needed: usize, connections: usize) -> Finding {
    let check = "open-files";
    match limit {
        None => Finding::ok(check, "their number has no limit"),
        Some(limit) if limit >= needed as u64 => Finding::ok(
            check,
            format!("{limit} may be open; --max-connections {connections} needs {needed}"),
        ),
        Some(limit) => Finding::wrong(
            check,
            format!(
                "{limit} may be open (hard limit of this shell); --max-connections {connections} needs {needed}"
            ),
            format!(
                "raise it (LimitNOFILE={needed} in the systemd unit, ulimit -Hn {needed}), or lower --max-connections"
            ),
        ),
    }
}

/// The calendar clock; `newest` is when the data file was changed last. Both in seconds since 1970.
pub(super) fn clock(now: u64, newest: Option<u64>, drift: Duration) -> Finding {
    let check = "clock";
    let right = "set the clock, and keep it so by NTP (timedatectl set-ntp true): tokens live and end by it";
    if !PLAUSIBLE.contains(&now) {
        return Finding::wrong(check, format!("it says {}", instant(now)), right);
    }
    if newest.is_some_and(|newest| newest > now + 60) {
        let newest = instant(newest.unwrap_or_default());
        let what = format!(
            "it says {}, and the data file was written at {newest}",
            instant(now)
        );
        return Finding::wrong(check, what, right);
    }
    if drift > Duration::from_millis(500) {
        let what = format!("while this ran it was set by {}", time(drift));
        return Finding::warning(check, what, right);
    }
    Finding::ok(check, format!("it says {}", instant(now)))
}

fn instant(seconds: u64) -> String {
    boardwire::time::UnixMillis(seconds.saturating_mul(1_000)).to_string()
}

/// How long it took to have some writes on the disk.
pub(super) fn fsync(mut times: Vec<Duration>) -> Finding {
    let check = "fsync";
    times.sort_unstable();
    let (Some(&median), Some(&worst)) = (times.get(times.len() / 2), times.last()) else {
        return Finding::warning(check, "nothing was written", "try again");
    };
    let what = format!(
        "median {}, worst {} of {} writes",
        time(median),
        time(worst),
        times.len()
    );
    if median > FSYNC_TOO_SLOW {
        return Finding::wrong(
            check,
            what,
            "a local disk, or one that is not that busy: each save waits so long",
        );
    }
    if median > FSYNC_SLOW || worst > FSYNC_TOO_SLOW {
        return Finding::warning(
            check,
            what,
            "a local SSD, or a disk that is less busy: each save waits so long",
        );
    }
    Finding::ok(check, what)
}

/// Free space, beside a data file of so many bytes.
pub(super) fn space(free: u64, file: u64) -> Finding {
    let check = "space";
    let needed = file.saturating_mul(2).saturating_add(SPACE_MIN);
    let what = format!("{} free, beside a data file of {}", bytes(free), bytes(file));
    if free < SPACE_MIN {
        return Finding::wrong(
            check,
            what,
            "make room: when the disk is full nothing can be saved",
        );
    }
    if free < needed {
        let right = format!(
            "{} free: what a smaller copy of the file takes while it is made",
            bytes(needed)
        );
        return Finding::warning(check, what, right);
    }
    Finding::ok(check, what)
}

/// The kind of file system, by its number in the kernel.
///
/// # Source
/// `include/uapi/linux/magic.h` of Linux; statfs(2).
pub(super) fn file_system(magic: u64) -> Finding {
    let check = "file-system";
    let local = "a directory on a local disk, whose fsync is honest";
    let warning = |name: &str, why: &str| Finding::warning(check, format!("{name}: {why}"), local);
    match magic {
        0x6969 => warning("NFS", "locks and fsync may not hold what they promise"),
        0xFF53_4D42 | 0xFE53_4D42 | 0x517B => {
            warning("SMB", "locks and fsync may not hold what they promise")
        }
        0x0102_1997 => warning("9p", "locks and fsync may not hold what they promise"),
        0x6573_5546 => warning("FUSE", "whether fsync reaches a disk is up to a program"),
        0x794C_7630 => warning("overlay", "it is gone with the container; mount a volume"),
        0x0102_1994 => warning("tmpfs", "it is memory, and gone when the machine restarts"),
        0x8584_58F6 => warning("ramfs", "it is memory, and gone when the machine restarts"),
        0xEF53 => Finding::ok(check, "ext4, or an older ext"),
        0x5846_5342 => Finding::ok(check, "XFS"),
        0x9123_683E => Finding::ok(check, "Btrfs"),
        0x2FC1_2FC1 => Finding::ok(check, "ZFS"),
        0xF2F5_2010 => Finding::ok(check, "F2FS"),
        0xCA45_1A4E => Finding::ok(check, "bcachefs"),
        other => Finding::ok(check, format!("of a kind that is not known here ({other:#x})")),
    }
}

/// Who the data file belongs to, and who may read it.
pub(super) fn rights(mode: u32, owner: u32, user: u32) -> Finding {
    let check = "rights";
    if owner != user && user != 0 {
        return Finding::warning(
            check,
            format!("the data file belongs to user {owner}, and this is user {user}"),
            "run this as the server's user (sudo -u), or give it the file and its directory (chown)",
        );
    }
    if mode & 0o077 != 0 {
        return Finding::warning(
            check,
            format!(
                "others than its owner may read the data file (mode {:03o})",
                mode & 0o777
            ),
            "chmod 600: all boards are in it, unencrypted",
        );
    }
    Finding::ok(
        check,
        format!("the data file belongs to user {owner}, who alone may read it"),
    )
}

/// What others can have a server hold at a time, beside the boards themselves.
pub(super) fn memory_needed() -> u64 {
    let most = [
        limits::RECEIVING_BYTES_MAX,
        limits::ANSWERS_BYTES_MAX,
        limits::JSON_ALL_BYTES_MAX,
        limits::COMMIT_QUEUE_BYTES_MAX,
        limits::DOCUMENTS_BYTES_MAX,
        CACHE_BYTES,
        OWN_BYTES,
    ];
    most.iter().sum::<usize>() as u64
}

/// Memory that is free: of the machine, or within its control group, whatever is less.
pub(super) fn memory(available: u64, needed: u64) -> Finding {
    let check = "memory";
    let what = format!("{} are to be had", bytes(available));
    if available < MEMORY_MIN {
        return Finding::wrong(check, what, format!("{} at least", bytes(needed)));
    }
    if available < needed {
        let right = format!(
            "{}: so much can clients have the server hold, beside the boards in use",
            bytes(needed)
        );
        return Finding::warning(check, what, right);
    }
    Finding::ok(check, what)
}

/// Who has the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Free,
    /// A Boardwire: its version, and what it says of itself where that is not well.
    Boardwire {
        version: String,
        trouble: Option<String>,
    },
    /// Something else; its first line.
    Other(String),
    Refused(ErrorKind),
}

/// Whether a server can listen there.
pub(super) fn port(listen: SocketAddr, port: &Port) -> Finding {
    let check = "port";
    let ours = env!("CARGO_PKG_VERSION");
    match port {
        Port::Free => Finding::ok(check, format!("{listen} is free: no server runs there")),
        Port::Boardwire {
            trouble: Some(trouble),
            ..
        } => Finding::wrong(
            check,
            format!("the server at {listen} is not well: {trouble}"),
            "see its log, and what its reason names",
        ),
        Port::Boardwire { version, .. } if version != ours => Finding::warning(
            check,
            format!("version {version} runs at {listen}, and this is {ours}"),
            "restart the server after an update",
        ),
        Port::Boardwire { version, .. } => {
            Finding::ok(check, format!("version {version} runs at {listen}, and is well"))
        }
        Port::Other(line) => Finding::wrong(
            check,
            format!("{listen} is taken by something that is no Boardwire ({line})"),
            "end that (ss -ltnp names it), or choose another --listen",
        ),
        Port::Refused(ErrorKind::AddrNotAvailable) => Finding::wrong(
            check,
            format!("{} is no address of this machine", listen.ip()),
            "an address that `ip addr` lists, 127.0.0.1 behind a proxy, or 0.0.0.0",
        ),
        Port::Refused(ErrorKind::PermissionDenied) => Finding::wrong(
            check,
            format!("this user may not listen at {listen}"),
            "a port from 1024 on, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit",
        ),
        Port::Refused(kind) => Finding::wrong(
            check,
            format!("nobody can listen at {listen}: {kind}"),
            "another --listen",
        ),
    }
}

/// How people get to the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    pub(super) listen: SocketAddr,
    pub(super) public_url: Option<&'a str>,
    pub(super) has_trusted_proxy: bool,
    pub(super) is_dev: bool,
    /// The server speaks TLS itself.
    pub(super) is_encrypted: bool,
}

/// Whether what is said about the way to the server fits together.
pub(super) fn way(way: Way<'_>) -> Vec<Finding> {
    let check = "public-url";
    let is_loopback = |ip: IpAddr| ip.is_loopback();
    let Some(url) = way.public_url else {
        return vec![match way.is_dev {
            true => Finding::ok(check, "none; with --dev, localhost and addresses are served only"),
            false => Finding::warning(
                check,
                "none: every Host is served, also that of a stranger's page whose name leads here",
                "--public-url with the address that people have in their browsers",
            ),
        }];
    };
    let mut found = Vec::new();
    match url.strip_prefix("http://") {
        Some(rest) if !is_local(rest) => found.push(Finding::warning(
            check,
            format!("{url} is not encrypted: tokens and boards can be read on the way"),
            "https://, by a proxy in front or the server's own TLS",
        )),
        Some(_) => found.push(Finding::ok(check, url)),
        None if !way.is_encrypted && !is_loopback(way.listen.ip()) && !way.has_trusted_proxy => found.push(Finding::warning(
            check,
            format!("{url} is https, and {} is reached by others without it", way.listen),
            "--listen 127.0.0.1:8080 where the proxy is on this machine, or a firewall that lets only the proxy in",
        )),
        None => found.push(Finding::ok(check, url)),
    }
    if url.starts_with("https://") && !way.is_encrypted {
        let check = "trusted-proxy";
        found.push(match way.has_trusted_proxy {
            true => Finding::ok(check, "one is named"),
            false => Finding::warning(
                check,
                "none, and --public-url is https: behind a proxy all clients have the proxy's address",
                "--trusted-proxy with the proxy's address, 127.0.0.1 where it is on this machine",
            ),
        });
    }
    found
}

/// Whether `host[:port][/path]` is this machine's own.
fn is_local(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What a database says of itself.
pub(super) fn database(server: &boardwire::store::postgres::Server, took: Duration) -> Vec<Finding> {
    let check = "database";
    let mut found = Vec::new();
    if server.is_too_old() {
        found.push(Finding::warning(
            check,
            format!("PostgreSQL {}", super::super::one_line(&server.version)),
            "15 or later, which are tested",
        ));
    }
    match server.synchronous_commit.as_str() {
        "off" => found.push(Finding::wrong(
            check,
            "synchronous_commit is off: a crash loses changes that clients were told are saved",
            "synchronous_commit = on",
        )),
        "local" => found.push(Finding::warning(
            check,
            "synchronous_commit is local: with a standby, a failover loses changes that were told as saved",
            "on, where there is a standby",
        )),
        _ => {}
    }
    for name in &server.unsafe_settings {
        found.push(Finding::wrong(
            check,
            format!("{name} is off: a crash of its machine can destroy boards"),
            format!("{name} = on"),
        ));
    }
    let version = super::super::one_line(&server.version);
    let what = format!("PostgreSQL {version} answers in {}", time(took));
    match took > FSYNC_SLOW {
        true => found.push(Finding::warning(
            check,
            what,
            "a database in the same network: each save asks it twice",
        )),
        false => found.push(Finding::ok(check, what)),
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::Level::{self, Ok, Warning, Wrong};
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn as_many_files_as_are_needed_do() {
        for (limit, level) in [
            (None, Ok),
            (Some(11_064), Ok),
            (Some(11_063), Wrong),
            (Some(0), Wrong),
        ] {
            assert_eq!(open_files(limit, 11_064, 10_000).level, level, "{limit:?}");
        }
    }

    #[test]
    fn a_clock_that_is_years_off_or_behind_the_file_is_wrong() {
        let now = 1_796_000_000;
        for (now, newest, drift, level) in [
            (now, None, 0, Ok),
            (now, Some(now + 60), 500, Ok),
            (now, Some(now + 61), 0, Wrong),
            (now, Some(now), 501, Warning),
            (0, None, 0, Wrong),
            (PLAUSIBLE.start - 1, None, 0, Wrong),
            (PLAUSIBLE.start, None, 0, Ok),
            (PLAUSIBLE.end, None, 0, Wrong),
        ] {
            assert_eq!(
                clock(now, newest, millis(drift)).level,
                level,
                "{now} {newest:?} {drift}"
            );
        }
    }

    #[test]
    fn a_disk_is_slow_past_20_ms_and_too_slow_past_500() {
        for (times, level) in [
            (vec![20, 20, 500], Ok),
            (vec![1, 21, 21], Warning),
            (vec![1, 1, 501], Warning),
            (vec![1, 500, 500], Warning),
            (vec![1, 501, 501], Wrong),
            (vec![], Warning),
        ] {
            let times: Vec<Duration> = times.into_iter().map(millis).collect();
            assert_eq!(fsync(times.clone()).level, level, "{times:?}");
        }
    }

    #[test]
    fn twice_what_lives_is_to_be_free() {
        let file = 100 << 20;
        for (free, level) in [
            (2 * file + SPACE_MIN, Ok),
            (2 * file + SPACE_MIN - 1, Warning),
            (SPACE_MIN, Warning),
            (SPACE_MIN - 1, Wrong),
        ] {
            assert_eq!(space(free, file).level, level, "{free}");
        }
    }

    #[test]
    fn memory_is_to_hold_what_others_can_have_it_hold() {
        let needed = memory_needed();
        assert!((300 << 20..600 << 20).contains(&needed), "{needed}");
        for (available, level) in [
            (needed, Ok),
            (needed - 1, Warning),
            (MEMORY_MIN, Warning),
            (MEMORY_MIN - 1, Wrong),
        ] {
            assert_eq!(memory(available, needed).level, level, "{available}");
        }
    }

    #[test]
    fn file_systems_that_forget_or_are_far_away_are_doubtful() {
        for magic in [0x6969, 0x794C_7630, 0x0102_1994, 0xFE53_4D42] {
            assert_eq!(file_system(magic).level, Warning, "{magic:#x}");
        }
        for magic in [0xEF53, 0x5846_5342, 1] {
            assert_eq!(file_system(magic).level, Ok, "{magic:#x}");
        }
    }

    #[test]
    fn the_data_file_is_its_owners_alone() {
        for (mode, owner, user, level) in [
            (0o600, 7, 7, Ok),
            (0o100_600, 7, 0, Ok),
            (0o640, 7, 7, Warning),
            (0o604, 7, 0, Warning),
            (0o600, 7, 8, Warning),
        ] {
            assert_eq!(rights(mode, owner, user).level, level, "{mode:o} {owner} {user}");
        }
    }

    #[test]
    fn who_has_the_port_is_said() {
        let listen = "127.0.0.1:8080".parse().unwrap();
        let ours = env!("CARGO_PKG_VERSION").to_owned();
        let boardwire = |version: &str, trouble: Option<&str>| Port::Boardwire {
            version: version.to_owned(),
            trouble: trouble.map(str::to_owned),
        };
        for (found, level) in [
            (Port::Free, Ok),
            (boardwire(&ours, None), Ok),
            (boardwire("9.9.9", None), Warning),
            (boardwire(&ours, Some("the disk refuses writes")), Wrong),
            (Port::Other("SSH-2.0".to_owned()), Wrong),
            (Port::Refused(ErrorKind::AddrNotAvailable), Wrong),
            (Port::Refused(ErrorKind::PermissionDenied), Wrong),
        ] {
            assert_eq!(port(listen, &found).level, level, "{found:?}");
        }
    }

    #[test]
    fn the_way_to_the_server_fits_together_or_not() {
        let levels = |listen: &str, public_url: Option<&str>, has_trusted_proxy: bool| -> Vec<Level> {
            let found = way(Way {
                listen: listen.parse().unwrap(),
                public_url,
                has_trusted_proxy,
                is_dev: false,
                is_encrypted: false,
            });
            found.iter().map(|finding| finding.level).collect()
        };
        let address = "https://boards.example.com/wb";
        let https = Some(address);
        assert_eq!(levels("127.0.0.1:1", None, false), [Warning]);
        assert_eq!(levels("127.0.0.1:1", https, true), [Ok, Ok]);
        assert_eq!(levels("127.0.0.1:1", https, false), [Ok, Warning]);
        assert_eq!(levels("0.0.0.0:1", https, false), [Warning, Warning]);
        assert_eq!(
            levels("0.0.0.0:1", Some("http://boards.example.com"), false),
            [Warning]
        );
        // Its own TLS needs no proxy.
        let own = way(Way {
            listen: "0.0.0.0:1".parse().unwrap(),
            public_url: https,
            has_trusted_proxy: false,
            is_dev: false,
            is_encrypted: true,
        });
        assert_eq!(own, [Finding::ok("public-url", address)]);
        for local in [
            "http://localhost:8080",
            "http://127.0.0.1",
            "http://[::1]:1/wb",
            "http://a.localhost/b",
        ] {
            assert_eq!(levels("127.0.0.1:1", Some(local), false), [Ok], "{local}");
        }
    }
}
