//! The import table: a module names only modules of its own layer or below, and nothing its layer must not
//! know; and modules beside each other name each other in no circle.
//!
//! Which module stands in which layer is read from the table in `src/lib.rs`; what a layer must not name is
//! the table [`FORBIDDEN`] here. Modules are beside each other that are children of one module, at every
//! depth, each with all that lies below it. A module and its own children may name each other: they are one
//! thing, of which the children are parts. What a module hands on by `pub use` counts as named where it is
//! defined. Test code (`#[cfg(test)]`, `#[cfg(any(test, fuzzing))]`, and the files of such modules) is
//! exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A layer as in `src/lib.rs`: 0 to 8.
type Layer = u8;

/// The layer of each module that has a row.
type Layers = BTreeMap<String, Layer>;

/// Names and paths that a layer must not have, and the modules exempt from it. A name ending in `*` is a
/// prefix.
const FORBIDDEN: &[(&[Layer], &[&str], &[&str])] = &[
    (ALL, &["redb"], &["store::redb"]),
    (ALL, &["tokio_postgres", "tokio_util"], &["store::postgres"]),
    (ALL, &["futures_rustls"], &["tls"]),
    (ALL, &["httparse"], &["client"]),
    (ALL, &["yrs"], &["room::document"]),
    (ALL, &["redis::*"], &["bridge"]),
    (ALL, &["boardwire_picture"], &["api::picture"]),
    (ALL, &["boardwire_import"], &["main::cli::board"]),
    (ALL, &["tokio", "hyper", "axum", "unsafe"], &[]),
    (&[0, 1, 2, 3], &["smol", "futures*"], &["store::postgres", "tls"]),
    (&[0, 1, 2, 3, 4], &["async_*"], &["store::postgres"]),
    (
        &[0, 1, 2, 4],
        &["std::net", "std::fs", "std::thread", "std::process"],
        &[],
    ),
    (
        &[0, 1, 2, 4],
        &[
            "std::time::Instant",
            "std::time::SystemTime",
            "Instant",
            "SystemTime",
        ],
        &[],
    ),
    (
        &[0, 1, 2],
        &["std::sync::Mutex", "std::sync::RwLock", "std::sync::Condvar"],
        &[],
    ),
    (&[0], &["std::io", "std::sync::*"], &["ids"]),
    (&[3, 4], &["http", "crate::http"], &[]),
    // By itself it is what a session of a browser is called.
    (&[3], &["session::*", "crate::session"], &[]),
    (&[4], &["getrandom"], &[]),
    (&[5], &["crate::store"], &["bridge", "webhooks"]),
    // A request is passed on by the board that it is for.
    (&[7], &["crate::ids"], &["server::routing", "server::entrance"]),
    (&[7], &["crate::room::Room", "crate::session"], &[]),
];

const ALL: &[Layer] = &[0, 1, 2, 3, 4, 5, 6, 7, 8];

/// Of a forbidden path: addresses are values, not sockets, and the parser of frame headers is a function of
/// bytes.
const ALLOWED: &[&str] = &[
    "async_tungstenite::tungstenite::protocol::frame",
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::net::SocketAddr",
    "std::net::AddrParseError",
];

#[test]
fn every_module_names_only_its_own_layer_and_those_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = layers_of(&fs::read_to_string(root.join("lib.rs")).unwrap());
    let mut modules = Vec::new();
    walk(&root.join("lib.rs"), "", &mut modules);
    assert!(modules.len() > 40, "only {} modules were found", modules.len());
    let main = root.join("main.rs");
    let mut binary = Vec::new();
    walk(&main, "", &mut binary);
    modules.extend(binary.into_iter().map(|(name, text)| {
        let name = if name.is_empty() {
            "main".to_owned()
        } else {
            format!("main::{name}")
        };
        (name, text.replace("boardwire::", "crate::"))
    }));
    let mut complaints = Vec::new();
    for (module, text) in modules.iter().filter(|(module, _)| !module.is_empty()) {
        complaints.extend(check(module, text, &layers));
    }
    complaints.extend(circles(&beside(&modules)));
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// What draws pictures is a crate of its own: it cannot name the server's modules, and must not reach
/// anything else.
#[test]
fn the_crate_of_pictures_reaches_nothing() {
    let modules = reaches_nothing("src/picture");
    assert!(modules.len() > 15, "only {} modules were found", modules.len());
    for (module, code) in &modules {
        for path in paths(&tokens(code)) {
            let is_exempt = module == "png" || !path.starts_with("resvg");
            assert!(is_exempt, "{module} names {path}");
        }
    }
}

/// And so is what reads the files of other programs: whoever asks it has read them.
#[test]
fn the_crate_of_imports_reaches_nothing() {
    let modules = reaches_nothing("src/import");
    assert!(modules.len() > 3, "only {} modules were found", modules.len());
}

/// The modules of a crate that names neither the server nor what there is outside of the process.
fn reaches_nothing(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(
        !manifest.contains("path = \"..") && !manifest.contains("boardwire ="),
        "{manifest}"
    );
    let mut modules = Vec::new();
    walk(&root.join("lib.rs"), "", &mut modules);
    let reaching = [
        "std::fs",
        "std::net",
        "std::process",
        "std::thread",
        "std::env",
        "std::time",
        "std::io",
        "smol*",
        "unsafe",
    ];
    for (module, code) in &modules {
        for path in paths(&tokens(code)) {
            let reaches = reaching.iter().any(|name| is_under(&path, name));
            assert!(!reaches, "{module} names {path}");
        }
    }
    modules
}

/// Reads the rows `| L1 | [`http`] [`jwt`] ... | ... |`.
fn layers_of(library: &str) -> Layers {
    let mut layers = Layers::new();
    for line in library.lines() {
        let Some(row) = line.strip_prefix("//! | L") else {
            continue;
        };
        let mut columns = row.split(" | ");
        let layer: Layer = columns.next().unwrap().trim().parse().unwrap();
        for name in columns.next().unwrap().split('`').skip(1).step_by(2) {
            layers.insert(name.to_owned(), layer);
        }
    }
    layers
}

/// Follows the `mod` lines that are not for tests, and gives each module's path and code.
fn walk(file: &Path, module: &str, modules: &mut Vec<(String, String)>) {
    let code =
        code_of(&fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    let tokens = tokens(&code);
    for (at, token) in tokens.iter().enumerate() {
        if *token != "mod" || tokens.get(at + 2) != Some(&";") {
            continue;
        }
        let name = tokens[at + 1];
        let beside = match file.file_name().unwrap().to_str().unwrap() {
            "lib.rs" | "main.rs" | "mod.rs" => file.parent().unwrap().to_owned(),
            _ => file.with_extension(""),
        };
        let candidates: [PathBuf; 2] = [
            beside.join(format!("{name}.rs")),
            beside.join(name).join("mod.rs"),
        ];
        let file = candidates.iter().find(|candidate| candidate.exists());
        let file = file.unwrap_or_else(|| panic!("no file for mod {name} of {module}"));
        let path = if module.is_empty() {
            name.to_owned()
        } else {
            format!("{module}::{name}")
        };
        walk(file, &path, modules);
    }
    modules.push((module.to_owned(), code));
}

/// The layer of a module: that of the longest part of its path that has a row.
fn layer_of(module: &str, layers: &Layers) -> Option<Layer> {
    let mut path = module;
    loop {
        if let Some(layer) = layers.get(path) {
            return Some(*layer);
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// What is wrong with one module's code, tests and comments already taken out.
fn check(module: &str, code: &str, layers: &Layers) -> Vec<String> {
    let Some(own) = layer_of(module, layers) else {
        return vec![format!("{module} is not in the table of src/lib.rs")];
    };
    let mut complaints = Vec::new();
    for path in paths(&tokens(code)) {
        // What has no layer is a name of the crate's root that is no module, or a module of the binary.
        if let Some(named) = absolute(module, &path)
            && let Some(layer) = layer_of(&named, layers).filter(|layer| *layer > own)
        {
            complaints.push(format!("{module} (L{own}) names {named} (L{layer})"));
        }
        for (of, names, exempt) in FORBIDDEN {
            let is_exempt = exempt
                .iter()
                .any(|e| module == *e || module.starts_with(&format!("{e}::")));
            if of.contains(&own) && !is_exempt && names.iter().any(|name| is_under(&path, name)) {
                let allowed = ALLOWED.iter().any(|name| is_under(&path, name)) || path == "std::net";
                if !allowed {
                    complaints.push(format!("{module} (L{own}) names {path}"));
                }
            }
        }
    }
    complaints
}

/// Whether `path` is `name` or lies under it.
fn is_under(path: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::")),
    }
}

/// The path within the crate that `path`, written in `module`, leads to; `None` for other crates' names.
fn absolute(module: &str, path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest.to_owned());
    }
    let mut base = module;
    let mut rest = path;
    if !rest.starts_with("super::") {
        return None;
    }
    while let Some(after) = rest.strip_prefix("super::") {
        rest = after;
        base = base.rsplit_once("::").map_or("", |(parent, _)| parent);
    }
    Some(if base.is_empty() {
        rest.to_owned()
    } else {
        format!("{base}::{rest}")
    })
}

/// Who names whom of those beside it: a module's child another child of it, each with what lies below it.
fn beside(modules: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let names: BTreeSet<&str> = modules.iter().map(|(module, _)| module.as_str()).collect();
    let handed_on: BTreeMap<String, String> = modules.iter().flat_map(handed_on).collect();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, code) in modules {
        for path in paths(&tokens(code)) {
            let Some(mut named) = absolute(module, &path) else {
                continue;
            };
            while let Some(defined) = handed_on.get(&named) {
                named.clone_from(defined);
            }
            while !named.is_empty() && !names.contains(named.as_str()) {
                named = named
                    .rsplit_once("::")
                    .map_or("", |(parent, _)| parent)
                    .to_owned();
            }
            if let Some((from, to)) = apart(module, &named) {
                edges.entry(from).or_default().insert(to);
            }
        }
    }
    edges
}

/// The names that a module hands on, and where each is defined or handed on before.
fn handed_on((module, code): &(String, String)) -> Vec<(String, String)> {
    let tokens = tokens(code);
    let mut out = Vec::new();
    for at in (0..tokens.len()).filter(|at| tokens[*at] == "use" && *at > 0) {
        // Both `pub use` and `pub(crate) use`.
        if matches!(tokens[at - 1], "pub" | ")") {
            let mut spread = Vec::new();
            path(&tokens, at + 1, String::new(), &mut spread);
            let children =
                |path: &String| absolute(module, path).unwrap_or_else(|| format!("{module}::{path}"));
            let names = spread.iter().map(|path| (last_of(path), children(path)));
            out.extend(names.map(|(name, path)| (format!("{module}::{name}"), path)));
        }
    }
    out.retain(|(name, path)| name != path);
    out
}

/// The last segment of a path.
fn last_of(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// Where two modules' paths part: the children of one module that they lie in. `None` where one lies in the
/// other.
fn apart(a: &str, b: &str) -> Option<(String, String)> {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split("::").collect(), b.split("::").collect());
    let at = a.iter().zip(&b).position(|(a, b)| a != b)?;
    (!b[at].is_empty()).then(|| (a[..=at].join("::"), b[..=at].join("::")))
}

/// Modules beside each other that name each other in a circle.
fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reaches = |from: &str, to: &str| {
        let mut seen = BTreeSet::from([from.to_owned()]);
        let mut open = vec![from.to_owned()];
        while let Some(at) = open.pop() {
            for next in edges.get(&at).into_iter().flatten() {
                if next == to {
                    return true;
                }
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        false
    };
    let names = edges.keys().filter(|name| reaches(name, name));
    names
        .map(|name| {
            format!(
                "{name} is in a circle with those beside it: it names {:?}",
                edges[name]
            )
        })
        .collect()
}

/// Takes comments, texts and the items that are for tests only out of a source file.
fn code_of(source: &str) -> String {
    let bare = bare(source);
    let mut code = bare.as_str();
    let mut out = String::new();
    while let Some(at) = code
        .find("#[cfg(test)]")
        .into_iter()
        .chain(code.find("#[cfg(any(test"))
        .min()
    {
        out.push_str(&code[..at]);
        code = after_item(&code[at..]);
    }
    out.push_str(code);
    out
}

/// What follows the item at the beginning: after its `;` or its closing brace.
fn after_item(code: &str) -> &str {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                if depth == 0 && c == '}' {
                    return &code[at + 1..];
                }
            }
            ';' if depth == 0 => return &code[at + 1..],
            _ => {}
        }
    }
    ""
}

/// Takes comments, and what stands in string and character literals, out.
fn bare(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("r\"")
            || rest.starts_with("r#") && rest.trim_start_matches(['r', '#']).starts_with('"')
        {
            let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            let body = 2 + hashes;
            body + rest[body..]
                .find(&end)
                .map_or(rest.len() - body, |at| at + end.len())
        } else if c == '"' {
            literal(rest, '"')
        } else if c == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            literal(rest, '\'')
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            if c.is_alphanumeric() || c == '_' {
                // A whole word at a time, so that `br"` or `for` are not taken for a raw text.
                let word = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                out.push_str(&rest[..word]);
                rest = &rest[word..];
            }
            continue;
        };
        out.push(' ');
        rest = &rest[skipped..];
    }
    out
}

/// Bytes of the literal at the beginning, both quotes included.
fn literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Words, `::`, and single signs.
fn tokens(code: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = code.trim_start();
    while let Some(c) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if is_word(c) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            c.len_utf8()
        };
        out.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    out
}

/// Every path that is written out, with the groups of `use` spread.
fn paths(tokens: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "mod" {
            // What a module's own children are called is its own business.
            at += 2;
        } else if is_name(tokens[at]) {
            at = path(tokens, at, String::new(), &mut out);
        } else {
            at += 1;
        }
    }
    out
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads one path, or one tree of a `use`, that begins at `at` under `prefix`; gives where it ends.
fn path(tokens: &[&str], mut at: usize, prefix: String, out: &mut Vec<String>) -> usize {
    let mut written = prefix;
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match *token {
                        "}" => return at + 1,
                        "," => at += 1,
                        token if is_name(token) || matches!(token, "{" | "*") => {
                            at = path(tokens, at, written.clone(), out);
                            if tokens.get(at) == Some(&"as") {
                                at += 2;
                            }
                        }
                        _ => return at,
                    }
                }
                return at;
            }
            Some(token) if is_name(token) || *token == "*" => {
                if !written.is_empty() {
                    written.push_str("::");
                }
                written.push_str(if *token == "self" && !written.is_empty() {
                    ""
                } else {
                    token
                });
                at += 1;
                if tokens.get(at) == Some(&"::")
                    && tokens
                        .get(at + 1)
                        .is_some_and(|t| is_name(t) || matches!(*t, "{" | "*"))
                {
                    at += 1;
                    continue;
                }
                out.push(written.trim_end_matches(':').to_owned());
                return at;
            }
            _ => return at,
        }
    }
}

#[test]
fn the_checker_sees_violations_however_they_are_written() {
    let layers = layers_of(
        "//! | L0 | [`limits`] | x |\n//! | L1 | [`http`] [`sync`] | x |\n//! | L2 | [`room`] [`store`] | x |\n\
         //! | L3 | `store::redb` | x |\n//! | L4 | [`boards`] | x |\n\
         //! | L5 | [`net`] [`bridge`] | x |\n//! | L7 | [`server`] | x |\n",
    );
    assert_eq!(layer_of("store::redb::read", &layers), Some(3));
    assert_eq!(layer_of("store::rows", &layers), Some(2));
    let complaints = |module: &str, source: &str| check(module, &code_of(source), &layers).len();
    let violations = [
        ("http::head", "use crate::room::Room;"),
        ("http::head", "use crate::{limits, room::{self, Room}};"),
        ("http::head", "fn f() { crate::server::run() }"),
        ("http::head", "use super::super::server;"),
        ("limits", "use crate::http;"),
        ("store", "use crate::store::redb::RedbStore;"),
        ("http", "use std::{fmt, net::{IpAddr, TcpStream}};"),
        ("http", "use std::net::TcpStream;"),
        ("sync", "fn f() { std::fs::read(\"x\") }"),
        ("sync", "use std::time::{Duration, Instant};"),
        ("room", "use async_io::Timer;"),
        ("room", "use std::sync::{Arc, Mutex};"),
        ("room", "use yrs::Doc;"),
        ("server", "use yrs::{Doc, Transact};"),
        ("server::x", "fn f(d: redb::Database) {}"),
        ("store", "fn f() { let x = \"// \"; redb::open(); }"),
        ("store::redb", "use crate::http::head;"),
        ("elsewhere", ""),
        ("store", "pub mod redb; fn f() { redb::open() }"),
        ("boards", "use async_io::Timer;"),
        ("boards::acts", "use std::time::Instant;"),
        ("boards::acts", "use crate::http::head::Head;"),
        ("boards", "use crate::net::doors::Doors;"),
        ("net::doors", "use crate::store::Change;"),
        ("net", "use crate::server::config;"),
    ];
    for (module, source) in violations {
        assert!(complaints(module, source) > 0, "{module}: {source}");
    }
    let fine = [
        (
            "http",
            "use std::net::{IpAddr, Ipv4Addr}; use crate::limits; use super::sync;",
        ),
        (
            "http",
            "// use crate::room;\n/* smol */ const X: &str = \"crate::server::run\"; const C: char = '\"';",
        ),
        (
            "http",
            "#[cfg(test)] mod tests { use crate::server; fn f() { std::fs::read(\"}\"); } }",
        ),
        (
            "http",
            "#[cfg(any(test, fuzzing))]\n#[allow(x, reason = \"y\")]\npub mod fuzzing { use yrs::Doc; }",
        ),
        ("store", "pub mod redb;"),
        ("room::document", "use yrs::Doc;"),
        (
            "store::redb",
            "use redb::Database; use std::sync::Mutex; use super::{Store, StoreError};",
        ),
        (
            "server",
            "use crate::store::redb::RedbStore; use smol::Executor; use std::time::Instant;",
        ),
        ("room", "fn f(redbird: u8, mysmol: u8) {}"),
    ];
    for (module, source) in fine {
        let found = check(module, &code_of(source), &layers);
        assert!(found.is_empty(), "{module}: {source}: {found:?}");
    }
}

#[test]
fn the_checker_sees_circles_of_modules_beside_each_other() {
    let circles = |files: &[(&str, &str)]| {
        let named = files
            .iter()
            .map(|(module, code)| ((*module).to_owned(), code_of(code)));
        circles(&beside(&named.collect::<Vec<_>>())).len()
    };
    let round = [
        ("a", "use crate::b::X;"),
        ("b", "use crate::c;"),
        ("c", "fn f() { crate::a::g() }"),
    ];
    assert_eq!((circles(&round), circles(&round[..2])), (3, 0));
    let deep = [
        ("room", "mod a; mod b;"),
        ("room::a", "use super::b::B;"),
        ("room::a::inner", "fn f() {}"),
        ("room::b", "use crate::room::a::inner::f;"),
    ];
    assert_eq!(circles(&deep), 2);
    // A module and its parts are one thing.
    let parts = [
        ("room", "mod a; use crate::room::a::A;"),
        ("room::a", "use crate::room::Room;"),
    ];
    assert_eq!(circles(&parts), 0);
    // Handed on under another path.
    for handed in ["pub use a::A;", "pub(crate) use crate::room::a::{A, C};"] {
        let hidden = [
            ("room", handed),
            ("room::a", "use crate::room::b::B;"),
            ("room::b", "use crate::room::A;"),
        ];
        assert_eq!(circles(&hidden), 2, "{handed}");
    }
    let tests = [
        ("a", "use crate::b;"),
        ("b", "#[cfg(test)] mod tests { use crate::a; }"),
    ];
    assert_eq!(circles(&tests), 0);
}
