//! The built server as a child process, on a port and in a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::tokens::SECRET;
use super::{SOON, http, until};

/// Where a data file lies; outlives the servers that run on it.
#[derive(Clone)]
pub(crate) struct Place(Arc<TempDir>);

impl Place {
    /// A new empty directory.
    pub(crate) fn new() -> Self {
        Self(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// The data file in it.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("boards.redb")
    }
}

/// How a server is to be started.
pub(crate) struct Setup {
    place: Place,
    flags: Vec<String>,
    /// Of the environment, which has nothing else.
    variables: Vec<(String, String)>,
    /// What starts the program, before its path.
    starter: Vec<String>,
}

impl Setup {
    /// On a directory of its own.
    pub(crate) fn new() -> Self {
        Self::on(&Place::new())
    }

    /// On the data file of an earlier server.
    pub(crate) fn on(place: &Place) -> Self {
        Self {
            place: place.clone(),
            flags: Vec::new(),
            // This machine may have a file of settings.
            variables: [
                ("BOARDWIRE_JWT_SECRET", SECRET),
                ("BOARDWIRE_CONFIG", "/dev/null"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            starter: Vec::new(),
        }
    }

    /// Started by another program, which becomes it.
    pub(crate) fn by(mut self, starter: &[&str]) -> Self {
        self.starter = starter.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// With `--name value`.
    pub(crate) fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.push(format!("--{name}={value}"));
        self
    }

    /// With this variable, and without the secret that is in one otherwise.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        let is_other = |known: &str| known != "BOARDWIRE_JWT_SECRET" && known != name;
        self.variables.retain(|(known, _)| is_other(known));
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With `--name`, a switch.
    pub(crate) fn switch(mut self, name: &str) -> Self {
        self.flags.push(format!("--{name}"));
        self
    }

    /// Where it keeps everything: in its file, unless it was given a database.
    fn data(&self) -> Option<String> {
        let has_database = self.flags.iter().any(|flag| flag.starts_with("--store="));
        (!has_database).then(|| format!("--data={}", self.place.data().display()))
    }

    /// Lines that a test can read, unless it wants others.
    fn log_format(&self) -> Option<&'static str> {
        let has_one = self.flags.iter().any(|flag| flag.starts_with("--log-format="));
        (!has_one).then_some("--log-format=json")
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let mut words = self
            .starter
            .iter()
            .map(String::as_str)
            .chain([env!("CARGO_BIN_EXE_boardwire")]);
        let (log_format, data) = (self.log_format(), self.data());
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .env_clear()
            .envs(self.variables)
            .args(["serve", "--listen=127.0.0.1:0", "--threads=2"])
            .args(log_format)
            .args(data)
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let mut address = None;
        until(SOON, || {
            address = listening(&log.lock().unwrap());
            if address.is_none()
                && let Some(status) = child.try_wait().unwrap()
            {
                panic!("the server ended with {status}:\n{}", log.lock().unwrap());
            }
            address.is_some()
        });
        Server {
            flags: self.flags,
            child,
            address: address.unwrap(),
            place: self.place,
            log,
            reader: Some(reader),
        }
    }
}

/// The address in the log line that tells it.
fn listening(log: &str) -> Option<SocketAddr> {
    let json = || Some(log.split_once(r#""listen":""#)?.1.split_once('"')?.0);
    let text = || Some(log.split_once(" listen=")?.1.split_once(' ')?.0);
    json().or_else(text)?.parse().ok()
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    flags: Vec<String>,
    child: Child,
    address: SocketAddr,
    place: Place,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// One with default settings, in a place of its own.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Setup::new().start()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it was given as `--name`.
    pub(crate) fn flag(&self, name: &str) -> Option<&str> {
        let start = format!("--{name}=");
        self.flags.iter().find_map(|flag| flag.strip_prefix(&start))
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it with SIGKILL, and gives its place back.
    pub(crate) fn kill(mut self) -> Place {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.place.clone()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success(), "kill");
    }

    /// Waits for its end; then its log is complete.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until(SOON, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status.unwrap()
    }

    /// Ends it orderly, and gives its place back.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Place {
        self.terminate();
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{}", self.log());
        self.place.clone()
    }

    /// Memory that it holds, in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let (_, after) = status.split_once("VmRSS:").unwrap();
        after.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1_024
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What `/health` says.
    #[track_caller]
    pub(crate) fn health(&self) -> (u16, serde_json::Value) {
        let answer = http::get(self.address, "/health");
        (answer.status, answer.json())
    }

    /// How many rooms `/health` counts.
    #[track_caller]
    pub(crate) fn rooms(&self) -> u64 {
        self.health().1["rooms"].as_u64().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, or by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
