//! The bounds and times that are settings.
//!
//! Owns [`Bounds`], [`Times`], and how they are made from [`Values`]. Must not know what a bound is for. Key
//! invariant: all are inclusive, and none can be switched off. Tests are in `tests.rs`.

use std::time::Duration;

use super::gathered::Values;
use super::values;
use super::wrong::ConfigError;
use crate::store::owners::Quotas;

/// The bounds that are settings; all inclusive and at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `--max-message-bytes`: of one WebSocket message.
    pub message_bytes: usize,
    /// `--max-board-bytes`: of a board's encoded state.
    pub board_bytes: usize,
    /// `--max-versions-bytes`: that versions of one board take.
    pub versions_bytes: usize,
    /// `--max-body-bytes`: of an HTTP request body.
    pub body_bytes: usize,
    /// `--max-asset-bytes`: of one asset.
    pub asset_bytes: usize,
    /// `--max-assets-bytes`: of all assets of a board.
    pub assets_bytes: u64,
    /// `--max-outbox-bytes`: that a member may be behind.
    pub outbox_bytes: usize,
    /// `--max-connections`: open in all.
    pub connections: usize,
    /// `--max-connections-per-address`; loopback is exempt.
    pub connections_per_address: usize,
    /// `--max-connections-per-board`.
    pub connections_per_board: usize,
    /// `--max-messages-per-second`: of one connection.
    pub messages_per_second: u32,
}

/// The times that are settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// `--room-idle`.
    pub room_idle: Duration,
    /// `--room-sweep`; more than zero.
    pub room_sweep: Duration,
    /// `--commit-window`; zero commits at once.
    pub commit_window: Duration,
    /// `--compact-after`.
    pub compact_after: Duration,
    /// `--compact-every`; not less than `compact_after`.
    pub compact_every: Duration,
    /// `--drain`.
    pub drain: Duration,
    /// `--audit-days`.
    pub audit: Duration,
    /// `--trash-days`; zero for no trash.
    pub trash: Duration,
    /// `--versions-hours`; zero for none.
    pub versions_hourly: Duration,
    /// `--versions-days`; zero for none.
    pub versions_daily: Duration,
    /// `--lease`.
    pub lease: Duration,
}

impl Bounds {
    pub(super) fn from_values(values: &Values) -> Result<Self, ConfigError> {
        let bytes = |name| {
            let expected = "a size from 1KiB to 1GiB: bytes, or such as 64KiB or 16MiB";
            values.one(name, expected, |text| {
                values::size(text).filter(|size| (1 << 10..=1 << 30).contains(size))
            })
        };
        let count = |name| {
            values.one(name, "a number from 1 to 1000000", |text| {
                values::count(text).filter(|count| (1..=1_000_000).contains(count))
            })
        };
        Ok(Self {
            message_bytes: bytes("max-message-bytes")?,
            board_bytes: bytes("max-board-bytes")?,
            versions_bytes: bytes("max-versions-bytes")?,
            body_bytes: bytes("max-body-bytes")?,
            asset_bytes: bytes("max-asset-bytes")?,
            assets_bytes: assets_bytes(values)?,
            outbox_bytes: bytes("max-outbox-bytes")?,
            connections: count("max-connections")?,
            connections_per_address: count("max-connections-per-address")?,
            connections_per_board: count("max-connections-per-board")?,
            messages_per_second: u32::try_from(count("max-messages-per-second")?).unwrap_or(u32::MAX),
        })
    }
}

/// What all assets of a board may take; none for 0.
fn assets_bytes(values: &Values) -> Result<u64, ConfigError> {
    let expected = "a size from 0 to 1024GiB: bytes, or such as 64MiB or 4GiB";
    let bytes = values.one("max-assets-bytes", expected, |text| {
        values::size(text).filter(|size| *size <= 1 << 40)
    })?;
    Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// What one owner may have.
pub(super) fn quotas(values: &Values) -> Result<Quotas, ConfigError> {
    let boards = values.one("max-boards-per-owner", "a number from 1 to 1000000000", |text| {
        values::count(text).filter(|count| (1..=1_000_000_000).contains(count))
    })?;
    let expected = "a size from 1KiB to 1048576GiB: bytes, or such as 64MiB or 4GiB";
    let bytes = values.one("max-bytes-per-owner", expected, |text| {
        values::size(text).filter(|size| (1 << 10..=1 << 50).contains(size))
    })?;
    let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    Ok(Quotas {
        boards: number(boards),
        bytes: number(bytes),
    })
}

impl Times {
    pub(super) fn from_values(values: &Values) -> Result<Self, ConfigError> {
        let within = |name, least: &str, most: &str| {
            let expected = format!("a duration from {least} to {most}, such as 250ms, 5s, 30m or 90d");
            let bound = |text| values::duration(text).unwrap_or_default();
            values.one(name, &expected, |text| {
                values::duration(text).filter(|duration| (bound(least)..=bound(most)).contains(duration))
            })
        };
        let days = |text: &str| {
            let days = values::count(text).filter(|days| *days <= 3_650)?;
            Some(Duration::from_secs(u64::try_from(days).ok()? * 24 * 3_600))
        };
        let times = Self {
            room_idle: within("room-idle", "10ms", "3650d")?,
            room_sweep: within("room-sweep", "10ms", "1d")?,
            commit_window: within("commit-window", "0ms", "10s")?,
            compact_after: within("compact-after", "10ms", "1d")?,
            compact_every: within("compact-every", "10ms", "1d")?,
            drain: within("drain", "0s", "1h")?,
            audit: values.one("audit-days", "a number of days, 1 to 3650", |text| {
                days(text).filter(|days| !days.is_zero())
            })?,
            trash: values.one("trash-days", "a number of days, 0 to 3650", days)?,
            versions_hourly: values.one("versions-hours", "a number of hours, 0 to 100", |text| {
                let hours = values::count(text).filter(|hours| *hours <= 100)?;
                Some(Duration::from_secs(u64::try_from(hours).ok()? * 3_600))
            })?,
            versions_daily: values.one("versions-days", "a number of days, 0 to 100", |text| {
                days(text).filter(|days| days.as_secs() <= 100 * 24 * 3_600)
            })?,
            lease: within("lease", "1s", "5m")?,
        };
        if times.compact_every < times.compact_after {
            let expected = "a duration that is not shorter than --compact-after";
            return Err(ConfigError::new(values.given("compact-every"), expected));
        }
        Ok(times)
    }
}
