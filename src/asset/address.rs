//! The address of an asset, as records of a board have it.
//!
//! Owns its one form, `/v1/boards/{board}/assets/{sha256}`: it names no server, so that a board can move.
//! Must not know records. Key invariant: every address that [`AssetAddress`] writes is found by
//! [`addresses_in`], wherever it stands; what is found too much only keeps an asset longer. Tests
//! are below.

use std::fmt;

use super::AssetHash;
use crate::ids::BoardId;

const BEFORE: &str = "/v1/boards/";
const BETWEEN: &str = "/assets/";

/// Where an asset of a board is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetAddress<'a> {
    /// Of which board.
    pub board: &'a BoardId,
    /// Which.
    pub hash: AssetHash,
}

impl AssetAddress<'_> {
    /// What an address names, of whatever board it is: a copy of a board has the assets of the board that it
    /// was copied from. `None` for any other text.
    #[must_use]
    pub fn hash_of(text: &str) -> Option<AssetHash> {
        let (board, hash) = text.strip_prefix(BEFORE)?.split_once(BETWEEN)?;
        BoardId::parse(board)?;
        AssetHash::parse(hash)
    }
}

impl fmt::Display for AssetAddress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No character of a board id needs an escape in a path.
        write!(f, "{BEFORE}{}{BETWEEN}{}", self.board, self.hash)
    }
}

/// The assets that some bytes name by their address, whatever board the address is of: a copy of a board has
/// those of the board that it was copied from. The bytes may be a text, or a document as it is stored, in
/// which the texts of records stand as they are.
pub fn addresses_in(bytes: &[u8]) -> impl Iterator<Item = AssetHash> {
    let places = bytes.windows(BETWEEN.len()).enumerate();
    let places = places.filter(|(_, window)| *window == BETWEEN.as_bytes());
    places.filter_map(|(at, _)| {
        let hash = bytes
            .get(at.saturating_add(BETWEEN.len())..)?
            .get(..AssetHash::CHARACTERS)?;
        AssetHash::parse(std::str::from_utf8(hash).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_wherever_it_stands() {
        let board = BoardId::parse("a.b_c~d-e").unwrap();
        let (hash, other) = (AssetHash([0xab; 32]), AssetHash([7; 32]));
        let address = AssetAddress { board: &board, hash }.to_string();
        assert_eq!(
            address,
            format!("/v1/boards/a.b_c~d-e/assets/{}", "ab".repeat(32))
        );
        assert_eq!(AssetAddress::hash_of(&address), Some(hash));
        for other in [
            address.clone() + "?",
            address.replace("a.b_c~d-e", "a/b"),
            address.replace("/v1", ""),
            format!("https://host{address}"),
        ] {
            assert_eq!(AssetAddress::hash_of(&other), None, "{other}");
        }
        let second = AssetAddress {
            board: &board,
            hash: other,
        };
        for (text, found) in [
            (address.clone(), vec![hash]),
            (format!("https://host/base{address}?share=x"), vec![hash]),
            (
                format!("{{\"src\":\"{address}\",\"x\":\"{second}\"}}"),
                vec![hash, other],
            ),
            (address[..address.len() - 1].to_owned(), vec![]),
            (address.to_uppercase(), vec![]),
            (format!("/assets/{}", "\u{20ac}".repeat(40)), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(addresses_in(text.as_bytes()).collect::<Vec<_>>(), found, "{text}");
        }
    }
}
