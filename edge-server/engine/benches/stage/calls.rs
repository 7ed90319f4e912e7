//! A shard in which Bob has three devices, and Alice calls him.

use super::give;
use bytes::Bytes;
use std::sync::Arc;
use tributary_engine::{Config, Effect, Effects, Shard};
use tributary_sip::{Message, Method, Name, ResponseBuilder, Status};

/// Alice's connection; the devices have those from 1 on.
const CALLER: u64 = 50;

/// The shard.
pub(crate) struct Calls {
    shard: Shard,
    effects: Effects,
}

impl Calls {
    /// Bob's devices, registered.
    pub(crate) fn new(devices: u64) -> Self {
        let shard = Shard::new(Arc::new(Config::of_trial("example.com")), [1; 32], 0);
        let mut calls = Self { shard, effects: Effects::new() };
        for device in 1..=devices {
            give(&mut calls.shard, &mut calls.effects, device, register(device));
        }
        calls.effects.drain();
        calls
    }

    /// An INVITE from its bytes to those for all devices; gives their number.
    pub(crate) fn fork(&mut self, invite: Bytes) -> usize {
        give(&mut self.shard, &mut self.effects, CALLER, invite);
        self.effects.as_slice().iter().filter(|effect| matches!(effect, Effect::Send { .. })).count()
    }

    /// The call goes on to its 200: all devices ring, the first answers, the others are told so. What the
    /// devices write is counted with it. Gives the number of requests that they got.
    pub(crate) fn answered(&mut self) -> usize {
        let invites = self.requests();
        for (flow, invite) in &invites {
            self.answer(*flow, invite, Status::new(180).unwrap_or(Status::OK));
        }
        if let Some((flow, invite)) = invites.first() {
            self.answer(*flow, invite, Status::OK);
        }
        let cancels = self.requests();
        for (flow, cancel) in &cancels {
            self.answer(*flow, cancel, Status::OK);
            if let Some((_, invite)) = invites.iter().find(|(of, _)| of == flow) {
                self.answer(*flow, invite, Status::REQUEST_TERMINATED);
            }
        }
        invites.len() + cancels.len() + self.requests().len()
    }

    /// The requests that were sent to devices.
    fn requests(&mut self) -> Vec<(u64, Message)> {
        let sent = self.effects.drain().filter_map(|effect| match effect {
            Effect::Send { hop, packet, .. } => Some((hop.flow.0, Message::parse(packet.to_bytes()).ok()?)),
            _ => None,
        });
        sent.filter(|(_, message)| message.is_request()).collect()
    }

    fn answer(&mut self, flow: u64, request: &Message, status: Status) {
        let mut answer = ResponseBuilder::new(request, status).to_tag("device");
        if request.method() == Method::Invite {
            let contact = "<sip:bob@192.0.2.4;transport=ws>";
            answer = answer.echo(Name::RecordRoute).header(Name::Contact, contact);
        }
        give(&mut self.shard, &mut self.effects, flow, answer.build().unwrap_or_default());
    }
}

/// Alice's INVITE, as JsSIP writes it but for a shorter body.
pub(crate) fn invite() -> Bytes {
    let body = "v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
        .repeat(12);
    Bytes::from(format!(
        "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKi1\r\nMax-Forwards: 69\r\n\
         To: <sip:bob@example.com>\r\nFrom: \"Alice\" <sip:alice@example.com>;tag=i1\r\nCall-ID: i1\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:alice@x.invalid;transport=ws;ob>\r\nContent-Type: application/sdp\r\nSession-Expires: 90\r\n\
         Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\nSupported: timer,ice,replaces,outbound\r\n\
         User-Agent: JsSIP 3.13\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn register(device: u64) -> Bytes {
    Bytes::from(format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKr{device}\r\nMax-Forwards: 69\r\n\
         To: <sip:bob@example.com>\r\nFrom: <sip:bob@example.com>;tag=r{device}\r\nCall-ID: r{device}\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:d{device}@x.invalid;transport=ws>;+sip.ice;reg-id=1;+sip.instance=\"<urn:uuid:{device}>\";expires=600\r\n\
         Supported: path,gruu,outbound\r\nContent-Length: 0\r\n\r\n"
    ))
}
