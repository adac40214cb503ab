//! Pictures of odd numbers and odd texts.

use super::super::number::tick;
use super::*;

const SIZE: (f64, f64) = (340.0, 260.0);

fn chart(kinds: (Kind, Kind), shape: Shape, points: &[(f64, f64)]) -> Chart {
    let axis = |kind| Axis {
        title: "an axis".to_owned(),
        kind,
        tick,
    };
    Chart {
        title: "A picture".to_owned(),
        told: "of points".to_owned(),
        x: axis(kinds.0),
        y: axis(kinds.1),
        series: vec![Series {
            name: "all".to_owned(),
            class: "a".to_owned(),
            shape,
            points: points.to_vec(),
        }],
        limits: Vec::new(),
        moments: Vec::new(),
    }
}

/// Every number of the attributes that are places, as x and y.
fn places(svg: &str) -> Vec<(f64, f64)> {
    let number = |text: &str| text.parse::<f64>().unwrap();
    let mut found = Vec::new();
    for part in svg.split(" d=\"").skip(1) {
        let path = part.split('"').next().unwrap();
        for point in path.split(['M', 'L', 'Z']).filter(|point| !point.is_empty()) {
            let (x, y) = point.split_once(' ').unwrap();
            found.push((number(x), number(y)));
        }
    }
    for (x_name, y_name) in [(" cx=\"", " cy=\""), (" x=\"", " y=\"")] {
        let of = |name: &str| -> Vec<f64> {
            let parts = svg.split(name).skip(1);
            parts
                .map(|part| number(part.split('"').next().unwrap()))
                .collect()
        };
        found.extend(of(x_name).into_iter().zip(of(y_name)));
    }
    found
}

fn holds(svg: &str) {
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let size = svg.split('"').nth(1).unwrap();
    let tall: f64 = size.split(' ').nth(3).unwrap().parse().unwrap();
    for (x, y) in places(svg) {
        let is_inside = (0.0..=SIZE.0).contains(&x) && (0.0..=tall).contains(&y);
        assert!(is_inside, "{x} {y}: {svg}");
    }
}

#[test]
fn nothing_is_drawn_outside_of_the_picture_whatever_the_numbers() {
    let odd = [
        0.0,
        1e-12,
        0.3,
        5.0,
        1e9,
        9e14,
        1e16,
        f64::MAX,
        -3.0,
        f64::NAN,
        f64::INFINITY,
    ];
    let points: Vec<(f64, f64)> = odd.iter().flat_map(|x| odd.iter().map(|y| (*x, *y))).collect();
    for kind in [Kind::Linear, Kind::Time, Kind::Log, Kind::Tail] {
        for up in [Kind::Linear, Kind::Log] {
            for shape in [Shape::Line, Shape::Dots, Shape::Diamonds, Shape::Area] {
                let mut chart = chart((kind, up), shape, &points);
                let rule = |at| Rule {
                    at,
                    text: "what happened then".to_owned(),
                    class: "a".to_owned(),
                };
                chart.limits = odd.map(rule).into();
                chart.moments = odd.map(rule).into();
                holds(&chart.svg("c", SIZE).unwrap());
            }
        }
    }
}

#[test]
fn what_is_said_of_elsewhere_is_not_drawn() {
    let mut chart = chart((Kind::Time, Kind::Linear), Shape::Line, &[(0.0, 1.0), (9.0, 2.0)]);
    chart.moments = vec![Rule {
        at: 1e6,
        text: "after all".to_owned(),
        class: "a".to_owned(),
    }];
    let svg = chart.svg("c", SIZE).unwrap();
    holds(&svg);
    assert!(!svg.contains("after all") && !svg.contains("moment"), "{svg}");
}

/// The last tick stands at the edge, and is long.
#[test]
fn ticks_are_written_inside_of_the_picture() {
    let mut inside = 0;
    for most in [1.0, 999.0, 20_000.0, 5e8, 2e12] {
        let svg = chart(
            (Kind::Time, Kind::Log),
            Shape::Line,
            &[(0.0, 0.001), (most, most)],
        );
        let svg = svg.svg("c", SIZE).unwrap();
        for text in svg
            .split("<text x=\"")
            .skip(1)
            .filter(|text| text.contains("\"tick\""))
        {
            let x: f64 = text.split('"').next().unwrap().parse().unwrap();
            let label = text.split(['>', '<']).nth(1).unwrap();
            let long = CHARACTER * label.chars().count() as f64;
            let from = if text.contains("\"middle\"") {
                x - long / 2.0
            } else {
                x - long
            };
            assert!(
                from >= -0.1 && from + long <= SIZE.0 + 0.1,
                "{label} at {from} of {most}: {svg}"
            );
            inside += 1;
        }
    }
    assert!(inside > 20);
}

#[test]
fn the_lower_ticks_are_even_and_do_not_touch() {
    for (kind, from, to) in [
        (Kind::Log, 900.0, 4e6),
        (Kind::Log, 900.0, 4e7),
        (Kind::Log, 1.0, 4e4),
        (Kind::Time, 0.0, 2e6),
    ] {
        let points = [(from, 1.0), (to, 1.0)];
        let svg = chart((kind, Kind::Linear), Shape::Line, &points)
            .svg("c", SIZE)
            .unwrap();
        let ticks = svg
            .split("<text x=\"")
            .skip(1)
            .filter(|text| text.contains("\"middle\""));
        let places: Vec<f64> = ticks
            .map(|text| text.split('"').next().unwrap().parse().unwrap())
            .collect();
        let gaps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(!gaps.is_empty(), "{svg}");
        // The last one is moved inside where it would leave the picture.
        assert!(
            gaps.iter()
                .all(|gap| (gap - gaps[0]).abs() < 25.0 && *gap > 6.0 * CHARACTER),
            "{gaps:?}"
        );
    }
}

#[test]
fn points_stay_between_the_axes() {
    let points: Vec<(f64, f64)> = (0..100).map(|at| (f64::from(at), f64::from(at * at))).collect();
    let svg = chart((Kind::Time, Kind::Linear), Shape::Dots, &points)
        .svg("c", SIZE)
        .unwrap();
    let dots = svg.split("cx=\"").skip(1);
    let x = dots.map(|dot| dot.split('"').next().unwrap().parse::<f64>().unwrap());
    assert!(x.clone().all(|x| (30.0..=SIZE.0 - RIGHT).contains(&x)), "{svg}");
    assert_eq!(x.count(), 100);
}

#[test]
fn without_points_there_is_no_picture_and_one_point_is_seen() {
    for kinds in [
        (Kind::Time, Kind::Log),
        (Kind::Log, Kind::Linear),
        (Kind::Tail, Kind::Log),
    ] {
        assert!(chart(kinds, Shape::Line, &[]).svg("c", SIZE).is_none());
        assert!(
            chart(kinds, Shape::Line, &[(f64::NAN, 1.0)])
                .svg("c", SIZE)
                .is_none()
        );
        let svg = chart(kinds, Shape::Line, &[(0.5, 7.0)]).svg("c", SIZE).unwrap();
        assert_eq!(svg.matches("<circle").count(), 1, "{svg}");
        holds(&svg);
    }
}

#[test]
fn a_point_without_a_place_is_a_gap() {
    let points = [(0.0, 1.0), (1.0, 2.0), (2.0, 0.0), (3.0, 2.0), (4.0, 1.0)];
    let svg = chart((Kind::Time, Kind::Log), Shape::Line, &points)
        .svg("c", SIZE)
        .unwrap();
    assert_eq!(svg.matches("class=\"a\" d=\"M").count(), 2, "{svg}");
}

#[test]
fn text_of_strangers_is_escaped() {
    let bad = "<script>alert(1)</script>\" onload=\"x";
    let mut chart = chart((Kind::Time, Kind::Linear), Shape::Line, &[(0.0, 1.0), (9.0, 2.0)]);
    for text in [
        &mut chart.title,
        &mut chart.told,
        &mut chart.x.title,
        &mut chart.y.title,
    ] {
        bad.clone_into(text);
    }
    chart.series[0].class = bad.to_owned();
    chart.moments.push(Rule {
        at: 4.0,
        text: "<script>".to_owned(),
        class: "a".to_owned(),
    });
    let svg = chart.svg("c", SIZE).unwrap();
    assert!(!svg.contains("<script") && !svg.contains("\" onload"), "{svg}");
}

#[test]
fn texts_of_moments_do_not_touch() {
    let mut chart = chart(
        (Kind::Time, Kind::Linear),
        Shape::Line,
        &[(0.0, 1.0), (100.0, 2.0)],
    );
    chart.moments = (0..20)
        .map(|at| Rule {
            at: f64::from(at) * 5.0,
            text: "server killed".to_owned(),
            class: "a".to_owned(),
        })
        .collect();
    let svg = chart.svg("c", SIZE).unwrap();
    assert_eq!(svg.matches("moment a").count(), 20);
    let texts = svg.matches(">server killed<").count();
    assert!((3..=12).contains(&texts), "{texts}");
}
