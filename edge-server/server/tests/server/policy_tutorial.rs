//! `docs/policies.md`, followed to the letter in an empty folder beside a demonstration.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The demonstration, which ends with the test.
struct Demo {
    child: Child,
    url: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn demo() -> Demo {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.find_map(|line| Some(line.unwrap().trim().strip_prefix("Open  ")?.to_owned())).unwrap();
    Demo { child, url }
}

/// The blocks of a document between ``` marks: the word behind the mark, and what stands in them.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split("```").collect();
    parts.chunks(2).filter_map(|pair| pair.get(1)?.split_once('\n')).collect()
}

#[test]
fn whoever_follows_the_page_has_a_policy_of_their_own_in_force() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies.md");
    let page = std::fs::read_to_string(page).unwrap();
    let demo = demo();
    let folder = tempfile::tempdir().unwrap();
    // The program goes by its name, and one shell does all, since `cd` has to last.
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tributary"), bin.join("tributary")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());

    let mut here = folder.path().to_owned();
    let mut said = String::new();
    let (mut commands, mut lines) = (0, 0);
    for (kind, text) in blocks(&page) {
        match kind {
            "sh" => said.clear(),
            "text" => {
                for line in text.lines() {
                    assert!(said.contains(line), "the page promises {line:?}, and there is\n{said}");
                    lines += 1;
                }
                continue;
            }
            _ => panic!("a block of {kind:?} is neither commands nor what they print"),
        }
        for command in text.lines() {
            if let Some(folder) = command.strip_prefix("cd ") {
                here = here.join(folder);
                continue;
            }
            // The demonstration of the page has the usual port; this one has one that is free.
            let remote = [
                "push", "assign", "activate", "status", "explain", "rollback", "unassign", "audit", "capture",
            ];
            let asks = remote.iter().any(|name| command.starts_with(&format!("tributary policy {name}")));
            let command = if asks { format!("{command} --url {}", demo.url) } else { command.to_owned() };
            let done = Command::new("sh")
                .args(["-c", &command])
                .current_dir(&here)
                .env("PATH", &path)
                .env_remove("TRIBUTARY_API_TOKEN")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let out = String::from_utf8(done.stdout).unwrap();
            let error = String::from_utf8(done.stderr).unwrap();
            assert!(done.status.success(), "{command}: {:?}\n{out}{error}", done.status);
            said.push_str(&out);
            commands += 1;
        }
    }
    assert!(commands >= 10 && lines >= 10, "{commands} commands, {lines} lines");
}

#[test]
fn each_policy_that_ships_has_a_page_and_the_page_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let list = std::fs::read_to_string(root.join("docs/policies/README.md")).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(root.join("wasm-rules/policies")).unwrap() {
        let folder = entry.unwrap().path();
        // A policy that people choose has vectors.
        if !folder.join("vectors").is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let page = std::fs::read_to_string(root.join("docs/policies").join(format!("{name}.md")));
        let page = page.unwrap_or_else(|error| panic!("docs/policies/{name}.md: {error}"));
        assert!(page.starts_with("# \""), "{name}: a page begins with what somebody said");
        assert!(page.contains(&format!("tributary policy assign {name} ")), "{name}");
        assert!(list.contains(&format!("[{name}]({name}.md)")), "{name} is not listed");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}
