//! Shapes with an inside: boxes, forms, notes, texts, frames and pictures.
//!
//! Owns how each looks. Must not know where it is, but for what is upright whatever is turned. Key invariant:
//! a shape that is not known is a box, with its name. Tests are below.

use crate::drawing::Drawing;
use crate::fonts::Family;
use crate::geometry::{Area, Matrix, Point, at};
use crate::path::{End, Path, Trace, number};
use crate::sheet::{Full, transform};
use crate::style::{Align, Color, Dash, Size};
use crate::text::{self, Paint, Place};
use crate::{Record, geo, hand, image, value};

/// Room around a label.
const LABEL_PADDING: f64 = 16.0;

/// A note is so wide, and at least so high.
const NOTE: f64 = 200.0;

/// How far letters are set off from what is behind them.
pub(crate) const EDGE: f64 = 2.0;

/// Letters of what stands for something else.
const WORDS_MAX: usize = 120;

/// The box of a shape that says how large it is.
pub(crate) fn box_of(props: &Record, (width, height): (f64, f64)) -> Area {
    let side = |name, otherwise: f64| value::number_or(props, name, otherwise).clamp(1.0, value::LARGEST);
    Area::sized(at(0.0, 0.0), side("w", width), side("h", height) + grown(props))
}

fn grown(props: &Record) -> f64 {
    value::number_or(props, "growY", 0.0).clamp(0.0, value::LARGEST)
}

fn note_box(props: &Record) -> Area {
    let scale = value::scale(props);
    Area::sized(at(0.0, 0.0), NOTE * scale, (NOTE + grown(props)) * scale)
}

pub(crate) fn family(props: &Record) -> Family {
    match value::text(props, "font") {
        "sans" => Family::Sans,
        "serif" => Family::Serif,
        "mono" => Family::Mono,
        _ => Family::Draw,
    }
}

/// The outline of a shape, as others end at it.
pub(crate) fn traces(drawing: &mut Drawing<'_>, key: &str, shape: &Record) -> Vec<Trace> {
    let props = value::part(shape, "props");
    let area = match value::text(shape, "type") {
        "geo" => return form(key, props).border.traces(),
        "note" => note_box(props),
        "text" => written(drawing, props).1,
        _ => box_of(props, (100.0, 100.0)),
    };
    Path::polygon(&area.corners()).traces()
}

fn form(key: &str, props: &Record) -> geo::Outline {
    let area = box_of(props, (100.0, 100.0));
    let (size, scale) = (Size::of(value::text(props, "size")), value::scale(props));
    geo::outline(
        value::text(props, "geo"),
        area.width(),
        area.height(),
        (key, size, scale),
    )
}

/// Draws a shape in its own coordinates, and gives what it takes there.
pub(crate) fn draw(
    drawing: &mut Drawing<'_>,
    key: &str,
    shape: &Record,
    matrix: &Matrix,
) -> Result<Option<Area>, Full> {
    let props = value::part(shape, "props");
    match value::text(shape, "type") {
        "geo" => draw_geo(drawing, key, props),
        "note" => draw_note(drawing, props),
        "text" => draw_text(drawing, props),
        "frame" => draw_frame(drawing, props, matrix),
        "image" => draw_image(drawing, props),
        "video" => placeholder(drawing, props, ("Video", value::text(props, "altText"))),
        "embed" => placeholder(
            drawing,
            props,
            ("Page on another server", value::text(props, "url")),
        ),
        "bookmark" => {
            let asset = drawing.scene.record(value::text(props, "assetId"));
            let title = asset.map_or("", |asset| value::text(value::part(asset, "props"), "title"));
            let words = if title.is_empty() {
                value::text(props, "url")
            } else {
                title
            };
            placeholder(drawing, props, ("Link", words))
        }
        kind => placeholder(drawing, props, (kind, "")),
    }
}

fn draw_geo(drawing: &mut Drawing<'_>, key: &str, props: &Record) -> Result<Option<Area>, Full> {
    let scale = value::scale(props);
    let size = Size::of(value::text(props, "size"));
    let width = size.stroke() * scale;
    let dash = Dash::of(value::text(props, "dash"));
    let color = drawing.theme.color(value::text(props, "color"));
    let outline = form(key, props);
    let area = box_of(props, (100.0, 100.0));
    drawing.sheet.spend(outline.border.0.len())?;
    let inside = match dash {
        Dash::Draw => hand::filled(&outline.border, width),
        _ => outline.border.data(),
    };
    fill(drawing, &inside, (value::text(props, "fill"), color));
    let path = outline.border.and(&outline.inner);
    stroke(drawing, &path, (dash, width), (color.solid, key));
    let place = Place {
        area: area.grown(-LABEL_PADDING * scale),
        across: Align::of(value::text(props, "align"), Align::Middle),
        down: Align::of(value::text(props, "verticalAlign"), Align::Middle),
    };
    let label = drawing.theme.color(value::text(props, "labelColor")).solid;
    label_of(drawing, props, (&place, size.label() * scale), (label, EDGE))?;
    // As tldraw counts it: without half of the line, and without words that stick out.
    Ok(Some(area))
}

/// The text of a shape in its box.
fn label_of(
    drawing: &mut Drawing<'_>,
    props: &Record,
    (place, size): (&Place, f64),
    (color, edge): (&str, f64),
) -> Result<Option<Area>, Full> {
    let Some(document) = props.get("richText") else {
        return Ok(None);
    };
    let paragraphs = text::read(document, family(props), size);
    if paragraphs.is_empty() {
        return Ok(None);
    }
    let width = place.area.width().max(size);
    let laid = text::set(&mut drawing.faces, &paragraphs, Some(width));
    let paint = Paint {
        color,
        edge,
        theme: drawing.theme,
        target: drawing.target,
    };
    text::draw(&mut drawing.sheet, &mut drawing.faces, &laid, place, &paint)
}

/// Paints the inside of path data.
pub(crate) fn fill(drawing: &mut Drawing<'_>, data: &str, (word, color): (&str, &Color)) {
    let solid = drawing.theme.solid();
    let paint = match word {
        "solid" => color.semi.to_owned(),
        "semi" => solid.to_owned(),
        "fill" => color.solid.to_owned(),
        "pattern" => {
            let (lines, what) = (color.pattern, format!("hatch {}", color.name));
            let id = drawing.sheet.define(&what, |text, id| {
                text.push_str(&format!(
                    "<pattern id=\"{id}\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">\
                     <rect width=\"8\" height=\"8\" fill=\"{solid}\"/>\
                     <path d=\"M.67 2L2 .67M3.33 4.67L4.67 3.33M6 7.33L7.33 6\" stroke=\"{lines}\"/></pattern>"
                ));
            });
            format!("url(#{id})")
        }
        _ => return,
    };
    drawing.sheet.path(data, format_args!("fill=\"{paint}\""));
}

/// Draws along a path.
pub(crate) fn stroke(
    drawing: &mut Drawing<'_>,
    path: &Path,
    (dash, width): (Dash, f64),
    (color, seed): (&str, &str),
) {
    let mut wide = String::new();
    number(&mut wide, width);
    let look = format!("fill=\"none\" stroke=\"{color}\" stroke-width=\"{wide}\"");
    match dash {
        Dash::Draw => {
            let data = hand::drawn(path, seed, width, 2);
            drawing.sheet.path(&data, format_args!("{look}"));
        }
        Dash::Solid => drawing.sheet.path(&path.data(), format_args!("{look}")),
        Dash::Dashed | Dash::Dotted => {
            drawing.sheet.write(format_args!("<g {look}>"));
            for (run, dashes) in path.dashed(dash, width) {
                drawing.sheet.path(&run.data(), format_args!("{dashes}"));
            }
            drawing.sheet.push("</g>");
        }
    }
}

fn draw_note(drawing: &mut Drawing<'_>, props: &Record) -> Result<Option<Area>, Full> {
    let scale = value::scale(props);
    let color = drawing.theme.color(value::text(props, "color"));
    let area = note_box(props);
    let shadow = Area {
        left: area.left + 5.0 * scale,
        top: area.top + 5.0 * scale,
        right: area.right - 5.0 * scale,
        bottom: area.bottom + 5.0 * scale,
    };
    drawing
        .sheet
        .rectangle(&shadow, format_args!("fill=\"#000000\" fill-opacity=\"0.1\""));
    drawing
        .sheet
        .rectangle(&area, format_args!("fill=\"{}\"", color.note));
    let size = match value::number_or(props, "fontSizeAdjustment", 0.0) {
        adjusted if adjusted > 0.0 => adjusted,
        _ => Size::of(value::text(props, "size")).label(),
    };
    let label = match value::text(props, "labelColor") {
        "black" | "" => color.note_text,
        name => drawing.theme.color(name).solid,
    };
    let place = Place {
        area: area.grown(-LABEL_PADDING * scale),
        across: Align::of(value::text(props, "align"), Align::Middle),
        down: Align::of(value::text(props, "verticalAlign"), Align::Middle),
    };
    label_of(drawing, props, (&place, size * scale), (label, 0.0))?;
    Ok(Some(area))
}

/// The lines of a text, and their box.
fn written(drawing: &mut Drawing<'_>, props: &Record) -> (text::Laid, Area) {
    let scale = value::scale(props);
    let size = Size::of(value::text(props, "size")).text() * scale;
    let wanted = value::number_or(props, "w", 0.0).clamp(0.0, value::LARGEST);
    let fixed = (!value::is(props, "autoSize")).then(|| wanted.floor().max(16.0) * scale);
    let document = props.get("richText").unwrap_or(&serde_json::Value::Null);
    let paragraphs = text::read(document, family(props), size);
    let laid = text::set(&mut drawing.faces, &paragraphs, fixed);
    let width = fixed.unwrap_or_else(|| (wanted * scale).max(laid.width).max(16.0 * scale));
    let area = Area::sized(at(0.0, 0.0), width, laid.height.max(size));
    (laid, area)
}

fn draw_text(drawing: &mut Drawing<'_>, props: &Record) -> Result<Option<Area>, Full> {
    let (laid, area) = written(drawing, props);
    let color = drawing.theme.color(value::text(props, "color")).solid;
    let place = Place {
        area,
        across: Align::of(value::text(props, "textAlign"), Align::Start),
        down: Align::Start,
    };
    let paint = Paint {
        color,
        edge: EDGE,
        theme: drawing.theme,
        target: drawing.target,
    };
    text::draw(&mut drawing.sheet, &mut drawing.faces, &laid, &place, &paint)?;
    Ok((!laid.lines.is_empty()).then_some(area))
}

fn draw_frame(drawing: &mut Drawing<'_>, props: &Record, matrix: &Matrix) -> Result<Option<Area>, Full> {
    let area = box_of(props, (320.0, 180.0));
    let (inside, border) = drawing.theme.frame();
    drawing.sheet.rectangle(
        &area,
        format_args!("fill=\"{inside}\" stroke=\"{border}\" stroke-width=\"1\""),
    );
    let name = match value::text(props, "name") {
        "" => "Frame",
        name => name,
    };
    // The heading is along the side that is on top on the page.
    let quarter = ((matrix.angle() + std::f64::consts::FRAC_PI_4) / std::f64::consts::FRAC_PI_2).floor();
    let (corner, long) = match quarter.rem_euclid(4.0) {
        q if q < 0.5 => (at(0.0, 0.0), area.width()),
        q if q < 1.5 => (at(0.0, area.bottom), area.height()),
        q if q < 2.5 => (at(area.right, area.bottom), area.width()),
        _ => (at(area.right, 0.0), area.height()),
    };
    let side = Matrix::new(corner, -quarter * std::f64::consts::FRAC_PI_2);
    let heading = shortened(drawing, name, (12.0, long - 12.0));
    let laid = text::set(
        &mut drawing.faces,
        &text::plain(&heading, Family::Sans, 12.0),
        None,
    );
    drawing.sheet.write(format_args!("<g{}>", transform(&side)));
    let place = Place {
        area: Area::sized(at(0.0, -30.0), long, 24.0),
        across: Align::Start,
        down: Align::Middle,
    };
    let paint = Paint {
        color: drawing.theme.text(),
        edge: EDGE,
        theme: drawing.theme,
        target: drawing.target,
    };
    text::draw(&mut drawing.sheet, &mut drawing.faces, &laid, &place, &paint)?;
    drawing.sheet.push("</g>");
    Ok(Some(area))
}

/// One line of words, as many of them as there is room for.
fn shortened(drawing: &mut Drawing<'_>, words: &str, (size, room): (f64, f64)) -> String {
    let look = crate::Face {
        family: Family::Sans,
        weight: crate::Weight::Normal,
        slant: crate::Slant::Upright,
    };
    let mut line = String::new();
    let mut width = 0.0;
    for c in words.chars().take(WORDS_MAX) {
        let c = if c.is_control() { ' ' } else { c };
        width += drawing.faces.letter(look, c).width * size;
        if width > room {
            line.pop();
            line.push('\u{2026}');
            break;
        }
        line.push(c);
    }
    line
}

fn draw_image(drawing: &mut Drawing<'_>, props: &Record) -> Result<Option<Area>, Full> {
    let asset_key = value::text(props, "assetId");
    let asset = drawing
        .scene
        .record(asset_key)
        .filter(|asset| value::text(asset, "typeName") == "asset");
    let source = asset.map_or("", |asset| value::text(value::part(asset, "props"), "src"));
    drawing.sheet.spend(source.len() / 64)?;
    let Some(pixels) = image::read(source) else {
        let words = value::text(props, "altText");
        let kind = if source.starts_with("http") {
            "Image on another server"
        } else {
            "Image"
        };
        return placeholder(drawing, props, (kind, words));
    };
    drawing.sheet.unpack(pixels.count())?;
    drawing.sheet.begin(source.len())?;
    let area = box_of(props, (100.0, 100.0));
    let id = drawing.sheet.define(&format!("image {asset_key}"), |text, id| {
        text.push_str(&format!(
            "<image id=\"{id}\" width=\"1\" height=\"1\" preserveAspectRatio=\"none\" href=\"{source}\"/>"
        ));
    });
    let crop = value::part(props, "crop");
    let corner = |name: &str, otherwise: f64| {
        let corner = value::part(crop, name);
        let part = |axis| value::number_or(corner, axis, otherwise).clamp(0.0, 1.0);
        at(part("x"), part("y"))
    };
    let (from, to) = (corner("topLeft", 0.0), corner("bottomRight", 1.0));
    let shown = at((to.x - from.x).max(0.001), (to.y - from.y).max(0.001));
    let whole = at(area.width() / shown.x, area.height() / shown.y);
    let clip = clip_of(drawing, &area, value::is(crop, "isCircle"), !crop.is_empty());
    drawing.sheet.write(format_args!("<g{clip}>"));
    let flip = |name, side: f64, start: f64, whole: f64| match value::is(props, name) {
        true => (-whole, side + start * whole),
        false => (whole, -start * whole),
    };
    let (x_scale, x) = flip("flipX", area.width(), from.x, whole.x);
    let (y_scale, y) = flip("flipY", area.height(), from.y, whole.y);
    drawing.sheet.write(format_args!(
        "<use href=\"#{id}\" transform=\"matrix({x_scale:.4} 0 0 {y_scale:.4} {x:.3} {y:.3})\">"
    ));
    let words: String = value::text(props, "altText").chars().take(WORDS_MAX).collect();
    if !words.is_empty() {
        drawing.sheet.push("<title>");
        drawing.sheet.push_text(&words);
        drawing.sheet.push("</title>");
    }
    drawing.sheet.push("</use></g>");
    Ok(Some(area))
}

/// What cuts a picture that does not show whole.
fn clip_of(drawing: &mut Drawing<'_>, area: &Area, is_round: bool, is_cut: bool) -> String {
    if !is_cut {
        return String::new();
    }
    let data = if is_round {
        let (center, radii) = (area.middle(), at(area.width() / 2.0, area.height() / 2.0));
        let path = Path::from(at(area.right, center.y), End::Exact);
        path.arc(center, radii, (0.0, std::f64::consts::TAU))
            .closed()
            .data()
    } else {
        Path::polygon(&area.corners()).data()
    };
    let id = drawing.sheet.fresh(|text, id| {
        text.push_str(&format!("<clipPath id=\"{id}\"><path d=\"{data}\"/></clipPath>"));
    });
    format!(" clip-path=\"url(#{id})\"")
}

/// A box with words, for what is not shown.
fn placeholder(
    drawing: &mut Drawing<'_>,
    props: &Record,
    (kind, words): (&str, &str),
) -> Result<Option<Area>, Full> {
    let area = box_of(props, (100.0, 100.0));
    let [inside, border, letters] = drawing.theme.placeholder();
    let look =
        format_args!("fill=\"{inside}\" stroke=\"{border}\" stroke-width=\"1.5\" stroke-dasharray=\"6 6\"")
            .to_string();
    let is_drawn_dashed = area.width() + area.height() < 10_000.0;
    let look = if is_drawn_dashed {
        look.as_str()
    } else {
        look.split(" stroke-dasharray").next().unwrap_or_default()
    };
    drawing.sheet.rectangle(&area, format_args!("{look}"));
    let room = area.width() - 16.0;
    let lines: Vec<String> = [kind, words]
        .into_iter()
        .filter(|line| !line.is_empty())
        .map(|line| shortened(drawing, line, (14.0, room)))
        .collect();
    if room > 14.0 && area.height() > 24.0 {
        let laid = text::set(
            &mut drawing.faces,
            &text::plain(&lines.join("\n"), Family::Sans, 14.0),
            None,
        );
        let place = Place {
            area,
            across: Align::Middle,
            down: Align::Middle,
        };
        let paint = Paint {
            color: letters,
            edge: 0.0,
            theme: drawing.theme,
            target: drawing.target,
        };
        text::draw(&mut drawing.sheet, &mut drawing.faces, &laid, &place, &paint)?;
    }
    Ok(Some(area))
}

/// Where points of a record are.
pub(crate) fn point_of(point: &Record) -> Point {
    at(
        value::number_or(point, "x", 0.0),
        value::number_or(point, "y", 0.0),
    )
}
