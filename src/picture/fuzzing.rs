//! The fuzz body of pictures: any records, any part.
//!
//! The input is lines of JSON: what is wanted, `[part, scale]` with a part of `"frame"`, `"bbox"` or a page's
//! id, and then the records by key. Seeds: fuzz/seeds/picture.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic here is a finding, which is what a fuzz body is for"
)]

use serde_json::Value;

use crate::{Area, Bounds, Fonts, Part, Records, Size, Target, Theme, Wanted, draw};

/// Small, so that a run is short and bounds are met.
const BOUNDS: Bounds = Bounds {
    svg_bytes: 64 * 1024,
    steps: 20_000,
    image_pixels: 1_000_000,
    pixels: 10_000.0,
    painted: 1_000_000.0,
    scale: 4.0,
};

/// What may come on top of [`Bounds::svg_bytes`]: one shape that was begun below it, and what is around all.
const OVER: usize = 128 * 1024;

/// Nothing panics; the SVG is well-formed, refers to nothing outside, and keeps within the bounds; what is
/// the same is drawn the same.
pub fn picture(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let asked: Value = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_default();
    let mut records = Records::default();
    if let Some(Ok(Value::Object(rows))) = lines.next().map(serde_json::from_str) {
        for (key, row) in rows {
            if let Value::Object(row) = row {
                records.add(key, row);
            }
        }
    }
    let part = match asked.get(0).and_then(Value::as_str) {
        Some("frame") => Part::Frame("shape:f".to_owned()),
        Some("bbox") => Part::Area(
            None,
            Area {
                left: -20.0,
                top: -20.0,
                right: 300.0,
                bottom: 200.0,
            },
        ),
        Some(page) if page.starts_with("page:") => Part::Page(Some(page.to_owned())),
        _ => Part::Page(None),
    };
    let scale = asked
        .get(1)
        .and_then(Value::as_f64)
        .filter(|scale| (0.05..=4.0).contains(scale));
    for target in [Target::Vector, Target::Raster] {
        let wanted = Wanted {
            part: part.clone(),
            size: scale.map_or(Size::Within(Some(240.0), None), Size::Scale),
            theme: Theme::Dark,
            target,
        };
        let fonts = Fonts::none();
        let Ok(picture) = draw(&records, &fonts, &wanted, &BOUNDS) else {
            continue;
        };
        well_formed(&picture.svg);
        assert!(
            picture.svg.len() <= BOUNDS.svg_bytes + OVER,
            "{} bytes",
            picture.svg.len()
        );
        assert!(picture.width.is_finite() && picture.height.is_finite());
        assert_eq!(draw(&records, &fonts, &wanted, &BOUNDS).as_ref(), Ok(&picture));
        if target == Target::Raster {
            assert!(
                picture.width * picture.height <= BOUNDS.pixels * 1.01 + 1_000.0,
                "{picture:?}"
            );
            #[cfg(feature = "png")]
            assert!(crate::png::of(&picture).is_ok(), "{}", picture.svg);
        }
    }
}

/// Tags that are closed in their order, attributes in quotes that stand once, known references only.
fn well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(at) = rest.find('<') {
        entities(&rest[..at]);
        let end = rest[at..].find('>').expect("a tag ends") + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{svg}");
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split_ascii_whitespace().next().unwrap();
        assert!(
            [
                "svg", "g", "path", "rect", "use", "image", "defs", "clipPath", "pattern", "title", "text"
            ]
            .contains(&name),
            "{name}"
        );
        attributes(&tag[name.len()..], name);
        if !is_empty {
            open.push(name);
        }
        assert!(open.len() < 300);
    }
    entities(rest);
    assert!(open.is_empty(), "{open:?} in {svg}");
}

fn attributes(mut text: &str, tag: &str) {
    let mut names = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let name = name.trim();
        let (value, rest) = rest.split_once('"').expect("a value ends");
        entities(value);
        assert!(!names.contains(&name), "{name} twice in {tag}");
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_uppercase() || b == b'-';
        assert!(
            !name.is_empty() && name.bytes().all(is_name) && !name.starts_with("on"),
            "{name}"
        );
        match name {
            "href" => assert!(
                value.starts_with('#') || value.starts_with("data:image/"),
                "{value}"
            ),
            "style" | "class" | "src" => panic!("{name} in {tag}"),
            _ => assert!(!value.contains("url(") || value.starts_with("url(#d"), "{value}"),
        }
        names.push(name);
        text = rest;
    }
    assert_eq!(text.trim(), "", "in {tag}");
}

fn entities(text: &str) {
    assert!(
        !text.contains('>') && text.chars().all(|c| !c.is_control()),
        "{text}"
    );
    for after in text.split('&').skip(1) {
        let name = after.split(';').next().unwrap_or_default();
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "&{name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation;

    #[test]
    fn pictures_survive_mutation() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/picture");
        let seeds: Vec<Vec<u8>> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
        assert!(!seeds.is_empty());
        mutation::drive_some(&seeds, 1_500, picture);
    }
}
