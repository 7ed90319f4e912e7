//! A shard at which a phone registers by datagrams, as each does anew every few minutes: asked for its
//! password, and then with it.

use bytes::Bytes;
use std::sync::Arc;
use tributary_engine::{
    Account, Auth, Config, Effect, Effects, Flow, FlowId, Hop, Input, NoPolicies, Shard, Transport, Users,
};
use tributary_sip::digest::{self, Asked};
use tributary_sip::{Challenge, DigestServer, Ha1, Message, Name};

const REALM: &str = "example.com";
const REGISTRAR: &str = "sip:example.com";

#[derive(Debug)]
struct Bob(Ha1);

impl Users for Bob {
    fn account(&self, username: &str) -> Option<Account> {
        (username == "bob").then(|| Account { aor: "sip:bob@example.com".into(), ha1: self.0.clone() })
    }

    fn exists(&self, aor: &str) -> bool {
        aor == "sip:bob@example.com"
    }
}

/// The shard, and the phone's number of the next request.
pub(crate) struct Logins {
    shard: Shard,
    effects: Effects,
    serial: u32,
}

impl Logins {
    /// The phone has registered once.
    pub(crate) fn new() -> Self {
        let auth = Auth::Digest(Arc::new(DigestServer::new(REALM, [9; 32], 300)));
        let users = Arc::new(Bob(Ha1::new("bob", REALM, "secret")));
        let config = Config { auth, users, ..Config::of_trial(REALM) };
        let shard = Shard::new(Arc::new(config), [1; 32], 0);
        let mut logins = Self { shard, effects: Effects::new(), serial: 0 };
        let proven = logins.proven();
        logins.ask(proven);
        logins
    }

    /// The next REGISTER without a password.
    pub(crate) fn bare(&mut self) -> Bytes {
        self.serial += 1;
        let n = self.serial;
        Bytes::from(format!(
            "REGISTER {REGISTRAR} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.4:5062;branch=z9hG4bKr{n};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bob@example.com>;tag=r{n}\r\nTo: <sip:bob@example.com>\r\n\
             Call-ID: bob@192.0.2.4\r\nCSeq: {n} REGISTER\r\nContact: <sip:bob@192.0.2.4:5062>\r\nExpires: 3600\r\n\
             User-Agent: A phone 1.0\r\nContent-Length: 0\r\n\r\n"
        ))
    }

    /// The next REGISTER with the password that it is asked for.
    pub(crate) fn proven(&mut self) -> Bytes {
        let bare = self.bare();
        self.ask(bare);
        let challenge = self.answer();
        let last = challenge.headers(Name::WwwAuthenticate).last().and_then(Challenge::parse);
        let asked = Asked::new("REGISTER", REGISTRAR);
        let proof = last.and_then(|last| digest::answer(last.digest()?, "bob", "secret", asked, "0a4f", 1));
        let bare = String::from_utf8_lossy(&self.bare()).into_owned();
        let proof = format!("Authorization: {}\r\nExpires", proof.unwrap_or_default());
        Bytes::from(bare.replacen("Expires", &proof, 1))
    }

    /// One REGISTER from its bytes to those of its answer.
    pub(crate) fn ask(&mut self, bytes: Bytes) {
        self.effects.drain();
        let peer = ([192, 0, 2, 4], 5_062).into();
        let flow = FlowId::of_datagrams(0, peer, [1, 2]).unwrap_or(FlowId(1));
        let flow = Flow::new(Hop { flow, transport: Transport::Udp, peer });
        if let Ok(message) = Message::parse(bytes) {
            let input = Input::Message { flow, message };
            self.shard.handle(super::NOW, input, &mut NoPolicies, &mut self.effects);
        }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> u16 {
        self.answer().status().map_or(0, |status| status.code())
    }

    fn answer(&self) -> Message {
        let sent = self.effects.as_slice().iter().find_map(|effect| match effect {
            Effect::Send { packet, .. } => Message::parse(packet.to_bytes()).ok(),
            _ => None,
        });
        sent.expect("each request is answered")
    }
}
