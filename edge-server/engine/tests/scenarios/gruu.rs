//! GRUUs of registered devices, and what else tells devices apart (RFC 5627, RFC 5626 6).

use crate::calls::{BOB, answer_of, expect, invite, reply, request_text, within};
use crate::scene::*;
use tributary_sip::{Contacts, Message, Name, SealingKeys};

/// A server that has a secret.
fn stage() -> Scene {
    let mut scene = Scene::new();
    scene.keys = Some(SealingKeys::new([9; 32], &[]));
    scene.restart(0);
    scene
}

/// A GRUU that a 200 gives to the device with this Contact, without its quotes.
#[track_caller]
fn told(answer: &Message, device: &Client, name: &str) -> Option<String> {
    assert_eq!(code(answer), 200);
    let Ok(Contacts::List(contacts)) = answer.contacts() else { panic!("{answer:?}") };
    let own = contacts.into_iter().find(|contact| contact.uri == device.contact).expect("its own Contact");
    own.params.get(name).map(str::to_owned)
}

#[track_caller]
fn temporary(answer: &Message, device: &Client) -> String {
    told(answer, device, "temp-gruu").expect("temp-gruu")
}

/// Calls a URI: what the caller is answered, or that this device and no other is asked.
#[track_caller]
fn call(scene: &mut Scene, caller: &Client, uri: &str, devices: &[&Client]) -> Result<usize, u16> {
    let text = request_text(scene, caller, "MESSAGE", uri, "")
        .replace("To: <sip:bob@example.com>", &format!("To: <{uri}>"));
    scene.send(caller.flow, &text);
    let asked: Vec<usize> =
        (0..devices.len()).filter(|&at| !scene.inbox(devices[at].flow).is_empty()).collect();
    let [only] = *asked else {
        assert_eq!(asked, [0; 0]);
        return Err(code(&answer_of(scene, caller)));
    };
    let came = expect(scene, devices[only], "MESSAGE");
    assert_eq!(came.uri(), devices[only].contact);
    reply(scene, devices[only], &came, 200);
    assert_eq!(code(&answer_of(scene, caller)), 200);
    Ok(only)
}

#[test]
fn r13_the_200_gives_a_stable_public_and_a_fresh_temporary_gruu() {
    let mut scene = stage();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:B0B"));
    let first = bob.register(&mut scene);
    let second = bob.register(&mut scene);
    for answer in [&first, &second] {
        let public = told(answer, &bob, "pub-gruu");
        assert_eq!(public.as_deref(), Some("sip:bob@example.com;gr=urn:uuid:B0B"));
    }
    let made = temporary(&first, &bob);
    assert_ne!(made, temporary(&second, &bob));
    assert!(made.starts_with("sip:tgruu.") && made.ends_with("@example.com;gr"), "{made}");
    assert!(!made.contains("bob") && !made.contains("B0B"), "{made}");
    // Who asks for the list is told of the last one.
    let text = bob.register_text(&mut scene, "");
    let contact = text.lines().find(|line| line.starts_with("Contact:")).unwrap().to_owned() + "\r\n";
    let listed = scene.ask(bob.flow, &text.replace(&contact, ""));
    assert_eq!(temporary(&listed, &bob), temporary(&second, &bob));
    // The quotes are there, for the libraries take them off.
    assert!(first.header(Name::Contact).unwrap().contains(";pub-gruu=\"sip:bob@"));
}

#[test]
fn r13_without_support_or_instance_there_is_no_gruu_and_the_device_is_registered_all_the_same() {
    let mut scene = stage();
    let mut plain = Client::new(&mut scene, "bob", None);
    let mut old = Client::new(&mut scene, "bob", Some("urn:uuid:old"));
    let answer = plain.register(&mut scene);
    assert_eq!(told(&answer, &plain, "pub-gruu"), None);
    assert_eq!(told(&answer, &plain, "temp-gruu"), None);
    let text = old.register_text(&mut scene, ";expires=600").replace("gruu,", "");
    let answer = scene.ask(old.flow, &text);
    assert_eq!(told(&answer, &old, "pub-gruu"), None);
    assert_eq!(told(&answer, &old, "temp-gruu"), None);
    assert_eq!(scene.counts().bindings, 2);
}

#[test]
fn r13_who_requires_gruus_gets_them_and_who_requires_more_gets_nothing() {
    let mut scene = stage();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let text = bob.register_text(&mut scene, ";expires=600\r\nRequire: gruu");
    assert!(told(&scene.ask(bob.flow, &text), &bob, "temp-gruu").is_some());
    let text = bob.register_text(&mut scene, ";expires=600\r\nRequire: gruu, time-travel");
    let answer = scene.ask(bob.flow, &text);
    assert_eq!((code(&answer), answer.header(Name::Unsupported)), (420, Some("time-travel")));
}

#[test]
fn r13_an_epid_makes_a_device_without_an_instance_one_wherever_it_registers() {
    let mut scene = stage();
    let alice = Client::new(&mut scene, "alice", None);
    let mut before = Client::new(&mut scene, "bob", None);
    let mut after = Client::new(&mut scene, "bob", None);
    let mut other = Client::new(&mut scene, "bob", None);
    let register = |scene: &mut Scene, client: &mut Client, epid: &str, extra: &str| {
        let text = client.register_text(scene, extra);
        let (head, tail) = text.split_once(";tag=").unwrap();
        let answer = scene.ask(client.flow, &format!("{head}{epid};tag={tail}"));
        (code(&answer), answer.headers(Name::Contact).count())
    };
    assert_eq!(register(&mut scene, &mut before, ";epid=0a1b", ""), (200, 1));
    assert_eq!(register(&mut scene, &mut after, ";epid=0a1b", ""), (200, 1));
    assert_eq!(call(&mut scene, &alice, BOB, &[&before, &after]), Ok(1));
    assert_eq!(register(&mut scene, &mut other, ";epid=0a1c", ""), (200, 2));
    scene.restart(1_000);
    for client in [&mut after, &mut other] {
        client.reconnect(&mut scene);
    }
    assert_eq!(register(&mut scene, &mut after, ";epid=0a1b", ""), (200, 2));
    // Without its epid it is known by its Contact.
    assert_eq!(register(&mut scene, &mut other, "", ";expires=0"), (200, 1));
    assert_eq!(register(&mut scene, &mut after, ";epid=0a1b", ";expires=0"), (200, 0));
    assert!(scene.store.is_empty());
    let long = format!(";epid={}", "a".repeat(scene.config.limits.contact_bytes as usize + 1));
    assert_eq!(register(&mut scene, &mut after, &long, "").0, 400);
}

#[test]
fn r13_what_a_client_says_is_its_gruu_is_ignored() {
    let mut scene = stage();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let own =
        ";Pub-GRUU=\"sip:mallory@example.com;gr=x\";temp-gruu=\"sip:tgruu.x@example.com;gr\";expires=600";
    let text = bob.register_text(&mut scene, own);
    let answer = scene.ask(bob.flow, &text);
    let contact = answer.header(Name::Contact).unwrap().to_ascii_lowercase();
    assert_eq!(contact.matches("-gruu=").count(), 2);
    assert!(!contact.contains("mallory") && !contact.contains("tgruu.x@"), "{contact}");
}

#[test]
fn r6_all_temporary_gruus_lead_to_their_device_alone_until_its_call_id_changes_or_it_leaves() {
    let mut scene = stage();
    let alice = Client::new(&mut scene, "alice", None);
    let mut one = Client::new(&mut scene, "bob", Some("urn:uuid:1"));
    let mut two = Client::new(&mut scene, "bob", Some("urn:uuid:2"));
    let mut gruus = Vec::new();
    for _ in 0..3 {
        gruus.push((0, temporary(&one.register(&mut scene), &one)));
        gruus.push((1, temporary(&two.register(&mut scene), &two)));
    }
    for (device, gruu) in &gruus {
        assert_eq!(call(&mut scene, &alice, gruu, &[&one, &two]), Ok(*device), "{gruu}");
    }
    // It restarts, and has the same instance and another Call-ID.
    one.register_call = scene.number();
    gruus.push((0, temporary(&one.register(&mut scene), &one)));
    two.unregister(&mut scene);
    for (at, (_, gruu)) in gruus.iter().enumerate() {
        let expect = if at == 6 { Ok(0) } else { Err(404) };
        assert_eq!(call(&mut scene, &alice, gruu, &[&one, &two]), expect, "{at}");
    }
    // Coming back makes none of the old ones valid again.
    gruus.push((1, temporary(&two.register(&mut scene), &two)));
    assert_eq!(call(&mut scene, &alice, &gruus[5].1, &[&one, &two]), Err(404));
    assert_eq!(call(&mut scene, &alice, &gruus[7].1, &[&one, &two]), Ok(1));
    // The public one stays, of a device that is away as well.
    two.unregister(&mut scene);
    assert_eq!(call(&mut scene, &alice, "sip:bob@example.com;gr=urn:uuid:2", &[&one, &two]), Err(480));
    let altered = gruus[6].1.replacen("tgruu.", "tgruu.A", 1);
    assert_eq!(call(&mut scene, &alice, &altered, &[&one, &two]), Err(404));
}

#[test]
fn r6_a_device_whose_contact_in_a_dialog_is_a_gruu_gets_what_it_has_registered() {
    let mut scene = stage();
    let alice = Client::new(&mut scene, "alice", None);
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let answer = bob.register(&mut scene);
    for name in ["pub-gruu", "temp-gruu"] {
        let named = Client { contact: told(&answer, &bob, name).unwrap(), ..bob.clone() };
        invite(&mut scene, &alice, "");
        let call = expect(&mut scene, &bob, "INVITE");
        reply(&mut scene, &named, &call, 200);
        let accepted = answer_of(&mut scene, &alice);
        for method in ["ACK", "INFO", "BYE"] {
            let text = within(&mut scene, &alice, method, &accepted);
            assert!(text.starts_with(&format!("{method} {} ", named.contact)));
            scene.send(alice.flow, &text);
            let came = expect(&mut scene, &bob, method);
            assert_eq!(came.uri(), bob.contact, "{name}");
            if method != "ACK" {
                reply(&mut scene, &bob, &came, 200);
                answer_of(&mut scene, &alice);
            }
        }
    }
}

#[test]
fn r6_temporary_gruus_live_through_a_restart() {
    let mut scene = stage();
    let alice = Client::new(&mut scene, "alice", None);
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let mut phone = Client::in_datagrams(&mut scene, "bob", 5062);
    phone.instance = Some("urn:uuid:p");
    let of_bob = temporary(&bob.register(&mut scene), &bob);
    let of_phone = temporary(&phone.register(&mut scene), &phone);
    scene.restart(1_000);
    let mut caller = alice.clone();
    caller.reconnect(&mut scene);
    assert_eq!(call(&mut scene, &caller, &of_phone, &[&phone]), Ok(0));
    assert_eq!(call(&mut scene, &caller, &of_bob, &[&phone]), Err(480), "it is awaited");
    bob.reconnect(&mut scene);
    let again = temporary(&bob.register(&mut scene), &bob);
    for gruu in [&of_bob, &again] {
        assert_eq!(call(&mut scene, &caller, gruu, &[&bob, &phone]), Ok(0));
    }
}

#[test]
fn r24_who_takes_a_contact_from_a_notify_and_calls_it_gets_that_device_alone() {
    let mut scene = stage();
    let watcher = Client::new(&mut scene, "alice", None);
    let mut page = Client::new(&mut scene, "bob", Some("urn:uuid:page"));
    let mut phone = Client::in_datagrams(&mut scene, "bob", 5062);
    phone.instance = Some("urn:uuid:phone");
    let mut tablet = Client::new(&mut scene, "bob", Some("urn:uuid:tablet"));
    // Each writes another contact: the one that it registers, none, its user's address.
    for (device, id, contact) in [
        (&mut page, "page", "<contact>sip:x@h.invalid</contact>"),
        (&mut phone, "phone", ""),
        (&mut tablet, "tablet", "<contact>sip:bob@example.com</contact>"),
    ] {
        device.register(&mut scene);
        let body = format!(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@example.com'>\
             <tuple id='{id}'><status><basic>open</basic></status>{contact}</tuple></presence>"
        );
        assert_eq!(code(&device.publish(&mut scene, &body, "")), 200);
    }
    let (_, notify) = watcher.watch(&mut scene, "bob");
    let contact_of = |notify: &Message, id: &str| {
        let document = merge_core::model::Document::read(notify.body()).unwrap();
        let tuple = document.tuples().find(|tuple| tuple.id() == id).expect(id);
        tuple.contact().map(|contact| contact.uri().into_owned())
    };
    let devices = [&page, &phone, &tablet];
    for (at, id) in ["page", "phone", "tablet"].into_iter().enumerate() {
        let contact = contact_of(&notify, id).unwrap();
        assert_eq!(contact, format!("sip:bob@example.com;gr=urn:uuid:{id}"));
        let text = request_text(&mut scene, &watcher, "INVITE", &contact, "");
        scene.send(watcher.flow, &text);
        let rang = expect(&mut scene, devices[at], "INVITE");
        assert!(devices.iter().all(|device| scene.inbox(device.flow).is_empty()), "{id} alone");
        reply(&mut scene, devices[at], &rang, 200);
        let accepted = answer_of(&mut scene, &watcher);
        for method in ["ACK", "BYE"] {
            let text = within(&mut scene, &watcher, method, &accepted);
            scene.send(watcher.flow, &text);
            let came = expect(&mut scene, devices[at], method);
            if method == "BYE" {
                reply(&mut scene, devices[at], &came, 200);
                answer_of(&mut scene, &watcher);
            }
        }
    }
    // A connection that breaks and comes back is no news; a device that leaves has no GRUU any more.
    scene.disconnect(page.flow);
    assert_eq!(scene.inbox(watcher.flow).len(), 0);
    page.reconnect(&mut scene);
    page.register(&mut scene);
    assert_eq!(scene.inbox(watcher.flow).len(), 0);
    tablet.unregister(&mut scene);
    let notify = scene.notified(watcher.flow);
    assert_eq!(contact_of(&notify, "tablet").as_deref(), Some(BOB));
    // After a restart all is as it was.
    let before = scene.state(BOB);
    scene.restart(1_000);
    assert_eq!(scene.state(BOB), before);
}

#[test]
fn r24_a_device_that_has_only_registered_is_shown_with_its_gruu_as_well() {
    for instance in ["urn:uuid:b", "urn:x:a;b=c%20d", "urn:x:(*)/&+$[1]~!'_-.", "urn:x:?@,^`{|}#"] {
        let mut scene = stage();
        let alice = Client::new(&mut scene, "alice", None);
        let mut bob = Client::new(&mut scene, "bob", Some(instance));
        let public = told(&bob.register(&mut scene), &bob, "pub-gruu").unwrap();
        let (_, notify) = alice.watch(&mut scene, "bob");
        let document = merge_core::model::Document::read(notify.body()).unwrap();
        let contact = document.tuples().next().unwrap().contact().unwrap().uri().into_owned();
        assert_eq!(contact, public);
        assert_eq!(call(&mut scene, &alice, &contact, &[&bob]), Ok(0), "{contact}");
    }
}

#[test]
fn what_is_published_and_watched_by_a_gruu_is_its_users() {
    let mut scene = stage();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let alice = Client::new(&mut scene, "alice", None);
    let answer = bob.register(&mut scene);
    let (public, made) = (told(&answer, &bob, "pub-gruu").unwrap(), temporary(&answer, &bob));
    let by = |text: String, uri: &str| {
        text.replace(" sip:bob@example.com SIP", &format!(" {uri} SIP"))
            .replace("To: <sip:bob@example.com>", &format!("To: <{uri}>"))
    };
    for (number, uri) in [&public, &made].into_iter().enumerate() {
        let text =
            bob.publish_text(&mut scene, &pidf("bob", if number == 0 { "open" } else { "closed" }), "");
        assert_eq!(code(&scene.ask(bob.flow, &by(text, uri))), 200, "{uri}");
        assert!(scene.state(BOB).contains(if number == 0 { "open" } else { "closed" }));
        let text = bob.subscribe_text(&mut scene, "bob", "");
        let answer = scene.ask(bob.flow, &by(text, uri));
        assert_eq!(code(&answer), 200, "{uri}");
        assert_eq!(body(&scene.notified(bob.flow)), scene.state(BOB));
        let mut watch = Watch::of(&answer);
        assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "Expires: 0\r\n")), 200, "{uri}");
        scene.notified(bob.flow);
    }
    // Whoever has the temporary one is not told whose it is.
    let mut check = |uri: &str, expect: u16| {
        let text = alice.subscribe_text(&mut scene, "bob", "Expires: 0\r\n");
        assert_eq!(code(&scene.ask(alice.flow, &by(text, uri))), expect, "{uri}");
        while scene.next(alice.flow).is_some() {}
    };
    check(&public, 200);
    check("sip:bob@example.com;gr=urn:uuid:gone", 200);
    check(&made, 404);
    check(&made.replacen("tgruu.", "tgruu.A", 1), 404);
    check("sip:bob@example.com;gr", 404);
    check("sip:bob@example.com;gr=nonsense", 404);
    bob.unregister(&mut scene);
    let text = bob.publish_text(&mut scene, &pidf("bob", "open"), "");
    assert_eq!(code(&scene.ask(bob.flow, &by(text, &made))), 404, "it is none any more");
}

#[test]
fn r6_the_connections_of_one_device_share_its_gruus() {
    let mut scene = stage();
    let alice = Client::new(&mut scene, "alice", None);
    let mut first = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let mut second = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let by_first = temporary(&first.register(&mut scene), &first);
    let text = second.register_text(&mut scene, ";expires=600").replace("reg-id=1", "reg-id=2");
    let by_second = temporary(&scene.ask(second.flow, &text), &second);
    assert_eq!(call(&mut scene, &alice, &by_first, &[&first, &second]), Ok(1), "the newest way");
    scene.disconnect(second.flow);
    for gruu in [&by_first, &by_second] {
        assert_eq!(call(&mut scene, &alice, gruu, &[&first]), Ok(0));
    }
    scene.disconnect(first.flow);
    assert_eq!(call(&mut scene, &alice, &by_first, &[]), Err(404));
}

#[test]
fn r14_one_instance_that_registers_again_is_one_device_and_the_newest() {
    let mut scene = stage();
    let alice = Client::new(&mut scene, "alice", None);
    let mut before = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let mut after = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    before.register(&mut scene);
    let answer = after.register(&mut scene);
    assert_eq!(answer.headers(Name::Contact).count(), 1);
    assert_eq!(call(&mut scene, &alice, BOB, &[&before, &after]), Ok(1));
}

#[test]
fn r14_a_contact_that_leads_back_to_its_user_is_refused() {
    let mut scene = stage();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let own = temporary(&bob.register(&mut scene), &bob);
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let hers = temporary(&alice.register(&mut scene), &alice);
    let mut other = Client::new(&mut scene, "bob", Some("urn:uuid:c"));
    for (contact, expect) in [
        (BOB, 403),
        ("sip:b%6fb@EXAMPLE.com", 403),
        ("sip:bob@example.com;gr=urn:uuid:b", 403),
        ("sip:bob@example.com;gr=urn:uuid:b;transport=ws", 403),
        (own.as_str(), 403),
        (hers.as_str(), 200),
        ("sip:bob@192.0.2.1", 200),
    ] {
        other.contact = contact.to_owned();
        let text = other.register_text(&mut scene, ";expires=600");
        assert_eq!(code(&scene.ask(other.flow, &text)), expect, "{contact}");
    }
    assert_eq!(scene.counts().bindings, 3);
}

#[test]
fn r14_a_first_hop_that_does_not_keep_connections_is_said_with_439() {
    let mut scene = stage();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    let mut check = |expect: u16, path: &str, supported: &str, reg_id: &str| {
        let text = bob
            .register_text(&mut scene, ";expires=600")
            .replacen(
                "Max-Forwards",
                &format!("Via: SIP/2.0/TCP phone.invalid;branch=z9hG4bK0\r\n{path}Max-Forwards"),
                1,
            )
            .replace("path,gruu,outbound", supported)
            .replace(";reg-id=1", reg_id);
        assert_eq!(code(&scene.ask(bob.flow, &text)), expect, "{path} {supported} {reg_id}");
    };
    check(439, "", "path,gruu,outbound", ";reg-id=1");
    check(439, "Path: <sip:edge.example.com;lr>\r\n", "path,gruu,outbound", ";reg-id=1");
    check(200, "Path: <sip:edge.example.com;lr;ob>\r\n", "path,gruu,outbound", ";reg-id=1");
    check(200, "", "path,gruu", ";reg-id=1");
    check(200, "", "path,gruu,outbound", "");
}
