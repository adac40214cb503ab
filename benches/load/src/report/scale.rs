//! From numbers to places along an axis, and the round numbers that are written there.
//!
//! Owns ranges and ticks. Key invariant: a number that a scale was made of has a place from 0 to 1 on it, and
//! what has no place (not a number, negative, beyond all measure) is left out, never drawn wrong.

/// What is larger was not measured.
const TOO_LARGE: f64 = 1e15;

/// How far the axis of shares reaches: to 99.99 %.
const TAIL_END: f64 = 4.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From 0 to a round number.
    Linear,
    /// From 0 to where the data ends.
    Time,
    /// Each factor as wide as any other; only what is above 0 has a place.
    Log,
    /// Shares of all, each nine as wide as the one before: 90 %, 99 %, 99.9 %.
    Tail,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    kind: Kind,
    /// Ends of the range, bent as the kind says.
    low: f64,
    high: f64,
}

impl Scale {
    /// A scale on which all these numbers have a place; none when there is none.
    pub(crate) fn over(kind: Kind, numbers: impl Iterator<Item = f64>) -> Option<Self> {
        let bent = numbers.filter_map(|number| bend(kind, number));
        let ends = bent.fold(None, |ends: Option<(f64, f64)>, at| {
            let (low, high) = ends.unwrap_or((at, at));
            Some((low.min(at), high.max(at)))
        });
        let (low, high) = ends?;
        let (low, high) = match kind {
            Kind::Linear if high > 0.0 => (0.0, round_up(high)),
            Kind::Time if high > 0.0 => (0.0, high),
            Kind::Linear | Kind::Time => (0.0, 1.0),
            Kind::Tail => (0.0, high.max(1.0)),
            Kind::Log => {
                let room = ((high - low) * 0.05).max(0.08);
                (low - room, high + room)
            }
        };
        Some(Self { kind, low, high })
    }

    /// Where on the axis, from 0 to 1; none when it has no place there.
    pub(crate) fn place(&self, number: f64) -> Option<f64> {
        let at = (bend(self.kind, number)? - self.low) / (self.high - self.low);
        (0.0..=1.0).contains(&at).then_some(at)
    }

    /// Round numbers inside the range, at most this many; of shares all.
    pub(crate) fn ticks(&self, most: usize) -> Vec<f64> {
        let mut ticks = match self.kind {
            Kind::Linear | Kind::Time => steps(self.low, self.high, most),
            Kind::Tail => vec![0.5, 0.9, 0.99, 0.999, 0.9999],
            Kind::Log => powers(self.low, self.high, most),
        };
        ticks.retain(|tick| self.place(*tick).is_some());
        ticks
    }
}

fn bend(kind: Kind, number: f64) -> Option<f64> {
    let bent = match kind {
        Kind::Linear | Kind::Time => number,
        Kind::Log => number.log10(),
        Kind::Tail => (-(1.0 - number).log10()).min(TAIL_END),
    };
    ((0.0..TOO_LARGE).contains(&number) && bent.is_finite()).then_some(bent)
}

/// The least step of 1, 2 or 5 times a power of ten that leads through the range in at most this many ticks.
fn step(range: f64, most: usize) -> f64 {
    let least = range / most.max(1) as f64;
    let power = 10_f64.powf(least.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0];
    // One more tick than steps, so the steps are fewer than the ticks.
    let enough = times.into_iter().find(|times| times * power > least * 1.000_001);
    enough.unwrap_or(20.0) * power
}

fn steps(low: f64, high: f64, most: usize) -> Vec<f64> {
    let step = step(high - low, most);
    let first = (low / step).ceil();
    // Divided where that is exact: 3 / 10, not 3 * 0.1.
    let tick = |at: f64| {
        if step < 1.0 {
            at / (1.0 / step).round()
        } else {
            at * step
        }
    };
    (0..most)
        .map(|count| tick(first + count as f64))
        .take_while(|tick| *tick <= high + step * 1e-6)
        .map(|tick| tick.min(high))
        .collect()
}

fn round_up(high: f64) -> f64 {
    let step = step(high, 5);
    (high / step - 1e-6).ceil().max(1.0) * step
}

/// Ticks of a logarithmic axis: 1, 2 and 5 of each power of ten, or fewer where there are many, or steps
/// where it is short.
fn powers(low: f64, high: f64, most: usize) -> Vec<f64> {
    let inside = |times: &[f64], every: usize| -> Vec<f64> {
        let from = (low.floor() as i32).div_euclid(every as i32) * every as i32;
        let powers = (from..=high.ceil() as i32).step_by(every);
        let ticks = powers.flat_map(|power| times.iter().map(move |times| exact(*times, power)));
        ticks
            .filter(|tick| (low..=high).contains(&tick.log10()))
            .collect()
    };
    let short = inside(&[1.0, 2.0, 5.0], 1);
    if short.len() < 3 {
        let (from, to) = (10_f64.powf(low), 10_f64.powf(high));
        // Between two steps may be none: then finer ones, as many as there is room for.
        let finer = (most.min(5)..).map(|aim| steps(from, to, aim));
        let enough = finer.take(8).find(|ticks| ticks.len() > 1);
        return enough.unwrap_or_default().into_iter().take(most).collect();
    }
    let coarser = (1..).map(|every| inside(&[1.0], every));
    let mut all = std::iter::once(short).chain(coarser);
    all.find(|ticks| ticks.len() <= most).unwrap_or_default()
}

fn exact(times: f64, power: i32) -> f64 {
    if power < 0 {
        times / 10_f64.powi(-power)
    } else {
        times * 10_f64.powi(power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 4] = [Kind::Linear, Kind::Time, Kind::Log, Kind::Tail];

    fn ranges() -> Vec<(f64, f64)> {
        let ends = [
            1e-12, 0.003, 0.07, 0.6, 0.999, 1.0, 7.0, 59.9, 200.0, 1_234.5, 9e14,
        ];
        let pairs = ends.iter().flat_map(|low| ends.iter().map(|high| (*low, *high)));
        pairs.filter(|(low, high)| low <= high).collect()
    }

    #[test]
    fn what_a_scale_was_made_of_has_a_place() {
        for kind in KINDS {
            for (low, high) in ranges() {
                let Some(scale) = Scale::over(kind, [low, high].into_iter()) else {
                    assert!(kind == Kind::Tail && low >= 1.0, "{kind:?} {low} {high}");
                    continue;
                };
                let place = scale.place(low);
                assert!(
                    place.is_some() || (kind == Kind::Tail && low >= 1.0),
                    "{kind:?} {low} {high}"
                );
            }
        }
    }

    #[test]
    fn ticks_are_few_round_and_inside() {
        for kind in [Kind::Linear, Kind::Time, Kind::Log] {
            for (low, high) in ranges() {
                for most in [3, 4, 6, 9] {
                    let scale = Scale::over(kind, [low, high].into_iter()).unwrap();
                    let ticks = scale.ticks(most);
                    assert!(
                        (1..=most).contains(&ticks.len()),
                        "{kind:?} {low} {high} {most}: {ticks:?}"
                    );
                    assert!(ticks.is_sorted(), "{ticks:?}");
                    if let ([first, second, ..], false) = (ticks.as_slice(), kind == Kind::Log) {
                        let place = |tick: f64| scale.place(tick).unwrap();
                        let left = 1.0 - place(*ticks.last().unwrap());
                        assert!(
                            left < (place(*second) - place(*first)) * 1.01,
                            "{kind:?} {high} {most}"
                        );
                    }
                    for tick in ticks {
                        assert!(scale.place(tick).is_some());
                        let text = format!("{tick:e}");
                        let first = text.split('e').next().unwrap();
                        assert!(first.len() <= 4, "{kind:?} {low} {high} {most}: {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_tail_is_told_in_nines() {
        let scale = Scale::over(Kind::Tail, [0.1, 0.5, 0.999_999].into_iter()).unwrap();
        assert_eq!(scale.ticks(6), [0.5, 0.9, 0.99, 0.999, 0.9999]);
        let places: Vec<f64> = [0.9, 0.99, 0.999].map(|share| scale.place(share).unwrap()).into();
        assert!((places[1] - places[0] - 0.25).abs() < 1e-9, "{places:?}");
    }

    #[test]
    fn what_is_no_measurement_has_no_place() {
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e16, f64::MAX];
        for kind in KINDS {
            assert!(Scale::over(kind, odd.into_iter()).is_none());
            assert!(Scale::over(kind, std::iter::empty()).is_none());
            let scale = Scale::over(kind, odd.into_iter().chain([0.5])).unwrap();
            assert!(odd.into_iter().all(|number| scale.place(number).is_none()));
        }
        assert!(Scale::over(Kind::Log, [0.0].into_iter()).is_none());
        let zeros = Scale::over(Kind::Linear, [0.0].into_iter()).unwrap();
        assert_eq!(zeros.place(0.0), Some(0.0));
    }
}
