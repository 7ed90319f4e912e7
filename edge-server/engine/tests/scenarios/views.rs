//! What classes of watchers see: one call of `pp_view` each, one body each, and a NOTIFY where that has changed.

use crate::scene::*;
use merge_core::policy::{Needs, ViewKey, WatcherClass};
use std::sync::{Arc, Mutex};
use tributary_engine::{
    Assignment, Config, Contact, Contacts, Event, Input, OnFailure, Opinion, PolicyFailure, Scope,
};

const ALICE: &str = "sip:alice@example.com";
const NOTHING_MORE: &str = r#"{"abi":1,"level":"basic"}"#;
const BUSY_OR_FREE: &str = r#"{"abi":1,"level":"busy_free"}"#;

/// A policy that tells watchers apart.
pub(crate) fn assignment(key: ViewKey) -> Assignment {
    Assignment {
        name: "views".into(),
        id: [2; 32],
        params: "{}".into(),
        needs: Needs::ALL,
        view: Some(key),
        on_failure: OnFailure::Builtin,
        privacy: false,
    }
}

/// Alice at a meeting, with a note.
pub(crate) fn telling(note: &str) -> String {
    doing("meeting", note)
}

fn doing(activity: &str, note: &str) -> String {
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
         xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' entity='sip:alice@example.com'>\
         <tuple id='t1'><status><basic>open</basic></status></tuple>\
         <dm:person id='p1'><r:activities><r:{activity}/></r:activities><dm:note>{note}</dm:note></dm:person>\
         </presence>"
    )
}

/// Whom alice knows: who is written here is in that class.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Vec<(String, WatcherClass)>>);

impl Book {
    pub(crate) fn write(&self, user: &str, class: WatcherClass) {
        self.0.lock().unwrap().insert(0, (format!("sip:{user}@example.com"), class));
    }
}

impl Contacts for Book {
    fn find(&self, presentity: &str, watcher: &str) -> Option<Contact> {
        let book = self.0.lock().unwrap();
        let (_, class) = book.iter().find(|(known, _)| presentity == ALICE && known == watcher)?;
        Some(Contact { class: *class, groups: Vec::new(), by_domain: false })
    }
}

struct Stage {
    scene: Scene,
    book: Arc<Book>,
    alice: Client,
    tag: String,
}

/// Alice at a meeting, under a policy that shows her family all, her contacts whether she is busy, and others less.
fn stage_with(config: Config, assignment: Assignment) -> Stage {
    let book = Arc::new(Book::default());
    let mut scene = Scene::with(Config { contacts: book.clone(), ..config });
    scene.host.assigned = Some(assignment);
    let views = [("family", "{\"abi\":1}"), ("contact", BUSY_OR_FREE), ("same-domain", NOTHING_MORE)];
    scene.host.views = views.map(|(class, output)| (format!("\"class\":\"{class}\""), says(output))).into();
    let alice = Client::new(&mut scene, "alice", None);
    let tag = etag(&alice.publish(&mut scene, &telling("with the board"), ""));
    Stage { scene, book, alice, tag }
}

fn stage() -> Stage {
    stage_with(config(), assignment(ViewKey::Class))
}

fn says(text: &str) -> Opinion {
    Ok(Some(text.as_bytes().to_vec()))
}

fn out_of_fuel() -> Opinion {
    Err(PolicyFailure { code: "E204".into(), message: "out of fuel".into(), retry_at: None })
}

impl Stage {
    fn client(&mut self, user: &'static str) -> Client {
        Client::new(&mut self.scene, user, None)
    }

    /// A new watcher, and what it is shown first.
    fn watched_by(&mut self, user: &'static str) -> (Client, String) {
        let client = self.client(user);
        let (_, notify) = client.watch(&mut self.scene, "alice");
        (client, body(&notify).to_owned())
    }

    fn publish(&mut self, document: &str) {
        let condition = format!("SIP-If-Match: {}\r\n", self.tag);
        self.tag = etag(&self.alice.publish(&mut self.scene, document, &condition));
    }

    fn calls(&mut self) -> usize {
        std::mem::take(&mut self.scene.host.seen).len()
    }

    fn merges(&mut self) -> usize {
        std::mem::take(&mut self.scene.host.inputs).len()
    }

    /// What arrived there, if anything did.
    fn told(&mut self, client: &Client) -> Option<String> {
        let notify = self.scene.next(client.flow)?;
        self.scene.answer(client.flow, &notify, 200);
        Some(body(&notify).to_owned())
    }
}

#[test]
fn each_class_sees_its_own_view_of_one_merge() {
    let mut stage = stage();
    stage.book.write("mum", WatcherClass::Family);
    stage.book.write("bob", WatcherClass::Contact);
    let (_, mums) = stage.watched_by("mum");
    let (_, bobs) = stage.watched_by("bob");
    let (_, carols) = stage.watched_by("carol");
    assert!(mums.contains("meeting") && mums.contains("with the board"), "{mums}");
    assert!(bobs.contains("busy") && !bobs.contains("meeting") && !bobs.contains("board"), "{bobs}");
    assert!(carols.contains("open") && !carols.contains("busy"), "{carols}");
    assert_eq!((stage.merges(), stage.calls()), (1, 3));
}

#[test]
fn a_capture_is_told_the_whole_input_of_each_merge_that_is_watched_and_what_was_shown_before_and_after() {
    let mut stage = stage_with(
        config(),
        Assignment { needs: Needs::of(["builtin"]).unwrap(), ..assignment(ViewKey::Class) },
    );
    stage.scene.host.captures = true;
    stage.publish(&telling("by nobody"));
    assert_eq!(stage.scene.host.captured, [] as [[String; 4]; 0], "nobody watches");
    stage.book.write("bob", WatcherClass::Contact);
    let (bob, _) = stage.watched_by("bob");
    let first = std::mem::take(&mut stage.scene.host.captured);
    stage.publish(&doing("vacation", "at last"));
    stage.told(&bob);
    let second = std::mem::take(&mut stage.scene.host.captured);
    let of = |told: &[[String; 4]]| told.iter().map(|[of, ..]| of.clone()).collect::<Vec<_>>();
    assert_eq!(
        (of(&first), of(&second)),
        (vec!["publish".into(), "contact".into()], vec!["publish".into(), "contact".into()])
    );
    assert_eq!((first[0][2].as_str(), first[1][2].as_str()), ("null", "null"), "nothing was shown before");
    assert_eq!((&first[0][3], &first[1][3]), (&second[0][2], &second[1][2]));
    let [_, input, before, after] = &second[0];
    assert!(
        input.contains("\"publications\":[{") && input.contains("at last"),
        "more than it needs: {input}"
    );
    assert!(before.contains("meeting") && after.contains("vacation") && after.contains("at last"), "{after}");
    let [_, input, before, after] = &second[1];
    assert!(input.contains("\"merged\":{") && input.contains("at last"), "{input}");
    assert!(before.contains("busy") && !after.contains("at last"), "{before} {after}");
    let (_, shown) = stage.watched_by("carol");
    assert!(shown.contains("open"));
    let [view] = stage.scene.host.captured.as_slice() else { panic!("{:?}", stage.scene.host.captured) };
    assert_eq!(
        (view[0].as_str(), view[2].as_str()),
        ("same-domain", "null"),
        "a view of what was merged before"
    );
}

#[test]
fn a_thousand_watchers_in_four_classes_cost_one_merge_and_four_views() {
    let mut stage = stage();
    let classes = [WatcherClass::Family, WatcherClass::Contact, WatcherClass::Colleague];
    let mut watchers = Vec::new();
    for number in 0..1_000 {
        let user: &'static str = format!("w{number}").leak();
        if let Some(class) = classes.get(number % 4) {
            stage.book.write(user, *class);
        }
        watchers.push(stage.watched_by(user).0);
    }
    assert_eq!((stage.merges(), stage.calls()), (1, 4), "while they come");
    stage.publish(&telling("with the auditors"));
    assert_eq!((stage.merges(), stage.calls()), (1, 4), "when the state changes");
    let told = watchers.iter().filter_map(|watcher| stage.told(watcher)).collect::<Vec<_>>();
    // Contacts and the others see no note, so nothing is new to them.
    assert_eq!(told.len(), 500);
    assert!(told.iter().all(|body| body.contains("with the auditors")));
    let same = stage.tag.clone();
    stage.publish("");
    assert_ne!(same, stage.tag);
    assert_eq!((stage.merges(), stage.calls()), (1, 0), "a refresh makes no view anew");
    assert!(watchers.iter().all(|watcher| stage.told(watcher).is_none()));
}

#[test]
fn who_sees_nothing_new_is_not_notified() {
    let mut stage = stage();
    stage.book.write("mum", WatcherClass::Family);
    let (mum, _) = stage.watched_by("mum");
    let (carol, _) = stage.watched_by("carol");
    stage.publish(&doing("meeting", "with the auditors"));
    assert!(stage.told(&mum).is_some_and(|body| body.contains("auditors")));
    assert_eq!(stage.told(&carol), None);
    // And what is new to all is told to all.
    let (tag, alice) = (stage.tag.clone(), stage.alice.clone());
    alice.publish(&mut stage.scene, &pidf("alice", "closed"), &format!("SIP-If-Match: {tag}\r\n"));
    assert!(stage.told(&mum).is_some_and(|body| body.contains("closed")));
    assert!(stage.told(&carol).is_some_and(|body| body.contains("closed")));
}

#[test]
fn contacts_that_change_change_what_their_watchers_see_and_nobody_else() {
    let mut stage = stage();
    stage.book.write("bob", WatcherClass::Contact);
    let (bob, _) = stage.watched_by("bob");
    let (carol, _) = stage.watched_by("carol");
    stage.calls();
    stage.book.write("carol", WatcherClass::Family);
    stage.scene.everyone(|| Input::ContactsChanged { aor: ALICE.to_owned() });
    assert!(stage.told(&carol).is_some_and(|body| body.contains("with the board")));
    assert_eq!((stage.told(&bob), stage.calls(), stage.merges()), (None, 1, 1));
    // Into a class that is there already: no call.
    stage.book.write("carol", WatcherClass::Contact);
    stage.scene.everyone(|| Input::ContactsChanged { aor: ALICE.to_owned() });
    assert!(stage.told(&carol).is_some_and(|body| body.contains("busy")));
    assert_eq!(stage.calls(), 0);
}

#[test]
fn users_see_all_of_themselves_and_their_own_policy_is_not_asked() {
    let mut stage = stage();
    let (_, own) = stage.watched_by("alice");
    assert!(own.contains("with the board"), "{own}");
    assert_eq!(stage.calls(), 0);
}

#[test]
fn by_identity_each_watcher_is_asked_about_by_name() {
    let mut stage = stage_with(config(), assignment(ViewKey::Identity));
    stage.watched_by("bob");
    stage.watched_by("carol");
    let seen = std::mem::take(&mut stage.scene.host.seen);
    let named = |user: &str| {
        let watcher =
            format!(r#""watcher":{{"class":"same-domain","groups":[],"aor":"sip:{user}@example.com"}}"#);
        seen.iter().filter(|input| input.contains(&watcher)).count()
    };
    assert_eq!((seen.len(), named("bob"), named("carol")), (2, 1, 1), "{seen:?}");
}

#[test]
fn what_a_view_cannot_be_made_of_is_hidden_where_the_policy_hides_things_and_shown_where_it_does_not() {
    for (on_failure, privacy, answer, shown) in [
        (OnFailure::Minimal, true, out_of_fuel(), false),
        (OnFailure::Minimal, true, says(r#"{"abi":1,"set":{"basic":"open"}}"#), false),
        (OnFailure::LastGood, true, says("not json"), false),
        (OnFailure::LastGood, false, says("not json"), true),
        (OnFailure::Builtin, false, out_of_fuel(), true),
    ] {
        let given = Assignment { on_failure, privacy, ..assignment(ViewKey::Class) };
        let mut stage = stage_with(config(), given);
        stage.scene.host.views = vec![("same-domain".to_owned(), answer)];
        let (_, body) = stage.watched_by("carol");
        assert!(body.contains("<basic>open</basic>"), "{body}");
        assert_eq!(body.contains("with the board"), shown, "{on_failure:?} {body}");
        assert_eq!(stage.calls(), 1, "it is not asked twice in one go");
        let told =
            |event: &Event| matches!(event, Event::PolicyFailed { policy, .. } if &**policy == "views");
        assert!(stage.scene.events.iter().any(told), "{:?}", stage.scene.events);
    }
}

#[test]
fn the_last_good_view_stands_in_while_what_it_names_is_there() {
    let given = Assignment { on_failure: OnFailure::LastGood, ..assignment(ViewKey::Class) };
    let mut stage = stage_with(config(), given);
    let closed = r#"{"abi":1,"set":{"basic":"closed","activities":["busy"]}}"#;
    stage.scene.host.views = vec![("same-domain".to_owned(), says(closed))];
    let (carol, first) = stage.watched_by("carol");
    assert!(first.contains("closed") && first.contains("busy"), "{first}");
    stage.scene.host.views = vec![("same-domain".to_owned(), out_of_fuel())];
    stage.publish(&doing("presentation", "elsewhere"));
    let then = stage.told(&carol).unwrap();
    assert!(
        then.contains("closed") && then.contains("elsewhere") && !then.contains("presentation"),
        "{then}"
    );
    // Nothing that keeps from answering is merged now, so `busy` cannot stand in for it.
    stage.publish(&doing("working", "at my desk"));
    let last = stage.told(&carol).unwrap();
    assert!(last.contains("open") && last.contains("working"), "{last}");
}

#[test]
fn a_view_that_was_held_is_made_when_the_host_says() {
    let given = Assignment { on_failure: OnFailure::Minimal, privacy: true, ..assignment(ViewKey::Class) };
    let mut stage = stage_with(config(), given);
    let retry_at = Some(merge_core::time::Millis(stage.scene.now + 30_000));
    let held =
        PolicyFailure { code: PolicyFailure::HELD.into(), message: "a breaker is open".into(), retry_at };
    stage.scene.host.views = vec![("same-domain".to_owned(), Err(held))];
    let (carol, first) = stage.watched_by("carol");
    assert!(!first.contains("meeting"), "{first}");
    stage.scene.host.views.clear();
    stage.scene.pass(29_900);
    assert_eq!(stage.told(&carol), None);
    stage.scene.pass(200);
    assert!(stage.told(&carol).is_some_and(|body| body.contains("meeting")));
}

#[test]
fn a_policy_that_tells_nobody_apart_any_more_shows_all_to_all() {
    let mut stage = stage();
    let (carol, first) = stage.watched_by("carol");
    assert!(!first.contains("meeting"), "{first}");
    stage.scene.host.assigned = Some(Assignment { view: None, ..assignment(ViewKey::Class) });
    stage.scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
    assert!(stage.told(&carol).is_some_and(|body| body.contains("with the board")));
    // And back, by each watcher.
    stage.scene.host.assigned = Some(assignment(ViewKey::Identity));
    stage.scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
    assert!(stage.told(&carol).is_some_and(|body| !body.contains("meeting")));
}

#[test]
fn who_comes_between_a_change_of_policy_and_its_merge_is_shown_what_the_new_one_says() {
    let mut stage = stage();
    stage.watched_by("carol");
    stage.scene.host.assigned = Some(Assignment { id: [9; 32], ..assignment(ViewKey::Class) });
    stage.scene.host.views = vec![("family".to_owned(), says(NOTHING_MORE))];
    stage.merges();
    stage.book.write("mum", WatcherClass::Family);
    let (_, mums) = stage.watched_by("mum");
    assert!(!mums.contains("meeting"), "{mums}");
    assert_eq!(stage.merges(), 1, "the new policy has merged, too");
}

#[test]
fn parameters_that_change_make_the_views_anew() {
    let mut stage = stage();
    let (carol, _) = stage.watched_by("carol");
    stage.calls();
    stage.scene.host.assigned = Some(Assignment { params: "{\"a\":1}".into(), ..assignment(ViewKey::Class) });
    stage.scene.host.views = vec![("same-domain".to_owned(), says(BUSY_OR_FREE))];
    stage.scene.everyone(|| Input::PolicyChanged { scope: Scope::All });
    assert!(stage.told(&carol).is_some_and(|body| body.contains("busy")));
    assert_eq!(stage.calls(), 1);
}

#[test]
fn views_outlive_a_restart_as_their_watchers_do() {
    let mut stage = stage();
    let (mut carol, _) = stage.watched_by("carol");
    let (_, mut watch) = {
        let (answer, watch) = carol.subscribe(&mut stage.scene, "alice", "Expires: 3600\r\n");
        stage.scene.notified(carol.flow);
        (answer, watch)
    };
    stage.scene.restart(1_000);
    carol.reconnect(&mut stage.scene);
    assert_eq!(code(&carol.refresh(&mut stage.scene, &mut watch, "Expires: 3600\r\n")), 200);
    let shown = stage.told(&carol).unwrap();
    assert!(shown.contains("open") && !shown.contains("meeting"), "{shown}");
}

#[test]
fn a_place_that_its_last_watcher_left_is_free_for_others() {
    let mut config = config();
    config.limits.views_per_presentity = 1;
    let mut stage = stage_with(config, assignment(ViewKey::Class));
    stage.book.write("mum", WatcherClass::Family);
    let carol = stage.client("carol");
    let (mut watch, _) = carol.watch(&mut stage.scene, "alice");
    let mum = stage.client("mum");
    let (mut hers, notify) = mum.watch(&mut stage.scene, "alice");
    assert!(!body(&notify).contains("meeting"), "there was no room for her class");
    carol.refresh(&mut stage.scene, &mut watch, "Expires: 0\r\n");
    stage.told(&carol);
    mum.refresh(&mut stage.scene, &mut hers, "Expires: 3600\r\n");
    assert!(stage.told(&mum).is_some_and(|body| body.contains("meeting")));
}

#[test]
fn views_are_made_anew_at_the_moment_that_the_merge_wanted_and_not_because_time_passes() {
    let mut stage = stage();
    let (carol, _) = stage.watched_by("carol");
    let at = stage.scene.now + 1_800_000;
    stage.scene.host.answers.push_back(says(&format!(r#"{{"abi":1,"reevaluate_at_ms":{at}}}"#)));
    stage.publish("");
    assert_eq!(stage.calls(), 1, "when she came");
    stage.scene.host.views = vec![("same-domain".to_owned(), says(BUSY_OR_FREE))];
    stage.scene.pass(1_799_000);
    assert_eq!((stage.calls(), stage.told(&carol)), (0, None));
    stage.scene.pass(2_000);
    // What was merged is what it was, but the view may go by the clock.
    assert_eq!(stage.calls(), 1);
    assert!(stage.told(&carol).is_some_and(|body| body.contains("busy")));
}

#[test]
fn a_presentity_has_64_views_and_who_would_need_one_more_sees_open_or_closed() {
    assert_eq!(config().limits.views_per_presentity, 64);
    let mut stage = stage_with(config(), assignment(ViewKey::Identity));
    stage.scene.host.views.clear();
    for number in 0..66 {
        let user: &'static str = format!("w{number}").leak();
        let (_, shown) = stage.watched_by(user);
        assert!(shown.contains("<basic>open</basic>"), "{shown}");
        assert_eq!(shown.contains("with the board"), number < 64, "watcher {number}: {shown}");
    }
    assert_eq!(stage.calls(), 64);
}

#[test]
fn after_a_restart_no_last_good_view_is_left_and_what_is_to_be_hidden_stays_hidden() {
    for privacy in [false, true] {
        let given = Assignment { on_failure: OnFailure::LastGood, privacy, ..assignment(ViewKey::Class) };
        let mut stage = stage_with(config(), given);
        stage.scene.host.views = vec![("same-domain".to_owned(), says(BUSY_OR_FREE))];
        let mut carol = stage.client("carol");
        let (mut watch, first) = carol.watch(&mut stage.scene, "alice");
        assert!(body(&first).contains("busy"));
        stage.scene.host.views = vec![("same-domain".to_owned(), out_of_fuel())];
        stage.scene.restart(1_000);
        carol.reconnect(&mut stage.scene);
        carol.refresh(&mut stage.scene, &mut watch, "Expires: 3600\r\n");
        let shown = stage.told(&carol).unwrap();
        assert!(shown.contains("<basic>open</basic>") && !shown.contains("busy"), "{shown}");
        assert_eq!(shown.contains("with the board"), !privacy, "{shown}");
    }
}
