//! The server's process: one that runs already, or one that is started here and can be ended and started
//! again.
//!
//! Owns the process and the strace beside it. Must not know what is measured. Key invariant: what was started
//! here ends with this value, by its number, and with this process, however that ends.

use std::io::{self, PipeWriter, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{self, Usage};

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);

/// A server, seen as a process.
#[derive(Default)]
pub(crate) struct Server {
    /// The process whose cost is told.
    pid: Option<String>,
    /// Where its data is, to tell its size.
    pub(crate) data: Option<PathBuf>,
    /// How it is started, where that is done here.
    words: Option<String>,
    child: Option<Child>,
    guard: Option<Guard>,
    /// Where it listens, on one of them.
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// One that runs, or is not seen as a process at all.
    pub(crate) fn running(pid: Option<String>) -> Result<Self, String> {
        if let Some(pid) = pid.as_ref().filter(|pid| !process::is_readable(pid)) {
            return Err(format!(
                "--pid {pid}: there is no such process, or it is not ours to read"
            ));
        }
        let mut server = Self::default();
        server.pid = pid;
        Ok(server)
    }

    /// Starts one, and waits until it listens.
    pub(crate) fn start(words: &str, addresses: &[SocketAddr]) -> Result<Self, String> {
        let mut server = Self::default();
        (server.words, server.addresses) = (Some(words.to_owned()), addresses.to_vec());
        let names: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        let address = names.join(" or ");
        if TcpStream::connect(addresses).is_ok() {
            return Err(format!("--serve: something listens on {address} already"));
        }
        server.spawn()?;
        let start = Instant::now();
        while TcpStream::connect(addresses).is_err() {
            if let Some(ended) = server.child.as_mut().and_then(|child| child.try_wait().ok()?) {
                return Err(format!(
                    "--serve: the server ended before it listened on {address} ({ended})"
                ));
            }
            if start.elapsed() > START_TIMEOUT {
                return Err(format!("--serve: nothing listens on {address} after a minute"));
            }
            std::thread::sleep(POLL);
        }
        Ok(server)
    }

    fn spawn(&mut self) -> Result<(), String> {
        let words = self.words.as_deref().unwrap_or_default();
        let failed = |error: io::Error| format!("--serve: {error}");
        let (guard, told) = Guard::new().map_err(failed)?;
        // The shell tells the guard its number, reads quotes and becomes the server.
        let child = Command::new("sh")
            .args(["-c", &format!("echo $$; exec >/dev/null; exec {words}")])
            .stdin(Stdio::null())
            .stdout(told)
            .spawn()
            .map_err(failed)?;
        self.guard = Some(guard);
        self.pid = Some(child.id().to_string());
        self.child = Some(child);
        Ok(())
    }

    pub(crate) fn can_restart(&self) -> bool {
        self.words.is_some()
    }

    fn signal(&self, signal: Signal) {
        let pid = self
            .child
            .as_ref()
            .and_then(|child| i32::try_from(child.id()).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It fails where the process is gone already.
            kill_process(pid, signal).unwrap_or_default();
        }
    }

    /// Ends it: at once, or as one asks a service to.
    pub(crate) fn end(&mut self, signal: &str) {
        self.signal(if signal == "TERM" {
            Signal::TERM
        } else {
            Signal::KILL
        });
    }

    /// Whether it has ended, without having been told to.
    pub(crate) fn is_gone(&mut self) -> bool {
        match (&mut self.child, &self.pid) {
            (Some(child), _) => matches!(child.try_wait(), Ok(Some(_))),
            (None, Some(pid)) => !process::is_readable(pid),
            (None, None) => false,
        }
    }

    /// Starts it again when it has ended; whether that has been done.
    pub(crate) fn start_when_ended(&mut self) -> Result<bool, String> {
        let has_ended = match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(ended)) => ended.is_some(),
            _ => true,
        };
        if has_ended {
            self.spawn()?;
        }
        Ok(has_ended)
    }

    /// Ends it and starts it again, and waits until it listens.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        let Some(words) = self.words.clone() else {
            return Err("the server is not started here (--serve)".to_owned());
        };
        let addresses = std::mem::take(&mut self.addresses);
        let data = self.data.take();
        self.stop();
        *self = Self::start(&words, &addresses)?;
        self.data = data;
        Ok(())
    }

    fn stop(&mut self) {
        self.signal(Signal::TERM);
        self.guard = None;
        let Some(mut child) = self.child.take() else {
            return;
        };
        let start = Instant::now();
        while matches!(child.try_wait(), Ok(None)) {
            if start.elapsed() > STOP_TIMEOUT {
                // It fails where the process is gone already.
                child.kill().unwrap_or_default();
            }
            std::thread::sleep(POLL);
        }
    }

    pub(crate) fn pid(&self) -> Option<&str> {
        self.pid.as_deref()
    }

    /// What it costs so far.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.pid.as_deref().map(Usage::of)
    }

    /// Forgets how much memory it had at most; what it has now.
    pub(crate) fn reset_peak(&self) -> Option<u64> {
        process::reset_peak(self.pid.as_deref()?);
        self.peak()
    }

    /// The most memory it had since, pages of files included.
    pub(crate) fn peak(&self) -> Option<u64> {
        process::peak(self.pid.as_deref()?)
    }

    pub(crate) fn command(&self) -> Option<Vec<String>> {
        process::command(self.pid.as_deref()?)
    }

    pub(crate) fn file_bytes(&self) -> Option<u64> {
        self.data.as_deref().map(process::size_on_disk)
    }

    /// Begins to count its system calls; it is slower while that is done.
    pub(crate) fn trace(&self) -> Result<Trace, String> {
        let pid = self.pid.as_deref().ok_or("--syscalls needs --pid or --serve")?;
        let child = Command::new("strace")
            .args(["-c", "-f", "-p", pid])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("--syscalls: strace cannot be started: {error}"))?;
        Ok(Trace(child))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A shell that ends the server if this process is killed: then its standard input comes to an end.
struct Guard {
    shell: Child,
    _input: PipeWriter,
}

impl Guard {
    /// It is there before the server is, which has to tell it its number.
    fn new() -> io::Result<(Self, PipeWriter)> {
        let (output, input) = io::pipe()?;
        let words = "trap '' INT TERM HUP; read -r pid && read -r _; kill \"$pid\"";
        let mut command = Command::new("sh");
        command.args(["-c", words]).stdin(output);
        let shell = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let told = input.try_clone()?;
        Ok((Self { shell, _input: input }, told))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        end_now(&mut self.shell);
    }
}

fn end_now(child: &mut Child) {
    // Both fail only where it is gone already.
    child.kill().unwrap_or_default();
    child.wait().map(drop).unwrap_or_default();
}

/// strace beside the server.
pub(crate) struct Trace(Child);

impl Drop for Trace {
    fn drop(&mut self) {
        // A run that failed meanwhile leaves none behind.
        end_now(&mut self.0);
    }
}

/// System calls of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) all: u64,
    /// But for those that send.
    pub(crate) other: u64,
}

impl Trace {
    /// Ends the counting.
    pub(crate) fn end(mut self) -> io::Result<Calls> {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::INT)?;
        }
        let mut text = String::new();
        if let Some(stderr) = &mut self.0.stderr {
            stderr.read_to_string(&mut text)?;
        }
        self.0.wait()?;
        let calls = calls(&text);
        if calls.all == 0 {
            let told = text
                .lines()
                .find(|line| line.contains("strace:"))
                .unwrap_or("no table came")
                .to_owned();
            return Err(io::Error::other(format!("--syscalls: {told}")));
        }
        Ok(calls)
    }
}

/// Reads the table of `strace -c`: share, seconds, us a call, calls, perhaps errors, name.
fn calls(table: &str) -> Calls {
    let mut sum = Calls::default();
    for line in table.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(share), Some(name)) = (words.first(), words.last()) else {
            continue;
        };
        let is_row = share.parse::<f64>().is_ok() && *name != "total" && (5..=6).contains(&words.len());
        let count: Option<u64> = words.get(3).and_then(|count| count.parse().ok());
        let (true, Some(count)) = (is_row, count) else {
            continue;
        };
        sum.all += count;
        if !["sendto", "sendmsg", "sendmmsg", "writev"].contains(name) {
            sum.other += count;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_strace_is_read() {
        let table = "strace: Process 7 attached\n\
            % time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
             62.10    0.001000           3       300           sendto\n\
             30.00    0.000500           5       100         7 recvfrom\n\
              7.90    0.000100           2        50           epoll_wait\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.001600           3       450         7 total\n";
        assert_eq!(calls(table), Calls { all: 450, other: 150 });
        assert_eq!(calls("strace: attach: Operation not permitted"), Calls::default());
    }

    #[test]
    fn a_server_that_does_not_listen_says_so() {
        let address = "127.0.0.1:1".parse().unwrap();
        let error = Server::start("false", &[address]).err().unwrap();
        assert!(error.contains("ended before it listened"), "{error}");
        assert!(Server::running(Some("0".to_owned())).is_err());
    }
}
