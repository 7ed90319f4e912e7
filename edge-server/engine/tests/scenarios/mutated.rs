//! Messages that were well-formed once. Whatever of them the message layer lets through, the shard
//! answers each request once, writes nothing that cannot be read, and does not panic.

use crate::scene::*;
use bytes::Bytes;
use proptest::prelude::*;
use tributary_sip::Message;

#[derive(Clone, Debug)]
enum Edit {
    Drop(prop::sample::Index),
    Double(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Byte(prop::sample::Index, u8),
    Word(prop::sample::Index, &'static str),
}

const WORDS: &[&str] = &[
    "",
    "*",
    "0",
    "-1",
    "99999999999999999999",
    "<sip:alice@example.com>;tag=x",
    "<sips:alice@example.com>",
    "<pres:alice@example.com>",
    "sip:%61lice@EXAMPLE.COM;x=y",
    "\"q\\\"uoted\" <sip:a@b>;expires=1;q=2",
    "presence;id=\u{e9}",
    "application/pidf+xml;q=0.0",
    "Digest username=\"alice\", realm=\"example.com\", nonce=\"x\", uri=\"sip:x\", response=\"0\"",
    "terminated;reason=giveup",
];

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        index().prop_map(Edit::Drop),
        index().prop_map(Edit::Double),
        (index(), index()).prop_map(|(a, b)| Edit::Swap(a, b)),
        (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
        (index(), prop::sample::select(WORDS)).prop_map(|(at, word)| Edit::Word(at, word)),
    ]
}

fn edited(text: &str, edits: &[Edit]) -> Vec<u8> {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<Vec<u8>> = head.split("\r\n").map(|line| line.as_bytes().to_vec()).collect();
    for edit in edits {
        if lines.is_empty() {
            break;
        }
        let count = lines.len();
        match edit {
            Edit::Drop(at) => drop(lines.remove(at.index(count))),
            Edit::Double(at) => lines.push(lines[at.index(count)].clone()),
            Edit::Swap(a, b) => lines.swap(a.index(count), b.index(count)),
            Edit::Byte(at, byte) => {
                let line = &mut lines[at.index(count)];
                if !line.is_empty() {
                    let place = at.index(line.len());
                    line[place] = *byte;
                }
            }
            Edit::Word(at, word) => {
                let line = &mut lines[at.index(count)];
                if let Some(colon) = line.iter().position(|&byte| byte == b':') {
                    line.truncate(colon + 1);
                    line.push(b' ');
                    line.extend_from_slice(word.as_bytes());
                }
            }
        }
    }
    let mut out = lines.join(&b"\r\n"[..]);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body.as_bytes());
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_request_that_can_be_read_is_answered_once(
        plan in prop::collection::vec((0..8_usize, prop::collection::vec(edit(), 0..4)), 1..12),
        password in any::<bool>(),
    ) {
        let mut scene = if password { Scene::with(crate::auth::with_password()) } else { Scene::new() };
        let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:1"));
        let mut watch = Watch {
            call_id: "c".to_owned(),
            from_tag: "f".to_owned(),
            to: "<sip:alice@example.com>;tag=0123456789abcdef".to_owned(),
            target: "sip:ps-0@example.com".to_owned(),
            cseq: 1,
        };
        if !password {
            watch = alice.watch(&mut scene, "alice").0;
        }
        for (kind, edits) in plan {
            let text = match kind {
                0 => alice.register_text(&mut scene, ";expires=600"),
                1 => alice.publish_text(&mut scene, &pidf("alice", "open"), "Expires: 60\r\n"),
                2 => alice.subscribe_text(&mut scene, "alice", "Accept: application/pidf+xml\r\n"),
                3 => alice.refresh_text(&mut scene, &mut watch, "Expires: 600\r\n"),
                4 => alice.publish_text(&mut scene, "", "SIP-If-Match: x\r\n"),
                // To her own device.
                5 | 6 => {
                    let method = if kind == 5 { "INVITE" } else { "MESSAGE" };
                    let head = alice.head(&mut scene, method, "sip:alice@example.com", "sip:alice@example.com");
                    format!(
                        "{head}Accept-Contact: *;audio;explicit, *;methods=\"INVITE\"\r\nReject-Contact: *;automata\r\n\
                         Request-Disposition: no-fork, parallel\r\nRoute: <sip:example.com;lr>\r\nMax-Breadth: 9\r\n\
                         Contact: <{}>\r\nContent-Length: 0\r\n\r\n",
                        alice.contact,
                    )
                }
                _ => alice.head(&mut scene, "OPTIONS", "sip:example.com", "sip:example.com") + "Content-Length: 0\r\n\r\n",
            };
            let bytes = edited(&text, &edits);
            let Ok(message) = Message::parse(Bytes::from(bytes.clone())) else { continue };
            let answered = message.is_request() && message.method().as_str() != "ACK";
            let (cseq, call_id) = (message.header(tributary_sip::Name::CSeq).map(str::to_owned), message.call_id().to_owned());
            scene.give(alice.flow, message);
            let mut answers = 0;
            while let Some(sent) = scene.next(alice.flow) {
                if sent.is_request() {
                    scene.answer(alice.flow, &sent, 200);
                } else {
                    prop_assert_eq!(sent.header(tributary_sip::Name::CSeq), cseq.as_deref());
                    prop_assert_eq!(sent.call_id(), &call_id);
                    answers += 1;
                }
            }
            prop_assert_eq!(answers, usize::from(answered), "{}", String::from_utf8_lossy(&bytes));
        }
        scene.disconnect(alice.flow);
        scene.pass(7_200_000);
        let counts = scene.counts();
        prop_assert_eq!((counts.presentities, counts.flows, counts.timers, scene.store.len()), (0, 0, 0, 0));
        prop_assert_eq!((counts.proxied, counts.transactions), (0, 0));
    }
}
