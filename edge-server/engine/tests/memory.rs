//! What an idle subscription and a live publication weigh.
//!
//! Counting needs an allocator of our own, and that needs `unsafe`; so it lives in this test,
//! outside the crate. Each allocation is counted as the system's allocator keeps it: eight bytes of
//! its own, rounded up to sixteen.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]
use bytes::Bytes;
use merge_core::live::Switches;
use merge_core::time::Millis;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use tributary_engine::{Config, Effect, Effects, Flow, FlowId, Hop, Input, NoPolicies, Shard, Transport};
use tributary_sip::{Message, ResponseBuilder, Status};

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn kept(size: usize) -> isize {
    (size + 8).next_multiple_of(16) as isize
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting
// touches a thread-local cell that itself never allocates.
#[allow(unsafe_code, reason = "a global allocator cannot be written without it")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.with(|live| live.set(live.get() + kept(layout.size())));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.with(|live| live.set(live.get() - kept(layout.size())));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.with(|live| live.set(live.get() + kept(size) - kept(layout.size())));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const COUNT: usize = 10_000;
const START: i64 = 1_795_225_680_000;

fn shard() -> Shard {
    let config = Config {
        switches: Switches { notify_closed_state_for_non_published_users: true, ..Switches::default() },
        ..Config::of_trial("example.com")
    };
    Shard::new(Arc::new(config), [1; 32], 0)
}

/// Gives a message to the shard and answers every NOTIFY that comes of it.
fn play(shard: &mut Shard, effects: &mut Effects, flow: u64, text: String) {
    let peer = ([127, 0, 0, 1], 9).into();
    let flow = Flow::new(Hop { flow: FlowId(flow), transport: Transport::Ws, peer });
    let message = Message::parse(Bytes::from(text)).unwrap();
    shard.handle(Millis(START), Input::Message { flow: flow.clone(), message }, &mut NoPolicies, effects);
    let sent: Vec<Bytes> = effects
        .drain()
        .filter_map(|effect| match effect {
            Effect::Send { packet, .. } => Some(packet.to_bytes()),
            _ => None,
        })
        .collect();
    for bytes in sent {
        let message = Message::parse(bytes).unwrap();
        if message.is_request() {
            let answer = ResponseBuilder::new(&message, Status::OK).build().unwrap();
            let message = Message::parse(answer).unwrap();
            shard.handle(
                Millis(START),
                Input::Message { flow: flow.clone(), message },
                &mut NoPolicies,
                effects,
            );
            effects.drain();
        } else {
            assert_eq!(message.status(), Some(Status::OK), "{}", String::from_utf8_lossy(message.raw()));
        }
    }
}

/// The bytes that each of many things weighs once the answers kept for repetitions are gone.
fn weigh(text: impl Fn(usize) -> String) -> (isize, Shard) {
    let before = LIVE.with(Cell::get);
    let (mut shard, mut effects) = (shard(), Effects::new());
    for n in 0..COUNT {
        play(&mut shard, &mut effects, n as u64 + 1, text(n));
    }
    shard.handle(Millis(START + 33_000), Input::Tick, &mut NoPolicies, &mut effects);
    drop(effects);
    assert_eq!(shard.counts().transactions, 0);
    ((LIVE.with(Cell::get) - before) / COUNT as isize, shard)
}

fn subscribe(watcher: &str, n: usize) -> String {
    format!(
        "SUBSCRIBE sip:{watcher}@example.com SIP/2.0\r\nVia: SIP/2.0/WS 4rgmpt5vtd9k.invalid;branch=z9hG4bK{n}\r\n\
         Max-Forwards: 69\r\nTo: <sip:{watcher}@example.com>\r\nFrom: \"Watcher {n}\" <sip:watcher{n}@example.com>;tag=k2rbqvl1{n}\r\n\
         Call-ID: 9qf7l0m8ugv1ct4o3k{n}\r\nCSeq: 4217 SUBSCRIBE\r\nEvent: presence\r\nExpires: 3600\r\n\
         Accept: application/pidf+xml\r\nContact: <sip:k3o0v9q1@4rgmpt5vtd9k.invalid;transport=ws>\r\n\
         Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\n\
         User-Agent: JsSIP 3.13.8\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A document as rich clients write them: 1.4 KB.
fn document(user: &str) -> String {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"\n\
          xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" xmlns:caps=\"urn:ietf:params:xml:ns:pidf:caps\"\n\
          entity=\"sip:{user}@example.com\">\n\
  <tuple id=\"t6c1f0a\">\n    <status><basic>open</basic></status>\n\
    <rpid:user-input idle-threshold=\"600\" last-input=\"2026-11-21T09:40:00Z\">active</rpid:user-input>\n\
    <dm:deviceID>urn:uuid:48662e19-5fbf-43fc-a2fd-d23002787599</dm:deviceID>\n\
    <caps:servcaps>\n      <caps:audio>true</caps:audio>\n      <caps:video>true</caps:video>\n\
      <caps:message>true</caps:message>\n    </caps:servcaps>\n\
    <contact priority=\"0.8\">sip:{user}@desk.example.com</contact>\n\
    <note xml:lang=\"en\">At my desk until five, then on the train; reach me on the mobile, but not in the tunnel</note>\n\
    <timestamp>2026-11-21T09:47:00Z</timestamp>\n  </tuple>\n\
  <dm:person id=\"p1\">\n    <rpid:activities>\n      <rpid:note>Quarterly planning</rpid:note>\n      <rpid:meeting/>\n\
    </rpid:activities>\n    <rpid:mood><rpid:happy/></rpid:mood>\n\
    <rpid:place-type><rpid:office/></rpid:place-type>\n    <rpid:sphere>work</rpid:sphere>\n\
    <dm:note xml:lang=\"nl\">In overleg</dm:note>\n    <dm:timestamp>2026-11-21T09:47:00Z</dm:timestamp>\n  </dm:person>\n\
  <dm:device id=\"d1\">\n    <dm:deviceID>urn:uuid:48662e19-5fbf-43fc-a2fd-d23002787599</dm:deviceID>\n\
    <dm:note>The desk phone by the window</dm:note>\n  </dm:device>\n</presence>\n"
    );
    assert!((1_350..=1_600).contains(&text.len()), "{}", text.len());
    text
}

fn publish(n: usize) -> String {
    let body = document(&format!("user{n}"));
    format!(
        "PUBLISH sip:user{n}@example.com SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n\
         From: <sip:user{n}@example.com>;tag=1\r\nTo: <sip:user{n}@example.com>\r\nCall-ID: c{n}\r\nCSeq: 1 PUBLISH\r\n\
         Event: presence\r\nUser-Agent: SIP.js/0.21.1\r\nContent-Type: application/pidf+xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn the_document_itself_is_most_of_a_publication() {
    let before = LIVE.with(Cell::get);
    let document = Arc::new(merge_core::model::Document::read(document("user1").as_bytes()).unwrap());
    let bytes = LIVE.with(Cell::get) - before;
    println!("{bytes} bytes a document of {} bytes", document.source().len());
    assert!(bytes <= 3_000, "{bytes} bytes");
}

#[test]
fn an_idle_subscription_weighs_at_most_one_and_a_half_kilobytes() {
    let (bytes, shard) = weigh(|n| subscribe("alice", n));
    assert_eq!(shard.counts().subscriptions, COUNT);
    println!("{bytes} bytes an idle subscription");
    assert!(bytes <= 1_536, "{bytes} bytes");
}

#[test]
fn a_publication_of_1400_bytes_weighs_at_most_three_and_a_half_kilobytes() {
    let (bytes, shard) = weigh(publish);
    assert_eq!(shard.counts().publications, COUNT);
    println!("{bytes} bytes a publication");
    assert!(bytes <= 3_584, "{bytes} bytes");
}
