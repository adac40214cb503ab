//! The fonts of pictures: those of the page.
//!
//! Owns which of the page's files is which face. Must not know how letters are drawn. Key invariant: without
//! the page there are no fonts, and pictures leave letters to whoever shows them. Tests are below.

use std::sync::LazyLock;

use boardwire_picture::{Face, Family, Fonts, Slant, Weight};

use crate::api::page;

static FONTS: LazyLock<Fonts> = LazyLock::new(|| Fonts::new(|face| page::font(&name_of(face))));

/// All faces; each is unpacked when it is first needed.
pub(super) fn fonts() -> &'static Fonts {
    &FONTS
}

/// What the name of its file begins with (`@tldraw/assets` 3.15.6).
fn name_of(face: Face) -> String {
    let (family, words) = match face.family {
        Family::Draw => (
            "Shantell_Sans-Informal_",
            ["Regular", "Regular_Italic", "Bold", "Bold_Italic"],
        ),
        Family::Sans => ("IBMPlexSans-", PLEX),
        Family::Serif => ("IBMPlexSerif-", PLEX),
        Family::Mono => ("IBMPlexMono-", PLEX),
    };
    let [upright, italic, bold, bold_italic] = words;
    let word = match (face.weight, face.slant) {
        (Weight::Normal, Slant::Upright) => upright,
        (Weight::Normal, Slant::Italic) => italic,
        (Weight::Bold, Slant::Upright) => bold,
        (Weight::Bold, Slant::Italic) => bold_italic,
    };
    format!("{family}{word}-")
}

const PLEX: [&str; 4] = ["Medium", "MediumItalic", "Bold", "BoldItalic"];

#[cfg(test)]
mod tests {
    use super::*;

    /// With the page, that is; without it there is none.
    #[test]
    fn every_face_is_a_file_of_the_page_that_can_be_read() {
        for family in [Family::Draw, Family::Sans, Family::Serif, Family::Mono] {
            for weight in [Weight::Normal, Weight::Bold] {
                for slant in [Slant::Upright, Slant::Italic] {
                    let face = Face {
                        family,
                        weight,
                        slant,
                    };
                    assert_eq!(fonts().has(face), cfg!(feature = "page"), "{face:?}");
                }
            }
        }
    }
}
