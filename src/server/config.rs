//! The configuration of a server: plain data, checked as a whole before anything starts.
//!
//! Owns [`Config`] and how it is made from [`Values`], which `sources` finds by flag, variable and file. Must
//! not know the command line's parser, nor start anything. Key invariant: a `Config` that exists is one that
//! the server can run with, so nothing downstream checks a setting again. The settings themselves are the
//! table in `config/settings.rs`; tests are in `config/tests.rs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::access::Mode;
use crate::access::secret::SecretHash;
use crate::bridge::address::{self, Address};
use crate::http::forwarded::Cidr;
use crate::http::host::{PublicUrl, Served};
use crate::http::origin::Origin;
use crate::jwt::{Algorithm, Keys, Secret};
use crate::limits;
use crate::net::disposition::CloseCodes;
use crate::room::SavedEcho;
use crate::store::owners::Quotas;
use crate::store::postgres;
use crate::webhooks::Reach;

mod bounds;
mod file;
mod gathered;
pub mod log_levels;
pub mod report;
mod secrets;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
pub mod values;
mod wrong;

use bounds::quotas;
pub use bounds::{Bounds, Times};
pub use gathered::Values;
pub use log_levels::{LogLevel, LogLevels};
pub use secrets::{Disk, Files, Held, NoFiles};
pub use settings::{Group, Kind, SETTINGS, Setting};
pub use sources::{DEFAULT_FILE, FILE_FLAG, FILE_VARIABLE, Found, Sources};
pub use wrong::{ConfigError, Given, Source};

/// What `boardwire serve` runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `--listen`; loopback with `--dev`.
    pub listen: SocketAddr,
    /// `--tls-cert` and `--tls-key`: set where clients are spoken to over TLS.
    pub tls: Option<Tls>,
    /// `--data`.
    pub data: PathBuf,
    /// `--store`: a database instead of the data file.
    pub store: Option<postgres::Address>,
    /// `--threads`: of the executor.
    pub threads: NonZeroUsize,
    /// `--dev`.
    pub mode: Mode,
    /// `--jwt-*`. Holds a secret, or `dev_secret_file` is set.
    pub keys: Keys,
    /// Where the secret of `--dev` is kept: set where `--dev` was given and no secret.
    pub dev_secret_file: Option<PathBuf>,
    /// `--public-url`.
    pub public_url: Option<PublicUrl>,
    /// Which hosts requests may name: any, unless `--public-url` or `--dev` was given.
    pub served: Served,
    /// `--allow-origin`, and that of `--public-url`; the same host is always allowed.
    pub origins: Vec<Origin>,
    /// `--trusted-proxy`.
    pub trusted_proxies: Vec<Cidr>,
    /// `--login-url`.
    pub login_url: Option<String>,
    /// `--trusted-user-header`, in lower case.
    pub user_header: Option<String>,
    /// `--allow-frame`, as `frame-ancestors` has it; `'none'` where there is none.
    pub frames: String,
    /// `--metrics-token`, as its hash: nothing but the comparison needs it.
    pub metrics_token: Option<SecretHash>,
    /// `--redis`.
    pub redis: Option<Address>,
    /// `--webhook-private-addresses`.
    pub webhook_reach: Reach,
    /// `--node-*`: set where there may be other nodes.
    pub node: Option<Node>,
    /// `--close-codes`.
    pub close_codes: CloseCodes,
    /// `--saved-echo`.
    pub saved_echo: SavedEcho,
    /// `--max-*`.
    pub bounds: Bounds,
    /// `--max-boards-per-owner`, `--max-bytes-per-owner`.
    pub quotas: Quotas,
    /// `--room-*`, `--commit-window`, `--compact-*`, `--drain`, `--audit-days`.
    pub times: Times,
    /// `--log-level`.
    pub log_level: LogLevels,
    /// `--log-format`.
    pub log_format: LogFormat,
}

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `--tls-cert`.
    pub certificate: PathBuf,
    /// `--tls-key`.
    pub key: PathBuf,
}

/// What other nodes know of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `--node-address`: a host and a port.
    pub address: String,
    /// `--node-secret`.
    pub secret: Secret,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What of the machine decides defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Cores: the default of `--threads`.
    pub cores: NonZeroUsize,
    /// The default of `--log-format`: text on a terminal.
    pub log_format: LogFormat,
}

impl Config {
    /// What stands before every path where people reach the server: empty, or such as `/boards`.
    #[must_use]
    pub fn base_path(&self) -> &str {
        self.public_url.as_ref().map_or("", PublicUrl::path)
    }

    /// Checks the values given for `boardwire serve`.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn from_values(values: &Values, machine: Machine) -> Result<Self, ConfigError> {
        let mode = mode(values)?;
        let data = data(values)?;
        let keys = keys(values)?;
        let dev_secret_file = dev_secret_file(&keys, &data, mode);
        let public_url = public_url(values)?;
        let served = served(public_url.as_ref(), mode);
        Ok(Self {
            listen: listen_in(values, mode)?,
            tls: tls(values)?,
            data,
            store: store(values)?,
            threads: values
                .optional("threads", "a number of threads, 1 to 1024", |text| {
                    text.parse().ok().filter(|n: &NonZeroUsize| n.get() <= 1_024)
                })?
                .unwrap_or(machine.cores),
            mode,
            keys,
            dev_secret_file,
            origins: origins(values, public_url.as_ref())?,
            public_url,
            served,
            trusted_proxies: values.list(
                "trusted-proxy",
                "an address or a range, such as 10.0.0.0/8 or fd00::/8",
                Cidr::parse,
            )?,
            login_url: values.optional("login-url", LOGIN_URL, login_url)?,
            user_header: user_header(values)?,
            frames: frames(values)?,
            metrics_token: values.optional(
                "metrics-token",
                "visible ASCII characters without space, such as `openssl rand -hex 32` prints",
                |text| {
                    let sendable = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
                    sendable.then(|| SecretHash::of(text))
                },
            )?,
            redis: values.optional("redis", address::EXPECTED, Address::parse)?,
            webhook_reach: values.one("webhook-private-addresses", "on or off", |text| match text {
                "on" => Some(Reach::Private),
                "off" => Some(Reach::Public),
                _ => None,
            })?,
            node: node(values)?,
            close_codes: values.one("close-codes", "plain or mirror", |text| match text {
                "plain" => Some(CloseCodes::Plain),
                "mirror" => Some(CloseCodes::Mirror),
                _ => None,
            })?,
            saved_echo: values.one("saved-echo", "on or off", |text| match text {
                "on" => Some(SavedEcho::On),
                "off" => Some(SavedEcho::Off),
                _ => None,
            })?,
            bounds: Bounds::from_values(values)?,
            quotas: quotas(values)?,
            times: Times::from_values(values)?,
            log_level: values.one("log-level", log_levels::EXPECTED, log_levels::read)?,
            log_format: values
                .optional("log-format", "text or json", |text| match text {
                    "text" => Some(LogFormat::Text),
                    "json" => Some(LogFormat::Json),
                    _ => None,
                })?
                .unwrap_or(machine.log_format),
        })
    }
}

/// Which hosts requests may name.
fn served(public_url: Option<&PublicUrl>, mode: Mode) -> Served {
    match (public_url, mode) {
        (None, Mode::Standard) => Served::Any,
        (public_url, _) => Served::Named(public_url.cloned()),
    }
}

/// `--dev`.
///
/// # Errors
/// The variable holds neither yes nor no.
pub fn mode(values: &Values) -> Result<Mode, ConfigError> {
    let given = values.given("dev");
    match given.text {
        None | Some("0" | "false" | "off" | "no") => Ok(Mode::Standard),
        Some("1" | "true" | "on" | "yes") => Ok(Mode::Dev),
        Some(_) => Err(ConfigError::new(given, "true or false")),
    }
}

/// `--data`.
///
/// # Errors
/// It names no file.
pub fn data(values: &Values) -> Result<PathBuf, ConfigError> {
    values.one(
        "data",
        "the path of a file, such as /var/lib/boardwire/boardwire.redb",
        |text| {
            let path = PathBuf::from(text);
            (path.file_name().is_some() && !text.ends_with('/')).then_some(path)
        },
    )
}

/// `--store`.
///
/// # Errors
/// It names no database, or `--data` names a file as well.
fn store(values: &Values) -> Result<Option<postgres::Address>, ConfigError> {
    let given = values.given("store");
    if given.text.is_some() && *values.given("data").source != Source::Default {
        let expected = "either --store or --data: everything is kept in one of them";
        return Err(ConfigError::new(given, expected));
    }
    database(values)
}

/// What `--store` names.
fn database(values: &Values) -> Result<Option<postgres::Address>, ConfigError> {
    let given = values.given("store");
    let address = given.text.map(postgres::Address::parse).transpose();
    address.map_err(|expected| ConfigError::new(given, expected))
}

/// `--store`, for a command that needs one, and has no `--data`.
///
/// # Errors
/// It is missing, or names no database.
pub fn shared_store(values: &Values) -> Result<postgres::Address, ConfigError> {
    let expected = || format!("the store that nodes share: {}", postgres::EXPECTED);
    database(values)?.ok_or_else(|| ConfigError::new(values.given("store"), expected()))
}

/// The keys, and where the secret of `--dev` is kept, if that is the one: for a command that signs.
///
/// # Errors
/// The first setting that is wrong.
pub fn signing(values: &Values) -> Result<(Keys, Option<PathBuf>), ConfigError> {
    let (keys, data, mode) = (keys(values)?, data(values)?, mode(values)?);
    let file = dev_secret_file(&keys, &data, mode);
    Ok((keys, file))
}

/// Where the secret of `--dev` is kept, where it is needed: beside the data file.
fn dev_secret_file(keys: &Keys, data: &std::path::Path, mode: Mode) -> Option<PathBuf> {
    let needed = mode == Mode::Dev && keys.unnamed.is_none() && keys.named.is_empty();
    let mut name = data.as_os_str().to_owned();
    name.push(".secret");
    needed.then(|| PathBuf::from(name))
}

/// `--public-url`.
///
/// # Errors
/// It is none that people could open.
pub fn public_url(values: &Values) -> Result<Option<PublicUrl>, ConfigError> {
    values.optional("public-url", PublicUrl::EXPECTED, PublicUrl::parse)
}

/// `--listen`.
///
/// # Errors
/// It is no address with a port.
pub fn listen(values: &Values) -> Result<SocketAddr, ConfigError> {
    let expected = "ADDR:PORT, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080";
    values.one("listen", expected, |text| text.parse().ok())
}

/// `--tls-cert`, for a command that asks the server on this machine.
///
/// # Errors
/// This build has no TLS.
pub fn certificate(values: &Values) -> Result<Option<PathBuf>, ConfigError> {
    let given = values.given("tls-cert");
    if given.text.is_some() && !cfg!(feature = "tls") {
        let expected = "nothing: this build is without the feature `tls`; put a proxy in front";
        return Err(ConfigError::new(given, expected));
    }
    Ok(given.text.map(PathBuf::from))
}

/// `--tls-cert` and `--tls-key`, of which neither is of use alone.
fn tls(values: &Values) -> Result<Option<Tls>, ConfigError> {
    let key = values.given("tls-key");
    match (certificate(values)?, key.text.map(PathBuf::from)) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(Tls { certificate, key })),
        (Some(_), None) => Err(ConfigError::new(key, "the file of the key of --tls-cert")),
        (None, Some(_)) => {
            let expected = "the file of the certificate that --tls-key is of";
            Err(ConfigError::new(values.given("tls-cert"), expected))
        }
    }
}

/// Where the server is reached from its own machine: without a slash at the end.
///
/// # Errors
/// What of it is set is wrong.
pub fn own_url(values: &Values) -> Result<String, ConfigError> {
    let scheme = certificate(values)?.map_or("http", |_| "https");
    Ok(format!("{scheme}://{}", reachable(listen(values)?)))
}

/// Where a server that was told to listen on `listen` is reached from its own machine.
#[must_use]
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn listen_in(values: &Values, mode: Mode) -> Result<SocketAddr, ConfigError> {
    let listen = listen(values)?;
    if mode == Mode::Dev && !listen.ip().is_loopback() {
        let expected = "a loopback address such as 127.0.0.1:8080, since --dev lets everyone with a link in";
        return Err(ConfigError::new(values.given("listen"), expected));
    }
    Ok(listen)
}

/// What `--login-url` takes, in words.
const LOGIN_URL: &str =
    "http:// or https:// and a host, without a fragment, such as https://app.example.com/login";

/// An address that a browser can be sent to, to come back with a fragment.
fn login_url(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let sound = text
        .bytes()
        .all(|b| b.is_ascii_graphic() && !b"#\"<>\\".contains(&b));
    (sound && !host.is_empty() && !host.contains('@')).then(|| text.to_owned())
}

/// Fields that mean something else to this server or to proxies.
const TAKEN: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "host",
    "origin",
    "x-api-key",
    "x-forwarded-for",
];

/// `--trusted-user-header`, which nobody could be trusted with where no proxy is.
fn user_header(values: &Values) -> Result<Option<String>, ConfigError> {
    let name = "trusted-user-header";
    let expected = "the name of a field that nothing else uses, such as X-Forwarded-User";
    let header = values.optional(name, expected, |text| {
        let part = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let lower = text.to_ascii_lowercase();
        let sound = !text.is_empty() && text.bytes().all(part) && !TAKEN.contains(&lower.as_str());
        sound.then_some(lower)
    })?;
    if header.is_some() && values.given("trusted-proxy").text.is_none() {
        return Err(ConfigError::new(
            values.given(name),
            "--trusted-proxy beside it: the field is believed of these only",
        ));
    }
    Ok(header)
}

/// `--allow-frame`, as the directive `frame-ancestors` lists it.
fn frames(values: &Values) -> Result<String, ConfigError> {
    let expected = "an origin such as https://app.example.com (no path)";
    let pages: Vec<String> = values.list("allow-frame", expected, |text| match Origin::parse(text)? {
        Origin::Page(page) => Some(page.to_string()),
        Origin::Any | Origin::Opaque => None,
    })?;
    Ok(match pages.is_empty() {
        true => "'none'".to_owned(),
        false => pages.join(" "),
    })
}

/// `--allow-origin`, and the origin of `--public-url`: a proxy may rewrite the `Host` that it would else be
/// compared with.
fn origins(values: &Values, public_url: Option<&PublicUrl>) -> Result<Vec<Origin>, ConfigError> {
    let mut origins = values.list(
        "allow-origin",
        "an origin such as https://app.example.com (no path), * or null",
        Origin::parse,
    )?;
    origins.extend(public_url.map(PublicUrl::origin));
    Ok(origins)
}

/// `--node-address` and `--node-secret`, which go together.
fn node(values: &Values) -> Result<Option<Node>, ConfigError> {
    let expected =
        "HOST:PORT where other nodes reach this one, such as 10.0.0.7:9000 or node-1.internal:9000";
    let address = values.optional("node-address", expected, |text| {
        is_reachable(text).then(|| text.to_owned())
    })?;
    let bytes_min = limits::SECRET_BYTES_MIN;
    let expected = format!(
        "at least {bytes_min} bytes, such as `openssl rand -base64 32` prints, the same for all nodes"
    );
    let secret = values.optional("node-secret", &expected, |text| {
        (text.len() >= bytes_min).then(|| Secret::new(text.as_bytes()))
    })?;
    match (address, secret) {
        (Some(_), Some(_)) if values.given("store").text.is_none() => {
            let expected = "a --store that nodes share beside it: a data file is one node's";
            Err(ConfigError::new(values.given("node-address"), expected))
        }
        (Some(address), Some(secret)) => Ok(Some(Node { address, secret })),
        (None, None) => Ok(None),
        (Some(_), None) => {
            let expected = format!("{expected}, in BOARDWIRE_NODE_SECRET, since --node-address is given");
            Err(ConfigError::new(values.given("node-secret"), expected))
        }
        (None, Some(_)) => {
            let expected = "HOST:PORT where other nodes reach this one, since --node-secret is given";
            Err(ConfigError::new(values.given("node-address"), expected))
        }
    }
}

/// Whether a text is a host and a port that others can connect to.
fn is_reachable(text: &str) -> bool {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return address.port() != 0 && !address.ip().is_unspecified();
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_name = !host.is_empty()
        && host.len() <= 253
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    // Four numbers that are no address are no name either.
    let has_letter = host.bytes().any(|b| b.is_ascii_alphabetic());
    let port_is_good =
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0);
    is_name && has_letter && port_is_good
}

/// `--jwt-*`: secrets and what tokens are checked for.
///
/// # Errors
/// A secret is missing or short and `--dev` is not given, or one of the settings is malformed.
pub fn keys(values: &Values) -> Result<Keys, ConfigError> {
    let mode = mode(values)?;
    let bytes_min = match mode {
        Mode::Standard => limits::SECRET_BYTES_MIN,
        Mode::Dev => 1,
    };
    let secret = |text: &str| (text.len() >= bytes_min).then(|| Secret::new(text.as_bytes()));
    let expected = format!("at least {bytes_min} bytes, such as `openssl rand -base64 32` prints");
    let unnamed = values.optional("jwt-secret", &expected, secret)?;
    let expected =
        format!("NAME:SECRET,NAME:SECRET with names that differ and secrets of at least {bytes_min} bytes");
    let named = values.list("jwt-secrets", &expected, |text| {
        let (name, text) = text.split_once(':').filter(|(name, _)| !name.is_empty())?;
        Some((name.to_owned(), secret(text)?))
    })?;
    let twice = named
        .iter()
        .enumerate()
        .any(|(at, (name, _))| named.iter().take(at).any(|(n, _)| n == name));
    if twice {
        return Err(ConfigError::new(values.given("jwt-secrets"), expected));
    }
    if mode == Mode::Standard && unnamed.is_none() && named.is_empty() {
        let expected = "a secret of at least 32 bytes in BOARDWIRE_JWT_SECRET, such as `openssl rand -base64 32` \
                        prints; or --dev, to try it out";
        return Err(ConfigError::new(values.given("jwt-secret"), expected));
    }
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Keys {
        unnamed,
        named,
        algorithms: values.list(
            "jwt-algorithms",
            "a list of HS256, HS384 and HS512",
            Algorithm::parse,
        )?,
        issuer: values.optional("jwt-issuer", "the issuer that tokens must name", text)?,
        audience: values.optional("jwt-audience", "the audience that tokens must name", text)?,
    })
}
