//! What a run looks like over time: latency, CPU, memory and disk in each second.
//!
//! Owns the samples. Key invariant: each delivery is recorded once, into the second that it came in; the sums
//! are made of the seconds.

use serde_json::{Value, json};

use crate::process::Usage;
use crate::server::Server;
use crate::traffic::group::{Records, Span};

/// At most about so many samples: a night has fewer than one a second.
const SAMPLES_MAX: u64 = 600;
const SECOND_NS: u64 = 1_000_000_000;
/// Long enough for some compactions, between which memory and file only grow.
const GROWTH_LEAST_NS: u64 = 600 * SECOND_NS;

const SHARE_LEAST_NS: f64 = 100e6;

/// One span of the run.
#[derive(Clone, Debug)]
struct Sample {
    second: f64,
    nanos: f64,
    deliveries: u64,
    late: (f64, f64, f64),
    cpu_ns: Option<u64>,
    own_ns: u64,
    memory: Option<u64>,
    written: Option<u64>,
    file: Option<u64>,
}

/// A process at a moment.
#[derive(Clone, Debug)]
struct Mark {
    at: u64,
    own: Usage,
    server: Option<(String, Usage)>,
}

impl Mark {
    fn new(at: u64, server: &Server) -> Self {
        Self {
            at,
            own: Usage::of("self"),
            server: server.pid().map(|pid| (pid.to_owned(), Usage::of(pid))),
        }
    }

    /// What a counter of the server's says since an earlier mark: of a process that was started since, all.
    fn since(&self, before: &Self, of: fn(&Usage) -> u64) -> Option<u64> {
        let ((pid, usage), (pid_before, usage_before)) = (self.server.as_ref()?, before.server.as_ref()?);
        let before = if pid == pid_before { of(usage_before) } else { 0 };
        // The CPU of threads that ended is not seen any more.
        Some(of(usage).saturating_sub(before))
    }
}

/// The samples of one run.
pub(crate) struct Samples {
    start: u64,
    end: u64,
    gap: u64,
    now: u64,
    due: u64,
    /// When what counts began, and the sample before.
    first: Mark,
    last: Mark,
    samples: Vec<Sample>,
    /// How busy both were while things were due.
    shares: Option<Shares>,
    is_over: bool,
}

/// Shares of a core. What is waited for at the end is not part of them: whoever loses something would seem
/// idle then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shares {
    pub(crate) own: f64,
    pub(crate) server: Option<f64>,
}

/// What the whole of a run cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) shares: Shares,
    pub(crate) cpu_ns: Option<u64>,
    pub(crate) written: Option<u64>,
    pub(crate) memory_end: Option<u64>,
    pub(crate) memory_max: Option<u64>,
}

impl Samples {
    pub(crate) fn new(span: &Span, server: &Server) -> Self {
        let mark = Mark::new(span.start, server);
        let seconds = (span.end - span.start) / SECOND_NS;
        Self {
            start: span.start,
            end: span.end,
            gap: SECOND_NS * (seconds / SAMPLES_MAX).max(1),
            now: 0,
            // The first mark is made then.
            due: span.start,
            first: mark.clone(),
            last: mark,
            samples: Vec::new(),
            shares: None,
            is_over: false,
        }
    }

    pub(crate) fn due(&self) -> u64 {
        self.due
    }

    /// When it was looked at last.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Takes a sample now: the server is about to be ended, and what it cost since the last would be gone.
    pub(crate) fn take_now(&mut self, now: u64, records: &mut Records, server: &Server) {
        if self.due != self.start {
            self.due = self.due.min(now);
            self.take(now, records, server);
        }
    }

    /// Takes a sample when its time has come.
    pub(crate) fn take(&mut self, now: u64, records: &mut Records, server: &Server) {
        self.now = now;
        if now < self.due || self.is_over {
            return;
        }
        if self.due == self.start {
            let mark = Mark::new(now, server);
            (self.first, self.last) = (mark.clone(), mark);
        } else {
            self.sample(now, records, server);
        }
        self.due = (now - (now - self.start) % self.gap) + self.gap;
        if now < self.end {
            self.due = self.due.min(self.end);
        }
    }

    /// The last sample: nothing more counts.
    pub(crate) fn end(&mut self, now: u64, records: &mut Records, server: &Server) {
        self.sample(now, records, server);
        self.is_over = true;
        self.due = u64::MAX;
    }

    fn sample(&mut self, now: u64, records: &mut Records, server: &Server) {
        let mark = Mark::new(now, server);
        let second = &mut records.second;
        self.samples.push(Sample {
            second: (self.last.at - self.start) as f64 / 1e9,
            nanos: (now - self.last.at).max(1) as f64,
            deliveries: second.total(),
            late: (
                second.within_ms(0.5),
                second.within_ms(0.99),
                second.within_ms(1.0),
            ),
            cpu_ns: mark.since(&self.last, |usage| usage.cpu_ns),
            own_ns: mark.own.cpu_ns.saturating_sub(self.last.own.cpu_ns),
            // Of one that is being ended there is none.
            memory: mark
                .server
                .as_ref()
                .map(|(_, usage)| usage.memory)
                .filter(|bytes| *bytes > 0),
            written: mark.since(&self.last, |usage| usage.written),
            file: server.file_bytes(),
        });
        records.late.add(second);
        second.clear();
        self.last = mark;
        if now >= self.end && self.shares.is_none() {
            self.shares = Some(self.shares());
        }
    }

    fn shares(&self) -> Shares {
        let nanos = (self.last.at - self.first.at).max(1) as f64;
        Shares {
            own: self.last.own.cpu_ns.saturating_sub(self.first.own.cpu_ns) as f64 / nanos,
            server: self.cpu_ns().map(|cpu| cpu as f64 / nanos),
        }
    }

    /// Summed over samples, since a server may have been started anew.
    fn cpu_ns(&self) -> Option<u64> {
        self.samples.iter().map(|sample| sample.cpu_ns).sum()
    }

    /// What the last sample says, in a few words.
    pub(crate) fn last(&self) -> String {
        self.samples
            .last()
            .map_or_else(String::new, |sample| format!(", p99 {:.1} ms", sample.late.1))
    }

    pub(crate) fn cost(&self) -> Cost {
        Cost {
            shares: self.shares.unwrap_or_default(),
            cpu_ns: self.cpu_ns(),
            written: self.samples.iter().map(|sample| sample.written).sum(),
            memory_end: self.samples.last().and_then(|sample| sample.memory),
            memory_max: self.samples.iter().filter_map(|sample| sample.memory).max(),
        }
    }

    /// Bytes an hour that memory and file grow by, in the second half of the run: the slope of a line through
    /// it. A short run says nothing of hours.
    pub(crate) fn growth(&self) -> (Option<f64>, Option<f64>) {
        if self.last.at - self.first.at < GROWTH_LEAST_NS {
            return (None, None);
        }
        let half = self.samples.get(self.samples.len() / 2..).unwrap_or_default();
        let of = |value: fn(&Sample) -> Option<u64>| {
            let points: Vec<(f64, f64)> = half
                .iter()
                .filter_map(|sample| Some((sample.second, value(sample)? as f64)))
                .collect();
            slope(&points).map(|slope| slope * 3_600.0)
        };
        (of(|sample| sample.memory), of(|sample| sample.file))
    }

    pub(crate) fn over_time(&self) -> Vec<Value> {
        let told = |sample: &Sample| {
            let mut told = json!({ "second": sample.second, "deliveries": sample.deliveries });
            // The last one can be too short for a share to say anything.
            let is_long = sample.nanos > SHARE_LEAST_NS;
            let mut put = |name: &str, value: Value| {
                if !value.is_null() {
                    told[name] = value;
                }
            };
            if sample.deliveries > 0 {
                put("p50_ms", json!(sample.late.0));
                put("p99_ms", json!(sample.late.1));
                put("max_ms", json!(sample.late.2));
            }
            put(
                "own_cpu_share",
                json!(is_long.then(|| sample.own_ns as f64 / sample.nanos)),
            );
            put(
                "cpu_share",
                json!(
                    sample
                        .cpu_ns
                        .filter(|_| is_long)
                        .map(|cpu| cpu as f64 / sample.nanos)
                ),
            );
            put("memory_bytes", json!(sample.memory));
            put("written_bytes", json!(sample.written));
            put("file_bytes", json!(sample.file));
            told
        };
        self.samples.iter().map(told).collect()
    }
}

/// The slope of the line that lies nearest to some points; `None` for fewer than three.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 3 {
        return None;
    }
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let over: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let under: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (under > 0.0).then_some(over / under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_slope_of_a_line() {
        let points: Vec<(f64, f64)> = (0..10)
            .map(|at| (f64::from(at), 5.0 + 3.0 * f64::from(at)))
            .collect();
        assert!((slope(&points).unwrap() - 3.0).abs() < 1e-9);
        assert_eq!(slope(&points[..2]), None);
        assert_eq!(slope(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }

    #[test]
    fn what_is_waited_for_at_the_end_is_no_idle_time() {
        let span = Span {
            begin: 0,
            start: 0,
            end: 50_000_000,
        };
        let server = Server::running(Some("self".to_owned())).unwrap();
        let mut records = Records::default();
        let mut samples = Samples::new(&span, &server);
        samples.take(0, &mut records, &server);
        assert_eq!(samples.due(), span.end, "it looks when the last thing was due");
        let before = Usage::of("self").cpu_ns;
        while Usage::of("self").cpu_ns < before + 50_000_000 {}
        samples.take(span.end, &mut records, &server);
        samples.end(span.end + 10 * SECOND_NS, &mut records, &server);
        let cost = samples.cost();
        assert!(cost.shares.own > 0.9, "{:?}", cost.shares);
        assert!(cost.shares.server.unwrap() > 0.9, "{:?}", cost.shares);
    }

    #[test]
    fn what_a_server_cost_is_looked_at_before_it_is_ended() {
        let span = Span {
            begin: 0,
            start: 500,
            end: 10 * SECOND_NS,
        };
        let server = Server::running(Some("self".to_owned())).unwrap();
        let mut records = Records::default();
        let mut samples = Samples::new(&span, &server);
        samples.take_now(400, &mut records, &server);
        assert!(samples.samples.is_empty(), "nothing counts yet");
        samples.take(500, &mut records, &server);
        for now in [700, 900] {
            samples.take_now(now, &mut records, &server);
        }
        assert_eq!(samples.samples.len(), 2);
        assert_eq!(samples.due(), SECOND_NS + 500);
    }
}
