//! Which devices a request is for: those named by epid (R7), and those that take part in forking (R9).

use crate::calls::{BOB, answer_of, expect, reply, request_text};
use crate::scene::*;
use tributary_engine::{Config, ForkPolicy, Forking, SaysForking};

/// A REGISTER with something more in From, in Contact, and in Supported.
fn register(scene: &mut Scene, client: &mut Client, epid: &str, contact: &str, supported: &str) {
    let text = client.register_text(scene, &format!("{contact};expires=600"));
    let (head, tail) = text.split_once(";tag=").unwrap();
    let text = format!("{head}{epid};tag={tail}").replace("path,gruu,outbound", supported);
    assert_eq!(code(&scene.ask(client.flow, &text)), 200);
}

/// Calls Bob with this To, and says which of his devices ring, or what the caller is answered. The call is over then.
fn rings(
    scene: &mut Scene,
    alice: &Client,
    devices: &[&Client],
    method: &str,
    to: &str,
    more: &str,
) -> Result<Vec<usize>, u16> {
    let text = request_text(scene, alice, method, BOB, more)
        .replace("To: <sip:bob@example.com>", &format!("To: {to}"));
    scene.send(alice.flow, &text);
    let asked: Vec<usize> =
        (0..devices.len()).filter(|&at| !scene.inbox(devices[at].flow).is_empty()).collect();
    for &at in &asked {
        let came = expect(scene, devices[at], method);
        reply(scene, devices[at], &came, 486);
        if method == "INVITE" {
            expect(scene, devices[at], "ACK");
        }
    }
    let answered = code(&answer_of(scene, alice));
    if asked.is_empty() { Err(answered) } else { Ok(asked) }
}

#[test]
fn r7_a_caller_names_one_device_by_the_epid_of_to() {
    for refuse_unknown_epid in [true, false] {
        let forking = Forking { refuse_unknown_epid, ..Forking::default() };
        let mut scene = Scene::with(Config { forking, ..config() });
        let alice = Client::new(&mut scene, "alice", None);
        let mut plain = Client::new(&mut scene, "bob", None);
        let mut named = Client::new(&mut scene, "bob", None);
        let mut both = Client::new(&mut scene, "bob", Some("urn:uuid:both"));
        register(&mut scene, &mut plain, "", "", "path");
        register(&mut scene, &mut named, ";epid=0A1b", "", "path");
        register(&mut scene, &mut both, ";epid=77", "", "path");
        let mut check = |to: &str, expect: Result<Vec<usize>, u16>| {
            for method in ["INVITE", "MESSAGE"] {
                let devices = [&plain, &named, &both];
                assert_eq!(rings(&mut scene, &alice, &devices, method, to, ""), expect, "{method} {to}");
            }
        };
        check("<sip:bob@example.com>;epid=0a1b", Ok(vec![1]));
        check("<sip:bob@example.com>;epid=77", Ok(vec![2]));
        check("<sip:bob@example.com>", Ok(vec![0, 1, 2]));
        check("<sip:bob@example.com>;epid=", Ok(vec![0, 1, 2]));
        let unknown = if refuse_unknown_epid { Err(480) } else { Ok(vec![0, 1, 2]) };
        check("<sip:bob@example.com>;epid=gone", unknown);
        // Whoever the call was for at first had another device of that name.
        check("<sip:carol@example.com>;epid=77", Ok(vec![0, 1, 2]));
        scene.restart(1_000);
        let mut alice = alice.clone();
        alice.reconnect(&mut scene);
        both.reconnect(&mut scene);
        register(&mut scene, &mut both, "", "", "path");
        let to = "<sip:bob@example.com>;epid=77";
        let after = rings(&mut scene, &alice, &[&both], "MESSAGE", to, "");
        assert_eq!(after, if refuse_unknown_epid { Err(480) } else { Ok(vec![0]) }, "it is named so no more");
    }
}

/// The devices that get a call, of three that take part in forking or not, the first with the highest q.
fn forked(policy: ForkPolicy, by_supported: bool, can: [bool; 3], more: &str) -> Vec<usize> {
    let says = match by_supported {
        true => SaysForking::BySupported,
        false => SaysForking::NotByTag("+com.example.nofork".to_owned()),
    };
    let forking = Forking { policy, says, ..Forking::default() };
    let mut scene = Scene::with(Config { forking, ..config() });
    let alice = Client::new(&mut scene, "alice", None);
    let mut devices = Vec::new();
    for can in can.into_iter().rev() {
        let mut bob = Client::new(&mut scene, "bob", None);
        let (contact, supported) = match (by_supported, can) {
            (true, true) => ("", "path, MS-Forking"),
            (true, false) => ("", "path"),
            (false, true) => ("", "path"),
            (false, false) => (";+com.example.nofork", "path"),
        };
        // The one that registers last is the best of equals.
        register(&mut scene, &mut bob, "", contact, supported);
        devices.insert(0, bob);
    }
    let all: Vec<&Client> = devices.iter().collect();
    rings(&mut scene, &alice, &all, "INVITE", "<sip:bob@example.com>", more).unwrap()
}

#[test]
fn r9_devices_that_take_no_part_in_forking_get_what_the_policy_leaves_them() {
    for bits in 0..8_u8 {
        let can = [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0];
        let able: Vec<usize> = (0..3).filter(|&at| can[at]).collect();
        let everyone = vec![0, 1, 2];
        for by_supported in [false, true] {
            let check = |policy, expect: &Vec<usize>| {
                assert_eq!(
                    forked(policy, by_supported, can, ""),
                    *expect,
                    "{policy:?} {by_supported} {can:?}"
                );
            };
            check(ForkPolicy::All, &everyone);
            check(
                ForkPolicy::Exclude,
                if able.is_empty() { &everyone[..1] } else { &able }.to_vec().as_ref(),
            );
            check(
                ForkPolicy::AllOrBest,
                if able.len() == 3 { &everyone } else { &everyone[..1] }.to_vec().as_ref(),
            );
        }
    }
}

#[test]
fn r9_a_device_that_takes_no_part_in_forking_is_reached_alone() {
    let no_fork = "Request-Disposition: no-fork\r\n";
    for policy in [ForkPolicy::All, ForkPolicy::Exclude, ForkPolicy::AllOrBest] {
        assert_eq!(forked(policy, false, [false, true, true], no_fork), [0], "{policy:?}");
    }
    let mut scene = Scene::with(Config {
        forking: Forking { policy: ForkPolicy::Exclude, ..Forking::default() },
        ..config()
    });
    let alice = Client::new(&mut scene, "alice", None);
    let mut shy = Client::new(&mut scene, "bob", Some("urn:uuid:shy"));
    let mut other = Client::new(&mut scene, "bob", Some("urn:uuid:other"));
    register(&mut scene, &mut shy, ";epid=shy", ";+tributary.nofork", "path");
    register(&mut scene, &mut other, "", "", "path");
    let mut check = |to: &str, more: &str, expect: usize| {
        assert_eq!(
            rings(&mut scene, &alice, &[&shy, &other], "INVITE", to, more),
            Ok(vec![expect]),
            "{to} {more}"
        );
    };
    check("<sip:bob@example.com>", "", 1);
    check("<sip:bob@example.com>;epid=shy", "", 0);
    check(
        "<sip:bob@example.com>",
        "Accept-Contact: *;+sip.instance=\"<urn:uuid:shy>\";require;explicit\r\n",
        0,
    );
}
