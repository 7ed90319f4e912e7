//! Every bound, reached.

use crate::auth::{log_in, with_password};
use crate::calls::{BOB, invite, request_text, stage_with};
use crate::scene::*;
use merge_core::policy::ViewKey;
use tributary_engine::limits::{Limit, TABLE};
use tributary_engine::{Event, Input, Limits, Rate, Scope};

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
        views_per_presentity: 1,
        presentities_per_shard: 3,
        transactions_per_shard: 4,
        requests_per_shard: 4,
        transaction_bytes_per_shard: 100_000,
        resumed_at_once: 50,
        reevaluated_at_once: 200,
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

/// A bound by its name, and what meets it.
type Case = (&'static str, fn() -> Scene);

const CASES: &[Case] = &[
    ("bindings_per_aor", bindings_per_aor),
    ("views_per_presentity", views_per_presentity),
    ("bindings_per_instance", bindings_per_instance),
    ("publications_per_presentity", publications_per_presentity),
    ("publications_per_flow", publications_per_flow),
    ("body_bytes", body_bytes),
    ("subscriptions_per_presentity", subscriptions_per_presentity),
    ("subscriptions_per_watcher", subscriptions_per_watcher),
    ("subscriptions_per_flow", subscriptions_per_flow),
    ("resumed_at_once", resumed_at_once),
    ("reevaluated_at_once", reevaluated_at_once),
    ("devices_per_shard", devices_per_shard),
    ("publication_bytes_per_presentity", publication_bytes_per_presentity),
    ("presentities_per_shard", presentities_per_shard),
    ("transactions_per_shard", || kept("transactions_per_shard", 4)),
    ("requests_per_shard", requests_per_shard),
    ("transaction_bytes_per_shard", || kept("transaction_bytes_per_shard", 1_600)),
    ("forks_per_request", forks_per_request_and_proxied_per_shard),
    ("proxied_per_shard", forks_per_request_and_proxied_per_shard),
    ("proxied_bytes_per_shard", proxied_bytes_per_shard),
    ("busy_users_per_shard", busy_users_per_shard),
    ("nonce_uses_per_shard", nonce_uses_per_shard),
    ("dialog_bytes", dialog_and_contact_bytes),
    ("path_bytes", path_bytes_and_header_bytes),
    ("header_bytes", path_bytes_and_header_bytes),
    ("contact_bytes", dialog_and_contact_bytes),
];

#[test]
fn every_bound_of_the_table_is_counted_by_its_name_when_it_is_met() {
    for Limit { name: limit, .. } in TABLE {
        let case = CASES.iter().find(|(name, _)| name == limit);
        let (_, case) = case.unwrap_or_else(|| panic!("nothing here meets {limit}"));
        assert!(case().events.contains(&Event::LimitReached { limit }), "{limit} is not counted");
    }
}

fn views_per_presentity() -> Scene {
    let mut scene = tight();
    scene.host.assigned = Some(crate::views::assignment(ViewKey::Identity));
    let alice = Client::new(&mut scene, "alice", None);
    alice.publish(&mut scene, &crate::views::telling("with the board"), "");
    let (bob, carol) = (Client::new(&mut scene, "bob", None), Client::new(&mut scene, "carol", None));
    assert!(body(&bob.watch(&mut scene, "alice").1).contains("with the board"));
    // Nobody says what to hide from carol, so all is.
    let (_, notify) = carol.watch(&mut scene, "alice");
    let shown = body(&notify);
    assert!(shown.contains("<basic>open</basic>") && !shown.contains("with the board"), "{shown}");
    scene
}

fn bindings_per_aor() -> Scene {
    let mut scene = tight();
    let mut clients: Vec<_> = (0..3).map(|_| Client::new(&mut scene, "alice", None)).collect();
    let codes: Vec<_> = clients.iter_mut().map(|client| code(&client.register(&mut scene))).collect();
    assert_eq!(codes, [200, 200, 403]);
    assert_eq!(code(&clients[0].register(&mut scene)), 200, "a refresh needs no more room");
    scene
}

fn bindings_per_instance() -> Scene {
    let mut scene = tight();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    assert_eq!(code(&alice.register(&mut scene)), 200);
    let mut other = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let text = other.register_text(&mut scene, ";expires=600").replace("reg-id=1", "reg-id=2");
    assert_eq!(code(&scene.ask(other.flow, &text)), 403);
    assert_eq!(code(&other.register(&mut scene)), 200, "the same flow of the device, moved");
    scene
}

fn path_bytes_and_header_bytes() -> Scene {
    let mut scene = tight();
    let mut alice = Client::new(&mut scene, "alice", None);
    let mut register = |scene: &mut Scene, more: &str| {
        let text = alice.register_text(scene, ";expires=600");
        code(&scene.ask(alice.flow, &text.replace("Supported:", &format!("{more}\r\nSupported:"))))
    };
    assert_eq!(register(&mut scene, "Path: <sip:one.example.com;lr>"), 200);
    let long = format!("Path: <sip:one.example.com;lr>, <sip:{}.example.com;lr>", "o".repeat(60));
    assert_eq!(register(&mut scene, &long), 400);
    assert_eq!(register(&mut scene, &format!("X-App: {}", "a".repeat(40))), 200);
    scene
}

fn publications_per_presentity() -> Scene {
    let mut scene = tight();
    let alice = Client::new(&mut scene, "alice", None);
    let codes: Vec<_> =
        (0..3).map(|_| code(&alice.publish(&mut scene, &pidf("alice", "open"), ""))).collect();
    assert_eq!(codes, [200, 200, 403]);
    scene
}

fn publications_per_flow() -> Scene {
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
    scene
}

fn body_bytes() -> Scene {
    let mut scene = tight();
    let alice = Client::new(&mut scene, "alice", None);
    let body =
        pidf("alice", "open").replace("</presence>", &format!("<note>{}</note></presence>", "x".repeat(600)));
    assert_eq!(code(&alice.publish(&mut scene, &body, "")), 413);
    scene
}

/// What a SUBSCRIBE is answered; the NOTIFY after it is, too.
fn subscribes(scene: &mut Scene, client: &Client, user: &str) -> u16 {
    let text = client.subscribe_text(scene, user, "");
    let answer = scene.ask(client.flow, &text);
    if code(&answer) == 200 {
        scene.notified(client.flow);
    }
    code(&answer)
}

fn subscriptions_per_presentity() -> Scene {
    let mut scene = tight();
    for (watcher, expect) in [("bob", 200), ("carol", 200), ("dave", 403)] {
        let client = Client::new(&mut scene, watcher, None);
        assert_eq!(subscribes(&mut scene, &client, "alice"), expect);
    }
    scene
}

fn subscriptions_per_flow() -> Scene {
    let mut config = config();
    config.limits.subscriptions_per_flow = 2;
    let mut scene = Scene::with(config);
    let bob = Client::new(&mut scene, "bob", None);
    assert_eq!([(); 3].map(|()| subscribes(&mut scene, &bob, "alice")), [200, 200, 403]);
    scene
}

fn subscriptions_per_watcher() -> Scene {
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
            subscribes(&mut scene, &bob, user)
        })
        .collect();
    assert_eq!(codes, [200, 200, 200, 403]);
    scene
}

fn presentities_per_shard() -> Scene {
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
    scene
}

fn dialog_and_contact_bytes() -> Scene {
    let mut scene = tight();
    let mut bob = Client::new(&mut scene, "bob", None);
    bob.contact = format!("sip:{}@x.invalid", "b".repeat(800));
    let text = bob.subscribe_text(&mut scene, "alice", "");
    assert_eq!(code(&scene.ask(bob.flow, &text)), 400);
    assert_eq!(code(&bob.register(&mut scene)), 400);
    assert_eq!(scene.counts().presentities, 0);
    scene
}

/// Ten answers are to be kept, and there is room for fewer.
fn kept(limit: &str, most: u32) -> Scene {
    let mut config = config();
    assert!(config.limits.set(limit, most));
    let mut scene = Scene::with(config);
    let alice = Client::new(&mut scene, "alice", None);
    for _ in 0..10 {
        assert_eq!(code(&alice.publish(&mut scene, "", "SIP-If-Match: gone\r\n")), 412);
    }
    let counts = scene.counts();
    assert!((4..10).contains(&counts.transactions) && counts.transaction_bytes <= 1_600, "{counts:?}");
    scene.disconnect(alice.flow);
    let counts = scene.counts();
    assert_eq!((counts.transactions, counts.transaction_bytes), (0, 0), "they go with their connection");
    scene
}

fn requests_per_shard() -> Scene {
    let mut config = config();
    config.limits.requests_per_shard = 1;
    let mut scene = Scene::with(config);
    for port in [5_001, 5_002] {
        let bob = Client::in_datagrams(&mut scene, "bob", port);
        bob.subscribe(&mut scene, "alice", "Expires: 3600\r\n");
    }
    scene
}

fn resumed_at_once() -> Scene {
    let mut config = config();
    config.limits.resumed_at_once = 1;
    let mut scene = Scene::with(config);
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    bob.register(&mut scene);
    for _ in 0..2 {
        bob.watch(&mut scene, "alice");
    }
    scene.disconnect(bob.flow);
    bob.reconnect(&mut scene);
    bob.register(&mut scene);
    scene
}

fn reevaluated_at_once() -> Scene {
    let mut config = config();
    config.limits.reevaluated_at_once = 1;
    let mut scene = Scene::with(config);
    let watcher = Client::new(&mut scene, "watcher", None);
    // One more than there are shards.
    for name in ["u0", "u1", "u2", "u3"] {
        watcher.watch(&mut scene, name);
    }
    scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
    scene
}

fn forks_per_request_and_proxied_per_shard() -> Scene {
    let mut config = config();
    (config.limits.forks_per_request, config.limits.proxied_per_shard) = (2, 1);
    let (mut scene, alice, _) = stage_with(config, 3);
    invite(&mut scene, &alice, "");
    let text = request_text(&mut scene, &alice, "MESSAGE", BOB, "");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 503);
    scene
}

fn proxied_bytes_per_shard() -> Scene {
    let mut config = config();
    config.limits.proxied_bytes_per_shard = 100;
    let (mut scene, alice, _) = stage_with(config, 1);
    let text = request_text(&mut scene, &alice, "MESSAGE", BOB, "");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 503);
    scene
}

fn nonce_uses_per_shard() -> Scene {
    let mut config = with_password();
    config.limits.nonce_uses_per_shard = 1;
    let mut scene = Scene::with(config);
    for _ in 0..3 {
        scene.pass(1);
        let mut alice = Client::new(&mut scene, "alice", None);
        log_in(&mut scene, &mut alice);
    }
    scene
}

fn busy_users_per_shard() -> Scene {
    let mut config = config();
    config.limits.busy_users_per_shard = 1;
    config.user_rate = Rate { per_second: 1, burst: 1 };
    let mut scene = Scene::with(config);
    let names = ["alice", "bob", "carol", "dave", "erin", "frank", "grace"];
    let shard = shard_of("sip:alice@example.com");
    let same = names.into_iter().filter(|user| shard_of(&format!("sip:{user}@example.com")) == shard);
    let codes: Vec<_> =
        same.take(3).map(|user| code(&Client::new(&mut scene, user, None).register(&mut scene))).collect();
    assert_eq!(codes, [200, 200, 503], "the third shares with the second what one may do");
    scene
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

fn publication_bytes_per_presentity() -> Scene {
    let mut scene = tight();
    let alice = Client::new(&mut scene, "alice", None);
    let long = |n: usize| {
        pidf("alice", "open").replace("</presence>", &format!("<note>{}</note></presence>", "x".repeat(n)))
    };
    let first = alice.publish(&mut scene, &long(200), "");
    assert_eq!(code(&first), 200);
    assert_eq!(code(&alice.publish(&mut scene, &long(200), "")), 413, "together they are too long");
    assert!(scene.state("sip:alice@example.com").contains("xxx"), "what is published lives on");
    // The document that is replaced takes no room.
    let named = format!("SIP-If-Match: {}\r\n", etag(&first));
    assert_eq!(code(&alice.publish(&mut scene, &long(250), &named)), 200);
    scene
}

fn devices_per_shard() -> Scene {
    let mut scene = tight();
    for watcher in ["bob", "carol"] {
        let mut client = Client::new(&mut scene, watcher, None);
        client.watch(&mut scene, "alice");
        client.register(&mut scene);
    }
    assert_eq!(scene.counts().devices, 1);
    scene
}
