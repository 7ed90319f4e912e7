//! A shard in which Alice has published over four devices and a number of watchers look on.

use bytes::Bytes;
use merge_core::live::Switches;
use merge_core::time::Millis;
use std::sync::Arc;
use tributary_engine::{
    Config, Effect, Effects, Flow, FlowId, Hop, Input, Limits, NoPolicies, Shard, Transport,
};
use tributary_sip::{Message, Name, ResponseBuilder, Status};

/// Benchmarks of time look at presence alone.
#[allow(dead_code, reason = "each benchmark has its own stage")]
pub(crate) mod calls;
#[allow(dead_code, reason = "each benchmark has its own stage")]
pub(crate) mod logins;

const NOW: Millis = Millis(1_795_225_680_000);

/// The shard, and what is needed to let Alice publish again.
pub(crate) struct Stage {
    shard: Shard,
    effects: Effects,
    etag: String,
    round: u64,
}

impl Stage {
    /// Alice's devices and her watchers, all quiet.
    pub(crate) fn new(watchers: u64) -> Self {
        let config = Config {
            switches: Switches { notify_closed_state_for_non_published_users: true, ..Switches::default() },
            limits: Limits { transactions_per_shard: 64, ..Limits::default() },
            ..Config::of_trial("example.com")
        };
        let shard = Shard::new(Arc::new(config), [1; 32], 0);
        let mut stage = Self { shard, effects: Effects::new(), etag: String::new(), round: 0 };
        for device in 0..4 {
            stage.etag.clear();
            let publish = stage.next_publish(device);
            stage.publish(publish);
        }
        for watcher in 0..watchers {
            stage.give(100 + watcher, subscribe(watcher));
            stage.answer();
        }
        stage
    }

    /// The bytes of the next PUBLISH of a device, with another note than the last.
    pub(crate) fn next_publish(&mut self, device: u64) -> Bytes {
        self.round += 1;
        let n = self.round;
        let body = document(device, n);
        let named =
            if self.etag.is_empty() { String::new() } else { format!("SIP-If-Match: {}\r\n", self.etag) };
        let text = format!(
            "PUBLISH sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKp{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:alice@example.com>;tag=p{n}\r\nTo: <sip:alice@example.com>\r\nCall-ID: p{n}\r\nCSeq: 1 PUBLISH\r\n\
             Event: presence\r\nExpires: 600\r\n{named}User-Agent: SIP.js/0.21.1\r\n\
             Content-Type: application/pidf+xml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Bytes::from(text)
    }

    /// One PUBLISH from its bytes to the bytes of all that is sent; gives their number.
    pub(crate) fn publish(&mut self, bytes: Bytes) -> usize {
        self.give(1, bytes);
        let mut written = 0;
        for effect in self.effects.as_slice() {
            if let Effect::Send { packet, .. } = effect {
                written += packet.to_bytes().len();
            }
        }
        written
    }

    /// The watchers answer what they were sent; Alice learns her entity-tag.
    pub(crate) fn answer(&mut self) {
        let effects: Vec<_> = self.effects.drain().collect();
        for effect in effects {
            let Effect::Send { hop, packet, .. } = effect else { continue };
            let Ok(message) = Message::parse(packet.to_bytes()) else { continue };
            if message.is_request() {
                let answer = ResponseBuilder::new(&message, Status::OK).build().unwrap_or_default();
                self.give(hop.flow.0, answer);
                self.effects.drain();
            } else if let Some(etag) = message.header(Name::SipEtag) {
                self.etag = etag.to_owned();
            }
        }
    }

    fn give(&mut self, flow: u64, bytes: Bytes) {
        give(&mut self.shard, &mut self.effects, flow, bytes);
    }
}

fn give(shard: &mut Shard, effects: &mut Effects, flow: u64, bytes: Bytes) {
    let peer = ([127, 0, 0, 1], 9).into();
    let flow = Flow::new(Hop { flow: FlowId(flow), transport: Transport::Ws, peer });
    if let Ok(message) = Message::parse(bytes) {
        shard.handle(NOW, Input::Message { flow, message }, &mut NoPolicies, effects);
    }
}

fn subscribe(n: u64) -> Bytes {
    Bytes::from(format!(
        "SUBSCRIBE sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKs{n}\r\nMax-Forwards: 69\r\n\
         To: <sip:alice@example.com>\r\nFrom: <sip:watcher{n}@example.com>;tag=k2rbqvl1{n}\r\n\
         Call-ID: 9qf7l0m8ugv1ct4o3k{n}\r\nCSeq: 4217 SUBSCRIBE\r\nEvent: presence\r\nExpires: 3600\r\n\
         Contact: <sip:k3o0v9q1@4rgmpt5vtd9k.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n"
    ))
}

fn document(device: u64, round: u64) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"\n\
          xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" xmlns:caps=\"urn:ietf:params:xml:ns:pidf:caps\"\n\
          entity=\"sip:alice@example.com\">\n\
  <tuple id=\"t{device}\">\n    <status><basic>open</basic></status>\n\
    <rpid:user-input idle-threshold=\"600\" last-input=\"2026-11-21T09:40:00Z\">active</rpid:user-input>\n\
    <dm:deviceID>urn:uuid:48662e19-5fbf-43fc-a2fd-d2300278759{device}</dm:deviceID>\n\
    <caps:servcaps>\n      <caps:audio>true</caps:audio>\n      <caps:video>true</caps:video>\n\
      <caps:message>true</caps:message>\n    </caps:servcaps>\n\
    <contact priority=\"0.8\">sip:alice@device{device}.example.com</contact>\n\
    <note xml:lang=\"en\">At my desk until five, then on the train; round {round}</note>\n\
    <timestamp>2026-11-21T09:47:0{device}Z</timestamp>\n  </tuple>\n\
  <dm:person id=\"p1\">\n    <rpid:activities>\n      <rpid:note>Quarterly planning</rpid:note>\n      <rpid:meeting/>\n\
    </rpid:activities>\n    <rpid:mood><rpid:happy/></rpid:mood>\n\
    <rpid:place-type><rpid:office/></rpid:place-type>\n    <rpid:sphere>work</rpid:sphere>\n\
    <dm:note xml:lang=\"nl\">In overleg</dm:note>\n    <dm:timestamp>2026-11-21T09:47:0{device}Z</dm:timestamp>\n  </dm:person>\n\
  <dm:device id=\"d1\">\n    <dm:deviceID>urn:uuid:48662e19-5fbf-43fc-a2fd-d2300278759{device}</dm:deviceID>\n\
    <dm:note>Desk</dm:note>\n  </dm:device>\n</presence>\n"
    )
}
