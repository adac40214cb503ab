//! `/v1/boards/{board}/items`: what is drawn on a board, one by one, in pages, and in batches.
//!
//! Owns the way of a request through `items` and `boards::content`, and what is answered. Must not know
//! records. Key invariants: a change is answered once it is durable, and by rights that hold at that moment;
//! a batch is one change. Tests: tests/it/items.rs.

pub(crate) mod conditions;
mod pictures;
mod view;

pub(crate) use view::{Wanted, list, look, room, space};

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::api::body;
use crate::api::items::conditions::{IfMatch, Mark};
use crate::api::list;
use crate::api::{Answer, Call, failed_content, failed_work, uuid};
use crate::boards::Boards;
use crate::boards::agents::{Cursor, Touched};
use crate::boards::content::{Authority, Basis, Decided, Failed};
use crate::boards::outlet::{Action, Announcement};
use crate::boards::rights::Granted;
use crate::fault::Fault;
use crate::http::response::{Problem, Response};
use crate::ids::{BoardId, ItemId};
use crate::items::{self, Item, Operation, Outcome, Record, Records, Refused, Stamp, Why};
use crate::limits;
use crate::net::admission;

/// `GET .../items/{item}`.
pub(crate) async fn get(call: Call<'_>) -> Answer {
    let granted = call.granted().await?;
    let item = one(call.boards(), &granted.board, item_id(&call)?).await?;
    if conditions::is_known(call.request.head, &item.revision) {
        return Ok(tagged(Response::new(304), &item));
    }
    Ok(tagged(Response::json(200, &item.json), &item))
}

/// An item of a board.
///
/// # Errors
/// The refusal, also where there is none.
pub(crate) async fn one(boards: &Arc<Boards>, board: &BoardId, id: ItemId) -> Result<Item, Response> {
    let read = boards.read_content(board, move |records| items::read(records, &id));
    let item = read.await.map_err(failed_content)?;
    item.ok_or_else(no_such_item)
}

/// `POST .../items`.
pub(crate) async fn create(mut call: Call<'_>) -> Answer {
    let granted = call.editor(call.granted().await?)?;
    let key = Mark::key(call.request.head)?;
    let body = call.body().await?;
    let item: Record = body::parse(&body)?;
    let mark = key.map(|key| Mark::of(&granted.board, &granted.grant.subject, &key, &body));
    free("id", &item)?;
    let operation = creation(item, mark.as_ref(), 0)?;
    let board = granted.board.clone();
    let outcomes = Write::of(operation).run(call.boards(), granted).await?;
    let base = &call.shell.settings.base_path;
    let answer = |item: &Item| {
        let id = list::text_of(&item.json, "id");
        let location = format!("{base}/v1/boards/{board}/items/{id}");
        let response = Response::json(201, &item.json).field("Location", location);
        tagged(response, item)
    };
    match outcomes.first() {
        Some(Outcome::Created(item)) => Ok(answer(item)),
        Some(Outcome::Repeated(item)) => Ok(replayed(answer(item))),
        _ => Err(no_such_item()),
    }
}

/// `PATCH .../items/{item}`.
pub(crate) async fn update(mut call: Call<'_>) -> Answer {
    let granted = call.editor(call.granted().await?)?;
    let id = item_id(&call)?;
    let patch: Record = call.json().await?;
    let write = Write {
        condition: IfMatch::of(call.request.head),
        ..Write::of(Operation::Update { id, patch })
    };
    let outcomes = write.run(call.boards(), granted).await?;
    match outcomes.first() {
        Some(Outcome::Updated(item)) => Ok(tagged(Response::json(200, &item.json), item)),
        _ => Err(no_such_item()),
    }
}

/// `DELETE .../items/{item}`.
pub(crate) async fn delete(call: Call<'_>) -> Answer {
    let granted = call.editor(call.granted().await?)?;
    let id = item_id(&call)?;
    let write = Write {
        condition: IfMatch::of(call.request.head),
        ..Write::of(Operation::Delete { id })
    };
    write.run(call.boards(), granted).await?;
    Ok(Response::new(204))
}

/// `POST .../items/batch`.
pub(crate) async fn batch(mut call: Call<'_>) -> Answer {
    let granted = call.editor(call.granted().await?)?;
    let key = Mark::key(call.request.head)?;
    let body = call.body().await?;
    let batch: Record = body::parse(&body)?;
    let mark = key.map(|key| Mark::of(&granted.board, &granted.grant.subject, &key, &body));
    call.reserve(limits::ANSWER_BYTES).await?;
    let write = Write::batch(operations(batch, mark.as_ref())?);
    let outcomes = write.run(call.boards(), granted).await?;
    let results: Vec<BatchResult<'_>> = outcomes.iter().map(BatchResult::of).collect();
    let response = Response::json(200, &json!({ "results": results })).field("Cache-Control", "no-store");
    let is_repeated = outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Repeated(_)));
    Ok(if is_repeated { replayed(response) } else { response })
}

/// Does a batch for somebody who may edit; what has become of each operation.
///
/// # Errors
/// The refusal; then nothing is done.
pub(crate) async fn change(
    boards: &Arc<Boards>,
    granted: Granted,
    batch: Record,
) -> Result<Vec<Outcome>, Response> {
    Write::batch(operations(batch, None)?).run(boards, granted).await
}

#[derive(Serialize)]
struct BatchResult<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<&'a [Item]>,
}

impl<'a> BatchResult<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let (status, item, items) = match outcome {
            Outcome::Created(item) | Outcome::Repeated(item) => (201, Some(item), None),
            Outcome::Updated(item) => (200, Some(item), None),
            Outcome::LaidOut(items) => (200, None, Some(items.as_slice())),
            Outcome::Deleted(_) => (204, None, None),
        };
        Self { status, item, items }
    }
}

/// The operations of a batch's body.
fn operations(mut batch: Record, mark: Option<&Mark>) -> Result<Vec<Operation>, Response> {
    let listed = batch.remove("operations");
    if let Some(unknown) = batch.keys().next() {
        return Err(body::invalid_at(
            &items::shown(unknown),
            "is no member of a batch",
        ));
    }
    let Some(Value::Array(listed)) = listed else {
        return Err(body::invalid_at("operations", "must be an array"));
    };
    if listed.len() > limits::ITEM_OPERATIONS_MAX {
        let detail = format!("must be at most {}", limits::ITEM_OPERATIONS_MAX);
        return Err(body::invalid_at("operations", &detail));
    }
    let operations = listed.into_iter().enumerate();
    operations
        .map(|(index, value)| operation(index, value, mark))
        .collect()
}

fn operation(index: usize, value: Value, mark: Option<&Mark>) -> Result<Operation, Response> {
    let at = |member: &str| format!("operations[{index}]{member}");
    let Value::Object(mut members) = value else {
        return Err(body::invalid_at(&at(""), "must be an object"));
    };
    let (action, item) = (members.remove("action"), members.remove("item"));
    if let Some(unknown) = members.keys().next() {
        return Err(body::invalid_at(
            &at(&format!(".{}", items::shown(unknown))),
            "is no member of an operation",
        ));
    }
    let Some(Value::Object(item)) = item else {
        return Err(body::invalid_at(&at(".item"), "must be an object"));
    };
    let id = || {
        let id = item.get("id").and_then(Value::as_str).and_then(ItemId::parse);
        id.ok_or_else(|| body::invalid_at(&at(".item.id"), "must be the id of an item"))
    };
    match action.as_ref().and_then(Value::as_str) {
        Some("create") => {
            free(&at(".item.id"), &item)?;
            creation(item, mark, index)
        }
        Some("update") => Ok(Operation::Update {
            id: id()?,
            patch: item,
        }),
        Some("delete") => Ok(Operation::Delete { id: id()? }),
        Some("layout") => Ok(Operation::Layout { layout: item }),
        _ => Err(body::invalid_at(
            &at(".action"),
            "must be create, update, delete or layout",
        )),
    }
}

/// Refuses an id that no path would lead to.
fn free(field: &str, item: &Record) -> Result<(), Response> {
    let id = item.get("id").and_then(Value::as_str);
    let taken = items::PATHS.iter().find(|(path, _)| id == Some(*path));
    taken.map_or(Ok(()), |(_, what)| {
        Err(body::invalid_at(field, &format!("is the path of {what}")))
    })
}

/// The creation of an item, which is named after the request's key or at random where it has no id.
fn creation(item: Record, mark: Option<&Mark>, index: usize) -> Result<Operation, Response> {
    let id = match mark {
        Some(mark) => mark.id(index),
        None => uuid::random().and_then(|id| ItemId::parse(&id).ok_or(Fault::Internal)),
    };
    Ok(Operation::Create {
        item,
        id: id.map_err(admission::problem)?,
        request: mark.map(|mark| mark.request.clone()),
    })
}

/// Where in the request its operations stand.
#[derive(Clone, Copy)]
enum Place {
    /// It is one.
    Alone,
    Batch,
}

/// A change that was asked for.
struct Write {
    operations: Vec<Operation>,
    condition: IfMatch,
    place: Place,
}

/// What comes of a change, once it is durable.
struct Decision {
    outcomes: Vec<Outcome>,
    is_changed: bool,
    /// Its place among the board's changes that are published.
    announcement: Option<Box<dyn Announcement>>,
}

/// Why a change was not made.
enum Unwritten {
    Refused(Refused),
    /// The item is another revision.
    Stale,
}

impl Write {
    fn of(operation: Operation) -> Self {
        Self {
            operations: vec![operation],
            condition: IfMatch::Absent,
            place: Place::Alone,
        }
    }

    fn batch(operations: Vec<Operation>) -> Self {
        Self {
            operations,
            condition: IfMatch::Absent,
            place: Place::Batch,
        }
    }

    /// Makes the change, in one transaction, and tells everybody else.
    async fn run(mut self, boards: &Arc<Boards>, granted: Granted) -> Result<Vec<Outcome>, Response> {
        let place = self.place;
        let at = |index: usize| match place {
            Place::Alone => String::new(),
            Place::Batch => format!("operations[{index}].item."),
        };
        pictures::resolve(boards, &granted.board, &mut self.operations, &at).await?;
        let basis = match self.condition {
            IfMatch::Absent => Basis::Any,
            IfMatch::Revisions(_) => Basis::Unchanged,
        };
        let (subject, at) = (granted.grant.subject.clone(), boards.now().unix);
        let (outlet, board) = (boards.outlet.clone(), granted.board.clone());
        let decide = move |records: &dyn Records| {
            let stamp = Stamp {
                actor: subject.as_str(),
                at,
            };
            let (writes, mut decision) = self.decide(records, stamp)?;
            // It is the board's turn until the room accepts the change: the places are in the order of the
            // changes.
            let outlet = outlet.clone().filter(|_| decision.is_changed);
            decision.announcement = outlet.map(|outlet| outlet.reserve(&board));
            Ok((writes, decision))
        };
        let authority = Authority::Granted(Box::new(granted.clone()));
        let written = boards.write_content(authority, basis, decide).await;
        let decision = written.map_err(|failed| failed_write(failed, place))?;
        let outcomes = decision.outcomes;
        if decision.is_changed {
            announce(boards, &granted, &outcomes, decision.announcement);
        }
        Ok(outcomes)
    }

    /// What is to be written; and what to answer, and whether anything changes.
    fn decide(&self, records: &dyn Records, stamp: Stamp<'_>) -> Decided<Decision, Unwritten> {
        if let (IfMatch::Revisions(_), Some(Operation::Update { id, .. } | Operation::Delete { id })) =
            (&self.condition, self.operations.first())
            && let Some(item) = items::read(records, id)
            && !self.condition.holds(&item.revision)
        {
            return Err(Unwritten::Stale);
        }
        let plan = items::apply(records, &self.operations, stamp).map_err(Unwritten::Refused)?;
        let decision = Decision {
            outcomes: plan.outcomes,
            is_changed: !plan.writes.is_empty(),
            announcement: None,
        };
        Ok((plan.writes, decision))
    }
}

/// Tells others what an agent has changed: everything that is to know of changes over HTTP hangs here.
fn announce(
    boards: &Arc<Boards>,
    granted: &Granted,
    outcomes: &[Outcome],
    announcement: Option<Box<dyn Announcement>>,
) {
    if let Some(announcement) = announcement {
        let changes: Vec<_> = outcomes.iter().flat_map(published).collect();
        announcement.fill(&changes);
    }
    let mut touched = Touched {
        doing: doing(outcomes),
        ..Touched::default()
    };
    for outcome in outcomes {
        if matches!(outcome, Outcome::Repeated(_)) {
            continue;
        }
        let is_there = !matches!(outcome, Outcome::Deleted(_));
        for item in outcome.items() {
            let number = |name: &str| item.json.get(name).and_then(Value::as_f64);
            if let (Some(x), Some(y)) = (number("x"), number("y")) {
                touched.cursor = Some(Cursor { x, y });
                touched.page.clone_from(&item.page);
            }
            if is_there {
                let id = list::text_of(&item.json, "id");
                touched.selection.push(format!("shape:{id}"));
            }
        }
    }
    boards.show_agent(granted, touched);
}

/// What a change is, in words that are shown beside who makes it.
fn doing(outcomes: &[Outcome]) -> Option<String> {
    let part = |verb: &str, is_it: fn(&Outcome) -> bool| {
        let counts = outcomes.iter().filter(|outcome| is_it(outcome));
        match counts.map(|outcome| outcome.items().len()).sum() {
            0 => None,
            1 => Some(format!("{verb} 1 item")),
            count => Some(format!("{verb} {count} items")),
        }
    };
    let parts = [
        part("drawing", |outcome| matches!(outcome, Outcome::Created(_))),
        part("changing", |outcome| matches!(outcome, Outcome::Updated(_))),
        part("laying out", |outcome| matches!(outcome, Outcome::LaidOut(_))),
        part("deleting", |outcome| matches!(outcome, Outcome::Deleted(_))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What is published of a change.
fn published(outcome: &Outcome) -> impl Iterator<Item = (Action, &Value)> {
    let action = match outcome {
        Outcome::Created(_) => Some(Action::Create),
        Outcome::Updated(_) | Outcome::LaidOut(_) => Some(Action::Update),
        Outcome::Deleted(_) => Some(Action::Delete),
        // It was published when it was done.
        Outcome::Repeated(_) => None,
    };
    let items = outcome.items().iter();
    items.filter_map(move |item| Some((action?, &item.json)))
}

fn item_id(call: &Call<'_>) -> Result<ItemId, Response> {
    ItemId::parse(call.captured(1)).ok_or_else(no_such_item)
}

/// An answer about one item.
fn tagged(response: Response, item: &Item) -> Response {
    response
        .field("ETag", conditions::tag_of(&item.revision))
        .field("Cache-Control", "no-store")
}

fn replayed(response: Response) -> Response {
    response.field("Idempotency-Replayed", "true")
}

fn no_such_item() -> Response {
    absent(None)
}

fn absent(field: Option<&str>) -> Response {
    let detail = "there is no such item on the board";
    problem(404, ("no_such_item", "Not found"), detail, field)
}

fn problem(
    status: u16,
    (code, title): (&'static str, &'static str),
    detail: &'static str,
    field: Option<&str>,
) -> Response {
    let problem = Problem {
        status,
        code,
        title,
        detail: detail.into(),
        field: None,
    };
    let field = field.map(|field| ("field", field));
    Response::problem_with(&problem, field.as_slice())
}

fn failed_write(failed: Failed<Unwritten>, place: Place) -> Response {
    failed_work(failed, |unwritten| match unwritten {
        Unwritten::Stale => {
            let title = "A condition of the request does not hold";
            let detail = "the item has another revision than If-Match names; read it again";
            problem(412, ("precondition_failed", title), detail, None)
        }
        Unwritten::Refused(refused) => refusal(refused, place),
    })
}

fn refusal(Refused { index, why }: Refused, place: Place) -> Response {
    let at = |member: &str| match place {
        Place::Alone => member.to_owned(),
        Place::Batch => format!("operations[{index}].item.{member}"),
    };
    let id = match place {
        Place::Alone => None,
        Place::Batch => Some(at("id")),
    };
    let conflict = "It conflicts with what is there";
    match why {
        Why::Invalid { field, detail } => body::invalid_at(&at(&field), &detail),
        Why::Exists => {
            let detail = "there is an item, or another shape, with this id";
            problem(409, ("item_exists", conflict), detail, id.as_deref())
        }
        Why::Absent => absent(id.as_deref()),
        Why::Reused => {
            let title = "The key was used for another request";
            let detail = "the Idempotency-Key came with another body before; use a new one for each request";
            problem(
                422,
                ("idempotency_key_reused", title),
                detail,
                Some("Idempotency-Key"),
            )
        }
        Why::TooLarge => {
            let detail =
                "would be answered with too much, or move too much out of frames; send fewer at a time";
            body::invalid_at("operations", detail)
        }
    }
}
