//! Any inputs in any order: nothing panics, and however it went, every transaction but an INVITE
//! that its user never answered is over in the end, with nothing held.
#![no_main]

use std::net::SocketAddr;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tributary_sip::transaction::{
    Capacity, Effect, FlowId, Hop, Input, Packet, Timing, TransactionId, Transactions, Transport,
};
use tributary_sip::{Message, ResponseBuilder, Status};

const TRANSPORTS: [Transport; 4] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws];
const METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "X"];
const STATUSES: [u16; 8] = [100, 180, 200, 302, 408, 487, 503, 699];

fn text(start: &str, method: &str, branch: u8) -> Bytes {
    let cookie = if branch & 8 == 0 { "z9hG4bK" } else { "" };
    format!(
        "{start}\r\nVia: SIP/2.0/UDP a.example;branch={cookie}{}\r\nFrom: <sip:a@a.example>;tag=a\r\n\
         To: <sip:b@a.example>{}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n",
        branch & 3,
        if branch & 4 == 0 { "" } else { ";tag=b" },
    )
    .into()
}

fn respond((transaction, request): &(TransactionId, Message), code: u16) -> Option<Input> {
    let status = Status::new(code)?;
    let response = Packet::from(ResponseBuilder::new(request, status).build().ok()?);
    Some(Input::Respond { transaction: *transaction, status, response })
}

fn refuse(asked: &(TransactionId, Message)) -> Option<Input> {
    match respond(asked, 400)? {
        Input::Respond { transaction, response, .. } => Some(Input::Refuse { transaction, response }),
        _ => None,
    }
}

fuzz_target!(|script: &[u8]| {
    let capacity = Capacity { servers: 6, clients: 6, bytes: 4_000 };
    let timing = Timing { reliable_linger: 9_000, ..Timing::DEFAULT };
    let mut table = Transactions::new(timing, capacity, [1, 2]);
    let (mut now, mut effects) = (0, Vec::new());
    let mut ids: Vec<TransactionId> = Vec::new();
    let mut asked: Vec<(TransactionId, Message)> = Vec::new();
    for step in script.chunks_exact(4) {
        let &[what, a, b, after] = step else { continue };
        now += u64::from(after) * 40;
        let transport = TRANSPORTS[usize::from(a >> 6)];
        let hop =
            Hop { flow: FlowId(u64::from(a & 1)), transport, peer: SocketAddr::from(([192, 0, 2, a & 1], 5060)) };
        let method = METHODS[usize::from(a >> 1) % METHODS.len()];
        let code = STATUSES[usize::from(b >> 4) % STATUSES.len()];
        let id = ids.get(usize::from(b) % ids.len().max(1)).copied();
        let message = |start: String| Message::parse(text(&start, method, b)).ok();
        let input = match (what % 9, id) {
            (0 | 1, _) => message(format!("{method} sip:b@a.example SIP/2.0"))
                .map(|message| Input::Received { hop, message }),
            (2, _) => message(format!("SIP/2.0 {code} x")).map(|message| Input::Received { hop, message }),
            (3, _) => {
                let request = text(&format!("{method} sip:b@a.example SIP/2.0"), method, b).into();
                Some(Input::Request { user: u64::from(b), hop, request })
            }
            (4, _) => asked.get(usize::from(b) % asked.len().max(1)).and_then(|asked| respond(asked, code)),
            (5, Some(transaction)) => {
                Some(Input::Cancel { transaction, reason: Some("SIP;cause=200".into()) })
            }
            (6, Some(transaction)) => Some(Input::SendFailed { transaction }),
            (7, _) => Some(Input::FlowClosed { flow: FlowId(u64::from(a & 1)) }),
            (8, _) => asked.get(usize::from(b) % asked.len().max(1)).and_then(refuse),
            _ => None,
        };
        let input = input.unwrap_or(Input::Tick);
        table.handle(now, input, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { transaction, packet, .. } => {
                    assert!(Message::parse(packet.to_bytes()).is_ok());
                    ids.extend(transaction);
                }
                Effect::Request { transaction, message, .. } => asked.push((transaction, message)),
                _ => {}
            }
        }
        assert!(table.poll_timeout().is_none_or(|due| due > now));
        // Six each way, and a CANCEL for each of their INVITEs and of ours.
        assert!(table.len() <= 24);
    }
    for input in asked.iter().filter_map(|asked| respond(asked, 404)) {
        table.handle(now, input, &mut effects);
    }
    while let Some(due) = table.poll_timeout() {
        assert!(due > now);
        now = due;
        table.handle(now, Input::Tick, &mut effects);
    }
    assert!(table.is_empty() && table.held_bytes() == 0);
});
