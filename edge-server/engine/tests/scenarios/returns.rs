//! A watcher that comes back over another connection, in whatever order the shards learn of it.

use crate::scene::*;
use crate::simulation::Dice;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tributary_engine::{Event, FlowId, Input, Notice};
use tributary_sip::Message;

/// One user of each shard.
fn users() -> Vec<&'static str> {
    let names = ["alice", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];
    let of = |shard| names.into_iter().find(|user| shard_of(&format!("sip:{user}@example.com")) == shard);
    (0..SHARDS).map(|shard| of(shard).unwrap()).collect()
}

/// What is on its way to a shard, by who sends it; each sender keeps its order.
type Mail = BTreeMap<(u64, u16), VecDeque<Post>>;

enum Post {
    Closed(FlowId),
    Request(FlowId, String),
    Notice(Notice),
}

/// A watcher of someone in every shard goes from connection to connection; the ends of the old ones,
/// the registrations over the new ones and the news of them reach the shards in any order.
fn play(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    bob.register(&mut scene);
    for user in users() {
        bob.watch(&mut scene, user);
    }
    let mut mail = Mail::new();
    for _ in 0..=dice.below(3) {
        let old = bob.flow;
        bob.reconnect(&mut scene);
        let register = bob.register_text(&mut scene, ";expires=600");
        for shard in 0..SHARDS {
            mail.entry((old.0, shard)).or_default().push_back(Post::Closed(old));
        }
        let home = shard_of("sip:bob@example.com");
        mail.entry((bob.flow.0, home)).or_default().push_back(Post::Request(bob.flow, register));
    }
    while !mail.is_empty() {
        let at = dice.below(mail.len() as i64) as usize;
        let queue = mail.iter_mut().nth(at).unwrap();
        let shard = queue.0.1;
        let post = queue.1.pop_front().unwrap();
        mail.retain(|_, queue| !queue.is_empty());
        let notices = match post {
            Post::Closed(flow) => scene.put(shard, Input::FlowClosed { flow }),
            Post::Request(flow, text) => scene.put_message(flow, &text),
            Post::Notice(notice) => scene.put(shard, Input::Notice(notice)),
        };
        for notice in notices {
            for other in (0..SHARDS).filter(|&other| other != shard) {
                mail.entry((0, other)).or_default().push_back(Post::Notice(notice.clone()));
            }
        }
    }
    drain(&mut scene, bob.flow);
    for user in users() {
        let publisher = Client::new(&mut scene, user, None);
        publisher.announce(&mut scene, "open");
        let news = scene.inbox(bob.flow).len();
        assert_eq!(news, 1, "the watcher of {user} is back and is not told, seed {seed}");
        assert!(body(&scene.notified(bob.flow)).contains("open"));
    }
}

fn drain(scene: &mut Scene, flow: FlowId) -> Vec<Message> {
    let mut all = Vec::new();
    while let Some(message) = scene.next(flow) {
        if message.is_request() {
            scene.answer(flow, &message, 200);
            all.push(message);
        }
    }
    all
}

#[test]
fn a_watcher_that_is_back_gets_the_newest_state_in_whatever_order_the_shards_hear_of_it() {
    for seed in 0..3_000 {
        play(seed);
    }
}

#[test]
fn a_device_is_remembered_only_while_it_watches_and_its_connection_lives() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    bob.register(&mut scene);
    assert_eq!(scene.counts().devices, 0, "it watches nobody");
    bob.watch(&mut scene, "alice");
    bob.reconnect(&mut scene);
    bob.register(&mut scene);
    drain(&mut scene, bob.flow);
    assert_eq!(scene.counts().devices, 1);
    scene.disconnect(bob.flow);
    assert_eq!(scene.counts().devices, 0);
}

/// A watcher of `count` users of one shard, whose NOTIFYs are all answered.
fn watcher_of_many(scene: &mut Scene, count: usize) -> (Client, Vec<String>) {
    let mut bob = Client::new(scene, "bob", Some("urn:uuid:b"));
    bob.register(scene);
    let names = (0..).map(|n| format!("user{n}"));
    let users: Vec<String> =
        names.filter(|user| shard_of(&format!("sip:{user}@example.com")) == 0).take(count).collect();
    for user in &users {
        bob.watch(scene, user);
    }
    (bob, users)
}

#[test]
fn a_watcher_of_many_is_told_of_them_a_few_at_a_time_when_it_comes_back() {
    for dies_first in [true, false] {
        let mut config = config();
        config.limits.resumed_at_once = 10;
        let mut scene = Scene::with(config);
        let (mut bob, users) = watcher_of_many(&mut scene, 35);
        let old = bob.flow;
        if dies_first {
            scene.disconnect(old);
        }
        bob.reconnect(&mut scene);
        bob.register(&mut scene);
        let mut seen = BTreeSet::new();
        let mut sizes = Vec::new();
        for _ in 0..5 {
            let burst = drain(&mut scene, bob.flow);
            sizes.push(burst.len());
            seen.extend(burst.iter().map(|notify| notify.call_id().to_owned()));
            scene.pass(100);
        }
        assert_eq!(sizes[0], 10);
        assert!(sizes.iter().all(|&size| size <= 10), "{sizes:?}");
        assert_eq!(seen.len(), users.len(), "{sizes:?}");
        assert!(scene.events.contains(&Event::LimitReached { limit: "resumed_at_once" }));
        // Each was told once.
        scene.pass(10_000);
        assert_eq!(sizes.iter().sum::<usize>() + drain(&mut scene, bob.flow).len(), users.len());
    }
}

#[test]
fn an_answer_that_comes_over_another_connection_or_to_another_number_is_the_answer_to_nothing() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    bob.register(&mut scene);
    bob.subscribe(&mut scene, "alice", "Expires: 600\r\n");
    let notify = scene.next(bob.flow).unwrap();
    let stranger = scene.connect();
    scene.answer(stranger, &notify, 481);
    assert_eq!(scene.counts().subscriptions, 1, "a stranger ended it");
    let refusal = |cseq: &str| {
        let bytes = tributary_sip::ResponseBuilder::new(&notify, tributary_sip::Status::CALL_DOES_NOT_EXIST);
        let text = String::from_utf8(bytes.build().unwrap().to_vec()).unwrap();
        let (number, method) = (notify.cseq().unwrap().number, "NOTIFY");
        let changed = text.replace(&format!("CSeq: {number} {method}"), &format!("CSeq: {cseq}"));
        assert_ne!(changed, text);
        changed
    };
    for cseq in ["77 NOTIFY", "1 SUBSCRIBE"] {
        scene.send(bob.flow, &refusal(cseq));
        assert_eq!(scene.counts().subscriptions, 1, "{cseq} ended it");
    }
    // Over a new connection what was in flight over the old one is not waited for.
    let old = bob.flow;
    bob.reconnect(&mut scene);
    bob.register(&mut scene);
    let again = scene.next(bob.flow).unwrap();
    scene.answer(old, &notify, 481);
    alice.announce(&mut scene, "open");
    assert!(scene.inbox(bob.flow).is_empty(), "the late answer was taken for that of the new NOTIFY");
    scene.answer(bob.flow, &again, 200);
    assert!(body(&scene.notified(bob.flow)).contains("open"));
    assert_eq!(scene.counts().subscriptions, 1);
}
