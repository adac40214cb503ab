//! What memory is for, and what waits for its turn, as gauges that are read at each scrape.
//!
//! Owns [`Held`], [`Waiting`] and their series. Must not find anything out: whoever keeps a bound knows how
//! much of it is taken. Key invariant: a scrape asks for counts that are kept anyway, and walks no board.
//! Tests are in `metrics/tests.rs` and tests/it/metrics.rs.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::{Labels, Value};

/// Bytes in memory, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Boards, as they are encoded.
    pub documents: usize,
    /// What rooms keep for members who have not got it.
    pub outbound: usize,
    /// Presence.
    pub presence: usize,
    /// Messages, heads and bodies that are not complete yet.
    pub receiving: usize,
    /// Answers on their way out.
    pub answers: usize,
    /// Changes that wait for the disk.
    pub commit_queue: usize,
}

/// Work that waits for its turn, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Loads, compactions and work on content.
    pub work: usize,
    /// Short reads.
    pub reads: usize,
    /// Large updates.
    pub joins: usize,
    /// Boards that wait for their compaction.
    pub compactions: usize,
}

/// Gauges under one name that differ in their `kind`, all there from the start.
#[derive(Clone, Debug)]
struct Levels(Arc<[(Labels<1>, Value)]>);

impl Levels {
    fn of<const N: usize>(kinds: [&'static str; N]) -> Self {
        let level = |kind| ([("kind", kind)], Value::default());
        Self(kinds.into_iter().map(level).collect())
    }

    /// Takes up values in the order of the kinds.
    fn set<const N: usize>(&self, values: [usize; N]) {
        for ((_, level), value) in self.0.iter().zip(values) {
            level.set(value as u64);
        }
    }
}

impl EncodeMetric for Levels {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (labels, level) in &*self.0 {
            level.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

/// The series.
#[derive(Debug)]
pub(super) struct MemoryMetrics {
    memory: Levels,
    waiting: Levels,
}

impl Default for MemoryMetrics {
    fn default() -> Self {
        Self {
            memory: Levels::of([
                "documents",
                "outbound",
                "presence",
                "receiving",
                "answers",
                "commit_queue",
            ]),
            waiting: Levels::of(["work", "reads", "joins", "compactions"]),
        }
    }
}

impl MemoryMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Bytes in memory, by what they are for; documents as they are encoded";
        registry.register("memory_bytes", help, self.memory.clone());
        let help = "Work that waits for its turn on a thread that may block, by kind";
        registry.register("waiting_jobs", help, self.waiting.clone());
    }

    /// Takes up what was read.
    pub(super) fn set(&self, held: &Held, waiting: &Waiting) {
        self.memory.set([
            held.documents,
            held.outbound,
            held.presence,
            held.receiving,
            held.answers,
            held.commit_queue,
        ]);
        self.waiting
            .set([waiting.work, waiting.reads, waiting.joins, waiting.compactions]);
    }
}
