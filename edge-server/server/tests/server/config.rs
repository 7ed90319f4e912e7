//! Configuration files: what is wrong with each, and on which line.

use tributary::config::{Config, ConfigError};

const NOTHING: [(String, String); 0] = [];

/// Every line of `expect` is `LINE KEY: words of the message`; a `-` is no line.
fn check(text: &str, expect: &[&str]) {
    check_with(text, &[], expect);
}

fn check_with(text: &str, environment: &[(&str, &str)], expect: &[&str]) {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let found: Vec<String> = match Config::read(text, environment) {
        Ok(_) => Vec::new(),
        Err(ConfigError { problems, .. }) => problems
            .into_iter()
            .map(|problem| {
                let line = problem.line.map_or("-".to_owned(), |line| line.to_string());
                format!("{line} {}: {}", problem.key, problem.message)
            })
            .collect(),
    };
    assert_eq!(found.len(), expect.len(), "{text}\n{found:#?}");
    for (found, expect) in found.iter().zip(expect) {
        assert!(found.contains(expect), "{text}\nexpected {expect}\nfound {found}");
    }
}

const USER: &str = "[[users]]\nname = \"alice\"\npassword = \"secret\"\n";

#[test]
fn the_smallest_files_are_good() {
    check(USER, &[]);
    check("[server]\nopen = true\n", &[]);
    check(&format!("{USER}[limits]\nbody_bytes = 1000\n"), &[]);
}

#[test]
fn each_mistake_is_named_with_its_line() {
    check("", &["- users: there are no users"]);
    check("[server\n", &["1 : "]);
    check("[server]\nlisten = \"127.0.0.1:80\"\ncolour = 1\n", &["3 server.colour: unknown field `colour`"]);
    check("[colours]\n", &["1 colours: unknown field `colours`"]);
    check("[server]\nopen = \"yes\"\n", &["2 server.open: \"yes\" does not fit; wanted: true or false"]);
    check(
        "[server]\nlisten = \"localhost\"\n",
        &["2 server.listen: \"localhost\" does not fit; wanted: address:port"],
    );
    check(
        "[server]\nopen = true\n[sip]\nudp = [\n  \"127.0.0.1:5060\",\n  \"192.0.2.1\",\n]\n",
        &["6 sip.udp: \"192.0.2.1\" does not fit; wanted: list of address:port"],
    );
    check("[overload]\nlag_ms = -1\n", &["2 overload.lag_ms: -1 does not fit; wanted: whole number from 0"]);
    check(
        "[limits]\nbody_bytes = \"1\"\n",
        &["2 limits.body_bytes: \"1\" does not fit; wanted: whole number from 0"],
    );
    check(
        "[server.timezones]\n\"example.com\" = 3\n",
        &["2 server.timezones.example.com: 3 does not fit; wanted: table of texts"],
    );
    check("[server]\nopen = true\n[users]\nname = \"a\"\n", &["3 users: users is not written like this"]);
    check("[[server]]\nopen = true\n", &["1 server: server is not written like this"]);
    check("[[users]]\nname = \"a\"\npassword = 123\n", &["3 users[0].password: wanted: text"]);
    check("[server]\nopen = true\ndomains = []\n", &["3 server.domains: no domain"]);
    check(
        "[server]\nopen = true\ndomains = [\"sip:x\"]\n",
        &["3 server.domains: \"sip:x\" is not a host name"],
    );
    check(
        "[server]\nopen = true\ntimezone = \"Mars\"\ntimezones = { \"Example.com\" = \"Asia/Tokyo\" }\n",
        &["3 server.timezone: \"Mars\" is not a time zone"],
    );
    check(
        "[server]\nopen = true\n[server.timezones]\n\"example.com\" = \"Mars\"\n\"b.org\" = \"UTC\"\n",
        &[
            "5 server.timezones.b.org: b.org is not one of server.domains",
            "4 server.timezones.example.com: \"Mars\" is not a time zone",
        ],
    );
    check(
        "[server]\nopen = true\n\n[store]\ndurability = \"maybe\"\n",
        &["5 store.durability: \"maybe\" does not fit; wanted: \"process\" or \"fsync\""],
    );
    check("[server]\nopen = true\n[log]\nlevel = \"loud\"\n", &["4 log.level: \"loud\" is not a log filter"]);
    check("[server]\nopen = true\n[limits]\ncolours = 3\n", &["4 limits.colours: no limit has this name"]);
    check(
        "[server]\nopen = true\n[presence]\nmin_publication_seconds = 4000\n",
        &["4 presence.min_publication_seconds: 4000 is more than"],
    );
    check(
        "[server]\nopen = true\n[websocket]\norigins = [\"app.example\"]\n",
        &["4 websocket.origins: \"app.example\""],
    );
    check(
        "[server]\nopen = true\n[websocket]\nmax_message_bytes = 10\n",
        &["4 websocket.max_message_bytes: 10 is too"],
    );
    check(
        "[server]\nopen = true\nsite = \"/no/such/folder\"\n",
        &["3 server.site: /no/such/folder is not a folder"],
    );
    for list in ["[]", "[\"SHA-1\"]", "[\"MD5\", \"md5\"]"] {
        check(&format!("[server]\nopen = true\ndigest = {list}\n"), &["3 server.digest: "]);
    }
    check("[server]\nopen = true\n[sip]\nidle_seconds = 0\n", &["4 sip.idle_seconds: 0 is too small"]);
    check(
        "[server]\nopen = true\n[registrar]\nheaders = [\"X-*\", \"Via\"]\n",
        &["4 registrar.headers: \"Via\" is no header that can be kept"],
    );
    check(
        "[server]\nopen = true\n[registrar]\nheaders = [\"X-*\"]\n[proxy]\nfork_support = \"ms-forking\"\n",
        &["6 proxy.fork_support: no device could say ms-forking"],
    );
    check(
        "[server]\nopen = true\n[proxy]\nno_fork_tag = \"nofork\"\n",
        &["4 proxy.no_fork_tag: \"nofork\" is no feature tag"],
    );
    check(
        "[server]\nopen = true\n[registrar]\nwatchers = [\"sip:pbx@elsewhere.org\"]\n",
        &["4 registrar.watchers: \"sip:pbx@elsewhere.org\" is not the address of a user here"],
    );
    check("[server]\nopen = true\n[sip]\nt2_ms = 400\n", &["4 sip.t2_ms: 400 is too small"]);
    check(
        "[server]\nopen = true\n[registrar]\nservice_route = [\"sip:out.example.com\"]\n",
        &["4 registrar.service_route: \"sip:out.example.com\" is not a route"],
    );
    check(
        "[server]\nopen = true\n[sip]\ntls = [\"127.0.0.1:5061\"]\n",
        &["4 sip.tls: SIP over TLS needs a certificate"],
    );
    check(
        "[server]\nopen = true\n[sip]\ntcp = [\"192.0.2.1:5060\"]\n",
        &["4 sip.tcp: open mode has no authentication, and 192.0.2.1:5060"],
    );
    check("[server]\nopen = true\n[api]\ntoken = \"short\"\n", &["4 api.token: shorter than 8"]);
}

#[test]
fn nothing_is_reachable_from_outside_without_tls_and_users() {
    check(
        "[server]\nlisten = \"0.0.0.0:8080\"\n",
        &[
            "2 server.listen: 0.0.0.0:8080 is reachable from outside, and there is no TLS",
            "- users: there are no users",
        ],
    );
    check(
        "[server]\nlisten = \"[::]:8080\"\nopen = true\n",
        &["2 server.listen: [::]:8080 is reachable", "3 server.open: open mode has no authentication"],
    );
    check(&format!("{USER}[tls]\nkey = \"/dev/null\"\n"), &["5 tls.key: a key without its certificate"]);
    check(
        &format!("{USER}[tls]\ncertificate = \"/no/such/file\"\nkey = \"/dev/null\"\n"),
        &["5 tls.certificate: cannot read /no/such/file"],
    );
    check(
        &format!("{USER}[[certificates]]\ncertificate = \"/no/such/file\"\n"),
        &[
            "5 certificates[0].certificate: cannot read /no/such/file",
            "4 certificates[0].key: a certificate without its key file",
            "4 certificates: further certificates without a first one",
        ],
    );
}

#[test]
fn users_are_checked_one_by_one() {
    check("[[users]]\nname = \"alice\"\n", &["1 users[0].password: alice has no password"]);
    check("[[users]]\npassword = \"x\"\n", &["1 users[0].name: \"\" is not a user name"]);
    check(&format!("{USER}{USER}"), &["5 users[1].name: alice@example.com is given twice"]);
    check(&format!("{USER}domain = \"other.org\"\n"), &["4 users[0].domain: other.org is not one of"]);
    check(
        &format!("{USER}ha1_md5 = \"{}\"\nha1_sha256 = \"{}\"\n", "0".repeat(32), "0".repeat(64)),
        &["3 users[0].password: alice has a password in more"],
    );
    check(
        "[[users]]\nname = \"alice\"\nha1_md5 = \"xyz\"\n",
        &[
            "3 users[0].ha1_md5: one digest without the other",
            "3 users[0].ha1_md5: not 32 hexadecimal digits",
        ],
    );
    check(
        "[[users]]\nname = \"alice\"\npassword_file = \"/no/such/file\"\n",
        &["3 users[0].password_file: cannot read /no/such/file"],
    );
}

#[test]
fn all_problems_are_told_at_once() {
    check(
        "[server]\nlisten = \"0.0.0.0:80\"\nopen = true\n[presence]\nmin_subscription_seconds = 9999\n[log]\nlevel = \"x y\"\n",
        &["2 server.listen", "3 server.open", "5 presence.min_subscription_seconds", "7 log.level"],
    );
}

#[test]
fn variables_replace_keys_and_their_mistakes_are_named() {
    let read = |environment: &[(&str, &str)]| {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::read(USER, environment).unwrap()
    };
    assert_eq!(read(&[("TRIBUTARY_SERVER_LISTEN", "127.0.0.1:9")]).server.listen.port(), 9);
    assert_eq!(read(&[("TRIBUTARY_SERVER_LISTEN", "\"127.0.0.1:9\"")]).server.listen.port(), 9);
    assert_eq!(read(&[("TRIBUTARY_SERVER_DOMAINS", "[\"example.com\", \"b.org\"]")]).server.domains.len(), 2);
    assert_eq!(read(&[("TRIBUTARY_SERVER_DIGEST", "[\"MD5\"]")]).server.digest, ["MD5"]);
    assert_eq!(read(&[("TRIBUTARY_PRESENCE_GRACE_SECONDS", "3")]).presence.grace_seconds, 3);
    assert_eq!(read(&[("TRIBUTARY_LIMITS_BODY_BYTES", "77")]).limits["body_bytes"], 77);
    let zones =
        read(&[("TRIBUTARY_SERVER_TIMEZONES", "{ \"example.com\" = \"Asia/Tokyo\" }")]).server.timezones;
    assert_eq!(zones["example.com"], "Asia/Tokyo");
    // A text that looks like a number is a text where a text is wanted.
    assert_eq!(read(&[("TRIBUTARY_API_TOKEN", "1234567890")]).api.token.as_deref(), Some("1234567890"));
    assert_eq!(
        read(&[("OTHER_SERVER_LISTEN", "nonsense"), ("PATH", "x")]),
        Config::read(USER, NOTHING).unwrap()
    );
    check_with(
        USER,
        &[("TRIBUTARY_SERVER_COLOUR", "1")],
        &["- TRIBUTARY_SERVER_COLOUR: no setting has this name"],
    );
    check_with(
        USER,
        &[("TRIBUTARY_SERVER_OPEN", "perhaps")],
        &["- TRIBUTARY_SERVER_OPEN: perhaps does not fit; wanted: true or false"],
    );
    check_with(
        USER,
        &[("TRIBUTARY_SERVER_DIGEST", "3")],
        &["- TRIBUTARY_SERVER_DIGEST: 3 does not fit; wanted: list of texts"],
    );
    check_with(USER, &[("TRIBUTARY_USERS_NAME", "bob")], &["- TRIBUTARY_USERS_NAME: no setting"]);
}

#[test]
fn an_error_reads_as_file_line_key_message_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.toml");
    std::fs::write(&file, "[server]\nlisten = \"0.0.0.0:1\"\nopen = true\n").unwrap();
    let text = Config::load(&file, NOTHING).unwrap_err().to_string();
    let path = file.display();
    assert!(text.starts_with(&format!("{path}:2: server.listen: 0.0.0.0:1 is reachable")), "{text}");
    assert!(text.contains("\n    set tls.certificate and tls.key"), "{text}");
    let missing = Config::load(&folder.path().join("none.toml"), NOTHING).unwrap_err().to_string();
    assert!(missing.contains("cannot read the file") && missing.contains("check the path"), "{missing}");
}

#[test]
fn every_key_has_a_word_on_what_it_does() {
    for section in Config::sections() {
        assert!(!section.text.is_empty(), "{}", section.name);
        for key in section.keys {
            assert!(key.text.len() > 10, "{}.{}", section.name, key.name);
        }
    }
}
