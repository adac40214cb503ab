//! `GET /v1/backup`: everything that the server keeps, a page at a time, for an admin.
//!
//! Must not read the store itself. Key invariant: who is no admin gets nothing. Tests: tests/it/backup.rs.

use crate::api::{Answer, Call, invalid_parameter};
use crate::boards::backup::NoPage;
use crate::fault::Fault;
use crate::http::response::{Problem, Response};
use crate::limits;
use crate::net::admission;
use crate::store::pages::Place;

/// A page, as `store::pages` writes it. `cursor` is what the page before said.
pub(crate) async fn get(mut call: Call<'_>) -> Answer {
    let identity = call.identity().await?;
    if !identity.claims.iter().any(|claims| claims.admin) {
        return Err(admission::problem(Fault::NoPermission));
    }
    if call.boards().is_stopping() {
        return Err(admission::problem(Fault::ShuttingDown));
    }
    let cursor = call.request.target.parameter("cursor");
    let cursor = cursor.map_err(|_| invalid_parameter("cursor", "is given twice"))?;
    let place = cursor.map_or(Some(Place::START), Place::parse);
    let place = place.ok_or_else(|| invalid_parameter("cursor", "is not one that a page gave"))?;
    if place == Place::START {
        let by = identity.actor.subject;
        tracing::info!(by = by.as_str(), address = %call.request.address, "backup begun");
    }
    let most = call.boards().settings.board_bytes;
    call.reserve(limits::BACKUP_PAGE_BYTES.saturating_add(most))
        .await?;
    let page = match call.boards().backup_page(place).await {
        Ok(page) => page,
        Err(NoPage::Busy) => return Err(busy()),
        Err(NoPage::Damaged) => return Err(admission::problem(Fault::StateUnreadable)),
        Err(NoPage::Failed) => return Err(admission::problem(Fault::StoreFailed)),
    };
    for (board, cause) in &page.unreadable {
        tracing::error!(%board, cause, "a backup lacks a board");
    }
    if page.is_last {
        tracing::info!("backup read to its end");
    }
    Ok(Response::new(200)
        .with_body("application/octet-stream", page.bytes)
        .field("Cache-Control", "no-store")
        .field("Content-Disposition", "attachment"))
}

/// 429 `backup_busy`.
fn busy() -> Response {
    let busy = Problem {
        status: 429,
        code: "backup_busy",
        title: "Other backups are being made",
        detail: "one page is read at a time, and others have waited before; try again".into(),
        field: None,
    };
    Response::problem(&busy).field("Retry-After", "10")
}
