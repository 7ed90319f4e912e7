//! `kill -9` of the real server under PUBLISH load: what was answered 200 is there after the restart,
//! and no entity-tag is ever given twice.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tributary_tests::client::{Client, document};
use tributary_tests::server::Server;

const USERS: usize = 4;
const DEVICES: usize = 3;
/// How often the server is killed.
const ROUNDS: usize = 12;

/// What one device knows of its publication.
#[derive(Clone, Debug, Default)]
struct Device {
    user: String,
    name: String,
    /// The newest entity-tag that a 200 gave.
    etag: Option<String>,
    /// The note of the newest document that was answered 200.
    acknowledged: Option<String>,
    /// The note of a PUBLISH whose answer was not seen: it may be stored or not.
    in_flight: Option<String>,
    serial: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_200_survives_kill_9_and_no_entity_tag_comes_twice() {
    let mut server = Server::start(&[("PRESENCE_GRACE_SECONDS", "600")]).unwrap();
    let mut devices: Vec<Device> = (0..USERS * DEVICES)
        .map(|n| Device { user: format!("user{}", n % USERS), name: format!("dev{n}"), ..Device::default() })
        .collect();
    let mut given = HashSet::new();
    let mut answered = 0;
    for round in 0..ROUNDS {
        // Another moment each time, counted in answers: the same in every run, whatever the machine.
        let until = 5 + (round * 37) % 90;
        let (after, tags) = publish_until_killed(&mut server, devices, until).await;
        devices = after;
        answered += tags.len();
        for tag in tags {
            assert!(given.insert(tag.clone()), "round {round}: the entity-tag {tag} was given twice");
        }
        server.run().unwrap();
        check_survivors(&server, &mut devices, &mut given, round).await;
    }
    assert!(answered >= ROUNDS * 5, "only {answered} PUBLISHes were answered");
    println!("{ROUNDS} kills, {answered} answered PUBLISHes, {} entity-tags", given.len());
}

/// All devices publish as fast as they are answered; after `until` answers the server is killed.
async fn publish_until_killed(
    server: &mut Server,
    devices: Vec<Device>,
    until: usize,
) -> (Vec<Device>, Vec<String>) {
    let (count, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let address = server.address();
    let tasks: Vec<_> = devices
        .into_iter()
        .map(|mut device| {
            let (count, enough) = (count.clone(), enough.clone());
            tokio::spawn(async move {
                let mut tags = Vec::new();
                let Ok(mut client) = Client::connect(address, &device.user).await else {
                    return (device, tags);
                };
                loop {
                    device.serial += 1;
                    let note = format!("{}-{}", device.name, device.serial);
                    let body = document(&client.aor(), &device.name, &note);
                    device.in_flight = Some(note.clone());
                    let Ok(answer) = client.publish(Some(&body), device.etag.as_deref(), 600).await else {
                        return (device, tags);
                    };
                    assert_eq!(answer.status, 200, "{note} with {:?}", device.etag);
                    device.acknowledged = Some(note);
                    device.in_flight = None;
                    tags.push(answer.etag.clone());
                    device.etag = Some(answer.etag);
                    if count.fetch_add(1, Ordering::Relaxed) + 1 >= until {
                        enough.notify_one();
                    }
                }
            })
        })
        .collect();
    enough.notified().await;
    server.kill();
    let (mut after, mut tags) = (Vec::new(), Vec::new());
    for task in tasks {
        let (device, mut its_tags) = task.await.expect("a device's task must not panic");
        after.push(device);
        tags.append(&mut its_tags);
    }
    (after, tags)
}

/// Each user's merged state holds every acknowledged note (or the one that was in flight), and each
/// entity-tag still refreshes its publication.
async fn check_survivors(server: &Server, devices: &mut [Device], given: &mut HashSet<String>, round: usize) {
    let mut merged: HashMap<String, String> = HashMap::new();
    for n in 0..USERS {
        let user = format!("user{n}");
        let mut watcher = Client::connect(server.address(), "watcher").await.unwrap();
        let status = watcher.subscribe(&format!("sip:{user}@example.com")).await.unwrap();
        assert!((200..300).contains(&status), "SUBSCRIBE after the restart was answered {status}");
        merged.insert(user, watcher.notified(|_| true).await.unwrap());
    }
    for device in devices {
        let state = &merged[&device.user];
        let shows =
            |note: &Option<String>| note.as_ref().is_some_and(|note| state.contains(&format!(">{note}<")));
        let moved_on = shows(&device.in_flight);
        if let Some(note) = &device.acknowledged {
            assert!(
                shows(&device.acknowledged) || moved_on,
                "round {round}: {note} was answered 200 and is gone (in flight: {:?}):\n{state}",
                device.in_flight
            );
        }
        let mut client = Client::connect(server.address(), &device.user).await.unwrap();
        if let (Some(etag), false) = (&device.etag, moved_on) {
            let answer = client.publish(None, Some(etag), 600).await.unwrap();
            assert_eq!(
                answer.status, 200,
                "round {round}: a refresh with the last entity-tag of {}",
                device.name
            );
            assert!(given.insert(answer.etag.clone()), "the entity-tag {} was given twice", answer.etag);
            device.etag = Some(answer.etag);
        } else if moved_on {
            // Its new entity-tag was never seen: the old one is stale, and the device publishes anew.
            if let Some(etag) = &device.etag {
                let answer = client.publish(None, Some(etag), 600).await.unwrap();
                assert_eq!(
                    answer.status, 412,
                    "round {round}: {} was replaced, its old tag is stale",
                    device.name
                );
            }
            device.etag = None;
            device.acknowledged = device.in_flight.take();
        }
        device.in_flight = None;
    }
}
