//! Tests of `metrics`: what is written, and that counting is complete.

use std::collections::BTreeSet;

use super::*;

fn metrics() -> (Metrics, CommitMetrics) {
    let commits = CommitMetrics::default();
    (Metrics::new(&commits, &RedisMetrics::default()), commits)
}

/// The value of the series that is written so.
#[track_caller]
fn value(metrics: &Metrics, series: &str) -> f64 {
    let text = metrics.encode(&Readings::default()).unwrap();
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found
        .unwrap_or_else(|| panic!("{series} is not in\n{text}"))
        .parse()
        .unwrap()
}

#[test]
fn counters_are_written_as_the_plain_text_format_has_them() {
    let (metrics, _) = metrics();
    metrics.opened();
    let text = metrics.encode(&Readings::default()).unwrap();
    assert!(
        text.contains(
            "# HELP boardwire_connections_opened_total WebSocket connections that joined a board.\n\
             # TYPE boardwire_connections_opened_total counter\n\
             boardwire_connections_opened_total 1\n"
        ),
        "{text}"
    );
    assert!(!text.contains("_total_total") && text.ends_with('\n'));
}

#[test]
fn every_fault_has_its_series_before_it_happens_and_is_counted_in_it_alone() {
    let (metrics, _) = metrics();
    let codes: BTreeSet<_> = Fault::ALL.map(Fault::code).into();
    assert_eq!(codes.len(), Fault::ALL.len(), "codes tell faults apart");
    assert!(!codes.contains(LEFT));
    for fault in Fault::ALL {
        let code = fault.code();
        let ended = format!("boardwire_connections_ended_total{{reason=\"{code}\"}}");
        let refused = format!("boardwire_connections_refused_total{{reason=\"{code}\"}}");
        assert_eq!((value(&metrics, &ended), value(&metrics, &refused)), (0.0, 0.0));
        metrics.ended(Some(fault));
        assert_eq!((value(&metrics, &ended), value(&metrics, &refused)), (1.0, 0.0));
        metrics.refused(fault);
        assert_eq!((value(&metrics, &ended), value(&metrics, &refused)), (1.0, 1.0));
    }
    metrics.ended(None);
    assert_eq!(
        value(&metrics, "boardwire_connections_ended_total{reason=\"left\"}"),
        1.0
    );
}

#[test]
fn what_goes_over_a_bound_is_counted_by_its_reason_however_it_was_refused() {
    let (metrics, _) = metrics();
    let series = |reason: &str| format!("boardwire_over_bounds_total{{reason=\"{reason}\"}}");
    metrics.over_bound(RATE);
    assert_eq!(value(&metrics, &series("rate")), 1.0);
    let faults = [
        Fault::TooCostly,
        Fault::OverBudget,
        Fault::OwnerFull,
        Fault::TooManyBoards,
    ];
    for fault in faults {
        let series = series(fault.code());
        assert_eq!(value(&metrics, &series), 0.0);
        metrics.ended(Some(fault));
        metrics.refused(fault);
        metrics.over_bound(fault.code());
        assert_eq!(value(&metrics, &series), 3.0, "{series}");
    }
    let all = || metrics.encode(&Readings::default()).unwrap();
    let before = all();
    metrics.over_bound(Fault::NoPermission.code());
    assert_eq!(all(), before, "that is no bound");
}

#[test]
fn every_method_and_class_of_status_is_counted() {
    let (metrics, _) = metrics();
    for (status, class) in [
        (200, "2xx"),
        (299, "2xx"),
        (304, "3xx"),
        (400, "4xx"),
        (499, "4xx"),
        (500, "5xx"),
        (503, "5xx"),
    ] {
        for (method, name) in [
            (Method::Get, "GET"),
            (Method::Head, "HEAD"),
            (Method::Post, "POST"),
            (Method::Put, "PUT"),
            (Method::Patch, "PATCH"),
            (Method::Delete, "DELETE"),
            (Method::Options, "OPTIONS"),
            (Method::Other, "other"),
        ] {
            let series = format!("boardwire_http_requests_total{{method=\"{name}\",status=\"{class}\"}}");
            let before = value(&metrics, &series);
            metrics.answered(method, status);
            assert_eq!(value(&metrics, &series), before + 1.0, "{series}");
        }
    }
}

#[test]
fn each_number_of_a_tally_reaches_its_own_counter() {
    let (metrics, _) = metrics();
    metrics.step(&Tally::default());
    metrics.step(&Tally {
        new: 1,
        known: 2,
        holes: 3,
        denied: 4,
        unknown_messages: 5,
        awareness_broadcasts: 6,
        frames: 7,
    });
    for (series, count) in [
        ("boardwire_updates_total{outcome=\"new\"}", 1.0),
        ("boardwire_updates_total{outcome=\"known\"}", 2.0),
        ("boardwire_updates_total{outcome=\"hole\"}", 3.0),
        ("boardwire_updates_total{outcome=\"denied\"}", 4.0),
        ("boardwire_unknown_messages_total", 5.0),
        ("boardwire_awareness_broadcasts_total", 6.0),
        ("boardwire_frames_queued_total", 7.0),
    ] {
        assert_eq!(value(&metrics, series), count, "{series}");
    }
}

#[test]
fn readings_are_those_of_the_scrape() {
    let (metrics, _) = metrics();
    let readings = Readings {
        rooms: 1,
        connections: 2,
        receiving_most: 5,
        held: Held {
            documents: 10,
            outbound: 11,
            presence: 12,
            receiving: 3,
            answers: 6,
            commit_queue: 4,
        },
        waiting: Waiting {
            work: 13,
            reads: 14,
            joins: 15,
            compactions: 16,
        },
        footprint: Footprint {
            file_bytes: 8,
            live_bytes: 7,
        },
        node_boards: 9,
        node_lease: Duration::from_millis(1_500),
        is_store_healthy: true,
        is_redis_connected: true,
        uptime: Duration::from_millis(5_500),
    };
    let text = metrics.encode(&readings).unwrap();
    for line in [
        "boardwire_rooms 1",
        "boardwire_connections 2",
        "boardwire_receiving_bytes 3",
        "boardwire_receiving_most_bytes 5",
        "boardwire_answer_bytes 6",
        "boardwire_commit_queue_bytes 4",
        "boardwire_memory_bytes{kind=\"documents\"} 10",
        "boardwire_memory_bytes{kind=\"outbound\"} 11",
        "boardwire_memory_bytes{kind=\"presence\"} 12",
        "boardwire_memory_bytes{kind=\"receiving\"} 3",
        "boardwire_memory_bytes{kind=\"answers\"} 6",
        "boardwire_memory_bytes{kind=\"commit_queue\"} 4",
        "boardwire_waiting_jobs{kind=\"work\"} 13",
        "boardwire_waiting_jobs{kind=\"reads\"} 14",
        "boardwire_waiting_jobs{kind=\"joins\"} 15",
        "boardwire_waiting_jobs{kind=\"compactions\"} 16",
        "boardwire_data_file_bytes 8",
        "boardwire_data_live_bytes 7",
        "boardwire_node_boards 9",
        "boardwire_node_lease_seconds 1.5",
        "boardwire_store_healthy 1",
        "boardwire_redis_connected 1",
        "boardwire_uptime_seconds 5.5",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
    assert!(
        metrics
            .encode(&Readings::default())
            .unwrap()
            .contains("boardwire_store_healthy 0\n")
    );
}

#[test]
fn the_writers_commits_are_timed_and_failed_ones_counted() {
    let (metrics, commits) = metrics();
    commits.committed(3, Duration::ZERO, Duration::from_millis(3));
    commits.synced(Duration::from_micros(200));
    commits.commit_failed();
    assert_eq!(
        value(&metrics, "boardwire_fsync_seconds_bucket{le=\"0.0001\"}"),
        0.0
    );
    assert_eq!(
        value(&metrics, "boardwire_fsync_seconds_bucket{le=\"0.00025\"}"),
        1.0
    );
    assert_eq!(value(&metrics, "boardwire_commit_seconds_count"), 1.0);
    assert_eq!(
        value(&metrics, "boardwire_saved_seconds_bucket{le=\"0.0025\"}"),
        0.0
    );
    assert_eq!(
        value(&metrics, "boardwire_saved_seconds_bucket{le=\"0.005\"}"),
        1.0
    );
    assert_eq!(value(&metrics, "boardwire_commit_changes_sum"), 3.0);
    assert_eq!(
        value(&metrics, "boardwire_commit_changes_bucket{le=\"1.0\"}"),
        0.0
    );
    assert_eq!(
        value(&metrics, "boardwire_commit_changes_bucket{le=\"4.0\"}"),
        1.0
    );
    assert_eq!(value(&metrics, "boardwire_commit_failures_total"), 1.0);
}

#[test]
fn loads_and_compactions_are_timed_and_only_real_failures_counted() {
    let (metrics, _) = metrics();
    metrics.compacted(Duration::ZERO);
    metrics.compaction_failed();
    for fault in Fault::ALL {
        metrics.loaded(Duration::ZERO, &Err::<(), _>(fault));
    }
    metrics.loaded(Duration::ZERO, &Ok(()));
    for (series, count) in [
        ("boardwire_compaction_seconds_count", 1.0),
        ("boardwire_compaction_failures_total", 1.0),
        ("boardwire_board_load_seconds_count", 1.0),
        ("boardwire_board_load_failures_total", 2.0),
    ] {
        assert_eq!(value(&metrics, series), count, "{series}");
    }
}

#[test]
fn each_outcome_of_the_redis_bridge_is_counted_in_its_own_series() {
    let redis = RedisMetrics::default();
    let metrics = Metrics::new(&CommitMetrics::default(), &redis);
    for (count, outcome) in (1..).zip(redis::Reception::ALL) {
        let series = format!(
            "boardwire_redis_messages_total{{outcome=\"{}\"}}",
            outcome.as_str()
        );
        assert_eq!(value(&metrics, &series), 0.0);
        redis.received(outcome, count);
        assert_eq!(value(&metrics, &series), count as f64, "{series}");
    }
    for (count, outcome) in (1..).zip(redis::Publication::ALL) {
        let series = format!(
            "boardwire_redis_publications_total{{outcome=\"{}\"}}",
            outcome.as_str()
        );
        assert_eq!(value(&metrics, &series), 0.0);
        redis.sent(outcome, count);
        assert_eq!(value(&metrics, &series), count as f64, "{series}");
    }
}
