//! `tributary user`, on a store and by the API of a running server.

use crate::harness::{TOKEN, server};
use crate::tls::Authority;
use crate::users::login;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tributary::config::User;

/// Runs the program with `password` on its standard input.
fn user(args: &[&str], password: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
        .arg("user")
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who needs no password may have ended already.
    let _ = child.stdin.take().unwrap().write_all(password.as_bytes());
    child.wait_with_output().unwrap()
}

/// What it printed, which must have been a success.
fn does(args: &[&str], password: &str) -> String {
    let done = user(args, password);
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// What it said, which must have been a refusal that holds `expect`.
fn refused(args: &[&str], password: &str, expect: &str) {
    let done = user(args, password);
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(!done.status.success() && !said.contains("panicked"), "{args:?}: {said}");
    assert!(said.contains(expect), "{args:?}: no {expect:?} in: {said}");
}

async fn running(data: &Path, authority: Option<&Authority>) -> tributary::run::Running {
    let pair = authority.map(|authority| authority.issue("server", |_| {}));
    server(|config| {
        config.server.open = false;
        config.store.data = Some(data.display().to_string());
        if let Some((certificate, key)) = pair {
            config.tls.certificate = Some(certificate);
            config.tls.key = Some(key);
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_kept_in_the_store_of_a_server_that_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let alice = "sip:alice@example.com";
    let said = does(&["add", "alice@example.com", "--timezone", "Asia/Tokyo", "--data", data], "secret\n");
    assert_eq!(said, format!("{alice} was added\n"));
    let file = folder.path().join("bob.secret");
    std::fs::write(&file, "another\n").unwrap();
    does(&["add", "sip:bob@example.com", "--password-file", file.to_str().unwrap(), "--data", data], "");
    assert_eq!(
        does(&["list", "--data", data], ""),
        format!("{alice}\tstore\tAsia/Tokyo\nsip:bob@example.com\tstore\t-\n")
    );
    assert_eq!(
        does(&["add", "alice@example.com", "--data", data], "new\n"),
        format!("{alice} was changed\n")
    );
    does(&["remove", "bob@example.com", "--data", data], "");

    // The server knows her by what was stored, and while it runs the store is its own.
    let server = running(folder.path(), None).await;
    let mut client = crate::harness::Client::connect(server.address, "alice").await;
    let uri = "sip:example.com";
    let challenge = client.does(401, "REGISTER", uri, "", "").await;
    let credentials = crate::harness::authorization(&challenge, "alice", "new", "REGISTER", uri);
    client.does(200, "REGISTER", uri, &credentials, "").await;
    refused(&["list", "--data", data], "", "in use by another process");
    refused(&["list", "--data", data], "", "--url");
    drop(client);
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_kept_by_the_api_of_a_server_that_runs_plain_on_loopback_or_over_tls() {
    let authority = Authority::new();
    let token = authority.write("token", &format!("{TOKEN}\n"));
    let ca = authority.write("ca.pem", &authority.pem());
    for secure in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let server = running(folder.path(), secure.then_some(&authority)).await;
        let (scheme, port) = (if secure { "https" } else { "http" }, server.address.port());
        let url = format!("{scheme}://localhost:{port}");
        let mut place = vec!["--url", &url, "--token-file", &token];
        if secure {
            place.extend(["--ca", &ca]);
        }
        let with = |args: &[&'static str]| [args, &place].concat();
        // The listener is on 127.0.0.1 alone; where localhost has another address first, the next is tried.
        for (name, expect) in [("alice", "added"), ("alice", "changed"), ("bob/x", "added")] {
            let address = format!("{name}@example.com");
            let said = does(&[&["add", &address][..], &place].concat(), "secret\n");
            assert_eq!(said, format!("sip:{address} was {expect}\n"));
        }
        let list = "sip:alice@example.com\tstore\t-\nsip:bob/x@example.com\tstore\t-\n";
        assert_eq!(does(&with(&["list"]), ""), list);
        does(&with(&["remove", "alice@example.com"]), "");
        refused(&with(&["remove", "alice@example.com"]), "", "there is no user sip:alice@example.com");
        refused(&with(&["add", "alice@elsewhere.org"]), "secret\n", "this server, which serves example.com");
        for change in [
            &["bob@example.org", "--class", "family", "--group", "board"][..],
            &["example.org", "--class", "contact"],
        ] {
            does(&[&["contacts", "bob/x@example.com"], change, &place].concat(), "");
        }
        let contacts = "sip:bob@example.org\tfamily\tboard\nexample.org\tcontact\t-\n";
        assert_eq!(does(&with(&["contacts", "bob/x@example.com"]), ""), contacts);
        refused(&with(&["contacts", "bob/x@example.com", "a@b", "--class", "boss"]), "", "family");
        does(&with(&["contacts", "bob/x@example.com", "example.org", "--remove"]), "");
        assert_eq!(does(&with(&["contacts", "bob/x@example.com"]), "").lines().count(), 1);
        assert!(server.stop().await);
    }
}

#[test]
fn what_cannot_be_done_says_what_to_do_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "x\n").unwrap();
    let token = token.to_str().unwrap();
    let cases: &[(&[&str], &str, &str)] = &[
        (&["list", "--data", "/no/such/folder"], "", "there is no such folder"),
        (&["list", "--url", "sip.example.com"], "", "there is no token for https://sip.example.com/"),
        (&["list", "--url", "127.0.0.1:1"], "", "nobody answers at http://127.0.0.1:1/"),
        (&["list", "--url", "127.0.0.1:1"], "", "tributary demo"),
        (&["list", "--url", "127.0.0.1:1"], "", "give --data FOLDER"),
        (&["contacts", "alice@example.com", "--data", data], "", "only a running server"),
        (&["contacts", "alice@example.com", "bob@example.com"], "", "--class"),
        (&["contacts", "alice@example.com", "--class", "family"], "", "WHO"),
        (
            &["list", "--data", data, "--url", "http://127.0.0.1:1", "--token-file", token],
            "",
            "cannot be used with",
        ),
        (&["list", "--url", "http://192.0.2.1", "--token-file", token], "", "in clear"),
        (&["list", "--url", "ftp://localhost", "--token-file", token], "", "give a URL such as"),
        (&["list", "--url", "http://127.0.0.1:1", "--token-file", "/no/such/file"], "", "/no/such/file"),
        (&["list", "--url", "https://localhost:1", "--token-file", token, "--ca", token], "", "--ca"),
        (&["add", "alice", "--data", data], "secret\n", "alice@example.com"),
        (&["add", "a:b@example.com", "--data", data], "secret\n", "alice@example.com"),
        (&["add", "alice@example.com", "--data", data], "\n", "1 to 256 bytes"),
        (&["add", "alice@example.com", "--data", data, "--timezone", "Mars"], "secret\n", "not a time zone"),
        (&["add", "alice@example.com", "--data", data, "--password", "secret"], "", "unexpected argument"),
        (&["remove", "alice@example.com", "--data", data], "", "there is no user"),
    ];
    for (args, password, expect) in cases {
        refused(args, password, expect);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_locked_out_is_shown_and_unlocked_while_the_server_runs() {
    let server = server(|config| {
        let password = Some("secret".to_owned());
        config.server.open = false;
        config.users = vec![User { name: "alice".to_owned(), password, ..User::default() }];
        config.lockout.failures_per_address = 3;
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let url = format!("http://{}", server.address);
    let at = ["--url", &url, "--token-file", token.to_str().unwrap()];
    let all = async |args: &[&str]| {
        let args: Vec<String> = args.iter().chain(&at).map(|arg| (*arg).to_owned()).collect();
        let run = move || does(&args.iter().map(String::as_str).collect::<Vec<_>>(), "");
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    assert_eq!(all(&["locks"]).await, "");
    for name in ["alice", "nobody"] {
        for _ in 0..3 {
            assert_eq!(login(server.address, name, "wrong").await, 401);
        }
    }
    assert_eq!(login(server.address, "alice", "secret").await, 403);
    let shown = all(&["locks"]).await;
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert_eq!(lines[0][..2], ["sip:alice@example.com", "127.0.0.1"], "{shown}");
    assert!(lines[0][2].ends_with('Z') && !lines[0][2].contains('.'), "{shown}");
    assert_eq!(all(&["unlock", "alice@example.com"]).await, "alice@example.com was unlocked\n");
    assert_eq!(login(server.address, "alice", "secret").await, 200);
    assert_eq!(all(&["locks"]).await.lines().count(), 1);
    let refusals: [(&[&str], &str); 2] = [
        (&["unlock", "alice@example.com", at[0], at[1], at[2], at[3]], "alice@example.com is not locked"),
        (&["locks", "--data", "."], "only a running server is asked"),
    ];
    for (args, expect) in refusals {
        refused(args, "", expect);
    }
    server.stop().await;
}
