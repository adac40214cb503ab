//! `content.asset` of an image: a picture that was brought to the board before, by its hash.
//!
//! Owns how it becomes the address that the record has, and which size an image is that says none. Must not
//! know records. Key invariant: what is not beside the board is refused before anything is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::api::body;
use crate::asset::{AssetAddress, AssetHash};
use crate::boards::Boards;
use crate::http::response::Response;
use crate::ids::BoardId;
use crate::items::{Operation, Record};
use crate::net::admission;
use crate::store::StoredAsset;

const ASSET: &str = "asset";
const URL: &str = "url";

/// Width of an image whose size follows from its pixels, at most; wider ones keep their shape.
const WIDTH_MAX: f64 = 600.0;

/// Where in a request the member of an operation stands.
type At<'a> = &'a (dyn Fn(usize) -> String + Sync);

/// Puts addresses in the place of hashes.
///
/// # Errors
/// The refusal.
pub(super) async fn resolve(
    boards: &Arc<Boards>,
    board: &BoardId,
    operations: &mut [Operation],
    at: At<'_>,
) -> Result<(), Response> {
    let mut wanted = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        if let Some(value) = item_of(operation).and_then(|item| item.get("content")?.get(ASSET)) {
            let field = || format!("{}content.{ASSET}", at(index));
            let hash = value.as_str().and_then(AssetHash::parse);
            let detail = "must be the sha256 of a picture, as POST .../assets answered it";
            let hash = hash.ok_or_else(|| body::invalid_at(&field(), detail))?;
            wanted.insert(index, hash);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let found = find(boards, board, &wanted).await?;
    for (index, hash) in &wanted {
        let field = || format!("{}content.{ASSET}", at(*index));
        let asset = found.get(hash).ok_or_else(|| {
            body::invalid_at(
                &field(),
                "is not beside the board; bring it with POST .../assets first",
            )
        })?;
        if asset.kind.is_film() {
            return Err(body::invalid_at(&field(), "is a film, which is no image"));
        }
        if let Some(operation) = operations.get_mut(*index) {
            show(board, operation, asset).map_err(|detail| body::invalid_at(&field(), detail))?;
        }
    }
    Ok(())
}

async fn find(
    boards: &Arc<Boards>,
    board: &BoardId,
    wanted: &BTreeMap<usize, AssetHash>,
) -> Result<BTreeMap<AssetHash, StoredAsset>, Response> {
    let (board, mut hashes): (BoardId, Vec<AssetHash>) = (board.clone(), wanted.values().copied().collect());
    hashes.sort_unstable();
    hashes.dedup();
    let read = boards.read(move |store| {
        let mut found = BTreeMap::new();
        for hash in hashes {
            found.extend(store.asset(&board, &hash)?.map(|asset| (hash, asset)));
        }
        Ok(found)
    });
    read.await.map_err(admission::problem)
}

fn item_of(operation: &Operation) -> Option<&Record> {
    match operation {
        Operation::Create { item, .. } => Some(item),
        Operation::Update { patch, .. } => Some(patch),
        Operation::Delete { .. } | Operation::Layout { .. } => None,
    }
}

/// Lets one operation show a picture.
fn show(board: &BoardId, operation: &mut Operation, asset: &StoredAsset) -> Result<(), &'static str> {
    let (item, is_new) = match operation {
        Operation::Create { item, .. } => (item, true),
        Operation::Update { patch, .. } => (patch, false),
        Operation::Delete { .. } | Operation::Layout { .. } => return Ok(()),
    };
    if is_new && item.get("type").and_then(Value::as_str) != Some("image") {
        return Err("is for items of type image");
    }
    if is_new {
        fit(item, asset.size);
    }
    let Some(Value::Object(content)) = item.get_mut("content") else {
        return Ok(());
    };
    content.remove(ASSET);
    let hash = asset.hash;
    let url = AssetAddress { board, hash }.to_string();
    match content.insert(URL.to_owned(), url.into()) {
        None => Ok(()),
        Some(_) => Err("must be alone: an image has an asset or a url"),
    }
}

/// Gives a new image the shape of its picture, where it does not say its own.
fn fit(item: &mut Record, size: Option<(u32, u32)>) {
    let Some((width, height)) = size.map(|(width, height)| (f64::from(width), f64::from(height))) else {
        return;
    };
    let asked = |member: &str| item.get(member).and_then(Value::as_f64);
    let (new_width, new_height) = match (asked("width"), asked("height")) {
        (Some(_), Some(_)) => return,
        (Some(asked), None) => (asked, asked * height / width),
        (None, Some(asked)) => (asked * width / height, asked),
        (None, None) => {
            let scale = (WIDTH_MAX / width).min(1.0);
            (width * scale, height * scale)
        }
    };
    for (member, value) in [("width", new_width), ("height", new_height)] {
        item.insert(member.to_owned(), value.max(1.0).round().into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_has_the_shape_of_its_picture_unless_it_says_its_own() {
        for (asked, size, expected) in [
            (
                json!({}),
                Some((1200, 800)),
                json!({"width": 600.0, "height": 400.0}),
            ),
            (json!({}), Some((40, 30)), json!({"width": 40.0, "height": 30.0})),
            (json!({}), Some((9000, 1)), json!({"width": 600.0, "height": 1.0})),
            (
                json!({"width": 300}),
                Some((600, 200)),
                json!({"width": 300.0, "height": 100.0}),
            ),
            (
                json!({"height": 100}),
                Some((600, 200)),
                json!({"width": 300.0, "height": 100.0}),
            ),
            (
                json!({"width": 1, "height": 2}),
                Some((600, 200)),
                json!({"width": 1, "height": 2}),
            ),
            (json!({}), None, json!({})),
        ] {
            let Value::Object(mut item) = asked else { panic!() };
            fit(&mut item, size);
            assert_eq!(Value::Object(item), expected);
        }
    }
}
