//! Assets: where the picture of an image is kept, apart from its shape.
//!
//! Owns the asset record (`@tldraw/tlschema` 3.15.6, src/assets/TLImageAsset.ts). Key invariant: an asset
//! that another shape shows is neither changed nor removed. Tests: src/items/tests.rs.

use serde_json::{Value, json};

use crate::items::overlay::Overlay;
use crate::items::props::{part, part_mut};
use crate::items::{Record, Records, link, number};

/// The asset that a shape shows, and its record.
pub(super) fn of(records: &dyn Records, shape: &Record) -> Option<(String, Record)> {
    let key = key_of(shape)?;
    records.get(&key).map(|asset| (key, asset))
}

fn key_of(shape: &Record) -> Option<String> {
    let key = part(shape, "props")?.get("assetId")?.as_str()?;
    key.starts_with("asset:").then(|| key.to_owned())
}

/// Where the picture is; empty where there is none.
pub(super) fn source(asset: Option<&Record>) -> &str {
    let props = asset.and_then(|asset| part(asset, "props"));
    props
        .and_then(|props| props.get("src"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Lets an image show another picture; its shape is written by the caller, who then calls [`release`] with
/// what this returns: the asset that it no longer shows.
pub(super) fn show(overlay: &mut Overlay<'_>, key: &str, shape: &mut Record, url: &str) -> Option<String> {
    let old = of(overlay, shape);
    if source(old.as_ref().map(|(_, asset)| asset)) == url {
        return None;
    }
    let old_key = key_of(shape);
    let new_key = if url.is_empty() {
        None
    } else {
        let asset_key = own_key(overlay, key, old_key.as_deref());
        let asset = match old.filter(|(key, asset)| *key == asset_key && is_image(asset)) {
            Some((_, asset)) => with_source(asset, url),
            None => new(&asset_key, shape, url),
        };
        overlay.set(&asset_key, Some(asset));
        Some(asset_key)
    };
    let props = part_mut(shape, "props")?;
    if old_key != new_key {
        props.insert("assetId".to_owned(), new_key.map_or(Value::Null, Value::String));
        return old_key;
    }
    None
}

/// Removes an asset that no shape shows any more.
pub(super) fn release(overlay: &mut Overlay<'_>, asset: &str) {
    if !overlay.is_shown_elsewhere(asset, "") && overlay.get(asset).is_some() {
        overlay.set(asset, None);
    }
}

/// A key for an asset that this shape alone shows: that of its present one, or one after its own id.
fn own_key(overlay: &mut Overlay<'_>, shape: &str, present: Option<&str>) -> String {
    if let Some(present) = present
        && !overlay.is_shown_elsewhere(present, shape)
    {
        return present.to_owned();
    }
    let id = shape.strip_prefix("shape:").unwrap_or(shape);
    let plain = format!("asset:{id}");
    if !overlay.is_shown_elsewhere(&plain, shape) {
        return plain;
    }
    // Others show copies of it; of these names one is free.
    let mut keys = (2_u32..).map(|n| format!("{plain}.{n}"));
    keys.find(|key| !overlay.is_taken(key)).unwrap_or(plain)
}

fn is_image(asset: &Record) -> bool {
    let is = |member: &str, value: &str| asset.get(member).and_then(Value::as_str) == Some(value);
    is("typeName", "asset") && is("type", "image")
}

fn with_source(mut asset: Record, url: &str) -> Record {
    if let Some(props) = part_mut(&mut asset, "props") {
        props.insert("src".to_owned(), url.into());
        props.insert("mimeType".to_owned(), media_type(url));
        props.remove("fileSize");
    }
    asset
}

fn new(key: &str, shape: &Record, url: &str) -> Record {
    let props = part(shape, "props");
    let side = |name| number::value(props.map_or(1.0, |props| number::of(props, name, 1.0)));
    let asset = json!({
        "id": key,
        "typeName": "asset",
        "type": "image",
        "props": {
            "w": side("w"),
            "h": side("h"),
            "name": name(url),
            "isAnimated": false,
            "mimeType": media_type(url),
            "src": url,
        },
        "meta": {},
    });
    match asset {
        Value::Object(asset) => asset,
        _ => Record::new(),
    }
}

fn media_type(url: &str) -> Value {
    link::media_type(url).map_or(Value::Null, Value::from)
}

/// The last part of the path.
fn name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    if link::is_image_data(url) || last.is_empty() {
        "image"
    } else {
        last
    }
}
