//! Shapes that are lines: arrows, lines, and what was drawn by hand.
//!
//! Owns how each looks. Must not know where it is, but for arrows, which go to what they are bound to. Key
//! invariant: work is in proportion to the points, and is counted before it is done. Tests are below.

use serde_json::Value;

use crate::arrow::{self, Arrow, Bound, Elbow, Head, Relation, Tip};
use crate::drawing::Drawing;
use crate::geometry::{Area, Matrix, Point, at};
use crate::ink::{self, Closed, Dab, Pen, Press};
use crate::path::{End, Path, Trace, number, plain_dashes, trace_length};
use crate::shapes::{EDGE, family, fill, point_of, stroke};
use crate::sheet::Full;
use crate::style::{Align, Dash, Size};
use crate::text::{self, Paint, Place};
use crate::{Record, elbow, value};

/// Bytes that a point of what was drawn by hand becomes, about; and a piece of a line, with its dashes.
const POINT_BYTES: usize = 60;
const PIECE_BYTES: usize = 160;

/// Room between an arrow's label and its line.
const LABEL_ROOM: f64 = 4.25;

/// Points that are put on a straight piece of what was drawn by hand, inclusive.
const BETWEEN: std::ops::RangeInclusive<u8> = 0..=199;

/// The line of a shape, as others end at it.
pub(crate) fn traces(drawing: &mut Drawing<'_>, key: &str, shape: &Record) -> Vec<Trace> {
    let props = value::part(shape, "props");
    match value::text(shape, "type") {
        "line" => line_path(props).traces(),
        _ => vec![Trace {
            points: dabs(drawing, key)
                .unwrap_or_default()
                .iter()
                .map(|dab| dab.at)
                .collect(),
            is_closed: value::is(props, "isClosed"),
        }],
    }
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
        "arrow" => draw_arrow(drawing, key, props, matrix),
        "line" => draw_line(drawing, key, props),
        "highlight" => draw_highlight(drawing, key, props),
        _ => draw_ink(drawing, key, props),
    }
}

fn line_path(props: &Record) -> Path {
    let points = value::part(props, "points");
    let mut points: Vec<&Record> = points.values().filter_map(Value::as_object).collect();
    points.sort_by_key(|point| value::text(point, "index"));
    let points: Vec<Point> = points.into_iter().map(point_of).collect();
    match value::text(props, "spline") {
        "cubic" => Path::spline(&points),
        _ => Path::line(&points, End::Exact),
    }
}

fn draw_line(drawing: &mut Drawing<'_>, key: &str, props: &Record) -> Result<Option<Area>, Full> {
    let path = line_path(props);
    drawing.sheet.spend(path.0.len())?;
    drawing.sheet.begin(path.0.len().saturating_mul(PIECE_BYTES))?;
    let width = Size::of(value::text(props, "size")).stroke() * value::scale(props);
    let color = drawing.theme.color(value::text(props, "color")).solid;
    stroke(
        drawing,
        &path,
        (Dash::of(value::text(props, "dash")), width),
        (color, key),
    );
    let points = path.traces().into_iter().flat_map(|trace| trace.points);
    Ok(Area::of(points))
}

/// The points of what was drawn by hand, those between the ends of straight pieces too.
fn dabs(drawing: &mut Drawing<'_>, key: &str) -> Result<Vec<Dab>, Full> {
    let segments = drawing.scene.segments(key);
    let mut dabs = Vec::new();
    for segment in segments {
        match segment.dabs.as_slice() {
            [from, to, ..] if segment.is_straight => {
                let count = (from.at.distance(to.at) / 16.0)
                    .floor()
                    .clamp(4.0, f64::from(*BETWEEN.end()));
                let parts = BETWEEN.take_while(|n| f64::from(*n) < count);
                dabs.extend(parts.map(|n| Dab {
                    at: from.at.towards(to.at, f64::from(n) / (count - 1.0)),
                    ..*from
                }));
                drawing.sheet.spend(usize::from(*BETWEEN.end()))?;
            }
            points => {
                drawing.sheet.spend(points.len())?;
                dabs.extend_from_slice(points);
            }
        }
    }
    Ok(dabs)
}

fn taken(dabs: &[Dab], by: f64) -> Option<Area> {
    Area::of(dabs.iter().map(|dab| dab.at)).map(|area| area.grown(by))
}

fn draw_ink(drawing: &mut Drawing<'_>, key: &str, props: &Record) -> Result<Option<Area>, Full> {
    let dabs = dabs(drawing, key)?;
    drawing.sheet.begin(dabs.len().saturating_mul(POINT_BYTES))?;
    let width = (Size::of(value::text(props, "size")).stroke() + 1.0) * value::scale(props);
    let dash = Dash::of(value::text(props, "dash"));
    let color = drawing.theme.color(value::text(props, "color"));
    let press = match dash {
        Dash::Draw if value::is(props, "isPen") => Press::Real,
        Dash::Draw => Press::Speed,
        _ => Press::Even,
    };
    let pen = Pen::of_draw(width, press);
    let points = ink::calmed(&dabs, pen);
    let closed = if value::is(props, "isClosed") {
        Closed::Yes
    } else {
        Closed::No
    };
    let Some(first) = points.first().map(|dab| dab.at) else {
        return Ok(None);
    };
    if points.len() == 1 {
        let mut data = String::new();
        ink::dot(
            &mut data,
            first,
            if press == Press::Even {
                width / 2.0
            } else {
                width * 0.7
            },
        );
        drawing
            .sheet
            .path(&data, format_args!("fill=\"{}\"", color.solid));
        return Ok(taken(&points, width));
    }
    if closed == Closed::Yes {
        let inside = ink::line(&points, closed);
        fill(drawing, &inside, (value::text(props, "fill"), color));
    }
    if dash == Dash::Draw {
        let data = ink::stroke(&points, pen);
        drawing
            .sheet
            .path(&data, format_args!("fill=\"{}\"", color.solid));
    } else {
        let line: Vec<Point> = points.iter().map(|dab| dab.at).collect();
        let dashes = plain_dashes(dash, width, trace_length(&line));
        let mut wide = String::new();
        number(&mut wide, width);
        let data = ink::line(&points, closed);
        let color = color.solid;
        let look = format_args!("fill=\"none\" stroke=\"{color}\" stroke-width=\"{wide}\"{dashes}");
        drawing.sheet.path(&data, look);
    }
    Ok(taken(&points, 0.0))
}

fn draw_highlight(drawing: &mut Drawing<'_>, key: &str, props: &Record) -> Result<Option<Area>, Full> {
    let dabs = dabs(drawing, key)?;
    drawing.sheet.begin(dabs.len().saturating_mul(POINT_BYTES))?;
    let width = Size::of(value::text(props, "size")).text() * 1.12 * value::scale(props);
    let color = drawing.theme.color(value::text(props, "color")).highlight;
    let pen = Pen {
        width: width + 1.0,
        press: Press::Even,
        calm: 0.5,
    };
    let points = ink::calmed(&dabs, pen);
    let mut wide = String::new();
    number(&mut wide, width);
    let data = match points.as_slice() {
        [] => return Ok(None),
        // A line of no length has round ends all the same.
        [only] => ink::line(
            &[
                *only,
                Dab {
                    at: only.at + at(0.1, 0.0),
                    ..*only
                },
            ],
            Closed::No,
        ),
        points => ink::line(points, Closed::No),
    };
    drawing.sheet.path(
        &data,
        format_args!("fill=\"none\" stroke=\"{color}\" stroke-width=\"{wide}\""),
    );
    Ok(taken(&points, width / 2.0))
}

/// One end of an arrow, in its own coordinates; what it is bound to, and that one's box on the page.
fn tip(
    drawing: &mut Drawing<'_>,
    (props, name): (&Record, &str),
    binding: Option<&Record>,
    matrix: &Matrix,
) -> Result<(Tip, Option<(String, Area)>), Full> {
    let head = Head::of(value::text(
        props,
        if name == "start" {
            "arrowheadStart"
        } else {
            "arrowheadEnd"
        },
    ));
    let free = Tip {
        target: point_of(value::part(props, name)),
        head,
        bound: None,
    };
    let Some(binding) = binding else {
        return Ok((free, None));
    };
    let (key, bound) = (value::text(binding, "toId"), value::part(binding, "props"));
    let place = drawing.scene.place(key);
    let (Some(form), Some((to_page, _))) = (drawing.form(key), place) else {
        return Ok((free, None));
    };
    let points = form.traces.iter().map(|trace| trace.points.len()).sum::<usize>();
    drawing.sheet.spend(points.saturating_mul(2))?;
    let here = matrix.inverse().around(&to_page);
    let traces: Vec<Trace> = form
        .traces
        .iter()
        .map(|trace| Trace {
            points: trace.points.iter().map(|point| here.apply(*point)).collect(),
            is_closed: trace.is_closed,
        })
        .collect();
    let anchor = value::part(bound, "normalizedAnchor");
    let part = |axis| value::number_or(anchor, axis, 0.5).clamp(0.0, 1.0);
    let is_precise = value::is(bound, "isPrecise");
    let (x, y) = if is_precise {
        (part("x"), part("y"))
    } else {
        (0.5, 0.5)
    };
    let place = at(
        form.area.left + form.area.width() * x,
        form.area.top + form.area.height() * y,
    );
    let target = drawing.scene.shape(key).map(|shape| value::part(shape, "props"));
    let stroke = target.filter(|target| target.contains_key("size"));
    let stroke = stroke.map_or(0.0, |target| Size::of(value::text(target, "size")).stroke());
    let area = Area::of(traces.iter().flat_map(|trace| &trace.points).copied()).unwrap_or(form.area);
    let tip = Tip {
        target: here.apply(place),
        head,
        bound: Some(Bound {
            traces,
            area,
            is_exact: value::is(bound, "isExact"),
            is_precise,
            stroke,
        }),
    };
    Ok((tip, Some((key.to_owned(), form.area.moved(&to_page)))))
}

fn relation(start: Option<&(String, Area)>, end: Option<&(String, Area)>) -> Relation {
    match (start, end) {
        (Some((one, _)), Some((other, _))) if one == other => Relation::Same,
        (Some((_, one)), Some((_, other))) if one.contains(other) => Relation::StartAround,
        (Some((_, one)), Some((_, other))) if other.contains(one) => Relation::EndAround,
        _ => Relation::Apart,
    }
}

fn draw_arrow(
    drawing: &mut Drawing<'_>,
    key: &str,
    props: &Record,
    matrix: &Matrix,
) -> Result<Option<Area>, Full> {
    let [start, end] = drawing.scene.bindings(key);
    let (start, from) = tip(drawing, (props, "start"), start, matrix)?;
    let (end, to) = tip(drawing, (props, "end"), end, matrix)?;
    let (size, scale) = (Size::of(value::text(props, "size")), value::scale(props));
    let arrow = Arrow {
        start,
        end,
        relation: relation(from.as_ref(), to.as_ref()),
        bend: value::number_or(props, "bend", 0.0),
        scale,
        stroke: size.stroke(),
    };
    let is_elbow = if value::text(props, "kind") == "elbow" {
        Elbow::Yes
    } else {
        Elbow::No
    };
    let line = match is_elbow {
        Elbow::Yes => {
            let middle = value::number_or(props, "elbowMidPoint", 0.5).clamp(0.0, 1.0);
            elbow::line(&arrow, size.leg() * scale, middle)
        }
        Elbow::No => arrow.line(),
    };
    if line.len() < 2 {
        return Ok(None);
    }
    let label = label(drawing, props, (&line, size, scale))?;
    body(
        drawing,
        (key, props),
        (&arrow, &line, is_elbow),
        label.as_ref().map(|label| label.1),
    );
    let drawn = Area::of(line.iter().copied());
    let Some((laid, place)) = label else {
        return Ok(drawn);
    };
    let color = drawing.theme.color(value::text(props, "labelColor")).solid;
    let paint = Paint {
        color,
        edge: EDGE,
        theme: drawing.theme,
        target: drawing.target,
    };
    let place = Place {
        area: place,
        across: Align::Middle,
        down: Align::Middle,
    };
    text::draw(&mut drawing.sheet, &mut drawing.faces, &laid, &place, &paint)?;
    Ok(drawn.map(|drawn| drawn.joined(&place.area)))
}

/// The label's lines, and its box on the line.
fn label(
    drawing: &mut Drawing<'_>,
    props: &Record,
    (line, size, scale): (&[Point], Size, f64),
) -> Result<Option<(text::Laid, Area)>, Full> {
    let words = value::text(props, "text");
    let letters = size.arrow_label() * scale;
    let paragraphs = match props.get("richText") {
        Some(document) => text::read(document, family(props), letters),
        None => text::plain(words.trim_end(), family(props), letters),
    };
    if paragraphs.is_empty() || words.trim().is_empty() && props.get("richText").is_none() {
        return Ok(None);
    }
    drawing.sheet.spend(words.len())?;
    let whole = text::set(&mut drawing.faces, &paragraphs, None);
    let area = Area::of(line.iter().copied()).unwrap_or(Area::NONE);
    let room = if area.width() > area.height() {
        whole.width.min(64.0).max((area.width() - 64.0).min(whole.width))
    } else {
        whole.width.min(16.0 * letters)
    };
    let laid = if room < whole.width {
        text::set(&mut drawing.faces, &paragraphs, Some(room))
    } else {
        whole
    };
    let part = value::number_or(props, "labelPosition", 0.5).clamp(0.0, 1.0);
    let middle = crate::path::along(line, part).unwrap_or(at(0.0, 0.0));
    let (width, height) = (
        laid.width + LABEL_ROOM * 2.0 * scale,
        laid.height + LABEL_ROOM * 2.0 * scale,
    );
    let place = Area::sized(middle - at(width / 2.0, height / 2.0), width, height);
    Ok(Some((laid, place)))
}

/// The line, but for what its label and its heads cover, and the heads.
fn body(
    drawing: &mut Drawing<'_>,
    (key, props): (&str, &Record),
    (arrow, line, is_elbow): (&Arrow, &[Point], Elbow),
    label: Option<Area>,
) {
    let color = drawing.theme.color(value::text(props, "color"));
    let width = arrow.stroke * arrow.scale;
    let dash = Dash::of(value::text(props, "dash"));
    let turned: Vec<Point> = line.iter().rev().copied().collect();
    let mut heads: Vec<(Head, Path)> = Vec::new();
    let mut covered = [0.0; 2];
    for ((head, line), covered) in [(arrow.end.head, &turned[..]), (arrow.start.head, line)]
        .into_iter()
        .zip(&mut covered)
    {
        let end = match is_elbow {
            Elbow::Yes => line.get(..2).unwrap_or(line),
            Elbow::No => line,
        };
        let length = arrow::head_length(end, width, is_elbow);
        let Some(tip) = line.first().copied() else {
            continue;
        };
        let base = arrow::shortened(line, length).first().copied().unwrap_or(tip);
        heads.push((head, head.path(tip, base)));
        *covered = head.covers() * length;
    }
    let [at_end, at_start] = covered;
    let mut shown = arrow::shortened(&turned, at_end);
    shown.reverse();
    let shown = arrow::shortened(&shown, at_start);
    let parts = match label {
        Some(label) => arrow::outside(&shown, &label),
        None => vec![shown],
    };
    for part in parts {
        let path = Path::line(&part, End::Exact);
        // Only elbows have corners to be rounded; an arc is many short pieces, and dashed as one.
        match (dash, is_elbow) {
            (Dash::Draw, Elbow::Yes) => stroke(drawing, &path, (Dash::Draw, width), (color.solid, key)),
            (Dash::Draw | Dash::Solid, _) => stroke(drawing, &path, (Dash::Solid, width), (color.solid, key)),
            (dash, Elbow::Yes) => stroke(drawing, &path, (dash, width), (color.solid, key)),
            (dash, Elbow::No) => {
                let dashes = plain_dashes(dash, width, trace_length(&part));
                let mut wide = String::new();
                number(&mut wide, width);
                let look = format_args!(
                    "fill=\"none\" stroke=\"{}\" stroke-width=\"{wide}\"{dashes}",
                    color.solid
                );
                drawing.sheet.path(&path.data(), look);
            }
        }
    }
    for (head, path) in heads {
        let data = path.data();
        if head.is_filled() {
            fill(drawing, &data, (value::text(props, "fill"), color));
        }
        stroke(drawing, &path, (Dash::Solid, width), (color.solid, key));
    }
}
