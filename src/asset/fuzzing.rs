//! The fuzz body of what tells kinds.
//!
//! The input is the beginning of a file. Seeds: fuzz/seeds/asset_kind.

use super::{AssetHash, AssetKind, addresses_in, tell};

/// Nothing panics; more bytes behind those that were enough change nothing about the kind; and what is told
/// can be kept and read back.
pub fn asset_kind(data: &[u8]) {
    if let Ok(told) = tell(data) {
        assert_eq!(AssetKind::parse(told.kind.media_type()), Some(told.kind));
        assert!(told.size.is_none_or(|(width, height)| width > 0 && height > 0));
        let longer = [data, b"\n<html>"].concat();
        // A drawing is a text to its end.
        if told.kind != AssetKind::Svg {
            assert_eq!(tell(&longer).map(|longer| longer.kind), Ok(told.kind));
        }
    }
    for hash in addresses_in(data) {
        assert_eq!(AssetHash::parse(&hash.to_string()), Some(hash));
    }
}

#[cfg(test)]
mod tests {
    use crate::mutation;

    #[test]
    fn whatever_comes_is_told_without_a_panic() {
        mutation::drive_committed("asset_kind", 20_000, super::asset_kind);
    }
}
