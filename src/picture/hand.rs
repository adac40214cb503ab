//! A line as a hand draws it: corners are a little round, and it is drawn twice, never quite the same.
//!
//! Owns the wobble (`tldraw` 3.15.6, src/lib/shapes/shared/PathBuilder.tsx, in the dash `draw`). Must not
//! know shapes. Key invariant: the same seed gives the same line. Tests are below.

use std::f64::consts::{FRAC_PI_2, PI};

use crate::geometry::{Point, at};
use crate::path::{End, Kind, Path, Piece, put};

/// Numbers from -1 to 1 that follow from a seed: Marsaglia's xorshift of four words.
pub(crate) struct Chance([u32; 4]);

impl Chance {
    pub(crate) fn of(seed: &str) -> Self {
        let mut chance = Self([0; 4]);
        let padding = std::iter::repeat_n(0, 64);
        for unit in seed.encode_utf16().chain(padding) {
            chance.0[0] ^= u32::from(unit);
            chance.next();
        }
        chance
    }

    pub(crate) fn next(&mut self) -> f64 {
        let [x, y, z, w] = self.0;
        let mixed = x ^ (x << 11);
        let last = (w >> 19) ^ mixed ^ (mixed >> 8) ^ w;
        self.0 = [y, z, w, last];
        // Its upper half counts as negative.
        f64::from(last.cast_signed()) / f64::from(1_u32 << 31)
    }
}

/// How a piece is missed and rounded.
#[derive(Clone, Copy)]
struct Slack {
    offset: f64,
    /// How much of the corner at its end is cut off, of this piece and of the next.
    cut: [f64; 2],
    /// Back along this piece, and out along the next; none where there is none.
    back: Option<Point>,
    out: Option<Point>,
}

/// Path data of a line that is drawn so often, with a pen of this width.
pub(crate) fn drawn(path: &Path, seed: &str, width: f64, passes: u8) -> String {
    let slack = slacks(path, width);
    let mut data = String::new();
    for pass in 0..passes {
        let mut chance = Chance::of(&format!("{seed}{pass}"));
        let mut begun = at(0.0, 0.0);
        for (piece, slack) in path.0.iter().zip(&slack) {
            let missed = if piece.closes {
                begun
            } else {
                let x = chance.next() * slack.offset;
                at(x, chance.next() * slack.offset)
            };
            if piece.kind == Kind::Move {
                begun = missed;
            }
            one(&mut data, piece, slack, missed);
        }
    }
    data
}

/// Path data of what such a line is around, which is not missed.
pub(crate) fn filled(path: &Path, width: f64) -> String {
    let mut data = String::new();
    for (piece, slack) in path.0.iter().zip(&slacks(path, width)) {
        one(&mut data, piece, slack, at(0.0, 0.0));
    }
    data
}

fn one(data: &mut String, piece: &Piece, slack: &Slack, missed: Point) {
    let corner = piece.to + missed;
    let cut = |way: Option<Point>, by: f64| way.filter(|_| by > 0.0).map(|way| corner + way * by);
    let (before, after) = (cut(slack.back, slack.cut[0]), cut(slack.out, slack.cut[1]));
    match (piece.kind, before, after) {
        (Kind::Move, _, after) => put(data, 'M', &[after.unwrap_or(corner)]),
        (Kind::Line, Some(before), Some(after)) => {
            put(data, 'L', &[before]);
            put(data, 'Q', &[corner, after]);
        }
        (Kind::Line, _, after) => put(data, 'L', &[after.unwrap_or(corner)]),
        (Kind::Curve(out, back), ..) => put(data, 'C', &[out + missed, back + missed, corner]),
    }
}

fn slacks(path: &Path, width: f64) -> Vec<Slack> {
    let mut begun = 0;
    let mut slacks: Vec<Slack> = Vec::with_capacity(path.0.len());
    for (n, piece) in path.0.iter().enumerate() {
        if piece.kind == Kind::Move {
            begun = n;
        }
        let following = if piece.closes { begun } else { n }.saturating_add(1);
        let next = path.0.get(following).filter(|next| next.kind != Kind::Move);
        let before = n.checked_sub(1).and_then(|n| path.0.get(n));
        let before = before
            .filter(|_| piece.kind != Kind::Move)
            .map(|before| before.to);
        let (back, length) = before.map_or((None, f64::INFINITY), |before| {
            let way = match piece.kind {
                Kind::Curve(_, handle) => handle - piece.to,
                _ => before - piece.to,
            };
            (Some(way.unit()), before.distance(piece.to))
        });
        let (out, next_length) = next.map_or((None, f64::INFINITY), |next| {
            let way = match next.kind {
                Kind::Curve(handle, _) => handle - piece.to,
                _ => next.to - piece.to,
            };
            (Some(way.unit()), next.to.distance(piece.to))
        });
        let is_straight = !matches!(piece.kind, Kind::Curve(..))
            && next.is_some_and(|next| matches!(next.kind, Kind::Line));
        let round = match (back, out) {
            (Some(back), Some(out)) if is_straight && back.length() > 0.1 && out.length() > 0.1 => {
                // Where the line turns back, nothing is cut.
                let turn = back.dot(out * -1.0).clamp(-1.0, 1.0).acos();
                width * 2.0 * (1.0 - ((turn - FRAC_PI_2) / (PI - FRAC_PI_2)).clamp(0.0, 1.0))
            }
            _ => 0.0,
        };
        let room = (length.min(next_length) - round * 2.0) / 4.0;
        let wanted = if piece.end == End::Exact { 0.0 } else { width / 3.0 };
        let slack = Slack {
            offset: wanted.min(room).max(0.0),
            cut: [round.min(length / 4.0), round.min(next_length / 4.0)],
            back,
            out,
        };
        if let Some(first) = slacks.get_mut(begun).filter(|_| piece.closes) {
            first.cut[1] = slack.cut[1];
        }
        slacks.push(slack);
    }
    slacks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_line_and_another_one_another() {
        let square = Path::polygon(&[at(0.0, 0.0), at(90.0, 0.0), at(90.0, 90.0), at(0.0, 90.0)]);
        let draw = |seed| drawn(&square, seed, 3.5, 2);
        assert_eq!(draw("shape:a"), draw("shape:a"));
        assert_ne!(draw("shape:a"), draw("shape:b"));
        assert_eq!(draw("shape:a").matches('M').count(), 2);
        assert_eq!(filled(&square, 3.5).matches('Q').count(), 4);
    }

    #[test]
    fn chance_is_spread_about_nothing() {
        let mut chance = Chance::of("shape:a");
        let numbers: Vec<f64> = (0..1_000).map(|_| chance.next()).collect();
        assert!(numbers.iter().all(|number| (-1.0..=1.0).contains(number)));
        assert!((numbers.iter().sum::<f64>() / 1_000.0).abs() < 0.1);
    }

    #[test]
    fn an_exact_end_is_met() {
        let line = Path::line(&[at(0.0, 0.0), at(50.0, 0.0)], End::Exact);
        assert_eq!(drawn(&line, "x", 3.5, 1), "M0 0L50 0");
    }
}
