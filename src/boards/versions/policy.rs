//! Which versions of a board are kept.
//!
//! Owns [`Policy`]. Must not know how they are stored. Key invariants: what somebody asked for goes by itself
//! never; of those that made themselves the oldest go first; what is kept fits the bounds, or nothing is
//! added. Tests are below.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::limits;
use crate::store::{ChunkHash, PIECE_BYTES, StoredVersion, VersionId, VersionKind};

/// What is set about versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// `--versions-hours`: for so long one is kept of each hour.
    pub(crate) hourly: Duration,
    /// `--versions-days`: for so long one is kept of each day.
    pub(crate) daily: Duration,
    /// `--max-versions-bytes`.
    pub(crate) bytes: u64,
}

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

impl Policy {
    /// Whether versions make themselves.
    pub(crate) fn makes_some(&self) -> bool {
        !self.hourly.is_zero() || !self.daily.is_zero()
    }

    /// Which of those that are kept (newest first) go when a new one comes; `None` where there is no room.
    pub(crate) fn forgotten(&self, kept: &[StoredVersion], new: &StoredVersion) -> Option<Vec<VersionId>> {
        let mut forgotten = self.thinned(kept, new);
        let is_left = |version: &&StoredVersion| !forgotten.contains(&version.id);
        let mut left: Vec<&StoredVersion> = kept.iter().filter(is_left).collect();
        let mut taken = Taken::default();
        left.iter()
            .copied()
            .chain([new])
            .for_each(|version| taken.add(version));
        while taken.bytes > self.bytes || left.len() >= limits::VERSIONS_PER_BOARD_MAX {
            let oldest = left
                .iter()
                .rposition(|version| version.kind != VersionKind::Named)?;
            let gone = left.remove(oldest);
            taken.remove(gone);
            forgotten.push(gone.id);
        }
        Some(forgotten)
    }

    /// Those whose time has passed.
    fn thinned(&self, kept: &[StoredVersion], new: &StoredVersion) -> Vec<VersionId> {
        let [hourly, daily] = [self.hourly, self.daily].map(|time| {
            let millis = time.as_millis();
            u64::try_from(millis).unwrap_or(u64::MAX)
        });
        let (mut hours, mut days, mut before) = (BTreeSet::new(), BTreeSet::new(), 0);
        let mut stays = |version: &StoredVersion| {
            let age = new.at.0.saturating_sub(version.at.0);
            match version.kind {
                VersionKind::Named => true,
                VersionKind::Automatic => {
                    let is_first_of_hour = hours.insert(version.at.0 / HOUR);
                    let is_first_of_day = days.insert(version.at.0 / DAY);
                    (is_first_of_hour && age < hourly) || (is_first_of_day && age < daily)
                }
                VersionKind::BeforeDeletion | VersionKind::BeforeRestore => {
                    before += 1;
                    before <= limits::VERSIONS_BEFORE_MAX && age < daily.max(DAY)
                }
            }
        };
        // It is the newest of its kind.
        stays(new);
        let gone = kept.iter().filter(|version| !stays(version));
        gone.map(|version| version.id).collect()
    }
}

/// Bytes that versions take together, as [`crate::store::bytes_of`] counts them.
#[derive(Default)]
struct Taken {
    chunks: BTreeMap<ChunkHash, usize>,
    bytes: u64,
}

impl Taken {
    fn add(&mut self, version: &StoredVersion) {
        for piece in &version.pieces {
            let uses = self.chunks.entry(piece.hash).or_default();
            *uses += 1;
            let chunk = if *uses == 1 { u64::from(piece.bytes) } else { 0 };
            self.bytes = self.bytes.saturating_add(chunk).saturating_add(LISTED);
        }
    }

    fn remove(&mut self, version: &StoredVersion) {
        for piece in &version.pieces {
            let uses = self.chunks.entry(piece.hash).or_default();
            *uses = uses.saturating_sub(1);
            let chunk = if *uses == 0 { u64::from(piece.bytes) } else { 0 };
            self.bytes = self.bytes.saturating_sub(chunk).saturating_sub(LISTED);
        }
    }
}

const LISTED: u64 = PIECE_BYTES as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Piece, bytes_of};
    use crate::time::UnixMillis;

    const POLICY: Policy = Policy {
        hourly: Duration::from_secs(24 * 3_600),
        daily: Duration::from_secs(30 * 24 * 3_600),
        bytes: u64::MAX,
    };

    fn version(at: u64, kind: VersionKind, chunks: &[u8]) -> StoredVersion {
        let piece = |chunk: &u8| Piece {
            hash: ChunkHash([*chunk; 32]),
            bytes: 100,
        };
        StoredVersion {
            id: VersionId(at),
            kind,
            at: UnixMillis(at),
            name: None,
            by: None,
            pieces: chunks.iter().map(piece).collect(),
        }
    }

    /// What is left after versions of this kind were made at these times, oldest first.
    fn left(policy: Policy, kind: VersionKind, times: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut kept: Vec<StoredVersion> = Vec::new();
        for at in times {
            let new = version(at, kind, &[1]);
            let forgotten = policy.forgotten(&kept, &new).unwrap();
            kept.retain(|version| !forgotten.contains(&version.id));
            kept.insert(0, new);
        }
        kept.iter().map(|version| version.at.0).collect()
    }

    #[test]
    fn one_of_each_hour_is_kept_for_a_day_and_one_of_each_day_for_a_month() {
        // Every half an hour for 40 days.
        let kept = left(POLICY, VersionKind::Automatic, (0..40 * 48).map(|n| n * HOUR / 2));
        let newest = 40 * DAY - HOUR / 2;
        assert_eq!(kept[..2], [newest, newest - HOUR], "the last one of each hour");
        let hours = kept.iter().filter(|at| newest - **at < DAY).count();
        assert_eq!((hours, kept.len()), (24, 24 + 29), "{kept:?}");
        assert!(kept.iter().all(|at| newest - at < 30 * DAY));
        assert!(
            kept[24..].iter().all(|at| at % DAY == DAY - HOUR / 2),
            "the last one of each day"
        );
    }

    #[test]
    fn what_somebody_asked_for_stays_and_others_make_room_oldest_first() {
        let named = left(POLICY, VersionKind::Named, (0..100).map(|n| n * DAY));
        assert_eq!(named.len(), 100);
        let before = left(POLICY, VersionKind::BeforeDeletion, 0..50);
        assert_eq!(before, (18..50).rev().collect::<Vec<_>>());
        let narrow = Policy {
            bytes: 3 * 136,
            ..POLICY
        };
        let kept = [
            version(4 * HOUR, VersionKind::Automatic, &[4]),
            version(3 * HOUR, VersionKind::Named, &[3]),
            version(2 * HOUR, VersionKind::Automatic, &[2]),
        ];
        assert_eq!(bytes_of(&kept), 3 * 136);
        let mut new = version(5 * HOUR, VersionKind::Named, &[5]);
        assert_eq!(narrow.forgotten(&kept, &new), Some(vec![VersionId(2 * HOUR)]));
        // What it shares takes a place in its list alone.
        new.pieces.extend_from_within(..);
        assert_eq!(
            narrow.forgotten(&kept, &new),
            Some(vec![VersionId(2 * HOUR), VersionId(4 * HOUR)])
        );
        new.pieces = version(0, VersionKind::Named, &[5, 6, 7]).pieces;
        assert_eq!(
            narrow.forgotten(&kept, &new),
            None,
            "what is named does not go for it"
        );
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let all: Vec<StoredVersion> = (1..=128)
            .rev()
            .map(|at| version(at, VersionKind::Named, &[1]))
            .collect();
        let new = version(200, VersionKind::Named, &[1]);
        assert_eq!(POLICY.forgotten(&all, &new), None);
        assert_eq!(POLICY.forgotten(&all[1..], &new), Some(Vec::new()));
        let mut all = all;
        all[5].kind = VersionKind::BeforeRestore;
        assert_eq!(POLICY.forgotten(&all, &new), Some(vec![all[5].id]));
    }

    #[test]
    fn without_hours_and_days_none_make_themselves() {
        let none = Policy {
            hourly: Duration::ZERO,
            daily: Duration::ZERO,
            ..POLICY
        };
        assert!(!none.makes_some() && POLICY.makes_some());
        assert_eq!(
            left(none, VersionKind::Automatic, [0, HOUR, DAY].into_iter()),
            [DAY]
        );
    }
}
