//! `kill -9` of the real server amid everything: phones over UDP, TCP and WebSocket register, publish,
//! watch and call; after the restart each of them finds what it was told is there, and those whose way is
//! still open (UDP) are notified and called without having said a word.
//!
//! The seed of a run is printed, and `KILL_SEED=n` runs it again; what the machine's threads make of it
//! differs all the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;
use tributary_sip::Status;
use tributary_tests::api;
use tributary_tests::client::{Lost, document};
use tributary_tests::phone::{Dialog, Over, Phone};
use tributary_tests::server::Server;

const USERS: [&str; 3] = ["ada", "ben", "cleo"];
const WAYS: [Over; 3] = [Over::Udp, Over::Tcp, Over::Ws];
/// How often the server is killed.
const ROUNDS: usize = 40;
/// Watching is not all that a phone does.
const MOST_DIALOGS: usize = 4;

/// What may be so or not: its answer was not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known<T> {
    Yes(T),
    Either,
}

/// A phone and what it was told.
struct Device {
    phone: Phone,
    registered: Known<bool>,
    /// Entity-tag and note.
    published: Known<Option<(String, String)>>,
    /// Those whose 200 came, and whose end was not asked for.
    watches: Vec<Dialog>,
    serial: usize,
    chance: Chance,
}

/// xorshift64: all that is needed of chance here.
#[derive(Clone)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

impl Device {
    /// Does one thing and notes what came of it.
    async fn turn(&mut self) -> Result<(), Lost> {
        let other = format!("sip:{}@example.com", USERS[self.chance.below(USERS.len())]);
        match self.chance.below(8) {
            0..=1 => {
                let stays = self.registered != Known::Yes(true) || self.chance.below(3) > 0;
                self.registered = Known::Either;
                expect(&self.phone.register(stays).await?, 200, "REGISTER");
                self.registered = Known::Yes(stays);
            }
            2..=4 => {
                self.serial += 1;
                let note = format!("{}-{}", &self.phone.instance[30..], self.serial);
                let body = document(&self.phone.aor(), &note, &note);
                let etag = match std::mem::replace(&mut self.published, Known::Either) {
                    Known::Yes(Some((etag, _))) => Some(etag),
                    _ => None,
                };
                let answer = self.phone.publish(&body, etag.as_deref(), true).await?;
                expect(&answer, 200, "PUBLISH");
                let etag = answer.sip_etag().unwrap().unwrap().as_str().to_owned();
                self.published = Known::Yes(Some((etag, note)));
            }
            5..=6 if self.watches.len() < MOST_DIALOGS => {
                let dialog = self.phone.subscribe(&other).await?;
                self.watches.push(dialog);
            }
            5..=6 => {
                // It is no longer expected from the moment on in which its end is asked for.
                let mut dialog = self.watches.swap_remove(self.chance.below(MOST_DIALOGS));
                expect(&self.phone.resubscribe(&mut dialog, false).await?, 200, "SUBSCRIBE");
            }
            _ => {
                let call_id = format!("{}-{}", self.phone.instance, self.chance.0);
                let answer = self.phone.call(&other, &call_id).await?;
                let status = answer.status().map_or(0, Status::code);
                assert!(matches!(status, 180 | 480), "INVITE was answered {status}");
            }
        }
        Ok(())
    }
}

fn expect(answer: &tributary_sip::Message, status: u16, what: &str) {
    assert_eq!(answer.status().map_or(0, Status::code), status, "{what}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_confirmed_over_udp_tcp_and_websocket_outlives_kill_9_amid_ringing_calls() {
    let seed = std::env::var("KILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
    println!("KILL_SEED={seed}");
    let sip = free_port();
    let listen = format!("[\"{sip}\"]");
    let settings = [
        ("SIP_UDP", listen.as_str()),
        ("SIP_TCP", &listen),
        ("PRESENCE_GRACE_SECONDS", "600"),
        ("PRESENCE_WATCHER_GRACE_SECONDS", "600"),
    ];
    let mut server = Server::start(&settings).unwrap();
    let mut devices = Vec::new();
    for (n, (user, over)) in USERS.iter().flat_map(|user| WAYS.map(|over| (user, over))).enumerate() {
        let address = if over == Over::Ws { server.address() } else { sip };
        let phone = Phone::new(address, over, user).await.unwrap();
        let chance = Chance(seed ^ ((n as u64 + 1) << 32));
        let (registered, published) = (Known::Yes(false), Known::Yes(None));
        devices.push(Device { phone, registered, published, watches: Vec::new(), serial: 0, chance });
    }
    let mut confirmed = 0;
    for round in 0..ROUNDS {
        let until = 10 + Chance(seed.wrapping_add(round as u64) | 1).below(120);
        (devices, confirmed) = live_until_killed(&mut server, devices, until, confirmed).await;
        server.run().unwrap();
        check_state(&server, &devices, round).await;
        check_open_ways(&server, &mut devices, round).await;
        come_back(&mut devices, round).await;
    }
    println!("{ROUNDS} kills amid {confirmed} confirmed requests");
}

/// All phones live as fast as they are answered; after `until` answers the server is killed.
async fn live_until_killed(
    server: &mut Server,
    devices: Vec<Device>,
    until: usize,
    before: usize,
) -> (Vec<Device>, usize) {
    let count = Arc::new(AtomicUsize::new(0));
    let (enough, mut is_enough) = watch::channel(false);
    let (killed, was_killed) = watch::channel(false);
    let tasks: Vec<_> = devices
        .into_iter()
        .map(|mut device| {
            let (count, enough, mut was_killed) = (count.clone(), enough.clone(), was_killed.clone());
            tokio::spawn(async move {
                loop {
                    // Datagrams do not tell that nobody is there any more.
                    let turn = tokio::select! {
                        turn = device.turn() => turn,
                        _ = was_killed.wait_for(|killed| *killed) => return device,
                    };
                    if turn.is_err() {
                        return device;
                    }
                    if count.fetch_add(1, Ordering::Relaxed) + 1 >= until {
                        enough.send_replace(true);
                    }
                }
            })
        })
        .collect();
    is_enough.wait_for(|enough| *enough).await.unwrap();
    server.kill();
    killed.send_replace(true);
    let mut after = Vec::new();
    for task in tasks {
        after.push(task.await.expect("a phone must not panic"));
    }
    (after, before + count.load(Ordering::Relaxed))
}

/// What the server says of itself is what it has confirmed.
async fn check_state(server: &Server, devices: &[Device], round: usize) {
    for user in USERS {
        let path = format!("/api/v1/presentities/sip:{user}@example.com");
        let (status, state) = api::call(server.address(), "GET", &path, "", b"").await.unwrap();
        assert_eq!(status, 200, "round {round}: {user}");
        let all = |list: &str, key: &str| -> BTreeSet<String> {
            let list = state[list].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(|one| one[key].as_str().map(str::to_owned)).collect()
        };
        let (instances, etags) = (all("registrations", "instance"), all("devices", "etag"));
        for device in devices.iter().filter(|device| device.phone.user == user) {
            let (name, over) = (&device.phone.instance, device.phone.over());
            if let Known::Yes(registered) = device.registered {
                assert_eq!(instances.contains(name), registered, "round {round}: {user} {over:?}: {state}");
            }
            if let Known::Yes(Some((etag, note))) = &device.published {
                assert!(etags.contains(etag), "round {round}: {note} of {user} {over:?}: {state}");
            }
        }
        let target = format!("sip:{user}@example.com");
        let watched =
            devices.iter().flat_map(|device| &device.watches).filter(|watch| watch.target == target);
        let watchers = state["watchers"].as_u64().unwrap_or(0) as usize;
        assert!(watchers >= watched.count(), "round {round}: {user} has {watchers} watchers");
    }
}

/// Phones whose way is still open are notified and called, and have said nothing since the restart.
async fn check_open_ways(server: &Server, devices: &mut [Device], round: usize) {
    for user in USERS {
        let target = format!("sip:{user}@example.com");
        let mut probe = Phone::new(server.address(), Over::Ws, user).await.unwrap();
        let note = format!("after the restart {round}");
        let answer = probe.publish(&document(&target, "probe", &note), None, true).await.unwrap();
        expect(&answer, 200, "PUBLISH");
        let etag = answer.sip_etag().unwrap().unwrap().as_str().to_owned();
        let open = |device: &&mut Device| device.phone.over() == Over::Udp;
        for device in devices.iter_mut().filter(open) {
            let phone = &mut device.phone;
            for watch in device.watches.iter().filter(|watch| watch.target == target) {
                let here = |phone: &Phone| {
                    phone.notified.iter().any(|(id, body)| *id == watch.call_id && body.contains(&note))
                };
                phone.until(&format!("round {round}: the NOTIFY of {target}"), here).await.unwrap();
            }
        }
        expect(&probe.publish("", Some(&etag), false).await.unwrap(), 200, "PUBLISH");
        let rings = |device: &&mut Device| {
            open(device) && device.phone.user == user && device.registered == Known::Yes(true)
        };
        let mut ringing: Vec<_> = devices.iter_mut().filter(rings).collect();
        if !ringing.is_empty() {
            let call_id = format!("{user}-after-{round}");
            let all_ring = async {
                for device in &mut ringing {
                    let rung = |phone: &Phone| phone.rung.contains(&call_id);
                    device.phone.until(&format!("round {round}: the call of {user}"), rung).await.unwrap();
                }
            };
            let (answer, ()) = tokio::join!(probe.call(&target, &call_id), all_ring);
            expect(&answer.unwrap(), 180, "INVITE");
        }
    }
}

/// The others come back over new connections, and find all that was theirs.
async fn come_back(devices: &mut [Device], round: usize) {
    for device in devices {
        let Device { phone, registered, published, watches, .. } = device;
        phone.reconnect().await.unwrap();
        let answer = phone.register(true).await.unwrap();
        expect(&answer, 200, "REGISTER");
        *registered = Known::Yes(true);
        for watch in watches {
            let answer = phone.resubscribe(watch, true).await.unwrap();
            expect(&answer, 200, &format!("round {round}: the dialog with {}", watch.target));
        }
        if let Known::Yes(Some((etag, _))) = published {
            let answer = phone.publish("", Some(etag), true).await.unwrap();
            expect(&answer, 200, "PUBLISH");
            *etag = answer.sip_etag().unwrap().unwrap().as_str().to_owned();
        }
    }
}

fn free_port() -> SocketAddr {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
