//! Who may come in at all: counts of connections, and the hold for those who were refused before.
//!
//! Owns the bounds on sockets and on connections, in all and per address, and the memory of refusals. Must
//! not know boards or credentials. Key invariant: every place is given back when its [`SocketPlace`] or
//! [`ConnectionPlace`] is dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::fault::Fault;
use crate::http::forwarded::Cidr;
use crate::limits;
use crate::net::Crowd;
use crate::time::Tick;

/// Counts of open connections and recent refusals.
#[derive(Debug)]
pub(crate) struct Doors {
    connections_max: AtomicUsize,
    per_address_max: AtomicUsize,
    open: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
    refusals: Mutex<HashMap<IpAddr, Refusals>>,
    held: AtomicUsize,
    sockets: Mutex<Sockets>,
}

/// Open sockets, whatever they are used for.
#[derive(Debug, Default)]
struct Sockets {
    open: usize,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Refusals {
    count: usize,
    last: Tick,
}

/// One counted connection; gives its place back when dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPlace {
    doors: Arc<Doors>,
    address: IpAddr,
}

/// One held refusal; gives its place back when dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    doors: Arc<Doors>,
    /// How long to wait before the close.
    pub(crate) time: Duration,
}

/// One open socket; gives its place back when dropped.
#[derive(Debug)]
pub(crate) struct SocketPlace {
    doors: Arc<Doors>,
    /// The peer, unless it is exempt from the bound per address.
    counted: Option<IpAddr>,
}

impl Doors {
    /// Doors with the given bounds, both inclusive.
    pub(crate) fn new(crowd: Crowd) -> Self {
        Self {
            connections_max: AtomicUsize::new(crowd.connections),
            per_address_max: AtomicUsize::new(crowd.per_address),
            open: AtomicUsize::new(0),
            by_address: Mutex::default(),
            refusals: Mutex::default(),
            held: AtomicUsize::new(0),
            sockets: Mutex::default(),
        }
    }

    /// From now on these bounds count. Who is in stays in, also where that is more.
    pub(crate) fn change(&self, crowd: Crowd) {
        self.connections_max.store(crowd.connections, Ordering::Relaxed);
        self.per_address_max.store(crowd.per_address, Ordering::Relaxed);
    }

    fn crowd(&self) -> Crowd {
        Crowd {
            connections: self.connections_max.load(Ordering::Relaxed),
            per_address: self.per_address_max.load(Ordering::Relaxed),
        }
    }

    /// Counts a socket that was accepted from `peer`; `None` when it must be closed at once.
    ///
    /// There are some more places for sockets than for connections: for `/health`, and for telling clients
    /// that the server is full. One address has its share of them. Loopback and the `trusted` proxies are
    /// exempt from that bound, since many clients stand behind them.
    pub(crate) fn open_socket(self: &Arc<Self>, peer: IpAddr, trusted: &[Cidr]) -> Option<SocketPlace> {
        let peer = peer.to_canonical();
        let exempt = peer.is_loopback() || trusted.iter().any(|range| range.contains(peer));
        let crowd = self.crowd();
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if sockets.open >= crowd.connections + limits::SPARE_SOCKETS {
            return None;
        }
        if !exempt {
            let count = sockets.by_address.get(&peer).copied().unwrap_or(0);
            if count
                >= crowd
                    .per_address
                    .saturating_add(limits::SPARE_SOCKETS_PER_ADDRESS)
            {
                return None;
            }
            sockets.by_address.insert(peer, count + 1);
        }
        sockets.open += 1;
        Some(SocketPlace {
            doors: Arc::clone(self),
            counted: (!exempt).then_some(peer),
        })
    }

    /// How many admissions are out.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts a connection from `address`.
    ///
    /// Loopback addresses are exempt from the bound per address: that is a proxy on this machine.
    ///
    /// # Errors
    /// [`Fault::TooManyConnections`].
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPlace, Fault> {
        let crowd = self.crowd();
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.get(&address).copied().unwrap_or(0);
        let full = self.open() >= crowd.connections || (count >= crowd.per_address && !address.is_loopback());
        if full {
            return Err(Fault::TooManyConnections);
        }
        by_address.insert(address, count + 1);
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(ConnectionPlace {
            doors: Arc::clone(self),
            address,
        })
    }

    /// Counts a refusal of `address`; `None` when too many are held already, so that nothing more is spent on
    /// it.
    pub(crate) fn refuse(self: &Arc<Self>, address: IpAddr, now: Tick) -> Option<Hold> {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= limits::REFUSALS_REMEMBERED_MAX {
            refusals.retain(|_, seen| now.since(seen.last) < limits::REFUSAL_MEMORY);
        }
        if refusals.len() >= limits::REFUSALS_REMEMBERED_MAX && !refusals.contains_key(&address) {
            return None;
        }
        let seen = refusals
            .entry(address)
            .or_insert(Refusals { count: 0, last: now });
        if now.since(seen.last) >= limits::REFUSAL_MEMORY {
            seen.count = 0;
        }
        seen.last = now;
        seen.count = seen.count.saturating_add(1);
        let time = match seen.count.checked_sub(2) {
            None => Duration::ZERO,
            Some(n) => limits::REFUSAL_HOLDS
                .get(n)
                .or(limits::REFUSAL_HOLDS.last())
                .copied()
                .unwrap_or_default(),
        };
        if self.held.fetch_add(1, Ordering::Relaxed) >= limits::REFUSALS_HELD_MAX {
            self.held.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Hold {
            doors: Arc::clone(self),
            time,
        })
    }
}

/// Takes one off the count of `address`.
fn uncount(by_address: &mut HashMap<IpAddr, usize>, address: IpAddr) {
    if let Some(count) = by_address.get_mut(&address) {
        *count -= 1;
        if *count == 0 {
            by_address.remove(&address);
        }
    }
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        let mut sockets = self.doors.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.open -= 1;
        if let Some(address) = self.counted {
            uncount(&mut sockets.by_address, address);
        }
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut by_address = self
            .doors
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        uncount(&mut by_address, self.address);
        drop(by_address);
        self.doors.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.doors.held.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn doors(connections: usize, per_address: usize) -> Arc<Doors> {
        Arc::new(Doors::new(Crowd {
            connections,
            per_address,
        }))
    }

    #[test]
    fn other_bounds_count_from_then_on_and_cut_nobody() {
        let doors = doors(2, 2);
        let mut all: Vec<_> = (0..2).map(|_| doors.admit(THERE).unwrap()).collect();
        doors.change(Crowd {
            connections: 3,
            per_address: 3,
        });
        all.push(doors.admit(THERE).unwrap());
        assert_eq!(doors.admit(HERE).unwrap_err(), Fault::TooManyConnections);
        doors.change(Crowd {
            connections: 1,
            per_address: 1,
        });
        assert_eq!(doors.open(), 3);
        all.truncate(1);
        assert_eq!(doors.admit(HERE).unwrap_err(), Fault::TooManyConnections);
        all.clear();
        assert!(doors.admit(THERE).is_ok());
    }

    #[test]
    fn places_are_counted_in_all_and_per_address_and_given_back() {
        let doors = doors(4, 2);
        let first = doors.admit(THERE).unwrap();
        let second = doors.admit(THERE).unwrap();
        assert_eq!(doors.admit(THERE).unwrap_err(), Fault::TooManyConnections);
        let here: Vec<_> = (0..2).map(|_| doors.admit(HERE).unwrap()).collect();
        drop(second);
        let third = doors.admit(THERE).unwrap();
        assert_eq!(doors.open(), 4);
        assert_eq!(doors.admit(HERE).unwrap_err(), Fault::TooManyConnections);
        drop((first, third, here));
        assert_eq!(doors.open(), 0);
    }

    #[test]
    fn loopback_is_exempt_from_the_bound_per_address() {
        let doors = doors(9, 1);
        let all: Vec<_> = (0..9).map(|_| doors.admit(HERE).unwrap()).collect();
        assert_eq!(all.len(), 9);
    }

    #[test]
    fn one_address_has_its_share_of_sockets_and_all_together_have_theirs() {
        let share = 2 + limits::SPARE_SOCKETS_PER_ADDRESS;
        let doors = doors(9_000, 2);
        let mut places: Vec<_> = (0..share)
            .map(|_| doors.open_socket(THERE, &[]).unwrap())
            .collect();
        assert!(doors.open_socket(THERE, &[]).is_none());
        let mapped = std::net::Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().into();
        assert!(
            doors.open_socket(mapped, &[]).is_none(),
            "the same address in IPv6"
        );
        let other = IpAddr::from([192, 0, 2, 2]);
        assert!(doors.open_socket(other, &[]).is_some());
        places.pop();
        places.push(doors.open_socket(THERE, &[]).unwrap());
        assert!(doors.open_socket(THERE, &[]).is_none());
        let trusted = [Cidr::parse("192.0.2.1/32").unwrap()];
        places.push(doors.open_socket(THERE, &trusted).unwrap());
        drop(places);
        let sockets = doors.sockets.lock().unwrap();
        assert!(sockets.open == 0 && sockets.by_address.is_empty());
    }

    #[test]
    fn there_are_spare_sockets_beyond_the_connections() {
        let doors = doors(1, 1);
        let mut places: Vec<_> = (0..=limits::SPARE_SOCKETS)
            .map(|_| doors.open_socket(HERE, &[]).unwrap())
            .collect();
        assert!(doors.open_socket(HERE, &[]).is_none());
        assert!(doors.open_socket(THERE, &[]).is_none());
        places.pop();
        assert!(doors.open_socket(THERE, &[]).is_some());
    }

    #[test]
    fn repeated_refusals_of_an_address_are_held_longer_and_forgotten_after_a_minute() {
        let doors = doors(1, 1);
        let mut now = Tick::default();
        let holds: Vec<u64> = (0..6)
            .map(|_| doors.refuse(THERE, now).unwrap().time.as_secs())
            .collect();
        assert_eq!(holds, [0, 1, 2, 4, 8, 8]);
        assert_eq!(doors.refuse(HERE, now).unwrap().time, Duration::ZERO);
        now = now.after(limits::REFUSAL_MEMORY);
        assert_eq!(doors.refuse(THERE, now).unwrap().time, Duration::ZERO);
    }

    #[test]
    fn only_so_many_refusals_are_held_at_a_time() {
        let doors = doors(1, 1);
        let mut holds: Vec<_> = (0..limits::REFUSALS_HELD_MAX)
            .map(|_| doors.refuse(THERE, Tick::default()).unwrap())
            .collect();
        assert!(doors.refuse(THERE, Tick::default()).is_none());
        holds.pop();
        assert!(doors.refuse(THERE, Tick::default()).is_some());
    }
}
