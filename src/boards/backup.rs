//! Pages of a backup, while everything else goes on.
//!
//! Owns how a page is gathered, and how often. Must not know where it goes. Key invariants: what was durable
//! when a backup began is in it, of each board all of one moment; one page is read at a time, and all of them
//! together take a fifth of one thread. Tests are below, and in tests/it/backup.rs.

use std::sync::Arc;

use bytes::Bytes;
use smol::future::FutureExt as _;
use smol::lock::{Semaphore, SemaphoreGuardArc};

use crate::boards::host::Task;
use crate::boards::{Boards, host};
use crate::fault::causes;
use crate::ids::BoardId;
use crate::limits;
use crate::store::pages::{Page, Place};
use crate::store::{Store, StoreError, WhichSessions, Whole};

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Backups(Arc<Semaphore>);

impl Backups {
    /// Nobody's.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits for its turn, until `late` is over.
    async fn turn(&self, late: Task) -> Option<SemaphoreGuardArc> {
        let turn = async { Some(self.0.acquire_arc().await) };
        let late = async {
            late.await;
            None
        };
        turn.or(late).await
    }
}

/// A page, ready to be sent.
#[derive(Debug)]
pub(crate) struct Ready {
    /// As `store::pages` writes it.
    pub(crate) bytes: Bytes,
    /// Boards that are not in it, since they cannot be read.
    pub(crate) unreadable: Vec<(BoardId, String)>,
    /// Whether it is the last one.
    pub(crate) is_last: bool,
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum NoPage {
    /// Others had their turn for too long.
    Busy,
    /// The store failed as a whole.
    Failed,
    /// Its pages are damaged, so that nobody knows what is in it.
    Damaged,
}

impl Boards {
    /// The page that begins at `place`.
    ///
    /// # Cancellation
    /// A page that is being read is read, and dropped.
    pub(crate) async fn backup_page(self: &Arc<Self>, place: Place) -> Result<Ready, NoPage> {
        let late = self.host.sleep(limits::BACKUP_WAIT_MAX);
        let turn = self.backups.turn(late).await.ok_or(NoPage::Busy)?;
        if place == Place::START {
            // What was accepted until now is to be in it; what was lost meanwhile nobody was told of as
            // saved.
            drop(self.settled().await);
        }
        let began = self.now().tick;
        let store = Arc::clone(&self.store);
        let page = host::unblock(&self.host, move || gather(&*store, place).map(ready)).await;
        let rest = self.now().tick.since(began) * limits::BACKUP_REST_TIMES;
        let rested = self.host.sleep(rest);
        self.spawn(async move {
            rested.await;
            drop(turn);
        });
        page.map_err(|error| {
            tracing::error!(error = causes(&error), "no page of a backup");
            match error {
                StoreError::Unreadable(_) => NoPage::Damaged,
                _ => NoPage::Failed,
            }
        })
    }
}

fn ready(page: Page) -> Ready {
    Ready {
        bytes: page.encode().into(),
        is_last: page.next.is_none(),
        unreadable: page.unreadable,
    }
}

/// Reads a page. A board that cannot be read is said to be so, and the others come.
fn gather(store: &dyn Store, place: Place) -> Result<Page, StoreError> {
    let after = match place {
        Place::Board(after) => after,
        Place::Part(upload, first) => {
            let mut page = Page::default();
            let mut weight = 0_usize;
            for part in first.. {
                let Some(bytes) = store.asset_part(upload, part)? else {
                    break;
                };
                weight = weight.saturating_add(bytes.len());
                page.parts.push((upload, part, bytes));
                if weight >= limits::BACKUP_PAGE_BYTES {
                    break;
                }
            }
            return Ok(page);
        }
        Place::Session(after) => {
            let which = WhichSessions::default();
            let sessions = store.sessions(&which, after.as_ref(), limits::BACKUP_PAGE_BOARDS_MAX)?;
            let next = sessions.last().map(|last| Place::Session(Some(last.id())));
            return Ok(Page {
                next,
                sessions,
                ..Page::default()
            });
        }
    };
    let mut page = Page::default();
    // The one before is among them.
    let used = store.used(after.as_ref(), limits::BACKUP_PAGE_BOARDS_MAX.saturating_add(1))?;
    let mut weight = 0_usize;
    let further = used.iter().filter(|used| Some(&used.board) != after.as_ref());
    for used in further.take(limits::BACKUP_PAGE_BOARDS_MAX) {
        let found = match used.became {
            Ok(_) => Whole::read(store, &used.board),
            Err(cause) => Err(StoreError::Unreadable(cause)),
        };
        match found {
            Ok(Some(whole)) => {
                weight = weight.saturating_add(whole.weight());
                page.boards.push(whole);
            }
            Ok(None) => {}
            Err(error) if error.is_outage() => return Err(error),
            Err(error) => page.unreadable.push((used.board.clone(), causes(&error))),
        }
        page.next = Some(Place::Board(Some(used.board.clone())));
        if weight >= limits::BACKUP_PAGE_BYTES {
            break;
        }
    }
    page.next.get_or_insert(Place::Session(None));
    Ok(page)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::audit::{Action, Actor, Entry, EntryKey};
    use crate::ids::{Level, Principal};
    use crate::store::front::Front;
    use crate::store::memory::MemoryStore;
    use crate::store::{Act, Applied, Change, Damage, Life, Stored, StoredBoard};
    use crate::time::UnixMillis;

    fn id(text: &str) -> BoardId {
        BoardId::parse(text).unwrap()
    }

    fn act(board: &str, n: u32, act: Act) -> Change {
        let key = EntryKey { at: UnixMillis(5), n };
        Change::Act {
            board: id(board),
            act,
            as_owner: None,
            entry: Box::new(Entry::new(key, Actor::unknown(), Action::BoardUpdate)),
        }
    }

    fn create(board: &str) -> Change {
        let (owner, title) = (None, None);
        act(board, 0, Act::Create { owner, title })
    }

    fn done(store: &dyn Store, changes: &[Change]) {
        assert_eq!(store.commit(changes), Ok(vec![Applied::Done; changes.len()]));
    }

    #[test]
    fn one_page_is_read_at_a_time_and_who_waits_too_long_is_told() {
        smol::block_on(async {
            let backups = Backups::new();
            let at_once = || Box::pin(async {}) as Task;
            let turn = backups.turn(at_once()).await;
            assert!(turn.is_some(), "nobody is before it");
            assert!(backups.turn(at_once()).await.is_none());
            drop(turn);
            assert!(backups.turn(at_once()).await.is_some());
        });
    }

    #[test]
    fn pages_have_every_board_once_and_end_at_their_bounds() {
        let store = MemoryStore::default();
        let most = limits::BACKUP_PAGE_BOARDS_MAX;
        let boards: Vec<String> = (0..=most).map(|n| format!("b{n:04}")).collect();
        for board in &boards {
            done(&store, &[create(board)]);
        }
        let mut place = Some(Place::START);
        let (mut seen, mut sizes) = (Vec::new(), Vec::new());
        while let Some(at) = place {
            let page = gather(&store, at).unwrap();
            sizes.push(page.boards.len());
            seen.extend(page.boards.iter().map(|whole| whole.board.as_str().to_owned()));
            place = page.next;
        }
        assert_eq!(seen, boards);
        assert_eq!(sizes, [most, 1, 0, 0], "and one of sessions");

        // A board that fills the page ends it.
        let update = vec![0; limits::BACKUP_PAGE_BYTES].into();
        let append = Change::Append {
            board: id("b0000"),
            sequence: 1,
            update,
            at: UnixMillis(6),
        };
        done(&store, &[append]);
        assert_eq!(gather(&store, Place::START).unwrap().boards.len(), 1);
    }

    /// A store in which somebody is granted something whenever a document was just read, so many times.
    struct Hasty(MemoryStore, AtomicUsize);

    impl Front for Hasty {
        fn behind(&self) -> &dyn Store {
            &self.0
        }

        fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
            let found = self.behind().load(board);
            let left = self.1.fetch_sub(1, Ordering::Relaxed);
            if left > 0 {
                let n = u32::try_from(left).unwrap();
                let title = Some(Some(format!("title {n}")));
                let principal = Principal::parse(&format!("user:u{n}")).unwrap();
                let level = Level::View;
                let changes = [
                    act("b", 100 - 2 * n, Act::Update { title, owner: None }),
                    act("b", 101 - 2 * n, Act::Grant { principal, level }),
                ];
                done(&self.0, &changes);
            } else {
                self.1.store(0, Ordering::Relaxed);
            }
            found
        }
    }

    #[test]
    fn a_board_that_is_changed_while_it_is_read_is_read_again() {
        let store = Hasty(MemoryStore::default(), AtomicUsize::new(3));
        done(&store.0, &[create("b")]);
        let page = gather(&store, Place::START).unwrap();
        let Life::Live(living) = &page.boards[0].life else {
            unreachable!()
        };
        assert_eq!(living.document.record.title.as_deref(), Some("title 1"));
        assert_eq!(living.grants.len(), 3);
        assert_eq!(page.boards[0].audit.len(), 7);
    }

    /// A store of which one board cannot be read.
    struct Rotten(MemoryStore);

    impl Front for Rotten {
        fn behind(&self) -> &dyn Store {
            &self.0
        }

        fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
            match board.as_str() {
                "b" => Err(StoreError::Unreadable(Damage::Checksum)),
                _ => self.behind().load(board),
            }
        }
    }

    #[test]
    fn a_board_that_cannot_be_read_is_named_and_the_others_come() {
        let store = Rotten(MemoryStore::default());
        done(&store.0, &["a", "b", "c"].map(create));
        let page = gather(&store, Place::START).unwrap();
        let ids: Vec<&str> = page.boards.iter().map(|whole| whole.board.as_str()).collect();
        assert_eq!(ids, ["a", "c"]);
        let [(board, cause)] = &page.unreadable[..] else {
            unreachable!()
        };
        assert_eq!(board.as_str(), "b");
        assert!(cause.contains("a row does not match its checksum"), "{cause}");
    }
}
