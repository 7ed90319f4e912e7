//! Policies that take long: run elsewhere, and answered later.

use crate::policies::assignment;
use crate::scene::*;
use crate::simulation::Dice;
use crate::views::{Book, assignment as tells_apart, telling};
use merge_core::json::{self, Writer};
use merge_core::policy::{ViewKey, WatcherClass};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use tributary_engine::{
    Answer, Assignment, Config, Event, Hook, Input, Opinion, PolicyFailure, Query, Ran, Scope,
};

const ALICE: &str = "sip:alice@example.com";

/// Watchers see another mood for each state of the devices and for all parameters, and by their class more or less.
fn rule(hook: Hook, input: &str) -> Opinion {
    let input = json::read(input.as_bytes()).unwrap();
    let output = match hook {
        Hook::Merge => {
            let mut state = Writer::new();
            state.value(input.get("publications").unwrap());
            state.value(input.get("params").unwrap());
            let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(state.into_string());
            format!(r#"{{"abi":1,"set":{{"mood":["x-h{hash:x}"]}}}}"#)
        }
        Hook::View => match input.get("watcher").unwrap().get("class").unwrap().as_str().unwrap() {
            "family" => r#"{"abi":1}"#,
            "contact" => r#"{"abi":1,"level":"busy_free"}"#,
            _ => r#"{"abi":1,"level":"basic"}"#,
        }
        .to_owned(),
    };
    Ok(Some(output.into_bytes()))
}

/// Alice's policy takes long.
fn scene() -> (Scene, Client, Client, String) {
    let (mut scene, alice, bob, tag) = crate::policies::scene();
    scene.host.takes_long = true;
    (scene, alice, bob, tag)
}

/// Another state of Alice's device, and its new entity-tag.
fn changes(scene: &mut Scene, alice: &Client, tag: &str, document: &str) -> String {
    etag(&alice.publish(scene, document, &format!("SIP-If-Match: {tag}\r\n")))
}

#[test]
fn watchers_see_what_they_saw_until_the_answer_comes_and_nobody_elses_messages_wait() {
    let (mut scene, alice, bob, tag) = scene();
    scene.host.answers.push_back(Ok(Some(br#"{"abi":1,"set":{"mood":["happy"]}}"#.to_vec())));
    changes(&mut scene, &alice, &tag, &pidf("alice", "closed"));
    let asked_at = format!("\"now_ms\":{}", scene.now);
    scene.pass(300);
    assert!(scene.inbox(bob.flow).is_empty());
    let carol = Client::new(&mut scene, "carol", None);
    let (_, notify) = carol.watch(&mut scene, "alice");
    assert!(body(&notify).contains("open"), "who begins to watch sees what the others see");
    scene.policy_answers(0);
    for watcher in [bob, carol] {
        let notify = scene.notified(watcher.flow);
        assert!(body(&notify).contains("happy") && body(&notify).contains("closed"), "{}", body(&notify));
    }
    assert_eq!(scene.host.inputs.len(), 1, "asked once");
    assert!(scene.host.inputs[0].contains(&asked_at), "{}", scene.host.inputs[0]);
}

#[test]
fn what_changes_meanwhile_asks_anew_and_an_answer_about_the_state_before_shows_nothing() {
    let (mut scene, alice, bob, tag) = scene();
    scene.host.rule = Some(rule);
    let tag = changes(&mut scene, &alice, &tag, &pidf("alice", "closed"));
    changes(&mut scene, &alice, &tag, &pidf("alice", "open"));
    assert_eq!(scene.host.begun.len(), 2);
    scene.policy_answers(0);
    assert!(scene.inbox(bob.flow).is_empty(), "the first state is over");
    scene.policy_answers(0);
    scene.host.takes_long = false;
    assert_eq!(body(&scene.notified(bob.flow)), scene.state(ALICE));
    // The answer of a question that nobody asked, or that has its answer already.
    for question in [0, 1, 2, 77] {
        let ran = Box::new(Ran { result: Ok(None), fuel: 1 });
        scene.put(shard_of(ALICE), Input::PolicyAnswered { aor: ALICE.into(), question, ran });
    }
    assert!(scene.inbox(bob.flow).is_empty());
}

#[test]
fn who_is_the_first_to_watch_is_told_once_the_answer_is_there_and_who_comes_meanwhile_with_it() {
    let mut scene = Scene::new();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|user| Client::new(&mut scene, user, None));
    alice.announce(&mut scene, "open");
    (scene.host.assigned, scene.host.takes_long) = (Some(assignment()), true);
    for watcher in [&bob, &carol] {
        assert_eq!(code(&watcher.subscribe(&mut scene, "alice", "").0), 200);
        assert!(scene.inbox(watcher.flow).is_empty());
    }
    scene.policy_answers(0);
    for watcher in [bob, carol] {
        assert!(body(&scene.notified(watcher.flow)).contains("open"), "one answer for both");
    }
    assert!(scene.host.begun.is_empty());
}

#[test]
fn an_answer_by_a_policy_or_parameters_that_are_in_force_no_more_shows_nothing() {
    for next in [
        Some(Assignment { id: [9; 32], ..assignment() }),
        Some(Assignment { params: r#"{"other":1}"#.into(), ..assignment() }),
        None,
    ] {
        let (mut scene, alice, bob, tag) = scene();
        scene.host.answers.push_back(Ok(Some(br#"{"abi":1,"set":{"mood":["happy"]}}"#.to_vec())));
        changes(&mut scene, &alice, &tag, &pidf("alice", "closed"));
        scene.host.assigned.clone_from(&next);
        scene.policy_answers(0);
        if next.is_some() {
            assert!(scene.inbox(bob.flow).is_empty(), "asked anew");
            scene.policy_answers(0);
        }
        let notify = scene.notified(bob.flow);
        assert!(body(&notify).contains("closed") && !body(&notify).contains("happy"), "{next:?}");
    }
}

#[test]
fn a_failure_that_comes_later_is_served_and_told_like_any_other() {
    let out_of_fuel = PolicyFailure { code: "E204".into(), message: "out of fuel".into(), retry_at: None };
    for (answer, code) in [(Err(out_of_fuel), "E204"), (Ok(Some(b"not json".to_vec())), "E202")] {
        let (mut scene, alice, bob, tag) = scene();
        scene.host.answers.push_back(answer);
        changes(&mut scene, &alice, &tag, &pidf("alice", "closed"));
        scene.policy_answers(0);
        assert!(body(&scene.notified(bob.flow)).contains("closed"));
        let told = |event: &Event| matches!(event, Event::PolicyFailed { code: found, .. } if found == code);
        assert!(scene.events.iter().any(told), "{code}");
        assert_eq!(scene.host.refused.len(), usize::from(code == "E202"));
    }
}

#[test]
fn nothing_is_left_of_a_presentity_whose_answer_comes_when_nobody_looks_any_more() {
    let (mut scene, alice, bob, tag) = scene();
    changes(&mut scene, &alice, &tag, &pidf("alice", "closed"));
    for flow in [alice.flow, bob.flow] {
        scene.disconnect(flow);
    }
    scene.pass(86_400_000);
    while !scene.host.begun.is_empty() {
        scene.policy_answers(0);
    }
    let counts = scene.counts();
    assert_eq!((counts.presentities, counts.subscriptions, counts.timers), (0, 0, 0));
}

#[test]
fn each_view_is_a_question_of_its_own_and_is_shown_when_its_answer_comes() {
    let book = Arc::new(Book::default());
    book.write("mum", WatcherClass::Family);
    book.write("bob", WatcherClass::Contact);
    let mut scene = Scene::with(Config { contacts: book, ..config() });
    scene.host.assigned = Some(tells_apart(ViewKey::Class));
    scene.host.rule = Some(rule);
    let [alice, mum, bob, carol] =
        ["alice", "mum", "bob", "carol"].map(|user| Client::new(&mut scene, user, None));
    let tag = etag(&alice.publish(&mut scene, &telling("with the board"), ""));
    for watcher in [&mum, &bob, &carol] {
        watcher.watch(&mut scene, "alice");
    }
    scene.host.takes_long = true;
    changes(&mut scene, &alice, &tag, &pidf("alice", "closed"));
    scene.policy_answers(0);
    assert_eq!(scene.host.begun.len(), 3, "a view of each class");
    // They come in another order than they were asked in.
    let mut told = Vec::new();
    while !scene.host.begun.is_empty() {
        scene.policy_answers(scene.host.begun.len() - 1);
        let news = [&mum, &bob, &carol].map(|watcher| usize::from(!scene.inbox(watcher.flow).is_empty()));
        told.push(news.iter().sum::<usize>());
    }
    assert_eq!(told, [1, 2, 3]);
    let notify = scene.notified(mum.flow);
    assert!(body(&notify).contains("x-h"), "{}", body(&notify));
    for watcher in [bob, carol] {
        let notify = scene.notified(watcher.flow);
        assert!(body(&notify).contains("closed") && !body(&notify).contains("x-h"), "{}", body(&notify));
    }
}

#[test]
fn views_that_fail_are_not_asked_for_again_because_of_each_other() {
    let fails = |hook: Hook, _: &str| match hook {
        Hook::Merge => Ok(None),
        Hook::View => {
            let (code, message) = ("E204".into(), "out of fuel".into());
            Err(PolicyFailure { code, message, retry_at: None })
        }
    };
    let book = Arc::new(Book::default());
    book.write("mum", WatcherClass::Family);
    let mut scene = Scene::with(Config { contacts: book, ..config() });
    scene.host.assigned = Some(tells_apart(ViewKey::Class));
    scene.host.rule = Some(fails);
    scene.host.takes_long = true;
    let [alice, mum, bob] = ["alice", "mum", "bob"].map(|user| Client::new(&mut scene, user, None));
    alice.announce(&mut scene, "open");
    for watcher in [&mum, &bob] {
        watcher.subscribe(&mut scene, "alice", "");
    }
    let mut answers = 0;
    while !scene.host.begun.is_empty() {
        scene.policy_answers(0);
        answers += 1;
        assert!(answers <= 3, "a merge and two views");
    }
    for watcher in [mum, bob] {
        assert!(body(&scene.notified(watcher.flow)).contains("open"), "what stands in for it");
    }
}

/// What a watcher was told last.
fn last_told(scene: &mut Scene, watcher: &Client) -> Option<String> {
    let mut last = None;
    while let Some(notify) = scene.next(watcher.flow) {
        scene.answer(watcher.flow, &notify, 200);
        last = Some(body(&notify).to_owned());
    }
    last
}

/// Devices that change, watchers who come and become something else, parameters that change, and answers that come
/// whenever and in whatever order.
fn play(seed: u64) {
    const WATCHERS: [&str; 4] = ["mum", "bob", "carol", "dave"];
    const CLASSES: [WatcherClass; 3] = [WatcherClass::Family, WatcherClass::Contact, WatcherClass::Stranger];
    let mut dice = Dice::new(seed);
    let book = Arc::new(Book::default());
    let mut scene = Scene::with(Config { contacts: book.clone(), ..config() });
    let assigned = |key, params: i64| {
        let view = tells_apart(ViewKey::Class).view.filter(|_| key);
        Assignment { view, params: format!("{{\"n\":{params}}}").into(), ..assignment() }
    };
    scene.host.assigned = Some(assigned(true, 0));
    scene.host.rule = Some(rule);
    scene.host.takes_long = true;
    let devices = [Client::new(&mut scene, "alice", None), Client::new(&mut scene, "alice", None)];
    let mut tags = [None, None];
    let watchers = WATCHERS.map(|user| Client::new(&mut scene, user, None));
    let (mut watching, mut seen) = ([false; 4], [const { None::<String> }; 4]);
    for step in 0..60 {
        match dice.below(10) {
            0..3 => {
                let at = dice.below(2) as usize;
                let condition = tags[at].as_ref().map(|tag| format!("SIP-If-Match: {tag}\r\n"));
                let document = telling(&format!("step {step}"));
                let answer = devices[at].publish(&mut scene, &document, &condition.unwrap_or_default());
                tags[at] = Some(etag(&answer));
            }
            3 => {
                let at = dice.below(4) as usize;
                if !std::mem::replace(&mut watching[at], true) {
                    watchers[at].subscribe(&mut scene, "alice", "");
                }
            }
            4 => {
                let at = dice.below(4) as usize;
                book.write(WATCHERS[at], CLASSES[dice.below(3) as usize]);
                let aor = ALICE.to_owned();
                scene.everyone(|| Input::ContactsChanged { aor: aor.clone() });
            }
            5 => {
                scene.host.assigned = Some(assigned(dice.below(3) > 0, dice.below(3)));
                scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
            }
            6 => scene.pass(dice.below(150)),
            _ if scene.host.begun.is_empty() => {}
            _ => {
                let place = dice.below(scene.host.begun.len() as i64) as usize;
                scene.policy_answers(place);
            }
        }
        for (at, watcher) in watchers.iter().enumerate() {
            seen[at] = last_told(&mut scene, watcher).or(seen[at].take());
        }
    }
    for _ in 0..100 {
        scene.pass(100);
        while !scene.host.begun.is_empty() {
            let place = dice.below(scene.host.begun.len() as i64) as usize;
            scene.policy_answers(place);
        }
    }
    assert_eq!(scene.host.refused, [], "seed {seed}");
    scene.host.takes_long = false;
    for (at, watcher) in watchers.iter().enumerate().filter(|(at, _)| watching[*at]) {
        let shown = last_told(&mut scene, watcher).or(seen[at].take());
        let query = Query::Presentity {
            aor: ALICE.to_owned(),
            watcher: Some(format!("sip:{}@example.com", WATCHERS[at])),
        };
        let Answer::Presentity(Some(answer)) = scene.query(ALICE, query) else {
            panic!("nobody, seed {seed}")
        };
        assert_eq!(shown.unwrap_or_default(), answer.seen.unwrap().pidf, "{}, seed {seed}", WATCHERS[at]);
    }
}

#[test]
fn whenever_answers_come_watchers_end_with_what_a_policy_that_answers_at_once_would_show() {
    for seed in 0..600 {
        play(seed);
    }
}
