//! Access: which level a request has on a board, and whether the board is created for it.
//!
//! Owns the one decision, [`decide`], from credentials that were verified and facts that were looked up, and
//! where in a request credentials stand ([`Presented`]). Must not verify, look up or remember anything. Key
//! invariants: nothing is granted without a credential or a public grant that says so, and a board is created
//! only where none ever was. Tests: `access/tests.rs`, over every combination.
//!
//! # Who learns what
//! Without a credential the answer is 401 whatever the board is, unless it is public: a stranger cannot find
//! out which boards exist. Whoever holds a valid token is told 404 for a board that never existed, 410 for a
//! deleted one and 403 for one that is somebody else's, so that an application can tell a wrong link from a
//! missing grant. A link or key is bound to its board; alone it gives 403 everywhere else, whether there is
//! such a board or not, and beside a credential that gives something it is merely of no use. One that was
//! revoked is gone, and cannot be told from one that never was: 401. Ids that must not be guessed are the
//! random ones the server makes.

pub(crate) mod presented;
pub mod secret;

use std::collections::BTreeMap;

pub use presented::Presented;

use crate::access::secret::{SecretHash, SecretKind};
use crate::fault::Fault;
use crate::ids::{BoardId, Level, Principal, SecretId, Subject, TeamId, UserId};
use crate::jwt::Claims;
use crate::time::UnixMillis;

/// What a request or connection came with, as far as it matters for one board; small, since a connection
/// keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Of the JWTs, each verified, in the order sent: none, one, or one each from header and query.
    pub tokens: Vec<TokenRights>,
    /// Of the links and keys that were sent, each to be looked up.
    pub secrets: Vec<SentSecret>,
}

/// What a verified token says about one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRights {
    /// `sub`.
    pub user: UserId,
    /// `teams`.
    pub teams: Box<[TeamId]>,
    /// Whether `role` is `admin`.
    pub admin: bool,
    /// The level that the claim `boards` gives on the board.
    pub claimed: Option<Level>,
    /// When the token ends: `exp` and the leeway, exclusive.
    pub expires_at: UnixMillis,
    /// `name`.
    pub name: Option<Box<str>>,
    /// The session of a browser that stands for a token.
    pub session: Option<SecretId>,
}

impl TokenRights {
    /// What `claims` say about `board`.
    #[must_use]
    pub fn on(board: &BoardId, claims: &Claims) -> Self {
        Self {
            user: claims.user.clone(),
            teams: claims.teams.clone().into(),
            admin: claims.admin,
            claimed: claims.level(board),
            expires_at: claims.expires_at,
            name: claims.name.clone(),
            session: claims.session.clone(),
        }
    }

    /// As what it manages a board of `owner`. An admin who owns it is an admin: that does not end with a
    /// transfer.
    fn manage(&self, owner: Option<&UserId>) -> Manage {
        if self.admin {
            Manage::Admin
        } else if owner == Some(&self.user) {
            Manage::Owner(self.user.clone())
        } else {
            Manage::No
        }
    }

    /// To whom a grant must be for this token to have it; the public is everybody.
    fn principals(&self) -> impl Iterator<Item = Principal> {
        principals(&self.user, &self.teams)
    }
}

/// A link or key as it was sent: its hash, never its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentSecret {
    /// As which of the two it was sent.
    pub kind: SecretKind,
    /// The hash of its text.
    pub hash: SecretHash,
}

/// To whom a grant must be for a user who is in these teams to have it; the public is everybody.
pub fn principals(user: &UserId, teams: &[TeamId]) -> impl Iterator<Item = Principal> {
    let teams = teams.iter().cloned().map(Principal::Team);
    std::iter::once(Principal::User(user.clone())).chain(teams)
}

/// Who asks for something that needs a JWT and is about no one board.
///
/// # Errors
/// [`Fault::InvalidCredential`], [`Fault::ExpiredCredential`] or [`Fault::AgentPaused`] for a link or key
/// that is not valid, [`Fault::NoCredential`] for nothing, [`Fault::NoPermission`] for a link or key alone.
pub fn identify(
    sent: &[SentSecret],
    known: &BTreeMap<SecretId, SecretFacts>,
    claims: &[Claims],
    now: UnixMillis,
) -> Result<(), Fault> {
    for sent in sent {
        find(sent, known, Moment::Request, now)?;
    }
    match (claims, sent) {
        ([], []) => Err(Fault::NoCredential),
        ([], _) => Err(Fault::NoPermission),
        _ => Ok(()),
    }
}

impl Credentials {
    /// Those of tokens alone.
    #[must_use]
    pub fn of_tokens(board: &BoardId, claims: &[Claims]) -> Self {
        Self {
            tokens: claims
                .iter()
                .map(|claims| TokenRights::on(board, claims))
                .collect(),
            secrets: Vec::new(),
        }
    }

    /// Who was refused for `fault`: nobody, unless the credentials were valid.
    #[must_use]
    pub fn subject(&self, fault: Fault) -> Subject {
        let token = self.tokens.first().map(|token| Subject::user(&token.user));
        let secret = || {
            self.secrets
                .first()
                .map(|sent| sent.kind.subject(&sent.hash.id()))
        };
        match fault {
            Fault::NoPermission | Fault::AgentPaused => {
                token.or_else(secret).unwrap_or_else(Subject::anonymous)
            }
            _ => Subject::anonymous(),
        }
    }

    /// What must be looked up to decide about these credentials.
    #[must_use]
    pub fn asked(&self) -> Asked {
        let principals = self.tokens.iter().flat_map(TokenRights::principals);
        Asked {
            principals: principals.chain([Principal::Public]).collect(),
            secrets: self.secrets.iter().map(|sent| sent.hash.id()).collect(),
        }
    }
}

/// What to look up about access to one board. What appears twice is looked up twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Whose grants.
    pub principals: Vec<Principal>,
    /// Which links and keys, of whatever board.
    pub secrets: Vec<SecretId>,
}

/// What is stored, as far as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The board.
    pub board: BoardFacts,
    /// Grants on it; missing where there is none.
    pub grants: BTreeMap<Principal, Level>,
    /// Links and keys that exist, of any board.
    pub secrets: BTreeMap<SecretId, SecretFacts>,
}

/// What is stored about the board itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoardFacts {
    /// There is no such board, and never was.
    Absent,
    /// There was one; its id is never used again.
    Deleted,
    /// There is one.
    Present {
        /// Its owner, who manages it.
        owner: Option<UserId>,
    },
}

/// What decides about a link or key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFacts {
    /// Which of the two it is.
    pub kind: SecretKind,
    /// The board that it is bound to.
    pub board: BoardId,
    /// The hash of its text.
    pub hash: SecretHash,
    /// What it gives.
    pub level: Level,
    /// When it ends, exclusive; `None` for never.
    pub expires_at: Option<UnixMillis>,
    /// Whether whoever manages the board has stopped it for now; only a key can be.
    pub paused: bool,
}

/// How generous the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only what credentials say.
    Standard,
    /// `--dev`: every valid token has `edit` on every board, and creates those that are missing.
    Dev,
}

/// Which question is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A request: a credential that was sent and is not valid refuses it, whatever else was sent.
    Request,
    /// An open connection is looked at again: what became invalid gives nothing more.
    Connection,
}

/// What a request may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The highest level that anything gives.
    pub level: Level,
    /// Who acts: whoever manages the board, else the user of a token (also one that gives nothing), else the
    /// key, else the link, else `anonymous`. Of two alike the one with the higher level, and then the one
    /// sent first. A link or key of another board acts for nobody.
    pub subject: Subject,
    /// Whether it may rename, share and delete the board. Then `level` is `Edit`.
    pub manage: Manage,
    /// The owner to create the board with, before anything else. Then it may manage it.
    pub create: Option<UserId>,
    /// When the first of its credentials ends, exclusive: it must be decided about anew then.
    pub ends_at: Option<UnixMillis>,
}

/// Whether, and as what, somebody manages a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manage {
    /// Not at all.
    No,
    /// As its owner: only as long as that is so.
    Owner(UserId),
    /// As an admin of the server.
    Admin,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on, with these rights.
    Granted(Grant),
    /// Refuse, for this reason.
    Refused(Fault),
}

/// What is decided about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The board.
    pub board: &'a BoardId,
    /// What is stored, for all that [`Credentials::asked`] asks.
    pub facts: &'a Facts,
    /// `--dev` or not.
    pub mode: Mode,
    /// A request, or an open connection.
    pub moment: Moment,
    /// The present.
    pub now: UnixMillis,
}

/// Decides what credentials may do with a board.
///
/// The owner and an admin have `edit` and manage; the claim `boards`, a grant to the user, to a team or to
/// the public, a link and a key give their level; in `--dev` a token gives `edit`; the highest counts. A
/// missing board is created, owned by the token's user, for an admin, for a claim of `edit` on it, and in
/// `--dev` for every valid token, but only for a request: an open connection whose board is missing has lost
/// it.
///
/// # Errors
/// `Refused`. Of a request: with `InvalidCredential`, `ExpiredCredential` or `AgentPaused`, for the first
/// credential that is not valid, whatever the others are; else with `NoCredential`; else, for whoever has
/// neither a token nor a link or key of this board, `NoPermission`; else `BoardDeleted`, `NoSuchBoard` or
/// `NoPermission`. Of a connection: with `BoardDeleted`; else with `AgentPaused` where a key is paused,
/// whatever the others are; else with `ExpiredCredential` where a credential is no longer valid; else
/// `NoSuchBoard` or `NoPermission`.
#[must_use]
pub fn decide(credentials: &Credentials, question: Question<'_>) -> Decision {
    let valid = Valid::of(credentials, question);
    let refused = match question.moment {
        Moment::Request => valid.invalid,
        // Else an agent that is paused would go on by what the public may do.
        Moment::Connection => valid.invalid.filter(|fault| *fault == Fault::AgentPaused),
    };
    let granted = match (refused, &question.facts.board, question.moment) {
        (None, BoardFacts::Present { owner }, _) => valid.best(owner.as_ref(), question),
        (None, BoardFacts::Absent, Moment::Request) => valid.creator(question.mode),
        _ => None,
    };
    granted.map_or_else(|| Decision::Refused(valid.refusal(question)), Decision::Granted)
}

/// The credentials that are valid now.
struct Valid<'a> {
    tokens: Vec<&'a TokenRights>,
    secrets: Vec<(SecretId, &'a SecretFacts)>,
    /// Why one that was sent is not valid, if one is not: of several the first; of a connection, that one is
    /// paused.
    invalid: Option<Fault>,
}

impl<'a> Valid<'a> {
    fn of(credentials: &'a Credentials, question: Question<'a>) -> Self {
        let mut valid = Self {
            tokens: Vec::new(),
            secrets: Vec::new(),
            invalid: None,
        };
        for token in &credentials.tokens {
            if question.now < token.expires_at {
                valid.tokens.push(token);
            } else {
                valid.invalid.get_or_insert(Fault::ExpiredCredential);
            }
        }
        for sent in &credentials.secrets {
            match find(sent, &question.facts.secrets, question.moment, question.now) {
                Ok(found) => valid.secrets.push(found),
                Err(Fault::AgentPaused) if question.moment == Moment::Connection => {
                    valid.invalid = Some(Fault::AgentPaused);
                }
                Err(fault) => {
                    valid.invalid.get_or_insert(fault);
                }
            }
        }
        valid
    }

    /// The highest that anything gives on a board that is there.
    fn best(&self, owner: Option<&UserId>, question: Question<'_>) -> Option<Grant> {
        let tokens = self.tokens.iter().map(|token| by_token(token, owner, question));
        let secrets = self.secrets.iter();
        let secrets = secrets.filter_map(|(id, facts)| by_secret(id, facts, question));
        // The first that was sent stands last, since of equals the last is the greatest.
        let mut given: Vec<Given> = tokens.chain(secrets).collect();
        given.reverse();
        let public = question.facts.grants.get(&Principal::Public).copied();
        let level = given.iter().filter_map(|given| given.level).max().max(public)?;
        let actor = given
            .into_iter()
            .max_by_key(|given| (given.manage != Manage::No, given.rank, given.level));
        let (subject, manage) = actor.map_or_else(
            || (Subject::anonymous(), Manage::No),
            |given| (given.subject, given.manage),
        );
        Some(Grant {
            level,
            subject,
            manage,
            create: None,
            ends_at: self.ends_at(),
        })
    }

    /// For whom a missing board is created, if for anybody: of several the first that was sent.
    fn creator(&self, mode: Mode) -> Option<Grant> {
        let creates =
            |token: &TokenRights| token.admin || token.claimed == Some(Level::Edit) || mode == Mode::Dev;
        let token = self.tokens.iter().find(|token| creates(token))?;
        Some(Grant {
            level: Level::Edit,
            subject: Subject::user(&token.user),
            manage: token.manage(Some(&token.user)),
            create: Some(token.user.clone()),
            ends_at: self.ends_at(),
        })
    }

    /// When the first of the valid credentials ends.
    fn ends_at(&self) -> Option<UnixMillis> {
        let tokens = self.tokens.iter().map(|token| token.expires_at);
        let secrets = self.secrets.iter().filter_map(|(_, facts)| facts.expires_at);
        tokens.chain(secrets).min()
    }

    /// Why nothing is granted.
    fn refusal(&self, question: Question<'_>) -> Fault {
        let of_board = match &question.facts.board {
            BoardFacts::Deleted => Fault::BoardDeleted,
            BoardFacts::Absent => Fault::NoSuchBoard,
            BoardFacts::Present { .. } => Fault::NoPermission,
        };
        let is_of_board = self.secrets.iter().any(|(_, of)| of.board == *question.board);
        match (question.moment, self.invalid) {
            // Links and keys of a deleted board are gone with it: what ended the connection is that.
            (Moment::Connection, _) if of_board == Fault::BoardDeleted => of_board,
            (_, Some(fault)) => fault,
            // It was let in once, by the public grant if by nothing else.
            (Moment::Connection, None) => of_board,
            (Moment::Request, None) if !self.tokens.is_empty() => of_board,
            // Links and keys of a board in the trash are there with it, and tell of it whoever has one.
            (Moment::Request, None) if is_of_board && of_board == Fault::BoardDeleted => of_board,
            // Whoever has no token is not told whether the board is there.
            (Moment::Request, None) if self.secrets.is_empty() => Fault::NoCredential,
            (Moment::Request, None) => Fault::NoPermission,
        }
    }
}

/// What one credential gives, and whom it acts for.
///
/// The one who acts is the greatest by whether it manages, by rank, and by level. So a user acts even where a
/// key sent beside the token gives the level: the log names the person.
struct Given {
    level: Option<Level>,
    manage: Manage,
    rank: Rank,
    subject: Subject,
}

/// Whom a request with several credentials acts for: the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Link,
    Key,
    User,
}

fn by_token(token: &TokenRights, owner: Option<&UserId>, question: Question<'_>) -> Given {
    let manage = token.manage(owner);
    let edits = manage != Manage::No || question.mode == Mode::Dev;
    let granted = token
        .principals()
        .filter_map(|principal| question.facts.grants.get(&principal).copied())
        .max();
    Given {
        level: granted.max(token.claimed).max(edits.then_some(Level::Edit)),
        manage,
        rank: Rank::User,
        subject: Subject::user(&token.user),
    }
}

/// What a link or key gives; nothing where it is that of another board, and then it acts for nobody either:
/// the log of one board names no secrets of others.
fn by_secret(id: &SecretId, facts: &SecretFacts, question: Question<'_>) -> Option<Given> {
    (facts.board == *question.board).then(|| Given {
        level: Some(facts.level),
        manage: Manage::No,
        rank: match facts.kind {
            SecretKind::Link => Rank::Link,
            SecretKind::Key => Rank::Key,
        },
        subject: facts.kind.subject(id),
    })
}

/// The stored link or key that was sent, if it is valid.
fn find<'a>(
    sent: &SentSecret,
    known: &'a BTreeMap<SecretId, SecretFacts>,
    moment: Moment,
    now: UnixMillis,
) -> Result<(SecretId, &'a SecretFacts), Fault> {
    let id = sent.hash.id();
    let found = known.get(&id);
    let found = found.filter(|facts| facts.kind == sent.kind && facts.hash.matches(&sent.hash));
    match (found, moment) {
        (Some(facts), _) if facts.paused => Err(Fault::AgentPaused),
        (Some(facts), _) if facts.expires_at.is_none_or(|end| now < end) => Ok((id, facts)),
        (None, Moment::Request) => Err(Fault::InvalidCredential),
        // It was valid once: it has expired, or was revoked.
        (Some(_), _) | (None, Moment::Connection) => Err(Fault::ExpiredCredential),
    }
}

#[cfg(test)]
mod tests;
