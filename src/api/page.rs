//! The page: `/`, `/board/{board}` and the files they need, out of the binary itself.
//!
//! Owns which file answers which path, packed how and kept for how long, and what a browser is told about its
//! rights ([`SECURITY`]). Must not know what the page does. Key invariants: what a cache may keep without
//! asking has a name that changes with its content; every answer forbids scripts and requests of other
//! origins. Tests are below, and over TCP in tests/it/page.rs.
//!
//! `build.rs` writes the table of files: it is empty without the feature `page`, and then the page's paths
//! say how to get it. The table of routes that docs/openapi.yaml describes does not have these paths.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::api::route::{self, Parameters, Route};
use crate::api::{Answer, Call};
use crate::http::head::{Head, Method};
use crate::http::negotiate::{self, Coding};
use crate::http::response::{POLICY, Response};
use crate::net::Shell;
use crate::net::admission::Request;

/// A file of the page, as `build.rs` found it.
struct File {
    /// Without the leading slash.
    path: &'static str,
    media_type: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
    /// The hash of `plain`, once somebody needed it.
    hash: OnceLock<String>,
}

// `static FILES: [File; n]`
include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// The paths that the page itself lives under.
pub(crate) const ROUTES: &[Route] = &[
    Route {
        path: "/",
        methods: &[(Method::Get, Parameters::Any, |call| Box::pin(start(call)))],
    },
    Route {
        path: "/board/{board}",
        methods: &[(Method::Get, Parameters::Any, |call| Box::pin(board(call)))],
    },
    Route {
        path: "/board/{board}/public",
        methods: &[(Method::Get, Parameters::Any, |call| Box::pin(board(call)))],
    },
];

/// Any other file of the page; what is captured is its path.
pub(crate) const FILE: &Route = &Route {
    path: "/{file}",
    methods: &[(Method::Get, Parameters::Any, |call| Box::pin(file(call)))],
};

/// What a browser may do with what it gets here, and for whom, beside what every answer says. SECURITY.md
/// says why, part by part.
const SECURITY: [(&str, &str); 3] = [
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// The policy of the page, without who may put it into a frame.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
         media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self'; \
         manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ";

/// Whether there is a page at all.
pub(crate) fn is_built_in() -> bool {
    !FILES.is_empty()
}

/// Whether there is a file under this path.
pub(crate) fn has(path: &[&str]) -> bool {
    find(&FILES, path).is_some()
}

/// A font of the page, by what the name of its file begins with.
pub(crate) fn font(begins: &str) -> Option<&'static [u8]> {
    let is_it = |file: &&File| {
        let name = file.path.strip_prefix("assets/");
        file.media_type == "font/woff2" && name.is_some_and(|name| name.starts_with(begins))
    };
    FILES.iter().find(is_it).map(|file| file.plain)
}

async fn start(call: Call<'_>) -> Answer {
    Ok(document(&call).unwrap_or_else(|| Response::text(200, how_to_get_it())))
}

/// The page finds out by itself whether there is such a board.
async fn board(call: Call<'_>) -> Answer {
    Ok(document(&call).unwrap_or_else(|| Response::text(404, how_to_get_it())))
}

async fn file(call: Call<'_>) -> Answer {
    let served = match call.captured == INDEX {
        true => document(&call),
        false => serve(&FILES, &call.captured, call.request.head).map(|file| framed(call.shell, file)),
    };
    served.ok_or_else(super::not_found)
}

fn document(call: &Call<'_>) -> Option<Response> {
    let served = serve_under(&call.shell.settings.base_path, &FILES, call.request.head);
    served.map(|page| framed(call.shell, page))
}

/// Says what a page may do, and who may put it into a frame.
fn framed(shell: &Shell, page: Response) -> Response {
    page.field(POLICY, format!("{PAGE_POLICY}{}", shell.live.get().frames))
}

/// What somebody gets whose address is beside the page's paths: with a slash too many they are led to the
/// right one; who came with a browser gets the page, which says where one can go. `None` where neither is
/// meant.
pub(crate) fn beside(shell: &Shell, request: &Request<'_>) -> Option<Response> {
    let Request { head, target, .. } = request;
    if !matches!(head.method, Method::Get | Method::Head) {
        return None;
    }
    let path = target.path();
    if let [whole @ .., ""] = &*path
        && ROUTES
            .iter()
            .any(|route| route::matches(route.path, whole).is_some())
    {
        return Some(Response::new(308).field("Location", without_slash(head.target)?));
    }
    let of_the_api = matches!(path.first(), Some(&("v1" | "ws")));
    let is_browser = head.elements("accept").any(|one| one.starts_with(b"text/html"));
    if of_the_api || !is_browser {
        return None;
    }
    let page = serve_under(&shell.settings.base_path, &FILES, head)?;
    let mut page = framed(shell, page).field("Vary", "Accept");
    // A browser that has the page already is told so.
    if page.status == 200 {
        page.status = 404;
    }
    Some(page)
}

/// From `/board/plan/?share=x` to `../plan?share=x`. Relative, so that it holds whatever a proxy has in front
/// of the path.
fn without_slash(target: &str) -> Option<String> {
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    let (_, last) = path.strip_suffix('/')?.rsplit_once('/')?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("../{last}{query}"))
}

/// The one document, whatever board it shows.
const INDEX: &[&str] = &["index.html"];

/// What is said where there is no page.
fn how_to_get_it() -> String {
    format!(
        "Boardwire {version}\n\n\
         This binary was built without the page. `scripts/run` builds one that has it; by hand:\n\n\
         \x20 (cd web && npm ci && npm run build)\n\
         \x20 cargo build --release --features page\n\n\
         It keeps Yjs documents in sync all the same. A stock y-websocket client connects so:\n\n\
         \x20 import * as Y from 'yjs'\n\
         \x20 import {{ WebsocketProvider }} from 'y-websocket'\n\n\
         \x20 const doc = new Y.Doc()\n\
         \x20 new WebsocketProvider('ws://HOST:PORT/ws/canvas', 'my-board', doc, {{ params: {{ token: '<JWT>' }} }})\n\n\
         A token is made by your application, or on the command line by `boardwire token --help`.\n\
         Other paths: /health, /metrics, /v1/boards (docs/openapi.yaml describes them)\n",
        version = env!("CARGO_PKG_VERSION")
    )
}

fn find(files: &'static [File], path: &[&str]) -> Option<&'static File> {
    files
        .iter()
        .find(|file| file.path.split('/').eq(path.iter().copied()))
}

/// Answers with the document as it is under the base path of `--public-url`; `None` where there is none.
///
/// It alone says where the other files are; these name each other from where they are themselves.
fn serve_under(base: &str, files: &'static [File], head: &Head<'_>) -> Option<Response> {
    if base.is_empty() {
        return serve(files, INDEX, head);
    }
    let plain = str::from_utf8(find(files, INDEX)?.plain).ok()?;
    let document = plain.replace("=\"/", &format!("=\"{base}/"));
    let etag = format!("\"{}\"", hash(document.as_bytes()));
    Some(answer(head, Coding::Identity, Some(etag), |response| {
        response.with_body("text/html; charset=utf-8", document)
    }))
}

/// Answers with a file as the client can take it; `None` where there is none.
fn serve(files: &'static [File], path: &[&str], head: &Head<'_>) -> Option<Response> {
    let file = find(files, path)?;
    let (coding, body) = file.packed_for(head);
    let validator = (!file.is_immutable()).then(|| file.etag(coding));
    Some(answer(head, coding, validator, |response| {
        response.with_built_in(file.media_type, body)
    }))
}

/// The answer that `fill` puts the content into, unless the client has it already; without a validator it may
/// keep it.
fn answer(
    head: &Head<'_>,
    coding: Coding,
    validator: Option<String>,
    fill: impl FnOnce(Response) -> Response,
) -> Response {
    let known = validator
        .as_deref()
        .is_some_and(|etag| negotiate::has_already(head.elements("if-none-match"), etag));
    let response = match known {
        true => Response::new(304),
        false => fill(Response::new(200)),
    };
    let response = match coding.name() {
        Some(name) if !known => response.field("Content-Encoding", name),
        _ => response,
    };
    let response = response.field("Vary", "Accept-Encoding");
    let response = match validator {
        // A year, which is as good as ever.
        None => response.field("Cache-Control", "public, max-age=31536000, immutable"),
        Some(etag) => response.field("Cache-Control", "no-cache").field("ETag", etag),
    };
    let secured =
        |response: Response, &(name, value): &(&'static str, &'static str)| response.field(name, value);
    SECURITY.iter().fold(response, secured)
}

/// What an entity tag has of some content.
fn hash(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
}

impl File {
    /// Whether the name changes with the content: so Vite names what it puts into `assets`.
    fn is_immutable(&self) -> bool {
        self.path.starts_with("assets/")
    }

    /// The bytes as the client would like them best, and how they are packed. Of what it likes equally it
    /// gets the smallest, which is the order here.
    fn packed_for(&self, head: &Head<'_>) -> (Coding, &'static [u8]) {
        let packings = [
            (Coding::Brotli, self.brotli),
            (Coding::Gzip, self.gzip),
            (Coding::Identity, Some(self.plain)),
        ];
        let offered: Vec<Coding> = packings
            .iter()
            .filter(|(_, body)| body.is_some())
            .map(|(coding, _)| *coding)
            .collect();
        let coding = Coding::preferred(head.elements("accept-encoding"), &offered);
        let chosen = packings.iter().find(|(packing, _)| *packing == coding);
        (coding, chosen.and_then(|(_, body)| *body).unwrap_or(self.plain))
    }

    /// An entity tag; each packing has its own, as a strong one must (RFC 9110, 8.8.1).
    fn etag(&self, coding: Coding) -> String {
        let hash = self.hash.get_or_init(|| hash(self.plain));
        match coding.name() {
            Some(name) => format!("\"{hash}-{name}\""),
            None => format!("\"{hash}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head;

    static FEW: [File; 3] = [
        File {
            path: "assets/main-0aZ_-9xy.js",
            media_type: "text/javascript; charset=utf-8",
            plain: b"plain",
            brotli: Some(b"brotli"),
            gzip: Some(b"gzip"),
            hash: OnceLock::new(),
        },
        File {
            path: "index.html",
            media_type: "text/html; charset=utf-8",
            plain: b"<html><script src=\"/assets/a.js\">",
            brotli: None,
            gzip: Some(b"packed html"),
            hash: OnceLock::new(),
        },
        File {
            path: "sw.js",
            media_type: "text/javascript; charset=utf-8",
            plain: b"worker",
            brotli: None,
            gzip: None,
            hash: OnceLock::new(),
        },
    ];

    fn ask(path: &[&str], fields: &[(&str, &str)]) -> Option<Response> {
        let mut request = String::from("GET / HTTP/1.1\r\nHost: a\r\n");
        for (name, value) in fields {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let (head, _) = head::parse(request.as_bytes()).unwrap().unwrap();
        serve(&FEW, path, &head)
    }

    #[test]
    fn a_file_is_sent_as_the_client_can_take_it() {
        let script = ["assets", "main-0aZ_-9xy.js"];
        for (accepted, coding, body) in [
            ("gzip, deflate, br", Some("br"), "brotli"),
            ("gzip", Some("gzip"), "gzip"),
            ("br;q=0, *", Some("gzip"), "gzip"),
            ("zstd", None, "plain"),
            ("", None, "plain"),
        ] {
            let answer = ask(&script, &[("Accept-Encoding", accepted)]).unwrap();
            assert_eq!(
                (answer.status, answer.value("content-encoding"), answer.body()),
                (200, coding, body.as_bytes()),
                "{accepted}"
            );
            assert_eq!(answer.value("vary"), Some("Accept-Encoding"));
            assert!(answer.held().is_none(), "nothing is copied");
        }
        let unpacked = ask(&["sw.js"], &[("Accept-Encoding", "br, gzip")]).unwrap();
        assert_eq!(
            (unpacked.value("content-encoding"), unpacked.body()),
            (None, &b"worker"[..])
        );
    }

    #[test]
    fn what_may_change_is_asked_for_again_and_sent_only_if_it_has() {
        for path in ["index.html", "sw.js"] {
            let first = ask(&[path], &[]).unwrap();
            assert_eq!(first.value("cache-control"), Some("no-cache"));
            let etag = first.value("etag").unwrap();
            let again = ask(&[path], &[("If-None-Match", etag)]).unwrap();
            assert_eq!(
                (again.status, again.body(), again.value("etag")),
                (304, &b""[..], Some(etag))
            );
            assert_eq!(
                ask(&[path], &[("If-None-Match", "\"other\"")]).unwrap().status,
                200
            );
        }
        let script = ask(&["assets", "main-0aZ_-9xy.js"], &[("If-None-Match", "*")]).unwrap();
        assert_eq!((script.status, script.value("etag")), (200, None));
        assert_eq!(
            script.value("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
    }

    #[test]
    fn each_packing_has_an_entity_tag_of_its_own() {
        let tag = |accepted| {
            let answer = ask(INDEX, &[("Accept-Encoding", accepted)]).unwrap();
            answer.value("etag").unwrap().to_owned()
        };
        let (plain, packed) = (tag("identity"), tag("gzip"));
        assert_ne!(plain, packed);
        let fields = [("Accept-Encoding", "gzip"), ("If-None-Match", plain.as_str())];
        assert_eq!(ask(INDEX, &fields).unwrap().status, 200);
        assert_ne!(plain, ask(&["sw.js"], &[]).unwrap().value("etag").unwrap());
    }

    #[test]
    fn the_document_names_its_files_under_the_base_path() {
        let (head, _) = head::parse(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
            .unwrap()
            .unwrap();
        let under = |base| serve_under(base, &FEW, &head).unwrap();
        assert_eq!(under("").body(), b"packed html");
        let (one, other) = (under("/wb"), under("/a/b"));
        assert_eq!(one.body(), b"<html><script src=\"/wb/assets/a.js\">");
        assert_eq!(other.body(), b"<html><script src=\"/a/b/assets/a.js\">");
        assert_eq!((one.status, one.value("content-encoding")), (200, None));
        assert_ne!(one.value("etag"), other.value("etag"));
    }

    #[test]
    fn a_slash_too_many_leads_to_the_same_path_without() {
        for (target, expected) in [
            ("/board/plan/", Some("../plan")),
            ("/wb/board/plan/", Some("../plan")),
            ("/board/plan/public/?share=x/y/", Some("../public?share=x/y/")),
            ("/board/a%2Fb/?", Some("../a%2Fb?")),
            ("//evil.example/board/plan/", Some("../plan")),
            ("/board/plan", None),
            ("/", None),
        ] {
            assert_eq!(without_slash(target).as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn only_what_is_there_is_found_and_only_whole_segments_count() {
        for path in [
            &[][..],
            &[""],
            &["assets"],
            &["assets/main-0aZ_-9xy.js"],
            &["index.html", ""],
            &["..", "index.html"],
            &["INDEX.HTML"],
        ] {
            assert!(ask(path, &[]).is_none(), "{path:?}");
        }
    }

    #[test]
    fn without_a_page_it_is_said_how_to_get_it() {
        let text = how_to_get_it();
        for word in [
            "scripts/run",
            "npm run build",
            "--features page",
            "y-websocket",
            "boardwire token",
        ] {
            assert!(text.contains(word), "{word}");
        }
    }
}
