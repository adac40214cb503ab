//! Clients that write all the time, and what they were told is saved.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::socket::path;
use crate::support::tokens::editor;
use crate::support::{SOON, until};

/// How often each of them writes.
const WRITE_EVERY: Duration = Duration::from_millis(2);

/// A load on one board. Whoever loses the connection never comes back, lest it repair what was lost; somebody
/// new comes instead, as soon as the node says that it is well.
pub(super) struct Load<'a> {
    nodes: &'a [Server],
    board: &'a str,
    next: AtomicU64,
    has_ended: AtomicBool,
    is_closed: AtomicBool,
    promised: Mutex<HashMap<u64, u32>>,
}

impl<'a> Load<'a> {
    /// Two writers on each node, for as long as something is done; what they were promised.
    #[track_caller]
    pub(super) fn on(nodes: &'a [Server], board: &'a str, during: impl FnOnce(&Self)) -> HashMap<u64, u32> {
        let load = Self {
            nodes,
            board,
            next: AtomicU64::new(1),
            has_ended: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            promised: Mutex::default(),
        };
        thread::scope(|scope| {
            for node in nodes.iter().chain(nodes) {
                scope.spawn(|| load.write(node));
            }
            let _end = End(&load.has_ended);
            until(SOON, || load.promised().len() == 2 * nodes.len());
            load.goes_on();
            during(&load);
        });
        load.promised.into_inner().unwrap()
    }

    /// What was promised so far: how much of each writer's was echoed.
    pub(super) fn promised(&self) -> MutexGuard<'_, HashMap<u64, u32>> {
        self.promised.lock().unwrap()
    }

    /// How many changes were echoed so far.
    pub(super) fn echoed(&self) -> u64 {
        self.promised().values().map(|clock| u64::from(*clock)).sum()
    }

    /// Waits until all nodes are well, and take changes of new writers and old ones.
    #[track_caller]
    pub(super) fn goes_on(&self) {
        let before = self.echoed();
        until(SOON, || self.nodes.iter().all(|node| node.health().0 == 200));
        until(SOON, || self.echoed() > before + 40 * self.nodes.len() as u64);
    }

    /// Nobody new comes until told.
    pub(super) fn close(&self, is_closed: bool) {
        self.is_closed.store(is_closed, Ordering::SeqCst);
    }

    fn write(&self, node: &Server) {
        let mut step = 0;
        let mut writer: Option<(u64, Client)> = None;
        while !self.has_ended.load(Ordering::SeqCst) {
            thread::sleep(WRITE_EVERY);
            match &mut writer {
                Some((id, client)) => {
                    step += 1;
                    client.set(&format!("{}", step % 20), &step.to_string());
                    let is_in = client.poll();
                    self.promised().insert(*id, client.saved);
                    if !is_in {
                        writer = None;
                    }
                }
                None => writer = self.come(node),
            }
        }
    }

    fn come(&self, node: &Server) -> Option<(u64, Client)> {
        if self.is_closed.load(Ordering::SeqCst) || node.health().0 != 200 {
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let mut client = Client::offline(id);
        client.aim(&path(self.board, &editor("writer", self.board)));
        client.try_reconnect(node.address()).then_some((id, client))
    }
}

/// Ends the load, also where a test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
