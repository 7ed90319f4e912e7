//! Finds the line of a key in the text of a configuration file, and the key at a place in it.

use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// Where each key of a file stands: `server.listen`, `users[0].name`, and tables by their own name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Reads the places of all keys; text that is not TOML has none.
    pub(crate) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            // Counted once: a file with all users of a site has a hundred thousand keys.
            let ends: Vec<usize> =
                text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
            each_key("", table.get_ref(), &mut |key, offset| {
                lines.0.insert(key, line_of(&ends, offset));
            });
        }
        lines
    }

    /// The line of `key`, or of the nearest table around it.
    pub(crate) fn line(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = &key[..key.rfind('.')?];
        }
    }

    /// Whether the file itself gives `key`.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}

/// Names every key and where it begins. The configuration is two levels deep (`section.key`), so this ends
/// after the third.
fn each_key(prefix: &str, table: &DeTable<'_>, found: &mut dyn FnMut(String, usize)) {
    for (key, value) in table {
        let name =
            if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        found(name.clone(), key.span().start);
        match value.get_ref() {
            DeValue::Table(inner) if prefix.matches('.').count() < 2 => each_key(&name, inner, found),
            DeValue::Array(items) if prefix.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    let name = format!("{name}[{index}]");
                    found(name.clone(), item.span().start);
                    if let DeValue::Table(inner) = item.get_ref() {
                        each_key(&name, inner, found);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The key whose value, or whose table's head, is at `offset`.
pub(crate) fn key_at(text: &str, offset: usize) -> Option<String> {
    let table = DeTable::parse(text).ok()?;
    // Of a head the key begins behind the brackets.
    let from = text.get(offset..)?;
    let offset = offset + from.len() - from.trim_start_matches(['[', ' ']).len();
    let mut nearest: Option<(usize, String)> = None;
    each_key("", table.get_ref(), &mut |key, at| {
        if at <= offset && nearest.as_ref().is_none_or(|(before, _)| at >= *before) {
            nearest = Some((at, key));
        }
    });
    nearest.map(|(_, key)| key)
}

/// The line, counted from 1, of the byte at `offset`, where lines end at `ends`.
fn line_of(ends: &[usize], offset: usize) -> usize {
    ends.partition_point(|end| *end < offset) + 1
}

/// The line, counted from 1, that the byte at `offset` is on.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_a_hundred_thousand_users_is_found_on_its_line() {
        let text: String =
            (0..100_000).map(|n| format!("[[users]]\nname = \"u{n}\"\npassword = \"secret\"\n")).collect();
        let lines = Lines::of(&text);
        assert_eq!(lines.line("users[0].name"), Some(2));
        assert_eq!(lines.line("users[99999].password"), Some(300_000));
        assert_eq!(lines.line("users[99999].ha1_md5"), Some(299_998), "the table's");
    }
}
