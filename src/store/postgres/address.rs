//! Where a database is, and how one signs in there: the value of `--store`.
//!
//! Owns [`Address`]. Must not connect. Key invariants: what is not understood is refused and never ignored; a
//! connection that is neither to this machine nor encrypted has to be asked for; no way of printing an
//! address shows its user or password. Tests are below.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// What `--store` should have been, in words.
pub const EXPECTED: &str = "postgres://user[:password]@host[:port]/database, with what is not plain percent-encoded, and \
                            perhaps ?sslmode=verify-full or disable, sslrootcert=FILE, schema=NAME, or \
                            host=/var/run/postgresql for a Unix socket";

/// The schema where none is named.
const SCHEMA: &str = "boardwire";

/// Bytes that an identifier of the database may have; it cuts what is longer.
const IDENTIFIER_BYTES_MAX: usize = 63;

/// Parameters that say where the database is, which the client library reads.
const PASSED_ON: [&str; 3] = ["host", "hostaddr", "port"];

/// Whether the connection is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// No.
    Off,
    /// Yes, with a certificate for the host's name of an authority that is trusted: one of the file, or else
    /// one that the system trusts.
    Verified(Option<PathBuf>),
}

/// A database, and the credentials for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) config: Config,
    pub(super) tls: Tls,
    pub(super) schema: String,
}

impl Address {
    /// Reads a URL, see [`EXPECTED`].
    ///
    /// # Errors
    /// What would be right, in words that say nothing of what was given.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (url, query) = text.split_once('?').unwrap_or((text, ""));
        let scheme = ["postgres://", "postgresql://"];
        if !scheme.iter().any(|scheme| url.starts_with(scheme)) || text.contains('#') {
            return Err(EXPECTED.to_owned());
        }
        let mut given = Given::default();
        for (name, value) in query.split('&').filter(|pair| !pair.is_empty()).map(pair) {
            given.take(name, value)?;
        }
        let mut url = url.to_owned();
        if !given.rest.is_empty() {
            url = format!("{url}?{}", given.rest.join("&"));
        }
        let mut config: Config = url.parse().map_err(|_| EXPECTED.to_owned())?;
        if config.get_user().is_none() || config.get_dbname().is_none_or(str::is_empty) {
            return Err(EXPECTED.to_owned());
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(EXPECTED.to_owned());
        }
        let tls = given.tls(is_here(&config))?;
        config.application_name("boardwire");
        config.ssl_mode(match tls {
            Tls::Off => SslMode::Disable,
            Tls::Verified(_) => SslMode::Require,
        });
        let schema = given.schema.unwrap_or_else(|| SCHEMA.to_owned());
        Ok(Self { config, tls, schema })
    }
}

/// The parameters of a URL.
#[derive(Default)]
struct Given<'a> {
    mode: Option<&'a str>,
    roots: Option<PathBuf>,
    schema: Option<String>,
    rest: Vec<String>,
}

impl<'a> Given<'a> {
    fn take(&mut self, name: &'a str, value: &'a str) -> Result<(), String> {
        match name {
            "sslmode" => self.mode = Some(value),
            "sslrootcert" if value == "system" => {}
            "sslrootcert" => {
                let path = decoded(value).filter(|path| !path.is_empty());
                self.roots = Some(path.ok_or("sslrootcert=FILE, percent-encoded")?.into());
            }
            "schema" => {
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                let fits = (1..=IDENTIFIER_BYTES_MAX).contains(&value.len()) && value.bytes().all(plain);
                let fits = fits && !value.starts_with(|c: char| c.is_ascii_digit());
                let schema = fits.then(|| value.to_owned());
                self.schema = Some(schema.ok_or("schema=NAME of the characters a to z, 0 to 9 and _")?);
            }
            _ if PASSED_ON.contains(&name) => self.rest.push(format!("{name}={value}")),
            _ => {
                let known = "only the parameters sslmode, sslrootcert, schema, host, hostaddr and port";
                return Err(known.to_owned());
            }
        }
        Ok(())
    }

    fn tls(&self, is_here: bool) -> Result<Tls, String> {
        match self.mode {
            None if is_here && self.roots.is_none() => Ok(Tls::Off),
            Some("disable") if self.roots.is_none() => Ok(Tls::Off),
            // What the weaker ones ask for is part of it.
            None | Some("verify-full" | "verify-ca" | "require") => Ok(Tls::Verified(self.roots.clone())),
            Some("disable") => Err("no sslrootcert with sslmode=disable".to_owned()),
            Some(_) => Err(
                "sslmode=verify-full, or disable where nobody else can be on the way: prefer and \
                            allow would send the password to whoever answers"
                    .to_owned(),
            ),
        }
    }
}

fn pair(text: &str) -> (&str, &str) {
    text.split_once('=').unwrap_or((text, ""))
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Whether all hosts are this machine: its loopback, or a Unix socket.
fn is_here(config: &Config) -> bool {
    let loops = |ip: &IpAddr| ip.is_loopback();
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip| loops(&ip)),
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    // Where an address is given the name is not looked up.
    match config.get_hostaddrs() {
        [] => hosts,
        addresses => addresses.iter().all(loops),
    }
}

/// Hosts, ports, database and schema alone.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.config.get_ports();
        let mut hosts = Vec::new();
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(at).or_else(|| ports.first()).copied().unwrap_or(5432);
            hosts.push(match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                #[cfg(unix)]
                Host::Unix(path) => path.display().to_string(),
            });
        }
        if hosts.is_empty() {
            hosts.extend(self.config.get_hostaddrs().iter().map(ToString::to_string));
        }
        let database = self.config.get_dbname().unwrap_or_default();
        write!(f, "{}/{database}, schema {}", hosts.join(","), self.schema)
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

    fn parsed(text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn an_address_is_encrypted_unless_it_is_this_machine_or_says_otherwise() {
        let file = || Tls::Verified(Some("/etc/ca s.pem".into()));
        for (text, tls, schema) in [
            ("postgres://u@localhost/d", Tls::Off, "boardwire"),
            ("postgresql://u:p@127.0.0.1:5433/d", Tls::Off, "boardwire"),
            ("postgres://u@[::1]/d", Tls::Off, "boardwire"),
            (
                "postgres://u@/d?host=/var/run/postgresql&schema=b_2",
                Tls::Off,
                "b_2",
            ),
            ("postgres://u@%2Fvar%2Frun/d", Tls::Off, "boardwire"),
            ("postgres://u@db.example/d", Tls::Verified(None), "boardwire"),
            ("postgres://u@db.example/d?sslmode=disable", Tls::Off, "boardwire"),
            (
                "postgres://u@db.example/d?sslmode=require",
                Tls::Verified(None),
                "boardwire",
            ),
            (
                "postgres://u@localhost/d?sslmode=verify-ca",
                Tls::Verified(None),
                "boardwire",
            ),
            (
                "postgres://u@localhost,db.example/d",
                Tls::Verified(None),
                "boardwire",
            ),
            (
                "postgres://u@localhost/d?hostaddr=10.1.1.1",
                Tls::Verified(None),
                "boardwire",
            ),
            (
                "postgres://u@h/d?sslmode=verify-full&sslrootcert=/etc/ca%20s.pem",
                file(),
                "boardwire",
            ),
            (
                "postgres://u@localhost/d?sslrootcert=/etc/ca%20s.pem",
                file(),
                "boardwire",
            ),
        ] {
            let address = parsed(text);
            assert_eq!((address.tls, address.schema.as_str()), (tls, schema), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_in_words_without_the_password() {
        for (text, words) in [
            ("", "postgres://"),
            ("redis://u:geheim@h/d", "postgres://"),
            ("postgres://h/d", "postgres://"),
            ("postgres://u:geheim@h", "postgres://"),
            ("postgres://u:geheim@/d", "postgres://"),
            ("postgres://u:geheim@h:geheim/d", "postgres://"),
            ("postgres://u:geheim@h/d#x", "postgres://"),
            ("postgres://u:geheim@h/d?sslmode=prefer", "sslmode=verify-full"),
            ("postgres://u:geheim@h/d?sslmode=geheim", "sslmode=verify-full"),
            (
                "postgres://u:geheim@h/d?sslmode=disable&sslrootcert=/x",
                "no sslrootcert",
            ),
            ("postgres://u:geheim@h/d?schema=A;drop", "schema=NAME"),
            (
                "postgres://u:geheim@h/d?options=-c%20fsync%3Doff",
                "only the parameters",
            ),
        ] {
            let refused = Address::parse(text).unwrap_err();
            assert!(
                refused.contains(words) && !refused.contains("geheim"),
                "{text}: {refused}"
            );
        }
    }

    #[test]
    fn printing_shows_neither_user_nor_password() {
        let address = parsed("postgres://ann:geheim@h:7,i/d?schema=s");
        assert_eq!(address.to_string(), "h:7,i:5432/d, schema s");
        assert_eq!(format!("{address:?}"), "Address(h:7,i:5432/d, schema s)");
    }
}
