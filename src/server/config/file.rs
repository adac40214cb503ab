//! The file of settings: TOML, one setting a line, under the names of the table.
//!
//! Owns how its bytes become texts of settings. Must not open it, nor know what a text means. Key invariant:
//! whatever is in it that is no setting is refused, with its line; no text of a secret, and none of a line
//! that cannot be read, is in an error. Tests are below.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::settings::{Kind, SETTINGS, Setting};
use super::wrong::ConfigError;
use crate::limits;

/// What the file says about one setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) setting: &'static Setting,
    pub(super) how: How,
    pub(super) texts: Vec<String>,
    /// Counted from one.
    pub(super) line: usize,
}

/// How a setting is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// By its value.
    Value,
    /// By the path of a file that holds the secret.
    SecretFile,
}

/// Reads the bytes of the file at `path`.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Written>, ConfigError> {
    if bytes.len() > limits::SETTINGS_FILE_BYTES_MAX {
        let most = limits::SETTINGS_FILE_BYTES_MAX / 1024;
        let expected = format!("a file of settings of at most {most} KiB");
        return Err(ConfigError::file(path, None, "it is too large", expected));
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return Err(ConfigError::file(path, None, "it is no text", "TOML in UTF-8"));
    };
    let line = |at: usize| {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    };
    let table = DeTable::parse(text).map_err(|error| malformed(path, (text, &error), line))?;
    let mut written = Vec::new();
    let table = table.into_inner();
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in pairs {
        let at = line(key.span().start);
        let name: &str = key.get_ref();
        let Some((setting, how)) = known(name) else {
            let what = format!("there is no setting {:?}", cut(name));
            return Err(ConfigError::file(path, Some(at), &what, nearest(name)));
        };
        let texts = texts(setting, how, value.get_ref()).map_err(|expected| {
            let what = format!("{name} is {}", kind(value.get_ref()));
            ConfigError::file(path, Some(at), &what, expected)
        })?;
        written.push(Written {
            setting,
            how,
            texts,
            line: at,
        });
    }
    Ok(written)
}

/// What the parser says, without the line that it would show: that may hold a secret.
fn malformed(
    path: &Path,
    (text, error): (&str, &toml::de::Error),
    line: impl Fn(usize) -> usize,
) -> ConfigError {
    let said = error.message().lines().next().unwrap_or("it is no TOML");
    let span = error.span();
    let token = span.clone().and_then(|span| text.get(span));
    let name = token.map(|token| token.trim_matches(['"', '\'']));
    let what = match name.filter(|name| known(name).is_some()) {
        Some(name) => format!("{name}: {said}"),
        None => said.to_owned(),
    };
    let at = span.map(|span| line(span.start));
    let expected = "TOML: each setting once, such as max-connections = 20000 or log-level = \"info\"";
    ConfigError::file(path, at, &what, expected)
}

/// The setting that a key means.
fn known(key: &str) -> Option<(&'static Setting, How)> {
    let secret = |key: &str| Setting::named(key.strip_suffix("-file")?).filter(|s| s.kind == Kind::Secret);
    let value = Setting::named(key).map(|setting| (setting, How::Value));
    value.or_else(|| Some((secret(key)?, How::SecretFile)))
}

/// The value as texts of flags would have it.
///
/// # Errors
/// What would be right.
fn texts(setting: &Setting, how: How, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    if how == How::SecretFile {
        let expected = || "the path of a file that holds the secret".to_owned();
        return one(value).map(|text| vec![text]).ok_or_else(expected);
    }
    if setting.kind == Kind::Switch {
        return match value {
            DeValue::Boolean(is_on) => Ok(vec![is_on.to_string()]),
            _ => Err("true or false".to_owned()),
        };
    }
    match value {
        DeValue::Array(values) if setting.takes_list() => {
            let texts: Option<Vec<String>> = values.iter().map(|value| one(value.get_ref())).collect();
            texts.ok_or_else(|| "a list of texts".to_owned())
        }
        value => one(value).map(|text| vec![text]).ok_or_else(|| {
            match setting.takes_list() {
                true => "a text or a list of texts",
                false => "a text or a whole number",
            }
            .to_owned()
        }),
    }
}

/// A text or a whole number.
fn one(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What a value is, for people.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The beginning of a key, for people.
fn cut(key: &str) -> String {
    key.chars().take(KEY_CHARS).collect()
}

/// More than any key has.
const KEY_CHARS: usize = 64;

/// The known key that is most like this one, in words.
fn nearest(key: &str) -> String {
    let meant = cut(key).to_ascii_lowercase().replace('_', "-");
    let file = |setting: &&Setting| (setting.kind == Kind::Secret).then(|| format!("{}-file", setting.name));
    let files = SETTINGS.iter().filter_map(|setting| file(&setting));
    let names = SETTINGS
        .iter()
        .map(|setting| setting.name.to_owned())
        .chain(files);
    let near = names.map(|name| (distance(&meant, &name), name)).min();
    match near {
        Some((away, name)) if away <= 1 + meant.len() / 4 => format!("{name}, perhaps"),
        _ => "one that `boardwire config` lists, at the top of the file and in no table".to_owned(),
    }
}

/// How many bytes must be put in, taken out or changed to make one of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, a) in one.bytes().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (b, above) in other.bytes().zip(row.iter_mut().skip(1)) {
            let cost = (diagonal + usize::from(a != b)).min(left + 1).min(*above + 1);
            diagonal = *above;
            *above = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Vec<String>, usize)>, String> {
        let written = parse(Path::new("/b.toml"), text.as_bytes()).map_err(|error| error.to_string())?;
        let told = |one: Written| {
            let more = if one.how == How::SecretFile { "-file" } else { "" };
            (format!("{}{more}", one.setting.name), one.texts, one.line)
        };
        Ok(written.into_iter().map(told).collect())
    }

    #[test]
    fn texts_numbers_switches_and_lists_are_read_with_their_lines() {
        let text = "# ours\npublic-url = \"https://b.example\"\nmax-connections = 20_000\ndev = true\n\n\
                    allow-origin = [\n  \"https://a.example\",\n  \"null\",\n]\ntrusted-proxy = \"10.0.0.0/8\"\n\
                    jwt-secret-file = '/run/s'\njwt-secrets = [\"a:b\", \"c:d\"]\n";
        let expected: Vec<(String, Vec<String>, usize)> = [
            ("public-url", &["https://b.example"][..], 2),
            ("max-connections", &["20000"], 3),
            ("dev", &["true"], 4),
            ("allow-origin", &["https://a.example", "null"], 6),
            ("trusted-proxy", &["10.0.0.0/8"], 10),
            ("jwt-secret-file", &["/run/s"], 11),
            ("jwt-secrets", &["a:b", "c:d"], 12),
        ]
        .into_iter()
        .map(|(name, texts, line)| {
            let texts = texts.iter().map(|&text| text.to_owned()).collect();
            (name.to_owned(), texts, line)
        })
        .collect();
        assert_eq!(read(text), Ok(expected));
        assert_eq!(read(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_setting_is_refused_with_its_line_and_what_would_be_right() {
        for (text, expected) in [
            (
                "\nmax_conections = 1",
                "/b.toml:2: there is no setting \"max_conections\"; expected max-connections, perhaps",
            ),
            (
                "x = 1",
                "/b.toml:1: there is no setting \"x\"; expected one that `boardwire config` lists, at the top of the \
                 file and in no table",
            ),
            (
                "jwt-secret-fil = 'a'",
                "/b.toml:1: there is no setting \"jwt-secret-fil\"; expected jwt-secret-file, perhaps",
            ),
            (
                "data-file = 'a'",
                "/b.toml:1: there is no setting \"data-file\"; expected ",
            ),
            (
                "[bounds]\nmax-connections = 1",
                "/b.toml:1: there is no setting \"bounds\"; expected ",
            ),
            (
                "dev = 1",
                "/b.toml:1: dev is a whole number; expected true or false",
            ),
            (
                "listen = true",
                "/b.toml:1: listen is true or false; expected a text or a whole number",
            ),
            (
                "room-idle = 1.5",
                "/b.toml:1: room-idle is a number with a fraction; expected a text or a whole number",
            ),
            (
                "listen = ['a']",
                "/b.toml:1: listen is a list; expected a text or a whole number",
            ),
            (
                "allow-origin = [1.5]",
                "/b.toml:1: allow-origin is a list; expected a list of texts",
            ),
            (
                "allow-origin = true",
                "/b.toml:1: allow-origin is true or false; expected a text or a list of texts",
            ),
            (
                "redis-file = []",
                "/b.toml:1: redis-file is a list; expected the path of a file that holds the secret",
            ),
            ("listen = 2026-11-29", "/b.toml:1: listen is a time; expected "),
            ("listen.x = 1", "/b.toml:1: listen is a table; expected "),
        ] {
            let line = read(text).expect_err(text);
            assert!(line.starts_with(expected) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_line_and_without_its_text() {
        let twice = read("listen = 'a'\ndata = 'b'\nlisten = 'c'").expect_err("twice");
        assert!(
            twice.starts_with("/b.toml:3: listen: duplicate key; expected TOML: each setting once"),
            "{twice}"
        );
        for text in [
            "jwt-secret = geheim",
            "jwt-secret geheim",
            "jwt-secret = \"geheim",
            "jwt-secret = 'geheim' geheim",
            "jwt-secret = \"geheim\\q\"",
            "jwt-secret = \"\"\"\ngeheim\u{1}\"\"\"",
            "geheim",
            "= geheim",
            "[[geheim",
        ] {
            let line = read(&format!("dev = true\n{text}")).expect_err(text);
            assert!(
                (line.starts_with("/b.toml:2: ") || line.starts_with("/b.toml:3: "))
                    && line.contains("; expected TOML")
                    && !line.contains("geheim")
                    && !line.contains('\n'),
                "{text:?}: {line}"
            );
        }
        let bytes = parse(Path::new("/b.toml"), b"data = '\xff'").expect_err("no text");
        assert_eq!(
            bytes.to_string(),
            "/b.toml: it is no text; expected TOML in UTF-8"
        );
    }

    #[test]
    fn a_file_is_read_up_to_its_bound_and_its_nesting_is_bounded() {
        let of = |bytes: usize| format!("dev = true\n#{}", "x".repeat(bytes - 12));
        for bytes in [
            limits::SETTINGS_FILE_BYTES_MAX - 1,
            limits::SETTINGS_FILE_BYTES_MAX,
        ] {
            assert_eq!(of(bytes).len(), bytes);
            assert!(read(&of(bytes)).is_ok(), "{bytes}");
        }
        let line = read(&of(limits::SETTINGS_FILE_BYTES_MAX + 1)).expect_err("one more");
        assert_eq!(
            line,
            "/b.toml: it is too large; expected a file of settings of at most 64 KiB"
        );
        let deep = format!("allow-origin = {}", "[".repeat(60_000));
        assert!(read(&deep).is_err());
        let long = read(&format!("{} = 1", "k".repeat(60_000))).expect_err("unknown");
        assert!(long.len() < 300, "{long}");
    }
}
