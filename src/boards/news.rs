//! What has happened on a board since somebody last looked: items that are new, changed or gone, and people
//! who came or went.
//!
//! Owns [`Seen`], and how an event reads. Must not know rooms' locks or who is told. Key invariants: what was
//! told once is not told again; who did something is told only where the server knows it. Tests at the end of
//! the file; over TCP tests/it/events.rs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::ids::{ItemId, Subject};
use crate::items::{self, Item, Records};
use crate::limits;
use crate::room::Present;
use crate::room::feed::{News, Place, Topic};
use crate::time::UnixMillis;

/// A board as it was when it was last looked at.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The last update that was in it; `None` before the first look.
    pub(super) sequence: Option<u64>,
    /// Its items.
    pub(super) items: Arc<Items>,
    people: BTreeMap<Place, Person>,
}

/// Items by their ids.
pub(super) type Items = HashMap<ItemId, Known>;

/// What is remembered of an item.
#[derive(Debug)]
pub(super) struct Known {
    revision: Box<str>,
    kind: Arc<str>,
    /// When it was last changed, as it says itself.
    signed_at: Option<Box<str>>,
}

/// Who is here; several connections of one person are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Person {
    subject: Subject,
    name: String,
}

/// Items as they are now, and what has changed; `None` where that is too much to be told.
pub(super) type Looked = (Items, Option<Vec<News>>);

#[derive(Serialize)]
struct ItemEvent<'a> {
    id: &'a str,
    r#type: &'a str,
    by: Option<&'a str>,
    revision: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a Value>,
}

#[derive(Serialize)]
struct PresenceEvent<'a> {
    name: &'a str,
    subject: &'a str,
}

/// Looks at a board's items. `authors` are those who changed it since `before`.
pub(super) fn look_at_items(records: &dyn Records, before: &Items, authors: &[Option<Subject>]) -> Looked {
    let mut gathered = Gathered::default();
    let mut now = Items::new();
    let mut kinds: BTreeSet<Arc<str>> = BTreeSet::new();
    for id in items::ids(records) {
        let Some(item) = items::read(records, &id) else {
            continue;
        };
        let word = item.json.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = match kinds.get(word) {
            Some(kind) => Arc::clone(kind),
            None => {
                let kind: Arc<str> = word.into();
                kinds.insert(Arc::clone(&kind));
                kind
            }
        };
        let signed_at = item.json.get("updated_at").and_then(Value::as_str).map(Box::from);
        let known = before.get(&id);
        if known.is_none_or(|known| *known.revision != *item.revision) {
            let is_signed_anew = known.is_none_or(|known| known.signed_at != signed_at);
            let signature = item.json.get("updated_by").and_then(Value::as_str);
            let by = author(authors, signature.filter(|_| is_signed_anew));
            let name = known.map_or("item.created", |_| "item.changed");
            gathered.add(name, &kind, &of_item(&id, &kind, by, &item));
        }
        let revision = item.revision.into_boxed_str();
        let known = Known {
            revision,
            kind,
            signed_at,
        };
        now.insert(id, known);
    }
    let mut gone: Vec<_> = before.iter().filter(|(id, _)| !now.contains_key(*id)).collect();
    gone.sort_unstable_by_key(|(id, _)| *id);
    for (id, known) in gone {
        let event = ItemEvent {
            id: id.as_str(),
            r#type: &known.kind,
            by: author(authors, None),
            revision: &known.revision,
            item: None,
        };
        gathered.add("item.deleted", &known.kind, &event);
    }
    (now, gathered.news)
}

fn of_item<'a>(id: &'a ItemId, kind: &'a str, by: Option<&'a str>, item: &'a Item) -> ItemEvent<'a> {
    ItemEvent {
        id: id.as_str(),
        r#type: kind,
        by,
        revision: &item.revision,
        item: (item.bytes <= limits::EVENT_ITEM_BYTES_MAX).then_some(&item.json),
    }
}

/// Who made a change: the only one who made any; or who signed it, of those who did.
fn author<'a>(authors: &'a [Option<Subject>], signature: Option<&str>) -> Option<&'a str> {
    if let [only] = authors {
        return only.as_ref().map(Subject::as_str);
    }
    let mut known = authors.iter().flatten().map(Subject::as_str);
    known.find(|author| Some(*author) == signature)
}

/// Events, until there are too many.
struct Gathered {
    news: Option<Vec<News>>,
    bytes: usize,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            news: Some(Vec::new()),
            bytes: 0,
        }
    }
}

impl Gathered {
    fn add(&mut self, name: &'static str, kind: &Arc<str>, event: &ItemEvent<'_>) {
        let Some(news) = &mut self.news else { return };
        let data = serde_json::to_string(event).unwrap_or_default();
        self.bytes = self.bytes.saturating_add(data.len());
        news.push(News {
            topic: Topic::Item(Arc::clone(kind)),
            name,
            data,
        });
        if self.bytes > limits::EVENTS_KEPT_BYTES_MAX {
            self.news = None;
        }
    }
}

impl Seen {
    /// Whether somebody at this place is known already.
    pub(super) fn knows(&self, place: &Place) -> bool {
        self.people.contains_key(place)
    }

    /// Looks at who is here: who came and who went, and how long to wait for the names of others.
    pub(super) fn look_at_people(
        &mut self,
        here: Vec<(Place, Option<Present>)>,
        now: UnixMillis,
    ) -> (Vec<News>, Option<Duration>) {
        let before: BTreeSet<Person> = self.people.values().cloned().collect();
        let mut people = BTreeMap::new();
        let mut again = None;
        for (place, present) in here {
            let person = self.people.remove(&place).or_else(|| {
                let present = present?;
                let age = Duration::from_millis(now.0.saturating_sub(place.1.0));
                let left = limits::EVENT_UNNAMED_MAX.saturating_sub(age);
                let name = name_of(&present);
                if name.is_none() && !left.is_zero() {
                    again = Some(again.map_or(left, |again: Duration| again.min(left)));
                    return None;
                }
                let name = name.unwrap_or_else(|| bare(&present.subject).to_owned());
                Some(Person {
                    subject: present.subject,
                    name,
                })
            });
            people.extend(person.map(|person| (place, person)));
        }
        self.people = people;
        let after: BTreeSet<Person> = self.people.values().cloned().collect();
        let left = before
            .difference(&after)
            .map(|person| person.event("presence.left"));
        let joined = after
            .difference(&before)
            .map(|person| person.event("presence.joined"));
        (left.chain(joined).collect(), again)
    }
}

impl Person {
    fn event(&self, name: &'static str) -> News {
        let event = PresenceEvent {
            name: &self.name,
            subject: self.subject.as_str(),
        };
        News {
            topic: Topic::Presence,
            name,
            data: serde_json::to_string(&event).unwrap_or_default(),
        }
    }
}

/// The name that somebody shows, as web/ writes it.
fn name_of(present: &Present) -> Option<String> {
    let state: Value = serde_json::from_str(present.state.as_ref()?).ok()?;
    let shown = state.get("user").and_then(|user| user.get("name"));
    let name = shown.or_else(|| state.get("name"))?.as_str()?.trim();
    let cut = name.get(..name.floor_char_boundary(limits::EVENT_NAME_BYTES_MAX))?;
    (!cut.is_empty()).then(|| cut.to_owned())
}

/// A subject without its kind.
fn bare(subject: &Subject) -> &str {
    let text = subject.as_str();
    text.split_once(':').map_or(text, |(_, id)| id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::Level;
    use crate::ids::MemberId;
    use crate::items::Record;

    struct Map(BTreeMap<String, Record>);

    impl Records for Map {
        fn get(&self, key: &str) -> Option<Record> {
            self.0.get(key).cloned()
        }

        fn text(&self, key: &str, member: &str) -> Option<String> {
            Some(self.0.get(key)?.get(member)?.as_str()?.to_owned())
        }

        fn number(&self, key: &str, member: &str) -> Option<f64> {
            self.0.get(key)?.get(member)?.as_f64()
        }

        fn plain(&self, key: &str, path: &[&str]) -> Option<Value> {
            let record = Value::Object(self.0.get(key)?.clone());
            path.iter().try_fold(&record, |at, name| at.get(name)).cloned()
        }

        fn keys(&self) -> Vec<String> {
            self.0.keys().cloned().collect()
        }
    }

    fn note(id: &str, x: f64, signature: Option<(&str, &str)>) -> (String, Record) {
        let (by, at) = signature.unzip();
        let record = json!({
            "typeName": "shape", "type": "note", "x": x, "y": 0, "props": {},
            "meta": {"item_id": id, "updated_by": by, "updated_at": at},
        });
        (format!("shape:{id}"), record.as_object().unwrap().clone())
    }

    fn told(news: Option<Vec<News>>) -> Vec<(&'static str, Value)> {
        let news = news.unwrap().into_iter();
        news.map(|news| (news.name, serde_json::from_str(&news.data).unwrap()))
            .collect()
    }

    fn user(name: &str) -> Option<Subject> {
        Subject::parse(&format!("user:{name}"))
    }

    #[test]
    fn what_is_new_changed_and_gone_is_told_and_nothing_else() {
        let before = Map([note("a", 1.0, None), note("b", 1.0, None), note("c", 1.0, None)].into());
        let (seen, news) = look_at_items(&before, &Items::new(), &[]);
        assert_eq!(told(news).len(), 3);
        let after = Map([note("a", 1.0, None), note("b", 2.0, None), note("d", 1.0, None)].into());
        let (seen, news) = look_at_items(&after, &seen, &[user("ann")]);
        let events = told(news);
        let shown: Vec<_> = events
            .iter()
            .map(|(name, data)| (*name, data["id"].clone()))
            .collect();
        let expected = [
            ("item.changed", "b"),
            ("item.created", "d"),
            ("item.deleted", "c"),
        ];
        assert_eq!(shown, expected.map(|(name, id)| (name, json!(id))));
        assert!(
            events
                .iter()
                .all(|(_, data)| data["by"] == "user:ann" && data["type"] == "sticky")
        );
        assert_eq!(events[0].1["item"]["x"], 2);
        let (_, news) = look_at_items(&after, &seen, &[]);
        assert_eq!(told(news), []);
    }

    #[test]
    fn of_several_who_changed_a_board_only_a_new_signature_of_one_of_them_counts() {
        let at = |x, signature| Map([note("a", x, Some(signature))].into());
        let (seen, _) = look_at_items(&at(1.0, ("user:ann", "1")), &Items::new(), &[]);
        let by = |records: &Map, authors: &[Option<Subject>]| {
            let (_, news) = look_at_items(records, &seen, authors);
            told(news)[0].1["by"].clone()
        };
        let both = [user("ann"), user("bob")];
        assert_eq!(by(&at(2.0, ("user:bob", "2")), &both), "user:bob");
        // The signature is an old one: somebody changed it who does not sign.
        assert_eq!(by(&at(2.0, ("user:ann", "1")), &both), Value::Null);
        assert_eq!(
            by(&at(2.0, ("user:eve", "2")), &both),
            Value::Null,
            "she was not there"
        );
        assert_eq!(by(&at(2.0, ("user:eve", "2")), &[user("ann")]), "user:ann");
        assert_eq!(by(&at(2.0, ("user:eve", "2")), &[None]), Value::Null);
    }

    #[test]
    fn so_much_at_once_that_it_is_not_kept_is_not_told() {
        let many = (0..20_000)
            .map(|n| note(&format!("{n:0100}"), 0.0, None))
            .collect();
        let (seen, news) = look_at_items(&Map(many), &Items::new(), &[]);
        assert_eq!((seen.len(), news), (20_000, None));
    }

    #[test]
    fn people_are_told_once_by_the_name_that_they_show_or_the_one_they_have() {
        let place = |n| (MemberId::new(n), UnixMillis(1_000));
        let present = |n: u32, subject: &str, state: Option<&str>| Present {
            member: MemberId::new(n),
            subject: Subject::parse(subject).unwrap(),
            name: None,
            clients: Vec::new(),
            level: Level::View,
            connected_at: UnixMillis(1_000),
            state: state.map(str::to_owned),
        };
        let mut seen = Seen::default();
        let ann = || Some(present(1, "user:ann", Some(r#"{"user":{"name":" Ann "}}"#)));
        let bob = || Some(present(2, "user:bob", Some("7")));
        let (news, again) =
            seen.look_at_people(vec![(place(1), ann()), (place(2), bob())], UnixMillis(1_400));
        let joined = json!({"name": "Ann", "subject": "user:ann"});
        assert_eq!(told(Some(news)), [("presence.joined", joined.clone())]);
        assert_eq!(again, Some(Duration::from_millis(600)));
        assert!(seen.knows(&place(1)) && !seen.knows(&place(2)));
        let (news, again) = seen.look_at_people(vec![(place(1), None), (place(2), bob())], UnixMillis(2_000));
        let named = json!({"name": "bob", "subject": "user:bob"});
        assert_eq!(
            (told(Some(news)), again),
            (vec![("presence.joined", named)], None)
        );
        let second = (place(3), ann());
        let (news, _) = seen.look_at_people(vec![second, (place(2), None)], UnixMillis(2_000));
        assert_eq!(told(Some(news)), [], "another tab of hers");
        let (news, _) = seen.look_at_people(vec![(place(2), None)], UnixMillis(2_000));
        assert_eq!(told(Some(news)), [("presence.left", joined)]);
        let long = format!(r#"{{"name":"{}"}}"#, "n".repeat(300));
        let (news, _) = seen.look_at_people(
            vec![(place(4), Some(present(4, "anonymous", Some(&long))))],
            UnixMillis(1),
        );
        let name = told(Some(news))[1].1["name"].as_str().unwrap().len();
        assert_eq!(name, limits::EVENT_NAME_BYTES_MAX);
    }
}
