//! `/v1/boards/{board}/permissions`: grants to users, teams and the public.
//!
//! Must not decide what a grant is worth. Key invariant: a grant is answered once it is durable; who is
//! connected is decided about again right after. Tests: tests/it/permissions.rs.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::body;
use crate::api::list::{self, Page};
use crate::api::{Answer, Call, conflict, missing};
use crate::audit::Action;
use crate::boards::acts::Event;
use crate::http::response::{Problem, Response};
use crate::ids::{Level, Principal, TeamId, UserId};
use crate::net::admission;
use crate::store::{Act, Applied};

/// `GET`: users, then teams, then the public.
pub(crate) async fn list(call: Call<'_>) -> Answer {
    let board = call.manager().await?.board;
    let page = Page::of(call.request.target)?;
    let (after, limit) = (page.after(Principal::parse)?, page.lookup());
    let grants = call
        .boards()
        .read(move |store| store.grants(&board, after.as_ref(), limit))
        .await
        .map_err(admission::problem)?;
    let rows: Vec<Value> = grants
        .iter()
        .map(|(principal, level)| grant_json(principal, *level))
        .collect();
    Ok(page.answer(&rows, |row| list::text_of(row, "principal")))
}

fn grant_json(principal: &Principal, level: Level) -> Value {
    json!({ "principal": principal.to_string(), "level": level.as_str() })
}

/// Whose grants a path is about.
#[derive(Clone, Copy)]
pub(crate) enum Whose {
    /// `.../users/{user}`.
    User,
    /// `.../teams/{team}`.
    Team,
    /// `.../public`.
    Public,
}

impl Whose {
    fn principal(self, call: &Call<'_>) -> Result<Principal, Response> {
        let id = call.captured(1);
        let (principal, code, field) = match self {
            Self::User => (UserId::parse(id).map(Principal::User), "invalid_user_id", "user"),
            Self::Team => (TeamId::parse(id).map(Principal::Team), "invalid_team_id", "team"),
            Self::Public => (Some(Principal::Public), "", ""),
        };
        principal.ok_or_else(|| {
            Response::problem(&Problem {
                status: 400,
                code,
                title: "Invalid id",
                detail: "an id has 1 to 256 bytes of UTF-8 without control characters".into(),
                field: Some(field),
            })
        })
    }
}

#[derive(Deserialize)]
struct NewGrant {
    level: Option<Value>,
}

/// `PUT`: grants a level, in place of one granted before.
pub(crate) async fn put(mut call: Call<'_>, whose: Whose) -> Answer {
    let granted = call.manager().await?;
    let principal = whose.principal(&call)?;
    let new: NewGrant = call.json().await?;
    let level = body::required("level", new.level, |value| body::level("level", &value))?;
    let event = Event {
        action: Action::PermissionSet,
        level: Some(level),
        detail: json!({ "principal": principal.to_string() }),
    };
    let act = Act::Grant {
        principal: principal.clone(),
        level,
    };
    match call
        .boards()
        .act(&granted, act, event)
        .await
        .map_err(admission::problem)?
    {
        Applied::TooMany => Err(conflict(
            "too_many_grants",
            "the board has as many grants as it may",
        )),
        _ => Ok(Response::json(200, &grant_json(&principal, level))),
    }
}

/// `DELETE`: takes a grant back.
pub(crate) async fn delete(call: Call<'_>, whose: Whose) -> Answer {
    let granted = call.manager().await?;
    let principal = whose.principal(&call)?;
    let event = Event {
        action: Action::PermissionRemove,
        level: None,
        detail: json!({ "principal": principal.to_string() }),
    };
    let act = Act::Ungrant { principal };
    match call
        .boards()
        .act(&granted, act, event)
        .await
        .map_err(admission::problem)?
    {
        Applied::NotThere => Err(missing("no_such_grant", "there is no such grant on the board")),
        _ => Ok(Response::new(204)),
    }
}
