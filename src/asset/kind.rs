//! Which kind of picture or film some bytes are.
//!
//! Owns [`tell`]. Must not decode anything but what stands in heads, nor trust a name or a declared type. Key
//! invariants: what is not certainly one of the kinds that are taken is none; the work is bounded by the
//! bytes given. What follows a head is not looked at: bytes that are two things at once are sent as the one
//! that they were taken for, and nothing else. Tests are below; the fuzz body is in `fuzzing`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::fmt;

use super::AssetKind;

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which kind.
    pub kind: AssetKind,
    /// Width and height in pixels, where the head says so.
    pub size: Option<(u32, u32)>,
}

/// The bytes are of no kind that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no PNG, JPEG, GIF, WebP, AVIF, SVG, MP4 or WebM")
    }
}

impl std::error::Error for Unknown {}

/// Tells what bytes are by their beginning; give as much of it as is at hand.
///
/// # Errors
/// [`Unknown`].
pub fn tell(head: &[u8]) -> Result<Told, Unknown> {
    let told = |kind, size| Some(Told { kind, size });
    let found = match head {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => {
            png(head).and_then(|size| told(AssetKind::Png, Some(size)))
        }
        [0xff, 0xd8, 0xff, ..] => told(AssetKind::Jpeg, jpeg(head)),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', rest @ ..] => {
            gif(rest).and_then(|size| told(AssetKind::Gif, Some(size)))
        }
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            rest @ ..,
        ] => webp(rest).and_then(|size| told(AssetKind::Webp, Some(size))),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => boxed(head),
        [0x1a, 0x45, 0xdf, 0xa3, rest @ ..] => is_webm(rest)
            .then_some(())
            .and_then(|()| told(AssetKind::Webm, None)),
        _ => is_svg(head)
            .then_some(())
            .and_then(|()| told(AssetKind::Svg, None)),
    };
    found.ok_or(Unknown)
}

/// A picture has pixels.
fn some(width: u32, height: u32) -> Option<(u32, u32)> {
    (width > 0 && height > 0).then_some((width, height))
}

fn u16_be(bytes: &[u8]) -> Option<u32> {
    bytes
        .first_chunk()
        .map(|bytes| u32::from(u16::from_be_bytes(*bytes)))
}

fn u16_le(bytes: &[u8]) -> Option<u32> {
    bytes
        .first_chunk()
        .map(|bytes| u32::from(u16::from_le_bytes(*bytes)))
}

fn u24_le(bytes: &[u8]) -> Option<u32> {
    let [a, b, c] = *bytes.first_chunk()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}

fn u32_be(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// The header chunk comes first (PNG, 5.6).
fn png(head: &[u8]) -> Option<(u32, u32)> {
    let header = head
        .get(8..)?
        .strip_prefix(&[0, 0, 0, 13, b'I', b'H', b'D', b'R'])?;
    some(u32_be(header)?, u32_be(header.get(4..)?)?)
}

/// The logical screen follows the version (GIF89a, 18).
fn gif(rest: &[u8]) -> Option<(u32, u32)> {
    some(u16_le(rest)?, u16_le(rest.get(2..)?)?)
}

/// Looks for the frame header (ITU T.81, B.2.2) among the segments before it; it may lie behind what is at
/// hand.
fn jpeg(head: &[u8]) -> Option<(u32, u32)> {
    let mut rest = head.get(2..)?;
    loop {
        let [0xff, marker, after @ ..] = rest else {
            return None;
        };
        match marker {
            // Padding.
            0xff => {
                rest = rest.get(1..)?;
                continue;
            }
            // Tables for arithmetic coding and Huffman trees, and what is reserved, share the range.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let frame = after.get(3..)?;
                return some(u16_be(frame.get(2..)?)?, u16_be(frame)?);
            }
            // Without a length; the scan begins, or the picture ends.
            0x01 | 0xd0..=0xda => return None,
            _ => {}
        }
        let length = usize::try_from(u16_be(after)?).ok()?;
        rest = after.get(length.max(2)..)?;
    }
}

/// The first chunk says the size, in one of three forms (RFC 9649, 2.5 to 2.7).
fn webp(rest: &[u8]) -> Option<(u32, u32)> {
    let (name, chunk) = rest.split_first_chunk::<4>()?;
    let body = chunk.get(4..)?;
    match name {
        b"VP8X" => {
            let plus_one = |bytes: &[u8]| u24_le(bytes)?.checked_add(1);
            some(plus_one(body.get(4..)?)?, plus_one(body.get(7..)?)?)
        }
        b"VP8L" => {
            let bits = body.strip_prefix(&[0x2f])?.first_chunk::<4>()?;
            let bits = u32::from_le_bytes(*bits);
            let side = |bits: u32| (bits & 0x3fff).checked_add(1);
            some(side(bits)?, side(bits >> 14)?)
        }
        b"VP8 " => {
            let frame = body.get(3..)?.strip_prefix(&[0x9d, 0x01, 0x2a])?;
            some(u16_le(frame)? & 0x3fff, u16_le(frame.get(2..)?)? & 0x3fff)
        }
        _ => None,
    }
}

/// Bytes of a file type box, inclusive: its own head, and as many brands as anybody writes.
const FILE_TYPE_BYTES_MAX: usize = 1024;

/// Brands of films that browsers play as MP4 (mp4ra.org).
const FILMS: [&[u8; 4]; 16] = [
    b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9", b"mp41", b"mp42",
    b"avc1", b"M4V ", b"dash", b"mmp4", b"MSNV",
];

/// A file of the ISO base media format is what its brands say (ISO/IEC 14496-12, 4.3). What is a picture of
/// another coding (HEIC) or a film of another program (QuickTime) is not taken.
fn boxed(head: &[u8]) -> Option<Told> {
    let length = usize::try_from(u32_be(head)?).ok()?;
    if length > FILE_TYPE_BYTES_MAX {
        return None;
    }
    let brands = head.get(8..length)?;
    let (major, others) = brands.split_first_chunk::<4>()?;
    let compatible = others.get(4..)?;
    let has = |brand: &[u8]| compatible.chunks_exact(4).any(|other| other == brand);
    let is_picture = match major {
        b"avif" | b"avis" => true,
        b"mif1" | b"msf1" => has(b"avif") || has(b"avis"),
        _ => false,
    };
    if is_picture {
        let size = avif(head.get(length..)?);
        return Some(Told {
            kind: AssetKind::Avif,
            size,
        });
    }
    FILMS.contains(&major).then_some(Told {
        kind: AssetKind::Mp4,
        size: None,
    })
}

/// The boxes that follow each other in some bytes: the name and the content of each, as far as it is at hand.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::try_from(u32_be(self.0)?).ok()?;
        let name = self.0.get(4..)?.first_chunk()?;
        // Longer forms (1, and 0 for the rest) are for content, which is not looked at.
        let end = (length >= 8).then_some(length)?.min(self.0.len());
        let content = self.0.get(8..end)?;
        self.0 = self.0.get(end..)?;
        Some((name, content))
    }
}

fn find<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    Boxes(bytes)
        .find(|(found, _)| *found == name)
        .map(|(_, content)| content)
}

/// The largest of the sizes that the items of a file have (ISO/IEC 23008-12, 6.5.3).
fn avif(rest: &[u8]) -> Option<(u32, u32)> {
    let properties = find(find(rest, b"meta")?.get(4..)?, b"iprp")?;
    let sizes = Boxes(find(properties, b"ipco")?).filter(|(name, _)| *name == b"ispe");
    let sizes = sizes.filter_map(|(_, content)| {
        let content = content.get(4..)?;
        some(u32_be(content)?, u32_be(content.get(4..)?)?)
    });
    sizes.max_by_key(|(width, height)| u64::from(*width).saturating_mul(u64::from(*height)))
}

/// A number of EBML, and what follows it (RFC 8794, 4).
fn variable(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, _) = bytes.split_first()?;
    let more = usize::try_from(first.leading_zeros()).ok()?;
    if more > 7 {
        return None;
    }
    let length = more.checked_add(1)?;
    let (number, rest) = bytes.split_at_checked(length)?;
    let value = number
        .iter()
        .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    // The first bit that is set says how long it is.
    let marker = 1_u64.checked_shl(u32::try_from(length.checked_mul(7)?).ok()?)?;
    Some((value & !marker, rest))
}

/// Whether the header says that the document is WebM (RFC 8794, 11.2.6): Matroska has many codings that no
/// browser plays.
fn is_webm(rest: &[u8]) -> bool {
    let doc_type = || {
        let (length, rest) = variable(rest)?;
        let length = usize::try_from(length).ok()?;
        let mut header = rest.get(..length)?;
        loop {
            // Ids keep their marker; this one is of two bytes.
            let is_doc_type = header.starts_with(&[0x42, 0x82]);
            let (_, after) = variable(header)?;
            let (length, after) = variable(after)?;
            let (content, rest) = after.split_at_checked(usize::try_from(length).ok()?)?;
            if is_doc_type {
                return Some(content);
            }
            header = rest;
        }
    };
    doc_type().is_some_and(|doc_type| doc_type == b"webm")
}

/// Whether a text has the root element of an SVG drawing; what may stand before that is skipped. One with
/// entities of its own is not taken: they are how small texts become endless ones.
fn is_svg(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // What is at hand may end within a character.
        Err(error) if error.error_len().is_none() => {
            let valid = head.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        }
        Err(_) => return false,
    };
    root(text.strip_prefix('\u{feff}').unwrap_or(text)).is_some()
}

fn root(mut rest: &str) -> Option<()> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let end = if rest.starts_with("<?") {
            "?>"
        } else if rest.starts_with("<!--") {
            "-->"
        } else if let Some(declared) = rest.strip_prefix("<!DOCTYPE") {
            let (declared, _) = declared.split_once('>')?;
            if declared.contains('[') {
                return None;
            }
            ">"
        } else {
            let name = rest.strip_prefix("<svg")?;
            return name.starts_with([' ', '\t', '\r', '\n', '>', '/']).then_some(());
        };
        rest = rest.split_once(end)?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(head: &[u8]) -> Option<(AssetKind, Option<(u32, u32)>)> {
        tell(head).ok().map(|told| (told.kind, told.size))
    }

    type Sample = (Vec<u8>, AssetKind, Option<(u32, u32)>);

    fn samples() -> Vec<Sample> {
        use AssetKind::*;
        let brands = |text: &str| {
            let length = u32::try_from(text.len().saturating_add(8)).unwrap().to_be_bytes();
            [&length[..], b"ftyp", text.as_bytes()].concat()
        };
        let ispe = [&[0, 0, 0, 20][..], b"ispe", &[0; 4], &[0, 0, 1, 0], &[0, 0, 2, 0]].concat();
        let wrap = |name: &[u8; 4], content: &[u8]| {
            let length = u32::try_from(content.len().saturating_add(8))
                .unwrap()
                .to_be_bytes();
            [&length[..], name, content].concat()
        };
        let ipco = wrap(b"ipco", &[&ispe[..], &wrap(b"pixi", &[0; 4])].concat());
        let meta = wrap(
            b"meta",
            &[&[0; 4][..], &wrap(b"hdlr", &[0; 8]), &wrap(b"iprp", &ipco)].concat(),
        );
        vec![
            (
                b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x02\0".to_vec(),
                Png,
                Some((256, 512)),
            ),
            (
                b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc4\0\x02\xff\xc2\0\x0b\x08\x02\0\x01\0".to_vec(),
                Jpeg,
                Some((256, 512)),
            ),
            (b"\xff\xd8\xff\xe1\xff\xff".to_vec(), Jpeg, None),
            (b"\xff\xd8\xff\xda\0\x04".to_vec(), Jpeg, None),
            (b"GIF89a\0\x01\0\x02".to_vec(), Gif, Some((256, 512))),
            (b"GIF87a\x01\0\x01\0".to_vec(), Gif, Some((1, 1))),
            (
                b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\xff\0\0\xff\x01\0".to_vec(),
                Webp,
                Some((256, 512)),
            ),
            (
                b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\xff\xc0\x7f\0".to_vec(),
                Webp,
                Some((256, 512)),
            ),
            (
                b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\0\x41\0\x82".to_vec(),
                Webp,
                Some((256, 512)),
            ),
            (
                [brands("avif\0\0\0\0mif1"), meta.clone()].concat(),
                Avif,
                Some((256, 512)),
            ),
            (brands("mif1\0\0\0\0miafavif"), Avif, None),
            (brands("isom\0\0\x02\0iso2mp41"), Mp4, None),
            (brands("M4V \0\0\0\0"), Mp4, None),
            (
                b"\x1a\x45\xdf\xa3\x8b\x42\x86\x81\x01\x42\x82\x84webm\0".to_vec(),
                Webm,
                None,
            ),
            (b"<svg xmlns='x'>".to_vec(), Svg, None),
            (
                "\u{feff} <?xml version='1.0'?>\n<!-- > --><!DOCTYPE svg PUBLIC 'a' 'b'>\n<svg>"
                    .as_bytes()
                    .to_vec(),
                Svg,
                None,
            ),
            (b"<svg/>\xe2\x82".to_vec(), Svg, None),
        ]
    }

    #[test]
    fn each_kind_is_told_by_its_first_bytes() {
        for (head, kind, size) in samples() {
            assert_eq!(told(&head), Some((kind, size)), "{}", head.escape_ascii());
            // A text stays one only as long as it is UTF-8.
            if std::str::from_utf8(&head).is_ok() || kind != AssetKind::Svg {
                let longer = [&head[..], b"<script>alert(1)</script>"].concat();
                assert_eq!(told(&longer).map(|(kind, _)| kind), Some(kind));
            }
        }
    }

    #[test]
    fn what_ends_early_is_another_kind_never() {
        for (head, kind, _) in samples() {
            for end in 0..head.len() {
                let found = told(&head[..end]).map(|(kind, _)| kind);
                assert!(found.is_none() || found == Some(kind), "{kind:?} of {end} bytes");
            }
        }
    }

    #[test]
    fn what_is_not_certainly_one_of_them_is_none() {
        let long = [&[0, 0, 8, 0][..], b"ftypisom", &[0; 3000]].concat();
        for head in [
            &b""[..],
            b"\x89PNG\r\n\x1a\n\0\0\0\rIDAT\0\0\x01\0\0\0\x02\0",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\x02\0",
            b"GIF89a\0\0\0\x02",
            b"GIF88a\0\x01\0\x02",
            b"RIFF\0\0\0\0WAVEfmt ",
            b"RIFF\0\0\0\0WEBPALPH\0\0\0\0",
            b"\0\0\0\x14ftypheic\0\0\0\0mif1",
            b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
            b"\0\0\0\x08ftypisom\0\0\0\0",
            &long,
            b"\x1a\x45\xdf\xa3\x8f\x42\x82\x88matroska",
            b"\x1a\x45\xdf\xa3\xff\x42\x82\x84webm",
            b"\x1a\x45\xdf\xa3\0",
            b"<html><svg>",
            b"<!-- --><html>",
            b"<svgx>",
            b"<SVG>",
            b"<svg",
            b"x<svg>",
            b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg>",
            b"<!DOCTYPE html><svg>x\xff",
            b"%PDF-1.7",
            b"\xff\xd8",
            b"BM\0\0",
            b"#!/bin/sh",
        ] {
            assert_eq!(told(head), None, "{}", head.escape_ascii());
        }
    }
}
