//! `tributary policy`: as an author meets it on one machine, and as an operator with a running server.

use crate::harness::{TOKEN, server};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Answers with a constant text.
pub(crate) fn module(answer: &str) -> Vec<u8> {
    let wat = r#"(module
      (memory (export "memory") 1 4)
      (data (i32.const 16) "OUTPUT")
      (func (export "presence_policy_abi_1"))
      (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "pp_merge") (param i32 i32) (result i64)
        (i64.or (i64.shl (i64.const 16) (i64.const 32)) (i64.const LENGTH)))
      (@custom "presence-policy" "{\22name\22:\22quiet\22,\22summary\22:\22For a test\22}"))"#;
    let wat =
        wat.replace("OUTPUT", &answer.replace('"', "\\22")).replace("LENGTH", &answer.len().to_string());
    wat::parse_str(wat).unwrap()
}

pub(crate) const BUSY: &str = r#"{"abi":1,"set":{"activities":["busy"]}}"#;

pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) said: String,
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.said))
    }
}

pub(crate) fn policy_in(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.arg("policy").args(args).current_dir(folder).env_clear().envs(environment.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let done = Done { code: status.code().unwrap(), out: text(stdout), said: text(stderr) };
    assert!(!done.said.contains("panicked"), "{args:?}: {}", done.said);
    assert!(!done.out.contains('\u{1b}'), "{args:?}: colours in a pipe: {}", done.out);
    done
}

fn policy(folder: &Path, args: &[&str]) -> Done {
    policy_in(folder, args, &[])
}

fn folder_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn each_command_has_help_with_an_example_and_the_exit_codes_stand_in_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let help = policy(folder.path(), &["--help"]);
    assert_eq!(help.code, 0);
    for (exit, meaning) in policy_workbench::EXITS {
        assert!(
            help.out.replace(['\n', ' '], "").contains(&meaning.replace(' ', "")),
            "{exit:?}: {}",
            help.out
        );
    }
    let commands: Vec<&str> = help
        .out
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 14, "{commands:?}");
    for name in commands {
        let help = policy(folder.path(), &[name, "--help"]);
        assert_eq!(help.code, 0, "{name}");
        assert!(
            help.out.contains(&format!("tributary policy {name}")),
            "{name} without example: {}",
            help.out
        );
    }
}

#[test]
fn the_exit_code_says_yes_no_or_why_nothing_was_done() {
    let folder = folder_with(&[
        ("good.wasm", &module(BUSY)),
        ("bad.wasm", &module("{\"abi\":1,\"base\":7}")),
        ("text.wasm", b"(module)"),
        ("v.json", br#"{"name":"v","patch":{"publications":[]},"match":"no_opinion"}"#),
        ("not-json.json", b"{"),
    ]);
    for (args, code, words) in [
        (&["new", "quiet", "--lang", "c"][..], 0, "quiet is there, in c"),
        (&["new", "quiet"], 2, "quiet is there already and is not empty"),
        (&["new", "Quiet"], 2, "Quiet is not a name"),
        // There is no PATH here, and so no compiler.
        (&["build", "quiet"], 3, "pip install ziglang"),
        (&["build", "."], 2, "tributary policy new NAME"),
        (&["check", "good.wasm"], 0, "good.wasm: good"),
        (&["check", "bad.wasm"], 1, "E207"),
        (&["check", "text.wasm"], 1, "E101"),
        (&["check", "none.wasm"], 2, "No such file"),
        (&["check", "--no-such-flag"], 2, "--no-such-flag"),
        (&["run", "good.wasm"], 0, "\"activities\": [\"busy\"]"),
        (&["run", "bad.wasm"], 1, "E207"),
        (&["run", "text.wasm"], 2, "tributary policy check text.wasm"),
        (&["run", "good.wasm", "not-json.json"], 2, "not JSON"),
        (&["run", "good.wasm", "--params", "[1]"], 2, "[1]"),
        (&["test", "good.wasm", "v.json"], 1, "expected no opinion"),
        (&["test", "good.wasm"], 2, "no folder `vectors`"),
        (&["fuzz", "good.wasm", "--runs", "20"], 0, "nothing found"),
        (&["fuzz", "bad.wasm", "--runs", "20"], 1, "E207"),
        (&["bench", "good.wasm", "--seconds", "1"], 0, "a merge of three devices"),
        (&["replay", "good.wasm", "v.json"], 0, "would change 1 of 1"),
        (&["sign", "good.wasm", "--key", "v.json"], 2, "openssl genpkey"),
        (&["push", "good.wasm", "--url", "https://sip.example.com"], 2, "there is no token"),
        // Whoever forgot to start a demonstration is not sent to look for its token.
        (&["push", "good.wasm", "--url", "http://127.0.0.1:1"], 4, "a demonstration: tributary demo"),
        (&["status", "--url", "127.0.0.1:1"], 4, "nobody answers at http://127.0.0.1:1/"),
        (
            &["status", "--url", "http://sip.example.com", "--token-file", "v.json"],
            4,
            "fix: give --url https://NAME",
        ),
        (&["status", "--url", "http://127.0.0.1:1", "--token-file", "v.json"], 4, "Connection refused"),
    ] {
        let done = policy(folder.path(), args);
        assert_eq!(done.code, code, "{args:?}: {}{}", done.out, done.said);
        let text = format!("{}{}", done.out, done.said);
        assert!(text.contains(words), "{args:?}: no {words:?} in {text}");
    }
}

#[test]
fn json_is_one_value_on_standard_output_whatever_happens() {
    let folder = folder_with(&[("good.wasm", &module(BUSY)), ("bad.wasm", &module("{"))]);
    for (args, place, value) in [
        (&["check", "good.wasm", "--json"][..], "/ok", Value::Bool(true)),
        (&["check", "bad.wasm", "--json"], "/errors/0/code", "E202".into()),
        (&["--json", "run", "good.wasm"], "/output/set/activities/0", "busy".into()),
        (&["run", "--json", "bad.wasm"], "/findings/0/code", "E202".into()),
        (&["fuzz", "--json", "bad.wasm", "--runs", "3"], "/finds/0/finding/code", "E202".into()),
        (&["test", "--json", "good.wasm"], "/error/code", "usage".into()),
        (&["check", "--json", "none.wasm"], "/error/code", "usage".into()),
        (
            &["status", "--json", "--url", "http://example.com", "--token-file", "/dev/null"],
            "/error/code",
            "server".into(),
        ),
    ] {
        let done = policy(folder.path(), args);
        assert_eq!(done.json().pointer(place), Some(&value), "{args:?}: {}", done.out);
        assert_eq!(done.said, "", "{args:?}");
    }
}

#[test]
fn what_fuzzing_finds_is_kept_as_a_vector_that_fails() {
    let folder = folder_with(&[("bad.wasm", &module("{\"abi\":1,\"drop\":[\"tuple:e-1/t\"]}"))]);
    let done = policy(folder.path(), &["fuzz", "bad.wasm", "--runs", "5", "--save", "vectors"]);
    assert_eq!(done.code, 1, "{}", done.out);
    let done = policy(folder.path(), &["test", "bad.wasm"]);
    assert_eq!(done.code, 1);
    assert!(done.out.contains("E203"), "{}", done.out);
}

/// A private key alone, as openssl writes it (RFC 8410 section 10.3), and the pair.
fn author_key() -> (String, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = [&head[..], &key.serialize_der()[16..48]].concat();
    let base64 = |bytes: &[u8]| {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        bytes
            .chunks(3)
            .flat_map(|three| {
                let value = three.iter().fold(0_u32, |value, byte| (value << 8) | u32::from(*byte))
                    << (8 * (3 - three.len()));
                (0..4).map(move |at| {
                    if at <= three.len() {
                        LETTERS[(value >> (18 - 6 * at)) as usize & 63] as char
                    } else {
                        '='
                    }
                })
            })
            .collect::<String>()
    };
    (format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64(&der)), key)
}

#[test]
fn a_signature_is_one_that_the_public_key_verifies() {
    let (pem, key) = author_key();
    let wasm = module(BUSY);
    let folder = folder_with(&[("quiet.wasm", &wasm), ("author.key", pem.as_bytes())]);
    let done = policy(folder.path(), &["sign", "quiet.wasm", "--key", "author.key"]);
    assert_eq!((done.code, done.out.as_str()), (0, "quiet.wasm.sig was written\n"), "{}", done.said);
    let signature = std::fs::read_to_string(folder.path().join("quiet.wasm.sig")).unwrap();
    let public = jsonwebtoken::DecodingKey::from_ed_der(key.public_key_raw());
    let verify = |bytes: &[u8]| {
        jsonwebtoken::crypto::verify(signature.trim(), bytes, &public, jsonwebtoken::Algorithm::EdDSA)
            .unwrap()
    };
    assert!(verify(&wasm));
    assert!(!verify(&module("{}")));
}

/// Runs a command that asks the server, with its token in the variable.
pub(crate) async fn ask(folder: &Path, url: &str, args: &[&str]) -> Done {
    let (folder, args): (PathBuf, Vec<String>) =
        (folder.to_owned(), args.iter().copied().chain(["--url", url]).map(str::to_owned).collect());
    tokio::task::spawn_blocking(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        policy_in(&folder, &args, &[("TRIBUTARY_API_TOKEN", TOKEN)])
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_goes_from_a_file_into_force_and_back_and_all_say_the_same_of_a_bad_one() {
    let folder =
        folder_with(&[("quiet.wasm", &module(BUSY)), ("bad.wasm", &module("{\"abi\":1,\"base\":7}"))]);
    let (pem, key) = author_key();
    std::fs::write(folder.path().join("author.key"), pem).unwrap();
    let public = folder.path().join("author.pub");
    std::fs::write(&public, key.public_key_pem()).unwrap();
    let running = server(|config| {
        config.server.domains = vec!["example.com".to_owned()];
        config.policies.signatures = tributary::config::Signatures::Require;
        config.policies.keys = [("author".to_owned(), public.display().to_string())].into();
    })
    .await;
    let url = format!("http://{}", running.address);
    let ask = async |args: &[&str]| {
        let done = ask(folder.path(), &url, args).await;
        (done.code, format!("{}{}", done.out, done.said))
    };

    let (code, said) = ask(&["status"]).await;
    assert!(code == 0 && said.contains("nothing is assigned"), "{said}");
    let (code, said) = ask(&["push", "quiet.wasm"]).await;
    assert!(code == 1 && said.contains("E170"), "{said}");
    assert_eq!(policy(folder.path(), &["sign", "quiet.wasm", "--key", "author.key"]).code, 0);
    let (code, said) = ask(&["push", "quiet.wasm"]).await;
    assert!(
        code == 0 && said.contains("quiet is uploaded as ") && said.contains("signed by author"),
        "{said}"
    );
    let (code, said) = ask(&["assign", "quiet", "--to", "domain:example.com"]).await;
    assert!(code == 0 && said.starts_with("domain:example.com: quiet "), "{said}");
    let (code, said) = ask(&["assign", "--built-in", "newest", "--to", "domain:example.com"]).await;
    assert!(code == 0 && said.contains("the built-in merge newest (generation 2) is in force"), "{said}");
    let user = "user:sip:alice@example.com";
    let (code, said) = ask(&["assign", "quiet", "--to", "operator", "--lock"]).await;
    assert!(code == 0 && said.contains("(generation 1, locked) is in force"), "{said}");
    let (code, said) = ask(&["assign", "--built-in", "newest", "--to", user]).await;
    assert!(code == 1 && said.contains("assign to that scope, without locked, first"), "{said}");
    let (code, said) = ask(&["assign", "--built-in", "compose", "--to", "operator"]).await;
    assert!(code == 0 && said.contains("compose (generation 2) is in force"), "{said}");
    let (code, said) = ask(&["rollback", "domain:example.com"]).await;
    assert!(code == 0 && said.contains("quiet") && said.contains("(generation 1) is in force"), "{said}");
    let (code, said) = ask(&["status"]).await;
    assert!(code == 0 && said.contains("domain:example.com: quiet "), "{said}");

    // Whoever is asked about, it is known what watchers get and why.
    let (code, said) = ask(&["explain", "alice@example.com"]).await;
    assert!(code == 0 && said.contains("sip:alice@example.com: quiet "), "{said}");
    assert!(said.contains("person/activities busy (policy)"), "{said}");
    let (code, said) = ask(&["explain", "alice@example.com", "--as", "bob@example.com"]).await;
    assert!(code == 0 && said.contains("bob@example.com: same-domain, who is of the same domain"), "{said}");
    assert!(
        said.contains("not asked: all watchers see the same")
            && said.contains("\"entity\": \"sip:alice@example.com\""),
        "{said}"
    );
    let (code, said) = ask(&["capture", "alice@example.com", "--out", "states/alice.json"]).await;
    assert!(code == 0 && said == "states/alice.json was written\n", "{said}");
    let mode = std::fs::metadata(folder.path().join("states/alice.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "only its owner may read what is personal");
    let ran = policy(folder.path(), &["run", "quiet.wasm", "states/alice.json"]);
    assert!(ran.code == 0 && ran.out.contains("what watchers get"), "{}{}", ran.out, ran.said);

    // The first assignment is taken back like any other; then there is nothing more.
    let (code, said) = ask(&["rollback", "domain:example.com"]).await;
    assert!(code == 0 && said.starts_with("domain:example.com: nothing is assigned any more"), "{said}");
    let (code, said) = ask(&["rollback", "domain:example.com"]).await;
    assert!(code == 1 && said.contains("nothing is assigned to domain:example.com"), "{said}");
    let (code, said) = ask(&["assign", "quiet", "--to", "user:alice@example.com"]).await;
    assert!(code == 0 && said.starts_with("user:sip:alice@example.com: quiet "), "{said}");
    let (code, said) = ask(&["unassign", "user:alice@example.com"]).await;
    assert!(code == 0 && said.contains("nothing is assigned any more"), "{said}");
    let (_, said) = ask(&["audit", "--last", "3"]).await;
    assert!(said.contains("rollback for domain:example.com, generation 0: nothing is assigned"), "{said}");
    let (code, said) = ask(&["status"]).await;
    assert!(code == 0 && said.contains("operator: the built-in merge compose (generation 2)\n"), "{said}");
    assert!(
        !said.contains("domain:example.com") && !said.contains("failures") && !said.contains("{}"),
        "{said}"
    );
    for to in ["domain:exmaple.com", "user:alice@exmaple.com"] {
        let (code, said) = ask(&["assign", "quiet", "--to", to]).await;
        assert!(code == 1 && said.contains("this server, which serves example.com"), "{said}");
    }
    let (code, said) = ask(&["activate", "domain:example.com"]).await;
    assert!(code == 1 && said.contains("--canary PERCENT"), "{said}");

    // What the server refuses is a no, in its words; a token that is not the one is none.
    let (code, said) = ask(&["assign", "quite", "--to", "domain:example.com"]).await;
    assert!(code == 1 && said.contains("the server has no policy quite"), "{said}");
    let (code, said) = ask(&["assign", "quiet", "--to", "everybody"]).await;
    assert!(code == 1 && said.contains("everybody is not a scope"), "{said}");
    let (code, said) = ask(&["explain", "nobody"]).await;
    assert!(code == 1 && said.contains("sip:nobody is not an address of record"), "{said}");
    std::fs::write(folder.path().join("wrong"), "wrong\n").unwrap();
    let (code, said) = ask(&["status", "--token-file", "wrong"]).await;
    assert!(code == 4 && said.contains("the bearer token is not the right one"), "{said}");

    // The report of an upload, that of a check here, and its JSON: word for word.
    assert_eq!(policy(folder.path(), &["sign", "bad.wasm", "--key", "author.key"]).code, 0);
    let (code, refused) = ask(&["push", "bad.wasm", "--json"]).await;
    let uploaded: Value = serde_json::from_str(&refused).unwrap();
    let here = policy(folder.path(), &["check", "bad.wasm", "--json"]).json();
    assert_eq!((code, &uploaded["report"]["errors"]), (1, &here["errors"]), "{refused}");
    let lines = |text: &str| {
        text.lines().filter(|line| line.starts_with("  ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (_, said) = ask(&["push", "bad.wasm"]).await;
    let checked = policy(folder.path(), &["check", "bad.wasm"]).out;
    assert!(!lines(&said).is_empty());
    assert!(lines(&said).iter().all(|line| checked.contains(line.as_str())), "{said}{checked}");
    running.stop().await;
}
