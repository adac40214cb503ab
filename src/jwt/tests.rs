//! Tests of `jwt`: vectors of the RFCs, every claim, and every way a token is refused.
#![allow(clippy::arithmetic_side_effects, reason = "tests count small things")]

use serde_json::{Value, json};

use super::mint::sign;
use super::*;
use crate::ids::{BoardId, Level, TeamId, UserId};
use crate::limits;
use crate::time::UnixMillis;

/// 1,000 s after the epoch.
const NOW: UnixMillis = UnixMillis(1_000_000);
const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

fn secret() -> Secret {
    Secret::new(*SECRET)
}

fn keys() -> Keys {
    Keys::single(secret())
}

fn verify(keys: Keys, token: &str) -> Result<Claims, TokenError> {
    Verifier::new(keys).verify(token, NOW)
}

/// Valid claims, with those of `with` instead or besides; `null` takes one out.
fn claims(with: Value) -> Value {
    let mut claims = json!({"sub": "alice", "exp": 2_000});
    for (name, value) in with.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[track_caller]
fn check(with: Value, expected: Result<(), TokenError>) {
    let token = mint(&secret(), Algorithm::Hs256, None, &claims(with.clone()));
    assert_eq!(verify(keys(), &token).map(|_| ()), expected, "{with}");
}

/// A correctly signed token of exactly this header and these claims.
#[track_caller]
fn check_raw(header: &str, claims: &str, expected: Result<(), TokenError>) {
    let token = sign(&secret(), Algorithm::Hs256, header, claims);
    assert_eq!(verify(keys(), &token).map(|_| ()), expected, "{header} {claims}");
}

const HEADER: &str = r#"{"alg":"HS256"}"#;
const CLAIMS: &str = r#"{"sub":"alice","exp":2000}"#;

#[test]
fn hmacs_are_those_of_rfc_4231() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let jefe = Secret::new(*b"Jefe");
    let data = b"what do ya want for nothing?";
    for (algorithm, expected) in [
        (
            Algorithm::Hs256,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            Algorithm::Hs384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            Algorithm::Hs512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd\
             caeab1a34d4a6b4b636e070a38bce737",
        ),
    ] {
        assert_eq!(hex(algorithm.sign(&jefe, data)), expected, "{algorithm:?}");
    }
}

#[test]
fn the_example_of_rfc_7515_a_1_verifies() {
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                 eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                 dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let verifier = Verifier::new(Keys::single(Secret::new(base64url::decode(key).unwrap())));
    let signed = verifier.signed(token).unwrap();
    let claims: Value = serde_json::from_slice(&signed).unwrap();
    assert_eq!(
        claims,
        json!({"iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": true})
    );
    assert_eq!(
        verifier.verify(token, NOW),
        Err(TokenError::Subject),
        "it has no sub"
    );
}

#[test]
fn tokens_made_elsewhere_verify_under_each_algorithm() {
    // Made with Python's hmac and hashlib.
    for (algorithm, token) in [
        (
            Algorithm::Hs384,
            "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMH0.mQyftH89IVeV77q_2YLy3nZgyjE52WPgnRA7DqHfY2ng6O0v2xCvOdozQY4wP58V",
        ),
        (
            Algorithm::Hs512,
            "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMH0.Ostdz2BqrwlbHFlmWDtO9y-Axcb3zyvUZfiWzpngTZEqhzrWGHKdQghhvoUq0WqIvExeU9fjtgA4uXpLgCX7Eg",
        ),
    ] {
        let accepting = Keys {
            algorithms: vec![algorithm],
            ..keys()
        };
        assert_eq!(verify(accepting, token).unwrap().user.as_str(), "alice");
        assert_eq!(verify(keys(), token), Err(TokenError::Algorithm));
    }
}

#[test]
fn what_is_minted_verifies_and_says_what_was_meant() {
    let board = |id| BoardId::parse(id).unwrap();
    let minted = NewClaims {
        teams: vec![TeamId::parse("design").unwrap()],
        boards: vec![(board("b"), Level::View), (board("a"), Level::Edit)],
        admin: true,
        issuer: Some("me".to_owned()),
        audience: Some("you".to_owned()),
        ..NewClaims::new(UserId::parse("alice").unwrap(), NOW, UnixMillis(2_000_999))
    };
    let keys = Keys {
        named: vec![("k".to_owned(), Secret::new(*b"another"))],
        algorithms: vec![Algorithm::Hs512],
        issuer: Some("me".to_owned()),
        audience: Some("you".to_owned()),
        ..keys()
    };
    let token = mint(
        &Secret::new(*b"another"),
        Algorithm::Hs512,
        Some("k"),
        &minted.to_json(),
    );
    let claims = verify(keys, &token).unwrap();
    assert_eq!((claims.user.as_str(), claims.admin), ("alice", true));
    assert_eq!(claims.expires_at, UnixMillis(2_030_000), "exp and the leeway");
    assert_eq!(claims.teams, [TeamId::parse("design").unwrap()]);
    assert_eq!(
        claims.boards(),
        [(board("a"), Level::Edit), (board("b"), Level::View)]
    );
    assert_eq!(claims.level(&board("b")), Some(Level::View));
    assert_eq!(claims.level(&board("c")), None);
}

#[test]
fn a_token_is_three_parts_of_strict_base64url() {
    let token = mint(&secret(), Algorithm::Hs256, None, &claims(json!({})));
    assert!(verify(keys(), &token).is_ok());
    let (input, signature) = token.rsplit_once('.').unwrap();
    for bad in [
        String::new(),
        "..".to_owned(),
        input.to_owned(),
        format!("{token}."),
        format!("{token}.a"),
        format!(".{token}"),
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{input}.{signature}\n"),
        token.replace('.', ","),
    ] {
        assert_eq!(verify(keys(), &bad), Err(TokenError::Malformed), "{bad:?}");
    }
    for bad in [
        format!("{input}."),
        format!("{input}.{}", &signature[..32]),
        format!("{input}.{signature}AAAA"),
    ] {
        assert_eq!(verify(keys(), &bad), Err(TokenError::Signature), "{bad:?}");
    }
}

#[test]
fn no_single_bit_of_a_token_can_be_changed() {
    let token = mint(&secret(), Algorithm::Hs256, None, &claims(json!({})));
    for at in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verify(keys(), &changed).is_err(), "{changed}");
        }
    }
}

#[test]
fn only_configured_algorithms_are_accepted() {
    for name in [
        "none", "None", "NONE", "", "hs256", "HS384", "HS512", "RS256", "ES256", "EdDSA", "HS256 ",
    ] {
        check_raw(
            &json!({"alg": name}).to_string(),
            CLAIMS,
            Err(TokenError::Algorithm),
        );
    }
    let unsigned = format!(
        "{}.{}.",
        base64url::encode(br#"{"alg":"none"}"#),
        base64url::encode(CLAIMS.as_bytes())
    );
    assert_eq!(verify(keys(), &unsigned), Err(TokenError::Algorithm));
    let nothing = Keys {
        algorithms: Vec::new(),
        ..keys()
    };
    let token = mint(&secret(), Algorithm::Hs256, None, &claims(json!({})));
    assert_eq!(verify(nothing, &token), Err(TokenError::Algorithm));
}

#[test]
fn headers_that_are_not_in_order_are_refused() {
    for header in [
        "",
        "{}",
        "[]",
        "[\"HS256\"]",
        "null",
        "{",
        "{\"alg\":256}",
        "{\"alg\":\"HS256\"}x",
        "{\"alg\":\"HS256\",\"kid\":1}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"a\"}",
        "{\"alg\":\"\\ud800\"}",
    ] {
        check_raw(header, CLAIMS, Err(TokenError::Malformed));
    }
    for crit in ["[\"exp\"]", "[]", "null", "false"] {
        check_raw(
            &format!(r#"{{"alg":"HS256","crit":{crit}}}"#),
            CLAIMS,
            Err(TokenError::Critical),
        );
    }
    for header in [
        r#" {"typ":"at+jwt", "alg":"HS256", "x5c":[]}"#,
        r#"{"\u0061lg":"HS256"}"#,
    ] {
        check_raw(header, CLAIMS, Ok(()));
    }
}

#[test]
fn a_key_name_chooses_that_secret_only() {
    let other = Secret::new(*b"the other secret");
    let both = Keys {
        named: vec![("old".to_owned(), other.clone()), ("new".to_owned(), secret())],
        unnamed: None,
        ..keys()
    };
    let token = |secret: &Secret, name| mint(secret, Algorithm::Hs256, name, &claims(json!({})));
    for (secret, name, expected) in [
        (&other, Some("old"), Ok(())),
        (&other, Some("new"), Err(TokenError::Signature)),
        (&other, Some("none"), Err(TokenError::UnknownKey)),
        (&other, Some(""), Err(TokenError::UnknownKey)),
        (&other, None, Ok(())),
        (&secret(), Some("new"), Ok(())),
        (&secret(), None, Ok(())),
        (&Secret::new(*b"a stranger's"), None, Err(TokenError::Signature)),
    ] {
        assert_eq!(
            verify(both.clone(), &token(secret, name)).map(|_| ()),
            expected,
            "{secret:?} {name:?}"
        );
    }
    assert_eq!(
        verify(keys(), &token(&secret(), Some("a"))).map(|_| ()),
        Err(TokenError::UnknownKey)
    );
    let none = Keys {
        unnamed: None,
        ..keys()
    };
    assert_eq!(
        verify(none, &token(&Secret::new(*b""), None)).map(|_| ()),
        Err(TokenError::Signature)
    );
}

#[test]
fn subjects_are_strings_or_integers() {
    let subject = |value: Value| {
        let token = mint(&secret(), Algorithm::Hs256, None, &claims(json!({"sub": value})));
        verify(keys(), &token).map(|claims| claims.user.as_str().to_owned())
    };
    let longest = "u".repeat(limits::USER_ID_BYTES_MAX);
    for (value, user) in [
        (json!("alice"), "alice"),
        (json!(7), "7"),
        (json!(-7), "-7"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(longest), &longest),
    ] {
        assert_eq!(subject(value).as_deref(), Ok(user));
    }
    for value in [
        json!(""),
        json!(1.5),
        json!(1.0),
        json!(true),
        json!(["a"]),
        json!("a\nb"),
        json!(format!("{longest}u")),
    ] {
        check(json!({"sub": value}), Err(TokenError::Subject));
    }
    check(json!({"sub": null}), Err(TokenError::Subject));
    check_raw(HEADER, r#"{"sub":null,"exp":2000}"#, Err(TokenError::Subject));
}

#[test]
fn expiry_is_needed_and_has_a_leeway() {
    let leeway = limits::TOKEN_LEEWAY.as_secs();
    assert_eq!(leeway, 30);
    for (exp, expected) in [
        (json!(970), Err(TokenError::Expired)),
        (json!(971), Ok(())),
        (json!(970.001), Ok(())),
        (json!(970.0), Err(TokenError::Expired)),
        (json!(2e9), Ok(())),
        (json!(253_402_300_799_u64), Ok(())),
        (json!(253_402_300_800_u64), Err(TokenError::Milliseconds)),
        (json!(1_700_000_000_000_u64), Err(TokenError::Milliseconds)),
        (json!(1e300), Err(TokenError::Milliseconds)),
        (json!(u64::MAX), Err(TokenError::Milliseconds)),
        (json!(0), Err(TokenError::Expired)),
        (json!(-1), Err(TokenError::Expired)),
        (json!(-1e300), Err(TokenError::Expired)),
        (json!("2000"), Err(TokenError::Dates)),
        (json!(true), Err(TokenError::Dates)),
        (json!(null), Err(TokenError::Dates)),
    ] {
        check(json!({"exp": exp}), expected);
    }
    check_raw(HEADER, r#"{"sub":"a","exp":1e400}"#, Err(TokenError::Malformed));
    assert_eq!(TokenError::Expired.fault(), Fault::ExpiredCredential);
}

#[test]
fn a_token_may_begin_later_within_the_leeway() {
    for (nbf, expected) in [
        (json!(0), Ok(())),
        (json!(1_030), Ok(())),
        (json!(1_030.001), Err(TokenError::NotYetValid)),
        (json!(1_031), Err(TokenError::NotYetValid)),
        (json!(253_402_300_799_u64), Err(TokenError::NotYetValid)),
        (json!(1_000_000_u64), Err(TokenError::NotYetValid)),
        (json!(1_700_000_000_000_u64), Err(TokenError::Milliseconds)),
        (json!("0"), Err(TokenError::Dates)),
    ] {
        check(json!({"nbf": nbf}), expected);
    }
}

#[test]
fn issuer_and_audience_are_checked_where_configured() {
    let with = |issuer: Option<&str>, audience: Option<&str>, claimed: Value| {
        let keys = Keys {
            issuer: issuer.map(str::to_owned),
            audience: audience.map(str::to_owned),
            ..keys()
        };
        verify(keys, &mint(&secret(), Algorithm::Hs256, None, &claims(claimed))).map(|_| ())
    };
    for (claimed, expected) in [
        (json!({"iss": "a"}), Ok(())),
        (json!({"iss": "b"}), Err(TokenError::Issuer)),
        (json!({"iss": ["a"]}), Err(TokenError::Issuer)),
        (json!({}), Err(TokenError::Issuer)),
    ] {
        assert_eq!(with(Some("a"), None, claimed.clone()), expected, "{claimed}");
    }
    for (claimed, expected) in [
        (json!({"aud": "a"}), Ok(())),
        (json!({"aud": ["b", "a"]}), Ok(())),
        (json!({"aud": ["b", 7]}), Err(TokenError::Audience)),
        (json!({"aud": []}), Err(TokenError::Audience)),
        (json!({"aud": "ab"}), Err(TokenError::Audience)),
        (json!({"aud": {"a": "a"}}), Err(TokenError::Audience)),
        (json!({}), Err(TokenError::Audience)),
    ] {
        assert_eq!(with(None, Some("a"), claimed.clone()), expected, "{claimed}");
    }
    assert_eq!(with(None, None, json!({"iss": 1, "aud": 2})), Ok(()));
}

#[test]
fn teams_are_an_array_of_ids() {
    check(json!({"teams": []}), Ok(()));
    check(json!({"teams": ["a", "b"]}), Ok(()));
    for teams in [
        json!("a"),
        json!({}),
        json!(["a", 7]),
        json!([""]),
        json!([["a"]]),
        json!(["a\u{0}"]),
    ] {
        check(json!({"teams": teams}), Err(TokenError::Teams));
    }
}

#[test]
fn boards_are_an_object_of_ids_and_levels() {
    check(json!({"boards": {}}), Ok(()));
    check(
        json!({"boards": {"a": "view", "b": "comment", "c": "edit"}}),
        Ok(()),
    );
    for boards in [
        json!({"a": "owner"}),
        json!({"a": "Edit"}),
        json!({"a": 1}),
        json!({"a": null}),
        json!({"": "edit"}),
        json!({"..": "edit"}),
        json!({"a b": "edit"}),
        json!({"ok": "edit", "*": "edit"}),
    ] {
        check(json!({"boards": boards}), Err(TokenError::Boards));
    }
    for boards in [json!([]), json!(["a"]), json!("a"), json!(1)] {
        check(json!({"boards": boards}), Err(TokenError::Malformed));
    }
}

#[test]
fn only_the_word_admin_makes_an_admin() {
    for (role, admin) in [
        (json!("admin"), true),
        (json!("Admin"), false),
        (json!("authenticated"), false),
        (json!(["admin"]), false),
        (json!(true), false),
        (json!(null), false),
    ] {
        let token = mint(&secret(), Algorithm::Hs256, None, &claims(json!({"role": role})));
        assert_eq!(verify(keys(), &token).unwrap().admin, admin, "{role}");
    }
}

#[test]
fn a_claim_that_comes_twice_refuses_the_token() {
    for claims in [
        r#"{"sub":"alice","exp":2000,"sub":"bob"}"#,
        r#"{"sub":"alice","exp":1,"exp":2000}"#,
        r#"{"sub":"alice","exp":2000,"role":"user","role":"admin"}"#,
        r#"{"sub":"alice","exp":2000,"\u0073ub":"bob"}"#,
    ] {
        check_raw(HEADER, claims, Err(TokenError::Malformed));
    }
    check_raw(
        HEADER,
        r#"{"sub":"a","exp":2000,"boards":{"a":"view","a":"edit"}}"#,
        Err(TokenError::Boards),
    );
}

#[test]
fn claims_that_are_no_object_are_refused() {
    for claims in [
        "",
        "[]",
        "[\"alice\",2000]",
        "null",
        "7",
        "{\"sub\":\"a\",\"exp\":2000",
        "{} {}",
        "\u{feff}{}",
        "{\"sub\":\"\\ud800\",\"exp\":2000}",
    ] {
        check_raw(HEADER, claims, Err(TokenError::Malformed));
    }
    let deep = format!(
        r#"{{"sub":{}1{},"exp":2000}}"#,
        "[".repeat(2_000),
        "]".repeat(2_000)
    );
    check_raw(HEADER, &deep, Err(TokenError::Malformed));
    let ignored = format!(
        r#"{{"sub":"a","exp":2000,"x":{}1{}}}"#,
        "[".repeat(2_000),
        "]".repeat(2_000)
    );
    check_raw(HEADER, &ignored, Ok(()));
}

#[test]
fn tokens_are_bounded() {
    let filled = |filler: usize| {
        let claims = format!(r#"{{"sub":"a","exp":2000,"x":"{}"}}"#, "x".repeat(filler));
        sign(&secret(), Algorithm::Hs256, HEADER, &claims)
    };
    let mut fits = String::new();
    let mut over = String::new();
    for filler in 6_000..6_144 {
        let token = filled(filler);
        if token.len() <= limits::TOKEN_BYTES_MAX {
            fits = token;
        } else {
            over = token;
            break;
        }
    }
    assert!(fits.len() + 2 > limits::TOKEN_BYTES_MAX && over.len() <= limits::TOKEN_BYTES_MAX + 2);
    assert!(verify(keys(), &fits).is_ok());
    assert_eq!(verify(keys(), &over), Err(TokenError::TooLarge));
    let exact = |bytes| verify(keys(), &"a".repeat(bytes));
    assert_eq!(exact(limits::TOKEN_BYTES_MAX), Err(TokenError::Malformed));
    assert_eq!(exact(limits::TOKEN_BYTES_MAX + 1), Err(TokenError::TooLarge));
}

#[test]
fn every_refusal_is_told_as_a_credential_fault() {
    for error in TokenError::ALL {
        assert!(matches!(
            error.fault(),
            Fault::InvalidCredential | Fault::ExpiredCredential
        ));
        assert!(error.to_string().starts_with("the token"));
    }
}

#[test]
fn secrets_are_never_shown() {
    let keys = Keys {
        named: vec![("name".to_owned(), Secret::new(*b"hidden"))],
        ..Keys::single(Secret::new(*b"hidden"))
    };
    for shown in [format!("{keys:?}"), format!("{:?}", Verifier::new(keys.clone()))] {
        assert!(
            shown.contains("6 bytes") && !shown.contains("hidden") && !shown.contains("104"),
            "{shown}"
        );
    }
}
