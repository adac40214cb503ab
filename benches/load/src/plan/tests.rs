use serde_json::Value;

use super::measured::{JSON, Measured};
use super::{Answer, Asked, MEBI, command, run};

/// A prediction may be so many times too large or too small: runs of seconds on shared machines agree no
/// better among themselves, and a law has one exponent for all shapes of traffic.
const TOLERANCE: f64 = 2.0;

fn told(words: &str) -> Result<String, String> {
    let words = std::iter::once("plan").chain(words.split_whitespace());
    let matches = command()
        .try_get_matches_from(words)
        .map_err(|error| error.to_string())?;
    run(&matches)
}

fn plan(words: &str) -> Value {
    serde_json::from_str(&told(&format!("{words} --json")).unwrap()).unwrap()
}

#[track_caller]
fn does_not_suffice(words: &str, limit: &str) {
    let plan = plan(words);
    assert_eq!(
        (&plan["suffices"], &plan["limit"]),
        (&false.into(), &limit.into()),
        "{plan:#}"
    );
    let fits = plan["fits_people"].as_f64().unwrap();
    assert!(fits < plan["people"].as_f64().unwrap(), "{plan:#}");
}

#[test]
fn a_few_people_fit_on_a_small_machine() {
    let plan = plan("--people 4 --cores 0.25 --memory 256M");
    assert_eq!(plan["suffices"], true, "{plan:#}");
    assert!(plan["fits_people"].as_f64().unwrap() > 40.0, "{plan:#}");
}

#[test]
fn what_is_too_much_is_named() {
    let large = "--people 200000 --boards 50000 --memory 10000G --disk 1000000 --network 1000000";
    does_not_suffice(large, "CPU");
    does_not_suffice(
        "--people 400 --boards 400 --shapes 20000 --disk 100000 --memory 512M",
        "memory",
    );
    does_not_suffice(
        "--people 400 --boards 400 --shapes 20000 --disk 1 --memory 100G",
        "disk",
    );
    does_not_suffice("--people 100 --boards 1 --disk 1000 --network 1", "network");
    does_not_suffice("--people 1 --memory 100K", "memory");
}

#[test]
fn as_many_as_fit_suffice_and_a_few_more_do_not() {
    let fits = plan("--people 1000 --boards 100 --cores 1")["fits_people"]
        .as_f64()
        .unwrap();
    let with = |share: f64| {
        let boards = (fits / 10.0 * share).round();
        plan(&format!("--people {} --boards {boards} --cores 1", boards * 10.0))["suffices"] == true
    };
    assert_eq!((with(0.95), with(1.05)), (true, false), "{fits}");
}

#[test]
fn nobody_who_draws_writes_nothing() {
    let plan = plan("--people 4 --drawing-share 0");
    assert_eq!(plan["written_bytes_a_day"], 0.0);
}

#[test]
fn bad_input_is_told_what_would_be_right() {
    for (words, wanted) in [
        ("", "--people"),
        ("--people 0", "0 is not in 1.."),
        ("--people many", "invalid digit"),
        (
            "--people 4 --memory much",
            "an amount of memory is wanted, such as 512M or 2G",
        ),
        (
            "--people 4 --memory 512X",
            "an amount of memory is wanted, such as 512M or 2G",
        ),
        ("--people 4 --cores 0", "a number above 0 is wanted"),
        (
            "--people 4 --drawing-share 10",
            "a share from 0 to 1 is wanted, such as 0.1",
        ),
        ("--people 4 --boards 5", "name the boards that are open"),
    ] {
        let error = told(words).unwrap_err();
        assert!(error.contains(wanted), "{words}: {error}");
    }
}

#[test]
fn the_text_names_the_verdict_and_the_limit() {
    let text = told("--people 40 --boards 12").unwrap();
    assert!(
        text.contains("40 people on 12 boards of 2,000 shapes, 3.3 on each.\nIt suffices."),
        "{text}"
    );
    let text = told("--people 90000 --boards 22500 --memory 1000G --cores 64").unwrap();
    for part in [
        "It does not suffice",
        "were not measured, and count as",
        "--max-connections 90000",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn sizes_are_read() {
    let sizes = ["1048576", "1024K", "1M", "1MiB", "1MB"];
    assert_eq!(sizes.map(super::bytes), [const { Ok(MEBI) }; 5]);
    assert_eq!(super::bytes("2G"), Ok(2_048.0 * MEBI));
}

/// Every step that passed on each machine: what is predicted of it, and what was measured.
fn predictions(what: impl Fn(&Answer, &Value) -> Option<(f64, f64)>) -> Vec<(f64, f64)> {
    let measured = Measured::read().unwrap();
    let all: Value = serde_json::from_str(JSON).unwrap();
    let person = &all["person"];
    let mut found = Vec::new();
    for machine in all["machines"].as_array().unwrap() {
        for step in machine["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|step| step["passes"] == true)
        {
            let of_person = |name: &str| person[name].as_f64().unwrap();
            let asked = Asked {
                people: step["people"].as_f64().unwrap(),
                boards: step["boards"].as_f64().unwrap(),
                cores: machine["cores"].as_f64().unwrap(),
                memory: machine["memory_bytes"].as_f64().unwrap_or(1e12),
                // Only where memory had a limit the boards were filled.
                shapes: machine["memory_bytes"]
                    .as_f64()
                    .map_or(0.0, |_| of_person("shapes_per_board")),
                drawing_share: of_person("drawing_share"),
                updates_per_second: of_person("updates_per_second"),
                pointing_share: of_person("pointing_share"),
                moves_per_second: of_person("moves_per_second"),
                hours: 8.0,
                disk: 1e12,
                network: 1e12,
            };
            found.extend(what(&Answer::of(&measured, &asked), step));
        }
    }
    assert!(found.len() > 4, "{found:?}");
    found
}

#[track_caller]
fn agree(found: &[(f64, f64)]) {
    for (predicted, measured) in found {
        let ratio = predicted / measured;
        assert!(
            (1.0 / TOLERANCE..TOLERANCE).contains(&ratio),
            "{found:?}: {ratio}"
        );
    }
}

#[test]
fn what_was_measured_is_predicted() {
    agree(&predictions(|answer, step| {
        Some((answer.cores, step["cores"].as_f64()?))
    }));
    agree(&predictions(|answer, step| {
        // In a limited machine alone the kernel's share was counted, and boards were filled.
        let kernel = step["kernel_bytes"].as_f64()?;
        Some((answer.uses[1].used, step["memory_bytes"].as_f64()? + kernel))
    }));
}

#[test]
fn more_cores_do_more_work_and_no_more_than_was_measured() {
    let measured = Measured::read().unwrap();
    let works = [0.1, 0.25, 0.5, 1.0, 2.0].map(|cores| measured.work_of(cores));
    assert!(works.is_sorted() && works[0] > 0.0, "{works:?}");
    let (most, work) = measured.most_work().last().copied().unwrap();
    assert_eq!(measured.work_of(most * 4.0), work);
}
