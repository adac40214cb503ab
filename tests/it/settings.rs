//! Settings by file: where a server and its commands find them, and what SIGHUP takes up.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::logs::{COMMON, every_field_is_told};
use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::http::{self, Http};
use crate::support::server::{Server, Setup};
use crate::support::socket::{Socket, UPGRADE, path};
use crate::support::tokens::{SECRET, Token, editor, signed_with};
use crate::support::wire::{self, Message};
use crate::support::{SOON, until};

const OTHER: &str = "another-secret-another-secret-12345";

/// A directory with the file of settings, and others.
struct Files(TempDir);

impl Files {
    /// With this file of settings.
    fn with(text: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("boardwire.toml", text);
        files
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Writes a file that nobody else may read.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Writes the file of settings anew.
    fn settings(&self, text: &str) {
        self.write("boardwire.toml", text);
    }

    /// A server that has no setting but those of the file.
    fn server(&self) -> Server {
        Setup::new()
            .variable("BOARDWIRE_CONFIG", &self.path("boardwire.toml"))
            .start()
    }
}

fn with_secret(text: &str) -> String {
    format!("jwt-secret = '{SECRET}'\n{text}")
}

/// Lines of the log with one of these messages.
fn events(server: &Server, messages: &[&str]) -> Vec<Value> {
    let log = server.log();
    let events = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let is_one = |event: &Value| messages.contains(&event["message"].as_str().unwrap());
    events.filter(is_one).collect()
}

const TAKEN_UP: &str = "settings taken up";
const NOTHING: &str = "settings read anew: there is nothing to take up";
const NOT_TAKEN_UP: &str = "settings not taken up: all stay as they were";
const RESTART: &str = "settings have changed that need a restart";

/// Sends SIGHUP; what the log says came of it: a message, and its names or what is wrong.
#[track_caller]
fn renewed(server: &Server) -> (String, String) {
    let ends = || events(server, &[TAKEN_UP, NOTHING, NOT_TAKEN_UP]);
    let before = ends().len();
    server.hang_up();
    until(SOON, || ends().len() > before);
    let end = ends().pop().unwrap();
    let said = end["names"].as_str().or_else(|| end["error"].as_str());
    (
        end["message"].as_str().unwrap().to_owned(),
        said.unwrap_or_default().to_owned(),
    )
}

fn taken_up(names: &str) -> (String, String) {
    (TAKEN_UP.to_owned(), names.to_owned())
}

/// The status that a request with this token gets.
fn status(server: &Server, token: &str) -> u16 {
    http::get(server.address(), &format!("/v1/boards?token={token}")).status
}

#[test]
fn a_server_is_set_up_by_its_file_and_by_files_of_secrets() {
    let files = Files::with("");
    let secret = files.write("secret", &format!("{OTHER}\n"));
    files.write("boardwire.jwt-secret", OTHER);
    files.settings(&format!("jwt-secret-file = '{secret}'\n"));
    let credentials = files.path("");
    let token = signed_with(OTHER, &Token::of("alice").claims());
    for setup in [
        Setup::new().variable("BOARDWIRE_CONFIG", &files.path("boardwire.toml")),
        Setup::new()
            .variable("BOARDWIRE_CONFIG", "/dev/null")
            .flag("config", &files.path("boardwire.toml")),
        Setup::new().variable("BOARDWIRE_JWT_SECRET_FILE", &secret),
        Setup::new()
            .variable("BOARDWIRE_JWT_SECRET_FILE", "")
            .flag("jwt-secret-file", &secret),
        Setup::new().variable("CREDENTIALS_DIRECTORY", &credentials),
    ] {
        let server = setup.start();
        assert_eq!(status(&server, &token), 200);
        assert_eq!(status(&server, &Token::of("alice").sign()), 401);
        assert!(!server.log().contains(OTHER), "{}", server.log());
    }
}

#[test]
fn the_log_level_is_taken_up() {
    let text = |level: &str| {
        with_secret(&format!(
            "trusted-user-header = 'X-User'\ntrusted-proxy = ['10.0.0.0/8']\nlog-level = '{level}'\n"
        ))
    };
    let files = Files::with(&text("info"));
    let server = files.server();
    let refused = || server.log().matches("refused a field that names a user").count();
    let ask = || {
        let mut http = Http::connect(server.address());
        assert_eq!(
            http.request("GET", "/v1/session", &[("X-User", "ann")]).status,
            401
        );
    };
    ask();
    files.settings(&text("debug"));
    assert_eq!(renewed(&server), taken_up("log-level"));
    assert_eq!(refused(), 0, "it was not logged at `info`");
    ask();
    until(SOON, || refused() == 1);
    files.settings(&text("info"));
    assert_eq!(renewed(&server), taken_up("log-level"));
    ask();
    assert_eq!(renewed(&server).0, NOTHING);
    assert_eq!(refused(), 1);
}

#[test]
fn the_log_level_of_a_part_is_that_parts_alone() {
    let text = |level: &str| {
        with_secret(&format!(
            "trusted-user-header = 'X-User'\ntrusted-proxy = ['10.0.0.0/8']\nlog-level = '{level}'\n"
        ))
    };
    let files = Files::with(&text("info,store=debug"));
    let server = files.server();
    let refused = || server.log().matches("refused a field that names a user").count();
    let ask = || {
        let mut http = Http::connect(server.address());
        let answer = http.request("GET", "/v1/session", &[("X-User", "ann")]);
        assert_eq!(answer.status, 401);
    };
    ask();
    files.settings(&text("warn,server=info,net=debug"));
    assert_eq!(renewed(&server), taken_up("log-level"));
    assert_eq!(refused(), 0, "that is no line of `store`");
    ask();
    until(SOON, || refused() == 1);
    // `boards` is as quiet as all is.
    let lines = |message: &str| events(&server, &[message]).len();
    drop(Client::join(&server, "quiet", 1));
    until(SOON, || lines("disconnected") == 1);
    assert_eq!(lines("board created"), 0);
    files.settings(&text("info,disk=debug"));
    let (message, error) = renewed(&server);
    assert_eq!(message, NOT_TAKEN_UP);
    assert!(error.contains("the parts are api, boards, bridge,"), "{error}");
    ask();
    until(SOON, || refused() == 2);
    files.settings(&text("info"));
    assert_eq!(renewed(&server), taken_up("log-level"));
    drop(Client::join(&server, "loud", 1));
    until(SOON, || lines("board created") == 1);
}

#[test]
fn a_secret_is_changed_and_nobody_is_cut() {
    let files = Files::with("");
    let secret = files.write("secret", SECRET);
    files.settings(&format!("jwt-secret-file = '{secret}'\n"));
    let server = files.server();
    let mut client = Client::join(&server, "b", 1);
    let (old, new) = (editor("alice", "b"), {
        let claims = Token::of("alice").with("b", boardwire::ids::Level::Edit).claims();
        signed_with(OTHER, &claims)
    });
    assert_eq!((status(&server, &old), status(&server, &new)), (200, 401));

    // One beside the other, as somebody does who waits for the last token of the old one to expire.
    files.settings(&format!(
        "jwt-secret-file = '{secret}'\njwt-secrets = ['next:{OTHER}']\n"
    ));
    assert_eq!(renewed(&server), taken_up("jwt-secrets"));
    assert_eq!((status(&server, &old), status(&server, &new)), (200, 200));

    files.write("secret", OTHER);
    files.settings(&format!("jwt-secret-file = '{secret}'\n"));
    assert_eq!(renewed(&server), taken_up("jwt-secret,jwt-secrets"));
    assert_eq!((status(&server, &old), status(&server, &new)), (401, 200));
    assert!(Socket::try_open(server.address(), &path("b", &new)).is_ok());

    client.set("a", "1");
    client.save();
    assert!(client.closed.is_none());
    for secret in [SECRET, OTHER] {
        assert!(!server.log().contains(secret), "{}", server.log());
    }
}

#[test]
fn an_issuer_and_a_login_page_and_a_token_for_metrics_are_taken_up() {
    let files = Files::with(&with_secret(""));
    let server = files.server();
    let token = Token::of("alice").sign();
    let metrics = |token: &str| {
        let bearer = format!("Bearer {token}");
        let mut http = Http::connect(server.address());
        http.request("GET", "/metrics", &[("Authorization", &bearer)])
            .status
    };
    let login = || http::get(server.address(), "/v1/session").json()["login_url"].clone();
    assert_eq!((login(), metrics("m")), (Value::Null, 200));
    files.settings(&with_secret(
        "jwt-issuer = 'us'\nlogin-url = 'https://a.example/in'\nmetrics-token = 'm'\n",
    ));
    assert_eq!(renewed(&server), taken_up("jwt-issuer,login-url,metrics-token"));
    assert_eq!(login(), "https://a.example/in");
    assert_eq!((metrics("m"), metrics("n")), (200, 401));
    assert_eq!(status(&server, &token), 401);
    let mut claims = Token::of("alice").claims();
    claims["iss"] = "us".into();
    assert_eq!(status(&server, &signed_with(SECRET, &claims)), 200);
}

#[test]
fn origins_and_proxies_are_taken_up() {
    let files = Files::with(&with_secret(
        "trusted-user-header = 'X-User'\ntrusted-proxy = ['10.0.0.0/8']\n",
    ));
    let server = files.server();
    let target = path("b", &editor("alice", "b"));
    let opened = || {
        let fields: Vec<_> = UPGRADE
            .into_iter()
            .chain([("Origin", "https://a.example")])
            .collect();
        let mut http = Http::connect(server.address());
        http.send(http::request("GET", &target, &fields));
        http.head().0
    };
    let signed_in = || {
        let mut http = Http::connect(server.address());
        http.request("GET", "/v1/boards", &[("X-User", "ann")]).status
    };
    let framed = || {
        let answer = http::get(server.address(), "/board/b");
        let policy = answer.field("content-security-policy").unwrap_or_default();
        policy.ends_with("frame-ancestors https://f.example")
    };
    assert_eq!((opened(), signed_in(), framed()), (403, 401, false));
    files.settings(&with_secret(
        "trusted-user-header = 'X-User'\ntrusted-proxy = ['10.0.0.0/8', '127.0.0.1']\n\
         allow-origin = ['https://a.example']\nallow-frame = 'https://f.example'\n",
    ));
    assert_eq!(
        renewed(&server),
        taken_up("allow-origin,trusted-proxy,allow-frame")
    );
    assert_eq!((opened(), signed_in()), (101, 200));
    assert_eq!(framed(), boardwire::api::has_page());
    files.settings(&with_secret(
        "trusted-user-header = 'X-User'\ntrusted-proxy = ['127.0.0.1']\n",
    ));
    assert_eq!(
        renewed(&server),
        taken_up("allow-origin,trusted-proxy,allow-frame")
    );
    assert_eq!((opened(), signed_in(), framed()), (403, 200, false));
}

#[test]
fn limits_are_taken_up_and_cut_nobody() {
    let text = |connections: usize, bytes: &str| {
        with_secret(&format!(
            "max-connections = {connections}\nmax-body-bytes = '{bytes}'\nmax-message-bytes = '{bytes}'\n"
        ))
    };
    let files = Files::with(&text(1, "1KiB"));
    let server = files.server();
    let target = path("b", &editor("alice", "b"));
    let fits = |bytes: usize| {
        let token = Token::of("alice").sign();
        let body = json!({"id": "c", "title": "x".repeat(bytes)}).to_string();
        let answer = Api::token(&server, &token).send("POST", "/v1/boards", body.as_bytes());
        answer.status != 413
    };
    let is_full = || {
        let mut socket = Socket::open(server.address(), &target);
        matches!(wire::parse(&socket.message()), Message::Denied(_))
    };
    let mut first = Socket::open(server.address(), &target);
    first.flush();
    assert!(is_full() && !fits(2_000));
    files.settings(&text(2, "16KiB"));
    assert_eq!(
        renewed(&server),
        taken_up("max-message-bytes,max-body-bytes,max-connections")
    );
    assert!(fits(2_000));
    let mut second = Socket::open(server.address(), &target);
    second.flush();
    let message = wire::awareness(&[(7, 1, &format!("\"{}\"", "x".repeat(2_000)))]);
    second.send(&message);
    second.flush();
    assert!(is_full());
    files.settings(&text(1, "1KiB"));
    assert_eq!(renewed(&server).0, TAKEN_UP);
    // Who is in stays in, by the bounds that it came with.
    second.send(&message);
    second.flush();
    first.send(&message);
    assert_eq!(first.closed().0, 1009, "the first came with 1 KiB");
    assert!(is_full() && !fits(2_000));
}

#[test]
fn a_file_that_is_wrong_changes_nothing() {
    let files = Files::with(&with_secret("log-level = 'info'\n"));
    let server = files.server();
    let token = Token::of("alice").sign();
    let mut client = Client::join(&server, "b", 1);
    let file = files.path("boardwire.toml");
    let wrong = |text: &str| {
        files.settings(text);
        let (message, error) = renewed(&server);
        assert_eq!(message, NOT_TAKEN_UP);
        assert_eq!(status(&server, &token), 200, "{error}");
        assert_eq!(
            http::get(server.address(), "/v1/session").json()["login_url"],
            Value::Null
        );
        assert!(!error.contains("geheim"), "{error}");
        error
    };
    for (text, expected) in [
        (
            with_secret("login-url = 'https://a.example'\nmax-connections = 0\n"),
            format!("{file}:3: max-connections \"0\" is not right; expected a number from 1 to 1000000"),
        ),
        (
            with_secret("login-url = 'https://a.example'\nroom-idle = 5\n"),
            format!("{file}:3: room-idle \"5\" is not right; expected a duration"),
        ),
        (
            with_secret("login-url = 'https://a.example'\nmax-connection = 2\n"),
            format!("{file}:3: there is no setting \"max-connection\"; expected max-connections, perhaps"),
        ),
        (
            "login-url = 'https://a.example'\njwt-secret = 'geheim'\n".to_owned(),
            format!("{file}:2: jwt-secret: the value (not shown) is not right"),
        ),
        (
            "login-url = 'https://a.example'\njwt-secret = 'geheim\n".to_owned(),
            format!("{file}:2: "),
        ),
        (
            "login-url = 'https://a.example'\njwt-secret-file = '/not/there'\n".to_owned(),
            "--jwt-secret (from the file /not/there) cannot be read: ".to_owned(),
        ),
        (
            "login-url = 'https://a.example'\n".to_owned(),
            "--jwt-secret is missing".to_owned(),
        ),
    ] {
        let error = wrong(&text);
        assert!(error.starts_with(&expected), "{error}");
    }
    fs::remove_file(&file).unwrap();
    server.hang_up();
    until(SOON, || {
        server.log().contains("boardwire.toml: it cannot be read: ")
    });
    files.settings(&with_secret("login-url = 'https://a.example'\n"));
    assert_eq!(renewed(&server), taken_up("login-url"));
    client.set("a", "1");
    client.save();
}

#[test]
fn what_needs_a_restart_is_named_and_stays() {
    let proxy = "trusted-user-header = 'X-User'\ntrusted-proxy = '10.0.0.0/8'\n";
    let files = Files::with(&with_secret(proxy));
    let mut server = files.server();
    files.settings(&with_secret(&format!(
        "login-url = 'https://a.example'\npublic-url = 'https://b.example'\nroom-idle = '1h'\n{proxy}"
    )));
    assert_eq!(renewed(&server), taken_up("login-url"));
    assert_eq!(renewed(&server).0, NOTHING);
    let named: Vec<Value> = events(&server, &[RESTART])
        .iter()
        .map(|event| event["names"].clone())
        .collect();
    assert_eq!(named, ["public-url,room-idle", "public-url,room-idle"]);
    let answer = {
        let mut http = Http::connect(server.address());
        http.send(http::request_for("other.example", "GET", "/health", &[]));
        http.answer("GET")
    };
    assert_eq!(answer.status, 200, "every Host is still served");
    // Right in itself, but half of it could only count beside what stays.
    files.settings(&with_secret(""));
    let (message, error) = renewed(&server);
    assert!(
        message == NOT_TAKEN_UP && error.ends_with(", or a restart for all of what has changed"),
        "{error}"
    );
    server.terminate();
    server.ended();
    let messages = every_field_is_told(&server.log(), &COMMON);
    for message in [TAKEN_UP, NOTHING, NOT_TAKEN_UP, RESTART] {
        assert!(messages.contains(message), "{message}: {messages:?}");
    }
}

#[test]
fn a_secret_that_everybody_may_read_is_warned_of_once() {
    let files = Files::with("");
    let secret = files.write("secret", SECRET);
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    files.settings(&format!("jwt-secret-file = '{secret}'\n"));
    let mut server = files.server();
    assert_eq!(renewed(&server).0, NOTHING);
    let warned = events(
        &server,
        &["everybody on this machine may read a file with a secret in it"],
    );
    assert_eq!(warned.len(), 1);
    assert_eq!(
        (&warned[0]["path"], &warned[0]["level"]),
        (&json!(secret), &json!("WARN"))
    );
    server.terminate();
    server.ended();
    every_field_is_told(&server.log(), &COMMON);
}

/// Runs a command with these variables and no others; code, output and errors.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_boardwire"))
        .env_clear()
        .envs(variables.iter().copied())
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The line of the table about a setting, with one space between its words.
fn line(table: &str, name: &str) -> String {
    let line = table.lines().find(|line| line.starts_with(&format!("{name} ")));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    words.join(" ")
}

#[test]
fn config_prints_where_everything_came_from_and_no_secret() {
    let secret = |n: usize| format!("geheim-{n}-geheim-geheim-geheim-geheim");
    let files = Files::with(&format!(
        "# ours\nnode-address = '10.0.0.1:9000'\nnode-secret = '{}'\nroom-idle = '1h'\nallow-origin = ['https://a.example', 'null']\n",
        secret(1)
    ));
    let of_tokens = files.write("secret", &format!("{}\n", secret(2)));
    files.write("boardwire.metrics-token", &secret(3));
    let (config, directory) = (files.path("boardwire.toml"), files.path(""));
    let variables = [
        ("BOARDWIRE_STORE", "postgres://ann:geheim@db.example/boards"),
        ("BOARDWIRE_JWT_SECRET_FILE", of_tokens.as_str()),
        ("CREDENTIALS_DIRECTORY", directory.as_str()),
    ];
    let flags = [
        "config",
        "--config",
        &config,
        "--redis",
        "redis://ann:geheim@r.example",
    ];
    let (code, table, said) = run(&flags, &variables);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    for expected in [
        "store (secret) variable BOARDWIRE_STORE".to_owned(),
        format!("jwt-secret (secret) secret file {of_tokens}"),
        "redis (secret) flag".to_owned(),
        format!("node-secret (secret) file {config}:3"),
        format!("room-idle 1h file {config}:4"),
        format!("allow-origin https://a.example,null file {config}:5"),
        "max-connections 10000 default".to_owned(),
        "threads (one a core) default".to_owned(),
    ] {
        let name = expected.split(' ').next().unwrap();
        assert_eq!(line(&table, name), expected);
    }
    let credential = PathBuf::from(&directory).join("boardwire.metrics-token");
    let expected = format!("metrics-token (secret) credential {}", credential.display());
    assert_eq!(line(&table, "metrics-token"), expected);
    let (code, report, _) = run(&[&flags[..], &["--json"]].concat(), &variables);
    let parsed: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (code, &parsed["error"], &parsed["file"]),
        (Some(0), &Value::Null, &json!(config))
    );
    for output in [table, report] {
        assert!(!output.contains("geheim"), "{output}");
    }
}

#[test]
fn config_prints_the_settings_and_one_line_and_no_secret_where_anything_is_wrong() {
    let files = Files::with("");
    let short = files.write("short", "geheim");
    let no_toml = files.write("no.toml", "jwt-secret = geheim\n");
    for (arguments, variables, expected) in [
        (
            &["config"][..],
            &[][..],
            "--jwt-secret is missing; expected a secret of at least 32 bytes",
        ),
        (
            &["config", "--jwt-secret-file", &short],
            &[],
            "--jwt-secret (from the file ",
        ),
        (
            &["config", "--jwt-secret-file", "/not/there"],
            &[],
            "--jwt-secret (from the file /not/there) cannot be read",
        ),
        (
            &["config"],
            &[("BOARDWIRE_STORE", "postgres://ann:geheim@db.example")],
            "--jwt-secret is missing",
        ),
        (
            &["config", "--jwt-secret", "geheim"],
            &[("BOARDWIRE_JWT_SECRET", "geheim")],
            "--jwt-secret: the value (not shown) is not right",
        ),
        (
            &["config", "--config", &no_toml],
            &[("BOARDWIRE_REDIS", "redis://:geheim@")],
            "",
        ),
        (&["config", "--config", &short], &[], ""),
        (
            &["config", "--config", "/not/there"],
            &[],
            "/not/there: it cannot be read",
        ),
    ] {
        let (code, table, said) = run(arguments, variables);
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.starts_with(&format!("boardwire: {expected}")), "{said}");
        assert!(line(&table, "max-connections").ends_with("10000 default"));
        assert!(
            !table.contains("geheim") && !said.contains("geheim"),
            "{table}{said}"
        );
    }
    let missing = run(&["config"], &[]).1;
    assert_eq!(line(&missing, "jwt-secret"), "jwt-secret (missing) default");
}

#[test]
fn commands_beside_the_server_read_the_same_settings() {
    let files = Files::with("");
    let secret = files.write("secret", SECRET);
    let data = files.path("boards.redb");
    files.settings(&format!(
        "data = '{data}'\njwt-secret-file = '{secret}'\nredis-file = '/not/readable/here'\npublic-url = 'https://b.example'\n"
    ));
    let config = files.path("boardwire.toml");
    let variables = [("BOARDWIRE_CONFIG", config.as_str())];
    let server = Server::start();
    let (code, token, said) = run(&["token", "--sub", "alice"], &variables);
    assert_eq!(
        code,
        Some(0),
        "a secret that it does not need is not read: {said}"
    );
    assert_eq!(status(&server, token.trim()), 200);
    let (code, link, said) = run(&["invite", "Ann"], &variables);
    assert!(
        code == Some(0) && link.starts_with("https://b.example/"),
        "{said}"
    );
    let (code, _, said) = run(&["check"], &variables);
    assert!(code == Some(1) && said.contains(&data), "{said}");
    let wrong = files.write("wrong.toml", "lisen = '[::]:1'\n");
    let (code, _, said) = run(&["health", "--config", &wrong], &[]);
    assert_eq!(code, Some(2));
    assert_eq!(
        said,
        format!("boardwire: {wrong}:1: there is no setting \"lisen\"; expected listen, perhaps\n")
    );
}
