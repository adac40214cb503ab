//! What `scripts/capacity` measured: `capacity.json`, part of the program.
//!
//! Owns how it is read. Must not know who asks. Key invariant: nothing is promised beyond what was measured:
//! more cores than that count as the most that were.

use serde::Deserialize;

pub(super) const JSON: &str = include_str!("../../capacity.json");

/// `capacity.json`, as far as it is needed here.
#[derive(Debug, Deserialize)]
pub(super) struct Measured {
    pub(super) at: String,
    pub(super) limit_ms: f64,
    pub(super) machine: Host,
    pub(super) person: Person,
    pub(super) constants: Constants,
    pub(super) machines: Vec<Machine>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Host {
    pub(super) model: String,
}

/// What people do where nothing else is said.
#[derive(Debug, Deserialize)]
pub(super) struct Person {
    pub(super) people_per_board: f64,
    pub(super) drawing_share: f64,
    pub(super) updates_per_second: f64,
    pub(super) pointing_share: f64,
    pub(super) moves_per_second: f64,
    pub(super) shapes_per_board: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Constants {
    /// Work is deliveries, and so many more for each message that comes in.
    /// `cores = factor x work ^ exponent`.
    pub(super) work_per_message: f64,
    pub(super) cores_factor: f64,
    pub(super) cores_exponent: f64,
    /// Of a server with its caches, of a connection (and in the kernel), of an empty board, of a shape.
    pub(super) memory_bytes: f64,
    pub(super) memory_bytes_per_connection: f64,
    pub(super) kernel_bytes_per_connection: Option<f64>,
    pub(super) memory_bytes_per_board: f64,
    pub(super) memory_bytes_per_shape: f64,
    pub(super) state_bytes_per_shape: f64,
    /// While anybody draws, more for each update, and for each byte of a board that is compacted.
    pub(super) written_bytes_per_second: f64,
    pub(super) written_bytes_per_update: f64,
    pub(super) written_per_state_byte: f64,
    pub(super) network_bytes_per_message: f64,
}

/// A machine that was given more and more people.
#[derive(Debug, Deserialize)]
pub(super) struct Machine {
    pub(super) cores: f64,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub(super) passes: bool,
    pub(super) messages: Option<f64>,
    pub(super) deliveries: Option<f64>,
}

impl Measured {
    pub(super) fn read() -> Result<Self, String> {
        serde_json::from_str(JSON).map_err(|error| format!("capacity.json: {error}"))
    }

    pub(super) fn work(&self, (messages, deliveries): (f64, f64)) -> f64 {
        deliveries + self.constants.work_per_message * messages
    }

    /// The most work that machines with so many cores did within the limit; each number of cores once,
    /// ascending.
    pub(super) fn most_work(&self) -> Vec<(f64, f64)> {
        let mut most: Vec<(f64, f64)> = Vec::new();
        for machine in &self.machines {
            let passed = machine.steps.iter().filter(|step| step.passes);
            let traffic = passed.filter_map(|step| step.messages.zip(step.deliveries));
            let work = traffic.map(|traffic| self.work(traffic)).fold(0.0, f64::max);
            match most.iter_mut().find(|(cores, _)| *cores == machine.cores) {
                Some((_, other)) => *other = other.max(work),
                None => most.push((machine.cores, work)),
            }
        }
        most.sort_by(|a, b| a.0.total_cmp(&b.0));
        // What fewer cores did, more can; a busy hour measured otherwise.
        let mut least = 0.0;
        for (_, work) in &mut most {
            least = work.max(least);
            *work = least;
        }
        most
    }

    /// The most work of so many cores: between two that were measured on the line between them, below
    /// in proportion, above no more.
    pub(super) fn work_of(&self, cores: f64) -> f64 {
        let mut below = (0.0, 0.0);
        for above in self.most_work() {
            if cores <= above.0 {
                let share = (cores - below.0) / (above.0 - below.0);
                return below.1 + share * (above.1 - below.1);
            }
            below = above;
        }
        below.1
    }
}
