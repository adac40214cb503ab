//! Items that are set out in layers and grids.

use super::*;

fn box_of(at: &str, width: i32, height: i32) -> Operation {
    create(
        at,
        json!({"type": "shape", "x": 5_000, "y": 5_000, "width": width, "height": height}),
    )
}

fn layout(layout: Value) -> Operation {
    Operation::Layout {
        layout: object(layout),
    }
}

/// An arrow between two shapes, as tldraw writes it.
fn arrow(table: &mut Table, at: &str, from: &str, to: &str) {
    drawn(table, at, "arrow", json!({}), json!({}));
    for (terminal, shape) in [("start", from), ("end", to)] {
        let binding = json!({"id": format!("binding:{at}-{terminal}"), "typeName": "binding", "type": "arrow",
            "fromId": format!("shape:{at}"), "toId": format!("shape:{shape}"), "props": {"terminal": terminal}});
        table
            .0
            .insert(format!("binding:{at}-{terminal}"), object(binding));
    }
}

fn places(table: &Table, ids: &[&str]) -> Vec<(i64, i64)> {
    let whole = |item: &Value, name: &str| item[name].as_i64().unwrap();
    let place = |at: &&str| {
        let item = shown(table, at);
        (whole(&item, "x"), whole(&item, "y"))
    };
    ids.iter().map(place).collect()
}

/// Boxes of 100 x 50 named a, b, ..., and arrows between them: `ab` is one from a to b.
fn graph(count: usize, edges: &[&str]) -> (Table, Vec<String>, Vec<String>) {
    let mut table = Table::default();
    let names: Vec<String> = ('a'..).take(count).map(String::from).collect();
    let boxes: Vec<Operation> = names.iter().map(|at| box_of(at, 100, 50)).collect();
    done(&mut table, ALICE, &boxes);
    for edge in edges {
        arrow(&mut table, edge, &edge[..1], &edge[1..]);
    }
    (table, names, edges.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn layered(count: usize, edges: &[&str], more: Value, expected: &[(i64, i64)]) {
    let (mut table, items, connectors) = graph(count, edges);
    let mut operation = object(
        json!({"kind": "layered", "items": items, "connectors": connectors, "gap": 10, "at": {"x": 0, "y": 0}}),
    );
    operation.extend(object(more));
    let plan = done(&mut table, BOB, &[layout(Value::Object(operation))]);
    let names: Vec<&str> = items.iter().map(String::as_str).collect();
    assert_eq!(places(&table, &names), expected, "{edges:?}");
    assert_eq!(plan.outcomes.len(), 1);
    let shown: Vec<Item> = items.iter().map(|at| read(&table, &id(at)).unwrap()).collect();
    assert_eq!(plan.outcomes[0], Outcome::LaidOut(shown));
}

#[test]
fn layers_follow_the_connectors() {
    layered(3, &["ab", "bc"], json!({}), &[(0, 0), (110, 0), (220, 0)]);
    layered(
        3,
        &["ab", "bc"],
        json!({"direction": "down"}),
        &[(0, 0), (0, 60), (0, 120)],
    );
    // The longest way counts, and the middles are on one line.
    layered(
        4,
        &["ad", "ab", "bc", "cd"],
        json!({}),
        &[(0, 0), (110, 0), (220, 0), (330, 0)],
    );
    layered(3, &["ab", "ac"], json!({}), &[(0, 30), (110, 0), (110, 60)]);
    // A circle is cut where it comes back to the first.
    layered(3, &["ab", "bc", "ca"], json!({}), &[(0, 0), (110, 0), (220, 0)]);
    layered(2, &["aa", "ab", "ba"], json!({}), &[(0, 0), (110, 0)]);
    // Without any they are one layer.
    layered(2, &[], json!({}), &[(0, 0), (0, 60)]);
}

#[test]
fn lines_do_not_cross_that_need_not() {
    layered(
        4,
        &["ad", "bc"],
        json!({}),
        &[(0, 0), (0, 60), (110, 60), (110, 0)],
    );
}

#[test]
fn grids_are_about_square() {
    let mut table = Table::default();
    let operations = [
        box_of("a", 100, 50),
        box_of("b", 10, 80),
        box_of("c", 200, 10),
        layout(json!({"kind": "grid", "items": ["a", "b", "c"], "gap": 5})),
    ];
    done(&mut table, ALICE, &operations);
    // Where they were.
    assert_eq!(
        places(&table, &["a", "b", "c"]),
        [(5_000, 5_000), (5_205, 5_000), (5_000, 5_085)]
    );
    let down = json!({"kind": "grid", "direction": "down", "items": ["a", "b", "c"], "gap": 5, "at": {"x": 0, "y": 0}});
    done(&mut table, ALICE, &[layout(down)]);
    assert_eq!(places(&table, &["a", "b", "c"]), [(0, 0), (0, 55), (105, 0)]);
    done(&mut table, ALICE, &[layout(json!({"kind": "grid", "items": []}))]);
}

#[test]
fn connectors_of_the_same_request_count() {
    let (mut table, ..) = graph(2, &[]);
    let connector = json!({"id": "k", "type": "connector", "from": {"item": "b"}, "to": {"item": "a"}});
    let setting = json!({"kind": "layered", "items": ["a", "b"], "connectors": ["k"], "gap": 10, "at": {"x": 0, "y": 0}});
    let operations = [layout(setting), create("other", connector)];
    // Whether the connector itself can be made is not the layout's matter.
    let overlay = super::super::overlay::Overlay::new(&table);
    let Operation::Layout { layout } = &operations[0] else {
        panic!()
    };
    let setting = super::super::setting::Setting::parse(layout).unwrap();
    assert_eq!(setting.edges(&overlay, &operations).unwrap(), [(1, 0)]);
    let why = setting.edges(&overlay, &operations[..1]).err();
    assert!(matches!(why, Some(Why::Invalid { field, .. }) if field == "connectors[0]"));
    arrow(&mut table, "k", "a", "elsewhere");
    let overlay = super::super::overlay::Overlay::new(&table);
    assert_eq!(setting.edges(&overlay, &[]).unwrap(), []);
}

#[test]
fn what_is_no_layout_is_refused() {
    let (table, ..) = graph(2, &["ab"]);
    let refused = |setting: Value, field: &str| refused(&table, layout(setting), field);
    refused(json!({"kind": "grid"}), "items");
    refused(json!({"kind": "grid", "items": "a"}), "items");
    refused(json!({"kind": "grid", "items": ["a", 1]}), "items[1]");
    refused(json!({"kind": "grid", "items": ["a", "a"]}), "items[1]");
    refused(json!({"kind": "grid", "items": ["a", "ab"]}), "items[1]");
    refused(json!({"kind": "grid", "items": ["a", "gone"]}), "items[1]");
    refused(
        json!({"kind": "grid", "items": [], "connectors": ["ab"]}),
        "connectors",
    );
    refused(
        json!({"kind": "layered", "items": [], "connectors": ["a"]}),
        "connectors[0]",
    );
    refused(
        json!({"kind": "layered", "items": [], "connectors": ["ab", "ab"]}),
        "connectors[1]",
    );
    refused(json!({"kind": "circle", "items": []}), "kind");
    refused(json!({"items": []}), "kind");
    refused(
        json!({"kind": "grid", "items": [], "direction": "up"}),
        "direction",
    );
    refused(json!({"kind": "grid", "items": [], "gap": -1}), "gap");
    refused(json!({"kind": "grid", "items": [], "at": {"x": 1}}), "at");
    refused(
        json!({"kind": "grid", "items": ["a", "b"], "at": {"x": 1e8, "y": 0}}),
        "at",
    );
    refused(json!({"kind": "grid", "items": [], "spacing": 1}), "spacing");
}

#[test]
fn the_layouts_of_a_request_are_bounded() {
    let names = |count: usize| (0..count).map(|n| format!("n{n}")).collect::<Vec<_>>();
    let mut table = Table::default();
    for at in names(limits::ITEM_LAYOUT_MAX + 1) {
        drawn(&mut table, &at, "geo", json!({}), json!({"w": 9, "h": 9}));
    }
    let grid = |count: usize| layout(json!({"kind": "grid", "items": names(count)}));
    assert!(apply(&table, &[grid(limits::ITEM_LAYOUT_MAX)], ALICE).is_ok());
    refused(&table, grid(limits::ITEM_LAYOUT_MAX + 1), "items");
    let both = [grid(limits::ITEM_LAYOUT_MAX), grid(1)];
    assert!(matches!(why(&table, &both), (1, Why::Invalid { .. })));
}

proptest! {
    /// Whatever the graph is, no two boxes touch, and the same graph has the same layout.
    #[test]
    fn boxes_never_touch(
        sizes in prop::collection::vec((1_u16..300, 1_u16..300), 1..20),
        edges in prop::collection::vec((0_usize..20, 0_usize..20), 0..40),
        is_grid: bool,
        is_down: bool,
    ) {
        use super::super::layout::{Direction, Graph, Kind, corners};
        let edges = edges.into_iter().filter(|(from, to)| *from < sizes.len() && *to < sizes.len()).collect();
        let sizes = sizes.iter().map(|(width, height)| (f64::from(*width), f64::from(*height))).collect();
        let graph = Graph { sizes, edges };
        let kind = if is_grid { Kind::Grid } else { Kind::Layered };
        let direction = if is_down { Direction::Down } else { Direction::Right };
        let places = corners(&graph, kind, direction, 1.0);
        prop_assert_eq!(&corners(&graph, kind, direction, 1.0), &places);
        for (n, (a, a_size)) in places.iter().zip(&graph.sizes).enumerate() {
            prop_assert!(a.x >= 0.0 && a.y >= 0.0);
            for (b, b_size) in places.iter().zip(&graph.sizes).skip(n + 1) {
                let is_apart = a.x + a_size.0 < b.x || b.x + b_size.0 < a.x || a.y + a_size.1 < b.y || b.y + b_size.1 < a.y;
                prop_assert!(is_apart, "{a:?} {b:?}");
            }
        }
    }
}
