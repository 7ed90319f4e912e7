//! Inputs that nobody thought of: made up from a seed, of the form that a host writes.
//!
//! They keep the contract's promises (members in order, publications newest first, `builtin` naming what
//! is there), and go where samples do not: nobody there, forty devices, members left out, texts that
//! break what is glued together carelessly, times at the edges. One seed gives one sequence everywhere.

mod members;

use merge_core::json::Writer;
use merge_core::policy::WatcherClass;

use self::members::REASONS;

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
        self.devices(&mut out, now);
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
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_gives_one_sequence_and_another_seed_another() {
        let inputs = |seed| {
            let mut generator = Generator::new(seed);
            (0..50).map(|_| generator.next_input()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }

    /// The names that lead to each value, list places left out.
    fn paths(value: &Value<'_>, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|m| paths(&m.value, &format!("{path}.{}", m.name), found));
            }
            Value::Array(items) => items.iter().for_each(|item| paths(item, path, found)),
            _ => _ = found.insert(path.to_owned()),
        }
    }

    #[test]
    fn made_up_inputs_have_all_members_of_the_contracts_sample_and_no_others() {
        let contract = include_str!("../../CONTRACT.md");
        let (_, section) = contract.split_once("## 4. ").unwrap();
        let (sample, _) = section.split_once("```json").unwrap().1.split_once("```").unwrap();
        let (mut known, mut made, mut viewed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        paths(&json::read(sample.as_bytes()).unwrap(), "", &mut known);
        let mut generator = Generator::new(3);
        for _ in 0..1000 {
            paths(&json::read(&generator.next_input()).unwrap(), "", &mut made);
            let input = generator.next_view_input();
            let input = json::read(&input).unwrap();
            paths(input.get("merged").unwrap(), ".publications", &mut viewed);
        }
        assert_eq!(made, known);
        viewed.remove(".publications.entity");
        assert!(viewed.is_subset(&known), "{:?}", viewed.difference(&known));
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
