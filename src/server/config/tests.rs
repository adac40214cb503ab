//! Tests of `server::config`: the table, every setting at its edges, and the lines that say what is wrong.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::time::Duration;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const STORE: (&str, &str) = ("store", "postgres://boardwire@localhost/boardwire");

fn machine() -> Machine {
    Machine {
        cores: NonZeroUsize::new(3).unwrap(),
        log_format: LogFormat::Json,
    }
}

/// Configures from flags and variables, besides which a secret is set.
fn configure(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Config, String> {
    let mut texts: HashMap<&str, Vec<String>> = HashMap::new();
    for (name, text) in flags {
        assert!(Setting::named(name).is_some(), "{name}");
        texts.entry(name).or_default().push((*text).to_owned());
    }
    let variable = |name: &str| {
        let given = variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, text)| *text);
        given
            .or_else(|| (name == "BOARDWIRE_JWT_SECRET").then_some(SECRET))
            .map(OsString::from)
    };
    let sources = Sources::new(|name| texts.get(name).cloned(), variable, |_| true);
    let values = sources.read(&NoFiles).unwrap();
    Config::from_values(&values, machine()).map_err(|error| error.to_string())
}

#[track_caller]
fn good(name: &str, text: &str) -> Config {
    configure(&[(name, text)], &[]).unwrap()
}

#[track_caller]
fn bad(name: &str, text: &str) -> String {
    let line = configure(&[(name, text)], &[]).unwrap_err();
    assert!(
        line.starts_with(&format!("--{name}")) && line.contains("; expected "),
        "{line}"
    );
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = configure(&[], &[]).unwrap();
    let expected = Config {
        listen: "127.0.0.1:8080".parse().unwrap(),
        tls: None,
        data: "boardwire.redb".into(),
        store: None,
        threads: NonZeroUsize::new(3).unwrap(),
        mode: Mode::Standard,
        keys: Keys::single(Secret::new(SECRET.as_bytes())),
        dev_secret_file: None,
        public_url: None,
        served: Served::Any,
        origins: Vec::new(),
        trusted_proxies: Vec::new(),
        login_url: None,
        user_header: None,
        frames: "'none'".to_owned(),
        metrics_token: None,
        redis: None,
        webhook_reach: Reach::Public,
        node: None,
        close_codes: CloseCodes::Plain,
        saved_echo: SavedEcho::On,
        bounds: Bounds {
            message_bytes: limits::MESSAGE_BYTES_MAX,
            board_bytes: limits::BOARD_BYTES_MAX,
            versions_bytes: limits::VERSIONS_BYTES_MAX,
            body_bytes: limits::BODY_BYTES_MAX,
            asset_bytes: limits::ASSET_BYTES,
            assets_bytes: limits::BOARD_ASSETS_BYTES,
            outbox_bytes: limits::OUTBOX_BYTES_MAX,
            connections: limits::CONNECTIONS_MAX,
            connections_per_address: limits::CONNECTIONS_PER_ADDRESS_MAX,
            connections_per_board: limits::CONNECTIONS_PER_BOARD_MAX,
            messages_per_second: limits::MESSAGES_PER_SECOND_MAX,
        },
        quotas: Quotas {
            boards: limits::BOARDS_PER_OWNER_MAX,
            bytes: limits::BYTES_PER_OWNER_MAX,
        },
        times: Times {
            room_idle: limits::ROOM_IDLE,
            room_sweep: limits::ROOM_SWEEP,
            commit_window: limits::COMMIT_WINDOW,
            compact_after: limits::COMPACT_AFTER,
            compact_every: limits::COMPACT_EVERY,
            drain: limits::DRAIN,
            audit: Duration::from_secs(90 * 24 * 3_600),
            trash: Duration::from_secs(30 * 24 * 3_600),
            versions_hourly: Duration::from_secs(24 * 3_600),
            versions_daily: Duration::from_secs(30 * 24 * 3_600),
            lease: limits::LEASE,
        },
        log_level: LogLevels {
            of_all: LogLevel::Info,
            of_parts: BTreeMap::new(),
        },
        log_format: LogFormat::Json,
    };
    assert_eq!(config, expected);
}

#[test]
fn the_table_names_each_setting_once_with_its_variable() {
    for (at, setting) in SETTINGS.iter().enumerate() {
        assert!(
            SETTINGS
                .iter()
                .skip(at + 1)
                .all(|other| other.name != setting.name)
        );
        assert!(
            !setting.help.is_empty() && setting.help.is_ascii(),
            "{}",
            setting.name
        );
        assert_eq!(setting.placeholder.is_empty(), setting.kind == Kind::Switch);
    }
    assert_eq!(
        Setting::named("jwt-secret").unwrap().variable(),
        "BOARDWIRE_JWT_SECRET"
    );
    assert_eq!(Setting::named("no-such-setting"), None);
    let secret = Setting::named("redis").unwrap();
    assert_eq!(secret.file_flag().as_deref(), Some("redis-file"));
    assert_eq!(secret.file_variable().as_deref(), Some("BOARDWIRE_REDIS_FILE"));
    let plain = Setting::named("data").unwrap();
    assert_eq!((plain.file_flag(), plain.file_variable()), (None, None));
    assert_eq!(SETTINGS.iter().filter(|setting| setting.is_live()).count(), 16);
}

#[test]
fn redis_is_an_address_whose_credentials_are_not_shown() {
    assert_eq!(
        good("redis", "redis://h/2").redis,
        Address::parse("redis://h:6379/2")
    );
    let line = bad("redis", "rediss://ann:geheim@h");
    assert!(
        line.contains("not shown") && line.contains("rediss:// is not spoken"),
        "{line}"
    );
    assert!(!line.contains("geheim") && !line.contains("ann"), "{line}");
}

#[test]
fn a_node_has_an_address_and_a_secret_or_neither() {
    let secret = ("node-secret", SECRET);
    let node = |address| {
        configure(&[("node-address", address), secret, STORE], &[]).map(|config| config.node.unwrap())
    };
    for address in [
        "10.0.0.7:9000",
        "[fd00::7]:9000",
        "node-1:9",
        "node_1.a.internal:65535",
    ] {
        let node = node(address).unwrap();
        assert_eq!(
            (node.address.as_str(), node.secret),
            (address, Secret::new(SECRET.as_bytes()))
        );
    }
    for address in [
        "",
        "9000",
        "10.0.0.7",
        ":9000",
        "node-1:",
        "node-1:0",
        "node-1:65536",
        "node-1:+9",
        "fd00::7:9000",
        "0.0.0.0:9000",
        "[::]:9000",
        "10.0.0:9000",
        "http://node-1:9000",
        "node 1:9000",
        "10.0.0.7:0",
    ] {
        let line = node(address).unwrap_err();
        assert!(
            line.starts_with("--node-address") && line.contains("such as 10.0.0.7:9000"),
            "{line}"
        );
    }
    let line = configure(&[("node-address", "node-1:9000")], &[]).unwrap_err();
    assert!(
        line.starts_with("--node-secret is missing; expected at least 32 bytes"),
        "{line}"
    );
    let line = configure(&[secret], &[]).unwrap_err();
    assert!(
        line.starts_with("--node-address is missing; expected HOST:PORT"),
        "{line}"
    );
    let line = configure(&[secret, ("node-address", "n:9")], &[]).unwrap_err();
    assert!(
        line.starts_with("--node-address \"n:9\" is not right; expected a --store"),
        "{line}"
    );
    let (short, whole) = (&SECRET[..31], &SECRET[..32]);
    let line = bad("node-secret", short);
    assert!(line.contains("not shown") && !line.contains(short), "{line}");
    assert!(configure(&[("node-address", "n:9"), ("node-secret", whole), STORE], &[]).is_ok());
}

#[test]
fn a_login_page_is_an_address_that_a_browser_can_be_sent_to() {
    for text in [
        "https://app.example.com/login",
        "http://127.0.0.1:3000/?to=boards",
        "https://app.example",
    ] {
        assert_eq!(good("login-url", text).login_url.as_deref(), Some(text));
    }
    for text in [
        "",
        "app.example",
        "javascript:alert(1)",
        "https://",
        "https:///x",
        "https://a/#x",
        "https://a b/",
        "https://u:p@a/",
    ] {
        bad("login-url", text);
    }
}

#[test]
fn a_field_that_names_users_has_a_name_of_its_own_and_a_proxy_to_be_believed_of() {
    let proxy = ("trusted-proxy", "10.0.0.0/8");
    let header = |text| {
        configure(&[proxy, ("trusted-user-header", text)], &[]).map(|config| config.user_header.unwrap())
    };
    assert_eq!(header("X-Forwarded-User").unwrap(), "x-forwarded-user");
    for text in [
        "",
        "a b",
        "x:",
        "Cookie",
        "authorization",
        "X-Forwarded-For",
        "Origin",
    ] {
        assert!(
            header(text).unwrap_err().starts_with("--trusted-user-header"),
            "{text}"
        );
    }
    let alone = configure(&[("trusted-user-header", "Remote-User")], &[]).unwrap_err();
    assert!(alone.contains("--trusted-proxy"), "{alone}");
}

#[test]
fn frames_are_of_origins_that_are_named() {
    assert_eq!(
        good("allow-frame", "https://a.example,http://b.example:8080").frames,
        "https://a.example http://b.example:8080"
    );
    for text in [
        "*",
        "null",
        "https://a.example/",
        "a.example",
        "https://a.example;script-src *",
        "'self'",
    ] {
        bad("allow-frame", text);
    }
}

#[test]
fn a_lease_is_a_second_to_five_minutes() {
    assert_eq!(good("lease", "1s").times.lease, Duration::from_secs(1));
    assert_eq!(good("lease", "5m").times.lease, Duration::from_secs(300));
    for text in ["999ms", "301s", "0s", "10"] {
        bad("lease", text);
    }
}

#[test]
fn a_flag_wins_over_its_variable_and_both_over_the_default() {
    let listen = |flags: &[_], variables: &[_]| configure(flags, variables).unwrap().listen.port();
    let (flag, variable) = (("listen", "127.0.0.1:1"), ("BOARDWIRE_LISTEN", "127.0.0.1:2"));
    assert_eq!(listen(&[], &[]), 8080);
    assert_eq!(listen(&[], &[variable]), 2);
    assert_eq!(listen(&[flag], &[variable]), 1);
    assert_eq!(
        listen(&[], &[("BOARDWIRE_LISTEN", "")]),
        8080,
        "an empty variable is not set"
    );
    assert_eq!(
        listen(&[flag], &[("BOARDWIRE_LISTEN", "junk")]),
        1,
        "what loses is not looked at"
    );
}

#[test]
fn a_wrong_variable_is_named_with_its_flag() {
    assert_eq!(
        configure(&[], &[("BOARDWIRE_LISTEN", "junk")]).unwrap_err(),
        "--listen (from BOARDWIRE_LISTEN) \"junk\" is not right; expected ADDR:PORT, such as 127.0.0.1:8080, \
         0.0.0.0:8080 or [::]:8080"
    );
    let unicode = Sources::new(
        |_| None,
        |name| {
            use std::os::unix::ffi::OsStringExt as _;
            (name == "BOARDWIRE_DATA").then(|| OsString::from_vec(vec![0xff]))
        },
        |_| true,
    );
    let line = unicode.read(&NoFiles).err().unwrap().to_string();
    assert_eq!(
        line,
        "--data (from BOARDWIRE_DATA) \"(not UTF-8)\" is not right; expected text in UTF-8"
    );
}

#[test]
fn addresses_and_files_are_checked() {
    assert_eq!(good("listen", "[::]:0").listen, "[::]:0".parse().unwrap());
    for text in [
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "localhost:8080",
        "127.0.0.1:65536",
        "::1:80:x",
    ] {
        bad("listen", text);
    }
    assert_eq!(good("data", "/a/b").data, PathBuf::from("/a/b"));
    for text in ["", "/", "a/", ".."] {
        bad("data", text);
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_and_its_key_are_given_together_or_not_at_all() {
    let both = configure(&[("tls-cert", "c.pem"), ("tls-key", "k.pem")], &[]).unwrap();
    let (certificate, key) = ("c.pem".into(), "k.pem".into());
    assert_eq!(both.tls, Some(Tls { certificate, key }));
    let missing = |given: &str| configure(&[(given, "x.pem")], &[]).unwrap_err();
    let lines = [missing("tls-cert"), missing("tls-key")];
    assert_eq!(
        lines,
        [
            "--tls-key is missing; expected the file of the key of --tls-cert",
            "--tls-cert is missing; expected the file of the certificate that --tls-key is of"
        ]
    );
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_a_certificate_is_refused() {
    let line = configure(&[("tls-cert", "c.pem")], &[]).unwrap_err();
    assert!(line.contains("without the feature `tls`"), "{line}");
}

#[test]
fn words_are_those_of_the_contract() {
    assert_eq!(
        good("webhook-private-addresses", "on").webhook_reach,
        Reach::Private
    );
    assert_eq!(good("close-codes", "mirror").close_codes, CloseCodes::Mirror);
    assert_eq!(good("saved-echo", "off").saved_echo, SavedEcho::Off);
    assert_eq!(good("log-level", "trace").log_level.of_all, LogLevel::Trace);
    let of_parts = good("log-level", "warn,net=debug").log_level.of_parts;
    assert_eq!(of_parts, BTreeMap::from([("net", LogLevel::Debug)]));
    assert!(bad("log-level", "info,disk=debug").contains("the parts are api, boards,"));
    assert_eq!(good("log-format", "text").log_format, LogFormat::Text);
    assert_eq!(
        bad("close-codes", "Mirror"),
        "--close-codes \"Mirror\" is not right; expected plain or mirror"
    );
    for name in ["saved-echo", "log-level", "log-format", "threads"] {
        for text in ["", "maybe", "a\nb"] {
            bad(name, text);
        }
    }
}

#[test]
fn what_an_owner_may_have_is_checked_at_its_edges_and_never_without_bound() {
    for (name, goods, bads) in [
        (
            "max-boards-per-owner",
            ["1", "2", "999999999", "1000000000"],
            ["", "0", "none", "1000000001", "1KiB"],
        ),
        (
            "max-bytes-per-owner",
            ["1024", "1KiB", "4GiB", "1048576GiB"],
            ["", "0", "none", "1023", "1048577GiB"],
        ),
    ] {
        for text in goods {
            good(name, text);
        }
        for text in bads {
            bad(name, text);
        }
    }
    assert_eq!(good("max-boards-per-owner", "3").quotas.boards, 3);
    assert_eq!(good("max-bytes-per-owner", "64KiB").quotas.bytes, 65_536);
}

#[test]
fn sizes_and_counts_are_checked_at_their_edges() {
    for name in [
        "max-message-bytes",
        "max-board-bytes",
        "max-body-bytes",
        "max-asset-bytes",
        "max-outbox-bytes",
    ] {
        for text in ["1024", "1KiB", "1025", "1073741823", "1GiB"] {
            good(name, text);
        }
        for text in ["", "0", "1023", "1073741825", "2GiB", "1MB", "-1", "1e6"] {
            bad(name, text);
        }
    }
    assert_eq!(good("max-outbox-bytes", "64KiB").bounds.outbox_bytes, 65_536);
    for text in ["0", "1", "1024GiB"] {
        good("max-assets-bytes", text);
    }
    for text in ["", "-1", "1024GiB1", "1099511627777"] {
        bad("max-assets-bytes", text);
    }
    assert_eq!(good("max-assets-bytes", "64KiB").bounds.assets_bytes, 65_536);
    for name in [
        "max-connections",
        "max-connections-per-address",
        "max-connections-per-board",
        "max-messages-per-second",
    ] {
        for text in ["1", "2", "999999", "1000000"] {
            good(name, text);
        }
        for text in ["", "0", "1000001", "-1", "1.5", "1KiB"] {
            bad(name, text);
        }
    }
    assert_eq!(good("max-messages-per-second", "7").bounds.messages_per_second, 7);
    for (text, fits) in [
        ("0", false),
        ("1", true),
        ("1024", true),
        ("1025", false),
        ("two", false),
    ] {
        assert_eq!(configure(&[("threads", text)], &[]).is_ok(), fits, "{text}");
    }
}

#[test]
fn times_are_checked_at_their_edges() {
    for (name, least, below, most, above) in [
        ("room-idle", "10ms", "9ms", "3650d", "3651d"),
        ("room-sweep", "10ms", "9ms", "1d", "25h"),
        ("commit-window", "0ms", "-1ms", "10s", "10001ms"),
        ("compact-after", "10ms", "9ms", "30s", "86401s"),
        ("compact-every", "5s", "9ms", "1d", "86401s"),
        ("drain", "0s", "-1s", "1h", "3601s"),
    ] {
        good(name, least);
        good(name, most);
        let line = bad(name, below);
        assert!(line.contains("a duration from "), "{line}");
        bad(name, above);
        bad(name, "5");
        bad(name, "");
    }
    assert_eq!(
        good("commit-window", "250ms").times.commit_window,
        Duration::from_millis(250)
    );
    let line = configure(&[("compact-after", "31s")], &[]).unwrap_err();
    assert_eq!(
        line,
        "--compact-every \"30s\" is not right; expected a duration that is not shorter than --compact-after"
    );
}

#[test]
fn a_public_url_is_served_and_its_origin_allowed() {
    let url = || PublicUrl::parse("https://boards.example:8443/x");
    let config = good("public-url", "https://Boards.example:8443/x/");
    assert_eq!(
        (config.public_url.clone(), config.served),
        (url(), Served::Named(url()))
    );
    assert_eq!(
        config.origins,
        [Origin::parse("https://boards.example:8443").unwrap()]
    );
    let texts = [("public-url", "https://b.example"), ("allow-origin", "*")];
    assert_eq!(configure(&texts, &[]).unwrap().origins.len(), 2);
    let dev = configure(&[("dev", "true")], &[]).unwrap();
    assert_eq!((dev.public_url, dev.served), (None, Served::Named(None)));
    for text in ["", "boards.example", "https://b.example/?x", "ws://b.example"] {
        let line = bad("public-url", text);
        assert!(line.contains("https://boards.example.com"), "{line}");
    }
}

#[test]
fn lists_come_from_repeated_flags_and_commas() {
    let config = configure(
        &[
            ("allow-origin", "https://a.example"),
            ("allow-origin", "null, *"),
            ("trusted-proxy", "10.0.0.0/8,::1"),
        ],
        &[("BOARDWIRE_ALLOW_ORIGIN", "https://b.example")],
    )
    .unwrap();
    assert_eq!(
        config.origins,
        ["https://a.example", "null", "*"].map(|text| Origin::parse(text).unwrap())
    );
    assert_eq!(
        config.trusted_proxies,
        ["10.0.0.0/8", "::1"].map(|text| Cidr::parse(text).unwrap())
    );
    let line = bad("allow-origin", "https://a.example,a.example");
    assert!(
        line.contains("\"a.example\" is not right"),
        "only the wrong entry is named: {line}"
    );
    for text in ["", "https://a.example/", "https://a.example,"] {
        bad("allow-origin", text);
    }
    bad("trusted-proxy", "10.0.0.0/33");
}

#[test]
fn secrets_are_required_long_and_never_shown() {
    let keys =
        |flags: &[(&str, &str)]| configure(flags, &[("BOARDWIRE_JWT_SECRET", "")]).map(|config| config.keys);
    let line = keys(&[]).unwrap_err();
    assert!(
        line.starts_with("--jwt-secret is missing; expected ") && line.contains("BOARDWIRE_JWT_SECRET"),
        "{line}"
    );
    for (bytes, fits) in [(0, false), (31, false), (32, true), (33, true)] {
        let text = "s".repeat(bytes);
        for (name, text) in [
            ("jwt-secret", text.clone()),
            ("jwt-secrets", format!("kid:{text}")),
        ] {
            let outcome = keys(&[(name, &text)]);
            assert_eq!(outcome.is_ok(), fits, "{name} of {bytes}");
            if let Err(line) = outcome {
                assert!(
                    line.contains("(not shown)") && !line.contains("sss") && line.contains("32 bytes"),
                    "{line}"
                );
            }
        }
    }
    let from_variable = configure(&[], &[("BOARDWIRE_JWT_SECRET", "short")]).unwrap_err();
    assert!(
        from_variable.contains("(from BOARDWIRE_JWT_SECRET)") && !from_variable.contains("\"short"),
        "{from_variable}"
    );
    assert!(!format!("{:?}", keys(&[("jwt-secret", SECRET)]).unwrap()).contains(SECRET));
}

#[test]
fn named_secrets_are_a_list_of_names_and_secrets() {
    let keys = |text: &str| configure(&[("jwt-secrets", text)], &[]).map(|config| config.keys);
    let two = keys(&format!("a:{SECRET}, b:{SECRET}:{SECRET}")).unwrap();
    let long = format!("{SECRET}:{SECRET}");
    assert_eq!(
        two.named,
        [
            ("a".to_owned(), Secret::new(SECRET.as_bytes())),
            ("b".to_owned(), Secret::new(long.as_bytes()))
        ]
    );
    assert!(two.unnamed.is_some(), "both may be given");
    for text in [
        String::new(),
        SECRET.to_owned(),
        format!(":{SECRET}"),
        format!("a:{SECRET},a:{SECRET}"),
        format!("a:{SECRET},"),
    ] {
        let line = keys(&text).unwrap_err();
        assert!(
            line.starts_with("--jwt-secrets: the value (not shown)") && !line.contains(SECRET),
            "{line}"
        );
    }
}

#[test]
fn the_token_of_the_metrics_is_what_a_header_can_carry_and_is_not_shown() {
    assert_eq!(
        good("metrics-token", "a-token=").metrics_token,
        Some(SecretHash::of("a-token="))
    );
    let config = configure(&[], &[("BOARDWIRE_METRICS_TOKEN", "~!x")]).unwrap();
    assert_eq!(config.metrics_token, Some(SecretHash::of("~!x")));
    assert!(!format!("{config:?}").contains("~!x"));
    for text in ["", "two words", "tab\there", "line\n", "\u{fc}mlaut"] {
        let line = configure(&[("metrics-token", text)], &[]).unwrap_err();
        assert!(
            line.starts_with("--metrics-token: the value (not shown) is not right; expected "),
            "{line}"
        );
    }
}

#[test]
fn algorithms_issuer_and_audience_are_read() {
    use Algorithm::{Hs256, Hs384, Hs512};
    assert_eq!(
        good("jwt-algorithms", "HS512,HS256, HS384").keys.algorithms,
        [Hs512, Hs256, Hs384]
    );
    for text in ["", "none", "HS256,none", "RS256", "hs256"] {
        bad("jwt-algorithms", text);
    }
    assert_eq!(
        good("jwt-issuer", "https://id").keys.issuer.as_deref(),
        Some("https://id")
    );
    assert_eq!(
        good("jwt-audience", "boards").keys.audience.as_deref(),
        Some("boards")
    );
    bad("jwt-issuer", "");
}

#[test]
fn dev_is_loopback_only_and_needs_no_secret() {
    let dev = |flags: &[(&str, &str)], secret: &str| {
        let flags: Vec<_> = flags.iter().copied().chain([("dev", "true")]).collect();
        configure(&flags, &[("BOARDWIRE_JWT_SECRET", secret)])
    };
    let config = dev(&[("data", "/a/b.redb")], "").unwrap();
    assert_eq!((config.mode, config.keys.unnamed), (Mode::Dev, None));
    assert_eq!(config.dev_secret_file, Some(PathBuf::from("/a/b.redb.secret")));
    let given = dev(&[], "short").unwrap();
    assert_eq!(given.keys.unnamed, Some(Secret::new(*b"short")));
    assert_eq!(given.dev_secret_file, None);
    for (listen, fits) in [
        ("127.0.0.2:1", true),
        ("[::1]:1", true),
        ("0.0.0.0:1", false),
        ("192.0.2.1:1", false),
    ] {
        let outcome = dev(&[("listen", listen)], "");
        assert_eq!(outcome.is_ok(), fits, "{listen}");
        if let Err(line) = outcome {
            assert!(line.contains("--listen") && line.contains("loopback"), "{line}");
        }
    }
}

#[test]
fn the_variable_of_a_switch_is_yes_or_no() {
    for (text, mode) in [
        ("1", Some(Mode::Dev)),
        ("true", Some(Mode::Dev)),
        ("yes", Some(Mode::Dev)),
        ("on", Some(Mode::Dev)),
        ("0", Some(Mode::Standard)),
        ("false", Some(Mode::Standard)),
        ("no", Some(Mode::Standard)),
        ("off", Some(Mode::Standard)),
        ("", Some(Mode::Standard)),
        ("maybe", None),
    ] {
        let outcome = configure(&[], &[("BOARDWIRE_DEV", text)]);
        assert_eq!(outcome.ok().map(|config| config.mode), mode, "{text:?}");
    }
}

#[test]
fn a_database_is_named_instead_of_a_file_and_its_password_is_never_shown() {
    let url = "postgres://ann:geheim@db.example/boards";
    let config = configure(&[], &[("BOARDWIRE_STORE", url)]).unwrap();
    assert_eq!(
        format!("{:?}", config.store),
        "Some(Address(db.example:5432/boards, schema boardwire))"
    );
    let line = bad("store", "postgres://ann:geheim@db.example");
    assert!(
        line.contains("postgres://user") && !line.contains("geheim"),
        "{line}"
    );
    let both = configure(&[("data", "a.redb")], &[("BOARDWIRE_STORE", url)]).unwrap_err();
    assert!(
        both.contains("either --store or --data") && !both.contains("geheim"),
        "{both}"
    );
}

#[test]
fn what_the_file_says_wrongly_is_named_with_its_line() {
    struct One(&'static str);
    impl Files for One {
        fn read(&self, _: &std::path::Path, _: usize) -> std::io::Result<Held> {
            Ok(Held {
                bytes: self.0.as_bytes().to_vec(),
                mode: 0o600,
            })
        }
    }
    let configured = |text: &'static str| {
        let sources = Sources::new(|_| None, |_| None, |_| true);
        let values = sources.read(&One(text))?;
        Config::from_values(&values, machine())
    };
    let good = "jwt-secret = '0123456789abcdef0123456789abcdef'\n";
    assert!(good.contains(SECRET) && configured(good).is_ok());
    for (text, expected) in [
        (
            "jwt-secret = '0123456789abcdef0123456789abcdef'\n\nmax-connections = 0",
            "/etc/boardwire/boardwire.toml:3: max-connections \"0\" is not right; expected a number from 1 to 1000000",
        ),
        (
            "jwt-secret = 'geheim'",
            "/etc/boardwire/boardwire.toml:1: jwt-secret: the value (not shown) is not right; expected at least 32 bytes",
        ),
        (
            "listen = '[::]:1'",
            "--jwt-secret is missing; expected a secret of at least 32 bytes",
        ),
        (
            "public-url = 'https://ann:geheim@b.example/?x'",
            "--jwt-secret is missing; expected ",
        ),
    ] {
        let line = configured(text).expect_err(text).to_string();
        assert!(line.starts_with(expected) && !line.contains("geheim"), "{line}");
    }
    let url = bad("public-url", "https://ann:geheim@b.example/?x");
    assert!(!url.contains("geheim"), "{url}");
    // An empty list is none, so that no algorithm at all is never meant.
    let none = configured("jwt-algorithms = []\njwt-secret = '0123456789abcdef0123456789abcdef'");
    assert_eq!(none.unwrap().keys.algorithms, [Algorithm::Hs256]);
}
