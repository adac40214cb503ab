//! What `--dev` prints once it listens: ready-made links, and a snippet that a stock client can use at once.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use boardwire::ids::UserId;
use boardwire::jwt::{Keys, NewClaims, mint};
use boardwire::time::UnixMillis;

/// How long the printed tokens are valid: a day of trying out.
const VALID_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The people in the links.
const NAMES: [&str; 2] = ["alice", "bob"];

/// The whole text.
pub(crate) fn text(keys: &Keys, address: SocketAddr, now: UnixMillis) -> String {
    let mut text =
        String::from("\nBoardwire runs for trying out (--dev): a board exists once somebody opens it.\n");
    for name in NAMES {
        let Some(token) = token(keys, name, now) else {
            continue;
        };
        // Writing to a string cannot fail.
        write!(
            text,
            "\n{name} on the board \"demo\":\n  \
             ws://{address}/ws/canvas/demo?token={token}\n  \
             http://{address}/v1/boards/demo/document?format=json&token={token}\n"
        )
        .unwrap_or_default();
    }
    if let Some(token) = token(keys, NAMES[0], now) {
        text.push_str("\nA stock client (npm install yjs y-websocket):\n\n");
        text.push_str(&snippet(address, &token));
    }
    text
}

/// JavaScript that a stock client can run as it is.
fn snippet(address: SocketAddr, token: &str) -> String {
    format!(
        "  import * as Y from 'yjs'\n  \
         import {{ WebsocketProvider }} from 'y-websocket'\n  \
         const doc = new Y.Doc()\n  \
         const provider = new WebsocketProvider('ws://{address}/ws/canvas', 'demo', doc, {{\n    \
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

    #[test]
    fn the_links_hold_tokens_that_verify() {
        let keys = Keys::single(Secret::new(*b"0123456789abcdef0123456789abcdef"));
        let now = UnixMillis(1_700_000_000_000);
        let text = text(&keys, "127.0.0.1:8080".parse().unwrap(), now);
        let verifier = Verifier::new(keys);
        let tokens: Vec<&str> = text
            .split("token=")
            .skip(1)
            .map(|rest| rest.split_whitespace().next().unwrap())
            .collect();
        assert_eq!(tokens.len(), 4);
        for (token, name) in tokens.iter().zip(["alice", "alice", "bob", "bob"]) {
            assert_eq!(verifier.verify(token, now).unwrap().user.as_str(), name);
        }
    }
}
