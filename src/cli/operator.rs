//! Asking a server that runs, as an admin: what commands of its operator have in common.
//!
//! Owns the flags `--url` and `--token`, the token that is made where none is given, and how an answer is
//! taken. Must not know what is asked. Key invariant: no token is in a message. Tests: those of each command
//! in tests/it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use boardwire::client::{Address, Answer, Client, Request as Sent, Verb, Wanted};
use boardwire::ids::UserId;
use boardwire::jwt::{self, Algorithm, Keys, NewClaims};
use boardwire::limits;
use boardwire::server::config::{self, Values};
use boardwire::server::dev_secret;
use boardwire::time::UnixMillis;
use clap::{Arg, ArgMatches};
use serde_json::Value;

/// How long an answer may take: a board may be large, and the way to it slow.
const TIME_MAX: Duration = Duration::from_secs(300);

/// How long the token is good that is made for the purpose. A backup makes them anew.
const TOKEN_TIME: Duration = Duration::from_secs(60);

/// The variable of `--token`.
const TOKEN_VARIABLE: &str = "BOARDWIRE_TOKEN";

/// The time.
pub(super) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Who asks, and whom.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operator {
    url: String,
    /// `--tls-cert`, of the server on this machine where that speaks TLS.
    certificate: Option<PathBuf>,
    credential: Credential,
}

/// By what the server knows that an admin asks.
#[derive(Debug, PartialEq, Eq)]
enum Credential {
    /// A token that somebody gave.
    Token(String),
    /// The server's own keys; without a secret where that of `--dev` lies in a file.
    Keys(Box<Keys>, Option<PathBuf>),
    /// None, and why.
    Missing(String),
}

/// The flags.
pub(super) fn arguments() -> [Arg; 2] {
    let url = "The server [default: where --listen says, on this machine]";
    let token = "The token of an admin, instead of one that is signed with the server's secret";
    [
        super::flag("url", "URL", url),
        super::flag("token", "TOKEN", &format!("{token} [variable: {TOKEN_VARIABLE}]")),
    ]
}

impl Operator {
    /// Checks the flags and the settings shared with the server. That a secret is missing is said when one is
    /// needed.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub(super) fn from_values(
        flags: &ArgMatches,
        settings: &Values,
        variables: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, String> {
        let wrong = |error: config::ConfigError| error.to_string();
        let text = |name: &str| flags.get_one::<String>(name).map(String::as_str);
        let own = config::own_url(settings).map_err(wrong)?;
        // Whoever is named by a URL is known as browsers know them.
        let certificate = match text("url") {
            Some(_) => None,
            None => config::certificate(settings).map_err(wrong)?,
        };
        let url = text("url").map_or(own, str::to_owned);
        let variable = variables(TOKEN_VARIABLE).and_then(|text| text.into_string().ok());
        let token = text("token").map(str::to_owned).or(variable);
        let credential = match (token.filter(|token| !token.is_empty()), config::signing(settings)) {
            (Some(token), _) => Credential::Token(token),
            (None, Ok((keys, file))) => Credential::Keys(Box::new(keys), file),
            (None, Err(error)) => Credential::Missing(error.to_string()),
        };
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            certificate,
            credential,
        })
    }

    /// One that has a secret: of a server that this process runs itself.
    pub(super) fn of(url: String, keys: Keys) -> Self {
        Self {
            url,
            certificate: None,
            credential: Credential::Keys(Box::new(keys), None),
        }
    }

    /// Where the server is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Makes ready to ask; `name` is whom the server's log and audit name.
    ///
    /// # Errors
    /// There is no credential, in one line.
    pub(super) fn connect(&self, name: &str) -> Result<Server, String> {
        Ok(Server {
            url: self.url.clone(),
            authorization: self.authorization(name)?,
            client: Client::of_owner(self.certificate.as_deref()),
        })
    }

    /// The value of `Authorization`, for requests that the caller sends itself.
    ///
    /// # Errors
    /// There is no credential, in one line.
    pub(super) fn authorization(&self, name: &str) -> Result<String, String> {
        Ok(format!("Bearer {}", self.token(name, now())?))
    }

    fn token(&self, name: &str, now: UnixMillis) -> Result<String, String> {
        let (keys, file) = match &self.credential {
            Credential::Token(token) => return Ok(token.clone()),
            Credential::Missing(why) => return Err(why.clone()),
            Credential::Keys(keys, file) => (keys, file),
        };
        let mut keys = keys.clone();
        if let Some(path) = file {
            let secret = dev_secret::load(path);
            let secret = secret.map_err(|error| format!("the secret of --dev, {}: {error}", path.display()));
            keys.unnamed = Some(secret?);
        }
        let (kid, secret) = keys
            .signing()
            .ok_or("--jwt-secret is missing; expected the server's secret")?;
        let algorithm = keys.algorithms.first().copied().unwrap_or(Algorithm::Hs256);
        let user = UserId::parse(name).ok_or("no user id")?;
        let time = u64::try_from(TOKEN_TIME.as_millis()).unwrap_or(u64::MAX);
        let claims = NewClaims {
            admin: true,
            issuer: keys.issuer.clone(),
            audience: keys.audience.clone(),
            ..NewClaims::new(user, now, UnixMillis(now.0.saturating_add(time)))
        };
        Ok(jwt::mint(secret, algorithm, kid, &claims.to_json()))
    }
}

/// A server that can be asked.
pub(super) struct Server {
    url: String,
    authorization: String,
    client: Client,
}

impl Server {
    /// Sends a request; an answer that is no success is an error with the server's reason.
    ///
    /// # Errors
    /// The server cannot be asked, or refuses.
    pub(super) fn ask(&self, verb: Verb, path: &str, body: &[u8]) -> Result<Answer, String> {
        let answer = self.send(verb, path, body)?;
        match answer.status {
            200..=299 => Ok(answer),
            status => {
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let detail = body.get("detail").and_then(Value::as_str).unwrap_or("no reason");
                Err(format!(
                    "{} answers {status}: {}",
                    self.url,
                    super::one_line(detail)
                ))
            }
        }
    }

    /// Sends a request, and gives its answer, whatever it is.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(super) fn send(&self, verb: Verb, path: &str, body: &[u8]) -> Result<Answer, String> {
        let address = Address::parse(&format!("{}{path}", self.url));
        let address = address.map_err(|error| format!("--url {error}"))?;
        let fields = [("Authorization", self.authorization.as_str())];
        let sent = Sent {
            verb,
            address: &address,
            fields: &fields,
            body,
        };
        let wanted = Wanted::Body(limits::OPERATOR_ANSWER_BYTES_MAX);
        let answer = smol::block_on(self.client.send(sent, wanted, TIME_MAX));
        answer.map_err(|error| format!("{}: {error}; is the server running there?", self.url))
    }

    /// The same with JSON.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(super) fn json(&self, verb: Verb, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.ask(verb, path, body.as_bytes())?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// All items of a list.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(super) fn list(&self, path: &str) -> Result<Vec<Value>, String> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.json(Verb::Get, &format!("{path}?limit=500&cursor={cursor}"), None)?;
            items.extend(
                page.get("items")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default(),
            );
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) if next != cursor => next.clone_into(&mut cursor),
                _ => return Ok(items),
            }
        }
    }
}
