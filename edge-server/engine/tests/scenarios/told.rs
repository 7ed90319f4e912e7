//! What a policy is told: why it is asked, and nothing that is not its business.

use crate::auth::{answered, ask, with_password};
use crate::scene::*;
use crate::views::assignment;
use merge_core::json;
use merge_core::policy::ViewKey;
use tributary_engine::{Assignment, Input, Scope};
use tributary_sip::Name;

const ALICE: &str = "sip:alice@example.com";

/// Alice's phone, whose address is known by its packets alone.
fn phone(scene: &mut Scene) -> Client {
    let mut phone = Client::in_datagrams(scene, "alice", 5071);
    phone.contact = "sip:alice@phone.invalid".to_owned();
    phone
}

#[test]
fn other_people_credentials_headers_addresses_and_xml_are_never_in_an_input() {
    let mut scene = Scene::with(with_password());
    scene.host.assigned = Some(assignment(ViewKey::Class));
    let bob = Client::new(&mut scene, "bob", None);
    let said = crate::views::telling("the secret of bob").replace("sip:alice@", "sip:bob@");
    let of_bob = bob.publish_text(&mut scene, &said, "");
    assert_eq!(code(&ask(&mut scene, &bob, &of_bob, "bob's secret")), 200);

    let mut alice = phone(&mut scene);
    let via = "Via: SIP/2.0/TCP via.secret.invalid;branch=z9hG4bKp\r\nPath: <sip:path.secret.invalid;lr>\r\n\
               X-Room: the secret of a header\r\n";
    let register = alice.register_text(&mut scene, ";expires=600");
    let register = register.replacen("Max-Forwards", &format!("{via}Max-Forwards"), 1);
    assert_eq!(code(&ask(&mut scene, &alice, &register, "alice's secret")), 200);
    let watch = bob.subscribe_text(&mut scene, "alice", "Expires: 3600\r\n");
    assert_eq!(code(&scene.ask(bob.flow, &watch)), 200, "his connection has shown his password");
    scene.notified(bob.flow);

    let said = "<!-- a secret --><e:secret xmlns:e='urn:secret' of='secret'>secret</e:secret><tuple";
    let document = crate::views::telling("in the open").replacen("<tuple", said, 1);
    let more = "P-Asserted-Identity: <sip:secret@example.com>\r\nSubject: the secret of a header\r\n";
    let publish = alice.publish_text(&mut scene, &document, more);
    let challenge = scene.ask(alice.flow, &publish);
    let publish = answered(&publish, &challenge, "alice", "alice's secret");
    assert_eq!(code(&scene.ask(alice.flow, &publish)), 200);
    assert!(body(&scene.notified(bob.flow)).contains("in the open"));

    // What stands in the request that a policy is asked about, and is not to be in what it is given.
    let header = |name: &str| publish.split_once(name).unwrap().1.split("\r\n").next().unwrap().to_owned();
    let proof = header("Authorization: ");
    let mut hidden = vec!["secret", "bob", "127.0.0.1", "5071", "z9hG4bK", "<"];
    let values = proof.split('"').skip(1).step_by(2).filter(|value| value.len() > 12 && !value.contains('@'));
    hidden.extend(values);
    let call_id = header("Call-ID: ");
    hidden.push(&call_id);
    assert!(hidden.len() >= 9, "nonce and response are in quotes: {proof}");
    assert!(scene.host.inputs.len() >= 2 && !scene.host.seen.is_empty());
    for input in scene.host.inputs.iter().chain(&scene.host.seen) {
        for hidden in &hidden {
            assert!(!input.contains(hidden), "{hidden} is in {input}");
        }
    }
    let last = scene.host.inputs.last().unwrap();
    assert!(last.contains("in the open") && last.contains("sip:alice@phone.invalid"), "{last}");
    assert!(last.contains(r#""unknown_xml":1"#), "what is not shown is counted: {last}");
}

#[test]
fn a_policy_is_told_why_it_is_asked_and_which_publication_changed() {
    let mut scene = Scene::new();
    scene.host.assigned = Some(Assignment { view: None, ..assignment(ViewKey::Class) });
    let mut alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    // The reasons of the inputs since the last look, each with the publication that changed. Who does not answer
    // his NOTIFYs watches no more, and nobody is merged for him.
    let told = |scene: &mut Scene| -> Vec<(String, Option<String>)> {
        while let Some(notify) = scene.next(bob.flow) {
            scene.answer(bob.flow, &notify, 200);
        }
        let inputs = std::mem::take(&mut scene.host.inputs);
        let reason = |input: &String| {
            let input = json::read(input.as_bytes()).unwrap();
            let text = |name| input.get(name).and_then(|value| value.as_str()).map(str::to_owned);
            (text("reason").unwrap(), text("changed_etag"))
        };
        inputs.iter().map(reason).collect()
    };
    let why = |reason: &str, etag: Option<&String>| vec![(reason.to_owned(), etag.cloned())];

    bob.watch(&mut scene, "alice");
    assert_eq!(told(&mut scene), why("publish", None), "somebody looks");
    let first = alice.announce(&mut scene, "open");
    assert_eq!(told(&mut scene), why("publish", Some(&first)));
    let matching = |tag: &str| format!("SIP-If-Match: {tag}\r\n");
    let second = etag(&alice.publish(&mut scene, &pidf("alice", "closed"), &matching(&first)));
    assert_eq!(told(&mut scene), why("publish", Some(&second)));
    let third = etag(&alice.publish(&mut scene, "", &matching(&second)));
    assert_eq!(told(&mut scene), why("refresh", Some(&third)));
    alice.register(&mut scene);
    assert_eq!(told(&mut scene), why("register", None));
    scene.everyone(|| Input::PolicyChanged { scope: Scope::User(ALICE.to_owned()) });
    assert_eq!(told(&mut scene), why("policy", None));
    let at = scene.now + 60_000;
    let again = format!(r#"{{"abi":1,"reevaluate_at_ms":{at}}}"#).into_bytes();
    scene.host.answers.push_back(Ok(Some(again)));
    let fourth = etag(&alice.publish(&mut scene, "", &matching(&third)));
    told(&mut scene);
    scene.pass(60_100);
    assert_eq!(told(&mut scene), why("timer", None));
    alice.publish(&mut scene, "", &format!("{}Expires: 0\r\n", matching(&fourth)));
    assert_eq!(told(&mut scene), why("remove", None));
    let short = alice.publish(&mut scene, &pidf("alice", "open"), "Expires: 60\r\n");
    told(&mut scene);
    let seconds: i64 = short.header(Name::Expires).unwrap().parse().unwrap();
    scene.pass(seconds * 1_000 + 1_000);
    assert_eq!(told(&mut scene), why("expire", None));
}

#[test]
fn after_a_change_of_policy_only_those_are_notified_who_see_something_else() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    alice.announce(&mut scene, "open");
    bob.watch(&mut scene, "alice");
    scene.host.assigned = Some(Assignment { view: None, ..assignment(ViewKey::Class) });
    let changed = |scene: &mut Scene, says: &str| {
        scene.host.answers.push_back(Ok(Some(says.as_bytes().to_vec())));
        scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
        let notify = scene.next(bob.flow);
        if let Some(notify) = &notify {
            scene.answer(bob.flow, notify, 200);
        }
        notify.is_some()
    };
    assert!(changed(&mut scene, r#"{"abi":1,"set":{"basic":"closed"}}"#));
    assert!(!changed(&mut scene, r#"{"abi":1,"set":{"basic":"closed"},"explain":["in other words"]}"#));
    assert_eq!(scene.host.inputs.len(), 2, "it was asked each time");
}
