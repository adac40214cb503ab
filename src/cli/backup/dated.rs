//! Backups in a directory: their names, and which of them stay.
//!
//! Owns the form of a name, and the rules of `--keep`. Must not know what is in a backup. Key invariant: what
//! has not just such a name is never removed, nor is the newest. Tests are below.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use boardwire::time::UnixMillis;

const START: &str = "boardwire-";
const END: &str = ".redb";

/// A moment as names have it, such as `20261129T031500Z`.
pub(in super::super) fn stamp(at: UnixMillis) -> String {
    let time = at.to_string();
    let digits: String = time.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let (seconds, _) = digits.split_once('.').unwrap_or((&digits, ""));
    format!("{seconds}Z")
}

/// The name of a backup of this moment, such as `boardwire-20261129T031500Z.redb`.
pub(super) fn name(at: UnixMillis) -> String {
    format!("{START}{}{END}", stamp(at))
}

/// When the backup of this name was made; `None` for other names.
fn made_at(name: &str) -> Option<u64> {
    let time = name.strip_prefix(START)?.strip_suffix(END)?.strip_suffix('Z')?;
    let at = |range: std::ops::Range<usize>| time.get(range);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        at(0..4)?,
        at(4..6)?,
        at(6..8)?,
        at(9..11)?,
        at(11..13)?,
        at(13..15)?
    );
    let seconds = text.parse::<jiff::Timestamp>().ok()?.as_second();
    let seconds = u64::try_from(seconds).ok()?;
    // There is one form.
    (self::name(UnixMillis(seconds.checked_mul(1_000)?)) == name).then_some(seconds)
}

/// The value of `--keep`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keep(Vec<(usize, Unit)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Hour,
    Day,
    Week,
}

impl Unit {
    /// Which one a moment is in. A week begins on Monday, in UTC.
    fn of(self, seconds: u64) -> u64 {
        let hours = seconds / 3_600;
        match self {
            Self::Hour => hours,
            Self::Day => hours / 24,
            // The epoch was a Thursday.
            Self::Week => (hours / 24 + 3) / 7,
        }
    }
}

impl Keep {
    /// Reads a list such as `7d,4w`.
    ///
    /// # Errors
    /// What would be right, in one line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rule = |part: &str| {
            let part = part.trim();
            let (count, unit) = part.split_at_checked(part.len().checked_sub(1)?)?;
            let unit = match unit {
                "h" => Unit::Hour,
                "d" => Unit::Day,
                "w" => Unit::Week,
                _ => return None,
            };
            let count = count.parse().ok().filter(|count| *count > 0)?;
            count_is_plain(part).then_some((count, unit))
        };
        let rules: Option<Vec<_>> = text.split(',').map(rule).collect();
        let wrong = || {
            format!(
                "--keep {text:?} is not right; expected numbers of hours, days or weeks, such as 24h,7d,4w"
            )
        };
        rules.map(Self).ok_or_else(wrong)
    }

    /// Which of these moments stay: of each rule the newest of each of the last so many hours, days or weeks
    /// that have any.
    fn of(&self, moments: &BTreeSet<u64>) -> BTreeSet<u64> {
        let mut stay: BTreeSet<u64> = moments.last().copied().into_iter().collect();
        for (count, unit) in &self.0 {
            let mut seen = BTreeSet::new();
            for moment in moments.iter().rev() {
                if seen.len() < *count && seen.insert(unit.of(*moment)) {
                    stay.insert(*moment);
                }
            }
        }
        stay
    }
}

/// A sign is none.
fn count_is_plain(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_digit())
}

/// Removes the backups of a directory that no rule keeps; gives how many.
///
/// # Errors
/// Where the directory cannot be read, or one cannot be removed.
pub(super) fn prune(directory: &Path, keep: &Keep) -> io::Result<usize> {
    let mut moments = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let at = entry.file_name().to_str().and_then(made_at);
        if let Some(at) = at
            && entry.file_type()?.is_file()
        {
            moments.insert(at);
        }
    }
    let stay = keep.of(&moments);
    let mut gone = 0;
    for at in moments.difference(&stay) {
        fs::remove_file(directory.join(name(UnixMillis(at * 1_000))))?;
        gone += 1;
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;
    /// A Monday, at midnight.
    const MONDAY: u64 = 1_795_996_800;

    #[test]
    fn names_have_the_time_and_no_other_name_is_one() {
        let at = UnixMillis(1_795_210_829_120);
        assert_eq!(name(at), "boardwire-20261120T214029Z.redb");
        assert_eq!(made_at("boardwire-20261120T214029Z.redb"), Some(1_795_210_829));
        for other in [
            "boardwire.redb",
            "boardwire-20261120T214029Z.redb.part",
            "boardwire-20261320T214029Z.redb",
            "boardwire-20261120_214029Z.redb",
            "boardwire-20261120T21402Z.redb",
            "boardwire-20261120T2140299Z.redb",
            "my-boardwire-20261120T214029Z.redb",
            "boardwire-2026112\u{e4}T21402Z.redb",
        ] {
            assert_eq!(made_at(other), None, "{other}");
        }
    }

    #[test]
    fn rules_are_numbers_with_a_unit() {
        let rules = |text: &str| Keep::parse(text).map(|keep| keep.0);
        assert_eq!(
            rules("24h, 7d,4w"),
            Ok(vec![(24, Unit::Hour), (7, Unit::Day), (4, Unit::Week)])
        );
        for text in [
            "", "7", "d", "0d", "-1d", "+1d", "7m", "7d,", "7d 4w", "1.5d", "7\u{e4}",
        ] {
            let wrong = rules(text).unwrap_err();
            assert!(wrong.contains("such as 24h,7d,4w"), "{text:?}: {wrong}");
        }
    }

    #[test]
    fn of_each_day_and_week_the_newest_stays_and_the_newest_of_all() {
        let keep = Keep::parse("3d,2w").unwrap();
        // Two a day, for three weeks.
        let moments: BTreeSet<u64> = (0..42).map(|n| MONDAY + n * DAY / 2).collect();
        let newest = MONDAY + 41 * DAY / 2;
        let expected = [
            // The newest of the week before: of its Sunday.
            MONDAY + 27 * DAY / 2,
            newest - 2 * DAY,
            newest - DAY,
            newest,
        ];
        assert_eq!(keep.of(&moments), expected.into());
        assert_eq!(keep.of(&BTreeSet::new()), BTreeSet::new());
        // After a gap, what is old is no less kept.
        let old: BTreeSet<u64> = [MONDAY, MONDAY + 100 * DAY].into();
        assert_eq!(keep.of(&old), old);
    }

    #[test]
    fn only_files_with_such_names_go() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let old = name(UnixMillis(MONDAY * 1_000));
        let new = name(UnixMillis((MONDAY + DAY) * 1_000));
        for file in [&old, &new, "boardwire.redb", "notes.txt", "boardwire-1.redb"] {
            fs::write(here.join(file), "x").unwrap();
        }
        let directory_of_that_name = here.join(name(UnixMillis(1_000)));
        fs::create_dir(&directory_of_that_name).unwrap();
        assert_eq!(prune(here, &Keep::parse("1d").unwrap()).unwrap(), 1);
        assert!(!here.join(&old).exists() && here.join(&new).exists());
        assert!(directory_of_that_name.exists());
        assert_eq!(fs::read_dir(here).unwrap().count(), 5);
    }
}
