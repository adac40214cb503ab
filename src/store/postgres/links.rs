//! All connections to a database: how many there are, for what, and until when.
//!
//! Owns [`Links`]. Must not know what is asked. Key invariants: a link is used by one at a time, and by
//! nobody any more once it has failed or the store was opened anew; the lease never waits for anything else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio_postgres::Row;

use super::super::Trouble;
use super::address::{Address, Tls};
use super::link::{Link, Statement, sql};
use crate::limits;
use crate::tls::Verifier;

/// A link, and how often the store had been opened when it was made.
type Aged = (u64, Link);

/// For what a connection is.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// Changes; there is one.
    Commit,
    /// The lease; there is one, which waits for nobody.
    Lease,
    /// Taking boards and letting them go; there is one.
    Boards,
    /// All else.
    Read,
}

#[derive(Default)]
struct Readers {
    idle: Vec<Aged>,
    busy: usize,
}

/// The connections of one store.
pub(super) struct Links {
    address: Address,
    verifier: Mutex<Option<Verifier>>,
    age: AtomicU64,
    commit: Mutex<Option<Aged>>,
    lease: Mutex<Option<Aged>>,
    boards: Mutex<Option<Aged>>,
    readers: Mutex<Readers>,
    freed: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Links {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            verifier: Mutex::new(None),
            age: AtomicU64::new(0),
            commit: Mutex::new(None),
            lease: Mutex::new(None),
            boards: Mutex::new(None),
            readers: Mutex::new(Readers::default()),
            freed: Condvar::new(),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Lets nobody use a link that there is now: the database behind it may not be the one that is used next.
    pub(super) fn renew(&self) {
        self.age.fetch_add(1, Ordering::AcqRel);
        lock(&self.readers).idle.clear();
        // Whoever holds one just now drops it in the end.
        for one in [&self.commit, &self.lease, &self.boards] {
            if let Ok(mut held) = one.try_lock() {
                *held = None;
            }
        }
    }

    /// Uses a link. It is kept where that succeeds, and dropped where it fails.
    pub(super) fn with<T, E: From<Trouble>>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&mut Link) -> Result<T, E>,
    ) -> Result<T, E> {
        match purpose {
            Purpose::Commit => self.with_one(&mut lock(&self.commit), work),
            Purpose::Lease => self.with_one(&mut lock(&self.lease), work),
            Purpose::Boards => self.with_one(&mut lock(&self.boards), work),
            Purpose::Read => self.with_one(&mut self.take_reader()?.held, work),
        }
    }

    /// Asks something that is one statement, or several of one moment.
    pub(super) fn read(&self, statements: Vec<Statement<'_>>) -> Result<Vec<Vec<Row>>, Trouble> {
        self.with(Purpose::Read, |link| read(link, statements))
    }

    fn with_one<T, E: From<Trouble>>(
        &self,
        place: &mut Option<Aged>,
        work: impl FnOnce(&mut Link) -> Result<T, E>,
    ) -> Result<T, E> {
        let age = self.age.load(Ordering::Acquire);
        let usable = place.take().filter(|(of, _)| *of == age).map(|(_, link)| link);
        let alive = usable.and_then(|mut link| link.is_alive().then_some(link));
        let mut link = alive.map_or_else(|| self.open(), Ok)?;
        let done = work(&mut link)?;
        *place = Some((age, link));
        Ok(done)
    }

    fn open(&self) -> Result<Link, Trouble> {
        let verifier = match &self.address.tls {
            Tls::Off => None,
            Tls::Verified(file) => {
                let mut known = lock(&self.verifier);
                if known.is_none() {
                    *known = Some(Verifier::new(file.as_deref())?);
                }
                known.clone()
            }
        };
        Link::open(&self.address, verifier.as_ref())
    }

    /// Waits for one of so many readers; it may have no link yet.
    fn take_reader(&self) -> Result<Reader<'_>, Trouble> {
        let readers = lock(&self.readers);
        let crowded = |readers: &mut Readers| readers.busy >= limits::DATABASE_READERS_MAX;
        let limit = limits::DATABASE_ANSWER_TIME_MAX;
        let waited = self.freed.wait_timeout_while(readers, limit, crowded);
        let (mut readers, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(Trouble::TimedOut);
        }
        readers.busy += 1;
        let held = readers.idle.pop();
        Ok(Reader { of: self, held })
    }
}

/// One of so many readers, until it is dropped; also where its work panics.
struct Reader<'a> {
    of: &'a Links,
    held: Option<Aged>,
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut readers = lock(&self.of.readers);
        readers.busy -= 1;
        readers.idle.extend(self.held.take());
        self.of.freed.notify_one();
    }
}

/// As [`Links::read`], on a link that one has. Several statements see the same moment.
fn read(link: &mut Link, mut statements: Vec<Statement<'_>>) -> Result<Vec<Vec<Row>>, Trouble> {
    let limit = limits::DATABASE_ANSWER_TIME_MAX;
    if statements.len() < 2 {
        return link.run(&statements, limit);
    }
    statements.insert(0, sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    statements.push(sql("COMMIT"));
    let mut answers = link.run(&statements, limit)?;
    answers.pop();
    answers.drain(..1);
    Ok(answers)
}
