//! The records of a document as the operations done so far would leave them.
//!
//! Owns what has changed, and a survey of who belongs to whom, made once and kept up. Must not know what
//! records mean beyond that. Key invariant: nothing of the document changes; who drops an overlay has done
//! nothing.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::rc::Rc;

use serde_json::Value;

use crate::items::frames::Frames;
use crate::items::{Record, Records, Write, index_key};

/// Types of shapes whose props name an asset.
const WITH_ASSETS: &[&str] = &["image", "video", "bookmark"];

/// Types of shapes that others lie in: where these are, their frames are.
const HOLDING: &[&str] = &["frame", "group"];

/// See the file's head.
pub(super) struct Overlay<'r> {
    records: &'r dyn Records,
    changed: BTreeMap<String, Option<Record>>,
    /// The keys of `changed`, as they first came.
    order: Vec<String>,
    survey: OnceCell<Survey>,
    /// Where frames are, as long as none of them has changed.
    frames: Option<Option<Rc<Frames>>>,
    /// How large shapes are that were asked for, as long as they have not changed.
    sizes: RefCell<BTreeMap<String, Option<(f64, f64)>>>,
}

/// Who belongs to whom.
#[derive(Default)]
struct Survey {
    /// Shapes by their parent, each behind its index key, which is empty where it does not count.
    children: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Bindings by either shape.
    bindings: BTreeMap<String, BTreeSet<String>>,
    /// Bindings by the arrow that they are from.
    arrows: BTreeMap<String, BTreeSet<String>>,
    /// Shapes by the asset that they show.
    users: BTreeMap<String, BTreeSet<String>>,
    /// The highest index key among the children of a parent, or higher, where one was deleted.
    top: BTreeMap<String, String>,
    /// Pages, with their index keys.
    pages: BTreeMap<String, String>,
    /// Shapes that are frames.
    frames: BTreeSet<String>,
    /// Keys whose value is no record.
    odd: BTreeSet<String>,
}

/// What the survey has to know of one record.
#[derive(Default)]
struct Ties {
    /// The parent of a shape, and its index key; that is empty where it does not count.
    parent: Option<(String, String)>,
    /// The asset that a shape shows.
    asset: Option<String>,
    /// The shapes that a binding binds.
    bound: Vec<String>,
    /// The one that it is from.
    from: Option<String>,
    /// The index key of a page.
    page: Option<String>,
    is_frame: bool,
}

impl Records for Overlay<'_> {
    fn get(&self, key: &str) -> Option<Record> {
        match self.changed.get(key) {
            Some(record) => record.clone(),
            None => self.records.get(key),
        }
    }

    fn text(&self, key: &str, member: &str) -> Option<String> {
        match self.changed.get(key) {
            Some(record) => text_of(record.as_ref()?, member),
            None => self.records.text(key, member),
        }
    }

    fn number(&self, key: &str, member: &str) -> Option<f64> {
        match self.changed.get(key) {
            Some(record) => record.as_ref()?.get(member)?.as_f64(),
            None => self.records.number(key, member),
        }
    }

    fn plain(&self, key: &str, path: &[&str]) -> Option<Value> {
        match self.changed.get(key) {
            Some(record) => plain_of(record.as_ref()?, path),
            None => self.records.plain(key, path),
        }
    }

    fn keys(&self) -> Vec<String> {
        let mut keys = self.records.keys();
        keys.retain(|key| !self.changed.contains_key(key));
        let there = self.changed.iter().filter(|(_, record)| record.is_some());
        keys.extend(there.map(|(key, _)| key.clone()));
        keys
    }
}

impl<'r> Overlay<'r> {
    pub(super) fn new(records: &'r dyn Records) -> Self {
        Self {
            records,
            changed: BTreeMap::new(),
            order: Vec::new(),
            survey: OnceCell::new(),
            frames: None,
            sizes: RefCell::default(),
        }
    }

    /// Sets a record, or removes it.
    pub(super) fn set(&mut self, key: &str, record: Option<Record>) {
        let holds = |kind: Option<String>| kind.is_some_and(|kind| HOLDING.contains(&kind.as_str()));
        let new = record.as_ref().and_then(|record| text_of(record, "type"));
        if holds(new) || holds(self.text(key, "type")) {
            self.frames = None;
        }
        self.sizes.get_mut().remove(key);
        if self.survey.get().is_some() {
            let ties = |record: Option<&Record>| record.map(|record| Ties::of_record(key, record));
            let (old, new) = (ties(self.get(key).as_ref()), ties(record.as_ref()));
            if let Some(survey) = self.survey.get_mut() {
                if let Some(old) = old {
                    survey.untie(key, &old);
                }
                survey.odd.remove(key);
                if let Some(new) = new {
                    survey.tie(key, new);
                }
            }
        }
        if self.changed.insert(key.to_owned(), record).is_none() {
            self.order.push(key.to_owned());
        }
    }

    /// Whether anything stands under a key, a record or not.
    pub(super) fn is_taken(&mut self, key: &str) -> bool {
        self.get(key).is_some() || self.survey().odd.contains(key)
    }

    /// The shapes right inside of a shape or page, lowest first.
    pub(super) fn children(&self, parent: &str) -> Vec<String> {
        let children = self.survey().children.get(parent);
        let keys = children.into_iter().flatten().map(|(_, key)| key.clone());
        keys.collect()
    }

    /// The next index key below `index`, or the highest of all, among the children of a parent but for one.
    pub(super) fn index_below(&self, parent: &str, index: Option<&str>, but: &str) -> Option<String> {
        let children = self.survey().children.get(parent)?;
        let end = index.map_or(Bound::Unbounded, |index| {
            Bound::Excluded((index.to_owned(), String::new()))
        });
        let below = children.range((Bound::Unbounded, end)).rev();
        let mut counting = below.take_while(|(index, _)| !index.is_empty());
        counting
            .find(|(_, key)| key != but)
            .map(|(index, _)| index.clone())
    }

    /// The next index key above `index`, or the lowest of all, among the children of a parent but for one.
    pub(super) fn index_over(&self, parent: &str, index: Option<&str>, but: &str) -> Option<String> {
        let children = self.survey().children.get(parent)?;
        // The least text above another one.
        let first = (index.unwrap_or_default().to_owned() + "\0", String::new());
        let mut above = children.range(first..);
        above.find(|(_, key)| key != but).map(|(index, _)| index.clone())
    }

    /// The bindings from or to a shape.
    pub(super) fn bindings(&self, shape: &str) -> BTreeSet<String> {
        self.survey().bindings.get(shape).cloned().unwrap_or_default()
    }

    /// The first bindings that an arrow has, at most `count`.
    pub(super) fn bindings_from(&self, arrow: &str, count: usize) -> Vec<String> {
        let keys = self.survey().arrows.get(arrow);
        keys.into_iter().flatten().take(count).cloned().collect()
    }

    /// How large a shape is; `size` says it where it has not been asked for, since its record may be large.
    pub(super) fn size_of(
        &self,
        shape: &str,
        size: impl FnOnce(&Record) -> Option<(f64, f64)>,
    ) -> Option<(f64, f64)> {
        if let Some(size) = self.sizes.borrow().get(shape) {
            return *size;
        }
        let size = self.get(shape).as_ref().and_then(size);
        self.sizes.borrow_mut().insert(shape.to_owned(), size);
        size
    }

    /// Whether a shape other than `shape` shows an asset.
    pub(super) fn is_shown_elsewhere(&mut self, asset: &str, shape: &str) -> bool {
        let users = self.survey().users.get(asset);
        users.is_some_and(|users| users.iter().any(|user| user != shape))
    }

    /// An index key above those of all children of a parent.
    pub(super) fn index_above(&mut self, parent: &str) -> String {
        index_key::above(self.survey().top.get(parent).map(String::as_str))
    }

    /// Where the frames of the document are; `None` where there are too many to look.
    pub(super) fn frames(&mut self) -> Option<Rc<Frames>> {
        if self.frames.is_none() {
            let keys = self.survey().frames.clone();
            self.frames = Some(Frames::of(self, &keys).map(Rc::new));
        }
        self.frames.clone().flatten()
    }

    /// The page that new shapes belong on; `None` where there is none.
    pub(super) fn page(&mut self) -> Option<String> {
        let pages = &self.survey().pages;
        let first = || pages.iter().min_by_key(|(key, index)| (*index, *key));
        let page = pages.get_key_value(super::PAGE).or_else(first);
        page.map(|(key, _)| key.clone())
    }

    /// What has to be written.
    pub(super) fn into_writes(mut self) -> Vec<Write> {
        let write = |key: String| {
            let record = self.changed.remove(&key)?;
            // Made and removed again: as if it had never been.
            let is_new = record.is_some() || self.records.get(&key).is_some();
            is_new.then_some(Write { key, record })
        };
        self.order.into_iter().filter_map(write).collect()
    }

    fn survey(&self) -> &Survey {
        self.survey.get_or_init(|| Survey::of(self))
    }
}

impl Survey {
    fn of(overlay: &Overlay<'_>) -> Self {
        let mut survey = Self::default();
        for key in overlay.keys() {
            let text = |member: &str| overlay.text(&key, member);
            if text("typeName").is_none() && overlay.get(&key).is_none() {
                survey.odd.insert(key);
                continue;
            }
            let has_asset = || text("type").is_some_and(|kind| WITH_ASSETS.contains(&kind.as_str()));
            let ties = Ties::of(&key, text, || has_asset().then(|| overlay.get(&key)).flatten());
            survey.tie(&key, ties);
        }
        survey
    }

    fn tie(&mut self, key: &str, ties: Ties) {
        if let Some((parent, index)) = ties.parent {
            if !index.is_empty() {
                let top = self.top.entry(parent.clone()).or_default();
                if *top < index {
                    top.clone_from(&index);
                }
            }
            let children = self.children.entry(parent).or_default();
            children.insert((index, key.to_owned()));
        }
        if let Some(asset) = ties.asset {
            self.users.entry(asset).or_default().insert(key.to_owned());
        }
        if let Some(index) = ties.page {
            self.pages.insert(key.to_owned(), index);
        }
        if ties.is_frame {
            self.frames.insert(key.to_owned());
        }
        if let Some(arrow) = ties.from {
            self.arrows.entry(arrow).or_default().insert(key.to_owned());
        }
        for shape in ties.bound {
            self.bindings.entry(shape).or_default().insert(key.to_owned());
        }
    }

    fn untie(&mut self, key: &str, ties: &Ties) {
        self.frames.remove(key);
        if let Some((parent, index)) = &ties.parent
            && let Some(children) = self.children.get_mut(parent)
        {
            children.remove(&(index.clone(), key.to_owned()));
        }
        let asset = ties.asset.as_ref().and_then(|asset| self.users.get_mut(asset));
        let arrow = ties.from.as_ref().and_then(|arrow| self.arrows.get_mut(arrow));
        for keys in asset.into_iter().chain(arrow) {
            keys.remove(key);
        }
        for shape in &ties.bound {
            if let Some(keys) = self.bindings.get_mut(shape) {
                keys.remove(key);
            }
        }
    }
}

impl Ties {
    /// `text` reads a member, and `whole` the record where it may show an asset.
    fn of(key: &str, text: impl Fn(&str) -> Option<String>, whole: impl FnOnce() -> Option<Record>) -> Self {
        match text("typeName").as_deref() {
            Some("shape") => Self {
                parent: text("parentId").map(|parent| {
                    let index = text("index").filter(|index| index_key::counts(index));
                    (parent, index.unwrap_or_default())
                }),
                asset: whole().as_ref().and_then(asset_of),
                is_frame: text("type").as_deref() == Some("frame"),
                ..Self::default()
            },
            Some("binding") => Self {
                from: text("fromId"),
                bound: ["fromId", "toId"].into_iter().filter_map(text).collect(),
                ..Self::default()
            },
            Some("page") if key.starts_with("page:") => Self {
                page: Some(text("index").unwrap_or_default()),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    fn of_record(key: &str, record: &Record) -> Self {
        Self::of(key, |member| text_of(record, member), || Some(record.clone()))
    }
}

fn asset_of(shape: &Record) -> Option<String> {
    let asset = shape.get("props")?.get("assetId")?.as_str()?;
    Some(asset.to_owned())
}

/// A number or boolean at a path of members.
pub(super) fn plain_of(record: &Record, path: &[&str]) -> Option<Value> {
    let (last, way) = path.split_last()?;
    let inner = way
        .iter()
        .try_fold(record, |record, name| record.get(*name)?.as_object())?;
    inner
        .get(*last)
        .filter(|value| value.is_number() || value.is_boolean())
        .cloned()
}

fn text_of(record: &Record, member: &str) -> Option<String> {
    record.get(member).and_then(Value::as_str).map(str::to_owned)
}
