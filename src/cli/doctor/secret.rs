//! Whether a secret can be guessed, as far as its text tells.
//!
//! Owns that judgement. Must not print a secret, or a part of one. Key invariant: a secret that
//! `openssl rand` has made is never called weak.

use boardwire::limits;
use boardwire::server::config::{Source, Values};

use super::Finding;

/// The bits of surprise that a text must seem to have. A random one of 32 hexadecimal digits has 128, and
/// seems to have some 110.
const BITS_MIN: f64 = 90.0;

/// Words of examples, in small letters.
const EXAMPLES: [&str; 11] = [
    "secret",
    "change",
    "example",
    "password",
    "boardwire",
    "01234567",
    "abcdefgh",
    "qwerty",
    "test",
    "insecure",
    "dummy",
];

/// What is to be said of the secrets that were given.
pub(super) fn look(settings: &Values) -> Vec<Finding> {
    let check = "secret";
    let single = settings.given("jwt-secret");
    let named = settings.given("jwt-secrets");
    let mut texts: Vec<&str> = single.text.into_iter().collect();
    for pair in named.text.unwrap_or_default().split(',') {
        texts.extend(pair.split_once(':').map(|(_, text)| text));
    }
    let mut found = Vec::new();
    if [single.source, named.source].contains(&&Source::Flag) {
        found.push(Finding::warning(
            check,
            "it is given as a flag, which everybody on this machine sees in the list of processes",
            "give it as BOARDWIRE_JWT_SECRET, from a file that root alone reads",
        ));
    }
    if settings
        .given("dev")
        .text
        .is_some_and(|text| !matches!(text, "0" | "false" | "off" | "no"))
    {
        found.push(Finding::warning(
            check,
            "--dev is on: every valid token may edit every board",
            "leave --dev out, and give a secret, wherever others come in",
        ));
    }
    match texts.iter().filter_map(|text| weakness(text)).next() {
        Some(weakness) => found.push(Finding::warning(
            check,
            weakness,
            "one that nobody can guess, as `openssl rand -base64 32` prints: who knows it may do everything",
        )),
        None if found.is_empty() && !texts.is_empty() => {
            found.push(Finding::ok(
                check,
                format!("{} given, none that is easily guessed", texts.len()),
            ));
        }
        None => {}
    }
    found
}

/// Why a secret may be guessed; `None` where it seems random.
fn weakness(text: &str) -> Option<String> {
    let length = text.len();
    if length < limits::SECRET_BYTES_MIN {
        return Some(format!("it has {length} bytes only"));
    }
    let lower = text.to_ascii_lowercase();
    if EXAMPLES.iter().any(|word| lower.contains(word)) {
        return Some("it looks like that of an example".to_owned());
    }
    let bits = bits(text);
    (bits < BITS_MIN).then(|| format!("it repeats itself: some {bits:.0} bits can be told apart in it"))
}

/// How much each byte surprises who knows how often each comes, all together.
fn bits(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = text.len() as f64;
    let surprise = |count: &u32| {
        let count = f64::from(*count);
        -count * (count / length).log2()
    };
    counts.iter().filter(|count| **count > 0).map(surprise).sum()
}

#[cfg(test)]
mod tests {
    use boardwire::server::config::{NoFiles, Sources};

    use super::super::Level;
    use super::*;

    fn looked(secret: &str, flag: &str) -> Vec<Finding> {
        let sources = Sources::new(
            |name| (name == flag).then(|| vec![secret.to_owned()]),
            |name| (flag.is_empty() && name == "BOARDWIRE_JWT_SECRET").then(|| secret.into()),
            |_| true,
        );
        look(&sources.read(&NoFiles).unwrap())
    }

    #[test]
    fn what_openssl_prints_is_never_weak() {
        // Of `openssl rand -base64 32`, and the shortest that is taken, of -hex 16.
        for text in [
            "fHnVb0CkG0m0y0cXvN8f5oQ2nZrQwq1pO3ykq0d9yXU=",
            "9f86d081884c7d659a2feaa0c55ad015",
            "00112233445566778899aabbccddeeff",
        ] {
            assert_eq!(weakness(text), None, "{text}");
        }
    }

    #[test]
    fn short_ones_examples_and_repetitions_are() {
        for (text, expected) in [
            ("0123456789abcde", "15 bytes"),
            ("my-Secret-my-Secret-my-Secret-my-", "example"),
            ("0123456789abcdef0123456789abcdef", "example"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "repeats"),
            ("xyzxyzxyzxyzxyzxyzxyzxyzxyzxyzxyzxyzxyz", "repeats"),
        ] {
            let told = weakness(text).unwrap_or_else(|| panic!("{text}"));
            assert!(told.contains(expected) && !told.contains(text), "{told}");
        }
    }

    #[test]
    fn a_flag_shows_it_and_a_variable_does_not() {
        let good = "fHnVb0CkG0m0y0cXvN8f5oQ2nZrQwq1pO3ykq0d9yXU=";
        assert_eq!(
            looked(good, "").first().map(|finding| finding.level),
            Some(Level::Ok)
        );
        let shown = looked(good, "jwt-secret");
        assert!(
            shown[0].level == Level::Warning && shown[0].what.contains("flag"),
            "{shown:?}"
        );
    }
}
