//! The members of made-up inputs, one after the other.

use merge_core::json::Writer;

use super::{Device, Generator};

/// Texts that are harder than they look.
const TEXTS: [&str; 12] = [
    "",
    "At the office",
    "\"quoted\" and \\ backslashed",
    "line\nbreak\ttab",
    "Onderweg naar \u{2019}s-Hertogenbosch",
    "\u{4f1a}\u{8b70}\u{4e2d} \u{1f4de}",
    "</note><script>alert(1)</script>",
    "\u{202e}reversed\u{202c}",
    "{\"abi\":1,\"base\":\"empty\"}",
    "e\u{301}\u{200d}\u{1f469}\u{200d}\u{1f4bb}",
    "null",
    "a text that is longer than the others, as people write them when they explain at some length where they are",
];
const ACTIVITIES: [&str; 13] = [
    "on-the-phone",
    "busy",
    "away",
    "meeting",
    "working",
    "in-transit",
    "vacation",
    "meal",
    "sleeping",
    "permanent-absence",
    "x-do-not-disturb",
    "unknown",
    // No token of the RFC: some clients write it.
    "available",
];
const PLACES: [&str; 5] = ["office", "home", "train", "restaurant", "x-lab"];
const MOODS: [&str; 4] = ["happy", "bored", "calm", "worried"];
/// The last is none, and documents hold such.
const LANGUAGES: [&str; 3] = ["en", "pt-BR", "e n"];
/// The capabilities of RFC 5196 in the order in which they are written.
const CAPS: [&str; 8] = ["audio", "application", "control", "data", "isfocus", "message", "text", "video"];
const SOURCES: [&str; 5] = ["publish", "register", "dialog", "hard-state", "gateway"];
const KINDS: [&str; 6] = ["desk", "mobile", "soft", "web", "room", "service"];
pub(super) const REASONS: [&str; 8] =
    ["publish", "refresh", "remove", "expire", "register", "dialog", "timer", "policy"];
const STATES: [&str; 5] = ["trying", "proceeding", "early", "confirmed", "terminated"];
const ZONES: [&str; 4] = ["Europe/Amsterdam", "America/St_Johns", "Pacific/Kiritimati", "UTC"];

/// What devices call themselves, registered or publishing: the same ones, so that some are both.
const INSTANCES: [&str; 4] = [
    "urn:uuid:00000000-0000-1000-8000-805ec0123456",
    "urn:uuid:5e3a6c1e-8f5b-4a93-9b12-7a9a2f3c4d5e",
    "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128",
];

impl Generator {
    pub(super) fn presentity(&mut self, out: &mut Writer) {
        out.key("presentity").begin_object();
        out.key("aor").string("sip:alice@example.com");
        out.key("domain").string("example.com");
        out.key("tenant").string("acme");
        self.groups(out);
        out.string_member("locale", self.chance(2).then_some("nl"));
        out.end_object();
    }

    pub(super) fn groups(&mut self, out: &mut Writer) {
        out.key("groups").begin_array();
        for group in ["sales", "night shift", "\"quoted\""] {
            if self.chance(3) {
                out.string(group);
            }
        }
        out.end_array();
    }

    pub(super) fn publication(&mut self, out: &mut Writer, device: &Device, now: i64) {
        out.begin_object();
        out.key("etag").string(&device.etag);
        out.key("source").string(if self.chance(4) { self.one(&SOURCES) } else { "publish" });
        out.key("device").string(&device.name);
        out.key("device_kind").string(self.one(&KINDS));
        out.string_member("instance", self.chance(2).then(|| self.one(&INSTANCES)));
        out.string_member("user_agent", self.chance(2).then(|| self.one(&TEXTS)));
        out.key("received_ms").int(device.received_ms);
        let kept_for = if self.chance(2) { 0 } else { self.between(0, 1_000_000) };
        out.key("first_ms").int(device.received_ms - kept_for);
        out.key("expires_ms").int(now + self.between(1, 3_600_000));
        out.key("tuples").begin_array();
        for id in &device.tuples {
            self.tuple(out, id, device.received_ms);
        }
        out.end_array();
        if !self.chance(4) {
            self.person(out, device.received_ms);
        }
        self.devices(out, device.received_ms);
        self.notes(out);
        out.key("unknown_xml").int(self.between(0, 3));
        out.end_object();
    }

    pub(super) fn tuple(&mut self, out: &mut Writer, id: &str, at: i64) {
        out.begin_object();
        out.key("id").string(id);
        out.string_member("basic", (!self.chance(6)).then(|| self.one(&["open", "closed"])));
        out.string_member("contact", self.chance(2).then_some("sip:alice@192.0.2.7;transport=tls"));
        out.int_member("priority_milli", (!self.chance(3)).then(|| self.between(0, 1001)));
        out.int_member("timestamp_ms", self.chance(2).then_some(at));
        out.string_member("device_id", self.chance(4).then(|| self.one(&INSTANCES)));
        if !self.chance(4) {
            self.words(out, "activities", &ACTIVITIES);
        }
        self.notes(out);
        if self.chance(4) {
            out.key("caps").begin_object();
            for name in CAPS {
                if self.chance(2) {
                    out.key(name).bool(self.chance(2));
                }
            }
            out.end_object();
        }
        self.user_input(out, at);
        out.end_object();
    }

    pub(super) fn person(&mut self, out: &mut Writer, at: i64) {
        out.key("person").begin_object();
        out.key("id").string("p1");
        self.words(out, "activities", &ACTIVITIES);
        self.words(out, "mood", &MOODS);
        self.words(out, "place", &PLACES);
        out.string_member("sphere", self.chance(3).then_some("work"));
        self.notes(out);
        if self.chance(4) {
            out.key("geo").begin_object();
            out.key("lat_e6").int(self.between(-90_000_000, 90_000_001));
            out.key("lon_e6").int(self.between(-180_000_000, 180_000_001));
            out.int_member("acc_m", self.chance(2).then_some(30));
            out.end_object();
        }
        self.user_input(out, at);
        out.int_member("timestamp_ms", self.chance(2).then_some(at));
        out.end_object();
    }

    fn user_input(&mut self, out: &mut Writer, at: i64) {
        if self.chance(2) {
            let idle = self.chance(2);
            out.key("user_input").string(if idle { "idle" } else { "active" });
            out.int_member("idle_since_ms", (idle && self.chance(2)).then_some(at));
        }
    }

    pub(super) fn devices(&mut self, out: &mut Writer, at: i64) {
        out.key("devices").begin_array();
        if self.chance(4) {
            out.begin_object();
            out.key("id").string("d1");
            out.string_member("device_id", self.chance(2).then(|| self.one(&INSTANCES)));
            self.notes(out);
            self.user_input(out, at);
            out.int_member("timestamp_ms", self.chance(2).then_some(at));
            out.end_object();
        }
        out.end_array();
    }

    fn words(&mut self, out: &mut Writer, name: &str, of: &[&str]) {
        out.key(name).begin_array();
        for _ in 0..self.below(3) {
            out.string(self.one(of));
        }
        out.end_array();
    }

    pub(super) fn notes(&mut self, out: &mut Writer) {
        out.key("note").begin_array();
        for _ in 0..self.below(3) {
            out.begin_object();
            out.string_member("lang", self.chance(2).then(|| self.one(&LANGUAGES)));
            // Longer than a policy's own may be.
            match self.chance(50) {
                true => out.key("text").string(&"\u{e9}".repeat(600)),
                false => out.key("text").string(self.one(&TEXTS)),
            }
            out.end_object();
        }
        out.end_array();
    }

    pub(super) fn registrations(&mut self, out: &mut Writer, now: i64) {
        out.key("registrations").begin_array();
        for n in 0..self.below(4) {
            out.begin_object();
            out.key("contact").string(&format!("sip:alice@192.0.2.{n}"));
            out.string_member("instance", self.chance(2).then(|| self.one(&INSTANCES)));
            out.key("q_milli").int(self.between(0, 1001));
            out.key("expires_ms").int(now + self.between(1, 3_600_000));
            out.string_member("user_agent", self.chance(2).then(|| self.one(&TEXTS)));
            out.key("transport").string(self.one(&["udp", "tcp", "tls", "ws"]));
            out.end_object();
        }
        out.end_array();
    }

    pub(super) fn dialogs(&mut self, out: &mut Writer, now: i64) {
        out.key("dialogs").begin_array();
        for n in 0..self.below(3) {
            out.begin_object();
            out.key("id").string(&format!("d-{n}"));
            out.key("state").string(self.one(&STATES));
            out.string_member("direction", self.chance(2).then_some("recipient"));
            out.key("since_ms").int(now - self.between(0, 3_600_000));
            out.string_member("device", self.chance(2).then_some("device-0"));
            out.end_object();
        }
        out.end_array();
    }

    pub(super) fn local_time(&mut self, out: &mut Writer) {
        out.key("local_time").begin_object();
        out.key("tz").string(self.one(&ZONES));
        out.key("minutes").int(self.between(0, 1440));
        out.key("weekday").int(self.between(1, 8));
        out.key("date").string("2026-11-21");
        out.end_object();
    }

    pub(super) fn builtin(&mut self, out: &mut Writer, devices: &[Device]) {
        let chosen: Vec<(&str, &str)> = devices
            .iter()
            .flat_map(|device| device.tuples.iter().map(|tuple| (device.etag.as_str(), tuple.as_str())))
            .filter(|_| self.chance(2))
            .collect();
        out.key("builtin").begin_object();
        out.string_member("basic", (!chosen.is_empty()).then(|| self.one(&["open", "closed"])));
        self.words(out, "activities", &ACTIVITIES);
        out.key("select").begin_array();
        for (etag, tuple) in chosen {
            out.begin_object();
            out.key("etag").string(etag);
            out.key("tuple").string(tuple);
            out.end_object();
        }
        out.end_array();
        self.notes(out);
        out.end_object();
    }
}
