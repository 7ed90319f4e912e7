//! Policies: asked, checked, applied, and harmless when they fail.

use crate::scene::*;
use merge_core::policy::{Needs, limits};
use tributary_engine::{Assignment, Event, GoodAnswer, Input, OnFailure, Opinion, PolicyFailure, Scope};

const ALICE: &str = "sip:alice@example.com";

/// Alice, who has published, and Bob, who watches her; from now on she has a policy.
pub(crate) fn scene() -> (Scene, Client, Client, String) {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    let tag = alice.announce(&mut scene, "open");
    bob.watch(&mut scene, "alice");
    scene.host.assigned = Some(assignment());
    (scene, alice, bob, tag)
}

pub(crate) fn assignment() -> Assignment {
    Assignment {
        name: "test".into(),
        id: [1; 32],
        params: "{\"a\":1}".into(),
        needs: Needs::ALL,
        view: None,
        on_failure: OnFailure::Builtin,
        privacy: false,
    }
}

fn out_of_fuel() -> PolicyFailure {
    PolicyFailure { code: "E204".into(), message: "out of fuel".into(), retry_at: None }
}

fn says(text: &str) -> Opinion {
    Ok(Some(text.as_bytes().to_vec()))
}

#[test]
fn a_policy_in_force_decides_what_watchers_see_and_a_refresh_asks_it_again() {
    let (mut scene, alice, bob, tag) = scene();
    scene.host.answers.push_back(says(r#"{"abi":1,"set":{"basic":"closed"}}"#));
    scene.everyone(|| Input::PolicyChanged { scope: Scope::Domain("example.com".to_owned()) });
    assert!(body(&scene.notified(bob.flow)).contains("closed"));
    let input = scene.host.inputs.remove(0);
    assert!(input.contains(r#""reason":"policy""#) && input.contains(r#""params":{"a":1}"#), "{input}");
    // No opinion on the refresh: back to the built-in merge.
    alice.publish(&mut scene, "", &format!("SIP-If-Match: {tag}\r\n"));
    assert!(scene.host.inputs.remove(0).contains(r#""reason":"refresh""#));
    assert!(body(&scene.notified(bob.flow)).contains("open"));
}

#[test]
fn a_change_for_somebody_else_asks_nobody_here() {
    let (mut scene, _, bob, _) = scene();
    scene.everyone(|| Input::PolicyChanged { scope: Scope::User("sip:carol@example.com".to_owned()) });
    scene.everyone(|| Input::PolicyChanged { scope: Scope::Domain("example.org".to_owned()) });
    assert!(scene.host.inputs.is_empty() && scene.inbox(bob.flow).is_empty());
    scene.everyone(|| Input::PolicyChanged { scope: Scope::User(ALICE.to_owned()) });
    assert_eq!(scene.host.inputs.len(), 1);
}

#[test]
fn a_change_for_everybody_asks_so_many_at_a_time_and_what_is_published_meanwhile_does_not_wait() {
    const USERS: [&str; 12] = ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10", "u11"];
    let mut config = config();
    config.limits.reevaluated_at_once = 1;
    let mut scene = Scene::with(config);
    scene.host.assigned = Some(assignment());
    let watcher = Client::new(&mut scene, "watcher", None);
    let mut published = Vec::new();
    for name in USERS {
        let user = Client::new(&mut scene, name, None);
        published.push((user.announce(&mut scene, "open"), user));
        watcher.watch(&mut scene, name);
    }
    let asked = |scene: &mut Scene| std::mem::take(&mut scene.host.inputs).len();
    let everybody = || Input::PolicyChanged { scope: Scope::All };
    asked(&mut scene);
    let shards = usize::from(SHARDS);
    scene.everyone(everybody);
    assert!((1..=shards).contains(&asked(&mut scene)));
    let (tag, user) = published.remove(0);
    user.publish(&mut scene, &pidf("u0", "closed"), &format!("SIP-If-Match: {tag}\r\n"));
    assert_eq!(asked(&mut scene), 1, "who publishes does not wait");
    // A second change while the first is under way: everybody is asked once more, and nobody twice.
    scene.everyone(everybody);
    let mut all = asked(&mut scene);
    for _ in USERS {
        scene.pass(100);
        let now = asked(&mut scene);
        assert!(now <= shards, "{now} at once");
        all += now;
    }
    assert_eq!(all, USERS.len());
}

/// 200 users whom somebody watches: of these, 4 every 2 ms are asked for anew.
fn crowd() -> Scene {
    let mut scene = Scene::with(config());
    scene.host.assigned = Some(assignment());
    let watcher = Client::new(&mut scene, "watcher", None);
    for name in 0..200 {
        watcher.watch(&mut scene, &format!("u{name}"));
    }
    scene.host.inputs.clear();
    scene
}

#[test]
fn a_change_for_many_is_spread_over_the_tenth_of_a_second_so_that_messages_find_their_turn() {
    let mut scene = crowd();
    let slice = 4 * usize::from(SHARDS);
    scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
    let (mut all, mut ms) = (0, 0);
    while all < 200 {
        let now = std::mem::take(&mut scene.host.inputs).len();
        assert!(now <= slice, "{now} at once");
        all += now;
        scene.pass(1);
        ms += 1;
        assert!(ms <= 100, "{all} after {ms} ms");
    }
    scene.pass(1_000);
    assert!(scene.host.inputs.is_empty(), "nobody twice");
}

#[test]
fn after_a_slice_that_took_long_there_is_twice_that_time_for_messages() {
    let mut scene = crowd();
    scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
    let slice = 4 * usize::from(SHARDS);
    let asked = |scene: &mut Scene| std::mem::take(&mut scene.host.inputs).len();
    assert_eq!(asked(&mut scene), slice);
    // The shards are back 5 ms later.
    scene.now += 5;
    for (ms, expect) in [(9, 0), (1, slice), (1, 0), (1, slice)] {
        scene.pass(ms);
        assert_eq!(asked(&mut scene), expect, "{ms} ms later");
    }
}

#[test]
fn a_change_for_a_tenant_concerns_its_users_and_nobody_else() {
    let mut config = config();
    config.users = std::sync::Arc::new(OneTenant);
    let mut scene = Scene::with(config);
    let (alice, carol) = (Client::new(&mut scene, "alice", None), Client::new(&mut scene, "carol", None));
    let bob = Client::new(&mut scene, "bob", None);
    for (user, name) in [(alice, "alice"), (carol, "carol")] {
        user.announce(&mut scene, "open");
        bob.watch(&mut scene, name);
    }
    scene.host.assigned = Some(assignment());
    scene.everyone(|| Input::PolicyChanged { scope: Scope::Tenant("acme".to_owned()) });
    assert_eq!(scene.host.inputs.len(), 1);
    let input = scene.host.inputs.remove(0);
    assert!(
        input.contains(r#""aor":"sip:alice@example.com","domain":"example.com","tenant":"acme""#),
        "{input}"
    );
}

/// Alice is of the tenant acme, the others are the operator's own.
#[derive(Debug)]
struct OneTenant;

impl tributary_engine::Users for OneTenant {
    fn account(&self, _username: &str) -> Option<tributary_engine::Account> {
        None
    }

    fn exists(&self, _aor: &str) -> bool {
        true
    }

    fn profile(&self, aor: &str) -> tributary_engine::Profile {
        let tenant = if aor == ALICE { "acme" } else { "" };
        tributary_engine::Profile { tenant: tenant.to_owned(), ..Default::default() }
    }
}

#[test]
fn whatever_goes_wrong_with_a_policy_the_built_in_merge_is_served_and_an_event_says_why() {
    for (answer, code, refused) in [
        (Err(out_of_fuel()), "E204", 0),
        (says("not json"), "E202", 1),
        (says(r#"{"abi":1,"select":[{"etag":"nope","tuple":"t1"}]}"#), "E203", 1),
        (says(r#"{"abi":1,"set":{"basic":"ajar"}}"#), "E207", 1),
    ] {
        let (mut scene, alice, bob, tag) = scene();
        scene.host.answers.push_back(answer);
        alice.publish(&mut scene, &pidf("alice", "closed"), &format!("SIP-If-Match: {tag}\r\n"));
        assert!(body(&scene.notified(bob.flow)).contains("<basic>closed</basic>"));
        assert_eq!(scene.host.refused.len(), refused);
        let failed = scene.events.iter().find_map(|event| match event {
            Event::PolicyFailed { code, policy, message, .. } => {
                assert!(!message.contains(&**code), "who tells it says the code: {message}");
                Some((code.clone(), policy.to_string()))
            }
            _ => None,
        });
        assert_eq!(failed, Some((code.to_owned(), "test".to_owned())));
    }
}

/// A document with an activity and a note of its own, and something to make it large.
fn telling(note: &str) -> String {
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
         xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' entity='sip:alice@example.com'>\
         <tuple id='t1'><status><basic>closed</basic></status><contact>sip:secret@192.0.2.1</contact></tuple>\
         <dm:person id='p1'><r:activities><r:worship/></r:activities><dm:note>{note}</dm:note></dm:person>\
         </presence>"
    )
}

#[test]
fn a_policy_that_hides_things_and_could_not_answer_leaves_the_status_alone() {
    // As large an input as the devices could make: parameters are the shortest way there.
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(limits::INPUT_BYTES));
    for (privacy, params, answer, code) in [
        (true, "{}", says("not json"), "E202"),
        (true, "{}", says(r#"{"abi":1,"set":{"basic":"ajar"}}"#), "E207"),
        (true, "{}", Err(out_of_fuel()), "E204"),
        (true, &*large, Ok(None), "E200"),
        (false, &*large, Ok(None), "E200"),
    ] {
        let (mut scene, alice, bob, tag) = scene();
        let on_failure = if privacy { OnFailure::Minimal } else { OnFailure::Builtin };
        scene.host.assigned = Some(Assignment { on_failure, privacy, params: params.into(), ..assignment() });
        scene.host.answers.push_back(answer);
        alice.publish(&mut scene, &telling("in church"), &format!("SIP-If-Match: {tag}\r\n"));
        let notify = scene.notified(bob.flow);
        let shown = body(&notify);
        assert!(shown.contains("<basic>closed</basic>"), "{code}: {shown}");
        for hidden in ["worship", "secret", "in church"] {
            assert_eq!(shown.contains(hidden), !privacy, "{code}: {hidden}");
        }
        let failed = scene
            .events
            .iter()
            .any(|event| matches!(event, Event::PolicyFailed { code: found, .. } if found == code));
        assert!(failed, "{code}: {:?}", scene.events);
        // A policy that was not asked is not to blame.
        assert!(code != "E200" || (scene.host.inputs.is_empty() && scene.host.refused.is_empty()));
    }
}

#[test]
fn the_last_good_answer_stands_in_while_all_that_it_names_is_there() {
    // What the policy said last, whether it hides things, and whether watchers then see note and status.
    for (output, privacy, in_church, basic) in [
        (Some(r#"{"abi":1,"set":{"basic":"open"},"drop":["note"]}"#), false, false, "open"),
        // It wanted to be asked again at a moment that is past by now.
        (Some(r#"{"abi":1,"set":{"basic":"open"},"reevaluate_at_ms":REEVALUATE}"#), false, true, "open"),
        (None, true, true, "closed"),
        // It names a publication that is gone.
        (Some(r#"{"abi":1,"select":[{"etag":"gone","tuple":"t1"}]}"#), false, true, "closed"),
        (Some(r#"{"abi":1,"select":[{"etag":"gone","tuple":"t1"}]}"#), true, false, "closed"),
    ] {
        let (mut scene, alice, bob, tag) = scene();
        let at = scene.now - 3_600_000;
        let output = output.map(|text| text.replace("REEVALUATE", &(at + 1_000).to_string()).into_bytes());
        scene.host.last_good = Some(GoodAnswer { output, at: merge_core::time::Millis(at) });
        scene.host.assigned = Some(Assignment { on_failure: OnFailure::LastGood, privacy, ..assignment() });
        scene.host.answers.push_back(Err(out_of_fuel()));
        alice.publish(&mut scene, &telling("in church"), &format!("SIP-If-Match: {tag}\r\n"));
        let notify = scene.notified(bob.flow);
        let shown = body(&notify);
        assert_eq!(shown.contains("in church"), in_church, "{shown}");
        assert!(shown.contains(&format!("<basic>{basic}</basic>")), "{shown}");
    }
}

#[test]
fn only_an_answer_that_can_be_used_is_a_good_one() {
    let (mut scene, alice, _bob, mut tag) = scene();
    for (answer, accepted) in
        [(says(r#"{"abi":1}"#), 1), (says("not json"), 1), (Err(out_of_fuel()), 1), (Ok(None), 2)]
    {
        scene.host.answers.push_back(answer);
        tag = etag(&alice.publish(&mut scene, "", &format!("SIP-If-Match: {tag}\r\n")));
        assert_eq!(scene.host.accepted, accepted);
    }
}

#[test]
fn a_policy_that_could_not_be_asked_is_asked_again_when_the_host_says() {
    let (mut scene, alice, bob, tag) = scene();
    let retry_at = Some(merge_core::time::Millis(scene.now + 30_000));
    let held =
        PolicyFailure { code: PolicyFailure::HELD.into(), message: "a breaker is open".into(), retry_at };
    scene.host.answers.push_back(Err(held));
    alice.publish(&mut scene, &telling("shown"), &format!("SIP-If-Match: {tag}\r\n"));
    assert!(body(&scene.notified(bob.flow)).contains("shown"));
    scene.host.inputs.clear();
    scene.host.answers.push_back(says(r#"{"abi":1,"drop":["note"]}"#));
    scene.pass(29_900);
    assert!(scene.host.inputs.is_empty());
    scene.pass(200);
    assert!(scene.host.inputs.remove(0).contains(r#""reason":"timer""#));
    assert!(!body(&scene.notified(bob.flow)).contains("shown"));
}

#[test]
fn a_policy_that_hides_things_and_has_no_opinion_hides_nothing() {
    let (mut scene, alice, bob, tag) = scene();
    scene.host.assigned = Some(Assignment { on_failure: OnFailure::Minimal, privacy: true, ..assignment() });
    alice.publish(&mut scene, &telling("short"), &format!("SIP-If-Match: {tag}\r\n"));
    assert!(body(&scene.notified(bob.flow)).contains("worship"));
}

#[test]
fn a_policy_is_sent_what_it_needs_and_nothing_else() {
    let (mut scene, alice, _bob, tag) = scene();
    let needs = Needs::of(["now_ms", "builtin"]).unwrap();
    scene.host.assigned = Some(Assignment { needs, ..assignment() });
    alice.publish(&mut scene, &telling("short"), &format!("SIP-If-Match: {tag}\r\n"));
    let input = scene.host.inputs.remove(0);
    assert!(input.starts_with(r#"{"abi":1,"minor":0,"now_ms":"#), "{input}");
    assert!(input.contains(r#","builtin":{"basic":"closed""#), "{input}");
    assert!(!input.contains("publications") && !input.contains("secret"), "{input}");
}

#[test]
fn a_policy_is_asked_again_when_it_wants_to_be() {
    let (mut scene, _, bob, _) = scene();
    let at = scene.now + 1_800_000;
    let later = format!(r#"{{"abi":1,"set":{{"basic":"closed"}},"reevaluate_at_ms":{at}}}"#);
    scene.host.answers.push_back(says(&later));
    scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
    assert!(body(&scene.notified(bob.flow)).contains("closed"));
    scene.host.inputs.clear();
    scene.pass(1_799_900);
    assert!(scene.host.inputs.is_empty());
    scene.pass(200);
    assert!(scene.host.inputs.remove(0).contains(r#""reason":"timer""#));
    assert!(body(&scene.notified(bob.flow)).contains("open"));
}

#[test]
fn nobody_is_asked_about_a_user_whom_nobody_watches() {
    let (mut scene, alice, bob, tag) = scene();
    scene.disconnect(bob.flow);
    scene.pass(61_000);
    alice.publish(&mut scene, "", &format!("SIP-If-Match: {tag}\r\n"));
    assert!(scene.host.inputs.is_empty());
}
