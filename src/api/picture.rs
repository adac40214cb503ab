//! `GET /v1/boards/{board}/picture.svg` and `picture.png`: how a board looks.
//!
//! Owns the way from a request to a picture, and how many are drawn at a time. Must not know how a shape
//! looks; the crate `boardwire-picture` does. Key invariants: records are taken on the board's turn, and
//! drawn off it and off the executor threads; what a browser has already is said without opening the board.
//! Tests: tests/it/picture.rs, tests/browser/picture.test.mjs.

mod beside;
mod faces;
mod gather;
mod options;

pub(crate) use options::{Form, Options};

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use boardwire_picture::{Bounds, Picture, Refused};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use smol::lock::Semaphore;

use crate::api::items::conditions;
use crate::api::{Answer, Call, failed_content, missing};
use crate::boards::Boards;
use crate::boards::loader::Creation;
use crate::boards::slots::RoomCell;
use crate::fault::Fault;
use crate::http::response::{Problem, Response};
use crate::ids::BoardId;
use crate::items::Records;
use crate::limits;
use crate::net::admission;
use crate::net::{Late, within};
use crate::store::{Stored, VersionId};

/// The query parameters of both paths.
pub(crate) const PARAMETERS: &[&str] = &["page", "frame", "bbox", "scale", "width", "height", "theme"];

/// Turns to draw, of all boards of the process.
static TURNS: Semaphore = Semaphore::new(limits::PICTURES_AT_ONCE);
static PNG_TURNS: Semaphore = Semaphore::new(limits::PICTURE_PNGS_AT_ONCE);

const BOUNDS: Bounds = Bounds {
    svg_bytes: limits::PICTURE_SVG_BYTES,
    steps: limits::PICTURE_STEPS,
    image_pixels: limits::PICTURE_IMAGE_PIXELS,
    pixels: limits::PICTURE_PIXELS,
    painted: limits::PICTURE_PAINTED,
    scale: limits::PICTURE_SCALE_MAX,
};

/// `GET .../picture.svg`.
pub(crate) async fn svg(call: Call<'_>) -> Answer {
    get(call, Form::Svg).await
}

/// `GET .../picture.png`.
pub(crate) async fn png(call: Call<'_>) -> Answer {
    get(call, Form::Png).await
}

async fn get(mut call: Call<'_>, form: Form) -> Answer {
    let granted = call.granted().await?;
    let options = Options::of(call.request.target, form)?;
    if form == Form::Png && !cfg!(feature = "png") {
        return Err(without_png());
    }
    let tag = tag(call.boards(), &granted.board, &options).await?;
    if conditions::is_known(call.request.head, &tag) {
        return Ok(tagged(Response::new(304), &tag));
    }
    call.reserve(limits::PICTURE_SVG_BYTES).await?;
    let media_type = options.form.media_type();
    let bytes = draw(call.boards(), &granted.board, options).await?;
    Ok(tagged(Response::new(200).with_body(media_type, bytes), &tag))
}

/// A version of a board, which never changes.
///
/// # Errors
/// The refusal.
pub(super) async fn of_version(
    call: &mut Call<'_>,
    board: &BoardId,
    (id, state): (VersionId, Bytes),
    options: Options,
) -> Answer {
    if options.form == Form::Png && !cfg!(feature = "png") {
        return Err(without_png());
    }
    let tag = tag_of(&id, &options);
    if conditions::is_known(call.request.head, &tag) {
        return Ok(tagged(Response::new(304), &tag));
    }
    // The state is in memory beside what is drawn of it.
    let bytes = limits::PICTURE_SVG_BYTES.saturating_add(state.len());
    call.reserve(bytes).await?;
    let cell = call.boards().room(board, Creation::Denied).await;
    let cell = cell.map_err(admission::problem)?;
    let media_type = options.form.media_type();
    let drawing = in_turn(call.boards(), Source::Version(board, &cell, state), options);
    let bytes = match within(limits::PICTURE_WAIT_MAX, drawing).await {
        Ok(drawn) => drawn?,
        Err(Late) => return Err(busy()),
    };
    Ok(tagged(Response::new(200).with_body(media_type, bytes), &tag))
}

fn tagged(response: Response, tag: &str) -> Response {
    response
        .field("ETag", conditions::tag_of(tag))
        .field("Cache-Control", "private, no-cache")
}

/// Whose records are drawn.
enum Source<'a> {
    /// Those of a board as it is.
    Board(&'a BoardId),
    /// Those of a state that the board of a room had.
    Version(&'a BoardId, &'a Arc<RoomCell>, Bytes),
}

/// Draws a board for somebody who may see it.
///
/// # Errors
/// The refusal.
pub(crate) async fn draw(
    boards: &Arc<Boards>,
    board: &BoardId,
    options: Options,
) -> Result<Vec<u8>, Response> {
    let drawing = in_turn(boards, Source::Board(board), options);
    match within(limits::PICTURE_WAIT_MAX, drawing).await {
        Ok(drawn) => drawn,
        Err(Late) => Err(busy()),
    }
}

async fn in_turn(boards: &Arc<Boards>, source: Source<'_>, options: Options) -> Result<Vec<u8>, Response> {
    // Turns first: what waits must not hold records. They go on with work that nobody waits for any more.
    let png_turn = match options.form {
        Form::Png => Some(PNG_TURNS.acquire().await),
        Form::Svg => None,
    };
    let turn = TURNS.acquire().await;
    let wanted = options.wanted;
    let part = wanted.part.clone();
    let board = match &source {
        Source::Board(board) | Source::Version(board, ..) => *board,
    };
    let gather = move |records: &dyn Records| gather::records(records, &part);
    let read = match source {
        Source::Board(board) => boards.read_content(board, gather).await,
        Source::Version(_, cell, state) => boards.read_state(cell, state, gather).await,
    };
    let mut records = read.map_err(failed_content)?;
    let put_in = beside::put_in(boards, board, &mut records).await;
    put_in.map_err(admission::problem)?;
    let form = options.form;
    let work = move || {
        let drawn = boardwire_picture::draw(&records, faces::fonts(), &wanted, &BOUNDS);
        drop(records);
        let bytes = drawn
            .map_err(Some)
            .and_then(|picture| bytes(picture, form).ok_or(None));
        drop((turn, png_turn));
        bytes
    };
    boards.work_off_thread(work).await.map_err(refusal)
}

/// The picture as it is sent.
fn bytes(picture: Picture, form: Form) -> Option<Vec<u8>> {
    match form {
        Form::Svg => Some(picture.svg.into_bytes()),
        #[cfg(feature = "png")]
        Form::Png => boardwire_picture::png::of(&picture)
            .inspect_err(|_| tracing::error!("a picture could not be turned into pixels"))
            .ok(),
        #[cfg(not(feature = "png"))]
        Form::Png => None,
    }
}

/// What a picture is known by: what was last committed of the board, and what was asked for. Read before the
/// board is, so that a picture may be newer than its tag, and never older.
async fn tag(boards: &Arc<Boards>, board: &BoardId, options: &Options) -> Result<String, Response> {
    let id = board.clone();
    let summary = boards.read(move |store| store.summary(&id)).await;
    let Stored::Present(summary) = summary.map_err(admission::problem)? else {
        return Err(admission::problem(Fault::NoSuchBoard));
    };
    let state = (summary.record.updated_at, summary.sequence);
    Ok(tag_of(&state, options))
}

fn tag_of(state: &impl std::fmt::Debug, options: &Options) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{} {state:?} {options:?}", env!("CARGO_PKG_VERSION")));
    let whole = URL_SAFE_NO_PAD.encode(hash.finalize());
    whole.chars().take(22).collect()
}

fn refusal(refused: Option<Refused>) -> Response {
    match refused {
        Some(Refused::NoPage) => missing("no_such_page", "there is no such page on the board"),
        Some(Refused::NoFrame) => missing("no_such_frame", "there is no such frame on the board"),
        None => admission::problem(Fault::Internal),
    }
}

fn without_png() -> Response {
    let detail = "this binary draws no pixels; picture.svg works, and `cargo build --release` makes one that does \
                  (without --no-default-features, or with --features png)";
    missing("png_unsupported", detail)
}

/// 503 `server_busy`.
fn busy() -> Response {
    let busy = Problem {
        status: 503,
        code: "server_busy",
        title: "The server is busy",
        detail: "others are having their pictures drawn; try again".into(),
        field: None,
    };
    Response::problem(&busy).field("Retry-After", "5")
}
