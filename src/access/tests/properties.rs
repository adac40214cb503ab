//! What holds in every world: random boards, grants and secrets, and whatever is sent.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

const USERS: [&str; 3] = ["ann", "bob", "cat"];
const TEAMS: [&str; 2] = ["design", "ops"];
const SECRETS: [&str; 5] = ["s0", "s1", "s2", "s3", "s4"];

fn a_user() -> impl Strategy<Value = UserId> {
    (0..USERS.len()).prop_map(|n| user(USERS[n]))
}

fn a_team() -> impl Strategy<Value = TeamId> {
    (0..TEAMS.len()).prop_map(|n| team(TEAMS[n]))
}

fn a_level() -> impl Strategy<Value = Level> {
    (0..3_usize).prop_map(|n| ALL_LEVELS[n])
}

fn a_kind() -> impl Strategy<Value = SecretKind> {
    prop_oneof![Just(SecretKind::Link), Just(SecretKind::Key)]
}

/// An end before, at, or after the present.
fn an_end() -> impl Strategy<Value = UnixMillis> {
    prop_oneof![3 => 101..300_u64, 1 => 98..=101_u64].prop_map(UnixMillis)
}

fn a_token() -> impl Strategy<Value = TokenRights> {
    let claimed = proptest::option::of(a_level());
    (
        a_user(),
        vec(a_team(), 0..3),
        prop::bool::weighted(0.1),
        claimed,
        an_end(),
    )
        .prop_map(|(user, teams, admin, claimed, expires_at)| TokenRights {
            user,
            teams: teams.into(),
            admin,
            claimed,
            expires_at,
            name: None,
            session: None,
        })
}

fn a_secret() -> impl Strategy<Value = SentSecret> {
    (a_kind(), 0..SECRETS.len()).prop_map(|(kind, n)| sent(kind, SECRETS[n]))
}

fn a_board() -> impl Strategy<Value = BoardFacts> {
    prop_oneof![
        1 => Just(BoardFacts::Absent),
        1 => Just(BoardFacts::Deleted),
        6 => proptest::option::of(a_user()).prop_map(|owner| BoardFacts::Present { owner }),
    ]
}

fn a_principal() -> impl Strategy<Value = Principal> {
    prop_oneof![
        a_user().prop_map(Principal::User),
        a_team().prop_map(Principal::Team),
        Just(Principal::Public),
    ]
}

fn stored_secrets() -> impl Strategy<Value = BTreeMap<SecretId, SecretFacts>> {
    let row = (
        a_kind(),
        prop::bool::weighted(0.7),
        a_level(),
        proptest::option::of(an_end()),
    );
    vec(proptest::option::weighted(0.8, row), SECRETS.len()).prop_map(|rows| {
        let row = |(n, row): (usize, Option<_>)| {
            let (kind, here, level, expires_at) = row?;
            let on = if here { "b" } else { "other" };
            let (id, facts) = stored(kind, SECRETS[n], on, level);
            Some((id, SecretFacts { expires_at, ..facts }))
        };
        rows.into_iter().enumerate().filter_map(row).collect()
    })
}

fn some_facts() -> impl Strategy<Value = Facts> {
    (
        a_board(),
        btree_map(a_principal(), a_level(), 0..4),
        stored_secrets(),
    )
        .prop_map(|(board, grants, secrets)| Facts {
            board,
            grants,
            secrets,
        })
}

fn some_credentials() -> impl Strategy<Value = Credentials> {
    (vec(a_token(), 0..3), vec(a_secret(), 0..4))
        .prop_map(|(tokens, secrets)| Credentials { tokens, secrets })
}

#[derive(Clone, Debug)]
struct World {
    facts: Facts,
    credentials: Credentials,
    mode: Mode,
    moment: Moment,
}

fn a_world() -> impl Strategy<Value = World> {
    let mode = prop_oneof![9 => Just(Mode::Standard), 1 => Just(Mode::Dev)];
    let moment = prop_oneof![Just(Moment::Request), Just(Moment::Connection)];
    (some_facts(), some_credentials(), mode, moment).prop_map(|(facts, credentials, mode, moment)| World {
        facts,
        credentials,
        mode,
        moment,
    })
}

impl World {
    fn decide_at(&self, now: u64) -> Decision {
        let question = question(&B, &self.facts, self.moment);
        let question = Question {
            mode: self.mode,
            now: UnixMillis(now),
            ..question
        };
        decide(&self.credentials, question)
    }

    fn decide(&self) -> Decision {
        self.decide_at(NOW.0)
    }

    fn is_valid(&self, sent: &SentSecret) -> bool {
        let row = self.facts.secrets.get(&sent.hash.id());
        row.is_some_and(|row| row.kind == sent.kind && row.expires_at.is_none_or(|end| end > NOW))
    }

    /// The same, with what is valid only.
    fn without_the_invalid(&self) -> Self {
        let mut world = self.clone();
        world.credentials.tokens.retain(|token| token.expires_at > NOW);
        world.credentials.secrets.retain(|sent| self.is_valid(sent));
        world
    }

    fn at(&self, moment: Moment) -> Self {
        Self {
            moment,
            ..self.clone()
        }
    }
}

static B: std::sync::LazyLock<BoardId> = std::sync::LazyLock::new(|| board("b"));

fn level(decision: &Decision) -> Option<Level> {
    match decision {
        Decision::Granted(grant) => Some(grant.level),
        Decision::Refused(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_further_valid_credential_never_lowers_the_level(
        world in a_world(), token in a_token(), secret in a_secret(), which in any::<bool>(), first in any::<bool>(),
    ) {
        for world in [world.clone(), world.without_the_invalid()] {
            let mut more = world.clone();
            let Credentials { tokens, secrets } = &mut more.credentials;
            if which && token.expires_at > NOW {
                tokens.insert(if first { 0 } else { tokens.len() }, token.clone());
            } else if world.is_valid(&secret) {
                secrets.insert(if first { 0 } else { secrets.len() }, secret.clone());
            }
            prop_assert!(level(&more.decide()) >= level(&world.decide()));
        }
    }

    #[test]
    fn without_anything_valid_only_the_public_grant_gives_a_level(mut world in a_world()) {
        world.credentials.tokens.retain(|token| token.expires_at <= NOW);
        let secrets = std::mem::take(&mut world.credentials.secrets);
        world.credentials.secrets = secrets.into_iter().filter(|sent| !world.is_valid(sent)).collect();
        let public = world.facts.grants.get(&Principal::Public).copied();
        if let Decision::Granted(grant) = world.decide() {
            let there = matches!(world.facts.board, BoardFacts::Present { .. });
            prop_assert!(there && Some(grant.level) == public);
            let anonymous = Grant { level: grant.level, subject: Subject::anonymous(), manage: Manage::No,
                create: None, ends_at: None };
            prop_assert_eq!(grant, anonymous);
        }
    }

    #[test]
    fn a_connection_has_what_a_request_with_its_valid_credentials_would_have(world in a_world()) {
        let connection = world.at(Moment::Connection).decide();
        let request = world.without_the_invalid().at(Moment::Request).decide();
        prop_assert!(level(&connection) <= level(&request));
        match (&world.facts.board, &connection) {
            (BoardFacts::Present { .. }, Decision::Granted(_)) => prop_assert_eq!(&connection, &request),
            (BoardFacts::Present { .. }, Decision::Refused(_)) => prop_assert_eq!(level(&request), None),
            _ => prop_assert_eq!(level(&connection), None),
        }
    }

    #[test]
    fn a_request_with_anything_invalid_is_refused_with_401(world in a_world()) {
        let world = world.at(Moment::Request);
        if world.without_the_invalid().credentials != world.credentials {
            let decision = world.decide();
            prop_assert!(matches!(
                decision,
                Decision::Refused(Fault::InvalidCredential | Fault::ExpiredCredential)
            ));
        }
    }

    #[test]
    fn the_order_of_credentials_decides_at_most_who_acts(world in a_world()) {
        let mut turned = world.clone();
        turned.credentials.tokens.reverse();
        turned.credentials.secrets.reverse();
        match (world.decide(), turned.decide()) {
            (Decision::Granted(a), Decision::Granted(b)) => {
                prop_assert_eq!((a.level, a.ends_at), (b.level, b.ends_at));
                prop_assert_eq!(a.create.is_some(), b.create.is_some());
                // Of two who may create, the first owns the board, and so manages it as one or the other.
                prop_assert_eq!(a.manage == Manage::No, b.manage == Manage::No);
            }
            (a, b) => prop_assert_eq!(level(&a), level(&b)),
        }
    }

    #[test]
    fn what_was_asked_for_is_all_that_counts(world in a_world()) {
        let asked = world.credentials.asked();
        let mut less = world.clone();
        less.facts.grants.retain(|principal, _| asked.principals.contains(principal));
        less.facts.secrets.retain(|id, _| asked.secrets.contains(id));
        prop_assert_eq!(less.decide(), world.decide());
    }

    #[test]
    fn managing_means_edit_and_creating_means_managing_what_never_was(world in a_world()) {
        if let Decision::Granted(grant) = world.decide() {
            let manages = grant.manage != Manage::No;
            prop_assert!(!manages || grant.level == Level::Edit);
            let absent = world.facts.board == BoardFacts::Absent && world.moment == Moment::Request;
            prop_assert_eq!(grant.create.is_some(), absent);
            prop_assert!(!absent || manages);
            prop_assert!(world.facts.board != BoardFacts::Deleted);
        }
    }

    #[test]
    fn a_grant_stands_until_its_end_and_must_be_decided_anew_then(world in a_world(), later in 100..320_u64) {
        if let Decision::Granted(grant) = world.decide() {
            prop_assert!(grant.ends_at.is_none_or(|end| end > NOW));
            if grant.ends_at.is_none_or(|end| later < end.0) {
                prop_assert_eq!(world.decide_at(later), Decision::Granted(grant));
            } else if world.moment == Moment::Request {
                prop_assert_eq!(world.decide_at(later), Decision::Refused(Fault::ExpiredCredential));
            }
        }
    }
}
