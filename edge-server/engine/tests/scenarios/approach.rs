//! How clients reach the registrar and are reached again: Path, Service-Route, outbound, application headers.

use crate::scene::*;
use tributary_engine::query::BindingSummary;
use tributary_engine::{Answer, Query};
use tributary_sip::{Message, Name};

const ALICE: &str = "sip:alice@example.com";

/// A REGISTER that came over an edge proxy, with these headers in it.
fn over_edge(scene: &mut Scene, client: &mut Client, more: &str) -> String {
    let via = "Via: SIP/2.0/TCP phone.invalid;branch=z9hG4bKp\r\n";
    let text = client.register_text(scene, ";expires=600");
    text.replacen("Max-Forwards", &format!("{via}{more}Max-Forwards"), 1)
}

fn bindings(scene: &mut Scene) -> Vec<BindingSummary> {
    match scene.query(ALICE, Query::Presentity { aor: ALICE.to_owned(), watcher: None }) {
        Answer::Presentity(Some(found)) => found.registrations,
        other => panic!("{other:?}"),
    }
}

fn all(answer: &Message, name: Name) -> Vec<&str> {
    answer.headers(name).collect()
}

#[test]
fn the_path_of_a_registration_is_kept_and_said_in_the_200_through_a_restart() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let path = "Path: <sip:in.example.com;lr;ob>, <sip:TOKEN@edge.example.com;lr;ob>\r\nPath: <sip:far.example.com;lr>\r\n";
    let text = over_edge(&mut scene, &mut alice, path);
    let answer = scene.ask(alice.flow, &text);
    assert_eq!(code(&answer), 200);
    let expect =
        ["<sip:in.example.com;lr;ob>", "<sip:TOKEN@edge.example.com;lr;ob>", "<sip:far.example.com;lr>"];
    assert_eq!(all(&answer, Name::Path), expect);
    assert_eq!(bindings(&mut scene)[0].path, expect);
    scene.restart(1_000);
    assert_eq!(bindings(&mut scene)[0].path, expect);
    // A registration that comes without one is reached without one.
    alice.reconnect(&mut scene);
    let answer = alice.register(&mut scene);
    assert_eq!(all(&answer, Name::Path), [""; 0]);
    assert_eq!(bindings(&mut scene)[0].path, [""; 0]);
}

#[test]
fn a_path_that_the_client_does_not_know_of_is_refused_with_420_unless_it_is_let_in() {
    let check = |path_without_support, supported: &str, path: &str, expect: u16| {
        let mut config = config();
        config.registrar.path_without_support = path_without_support;
        let mut scene = Scene::with(config);
        let mut alice = Client::new(&mut scene, "alice", None);
        let text = over_edge(&mut scene, &mut alice, path).replace("path,gruu,outbound", supported);
        let answer = scene.ask(alice.flow, &text);
        assert_eq!(code(&answer), expect, "{path_without_support} {supported} {path}");
        assert_eq!(answer.header(Name::Unsupported), (expect == 420).then_some("path"));
    };
    let path = "Path: <sip:edge.example.com;lr>\r\n";
    check(false, "path", path, 200);
    check(false, "gruu", path, 420);
    check(false, "gruu", "", 200);
    check(true, "gruu", path, 200);
    // A hop that needs the registrar to know of it says so.
    check(false, "path", &format!("{path}Require: path\r\n"), 200);
    check(false, "path", "Path: <mailto:edge@example.com>\r\n", 400);
    check(false, "path", "Path: sip:\r\n", 400);
}

#[test]
fn the_service_route_that_is_configured_is_in_every_200_to_a_register() {
    let mut config = config();
    config.registrar.service_routes = vec!["<sip:out.example.com;lr>".to_owned()];
    let mut scene = Scene::with(config);
    let mut alice = Client::new(&mut scene, "alice", None);
    let answer = alice.register(&mut scene);
    assert_eq!(all(&answer, Name::ServiceRoute), ["<sip:out.example.com;lr>"]);
}

#[test]
fn r14_outbound_is_said_where_it_is_done() {
    let mut scene = Scene::new();
    let mut check = |text: &dyn Fn(&mut Scene, &mut Client) -> String,
                     expect: (Option<&str>, Option<&str>)| {
        let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
        let text = text(&mut scene, &mut alice);
        let answer = scene.ask(alice.flow, &text);
        assert_eq!(code(&answer), 200, "{text}");
        let said = (answer.header(Name::Require), answer.header(Name::FlowTimer));
        assert_eq!(said, expect, "{text}");
    };
    let plain = |scene: &mut Scene, client: &mut Client| client.register_text(scene, ";expires=600");
    check(&plain, (Some("outbound"), Some("120")));
    check(&|scene, client| plain(scene, client).replace(";reg-id=1", ""), (None, None));
    check(&|scene, client| plain(scene, client).replace(",outbound", ""), (None, None));
    check(&|scene, client| plain(scene, client).replace("+sip.instance", "+sip.other"), (None, None));
    let edge =
        |path: &'static str| move |scene: &mut Scene, client: &mut Client| over_edge(scene, client, path);
    check(&edge("Path: <sip:edge.example.com;lr;ob>\r\n"), (Some("outbound"), None));
    check(
        &|scene, client| edge("Path: <sip:edge.example.com;lr>\r\n")(scene, client).replace(",outbound", ""),
        (None, None),
    );
    let mut phone = Client::in_datagrams(&mut scene, "alice", 5062);
    phone.instance = Some("urn:uuid:p");
    let answer = phone.register(&mut scene);
    assert_eq!((answer.header(Name::Require), answer.header(Name::FlowTimer)), (Some("outbound"), None));
}

#[test]
fn r14_reg_id_counts_only_where_the_hop_that_the_client_sees_keeps_its_connection() {
    let mut scene = Scene::new();
    let mut one = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let mut two = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let register = |scene: &mut Scene, client: &mut Client, reg_id: &str, path: &str| {
        let text = over_edge(scene, client, path).replace("reg-id=1", reg_id).replace(",outbound", "");
        scene.ask(client.flow, &text).headers(Name::Contact).count()
    };
    let keeps = "Path: <sip:edge.example.com;lr;ob>\r\n";
    assert_eq!(register(&mut scene, &mut one, "reg-id=1", keeps), 1);
    assert_eq!(register(&mut scene, &mut two, "reg-id=2", keeps), 2);
    let mut three = Client::new(&mut scene, "alice", Some("urn:uuid:b"));
    let mut four = Client::new(&mut scene, "alice", Some("urn:uuid:b"));
    assert_eq!(register(&mut scene, &mut three, "reg-id=1", ""), 3);
    assert_eq!(register(&mut scene, &mut four, "reg-id=2", ""), 3, "the same device, moved");
}

#[test]
fn r14_one_register_makes_one_flow() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let two = |seconds| format!(";expires=600, <sip:alice@192.0.2.9>;expires={seconds}");
    let text = alice.register_text(&mut scene, &two(600));
    assert_eq!(code(&scene.ask(alice.flow, &text)), 400);
    let text = alice.register_text(&mut scene, &two(0));
    assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
    assert_eq!(bindings(&mut scene).len(), 1);
}

#[test]
fn r21_headers_of_an_application_are_kept_with_the_binding_through_a_restart() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let more = "User-Agent: Desk/1.0\r\nX-Room: 4.12\r\nx-floor: 4\r\nOrganization: none\r\n\
                P-Asserted-Identity: <sip:mallory@example.com>\r\nX-Room: annex\r\n";
    let text =
        alice.register_text(&mut scene, ";expires=600").replacen("Supported", &format!("{more}Supported"), 1);
    assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
    let expect = [
        ("User-Agent", "Desk/1.0"),
        ("X-Room", "4.12"),
        ("x-floor", "4"),
        ("X-Room", "annex"),
        ("Supported", "path,gruu,outbound"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(bindings(&mut scene)[0].headers, expect);
    scene.restart(1_000);
    assert_eq!(bindings(&mut scene)[0].headers, expect);
}

#[test]
fn r21_what_carries_a_request_is_never_kept_whatever_the_configuration_says() {
    let mut config = config();
    config.registrar.kept_headers =
        ["Via", "CSeq", "Authorization", "P-*", "C*", "Contact"].map(str::to_owned).into();
    let mut scene = Scene::with(config);
    let mut alice = Client::new(&mut scene, "alice", None);
    let more = "P-Asserted-Identity: <sip:mallory@example.com>\r\nAuthorization: Digest username=\"a\"\r\n";
    let text =
        alice.register_text(&mut scene, ";expires=600").replacen("Supported", &format!("{more}Supported"), 1);
    assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
    assert_eq!(bindings(&mut scene)[0].headers, []);
}

#[test]
fn a_refresh_in_datagrams_is_no_news_for_the_other_shards() {
    let mut scene = Scene::new();
    let mut phone = Client::in_datagrams(&mut scene, "alice", 5062);
    let mut notices = |scene: &mut Scene| {
        let text = phone.register_text(scene, ";expires=600");
        scene.put_message(phone.flow, &text).len()
    };
    assert_eq!(notices(&mut scene), 1);
    assert_eq!(notices(&mut scene), 0);
    assert_eq!(notices(&mut scene), 0);
}
