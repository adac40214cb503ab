//! Text of a file in a page, in Markdown, in a shell, and as a scenario's file.
//!
//! Owns how text of strangers is made harmless. Key invariant: what stands in a result can only be read.

use serde_json::{Map, Value};

/// For HTML and SVG, in text and in attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => told.push_str("&amp;"),
            '<' => told.push_str("&lt;"),
            '>' => told.push_str("&gt;"),
            '"' => told.push_str("&quot;"),
            '\'' => told.push_str("&#39;"),
            letter if letter.is_control() && letter != '\n' => told.push(' '),
            letter => told.push(letter),
        }
    }
    told
}

/// For a line or a cell of Markdown.
pub(crate) fn markdown(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() => told.push(' '),
            '<' => told.push_str("&lt;"),
            '&' => told.push_str("&amp;"),
            '|' | '`' | '[' | ']' | '\\' | '!' => told.extend(['\\', letter]),
            letter => told.push(letter),
        }
    }
    told
}

/// Words as a shell takes them.
pub(crate) fn shell<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let quoted = words.map(|word| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@%+,".contains(letter);
        if !word.is_empty() && word.chars().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<String>>().join(" ")
}

/// A scenario as its file: values first, then the tables.
pub(crate) fn toml(scenario: &Map<String, Value>) -> String {
    let mut told = String::new();
    table(scenario, "", &mut told);
    told
}

fn table(members: &Map<String, Value>, path: &str, told: &mut String) {
    let is_table = |value: &Value| match value {
        Value::Object(_) => true,
        Value::Array(list) => !list.is_empty() && list.iter().all(Value::is_object),
        _ => false,
    };
    for (name, value) in members {
        if !is_table(value) && !value.is_null() {
            // JSON's values are TOML's, but for null and tables.
            told.push_str(&format!("{} = {value}\n", key(name)));
        }
    }
    for (name, value) in members.iter().filter(|(_, value)| is_table(value)) {
        let path = format!("{path}{}", key(name));
        let (tables, head) = match value {
            Value::Array(list) => (list.as_slice(), format!("[[{path}]]")),
            one => (std::slice::from_ref(one), format!("[{path}]")),
        };
        for members in tables.iter().filter_map(Value::as_object) {
            told.push_str(&format!("\n{head}\n"));
            table(members, &format!("{path}."), told);
        }
    }
}

fn key(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_of_strangers_is_only_read() {
        assert_eq!(
            escape("<b a='\"'>&\u{7}\n"),
            "&lt;b a=&#39;&quot;&#39;&gt;&amp; \n"
        );
        assert_eq!(markdown("a|b\n<i> [x](y) `z`"), "a\\|b &lt;i> \\[x\\](y) \\`z\\`");
    }

    #[test]
    fn a_command_can_be_given_to_a_shell() {
        let words = ["run", "--url", "ws://h:1/{room}?token={token}", "", "it's"];
        assert_eq!(
            shell(words.into_iter()),
            "run --url 'ws://h:1/{room}?token={token}' '' 'it'\\''s'"
        );
    }

    #[test]
    fn a_scenario_is_told_as_its_file() {
        let scenario = json!({
            "kind": "traffic", "seconds": 10.0, "a b": "x\"y", "none": null, "list": [1, 2],
            "groups": [{ "boards": 1, "slow": { "bytes": 9 } }, { "boards": 2 }],
        });
        let told = toml(scenario.as_object().unwrap());
        for line in [
            "kind = \"traffic\"",
            "seconds = 10.0",
            "\"a b\" = \"x\\\"y\"",
            "list = [1,2]",
        ] {
            assert!(told.lines().any(|told| told == line), "{told}");
        }
        assert!(
            told.ends_with(
                "\n[[groups]]\nboards = 1\n\n[groups.slow]\nbytes = 9\n\n[[groups]]\nboards = 2\n"
            ),
            "{told}"
        );
        assert!(!told.contains("none"));
    }
}
