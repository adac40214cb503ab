//! Writes the table of the page's files: with the feature `page` what `web/dist` holds, else nothing.
//!
//! Owns how files become `OUT_DIR/page_files.rs`, which `src/api/page.rs` includes. Must not decide how they
//! are served. Key invariant: a file that the server would not know how to serve ends the build. Tests:
//! tests/it/page.rs.
#![allow(
    clippy::print_stdout,
    reason = "a build script speaks to cargo on its standard output"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What stands at the end of a file that holds another one packed.
const PACKED: [&str; 2] = [".br", ".gz"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let table = match env::var_os("CARGO_FEATURE_PAGE") {
        None => Ok(item(&[])),
        Some(_) => table(&directory("CARGO_MANIFEST_DIR")?.join("web").join("dist")),
    };
    match table {
        Ok(table) => fs::write(directory("OUT_DIR")?.join("page_files.rs"), table),
        Err(line) => {
            println!("cargo::error={line}");
            Ok(())
        }
    }
}

fn directory(variable: &str) -> io::Result<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    path.ok_or_else(|| io::Error::other(format!("cargo sets {variable}")))
}

/// The table as Rust source.
fn table(dist: &Path) -> Result<String, String> {
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = BTreeSet::new();
    if dist.join("index.html").is_file() {
        gather(dist, "", &mut files).map_err(|error| format!("{}: {error}", dist.display()))?;
    } else {
        return Err(
            "the feature `page` needs web/dist/index.html; make it with: cd web && npm ci && npm run build"
                .to_owned(),
        );
    }
    let mut rows = Vec::new();
    for path in &files {
        // By name too: a directory put in its place may be older, but then it has other files.
        println!("cargo::rerun-if-changed={}", dist.join(path).display());
        if PACKED
            .iter()
            .any(|end| path.strip_suffix(end).is_some_and(|whole| files.contains(whole)))
        {
            continue;
        }
        let media_type = media_type(path)?;
        // By the variable, so that the same files make the same table wherever they lie.
        let include = |path: &str| {
            format!("include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/web/dist/{path}\"))")
        };
        let packed = |end| {
            let packed = format!("{path}{end}");
            match files.contains(&packed) {
                true => format!("Some({})", include(&packed)),
                false => "None".to_owned(),
            }
        };
        let [brotli, gzip] = PACKED.map(packed);
        rows.push(format!(
            "File {{ path: {path:?}, media_type: {media_type:?}, plain: {}, brotli: {brotli}, gzip: {gzip}, \
             hash: OnceLock::new() }},\n",
            include(path)
        ));
    }
    Ok(item(&rows))
}

/// A static, since each file of it keeps a hash.
fn item(rows: &[String]) -> String {
    format!("static FILES: [File; {}] = [\n{}];\n", rows.len(), rows.concat())
}

/// Adds the files below `directory`, whose path so far is `prefix`.
fn gather(directory: &Path, prefix: &str, files: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let plain = name.to_str().filter(|name| {
            let known = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            !name.starts_with('.') && name.bytes().all(known)
        });
        let Some(name) = plain else {
            return Err(io::Error::other(format!(
                "{prefix}{} would need escapes in a path",
                name.display()
            )));
        };
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}

/// The media type of a file, by the end of its name.
fn media_type(path: &str) -> Result<&'static str, String> {
    let end = Path::new(path).extension().and_then(|end| end.to_str());
    Ok(match end.unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "md" | "txt" => "text/plain; charset=utf-8",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => {
            return Err(format!(
                "web/dist/{path}: build.rs does not know the media type of such a file"
            ));
        }
    })
}
