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

/// A scenario as its file; what TOML cannot say, as JSON.
pub(crate) fn toml(scenario: &Map<String, Value>) -> String {
    toml::to_string(scenario).unwrap_or_else(|_| format!("{:#}", Value::from(scenario.clone())))
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
            "group": [{ "boards": 1, "slow": { "bytes": 9 } }, { "boards": 2 }],
            "kind": "traffic", "seconds": 10.0, "text": "x\"y",
        });
        let told = toml(scenario.as_object().unwrap());
        let back: Value = toml::from_str(&told).unwrap();
        assert_eq!(back, scenario);
        assert!(told.lines().any(|line| line == "seconds = 10.0"), "{told}");
        let odd = json!({ "none": null, "large": u64::MAX });
        assert!(toml(odd.as_object().unwrap()).contains("18446744073709551615"));
    }
}
