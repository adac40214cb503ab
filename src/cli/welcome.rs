//! What `--dev` prints once it listens: ready-made links, and a snippet that a stock client can use at once.

use std::fmt::Write as _;
use std::time::Duration;

use boardwire::ids::UserId;
use boardwire::jwt::{Keys, NewClaims, mint};
use boardwire::time::UnixMillis;

/// How long the printed tokens are valid: a day of trying out.
const VALID_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The people in the links.
const NAMES: [&str; 2] = ["alice", "bob"];

/// Whether the server has a page to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// It has.
    BuiltIn,
    /// It was built without.
    Absent,
}

/// The whole text: what to open first, and then what to connect with. `base` is where people reach the
/// server, without a slash at its end.
pub(crate) fn text(keys: &Keys, base: &str, now: UnixMillis, page: Page) -> String {
    // Of http comes ws, and of https wss.
    let sockets = base.replacen("http", "ws", 1);
    let mut text =
        String::from("\nBoardwire runs for trying out (--dev): a board exists once somebody opens it.\n");
    let tokens = NAMES.map(|name| Some((name, token(keys, name, now)?)));
    if let (Page::BuiltIn, [Some((_, alice)), Some((_, bob))]) = (page, &tokens) {
        // Writing to a string cannot fail.
        write!(
            text,
            "\nOpen it in two windows, as two people, and draw:\n  \
             {base}/board/demo?token={alice}\n  \
             {base}/board/demo?token={bob}\n\
             \nAll boards, and sharing them:\n  \
             {base}/?token={alice}\n"
        )
        .unwrap_or_default();
    }
    for (name, token) in tokens.iter().flatten() {
        write!(
            text,
            "\n{name} on the board \"demo\", for clients of your own:\n  \
             {sockets}/ws/canvas/demo?token={token}\n  \
             {base}/v1/boards/demo/document?format=json&token={token}\n"
        )
        .unwrap_or_default();
    }
    if let [Some((_, token)), ..] = &tokens {
        text.push_str("\nA stock client (npm install yjs y-websocket):\n\n");
        text.push_str(&snippet(&sockets, token));
    }
    text
}

/// JavaScript that a stock client can run as it is.
fn snippet(sockets: &str, token: &str) -> String {
    format!(
        "  import * as Y from 'yjs'\n  \
         import {{ WebsocketProvider }} from 'y-websocket'\n  \
         const doc = new Y.Doc()\n  \
         const provider = new WebsocketProvider('{sockets}/ws/canvas', 'demo', doc, {{\n    \
         params: {{ token: '{token}' }},\n  }})\n  \
         doc.getMap('hello').observe(() => console.log(doc.getMap('hello').toJSON()))\n  \
         provider.once('sync', () => doc.getMap('hello').set('from', 'alice'))\n\n"
    )
}

fn token(keys: &Keys, name: &str, now: UnixMillis) -> Option<String> {
    let algorithm = *keys.algorithms.first()?;
    let (kid, secret) = match (&keys.unnamed, keys.named.first()) {
        (Some(secret), _) => (None, secret),
        (None, Some((kid, secret))) => (Some(kid.as_str()), secret),
        (None, None) => return None,
    };
    let until = UnixMillis(now.0 + u64::try_from(VALID_FOR.as_millis()).ok()?);
    let mut claims = NewClaims::new(UserId::parse(name)?, now, until);
    claims.issuer.clone_from(&keys.issuer);
    claims.audience.clone_from(&keys.audience);
    Some(mint(secret, algorithm, kid, &claims.to_json()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use boardwire::jwt::{Secret, Verifier};

    const BASE: &str = "http://127.0.0.1:8080";

    fn tokens_in(text: &str) -> Vec<&str> {
        text.split("token=")
            .skip(1)
            .map(|rest| rest.split_whitespace().next().unwrap())
            .collect()
    }

    #[test]
    fn the_links_hold_tokens_that_verify() {
        let keys = Keys::single(Secret::new(*b"0123456789abcdef0123456789abcdef"));
        let now = UnixMillis(1_700_000_000_000);
        let clients = ["alice", "alice", "bob", "bob"];
        let people = ["alice", "bob", "alice"];
        for (page, names) in [
            (Page::Absent, clients.to_vec()),
            (Page::BuiltIn, [&people[..], &clients].concat()),
        ] {
            let text = text(&keys, BASE, now, page);
            let verifier = Verifier::new(keys.clone());
            let tokens = tokens_in(&text);
            assert_eq!(tokens.len(), names.len(), "{page:?}");
            for (token, name) in tokens.iter().zip(names) {
                assert_eq!(verifier.verify(token, now).unwrap().user.as_str(), name);
            }
        }
    }

    #[test]
    fn what_to_open_comes_first_where_there_is_a_page() {
        let keys = Keys::single(Secret::new(*b"0123456789abcdef0123456789abcdef"));
        let links = |page| {
            let text = text(&keys, BASE, UnixMillis(1_700_000_000_000), page);
            let links = text.lines().filter_map(|line| line.trim().split_once("?token="));
            links.map(|(link, _)| link.to_owned()).collect::<Vec<_>>()
        };
        let (with, without) = (links(Page::BuiltIn), links(Page::Absent));
        let page = [
            "http://127.0.0.1:8080/board/demo",
            "http://127.0.0.1:8080/board/demo",
            "http://127.0.0.1:8080/",
        ];
        assert_eq!(with.get(..3), Some(&page.map(str::to_owned)[..]));
        assert!(
            !without
                .iter()
                .any(|link| link.contains("/board/") || link.ends_with("8080/")),
            "{without:?}"
        );
    }

    #[test]
    fn every_address_is_where_people_reach_the_server() {
        let keys = Keys::single(Secret::new(*b"0123456789abcdef0123456789abcdef"));
        let text = text(
            &keys,
            "https://boards.example:8443/x",
            UnixMillis(1_700_000_000_000),
            Page::BuiltIn,
        );
        for link in [
            "https://boards.example:8443/x/board/demo?token=",
            "https://boards.example:8443/x/?token=",
            "wss://boards.example:8443/x/ws/canvas/demo?token=",
            "https://boards.example:8443/x/v1/boards/demo/document?",
            "'wss://boards.example:8443/x/ws/canvas'",
        ] {
            assert!(text.contains(link), "{link}");
        }
        let addresses = text.matches("://").count();
        assert_eq!(text.matches("s://boards.example:8443/x/").count(), addresses);
    }
}
