//! The page, as a browser is given it; and without the feature `page`, what is said in its place.
//!
//! What does not depend on the files that were built in is in the unit tests of src/api/page.rs.

use serde_json::json;

use crate::support::api::Api;
use crate::support::http::{self, Http};
use crate::support::server::{Server, Setup};

#[cfg(not(feature = "page"))]
#[test]
fn without_the_page_its_paths_say_how_to_get_it_and_how_to_connect() {
    let server = Server::start();
    for (target, status) in [
        ("/", 200),
        ("/board/plan", 404),
        ("/board/plan/public?share=x", 404),
    ] {
        let answer = http::get(server.address(), target);
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"));
        let text = String::from_utf8(answer.body).unwrap();
        for word in [
            "scripts/run",
            "cargo build --release --features page",
            "WebsocketProvider",
        ] {
            assert!(text.contains(word), "{target}: {word}");
        }
    }
    assert_eq!(http::get(server.address(), "/sw.js").status, 404);
}

#[test]
fn the_page_lives_under_its_paths_and_nowhere_else() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    for target in [
        "/",
        "/board/plan",
        "/board/plan/public",
        "/board/%F0%9F%8E%A8",
        "/board/plan?token=x",
    ] {
        assert_eq!(
            http.request("POST", target, &[]).field("allow"),
            Some("GET, HEAD, OPTIONS"),
            "{target}"
        );
        let options = http.request("OPTIONS", target, &[]);
        assert_eq!(
            (options.status, options.field("allow")),
            (204, Some("GET, HEAD, OPTIONS"))
        );
    }
    for target in [
        "/board",
        "/board/",
        "/board/plan/private",
        "/boards",
        "/assets",
        "/assets/",
        "/assets/..%2Findex.html",
    ] {
        let answer = http.request("GET", target, &[]);
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (404, &"not_found".into()),
            "{target}"
        );
    }
}

#[test]
fn a_slash_too_many_leads_to_the_page_and_takes_the_query_along() {
    let server = Server::start();
    let mut http = Http::connect(server.address());
    for (target, location) in [
        ("/board/plan/", "../plan"),
        ("/board/plan/?share=a%2Fb", "../plan?share=a%2Fb"),
        ("/board/plan/public/", "../public"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = http.request(method, target, &[]);
            assert_eq!(
                (answer.status, answer.field("location")),
                (308, Some(location)),
                "{method} {target}"
            );
        }
        assert_eq!(http.request("POST", target, &[]).status, 404, "{target}");
    }
    for target in ["/board//", "/v1/boards/", "/health/", "//"] {
        assert_eq!(http.request("GET", target, &[]).status, 404, "{target}");
    }
}

#[test]
fn an_address_that_the_api_names_is_under_the_public_url() {
    let server = Setup::new().flag("public-url", "https://boards.test/wb").start();
    let alice = Api::user(&server, "alice");
    let made = alice.json("POST", "/v1/boards", &json!({ "id": "b" }));
    assert_eq!(
        (made.status, made.field("location")),
        (201, Some("/wb/v1/boards/b"))
    );
    let item = json!({ "id": "i", "type": "sticky", "x": 0, "y": 0 });
    let made = alice.json("POST", "/wb/v1/boards/b/items", &item);
    assert_eq!(
        (made.status, made.field("location")),
        (201, Some("/wb/v1/boards/b/items/i"))
    );
}

#[cfg(feature = "page")]
mod built_in {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::support::http::Answer;

    /// The files that were built in, by their path on the server.
    fn files() -> BTreeMap<String, PathBuf> {
        fn gather(directory: &Path, prefix: &str, files: &mut BTreeMap<String, PathBuf>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = format!("{prefix}/{}", path.file_name().unwrap().to_str().unwrap());
                if path.is_dir() {
                    gather(&path, &name, files);
                } else {
                    files.insert(name, path);
                }
            }
        }
        let mut files = BTreeMap::new();
        gather(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("web/dist"),
            "",
            &mut files,
        );
        let packed = |name: &str| {
            let whole = name.strip_suffix(".br").or_else(|| name.strip_suffix(".gz"));
            whole.is_some_and(|whole| files.contains_key(whole))
        };
        let whole = files.iter().filter(|(name, _)| !packed(name));
        whole.map(|(name, path)| (name.clone(), path.clone())).collect()
    }

    #[track_caller]
    fn policy(answer: &Answer) -> BTreeMap<String, String> {
        let policy = answer.field("content-security-policy").expect("a policy");
        let directive = |part: &str| {
            let (name, sources) = part.trim().split_once(' ').expect("a directive");
            (name.to_owned(), sources.to_owned())
        };
        policy.split(';').map(directive).collect()
    }

    #[test]
    fn every_path_of_the_page_is_the_one_document() {
        let server = Server::start();
        let document = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("web/dist/index.html")).unwrap();
        for target in [
            "/",
            "/?token=x",
            "/board/plan",
            "/board/plan?token=x",
            "/board/plan/public",
            "/board/a%21",
            "/index.html",
        ] {
            let answer = http::get(server.address(), target);
            assert_eq!(answer.status, 200, "{target}");
            assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
            assert!(answer.body == document, "{target}");
        }
    }

    #[test]
    fn every_file_is_served_as_it_was_built_and_with_a_type_that_is_not_guessed() {
        let server = Server::start();
        let mut http = Http::connect(server.address());
        let files = files();
        assert!(files.len() > 5, "{files:?}");
        for (name, path) in files {
            let answer = http.request("GET", &name, &[]);
            assert_eq!(answer.status, 200, "{name}");
            assert!(answer.body == fs::read(path).unwrap(), "{name}");
            assert!(
                answer.field("content-encoding").is_none(),
                "{name}: nothing was asked for"
            );
            assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
            let expected = match name.rsplit('.').next().unwrap() {
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                "svg" => "image/svg+xml",
                "woff2" => "font/woff2",
                "json" => "application/json",
                _ => continue,
            };
            assert_eq!(answer.field("content-type"), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_a_cache_keeps_for_ever_has_a_hash_in_its_name_and_the_rest_is_asked_for_again() {
        let server = Server::start();
        let mut http = Http::connect(server.address());
        for name in files().into_keys() {
            let answer = http.request("GET", &name, &[]);
            if let Some(asset) = name.strip_prefix("/assets/") {
                let stem = asset.rsplit_once('.').unwrap().0;
                let hash = stem.get(stem.len().saturating_sub(9)..).unwrap();
                let hashed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                assert!(
                    hash.len() == 9 && hash.starts_with('-') && hash.chars().all(hashed),
                    "{name}"
                );
                assert_eq!(
                    answer.field("cache-control"),
                    Some("public, max-age=31536000, immutable")
                );
                continue;
            }
            assert_eq!(answer.field("cache-control"), Some("no-cache"), "{name}");
            let etag = answer.field("etag").expect("an entity tag").to_owned();
            let again = http.request("GET", &name, &[("If-None-Match", &etag)]);
            assert_eq!((again.status, again.field("etag")), (304, Some(&*etag)), "{name}");
            assert!(again.field("content-length").is_none() && again.field("content-type").is_none());
            assert_eq!(again.field("cache-control"), Some("no-cache"));
        }
        assert_eq!(
            http.request("GET", "/health", &[]).status,
            200,
            "a 304 has no body"
        );
    }

    #[test]
    fn files_are_packed_for_those_who_can_unpack_them() {
        let server = Server::start();
        let mut http = Http::connect(server.address());
        let mut packed = 0;
        for (name, path) in files() {
            for (accepted, coding, end) in [
                ("gzip, deflate, br, zstd", "br", ".br"),
                ("gzip;q=0.5, br;q=0", "gzip", ".gz"),
            ] {
                let answer = http.request("GET", &name, &[("Accept-Encoding", accepted)]);
                let Ok(expected) = fs::read(format!("{}{end}", path.display())) else {
                    continue;
                };
                packed += 1;
                assert_eq!(answer.field("content-encoding"), Some(coding), "{name}");
                assert_eq!(answer.field("vary"), Some("Accept-Encoding"), "{name}");
                assert!(answer.body == expected, "{name}");
            }
        }
        assert!(packed > 3, "only {packed} answers were packed");
    }

    #[test]
    fn head_is_answered_as_get_without_the_body() {
        let server = Server::start();
        let mut http = Http::connect(server.address());
        for target in ["/", "/board/plan", "/sw.js"] {
            let fields = [("Accept-Encoding", "br")];
            let get = http.request("GET", target, &fields);
            let head = http.request("HEAD", target, &fields);
            assert_eq!((head.status, head.fields), (get.status, get.fields), "{target}");
        }
        for name in files().into_keys() {
            let refused = http.request("PUT", &name, &[]);
            assert_eq!(
                (refused.status, refused.field("allow")),
                (405, Some("GET, HEAD, OPTIONS")),
                "{name}"
            );
        }
    }

    #[test]
    fn browsers_are_told_to_run_and_to_reach_nothing_of_others() {
        let server = Server::start();
        let mut http = Http::connect(server.address());
        for target in ["/", "/board/plan", "/sw.js"] {
            let answer = http.request("GET", target, &[]);
            let policy = policy(&answer);
            for (directive, sources) in [
                ("default-src", "'none'"),
                ("script-src", "'self'"),
                ("base-uri", "'none'"),
                ("form-action", "'none'"),
                ("frame-ancestors", "'none'"),
            ] {
                assert_eq!(
                    policy.get(directive).map(String::as_str),
                    Some(sources),
                    "{target}"
                );
            }
            for (directive, sources) in &policy {
                for source in sources.split(' ') {
                    let own = ["'none'", "'self'", "data:", "blob:"].contains(&source);
                    assert!(
                        own || (directive == "style-src" && source == "'unsafe-inline'"),
                        "{directive} {source}"
                    );
                }
            }
            assert_eq!(
                answer.field("referrer-policy"),
                Some("no-referrer"),
                "tokens stand in the query"
            );
            assert_eq!(answer.field("cross-origin-opener-policy"), Some("same-origin"));
            assert!(answer.field("permissions-policy").is_some());
        }
    }

    #[test]
    fn who_comes_with_a_browser_gets_the_page_for_a_path_that_is_none_and_a_program_the_problem() {
        let server = Server::start();
        let mut http = Http::connect(server.address());
        let document = http.request("GET", "/", &[]).body;
        let browser = (
            "Accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        );
        for target in [
            "/boards",
            "/board",
            "/board/",
            "/board/plan/private",
            "/favicon.ico",
        ] {
            let page = http.request("GET", target, &[browser]);
            assert_eq!(
                (page.status, page.field("content-type")),
                (404, Some("text/html; charset=utf-8")),
                "{target}"
            );
            assert!(page.body == document, "{target}");
            assert!(
                page.field("content-security-policy")
                    .unwrap()
                    .contains("script-src")
            );
            for accepted in ["*/*", "application/json"] {
                let problem = http.request("GET", target, &[("Accept", accepted)]);
                assert_eq!(problem.json()["code"], "not_found", "{target} {accepted}");
            }
            assert_eq!(
                http.request("POST", target, &[browser]).json()["code"],
                "not_found"
            );
        }
        for target in ["/v1", "/v1/board", "/ws/canvas"] {
            let problem = http.request("GET", target, &[browser]);
            assert_eq!(problem.json()["code"], "not_found", "{target}");
        }
    }

    #[test]
    fn under_a_public_url_with_a_path_everything_is_found_whether_or_not_the_proxy_takes_the_path_off() {
        let server = Setup::new()
            .flag("public-url", "https://boards.test/a/wb")
            .start();
        let mut http = Http::connect(server.address());
        let built =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("web/dist/index.html")).unwrap();
        let expected = built.replace("=\"/", "=\"/a/wb/");
        assert!(expected.matches("=\"/a/wb/assets/").count() > 0, "{expected}");
        for target in [
            "/",
            "/board/plan",
            "/board/plan/public?share=x",
            "/index.html",
            "/a/wb",
            "/a/wb/",
            "/a/wb/board/plan",
        ] {
            let answer = http.request("GET", target, &[("Accept-Encoding", "br, gzip")]);
            assert_eq!(
                (answer.status, answer.field("content-encoding")),
                (200, None),
                "{target}"
            );
            assert_eq!(String::from_utf8(answer.body).unwrap(), expected, "{target}");
        }
        let etag = http.request("GET", "/", &[]).field("etag").unwrap().to_owned();
        assert_eq!(http.request("GET", "/", &[("If-None-Match", &etag)]).status, 304);
        for (name, path) in files() {
            if name != "/index.html" {
                let answer = http.request("GET", &format!("/a/wb{name}"), &[]);
                assert!(answer.body == fs::read(path).unwrap(), "{name}");
            }
        }
        assert_eq!(http.request("GET", "/a/wb/health", &[]).status, 200);
        let upgrade = http.request("GET", "/a/wb/ws/canvas/b", &[]);
        assert_eq!(upgrade.json()["code"], "unauthenticated");
        assert_eq!(http.request("GET", "/wb/health", &[]).status, 404);
    }

    #[test]
    fn the_document_obeys_its_own_policy_and_names_only_files_that_are_there() {
        let server = Server::start();
        let mut http = Http::connect(server.address());
        let answer = http.request("GET", "/", &[]);
        let document = String::from_utf8(answer.body).unwrap();
        let lower = document.to_ascii_lowercase();
        for foreign in [
            "http://",
            "https://",
            "src=\"//",
            "href=\"//",
            " style=",
            "<style",
            " onload=",
            " onerror=",
            " onclick=",
        ] {
            assert!(!lower.contains(foreign), "{foreign}");
        }
        for script in lower.split("<script").skip(1) {
            let (attributes, content) = script.split_once('>').unwrap();
            assert!(
                attributes.contains("src=") && content.starts_with("</script>"),
                "inline: {script}"
            );
        }
        let mut named = 0;
        for after in document
            .split(" src=\"")
            .skip(1)
            .chain(document.split(" href=\"").skip(1))
        {
            let reference = after.split('"').next().unwrap();
            assert!(
                reference.starts_with('/'),
                "{reference} would depend on the page's path"
            );
            assert_eq!(http.request("GET", reference, &[]).status, 200, "{reference}");
            named += 1;
        }
        assert!(named > 0, "a script at least");
    }
}
