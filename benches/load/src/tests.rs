//! The generator against the broadcaster, over loopback: what goes wrong on purpose is told with the right
//! figure, and nothing else.

use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::bare::{self, Fault};
use crate::progress::Talk;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::target::Target;
use crate::traffic::{self, Outcome, Settings, Stock};
use crate::yjs::Dialect;

/// Starts a broadcaster that ends with the process, and says where it is.
fn serve(fault: Fault, keep: Option<PathBuf>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/x/{{room}}", listener.local_addr().unwrap());
    thread::spawn(move || bare::serve(&listener, fault, keep));
    url
}

fn run_at(url: &str, dialect: Dialect, knobs: &[(&'static str, &str)]) -> Outcome {
    let knobs: Vec<_> = knobs
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let scenario = Scenario::open("fanout", &knobs).unwrap();
    let settings = Settings {
        name: "board".to_owned(),
        talk: Talk::Quiet,
        counts_calls: false,
    };
    let target = Target::parse(url, dialect).unwrap();
    let mut server = Server::running(Some("self".to_owned())).unwrap();
    let outcome = traffic::run(&target, &scenario, &mut server, &settings, &mut Stock::default()).unwrap();
    for name in ["unknown", "closed", "denied", "asked_again"] {
        assert_eq!(outcome.figure(name), 0.0, "{name}");
    }
    outcome
}

/// Two boards of five, some of whom write: 2 x 200 updates that count, four deliveries each.
fn run(fault: Fault, writers: &str) -> Outcome {
    let patience = if matches!(fault, Fault::None) { "10" } else { "0.5" };
    let knobs = [
        ("boards", "2"),
        ("clients", "5"),
        ("writers", writers),
        ("rate", "200"),
        ("seconds", "1"),
        ("warm-up", "0.1"),
        ("patience", patience),
    ];
    let outcome = run_at(&serve(fault, None), Dialect::Bare, &knobs);
    assert_eq!((outcome.figure("updates"), outcome.expected), (400.0, 1_600));
    assert!(outcome.found.figures.get("echoes").is_none());
    outcome
}

/// Of 1,760 deliveries 160 are warm-up, which holds one or two in a hundred of the faults.
fn is_one_in_a_hundred(figure: f64) -> bool {
    (15.0..=17.0).contains(&figure)
}

#[test]
fn of_a_right_server_nothing_is_lost_repeated_or_out_of_order() {
    let outcome = run(Fault::None, "2");
    for (name, value) in [
        ("lost", 0.0),
        ("repeated", 0.0),
        ("disordered", 0.0),
        ("all_deliveries", 1_760.0),
        ("deliveries", 1_600.0),
    ] {
        assert_eq!(outcome.figure(name), value, "{name}");
    }
    assert!(outcome.figure("p50_ms") > 0.0 && outcome.figure("memory_max_bytes") > 0.0);
    let sum = |name: &str| -> u64 {
        let classes = outcome.found.histogram[name].as_array().unwrap();
        classes.iter().map(|class| class[1].as_u64().unwrap()).sum()
    };
    assert_eq!(sum("deliveries"), 1_600, "each is in one second and in one class");
    let seconds = outcome.found.over_time.iter();
    assert_eq!(
        seconds
            .map(|second| second["deliveries"].as_u64().unwrap())
            .sum::<u64>(),
        1_600
    );
}

#[test]
fn what_a_server_drops_is_counted() {
    let outcome = run(Fault::Drop(100), "2");
    assert!(is_one_in_a_hundred(outcome.figure("lost")), "{}", outcome.lost());
    assert_eq!(
        (outcome.figure("repeated"), outcome.figure("disordered")),
        (0.0, 0.0)
    );
    let within = outcome.figure("within_limit");
    assert!(
        (within - (1.0 - outcome.lost() as f64 / 1_600.0)).abs() < 1e-9,
        "what is lost is not in time: {within}"
    );
}

#[test]
fn one_in_a_thousand_is_counted_too() {
    let knobs = [
        ("boards", "4"),
        ("clients", "26"),
        ("rate", "100"),
        ("seconds", "2"),
        ("warm-up", "0"),
        ("patience", "0.5"),
    ];
    let outcome = run_at(&serve(Fault::Drop(1_000), None), Dialect::Bare, &knobs);
    assert_eq!((outcome.expected, outcome.figure("lost")), (20_000, 20.0));
}

#[test]
fn what_a_server_repeats_is_counted() {
    let outcome = run(Fault::Repeat(100), "2");
    let repeated = outcome.figure("repeated");
    assert!(is_one_in_a_hundred(repeated), "{repeated}");
    assert_eq!((outcome.lost(), outcome.figure("disordered")), (0, 0.0));
}

#[test]
fn what_a_server_swaps_is_counted() {
    let outcome = run(Fault::Swap(100), "1");
    let disordered = outcome.figure("disordered");
    assert!(is_one_in_a_hundred(disordered), "{disordered}");
    // What is held when the run ends never comes.
    assert!(
        outcome.lost() <= 1 && outcome.figure("repeated") == 0.0,
        "{}",
        outcome.lost()
    );
}

#[test]
fn a_delay_of_50_ms_is_told_as_50_ms() {
    let right = run(Fault::None, "2");
    let late = run(Fault::Delay(Duration::from_millis(50)), "2");
    for name in ["p50_ms", "p90_ms"] {
        let more = late.figure(name) - right.figure(name);
        // Others run on this machine: they can make it later, never sooner.
        assert!((48.0..80.0).contains(&more), "{name}: {more} ms more");
    }
    assert_eq!(late.lost(), 0);
}

#[test]
fn who_stalls_is_late_from_the_moment_things_were_due() {
    // A server that stands still for half of each second: half of all is late, evenly up to 500 ms. Who
    // waited for an answer before he sent the next would see two late ones.
    let fault = Fault::Stall(Duration::from_millis(500), Duration::from_millis(1_000));
    let knobs = [
        ("clients", "5"),
        ("rate", "200"),
        ("seconds", "4"),
        ("warm-up", "0.5"),
    ];
    let outcome = run_at(&serve(fault, None), Dialect::Bare, &knobs);
    let late = |share| outcome.late.within_ms(share);
    assert!((400.0..620.0).contains(&late(0.99)), "p99 {}", late(0.99));
    let within = outcome.figure("within_limit");
    // 300 of each 1,000 ms are more than 200 ms before the end of a stall.
    assert!((0.6..0.82).contains(&within), "{within}");
    assert_eq!(outcome.lost(), 0);
    let worst = outcome
        .found
        .over_time
        .iter()
        .filter(|second| second["max_ms"].as_f64() > Some(300.0));
    assert!(
        worst.count() >= 3,
        "it is seen in time: {:?}",
        outcome.found.over_time
    );
}

#[test]
fn what_a_server_costs_is_shared_by_all_that_it_delivered() {
    let knobs = [
        ("clients", "5"),
        ("rate", "20"),
        ("cursors", "5"),
        ("cursor-rate", "100"),
        ("seconds", "1"),
        ("warm-up", "0"),
    ];
    let outcome = run_at(&serve(Fault::None, None), Dialect::Bare, &knobs);
    let deliveries = outcome.figure("deliveries") + outcome.figure("presence_deliveries");
    assert_eq!(deliveries, 20.0 * 4.0 + 500.0 * 4.0);
    let each = outcome.figure("cpu_share") * 1e6 / deliveries;
    let told = outcome.figure("cpu_us_per_delivery");
    assert!((0.7..1.4).contains(&(told / each)), "{told} us, not {each}");
    assert!(outcome.figure("send_lag_p99_ms") >= 0.0);
}
