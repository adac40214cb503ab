//! What a stock client knows of presence: its own, and that of others.
//!
//! Owns the clocks and the rules of 15 and 30 seconds. Must not know connections. Key invariant: as y-protocols does it, so
//! a state that has a higher clock is taken, whoever sends it.
//!
//! # Source
//! y-protocols 1.0.7, awareness.js: `setLocalState`, `applyAwarenessUpdate`, the check interval; y-websocket 3.1 for what is
//! forgotten when a connection ends.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::PATIENCE;
use super::wire;
use crate::time::Tick;

const RENEW_AFTER: Duration = Duration::from_secs(15);

/// What is known of an awareness id.
#[derive(Clone, Debug)]
struct Seen {
    clock: u64,
    state: Option<String>,
    at: Tick,
}

/// The awareness of one client.
#[derive(Debug)]
pub(super) struct Presence {
    own: u64,
    seen: BTreeMap<u64, Seen>,
    /// What its user shows, whatever others say.
    pub(super) shown: Option<String>,
}

impl Presence {
    pub(super) fn new(own: u64) -> Self {
        Self {
            own,
            seen: BTreeMap::new(),
            shown: None,
        }
    }

    /// Whether it shows something.
    pub(super) fn is_shown(&self) -> bool {
        self.seen.get(&self.own).is_some_and(|own| own.state.is_some())
    }

    /// What is known of these ids, as it is sent.
    pub(super) fn payload(&self, ids: &[u64]) -> Vec<u8> {
        let text = |seen: &Seen| seen.state.clone().unwrap_or_else(|| "null".into());
        let known = |id: &u64| self.seen.get(id).map(|seen| (*id, seen.clock, text(seen)));
        wire::awareness(&ids.iter().filter_map(known).collect::<Vec<_>>())
    }

    /// Shows something else.
    pub(super) fn show(&mut self, shown: Option<String>, now: Tick) {
        let clock = self.seen.get(&self.own).map_or(1, |own| own.clock + 1);
        let (state, at) = (shown.clone(), now);
        self.seen.insert(self.own, Seen { clock, state, at });
        self.shown = shown;
    }

    /// Drops those who were silent for too long; returns whether its own is to be sent again.
    pub(super) fn look(&mut self, now: Tick) -> bool {
        for (id, seen) in &mut self.seen {
            if *id != self.own && now.since(seen.at) > PATIENCE {
                seen.state = None;
            }
        }
        match self.seen.get_mut(&self.own) {
            Some(own) if own.state.is_some() && now.since(own.at) > RENEW_AFTER => {
                own.clock += 1;
                own.at = now;
                true
            }
            _ => false,
        }
    }

    /// The connection is over: nobody else is shown, and all clocks are kept.
    pub(super) fn forget(&mut self) {
        for (id, seen) in &mut self.seen {
            if *id != self.own {
                seen.state = None;
            }
        }
    }

    /// Learns of others; gives the ids of which it then sends what it knows.
    pub(super) fn learn(&mut self, entries: Vec<(u64, u64, String)>, now: Tick) -> Vec<u64> {
        let mut changed = Vec::new();
        for (id, mut clock, text) in entries {
            let news = (text != "null").then_some(text);
            let known = self.seen.get(&id).cloned();
            let had = known.as_ref().and_then(|known| known.state.clone());
            let counts = known.as_ref().is_none_or(|known| {
                known.clock < clock || (known.clock == clock && news.is_none() && had.is_some())
            });
            if !counts {
                continue;
            }
            if known.is_some() || news.is_some() {
                changed.push(id);
            }
            // Its own state nobody takes away.
            let state = match (news, id == self.own && had.is_some()) {
                (None, true) => {
                    clock += 1;
                    had
                }
                (news, _) => news,
            };
            self.seen.insert(
                id,
                Seen {
                    clock,
                    state,
                    at: now,
                },
            );
        }
        changed
    }

    /// What is seen of everybody.
    pub(super) fn sees(&self) -> BTreeMap<u64, String> {
        let shown = |(id, seen): (&u64, &Seen)| Some((*id, seen.state.clone()?));
        self.seen.iter().filter_map(shown).collect()
    }
}
