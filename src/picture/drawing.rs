//! A drawing on its way: which shapes are drawn, in which order, and what shows of them.
//!
//! Owns the walk over the tree, what is clipped, and the picture around it all. Must not know how a shape
//! looks; `shapes` and `lines` do. Key invariants: what does not fit any more is left out from the top, and
//! the picture says so; whatever was begun is closed. Tests are below.

use std::collections::HashMap;
use std::rc::Rc;

use crate::fonts::{Faces, Family, Fonts};
use crate::geometry::{Area, Matrix, at};
use crate::path::{Trace, number};
use crate::scene::{DEPTH_MAX, Scene, own};
use crate::sheet::{Full, Sheet, transform};
use crate::style::{Align, Theme};
use crate::text::{self, Paint, Place};
use crate::{Bounds, Part, Picture, Record, Records, Refused, Size, Target, Wanted, lines, shapes, value};

/// Room around all that is drawn.
const PADDING: f64 = 32.0;

/// The least side of a picture, in pixels.
const SIDE_MIN: f64 = 1.0;

/// What stands on a picture that is not whole.
const CUT: &str = "This picture is cut: the board has more than fits.";

/// A drawing, while it is made.
pub(crate) struct Drawing<'d> {
    pub(crate) scene: &'d Scene<'d>,
    pub(crate) faces: Faces<'d>,
    pub(crate) sheet: Sheet<'d>,
    pub(crate) theme: Theme,
    pub(crate) target: Target,
    forms: HashMap<String, Option<Rc<Form>>>,
    /// What the shapes take on the page.
    taken: Option<Area>,
    /// What of the page is wanted.
    only: Option<Area>,
}

/// The outline of a shape in its own coordinates.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) traces: Vec<Trace>,
    pub(crate) area: Area,
}

/// Where shapes are drawn.
#[derive(Clone, Copy)]
struct Spot {
    matrix: Matrix,
    opacity: f64,
    /// What shows there, on the page.
    clip: Option<Area>,
    depth: usize,
}

const PAGE: Spot = Spot {
    matrix: Matrix::NONE,
    opacity: 1.0,
    clip: None,
    depth: 0,
};

/// Draws a part of a board.
///
/// # Errors
/// There is no such part.
pub fn draw(records: &Records, fonts: &Fonts, wanted: &Wanted, bounds: &Bounds) -> Result<Picture, Refused> {
    let scene = Scene::of(records);
    let mut drawing = Drawing {
        scene: &scene,
        faces: Faces::of(fonts),
        sheet: Sheet::new(bounds),
        theme: wanted.theme,
        target: wanted.target,
        forms: HashMap::new(),
        taken: None,
        only: None,
    };
    let drawn = match &wanted.part {
        Part::Page(page) => drawing.page(page.as_deref())?,
        Part::Area(page, area) => {
            drawing.only = Some(*area);
            drawing.page(page.as_deref())?
        }
        Part::Frame(frame) => drawing.frame_alone(frame)?,
    };
    let view = match wanted.part {
        Part::Area(_, area) => area,
        _ => drawing.taken.unwrap_or(Area::NONE).grown(PADDING),
    };
    let is_whole = !records.is_cut();
    let drawn = drawn.and_then(|()| is_whole.then_some(()).ok_or(Full));
    Ok(drawing.finish(view, (drawn, wanted.size), bounds))
}

impl<'d> Drawing<'d> {
    fn page(&mut self, page: Option<&str>) -> Result<Result<(), Full>, Refused> {
        let page = match page {
            Some(page) if self.scene.has_page(page) => page,
            Some(_) => return Err(Refused::NoPage),
            // A board that nobody has opened yet has no page either.
            None => match self.scene.first_page() {
                Some(page) => page,
                None => return Ok(Ok(())),
            },
        };
        Ok(self
            .underlays(page, &PAGE)
            .and_then(|()| self.inside(page, &PAGE)))
    }

    fn frame_alone(&mut self, frame: &str) -> Result<Result<(), Full>, Refused> {
        let shape = self
            .scene
            .shape(frame)
            .filter(|shape| value::text(shape, "type") == "frame");
        let (Some(shape), Some((matrix, _))) = (shape, self.scene.place(frame)) else {
            return Err(Refused::NoFrame);
        };
        let spot = Spot {
            matrix: matrix.around(&own(shape).inverse()),
            ..PAGE
        };
        Ok(self.shape(frame, shape, &spot))
    }

    /// What lies in a shape or on a page.
    fn inside(&mut self, key: &str, spot: &Spot) -> Result<(), Full> {
        let scene = self.scene;
        for (key, shape) in scene.children(key) {
            self.shape(key, shape, spot)?;
        }
        Ok(())
    }

    /// What of highlights lies below all else on a page or in a frame.
    fn underlays(&mut self, key: &str, spot: &Spot) -> Result<(), Full> {
        let scene = self.scene;
        for (key, shape) in scene.children(key) {
            self.sheet.spend(1)?;
            let inner = self.within(shape, spot);
            match value::text(shape, "type") {
                "group" if inner.depth <= DEPTH_MAX => self.underlays(key, &inner)?,
                "highlight" => self.one(key, shape, (&inner, 0.82))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn within(&self, shape: &Record, spot: &Spot) -> Spot {
        Spot {
            matrix: spot.matrix.around(&own(shape)),
            opacity: spot.opacity * value::number_or(shape, "opacity", 1.0).clamp(0.0, 1.0),
            clip: spot.clip,
            depth: spot.depth.saturating_add(1),
        }
    }

    fn shape(&mut self, key: &str, shape: &Record, spot: &Spot) -> Result<(), Full> {
        let inner = self.within(shape, spot);
        if inner.depth > DEPTH_MAX || inner.opacity == 0.0 {
            return Ok(());
        }
        match value::text(shape, "type") {
            "group" => self.inside(key, &inner),
            "highlight" => self.one(key, shape, (&inner, 0.35)),
            "frame" => {
                self.one(key, shape, (&inner, 1.0))?;
                self.in_frame(key, shape, &inner)
            }
            _ => self.one(key, shape, (&inner, 1.0)),
        }
    }

    fn in_frame(&mut self, key: &str, shape: &Record, spot: &Spot) -> Result<(), Full> {
        if self.scene.children(key).is_empty() {
            return Ok(());
        }
        let area = shapes::box_of(value::part(shape, "props"), (320.0, 180.0));
        let moved = area.moved(&spot.matrix);
        let clip = match spot.clip {
            Some(clip) => clip.shared(&moved),
            None => Some(moved),
        };
        let Some(clip) = clip else { return Ok(()) };
        let mut data = String::new();
        for (n, corner) in area.corners().into_iter().enumerate() {
            let command = if n == 0 { 'M' } else { 'L' };
            crate::path::put(&mut data, command, &[spot.matrix.apply(corner)]);
        }
        self.sheet.open_clip(&(data + "Z"));
        let spot = Spot {
            clip: Some(clip),
            ..*spot
        };
        let drawn = self.underlays(key, &spot).and_then(|()| self.inside(key, &spot));
        if drawn.is_ok() {
            self.sheet.close_clip();
            // The group is a layer of its own.
            self.sheet.mark(Some((clip, 2.0)));
        }
        drawn
    }

    /// Draws one shape, and notes what it takes.
    fn one(&mut self, key: &str, shape: &Record, (spot, opacity): (&Spot, f64)) -> Result<(), Full> {
        self.sheet.spend(1)?;
        let only = self.only;
        let shows = |area: &Area| {
            let area = spot.clip.map_or(Some(*area), |clip| clip.shared(area))?;
            only.map_or(Some(area), |only| only.shared(&area).map(|_| area))
        };
        if let Some(only) = only
            && let Some(form) = self.form(key)
            && form.area.moved(&spot.matrix).grown(64.0).shared(&only).is_none()
        {
            return Ok(());
        }
        let before = self.sheet.body.len();
        let opacity = spot.opacity * opacity;
        self.sheet.push("<g");
        self.sheet.push(&transform(&spot.matrix));
        if opacity < 1.0 {
            self.sheet.push(" opacity=\"");
            number(&mut self.sheet.body, opacity);
            self.sheet.push("\"");
        }
        self.sheet.push(">");
        let area = match value::text(shape, "type") {
            "arrow" | "line" | "draw" | "highlight" => lines::draw(self, key, shape, &spot.matrix)?,
            _ => shapes::draw(self, key, shape, &spot.matrix)?,
        };
        let area = area.map(|area| area.moved(&spot.matrix));
        let shown = area.and_then(|area| shows(&area));
        let Some(area) = shown else {
            self.sheet.body.truncate(before);
            return Ok(());
        };
        self.sheet.push("</g>");
        self.sheet.spend(0)?;
        self.taken = Some(self.taken.map_or(area, |taken| taken.joined(&area)));
        let layers = if opacity < 1.0 { 3.0 } else { 2.0 };
        self.sheet.mark(Some((area, layers)));
        Ok(())
    }

    /// The outline of a shape; `None` where it has none that anything could end at.
    pub(crate) fn form(&mut self, key: &str) -> Option<Rc<Form>> {
        self.form_at(key, 0)
    }

    fn form_at(&mut self, key: &str, depth: usize) -> Option<Rc<Form>> {
        if let Some(known) = self.forms.get(key) {
            return known.clone();
        }
        // A circle ends here.
        self.forms.insert(key.to_owned(), None);
        let shape = self.scene.shape(key)?;
        let traces = match value::text(shape, "type") {
            "group" => self.forms_in(key, depth),
            "arrow" => Vec::new(),
            "line" | "draw" | "highlight" => lines::traces(self, key, shape),
            _ => shapes::traces(self, key, shape),
        };
        let area = Area::of(traces.iter().flat_map(|trace| &trace.points).copied());
        let form = area.map(|area| Rc::new(Form { traces, area }));
        self.forms.insert(key.to_owned(), form.clone());
        form
    }

    fn forms_in(&mut self, key: &str, depth: usize) -> Vec<Trace> {
        let mut traces = Vec::new();
        if depth > DEPTH_MAX {
            return traces;
        }
        let scene = self.scene;
        for (key, shape) in scene.children(key) {
            let Some(form) = self.form_at(key, depth.saturating_add(1)) else {
                continue;
            };
            let points = form.traces.iter().map(|trace| trace.points.len()).sum();
            if self.sheet.spend(points).is_err() {
                break;
            }
            let matrix = own(shape);
            traces.extend(form.traces.iter().map(|trace| Trace {
                points: trace.points.iter().map(|point| matrix.apply(*point)).collect(),
                is_closed: trace.is_closed,
            }));
        }
        traces
    }

    /// Puts the picture together.
    fn finish(mut self, view: Area, (drawn, size): (Result<(), Full>, Size), bounds: &Bounds) -> Picture {
        let (across, down) = (view.width().max(1.0), view.height().max(1.0));
        let mut scale = match size {
            Size::Scale(scale) => scale,
            Size::Within(width, height) => {
                let fits =
                    |pixels: Option<f64>, side: f64| pixels.map_or(f64::INFINITY, |pixels| pixels / side);
                fits(width, across).min(fits(height, down))
            }
        }
        .min(bounds.scale);
        let mut is_cut = drawn.is_err();
        if is_cut {
            self.sheet.cut();
        }
        if self.target == Target::Raster {
            let pixels = across * down * scale * scale;
            if pixels > bounds.pixels {
                scale *= (bounds.pixels / pixels).sqrt() * 0.999;
            }
            is_cut |= self.sheet.cut_painted(&view, scale, bounds.painted);
        }
        self.sheet.close();
        if is_cut {
            self.tell_cut(&view, scale);
        }
        let (mut width, mut height) = ((across * scale).max(SIDE_MIN), (down * scale).max(SIDE_MIN));
        if self.target == Target::Raster {
            // One that is very long and thin is at least a pixel thin.
            width = width.min(bounds.pixels / height).max(SIDE_MIN);
            height = height.min(bounds.pixels / width).max(SIDE_MIN);
        }
        let mut svg = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"");
        number(&mut svg, width);
        svg.push_str("\" height=\"");
        number(&mut svg, height);
        svg.push_str("\" viewBox=\"");
        for (n, side) in [view.left, view.top, across, down].into_iter().enumerate() {
            if n > 0 {
                svg.push(' ');
            }
            number(&mut svg, side);
        }
        svg.push_str("\" stroke-linecap=\"round\" stroke-linejoin=\"round\">");
        let mut background = Sheet::new(bounds);
        background.rectangle(&view, format_args!("fill=\"{}\"", self.theme.background()));
        svg.push_str(&background.body);
        svg.push_str("<defs>");
        svg.push_str(self.sheet.definitions());
        svg.push_str("</defs>");
        svg.push_str(&self.sheet.body);
        svg.push_str("</svg>");
        Picture {
            svg,
            width,
            height,
            is_cut,
        }
    }

    /// Says on the picture that it is not whole.
    fn tell_cut(&mut self, view: &Area, scale: f64) {
        let size = 14.0 / scale;
        let laid = text::set(&mut self.faces, &text::plain(CUT, Family::Sans, size), None);
        let area = view.grown(-size);
        let strip = Area {
            top: area.bottom - laid.height,
            ..area
        };
        self.sheet.rectangle(
            &Area::sized(at(view.left, strip.top), view.width(), view.bottom - strip.top),
            format_args!("fill=\"{}\"", self.theme.background()),
        );
        let place = Place {
            area: strip,
            across: Align::Start,
            down: Align::Start,
        };
        let paint = Paint {
            color: self.theme.text(),
            edge: 0.0,
            theme: self.theme,
            target: self.target,
        };
        let told = text::draw(&mut self.sheet, &mut self.faces, &laid, &place, &paint);
        // Where even that is too much, what there is of it is whole.
        if told.is_err() {
            self.sheet.mark(None);
        }
    }
}
