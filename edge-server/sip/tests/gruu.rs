//! GRUUs by section of RFC 5627 and by requirement, and flow tokens of RFC 5626.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use tributary_sip::flow_token::FlowToken;
use tributary_sip::gruu::{Gruu, Standing, Temporary};
use tributary_sip::transaction::{FlowId, Hop, Transport};
use tributary_sip::{Aor, InstanceId, SealingKeys, Status, Uri};

const URN: &str = "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";

fn keys() -> SealingKeys {
    SealingKeys::new([7; 32], &[])
}

fn gruu(uri: &str) -> Option<Gruu<'_>> {
    Gruu::of(&Uri::parse(uri).unwrap())
}

#[test]
fn section_3_1_1_a_public_gruu_is_the_aor_and_the_instance_and_reads_back() {
    let alice = Aor::parse("sip:alice@Example.com").unwrap();
    let check = |instance: &str, expect: &str| {
        let instance = InstanceId::new(instance).unwrap();
        let made = Gruu::public(&alice, instance);
        assert_eq!(made, expect);
        let read = gruu(&made).unwrap();
        assert!(read.is_of(instance), "{read:?}");
        assert_eq!(read, Gruu::Public { aor: alice.clone(), instance: instance.urn().into() });
    };
    check(URN, "sip:alice@example.com;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    check("<urn:x:a;b=c?d%é>", "sip:alice@example.com;gr=urn:x:a%3Bb%3Dc%3Fd%25%C3%A9");
}

#[test]
fn an_instance_is_named_in_any_case() {
    let instance = InstanceId::new(URN).unwrap();
    assert!(gruu("sip:a@b;gr=URN:UUID:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6").unwrap().is_of(instance));
    assert!(!gruu("sip:a@b;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf7").unwrap().is_of(instance));
}

#[test]
fn what_has_no_gr_is_no_gruu_and_what_we_do_not_make_is_unknown() {
    for none in ["sip:alice@example.com", "sip:alice@example.com;ob", "tel:+1;gr=x", "sip:a@b;grr=1"] {
        assert_eq!(gruu(none), None, "{none}");
    }
    for unknown in ["sip:alice@example.com;gr", "sip:example.com;gr=urn:x:y", "sip:a@b;gr=%ff"] {
        assert_eq!(gruu(unknown), Some(Gruu::Unknown), "{unknown}");
    }
}

#[test]
fn r6_a_temporary_gruu_names_its_device_without_a_word_of_its_user() {
    let held = Temporary { holder: 4711, generation: 12 };
    let made = held.seal(&keys(), [1; 8], "example.com");
    let Some(Gruu::Temporary(sealed)) = gruu(&made) else { panic!("{made}") };
    assert_eq!(Temporary::open(&keys(), sealed), Some(held));
    // Another domain's, another key's, and a forged one are none.
    assert_eq!(Temporary::open(&SealingKeys::new([8; 32], &[]), sealed), None);
    for forged in ["", "x", &sealed[1..], &format!("{sealed}A")] {
        assert_eq!(Temporary::open(&keys(), forged), None, "{forged}");
    }
    // A flow token is no GRUU.
    let hop = Hop { flow: FlowId(1), transport: Transport::Tcp, peer: ([192, 0, 2, 1], 1).into() };
    assert_eq!(Temporary::open(&keys(), &FlowToken { run: 1, hop, opened: false }.seal(&keys())), None);
}

#[test]
fn section_5_1_no_two_temporary_gruus_look_alike_whoever_they_are_of() {
    let mut seen = BTreeSet::new();
    for n in 0..200u64 {
        // Every second one is of the same device.
        let held = Temporary { holder: n % 2 * n, generation: n % 2 * n };
        let made = held.seal(&keys(), n.to_be_bytes(), "example.com");
        let user = made.strip_prefix("sip:tgruu.").unwrap().strip_suffix("@example.com;gr").unwrap();
        assert_eq!(user.len(), 54);
        // No eight letters of one are in another: nothing of holder or generation shows.
        for at in 0..=user.len() - 8 {
            assert!(seen.insert(user[at..at + 8].to_owned()), "{user}");
        }
    }
}

#[test]
fn r6_404_for_what_is_invalid_and_480_for_who_is_not_there() {
    let refused = |standing: Standing| standing.refusal().map(Status::code);
    let public = |instance, known, registered| refused(Standing::of_public(instance, known, registered));
    assert_eq!(public("urn:uuid:1", true, true), None);
    assert_eq!(public("urn:uuid:1", true, false), Some(480));
    assert_eq!(public("urn:uuid:1", false, false), Some(404));
    assert_eq!(public("nonsense", true, false), Some(404));
    assert_eq!(public("nonsense", true, true), None);
    let current = Temporary { holder: 1, generation: 5 };
    let temporary = |held| refused(Standing::of_temporary(held, |held| held == current));
    assert_eq!(temporary(Some(current)), None);
    // After a Call-ID change, after deregistration, and for what does not open.
    assert_eq!(temporary(Some(Temporary { generation: 4, ..current })), Some(404));
    assert_eq!(refused(Standing::of_temporary(Some(current), |_| false)), Some(404));
    assert_eq!(temporary(None), Some(404));
}

proptest! {
    #[test]
    fn rfc_5626_5_2_a_flow_is_recovered_from_its_token_and_a_changed_token_is_none(
        run in any::<u64>(),
        flow in any::<u64>(),
        transport in 0usize..5,
        ip in prop_oneof![any::<[u8; 4]>().prop_map(std::net::IpAddr::from), any::<[u8; 16]>().prop_map(std::net::IpAddr::from)],
        port in any::<u16>(),
        opened in any::<bool>(),
        change in any::<prop::sample::Index>(),
    ) {
        let transport = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss][transport];
        let hop = Hop { flow: FlowId(flow), transport, peer: (ip, port).into() };
        let token = FlowToken { run, hop, opened };
        let text = token.seal(&keys());
        let uri = format!("sip:{text}@edge.example;lr;ob");
        prop_assert_eq!(Uri::parse(&uri).unwrap().user, Some(text.as_str()));
        prop_assert!(text.len() <= 68);
        prop_assert_eq!(FlowToken::open(&keys(), &text), Some(token));
        let mut forged = text.into_bytes();
        let at = change.index(forged.len());
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        prop_assert_eq!(FlowToken::open(&keys(), std::str::from_utf8(&forged).unwrap()), None);
    }

    #[test]
    fn no_text_opens(text in "[A-Za-z0-9_-]{0,120}|.{0,40}") {
        prop_assert_eq!(FlowToken::open(&keys(), &text), None);
        prop_assert_eq!(Temporary::open(&keys(), &text), None);
    }
}

#[test]
fn r19_a_request_is_outgoing_by_its_own_flow_only() {
    let hop = Hop { flow: FlowId(3), transport: Transport::Wss, peer: ([192, 0, 2, 1], 4000).into() };
    let token = FlowToken { run: 9, hop, opened: false };
    assert!(token.is_source(9, &hop));
    assert!(!token.is_source(8, &hop), "the name of a flow of another run says nothing");
    assert!(!token.is_source(9, &Hop { flow: FlowId(4), ..hop }));
}
