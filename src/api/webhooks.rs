//! `/v1/boards/{board}/webhooks`: who is told of what happens on a board.
//!
//! Owns the shape of a webhook. Must not deliver. Key invariant: the text of a secret is in one answer, the
//! one that made it. Tests: tests/it/webhooks.rs.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::body;
use crate::api::list::{self, Page};
use crate::api::{Answer, Call, conflict, missing};
use crate::audit::Action;
use crate::boards::acts::Event;
use crate::boards::hooks::{Delivery, Hooks};
use crate::boards::rights::Granted;
use crate::fault::Fault;
use crate::http::response::Response;
use crate::items;
use crate::limits;
use crate::net::admission;
use crate::store::{Act, Applied, SigningSecret, StoredWebhook, WebhookId};
use crate::webhooks::payload::secret_text;

/// The kinds of events.
const TYPES: [&str; 2] = ["item", "presence"];

#[derive(Deserialize)]
struct New {
    url: Option<Value>,
    types: Option<Value>,
    kinds: Option<Value>,
}

/// A webhook as clients see it, without its secret.
fn webhook_json(webhook: &StoredWebhook) -> Map<String, Value> {
    let members = [
        ("id", json!(webhook.id.as_str())),
        ("url", json!(webhook.url)),
        ("types", json!(webhook.types)),
        ("kinds", json!(webhook.kinds)),
        ("created_at", json!(webhook.created_at.to_string())),
    ];
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn delivery_json(delivery: Option<Delivery>) -> Value {
    let Some(delivery) = delivery else {
        return Value::Null;
    };
    let mut members = json!({
        "last_at": delivery.last_at.to_string(),
        "failing_since": delivery.failing_since.map(|at| at.to_string()),
    });
    let (name, value) = match delivery.outcome {
        Ok(status) => ("last_status", json!(status)),
        Err(words) => ("last_error", json!(words)),
    };
    if let Some(members) = members.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    members
}

/// Words of which each is one of those that `is_known` knows, each once.
fn words(
    field: &'static str,
    value: Option<Value>,
    is_known: fn(&str) -> bool,
) -> Result<Vec<String>, Response> {
    let wrong = || match field {
        "types" => body::invalid(field, "must be a list of \"item\" and \"presence\""),
        _ => body::invalid(field, "must be a list of types of items"),
    };
    let words = body::optional(value, |value| {
        let Value::Array(values) = value else {
            return Err(wrong());
        };
        let mut words = Vec::new();
        for value in values {
            match value {
                Value::String(word) if is_known(&word) && !words.contains(&word) => words.push(word),
                _ => return Err(wrong()),
            }
        }
        Ok(words)
    })?;
    Ok(words.unwrap_or_default())
}

fn random<const N: usize>() -> Result<[u8; N], Response> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| admission::problem(Fault::Internal))?;
    Ok(bytes)
}

fn make(call: &Call<'_>, new: New, granted: &Granted) -> Result<StoredWebhook, Response> {
    let hooks = hooks(call)?;
    let url = body::required("url", new.url, |value| {
        let text = body::text("url", value, 1..=limits::CLIENT_URL_BYTES_MAX)?;
        hooks.address(&text).map_err(|words| body::invalid("url", &words))
    })?;
    let mut types = words("types", new.types, |word| TYPES.contains(&word))?;
    if types.is_empty() {
        types = TYPES.map(str::to_owned).to_vec();
    }
    Ok(StoredWebhook {
        id: WebhookId::from_bytes(random()?),
        url,
        types,
        kinds: words("kinds", new.kinds, items::is_type)?,
        secret: SigningSecret(random()?),
        created_by: granted.actor.subject.clone(),
        created_at: call.boards().now().unix,
    })
}

fn hooks<'a>(call: &Call<'a>) -> Result<&'a dyn Hooks, Response> {
    let hooks = call.boards().hooks.as_deref();
    hooks.ok_or_else(|| admission::problem(Fault::Internal))
}

/// `POST`: makes one; the answer shows its secret. What happens from then on is delivered.
pub(crate) async fn create(mut call: Call<'_>) -> Answer {
    let granted = call.manager().await?;
    let new: New = call.json().await?;
    let webhook = make(&call, new, &granted)?;
    let event = Event {
        action: Action::WebhookCreate,
        level: None,
        detail: json!({ "id": webhook.id.as_str() }),
    };
    let mut answer = webhook_json(&webhook);
    answer.insert("secret".to_owned(), secret_text(&webhook.secret).into());
    let applied = call.boards().add_webhook(&granted, webhook, event).await;
    match applied.map_err(admission::problem)? {
        Applied::Done => Ok(Response::json(201, &answer).field("Cache-Control", "no-store")),
        Applied::TooMany => {
            let words = "the board has as many webhooks as it may; delete some";
            Err(conflict("too_many_webhooks", words))
        }
        // Two ids of 96 random bits that are the same: the randomness is broken.
        _ => Err(admission::problem(Fault::Internal)),
    }
}

/// `GET`: all of the board, without their secrets, each with what this server knows of its last delivery.
pub(crate) async fn list(call: Call<'_>) -> Answer {
    let board = call.manager().await?.board;
    let page = Page::of(call.request.target)?;
    let after = page.after(WebhookId::parse)?;
    let hooks = hooks(&call)?;
    let asked = board.clone();
    let webhooks = call.boards().read(move |store| store.webhooks(&asked)).await;
    let webhooks = webhooks.map_err(admission::problem)?.into_iter();
    let later = webhooks.filter(|webhook| after.as_ref().is_none_or(|after| *after < webhook.id));
    let rows: Vec<Value> = later
        .take(page.lookup())
        .map(|webhook| {
            let mut row = webhook_json(&webhook);
            let delivery = hooks.delivery(&board, &webhook.id);
            row.insert("delivery".to_owned(), delivery_json(delivery));
            row.into()
        })
        .collect();
    Ok(page.answer(&rows, |row| list::text_of(row, "id")))
}

/// `DELETE .../{id}`: nothing more is delivered.
pub(crate) async fn delete(call: Call<'_>) -> Answer {
    let granted = call.manager().await?;
    let none = || missing("no_such_webhook", "the board has no such webhook");
    let id = WebhookId::parse(call.captured(1)).ok_or_else(none)?;
    let event = Event {
        action: Action::WebhookDelete,
        level: None,
        detail: json!({ "id": id.as_str() }),
    };
    let applied = call.boards().act(&granted, Act::RemoveWebhook(id.clone()), event);
    if applied.await.map_err(admission::problem)? == Applied::NotThere {
        return Err(none());
    }
    hooks(&call)?.removed(&granted.board, &id);
    Ok(Response::new(204))
}
