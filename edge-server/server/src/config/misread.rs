//! What the TOML reader says is wrong, in the words of the documentation: which key, and what it takes.

use super::{Config, ConfigError, Problem, locate};

/// Characters of a value that are shown.
const SHOWN: usize = 60;

/// What is wrong with the text of a file.
pub(super) fn of_file(text: &str, error: &toml::de::Error) -> ConfigError {
    let span = error.span();
    let key = span.as_ref().and_then(|span| locate::key_at(text, span.start)).unwrap_or_default();
    let value = span.as_ref().and_then(|span| text.get(span.clone())).unwrap_or_default();
    let (message, fix) = in_words(&key, value, error.message());
    let line = span.map(|span| locate::line_at(text, span.start));
    ConfigError { file: None, problems: vec![Problem { line, key, message, fix }] }
}

/// What is wrong with `value` for `key`, and what to do about it; `said` is what the reader says.
pub(super) fn in_words(key: &str, value: &str, said: &str) -> (String, String) {
    if said.contains("unknown field") {
        let fix = "remove the key or correct its name; docs/configuration.md lists them all";
        return (said.to_owned(), fix.to_owned());
    }
    let (section, key) = key.split_once('.').unwrap_or((key, ""));
    let section = section.split('[').next().unwrap_or_default();
    let Some(known) = Config::sections().into_iter().find(|known| known.name == section) else {
        return (said.to_owned(), String::new());
    };
    let key = key.split('.').next().unwrap_or_default();
    let Some(wanted) = known.keys.iter().find(|known| known.name == key) else {
        let fix = match known.repeated {
            true => format!("write [[{section}]], once for each"),
            false => format!("write [{section}], once"),
        };
        return (format!("{section} is not written like this"), fix);
    };
    let shown: String = value.lines().next().unwrap_or_default().chars().take(SHOWN).collect();
    let fix = match wanted.kind {
        // It may be a password, and is not repeated.
        "text" => return ("wanted: text".to_owned(), "put it between quotes".to_owned()),
        "list of texts" => "write it like [\"one\", \"another\"]",
        "address:port" => "write it with its port, like \"127.0.0.1:8080\"",
        "list of address:port" => "write each with its port, like [\"127.0.0.1:5060\", \"[::1]:5060\"]",
        kind if kind == <super::Mask as super::definition::KeyType>::KIND => {
            "write it like { drop = [\"geo\"], level = \"busy_free\" }"
        }
        "table of texts" => "write it like { \"name\" = \"value\" }",
        _ => "docs/configuration.md says what each key takes; words need quotes, numbers and true/false none",
    };
    (format!("{shown} does not fit; wanted: {}", wanted.kind), fix.to_owned())
}
