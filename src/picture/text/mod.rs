//! Text: from a document of tldraw's to lines of letters, and these onto the sheet.
//!
//! Owns how lines are set and drawn. Must not know shapes. Key invariants: letters of our fonts are drawn as
//! outlines, so that a picture looks the same everywhere; work is in proportion to the letters. Tests are
//! below.

mod layout;
mod rich;

pub(crate) use layout::{Laid, set};
pub(crate) use rich::{plain, read};

use crate::Target;
use crate::fonts::{Face, Faces};
use crate::geometry::{Area, at};
use crate::path::number;
use crate::sheet::{Full, Sheet};
use crate::style::{Align, Theme};
use crate::text::layout::{Line, Part};

/// Bytes that a letter becomes where it stands, about.
const LETTER_BYTES: usize = 28;

/// Letters of a text that are told to who cannot see.
const TITLE_LETTERS_MAX: usize = 500;

/// How lines lie in a box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) area: Area,
    pub(crate) across: Align,
    pub(crate) down: Align,
}

/// What lines are painted with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint<'p> {
    pub(crate) color: &'p str,
    /// How wide the edge of the background's colour is that sets letters off; 0 for none.
    pub(crate) edge: f64,
    pub(crate) theme: Theme,
    pub(crate) target: Target,
}

/// Draws lines, and gives what they take.
pub(crate) fn draw(
    sheet: &mut Sheet<'_>,
    faces: &mut Faces<'_>,
    laid: &Laid,
    place: &Place,
    paint: &Paint<'_>,
) -> Result<Option<Area>, Full> {
    let letters = laid
        .lines
        .iter()
        .flat_map(|line| &line.parts)
        .map(|part| part.text.len());
    sheet.begin(letters.sum::<usize>().saturating_mul(LETTER_BYTES))?;
    let mut taken: Option<Area> = None;
    let top = place.area.top + place.down.before(place.area.height() - laid.height);
    title(sheet, laid);
    let mut drawn = String::new();
    for line in &laid.lines {
        sheet.spend(line.parts.len())?;
        let free = place.area.width() - line.indent - line.width;
        // A list stands at its left edge, whatever the rest does.
        let across = if line.is_listed {
            Align::Start
        } else {
            place.across
        };
        let left = place.area.left + line.indent + across.before(free);
        let area = Area::sized(at(left, top + line.top), line.width, line.height);
        taken = Some(taken.map_or(area, |taken| taken.joined(&area)));
        marks(sheet, line, (left, top), paint);
        put_line(sheet, faces, &mut drawn, (line, left, top), paint)?;
    }
    if drawn.is_empty() {
        return Ok(taken);
    }
    if paint.edge > 0.0 {
        let id = sheet.fresh(|text, id| {
            text.push_str(&format!("<g id=\"{id}\">"));
            text.push_str(&drawn);
            text.push_str("</g>");
        });
        let background = paint.theme.background();
        sheet.write(format_args!(
            "<use href=\"#{id}\" fill=\"{background}\" stroke=\"{background}\" stroke-width=\"{}\"/>\
             <use href=\"#{id}\" fill=\"{}\" stroke=\"none\"/>",
            paint.edge, paint.color
        ));
    } else {
        sheet.write(format_args!("<g fill=\"{}\" stroke=\"none\">", paint.color));
        sheet.push(&drawn);
        sheet.push("</g>");
    }
    sheet.spend(0)?;
    Ok(taken)
}

/// The text itself, for who cannot see it.
fn title(sheet: &mut Sheet<'_>, laid: &Laid) {
    let mut words = String::new();
    for part in laid.lines.iter().flat_map(|line| &line.parts) {
        words.push_str(&part.text);
        if words.len() > TITLE_LETTERS_MAX {
            break;
        }
    }
    let words = words.trim();
    if !words.is_empty() {
        sheet.push("<title>");
        sheet.push_text(words);
        sheet.push("</title>");
    }
}

/// What lies behind and under letters: marked text, and lines.
fn marks(sheet: &mut Sheet<'_>, line: &Line, (left, top): (f64, f64), paint: &Paint<'_>) {
    for part in &line.parts {
        let look = part.look;
        let across = |y: f64, thick: f64| {
            Area::sized(at(left + part.left, top + line.baseline + y), part.width, thick)
        };
        if look.is_marked {
            let area = Area::sized(at(left + part.left, top + line.top), part.width, line.height);
            sheet.rectangle(&area, format_args!("fill=\"#fddd00\""));
        }
        let thick = part.size / 15.0;
        let color = if look.is_link {
            paint.theme.link()
        } else {
            paint.color
        };
        if look.is_link {
            sheet.rectangle(&across(part.size * 0.1, thick), format_args!("fill=\"{color}\""));
        }
        if look.is_struck {
            sheet.rectangle(&across(part.size * -0.3, thick), format_args!("fill=\"{color}\""));
        }
    }
}

fn put_line(
    sheet: &mut Sheet<'_>,
    faces: &mut Faces<'_>,
    drawn: &mut String,
    (line, left, top): (&Line, f64, f64),
    paint: &Paint<'_>,
) -> Result<(), Full> {
    for part in &line.parts {
        let at = at(left + part.left, top + line.baseline);
        let color = part.look.is_link.then(|| paint.theme.link());
        if part.is_drawn {
            outlines(sheet, faces, drawn, (part, at), (color, paint.edge))?;
        } else {
            stand_in(drawn, part, at, (color, paint.target));
        }
        sheet.spend(part.text.len())?;
    }
    Ok(())
}

/// Letters as outlines: each is a definition, and used where it stands.
fn outlines(
    sheet: &mut Sheet<'_>,
    faces: &mut Faces<'_>,
    drawn: &mut String,
    (part, at): (&Part, crate::geometry::Point),
    (color, edge): (Option<&str>, f64),
) -> Result<(), Full> {
    let face = part.look.face;
    let units = faces.metrics(face).units;
    let scale = part.size / units;
    let mut uses = String::new();
    let mut x = 0.0;
    for c in part.text.chars() {
        let letter = faces.letter(face, c);
        if let Some(glyph) = letter.glyph.filter(|_| !c.is_whitespace()) {
            let id = glyph_id(sheet, faces, face, glyph)?;
            uses.push_str(&format!("<use href=\"#{id}\""));
            if x > 0.0 {
                uses.push_str(" x=\"");
                number(&mut uses, (x * units).round());
                uses.push('"');
            }
            uses.push_str("/>");
        }
        x += letter.width;
    }
    if uses.is_empty() {
        return Ok(());
    }
    let flipped = format!("{scale:.6} 0 0 {:.6} ", -scale);
    drawn.push_str("<g transform=\"matrix(");
    drawn.push_str(&flipped);
    number(drawn, at.x);
    drawn.push(' ');
    number(drawn, at.y);
    drawn.push_str(")\"");
    if let Some(color) = color {
        drawn.push_str(&format!(" fill=\"{color}\""));
    }
    if edge > 0.0 {
        drawn.push_str(" stroke-width=\"");
        number(drawn, edge / scale);
        drawn.push('"');
    }
    drawn.push('>');
    drawn.push_str(&uses);
    drawn.push_str("</g>");
    Ok(())
}

fn glyph_id(sheet: &mut Sheet<'_>, faces: &mut Faces<'_>, face: Face, glyph: u32) -> Result<String, Full> {
    let what = format!("{face:?} {glyph}");
    let id = sheet.define(&what, |text, id| {
        let data = faces.outline(face, glyph);
        text.push_str(&format!("<path id=\"{id}\" d=\"{data}\"/>"));
    });
    sheet.spend(1)?;
    Ok(id)
}

/// What stands for letters that no font of ours has: whoever shows an SVG may have one, and where there are
/// only pixels it is a box.
fn stand_in(
    drawn: &mut String,
    part: &Part,
    at: crate::geometry::Point,
    (color, target): (Option<&str>, Target),
) {
    if part.text.trim().is_empty() {
        return;
    }
    let fill = color
        .map(|color| format!(" fill=\"{color}\""))
        .unwrap_or_default();
    match target {
        Target::Vector => {
            drawn.push_str("<text x=\"");
            number(drawn, at.x);
            drawn.push_str("\" y=\"");
            number(drawn, at.y);
            drawn.push_str("\" font-size=\"");
            number(drawn, part.size);
            drawn.push_str(&format!("\" font-family=\"{}\"{fill}", part.look.face.generic()));
            if part.look.face.weight == crate::fonts::Weight::Bold {
                drawn.push_str(" font-weight=\"bold\"");
            }
            if part.look.face.slant == crate::fonts::Slant::Italic {
                drawn.push_str(" font-style=\"italic\"");
            }
            drawn.push('>');
            crate::sheet::escape(drawn, &part.text);
            drawn.push_str("</text>");
        }
        Target::Raster => {
            let mut data = String::new();
            let corner = at + crate::geometry::at(part.size * 0.05, part.size * -0.7);
            let (width, height) = ((part.width - part.size * 0.1).max(1.0), part.size * 0.7);
            let corners = Area::sized(corner, width, height).corners();
            for (n, corner) in corners.into_iter().enumerate() {
                crate::path::put(&mut data, if n == 0 { 'M' } else { 'L' }, &[corner]);
            }
            drawn.push_str(&format!("<path d=\"{data}Z\" fill-opacity=\"0.35\"{fill}/>"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Bounds;
    use crate::fonts::{Family, Fonts};

    fn drawn(text: &serde_json::Value, target: Target) -> String {
        let (fonts, bounds) = (Fonts::none(), Bounds::default());
        let (mut faces, mut sheet) = (Faces::of(&fonts), Sheet::new(&bounds));
        let laid = set(&mut faces, &read(text, Family::Sans, 20.0), Some(200.0));
        let place = Place {
            area: Area::sized(at(0.0, 0.0), 200.0, 100.0),
            across: Align::Middle,
            down: Align::Middle,
        };
        let paint = Paint {
            color: "#000000",
            edge: 0.0,
            theme: Theme::Light,
            target,
        };
        draw(&mut sheet, &mut faces, &laid, &place, &paint).unwrap();
        sheet.body
    }

    #[test]
    fn letters_that_no_font_has_are_text_in_an_svg_and_boxes_in_pixels() {
        let text = json!({"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "<b> & c"}]}]});
        let vector = drawn(&text, Target::Vector);
        assert!(vector.contains("&lt;b&gt; &amp; c</text>"), "{vector}");
        let raster = drawn(&text, Target::Raster);
        assert!(
            raster.contains("fill-opacity") && !raster.contains("<text"),
            "{raster}"
        );
    }
}
