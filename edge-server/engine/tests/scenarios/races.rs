//! Calls whose devices, callers and connections do what they like, in any order: whatever happens, the
//! caller gets one refusal or some 2xx, at most one device is in the session at the end, and nothing is
//! left. A failing seed is in the panic's text.

use crate::calls::{BOB, reply, request_text, within};
use crate::scene::*;
use crate::simulation::Dice;
use tributary_sip::{Message, Name};

/// What one device knows of the call.
struct Phone {
    client: Client,
    invite: Option<Message>,
    rang: bool,
    answered: Option<u16>,
    in_session: bool,
    ended: bool,
    gone: bool,
}

struct Call {
    seed: u64,
    scene: Scene,
    alice: Client,
    invite: String,
    phones: Vec<Phone>,
    finals: Vec<u16>,
    /// The refusal, which comes again until its ACK is there.
    refused: Option<Message>,
    /// Tags of the devices whose 2xx came, in that order.
    accepted: Vec<String>,
    cancelled: bool,
}

impl Call {
    fn new(seed: u64, dice: &mut Dice) -> Self {
        let mut scene = Scene::new();
        let datagrams = dice.below(2) == 0;
        let alice = match datagrams {
            true => Client::in_datagrams(&mut scene, "alice", 5_000),
            false => Client::new(&mut scene, "alice", None),
        };
        let count = 1 + dice.below(4);
        let phones = (0..count).map(|at| {
            let mut client = match dice.below(3) {
                0 => Client::in_datagrams(&mut scene, "bob", 5_001 + at as u16),
                _ => Client::new(&mut scene, "bob", None),
            };
            let q = [";q=0.3", ";q=0.7", "", ""][dice.below(4) as usize];
            let text = client.register_text(&mut scene, &format!("{q};expires=3600"));
            assert_eq!(code(&scene.ask(client.flow, &text)), 200);
            Phone {
                client,
                invite: None,
                rang: false,
                answered: None,
                in_session: false,
                ended: false,
                gone: false,
            }
        });
        let phones: Vec<_> = phones.collect();
        let disposition = ["", "Request-Disposition: parallel\r\n", "Request-Disposition: sequential\r\n"];
        let invite = request_text(&mut scene, &alice, "INVITE", BOB, disposition[dice.below(3) as usize]);
        let (finals, accepted) = (Vec::new(), Vec::new());
        let mut call =
            Self { seed, scene, alice, invite, phones, finals, accepted, refused: None, cancelled: false };
        call.scene.send(call.alice.flow, &call.invite.clone());
        call.settle();
        call
    }

    /// Everybody reads what came, until nothing comes any more.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for at in 0..self.phones.len() {
                while let Some(message) = self.scene.next(self.phones[at].client.flow) {
                    quiet = false;
                    self.phone(at, message);
                }
            }
            while let Some(message) = self.scene.next(self.alice.flow) {
                quiet = false;
                self.caller(&message);
            }
            if quiet {
                return;
            }
        }
    }

    fn phone(&mut self, at: usize, message: Message) {
        if !message.is_request() {
            return;
        }
        match message.method().as_str() {
            "INVITE" => {
                let phone = &mut self.phones[at];
                let again = phone.invite.as_ref().is_some_and(|known| known.raw() == message.raw());
                assert!(phone.invite.is_none() || again, "seed {}: one INVITE a device", self.seed);
                phone.invite = Some(message);
                if let Some(status) = phone.answered {
                    self.answers(at, status);
                }
            }
            "CANCEL" => {
                assert!(self.phones[at].rang, "seed {}: no CANCEL before a 1xx", self.seed);
                let client = self.phones[at].client.clone();
                reply(&mut self.scene, &client, &message, 200);
                if self.phones[at].answered.is_none() {
                    self.answers(at, 487);
                }
            }
            // Without one it would hang up by itself (RFC 3261 13.3.1.4).
            "ACK" => {
                let phone = &mut self.phones[at];
                phone.in_session = phone.answered == Some(200) && !phone.ended;
            }
            "BYE" => {
                let phone = &mut self.phones[at];
                (phone.in_session, phone.ended) = (false, true);
                let client = phone.client.clone();
                reply(&mut self.scene, &client, &message, 200);
            }
            other => panic!("seed {}: {other}", self.seed),
        }
    }

    fn answers(&mut self, at: usize, status: u16) {
        let phone = &mut self.phones[at];
        let Some(invite) = phone.invite.clone() else { return };
        if status >= 200 {
            phone.answered = Some(status);
        }
        phone.rang = true;
        let client = phone.client.clone();
        reply(&mut self.scene, &client, &invite, status);
    }

    fn caller(&mut self, message: &Message) {
        let status = code(message);
        if message.cseq().unwrap().method.as_str() != "INVITE" || status < 200 {
            return;
        }
        if status >= 300 {
            let to = format!("To: {}", message.header(Name::To).unwrap());
            let ack = self.invite.replace("INVITE", "ACK").replace(&format!("To: <{BOB}>"), &to);
            self.scene.send(self.alice.flow, &ack);
            if self.refused.as_ref().is_none_or(|known| known.raw() != message.raw()) {
                self.finals.push(status);
                self.refused = Some(message.clone());
            }
            return;
        }
        let tag = message.to().unwrap().tag().unwrap().to_owned();
        let ack = within(&mut self.scene, &self.alice, "ACK", message);
        self.scene.send(self.alice.flow, &ack);
        if self.accepted.contains(&tag) {
            return;
        }
        self.accepted.push(tag);
        self.finals.push(status);
        if self.accepted.len() > 1 {
            let bye = within(&mut self.scene, &self.alice, "BYE", message);
            self.scene.send(self.alice.flow, &bye);
        }
    }

    /// Something happens.
    fn step(&mut self, dice: &mut Dice) {
        let at = dice.below(self.phones.len() as i64) as usize;
        let waits = self.phones[at].invite.is_some() && self.phones[at].answered.is_none();
        match dice.below(20) {
            0..7 if waits && !self.phones[at].gone => self.answers(at, 180),
            7..11 if waits && !self.phones[at].gone => self.answers(at, 200),
            11..13 if waits && !self.phones[at].gone => {
                self.answers(at, [486, 603, 404, 503][dice.below(4) as usize]);
            }
            13 if !self.cancelled && self.finals.is_empty() => {
                self.cancelled = true;
                self.scene.send(self.alice.flow, &self.invite.replace("INVITE", "CANCEL"));
            }
            14 if !self.phones[at].gone => {
                let mut client = self.phones[at].client.clone();
                let text = client.register_text(&mut self.scene, ";expires=0");
                self.scene.send(client.flow, &text);
                self.phones[at].client = client;
            }
            15 if dice.below(4) == 0 && self.phones[at].client.via.contains("WS") => {
                self.phones[at].gone = true;
                self.phones[at].in_session = false;
                self.scene.disconnect(self.phones[at].client.flow);
            }
            _ => {
                let pause = [10, 200, 5_000, 25_000][dice.below(4) as usize];
                self.scene.pass(pause);
            }
        }
        // Two things may happen before anybody has read what came of the first.
        if dice.below(3) > 0 {
            self.settle();
        }
    }

    fn judge(&mut self) {
        for _ in 0..100 {
            self.settle();
            self.scene.pass(10_000);
        }
        let seed = self.seed;
        let refusals = self.finals.iter().filter(|&&status| status >= 300).count();
        assert!(!self.finals.is_empty(), "seed {seed}: no final answer");
        assert!(refusals == 0 || self.finals.len() == 1, "seed {seed}: {:?}", self.finals);
        let in_session = self.phones.iter().filter(|phone| phone.in_session).count();
        let expected = match (self.accepted.is_empty(), self.phones.iter().any(|phone| phone.gone)) {
            (true, _) => 0..=0,
            (false, true) => 0..=1,
            (false, false) => 1..=1,
        };
        assert!(expected.contains(&in_session), "seed {seed}: {in_session} in session");
        let counts = self.scene.counts();
        assert_eq!((counts.proxied, counts.transactions, counts.transaction_bytes), (0, 0, 0), "seed {seed}");
    }
}

#[test]
fn r3_after_any_race_one_device_is_in_the_session_and_nothing_is_left() {
    let one = std::env::var("TRIBUTARY_SEED").ok().map(|seed| seed.parse::<u64>().expect("a number"));
    let (mut several, mut none) = (0, 0);
    for seed in one.map_or(0..3_000, |seed| seed..seed + 1) {
        let mut dice = Dice::new(seed);
        let mut call = Call::new(seed, &mut dice);
        for _ in 0..dice.below(25) {
            call.step(&mut dice);
        }
        call.judge();
        several += u32::from(call.accepted.len() > 1);
        none += u32::from(call.accepted.is_empty());
    }
    assert!(one.is_some() || (several > 100 && none > 100), "{several} races, {none} refused");
}
