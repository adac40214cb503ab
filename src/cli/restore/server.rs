//! A board into a server that runs.
//!
//! Owns what is asked of it, in which order. Must not know the backup. Key invariant: where the document does
//! not arrive, the board that was made for it is removed again. Tests: tests/it/restore.rs.

use boardwire::client::Verb;
use boardwire::copy::{asset_bytes, state_of};
use boardwire::ids::{BoardId, Principal};
use boardwire::store::{Life, Store, StoredAsset, Whole};
use serde_json::json;

use super::super::operator::{Operator, Server};
use super::super::percent;

/// Whom the server's log and audit name.
const OPERATOR: &str = "boardwire restore";

/// Makes the board, and gives it document, title, owner and grants.
///
/// # Errors
/// What the server refused, in one line.
pub(super) fn restore(
    operator: &Operator,
    (backup, whole): (&dyn Store, &Whole),
    to_be: &BoardId,
) -> Result<String, String> {
    let Life::Live(living) = &whole.life else {
        return Err("it was deleted".to_owned());
    };
    let state = state_of(living).map_err(|wrong| wrong.to_string())?.full();
    let server = operator.connect(OPERATOR)?;
    let record = &living.document.record;
    let made = json!({ "id": to_be.as_str(), "title": record.title });
    server.json(Verb::Post, "/v1/boards", Some(&made))?;
    let path = format!("/v1/boards/{}", percent(to_be.as_str()));
    let brought = match whole.board == *to_be {
        true => bring(&server, &path, (backup, &living.assets)),
        // What shows a picture names the board that this is a copy of.
        false => Ok(()),
    };
    let filled = brought.and_then(|()| fill(&server, &path, (whole, &state)));
    if let Err(why) = filled {
        let removed = server.ask(Verb::Delete, &path, b"");
        let left = match removed {
            Ok(_) => "the board that was made for it is removed again".to_owned(),
            Err(error) => format!("the board that was made for it could not be removed: {error}"),
        };
        return Err(format!("{why}; {left}"));
    }
    let left_out = living.secrets.len() + living.webhooks.len();
    let mut line = format!(
        "{}: board {:?} is restored as {:?}",
        operator.url(),
        whole.board.as_str(),
        to_be.as_str()
    );
    if left_out > 0 {
        line.push_str(&format!(
            "; its {left_out} links, keys and webhooks are to be made anew"
        ));
    }
    line.push('\n');
    Ok(line)
}

/// Brings pictures and films, one after the other.
fn bring(server: &Server, path: &str, (backup, assets): (&dyn Store, &[StoredAsset])) -> Result<(), String> {
    for asset in assets {
        let bytes = asset_bytes(backup, asset)?;
        server.ask(Verb::Post, &format!("{path}/assets"), &bytes)?;
    }
    Ok(())
}

fn fill(server: &Server, path: &str, (whole, state): (&Whole, &[u8])) -> Result<(), String> {
    let Life::Live(living) = &whole.life else {
        return Ok(());
    };
    // An empty document is no change.
    if state.len() > 2 {
        server.ask(Verb::Post, &format!("{path}/document"), state)?;
    }
    for (principal, level) in &living.grants {
        let place = match principal {
            Principal::User(user) => format!("users/{}", percent(user.as_str())),
            Principal::Team(team) => format!("teams/{}", percent(team.as_str())),
            Principal::Public => "public".to_owned(),
        };
        let level = json!({ "level": level.as_str() });
        server.json(Verb::Put, &format!("{path}/permissions/{place}"), Some(&level))?;
    }
    if let Some(owner) = &living.document.record.owner {
        // The last act: only its owner and admins may do the others.
        server.json(Verb::Patch, path, Some(&json!({ "owner": owner.as_str() })))?;
    }
    Ok(())
}
