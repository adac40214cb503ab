//! The generator against the broadcaster, over loopback: what goes wrong on purpose is told, and nothing
//! else.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use crate::bare::{self, Fault};
use crate::fanout::{self, Outcome, Plan};
use crate::fleet::{Dialect, Target};

/// Two boards of five, some of whom write: 2 x 200 updates that count, four deliveries each.
fn run(fault: Fault, writers: usize) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/x/{{room}}", listener.local_addr().unwrap());
    // It ends with the process.
    thread::spawn(move || bare::serve(&listener, fault));
    let plan = Plan {
        boards: 2,
        clients: 5,
        writers,
        rate: 200.0,
        seconds: 1.0,
        warm_up: 0.1,
        patience: Duration::from_millis(if matches!(fault, Fault::None) { 10_000 } else { 500 }),
        pid: None,
        name: "board".to_owned(),
    };
    let target = Target::parse(&url, Dialect::Bare).unwrap();
    let outcome = fanout::run(&target, &plan, &mut Vec::new()).unwrap();
    assert_eq!((outcome.updates, outcome.expected), (400, 1_600));
    assert_eq!(
        (outcome.tally.unknown, outcome.tally.echoed, outcome.closed),
        (0, 0, 0)
    );
    outcome
}

/// Of 1,760 deliveries 160 are warm-up, which holds one or two in a hundred of the faults.
const ONE_IN_A_HUNDRED: std::ops::RangeInclusive<u64> = 15..=17;

#[test]
fn of_a_right_server_nothing_is_lost_repeated_or_out_of_order() {
    let outcome = run(Fault::None, 2);
    let tally = &outcome.tally;
    assert_eq!((outcome.lost(), tally.repeated, tally.disordered), (0, 0, 0));
    assert_eq!((tally.all, tally.late.total()), (1_760, 1_600));
    assert!(tally.late.within_ms(0.5) > 0.0);
}

#[test]
fn what_a_server_drops_is_counted() {
    let outcome = run(Fault::Drop(100), 2);
    assert!(ONE_IN_A_HUNDRED.contains(&outcome.lost()), "{}", outcome.lost());
    assert_eq!((outcome.tally.repeated, outcome.tally.disordered), (0, 0));
}

#[test]
fn what_a_server_repeats_is_counted() {
    let outcome = run(Fault::Repeat(100), 2);
    let repeated = outcome.tally.repeated;
    assert!(ONE_IN_A_HUNDRED.contains(&repeated), "{repeated}");
    assert_eq!((outcome.lost(), outcome.tally.disordered), (0, 0));
}

#[test]
fn what_a_server_swaps_is_counted() {
    let outcome = run(Fault::Swap(100), 1);
    let tally = &outcome.tally;
    assert!(
        ONE_IN_A_HUNDRED.contains(&tally.disordered),
        "{}",
        tally.disordered
    );
    // What is held when the run ends never comes.
    assert!(outcome.lost() <= 1 && tally.repeated == 0, "{}", outcome.lost());
}
