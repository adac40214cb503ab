//! Where there is room.

use super::*;
use crate::items::{Room, space};

fn room(table: &Table, width: f64, height: f64, near: Option<[f64; 2]>) -> Option<(f64, f64)> {
    let found = space(table, Room { width, height, near })?;
    Some((found["x"].as_f64().unwrap(), found["y"].as_f64().unwrap()))
}

fn shape(table: &mut Table, at: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
    made(
        table,
        at,
        json!({"type": "shape", "x": x, "y": y, "width": width, "height": height}),
    );
}

#[test]
fn an_empty_board_has_room_where_it_is_asked_for() {
    let mut table = Table::default();
    assert_eq!(room(&table, 200.0, 100.0, None), Some((-100.0, -50.0)));
    assert_eq!(
        room(&table, 200.0, 100.0, Some([300.0, 50.0])),
        Some((200.0, 0.0))
    );
    // Neither what is on another page nor an arrow, nor what has no size, is in the way.
    drawn(
        &mut table,
        "a",
        "geo",
        json!({"parentId": "page:other"}),
        json!({"w": 900, "h": 900}),
    );
    drawn(&mut table, "b", "arrow", json!({}), json!({"w": 900, "h": 900}));
    drawn(&mut table, "c", "custom", json!({}), json!({}));
    drawn(
        &mut table,
        "d",
        "geo",
        json!({"x": 1e308}),
        json!({"w": 1e308, "h": 9}),
    );
    assert_eq!(room(&table, 200.0, 100.0, None), Some((-100.0, -50.0)));
}

#[test]
fn the_nearest_place_beside_what_is_there_is_found() {
    let mut table = Table::default();
    shape(&mut table, "a", (0.0, 0.0), (400.0, 200.0));
    // Its middle is nearer to the upper and lower side.
    let (x, y) = room(&table, 100.0, 100.0, None).unwrap();
    assert!((x - 150.0).abs() < 1e-9 && (y == 220.0 || y == -120.0), "{x} {y}");
    assert_eq!(
        room(&table, 100.0, 100.0, Some([390.0, 90.0])),
        Some((420.0, 40.0))
    );
    assert_eq!(
        room(&table, 100.0, 100.0, Some([471.0, 90.0])),
        Some((421.0, 40.0)),
        "it is free there"
    );
    // Between two that leave just so much room, and one that leaves less.
    shape(&mut table, "b", (540.0, 0.0), (400.0, 200.0));
    assert_eq!(
        room(&table, 100.0, 100.0, Some([470.0, 100.0])),
        Some((420.0, 50.0))
    );
    assert_eq!(room(&table, 100.1, 100.0, Some([470.0, 100.0])).unwrap().1, 220.0);
    // A video is in the way, too.
    drawn(
        &mut table,
        "v",
        "video",
        json!({"x": 400, "y": 210}),
        json!({"w": 200, "h": 10}),
    );
    assert_eq!(
        room(&table, 100.1, 100.0, Some([470.0, 101.0])).unwrap().1,
        -120.0
    );
}

#[test]
fn a_turned_shape_takes_what_it_shows() {
    let mut table = Table::default();
    let quarter = std::f64::consts::FRAC_PI_2;
    made(
        &mut table,
        "a",
        json!({"type": "shape", "x": 0, "y": 0, "width": 400, "height": 10, "rotation": quarter}),
    );
    assert_eq!(room(&table, 10.0, 10.0, Some([100.0, 5.0])), Some((95.0, 0.0)));
    let (x, _) = room(&table, 10.0, 10.0, Some([-5.0, 200.0])).unwrap();
    assert!((x - 20.0).abs() < 1e-6 || (x + 40.0).abs() < 1e-6, "{x}");
}

proptest! {
    /// Against a search over a grid: nothing is too near, and no point of the grid is nearer.
    #[test]
    fn nothing_is_nearer(
        boxes in prop::collection::vec((-20_i32..20, -20_i32..20, 1_i32..15, 1_i32..15), 0..12),
        near in (-20_i32..20, -20_i32..20),
    ) {
        let mut table = Table::default();
        for (n, (x, y, width, height)) in boxes.iter().enumerate() {
            let scaled = |number: i32| f64::from(number) * 10.0;
            shape(&mut table, &format!("s{n}"), (scaled(*x), scaled(*y)), (scaled(*width), scaled(*height)));
        }
        let near = [f64::from(near.0) * 10.0, f64::from(near.1) * 10.0];
        let (x, y) = room(&table, 60.0, 40.0, Some(near)).unwrap();
        let scaled = |(x, y, width, height): &(i32, i32, i32, i32)| {
            [x, y, width, height].map(|number| f64::from(*number) * 10.0)
        };
        let taken: Vec<[f64; 4]> = boxes.iter().map(scaled).collect();
        let is_free = |x: f64, y: f64| taken.iter().all(|[left, top, width, height]| {
            x + 60.0 + 20.0 <= *left || x >= left + width + 20.0
                || y + 40.0 + 20.0 <= *top || y >= top + height + 20.0
        });
        prop_assert!(is_free(x, y), "{x} {y}");
        let distance = |x: f64, y: f64| (x + 30.0 - near[0]).hypot(y + 20.0 - near[1]);
        for column in -60..60 {
            for row in -60..60 {
                let (other_x, other_y) = (f64::from(column) * 10.0, f64::from(row) * 10.0);
                prop_assert!(!is_free(other_x, other_y) || distance(other_x, other_y) >= distance(x, y) - 1e-9);
            }
        }
    }
}

#[test]
fn among_more_shapes_than_are_tried_it_is_at_the_edge() {
    let crowd = |count: usize| {
        let mut table = Table::default();
        for n in 0..count {
            let at = json!({"x": n % 50 * 10, "y": n / 50 * 10});
            drawn(&mut table, &format!("s{n}"), "geo", at, json!({"w": 9, "h": 9}));
        }
        table
    };
    let near = Some([10.0, 204.5]);
    let found = |count| room(&crowd(count), 10.0, 10.0, near).unwrap();
    assert_eq!(found(limits::ITEM_SPACE_SHAPES), (-30.0, 199.5));
    // The nearest of them are enough, as long as the place is nearer than the others.
    assert_eq!(found(limits::ITEM_SPACE_SHAPES + 500), (-30.0, 199.5));
    let middle = Some([250.0, 700.0]);
    let table = crowd(limits::ITEM_SPACE_SHAPES * 4);
    let (x, y) = room(&table, 10.0, 10.0, middle).unwrap();
    assert!(x == -30.0 || x == 519.0, "{x} {y}");
    assert_eq!(y, 695.0);
    // Where the edge is out of bounds on every side.
    let mut table = crowd(limits::ITEM_SPACE_SHAPES + 1);
    for n in 0..=limits::ITEM_SPACE_SHAPES {
        let shape = table.0.get_mut(&format!("shape:s{n}")).unwrap();
        shape.insert("x".to_owned(), json!(0));
        shape.insert("y".to_owned(), json!(0));
    }
    assert!(room(&table, 10.0, 10.0, Some([0.0, 0.0])).is_some());
    for (n, (x, y)) in [(1e8, 1e8), (-1e8, -1e8)].into_iter().enumerate() {
        drawn(
            &mut table,
            &format!("far{n}"),
            "geo",
            json!({"x": x, "y": y}),
            json!({"w": 9, "h": 9}),
        );
    }
    assert_eq!(room(&table, 10.0, 10.0, Some([0.0, 0.0])), None);
}
