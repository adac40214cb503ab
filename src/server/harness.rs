//! Test support: a server without sockets.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::sync::Arc;

use smol::Executor;
use smol::channel::unbounded;

use crate::server::config::{Config, LogFormat, Machine, Setting, Values};
use crate::server::{Server, lifecycle};
use crate::store::Store;

/// A server with these flags over this store, and what runs its tasks. It commits at once.
pub(crate) fn server(flags: &[(&str, &str)], store: Arc<dyn Store>) -> (Arc<Server>, Arc<Executor<'static>>) {
    let executor = Arc::new(Executor::new());
    let (compactions, _) = unbounded();
    let server = lifecycle::build(config(flags), store, Arc::clone(&executor), compactions);
    (server.unwrap(), executor)
}

fn config(flags: &[(&str, &str)]) -> Config {
    let given = |setting: &'static Setting| {
        let mut flags = flags.iter().chain(&[("commit-window", "0ms")]);
        let flag = flags.find(|(name, _)| *name == setting.name);
        flag.map(|(_, text)| vec![(*text).to_owned()])
    };
    let secret = |name: &str| (name == "BOARDWIRE_JWT_SECRET").then(|| OsString::from("s".repeat(32)));
    let values = Values::gather(given, secret).unwrap();
    let machine = Machine {
        cores: NonZeroUsize::MIN,
        log_format: LogFormat::Json,
    };
    Config::from_values(&values, machine).unwrap()
}
