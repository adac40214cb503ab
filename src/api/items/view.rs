//! `GET .../items` and `GET .../items/space`: what is drawn, and where nothing is.
//!
//! Owns what a page of items holds, and when looking ends. Must not know records. Key invariant: a page may
//! be short, or empty where filters let nothing through, but its cursor goes on behind all that was looked
//! at. Tests: tests/it/items.rs.

use std::sync::Arc;

use serde_json::Value;

use crate::api::list::{self, Page};
use crate::api::{Answer, Call, body, failed_content, invalid_parameter};
use crate::boards::Boards;
use crate::http::response::Response;
use crate::http::target::Target;
use crate::ids::{BoardId, ItemId};
use crate::items::{self, Filter, Records, Room};
use crate::limits;

/// What an item counts as that is looked at, at least: the work on one that says nothing.
const LOOK_BYTES: usize = 1024;

/// `GET .../items`.
pub(crate) async fn list(mut call: Call<'_>) -> Answer {
    let granted = call.granted().await?;
    let target = call.request.target;
    let page = Page::of(target)?;
    let wanted = Wanted {
        after: page.after(ItemId::parse)?,
        filter: filter(target)?,
        limit: page.limit,
    };
    call.reserve(limits::ANSWER_BYTES).await?;
    let (rows, next) = look(call.boards(), &granted.board, wanted).await?;
    Ok(list::answer(&rows, next.map(|last| last.to_string())))
}

/// Which items somebody wants.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Those behind this one.
    pub(crate) after: Option<ItemId>,
    /// Those that pass.
    pub(crate) filter: Filter,
    /// So many at most.
    pub(crate) limit: usize,
}

/// The items of a page, and the last one that was looked at, where there may be more.
///
/// # Errors
/// The refusal.
pub(crate) async fn look(
    boards: &Arc<Boards>,
    board: &BoardId,
    wanted: Wanted,
) -> Result<(Vec<Value>, Option<ItemId>), Response> {
    let found = boards.read_content(board, move |records| find(records, &wanted));
    found.await.map_err(failed_content)
}

fn filter(target: &Target<'_>) -> Result<Filter, Response> {
    let mut filter = Filter::default();
    for name in items::FILTERS {
        let value = target.parameter(name);
        let value = value.map_err(|_| invalid_parameter(name, "must stand once"))?;
        if let Some(value) = value {
            let set = filter.set(name, value);
            set.map_err(|detail| invalid_parameter(name, &detail))?;
        }
    }
    Ok(filter)
}

fn find(records: &dyn Records, wanted: &Wanted) -> (Vec<Value>, Option<ItemId>) {
    let Wanted { after, filter, limit } = wanted;
    let ids = items::ids(records);
    let is_before = |id: &ItemId| after.as_ref().is_some_and(|after| id.as_str() <= after.as_str());
    let from = ids.partition_point(is_before);
    let (mut rows, mut bytes, mut looked) = (Vec::new(), 0_usize, 0_usize);
    let mut last: Option<&ItemId> = None;
    let read = items::reader(records);
    for id in ids.iter().skip(from) {
        if looked > limits::ITEM_SCAN_BYTES {
            return (rows, last.cloned());
        }
        let Some(item) = read(id) else {
            continue;
        };
        looked = looked.saturating_add(item.bytes.max(LOOK_BYTES));
        if filter.takes(&item) {
            bytes = bytes.saturating_add(item.bytes);
            if rows.len() == *limit || (bytes > limits::ITEM_PAGE_BYTES && !rows.is_empty()) {
                return (rows, last.cloned());
            }
            rows.push(item.json);
        }
        last = Some(id);
    }
    (rows, None)
}

/// `GET .../items/space`.
pub(crate) async fn space(call: Call<'_>) -> Answer {
    let granted = call.granted().await?;
    let target = call.request.target;
    let wanted = Room {
        width: side(target, "width")?,
        height: side(target, "height")?,
        near: near(target)?,
    };
    let found = room(call.boards(), &granted.board, wanted).await?;
    Ok(Response::json(200, &found).field("Cache-Control", "no-store"))
}

/// The upper left corner of free room.
///
/// # Errors
/// The refusal, also where there is none.
pub(crate) async fn room(boards: &Arc<Boards>, board: &BoardId, wanted: Room) -> Result<Value, Response> {
    let found = boards.read_content(board, move |records| items::space(records, wanted));
    let found = found.await.map_err(failed_content)?;
    found.ok_or_else(|| body::invalid("near", "is where there is no room; name another place"))
}

fn side(target: &Target<'_>, name: &'static str) -> Result<f64, Response> {
    let (min, max) = (limits::ITEM_SIDE_MIN, limits::ITEM_SIDE_MAX);
    let side = target.parameter(name).ok().flatten();
    let side = side.and_then(items::numbers::<1>).map(|[side]| side);
    side.filter(|side| (min..=max).contains(side))
        .ok_or_else(|| invalid_parameter(name, &format!("must be a number from {min} to {max}")))
}

fn near(target: &Target<'_>) -> Result<Option<[f64; 2]>, Response> {
    let max = limits::ITEM_COORDINATE_MAX;
    let refusal = || {
        let detail = format!("must be two numbers, x,y, from -{max} to {max}");
        invalid_parameter("near", &detail)
    };
    let near = target.parameter("near").map_err(|_| refusal())?;
    let point = |near| items::numbers::<2>(near).filter(|near| near.iter().all(|number| number.abs() <= max));
    near.map(|near| point(near).ok_or_else(refusal)).transpose()
}
