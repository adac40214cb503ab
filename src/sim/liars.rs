//! Clients that lie: what strangers may send, and more than they may.
//!
//! Owns what they send. Must not know the node. Key invariant: what they get into a document is such that yrs is safe with
//! it, since the clients that do behave are yrs.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::checks::Book;
use super::client::Identity;
use super::executor::World;
use super::network::End;
use super::wire::{self, Heard};
use crate::room::harness::insert;
use crate::time::Tick;

/// What all liars share.
pub(super) struct Liar {
    pub(super) is: Identity,
    pub(super) world: World,
    pub(super) book: Arc<Book>,
}

/// What it has at hand for its lies.
#[derive(Default)]
struct Material {
    /// Its own clock: what was accepted of it, or may have been.
    clock: u64,
    /// Ids that it has heard of, on this connection.
    others: BTreeSet<u64>,
    frames: wire::Frames,
}

impl Liar {
    /// Lies, for so long.
    pub(super) async fn run(self, until: Tick, dial: impl Fn(&Identity) -> Option<End>) {
        let mut material = Material::default();
        while self.world.now().tick < until {
            self.world.nap(Duration::ZERO, Duration::from_secs(2)).await;
            let Some(end) = dial(&self.is) else { continue };
            material.others.clear();
            material.frames = wire::Frames::default();
            for _ in 0..self.world.random(|random| random.between(1, 12)) {
                let bytes = self.lie(&mut material);
                if self.send(&end, &bytes, &mut material).await.is_err() {
                    break;
                }
                self.world.nap(Duration::ZERO, Duration::from_millis(400)).await;
            }
            // Sometimes it stays, says no more and reads nothing.
            if self.world.random(|random| random.chance(30)) {
                self.world.nap(Duration::ZERO, Duration::from_secs(30)).await;
            }
        }
        self.world.note("honest", &[self.is.id]);
    }

    async fn send(&self, end: &End, bytes: &[u8], material: &mut Material) -> Result<(), ()> {
        let (mut at, given_up) = (0, self.world.sleep(Duration::from_secs(5)));
        let mut given_up = Box::pin(given_up);
        poll_fn(|cx| {
            // What comes is read now and then.
            if self.world.random(|random| random.chance(70))
                && let Poll::Ready(Ok(bytes)) = end.poll_receive(cx, 4_096)
            {
                for heard in material.frames.feed(&bytes) {
                    if let Heard::Awareness(entries) = heard {
                        material.others.extend(entries.iter().map(|entry| entry.0));
                    }
                }
            }

            while at < bytes.len() {
                match end.poll_send(cx, &bytes[at..]) {
                    Poll::Ready(Ok(sent)) => at += sent,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(())),
                    Poll::Pending => return given_up.as_mut().poll(cx).map(|()| Err(())),
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    fn message(&self, types: &[u8], body: &[u8]) -> Vec<u8> {
        wire::masked(&self.world, 2, &wire::message(types, body))
    }

    /// The next thing it says.
    fn lie(&self, material: &mut Material) -> Vec<u8> {
        let (what, number) = self.world.random(|random| (random.between(0, 9), random.next()));
        self.world.note("lie", &[self.is.id, what]);
        let Material {
            clock: own, others, ..
        } = material;

        match what {
            // What is well-formed, under its own id; some of it again, with more behind it.
            0 => {
                let at = own.saturating_sub(number % 3);
                *own = at + 8;
                self.message(&[0, 2], &insert(self.is.id, at, "mmmmmmmm"))
            }
            // A hole.
            1 => self.message(&[0, 2], &insert(self.is.id, *own + 5 + number % 50, "hole")),
            // Bytes.
            2 => {
                let bytes: Vec<u8> = (0..number % 40).map(|at| (number >> (at % 56)) as u8).collect();
                self.message(&[0, (number % 4) as u8], &bytes)
            }
            // Under an id that is nobody's.
            3 => {
                let id = 1_000_000 + number % 1_000_000;
                self.book.register_liar(id, self.is.board);
                self.message(&[0, 1], &insert(id, 0, "foreign"))
            }
            // Presence of others.
            4 | 5 if !others.is_empty() => {
                let entries: Vec<_> = (others.iter())
                    .map(|id| {
                        (
                            *id,
                            1 + number % 900,
                            if number % 5 == 0 {
                                "null".into()
                            } else {
                                "{\"liar\":1}".to_owned()
                            },
                        )
                    })
                    .collect();
                let some = if number % 2 == 0 {
                    &entries[..1]
                } else {
                    &entries[..]
                };
                self.message(&[1], &wire::awareness(some))
            }
            // A flood.
            6 => (0..100 + number % 300)
                .flat_map(|_| self.message(&[0, 0], &[0]))
                .collect(),
            // Half a message.
            7 => {
                let mut whole = self.message(&[0, 2], &[7; 300]);
                whole.truncate(20 + (number % 200) as usize);
                whole
            }
            _ => wire::masked(&self.world, 2, &[3]),
        }
    }
}
