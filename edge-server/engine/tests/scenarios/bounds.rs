//! Every bound, reached.

use crate::scene::*;
use tributary_engine::{Event, Limits};

fn tight() -> Scene {
    let mut config = config();
    config.limits = Limits {
        bindings_per_aor: 2,
        bindings_per_instance: 1,
        publications_per_presentity: 2,
        publications_per_flow: 3,
        body_bytes: 600,
        subscriptions_per_presentity: 2,
        subscriptions_per_watcher: 3,
        subscriptions_per_flow: 2,
        presentities_per_shard: 3,
        transactions_per_shard: 4,
        requests_per_shard: 4,
        transaction_bytes_per_shard: 100_000,
        resumed_at_once: 50,
        devices_per_shard: 1,
        publication_bytes_per_presentity: 800,
        forks_per_request: 2,
        proxied_per_shard: 2,
        proxied_bytes_per_shard: 100_000,
        dialog_bytes: 700,
        path_bytes: 60,
        header_bytes: 40,
        contact_bytes: 100,
        nonce_uses_per_shard: 1,
        busy_users_per_shard: 1,
    };
    Scene::with(config)
}

fn reached(scene: &Scene, limit: &'static str) -> bool {
    scene.events.contains(&Event::LimitReached { limit })
}

#[test]
fn bindings_per_aor() {
    let mut scene = tight();
    let mut clients: Vec<_> = (0..3).map(|_| Client::new(&mut scene, "alice", None)).collect();
    let codes: Vec<_> = clients.iter_mut().map(|client| code(&client.register(&mut scene))).collect();
    assert_eq!(codes, [200, 200, 403]);
    assert!(reached(&scene, "bindings_per_aor"));
    assert_eq!(code(&clients[0].register(&mut scene)), 200, "a refresh needs no more room");
}

#[test]
fn bindings_per_instance() {
    let mut scene = tight();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    assert_eq!(code(&alice.register(&mut scene)), 200);
    let mut other = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let text = other.register_text(&mut scene, ";expires=600").replace("reg-id=1", "reg-id=2");
    assert_eq!(code(&scene.ask(other.flow, &text)), 403);
    assert!(reached(&scene, "bindings_per_instance"));
    assert_eq!(code(&other.register(&mut scene)), 200, "the same flow of the device, moved");
}

#[test]
fn path_bytes_and_header_bytes() {
    let mut scene = tight();
    let mut alice = Client::new(&mut scene, "alice", None);
    let mut register = |scene: &mut Scene, more: &str| {
        let text = alice.register_text(scene, ";expires=600");
        code(&scene.ask(alice.flow, &text.replace("Supported:", &format!("{more}\r\nSupported:"))))
    };
    assert_eq!(register(&mut scene, "Path: <sip:one.example.com;lr>"), 200);
    let long = format!("Path: <sip:one.example.com;lr>, <sip:{}.example.com;lr>", "o".repeat(60));
    assert_eq!(register(&mut scene, &long), 400);
    assert!(!reached(&scene, "header_bytes"));
    assert_eq!(register(&mut scene, &format!("X-App: {}", "a".repeat(40))), 200);
    assert!(reached(&scene, "header_bytes"));
}

#[test]
fn publications_per_presentity_and_per_flow() {
    let mut scene = tight();
    let alice = Client::new(&mut scene, "alice", None);
    let codes: Vec<_> =
        (0..3).map(|_| code(&alice.publish(&mut scene, &pidf("alice", "open"), ""))).collect();
    assert_eq!(codes, [200, 200, 403]);
    assert!(reached(&scene, "publications_per_presentity"));
    let mut scene = tight();
    let flow = scene.connect();
    // One shard counts what it owns: two users of one shard share a connection here.
    let users = ["alice", "bob", "carol", "dave", "erin", "frank", "grace"];
    let shard = shard_of("sip:alice@example.com");
    let mut same = users.into_iter().filter(|user| shard_of(&format!("sip:{user}@example.com")) == shard);
    let (one, two) = (same.next().unwrap(), same.next().unwrap());
    let mut codes = Vec::new();
    for user in [one, one, two, two] {
        let client = Client { flow, ..Client::new(&mut scene, user, None) };
        codes.push(code(&client.publish(&mut scene, &pidf(user, "open"), "")));
    }
    assert_eq!(codes, [200, 200, 200, 403]);
    assert!(reached(&scene, "publications_per_flow"));
}

#[test]
fn body_bytes() {
    let mut scene = tight();
    let alice = Client::new(&mut scene, "alice", None);
    let body =
        pidf("alice", "open").replace("</presence>", &format!("<note>{}</note></presence>", "x".repeat(600)));
    assert_eq!(code(&alice.publish(&mut scene, &body, "")), 413);
    assert!(reached(&scene, "body_bytes"));
}

#[test]
fn subscriptions_per_presentity_flow_and_watcher() {
    let mut scene = tight();
    let check = |scene: &mut Scene, client: &Client, user: &str| {
        let text = client.subscribe_text(scene, user, "");
        let answer = scene.ask(client.flow, &text);
        if code(&answer) == 200 {
            scene.notified(client.flow);
        }
        code(&answer)
    };
    for (watcher, expect) in [("bob", 200), ("carol", 200), ("dave", 403)] {
        let client = Client::new(&mut scene, watcher, None);
        assert_eq!(check(&mut scene, &client, "alice"), expect);
    }
    assert!(reached(&scene, "subscriptions_per_presentity"));
    let mut scene = tight();
    let bob = Client::new(&mut scene, "bob", None);
    assert_eq!([(); 3].map(|()| check(&mut scene, &bob, "alice")), [200, 200, 403]);
    let mut scene = tight();
    let users = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let shard = shard_of("sip:a@example.com");
    let same: Vec<_> = users
        .into_iter()
        .filter(|user| shard_of(&format!("sip:{user}@example.com")) == shard)
        .take(2)
        .collect();
    let codes: Vec<_> = [same[0], same[0], same[1], same[1]]
        .into_iter()
        .map(|user| {
            let bob = Client::new(&mut scene, "bob", None);
            check(&mut scene, &bob, user)
        })
        .collect();
    assert_eq!(codes, [200, 200, 200, 403]);
    assert!(reached(&scene, "subscriptions_per_watcher"));
}

#[test]
fn presentities_per_shard() {
    let mut scene = tight();
    let names: Vec<String> = (0..40).map(|n| format!("user{n}")).collect();
    let shard = shard_of("sip:user0@example.com");
    let same = names.iter().filter(|user| shard_of(&format!("sip:{user}@example.com")) == shard);
    let bob = Client::new(&mut scene, "bob", None);
    let mut codes = Vec::new();
    for user in same.take(5) {
        let client = Client { flow: scene.connect(), ..bob.clone() };
        let text = client.subscribe_text(&mut scene, user, "Expires: 60\r\n");
        codes.push(code(&scene.ask(client.flow, &text)));
    }
    assert_eq!(codes[..3], [200, 200, 200]);
    assert!(codes[3..].iter().all(|code| *code == 403 || *code == 503), "{codes:?}");
    let mut scene = tight();
    let mut codes = Vec::new();
    for user in names.iter().filter(|user| shard_of(&format!("sip:{user}@example.com")) == shard).take(4) {
        let user: &'static str = user.clone().leak();
        let client = Client::new(&mut scene, user, None);
        codes.push(code(&client.publish(&mut scene, &pidf(user, "open"), "")));
    }
    assert_eq!(codes, [200, 200, 200, 503]);
    assert!(reached(&scene, "presentities_per_shard"));
}

#[test]
fn dialog_and_contact_bytes() {
    let mut scene = tight();
    let mut bob = Client::new(&mut scene, "bob", None);
    bob.contact = format!("sip:{}@x.invalid", "b".repeat(800));
    let text = bob.subscribe_text(&mut scene, "alice", "");
    assert_eq!(code(&scene.ask(bob.flow, &text)), 400);
    assert_eq!(code(&bob.register(&mut scene)), 400);
    assert_eq!(scene.counts().presentities, 0);
}

#[test]
fn transactions_per_shard_and_their_bytes() {
    for limit in ["transactions_per_shard", "transaction_bytes_per_shard"] {
        let mut config = config();
        assert!(config.limits.set(limit, if limit == "transactions_per_shard" { 4 } else { 1_600 }));
        let mut scene = Scene::with(config);
        let alice = Client::new(&mut scene, "alice", None);
        for _ in 0..10 {
            assert_eq!(code(&alice.publish(&mut scene, "", "SIP-If-Match: gone\r\n")), 412);
        }
        let counts = scene.counts();
        assert!((4..10).contains(&counts.transactions) && counts.transaction_bytes <= 1_600, "{counts:?}");
        assert!(reached(&scene, limit));
        scene.disconnect(alice.flow);
        let counts = scene.counts();
        assert_eq!((counts.transactions, counts.transaction_bytes), (0, 0), "they go with their connection");
    }
}

#[test]
fn who_cannot_show_a_password_takes_no_room_and_is_refused_alike_when_it_repeats_itself() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let text = alice.publish_text(&mut scene, "", "");
    let answer = scene.ask(alice.flow, &text);
    assert_eq!(code(&answer), 400);
    assert_eq!(scene.ask(alice.flow, &text).raw(), answer.raw());
    assert_eq!(scene.counts().transactions, 0);
}

#[test]
fn publication_bytes_per_presentity() {
    let mut scene = tight();
    let alice = Client::new(&mut scene, "alice", None);
    let long = |n: usize| {
        pidf("alice", "open").replace("</presence>", &format!("<note>{}</note></presence>", "x".repeat(n)))
    };
    let first = alice.publish(&mut scene, &long(200), "");
    assert_eq!(code(&first), 200);
    assert_eq!(code(&alice.publish(&mut scene, &long(200), "")), 413, "together they are too long");
    assert!(reached(&scene, "publication_bytes_per_presentity"));
    assert!(scene.state("sip:alice@example.com").contains("xxx"), "what is published lives on");
    // The document that is replaced takes no room.
    let named = format!("SIP-If-Match: {}\r\n", etag(&first));
    assert_eq!(code(&alice.publish(&mut scene, &long(250), &named)), 200);
}

#[test]
fn devices_per_shard() {
    let mut scene = tight();
    for watcher in ["bob", "carol"] {
        let mut client = Client::new(&mut scene, watcher, None);
        client.watch(&mut scene, "alice");
        client.register(&mut scene);
    }
    assert!(reached(&scene, "devices_per_shard"));
    assert_eq!(scene.counts().devices, 1);
}
