//! What of a board a picture shows, and how large: the query parameters of both paths.
//!
//! Owns how they are read. Must not know records. Key invariant: two parameters that contradict each other
//! are refused, and none is left out silently. Tests are below.

use boardwire_picture::{Area, Part, Size, Target, Theme, Wanted};

use crate::api::invalid_parameter;
use crate::http::response::Response;
use crate::http::target::Target as Request;
use crate::ids::ItemId;
use crate::items;
use crate::limits;

/// What a picture is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Svg,
    Png,
}

impl Form {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
        }
    }

    fn target(self) -> Target {
        match self {
            Self::Svg => Target::Vector,
            Self::Png => Target::Raster,
        }
    }
}

/// A picture that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) form: Form,
    pub(crate) wanted: Wanted,
}

impl Options {
    /// The whole of the page that new items are made on, as it is, in light colours.
    pub(crate) fn whole(form: Form) -> Self {
        Self {
            form,
            wanted: Wanted {
                part: Part::Page(None),
                size: Size::Scale(1.0),
                theme: Theme::Light,
                target: form.target(),
            },
        }
    }

    /// Reads the request.
    ///
    /// # Errors
    /// 400 `invalid_parameter`.
    pub(crate) fn of(request: &Request<'_>, form: Form) -> Result<Self, Response> {
        Self::read(form, |name| {
            let value = request.parameter(name);
            value.map_err(|_| invalid_parameter(name, "must stand once"))
        })
    }

    /// The same, wherever the values of the parameters are.
    ///
    /// # Errors
    /// As [`Self::of`], and those of `value`.
    pub(crate) fn read<'v>(
        form: Form,
        value: impl Fn(&'static str) -> Result<Option<&'v str>, Response>,
    ) -> Result<Self, Response> {
        let mut options = Self::whole(form);
        options.wanted.part = part(value("page")?, value("frame")?, value("bbox")?)?;
        options.wanted.size = size(&value)?;
        options.wanted.theme = match value("theme")? {
            None | Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            Some(_) => return Err(invalid_parameter("theme", "must be light or dark")),
        };
        Ok(options)
    }
}

fn part(page: Option<&str>, frame: Option<&str>, area: Option<&str>) -> Result<Part, Response> {
    let is_page = |page: &str| {
        page.strip_prefix("page:")
            .is_some_and(|id| ItemId::parse(id).is_some())
    };
    if page.is_some_and(|page| !is_page(page)) {
        return Err(invalid_parameter(
            "page",
            "must be the id of a page, such as page:page",
        ));
    }
    let page = page.map(str::to_owned);
    match (frame, area) {
        (None, None) => Ok(Part::Page(page)),
        (None, Some(area)) => Ok(Part::Area(page, bbox(area)?)),
        (Some(_), _) if page.is_some() || area.is_some() => {
            Err(invalid_parameter("frame", "has no meaning with page or bbox"))
        }
        (Some(frame), _) => {
            let frame = ItemId::parse(frame)
                .ok_or_else(|| invalid_parameter("frame", "must be the id of an item"))?;
            Ok(Part::Frame(format!("shape:{frame}")))
        }
    }
}

fn bbox(text: &str) -> Result<Area, Response> {
    let most = limits::ITEM_COORDINATE_MAX;
    let fits = |[x, y, width, height]: &[f64; 4]| {
        x.abs() <= most && y.abs() <= most && (1.0..=most).contains(width) && (1.0..=most).contains(height)
    };
    let area = items::numbers::<4>(text).filter(fits);
    let [x, y, width, height] = area.ok_or_else(|| {
        invalid_parameter(
            "bbox",
            "must be four numbers, x,y,width,height, on the page; the last two from 1",
        )
    })?;
    Ok(Area {
        left: x,
        top: y,
        right: x + width,
        bottom: y + height,
    })
}

fn size<'v>(value: impl Fn(&'static str) -> Result<Option<&'v str>, Response>) -> Result<Size, Response> {
    let between = |name: &'static str, (min, max): (f64, f64)| {
        let Some(text) = value(name)? else {
            return Ok(None);
        };
        let number = items::numbers::<1>(text).map(|[number]| number);
        let number = number.filter(|number| (min..=max).contains(number));
        let detail = || invalid_parameter(name, &format!("must be a number from {min} to {max}"));
        number.map(Some).ok_or_else(detail)
    };
    let scales = (limits::PICTURE_SCALE_MIN, limits::PICTURE_SCALE_MAX);
    let sides = (limits::PICTURE_SIDE_MIN, limits::PICTURE_SIDE_MAX);
    let scale = between("scale", scales)?;
    match (scale, between("width", sides)?, between("height", sides)?) {
        (None, None, None) => Ok(Size::Scale(1.0)),
        (Some(scale), None, None) => Ok(Size::Scale(scale)),
        (None, width, height) => Ok(Size::Within(width, height)),
        (Some(_), ..) => Err(invalid_parameter("scale", "has no meaning with width or height")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Wanted, u16> {
        let target = format!("/v1/boards/b/picture.svg?{query}");
        let target = Request::parse(&target).unwrap();
        let options = Options::of(&target, Form::Svg);
        options
            .map(|options| options.wanted)
            .map_err(|refusal| refusal.status)
    }

    #[test]
    fn parameters_say_which_part_and_how_large() {
        assert_eq!(read(""), Ok(Options::whole(Form::Svg).wanted));
        let frame = read("frame=a&width=240&theme=dark").unwrap();
        assert_eq!(frame.part, Part::Frame("shape:a".to_owned()));
        assert_eq!(
            (frame.size, frame.theme),
            (Size::Within(Some(240.0), None), Theme::Dark)
        );
        let area = read("page=page:x&bbox=1,2,3,4&scale=0.05").unwrap();
        let expected = Area {
            left: 1.0,
            top: 2.0,
            right: 4.0,
            bottom: 6.0,
        };
        assert_eq!(area.part, Part::Area(Some("page:x".to_owned()), expected));
    }

    #[test]
    fn edges_of_sizes_are_let_in_and_what_is_beyond_is_refused() {
        for (query, passes) in [
            ("scale=0.05", true),
            ("scale=4", true),
            ("scale=0.049", false),
            ("scale=4.01", false),
            ("scale=NaN", false),
            ("width=16", true),
            ("height=4096", true),
            ("width=15.9", false),
            ("height=4097", false),
            ("scale=1&width=100", false),
            ("bbox=0,0,1,1", true),
            ("bbox=0,0,0.9,1", false),
            ("bbox=0,0,1", false),
            ("bbox=100000001,0,1,1", false),
            ("page=x", false),
            ("page=page:", false),
            ("frame=a&page=page:x", false),
            ("frame=a&bbox=0,0,1,1", false),
            ("frame=%2F", false),
            ("theme=blue", false),
            ("theme=light&theme=dark", false),
        ] {
            assert_eq!(
                read(query).map_err(|status| status == 400).map(|_| true),
                if passes { Ok(true) } else { Err(true) },
                "{query}"
            );
        }
    }
}
