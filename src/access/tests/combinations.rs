//! Every combination of board, token, grants, link, key, mode and moment, against an oracle that is written
//! as the contract reads and shares nothing with the decision.

use super::*;

/// What a link or key is that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    /// Of this board, with its end.
    Here(Level, Option<UnixMillis>),
    Elsewhere,
    Expired,
    /// Of this board, with edit, and paused.
    Paused,
    /// Revoked, or never made.
    Missing,
    /// A link sent as a key, or the reverse.
    OtherKind,
    /// Of the same id, and another text.
    OtherHash,
}

const fn secrets(view: Option<u64>, comment: Option<u64>, edit: Option<u64>) -> [Sent; 10] {
    const fn end(millis: Option<u64>) -> Option<UnixMillis> {
        match millis {
            None => None,
            Some(millis) => Some(UnixMillis(millis)),
        }
    }
    [
        Sent::Nothing,
        Sent::Here(Level::View, end(view)),
        Sent::Here(Level::Comment, end(comment)),
        Sent::Here(Level::Edit, end(edit)),
        Sent::Elsewhere,
        Sent::Expired,
        Sent::Paused,
        Sent::Missing,
        Sent::OtherKind,
        Sent::OtherHash,
    ]
}

/// Some end before the token's 400 and some after.
const LINKS: [Sent; 10] = secrets(Some(500), None, Some(300));
const KEYS: [Sent; 10] = secrets(None, Some(350), None);

impl Sent {
    fn add(self, kind: SecretKind, text: &str, credentials: &mut Credentials, facts: &mut Facts) {
        if self == Self::Nothing {
            return;
        }
        credentials.secrets.push(sent(kind, text));
        let (id, mut row) = stored(kind, text, "b", Level::Edit);
        match self {
            Self::Nothing | Self::Missing => return,
            Self::Here(level, end) => (row.level, row.expires_at) = (level, end),
            Self::Elsewhere => row.board = board("other"),
            Self::Expired => row.expires_at = Some(NOW),
            Self::Paused => row.paused = true,
            Self::OtherKind if kind == SecretKind::Link => row.kind = SecretKind::Key,
            Self::OtherKind => row.kind = SecretKind::Link,
            Self::OtherHash => row.hash = SecretHash::of("another"),
        }
        facts.secrets.insert(id, row);
    }

    /// Why it is refused, if it is invalid.
    fn complaint(self, moment: Moment) -> Option<Fault> {
        match self {
            Self::Nothing | Self::Here(..) | Self::Elsewhere => None,
            Self::Expired => Some(Fault::ExpiredCredential),
            Self::Paused => Some(Fault::AgentPaused),
            Self::Missing | Self::OtherKind | Self::OtherHash => Some(match moment {
                Moment::Request => Fault::InvalidCredential,
                Moment::Connection => Fault::ExpiredCredential,
            }),
        }
    }
}

/// What alice's token says, if one was sent.
#[derive(Clone, Copy, Debug)]
struct Token {
    expired: bool,
    admin: bool,
    claimed: Option<Level>,
}

/// To whom something is granted: alice, the team design, the team ops, the public.
#[derive(Clone, Copy, Debug)]
struct Grants([Option<Level>; 4]);

impl Grants {
    fn stored(self) -> BTreeMap<Principal, Level> {
        let whom = [
            Principal::User(user("alice")),
            Principal::Team(team("design")),
            Principal::Team(team("ops")),
            Principal::Public,
        ];
        // Grants to others, of like names, that must count for nothing.
        let others = [
            Principal::User(user("bob")),
            Principal::User(user("design")),
            Principal::User(user("public")),
            Principal::Team(team("alice")),
            Principal::Team(team("sales")),
        ];
        let given = whom
            .into_iter()
            .zip(self.0)
            .filter_map(|(whom, level)| Some((whom, level?)));
        given.chain(others.map(|other| (other, Level::Edit))).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Board {
    Absent,
    Deleted,
    Alices,
    Bobs,
    Nobodys,
}

impl Board {
    const ALL: [Self; 5] = [
        Self::Absent,
        Self::Deleted,
        Self::Alices,
        Self::Bobs,
        Self::Nobodys,
    ];

    fn stored(self) -> BoardFacts {
        match self {
            Self::Absent => BoardFacts::Absent,
            Self::Deleted => BoardFacts::Deleted,
            Self::Alices => owned_by("alice"),
            Self::Bobs => owned_by("bob"),
            Self::Nobodys => BoardFacts::Present { owner: None },
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Case {
    board: Board,
    token: Option<Token>,
    grants: Grants,
    link: Sent,
    key: Sent,
    mode: Mode,
    moment: Moment,
}

impl Case {
    /// Why credentials of the case are refused, in the order in which they were sent.
    fn complaints(self) -> Vec<Fault> {
        let expired = self.token.is_some_and(|token| token.expired);
        let token = expired.then_some(Fault::ExpiredCredential);
        let secrets = [self.key, self.link].map(|secret| secret.complaint(self.moment));
        token.into_iter().chain(secrets.into_iter().flatten()).collect()
    }

    fn valid_token(self) -> Option<Token> {
        self.token.filter(|token| !token.expired)
    }

    fn no_secret(self) -> bool {
        (self.key, self.link) == (Sent::Nothing, Sent::Nothing)
    }

    fn is_paused(self) -> bool {
        [self.key, self.link].contains(&Sent::Paused)
    }

    fn has_secret_of_it(self) -> bool {
        [self.key, self.link]
            .iter()
            .any(|sent| matches!(sent, Sent::Here(..)))
    }

    /// Why a case comes to nothing before any level is looked at.
    fn early_refusal(self) -> Option<Fault> {
        // "One that is sent but invalid is a refusal (401), never ignored."
        let complaint = self.complaints().first().copied();
        if self.moment == Moment::Request && complaint.is_some() {
            return complaint;
        }
        // "A WebSocket of it is closed", whatever the public, or a token beside it, may do.
        if self.moment == Moment::Connection && self.is_paused() && self.board != Board::Deleted {
            return Some(Fault::AgentPaused);
        }
        match (self.board, self.moment, self.valid_token()) {
            (Board::Deleted, Moment::Connection, _) | (Board::Deleted, _, Some(_)) => {
                Some(Fault::BoardDeleted)
            }
            (Board::Absent, Moment::Connection, _) => Some(complaint.unwrap_or(Fault::NoSuchBoard)),
            (Board::Absent, Moment::Request, Some(token)) => {
                let may = token.admin || self.mode == Mode::Dev || token.claimed == Some(Level::Edit);
                (!may).then_some(Fault::NoSuchBoard)
            }
            (Board::Absent | Board::Deleted, Moment::Request, None) if self.no_secret() => {
                Some(Fault::NoCredential)
            }
            // "A board that is deleted is 410" for whoever has a link or key of it, which are in the trash
            // too.
            (Board::Deleted, Moment::Request, None) if self.has_secret_of_it() => Some(Fault::BoardDeleted),
            (Board::Absent | Board::Deleted, Moment::Request, None) => Some(Fault::NoPermission),
            (Board::Alices | Board::Bobs | Board::Nobodys, _, _) => None,
        }
    }

    /// Why a case comes to nothing where the board is there and nothing gives a level.
    fn late_refusal(self) -> Fault {
        match self.moment {
            Moment::Connection if !self.complaints().is_empty() => Fault::ExpiredCredential,
            Moment::Request if self.valid_token().is_none() && self.no_secret() => Fault::NoCredential,
            _ => Fault::NoPermission,
        }
    }
}

/// What the contract says about a case, read top to bottom.
fn oracle(case: Case) -> Decision {
    if let Some(fault) = case.early_refusal() {
        return Decision::Refused(fault);
    }
    let token = case.valid_token();
    let secrets = [case.key, case.link].map(|secret| match secret {
        Sent::Here(level, end) => Some((level, end)),
        _ => None,
    });
    // From here on there is a board, or one is made.
    let creates = case.board == Board::Absent;
    let [by_user, by_design, by_ops, by_public] = case.grants.0;
    let may = |level: Level| {
        let reaches = |given: Option<Level>| given.is_some_and(|given| given >= level);
        let by_token = token.is_some_and(|token| {
            token.admin
                || case.mode == Mode::Dev
                || case.board == Board::Alices
                || [token.claimed, by_user, by_design, by_ops]
                    .map(reaches)
                    .contains(&true)
        });
        let by_secret = secrets.iter().flatten().any(|(given, _)| *given >= level);
        by_token || by_secret || reaches(by_public)
    };
    let Some(level) = [Level::Edit, Level::Comment, Level::View]
        .into_iter()
        .find(|level| may(*level))
    else {
        return Decision::Refused(case.late_refusal());
    };
    let id = |text: &str| SecretHash::of(text).id();
    let subject = match (token, secrets) {
        (Some(_), _) => Subject::user(&user("alice")),
        (None, [Some(_), _]) => Subject::key(&id("key")),
        (None, [None, Some(_)]) => Subject::link(&id("link")),
        (None, [None, None]) => Subject::anonymous(),
    };
    let manage = match token {
        Some(token) if token.admin => Manage::Admin,
        Some(_) if creates || case.board == Board::Alices => Manage::Owner(user("alice")),
        _ => Manage::No,
    };
    let ends = secrets.iter().flatten().filter_map(|(_, end)| *end);
    Decision::Granted(Grant {
        level,
        subject,
        manage,
        create: creates.then(|| user("alice")),
        ends_at: ends.chain(token.map(|_| UnixMillis(400))).min(),
    })
}

const LEVELS: [Option<Level>; 4] = [None, Some(Level::View), Some(Level::Comment), Some(Level::Edit)];

/// No token, and every one.
fn tokens() -> Vec<Option<Token>> {
    let mut all = vec![None];
    for expired in [false, true] {
        for admin in [false, true] {
            all.extend(LEVELS.map(|claimed| {
                Some(Token {
                    expired,
                    admin,
                    claimed,
                })
            }));
        }
    }
    all
}

/// Every grant to alice and to the public, with every pair of two teams' grants that could hide one another.
fn grants() -> Vec<Grants> {
    let teams = [
        [None, None],
        [Some(Level::View), None],
        [None, Some(Level::Edit)],
        [Some(Level::Comment), Some(Level::View)],
    ];
    let mut all = Vec::new();
    for user in LEVELS {
        for public in LEVELS {
            all.extend(teams.map(|[design, ops]| Grants([user, design, ops, public])));
        }
    }
    all
}

/// The credentials of a case; those of the secrets, which facts speak of, are given.
fn with_token(secrets: &Credentials, token: Option<Token>) -> Credentials {
    let rights = token.map(|token| TokenRights {
        user: user("alice"),
        teams: [team("design"), team("ops")].into(),
        admin: token.admin,
        claimed: token.claimed,
        expires_at: UnixMillis(if token.expired { 100 } else { 400 }),
        name: None,
        session: None,
    });
    Credentials {
        tokens: rights.into_iter().collect(),
        secrets: secrets.secrets.clone(),
    }
}

/// Checks all cases of one link and one key, and counts them.
fn check(link: Sent, key: Sent, grants: &[(Grants, BTreeMap<Principal, Level>)]) -> usize {
    let id = board("b");
    let mut sent = Credentials::default();
    let mut facts = facts(BoardFacts::Absent);
    Sent::add(key, SecretKind::Key, "key", &mut sent, &mut facts);
    Sent::add(link, SecretKind::Link, "link", &mut sent, &mut facts);
    let tokens: Vec<_> = tokens()
        .into_iter()
        .map(|token| (token, with_token(&sent, token)))
        .collect();
    let mut checked = 0;
    for (granted, rows) in grants {
        facts.grants.clone_from(rows);
        for board in Board::ALL {
            facts.board = board.stored();
            for (token, credentials) in &tokens {
                for mode in [Mode::Standard, Mode::Dev] {
                    for moment in [Moment::Request, Moment::Connection] {
                        let case = Case {
                            board,
                            token: *token,
                            grants: *granted,
                            link,
                            key,
                            mode,
                            moment,
                        };
                        let question = question(&id, &facts, moment);
                        let got = decide(credentials, Question { mode, ..question });
                        assert_eq!(got, oracle(case), "{case:?}");
                        checked += 1;
                    }
                }
            }
        }
    }
    checked
}

#[test]
fn every_combination_is_decided_as_the_oracle_says() {
    let grants: Vec<_> = grants().into_iter().map(|case| (case, case.stored())).collect();
    let mut checked = 0;
    for link in LINKS {
        for key in KEYS {
            checked += check(link, key, &grants);
        }
    }
    assert_eq!(checked, 10 * 10 * 64 * 5 * 17 * 4, "none was left out");
}
