//! `/v1/boards/{board}/assets`: pictures and films beside the document.
//!
//! Owns what is taken, and the answer's head, by which nothing of an asset ever runs. Must not hold one
//! whole. Key invariants: what an asset is sent as is what its bytes were found to be, whatever somebody
//! called them; each is an attachment where a browser would make a document of it; its bytes never change
//! under its address. Tests: tests/it/assets.rs.

mod range;

use serde_json::{Value, json};

use crate::api::items::conditions;
use crate::api::list::{self, Page};
use crate::api::{Answer, Call, missing};
use crate::asset::{AssetAddress, AssetHash, AssetKind, Told, tell};
use crate::boards::assets::{Brought, Crowded};
use crate::http::head::Method;
use crate::http::response::{POLICY, Problem, Response};
use crate::ids::BoardId;
use crate::limits;
use crate::net::admission;
use crate::store::StoredAsset;

/// Under which a drawing that is opened as a document has no scripts, loads nothing, and has no origin.
const NOTHING_RUNS: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";

/// For ever: other bytes have another hash.
const CACHED: &str = "private, max-age=31536000, immutable";

fn asset_json(board: &BoardId, asset: &StoredAsset) -> Value {
    let hash = asset.hash;
    json!({
        "sha256": hash.to_string(),
        "url": AssetAddress { board, hash }.to_string(),
        "bytes": asset.bytes,
        "type": asset.kind.media_type(),
        "width": asset.size.map(|(width, _)| width),
        "height": asset.size.map(|(_, height)| height),
    })
}

/// `POST`: takes one from somebody with `edit`.
pub(crate) async fn create(mut call: Call<'_>) -> Answer {
    let granted = call.editor(call.granted().await?)?;
    let settings = &call.shell.settings;
    let upload = call.boards().begin_upload(&granted.actor.subject);
    let mut upload = upload.map_err(crowded)?;
    let mut parts = call.open_parts(settings.asset_bytes).await?;
    let mut told = None;
    while let Some(part) = call.next_part(&mut parts).await? {
        if told.is_none() {
            told = Some(look_at(&part)?);
        }
        upload.add(part).await.map_err(admission::problem)?;
    }
    let told = told.ok_or_else(unknown)?;
    let board = granted.board.clone();
    let brought = upload.finish(granted, told).await;
    match brought.map_err(admission::problem)? {
        Brought::New(asset) => Ok(fresh(201, &board, &asset)),
        Brought::Known(asset) => Ok(fresh(200, &board, &asset)),
        Brought::TooMany => {
            let most = limits::ASSETS_PER_BOARD_MAX;
            Err(full(&format!(
                "the board has {most} pictures and films, which is as many as it may"
            )))
        }
        Brought::Full => Err(full(
            "with this one, the pictures and films of the board would take more bytes than they may",
        )),
    }
}

fn fresh(status: u16, board: &BoardId, asset: &StoredAsset) -> Response {
    Response::json(status, &asset_json(board, asset)).field("Cache-Control", "no-store")
}

/// What it is, by its first part.
fn look_at(head: &[u8]) -> Result<Told, Response> {
    let told = tell(head).map_err(|_| unknown())?;
    let fits = told.size.is_none_or(|(width, height)| {
        width.max(height) <= limits::ASSET_SIDE_MAX
            && u64::from(width).saturating_mul(u64::from(height)) <= limits::ASSET_PIXELS_MAX
    });
    match fits {
        true => Ok(told),
        false => Err(Response::problem(&Problem {
            status: 422,
            code: "picture_too_large",
            title: "The picture has too many pixels",
            detail: format!(
                "a picture has at most {} pixels a side and {} in all; scale it down",
                limits::ASSET_SIDE_MAX,
                limits::ASSET_PIXELS_MAX
            )
            .into(),
            field: None,
        })),
    }
}

/// 415 `unsupported_asset`.
fn unknown() -> Response {
    Response::problem(&Problem {
        status: 415,
        code: "unsupported_asset",
        title: "The body is no picture or film that is taken",
        detail: "its bytes must be those of a PNG, JPEG, GIF, WebP, AVIF or SVG (without entities of its own), or of \
                 an MP4 or WebM; names and Content-Type are not looked at"
            .into(),
        field: None,
    })
}

/// 413 `assets_full`.
fn full(detail: &str) -> Response {
    Response::problem(&Problem {
        status: 413,
        code: "assets_full",
        title: "The board's pictures and films take as much as they may",
        detail: format!("{detail}; what no item shows any more goes after 30 days").into(),
        field: None,
    })
}

fn crowded(crowded: Crowded) -> Response {
    let (status, code, title, detail) = match crowded {
        Crowded::ByOne => (
            429,
            "too_many_uploads",
            "Too many uploads at a time",
            "wait until one of yours has ended",
        ),
        Crowded::ByAll => (
            503,
            "server_busy",
            "The server is busy",
            "others are uploading; try again",
        ),
    };
    let problem = Problem {
        status,
        code,
        title,
        detail: detail.into(),
        field: None,
    };
    Response::problem(&problem).field("Retry-After", "2")
}

/// `GET`: all of the board, for somebody with `edit`: they are also those that no item shows any more.
pub(crate) async fn list(call: Call<'_>) -> Answer {
    let board = call.editor(call.granted().await?)?.board;
    let page = Page::of(call.request.target)?;
    let after = page.after(AssetHash::parse)?;
    let (asked, lookup) = (board.clone(), page.lookup());
    let assets = call
        .boards()
        .read(move |store| store.assets(&asked, after.as_ref(), lookup))
        .await;
    let assets = assets.map_err(admission::problem)?;
    let rows: Vec<Value> = assets.iter().map(|asset| asset_json(&board, asset)).collect();
    Ok(page.answer(&rows, |row| list::text_of(row, "sha256")))
}

/// `GET .../{sha256}`: its bytes, or a range of them, for somebody with `view`.
pub(crate) async fn get(mut call: Call<'_>) -> Answer {
    let board = call.granted().await?.board;
    let none = || missing("no_such_asset", "the board has no such picture or film");
    let hash = AssetHash::parse(call.captured(1)).ok_or_else(none)?;
    let head = call.request.head;
    let found = call.boards().asset(&board, hash).await;
    let asset = found.map_err(admission::problem)?.ok_or_else(none)?;
    let tag = hash.to_string();
    if conditions::is_known(head, &tag) {
        return Ok(guarded(Response::new(304), &asset));
    }
    let range = match range::of(head, asset.bytes, &conditions::tag_of(&tag)) {
        Ok(range) => range,
        Err(range::NotThere) => return Err(no_such_range(asset.bytes)),
    };
    let (from, end) = range.unwrap_or((0, asset.bytes));
    let status = if range.is_some() { 206 } else { 200 };
    let mut response = Response::new(status).with_parts(asset.kind.media_type(), end.saturating_sub(from));
    response = guarded(response, &asset).field("Accept-Ranges", "bytes");
    if range.is_some() {
        let last = end.saturating_sub(1);
        response = response.field("Content-Range", format!("bytes {from}-{last}/{}", asset.bytes));
    }
    if head.method == Method::Head {
        return Ok(response);
    }
    let length = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
    call.reserve(length.min(limits::ASSET_PART_BYTES)).await?;
    call.download(call.boards().download(asset, (from, end)));
    Ok(response)
}

/// The fields without which no asset leaves.
fn guarded(response: Response, asset: &StoredAsset) -> Response {
    let response = response
        .field("ETag", conditions::tag_of(&asset.hash.to_string()))
        .field("Cache-Control", CACHED)
        .field(POLICY, NOTHING_RUNS)
        .field("Cross-Origin-Resource-Policy", "same-origin");
    match asset.kind {
        // A document, which is not shown as one.
        AssetKind::Svg => response.field("Content-Disposition", "attachment"),
        _ => response,
    }
}

fn no_such_range(bytes: u64) -> Response {
    let problem = Problem {
        status: 416,
        code: "range_not_satisfiable",
        title: "There is no such range",
        detail: format!("it has {bytes} bytes").into(),
        field: None,
    };
    Response::problem(&problem).field("Content-Range", format!("bytes */{bytes}"))
}
