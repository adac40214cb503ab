//! Where the nodes' names lead.
//!
//! Owns [`Names`]: addresses looked up off the executor, and kept for `limits::NODE_NAME_TIME`. Tests are
//! below.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::boards::host::{Host, unblock};
use crate::limits;
use crate::time::Tick;

/// What was looked up lately.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<String, (Tick, Vec<SocketAddr>)>>);

impl Names {
    /// The addresses of `HOST:PORT`.
    ///
    /// # Errors
    /// There is none, or it cannot be looked up.
    pub(super) async fn find(&self, host: &Arc<dyn Host>, name: &str) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let now = host.now().tick;
        let is_fresh = |at: Tick| now.since(at) < limits::NODE_NAME_TIME;
        if let Some((at, addresses)) = self.lock().get(name)
            && is_fresh(*at)
        {
            return Ok(addresses.clone());
        }
        let asked = name.to_owned();
        let found = unblock(host, move || {
            asked.to_socket_addrs().map(Iterator::collect::<Vec<_>>)
        })
        .await?;
        if found.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut known = self.lock();
        known.retain(|_, (at, _)| is_fresh(*at));
        known.insert(name.to_owned(), (now, found.clone()));
        Ok(found)
    }

    /// Nobody answers there: it is looked up anew.
    pub(super) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Tick, Vec<SocketAddr>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses to listen on for `HOST:PORT`, the best first: what it leads to, and where that is another
/// machine's (an address that a proxy or a container's host has), all of this one at its port.
///
/// # Errors
/// It leads nowhere.
pub(super) fn listening(name: &str) -> io::Result<Vec<SocketAddr>> {
    let mut addresses: Vec<SocketAddr> = name.to_socket_addrs()?.collect();
    let port = addresses.first().ok_or(io::ErrorKind::NotFound)?.port();
    addresses.push((std::net::Ipv6Addr::UNSPECIFIED, port).into());
    addresses.push((std::net::Ipv4Addr::UNSPECIFIED, port).into());
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_come_last() {
        let found = listening("127.0.0.1:9").unwrap();
        let expected = ["127.0.0.1:9", "[::]:9", "0.0.0.0:9"];
        assert_eq!(found, expected.map(|address| address.parse().unwrap()));
        assert!(listening("127.0.0.1").is_err());
    }
}
