//! Reports of results that are invented: their numbers were never measured.

use serde_json::{Value, json};

use super::pictures::pictures;
use super::{command, html, parse, runs, summary};
use crate::results::FORMAT;

/// A run of two seconds, with a restart in it.
fn traffic(label: &str, slower: f64) -> Value {
    json!({
        "format": FORMAT,
        "tool": { "version": "0.1.0", "command": ["boardwire-load", "run", "fanout", "--url", "ws://h/{room}?token={token}"] },
        "at": "2026-11-28T15:40:00Z",
        "machine": { "cpus": 2, "model": "Invented CPU", "memory_bytes": 25_275_297_792_u64, "kernel": "6.1.0" },
        "server": { "label": label, "url": "ws://h/{room}", "dialect": "yjs", "command": ["server", "--port", "1"] },
        "scenario": {
            "name": "fanout", "kind": "traffic", "seconds": 2.0, "shapes": 5000, "settle": 0.5, "limit-ms": 5.0,
            "group": [{ "boards": 1, "clients": 50, "writers": 1, "rate": 20.0, "cursors": 0, "cursor-rate": 10.0 }],
        },
        "figures": {
            "updates": 40, "deliveries": 1_960, "lost": 3, "repeated": 0, "disordered": 0, "closed": 0,
            "p50_ms": 0.6 * slower, "p9999_ms": 2.4 * slower, "within_limit": 0.998, "echo_p99_ms": 222.0,
            "cpu_us_per_delivery": 12.2, "memory_max_bytes": 24_100_000, "send_lag_p99_ms": 0.1,
            "presence_p99_ms": 4.0, "items_failed": 0, "restart_lost_seen": 0, "moon_phase": 0.25, "none": null,
        },
        "histogram": {
            "deliveries": [[0.5 * slower, 900], [0.51 * slower, 90], [2.0 * slower, 9], [9.0 * slower, 1]],
            "echoes": [], "moves": [[3.0, 7]],
        },
        "over_time": [
            { "second": 0.0, "p50_ms": 0.6, "p99_ms": 1.2, "max_ms": 2.5, "cpu_share": 0.1, "own_cpu_share": 0.02,
              "memory_bytes": 9_000_000, "file_bytes": 524_288 },
            { "second": 1.0, "p50_ms": 0.7, "p99_ms": 1.4, "max_ms": 3.5, "cpu_share": 0.1, "own_cpu_share": 0.02,
              "memory_bytes": 9_100_000, "file_bytes": 524_288 },
        ],
        "marks": [{ "second": 0.5, "text": "server killed" }],
        "warnings": ["the generator sent late"],
    })
}

fn search() -> Value {
    let step = |rate: f64, p99: f64, passes: bool| json!({ "updates_per_second": rate, "deliveries_per_second": rate * 49.0, "p99_ms": p99, "passes": passes });
    json!({
        "format": FORMAT,
        "server": { "label": "searched" },
        "scenario": { "name": "saturate", "limit-ms": 200.0 },
        "figures": { "deliveries_per_second": 1_960.0 },
        "steps": [step(20.0, 1.0, true), step(80.0, 900.0, false), step(40.0, 3.0, true)],
    })
}

/// Each text and each number of a value, changed.
fn changed(value: &Value, text: &dyn Fn(&str) -> String, number: &dyn Fn(&Value) -> Value) -> Value {
    match value {
        Value::String(inner) => Value::from(text(inner)),
        Value::Number(_) => number(value),
        Value::Array(list) => list.iter().map(|inner| changed(inner, text, number)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, inner)| (name.clone(), changed(inner, text, number)))
                .collect()
        }
        other => other.clone(),
    }
}

#[test]
fn a_summary_has_the_figures_that_matter_and_names_what_it_does_not_know() {
    let told = summary(&traffic("one", 1.0), None);
    assert!(told.starts_with("### fanout: one\n"), "{told}");
    for line in [
        "latency p50 0.600 ms",
        "latency p99.99 2.40 ms",
        "within the limit 99.8 %",
        "lost **3**",
        "repeated 0",
        "CPU a delivery 12.2 us",
        "memory, most 24.1 MB",
        "`moon_phase` 0.250",
        "boards 1, clients 50, rate 20, writers 1; limit 5 ms, 2 s",
        "2 cores, Invented CPU, 25.3 GB, Linux 6.1.0. 2026-11-28T15:40:00Z",
        "**Warning:** the generator sent late",
        "    boardwire-load run fanout --url 'ws://h/{room}?token={token}'",
    ] {
        let plain = |line: &str| {
            line.replace('|', " ")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        let has = told
            .lines()
            .any(|told| told == line || plain(told) == plain(line));
        assert!(has, "{line} is not in\n{told}");
    }
    assert!(
        !told.contains("closed"),
        "what is 0 as it ought to be is not told: {told}"
    );
    assert!(!told.contains("none"), "{told}");
}

#[test]
fn two_runs_are_beside_each_other() {
    let (a, b) = (traffic("one", 1.0), traffic("two", 3.0));
    let told = summary(&a, Some(&b));
    let cells = |name: &str| -> Vec<String> {
        let line = told
            .lines()
            .find(|line| line.starts_with(&format!("| {name} ")))
            .unwrap();
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    assert_eq!(cells("latency p50")[2..5], ["0.600 ms", "1.80 ms", "3.00"]);
    assert_eq!(cells("repeated")[2..5], ["0", "0", "-"]);
    assert!(told.contains("A one") && told.contains("B two"));
    let widths = told.lines().filter(|line| line.starts_with('|')).map(str::len);
    assert!(
        widths.clone().all(|width| Some(width) == widths.clone().next()),
        "{told}"
    );

    let page = html(&a, Some(&b));
    assert!(
        page.contains("<td>0.600 ms</td><td>1.80 ms</td><td>3.00</td>"),
        "{page}"
    );
    for class in [
        "class=\"a strong\"",
        "class=\"b strong\"",
        "class=\"a area\"",
        "class=\"b area\"",
    ] {
        assert!(page.contains(class), "{class}");
    }
    // What is the same is said once.
    assert_eq!(page.matches("[[group]]").count(), 1);
    assert!(!told.contains("not the same"));
    let other = summary(&a, Some(&search()));
    assert!(
        other.contains("the scenarios of A and B are not the same"),
        "{other}"
    );
    assert!(
        other.contains("### fanout and saturate: A one, B searched"),
        "{other}"
    );
}

#[test]
fn each_figure_is_in_one_row() {
    let a = traffic("one", 1.0);
    let groups = super::figures::groups(&runs(&a, None));
    let mut names: Vec<&str> = groups
        .iter()
        .flat_map(|group| &group.rows)
        .map(|row| row.name.as_str())
        .collect();
    names.sort_unstable();
    let figures = a["figures"].as_object().unwrap().iter();
    let wanted: Vec<&str> = figures
        .filter(|(_, value)| value.is_number())
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, wanted);
}

#[test]
fn a_page_loads_nothing_and_runs_nothing() {
    for page in [
        html(&traffic("one", 1.0), None),
        html(&traffic("one", 1.0), Some(&search())),
    ] {
        for never in [
            "<script", "src=", "href=", "url(", "@import", "http:", "https:", "onload", "<link",
        ] {
            assert!(!page.contains(never), "{never}");
        }
        for always in [
            "prefers-color-scheme: dark",
            "@media print",
            "width=device-width",
            "<desc",
        ] {
            assert!(page.contains(always), "{always}");
        }
        let ids = page.matches("aria-labelledby=\"").count();
        assert_eq!((ids > 0, ids), (true, page.matches("<desc id=").count()));
    }
}

#[test]
fn there_is_a_picture_of_all_that_was_measured() {
    let titles = |a: &Value| -> Vec<String> {
        let pictures = pictures(&runs(a, None)).into_iter();
        pictures.map(|picture| picture.chart.title).collect()
    };
    assert_eq!(
        titles(&traffic("one", 1.0)),
        [
            "Latency over time",
            "CPU",
            "Latency of deliveries (CDF)",
            "Latency of deliveries (histogram)",
            "Latency: moves (CDF)",
            "Latency: moves (histogram)",
            "Memory of the server",
            "Size of the file on disk",
        ]
    );
    assert_eq!(titles(&search()), ["Rate against latency"]);
}

#[test]
fn the_search_shows_what_passed_and_what_did_not() {
    let a = search();
    let pictures = pictures(&runs(&a, None));
    let chart = &pictures[0].chart;
    let points: Vec<_> = chart
        .series
        .iter()
        .map(|series| (series.class.as_str(), series.points.clone()))
        .collect();
    let passed = vec![(980.0, 1.0), (1_960.0, 3.0)];
    let wanted = [
        ("a thin", passed.clone()),
        ("a full", passed),
        ("a hollow", vec![(3_920.0, 900.0)]),
    ];
    assert_eq!(points, wanted);
    assert_eq!(chart.limits[0].text, "limit 200 ms");
}

#[test]
fn tail_and_bars_are_those_of_the_classes() {
    let a = traffic("one", 1.0);
    let pictures = pictures(&runs(&a, None));
    let tail = &pictures[2].chart.series[0].points;
    assert_eq!(tail[0], (0.0, 0.5));
    assert_eq!(tail[4], (0.99, 2.0), "{tail:?}");
    assert_eq!(tail.last(), Some(&(0.999, 9.0)));
    // Who came after 99.99 % is beyond the picture.
    let mut rare = a.clone();
    rare["histogram"]["deliveries"] = json!([[1.0, 99_995], [50.0, 5]]);
    let rare = super::pictures::pictures(&runs(&rare, None))[2].chart.series[0]
        .points
        .clone();
    assert!(
        !rare.is_empty() && rare.iter().all(|point| point.1 < 2.0),
        "{rare:?}"
    );
    let bars = &pictures[3].chart.series[0].points;
    let all: f64 = bars.iter().step_by(2).map(|bar| bar.1).sum();
    assert!((all - 100.0).abs() < 1e-6, "{all}");
    let most = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
    assert!(most > 45.0, "{most}");
    assert!(bars.len() < 200);
}

#[test]
fn of_a_long_run_the_largest_are_drawn() {
    let mut a = traffic("one", 1.0);
    let second =
        |at: u32| json!({ "second": at, "p50_ms": 1.0, "p99_ms": if at == 7_001 { 99.0 } else { 2.0 } });
    a["over_time"] = (0..10_000).map(second).collect();
    let pictures = pictures(&runs(&a, None));
    let latency = &pictures[0];
    let p99 = latency
        .chart
        .series
        .iter()
        .find(|series| series.name == "p99")
        .unwrap();
    assert!(p99.points.len() <= 500 && p99.points.iter().any(|point| point.1 == 99.0));
    assert!(latency.note.contains("largest of several"));
}

#[test]
fn text_of_strangers_is_only_read() {
    let bad = |_: &str| "<script>alert(1)</script>\" onload='x' |`\n# x".to_owned();
    let mut a = changed(&traffic("one", 1.0), &bad, &Value::clone);
    a["figures"]["<script>figure"] = json!(1);
    a["scenario"]["<script>key"] = json!({ "<script>deeper": 1 });
    a["scenario"]["<script>flat"] = json!(1);
    a["histogram"]["<script>kind"] = json!([[1.0, 1]]);
    for page in [html(&a, None), html(&a, Some(&a))] {
        assert!(!page.contains("<script") && !page.contains("\" onload"), "{page}");
        assert!(page.contains("&lt;script&gt;figure") && page.contains("&lt;script&gt;kind"));
    }
    for told in [summary(&a, None), summary(&a, Some(&a))] {
        let own = told.lines().filter(|line| !line.starts_with("    "));
        let mut outside_of_code = own.filter(|line| !line.contains("`<script>figure`"));
        assert!(
            outside_of_code.all(|line| !line.contains("<script") && !line.starts_with("# x")),
            "{told}"
        );
    }
}

#[test]
fn no_number_breaks_a_page() {
    for number in [0.0, -1.0, 1e-300, 1e15, 1e308] {
        let a = changed(&traffic("one", 1.0), &str::to_owned, &|_| json!(number));
        let b = changed(&search(), &str::to_owned, &|_| json!(number));
        for page in [
            html(&a, None),
            html(&b, None),
            html(&a, Some(&b)),
            html(&traffic("one", 1.0), Some(&a)),
        ] {
            let pictures = page.split("</style>").nth(1).unwrap();
            assert!(
                !pictures.contains("NaN") && !pictures.contains(">inf") && !pictures.contains("\"inf"),
                "{number}"
            );
        }
        summary(&a, Some(&b));
    }
}

#[test]
fn what_is_absent_is_not_drawn() {
    let bare = json!({ "format": FORMAT });
    assert_eq!(summary(&bare, None), "### a run: a server\n");
    assert!(!html(&bare, None).contains("<figure"));
    let whole = traffic("one", 1.0);
    for member in whole.as_object().unwrap().keys() {
        let mut a = whole.clone();
        a.as_object_mut().unwrap().remove(member);
        assert!(html(&a, Some(&whole)).contains("</html>"), "{member}");
        assert!(!summary(&a, None).is_empty(), "{member}");
        if member != "format" {
            parse(a.to_string().as_bytes()).unwrap();
        }
    }
}

#[test]
fn a_file_that_is_no_result_is_refused_in_words() {
    let damaged = |member: &str, value: Value| {
        let mut a = traffic("one", 1.0);
        *a.pointer_mut(member).unwrap() = value;
        a.to_string()
    };
    for (text, error) in [
        (String::new(), "this is no JSON"),
        ("{\"format\": \"board".to_owned(), "this is no JSON"),
        ("[]".to_owned(), "it has no \"format\": \"boardwire-load/1\""),
        (
            "{\"p50_ms\": 1}".to_owned(),
            "what `boardwire-load run ... --json FILE` wrote is wanted",
        ),
        (
            damaged("/format", json!("boardwire-load/2")),
            "its format is \"boardwire-load/2\", and only",
        ),
        (
            damaged("/figures", json!([])),
            "`figures` is to be an object of numbers",
        ),
        (
            damaged("/figures/p50_ms", json!("1")),
            "`figures` is to be an object of numbers",
        ),
        (
            damaged("/histogram/deliveries", json!([[1.0]])),
            "`histogram.deliveries` is to be a list of [milli",
        ),
        (
            damaged("/over_time", json!({})),
            "`over_time` is to be a list of objects",
        ),
        (
            damaged("/marks/0", json!(1)),
            "`marks` is to be a list of objects",
        ),
        (
            damaged("/warnings", json!("late")),
            "`warnings` is to be a list of texts",
        ),
        (damaged("/server", json!("x")), "`server` is to be an object"),
        (
            damaged("/tool/command", json!("x")),
            "`tool.command` is to be a list of words",
        ),
    ] {
        let told = parse(text.as_bytes()).unwrap_err();
        assert!(told.contains(error), "{told}");
    }
    parse(traffic("one", 1.0).to_string().as_bytes()).unwrap();
}

#[test]
fn the_command_reads_files_and_writes_a_page() {
    let path = |name: &str| {
        let name = format!("boardwire-load-report-{}-{name}", std::process::id());
        std::env::temp_dir().join(name).to_str().unwrap().to_owned()
    };
    let (a, b, page) = (path("a.json"), path("b.json"), path("page.html"));
    std::fs::write(&a, traffic("one", 1.0).to_string()).unwrap();
    std::fs::write(&b, "{}").unwrap();
    let told = command(std::slice::from_ref(&a), Some(&page));
    let written = std::fs::read_to_string(&page).unwrap();
    let refused = command(&[a.clone(), b.clone()], None).unwrap_err();
    for file in [&a, &b, &page] {
        std::fs::remove_file(file).unwrap();
    }
    assert!(told.unwrap().starts_with("### fanout: one"));
    assert!(written.starts_with("<!doctype html>"));
    assert!(
        refused.starts_with(&format!("{b}: it has no \"format\"")),
        "{refused}"
    );
    assert!(
        command(&[path("none")], None)
            .unwrap_err()
            .contains("No such file")
    );
}
