//! `cargo xtask tidy`: the rules of the house that no compiler checks. They run as a test, too.

use std::path::Path;

use crate::process::{Result, Run};
use crate::{paths, stamp};

/// A file longer than this is two subjects.
const MOST_LINES: usize = 800;

/// Extensions that people write here.
const TEXT: [&str; 12] = ["rs", "toml", "md", "ts", "mjs", "js", "css", "html", "sh", "json", "yml", "c"];

/// Fails with every breach found, one a line.
pub(crate) fn run() -> Result<()> {
    let breaches = breaches()?;
    if breaches.is_empty() {
        eprintln!("    tidy: nothing to say");
        return Ok(());
    }
    for breach in &breaches {
        eprintln!("tidy: {breach}");
    }
    Err(format!("{} things are untidy", breaches.len()))
}

fn breaches() -> Result<Vec<String>> {
    let root = paths::root();
    // What git knows, plus what it would add: a breach shows before it is committed.
    let listed = Run::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .quietly()
        .output()
        .unwrap_or_default();
    let mut files: Vec<_> =
        listed.lines().map(|line| root.join(line)).filter(|path| path.is_file()).collect();
    if files.is_empty() {
        files = stamp::files_below(&root);
    }
    files.sort();
    files.dedup();
    let mut found = Vec::new();
    for file in &files {
        let place = file.strip_prefix(&root).unwrap_or(file).to_string_lossy().into_owned();
        let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !TEXT.contains(&extension) || is_data(&place) {
            continue;
        }
        let text = std::fs::read_to_string(file).map_err(|e| format!("{place}: {e}"))?;
        check_text(&place, extension, &text, &mut found);
        if extension == "md" {
            check_places(&root, &place, &text, &mut found);
        }
        if extension == "toml" && place.ends_with("Cargo.toml") {
            check_manifest(file, &place, &text, &mut found);
        }
    }
    Ok(found)
}

/// Test documents, lock files and recorded outputs are as they are.
fn is_data(place: &str) -> bool {
    ["/snapshots/", "/testdata/", "/data/", "/seeds/", "/corpus/", "/vectors/", "/fixtures/", "/torture/"]
        .iter()
        .any(|part| place.contains(part))
        || place.ends_with("package-lock.json")
}

fn check_text(place: &str, extension: &str, text: &str, found: &mut Vec<String>) {
    // Unit tests stand last in their file and belong to its subject.
    let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
    if matches!(extension, "rs" | "ts" | "mjs" | "css" | "c") && lines > MOST_LINES {
        found.push(format!("{place}: {lines} lines; more than {MOST_LINES} is two subjects"));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(format!("{place}: the last line does not end"));
    }
    let code = matches!(extension, "rs" | "ts" | "mjs" | "js");
    for (number, line) in text.lines().enumerate() {
        let at = || format!("{place}:{}", number + 1);
        if line.ends_with([' ', '\t', '\r']) && extension != "md" {
            found.push(format!("{}: trailing space", at()));
        }
        if code && ["TO", "FIX", "XX"].iter().zip(["DO", "ME", "X"]).any(|(a, b)| has_mark(line, a, b)) {
            found.push(format!("{}: a mark for later; do it, or write an issue", at()));
        }
        if extension == "rs" && line.contains(concat!("thread", "::sleep(")) && !line.contains("// allowed:")
        {
            found.push(format!("{}: sleeping to wait; wait for the thing itself", at()));
        }
    }
}

/// A folder or file of ours that a document names in backticks, or that a link of it leads to, is there.
fn check_places(root: &Path, place: &str, text: &str, found: &mut Vec<String>) {
    let folder = root.join(place);
    let folder = folder.parent().unwrap_or(root);
    for (number, line) in text.lines().enumerate() {
        let mut missing = |name: &str| {
            found.push(format!("{place}:{}: there is no {name}", number + 1));
        };
        let ours = ["merge-core/", "wasm-rules/", "edge-server/", "web-demo/", "tests/", "xtask/"];
        for name in line.split('`').skip(1).step_by(2) {
            // Names with a star or a blank are patterns and commands.
            let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let is_ours = ours.iter().any(|folder| name.starts_with(folder));
            if is_plain && is_ours && !root.join(name).exists() && !folder.join(name).exists() {
                missing(name);
            }
        }
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split([')', '#']).next().unwrap_or_default();
            let is_file = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
            if is_file && !folder.join(target).exists() {
                missing(target);
            }
        }
    }
}

/// The word `a` + `b` in capitals, alone (split here so that this file does not find itself).
fn has_mark(line: &str, a: &str, b: &str) -> bool {
    let mark = format!("{a}{b}");
    line.match_indices(&mark).any(|(at, _)| {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(letter) && !line[at + mark.len()..].starts_with(letter)
    })
}

fn check_manifest(file: &Path, place: &str, text: &str, found: &mut Vec<String>) {
    if !text.contains("[package]") {
        return;
    }
    if !text.lines().any(|line| line.starts_with("license")) {
        found.push(format!("{place}: no licence"));
    }
    let Some(folder) = file.parent() else { return };
    // The guest side of a policy hands out its memory, and the cache loads machine code that it has
    // authenticated; everything else forbids unsafe code.
    if ["wasm-rules/policies/", "wasm-rules/sdk", "wasm-rules/cache", "/fuzz/", "/benches/"]
        .iter()
        .any(|part| place.contains(part))
    {
        return;
    }
    for start in ["src/lib.rs", "src/main.rs"] {
        let source = folder.join(start);
        let Ok(source) = std::fs::read_to_string(source) else { continue };
        if !source.contains("#![forbid(unsafe_code)]") {
            found.push(format!("{place}: {start} does not forbid unsafe code"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_tidy() {
        assert_eq!(breaches().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let check = |extension: &str, text: &str| {
            let mut found = Vec::new();
            check_text("file", extension, text, &mut found);
            found.len()
        };
        assert_eq!(check("rs", "fn one() {}\n"), 0);
        assert_eq!(check("rs", "fn one() {} \n"), 1);
        assert_eq!(check("rs", "fn one() {}"), 1);
        assert_eq!(check("rs", &format!("// {}{} later\n", "TO", "DO")), 1);
        assert_eq!(check("rs", &format!("std::thread{}(one)\n", "::sleep")), 1);
        assert_eq!(check("rs", &"//\n".repeat(MOST_LINES + 1)), 1);
        assert_eq!(check("md", "two spaces  \n"), 0);
    }

    #[test]
    fn a_document_names_what_is_there() {
        let check = |text: &str| {
            let mut found = Vec::new();
            check_places(&paths::root(), "README.md", text, &mut found);
            found
        };
        for good in [
            "`xtask/src/tidy.rs`, `xtask/*.x`, `other/thing`",
            "[map](ARCHITECTURE.md#invariants) [a](https://a.example/b)",
        ] {
            assert_eq!(check(good), Vec::<String>::new());
        }
        for bad in ["`xtask/src/untidy.rs`", "[map](ARCHITECTURE.txt)"] {
            assert_eq!(check(bad).len(), 1, "{bad}");
        }
    }
}
