//! The program as an operator meets it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

fn tributary(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.args(args).env_clear();
    command
}

fn output(args: &[&str]) -> Output {
    tributary(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_cannot_start_says_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("tributary.redb"), "no store").unwrap();
    let data = data.to_str().unwrap().to_owned();
    let broken = path("broken.toml", "[server]\nlisten = 5\n");
    let partial = path("partial.toml", "[server]\nlisten = \"0.0.0.0:1\"\n");
    let nobody = path("nobody.toml", "[server]\ndomains = [\"example.com\"]\n");
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["serve"], "there are no users"),
        (vec!["serve", "--open", "--listen", "0.0.0.0:0"], "open mode has no authentication"),
        (vec!["serve", "--user", "alice:x", "--listen", "0.0.0.0:0"], "there is no TLS"),
        (vec!["serve", "--config", "/no/such/file"], "cannot read the file"),
        (vec!["serve", "--config", &broken], "broken.toml:2: "),
        // The flags complete the file before it is judged: without --user there would be nobody, and
        // what is still wrong then names the file's line.
        (vec!["serve", "--config", &partial, "--user", "alice:x"], "partial.toml:2: server.listen: "),
        (vec!["serve", "--config", &nobody, "--open", "--listen", &port], "cannot listen on"),
        (vec!["serve", "--open", "--listen", &port], "cannot listen on"),
        (vec!["serve", "--open", "--listen", "127.0.0.1:0", "--data", &data], "is damaged"),
        (vec!["serve", "--user", "alice:x", "--digest", "MD5", "--digest", "SHA-1"], "server.digest: "),
        (vec!["serve", "--user", "alice"], "write it as NAME:SECRET"),
        (vec!["demo", "--listen", "0.0.0.0:0"], "this machine only"),
        (vec!["check-config", &broken], "broken.toml:2: "),
        (vec!["merge", "/no/such/file"], "/no/such/file: "),
        (vec!["merge", &broken], "broken.toml: "),
    ];
    for (args, expect) in cases {
        let done = output(&args);
        assert!(!done.status.success(), "{args:?}");
        let said = text(&done.stderr);
        assert!(said.contains(expect), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
    }
}

#[test]
fn a_good_file_is_called_good() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("good.toml");
    std::fs::write(&file, "[[users]]\nname = \"alice\"\npassword = \"secret\"\n").unwrap();
    let done = output(&["check-config", file.to_str().unwrap()]);
    assert!(done.status.success(), "{done:?}");
    assert!(text(&done.stdout).contains("good. Listens on 127.0.0.1:8080"), "{done:?}");
    assert!(text(&done.stdout).contains("serves example.com, 1 user, state in memory"), "{done:?}");
}

#[test]
fn help_has_examples_and_the_version_is_the_crates() {
    for args in [
        &["--help"][..],
        &["serve", "--help"],
        &["demo", "--help"],
        &["merge", "--help"],
        &["user", "--help"],
    ] {
        let help = text(&output(args).stdout);
        assert!(help.contains("tributary"), "{help}");
        assert!(!help.contains("compile-policy"), "{help}");
    }
    let version = text(&output(&["--version"]).stdout);
    assert_eq!(version.trim(), format!("tributary {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn merge_writes_what_is_asked_for_from_a_captured_live_set() {
    let live = r#"{"aor":"sip:alice@example.com","domain":"example.com","tenant":"","groups":[],"locale":null,
        "now_ms":1795225680000,"composition":"compose","switches":{"presence_uses_registration_state":true,
        "notify_closed_state_for_non_published_users":true},"publications":[{"etag":"e1","source":"publish",
        "device":"desk","device_kind":"desk","instance":null,"user_agent":null,"received_ms":1795225600000,
        "first_ms":1795225600000,"expires_ms":1795229200000,"pidf":"<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:alice@example.com\"><tuple id=\"t1\"><status><basic>open</basic></status><note>At my desk</note></tuple></presence>"}],
        "registrations":[],"dialogs":[]}"#;
    for (form, expect) in [("pidf", "<presence"), ("json", "{"), ("explanation", "\"rule\"")] {
        let mut child = tributary(&["merge", "-", "--as", form])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(live.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        let written = text(&done.stdout);
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert!(written.contains(expect), "{form}: {written}");
        assert!(form == "explanation" || written.contains("At my desk"), "{form}: {written}");
    }
}

#[test]
fn the_demonstration_says_loudly_what_it_is_and_ends_cleanly_when_told() {
    let mut child = tributary(&["demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    for line in lines {
        let line = line.unwrap();
        said.push_str(&line);
        if line.contains("Open  http://127.0.0.1:") {
            break;
        }
    }
    let token = said.split_once("token is ").and_then(|(_, rest)| rest.split_once(';')).unwrap().0;
    assert!(said.contains(&format!("curl -H 'Authorization: Bearer {token}' http://127.0.0.1:")), "{said}");
    assert!(said.contains("NO AUTHENTICATION"), "{said}");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success(), "an orderly end is a success");
    assert!(
        !std::env::temp_dir().join(format!("tributary-demo-{id}")).exists(),
        "the scratch folder is gone"
    );
}
