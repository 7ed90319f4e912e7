//! Calls and messages between users, through the proxy.

use crate::auth::with_password;
use crate::scene::*;
use tributary_engine::{Config, Event, FlowId, Reach};
use tributary_sip::digest::Asked;
use tributary_sip::{Message, Name, ResponseBuilder, SealingKeys, Status};

/// Bob's devices, registered, and Alice who calls.
pub(crate) fn stage(devices: usize) -> (Scene, Client, Vec<Client>) {
    stage_with(config(), devices)
}

pub(crate) fn stage_with(config: Config, devices: usize) -> (Scene, Client, Vec<Client>) {
    let mut scene = Scene::with(config);
    let alice = Client::new(&mut scene, "alice", None);
    let devices = (0..devices).map(|at| device(&mut scene, at, "")).collect();
    (scene, alice, devices)
}

const INSTANCES: [&str; 5] = ["urn:uuid:d0", "urn:uuid:d1", "urn:uuid:d2", "urn:uuid:d3", "urn:uuid:d4"];

/// One more device of Bob's; `more` are parameters of its Contact.
fn device(scene: &mut Scene, at: usize, more: &str) -> Client {
    let mut bob = Client::new(scene, "bob", Some(INSTANCES[at]));
    register(scene, &mut bob, more);
    bob
}

pub(crate) fn register(scene: &mut Scene, client: &mut Client, more: &str) {
    let text = client.register_text(scene, &format!("{more};expires=600"));
    assert_eq!(code(&scene.ask(client.flow, &text)), 200);
}

pub(crate) const BOB: &str = "sip:bob@example.com";

/// A request as a library would write it; `more` are lines.
pub(crate) fn request_text(scene: &mut Scene, from: &Client, method: &str, uri: &str, more: &str) -> String {
    let head = from.head(scene, method, uri, BOB);
    format!("{head}Contact: <{}>\r\n{more}Content-Length: 0\r\n\r\n", from.contact)
}

/// Sends an INVITE to Bob and gives its text.
pub(crate) fn invite(scene: &mut Scene, from: &Client, more: &str) -> String {
    let text = request_text(scene, from, "INVITE", BOB, more);
    scene.send(from.flow, &text);
    text
}

/// An answer as a device gives it.
pub(crate) fn reply(scene: &mut Scene, device: &Client, request: &Message, status: u16) {
    let tag = format!("d{}", device.flow.0);
    let builder = ResponseBuilder::new(request, Status::new(status).unwrap())
        .to_tag(&tag)
        .echo(Name::RecordRoute)
        .header(Name::Contact, format_args!("<{}>", device.contact));
    let bytes = builder.build().unwrap();
    scene.send(device.flow, std::str::from_utf8(&bytes).unwrap());
}

/// The next thing that came, which must be a request of this method.
#[track_caller]
pub(crate) fn expect(scene: &mut Scene, device: &Client, method: &str) -> Message {
    let message = scene.next(device.flow).unwrap_or_else(|| panic!("no {method}"));
    assert!(message.is_request(), "{message:?}");
    assert_eq!(message.method().as_str(), method);
    message
}

#[track_caller]
pub(crate) fn answer_of(scene: &mut Scene, client: &Client) -> Message {
    let message = scene.next(client.flow).expect("an answer");
    assert!(!message.is_request(), "{message:?}");
    message
}

#[track_caller]
pub(crate) fn answers(scene: &mut Scene, client: &Client) -> Vec<u16> {
    let mut all = Vec::new();
    while !scene.inbox(client.flow).is_empty() {
        all.push(code(&answer_of(scene, client)));
    }
    all
}

/// A request inside the dialog of a 2xx, from the caller.
pub(crate) fn within(scene: &mut Scene, from: &Client, method: &str, accepted: &Message) -> String {
    let n = scene.number();
    let mut text = format!(
        "{method} {} SIP/2.0\r\nVia: {};branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {} {method}\r\nContact: <{}>\r\n",
        accepted.contact().unwrap().unwrap().uri,
        from.via,
        accepted.header(Name::From).unwrap(),
        accepted.header(Name::To).unwrap(),
        accepted.call_id(),
        if method == "ACK" { 1 } else { n },
        from.contact,
    );
    let routes: Vec<_> = accepted.record_routes().map(|route| route.unwrap().to_string()).collect();
    for route in routes.iter().rev() {
        text += &format!("Route: {route}\r\n");
    }
    text + "Content-Length: 0\r\n\r\n"
}

/// A request inside the dialog that a device has accepted, from the device.
pub(crate) fn back(scene: &mut Scene, device: &Client, method: &str, invite: &Message) -> String {
    let n = scene.number();
    let routes: String =
        invite.record_routes().map(|route| format!("Route: {}\r\n", route.unwrap())).collect();
    format!(
        "{method} {} SIP/2.0\r\nVia: {};branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\nFrom: {};tag=d{}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {n} {method}\r\n{routes}Content-Length: 0\r\n\r\n",
        invite.contact().unwrap().unwrap().uri,
        device.via,
        invite.header(Name::To).unwrap(),
        device.flow.0,
        invite.header(Name::From).unwrap(),
        invite.call_id(),
    )
}

/// Everything that was begun is over.
#[track_caller]
pub(crate) fn nothing_is_left(scene: &mut Scene) {
    scene.pass(200_000);
    let counts = scene.counts();
    assert_eq!((counts.proxied, counts.transactions, counts.transaction_bytes), (0, 0, 0));
}

#[test]
fn r1_an_invite_reaches_three_devices_at_the_same_time() {
    let (mut scene, alice, devices) = stage(3);
    invite(&mut scene, &alice, "P-Asserted-Identity: <sip:president@example.com>\r\nSubject: lunch\r\n");
    let mut branches = Vec::new();
    for device in &devices {
        let invite = expect(&mut scene, device, "INVITE");
        assert_eq!(invite.uri(), device.contact);
        assert_eq!(invite.max_forwards(), Ok(Some(68)));
        assert_eq!(invite.record_routes().count(), 2);
        assert_eq!(invite.header(Name::MaxBreadth), Some("20"));
        assert_eq!(invite.header(Name::Subject), Some("lunch"));
        assert_eq!(invite.header(Name::PAssertedIdentity), None);
        branches.push(invite.via().unwrap().branch().unwrap().to_owned());
    }
    branches.sort();
    branches.dedup();
    assert_eq!(branches.len(), 3);
    assert!(scene.events.contains(&Event::Forwarded { method: "INVITE", devices: 3 }));
}

#[test]
fn r2_the_first_2xx_goes_back_at_once_and_the_others_are_cancelled_when_they_ring() {
    let (mut scene, alice, devices) = stage(3);
    invite(&mut scene, &alice, "");
    let invites: Vec<_> = devices.iter().map(|device| expect(&mut scene, device, "INVITE")).collect();
    reply(&mut scene, &devices[1], &invites[1], 180);
    let ringing = answer_of(&mut scene, &alice);
    assert_eq!((code(&ringing), ringing.vias().count()), (180, 1));
    reply(&mut scene, &devices[0], &invites[0], 200);
    let accepted = answer_of(&mut scene, &alice);
    assert_eq!((code(&accepted), accepted.vias().count()), (200, 1));
    assert_eq!(accepted.contact().unwrap().unwrap().uri, devices[0].contact);

    let cancel = expect(&mut scene, &devices[1], "CANCEL");
    let reason = cancel.reasons().next().unwrap().unwrap();
    assert_eq!((reason.cause(), cancel.uri()), (Some(200), invites[1].uri()));
    assert_eq!(cancel.header(Name::Reason), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    assert_eq!(cancel.via().unwrap().branch(), invites[1].via().unwrap().branch(), "point 25");
    assert!(scene.inbox(devices[2].flow).is_empty(), "no CANCEL before a 1xx");
    reply(&mut scene, &devices[2], &invites[2], 180);
    expect(&mut scene, &devices[2], "CANCEL");
    for at in [1, 2] {
        reply(&mut scene, &devices[at], &invites[at], 487);
        expect(&mut scene, &devices[at], "ACK");
    }
    assert!(scene.inbox(alice.flow).is_empty(), "nobody hears of the losers");

    let ack = within(&mut scene, &alice, "ACK", &accepted);
    scene.send(alice.flow, &ack);
    let ack = expect(&mut scene, &devices[0], "ACK");
    assert_eq!((ack.uri(), ack.routes().count()), (devices[0].contact.as_str(), 0));
    nothing_is_left(&mut scene);
}

#[test]
fn r3_a_second_2xx_goes_back_too_and_the_caller_can_end_it() {
    let (mut scene, alice, devices) = stage(2);
    invite(&mut scene, &alice, "");
    let invites: Vec<_> = devices.iter().map(|device| expect(&mut scene, device, "INVITE")).collect();
    for at in [0, 1] {
        reply(&mut scene, &devices[at], &invites[at], 200);
        let accepted = answer_of(&mut scene, &alice);
        for method in ["ACK", "BYE"].into_iter().take(at + 1) {
            let text = within(&mut scene, &alice, method, &accepted);
            scene.send(alice.flow, &text);
            let came = expect(&mut scene, &devices[at], method);
            if method == "BYE" {
                reply(&mut scene, &devices[at], &came, 200);
                assert_eq!(code(&answer_of(&mut scene, &alice)), 200);
            }
        }
        // It says so again, for its ACK may have been lost: that goes back as well.
        reply(&mut scene, &devices[at], &invites[at], 200);
        assert_eq!(code(&answer_of(&mut scene, &alice)), 200);
    }
    nothing_is_left(&mut scene);
}

#[test]
fn r4_a_6xx_cancels_all_and_a_2xx_in_between_wins() {
    for wins in [true, false] {
        let (mut scene, alice, devices) = stage(2);
        invite(&mut scene, &alice, "");
        let invites: Vec<_> = devices.iter().map(|device| expect(&mut scene, device, "INVITE")).collect();
        reply(&mut scene, &devices[0], &invites[0], 180);
        reply(&mut scene, &devices[1], &invites[1], 603);
        expect(&mut scene, &devices[1], "ACK");
        assert_eq!(answers(&mut scene, &alice), [180]);
        expect(&mut scene, &devices[0], "CANCEL");
        reply(&mut scene, &devices[0], &invites[0], if wins { 200 } else { 487 });
        assert_eq!(answers(&mut scene, &alice), [if wins { 200 } else { 603 }]);
        nothing_is_left(&mut scene);
    }
}

#[test]
fn r4_the_best_answer_goes_back() {
    let check = |codes: [u16; 3], best: u16| {
        let (mut scene, alice, devices) = stage(3);
        invite(&mut scene, &alice, "");
        for (device, code) in devices.iter().zip(codes) {
            let invite = expect(&mut scene, device, "INVITE");
            reply(&mut scene, device, &invite, code);
        }
        assert_eq!(answers(&mut scene, &alice), [best], "{codes:?}");
        assert!(scene.events.contains(&Event::Request { method: "INVITE", status: best, detail: None }));
        nothing_is_left(&mut scene);
    };
    check([486, 404, 500], 486);
    check([503, 503, 503], 500);
    check([480, 302, 500], 302);
    check([486, 415, 408], 415);
}

#[test]
fn r4_challenges_of_all_devices_go_back_together() {
    let (mut scene, alice, devices) = stage(2);
    invite(&mut scene, &alice, "");
    for (device, name) in devices.iter().zip(["a", "b"]) {
        let invite = expect(&mut scene, device, "INVITE");
        let bytes = ResponseBuilder::new(&invite, Status::UNAUTHORIZED)
            .to_tag("t")
            .header(Name::WwwAuthenticate, format_args!("Digest realm=\"{name}\", nonce=\"1\""))
            .build()
            .unwrap();
        scene.send(device.flow, std::str::from_utf8(&bytes).unwrap());
    }
    let answer = answer_of(&mut scene, &alice);
    assert_eq!((code(&answer), answer.headers(Name::WwwAuthenticate).count()), (401, 2));
}

#[test]
fn r4_nobody_answers() {
    let (mut scene, alice, devices) = stage(2);
    invite(&mut scene, &alice, "");
    reply_trying(&mut scene, &devices);
    scene.pass(180_000);
    assert_eq!(answers(&mut scene, &alice), [100, 180, 180], "timer C is more than three minutes");
    scene.pass(40_000);
    assert_eq!(answers(&mut scene, &alice), [408]);
    nothing_is_left(&mut scene);
}

fn reply_trying(scene: &mut Scene, devices: &[Client]) {
    scene.pass(300);
    for device in devices {
        let invite = expect(scene, device, "INVITE");
        reply(scene, device, &invite, 180);
    }
}

#[test]
fn r4_a_cancel_of_the_caller_cancels_every_branch_and_its_reason_goes_along() {
    let (mut scene, alice, devices) = stage(2);
    let text = invite(&mut scene, &alice, "");
    let invites: Vec<_> = devices.iter().map(|device| expect(&mut scene, device, "INVITE")).collect();
    for at in [0, 1] {
        reply(&mut scene, &devices[at], &invites[at], 180);
    }
    assert_eq!(answers(&mut scene, &alice), [180, 180]);
    let cancel = text.replace("INVITE", "CANCEL").replace("Contact:", "Reason: SIP;cause=600\r\nX-Contact:");
    scene.send(alice.flow, &cancel);
    assert_eq!(answers(&mut scene, &alice), [200]);
    for at in [0, 1] {
        let cancel = expect(&mut scene, &devices[at], "CANCEL");
        assert_eq!(cancel.header(Name::Reason), Some("SIP;cause=600"));
        reply(&mut scene, &devices[at], &invites[at], 487);
    }
    assert_eq!(answers(&mut scene, &alice), [487]);
    nothing_is_left(&mut scene);
}

#[test]
fn a_caller_whose_connection_ends_rings_nobody_any_more() {
    let (mut scene, alice, devices) = stage(1);
    invite(&mut scene, &alice, "");
    let call = expect(&mut scene, &devices[0], "INVITE");
    reply(&mut scene, &devices[0], &call, 180);
    scene.disconnect(alice.flow);
    expect(&mut scene, &devices[0], "CANCEL");
    reply(&mut scene, &devices[0], &call, 487);
    nothing_is_left(&mut scene);
}

#[test]
fn r5_what_comes_back_is_a_loop_and_what_may_not_go_on_stays() {
    let (mut scene, alice, devices) = stage(2);
    let text = invite(&mut scene, &alice, "");
    let forked = expect(&mut scene, &devices[0], "INVITE");
    // It comes back by way of somebody else, who has changed nothing.
    let vias: String = forked.headers(Name::Via).map(|via| format!("Via: {via}\r\n")).collect();
    let rest = text.split_once("Max-Forwards").unwrap().1;
    let again = format!(
        "INVITE {BOB} SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKx\r\n{vias}Max-Forwards{rest}"
    );
    assert_eq!(code(&scene.ask(alice.flow, &again)), 482);
    for (line, expect) in
        [("Max-Breadth: 1\r\n", 440), ("Max-Breadth: x\r\n", 400), ("Proxy-Require: time-travel\r\n", 420)]
    {
        let text = request_text(&mut scene, &alice, "INVITE", BOB, line);
        assert_eq!(code(&scene.ask(alice.flow, &text)), expect, "{line}");
    }
    let text =
        request_text(&mut scene, &alice, "INVITE", BOB, "").replace("Max-Forwards: 69", "Max-Forwards: 0");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 483);
}

#[test]
fn r6_a_public_gruu_leads_to_its_device_and_nowhere_else() {
    let (mut scene, alice, devices) = stage(3);
    let gruu = |instance: &str| format!("{BOB};gr={instance}");
    let call = |scene: &mut Scene, uri: &str| {
        let text = request_text(scene, &alice, "INVITE", uri, "");
        scene.send(alice.flow, &text);
    };
    call(&mut scene, &gruu(INSTANCES[1]));
    expect(&mut scene, &devices[1], "INVITE");
    assert!([0, 2].iter().all(|&at| scene.inbox(devices[at].flow).is_empty()));
    call(&mut scene, &gruu("urn:uuid:gone"));
    assert_eq!(answers(&mut scene, &alice), [480]);
    for invalid in ["nonsense", "", "%ff"] {
        call(&mut scene, &format!("{BOB};gr={invalid}").replace(";gr= ", ";gr "));
        assert_eq!(answers(&mut scene, &alice), [404], "{invalid}");
    }
}

#[test]
fn r7_a_caller_can_name_one_device_by_its_instance() {
    let (mut scene, alice, devices) = stage(3);
    let named = |urn: &str| format!("Accept-Contact: *;+sip.instance=\"<{urn}>\";require;explicit\r\n");
    invite(&mut scene, &alice, &named(INSTANCES[2]));
    expect(&mut scene, &devices[2], "INVITE");
    assert!([0, 1].iter().all(|&at| scene.inbox(devices[at].flow).is_empty()));
    invite(&mut scene, &alice, &named("urn:uuid:gone"));
    assert_eq!(answers(&mut scene, &alice), [480]);
}

#[test]
fn r8_no_fork_reaches_the_one_device_that_is_preferred() {
    let no_fork = "Request-Disposition: no-fork\r\n";
    let rings = |scene: &mut Scene, alice: &Client, devices: &[Client]| {
        invite(scene, alice, no_fork);
        let all: Vec<_> = (0..devices.len()).filter(|&at| scene.next(devices[at].flow).is_some()).collect();
        all
    };
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let mut devices: Vec<_> = [";q=0.5", ";q=0.9", ";q=0.9"]
        .into_iter()
        .enumerate()
        .map(|(at, q)| device(&mut scene, at, q))
        .collect();
    assert_eq!(rings(&mut scene, &alice, &devices), [2], "the newest of the highest q");
    register(&mut scene, &mut devices[1], ";q=0.9");
    assert_eq!(rings(&mut scene, &alice, &devices), [1], "it came back");
    devices[2].announce(&mut scene, "open");
    devices[1].announce(&mut scene, "closed");
    devices[0].announce(&mut scene, "open");
    assert_eq!(rings(&mut scene, &alice, &devices), [2], "the one that is open, of the highest q");
}

#[test]
fn r8_in_sequence_the_next_device_rings_after_a_refusal_or_when_the_time_is_up() {
    let (mut scene, alice, devices) = stage(3);
    invite(&mut scene, &alice, "Request-Disposition: sequential\r\n");
    let first = expect(&mut scene, &devices[2], "INVITE");
    assert!(scene.inbox(devices[1].flow).is_empty());
    reply(&mut scene, &devices[2], &first, 486);
    expect(&mut scene, &devices[2], "ACK");
    let second = expect(&mut scene, &devices[1], "INVITE");
    reply(&mut scene, &devices[1], &second, 180);
    scene.pass(19_000);
    assert!(scene.inbox(devices[0].flow).is_empty());
    scene.pass(2_000);
    expect(&mut scene, &devices[1], "CANCEL");
    reply(&mut scene, &devices[1], &second, 487);
    let third = expect(&mut scene, &devices[0], "INVITE");
    reply(&mut scene, &devices[0], &third, 180);
    // The last has all the time that the caller has.
    scene.pass(100_000);
    reply(&mut scene, &devices[0], &third, 200);
    assert_eq!(answers(&mut scene, &alice).last(), Some(&200));
    nothing_is_left(&mut scene);
}

#[test]
fn r8_a_lower_q_waits_unless_parallel_is_asked_for_and_no_cancel_leaves_the_others_ringing() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let devices = [device(&mut scene, 0, ";q=0.5"), device(&mut scene, 1, ";q=0.9")];
    invite(&mut scene, &alice, "");
    expect(&mut scene, &devices[1], "INVITE");
    assert!(scene.inbox(devices[0].flow).is_empty());
    invite(&mut scene, &alice, "Request-Disposition: parallel, no-cancel, queue\r\n");
    let invites = [0, 1].map(|at| expect(&mut scene, &devices[at], "INVITE"));
    for (at, status) in [(0, 180), (1, 200)] {
        reply(&mut scene, &devices[at], &invites[at], status);
    }
    assert!(scene.inbox(devices[0].flow).is_empty(), "no CANCEL");
}

#[test]
fn r10_an_invite_to_several_devices_says_so_and_nobody_else_can() {
    for (count, hint) in [(1, Some("1")), (3, Some("3"))] {
        let (mut scene, alice, devices) = stage(count);
        invite(&mut scene, &alice, "X-Forked: 7\r\n");
        let invite = expect(&mut scene, &devices[0], "INVITE");
        assert_eq!(invite.header_named("X-Forked"), hint);
    }
    let (mut scene, alice, devices) = stage(1);
    invite(&mut scene, &alice, "");
    assert_eq!(expect(&mut scene, &devices[0], "INVITE").header_named("X-Forked"), None);
}

#[test]
fn r11_a_device_that_takes_no_invite_gets_none_unless_all_are_so() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let texts = device(&mut scene, 0, ";methods=\"MESSAGE\"");
    let text = request_text(&mut scene, &alice, "INVITE", BOB, "");
    scene.send(alice.flow, &text);
    let call = expect(&mut scene, &texts, "INVITE");
    reply(&mut scene, &texts, &call, 405);
    assert_eq!(answers(&mut scene, &alice), [405]);
    expect(&mut scene, &texts, "ACK");

    let calls = device(&mut scene, 1, ";methods=\"INVITE,ACK,BYE,CANCEL\"");
    invite(&mut scene, &alice, "");
    expect(&mut scene, &calls, "INVITE");
    assert!(scene.inbox(texts.flow).is_empty());
    let message = request_text(&mut scene, &alice, "MESSAGE", BOB, "");
    scene.send(alice.flow, &message);
    expect(&mut scene, &texts, "MESSAGE");
    assert!(scene.inbox(calls.flow).is_empty());
}

#[test]
fn r12_a_message_reaches_all_devices_and_gets_one_final_answer() {
    let (mut scene, alice, devices) = stage(3);
    let body = "x".repeat(5_000);
    let head = alice.head(&mut scene, "MESSAGE", BOB, BOB);
    let text = format!("{head}Expires: 60\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\r\n{body}");
    scene.send(alice.flow, &text);
    for (device, status) in devices.iter().zip([486, 200, 202]) {
        let message = expect(&mut scene, device, "MESSAGE");
        assert_eq!((message.record_routes().count(), message.header(Name::Expires)), (0, Some("60")));
        assert_eq!(message.body(), body.as_bytes());
        reply(&mut scene, device, &message, status);
    }
    assert_eq!(answers(&mut scene, &alice), [200]);
    nothing_is_left(&mut scene);
    let (mut scene, alice, _) = stage(0);
    let text = request_text(&mut scene, &alice, "MESSAGE", BOB, "");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 480, "nothing is stored for later");
}

#[test]
fn point_13_one_device_gets_one_copy_and_its_other_flow_only_when_the_first_is_gone() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let old = device(&mut scene, 0, "");
    let mut new = Client::new(&mut scene, "bob", Some(INSTANCES[0]));
    let text = new.register_text(&mut scene, ";expires=600").replace("reg-id=1", "reg-id=2");
    assert_eq!(code(&scene.ask(new.flow, &text)), 200);
    assert_eq!(scene.counts().bindings, 2);
    invite(&mut scene, &alice, "");
    expect(&mut scene, &new, "INVITE");
    assert!(scene.inbox(old.flow).is_empty());
    scene.disconnect(new.flow);
    expect(&mut scene, &old, "INVITE");
}

#[test]
fn r14_a_flow_that_is_said_to_be_dead_gives_way_to_the_devices_next_one_and_480_to_the_last() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let old = device(&mut scene, 0, "");
    let mut new = Client::new(&mut scene, "bob", Some(INSTANCES[0]));
    let text = new.register_text(&mut scene, ";expires=600").replace("reg-id=1", "reg-id=2");
    assert_eq!(code(&scene.ask(new.flow, &text)), 200);
    for ends in [486, 430] {
        invite(&mut scene, &alice, "");
        let came = expect(&mut scene, &new, "INVITE");
        assert!(scene.inbox(old.flow).is_empty());
        reply(&mut scene, &new, &came, 430);
        expect(&mut scene, &new, "ACK");
        let came = expect(&mut scene, &old, "INVITE");
        reply(&mut scene, &old, &came, ends);
        expect(&mut scene, &old, "ACK");
        assert_eq!(answers(&mut scene, &alice), [if ends == 430 { 480 } else { ends }]);
    }
    // A refusal is the device's own word, whatever flow it came by (RFC 5626 7).
    invite(&mut scene, &alice, "");
    let came = expect(&mut scene, &new, "INVITE");
    reply(&mut scene, &new, &came, 486);
    expect(&mut scene, &new, "ACK");
    assert!(scene.inbox(old.flow).is_empty());
    assert_eq!(answers(&mut scene, &alice), [486]);
}

#[test]
fn r19_a_request_goes_over_the_newest_flow_of_its_device_and_over_no_other() {
    let (mut scene, alice, mut devices) = stage(1);
    let bob = &mut devices[0];
    invite(&mut scene, &alice, "");
    expect(&mut scene, bob, "INVITE");
    let old = bob.flow;
    bob.reconnect(&mut scene);
    register(&mut scene, bob, "");
    invite(&mut scene, &alice, "");
    expect(&mut scene, bob, "INVITE");
    assert!(scene.inbox(old).is_empty());
    scene.disconnect(bob.flow);
    let text = request_text(&mut scene, &alice, "INVITE", BOB, "");
    scene.inbox(alice.flow).len();
    while scene.next(alice.flow).is_some() {}
    assert_eq!(code(&scene.ask(alice.flow, &text)), 480);
}

#[test]
fn r19_a_token_of_a_flow_that_is_gone_is_answered_430_and_a_forged_one_403() {
    let (mut scene, alice, devices) = stage(1);
    invite(&mut scene, &alice, "");
    let call = expect(&mut scene, &devices[0], "INVITE");
    reply(&mut scene, &devices[0], &call, 200);
    let accepted = answer_of(&mut scene, &alice);
    let bye = within(&mut scene, &alice, "BYE", &accepted);
    let forged = bye.replacen("Route: <sip:", "Route: <sip:A", 1);
    assert_eq!(code(&scene.ask(alice.flow, &forged)), 403);
    let foreign =
        bye.replace("@example.com;transport=ws;lr", "@example.org;lr").replacen("z9hG4bK", "z9hG4bKf", 1);
    assert_eq!(code(&scene.ask(alice.flow, &foreign)), 403);
    scene.disconnect(devices[0].flow);
    assert_eq!(code(&scene.ask(alice.flow, &bye.replacen("z9hG4bK", "z9hG4bKg", 1))), 430);
    scene.restart(1_000);
    let mut alice = alice;
    alice.reconnect(&mut scene);
    assert_eq!(code(&scene.ask(alice.flow, &bye)), 403, "another process made it, with other keys");
}

#[test]
fn r19_a_flow_that_ended_long_ago_is_answered_430_as_well() {
    let (mut scene, alice, devices) = stage(1);
    invite(&mut scene, &alice, "");
    let call = expect(&mut scene, &devices[0], "INVITE");
    reply(&mut scene, &devices[0], &call, 200);
    let accepted = answer_of(&mut scene, &alice);
    scene.disconnect(devices[0].flow);
    // So many others have ended since that the shards do not remember this one.
    scene.pass(130_000);
    let other = scene.connect();
    scene.disconnect(other);
    let bye = within(&mut scene, &alice, "BYE", &accepted);
    assert_eq!(code(&scene.ask(alice.flow, &bye)), 430);
    nothing_is_left(&mut scene);
}

#[test]
fn r23_a_device_that_leaves_rings_no_more() {
    let (mut scene, alice, mut devices) = stage(2);
    invite(&mut scene, &alice, "");
    let invites: Vec<_> = devices.iter().map(|device| expect(&mut scene, device, "INVITE")).collect();
    for at in [0, 1] {
        reply(&mut scene, &devices[at], &invites[at], 180);
    }
    // A refresh changes nothing.
    devices[0].register(&mut scene);
    let text = devices[0].register_text(&mut scene, ";expires=0");
    scene.send(devices[0].flow, &text);
    assert_eq!(code(&answer_of(&mut scene, &devices[0])), 200);
    expect(&mut scene, &devices[0], "CANCEL");
    assert!(scene.inbox(devices[1].flow).is_empty());
    reply(&mut scene, &devices[0], &invites[0], 487);
    reply(&mut scene, &devices[1], &invites[1], 200);
    assert_eq!(answers(&mut scene, &alice), [180, 180, 200]);
    invite(&mut scene, &alice, "");
    assert!(scene.next(devices[0].flow).is_some_and(|ack| ack.method().as_str() == "ACK"));
    assert!(scene.inbox(devices[0].flow).is_empty());
}

#[test]
fn point_26_requests_in_a_dialog_go_both_ways_over_the_flows_that_made_it() {
    let (mut scene, alice, devices) = stage(2);
    invite(&mut scene, &alice, "Route: <sip:127.0.0.1:8080;transport=ws;lr>\r\n");
    let call = expect(&mut scene, &devices[0], "INVITE");
    assert_eq!(call.routes().count(), 0);
    reply(&mut scene, &devices[0], &call, 200);
    let accepted = answer_of(&mut scene, &alice);
    for method in
        ["INVITE", "UPDATE", "INFO", "REFER", "PRACK", "NOTIFY", "SUBSCRIBE", "MESSAGE", "WINK", "BYE"]
    {
        let text = within(&mut scene, &alice, method, &accepted);
        scene.send(alice.flow, &text);
        let came = expect(&mut scene, &devices[0], method);
        assert_eq!(
            (came.uri(), came.routes().count(), came.record_routes().count()),
            (&*devices[0].contact, 0, 0)
        );
        reply(&mut scene, &devices[0], &came, 200);
        assert_eq!(answers(&mut scene, &alice), [200], "{method}");

        let text = back(&mut scene, &devices[0], method, &call);
        scene.send(devices[0].flow, &text);
        let came = expect(&mut scene, &alice, method);
        assert_eq!((came.uri(), came.routes().count()), (&*alice.contact, 0));
        reply(&mut scene, &alice, &came, 200);
        assert_eq!(answers(&mut scene, &devices[0]), [200], "{method}");
    }
    nothing_is_left(&mut scene);
}

#[test]
fn a_phone_with_datagrams_and_a_browser_talk_and_go_on_after_a_restart_as_far_as_their_ways_are_open() {
    let mut scene = Scene::new();
    scene.keys = Some(SealingKeys::new([3; 32], &[]));
    scene.restart(0);
    let alice = Client::in_datagrams(&mut scene, "alice", 5_001);
    let mut bob = Client::in_datagrams(&mut scene, "bob", 5_002);
    let mut browser = Client::new(&mut scene, "bob", None);
    for device in [&mut bob, &mut browser] {
        assert_eq!(code(&device.register(&mut scene)), 200);
    }
    invite(&mut scene, &alice, "");
    let (first, second) = (expect(&mut scene, &bob, "INVITE"), expect(&mut scene, &browser, "INVITE"));
    let transports = |invite: &Message| -> Vec<String> {
        let transport =
            |uri: &str| tributary_sip::Uri::parse(uri).unwrap().params.get("transport").unwrap().to_owned();
        invite.record_routes().map(|route| transport(route.unwrap().uri)).collect()
    };
    assert_eq!(
        (transports(&first), transports(&second)),
        (vec!["udp".into(), "udp".into()], vec!["ws".to_owned(), "udp".into()])
    );
    scene.pass(200);
    assert_eq!(answers(&mut scene, &alice), [100]);
    scene.pass(300);
    assert_eq!(expect(&mut scene, &bob, "INVITE").raw(), first.raw(), "again, for it may be lost");
    reply(&mut scene, &bob, &first, 200);
    let accepted = answer_of(&mut scene, &alice);
    reply(&mut scene, &browser, &second, 180);
    expect(&mut scene, &browser, "CANCEL");
    scene.restart(1_000);
    for (from, to, text) in [
        (&alice, &bob, within(&mut scene, &alice, "INFO", &accepted)),
        (&bob, &alice, back(&mut scene, &bob, "INFO", &first)),
    ] {
        scene.send(from.flow, &text);
        let came = expect(&mut scene, to, "INFO");
        reply(&mut scene, to, &came, 200);
        assert_eq!(answers(&mut scene, from), [200]);
    }
    let stray = within(&mut scene, &alice, "BYE", &accepted);
    let token = second.record_routes().next().unwrap().unwrap().to_string();
    let own = accepted.record_routes().next().unwrap().unwrap().to_string();
    let stray = stray.replace(&own, &token);
    assert_eq!(code(&scene.ask(alice.flow, &stray)), 430, "the browser's connection is none of this process");
}

#[test]
fn a_phone_whose_outbound_proxy_we_are_may_know_us_by_any_name_of_ours_and_by_no_other() {
    let aliases = vec!["192.0.2.9:5070".parse().unwrap()];
    let config = Config { reach: Reach::new(Vec::new(), aliases), ..config() };
    let (mut scene, _, devices) = stage_with(config, 1);
    let phone = Client::in_datagrams(&mut scene, "alice", 5_001);
    invite(&mut scene, &phone, "Route: <sip:192.0.2.9:5070;lr>\r\n");
    assert_eq!(expect(&mut scene, &devices[0], "INVITE").routes().count(), 0);
    let text = phone.subscribe_text(&mut scene, "bob", "Route: <sip:192.0.2.9:5070;lr>\r\n");
    assert_eq!(code(&scene.ask(phone.flow, &text)), 200);
    let text =
        request_text(&mut scene, &phone, "MESSAGE", BOB, "Route: <sip:192.0.2.9;lr>, <sip:192.0.2.8;lr>\r\n");
    while scene.next(phone.flow).is_some() {}
    assert_eq!(code(&scene.ask(phone.flow, &text)), 403, "that is somebody else");
}

#[test]
fn who_is_not_there_or_is_nobody_or_is_elsewhere() {
    let (mut scene, alice, _) = stage(0);
    for (uri, expect) in [
        (BOB, 480),
        ("sip:bob@example.org", 403),
        ("sip:192.0.2.1", 403),
        ("tel:+123", 416),
        ("sip:example.com", 405),
        ("sip:ps-1@example.com", 405),
    ] {
        let text = request_text(&mut scene, &alice, "INVITE", uri, "");
        assert_eq!(code(&scene.ask(alice.flow, &text)), expect, "{uri}");
    }
}

#[test]
fn r20_a_caller_shows_a_password_once_on_its_connection_and_is_nobody_else() {
    let mut scene = Scene::with(with_password());
    let alice = Client::new(&mut scene, "alice", None);
    let text = request_text(&mut scene, &alice, "MESSAGE", BOB, "");
    let challenge = scene.ask(alice.flow, &text);
    assert_eq!(code(&challenge), 407);
    let last = challenge.headers(Name::ProxyAuthenticate).last().unwrap();
    assert!(last.contains("MD5") && last.contains("realm=\"example.com\""), "{last}");
    let proof = |text: &str, challenge: &Message, user: &str| {
        let last = challenge.headers(Name::ProxyAuthenticate).last().unwrap();
        let challenge = tributary_sip::Challenge::parse(last).unwrap();
        let password = format!("{user}'s secret");
        let challenge = challenge.digest().unwrap();
        let answer =
            tributary_sip::digest::answer(challenge, user, &password, Asked::new("MESSAGE", BOB), "abc", 1)
                .unwrap();
        text.replacen("Max-Forwards", &format!("Proxy-Authorization: {answer}\r\nMax-Forwards"), 1)
            .replacen("z9hG4bK", "z9hG4bKp", 1)
    };
    // R22: she is not registered, and need not be.
    assert_eq!(code(&scene.ask(alice.flow, &proof(&text, &challenge, "alice"))), 480);
    let again = request_text(&mut scene, &alice, "MESSAGE", BOB, "");
    assert_eq!(code(&scene.ask(alice.flow, &again)), 480, "nothing is asked on this connection again");
    let other = again.replace("From: <sip:alice@", "From: <sip:bob@").replacen("z9hG4bK", "z9hG4bKo", 1);
    let challenge = scene.ask(alice.flow, &other);
    assert_eq!(code(&challenge), 407, "another user on it is");
    assert_eq!(
        code(&scene.ask(alice.flow, &proof(&other, &challenge, "alice"))),
        403,
        "and cannot be somebody else"
    );
    let nobody = again.replace("bob@example.com", "carol@example.com").replacen("z9hG4bK", "z9hG4bKn", 1);
    assert_eq!(code(&scene.ask(alice.flow, &nobody)), 404);
}

#[test]
fn our_challenge_goes_no_further_and_that_of_another_does() {
    let mut scene = Scene::with(with_password());
    let mut bob = Client::new(&mut scene, "bob", None);
    let text = bob.register_text(&mut scene, ";expires=600");
    assert_eq!(code(&crate::auth::ask(&mut scene, &bob, &text, "bob's secret")), 200);
    let other = "Proxy-Authorization: Digest username=\"alice\", realm=\"elsewhere\", nonce=\"1\", uri=\"sip:x\", response=\"2\"\r\n";
    let ours = other.replace("elsewhere", "example.com");
    let text = request_text(&mut scene, &bob, "MESSAGE", BOB, &format!("{other}{ours}"));
    scene.send(bob.flow, &text);
    let came = expect(&mut scene, &bob, "MESSAGE");
    let left: Vec<_> = came.headers(Name::ProxyAuthorization).collect();
    assert!(left.len() == 1 && left[0].contains("elsewhere"), "{left:?}");
}

#[test]
fn at_the_limits_fewer_devices_ring_and_then_no_call_is_taken() {
    let mut config = config();
    config.limits.forks_per_request = 2;
    config.limits.proxied_per_shard = 1;
    let mut scene = Scene::with(config);
    let alice = Client::new(&mut scene, "alice", None);
    let devices: Vec<_> = (0..3).map(|at| device(&mut scene, at, "")).collect();
    invite(&mut scene, &alice, "");
    let rang: Vec<FlowId> =
        devices.iter().map(|device| device.flow).filter(|&flow| scene.next(flow).is_some()).collect();
    assert_eq!(rang, [devices[1].flow, devices[2].flow], "the newest");
    let text = request_text(&mut scene, &alice, "INVITE", BOB, "");
    let answer = scene.ask(alice.flow, &text);
    assert_eq!((code(&answer), answer.header(Name::RetryAfter).is_some()), (503, true));
    for limit in ["forks_per_request", "proxied_per_shard"] {
        assert!(scene.events.contains(&Event::LimitReached { limit }), "{limit}");
    }
    let mut config = crate::scene::config();
    config.limits.proxied_bytes_per_shard = 400;
    let mut scene = Scene::with(config);
    device(&mut scene, 0, "");
    let alice = Client::new(&mut scene, "alice", None);
    let text = request_text(&mut scene, &alice, "MESSAGE", BOB, &format!("Subject: {}\r\n", "x".repeat(400)));
    assert_eq!(code(&scene.ask(alice.flow, &text)), 503);
}
