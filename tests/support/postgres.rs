//! Test support: a PostgreSQL of one's own. Used by tests of the library and by those in `tests/it`.
//!
//! Owns the process. It runs as an unprivileged user, keeps its files in a directory that it removes, and
//! listens on a free port of loopback and on a socket in that directory. A shell between stops it when its
//! input ends, so also when the tests are killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// What keeps it, in a shell.
const KEEPER: &str = include_str!("postgres.sh");

/// A server, which ends with this value, or with the process.
pub(crate) struct Postgres {
    keeper: Mutex<Keeper>,
    /// Its files.
    pub(crate) directory: PathBuf,
    /// Where it listens on loopback.
    pub(crate) port: u16,
}

struct Keeper {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<std::process::ChildStdout>,
}

/// Where its programs are: Debian has them in no path.
fn programs() -> PathBuf {
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let entries = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut packaged: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    packaged.sort();
    let is_whole = |path: &PathBuf| {
        let needed = ["initdb", "postgres", "pg_isready", "psql"];
        needed.iter().all(|program| path.join(program).exists())
    };
    let mut found = packaged
        .into_iter()
        .rev()
        .chain(std::env::split_paths(&in_path))
        .filter(is_whole);
    found
        .next()
        .expect("PostgreSQL is installed: apt-get install postgresql")
}

impl Postgres {
    /// Starts a server.
    pub(crate) fn start() -> Self {
        Self::start_with("true", &[])
    }

    /// Starts a server with settings `name=value`, after commands of a shell in its directory.
    pub(crate) fn start_with(prepare: &str, settings: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let settings: Vec<String> = settings.iter().map(|setting| format!("-c {setting}")).collect();
        let mut command = if is_root() {
            // The server refuses to run as root.
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid=nobody",
                "--regid=nogroup",
                "--clear-groups",
                "sh",
                "-c",
                KEEPER,
            ]);
            command
        } else {
            let mut command = Command::new("sh");
            command.args(["-c", KEEPER]);
            command
        };
        let mut process = command
            .env("BIN", programs())
            .env("PORT", port.to_string())
            .env("PREPARE", prepare)
            .env("SETTINGS", settings.join(" "))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let mut directory = String::new();
        answers.read_line(&mut directory).unwrap();
        assert!(!directory.is_empty(), "PostgreSQL did not start");
        Self {
            keeper: Mutex::new(Keeper {
                process,
                orders,
                answers,
            }),
            directory: directory.trim_end().into(),
            port,
        }
    }

    /// One server for all tests of this process; it ends with that.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// How its owner reaches it over TCP; `schema` is made where it is missing.
    pub(crate) fn url(&self, schema: &str) -> String {
        self.url_by_port(self.port, schema)
    }

    /// The same, by another port: that of a proxy.
    pub(crate) fn url_by_port(&self, port: u16, schema: &str) -> String {
        format!("postgres://owner:geheim@127.0.0.1:{port}/postgres?schema={schema}")
    }

    /// A name for a schema that nobody has used yet.
    pub(crate) fn fresh_schema(&self) -> String {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks it something as its owner, in psql: one line a row.
    pub(crate) fn ask(&self, sql: &str) -> String {
        let output = Command::new(programs().join("psql"))
            .args([
                "-X",
                "-q",
                "-t",
                "-A",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "owner",
                "-d",
                "postgres",
                "-h",
            ])
            .arg(&self.directory)
            .args(["-p", &self.port.to_string(), "-c", sql])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn order(&self, what: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        writeln!(keeper.orders.as_mut().unwrap(), "{what}").unwrap();
        let mut answer = String::new();
        keeper.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n");
    }

    /// Stops it; its clients are sent away.
    pub(crate) fn stop(&self) {
        self.order("stop");
    }

    /// Kills it; it recovers at the next start.
    pub(crate) fn crash(&self) {
        self.order("crash");
    }

    /// Starts it again.
    pub(crate) fn start_again(&self) {
        self.order("start");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut keeper = self
            .keeper
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(keeper.orders.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while keeper.process.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}
