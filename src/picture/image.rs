//! Pictures within a board: only those that it holds itself, and only pixels.
//!
//! Owns which sources are shown. Must not know where. Key invariant: what passes is base64 of a PNG, JPEG,
//! GIF or WebP whose own header says what it unpacks to. Tests are below.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// As browsers read it: the padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A source that may be shown as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Pixels {
    pub(crate) fn count(self) -> u64 {
        u64::from(self.width).saturating_mul(u64::from(self.height))
    }
}

/// What a source is; `None` where it is anything else than pixels that the board holds.
pub(crate) fn read(source: &str) -> Option<Pixels> {
    let rest = source.strip_prefix("data:image/")?;
    let (kind, text) = rest.split_once(";base64,")?;
    if !text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
    {
        return None;
    }
    let bytes = BASE64.decode(text).ok()?;
    // By what it is: programs that show it do not go by its name.
    let pixels = match kind {
        "png" | "jpeg" | "jpg" | "gif" | "webp" => png(&bytes)
            .or_else(|| gif(&bytes))
            .or_else(|| webp(&bytes))
            .or_else(|| jpeg(&bytes)),
        _ => None,
    };
    pixels.filter(|pixels| pixels.count() > 0)
}

fn big(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn little(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn png(bytes: &[u8]) -> Option<Pixels> {
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    (rest.get(4..8)? == b"IHDR").then_some(())?;
    Some(Pixels {
        width: big(rest.get(8..12)?),
        height: big(rest.get(12..16)?),
    })
}

fn gif(bytes: &[u8]) -> Option<Pixels> {
    let rest = bytes.strip_prefix(b"GIF8")?;
    Some(Pixels {
        width: little(rest.get(2..4)?),
        height: little(rest.get(4..6)?),
    })
}

fn webp(bytes: &[u8]) -> Option<Pixels> {
    let rest = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WEBP")?;
    let (kind, data) = (rest.get(..4)?, rest.get(8..)?);
    let pixels = |width, height| Some(Pixels { width, height });
    match kind {
        b"VP8X" => pixels(
            little(data.get(4..7)?).saturating_add(1),
            little(data.get(7..10)?).saturating_add(1),
        ),
        b"VP8L" => {
            let packed = little(data.get(1..5)?);
            pixels(
                (packed & 0x3fff).saturating_add(1),
                ((packed >> 14) & 0x3fff).saturating_add(1),
            )
        }
        b"VP8 " => pixels(
            little(data.get(6..8)?) & 0x3fff,
            little(data.get(8..10)?) & 0x3fff,
        ),
        _ => None,
    }
}

/// Reads on from segment to segment until one says the size.
fn jpeg(bytes: &[u8]) -> Option<Pixels> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let [0xff, marker, after @ ..] = rest else {
            return None;
        };
        match marker {
            0xff => rest = rest.get(1..)?,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some(Pixels {
                    height: big(after.get(3..5)?),
                    width: big(after.get(5..7)?),
                });
            }
            0xd8 | 0x01 | 0xd0..=0xd7 => rest = after,
            0xd9 | 0xda => return None,
            _ => {
                let length = usize::try_from(big(after.get(..2)?)).ok()?;
                rest = after.get(length.max(2)..)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(kind: &str, bytes: &[u8]) -> String {
        format!("data:image/{kind};base64,{}", BASE64.encode(bytes))
    }

    fn small_png() -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend([0, 0, 1, 0, 0, 0, 0, 9]);
        bytes
    }

    #[test]
    fn sizes_are_read_from_headers() {
        let size = |kind, bytes: &[u8]| read(&source(kind, bytes)).map(|it| (it.width, it.height));
        assert_eq!(size("png", &small_png()), Some((256, 9)));
        assert_eq!(size("gif", b"GIF89a\x05\x00\x06\x00"), Some((5, 6)));
        let jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x0a\x00\x14\x03";
        assert_eq!(size("jpeg", jpeg), Some((20, 10)));
        assert_eq!(
            size("webp", b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x09\0\0\x04\0\0"),
            Some((10, 5))
        );
    }

    #[test]
    fn all_else_is_none() {
        for source in [
            "https://example.com/a.png".to_owned(),
            "/a.png".to_owned(),
            source("svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            source("png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            source("svg+xml", &small_png()),
            source("png", &small_png()[..20]),
            source("jpeg", b"\xff\xd8\xff\xe0\x00\x00\xff\xe0\x00\x00"),
            format!("{}\"", source("png", &small_png())),
            String::new(),
        ] {
            assert_eq!(read(&source), None, "{source}");
        }
    }
}
