//! The binary as one starts it, against servers that are killed: what they keep, lose and claim is told as it
//! is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const LOAD: &str = env!("CARGO_BIN_EXE_boardwire-load");

fn run(words: &[&str]) -> Output {
    Command::new(LOAD).args(words).output().unwrap()
}

/// A directory of this test's own, and a port that is free.
fn place(name: &str) -> (PathBuf, u16) {
    let directory = std::env::temp_dir().join(format!("boardwire-load-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    (directory, port)
}

/// Runs `durable` against a broadcaster that keeps boards in a file.
fn durable(name: &str, wrong: &str) -> Value {
    let (directory, port) = place(name);
    let keep = directory.join("boards");
    let serve = format!(
        "'{LOAD}' bare --listen 127.0.0.1:{port} --keep '{}' {wrong}",
        keep.display()
    );
    let url = format!("ws://127.0.0.1:{port}/x/{{room}}");
    let data = directory.display().to_string();
    let json = directory.join("result.json");
    let output = run(&[
        "run",
        "durable",
        "--url",
        &url,
        "--serve",
        &serve,
        "--data",
        &data,
        "--json",
        json.to_str().unwrap(),
        "--seconds",
        "2",
        "--restart-after",
        "1",
        "--warm-up",
        "0.2",
        "--label",
        "keep",
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let result: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    std::fs::remove_dir_all(directory).unwrap();
    result
}

fn figure(result: &Value, name: &str) -> u64 {
    result["figures"]
        .get(name)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{name} is no number: {}", result["figures"]))
}

#[test]
fn of_a_server_that_stores_before_it_acknowledges_nothing_acknowledged_is_lost() {
    let result = durable("right", "");
    assert_eq!(figure(&result, "restart_lost_acknowledged"), 0);
    assert_eq!(
        figure(&result, "lost"),
        0,
        "all is there at the end: it was sent again"
    );
    assert_eq!(figure(&result, "restart_away"), 0);
    // 4 boards with 2 writers, 60 updates a second each board, for 1.2 s.
    assert!(
        (270..=300).contains(&figure(&result, "restart_sent")),
        "{}",
        result["figures"]
    );
    assert!(
        figure(&result, "restart_acknowledged") > 250,
        "{}",
        result["figures"]
    );
    assert_eq!(result["format"], "boardwire-load/1");
    assert_eq!(result["server"]["label"], "keep");
    assert_eq!(result["marks"].as_array().unwrap().len(), 2);
    assert!(result["over_time"][0]["file_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn a_server_that_acknowledges_300_ms_before_it_stores_loses_what_it_acknowledged() {
    let result = durable("early", "--wrong early:300");
    // 300 ms at 240 updates a second are 72; what was on its way then may differ a little.
    let lost = figure(&result, "restart_lost_acknowledged");
    assert!((55..=95).contains(&lost), "{}", result["figures"]);
    let seen = figure(&result, "restart_lost_seen");
    assert!((55..=95).contains(&seen), "{}", result["figures"]);
    assert_eq!(
        figure(&result, "lost"),
        0,
        "its author still has it, and sends it again"
    );
}

#[test]
fn a_token_in_a_variable_may_be_for_another_server() {
    let words = ["run", "fanout", "--url", "ws://127.0.0.1:1/{room}"];
    let run = |more: &[&str]| {
        let mut command = Command::new(LOAD);
        let output = command
            .args(words)
            .args(more)
            .env("BOARDWIRE_LOAD_TOKEN", "t")
            .output();
        String::from_utf8(output.unwrap().stderr).unwrap()
    };
    assert!(run(&[]).contains("refused"));
    let (directory, _) = place("token");
    let file = directory.join("token");
    std::fs::write(&file, "t\n").unwrap();
    let error = run(&["--token-file", file.to_str().unwrap()]);
    assert!(error.contains("neither in --url"), "{error}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_cannot_work_says_what_would() {
    for (words, says) in [
        (
            &["run", "durable", "--url", "ws://127.0.0.1:1/{room}"][..],
            "--serve is missing",
        ),
        (
            &["run", "fanout", "--url", "ws://127.0.0.1:1/{room}?token={token}"],
            "--token-file",
        ),
        (
            &[
                "run",
                "fanout",
                "--url",
                "ws://127.0.0.1:1/{room}",
                "--dialect",
                "other",
            ],
            "hocuspocus",
        ),
        (
            &["run", "fanout", "--url", "ws://127.0.0.1:1/{room}", "--pid", "0"],
            "no such process",
        ),
        (
            &[
                "run",
                "fanout",
                "--url",
                "ws://127.0.0.1:1/{room}",
                "--header",
                "x",
            ],
            "Name: value",
        ),
        (
            &["run", "fanout", "--url", "ws://127.0.0.1:1/{room}", "--syscalls"],
            "--pid or --serve",
        ),
        (
            &["run", "agents", "--url", "ws://127.0.0.1:1/{room}"],
            "--items is missing",
        ),
        (&["run", "fanout"], "--url is missing"),
        (&["run", "fanout", "--url", "ws://127.0.0.1:1/{room}"], "refused"),
        (
            &[
                "run",
                "fanout",
                "--url",
                "ws://127.0.0.1:1/{room}",
                "--json",
                "/proc/none/result.json",
            ],
            "/proc/none/result.json: ",
        ),
        (&["scenarios", "other"], "there is no such scenario"),
    ] {
        let output = run(words);
        assert!(!output.status.success(), "{words:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(says), "{words:?}: {error}");
    }
}

/// Starts a run with a server of its own, and waits until that listens. The run, and where it listens.
fn started(name: &str, serve: &str, more: &[&str]) -> (std::process::Child, SocketAddr) {
    let (directory, port) = place(name);
    std::fs::remove_dir_all(directory).unwrap();
    let serve = format!("{serve} '{LOAD}' bare --listen 127.0.0.1:{port}");
    let url = format!("ws://127.0.0.1:{port}/{{room}}");
    let words = [
        "run", "fanout", "--bare", "--url", &url, "--serve", &serve, "--quiet",
    ];
    let run = Command::new(LOAD)
        .args(words)
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_for("it listens", || TcpStream::connect(address).is_ok());
    (run, address)
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}: never");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_ends_with_the_run_that_started_it_even_if_that_is_killed() {
    let (mut run, address) = started("orphan", "", &["--seconds", "60"]);
    run.kill().unwrap();
    run.wait().unwrap();
    wait_for("it is gone", || TcpStream::connect(address).is_err());
}

#[test]
fn a_server_that_ends_by_itself_is_told_and_standard_output_is_the_result_alone() {
    let knobs = [
        "--seconds",
        "2",
        "--warm-up",
        "0",
        "--patience",
        "0.2",
        "--json",
        "-",
    ];
    let (run, _) = started("ends", "timeout 1", &knobs);
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success());
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figure(&result, "lost") > 0);
    assert_eq!(figure(&result, "closed"), 50);
    let warnings = result["warnings"].to_string();
    assert!(warnings.contains("ended by itself"), "{warnings}");
    assert!(warnings.contains("closed 50 connections"), "{warnings}");
}
