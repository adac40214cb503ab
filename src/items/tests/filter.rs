//! Which items pass a filter.

use super::*;
use crate::items::Filter;

/// A sticky, a text, a shape that is turned, and what a person drew.
fn some() -> Table {
    let mut table = Table::default();
    let text = |text: &str| json!({"text": text});
    for (at, stamp, item) in [
        (
            "note",
            ALICE,
            json!({"type": "sticky", "x": 0, "y": 0, "content": text("Ship it on FRIDAY")}),
        ),
        (
            "text",
            BOB,
            json!({"type": "text", "x": 1_000, "y": 0, "content": text("\u{c4}rger")}),
        ),
        (
            "turned",
            BOB,
            json!({"type": "shape", "x": 0, "y": 1_000, "rotation": std::f64::consts::PI}),
        ),
        (
            "plan",
            BOB,
            json!({"type": "document", "x": 0, "y": -900, "content": {"title": "Friday"}}),
        ),
    ] {
        done(&mut table, stamp, &[create(at, item)]);
    }
    drawn(
        &mut table,
        "human",
        "geo",
        json!({"x": 2_000, "y": 0}),
        json!({"w": 10, "h": 10}),
    );
    table
}

fn filtered(filters: &[(&str, &str)]) -> Vec<String> {
    let table = some();
    let mut filter = Filter::default();
    filters
        .iter()
        .for_each(|(name, value)| filter.set(name, value).unwrap());
    let items = ids(&table).into_iter().map(|id| read(&table, &id).unwrap());
    let taken = items.filter(|item| filter.takes(item));
    taken
        .map(|item| item.json["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_filter_lets_what_it_names_through() {
    for (name, value, expected) in [
        ("type", "sticky", &["note"][..]),
        ("type", "text,shape", &["human", "text", "turned"]),
        ("created_by", "user:alice", &["note"]),
        ("created_by", "user:nobody", &[]),
        ("text", "friday", &["note", "plan"]),
        ("text", "\u{e4}RGER", &["text"]),
        ("text", "null", &[]),
        (
            "since",
            "1970-01-01T00:00:00Z",
            &["note", "plan", "text", "turned"],
        ),
        ("since", "1970-01-01T00:00:02Z", &["plan", "text", "turned"]),
        (
            "since",
            "1970-01-01T00:00:02.000999Z",
            &["plan", "text", "turned"],
        ),
        ("since", "1970-01-01T00:00:02.001Z", &[]),
        // Up to the sides.
        ("bbox", "200,200,0,0", &["note"]),
        ("bbox", "200.1,0,799.8,10", &[]),
        ("bbox", "-5e3,-5,1e4,10", &["human", "note", "text"]),
        // Turned about its corner by 180 degrees.
        ("bbox", "-100,900,1,1", &["turned"]),
        ("bbox", "100,1100,1,1", &[]),
    ] {
        assert_eq!(filtered(&[(name, value)]), expected, "{name}={value}");
    }
    assert_eq!(filtered(&[]).len(), 5);
    assert_eq!(filtered(&[("text", "friday"), ("type", "document")]), ["plan"]);
    assert_eq!(filtered(&[("text", "friday"), ("type", "shape")]), [""; 0]);
}

#[test]
fn what_is_no_filter_is_told_what_would_be_right() {
    for (name, value, told) in [
        ("type", "note", "sticky, text"),
        ("type", "sticky,", "sticky, text"),
        ("type", "Sticky", "sticky, text"),
        ("bbox", "1,2,3", "x,y,width,height"),
        ("bbox", "1,2,3,4,5", "x,y,width,height"),
        ("bbox", "1,2,-3,4", "x,y,width,height"),
        ("bbox", "1,2,inf,4", "x,y,width,height"),
        ("bbox", "1,2,NaN,4", "x,y,width,height"),
        ("bbox", "1,2,3,d", "x,y,width,height"),
        ("since", "yesterday", "2026-01-31T12:00:00.000Z"),
        ("since", "2026-01-31", "2026-01-31T12:00:00.000Z"),
        ("since", "2026-01-31T12:00:00+00:00", "2026-01-31T12:00:00.000Z"),
        ("since", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00.000Z"),
        ("since", "2026-01-31 12:00:00Z", "2026-01-31T12:00:00.000Z"),
        ("since", "2026-01-31T12:00:0\u{e4}Z", "2026-01-31T12:00:00.000Z"),
        ("colour", "red", "is no filter"),
    ] {
        let detail = Filter::default().set(name, value).unwrap_err();
        assert!(detail.contains(told), "{name}={value}: {detail}");
    }
}
