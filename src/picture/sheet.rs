//! What is being drawn on: the text of the SVG, within its bounds.
//!
//! Owns escapes, definitions, and what is left of the budgets. Must not know records. Key invariants: text of
//! a board stands only in escaped places; a reference leads to a definition in here, or holds its picture
//! itself; what does not fit is not begun. Tests are below.

use crate::Bounds;
use crate::geometry::{Area, Matrix};
use crate::path::number;
use std::collections::BTreeMap;

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Where the body was after a shape was drawn.
#[derive(Clone, Copy, Debug)]
struct Mark {
    bytes: usize,
    open: usize,
    /// What is painted of the page, times how often.
    painted: Option<(Area, f64)>,
}

/// An SVG while it grows.
pub(crate) struct Sheet<'b> {
    pub(crate) body: String,
    definitions: String,
    /// The number of each definition that is used again, by what it is.
    known: BTreeMap<String, usize>,
    ids: usize,
    open: usize,
    marks: Vec<Mark>,
    steps: u64,
    pixels: u64,
    bounds: &'b Bounds,
}

impl<'b> Sheet<'b> {
    pub(crate) fn new(bounds: &'b Bounds) -> Self {
        Self {
            body: String::new(),
            definitions: String::new(),
            known: BTreeMap::new(),
            ids: 0,
            open: 0,
            marks: Vec::new(),
            steps: bounds.steps,
            pixels: bounds.image_pixels,
            bounds,
        }
    }

    /// Takes so many steps of work off what is left.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), Full> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.steps = self.steps.checked_sub(steps).ok_or(Full)?;
        self.check()
    }

    /// Asks for room for so many bytes, before they are made.
    pub(crate) fn begin(&self, bytes: usize) -> Result<(), Full> {
        let used = self.body.len().saturating_add(self.definitions.len());
        match used.saturating_add(bytes) > self.bounds.svg_bytes {
            true => Err(Full),
            false => Ok(()),
        }
    }

    /// Takes the pixels of a picture within the picture, which have to be unpacked.
    pub(crate) fn unpack(&mut self, pixels: u64) -> Result<(), Full> {
        self.pixels = self.pixels.checked_sub(pixels).ok_or(Full)?;
        Ok(())
    }

    fn check(&self) -> Result<(), Full> {
        self.begin(0)
    }

    /// What is kept beside the body.
    pub(crate) fn definitions(&self) -> &str {
        &self.definitions
    }

    /// The id of a definition that is made once: `make` writes it, given its id.
    pub(crate) fn define(&mut self, what: &str, make: impl FnOnce(&mut String, &str)) -> String {
        if let Some(known) = self.known.get(what) {
            return format!("d{known}");
        }
        let id = self.fresh(make);
        self.known.insert(what.to_owned(), self.ids);
        id
    }

    /// The id of a definition that is used here only.
    pub(crate) fn fresh(&mut self, make: impl FnOnce(&mut String, &str)) -> String {
        self.ids = self.ids.saturating_add(1);
        let id = format!("d{}", self.ids);
        make(&mut self.definitions, &id);
        id
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.body.push_str(text);
    }

    /// Text of a board.
    pub(crate) fn push_text(&mut self, text: &str) {
        escape(&mut self.body, text);
    }

    /// A path of this data, with attributes.
    pub(crate) fn path(&mut self, data: &str, attributes: std::fmt::Arguments<'_>) {
        if !data.is_empty() {
            self.body.push_str(&format!("<path d=\"{data}\" {attributes}/>"));
        }
    }

    pub(crate) fn rectangle(&mut self, area: &Area, attributes: std::fmt::Arguments<'_>) {
        self.body.push_str("<rect x=\"");
        number(&mut self.body, area.left);
        self.body.push_str("\" y=\"");
        number(&mut self.body, area.top);
        self.body.push_str("\" width=\"");
        number(&mut self.body, area.width().max(0.0));
        self.body.push_str("\" height=\"");
        number(&mut self.body, area.height().max(0.0));
        self.body.push_str(&format!("\" {attributes}/>"));
    }

    pub(crate) fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.body.push_str(&text.to_string());
    }

    /// Opens a group that stays open after the shape: what is in it is cut to an outline on the page.
    pub(crate) fn open_clip(&mut self, data: &str) {
        let id = self.fresh(|text, id| {
            text.push_str(&format!("<clipPath id=\"{id}\"><path d=\"{data}\"/></clipPath>"));
        });
        self.body.push_str(&format!("<g clip-path=\"url(#{id})\">"));
        self.open = self.open.saturating_add(1);
    }

    pub(crate) fn close_clip(&mut self) {
        self.body.push_str("</g>");
        self.open = self.open.saturating_sub(1);
        self.mark(None);
    }

    /// Notes that a shape is whole, and what it painted how often.
    pub(crate) fn mark(&mut self, painted: Option<(Area, f64)>) {
        self.marks.push(Mark {
            bytes: self.body.len(),
            open: self.open,
            painted,
        });
    }

    /// Cuts the body back to the last whole shape.
    pub(crate) fn cut(&mut self) {
        let kept = self.marks.last().map_or((0, 0), |mark| (mark.bytes, mark.open));
        self.cut_to(kept);
    }

    fn cut_to(&mut self, (bytes, open): (usize, usize)) {
        self.body.truncate(bytes);
        self.open = open;
    }

    /// Closes what is open.
    pub(crate) fn close(&mut self) {
        for _ in 0..std::mem::take(&mut self.open) {
            self.body.push_str("</g>");
        }
    }

    /// Cuts the body before what would paint more than `pixels`, where a unit of the page has `scale` of
    /// them and `view` is what shows of it. Whether that was needed.
    pub(crate) fn cut_painted(&mut self, view: &Area, scale: f64, pixels: f64) -> bool {
        let mut left = pixels;
        let mut before = (0, 0);
        for mark in &self.marks {
            if let Some((area, times)) = &mark.painted
                && let Some(shown) = area.shared(view)
            {
                // However small it is, it takes a while.
                left -= (shown.width() * shown.height() * scale * scale + 256.0) * times;
            }
            if left < 0.0 {
                self.cut_to(before);
                return true;
            }
            before = (mark.bytes, mark.open);
        }
        false
    }
}

/// ` transform="..."`, or nothing where it moves nothing.
pub(crate) fn transform(matrix: &Matrix) -> String {
    let mut text = String::new();
    if *matrix == Matrix::NONE {
        return text;
    }
    if matrix.sin == 0.0 && matrix.cos == 1.0 {
        text.push_str(" transform=\"translate(");
    } else {
        text.push_str(&format!(
            " transform=\"matrix({:.5} {:.5} {:.5} {:.5} ",
            matrix.cos, matrix.sin, -matrix.sin, matrix.cos
        ));
    }
    number(&mut text, matrix.origin.x);
    text.push(' ');
    number(&mut text, matrix.origin.y);
    text + ")\""
}

/// Text as it may stand in XML, in an attribute too; what XML cannot have is left out.
pub(crate) fn escape(to: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            '\n' | '\r' | '\t' => to.push(' '),
            '\u{FFFE}' | '\u{FFFF}' => {}
            c if c.is_control() => {}
            c => to.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::at;

    #[test]
    fn text_cannot_leave_its_place() {
        let mut text = String::new();
        escape(&mut text, "a<b>\"'&\u{0}\u{8}\u{FFFF}\n\u{7f}z");
        assert_eq!(text, "a&lt;b&gt;&quot;&#39;&amp; z");
    }

    #[test]
    fn what_does_not_fit_is_cut_after_the_last_whole_shape() {
        let bounds = Bounds {
            svg_bytes: 10,
            steps: 2,
            ..Bounds::default()
        };
        let mut sheet = Sheet::new(&bounds);
        sheet.open_clip("M0 0Z");
        sheet.push("<a/>");
        sheet.mark(None);
        sheet.push("<half");
        assert_eq!(sheet.spend(1), Err(Full));
        sheet.cut();
        sheet.close();
        assert_eq!(sheet.body, "<g clip-path=\"url(#d1)\"><a/></g>");
        let mut sheet = Sheet::new(&bounds);
        assert_eq!(
            [sheet.spend(1), sheet.spend(1), sheet.spend(1)],
            [Ok(()), Ok(()), Err(Full)]
        );
    }

    #[test]
    fn what_paints_too_much_is_cut_from_the_top() {
        let bounds = Bounds::default();
        let mut sheet = Sheet::new(&bounds);
        let area = Area::sized(at(0.0, 0.0), 100.0, 100.0);
        for _ in 0..10 {
            sheet.push("<a/>");
            sheet.mark(Some((area, 1.0)));
        }
        assert!(!sheet.cut_painted(&area, 1.0, 110_000.0));
        assert!(sheet.cut_painted(&area, 1.0, 42_000.0));
        assert_eq!(sheet.body, "<a/>".repeat(4));
    }
}
