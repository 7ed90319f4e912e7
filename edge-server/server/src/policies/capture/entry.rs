//! One merge as it is kept: redacted, and written as the API shows it.

use crate::policies::snapshot::Generation;
use crate::policies::{hex, on_failure_name};
use merge_core::json::{self, Value, Writer};
use merge_core::policy::{Mask, Reason, Watcher, limits};
use merge_core::redact::Redactor;
use merge_core::time::Millis;
use std::collections::BTreeMap;
use std::sync::Arc;
use tributary_engine::{CapturedMerge, CapturedView, PolicyFailure, differences};

/// What is known of a call beside what the engine tells.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::policies) struct Decision<'a> {
    /// What was in force for the presentity.
    pub(in crate::policies) generation: Option<&'a Generation>,
    /// What the call took; none where there was none.
    pub(in crate::policies) fuel: Option<u64>,
}

impl Decision<'_> {
    /// What stands in for a policy that fails.
    fn served(&self) -> Option<&'static str> {
        self.generation.map(|generation| on_failure_name(generation.on_failure))
    }
}

/// A merge.
#[derive(Debug)]
pub(in crate::policies) struct Made {
    pub(super) at: Millis,
    etag: Option<String>,
    /// Whether it is about a publication that is over.
    over: bool,
    /// The members of its JSON object, without those that others add.
    pub(super) head: String,
    /// The input with all members; none where it is larger than policies are given.
    pub(super) input: Option<Arc<str>>,
    /// Its devices, by their entity-tags.
    pub(super) devices: BTreeMap<String, Device>,
}

/// A device that publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    key: String,
    user_agent: Option<String>,
}

impl Device {
    /// As one JSON object.
    pub(super) fn write(&self) -> String {
        let mut out = Writer::new();
        out.begin_object();
        out.key("key").string(&self.key);
        out.string_member("user_agent", self.user_agent.as_deref());
        out.end_object();
        out.into_string()
    }

    fn bytes(&self) -> usize {
        self.key.len() + self.user_agent.as_ref().map_or(0, String::len)
    }
}

/// A view of it.
#[derive(Debug)]
pub(in crate::policies) struct MadeView {
    pub(super) watcher: Watcher,
    head: String,
    pub(super) input: Arc<str>,
}

impl Made {
    pub(in crate::policies) fn new(aor: &str, merge: &CapturedMerge<'_>, decision: Decision<'_>) -> Self {
        let mut redactor = Redactor::new(aor);
        // First: what the others quote stands in it.
        let input = redactor.input(&merge.input).unwrap_or_default();
        let devices = devices(&input);
        let mut out = Writer::with_capacity(input.len());
        out.begin_object();
        out.key("at_ms").int(merge.now.0);
        out.key("reason").string(merge.reason.as_str());
        match merge.etag {
            Some(etag) => out.key("etag").string(etag),
            None => out.key("etag").null(),
        }
        out.key("generation");
        int(decision.generation.map(|generation| generation.number), &mut out);
        out.key("policy");
        match merge.assignment {
            Some(assignment) => {
                out.begin_object();
                out.key("name").string(&assignment.name);
                out.key("id").string(&hex(&assignment.id));
                out.end_object();
            }
            None => out.null(),
        }
        out.key("built_in");
        match decision.generation.and_then(|generation| generation.built_in) {
            Some(merge) => out.string(merge.as_str()),
            None => out.null(),
        }
        let told_apart = merge.assignment.is_some_and(|assignment| assignment.view.is_some());
        out.key("told_apart").bool(told_apart);
        let answer = Answer { output: merge.output, failure: merge.failure, decision };
        answer.write((&merge.before, &merge.after), &mut redactor, &mut out);
        out.key("masked");
        raw(merge.masked.as_ref().map(Mask::write_json).as_deref(), &mut out);
        out.end_object();
        let over = matches!(merge.reason, Reason::Remove | Reason::Expire);
        let fits = merge.input.len() <= limits::INPUT_BYTES && !input.is_empty();
        Self {
            at: merge.now,
            etag: merge.etag.map(str::to_owned),
            over,
            head: members(out),
            input: fits.then(|| input.into()),
            devices,
        }
    }

    /// The device that it is about, which may be one that was there before.
    pub(super) fn device(&self, before: &BTreeMap<String, Device>) -> Option<Device> {
        let gone =
            || before.values().find(|device| self.devices.values().all(|other| other.key != device.key));
        match &self.etag {
            Some(etag) => self.devices.get(etag).or_else(|| before.get(etag)).cloned(),
            None => self.over.then(gone).flatten().cloned(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let devices: usize = self.devices.iter().map(|(etag, device)| etag.len() + device.bytes()).sum();
        self.head.len() + self.input.as_ref().map_or(0, |input| input.len()) + devices
    }
}

#[cfg(test)]
impl Made {
    /// One of so many bytes.
    pub(super) fn of_bytes(at: Millis, bytes: usize) -> Self {
        let (etag, devices) = (None, BTreeMap::new());
        Self { at, etag, over: false, head: "x".repeat(bytes), input: None, devices }
    }
}

impl MadeView {
    pub(in crate::policies) fn new(aor: &str, view: &CapturedView<'_>, decision: Decision<'_>) -> Self {
        let mut redactor = Redactor::new(aor);
        let input = redactor.input(&view.input).unwrap_or_default();
        let mut out = Writer::with_capacity(input.len());
        out.begin_object();
        out.key("watcher").begin_object();
        out.key("class").string(view.watcher.class.as_str());
        out.key("groups").begin_array();
        view.watcher.groups.iter().for_each(|group| out.string(group));
        out.end_array();
        out.string_member("aor", view.watcher.aor.as_deref());
        out.end_object();
        let answer = Answer { output: view.output, failure: view.failure, decision };
        answer.write((&view.before, &view.after), &mut redactor, &mut out);
        out.end_object();
        Self { watcher: view.watcher.clone(), head: members(out), input: input.into() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.head.len() + self.input.len()
    }

    pub(super) fn write(&self, with_input: bool) -> String {
        let head = &self.head;
        if with_input { format!("{{{head},\"input\":{}}}", self.input) } else { format!("{{{head}}}") }
    }
}

/// What came of a call.
struct Answer<'a> {
    output: Option<&'a [u8]>,
    failure: Option<&'a PolicyFailure>,
    decision: Decision<'a>,
}

impl Answer<'_> {
    fn write(&self, (before, after): (&str, &str), redactor: &mut Redactor, out: &mut Writer) {
        let mut document =
            |json: &str| redactor.document(json.as_bytes()).unwrap_or_else(|_| "null".to_owned());
        let (before, after) = (document(before), document(after));
        out.key("output");
        raw(self.output.and_then(|output| redactor.answer(output).ok()).as_deref(), out);
        out.key("failure");
        match self.failure {
            Some(failure) => {
                out.begin_object();
                out.key("code").string(&failure.code);
                out.key("message").string(&redactor.words(&failure.message));
                out.string_member("served", self.decision.served());
                out.end_object();
            }
            None => out.null(),
        }
        out.key("fuel");
        int(self.decision.fuel, out);
        let both = before != "null" && after != "null";
        let what = if both { differences(&before, &after) } else { Vec::new() };
        out.key("shown_before").bool(before != "null");
        out.key("changed").bool(before != after);
        out.key("what").begin_array();
        what.iter().for_each(|what| out.string(what));
        out.end_array();
        out.key("document");
        raw(Some(&after), out);
    }
}

/// The device of each publication of an input.
fn devices(input: &str) -> BTreeMap<String, Device> {
    let Ok(input) = json::read(input.as_bytes()) else { return BTreeMap::new() };
    let publications = input.get("publications").and_then(Value::as_array).unwrap_or_default();
    let text = |of: &Value<'_>, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    let device =
        |one: &Value<'_>| Some(Device { key: text(one, "device")?, user_agent: text(one, "user_agent") });
    publications.iter().filter_map(|one| Some((text(one, "etag")?, device(one)?))).collect()
}

fn int(number: Option<u64>, out: &mut Writer) {
    match number {
        Some(number) => out.int(i64::try_from(number).unwrap_or(json::MAX_INTEGER)),
        None => out.null(),
    }
}

/// JSON that was written elsewhere.
fn raw(text: Option<&str>, out: &mut Writer) {
    match text.and_then(|text| json::read(text.as_bytes()).ok()) {
        Some(value) => out.value(&value),
        None => out.null(),
    }
}

/// What stands between the braces.
fn members(object: Writer) -> String {
    let object = object.into_string();
    object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default().to_owned()
}
