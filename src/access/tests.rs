//! Tests of the decision: by example, over every combination against an oracle, and by properties of random
//! worlds.

mod combinations;
mod properties;

use super::*;
use crate::jwt::{Algorithm, Keys, NewClaims, Secret, Verifier, mint};

/// The present of every test.
const NOW: UnixMillis = UnixMillis(100);

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn team(id: &str) -> TeamId {
    TeamId::parse(id).unwrap()
}

fn board(id: &str) -> BoardId {
    BoardId::parse(id).unwrap()
}

fn owned_by(id: &str) -> BoardFacts {
    BoardFacts::Present {
        owner: Some(user(id)),
    }
}

/// A token of `id` that says nothing else, valid for a while.
fn token(id: &str) -> TokenRights {
    TokenRights {
        user: user(id),
        teams: Box::default(),
        admin: false,
        claimed: None,
        expires_at: UnixMillis(400),
        name: None,
        session: None,
    }
}

fn claiming(id: &str, level: Level) -> TokenRights {
    TokenRights {
        claimed: Some(level),
        ..token(id)
    }
}

fn admin(id: &str) -> TokenRights {
    TokenRights {
        admin: true,
        ..token(id)
    }
}

/// A link or key as it is sent.
fn sent(kind: SecretKind, text: &str) -> SentSecret {
    SentSecret {
        kind,
        hash: SecretHash::of(text),
    }
}

/// What is stored of it.
fn stored(kind: SecretKind, text: &str, on: &str, level: Level) -> (SecretId, SecretFacts) {
    let hash = SecretHash::of(text);
    let facts = SecretFacts {
        paused: false,
        kind,
        board: board(on),
        hash,
        level,
        expires_at: None,
    };
    (hash.id(), facts)
}

fn facts(board: BoardFacts) -> Facts {
    Facts {
        board,
        grants: BTreeMap::new(),
        secrets: BTreeMap::new(),
    }
}

/// The question about board `b` in a standard server.
fn question<'a>(board: &'a BoardId, facts: &'a Facts, moment: Moment) -> Question<'a> {
    Question {
        board,
        facts,
        mode: Mode::Standard,
        moment,
        now: NOW,
    }
}

/// In short: level, who, and `m` for an owner's and `a` for an admin's management, `c` for create; or the
/// refusal.
fn words(decision: &Decision) -> String {
    match decision {
        Decision::Refused(fault) => fault.to_string(),
        Decision::Granted(grant) => {
            let manage = match &grant.manage {
                Manage::No => "",
                Manage::Owner(owner) if Subject::user(owner) == grant.subject => " m",
                Manage::Owner(_) => " m?",
                Manage::Admin => " a",
            };
            let create = if grant.create.is_some() { " c" } else { "" };
            format!(
                "{} {}{manage}{create}",
                grant.level.as_str(),
                grant.subject.as_str()
            )
        }
    }
}

/// What a request with these tokens and secrets is told about board `b`.
fn request(tokens: &[TokenRights], secrets: &[SentSecret], facts: &Facts) -> String {
    decided(tokens, secrets, facts, Moment::Request)
}

fn decided(tokens: &[TokenRights], secrets: &[SentSecret], facts: &Facts, moment: Moment) -> String {
    let credentials = Credentials {
        tokens: tokens.to_vec(),
        secrets: secrets.to_vec(),
    };
    words(&decide(&credentials, question(&board("b"), facts, moment)))
}

/// Claims of alice, as they come out of the verifier, on board `b`.
fn verified(level: Option<Level>, admin: bool) -> TokenRights {
    let mut new = NewClaims::new(user("alice"), UnixMillis(0), UnixMillis(1_000_000));
    new.boards = level.map(|level| (board("b"), level)).into_iter().collect();
    new.boards.push((board("other"), Level::Edit));
    new.teams = vec![team("design")];
    new.admin = admin;
    let secret = Secret::new(*b"secret");
    let text = mint(&secret, Algorithm::Hs256, None, &new.to_json());
    let claims = Verifier::new(Keys::single(secret)).verify(&text, UnixMillis(0));
    TokenRights::on(&board("b"), &claims.unwrap())
}

#[test]
fn every_token_is_decided_as_the_contract_says() {
    use Level::{Comment, Edit, View};
    let boards = [
        BoardFacts::Absent,
        owned_by("alice"),
        owned_by("bob"),
        BoardFacts::Present { owner: None },
    ];
    const NONE: &str = "no permission";
    const OWN: &str = "edit user:alice m";
    const MAKES: &str = "edit user:alice m c";
    const EDIT: &str = "edit user:alice";
    const ADMIN: [&str; 4] = [
        "edit user:alice a c",
        "edit user:alice a",
        "edit user:alice a",
        "edit user:alice a",
    ];
    const DEV: [&str; 4] = [MAKES, OWN, EDIT, EDIT];
    // Claimed level, admin; then what comes of it, by what the board is, outside and in --dev.
    type Row = (Option<Level>, bool, [&'static str; 4], [&'static str; 4]);
    let table: [Row; 8] = [
        (None, false, ["no such board", OWN, NONE, NONE], DEV),
        (
            Some(View),
            false,
            ["no such board", OWN, "view user:alice", "view user:alice"],
            DEV,
        ),
        (
            Some(Comment),
            false,
            ["no such board", OWN, "comment user:alice", "comment user:alice"],
            DEV,
        ),
        (Some(Edit), false, [MAKES, OWN, EDIT, EDIT], DEV),
        (None, true, ADMIN, ADMIN),
        (Some(View), true, ADMIN, ADMIN),
        (Some(Comment), true, ADMIN, ADMIN),
        (Some(Edit), true, ADMIN, ADMIN),
    ];
    let id = board("b");
    for (level, admin, standard, dev) in table {
        let credentials = Credentials {
            tokens: vec![verified(level, admin)],
            secrets: Vec::new(),
        };
        for (mode, row) in [(Mode::Standard, standard), (Mode::Dev, dev)] {
            let told = |board: &BoardFacts| {
                let facts = facts(board.clone());
                let question = question(&id, &facts, Moment::Request);
                let decision = decide(&credentials, Question { mode, ..question });
                if let Decision::Granted(grant) = &decision {
                    assert_eq!(grant.ends_at, Some(UnixMillis(1_030_000)), "exp and the leeway");
                    assert!(grant.create.as_ref().is_none_or(|owner| *owner == user("alice")));
                }
                words(&decision)
            };
            for (board, expected) in boards.iter().zip(row) {
                let got = told(board);
                assert_eq!(
                    got, expected,
                    "claim {level:?}, admin {admin}, {board:?}, {mode:?}"
                );
            }
            assert_eq!(told(&BoardFacts::Deleted), "board deleted");
        }
    }
}

#[test]
fn without_a_credential_nothing_is_told_but_of_public_boards() {
    for board in [
        BoardFacts::Absent,
        BoardFacts::Deleted,
        BoardFacts::Present { owner: None },
        owned_by("alice"),
    ] {
        assert_eq!(request(&[], &[], &facts(board)), "no credential");
    }
    for level in ALL_LEVELS {
        let mut public = facts(owned_by("alice"));
        public.grants.insert(Principal::Public, level);
        let expected = format!("{} anonymous", level.as_str());
        assert_eq!(request(&[], &[], &public), expected);
        public.board = BoardFacts::Deleted;
        assert_eq!(request(&[], &[], &public), "no credential");
    }
}

const ALL_LEVELS: [Level; 3] = [Level::View, Level::Comment, Level::Edit];

#[test]
fn a_secret_of_another_board_is_403_whether_there_is_such_a_board_or_not() {
    for kind in [SecretKind::Link, SecretKind::Key] {
        for board in [BoardFacts::Absent, BoardFacts::Deleted, owned_by("alice")] {
            let mut facts = facts(board);
            facts.secrets.extend([stored(kind, "s", "other", Level::Edit)]);
            assert_eq!(request(&[], &[sent(kind, "s")], &facts), "no permission");
        }
    }
}

#[test]
fn a_secret_of_a_board_in_the_trash_learns_that_it_was_deleted() {
    for kind in [SecretKind::Link, SecretKind::Key] {
        let mut facts = facts(BoardFacts::Deleted);
        facts.secrets.extend([
            stored(kind, "s", "b", Level::View),
            stored(kind, "t", "other", Level::Edit),
        ]);
        assert_eq!(request(&[], &[sent(kind, "s")], &facts), "board deleted");
        assert_eq!(request(&[], &[sent(kind, "t")], &facts), "no permission");
    }
}

#[test]
fn a_secret_of_another_board_acts_for_nobody_here() {
    let (key, link) = (SecretKind::Key, SecretKind::Link);
    let mut facts = facts(owned_by("alice"));
    facts.secrets.extend([
        stored(key, "foreign", "other", Level::Edit),
        stored(link, "here", "b", Level::View),
    ]);
    let here = format!("view link:{}", SecretHash::of("here").id().as_str());
    assert_eq!(
        request(&[], &[sent(key, "foreign"), sent(link, "here")], &facts),
        here
    );
    facts.grants.insert(Principal::Public, Level::Comment);
    assert_eq!(
        request(&[], &[sent(key, "foreign")], &facts),
        "comment anonymous",
        "the public grant holds for whoever sends something useless too"
    );
}

#[test]
fn a_user_acts_also_where_a_key_gives_the_level_and_a_key_rather_than_a_link() {
    let (key, link) = (SecretKind::Key, SecretKind::Link);
    let mut facts = facts(owned_by("bob"));
    facts.secrets.extend([
        stored(key, "k", "b", Level::Comment),
        stored(link, "l", "b", Level::Edit),
    ]);
    let secrets = [sent(key, "k"), sent(link, "l")];
    assert_eq!(request(&[token("alice")], &secrets, &facts), "edit user:alice");
    assert_eq!(request(&[token("bob")], &secrets, &facts), "edit user:bob m");
    let expected = format!("edit key:{}", SecretHash::of("k").id().as_str());
    assert_eq!(request(&[], &secrets, &facts), expected);
}

#[test]
fn of_two_tokens_the_manager_acts_then_the_higher_level_then_the_first() {
    let facts = facts(owned_by("bob"));
    let (bob, ann, cat) = (token("bob"), claiming("ann", Level::Edit), token("cat"));
    for (tokens, expected) in [
        ([bob.clone(), ann.clone()], "edit user:bob m"),
        ([ann.clone(), bob.clone()], "edit user:bob m"),
        ([cat.clone(), ann.clone()], "edit user:ann"),
        ([ann.clone(), cat.clone()], "edit user:ann"),
        ([claiming("cat", Level::View), ann.clone()], "edit user:ann"),
        ([claiming("cat", Level::Edit), ann.clone()], "edit user:cat"),
        ([ann.clone(), claiming("cat", Level::Edit)], "edit user:ann"),
        ([admin("root"), bob.clone()], "edit user:root a"),
        ([bob.clone(), admin("root")], "edit user:bob m"),
        ([cat.clone(), admin("root")], "edit user:root a"),
        ([cat, token("dan")], "no permission"),
        ([bob, admin("bob")], "edit user:bob m"),
        ([admin("bob"), token("bob")], "edit user:bob a"),
    ] {
        assert_eq!(request(&tokens, &[], &facts), expected);
    }
}

#[test]
fn the_first_token_that_may_creates_a_missing_board() {
    let facts = facts(BoardFacts::Absent);
    let (ann, cat) = (claiming("ann", Level::Edit), claiming("cat", Level::View));
    for (tokens, expected) in [
        ([ann.clone(), admin("root")], "edit user:ann m c"),
        ([admin("root"), ann.clone()], "edit user:root a c"),
        ([cat.clone(), ann], "edit user:ann m c"),
        ([cat, token("dan")], "no such board"),
    ] {
        assert_eq!(request(&tokens, &[], &facts), expected);
    }
}

#[test]
fn an_open_connection_creates_nothing_and_is_told_what_it_lost() {
    let (key, admin) = (SecretKind::Key, [admin("root")]);
    let connection = |tokens: &[TokenRights], secrets: &[SentSecret], board: BoardFacts| {
        decided(tokens, secrets, &facts(board), Moment::Connection)
    };
    assert_eq!(connection(&admin, &[], BoardFacts::Absent), "no such board");
    assert_eq!(connection(&admin, &[], BoardFacts::Deleted), "board deleted");
    let gone = [sent(key, "gone")];
    assert_eq!(connection(&[], &gone, BoardFacts::Deleted), "board deleted");
    assert_eq!(connection(&[], &gone, owned_by("a")), "expired credential");
    assert_eq!(
        connection(&[token("b")], &gone, owned_by("a")),
        "expired credential"
    );
    assert_eq!(connection(&[token("a")], &gone, owned_by("a")), "edit user:a m");
    assert_eq!(connection(&[token("b")], &[], owned_by("a")), "no permission");
    assert_eq!(
        connection(&[], &[], owned_by("a")),
        "no permission",
        "it was public"
    );
}

#[test]
fn of_several_invalid_credentials_the_first_is_told() {
    let facts = facts(owned_by("alice"));
    let expired = TokenRights {
        expires_at: NOW,
        ..token("alice")
    };
    let unknown = [sent(SecretKind::Key, "unknown")];
    assert_eq!(request(&[expired], &unknown, &facts), "expired credential");
    assert_eq!(
        request(&[token("alice")], &unknown, &facts),
        "invalid credential",
        "whatever the others are"
    );
}

#[test]
fn credentials_end_at_their_very_millisecond() {
    let link = SecretKind::Link;
    for (ends, token_told, link_told) in [
        (99, "expired credential", "expired credential"),
        (100, "expired credential", "expired credential"),
        (101, "edit user:alice m", "view link:"),
    ] {
        let mut facts = facts(owned_by("alice"));
        let (id, secret) = stored(link, "l", "b", Level::View);
        let expires_at = Some(UnixMillis(ends));
        facts.secrets.insert(id, SecretFacts { expires_at, ..secret });
        let alice = TokenRights {
            expires_at: UnixMillis(ends),
            ..token("alice")
        };
        assert_eq!(request(&[alice], &[], &facts), token_told);
        assert!(request(&[], &[sent(link, "l")], &facts).starts_with(link_told));
    }
}

#[test]
fn what_is_asked_are_the_tokens_principals_the_public_and_the_secrets() {
    let credentials = Credentials {
        tokens: vec![verified(None, false), token("bob")],
        secrets: vec![sent(SecretKind::Key, "abc")],
    };
    let asked = credentials.asked();
    let principals: Vec<String> = asked.principals.iter().map(ToString::to_string).collect();
    assert_eq!(principals, ["user:alice", "team:design", "user:bob", "public"]);
    assert_eq!(asked.secrets, [SecretHash::of("abc").id()]);
    assert_eq!(Credentials::default().asked().principals, [Principal::Public]);
}

#[test]
fn debug_output_shows_no_secret() {
    let hash = SecretHash::of("bw_abc");
    let credentials = Credentials {
        tokens: Vec::new(),
        secrets: vec![sent(SecretKind::Key, "bw_abc")],
    };
    let (_, stored) = stored(SecretKind::Key, "bw_abc", "b", Level::Edit);
    let shown = format!("{credentials:?} {stored:?}");
    let bytes = format!("{:?}", hash.0);
    assert!(
        !shown.contains("bw_") && !shown.contains(hash.id().as_str()),
        "{shown}"
    );
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}
