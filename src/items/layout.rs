//! Layouts: where items go that shall be set out in a grid, or in layers along their connectors.
//!
//! Owns both algorithms, which know nothing but sizes and ends. Must not know records. Key invariants: the
//! same input has the same layout; no two boxes touch; work grows with boxes and ends, which are bounded.
//! Tests: src/items/tests/layout.rs.
//!
//! # How
//! An end that would close a circle, seen from the first box on, does not count. A box lies in the layer
//! behind the last one that leads to it (longest path); in its layer it is sorted by the mean place of its
//! neighbours in the layer before, and then in the one behind, some times over (barycentres).

use crate::items::place::Point;

/// How often the layers are sorted, forth and back.
const SWEEPS: usize = 8;

/// How boxes are set out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Layered,
    Grid,
}

/// Which way the layers follow each other, or a grid is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Right,
    Down,
}

/// What is to be set out.
pub(super) struct Graph {
    /// Width and height of each box.
    pub(super) sizes: Vec<(f64, f64)>,
    /// From one box to another, by their places in `sizes`.
    pub(super) edges: Vec<(usize, usize)>,
}

/// The upper left corners of the boxes of a graph, in their order, from the origin on.
pub(super) fn corners(graph: &Graph, kind: Kind, direction: Direction, gap: f64) -> Vec<Point> {
    let count = graph.sizes.len();
    // Along and across the direction.
    let sizes: Vec<(f64, f64)> = match direction {
        Direction::Right => graph.sizes.clone(),
        Direction::Down => graph
            .sizes
            .iter()
            .map(|(width, height)| (*height, *width))
            .collect(),
    };
    let mut corners = vec![(0.0, 0.0); count];
    match kind {
        Kind::Layered => set_layers(&layers(graph), &sizes, gap, &mut corners),
        Kind::Grid => set_grid(&sizes, gap, &mut corners),
    }
    let point = |(along, across): (f64, f64)| match direction {
        Direction::Right => Point { x: along, y: across },
        Direction::Down => Point { x: across, y: along },
    };
    corners.into_iter().map(point).collect()
}

/// Rows of about as many as there are rows, each column as wide as its widest.
fn set_grid(sizes: &[(f64, f64)], gap: f64, corners: &mut [(f64, f64)]) {
    let count = sizes.len();
    let columns = (1..=count)
        .find(|columns| columns.saturating_mul(*columns) >= count)
        .unwrap_or(1);
    let mut widths = vec![0.0_f64; columns];
    for row in sizes.chunks(columns) {
        for (width, size) in widths.iter_mut().zip(row) {
            *width = width.max(size.0);
        }
    }
    let mut across = 0.0;
    for (row, placed) in sizes.chunks(columns).zip(corners.chunks_mut(columns)) {
        let mut along = 0.0;
        for (corner, width) in placed.iter_mut().zip(&widths) {
            *corner = (along, across);
            along += width + gap;
        }
        across += row.iter().fold(0.0, |most: f64, size| most.max(size.1)) + gap;
    }
}

/// Layer behind layer, the middles of all on one line.
fn set_layers(layers: &[Vec<usize>], sizes: &[(f64, f64)], gap: f64, corners: &mut [(f64, f64)]) {
    let size = |node: &usize| sizes.get(*node).copied().unwrap_or_default();
    let gaps = |layer: &[usize]| layer.iter().skip(1).fold(0.0, |sum, _| sum + gap);
    let across_all = |layer: &Vec<usize>| layer.iter().map(|node| size(node).1).sum::<f64>() + gaps(layer);
    let most = layers.iter().map(across_all).fold(0.0, f64::max);
    let mut along = 0.0;
    for layer in layers {
        let widest = layer.iter().map(|node| size(node).0).fold(0.0, f64::max);
        let mut across = (most - across_all(layer)) / 2.0;
        for node in layer {
            if let Some(corner) = corners.get_mut(*node) {
                *corner = (along + (widest - size(node).0) / 2.0, across);
            }
            across += size(node).1 + gap;
        }
        along += widest + gap;
    }
}

/// Who follows whom, by the places of boxes.
struct Neighbours {
    before: Vec<Vec<usize>>,
    behind: Vec<Vec<usize>>,
}

impl Neighbours {
    fn of(count: usize, edges: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut neighbours = Self {
            before: vec![Vec::new(); count],
            behind: vec![Vec::new(); count],
        };
        for (from, to) in edges {
            if let (Some(behind), Some(before)) =
                (neighbours.behind.get_mut(from), neighbours.before.get_mut(to))
            {
                behind.push(to);
                before.push(from);
            }
        }
        neighbours
    }
}

/// The boxes by layers, each in its order.
fn layers(graph: &Graph) -> Vec<Vec<usize>> {
    let count = graph.sizes.len();
    let all = Neighbours::of(count, graph.edges.iter().copied());
    let order = backwards(&all, count);
    // Where each is when one walks along the edges; an edge that leads back in this order closes a circle.
    let mut ranks = vec![0_usize; count];
    for (rank, node) in order.iter().rev().enumerate() {
        if let Some(own) = ranks.get_mut(*node) {
            *own = rank;
        }
    }
    let rank = |node: usize| ranks.get(node).copied().unwrap_or_default();
    let forth = graph
        .edges
        .iter()
        .copied()
        .filter(|(from, to)| rank(*from) < rank(*to));
    let neighbours = Neighbours::of(count, forth);
    let mut depths = vec![0_usize; count];
    for node in order.iter().rev() {
        let before = neighbours.before.get(*node).into_iter().flatten();
        let depth = before
            .filter_map(|before| depths.get(*before))
            .map(|depth| depth.saturating_add(1))
            .max();
        if let Some(own) = depths.get_mut(*node) {
            *own = depth.unwrap_or_default();
        }
    }
    let deepest = depths.iter().max().map_or(0, |depth| depth.saturating_add(1));
    let mut layers = vec![Vec::new(); deepest];
    for (node, depth) in depths.iter().enumerate() {
        if let Some(layer) = layers.get_mut(*depth) {
            layer.push(node);
        }
    }
    sort(&mut layers, &neighbours, count);
    layers
}

/// The boxes in the order in which a walk along the edges is done with them, the last one first.
fn backwards(neighbours: &Neighbours, count: usize) -> Vec<usize> {
    let (mut order, mut is_seen) = (Vec::with_capacity(count), vec![false; count]);
    // Those to which nothing leads, and then what is in circles that they do not lead to.
    let is_source = |node: &usize| neighbours.before.get(*node).is_some_and(Vec::is_empty);
    let (sources, others): (Vec<usize>, Vec<usize>) = (0..count).partition(is_source);
    for start in sources.into_iter().chain(others) {
        let mut way = vec![(start, 0_usize)];
        while let Some((node, next)) = way.pop() {
            if next == 0 && is_seen.get(node).copied().unwrap_or(true) {
                continue;
            }
            if let Some(seen) = is_seen.get_mut(node) {
                *seen = true;
            }
            match neighbours.behind.get(node).and_then(|behind| behind.get(next)) {
                Some(following) => {
                    way.push((node, next.saturating_add(1)));
                    way.push((*following, 0));
                }
                None => order.push(node),
            }
        }
    }
    order
}

fn sort(layers: &mut [Vec<usize>], neighbours: &Neighbours, count: usize) {
    let mut places = vec![0.0_f64; count];
    note(layers, &mut places);
    for sweep in 0..SWEEPS {
        let is_forth = sweep % 2 == 0;
        let towards = if is_forth {
            &neighbours.before
        } else {
            &neighbours.behind
        };
        let mut sort = |layer: &mut Vec<usize>| {
            let mean =
                |node: &usize| mean(towards.get(*node), &places).or_else(|| places.get(*node).copied());
            let mut keyed: Vec<(f64, usize)> = layer
                .iter()
                .map(|node| (mean(node).unwrap_or_default(), *node))
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            *layer = keyed.into_iter().map(|(_, node)| node).collect();
            note(std::slice::from_ref(layer), &mut places);
        };
        if is_forth {
            layers.iter_mut().for_each(&mut sort);
        } else {
            layers.iter_mut().rev().for_each(&mut sort);
        }
    }
}

/// The mean place of some boxes; `None` where there are none.
fn mean(nodes: Option<&Vec<usize>>, places: &[f64]) -> Option<f64> {
    let places = nodes?.iter().filter_map(|node| places.get(*node));
    let (sum, count) = places.fold((0.0, 0.0), |(sum, count), place| (sum + place, count + 1.0));
    (count > 0.0).then_some(sum / count)
}

/// Notes where in its layer each box is, as a part of the whole.
fn note(layers: &[Vec<usize>], places: &mut [f64]) {
    for layer in layers {
        let share = layer.iter().fold(0.0, |sum, _| sum + 1.0);
        let mut at = 0.5;
        for node in layer {
            if let Some(place) = places.get_mut(*node) {
                *place = at / share;
            }
            at += 1.0;
        }
    }
}
