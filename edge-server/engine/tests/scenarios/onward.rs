//! Other servers: where requests may go, how the next way is tried, and who is trusted (R15 to R18).

use crate::auth::with_password;
use crate::calls::*;
use crate::scene::*;
use std::sync::Arc;
use tributary_engine::egress::{Hosts, Rule};
use tributary_engine::reach::{Reach, Socket};
use tributary_engine::{Config, Egress, Peer, Transport};
use tributary_sip::locate::NextHop;
use tributary_sip::{Message, Name, Uri};

const CAROL: &str = "sip:carol@partner.example";
const SERVER: &str = "192.0.2.50:5060";

fn next(uri: &str) -> NextHop {
    NextHop::of(&Uri::parse(uri).unwrap()).unwrap()
}

fn rooms() -> Arc<Peer> {
    Arc::new(Peer {
        name: "rooms".to_owned(),
        domains: vec!["rooms.example".to_owned()],
        route: Some(next("sip:192.0.2.60:5061;transport=tls")),
    })
}

fn egress() -> Egress {
    let rule = |hosts| Rule { hosts, port: None, transport: None };
    Egress {
        rules: vec![rule(Hosts::One("partner.example".parse().unwrap()))],
        peers: vec![rooms()],
        proxy: None,
    }
}

/// A user of ours, and a server that calls may go to.
fn outside(transport: Transport) -> (Scene, Client, Client) {
    let (mut scene, alice, _) = stage_with(Config { egress: egress(), ..config() }, 0);
    let server = scene.server(transport, SERVER, None);
    (scene, alice, server)
}

fn call_out(scene: &mut Scene, alice: &Client, more: &str) -> String {
    let text = request_text(scene, alice, "INVITE", CAROL, more);
    scene.send(alice.flow, &text);
    text
}

fn values(message: &Message, name: Name) -> Vec<&str> {
    message.headers(name).collect()
}

#[test]
fn r17_a_call_to_a_named_host_goes_there_and_its_dialog_comes_and_goes_by_us() {
    let (mut scene, alice, server) = outside(Transport::Tcp);
    call_out(&mut scene, &alice, "");
    let sought = &scene.sought[0];
    assert_eq!((&sought.next, sought.private), (&next(CAROL), true));
    assert!(scene.inbox(alice.flow).is_empty(), "100 comes after 200 ms");
    scene.found(Some(server.flow));
    let invite = expect(&mut scene, &server, "INVITE");
    assert_eq!((invite.uri(), invite.record_routes().count()), (CAROL, 2));
    assert_eq!(invite.via().unwrap().transport, "TCP");
    reply(&mut scene, &server, &invite, 200);
    let accepted = answer_of(&mut scene, &alice);
    assert_eq!(code(&accepted), 200);

    // The ACK and a BYE find their way anew, by what the server said of itself. It has not been named;
    // but the dialog has begun there.
    for method in ["ACK", "BYE"] {
        let text = within(&mut scene, &alice, method, &accepted);
        scene.send(alice.flow, &text);
        assert_eq!(scene.sought[0].next, next("sip:192.0.2.50:5060;transport=tcp"), "{method}");
        scene.found(Some(server.flow));
        let came = expect(&mut scene, &server, method);
        assert_eq!((came.uri(), came.routes().count()), (server.contact.as_str(), 0));
        if method == "BYE" {
            reply(&mut scene, &server, &came, 200);
            assert_eq!(answers(&mut scene, &alice), [200]);
        }
    }
    assert_eq!(scene.sessions, [(server.flow, true), (server.flow, false)]);
    let text = back(&mut scene, &server, "INFO", &invite);
    scene.send(server.flow, &text);
    assert_eq!(expect(&mut scene, &alice, "INFO").routes().count(), 0);
}

#[test]
fn r17_what_is_not_named_is_refused_and_nobody_looks_for_it() {
    let (mut scene, alice, _) = outside(Transport::Tcp);
    for (uri, more) in [
        ("sip:carol@elsewhere.example", ""),
        ("sip:carol@10.0.0.1:22;transport=tcp", ""),
        ("sip:carol@192.0.2.50", ""),
        (CAROL, "Route: <sip:10.0.0.1:22;lr>\r\n"),
        (CAROL, "Route: <sip:example.com;lr>, <sip:elsewhere.example;lr>\r\n"),
    ] {
        let text = request_text(&mut scene, &alice, "MESSAGE", uri, more);
        assert_eq!(code(&scene.ask(alice.flow, &text)), 403, "{uri} {more}");
    }
    assert!(scene.sought.is_empty());
}

#[test]
fn r17_only_our_own_users_and_trusted_servers_send_anything_out() {
    let mut scene = Scene::with(Config { egress: egress(), ..with_password() });
    let stranger = scene.server(Transport::Udp, "192.0.2.99:5060", None);
    for method in ["INVITE", "MESSAGE", "OPTIONS"] {
        let text = request_text(&mut scene, &stranger, method, CAROL, "");
        assert_eq!(code(&scene.ask(stranger.flow, &text)), 407, "{method}");
        if method == "INVITE" {
            scene.pass(40_000);
        }
    }
    // An ACK asks for nothing and is answered by nobody.
    let text = request_text(&mut scene, &stranger, "ACK", CAROL, "");
    scene.send(stranger.flow, &text);
    assert!(scene.sought.is_empty());
}

#[test]
fn rfc_3263_4_3_a_way_that_comes_to_nothing_gives_way_to_the_next() {
    let (mut scene, alice, first) = outside(Transport::Tcp);
    let second = scene.server(Transport::Tcp, "192.0.2.51:5060", None);
    let third = scene.server(Transport::Tcp, "192.0.2.52:5060", None);
    // The first connection is gone when it is used, the second server has no room, the third answers.
    call_out(&mut scene, &alice, "");
    scene.disconnect(first.flow);
    scene.found(Some(first.flow));
    assert_eq!(scene.sought[0].tried, ["192.0.2.50:5060"]);
    scene.found(Some(second.flow));
    let invite = expect(&mut scene, &second, "INVITE");
    reply(&mut scene, &second, &invite, 503);
    assert_eq!(scene.sought[0].tried, ["192.0.2.50:5060", "192.0.2.51:5060"]);
    scene.found(Some(third.flow));
    let invite = expect(&mut scene, &third, "INVITE");
    reply(&mut scene, &third, &invite, 180);
    reply(&mut scene, &third, &invite, 486);
    assert_eq!(answers(&mut scene, &alice), [180, 486]);
    expect(&mut scene, &second, "ACK");
    expect(&mut scene, &third, "ACK");
    nothing_is_left(&mut scene);
}

#[test]
fn who_answers_with_silence_is_left_for_the_next_and_in_the_end_the_caller_hears_of_it() {
    let (mut scene, alice, first) = outside(Transport::Udp);
    call_out(&mut scene, &alice, "");
    scene.found(Some(first.flow));
    scene.pass(32_000);
    assert_eq!(scene.sought[0].tried, ["192.0.2.50:5060"]);
    scene.found(None);
    assert_eq!(answers(&mut scene, &alice), [100, 408]);
    nothing_is_left(&mut scene);
}

#[test]
fn a_host_that_cannot_be_found_is_a_failure_of_ours() {
    let (mut scene, alice, _) = outside(Transport::Tcp);
    call_out(&mut scene, &alice, "");
    scene.found(None);
    assert_eq!(answers(&mut scene, &alice), [500]);
    nothing_is_left(&mut scene);
}

#[test]
fn a_call_that_is_cancelled_before_there_is_a_way_never_leaves() {
    let (mut scene, alice, server) = outside(Transport::Tcp);
    let invite = call_out(&mut scene, &alice, "");
    let cancel = invite.replace("INVITE", "CANCEL");
    scene.send(alice.flow, &cancel);
    assert_eq!(answers(&mut scene, &alice), [200]);
    scene.found(Some(server.flow));
    assert_eq!(answers(&mut scene, &alice), [487]);
    assert!(scene.inbox(server.flow).is_empty());
    nothing_is_left(&mut scene);
}

#[test]
fn rfc_3261_18_1_1_what_is_too_long_for_a_datagram_goes_over_tcp_if_there_is_tcp() {
    let long = format!("Subject: {}\r\n", "x".repeat(1_200));
    let (mut scene, alice, datagrams) = outside(Transport::Udp);
    let stream = scene.server(Transport::Tcp, SERVER, None);
    for there_is in [true, false] {
        call_out(&mut scene, &alice, &long);
        scene.found(Some(datagrams.flow));
        assert!(scene.inbox(datagrams.flow).is_empty());
        assert_eq!(scene.sought[0].next, next("sip:carol@partner.example;transport=tcp"));
        scene.found(there_is.then_some(stream.flow));
        let taker = if there_is {
            &stream
        } else {
            assert_eq!(scene.sought[0].next, next(CAROL));
            scene.found(Some(datagrams.flow));
            &datagrams
        };
        let invite = expect(&mut scene, taker, "INVITE");
        assert_eq!(invite.via().unwrap().transport, if there_is { "TCP" } else { "UDP" });
        reply(&mut scene, taker, &invite, 486);
        expect(&mut scene, taker, "ACK");
        assert_eq!(answers(&mut scene, &alice), [486]);
    }
}

fn peered() -> (Scene, Client, Client) {
    let mut scene = Scene::with(Config { egress: egress(), ..with_password() });
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:d0"));
    let text = bob.register_text(&mut scene, ";expires=600");
    assert_eq!(code(&crate::auth::ask(&mut scene, &bob, &text, "bob's secret")), 200);
    let peer = scene.server(Transport::Tls, "192.0.2.60:41000", Some(rooms()));
    (scene, bob, peer)
}

fn from_rooms(text: &str) -> String {
    text.replace("From: <sip:carol@example.com>", "From: <sip:lobby@rooms.example>")
}

#[test]
fn r15_a_trusted_server_calls_and_writes_without_a_password_and_asks_for_nothing_else() {
    let (mut scene, bob, peer) = peered();
    for (method, expected) in [("MESSAGE", 200), ("INVITE", 200), ("OPTIONS", 200)] {
        let text = from_rooms(&request_text(&mut scene, &peer, method, BOB, ""));
        scene.send(peer.flow, &text);
        let came = expect(&mut scene, &bob, method);
        reply(&mut scene, &bob, &came, expected);
        assert_eq!(answers(&mut scene, &peer), [expected], "{method}");
    }
    // What follows in the dialog goes back over the connection that the call came by.
    let text = from_rooms(&request_text(&mut scene, &peer, "INVITE", BOB, ""));
    scene.send(peer.flow, &text);
    let came = expect(&mut scene, &bob, "INVITE");
    reply(&mut scene, &bob, &came, 200);
    assert_eq!(answers(&mut scene, &peer), [200]);
    let text = back(&mut scene, &bob, "BYE", &came);
    scene.send(bob.flow, &text);
    let bye = expect(&mut scene, &peer, "BYE");
    reply(&mut scene, &peer, &bye, 200);
    assert_eq!(answers(&mut scene, &bob), [200]);
    for method in ["REGISTER", "SUBSCRIBE", "PUBLISH"] {
        let text = from_rooms(&request_text(&mut scene, &peer, method, BOB, "Event: presence\r\n"));
        assert_eq!(code(&scene.ask(peer.flow, &text)), 403, "{method}");
    }
    let text = request_text(&mut scene, &peer, "MESSAGE", BOB, "");
    assert_eq!(code(&scene.ask(peer.flow, &text)), 403, "nor does it speak for our own users");
    let stranger = scene.server(Transport::Tls, "192.0.2.61:41000", None);
    let text = from_rooms(&request_text(&mut scene, &stranger, "MESSAGE", BOB, ""));
    assert_eq!(code(&scene.ask(stranger.flow, &text)), 407, "who is not listed shows a password");
}

#[test]
fn r13_a_trusted_server_names_its_device_by_sip_instance_without_registering_it() {
    let (mut scene, bob, peer) = peered();
    let instance = ";+sip.instance=\"<urn:uuid:0000aaaa-room>\"";
    let text = from_rooms(&request_text(&mut scene, &peer, "INVITE", BOB, ""));
    let contact = format!("<{}>", peer.contact);
    scene.send(peer.flow, &text.replace(&contact, &format!("{contact}{instance}")));
    let came = expect(&mut scene, &bob, "INVITE");
    assert_eq!(values(&came, Name::Contact), [format!("{contact}{instance}")]);
    reply(&mut scene, &bob, &came, 200);
    assert_eq!(answers(&mut scene, &peer), [200]);
    let text = back(&mut scene, &bob, "BYE", &came);
    scene.send(bob.flow, &text);
    let bye = expect(&mut scene, &peer, "BYE");
    assert_eq!(bye.uri(), peer.contact);
    reply(&mut scene, &peer, &bye, 200);
    assert_eq!(answers(&mut scene, &bob), [200]);
    assert_eq!(scene.counts().bindings, 1, "bob's own");
}

#[test]
fn r15_an_asserted_identity_is_taken_from_trusted_servers_alone() {
    let (mut scene, bob, peer) = peered();
    let asserted = "P-Asserted-Identity: <sip:lobby@rooms.example>\r\n";
    for (more, expected) in [
        (asserted.to_owned(), vec!["<sip:lobby@rooms.example>"]),
        (format!("{asserted}Privacy: id\r\n"), vec![]),
    ] {
        let text = from_rooms(&request_text(&mut scene, &peer, "MESSAGE", BOB, &more));
        scene.send(peer.flow, &text);
        let came = expect(&mut scene, &bob, "MESSAGE");
        assert_eq!(values(&came, Name::PAssertedIdentity), expected);
        reply(&mut scene, &bob, &came, 200);
        assert_eq!(answers(&mut scene, &peer), [200]);
    }
    // From our own user: said by us, and only to who is trusted.
    let server = scene.server(Transport::Tls, "192.0.2.60:5061", Some(rooms()));
    for (uri, expected) in [("sip:lobby@rooms.example", vec!["<sip:bob@example.com>"]), (CAROL, vec![])] {
        let text =
            request_text(&mut scene, &bob, "MESSAGE", uri, "P-Asserted-Identity: <sip:forged@x.y>\r\n");
        scene.send(bob.flow, &text);
        scene.found(Some(server.flow));
        let came = expect(&mut scene, &server, "MESSAGE");
        assert_eq!(values(&came, Name::PAssertedIdentity), expected);
        reply(&mut scene, &server, &came, 200);
        assert_eq!(answers(&mut scene, &bob), [200]);
    }
}

#[test]
fn rfc_5923_a_trusted_server_may_use_the_connection_for_its_own_requests_where_we_listen_for_them() {
    let socket = |transport, bound: &str| Socket {
        transport,
        bound: bound.parse().unwrap(),
        name: bound.parse().unwrap(),
    };
    for (listening, transport, uri, expected) in [
        (Transport::Tls, Transport::Tls, "sip:lobby@rooms.example", true),
        (Transport::Tls, Transport::Tcp, "sip:lobby@rooms.example", false),
        (Transport::Tcp, Transport::Tls, "sip:lobby@rooms.example", false),
        (Transport::Tls, Transport::Tls, CAROL, false),
    ] {
        let reach = Reach::new(vec![socket(listening, "192.0.2.1:5099")], Vec::new());
        let (mut scene, alice, _) = stage_with(Config { egress: egress(), reach, ..config() }, 0);
        let server = scene.server(transport, "192.0.2.60:5061", None);
        let text = request_text(&mut scene, &alice, "MESSAGE", uri, "");
        scene.send(alice.flow, &text);
        scene.found(Some(server.flow));
        let came = expect(&mut scene, &server, "MESSAGE");
        let via = came.via().unwrap();
        assert_eq!(via.params.has("alias"), expected, "{via}");
        assert!(!expected || via.port == Some(5_099), "and it is said where: {via}");
    }
}

#[test]
fn r16_a_trusted_server_is_reached_by_its_route_by_our_users_and_by_another_server() {
    let (mut scene, bob, peer) = peered();
    let bots =
        Arc::new(Peer { name: "bots".to_owned(), domains: vec!["bots.example".to_owned()], route: None });
    let bot = scene.server(Transport::Tls, "192.0.2.70:42000", Some(bots));
    let lobby = "sip:lobby@rooms.example";
    for (from, text) in [
        (&bob, request_text(&mut scene, &bob, "MESSAGE", lobby, "")),
        (
            &bot,
            request_text(&mut scene, &bot, "MESSAGE", lobby, "")
                .replace("carol@example.com", "bot@bots.example"),
        ),
    ] {
        scene.send(from.flow, &text);
        assert_eq!(scene.sought[0].next, next("sip:192.0.2.60:5061;transport=tls"));
        scene.found(Some(peer.flow));
        let came = expect(&mut scene, &peer, "MESSAGE");
        assert_eq!(came.uri(), lobby);
        reply(&mut scene, &peer, &came, 200);
        assert_eq!(answers(&mut scene, from), [200]);
    }
}

#[test]
fn rfc_3327_5_3_a_device_behind_a_proxy_is_reached_through_it_and_over_another_connection_when_the_first_is_gone()
 {
    let (mut scene, alice, proxy) = outside(Transport::Tcp);
    let mut bob = Client { user: "bob", instance: Some("urn:uuid:d0"), ..proxy.clone() };
    for (first, kept) in [("partner.example", true), ("elsewhere.example", false)] {
        let path = format!("<sip:{first};lr>, <sip:in.example;lr>");
        let text = bob.register_text(&mut scene, ";expires=600");
        let text = text.replacen("\r\nCSeq", &format!("\r\nPath: {path}\r\nSupported: path\r\nCSeq"), 1);
        assert_eq!(code(&scene.ask(bob.flow, &text)), 200);
        invite(&mut scene, &alice, "");
        let came = expect(&mut scene, &bob, "INVITE");
        let routes: Vec<_> = came.routes().map(|route| route.unwrap().to_string()).collect();
        assert_eq!((came.uri(), routes.join(", ")), (bob.contact.as_str(), path));
        reply(&mut scene, &bob, &came, 486);
        expect(&mut scene, &bob, "ACK");
        assert_eq!(answers(&mut scene, &alice), [486]);

        scene.disconnect(bob.flow);
        invite(&mut scene, &alice, "");
        if kept {
            assert_eq!(scene.sought[0].next, next("sip:partner.example"));
            bob.flow = scene.server(Transport::Tcp, "192.0.2.50:5060", None).flow;
            scene.found(Some(bob.flow));
            let came = expect(&mut scene, &bob, "INVITE");
            assert_eq!(came.routes().count(), 2);
            reply(&mut scene, &bob, &came, 486);
            expect(&mut scene, &bob, "ACK");
            assert_eq!(answers(&mut scene, &alice), [486]);
        } else {
            assert_eq!(
                answers(&mut scene, &alice),
                [480],
                "nobody may have us open connections to where they say"
            );
        }
    }
}
