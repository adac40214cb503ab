//! What every store must do: one rule a test, tried on each way to store.
//!
//! Owns the rules of [`BoardLog`], [`Registry`] and [`Store`], also while the disk fails. Must not know how
//! anything is stored: what is about redb or its file is in `redb/tests`. A new way to store is a [`Place`],
//! and a line at the end of this file.

mod acts;
pub(super) mod assets;
mod audit;
pub(super) mod changes;
mod faults;
mod log;
mod owners;
mod ownership;
mod registry;
mod sessions;
mod trash;
mod versions;
mod whole;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use tempfile::TempDir;

use self::changes::*;
use super::owners::Quotas;
use super::postgres::proxy::Proxy;
use super::postgres::server::Postgres;
use super::postgres::{Address, PgStore};
use super::redb::simdisk::SimDisk;
use super::redb::{self, RedbStore};
use super::*;
use crate::access::secret::SecretKind;
use crate::audit::Entry;
use crate::ids::{Level, Subject};

/// Somewhere to store; there is nothing at first.
trait Place: Default {
    /// Opens what is stored there. Whatever was open on it is closed.
    fn open(&self, quotas: Quotas) -> Result<Box<dyn Store>, OpenError>;

    /// That each thing stored there belongs to something that is there, however it is stored.
    fn verify(&self);
}

/// A place that fails when it is told to.
trait Failing: Place {
    /// Lets so many more operations succeed, and then fails each one; `None` mends it.
    fn fail_after(&self, count: Option<u64>);
}

/// A data file.
struct File(TempDir);

impl Default for File {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Place for File {
    fn open(&self, quotas: Quotas) -> Result<Box<dyn Store>, OpenError> {
        let store = RedbStore::open(&self.0.path().join("boards.redb"))?;
        Ok(Box::new(store.with_quotas(quotas)))
    }

    fn verify(&self) {
        let report = redb::check(&self.0.path().join("boards.redb")).unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
}

impl Place for SimDisk {
    fn open(&self, quotas: Quotas) -> Result<Box<dyn Store>, OpenError> {
        Ok(Box::new(RedbStore::open_disk(self)?.with_quotas(quotas)))
    }

    fn verify(&self) {
        let report = RedbStore::open_disk(self).unwrap().check().unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
}

impl Failing for SimDisk {
    fn fail_after(&self, count: Option<u64>) {
        Self::fail_after(self, count);
    }
}

impl Place for memory::Disk {
    fn open(&self, quotas: Quotas) -> Result<Box<dyn Store>, OpenError> {
        Ok(Box::new(memory::MemoryStore::open(self, quotas)?))
    }

    fn verify(&self) {}
}

impl ownership::Shared for memory::Disk {
    type Handle = memory::MemoryStore;

    fn handle(&self, quotas: Quotas) -> memory::MemoryStore {
        memory::MemoryStore::open(self, quotas).unwrap()
    }

    fn pass(&self, time: Duration) {
        self.set_clock(self.clock() + time);
    }
}

impl Failing for memory::Disk {
    fn fail_after(&self, count: Option<u64>) {
        Self::fail_after(self, count);
    }
}

/// A schema in a database, at the end of a way that can be cut.
struct Schema {
    name: String,
    way: Proxy,
}

impl Default for Schema {
    fn default() -> Self {
        let server = Postgres::shared();
        Self {
            name: server.fresh_schema(),
            way: Proxy::to(server.port),
        }
    }
}

impl Schema {
    fn store(&self, quotas: Quotas) -> Result<PgStore, OpenError> {
        let url = Postgres::shared().url_by_port(self.way.port(), &self.name);
        PgStore::open(&Address::parse(&url).unwrap(), quotas)
    }
}

impl ownership::Shared for Schema {
    type Handle = PgStore;

    fn handle(&self, quotas: Quotas) -> PgStore {
        self.store(quotas).unwrap()
    }

    fn pass(&self, time: Duration) {
        let (schema, millis) = (&self.name, time.as_millis());
        let sooner = format!("UPDATE {schema}.nodes SET lease_end = lease_end - interval '{millis} ms'");
        Postgres::shared().ask(&sooner);
    }
}

impl Place for Schema {
    fn open(&self, quotas: Quotas) -> Result<Box<dyn Store>, OpenError> {
        Ok(Box::new(self.store(quotas)?))
    }

    fn verify(&self) {
        let schema = &self.name;
        // What belongs to no board that is there, and sizes that are not those of what is stored.
        let tables = [
            "states",
            "updates",
            "grants",
            "secrets",
            "webhooks",
            "assets",
            "versions",
            "version_chunks",
        ];
        let stray = tables.map(|table| {
            format!(
                "SELECT '{table}' FROM {schema}.{table} t WHERE NOT EXISTS (
                    SELECT FROM {schema}.boards b WHERE b.id = t.board AND (b.deleted_at IS NULL OR b.trashed))"
            )
        });
        let wrong = format!(
            "SELECT b.id FROM {schema}.boards b WHERE (deleted_at IS NULL OR trashed) AND (
                state_bytes <> coalesce((SELECT sum(octet_length(state)) FROM {schema}.states WHERE board = b.id), 0)
                OR log_bytes <> coalesce((SELECT sum(octet_length(updates)) FROM {schema}.updates WHERE board = b.id), 0))"
        );
        // Assets and uploads without all their parts, and parts of nothing.
        let parts = format!(
            "SELECT encode(id, 'hex') FROM (
                SELECT upload AS id, bytes, 1 AS begun FROM {schema}.assets
                UNION ALL SELECT id, bytes, begun_at FROM {schema}.uploads) u
             WHERE begun > 0 AND bytes <> coalesce(
                (SELECT sum(octet_length(bytes)) FROM {schema}.asset_parts WHERE upload = u.id), 0)
             UNION ALL SELECT encode(upload, 'hex') FROM {schema}.asset_parts p
             WHERE NOT EXISTS (SELECT FROM {schema}.assets WHERE upload = p.upload)
                AND NOT EXISTS (SELECT FROM {schema}.uploads WHERE id = p.upload)"
        );
        let stray = stray.join(" UNION ALL ");
        let found = Postgres::shared().ask(&format!("{stray} UNION ALL {wrong} UNION ALL {parts}"));
        assert_eq!(found, "");
    }
}

impl Failing for Schema {
    fn fail_after(&self, count: Option<u64>) {
        self.way.cut_after(count);
    }
}

/// A store on a place of its own, which is verified in the end.
struct Tried<P: Place> {
    place: P,
    quotas: Quotas,
    store: Option<Box<dyn Store>>,
}

/// An empty store.
fn fresh<P: Place>() -> Tried<P> {
    limited(Quotas::UNBOUNDED)
}

/// An empty store with bounds on what one owner may have.
fn limited<P: Place>(quotas: Quotas) -> Tried<P> {
    let place = P::default();
    Tried {
        store: Some(place.open(quotas).unwrap()),
        place,
        quotas,
    }
}

impl<P: Place> Deref for Tried<P> {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &**self.store.as_ref().unwrap()
    }
}

impl<P: Place> Drop for Tried<P> {
    fn drop(&mut self) {
        drop(self.store.take());
        if !std::thread::panicking() {
            self.place.verify();
        }
    }
}

impl<P: Place> Tried<P> {
    /// Closes the store and opens what is there anew, as another process does.
    fn restart(&mut self) {
        drop(self.store.take());
        self.store = Some(self.place.open(self.quotas).unwrap());
    }

    /// Commits changes that must all be done.
    fn done(&self, changes: &[Change]) {
        assert_eq!(self.commit(changes), Ok(vec![Applied::Done; changes.len()]));
    }

    /// Does one act, at a time no other act of the test has.
    fn does(&self, board: &str, what: Act) -> Applied {
        let at = 1_000 + self.entries(board).len() as u64;
        self.commit(&[act(board, at, what)]).unwrap().remove(0)
    }

    fn present(&self, board: &str) -> StoredBoard {
        match self.load(&id(board)) {
            Ok(Stored::Present(stored)) => stored,
            other => panic!("{board}: {other:?}"),
        }
    }

    /// The audit entries of a board, newest first.
    fn entries(&self, board: &str) -> Vec<Entry> {
        self.audit(&id(board), None, usize::MAX).unwrap()
    }

    /// All that is said about a board.
    fn told(&self, board: &str) -> String {
        let everyone = ["user:alice", "user:bob", "team:bob", "public"];
        let board = id(board);
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            self.load(&board),
            self.load_kept(&board),
            self.trashed(&board),
            self.summary(&board),
            self.access(&board, &asked(&everyone, &[])),
            self.grants(&board, None, usize::MAX),
            self.secrets(&board, SecretKind::Link, None, usize::MAX),
            self.secrets(&board, SecretKind::Key, None, usize::MAX),
            (
                self.webhooks(&board),
                self.versions(&board, None, usize::MAX),
                self.version_chunks(&board)
            ),
            self.assets(&board, None, usize::MAX),
            self.audit(&board, None, usize::MAX),
            self.list(&everything(), None, usize::MAX),
            self.trash(&everything(), None, usize::MAX),
        )
    }
}

/// Tries rules on a place.
macro_rules! tries {
    ($place:ty; $($topic:ident: $($rule:ident)+;)+) => {
        $(mod $topic {
            $(#[test]
            fn $rule() {
                crate::store::contract::$topic::$rule::<$place>();
            })+
        })+
    };
}

/// Tries the rules of every store.
macro_rules! keeps_the_rules {
    ($place:ty) => {
        tries! { $place;
            log:
                a_board_reads_back_as_it_was_written
                a_snapshot_replaces_the_log_that_it_covers
                changes_that_do_not_fit_leave_the_store_as_it_was
                updates_of_any_length_come_back_whole
                a_summary_says_how_much_is_stored
                an_id_is_used_once_in_whatever_order_boards_are_made
                what_was_committed_is_there_after_a_restart_and_nothing_works_after_closing;
            acts:
                each_act_has_its_outcome_and_an_entry_if_and_only_if_it_is_done
                who_owns_the_board_no_more_changes_nothing
                races_in_one_commit_are_decided_by_their_order
                a_grant_too_many_is_refused_and_replacing_one_never_is
                a_link_or_key_too_many_is_refused_unless_expired_ones_make_room
                a_key_is_paused_and_goes_on_and_nothing_else_of_it_changes
                a_webhook_is_kept_as_it_is_and_one_too_many_is_refused
                updating_a_board_changes_what_it_says_and_moves_it_to_its_new_owner
                deleting_a_board_removes_all_of_it_but_its_audit_entries_and_nothing_of_another;
            trash:
                a_board_in_the_trash_is_deleted_for_everybody_and_comes_back_as_it_was
                what_is_done_to_a_board_in_the_trash_finds_it_deleted
                who_owned_a_board_finds_it_in_the_trash_in_order_and_in_pages
                a_board_in_the_trash_counts_for_its_owner_until_it_is_gone
                a_board_goes_for_good_once_it_was_in_the_trash_for_so_long;
            versions:
                versions_are_kept_as_they_are_and_listed_newest_first_in_pages
                a_chunk_goes_with_the_last_version_that_has_it
                a_version_too_many_is_refused_unless_another_goes
                versions_stay_in_the_trash_and_go_with_their_board;
            registry:
                access_finds_what_was_asked_for_and_nothing_else
                links_and_keys_are_found_on_whatever_board
                grants_links_and_keys_are_listed_in_order_and_in_pages
                a_holders_boards_are_listed_once_each_in_order_and_in_pages;
            audit:
                entries_are_read_newest_first_and_one_under_the_same_key_replaces_the_old_one
                pruning_removes_what_is_older_from_all_boards_and_nothing_else;
            owners:
                an_owner_gets_so_many_boards_however_they_are_asked_for
                what_boards_take_is_counted_for_their_owner_through_their_life_and_after_a_restart
                a_board_is_given_to_who_has_room_for_its_bytes
                boards_given_in_one_commit_count_together;
            sessions:
                a_session_is_kept_as_it_is_renewed_and_revoked_once
                an_invitation_begins_one_session_also_after_that_was_revoked
                sessions_are_listed_in_order_and_in_pages_of_one_user_or_of_all
                sessions_that_are_over_are_removed_and_free_their_invitations
                a_session_too_many_is_refused;
            assets:
                an_upload_becomes_an_asset_that_is_read_back_part_by_part
                a_part_comes_once_and_in_its_order
                a_board_has_each_asset_once_and_no_more_than_it_may
                an_asset_that_is_not_named_is_removed_and_one_that_is_stays
                deleting_a_board_takes_its_assets_along_and_those_of_no_other
                what_uploads_leave_is_removed_a_little_at_a_time
                what_assets_take_lives;
            whole:
                a_board_that_was_imported_is_what_it_was_and_goes_on
                what_is_there_already_or_has_a_gap_is_not_imported
                ids_are_listed_with_what_became_of_them_in_order_and_in_pages;
        }
    };
}

/// Tries what must hold while the place fails.
macro_rules! keeps_the_rules_while_it_fails {
    ($place:ty) => {
        tries! { $place;
            faults:
                a_commit_that_fails_at_any_operation_is_done_whole_or_not_at_all
                after_a_failure_nothing_is_written_until_the_store_is_open_again
                a_probe_finds_what_a_commit_would_and_changes_nothing
                after_a_failed_commit_the_accounts_say_what_is_stored
                pruning_that_fails_is_a_failed_commit
                uploads_that_fail_at_any_operation_are_whole_or_not_there;
        }
    };
}

/// Tries what must hold where several nodes share the place.
macro_rules! keeps_the_rules_of_ownership {
    ($place:ty) => {
        tries! { $place;
            ownership:
                a_lease_holds_as_long_as_it_is_renewed_and_once_it_has_ended_it_is_never_renewed
                a_name_is_taken_from_who_has_it_only_at_the_start_of_a_process
                a_claim_takes_what_nobody_has_and_says_who_has_it_otherwise
                of_those_who_claim_at_once_one_gets_the_board
                a_room_writes_only_while_its_node_has_the_board_and_its_lease
                an_act_needs_no_claim_and_waits_for_who_has_the_board
                who_makes_a_board_has_it
                a_node_lets_go_of_its_own_boards_and_of_all_when_it_leaves
                what_a_node_commits_the_others_read_and_go_on_with
                what_an_owner_may_have_counts_the_boards_of_all_nodes
                who_never_joined_writes_what_nobody_has_and_nothing_else
                nodes_are_listed_with_what_they_have_and_how_long;
        }
    };
}

mod on_a_file {
    keeps_the_rules!(super::super::File);
}

mod on_a_simulated_disk {
    keeps_the_rules!(crate::store::redb::simdisk::SimDisk);
    keeps_the_rules_while_it_fails!(crate::store::redb::simdisk::SimDisk);
}

mod in_memory {
    keeps_the_rules!(crate::store::memory::Disk);
    keeps_the_rules_while_it_fails!(crate::store::memory::Disk);
    keeps_the_rules_of_ownership!(crate::store::memory::Disk);
}

mod in_postgres {
    keeps_the_rules!(super::super::Schema);
    keeps_the_rules_while_it_fails!(super::super::Schema);
    keeps_the_rules_of_ownership!(super::super::Schema);
}
