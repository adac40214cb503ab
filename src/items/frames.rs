//! Frames: which of them takes a shape that is put down.
//!
//! Owns the rule, which is tldraw's for a drop (`getDraggingOverShape` and `onDragShapesIn` of 3.15.6), with
//! the middle of the shape for the pointer: the topmost frame that is not locked and shows that point. A
//! shape that is larger than the frame stays outside, so that a frame drawn around another does not end up in
//! it. Must not know types of items. Key invariant: of a frame, no more is read than where and how large it
//! is. Tests: src/items/tests/frames.rs.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::items::Records;
use crate::items::place::{self, Frame, Point};
use crate::limits;

/// The frames of a document, the topmost first.
pub(super) struct Frames(Vec<Placed>);

/// A frame on a page.
struct Placed {
    /// The frame, and what it lies in, up to the page.
    way: Vec<String>,
    inside: Frame,
    width: f64,
    height: f64,
    is_locked: bool,
}

/// What is put down.
pub(super) struct Put<'a> {
    pub(super) key: &'a str,
    pub(super) page: &'a str,
    /// What it lies in so far.
    pub(super) parent: &'a str,
    /// Its middle, on the page.
    pub(super) middle: Point,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frames {
    /// Looks where the frames `keys` are; `None` where there are more than `limits::ITEM_FRAMES_MAX`.
    pub(super) fn of(records: &dyn Records, keys: &BTreeSet<String>) -> Option<Self> {
        if keys.len() > limits::ITEM_FRAMES_MAX {
            return None;
        }
        let mut placed: Vec<Placed> = keys.iter().filter_map(|key| Placed::of(records, key)).collect();
        placed.sort_by_cached_key(|frame| std::cmp::Reverse(frame.height_in(records)));
        Some(Self(placed))
    }

    /// The frame that takes what is put down; `None` for the page.
    pub(super) fn taking(&self, put: &Put<'_>) -> Option<&str> {
        let (hit, missed): (Vec<&Placed>, Vec<&Placed>) =
            self.0.iter().partition(|frame| frame.shows(put.middle));
        let takes = |frame: &&Placed| frame.page() == Some(put.page) && frame.takes(put);
        let mut taking = hit.into_iter().filter(takes).peekable();
        taking.peek()?;
        // A frame shows nothing outside of those that it lies in.
        let missed: BTreeSet<&str> = missed.into_iter().filter_map(Placed::key).collect();
        let frame = taking.find(|frame| {
            frame
                .way
                .iter()
                .all(|id| id != put.key && !missed.contains(id.as_str()))
        })?;
        frame.key()
    }
}

impl Placed {
    fn of(records: &dyn Records, key: &str) -> Option<Self> {
        let side = |name: &str| records.plain(key, &["props", name])?.as_f64();
        let is_locked = records
            .plain(key, &["isLocked"])
            .as_ref()
            .and_then(Value::as_bool);
        Some(Self {
            way: place::way_up(records, key)?,
            inside: Frame::on_page(records, key)?,
            width: side("w")?,
            height: side("h")?,
            is_locked: is_locked.unwrap_or(false),
        })
    }

    fn key(&self) -> Option<&str> {
        self.way.first().map(String::as_str)
    }

    fn page(&self) -> Option<&str> {
        self.way.last().map(String::as_str)
    }

    /// How it lies above others: by the outermost that differ, and above what it lies in.
    fn height_in(&self, records: &dyn Records) -> Vec<(String, String)> {
        let index = |id: &String| (records.text(id, "index").unwrap_or_default(), id.clone());
        self.way.iter().rev().map(index).collect()
    }

    fn shows(&self, point: Point) -> bool {
        let own = self.inside.to_own(point);
        (0.0..=self.width).contains(&own.x) && (0.0..=self.height).contains(&own.y)
    }

    /// Whether it takes in what is put there; what lies in it already stays.
    fn takes(&self, put: &Put<'_>) -> bool {
        let is_free = !self.is_locked && put.width <= self.width && put.height <= self.height;
        is_free || self.key() == Some(put.parent)
    }
}
