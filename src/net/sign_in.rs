//! Who is signed in without a token: by the cookie of a session, or by a proxy that is trusted.
//!
//! Owns both, and the rule for what a browser sends by itself: it counts only where nobody chose a token or
//! key to send, and for a change only where a page of this server asks. Must not know what is asked for. Key
//! invariants: a cookie is known by its hash alone; the field that names a user is believed of a trusted
//! proxy only, and refused of others; a page of another site changes nothing with what the browser sends
//! along. Tests: tests/it/sessions.rs, tests/it/proxy_users.rs, and below.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::access::Presented;
use crate::access::secret::{SECRET_BYTES, SecretHash, SecretKind};
use crate::boards::sessions::StoredSession;
use crate::fault::Fault;
use crate::http::forwarded::Cidr;
use crate::http::head::{Head, Method};
use crate::http::origin::{self, Origin};
use crate::http::response::{Problem, Response};
use crate::http::target::Target;
use crate::ids::{SecretId, UserId};
use crate::jwt::Claims;
use crate::limits;
use crate::metrics::ORIGIN_REFUSED;
use crate::net::Shell;
use crate::time::UnixMillis;

/// The cookie that a session is kept in.
pub(crate) const COOKIE: &str = "boardwire_session";

/// What the text of a session begins with, so that scanners of leaked secrets know it.
const PREFIX: &str = "bws_";

/// What is set about signing in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// `--public-url`, as people are told it.
    pub(crate) address: Option<String>,
    /// The origin of that.
    pub(crate) origin: Option<Origin>,
    /// `--tls-cert`.
    pub(crate) encryption: Encryption,
    /// `--trusted-user-header`, in lower case.
    pub(crate) user_header: Option<String>,
}

/// How this server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// As it comes: a proxy may have ended TLS.
    #[default]
    None,
    /// Over TLS only.
    Tls,
}

impl Settings {
    /// Whether browsers are to send the cookie over TLS only: they reach the server by it.
    fn is_secure(&self) -> bool {
        let address = self.address.as_deref().unwrap_or_default();
        self.encryption == Encryption::Tls || address.starts_with("https:")
    }
}

/// Who is signed in so.
#[derive(Clone, Debug)]
pub(crate) enum SignedIn {
    /// By a session.
    Session(StoredSession),
    /// By a proxy.
    Proxy(UserId),
}

impl SignedIn {
    /// What a token of theirs would say.
    pub(crate) fn claims(&self, now: UnixMillis) -> Claims {
        match self {
            Self::Session(session) => Claims {
                user: session.user.clone(),
                expires_at: session.expires_at,
                teams: Vec::new(),
                admin: session.admin,
                boards: session.boards.clone(),
                name: Some(session.name.as_str().into()),
                session: Some(session.hash.id()),
            },
            Self::Proxy(user) => Claims {
                user: user.clone(),
                expires_at: later(now, limits::PROXY_SIGN_IN_TIME),
                teams: Vec::new(),
                admin: false,
                boards: Vec::new(),
                name: Some(user.as_str().into()),
                session: None,
            },
        }
    }
}

/// `by` later than `from`.
pub(crate) fn later(from: UnixMillis, by: std::time::Duration) -> UnixMillis {
    let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    UnixMillis(from.0.saturating_add(by))
}

/// What was found of somebody who sent no token.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Who is signed in.
    pub(crate) signed_in: Option<SignedIn>,
    /// There was a session, and it is over.
    pub(crate) is_over: bool,
}

/// Finds out who is signed in, beside a share link or alone.
///
/// # Errors
/// [`Fault::InvalidCredential`] where a proxy names nobody who can be; what reading failed with.
pub(crate) async fn find(
    shell: &Arc<Shell>,
    head: &Head<'_>,
    presented: Presented<'_>,
) -> Result<Found, Fault> {
    // What a browser sends by itself does not count beside what somebody chose to send.
    if is_chosen(presented) {
        return Ok(Found::default());
    }
    let header = shell.settings.sign_in.user_header.as_deref();
    if let Some(text) = header.map(|name| head.unique(name)) {
        let text = text.map_err(|_| Fault::InvalidCredential)?;
        if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
            let user = UserId::parse(text).ok_or(Fault::InvalidCredential)?;
            return Ok(Found {
                signed_in: Some(SignedIn::Proxy(user)),
                is_over: false,
            });
        }
    }
    let Some(hash) = cookie(head).map(SecretHash::of) else {
        return Ok(Found::default());
    };
    let session = session_of(shell, hash.id()).await?;
    let session = session.filter(|session| session.hash.matches(&hash));
    Ok(Found {
        is_over: session.is_none(),
        signed_in: session.map(SignedIn::Session),
    })
}

/// The session of this id, if it stands.
async fn session_of(shell: &Arc<Shell>, id: SecretId) -> Result<Option<StoredSession>, Fault> {
    let now = shell.now().unix;
    let session = shell.boards.session(id).await?;
    Ok(session.filter(|session| session.revoked_at.is_none() && now < session.expires_at))
}

/// Refuses the field that names a user of everybody but a proxy that is trusted, before the request is
/// passed on or decided about.
///
/// # Errors
/// [`Fault::InvalidCredential`].
pub(crate) fn check_proxy(shell: &Shell, head: &Head<'_>, peer: IpAddr) -> Result<(), Fault> {
    let Some(name) = shell.settings.sign_in.user_header.as_deref() else {
        return Ok(());
    };
    let is_trusted = || {
        let live = shell.live.get();
        live.trusted_proxies
            .iter()
            .any(|range: &Cidr| range.contains(peer))
    };
    if head.values(name).next().is_none() || is_trusted() {
        return Ok(());
    }
    tracing::debug!(%peer, "refused a field that names a user, of nobody who is trusted");
    Err(Fault::InvalidCredential)
}

/// Lets a change on that rests on what a browser sends by itself only where a page of this server asks.
///
/// # Errors
/// The refusal: 403.
///
/// # Source
/// RFC 6454, 7; browsers name the origin with every request but GET and HEAD, and with every WebSocket.
pub(crate) fn check_origin(
    shell: &Shell,
    (head, target): (&Head<'_>, &Target<'_>),
    doing: Doing,
) -> Result<(), Response> {
    let harmless = doing == Doing::Request && matches!(head.method, Method::Get | Method::Head);
    if harmless || !is_ambient(shell, head) || is_own_page(shell, head) {
        return Ok(());
    }
    let chosen = Presented::find(head, target);
    if chosen.is_ok_and(is_chosen) {
        return Ok(());
    }
    shell.metrics.refused_origin();
    Err(foreign_page())
}

/// Whether somebody chose to send a token or key; a share link is for a board, and says nothing of who asks.
fn is_chosen(presented: Presented<'_>) -> bool {
    let mut secrets = presented.secrets();
    presented.tokens().next().is_some() || secrets.any(|sent| sent.kind == SecretKind::Key)
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// An answer.
    Request,
    /// A WebSocket, which a browser opens to whatever server a page names.
    Upgrade,
}

/// Whether a request has what a browser, or a proxy, sends by itself.
fn is_ambient(shell: &Shell, head: &Head<'_>) -> bool {
    let header = shell.settings.sign_in.user_header.as_deref();
    cookie(head).is_some() || header.is_some_and(|name| head.values(name).next().is_some())
}

/// Whether a page of this server asks.
pub(crate) fn is_own_page(shell: &Shell, head: &Head<'_>) -> bool {
    let Ok(Some(sent)) = head.unique("origin") else {
        return false;
    };
    let own = shell.settings.sign_in.origin.as_slice();
    origin::allowed(Some(sent), head.host, own)
}

/// A refusal of a page that is none of ours.
pub(crate) fn foreign_page() -> Response {
    Response::problem(&Problem {
        status: 403,
        code: ORIGIN_REFUSED,
        title: "A page of another origin asks",
        detail:
            "who is signed in by a cookie or a proxy makes changes from the server's own page only; send a \
                 token, or name the address that people open with --public-url"
                .into(),
        field: None,
    })
}

/// The text of the session's cookie, where there is one.
///
/// # Source
/// RFC 6265, 4.2.1 and 5.4: the one with the longest path comes first.
pub(crate) fn cookie<'a>(head: &'a Head<'_>) -> Option<&'a str> {
    let pairs = head
        .values("cookie")
        .flat_map(|value| value.split(|b| *b == b';'));
    let mut texts = pairs.filter_map(|pair| {
        let (name, text) = str::from_utf8(pair).ok()?.trim_ascii().split_once('=')?;
        (name == COOKIE && !text.is_empty()).then_some(text)
    });
    texts.next()
}

/// The text of a new session, from fresh random bytes.
pub(crate) fn new_text(random: [u8; SECRET_BYTES]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random))
}

/// The value of `Set-Cookie` that keeps a session; without a text, the one that forgets it.
pub(crate) fn set_cookie(shell: &Shell, text: Option<&str>) -> String {
    let seconds = text.map_or(0, |_| limits::SESSION_TIME.as_secs());
    let path = match shell.settings.base_path.as_str() {
        "" => "/",
        base => base,
    };
    let secure = match shell.settings.sign_in.is_secure() {
        true => "; Secure",
        false => "",
    };
    format!(
        "{COOKIE}={}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
        text.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head;

    #[test]
    fn a_cookie_is_found_among_others() {
        for (fields, expected) in [
            ("", None),
            ("Cookie: boardwire_session=bws_a\r\n", Some("bws_a")),
            ("Cookie: a=b; boardwire_session=bws_a; c=d\r\n", Some("bws_a")),
            (
                "Cookie: a=b\r\nCookie: boardwire_session=bws_a\r\n",
                Some("bws_a"),
            ),
            (
                "Cookie: boardwire_session=first;boardwire_session=second\r\n",
                Some("first"),
            ),
            ("Cookie: boardwire_session=\r\n", None),
            ("Cookie: xboardwire_session=bws_a\r\n", None),
            ("Cookie: boardwire_session\r\n", None),
            ("Cookie: a=\u{e4}; boardwire_session=bws_a\r\n", Some("bws_a")),
        ] {
            let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let (head, _) = head::parse(bytes.as_bytes()).unwrap().unwrap();
            assert_eq!(cookie(&head), expected, "{fields}");
        }
    }
}
