//! Drives fuzz bodies on stable: pseudo-random mutations of seeds, the same in every run.
//!
//! Test support only. Must not know what the bytes mean. A finding prints its input before the panic goes on.

/// A small generator (xorshift64*); the same seed gives the same run.
pub(crate) struct Random(u64);

impl Random {
    /// A generator; `seed` may be any number.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// The next 32 bits.
    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        u32::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32).unwrap_or(0)
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % bound
    }
}

/// Calls `body` with each seed, each prefix of it, and `rounds` mutations of the seeds.
pub(crate) fn drive(seeds: &[&[u8]], rounds: u32, body: fn(&[u8])) {
    for seed in seeds {
        (0..=seed.len()).for_each(|end| run(&seed[..end], body));
    }
    drive_some(seeds, rounds, body);
}

/// The same without the prefixes, for bodies that take long.
pub(crate) fn drive_some(seeds: &[&[u8]], rounds: u32, body: fn(&[u8])) {
    let mut random = Random::new(u64::from(rounds));
    for _ in 0..rounds {
        let mut input = seeds[random.below(seeds.len())].to_vec();
        for _ in 0..=random.below(4) {
            mutate(&mut input, seeds, &mut random);
        }
        run(&input, body);
    }
}

/// The same with the seeds that are committed for a fuzz target.
pub(crate) fn drive_committed(target: &str, rounds: u32, body: fn(&[u8])) {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let entries = std::fs::read_dir(seeds.join(target)).unwrap();
    let seeds: Vec<Vec<u8>> = entries
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    drive(&seeds, rounds, body);
}

fn mutate(input: &mut Vec<u8>, seeds: &[&[u8]], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(8)).min(input.len());
    let byte = random.next().to_le_bytes()[0];
    match random.below(6) {
        0 => input.insert(at, byte),
        1 => drop(input.drain(at..end)),
        2 => {
            let copy = input[at..end].to_vec();
            input.splice(at..at, copy);
        }
        3 => {
            let other = seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        4 => input.insert(at, b"\r\n\t :,;%./=\"{}[]0\0\x7f\xff"[random.below(20)]),
        _ => {
            if let Some(old) = input.get_mut(at) {
                *old ^= 1 << (byte % 8);
            }
        }
    }
}

fn run(input: &[u8], body: fn(&[u8])) {
    let outcome = std::panic::catch_unwind(|| body(input));
    if let Err(panic) = outcome {
        println!("input: {}", input.escape_ascii());
        std::panic::resume_unwind(panic);
    }
}
