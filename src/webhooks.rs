//! Webhooks: what happens on a board is sent to other servers.
//!
//! Owns `Webhooks`: which webhooks there are of boards that are, or were, in memory here, and what became
//! of their deliveries. Must not find out by itself what happens on a board; `room::feed` tells. Key
//! invariants: nothing waits for a receiver, and nothing fails by one; what is new or deleted counts at once;
//! private addresses are not reached unless a setting allows it. Tests: tests/it/webhooks.rs.

mod delivery;
pub(crate) mod payload;
mod tries;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smol::channel::Sender;
use smol::lock::Semaphore;

use crate::boards::hooks::{Delivery, Hooks, Tap};
use crate::boards::host::Host;
use crate::client::{Address, Client, is_public};
use crate::ids::BoardId;
use crate::limits;
use crate::metrics::webhooks::WebhookMetrics;
use crate::store::{StoredWebhook, WebhookId};

/// `--webhook-private-addresses`: to which addresses webhooks may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To those of the Internet.
    Public,
    /// Also to those of this machine and of private networks.
    Private,
}

/// A board that is in memory, as one webhook sees it.
struct Feeding {
    tap: Tap,
    /// The update at which the board came into memory; `None` where the webhook is new, and has missed
    /// nothing.
    at: Option<u64>,
}

/// One webhook.
struct Running {
    board: BoardId,
    webhook: StoredWebhook,
    address: Address,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether its board is in memory.
    is_following: bool,
    /// The update of the board up to which it has been told, while that is known.
    through: Option<u64>,
    /// Why the next delivery begins with `reset`, if it does.
    missed: Option<&'static str>,
    delivery: Option<Delivery>,
}

/// A webhook and the ways to its task, which ends when this is dropped.
struct Entry {
    running: Arc<Running>,
    feedings: Sender<Feeding>,
    _gone: Sender<Infallible>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    fn set_following(&self, is_following: bool) {
        lock(&self.state).is_following = is_following;
    }

    /// The board has come into memory at this update. Where that is not the one up to which the webhook has
    /// been told, it has missed something, or may have: after a start of the server, and after another one
    /// has had the board.
    fn begin(&self, at: Option<u64>) {
        let mut state = lock(&self.state);
        if at.is_some() && state.through != at {
            state.missed.get_or_insert("loaded");
        }
    }

    fn note_through(&self, through: Option<u64>) {
        let mut state = lock(&self.state);
        state.through = through.or(state.through);
    }

    fn missed(&self) -> Option<&'static str> {
        lock(&self.state).missed
    }

    fn note_missed(&self, missed: Option<&'static str>) {
        lock(&self.state).missed = missed;
    }

    fn note_delivery(&self, delivery: impl FnOnce(Option<Delivery>) -> Delivery) {
        let mut state = lock(&self.state);
        state.delivery = Some(delivery(state.delivery.take()));
    }

    /// How the last try went, in words.
    fn why(&self) -> String {
        let state = lock(&self.state);
        match state.delivery.as_ref().map(|delivery| &delivery.outcome) {
            Some(Ok(status)) => format!("status {status}"),
            Some(Err(words)) => words.clone(),
            None => String::new(),
        }
    }
}

/// All webhooks of boards that are, or were, in memory here.
pub(crate) struct Webhooks {
    client: Client,
    reach: Reach,
    host: Arc<dyn Host>,
    metrics: WebhookMetrics,
    /// Permits for requests.
    sending: Semaphore,
    /// Permits for those among them that are tries again.
    trying_again: Semaphore,
    entries: Mutex<BTreeMap<(BoardId, WebhookId), Entry>>,
    /// Itself, for its tasks.
    me: std::sync::Weak<Self>,
}

impl Webhooks {
    /// None yet.
    pub(crate) fn new(reach: Reach, host: Arc<dyn Host>, metrics: WebhookMetrics) -> Arc<Self> {
        let may_reach = match reach {
            Reach::Public => is_public,
            Reach::Private => |_| true,
        };
        Arc::new_cyclic(|me| Self {
            client: Client::new(may_reach),
            reach,
            host,
            metrics,
            sending: Semaphore::new(limits::WEBHOOKS_AT_ONCE_MAX),
            trying_again: Semaphore::new(limits::WEBHOOK_RETRIES_AT_ONCE_MAX),
            entries: Mutex::default(),
            me: me.clone(),
        })
    }

    /// Has a webhook's task follow its board, which is begun where there is none.
    fn feed(&self, board: &BoardId, webhook: StoredWebhook, feeding: Option<Feeding>) {
        let key = (board.clone(), webhook.id.clone());
        let mut entries = lock(&self.entries);
        if !entries.contains_key(&key) {
            let Some(entry) = self.begin(board, webhook) else {
                return;
            };
            forget_one(&mut entries);
            entries.insert(key.clone(), entry);
        }
        if let (Some(entry), Some(feeding)) = (entries.get(&key), feeding) {
            // The task takes them as long as there is an entry.
            drop(entry.feedings.try_send(feeding));
        }
    }

    fn begin(&self, board: &BoardId, webhook: StoredWebhook) -> Option<Entry> {
        let (Ok(address), Some(me)) = (Address::parse(&webhook.url), self.me.upgrade()) else {
            tracing::error!(%board, webhook = webhook.id.as_str(), "a stored webhook has no address");
            return None;
        };
        let running = Arc::new(Running {
            board: board.clone(),
            webhook,
            address,
            state: Mutex::default(),
        });
        let (feedings, fed) = smol::channel::unbounded();
        let (gone, is_gone) = smol::channel::bounded(1);
        self.host
            .start(Box::pin(me.keep(Arc::clone(&running), fed, is_gone)));
        Some(Entry {
            running,
            feedings,
            _gone: gone,
        })
    }
}

/// Makes room for one more, where too many are remembered.
fn forget_one(entries: &mut BTreeMap<(BoardId, WebhookId), Entry>) {
    if entries.len() < limits::WEBHOOKS_REMEMBERED_MAX {
        return;
    }
    let idle = entries
        .iter()
        .find(|(_, entry)| !lock(&entry.running.state).is_following)
        .map(|(key, _)| key.clone());
    if let Some(idle) = idle {
        entries.remove(&idle);
    }
}

impl Hooks for Webhooks {
    fn loaded(&self, board: &BoardId, at: u64, taps: Vec<(StoredWebhook, Tap)>) {
        for (webhook, tap) in taps {
            self.feed(board, webhook, Some(Feeding { tap, at: Some(at) }));
        }
    }

    fn added(&self, board: &BoardId, webhook: StoredWebhook, tap: Option<Tap>) {
        self.feed(board, webhook, tap.map(|tap| Feeding { tap, at: None }));
    }

    fn removed(&self, board: &BoardId, webhook: &WebhookId) {
        lock(&self.entries).remove(&(board.clone(), webhook.clone()));
    }

    fn deleted(&self, board: &BoardId) {
        lock(&self.entries).retain(|(of, _), _| of != board);
    }

    fn delivery(&self, board: &BoardId, webhook: &WebhookId) -> Option<Delivery> {
        let entries = lock(&self.entries);
        let entry = entries.get(&(board.clone(), webhook.clone()))?;
        lock(&entry.running.state).delivery.clone()
    }

    fn address(&self, text: &str) -> Result<String, String> {
        let address = Address::parse(text).map_err(|error| error.to_string())?;
        match address.ip() {
            Some(ip) if self.reach == Reach::Public && !is_public(ip) => {
                Err("must be a public address; --webhook-private-addresses=on allows others".to_owned())
            }
            _ => Ok(address.as_str().to_owned()),
        }
    }
}
