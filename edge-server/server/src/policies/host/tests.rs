//! What a tenant's processor time, failures of both hooks, a restart and a file that is gone come to at the door.

use super::super::{Aside, Brought, Wanted};
use super::*;
use crate::config::{Config, Durability};
use crate::metrics::Exposition;
use crate::shards::{Inbox, Shards, Task};
use crate::store::{Op, RedbStore, Store, Table, Writer};
use crate::users::Directory;
use policy_sandbox::{Sandbox, Settings};
use tributary_engine::{Input, Router, Scope};

/// Without an opinion; both hooks trap where the input holds a `~`.
const POLICY: &str = r#"(module (memory (export "memory") 2 2)
    (func (export "presence_policy_abi_1"))
    (func (export "pp_alloc") (param i32) (result i32) (i32.const 8192))
    (func $look (param $at i32) (param $length i32) (result i64) (local $end i32)
        (local.set $end (i32.add (local.get $at) (local.get $length)))
        (loop $next
            (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 126)) (then unreachable))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
        (i64.const 0))
    (export "pp_merge" (func $look)) (export "pp_view" (func $look)))"#;

const CALM: &str = r#"{"abi":1,"publications":[]}"#;

fn open(stored: Option<&dyn Store>) -> Library {
    let sandbox = Sandbox::new(Settings::default()).unwrap();
    let seen_by = (Exposition::default().metrics, Clock::default());
    Library::open(sandbox, Vec::new(), stored, seen_by, &Config::default()).unwrap()
}

/// Assigns the policy to everybody, and gives its id.
async fn assigned(library: &Library, on_failure: Option<OnFailure>) -> [u8; 32] {
    let file = Bytes::from(wat::parse_str(POLICY).unwrap());
    let id = library.upload("ann", Some("p"), Brought::by_operator(file)).await.unwrap().entry.id();
    let wanted = Wanted { policy: Some(id), on_failure, ..Wanted::NOTHING };
    library.assign("ann", &Scope::All, wanted).await.unwrap();
    id
}

fn door(library: &Arc<Library>) -> Host {
    let config = Config::default();
    let users = Directory::open(&config, None, Exposition::default().metrics, Clock::default()).unwrap();
    let wall = Wall::new(&config.server, Arc::new(users));
    Host::new(Arc::clone(library), wall, Exposition::default().metrics, Clock::default())
}

/// A user of this tenant; of the operator's own where it is empty.
fn of(tenant: &str) -> Presentity {
    Presentity {
        aor: "sip:alice@example.com".to_owned(),
        domain: "example.com".to_owned(),
        tenant: tenant.to_owned(),
        ..Presentity::default()
    }
}

/// What becomes of a call, in words.
fn ask(host: &mut Host, whose: &Presentity, hook: Hook, input: &str) -> String {
    let assignment = host.assignment(whose).unwrap();
    match host.run(whose, &assignment, hook, input.as_bytes()) {
        Ok(output) => {
            host.accepted(whose, &assignment, hook, output.as_deref());
            "good".to_owned()
        }
        Err(failure) => format!("{} {}", failure.code, failure.message),
    }
}

#[tokio::test]
async fn a_tenant_that_used_its_processor_time_is_throttled_and_the_operators_own_users_are_not_counted() {
    let library = Arc::new(open(None));
    assigned(&library, None).await;
    let mut host = door(&library);
    assert_eq!(ask(&mut host, &of("acme"), Hook::Merge, CALM), "good");
    // As much as takes twenty minutes to be paid back.
    let now = host.clock.now();
    for tenant in ["acme", ""] {
        library.allowances().took(tenant, now, Duration::from_secs(60));
    }
    for hook in [Hook::Merge, Hook::View] {
        let told = ask(&mut host, &of("acme"), hook, CALM);
        assert!(told.starts_with("held ") && told.contains("processor time"), "{told}");
        assert_eq!(ask(&mut host, &of("globex"), hook, CALM), "good");
        assert_eq!(ask(&mut host, &of(""), hook, CALM), "good");
    }
    let figures = library.snapshot().policies().next().unwrap().figures();
    assert_eq!((figures.throttled, figures.held, figures.calls), (2, 0, 5));
}

#[tokio::test]
async fn a_state_that_failed_is_not_tried_again_and_failures_of_both_hooks_count_together() {
    let library = Arc::new(open(None));
    assigned(&library, None).await;
    let mut host = door(&library);
    let alice = of("");
    let failing = |number: u32| format!(r#"{{"abi":1,"publications":["~{number}"]}}"#);
    assert!(ask(&mut host, &alice, Hook::Merge, &failing(1)).starts_with("E201 "));
    let later = r#"{"abi":1,"now_ms":9,"reason":"refresh","changed_etag":"e","publications":["~1"]}"#;
    let told = ask(&mut host, &alice, Hook::Merge, later);
    assert!(told.starts_with("held ") && told.contains("on this state"), "{told}");
    assert!(ask(&mut host, &alice, Hook::View, &failing(2)).starts_with("E201 "));
    assert!(ask(&mut host, &alice, Hook::Merge, &failing(3)).starts_with("E201 "));
    for hook in [Hook::Merge, Hook::View] {
        let told = ask(&mut host, &alice, hook, CALM);
        assert!(told.starts_with("held ") && told.contains("too often"), "{told}");
    }
}

#[tokio::test]
async fn a_merge_under_way_ends_with_the_generation_that_it_began_with() {
    let library = Arc::new(open(None));
    assigned(&library, None).await;
    let (mut host, alice) = (door(&library), of(""));
    let began = host.assignment(&alice).unwrap();
    library.assign("ann", &Scope::All, Wanted::NOTHING).await.unwrap();
    assert_eq!(host.run(&alice, &began, Hook::Merge, CALM.as_bytes()), Ok(None));
    assert_eq!(host.assignment(&alice), None, "the next one goes by the new one");
}

#[tokio::test]
async fn the_last_good_answer_is_kept_where_it_is_wanted_and_until_a_restart() {
    for (on_failure, kept) in [(OnFailure::LastGood, true), (OnFailure::Builtin, false)] {
        let library = Arc::new(open(None));
        assigned(&library, Some(on_failure)).await;
        let (mut host, alice) = (door(&library), of(""));
        assert_eq!(ask(&mut host, &alice, Hook::Merge, CALM), "good");
        let assignment = host.assignment(&alice).unwrap();
        assert_eq!(host.last_good(&alice, &assignment).is_some(), kept, "{on_failure:?}");
        assert!(door(&library).last_good(&alice, &assignment).is_none(), "as after a restart");
    }
}

#[tokio::test]
async fn a_policy_whose_file_is_gone_stays_assigned_and_leaves_the_status_alone() {
    let folder = tempfile::tempdir().unwrap();
    let stored = || RedbStore::open(folder.path(), Durability::Process).unwrap();
    let opened = stored();
    let mut library = open(Some(&opened));
    let (writer, thread) = Writer::start(Box::new(opened), |_, _, _| {}).unwrap();
    library.store_in(writer.clone());
    let id = assigned(&library, Some(OnFailure::Builtin)).await;
    drop((library, writer));
    thread.join().unwrap();

    let mut opened = stored();
    opened.commit(&[Op::Delete { table: Table::Policies, key: Bytes::copy_from_slice(&id) }]).unwrap();
    let library = Arc::new(open(Some(&opened)));
    let (mut host, alice) = (door(&library), of(""));
    let assignment = host.assignment(&alice).unwrap();
    assert_eq!((assignment.id, assignment.on_failure, assignment.privacy), (id, OnFailure::Minimal, true));
    let failure = host.run(&alice, &assignment, Hook::Merge, CALM.as_bytes()).unwrap_err();
    assert_eq!(failure.code, PolicyFailure::HELD);
}

/// Without an opinion, after a loop that takes long.
const LONG: &str = r#"(module (memory (export "memory") 2 2)
    (func (export "presence_policy_abi_1"))
    (func (export "pp_alloc") (param i32) (result i32) (i32.const 8192))
    (func (export "pp_merge") (param i32 i32) (result i64) (local i32)
        (loop (br_if 0 (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (i32.const 60000))))
        (i64.const 0)))"#;

/// A library with that policy, a host of it, and where what is asked aside is answered.
async fn aside() -> (Arc<Library>, Host, Inbox) {
    let library = Arc::new(open(None));
    let file = Bytes::from(wat::parse_str(LONG).unwrap());
    let id = library.upload("ann", Some("long"), Brought::by_operator(file)).await.unwrap().entry.id();
    library.assign("ann", &Scope::All, Wanted { policy: Some(id), ..Wanted::NOTHING }).await.unwrap();
    let (shards, mut inboxes) = Shards::new(Router::new([0; 32], 1));
    let host = door(&library).with_aside(Aside::start(&shards).unwrap());
    (library, host, inboxes.remove(0))
}

fn begin(host: &mut Host, whose: &Presentity, number: u64) -> Option<Opinion> {
    let assignment = host.assignment(whose).unwrap();
    host.begin(whose, &assignment, Hook::Merge, CALM.as_bytes(), number)
}

#[tokio::test]
async fn a_policy_is_asked_aside_once_it_has_taken_long_and_its_answer_comes_under_its_number() {
    let (library, mut host, mut inbox) = aside().await;
    let alice = of("acme");
    assert_eq!(begin(&mut host, &alice, 1), Some(Ok(None)), "nobody knew");
    assert_eq!(begin(&mut host, &alice, 2), None);
    let Some(Task::Input(Input::PolicyAnswered { aor, question, ran })) = inbox.queue.recv().await else {
        panic!("an answer")
    };
    assert_eq!((&*aor, question, &ran.result), (alice.aor.as_str(), 2, &Ok(None)));
    assert!(ran.fuel > 200_000);
    // Who wants the answer at once gets it.
    assert_eq!(ask(&mut host, &alice, Hook::Merge, CALM), "good");
    assert_eq!(library.snapshot().policies().next().unwrap().figures().calls, 3);
}

#[tokio::test]
async fn calls_that_wait_are_paid_for_and_a_tenant_has_no_more_of_them_than_its_share_of_a_second() {
    let (library, host, _inbox) = aside().await;
    // Nobody answers meanwhile.
    let (aside, waiting) = Aside::busy(8);
    let mut host = host.with_aside(aside);
    let (acme, globex) = (of("acme"), of("globex"));
    assert_eq!(begin(&mut host, &acme, 0), Some(Ok(None)));
    // As if each call took what is paid back in twenty seconds.
    let entry = library.snapshot().policies().next().unwrap().clone();
    entry.counters.called((1_000_000, Duration::from_secs(1)), &[]);
    let mut begun = 0;
    while begin(&mut host, &acme, 1).is_none() {
        begun += 1;
        assert!(begun <= 1);
    }
    assert_eq!(begin(&mut host, &globex, 2), None, "another tenant has a share of its own");
    assert_eq!((begun, waiting.try_iter().count()), (1, 2));
}

#[tokio::test]
async fn where_too_many_calls_wait_the_shard_makes_them_itself() {
    let (_library, host, _inbox) = aside().await;
    let (aside, _waiting) = Aside::busy(0);
    let mut host = host.with_aside(aside);
    let alice = of("");
    for number in 0..3 {
        assert_eq!(begin(&mut host, &alice, number), Some(Ok(None)));
    }
    assert_eq!(host.fuel.map(|fuel| fuel > 200_000), Some(true), "and what it took is known");
}
