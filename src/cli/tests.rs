//! Tests of the command line: arguments in, what to do out.

use std::num::NonZeroUsize;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use boardwire::jwt::{TokenError, Verifier};
use boardwire::server::config::{LogFormat, NoFiles};
use boardwire::time::UnixMillis;
use serde_json::json;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: UnixMillis = UnixMillis(1_000_000_500);

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Parsed {
    let arguments = std::iter::once("boardwire")
        .chain(arguments.iter().copied())
        .map(OsString::from);
    let machine = Machine {
        cores: NonZeroUsize::MIN,
        log_format: LogFormat::Text,
    };
    let variable = |name: &str| {
        let given = variables.iter().find(|(known, _)| *known == name);
        given.map(|(_, text)| OsString::from(text))
    };
    parse(arguments, variable, &NoFiles, machine)
}

fn serve(arguments: &[&str], variables: &[(&str, &str)]) -> Config {
    let arguments: Vec<_> = std::iter::once("serve")
        .chain(arguments.iter().copied())
        .collect();
    match run(&arguments, variables) {
        Parsed::Run(Command::Serve(config, _)) => *config,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

fn request(arguments: &[&str]) -> Result<token::Request, String> {
    let arguments: Vec<_> = std::iter::once("token")
        .chain(arguments.iter().copied())
        .collect();
    match run(&arguments, &[("BOARDWIRE_JWT_SECRET", SECRET)]) {
        Parsed::Run(Command::Token(request)) => Ok(*request),
        Parsed::Wrong(line) => Err(line),
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[track_caller]
fn wrong(arguments: &[&str], expected: &str) {
    match run(arguments, &[]) {
        Parsed::Wrong(line) => {
            assert!(
                line.contains(expected) && !line.contains('\n'),
                "{arguments:?}: {line}"
            );
        }
        other => panic!("{arguments:?}: {other:?}"),
    }
}

fn shown(arguments: &[&str]) -> String {
    match run(arguments, &[("BOARDWIRE_JWT_SECRET", "hidden")]) {
        Parsed::Show(text) => text,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[test]
fn the_command_line_is_well_formed() {
    command().debug_assert();
}

#[test]
fn what_is_expected_names_every_command_and_the_help_has_an_example_of_each() {
    let help = shown(&["--help"]);
    for name in manual::listed(&command()).map(clap::Command::get_name) {
        let is_named = COMMANDS.split([' ', ',', ';']).any(|word| word == name);
        assert!(is_named, "{name}: {COMMANDS}");
        let has_example = help.contains(&format!("\n  boardwire {name} "))
            || help.contains(&format!("\n  boardwire {name}\n"));
        assert!(has_example || name == "version", "{name}: {help}");
    }
}

#[test]
fn nodes_asks_for_a_store_and_for_nothing_else() {
    let url = "postgres://ann:geheim@db.example/boards";
    // A container may say where its data file would be.
    let variables = [
        ("BOARDWIRE_STORE", url),
        ("BOARDWIRE_DATA", "/data/boardwire.redb"),
    ];
    match run(&["nodes"], &variables) {
        Parsed::Run(Command::Nodes(address)) => {
            assert!(
                address.to_string().starts_with("db.example:5432/boards"),
                "{address}"
            );
        }
        other => panic!("{other:?}"),
    }
    wrong(
        &["nodes"],
        "--store is missing; expected the store that nodes share: postgres://",
    );
    wrong(&["nodes", "--data", "x"], "unknown flag --data");
}

#[test]
fn every_setting_is_a_flag_of_serve() {
    let help = shown(&["serve", "--help"]);
    for setting in SETTINGS {
        assert!(
            help.contains(&format!("--{} ", setting.name)) || setting.name == "dev",
            "{}",
            setting.name
        );
        assert!(help.contains(setting.group.heading()));
    }
    assert!(help.contains("--dev") && help.contains("BOARDWIRE_JWT_SECRET") && !help.contains("hidden"));
    assert!(shown(&["--help"]).contains("boardwire serve --dev"));
    assert!(shown(&["token", "--help"]).contains("boardwire token --dev --sub alice"));
    assert!(shown(&["health", "--help"]).contains("--listen"));
    assert_eq!(
        shown(&["--version"]),
        concat!("boardwire ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn health_asks_where_the_server_was_told_to_listen() {
    let asked = |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["health"], arguments].concat();
        match run(&arguments, variables) {
            Parsed::Run(Command::Health(asked)) => asked.to_string(),
            other => panic!("{arguments:?}: {other:?}"),
        }
    };
    let variable = [("BOARDWIRE_LISTEN", "0.0.0.0:80")];
    assert_eq!(asked(&[], &[]), "127.0.0.1:8080");
    assert_eq!(asked(&[], &variable), "0.0.0.0:80");
    assert_eq!(asked(&["--listen", "[::]:81"], &variable), "[::]:81");
    #[cfg(feature = "tls")]
    assert_eq!(
        asked(&["--tls-cert", "c.pem"], &variable),
        "0.0.0.0:80, known by c.pem"
    );
    wrong(&["health", "--listen", "localhost"], "--listen");
    wrong(&["health", "--data", "x"], "unknown flag --data");
}

#[test]
fn flags_reach_the_configuration_and_win_over_variables() {
    let variables = [
        ("BOARDWIRE_JWT_SECRET", SECRET),
        ("BOARDWIRE_DRAIN", "3s"),
        ("BOARDWIRE_LISTEN", "127.0.0.1:1"),
    ];
    let config = serve(
        &[
            "--listen=127.0.0.1:2",
            "--allow-origin",
            "https://a",
            "--allow-origin",
            "https://b,https://c",
        ],
        &variables,
    );
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.times.drain.as_secs(), 3);
    assert_eq!(config.origins.len(), 3);
    assert_eq!(config.log_format, LogFormat::Text);
    let dev = serve(&["--dev"], &[]);
    assert_eq!(
        dev.dev_secret_file.unwrap().to_str(),
        Some("boardwire.redb.secret")
    );
    let dashed = "-".repeat(32);
    assert!(
        serve(&["--jwt-secret", &dashed], &[]).keys.unnamed.is_some(),
        "a secret may begin with a dash"
    );
}

#[test]
fn what_is_wrong_is_told_in_one_line() {
    wrong(&[], "a command is needed: serve, token or health");
    wrong(
        &["serv"],
        "unknown command \"serv\"; expected serve, token or health",
    );
    wrong(&["serve", "--lisen", "x"], "unknown flag --lisen");
    wrong(&["serve", "extra"], "unknown argument extra");
    wrong(
        &["serve", "--dev", "--redis", "rediss://:geheim@x"],
        "--redis: the value (not shown) is not right",
    );
    for days in ["0", "3651", "90d", "x"] {
        wrong(
            &["serve", "--dev", "--audit-days", days],
            &format!("--audit-days \"{days}\" is not right; expected a number of days, 1 to 3650"),
        );
    }
    wrong(&["serve", "--listen"], "--listen");
    wrong(
        &["serve", "--data", "a", "--data", "b"],
        "--data <FILE> is given twice",
    );
    wrong(&["serve", "--dev=3"], "--dev");
    wrong(&["serve"], "--jwt-secret is missing; expected ");
    wrong(
        &["serve", "--dev", "--drain", "soon"],
        "--drain \"soon\" is not right; expected a duration",
    );
    wrong(&["token"], "--sub <USER> is missing");
}

#[test]
fn no_message_shows_a_secret() {
    for arguments in [
        &["serve", "--jwt-secret", "hidden"][..],
        &["serve", "--jwt-secret=hidden"],
        &["serve", "--jwt-secret", "-hidden"],
        &["serve", "--jwt-secrets", "a:hidden"],
        &["serve", "--jwt-secre=hidden"],
        &["serve", "--jwt-secret", "hidden", "--jwt-secret", "hidden"],
    ] {
        match run(arguments, &[]) {
            Parsed::Wrong(line) => assert!(!line.contains("hidden"), "{line}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_token_says_what_was_asked_for() {
    let request = request(&[
        "--sub",
        "alice",
        "--board",
        "plan:edit",
        "--board",
        "notes:view",
        "--team",
        "design",
        "--role",
        "admin",
        "--expires-in",
        "5m",
        "--jwt-issuer",
        "me",
        "--jwt-audience",
        "you",
        "--jwt-algorithms",
        "HS384,HS256",
    ])
    .unwrap();
    let text = token::mint(&request, NOW).unwrap();
    let claims = Verifier::new(request.keys).verify(&text, NOW).unwrap();
    assert_eq!((claims.user.as_str(), claims.admin), ("alice", true));
    assert_eq!(
        claims.expires_at,
        UnixMillis(1_000_330_000),
        "rounded down to a second, and the leeway"
    );
    let boards: Vec<_> = claims
        .boards()
        .iter()
        .map(|(id, level)| (id.as_str(), level.as_str()))
        .collect();
    assert_eq!(boards, [("notes", "view"), ("plan", "edit")]);
    assert_eq!(claims.teams.len(), 1);
}

#[test]
fn a_token_is_signed_with_the_key_that_was_named() {
    let other = "f".repeat(32);
    let secrets = format!("old:{other},new:{SECRET}");
    let named = |more: &[&str]| {
        let arguments: Vec<_> = ["--sub", "a", "--jwt-secrets", &secrets]
            .iter()
            .chain(more)
            .copied()
            .collect();
        request(&arguments).map(|request| (token::mint(&request, NOW).unwrap(), request.keys))
    };
    let (text, keys) = named(&["--kid", "old"]).unwrap();
    let only_old = boardwire::jwt::Keys {
        unnamed: None,
        named: keys.named[..1].to_vec(),
        ..keys
    };
    assert!(Verifier::new(only_old.clone()).verify(&text, NOW).is_ok());
    let (text, _) = named(&[]).unwrap();
    assert!(
        Verifier::new(only_old).verify(&text, NOW).is_err(),
        "without --kid the secret without name signs"
    );
    assert_eq!(
        named(&["--kid", "none"]).unwrap_err(),
        "--kid \"none\" is not right; expected a name of --jwt-secrets: old, new"
    );
    assert_eq!(
        request(&["--sub", "a", "--kid", "old"]).unwrap_err(),
        "--kid \"old\" is not right; expected a name of --jwt-secrets, and there are none"
    );
}

/// A part of a token as JSON: 0 is the header, 1 the claims.
fn part(token: &str, at: usize) -> serde_json::Value {
    let text = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

#[test]
fn a_token_has_nothing_that_was_not_asked_for() {
    let token = token::mint(&request(&["--sub", "alice"]).unwrap(), NOW).unwrap();
    assert_eq!(part(&token, 0), json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(
        part(&token, 1),
        json!({"sub": "alice", "iat": 1_000_000, "exp": 1_000_000 + 12 * 3600})
    );
}

#[test]
fn a_token_has_every_claim_that_was_asked_for() {
    let arguments = "--sub alice --team design --team ops --board plan:edit --board notes:view --role admin \
                     --not-before 1h --expires-in 5m --jwt-issuer me --jwt-audience you";
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let token = token::mint(&request(&arguments).unwrap(), NOW).unwrap();
    assert_eq!(
        part(&token, 1),
        json!({
            "sub": "alice", "teams": ["design", "ops"], "boards": {"plan": "edit", "notes": "view"}, "role": "admin",
            "iat": 1_000_000, "nbf": 1_003_600, "exp": 1_003_900, "iss": "me", "aud": "you",
        })
    );
}

#[test]
fn a_token_is_signed_with_each_algorithm_that_is_accepted() {
    let accepted = ["--sub", "a", "--jwt-algorithms", "HS384,HS256,HS512"];
    for (more, expected) in [
        (&[][..], "HS384"),
        (&["--algorithm", "HS256"], "HS256"),
        (&["--algorithm", "HS384"], "HS384"),
        (&["--algorithm", "HS512"], "HS512"),
    ] {
        let request = request(&[&accepted[..], more].concat()).unwrap();
        let token = token::mint(&request, NOW).unwrap();
        assert_eq!(part(&token, 0)["alg"], expected);
        assert!(Verifier::new(request.keys).verify(&token, NOW).is_ok());
    }
    for (name, accepted, listed) in [
        ("HS512", "HS256", "HS256"),
        ("hs256", "HS256", "HS256"),
        ("none", "HS384,HS512", "HS384, HS512"),
        ("", "HS256", "HS256"),
    ] {
        let arguments = ["--sub", "a", "--jwt-algorithms", accepted, "--algorithm", name];
        assert_eq!(
            request(&arguments).unwrap_err(),
            format!("--algorithm {name:?} is not right; expected one of --jwt-algorithms: {listed}")
        );
    }
}

#[test]
fn a_named_secret_signs_with_its_name_and_the_first_where_there_is_no_other() {
    let secrets = format!("old:{},new:{SECRET}", "f".repeat(32));
    for (arguments, variables, expected) in [
        (&["--kid", "new"][..], &[][..], json!("new")),
        (&[], &[], json!("old")),
        (&[], &[("BOARDWIRE_JWT_SECRET", SECRET)], json!(null)),
        (
            &["--kid", "old"],
            &[("BOARDWIRE_JWT_SECRET", SECRET)],
            json!("old"),
        ),
    ] {
        let common = ["token", "--sub", "a", "--jwt-secrets", &secrets];
        let Parsed::Run(Command::Token(request)) = run(&[&common[..], arguments].concat(), variables) else {
            panic!("{arguments:?} is in order");
        };
        let token = token::mint(&request, NOW).unwrap();
        assert_eq!(part(&token, 0)["kid"], expected, "{arguments:?}");
    }
}

#[test]
fn a_token_may_become_valid_later_and_lasts_from_then_on() {
    let request = request(&["--sub", "a", "--not-before", "1h", "--expires-in", "10s"]).unwrap();
    let token = token::mint(&request, NOW).unwrap();
    let verifier = Verifier::new(request.keys);
    let told = |seconds: u64| verifier.verify(&token, UnixMillis(seconds * 1000)).map(drop);
    for (seconds, expected) in [
        (1_000_000, Err(TokenError::NotYetValid)),
        (1_003_569, Err(TokenError::NotYetValid)),
        (1_003_570, Ok(())),
        (1_003_639, Ok(())),
        (1_003_640, Err(TokenError::Expired)),
    ] {
        assert_eq!(told(seconds), expected, "at {seconds}, with 30 s of leeway");
    }
}

#[test]
fn wrong_claims_are_told_in_one_line() {
    for (flag, value, expected) in [
        (
            "--board",
            "plan",
            "--board \"plan\" is not right; expected ID:LEVEL",
        ),
        ("--board", "plan:owner", "--board"),
        ("--board", "..:edit", "--board"),
        ("--board", ":edit", "--board"),
        ("--team", "", "--team \"\" is not right"),
        ("--role", "owner", "--role \"owner\" is not right; expected admin"),
        ("--expires-in", "0s", "--expires-in"),
        ("--expires-in", "3651d", "--expires-in"),
        (
            "--not-before",
            "tomorrow",
            "--not-before \"tomorrow\" is not right; expected a duration from 1s to 3650d",
        ),
        ("--not-before", "0s", "--not-before"),
        ("--not-before", "999ms", "--not-before"),
        ("--not-before", "3651d", "--not-before"),
        (
            "--expires-in",
            "12",
            "--expires-in \"12\" is not right; expected a duration",
        ),
    ] {
        let line = request(&["--sub", "a", flag, value]).unwrap_err();
        assert!(
            line.starts_with(expected) && line.contains("; expected "),
            "{line}"
        );
    }
    assert!(
        request(&["--sub", ""])
            .unwrap_err()
            .starts_with("--sub \"\" is not right")
    );
    for flag in ["--expires-in", "--not-before"] {
        assert!(request(&["--sub", "a", flag, "1s"]).is_ok());
        assert!(request(&["--sub", "a", flag, "3650d"]).is_ok());
    }
    assert_eq!(
        request(&["--sub", "a", "--board", "plan:view", "--board", "plan:edit"]).unwrap_err(),
        "--board \"plan:edit\" is not right; expected each board once"
    );
}

#[test]
fn claims_that_make_too_large_a_token_are_refused() {
    let team = "t".repeat(256);
    let arguments: Vec<&str> = ["--sub", "a"]
        .into_iter()
        .chain((0..40).flat_map(|_| ["--team", &team]))
        .collect();
    let line = token::mint(&request(&arguments).unwrap(), NOW).unwrap_err();
    assert!(line.contains("too large"), "{line}");
}

#[test]
fn a_value_that_begins_with_a_dash_is_told_what_would_be_right() {
    for setting in SETTINGS.iter().filter(|setting| setting.kind != Kind::Switch) {
        let flag = format!("--{}", setting.name);
        let given = ["serve", "--jwt-secret", SECRET, &flag, "-5s"];
        match run(&given, &[]) {
            // Where any text is right, or it would be too short a secret.
            Parsed::Run(_) => assert!(
                ["data", "jwt-issuer", "jwt-audience", "metrics-token"].contains(&setting.name),
                "{flag}"
            ),
            Parsed::Wrong(line) => {
                // Neither file of a certificate is of use alone.
                let is_file = ["tls-cert", "tls-key"].contains(&setting.name);
                assert!(
                    line.starts_with(&flag) || is_file && line.starts_with("--tls-"),
                    "{line}"
                );
                assert!(
                    setting.name == "jwt-secret" || line.contains("expected "),
                    "{line}"
                );
            }
            Parsed::Show(text) => panic!("{flag}: {text}"),
        }
    }
    for (flag, value, expected) in [
        (
            "--room-idle",
            "-5s",
            "--room-idle \"-5s\" is not right; expected a duration from ",
        ),
        (
            "--max-connections",
            "-1",
            "--max-connections \"-1\" is not right; expected a number from 1 ",
        ),
        (
            "--max-board-bytes",
            "-1MiB",
            "--max-board-bytes \"-1MiB\" is not right; expected a size from ",
        ),
    ] {
        wrong(&["serve", "--jwt-secret", SECRET, flag, value], expected);
    }
    let lasting = request(&["--sub", "a", "--expires-in", "-5s"]).unwrap_err();
    assert!(
        lasting.starts_with("--expires-in \"-5s\" is not right; expected a duration"),
        "{lasting}"
    );
    assert_eq!(request(&["--sub", "-a"]).unwrap().user.as_str(), "-a");
}

#[test]
fn a_flag_is_never_taken_for_the_value_that_another_lacks() {
    for (arguments, expected) in [
        (
            &["serve", "--data", "--dev"][..],
            "--data is missing its value; what follows it is the flag --dev",
        ),
        (
            &["serve", "--dev", "--data", "--listen=1.2.3.4:5"],
            "what follows it is the flag --listen",
        ),
        (
            &["serve", "--jwt-secret", "--data", "x"],
            "--jwt-secret is missing its value",
        ),
        (&["serve", "--data", "--help"], "--data is missing its value"),
        (
            &["serve", "--allow-origin", "--jwt-secret=hidden"],
            "is the flag --jwt-secret",
        ),
        (&["token", "--sub", "--dev"], "--sub is missing its value"),
        (&["health", "--listen", "--help"], "--listen is missing its value"),
    ] {
        wrong(arguments, expected);
    }
}

#[test]
fn version_and_help_are_commands_too() {
    assert_eq!(shown(&["version"]), shown(&["--version"]));
    assert_eq!(
        shown(&["version"]),
        format!("boardwire {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(shown(&["help"]), shown(&["--help"]));
    for command in ["serve", "token", "health"] {
        assert_eq!(
            shown(&["help", command]),
            shown(&[command, "--help"]),
            "{command}"
        );
    }
    wrong(
        &["help", "serv"],
        "unknown command \"serv\"; expected serve, token or health",
    );
}

#[test]
fn a_token_may_say_what_the_page_calls_somebody() {
    let named = request(&["--sub", "u1", "--name", "Alice Doe"]).unwrap();
    assert_eq!(part(&token::mint(&named, NOW).unwrap(), 1)["name"], "Alice Doe");
    for bad in ["", " ", "a\nb", &"x".repeat(257)] {
        let line = request(&["--sub", "u1", "--name", bad]).unwrap_err();
        assert!(
            line.starts_with("--name ") && line.contains("; expected 1 to 256 bytes"),
            "{line}"
        );
    }
}

#[test]
fn what_to_do_with_a_token_is_said_without_the_token() {
    let with_board = token::its_use(&request(&["--sub", "alice", "--board", "plan:edit"]).unwrap());
    assert!(
        with_board.contains("/board/plan?token=TOKEN") && with_board.contains("alice"),
        "{with_board}"
    );
    assert!(token::its_use(&request(&["--sub", "a"]).unwrap()).contains("/board/BOARD?token=TOKEN"));
}
