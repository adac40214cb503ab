//! `boardwire` as a process: what it says, and how it ends, where it cannot do what it was told.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::tokens::SECRET;

/// Runs it in `directory`, with no setting of the environment; what it printed.
fn run(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boardwire"));
    let output: Output = command
        .env_clear()
        .current_dir(directory)
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_token_for_dev_is_made_with_the_servers_secret_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let (code, printed, said) = run(here, &["token", "--dev", "--sub", "a"]);
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    let file = here.join("boardwire.redb.secret");
    assert!(
        said.contains(&file.display().to_string()) && said.contains("--data"),
        "it names the file that it looked for: {said}"
    );
    assert_eq!(fs::read_dir(here).unwrap().count(), 0, "nothing is made");

    fs::create_dir(here.join("data")).unwrap();
    fs::write(here.join("data/boardwire.redb.secret"), format!("{SECRET}\n")).unwrap();
    let named = ["token", "--dev", "--sub", "a", "--data", "data/boardwire.redb"];
    let (code, printed, said) = run(here, &named);
    assert_eq!(
        (code, printed.lines().count(), printed.split('.').count()),
        (Some(0), 1, 3)
    );
    assert!(
        said.contains("/board/BOARD?token=TOKEN") && !said.contains(printed.trim()),
        "what to do with it stands beside it: {said}"
    );
}

#[test]
fn a_missing_directory_is_named_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    for more in [&["--dev"][..], &["--jwt-secret", SECRET]] {
        let serve = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            "not/there/boardwire.redb",
        ];
        let (code, _, said) = run(directory.path(), &[&serve[..], more].concat());
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.starts_with("boardwire: cannot open the data file not/there/boardwire.redb: there is no directory not/there;"),
            "{said}"
        );
        assert!(said.contains("mkdir -p") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_setting_that_is_negative_ends_with_2_and_what_would_be_right() {
    let here = tempfile::tempdir().unwrap();
    for arguments in [["--room-idle", "-5s"], ["--max-connections", "-1"]] {
        let (code, _, said) = run(here.path(), &[&["serve", "--dev"][..], &arguments].concat());
        assert_eq!(code, Some(2), "{said}");
        let expected = format!(
            "boardwire: {} {:?} is not right; expected a ",
            arguments[0], arguments[1]
        );
        assert!(said.starts_with(&expected) && said.lines().count() == 1, "{said}");
    }
}
