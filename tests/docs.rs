//! Keeps the documents true: limits, settings, the HTTP API, links, sizes, the code map.
//!
//! Owns what a document must mention. Must not know what it says about it; that is for people. Key invariant:
//! what is checked comes from the code (limits.rs, the help, the file system), never from a list kept here.
#![expect(clippy::expect_used, reason = "test code that clippy does not see as such")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use boardwire::fault::Fault;
use boardwire::metrics::redis::RedisMetrics;
use boardwire::metrics::{CommitMetrics, Metrics, Readings};
use boardwire::net::disposition;
use boardwire::server::StartError;
use boardwire::server::config::SETTINGS;
use boardwire::server::config::log_levels::PARTS;
use boardwire::store::OpenError;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).expect("the file reads")
}

/// Every document of the repository, what is installed or built left out.
fn documents(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the directory reads") {
        let path = entry.expect("the entry reads").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if !name.starts_with('.')
                && !["target", "node_modules", "build", "dist", "licenses", "data"].contains(&name.as_str())
            {
                documents(&path, found);
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The lines of a document outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The anchors of a document: those of its headings, as renderers make them, and those that it names.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let slug = |line: &str| {
        let title = line.trim_start_matches('#').trim();
        title
            .to_lowercase()
            .chars()
            .filter(kept)
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(slug).chain(named_anchors(text)).collect()
}

/// The anchors that a document names: `<a id="...">`.
fn named_anchors(text: &str) -> impl Iterator<Item = String> {
    let named = text.split("<a id=\"").skip(1);
    named.filter_map(|rest| rest.split('"').next()).map(str::to_owned)
}

/// The flags that a help text lists.
fn flags(command: &str) -> BTreeSet<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_boardwire"))
        .args([command, "--help"])
        .output();
    let text = String::from_utf8(help.expect("the binary runs").stdout).expect("help is UTF-8");
    let listed = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--"));
    let name = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
    listed.map(name).collect()
}

#[test]
fn every_limit_has_a_row_and_every_row_a_limit() {
    let mut source = read("src/limits.rs");
    for file in fs::read_dir(root().join("src/limits")).expect("limits by subject") {
        source += &fs::read_to_string(file.expect("an entry").path()).expect("text");
    }
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const "));
    let constants: BTreeSet<&str> = constants.filter_map(|line| line.split(':').next()).collect();
    let document = read("docs/limits.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows: BTreeSet<&str> = rows.filter_map(|line| line.split('`').next()).collect();
    assert!(constants.len() > 20, "limits.rs is read: {constants:?}");
    assert_eq!(constants, rows, "left: src/limits.rs, right: docs/limits.md");
}

#[test]
fn every_flag_of_the_help_has_a_row() {
    let document = read("docs/settings.md");
    for command in ["serve", "token"] {
        let flags = flags(command);
        assert!(flags.len() > 5, "the help is read: {flags:?}");
        for flag in flags {
            let row = |line: &str| {
                line.starts_with(&format!("| `--{flag} ")) || line.starts_with(&format!("| `--{flag}`"))
            };
            assert!(
                document.lines().any(row),
                "docs/settings.md has no row for --{flag} of {command}"
            );
        }
    }
}

#[test]
fn every_setting_is_told_with_its_variable_and_default() {
    let document = read("docs/settings.md");
    for setting in SETTINGS {
        let variable = format!("| `{}`", setting.variable());
        let row = document
            .lines()
            .find(|line| line.contains(&variable))
            .unwrap_or_default();
        assert!(
            row.starts_with(&format!("| `--{}", setting.name)),
            "{variable} stands in no row of its flag"
        );
        let default = setting.default.map(|default| format!("| `{default}` |"));
        assert!(
            default.is_none_or(|cell| row.contains(&cell)),
            "--{}: another default",
            setting.name
        );
    }
}

#[test]
fn each_part_that_logs_has_a_name_for_log_level_and_no_other_has() {
    let logs = |code: &str| {
        let levels = ["error", "warn", "info", "debug", "trace"];
        let is_logged = |level: &str| code.contains(&format!("tracing::{level}!("));
        code.contains("log_at!(") || levels.into_iter().any(is_logged)
    };
    let files = sources().into_iter().filter(|file| logs(&code_of(file)));
    let part = |file: String| {
        let path = file.trim_start_matches("src/").trim_end_matches(".rs");
        path.split('/').next().unwrap_or_default().to_owned()
    };
    let parts: BTreeSet<String> = files.map(part).filter(|part| part != "main").collect();
    let named: BTreeSet<String> = PARTS.iter().map(|&part| part.to_owned()).collect();
    assert_eq!(parts, named, "left: src, right: PARTS");
    let document = read("docs/settings.md");
    let row = document.lines().find(|line| line.starts_with("| `--log-level "));
    let row = row
        .expect("the row")
        .split_once("The parts are ")
        .expect("the parts")
        .1;
    let row = row.split_once(';').expect("their end").0;
    let told: BTreeSet<String> = row.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(told, named, "left: docs/settings.md, right: PARTS");
}

#[test]
fn what_a_server_that_runs_takes_up_is_told_and_nothing_else() {
    let document = read("docs/settings.md");
    let told = document.split_once("It takes up at once: ").expect("the list").1;
    let told = told.split_once(".\n").expect("its end").0;
    let told: BTreeSet<&str> = told.split('`').skip(1).step_by(2).collect();
    let live = SETTINGS.iter().filter(|setting| setting.is_live());
    assert_eq!(told, live.map(|setting| setting.name).collect());
    let secrets = SETTINGS.iter().filter(|setting| setting.file_flag().is_some());
    let line = document
        .split_once("A setting that is a secret (")
        .expect("the secrets")
        .1;
    let line = line.split_once(')').expect("their end").0;
    let line: BTreeSet<&str> = line.split('`').skip(1).step_by(2).collect();
    assert_eq!(line, secrets.map(|setting| setting.name).collect());
}

/// A path of the API, a method, and the names of its query parameters.
type Operation = (String, String, BTreeSet<String>);

/// The paths of docs/openapi.yaml, each with its methods and their query parameters, read by indentation.
fn operations(document: &str) -> BTreeSet<Operation> {
    let lines = document.lines().skip_while(|line| *line != "paths:").skip(1);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with(' '));
    let lines: Vec<&str> = lines.collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut found = BTreeSet::new();
    let mut path = "";
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = line.strip_suffix(':') else {
            continue;
        };
        match depth(name) {
            2 => path = name.trim_start(),
            4 if name != "    parameters" => {
                let own = lines.iter().skip(at + 1).take_while(|line| depth(line) > 4);
                let parameters = own.filter_map(|line| query_parameter(document, line));
                found.insert((
                    path.to_owned(),
                    name.trim_start().to_uppercase(),
                    parameters.collect(),
                ));
            }
            _ => {}
        }
    }
    found
}

/// The name of the query parameter that an entry of a list of parameters is, or refers to.
fn query_parameter(document: &str, entry: &str) -> Option<String> {
    let entry = entry.strip_prefix("        - ")?;
    let told = match entry.strip_prefix("$ref: '#/components/parameters/") {
        Some(component) => {
            let place = format!("\n    {}:\n      ", component.trim_end_matches('\''));
            document.split_once(&place)?.1
        }
        // To the end of the line: a name may be how another one begins.
        None => document.get(document.find(&format!("{entry}\n"))?..)?,
    };
    let mut lines = told.lines();
    let name = lines.next()?.strip_prefix("name: ")?;
    (lines.next()?.trim() == "in: query").then(|| name.to_owned())
}

#[test]
fn every_route_is_in_the_api_document_and_nothing_else() {
    let document = read("docs/openapi.yaml");
    let told = operations(&document);
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let routes = boardwire::api::parameters()
        .map(|(path, method, parameters)| (path.to_owned(), method.to_owned(), owned(parameters)));
    let routes: BTreeSet<Operation> = routes.collect();
    assert!(routes.len() > 20, "the table is read: {routes:?}");
    assert_eq!(routes, told, "left: src/api/routes.rs, right: docs/openapi.yaml");
    assert!(document.is_ascii(), "docs/openapi.yaml");
    let version = format!("\n  version: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(document.contains(&version), "docs/openapi.yaml: another version");
}

#[test]
fn every_metric_has_a_row_and_every_row_a_metric() {
    let metrics = Metrics::new(&CommitMetrics::default(), &RedisMetrics::default());
    let text = metrics.encode(&Readings::default()).expect("metrics are written");
    let served = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let served: BTreeSet<String> = served.map(str::to_owned).collect();
    let document = read("docs/operations.md");
    let rows = document.lines().filter(|line| line.starts_with("| `boardwire_"));
    let cells = |row: &str| {
        let mut cells = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned());
        let (name, kind) = (cells.nth(1), cells.next());
        format!("{} {}", name.unwrap_or_default(), kind.unwrap_or_default())
    };
    assert!(served.len() > 20, "metrics are read: {served:?}");
    assert_eq!(
        served,
        rows.map(cells).collect(),
        "left: GET /metrics, right: docs/operations.md"
    );
}

/// What is asked of Prometheus in a file of alerts, or of panels.
fn questions(file: &str) -> Vec<String> {
    let text = read(file);
    match file.ends_with(".json") {
        true => {
            let board: Value = serde_json::from_str(&text).expect("the dashboard is JSON");
            let of = |value: &Value, name: &str| {
                value
                    .get(name)
                    .cloned()
                    .expect("each panel has targets, and each of these a question")
            };
            let all = |value: Value| value.as_array().cloned().expect("a list");
            let panels = all(of(&board, "panels")).into_iter();
            let targets = panels.flat_map(|panel| all(of(&panel, "targets")));
            targets
                .map(|target| of(&target, "expr").as_str().expect("words").to_owned())
                .collect()
        }
        false => text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("expr: "))
            .map(str::to_owned)
            .collect(),
    }
}

#[test]
fn alerts_and_dashboard_ask_for_what_is_served() {
    let metrics = Metrics::new(&CommitMetrics::default(), &RedisMetrics::default());
    let text = metrics.encode(&Readings::default()).expect("metrics are written");
    for file in ["docs/monitoring/alerts.yml", "docs/monitoring/dashboard.json"] {
        let questions = questions(file);
        assert!(questions.len() > 7, "{file} is read: {questions:?}");
        for question in questions {
            let words: Vec<&str> = question
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .collect();
            for name in words.iter().filter(|word| word.starts_with("boardwire_")) {
                let kinds = match name.strip_suffix("_bucket") {
                    Some(name) => vec![format!("# TYPE {name} histogram")],
                    None => vec![format!("# TYPE {name} counter"), format!("# TYPE {name} gauge")],
                };
                let line = text.lines().find(|line| kinds.iter().any(|kind| kind == line));
                assert!(
                    line.is_some(),
                    "{file} asks for {name}, which is not served: {question}"
                );
                // A count is asked for as a rate, and what is none is not.
                let is_count = line.is_some_and(|line| !line.ends_with("gauge"));
                let is_rate = question.contains("rate(") || question.contains("increase(");
                let has_both = question.contains(" or ");
                assert!(has_both || is_count == is_rate, "{file}: {question}");
            }
            for label in ["reason", "outcome", "status", "version", "kind"] {
                let by = format!("by ({label})");
                if question.contains(&by) {
                    let name = words
                        .iter()
                        .find(|word| word.starts_with("boardwire_"))
                        .expect("a name");
                    assert!(
                        text.contains(&format!("{name}{{{label}=")) || text.contains(&format!(",{label}=")),
                        "{file}: {question}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut paths = Vec::new();
    documents(root(), &mut paths);
    assert!(paths.len() > 5, "documents are found: {paths:?}");
    for path in paths {
        let text = fs::read_to_string(&path).expect("the document reads");
        for line in prose(&text) {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = match file {
                    "" => path.clone(),
                    _ => path.parent().expect("a file has a parent").join(file),
                };
                assert!(target.exists(), "{}: {link} leads nowhere", path.display());
                let known = || anchors(&fs::read_to_string(&target).expect("the target reads"));
                assert!(
                    anchor.is_empty() || known().contains(anchor),
                    "{}: {link} has no heading",
                    path.display()
                );
            }
        }
    }
}

/// The codes that problem documents have, as docs/openapi.yaml lists them.
fn documented_codes() -> BTreeSet<String> {
    let document = read("docs/openapi.yaml");
    let lists = document.split("code: { enum: [").skip(1);
    let lists = lists
        .filter_map(|rest| rest.split(']').next())
        .flat_map(|list| list.split(','));
    let single = document.split("code: { const: ").skip(1);
    let single = single.filter_map(|rest| rest.split(' ').next());
    lists.chain(single).map(|code| code.trim().to_owned()).collect()
}

#[test]
fn every_error_close_code_and_check_is_explained_under_its_anchor() {
    let document = read("docs/troubleshooting.md");
    let mut times = BTreeMap::new();
    for anchor in named_anchors(&document) {
        *times.entry(anchor).or_insert(0) += 1;
    }
    assert!(
        times.values().all(|times| *times == 1),
        "an anchor stands twice: {times:?}"
    );
    let explained = |anchor: &str| {
        assert!(
            times.contains_key(anchor),
            "docs/troubleshooting.md has no {anchor}"
        )
    };
    let mut codes = documented_codes();
    assert!(codes.len() > 50, "the codes are read: {codes:?}");
    // Those whose words are beside the code that names them.
    for file in sources() {
        let text = code_of(&file);
        let mut before = vec!["code: \"", "ORIGIN_REFUSED: &str = \""];
        if file.starts_with("src/api") {
            before.extend(["conflict(\"", "missing(\""]);
        }
        for before in before {
            let named = text
                .split(before)
                .skip(1)
                .filter_map(|rest| rest.split('"').next());
            codes.extend(named.map(str::to_owned));
        }
    }
    codes.iter().for_each(|code| explained(code));
    for fault in Fault::ALL {
        explained(fault.code());
        let row = disposition::of(fault);
        for code in [row.plain, row.mirror] {
            explained(&format!("close-{code}"));
        }
    }
    for check in checks() {
        explained(&format!("doctor-{check}"));
    }
}

/// The names of the checks of `boardwire doctor`, as its files have them.
fn checks() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in sources() {
        if !file.starts_with("src/cli/doctor/") {
            continue;
        }
        let text: String = read(&file).split_whitespace().collect();
        for before in [
            "letcheck=\"",
            "Finding::ok(\"",
            "Finding::warning(\"",
            "Finding::wrong(\"",
        ] {
            let named = text
                .split(before)
                .skip(1)
                .filter_map(|rest| rest.split('"').next());
            found.extend(named.map(str::to_owned));
        }
    }
    assert!(found.len() > 20, "the checks are read: {found:?}");
    found
}

/// Every source file, from below the repository.
fn sources() -> Vec<String> {
    let mut files = Vec::new();
    product(&root().join("src"), &mut files);
    files.into_iter().map(|(name, _)| format!("src/{name}")).collect()
}

/// A source file without its tests.
fn code_of(file: &str) -> String {
    let text = read(file);
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn whatever_leads_to_the_troubleshooting_leads_to_an_anchor() {
    let known = anchors(&read("docs/troubleshooting.md"));
    let mut leads = 0;
    let page =
        ["board/verdict.ts", "board/VerdictScreen.tsx", "problems.ts"].map(|file| format!("web/src/{file}"));
    for file in sources().into_iter().chain(page) {
        let text = code_of(&file);
        for rest in text.split("docs/troubleshooting.md#").skip(1) {
            let anchor: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
                .collect();
            // The rest of some stands in a variable.
            if !anchor.is_empty() && !anchor.ends_with('-') {
                assert!(
                    known.contains(&anchor),
                    "{file}: docs/troubleshooting.md has no {anchor}"
                );
                leads += 1;
            }
        }
    }
    assert!(leads > 3, "{leads}");
}

#[test]
fn every_warning_and_error_of_the_log_is_explained() {
    let cells = |row: &str| -> Vec<String> { row.split('|').map(|cell| cell.trim().to_owned()).collect() };
    let operations = read("docs/operations.md");
    let messages: Vec<String> = operations
        .lines()
        .map(cells)
        .filter(|cells| {
            cells
                .get(2)
                .is_some_and(|level| level == "warn" || level == "error")
        })
        .filter_map(|cells| cells.into_iter().nth(1))
        .collect();
    assert!(messages.len() > 30, "the messages are read: {messages:?}");
    let document = read("docs/troubleshooting.md");
    let section = document.split("\n## Log lines\n").nth(1).unwrap_or_default();
    let explained: BTreeSet<String> = section
        .lines()
        .map(cells)
        .filter_map(|cells| cells.into_iter().nth(1))
        .collect();
    for message in messages {
        assert!(
            explained.contains(&message),
            "docs/troubleshooting.md has no row for {message:?}"
        );
    }
}

#[test]
fn every_way_not_to_start_is_explained() {
    let (document, path) = (read("docs/troubleshooting.md"), PathBuf::from("PATH"));
    let io = || std::io::Error::other("why");
    let starts = [
        StartError::Store {
            path,
            source: OpenError::InUse,
        },
        StartError::Database {
            address: "ADDRESS".to_owned(),
            source: OpenError::InUse,
        },
        StartError::Listen {
            address: ([127, 0, 0, 1], 1).into(),
            source: io(),
        },
        StartError::ListenToNodes {
            address: "ADDRESS".to_owned(),
            source: io(),
        },
        StartError::System(io()),
    ];
    for error in starts {
        let words = error.to_string();
        let words = ["PATH", "ADDRESS", "127.0.0.1:1"]
            .iter()
            .fold(words, |words, name| words.replace(name, ""));
        assert!(document.contains(&format!("`{}`", words.trim())), "{words}");
    }
    for error in [OpenError::InUse, OpenError::NotAStore, OpenError::Full] {
        assert!(document.contains(&format!("`{error}`")), "{error}");
    }
}

/// Every server of the machine would end, and whatever else is called so.
#[test]
fn no_document_ends_processes_by_their_name() {
    let mut paths = Vec::new();
    documents(root(), &mut paths);
    for path in paths {
        let text = fs::read_to_string(&path).expect("the document reads");
        for word in ["pgrep", "pkill", "killall", "pidof"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}

#[test]
fn every_module_is_in_the_code_map() {
    let document = read("ARCHITECTURE.md");
    let map: String = document.lines().filter(|line| line.starts_with("### ")).collect();
    for entry in fs::read_dir(root().join("src")).expect("src reads") {
        let name = entry
            .expect("the entry reads")
            .file_name()
            .to_string_lossy()
            .into_owned();
        let module = name.trim_end_matches(".rs");
        let told = [format!("src/{module}.rs`"), format!("src/{module}/`")];
        let is_told = module == "lib" || told.iter().any(|text| map.contains(text));
        assert!(
            is_told,
            "ARCHITECTURE.md, \"Code map\", says nothing of src/{name}"
        );
    }
}

/// Every source file of the product, from below src/, with its lines of code.
fn product(directory: &Path, found: &mut Vec<(String, usize)>) {
    for entry in fs::read_dir(directory).expect("the directory reads") {
        let path = entry.expect("the entry reads").path();
        let below = path.strip_prefix(root().join("src")).expect("it is below src");
        let name = below.to_string_lossy().into_owned();
        let words = [
            "tests", "fuzzing", "harness", "simdisk", "mutation", "replay", "sim", "contract", "memory",
            "front", "planted", "proxy",
        ];
        let is_test = name
            .split('/')
            .flat_map(|part| part.trim_end_matches(".rs").split('_'))
            .any(|word| words.contains(&word));
        if is_test {
            continue;
        }
        if path.is_dir() {
            product(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).expect("the file reads");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        found.push((name, code.lines().filter(is_code).count()));
    }
}

#[test]
fn every_file_is_in_one_ring_and_the_rings_have_the_size_that_is_told() {
    let document = read("SECURITY.md");
    let rows = document
        .lines()
        .skip_while(|line| !line.starts_with("| ring |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut rings = Vec::new();
    let mut places = Vec::new();
    for (ring, row) in rows.enumerate() {
        let columns: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, files, most] = columns[..] else {
            panic!("three columns: {row}");
        };
        let most: usize = most.replace(',', "").parse().expect("a number");
        rings.push((0, most));
        places.extend(files.split('`').skip(1).step_by(2).map(|place| (place, ring)));
    }
    let mut files = Vec::new();
    product(&root().join("src"), &mut files);
    assert!(files.len() > 100, "{}", files.len());
    let mut named = BTreeSet::new();
    for (file, lines) in files {
        // The longest name that the file has, or lies under, counts.
        let has = |place: &&(&str, usize)| {
            file == place.0
                || file
                    .strip_prefix(place.0)
                    .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        let found = places.iter().filter(has).max_by_key(|place| place.0.len());
        let (place, ring) = found.unwrap_or_else(|| panic!("SECURITY.md has no ring for src/{file}"));
        named.insert(*place);
        rings[*ring].0 += lines;
    }
    for (place, _) in &places {
        assert!(
            named.contains(place),
            "SECURITY.md names {place}, which no file is"
        );
    }
    for (ring, (lines, most)) in rings.iter().enumerate() {
        let (lines, most) = (*lines, *most);
        assert!(lines <= most, "ring {} has {lines} lines of code", ring + 1);
        assert!(
            lines * 100 >= most * 90,
            "ring {} has {lines} lines of code only",
            ring + 1
        );
    }
    assert!(rings[0].1 <= 8_000, "the first ring is read in days");
}

#[test]
fn front_documents_stay_short_and_ascii() {
    for (name, lines_max) in [("README.md", 110), ("ARCHITECTURE.md", 250)] {
        let lines = read(name).lines().count();
        assert!(
            lines <= lines_max,
            "{name} has {lines} lines, and may have {lines_max}"
        );
    }
    let mut paths = Vec::new();
    documents(root(), &mut paths);
    for path in paths {
        let text = fs::read_to_string(&path).expect("the document reads");
        let odd = text.lines().position(|line| !line.is_ascii());
        assert_eq!(
            odd,
            None,
            "{}: not ASCII on the line with this index",
            path.display()
        );
    }
}
