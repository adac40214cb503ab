//! Assets: pictures and films that lie beside the document of a board.
//!
//! Owns [`AssetHash`], the name of one, and [`AssetKind`]; which kind some bytes are is in `asset/kind.rs`.
//! Must not know how assets are stored or sent. Key invariant: a hash is written in one way only, so that no
//! other spelling leads to the same bytes, and none leads out of a path. Tests are below, and in `kind`.

mod address;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod kind;

use std::fmt;

pub use self::address::{AssetAddress, addresses_in};
pub use self::kind::{Told, Unknown, tell};

/// The SHA-256 of an asset's bytes, which is its name on a board: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssetHash(pub [u8; 32]);

impl AssetHash {
    /// Characters of a hash as text.
    pub const CHARACTERS: usize = 64;

    /// Checks `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::CHARACTERS {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = (digit(*high)? << 4) | digit(*low)?;
        }
        Some(Self(hash))
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for AssetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AssetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an asset is, by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssetKind {
    /// A PNG picture.
    Png,
    /// A JPEG picture.
    Jpeg,
    /// A GIF picture.
    Gif,
    /// A WebP picture.
    Webp,
    /// An AVIF picture.
    Avif,
    /// An SVG drawing.
    Svg,
    /// An MP4 film.
    Mp4,
    /// A WebM film.
    Webm,
}

impl AssetKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Png,
        Self::Jpeg,
        Self::Gif,
        Self::Webp,
        Self::Avif,
        Self::Svg,
        Self::Mp4,
        Self::Webm,
    ];

    /// The media type that it is kept and sent under.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
            Self::Svg => "image/svg+xml",
            Self::Mp4 => "video/mp4",
            Self::Webm => "video/webm",
        }
    }

    /// The kind of a media type.
    #[must_use]
    pub fn parse(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.media_type() == media_type)
    }

    /// Whether it is a film.
    #[must_use]
    pub fn is_film(self) -> bool {
        matches!(self, Self::Mp4 | Self::Webm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_in_one_way_only() {
        let text = "00ff10".to_owned() + &"ab".repeat(29);
        let hash = AssetHash::parse(&text).unwrap();
        assert_eq!(hash.to_string(), text);
        for other in [
            "",
            &text[1..],
            &(text.clone() + "0"),
            &text.to_uppercase(),
            &text.replace("ab", "g0"),
            &format!("..{}", &text[2..]),
            &format!("%2e{}", &text[3..]),
            &format!("\u{e9}{}", &text[2..]),
        ] {
            assert_eq!(AssetHash::parse(other), None, "{other}");
        }
    }

    #[test]
    fn each_kind_has_a_media_type_of_its_own() {
        for kind in AssetKind::ALL {
            assert_eq!(AssetKind::parse(kind.media_type()), Some(kind));
            assert_eq!(kind.is_film(), kind.media_type().starts_with("video/"));
        }
        assert_eq!(AssetKind::parse("text/html"), None);
    }
}
