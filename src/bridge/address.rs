//! Where Redis is, and how one signs in there: the value of `--redis`.
//!
//! Owns [`Address`]. Must not connect. Key invariants: what cannot be done (TLS, Unix sockets, parameters) is
//! refused and never ignored; no way of printing an address shows its user or password. Tests are below.

use std::fmt;

use redis::{ConnectionAddr, IntoConnectionInfo as _};

/// What `--redis` should have been, in words.
pub const EXPECTED: &str = "redis://[user:password@]host[:port][/database], with what is not plain percent-encoded; \
                            rediss:// is not spoken: put a TLS tunnel such as stunnel on this machine";

/// A Redis server, and the credentials for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: i64,
}

impl Address {
    /// Reads `redis://[user:password@]host[:port][/database]`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.starts_with("redis://") && !text.contains(['?', '#']);
        let info = plain.then(|| text.into_connection_info())?.ok()?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            return None;
        };
        let settings = info.redis_settings();
        let (user, password) = (settings.username(), settings.password());
        let usable = *port != 0 && settings.db() >= 0 && (user.is_none() || password.is_some());
        usable.then(|| Self {
            host: host.clone(),
            port: *port,
            user: user.map(str::to_owned),
            password: password.map(str::to_owned),
            database: settings.db(),
        })
    }
}

/// Host and port alone.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_host_and_port_and_may_have_credentials_and_a_database() {
        let parts = |text: &str| {
            let address = Address::parse(text).unwrap_or_else(|| panic!("{text} was refused"));
            let Address {
                host,
                port,
                user,
                password,
                database,
            } = address;
            (
                host,
                port,
                user.unwrap_or_default(),
                password.unwrap_or_default(),
                database,
            )
        };
        for (text, host, port, user, password, database) in [
            ("redis://localhost", "localhost", 6379, "", "", 0),
            ("redis://127.0.0.1:7000/", "127.0.0.1", 7000, "", "", 0),
            ("redis://[::1]:7000/3", "::1", 7000, "", "", 3),
            (
                "redis://:geheim@redis.example/0",
                "redis.example",
                6379,
                "",
                "geheim",
                0,
            ),
            ("redis://ann:a%40b%2Fc@r", "r", 6379, "ann", "a@b/c", 0),
        ] {
            let expected = (
                host.to_owned(),
                port,
                user.to_owned(),
                password.to_owned(),
                database,
            );
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for text in [
            "",
            "localhost:6379",
            "redis://",
            "redis://:6379",
            "redis:///1",
            "redis://h:0",
            "redis://h:70000",
            "redis://h/one",
            "redis://h/-1",
            "redis://h?protocol=resp3",
            "redis://h#insecure",
            "redis://ann@h",
            "rediss://h",
            "redis+unix:///run/redis.sock",
            "unix:///run/redis.sock",
            "http://h",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn credentials_are_never_printed() {
        let address = Address::parse("redis://ann:geheim@h:7000/2").unwrap();
        assert_eq!(format!("{address} {address:?}"), "h:7000 Address(h:7000)");
    }
}
