//! Inputs that nobody thought of: made up from a seed, of the form that a host writes.
//!
//! They keep the contract's promises (members in order, publications newest first, `builtin` naming what
//! is there), and go where samples do not: nobody there, forty devices, members left out, texts that
//! break what is glued together carelessly, times at the edges. One seed gives one sequence everywhere.

use merge_core::json::Writer;
use merge_core::policy::WatcherClass;

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
const ACTIVITIES: [&str; 12] = [
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
];
const PLACES: [&str; 5] = ["office", "home", "train", "restaurant", "x-lab"];
const MOODS: [&str; 4] = ["happy", "bored", "calm", "worried"];
const SOURCES: [&str; 5] = ["publish", "register", "dialog", "hard-state", "gateway"];
const KINDS: [&str; 6] = ["desk", "mobile", "soft", "web", "room", "service"];
const REASONS: [&str; 8] =
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

/// A moment in November 2026; inputs lie within a year of it.
const NOW: i64 = 1_795_225_680_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const YEAR_MS: i64 = 365 * DAY_MS;
/// The most publications of one input; a few inputs have that many, most have up to four.
const CROWD: u64 = 40;

/// Makes inputs of `pp_merge` and `pp_view`.
#[derive(Clone, Debug)]
pub struct Generator {
    state: u64,
    params: Vec<String>,
}

impl Generator {
    /// A generator whose sequence is that of `seed`, with `{}` for parameters.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed, params: vec!["{}".to_owned()] }
    }

    /// Gives each input one of these parameters, each a JSON object that the policy takes.
    #[must_use]
    pub fn with_params(mut self, params: impl IntoIterator<Item = String>) -> Self {
        self.params.extend(params);
        self
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let now = NOW + self.between(-YEAR_MS, YEAR_MS);
        let devices = self.publications(now);
        let changed = devices.first().map(|device| device.etag.clone());
        let mut out = Writer::with_capacity(4096);
        out.begin_object();
        out.key("abi").int(1);
        out.key("minor").int(merge_core::policy::INPUT_MINOR);
        out.key("now_ms").int(now);
        out.key("reason").string(self.one(&REASONS));
        out.string_member("changed_etag", changed.as_deref().filter(|_| self.chance(3)));
        self.presentity(&mut out);
        out.key("publications").begin_array();
        devices.iter().for_each(|device| self.publication(&mut out, device, now));
        out.end_array();
        self.registrations(&mut out, now);
        self.dialogs(&mut out, now);
        if self.chance(2) {
            self.local_time(&mut out);
        }
        self.builtin(&mut out, &devices);
        self.some_params(&mut out);
        out.end_object();
        out.into_bytes()
    }

    /// The next input of `pp_view`.
    pub fn next_view_input(&mut self) -> Vec<u8> {
        let now = NOW + self.between(-YEAR_MS, YEAR_MS);
        let classes = WatcherClass::ALL.map(WatcherClass::as_str);
        let mut out = Writer::with_capacity(4096);
        out.begin_object();
        out.key("abi").int(1);
        out.key("now_ms").int(now);
        out.key("watcher").begin_object();
        out.key("class").string(self.one(&classes));
        self.groups(&mut out);
        out.string_member("aor", self.chance(3).then_some("sip:bob@example.com"));
        out.end_object();
        out.key("merged").begin_object();
        out.key("entity").string("sip:alice@example.com");
        out.key("tuples").begin_array();
        for tuple in 0..self.below(5) {
            self.tuple(&mut out, &format!("t{tuple}"), now);
        }
        out.end_array();
        if !self.chance(4) {
            self.person(&mut out, now);
        }
        out.key("devices").begin_array();
        out.end_array();
        self.notes(&mut out);
        out.key("unknown_xml").int(self.between(0, 3));
        out.end_object();
        self.some_params(&mut out);
        out.end_object();
        out.into_bytes()
    }

    fn some_params(&mut self, out: &mut Writer) {
        let at = self.below(self.params.len() as u64) as usize;
        let params = self.params.get(at).map_or("{}", String::as_str);
        out.key("params");
        match merge_core::json::read(params.as_bytes()) {
            Ok(params) => out.value(&params),
            Err(_) => {
                out.begin_object();
                out.end_object();
            }
        }
    }

    /// SplitMix64: small, and the same everywhere.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random() % end.max(1)
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + self.below(most.abs_diff(least)) as i64
    }

    /// True once in `n` times.
    fn chance(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        let at = self.below(of.len() as u64) as usize;
        of.get(at).copied().unwrap_or_default()
    }

    fn publications(&mut self, now: i64) -> Vec<Device> {
        let count = if self.chance(25) { CROWD } else { self.below(5) };
        let mut devices: Vec<Device> = (0..count)
            .map(|n| {
                let tuples = (0..self.below(4)).map(|tuple| format!("t{tuple}")).collect();
                let etag = format!("e-{n:02x}{:06x}", self.below(1 << 24));
                // Some have only just come: that is when policies decide otherwise.
                let longest_ago = if self.chance(3) { 60_000 } else { DAY_MS };
                let received_ms = now - self.between(0, longest_ago);
                Device { etag, name: format!("device-{n}"), received_ms, tuples }
            })
            .collect();
        devices.sort_by(|a, b| b.received_ms.cmp(&a.received_ms).then_with(|| a.etag.cmp(&b.etag)));
        devices
    }

    fn presentity(&mut self, out: &mut Writer) {
        out.key("presentity").begin_object();
        out.key("aor").string("sip:alice@example.com");
        out.key("domain").string("example.com");
        out.key("tenant").string("acme");
        self.groups(out);
        out.string_member("locale", self.chance(2).then_some("nl"));
        out.end_object();
    }

    fn groups(&mut self, out: &mut Writer) {
        out.key("groups").begin_array();
        for group in ["sales", "night shift", "\"quoted\""] {
            if self.chance(3) {
                out.string(group);
            }
        }
        out.end_array();
    }

    fn publication(&mut self, out: &mut Writer, device: &Device, now: i64) {
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
        out.key("devices").begin_array();
        out.end_array();
        out.key("unknown_xml").int(self.between(0, 3));
        out.end_object();
    }

    fn tuple(&mut self, out: &mut Writer, id: &str, at: i64) {
        out.begin_object();
        out.key("id").string(id);
        out.string_member("basic", (!self.chance(6)).then(|| self.one(&["open", "closed"])));
        out.string_member("contact", self.chance(2).then_some("sip:alice@192.0.2.7;transport=tls"));
        out.int_member("priority_milli", (!self.chance(3)).then(|| self.between(0, 1001)));
        out.int_member("timestamp_ms", self.chance(2).then_some(at));
        self.words(out, "activities", &ACTIVITIES);
        self.notes(out);
        if self.chance(2) {
            out.key("user_input").string("idle");
            out.int_member("idle_since_ms", self.chance(2).then_some(at));
        }
        out.end_object();
    }

    fn person(&mut self, out: &mut Writer, at: i64) {
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
        out.int_member("timestamp_ms", self.chance(2).then_some(at));
        out.end_object();
    }

    fn words(&mut self, out: &mut Writer, name: &str, of: &[&str]) {
        out.key(name).begin_array();
        for _ in 0..self.below(3) {
            out.string(self.one(of));
        }
        out.end_array();
    }

    fn notes(&mut self, out: &mut Writer) {
        out.key("note").begin_array();
        for _ in 0..self.below(3) {
            out.begin_object();
            out.string_member("lang", self.chance(2).then_some("en"));
            out.key("text").string(self.one(&TEXTS));
            out.end_object();
        }
        out.end_array();
    }

    fn registrations(&mut self, out: &mut Writer, now: i64) {
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

    fn dialogs(&mut self, out: &mut Writer, now: i64) {
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

    fn local_time(&mut self, out: &mut Writer) {
        out.key("local_time").begin_object();
        out.key("tz").string(self.one(&ZONES));
        out.key("minutes").int(self.between(0, 1440));
        out.key("weekday").int(self.between(1, 8));
        out.key("date").string("2026-11-21");
        out.end_object();
    }

    fn builtin(&mut self, out: &mut Writer, devices: &[Device]) {
        let chosen: Vec<(&str, &str)> = devices
            .iter()
            .flat_map(|device| device.tuples.iter().map(|tuple| (device.etag.as_str(), tuple.as_str())))
            .filter(|_| self.chance(2))
            .take(merge_core::policy::limits::OUTPUT_TUPLES)
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

/// What later members of an input say about a publication.
struct Device {
    etag: String,
    name: String,
    received_ms: i64,
    tuples: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordedInput;
    use merge_core::json::{self, Value};
    use merge_core::policy::{INPUT_MEMBERS, Known as _, limits};

    #[test]
    fn a_seed_gives_one_sequence_and_another_seed_another() {
        let inputs = |seed| {
            let mut generator = Generator::new(seed);
            (0..50).map(|_| generator.next_input()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }

    #[test]
    fn an_input_has_the_hosts_form_and_names_what_is_there() {
        let params = r#"{"note":"Back soon"}"#;
        let mut generator = Generator::new(1).with_params([params.to_owned()]);
        let (mut empty, mut crowded, mut with_params) = (0, 0, 0);
        for _ in 0..1000 {
            let input = generator.next_input();
            assert!(input.len() <= limits::INPUT_BYTES, "{}", input.len());
            let value = json::read(&input).unwrap();
            let order: Vec<usize> = value
                .members()
                .iter()
                .filter(|member| !["abi", "minor"].contains(&&*member.name))
                .map(|member| INPUT_MEMBERS.iter().position(|name| *name == member.name).unwrap())
                .collect();
            assert!(order.is_sorted(), "{order:?}");
            let known = RecordedInput::read(&input).unwrap();
            let builtin = value.get("builtin").unwrap();
            for chosen in builtin.get("select").and_then(Value::as_array).unwrap() {
                let text = |name: &str| chosen.get(name).and_then(Value::as_str).unwrap();
                assert!(known.has_tuple(text("etag"), text("tuple")));
            }
            let devices = value.get("publications").and_then(Value::as_array).unwrap();
            empty += usize::from(devices.is_empty());
            crowded += usize::from(devices.len() as u64 == CROWD);
            with_params += usize::from(String::from_utf8_lossy(&input).contains(params));
        }
        assert!(empty > 100 && crowded > 10 && with_params > 300, "{empty} {crowded} {with_params}");
    }
}
