//! A table with its clock, and messages to feed it.

use std::net::SocketAddr;

use bytes::Bytes;
use tributary_sip::transaction::{
    Capacity, ClientVia, Effect, FlowId, Hop, Input, Packet, Timing, TransactionId, Transactions, Transport,
};
use tributary_sip::{Message, Method, Name, RequestBuilder, ResponseBuilder, Status};

pub(crate) struct Party {
    pub(crate) table: Transactions,
    pub(crate) now: u64,
}

impl Party {
    pub(crate) fn new() -> Party {
        Party::with(Capacity::DEFAULT)
    }

    pub(crate) fn with(capacity: Capacity) -> Party {
        Party { table: Transactions::new(Timing::DEFAULT, capacity, [7, 9]), now: 1_000_000 }
    }

    /// Keeps what it answered over reliable transports so many milliseconds.
    pub(crate) fn lingering(reliable_linger: u32, capacity: Capacity) -> Party {
        let timing = Timing { reliable_linger, ..Timing::DEFAULT };
        Party { table: Transactions::new(timing, capacity, [7, 9]), now: 1_000_000 }
    }

    pub(crate) fn give(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.table.handle(self.now, input, &mut effects);
        effects
    }

    pub(crate) fn receive(&mut self, hop: Hop, text: &Bytes) -> Vec<Effect> {
        self.give(Input::Received { hop, message: read(text) })
    }

    pub(crate) fn answer(&mut self, request: &Incoming, code: u16) -> Vec<Effect> {
        let (status, response) = response(&request.message, code);
        self.give(Input::Respond { transaction: request.transaction, status, response })
    }

    /// Lets the time pass to the next deadline; what happens then, and when.
    pub(crate) fn next(&mut self) -> Option<(u64, Vec<Effect>)> {
        self.now = self.table.poll_timeout()?;
        Some((self.now, self.give(Input::Tick)))
    }

    /// Lets all timers fire: every effect with its time since the beginning.
    pub(crate) fn run_out(&mut self) -> Vec<(u64, Effect)> {
        let began = self.now;
        let mut all = Vec::new();
        while let Some((at, effects)) = self.next() {
            all.extend(effects.into_iter().map(|effect| (at - began, effect)));
        }
        assert!(self.table.is_empty() && self.table.held_bytes() == 0);
        all
    }
}

/// A request that came out of a table.
pub(crate) struct Incoming {
    pub(crate) transaction: TransactionId,
    pub(crate) message: Message,
    pub(crate) cancels: Option<TransactionId>,
    pub(crate) merged: bool,
}

pub(crate) fn incoming(effects: Vec<Effect>) -> Incoming {
    let mut requests = effects.into_iter().filter_map(|effect| match effect {
        Effect::Request { transaction, message, cancels, merged, .. } => {
            Some(Incoming { transaction, message, cancels, merged })
        }
        _ => None,
    });
    let first = requests.next().expect("a request for the user");
    assert!(requests.next().is_none());
    first
}

pub(crate) fn hop(transport: Transport) -> Hop {
    Hop { flow: FlowId(1), transport, peer: SocketAddr::from(([192, 0, 2, 7], 5060)) }
}

pub(crate) fn udp() -> Hop {
    hop(Transport::Udp)
}

pub(crate) fn tcp() -> Hop {
    hop(Transport::Tcp)
}

pub(crate) fn read(text: &Bytes) -> Message {
    Message::parse(text.clone()).unwrap()
}

pub(crate) fn request(method: Method<'_>, branch: &str) -> Bytes {
    request_over(Transport::Udp, method, branch)
}

pub(crate) fn request_over(transport: Transport, method: Method<'_>, branch: &str) -> Bytes {
    let via = ClientVia { transport, sent_by: "192.0.2.7", branch, alias: false };
    RequestBuilder::new(method, "sip:bob@example.com")
        .header(Name::Via, via)
        .header(Name::From, "<sip:alice@example.com>;tag=a")
        .header(Name::To, "<sip:bob@example.com>")
        .header(Name::CallId, format_args!("call-of-{branch}"))
        .cseq(1)
        .build()
        .unwrap()
}

pub(crate) fn response(request: &Message, code: u16) -> (Status, Packet) {
    let status = Status::new(code).unwrap();
    let tag = if code == 100 { "" } else { "b" };
    (status, ResponseBuilder::new(request, status).to_tag(tag).build().unwrap().into())
}

pub(crate) fn response_to(request: &Bytes, code: u16) -> Bytes {
    response(&read(request), code).1.head
}

pub(crate) fn sent(effects: &[Effect]) -> Vec<Bytes> {
    let packets = effects.iter().filter_map(|effect| match effect {
        Effect::Send { packet, .. } => Some(packet.to_bytes()),
        _ => None,
    });
    packets.collect()
}

/// Start lines of what was sent, without the version; and words for the rest.
pub(crate) fn told(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(tell).collect()
}

pub(crate) fn tell(effect: &Effect) -> String {
    match effect {
        Effect::Send { packet, .. } => {
            let message = read(&packet.to_bytes());
            match message.status() {
                Some(status) => format!("sends {}", status.code()),
                None => format!("sends {}", message.method()),
            }
        }
        Effect::Request { message, .. } => format!("user gets {}", message.method()),
        Effect::Ack { transaction: Some(_), .. } => "user gets ACK inside".into(),
        Effect::Ack { transaction: None, .. } => "user gets ACK outside".into(),
        Effect::Response { message, .. } => format!("user gets {}", message.status().unwrap().code()),
        Effect::Failed { why, .. } => format!("{why:?}"),
        Effect::Refused { why, .. } => format!("refused: {why:?}"),
        Effect::Terminated { .. } => "over".into(),
        Effect::Dropped(why) => format!("dropped: {why:?}"),
        Effect::LimitReached(limit) => format!("limit {limit}"),
    }
}
