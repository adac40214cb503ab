//! What is about PostgreSQL, and no other store: TLS, roles, versions, and databases that cannot be used.

use super::server::Postgres;
use super::*;
use crate::access::secret::SecretKind;
use crate::store::Act;
use crate::store::contract::changes::{act, add_webhook, append, create, id, webhook};

fn open(url: &str) -> Result<PgStore, OpenError> {
    PgStore::open(&Address::parse(url).unwrap(), Quotas::UNBOUNDED)
}

fn refused(url: &str) -> Trouble {
    match open(url) {
        Err(OpenError::Database(trouble)) => trouble,
        other => panic!("{other:?}"),
    }
}

/// Makes the store's handle a node.
fn join(store: &PgStore) {
    let joining = Joining {
        name: "one".to_owned(),
        address: None,
        lease: Duration::from_secs(10),
        replaces: true,
    };
    assert!(matches!(store.join(&joining), Ok(Lease::Held(_))));
}

/// A certificate for `localhost` of an authority of its own, and the certificate of another authority.
const CERTIFICATES: &str = "
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem &&
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout other.key -out other.pem &&
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr &&
    printf 'subjectAltName=DNS:localhost' >names &&
    openssl x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out server.pem &&
    cp server.key server.pem data/ && chmod 600 data/server.key && chmod 755 . && chmod 644 ca.pem other.pem";

#[test]
fn who_asks_for_tls_gets_it_from_the_right_host_of_a_trusted_authority_or_not_at_all() {
    let server = Postgres::start_with(
        CERTIFICATES,
        &["ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server.key"],
    );
    let file = |name: &str| server.directory.join(name).display().to_string();
    let url = |host: &str, roots: &str| {
        let port = server.port;
        format!("postgres://owner:geheim@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={roots}")
    };
    let store = open(&url("localhost", &file("ca.pem"))).unwrap();
    store.commit(&[create("a"), append("a", 1, "1")]).unwrap();
    let encrypted =
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_port > 0";
    assert_eq!(server.ask(encrypted), "t");
    for (host, roots, words) in [
        ("127.0.0.1", "ca.pem", "not valid for name"),
        ("localhost", "other.pem", "UnknownIssuer"),
        ("localhost", "missing.pem", "missing.pem"),
    ] {
        match refused(&url(host, &file(roots))) {
            Trouble::Tls(said) => assert!(said.contains(words), "{host} {roots}: {said}"),
            other => panic!("{host} {roots}: {other:?}"),
        }
    }
    // One that does not speak it is not spoken to in clear.
    let plain = Postgres::shared();
    let url = plain.url(&plain.fresh_schema()) + "&sslmode=verify-full";
    assert!(matches!(refused(&url), Trouble::Tls(said) if said.contains("does not speak TLS")));
}

#[test]
fn a_role_that_may_make_nothing_uses_the_tables_that_are_there() {
    let server = Postgres::shared();
    let schema = server.fresh_schema();
    let port = server.port;
    let role = format!("{schema}_node");
    server.ask(&format!("CREATE ROLE {role} LOGIN PASSWORD 'geheim2'"));
    let url = format!("postgres://{role}:geheim2@127.0.0.1:{port}/postgres?schema={schema}");
    assert_eq!(refused(&url), Trouble::NoSchema);
    drop(open(&server.url(&schema)).unwrap());
    server.ask(&format!(
        "GRANT USAGE ON SCHEMA {schema} TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
    ));
    let store = open(&url).unwrap();
    join(&store);
    assert_eq!(store.commit(&[create("a")]), Ok(vec![Applied::Done]));
    assert_eq!(store.claim(&id("a")), Ok(Whereabouts::Here));
    assert_eq!(store.probe(), Ok(()));
}

#[test]
fn a_database_that_cannot_be_used_is_refused_in_words_that_say_why() {
    let server = Postgres::shared();
    let schema = server.fresh_schema();
    drop(open(&server.url(&schema)).unwrap());
    let port = server.port;
    let at = |whom: &str, port: u16, database: &str| {
        refused(&format!(
            "postgres://{whom}@127.0.0.1:{port}/{database}?schema={schema}"
        ))
    };
    assert_eq!(at("owner:wrong", port, "postgres"), Trouble::SignIn);
    assert_eq!(at("owner:geheim", port, "nowhere"), Trouble::NoDatabase);
    assert_eq!(
        at("owner:geheim", 1, "postgres"),
        Trouble::Unreachable(std::io::ErrorKind::ConnectionRefused)
    );
    server.ask(&format!("UPDATE {schema}.format SET version = 9"));
    assert_eq!(
        at("owner:geheim", port, "postgres"),
        Trouble::NewerSchema { found: 9, known: 4 }
    );
    let latin = format!("{schema}_latin");
    server.ask(&format!(
        "CREATE DATABASE {latin} ENCODING LATIN1 TEMPLATE template0"
    ));
    assert_eq!(
        at("owner:geheim", port, &latin),
        Trouble::Encoding("LATIN1".to_owned())
    );
    let standby = format!("{schema}_standby");
    server.ask(&format!("CREATE DATABASE {standby}"));
    server.ask(&format!(
        "ALTER DATABASE {standby} SET default_transaction_read_only = on"
    ));
    assert_eq!(at("owner:geheim", port, &standby), Trouble::ReadOnly);
}

#[test]
fn tables_of_version_1_are_migrated_once_and_keep_what_is_in_them() {
    let server = Postgres::shared();
    let schema = server.fresh_schema();
    let make = schema::MAKE.join(";");
    // The hash is that of "abc", and the id its beginning.
    server.ask(&format!(
        "CREATE SCHEMA {schema}; SET search_path TO {schema}; {make};
         INSERT INTO boards (id, created_at, updated_at) VALUES ('a', 1, 1);
         INSERT INTO secrets (id, board, kind, hash, level, created_by, created_at)
            VALUES ('ungWv48Bz-pBQUDe', 'a', 'key',
                '\\xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'edit', 'user:alice', 1)"
    ));
    let url = server.url(&schema);
    let version = || server.ask(&format!("SELECT version FROM {schema}.format"));
    assert_eq!(version(), "1");
    // Who only reads does not migrate.
    let read_only = PgStore::open_by(&Address::parse(&url).unwrap(), Quotas::UNBOUNDED, schema::expect);
    assert_eq!(read_only.map(drop), Err(Trouble::NoSchema.into()));
    assert_eq!(version(), "1");
    std::thread::scope(|scope| {
        let opening = [(); 4].map(|()| scope.spawn(|| open(&url).map(drop)));
        assert!(opening.into_iter().all(|one| one.join().unwrap() == Ok(())));
    });
    assert_eq!(version(), "4");
    let store = open(&url).unwrap();
    let keys = || store.secrets(&id("a"), SecretKind::Key, None, 9).unwrap();
    let [(key, kept)] = &keys()[..] else { panic!() };
    assert!(!kept.facts.paused);
    let pause = Act::Pause {
        id: key.clone(),
        paused: true,
    };
    let changes = [act("a", 30, pause), act("a", 31, add_webhook(1))];
    assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 2]));
    assert!(keys()[0].1.facts.paused);
    assert_eq!(store.webhooks(&id("a")), Ok(vec![webhook(1)]));
}

#[test]
fn two_who_open_an_empty_database_at_once_make_the_tables_once() {
    let server = Postgres::shared();
    let url = server.url(&server.fresh_schema());
    std::thread::scope(|scope| {
        let opening = [(); 4].map(|()| scope.spawn(|| open(&url).map(drop)));
        assert!(opening.into_iter().all(|one| one.join().unwrap() == Ok(())));
    });
}

#[test]
fn titles_may_have_zero_bytes() {
    use crate::store::contract::changes::act;
    let server = Postgres::shared();
    let store = open(&server.url(&server.fresh_schema())).unwrap();
    let title = Some("a\0b\\0".to_owned());
    let change = act(
        "a",
        1,
        Act::Create {
            owner: None,
            title: title.clone(),
        },
    );
    assert_eq!(store.commit(&[change]), Ok(vec![Applied::Done]));
    match store.summary(&id("a")) {
        Ok(Stored::Present(summary)) => assert_eq!(summary.record.title, title),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_state_of_the_largest_board_goes_in_and_out() {
    use crate::store::contract::changes::snapshot;
    let server = Postgres::shared();
    let store = open(&server.url(&server.fresh_schema())).unwrap();
    let state = vec![7; 30 * 1024 * 1024];
    let changes = [create("a"), append("a", 1, "1"), snapshot("a", 1, state.clone())];
    assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; 3]));
    assert!(
        matches!(store.load(&id("a")), Ok(Stored::Present(board)) if board.snapshot == Some((1, state.into())))
    );
}

/// Connections that the database, or something on the way, closed while nobody used them.
#[test]
fn connections_that_were_closed_meanwhile_are_made_anew_and_nothing_fails() {
    let server = Postgres::start();
    let store = open(&server.url("boardwire")).unwrap();
    assert_eq!(store.commit(&[create("a")]), Ok(vec![Applied::Done]));
    assert!(store.summary(&id("a")).is_ok());
    server.ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE client_port > 0");
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE client_port > 0";
    while server.ask(gone) != "0" {}
    assert_eq!(store.commit(&[append("a", 1, "1")]), Ok(vec![Applied::Done]));
    assert!(store.summary(&id("a")).is_ok());
}

/// What is said while the database is away, and that it goes on from what was committed.
#[test]
fn a_database_that_was_away_is_opened_again_with_all_that_was_committed() {
    let server = Postgres::start();
    let store = open(&server.url("boardwire")).unwrap();
    assert_eq!(store.commit(&[create("a")]), Ok(vec![Applied::Done]));
    for (sequence, crash) in [(1, false), (2, true)] {
        if crash {
            server.crash()
        } else {
            server.stop()
        }
        let refused = StoreError::Database(Trouble::Unreachable(std::io::ErrorKind::ConnectionRefused));
        let change = append("a", sequence, "1");
        assert_eq!(store.commit(std::slice::from_ref(&change)), Err(refused.clone()));
        assert!(refused.is_outage());
        assert_eq!(store.reopen(), Err(StoreError::Open(refused.into())));
        server.start_again();
        assert_eq!(store.reopen(), Ok(()));
        assert_eq!(store.commit(&[change]), Ok(vec![Applied::Done]));
    }
    assert!(matches!(store.load(&id("a")), Ok(Stored::Present(board)) if board.last_sequence() == 2));
}

#[test]
fn who_waits_for_a_board_that_is_locked_holds_nobody_up_who_only_asks() {
    let server = Postgres::shared();
    let url = server.url(&server.fresh_schema());
    let (store, other) = (open(&url).unwrap(), open(&url).unwrap());
    store.commit(&[create("a"), create("b")]).unwrap();
    join(&store);
    let lock = [
        sql("BEGIN"),
        sql("SELECT id FROM boards WHERE id = 'a' FOR UPDATE"),
    ];
    let held = other.links.with(Purpose::Commit, |link| -> Result<(), Trouble> {
        link.run(&lock, limits::DATABASE_ANSWER_TIME_MAX)?;
        std::thread::scope(|scope| {
            let claims = scope.spawn(|| store.claim(&id("a")));
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            while server.ask(waits) == "0" {}
            assert_eq!(store.whereabouts(&id("b")), Ok(Whereabouts::Nobody));
            assert!(!claims.is_finished());
            link.run(&[sql("COMMIT")], limits::DATABASE_ANSWER_TIME_MAX)?;
            assert_eq!(claims.join().unwrap(), Ok(Whereabouts::Here));
            Ok(())
        })
    });
    assert_eq!(held, Ok(()));
}

#[test]
fn a_reader_that_panics_gives_its_place_back() {
    let server = Postgres::shared();
    let store = open(&server.url(&server.fresh_schema())).unwrap();
    for _ in 0..limits::DATABASE_READERS_MAX {
        let panics = || {
            store
                .links
                .with(Purpose::Read, |_| -> Result<(), Trouble> { panic!("planted") })
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    }
    assert_eq!(store.summary(&id("a")), Ok(Stored::Absent));
}
