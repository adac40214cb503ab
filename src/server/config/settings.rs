//! The table of settings.
//!
//! Owns [`SETTINGS`], the one list that the command line, its help, the environment and the file of settings
//! are made from. Must not know what a text means, nor where it comes from. Tests are in `tests.rs`.

/// One setting: the flag `--name`, and the variable `BOARDWIRE_NAME`.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The flag without its dashes.
    pub name: &'static str,
    /// What stands for the value in help; empty for a switch.
    pub placeholder: &'static str,
    /// The default as one would write it.
    pub default: Option<&'static str>,
    /// The default in words, for help, where it is not a value.
    pub default_words: Option<&'static str>,
    /// The heading it stands under in help.
    pub group: Group,
    /// How it is given.
    pub kind: Kind,
    /// One or two sentences for help.
    pub help: &'static str,
}

/// The headings of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What everybody sets.
    Basics,
    /// What tokens are checked against.
    Tokens,
    /// How clients are spoken to.
    Clients,
    /// Other nodes.
    Nodes,
    /// Bounds.
    Bounds,
    /// Times.
    Times,
    /// Logs.
    Logs,
}

impl Group {
    /// The heading in words.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Basics => "Basics",
            Self::Tokens => "Tokens",
            Self::Clients => "Clients and proxies",
            Self::Nodes => "Several nodes",
            Self::Bounds => "Bounds (inclusive; sizes in bytes, or 64KiB, 16MiB)",
            Self::Times => "Times (250ms, 5s, 30m, 90d)",
            Self::Logs => "Logs",
        }
    }
}

/// How a setting is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One value.
    Single,
    /// One value that is never shown; a list in it is separated by commas.
    Secret,
    /// A flag that may be repeated, and takes lists separated by commas.
    List,
    /// A flag without value.
    Switch,
}

const fn single(name: &'static str, placeholder: &'static str, default: &'static str) -> Setting {
    Setting {
        name,
        placeholder,
        default: Some(default),
        default_words: None,
        group: Group::Basics,
        kind: Kind::Single,
        help: "",
    }
}

const fn bound(
    name: &'static str,
    placeholder: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting {
        group: Group::Bounds,
        help,
        ..single(name, placeholder, default)
    }
}

const fn time(name: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting {
        group: Group::Times,
        help,
        ..single(name, "DURATION", default)
    }
}

/// Every setting of `boardwire serve`, in the order of the help.
pub const SETTINGS: &[Setting] = &[
    Setting {
        help: "Where to listen. For anything but loopback use --tls-cert, or a proxy that speaks TLS",
        ..single("listen", "ADDR:PORT", "127.0.0.1:8080")
    },
    Setting {
        default: None,
        default_words: Some("none: no TLS"),
        help: "Speak TLS with this certificate (PEM): that of the server, then those that lead to an authority. Needs \
               --tls-key; a change of the files is taken up within seconds",
        ..single("tls-cert", "FILE", "")
    },
    Setting {
        default: None,
        default_words: Some("none"),
        help: "The private key of --tls-cert (PEM)",
        ..single("tls-key", "FILE", "")
    },
    Setting {
        help: "The file that holds everything; made when missing",
        ..single("data", "FILE", "boardwire.redb")
    },
    Setting {
        default: None,
        default_words: Some("off: --data holds it"),
        kind: Kind::Secret,
        help: "Keep everything in PostgreSQL instead of a file: postgres://user:password@host/database, with \
               ?sslmode=verify-full (the default) or disable. Prefer the variable where there is a password",
        ..single("store", "URL", "")
    },
    Setting {
        default: None,
        default_words: Some("one a core"),
        help: "Threads that serve connections",
        ..single("threads", "N", "")
    },
    Setting {
        default: None,
        kind: Kind::Switch,
        help: "For trying it out: loopback only, a generated secret kept beside the data file unless one is given, \
               every valid token may edit every board and create it, and ready-made links are printed",
        ..single("dev", "", "")
    },
    Setting {
        default: None,
        default_words: Some("none: one is required"),
        group: Group::Tokens,
        kind: Kind::Secret,
        help: "The secret that signs tokens, at least 32 bytes. Prefer the variable: flags show in process lists",
        ..single("jwt-secret", "SECRET", "")
    },
    Setting {
        default: None,
        group: Group::Tokens,
        kind: Kind::Secret,
        help: "Secrets by name, for tokens with `kid`: kid:secret,kid:secret",
        ..single("jwt-secrets", "LIST", "")
    },
    Setting {
        group: Group::Tokens,
        kind: Kind::List,
        help: "Accepted algorithms: HS256, HS384, HS512",
        ..single("jwt-algorithms", "LIST", "HS256")
    },
    Setting {
        default: None,
        default_words: Some("not checked"),
        group: Group::Tokens,
        help: "The issuer (`iss`) that tokens must name",
        ..single("jwt-issuer", "TEXT", "")
    },
    Setting {
        default: None,
        default_words: Some("not checked"),
        group: Group::Tokens,
        help: "The audience (`aud`) that tokens must name",
        ..single("jwt-audience", "TEXT", "")
    },
    Setting {
        default: None,
        default_words: Some("none: every Host is served"),
        group: Group::Clients,
        help: "Where people reach the server, such as https://boards.example.com or https://example.com/boards: \
               requests for other host names are refused, its origin is allowed, and printed links lead there",
        ..single("public-url", "URL", "")
    },
    Setting {
        default: None,
        default_words: Some("the same host, or no Origin"),
        group: Group::Clients,
        kind: Kind::List,
        help: "Further web origins that may connect, such as https://app.example.com; * for any. May be repeated",
        ..single("allow-origin", "ORIGIN", "")
    },
    Setting {
        default: None,
        default_words: Some("none"),
        group: Group::Clients,
        kind: Kind::List,
        help: "Proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8. May be repeated",
        ..single("trusted-proxy", "CIDR", "")
    },
    Setting {
        default: None,
        default_words: Some("none"),
        group: Group::Clients,
        kind: Kind::List,
        help: "Web origins whose pages may show boards in a frame, such as https://app.example.com. May be repeated",
        ..single("allow-frame", "ORIGIN", "")
    },
    Setting {
        default: None,
        default_words: Some("none"),
        group: Group::Clients,
        help: "Where the page sends people who are not signed in, with return=ADDRESS, to come back there with #token=JWT",
        ..single("login-url", "URL", "")
    },
    Setting {
        default: None,
        default_words: Some("none"),
        group: Group::Clients,
        help: "The field in which a proxy named by --trusted-proxy says who it has signed in, such as X-Forwarded-User",
        ..single("trusted-user-header", "NAME", "")
    },
    Setting {
        default: None,
        default_words: Some("loopback only"),
        group: Group::Clients,
        kind: Kind::Secret,
        help: "The bearer token that GET /metrics asks for. Without it only direct requests from this machine are answered",
        ..single("metrics-token", "TOKEN", "")
    },
    Setting {
        default: None,
        default_words: Some("off"),
        group: Group::Clients,
        kind: Kind::Secret,
        help: "Exchange changes of items with other services over Redis: redis://[user:password@]host[:port][/database]. \
               Prefer the variable where there is a password",
        ..single("redis", "URL", "")
    },
    Setting {
        group: Group::Clients,
        help: "Close codes of refusals. `mirror` (4400 to 4499) makes y-websocket 3.1 and later stop retrying",
        ..single("close-codes", "plain|mirror", "plain")
    },
    Setting {
        group: Group::Clients,
        help: "Send each update back to its author once it is durable, for y-websocket 4",
        ..single("saved-echo", "on|off", "on")
    },
    Setting {
        group: Group::Clients,
        help: "Let webhooks reach this machine and private networks too: `on` where whoever owns a board may reach \
               all that the server reaches",
        ..single("webhook-private-addresses", "on|off", "off")
    },
    Setting {
        default: None,
        default_words: Some("none: one node"),
        group: Group::Nodes,
        help: "Where other nodes reach this one, on a private network",
        ..single("node-address", "HOST:PORT", "")
    },
    Setting {
        default: None,
        default_words: Some("none: --node-address needs one"),
        group: Group::Nodes,
        kind: Kind::Secret,
        help: "The secret that all nodes have, at least 32 bytes. Prefer the variable",
        ..single("node-secret", "SECRET", "")
    },
    Setting {
        group: Group::Nodes,
        help: "How long a node that is gone keeps its boards from the others",
        ..single("lease", "DURATION", "10s")
    },
    bound("max-message-bytes", "SIZE", "32MiB", "One WebSocket message"),
    bound("max-board-bytes", "SIZE", "32MiB", "One board, encoded"),
    bound(
        "max-versions-bytes",
        "SIZE",
        "64MiB",
        "All versions of one board; the oldest that made themselves go first",
    ),
    bound(
        "max-boards-per-owner",
        "N",
        "10000",
        "Boards of one owner, deleted ones not counted",
    ),
    bound(
        "max-bytes-per-owner",
        "SIZE",
        "4GiB",
        "All boards of one owner, as stored",
    ),
    bound("max-body-bytes", "SIZE", "32MiB", "One HTTP request body"),
    bound(
        "max-asset-bytes",
        "SIZE",
        "20MiB",
        "One picture or film beside a board",
    ),
    bound(
        "max-assets-bytes",
        "SIZE",
        "512MiB",
        "All pictures and films of one board; 0: none are taken",
    ),
    bound(
        "max-outbox-bytes",
        "SIZE",
        "8MiB",
        "How far a slow client may be behind before it is dropped",
    ),
    bound("max-connections", "N", "10000", "Open connections in all"),
    bound(
        "max-connections-per-address",
        "N",
        "256",
        "Of one address; loopback is exempt",
    ),
    bound("max-connections-per-board", "N", "1024", "Of one board"),
    bound(
        "max-messages-per-second",
        "N",
        "300",
        "Of one connection; past it the server reads more slowly",
    ),
    time(
        "room-idle",
        "30m",
        "A board without clients leaves memory after this long",
    ),
    time("room-sweep", "5m", "How often such boards are looked for"),
    time(
        "commit-window",
        "250ms",
        "How long updates under steady change may take to be on disk, to share one fsync",
    ),
    time(
        "compact-after",
        "5s",
        "A board is compacted this long after its last change",
    ),
    time(
        "compact-every",
        "30s",
        "And at least this often under steady change",
    ),
    time("drain", "10s", "How long a shutdown may take"),
    Setting {
        group: Group::Times,
        help: "Days that entries of the audit log are kept",
        ..single("audit-days", "N", "90")
    },
    Setting {
        group: Group::Times,
        help: "Days that a deleted board stays in the trash; 0: it goes at once",
        ..single("trash-days", "N", "30")
    },
    Setting {
        group: Group::Times,
        help: "Hours for which a version of each hour is kept of a board that changes; 0: none",
        ..single("versions-hours", "N", "24")
    },
    Setting {
        group: Group::Times,
        help: "Days for which a version of each day is kept of a board that changes; 0: none",
        ..single("versions-days", "N", "30")
    },
    Setting {
        group: Group::Logs,
        help: "How much is logged; also of a part alone, such as info,store=debug",
        ..single("log-level", "error|warn|info|debug|trace", "info")
    },
    Setting {
        default: None,
        default_words: Some("text on a terminal, json otherwise"),
        group: Group::Logs,
        help: "How log lines look",
        ..single("log-format", "text|json", "")
    },
];

impl Setting {
    /// The environment variable: `BOARDWIRE_JWT_SECRET` for `jwt-secret`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("BOARDWIRE_{}", self.name.replace('-', "_").to_ascii_uppercase())
    }

    /// The setting of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// The flag that names a file with the value: of a secret.
    #[must_use]
    pub fn file_flag(&self) -> Option<String> {
        (self.kind == Kind::Secret).then(|| format!("{}-file", self.name))
    }

    /// The variable that does.
    #[must_use]
    pub fn file_variable(&self) -> Option<String> {
        (self.kind == Kind::Secret).then(|| format!("{}_FILE", self.variable()))
    }

    /// Whether there may be several values.
    #[must_use]
    pub fn takes_list(&self) -> bool {
        self.kind == Kind::List || self.placeholder == "LIST"
    }

    /// Whether a server that runs takes up another value, at SIGHUP.
    #[must_use]
    pub fn is_live(&self) -> bool {
        LIVE.contains(&self.name)
    }
}

/// What a server that runs takes up. All else was handed on when it started: addresses, files, what rooms and
/// stores are made with.
const LIVE: &[&str] = &[
    "jwt-secret",
    "jwt-secrets",
    "jwt-algorithms",
    "jwt-issuer",
    "jwt-audience",
    "allow-origin",
    "allow-frame",
    "login-url",
    "trusted-proxy",
    "metrics-token",
    "max-message-bytes",
    "max-body-bytes",
    "max-connections",
    "max-connections-per-address",
    "max-messages-per-second",
    "log-level",
];
