//! The operator's mask: what it takes away reaches nobody who watches, whatever is published and whatever policies say.

use crate::scene::*;
use merge_core::model::Document;
use merge_core::policy::{Level, Mask, Needs, ViewKey};
use proptest::prelude::*;
use tributary_engine::{
    Answer, Assignment, Config, GoodAnswer, Input, Masks, OnFailure, Opinion, PolicyFailure, Query, Scope,
};

const ALICE: &str = "sip:alice@example.com";

fn mask(drop: &[&str], level: &str) -> Mask {
    let drop: Vec<String> = drop.iter().map(|name| (*name).to_owned()).collect();
    Mask::read(&drop, level).unwrap()
}

/// Three shards that take this away of everybody.
fn masking(mask: &Mask) -> Config {
    Config { masks: Masks::new(mask, []), ..config() }
}

fn assignment(on_failure: OnFailure, view: Option<ViewKey>) -> Assignment {
    Assignment {
        name: "masked".into(),
        id: [3; 32],
        params: "{}".into(),
        needs: Needs::ALL,
        view,
        on_failure,
        privacy: false,
    }
}

fn says(text: &str) -> Opinion {
    Ok(Some(text.as_bytes().to_vec()))
}

fn out_of_fuel() -> Opinion {
    Err(PolicyFailure { code: "E204".into(), message: "out of fuel".into(), retry_at: None })
}

/// Alice at a meeting, with a note, in a place.
fn telling(note: &str) -> String {
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
         xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' xmlns:gp='urn:ietf:params:xml:ns:pidf:geopriv10' \
         entity='sip:alice@example.com'>\
         <tuple id='t1'><status><basic>open</basic><gp:geopriv><gp:location-info>here</gp:location-info>\
         <gp:usage-rules/></gp:geopriv></status></tuple>\
         <dm:person id='p1'><r:activities><r:meeting/></r:activities><dm:note>{note}</dm:note></dm:person>\
         </presence>"
    )
}

/// What arrived there; all of it is answered.
fn told(scene: &mut Scene, client: &Client) -> Vec<String> {
    let mut bodies = Vec::new();
    while let Some(notify) = scene.next(client.flow) {
        scene.answer(client.flow, &notify, 200);
        bodies.push(body(&notify).to_owned());
    }
    bodies
}

/// Answers that a policy which takes long gives before something else happens. One that failed is asked again when
/// another comes, since this host, unlike the server's, keeps no account of failures.
const ANSWERS: usize = 8;

/// What arrived anywhere, also when the policy has answered what it was asked.
fn all_told(scene: &mut Scene, watchers: &[Client]) -> Vec<String> {
    let mut bodies = Vec::new();
    for _ in 0..ANSWERS {
        watchers.iter().for_each(|watcher| bodies.extend(told(scene, watcher)));
        if scene.host.begun.is_empty() {
            break;
        }
        scene.policy_answers(0);
    }
    watchers.iter().for_each(|watcher| bodies.extend(told(scene, watcher)));
    bodies
}

fn presentity(scene: &mut Scene, watcher: Option<&str>) -> tributary_engine::query::PresentityAnswer {
    let query = Query::Presentity { aor: ALICE.to_owned(), watcher: watcher.map(str::to_owned) };
    match scene.query(ALICE, query) {
        Answer::Presentity(Some(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whoever_watches_and_whatever_decides_what_is_masked_is_not_sent() {
    let good = GoodAnswer {
        output: Some(br#"{"abi":1,"set":{"note":[{"text":"from before"}]}}"#.into()),
        at: merge_core::time::Millis(START),
    };
    for (on_failure, answer) in [
        (None, Ok(None)),
        (Some(OnFailure::Builtin), Ok(None)),
        (Some(OnFailure::Builtin), says(r#"{"abi":1,"set":{"note":[{"text":"of its own"}]}}"#)),
        (Some(OnFailure::Builtin), out_of_fuel()),
        (Some(OnFailure::LastGood), out_of_fuel()),
        (Some(OnFailure::Minimal), out_of_fuel()),
    ] {
        let mut scene = Scene::with(masking(&mask(&["geo", "note"], "full")));
        scene.host.assigned = on_failure.map(|on_failure| assignment(on_failure, None));
        scene.host.answers = vec![answer.clone(); 9].into();
        scene.host.last_good = Some(good.clone());
        let alice = Client::new(&mut scene, "alice", None);
        let bob = Client::new(&mut scene, "bob", None);
        alice.publish(&mut scene, &telling("with the board"), "");
        for watcher in [&bob, &alice] {
            let (_, notify) = watcher.watch(&mut scene, "alice");
            let body = body(&notify);
            assert!(body.contains("open") && !body.contains("note") && !body.contains("here"), "{body}");
            assert_eq!(body.contains("meeting"), on_failure != Some(OnFailure::Minimal), "{body}");
        }
    }
}

#[test]
fn a_change_of_nothing_but_what_is_masked_is_told_nobody() {
    let mut scene = Scene::with(masking(&mask(&["note"], "full")));
    let alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    let tag = etag(&alice.publish(&mut scene, &telling("with the board"), ""));
    bob.watch(&mut scene, "alice");
    let answer = alice.publish(&mut scene, &telling("with Carol"), &format!("SIP-If-Match: {tag}\r\n"));
    assert_eq!((code(&answer), told(&mut scene, &bob)), (200, Vec::new()));
}

/// The contract, section 13: "`merged` is the document after `pp_merge` and the operator's mask".
#[test]
fn a_policy_is_told_what_is_masked_when_it_merges_and_not_when_it_is_asked_for_views() {
    let mut scene = Scene::with(masking(&mask(&["note"], "full")));
    scene.host.assigned = Some(assignment(OnFailure::Builtin, Some(ViewKey::Class)));
    let alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    alice.publish(&mut scene, &telling("with the board"), "");
    bob.watch(&mut scene, "alice");
    let (input, seen) = (scene.host.inputs.remove(0), scene.host.seen.remove(0));
    assert!(input.contains("with the board"), "{input}");
    assert!(seen.contains("meeting") && !seen.contains("with the board"), "{seen}");
    // What is gone cannot be put into other words either.
    let mut scene = Scene::with(masking(&mask(&["activities"], "full")));
    scene.host.assigned = Some(assignment(OnFailure::Builtin, Some(ViewKey::Class)));
    let busy = r#"{"abi":1,"set":{"activities":["busy"]}}"#;
    scene.host.views = vec![("same-domain".to_owned(), says(busy))];
    let alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    alice.publish(&mut scene, &telling("with the board"), "");
    let (_, notify) = bob.watch(&mut scene, "alice");
    assert!(!body(&notify).contains("busy") && !body(&notify).contains("meeting"), "{}", body(&notify));
    assert_eq!(scene.host.refused[0].code, "E207");
}

#[test]
fn who_asks_why_is_told_what_the_mask_took_away_and_sees_what_watchers_do() {
    let mut scene = Scene::with(masking(&mask(&["geo", "mood", "note"], "full")));
    let alice = Client::new(&mut scene, "alice", None);
    let nothing = presentity(&mut scene, None);
    assert_eq!(nothing.masked, None, "nothing was there");
    alice.publish(&mut scene, &telling("with the board"), "");
    let answer = presentity(&mut scene, Some("sip:bob@example.com"));
    assert_eq!(answer.masked, Some(mask(&["geo", "note"], "full")));
    let seen = answer.seen.unwrap();
    for document in [&answer.merged_json, &answer.merged_pidf, &seen.json, &seen.pidf] {
        assert!(document.contains("meeting") && !document.contains("with the board"), "{document}");
    }
    assert!(answer.explanation_json.contains("with the board"), "{}", answer.explanation_json);
    let Answer::Live(Some(live)) = scene.query(ALICE, Query::Live { aor: ALICE.to_owned() }) else {
        panic!()
    };
    assert_eq!(live.mask, Some(mask(&["geo", "mood", "note"], "full")));
    assert!(live.live_json.contains("with the board") && !live.server_pidf.contains("with the board"));
    // And nothing where there is none.
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    alice.publish(&mut scene, &telling("with the board"), "");
    let answer = presentity(&mut scene, None);
    assert!(answer.masked.is_none() && answer.merged_pidf.contains("with the board"));
}

#[test]
fn what_is_captured_is_what_watchers_saw_and_what_the_mask_took_away_of_it() {
    let mut scene = Scene::with(masking(&mask(&["mood", "note"], "full")));
    scene.host.captures = true;
    let alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    let tag = etag(&alice.publish(&mut scene, &telling("with the board"), ""));
    bob.watch(&mut scene, "alice");
    alice.publish(&mut scene, &pidf("alice", "closed"), &format!("SIP-If-Match: {tag}\r\n"));
    assert_eq!(scene.host.masked, [Some(mask(&["note"], "full")), None]);
    let [[_, input, _, after], [_, _, before, _]] = scene.host.captured.as_slice() else { panic!() };
    assert!(input.contains("with the board"), "{input}");
    assert!(after.contains("meeting") && !after.contains("with the board"), "{after}");
    assert_eq!(after, before);
}

#[test]
fn what_a_shadow_would_change_of_what_is_masked_is_no_change() {
    for (masked, expect) in [(mask(&["note"], "full"), 0), (Mask::default(), 1)] {
        let mut scene = Scene::with(masking(&masked));
        let note = says(r#"{"abi":1,"set":{"note":[{"text":"of its own"}]}}"#);
        scene.host.beside = Some((assignment(OnFailure::Builtin, None), note));
        let alice = Client::new(&mut scene, "alice", None);
        let bob = Client::new(&mut scene, "bob", None);
        alice.publish(&mut scene, &pidf("alice", "open"), "");
        bob.watch(&mut scene, "alice");
        let [what] = scene.host.would_change.as_slice() else { panic!("{:?}", scene.host.would_change) };
        assert_eq!(what.len(), expect, "{what:?}");
    }
}

#[test]
fn the_users_of_a_domain_are_masked_by_its_own_mask_too_and_others_are_not() {
    for (domain, shown) in [("example.com", false), ("example.org", true)] {
        let more = [(domain.to_owned(), mask(&["note"], "full"))];
        let masks = Masks::new(&mask(&["geo"], "full"), more);
        let mut scene = Scene::with(Config { masks, ..config() });
        let alice = Client::new(&mut scene, "alice", None);
        let bob = Client::new(&mut scene, "bob", None);
        alice.publish(&mut scene, &telling("with the board"), "");
        let (_, notify) = bob.watch(&mut scene, "alice");
        assert_eq!(body(&notify).contains("with the board"), shown);
        assert!(!body(&notify).contains("here"));
    }
}

/// Elements by what takes them away; `MARK` is in each.
const PLANTS: [(&str, &str); 9] = [
    (
        "geo",
        "<g:geopriv xmlns:g='urn:ietf:params:xml:ns:pidf:geopriv10'><g:location-info>MARK</g:location-info></g:geopriv>",
    ),
    ("note", "<dm:note>MARK</dm:note>"),
    ("devices", "<dm:deviceID>MARK</dm:deviceID>"),
    ("activities", "<r:activities><r:other>MARK</r:other></r:activities>"),
    ("mood", "<r:mood><r:other>MARK</r:other></r:mood>"),
    ("place", "<r:place-type><r:other>MARK</r:other></r:place-type>"),
    ("sphere", "<r:sphere><e:MARK/></r:sphere>"),
    ("user_input", "<r:user-input at='MARK'>idle</r:user-input>"),
    ("", "<e:box>MARK</e:box>"),
];

/// What a mask can name.
const NAMES: [&str; 10] =
    ["geo", "note", "devices", "person", "contact", "activities", "mood", "place", "sphere", "user_input"];

/// A document; where: in the tuple, the person, the device. A mark says all that takes it away: `MK.geo.person.z`.
fn planted(plants: &[(usize, usize)]) -> String {
    let mut at: [String; 3] = std::array::from_fn(|_| String::new());
    for (plant, place) in plants {
        let ((kind, text), around) = (PLANTS[*plant], ["", ".person", ".devices"][*place]);
        at[*place].push_str(&text.replace("MARK", &format!("MK.{kind}{around}.z")));
    }
    let [tuple, person, device] = at;
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
         xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' xmlns:e='urn:example' entity='sip:alice@example.com'>\
         <tuple id='t1'><status><basic>open</basic></status>{tuple}<contact>sip:MK.contact.z@example.com</contact></tuple>\
         <dm:person id='p1'>{person}<r:activities><r:meeting/></r:activities></dm:person>\
         <dm:device id='d1'>{device}<dm:deviceID>urn:MK.devices.z</dm:deviceID></dm:device></presence>"
    )
}

fn documents() -> impl Strategy<Value = Vec<String>> {
    let plants = prop::collection::vec((0..PLANTS.len(), 0_usize..3), 0..6);
    let readable = |plants: Vec<(usize, usize)>| {
        let mut good = Vec::new();
        for plant in plants {
            good.push(plant);
            // Some stand where the data model has none of their name: such documents are refused.
            if Document::read(planted(&good).as_bytes()).is_err() {
                good.pop();
            }
        }
        planted(&good)
    };
    prop::collection::vec(plants.prop_map(readable), 1..5)
}

fn masks() -> impl Strategy<Value = (Vec<&'static str>, Level)> {
    (prop::sample::subsequence(NAMES.to_vec(), 0..=4), prop::sample::select(Level::ALL.to_vec()))
}

/// What a policy may answer: nothing, all that it can set, removals, rubbish, or that it fails.
fn merges() -> impl Strategy<Value = Vec<Opinion>> {
    let answers = [
        Ok(None),
        says(
            r#"{"abi":1,"set":{"note":[{"text":"MK.note.z"}],"activities":["on-the-phone","x-mk"],"mood":["happy"],"place":["office"]}}"#,
        ),
        says(r#"{"abi":1,"base":"empty","set":{"basic":"closed","note":[{"text":"MK.note.z"}]}}"#),
        says(r#"{"abi":1,"drop":["devices","sphere"],"set":{"activities":[]}}"#),
        says("not json"),
        out_of_fuel(),
    ];
    prop::collection::vec(prop::sample::select(answers.to_vec()), 0..8)
}

fn views() -> impl Strategy<Value = Opinion> {
    prop::sample::select(vec![
        Ok(None),
        says(r#"{"abi":1,"level":"full","explain":["MK.note.z"]}"#),
        says(r#"{"abi":1,"level":"busy_free"}"#),
        says(r#"{"abi":1,"drop":["note"],"set":{"basic":"closed"}}"#),
        says(r#"{"abi":1,"set":{"activities":["busy"]}}"#),
        says(r#"{"abi":1,"set":{"activities":["unknown"]},"drop":["person"]}"#),
        says(r#"{"abi":1,"drop":["tuple:t1"]}"#),
        says("not json"),
        out_of_fuel(),
    ])
}

fn assignments() -> impl Strategy<Value = Option<Assignment>> {
    let on_failure = [OnFailure::Builtin, OnFailure::LastGood, OnFailure::Minimal].to_vec();
    let key = [None, Some(ViewKey::Class), Some(ViewKey::Identity)].to_vec();
    let assigned = (prop::sample::select(on_failure), prop::sample::select(key), any::<bool>());
    prop::option::of(
        assigned
            .prop_map(|(on_failure, view, privacy)| Assignment { privacy, ..assignment(on_failure, view) }),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_masked_is_in_no_notify(
        published in documents(),
        (dropped, level) in masks(),
        assigned in assignments(),
        answers in merges(),
        views in prop::collection::vec(views(), 3),
        takes_long in any::<bool>(),
    ) {
        let mut scene = Scene::with(masking(&mask(&dropped, level.as_str())));
        let by_builtin = assigned.is_none();
        (scene.host.assigned, scene.host.takes_long) = (assigned, takes_long);
        scene.host.answers = answers.into();
        let set = br#"{"abi":1,"set":{"note":[{"text":"MK.note.z"}]}}"#;
        scene.host.last_good = Some(GoodAnswer { output: Some(set.into()), at: merge_core::time::Millis(START) });
        // In turn: of Bob by his name, of a class, of the others by name.
        let of = |who: &str, said: &Opinion| (who.to_owned(), said.clone());
        scene.host.views =
            vec![of("bob@", &views[0]), of("\"class\":\"same-domain\",\"groups\":[]}", &views[1]), of("", &views[2])];
        let watchers = ["bob", "carol", "alice"].map(|user| Client::new(&mut scene, user, None));
        let mut bodies = Vec::new();
        let mut tag = None;
        for (number, document) in published.iter().enumerate() {
            let alice = Client::new(&mut scene, "alice", None);
            // Every other document is of another device.
            let condition = tag.take().map(|tag| format!("SIP-If-Match: {tag}\r\n")).unwrap_or_default();
            let answer = alice.publish(&mut scene, document, &condition);
            prop_assert_eq!(code(&answer), 200, "{}", document);
            tag = (number % 2 == 0).then(|| etag(&answer));
            if let Some(watcher) = watchers.get(number) {
                watcher.subscribe(&mut scene, "alice", "Expires: 3600\r\n");
            }
            bodies.extend(all_told(&mut scene, &watchers));
        }
        // Another policy, or another answer of the same.
        scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
        bodies.extend(all_told(&mut scene, &watchers));
        prop_assert!(!bodies.is_empty());
        for body in &bodies {
            for mark in body.split("MK").skip(1).filter_map(|rest| Some(rest.split_once(".z")?.0)) {
                let gone = mark.split('.').any(|kind| dropped.contains(&kind));
                prop_assert!(!gone && level == Level::Full, "{mark} is there: {dropped:?} {level:?}\n{body}");
            }
            let said: &[(&str, &[&str])] = &[
                ("activities", &["meeting", "on-the-phone", "mk", "busy"]),
                ("mood", &["happy"]),
                ("place", &["office"]),
            ];
            for (name, words) in said {
                let gone = dropped.contains(name) || level == Level::Basic;
                prop_assert!(!gone || !words.iter().any(|word| body.contains(&format!("{word}/>"))), "{name}\n{body}");
            }
        }
        // And it takes no more: what is merged by itself, and not masked, is told.
        if by_builtin && level == Level::Full {
            let contact = bodies.iter().all(|body| body.contains("MK.contact.z"));
            prop_assert_eq!(contact, !dropped.contains(&"contact"));
        }
    }
}
