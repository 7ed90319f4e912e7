//! Why the result is what it is: for each element and field of it, which publication it came from, which
//! rule chose it and what it beat.
//!
//! Nothing is recorded while composing. A [`Composed`] holds the ranked contributors of each part, so the
//! reasons can be worked out from it afterwards; who does not ask does not pay.
//!
//! Paths name the result's parts by their ids: `tuple/t1/basic`, `tuple/t1/note[0]`, `person/activities`,
//! `device/d1/deviceID`, `note[0]`, `extension[0]`; `publication/e-1` is one that a newer one superseded,
//! `policy` a line that a policy said itself.

mod parts;
mod sentence;
mod verdict;

use alloc::string::String;
use alloc::vec::Vec;

use crate::compose::Composed;
use crate::json::Writer;

/// The rule that chose a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Nobody else said anything on it.
    OnlySource,
    /// All said the same.
    Agreed,
    /// The newest word.
    Newest,
    /// The newest activity that says something, over `unknown` and plain availability.
    NewestExplicit,
    /// A newer word from a device at which the user is idle yields.
    IdleYields,
    /// A call that goes on.
    Call,
    /// The device at which the user can best be reached.
    MostAvailable,
    /// Nothing is resolved: everything stays.
    Union,
    /// The newer publication of the same device.
    Superseded,
    /// The device has registered: its GRUU stands for a contact that leads less far.
    Gruu,
    /// Nothing is published, but a contact is registered.
    Registered,
    /// Nothing is published.
    NothingPublished,
    /// The policy wants it so.
    Policy,
}

impl Rule {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::OnlySource => "only-source",
            Rule::Agreed => "agreed",
            Rule::Newest => "newest",
            Rule::NewestExplicit => "newest-explicit",
            Rule::IdleYields => "idle-yields",
            Rule::Call => "call",
            Rule::MostAvailable => "most-available",
            Rule::Union => "union",
            Rule::Superseded => "superseded",
            Rule::Gruu => "gruu",
            Rule::Registered => "registered",
            Rule::NothingPublished => "nothing-published",
            Rule::Policy => "policy",
        }
    }

    /// The rule in a person's words, to stand in brackets behind a sentence.
    fn words(self, activity: bool) -> &'static str {
        match self {
            Rule::OnlySource => "the only source",
            Rule::Agreed => "all agree",
            Rule::Newest if activity => "newest activity",
            Rule::Newest => "newest",
            Rule::NewestExplicit => "newest explicit activity",
            Rule::IdleYields => "an idle device yields",
            Rule::Call => "a call is going on",
            Rule::MostAvailable => "the most available device",
            Rule::Union => "everything is kept",
            Rule::Superseded => "one device speaks once",
            Rule::Gruu => "leads to this device alone",
            Rule::Registered => "registered, nothing published",
            Rule::NothingPublished => "nothing published",
            Rule::Policy => "policy",
        }
    }
}

/// One value of the result and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which value: `person/activities`.
    pub path: String,
    /// The value: tokens with spaces between, or text.
    pub value: String,
    /// The publication that it is from; none where it is from none.
    pub etag: Option<String>,
    /// The key of the device that it is from.
    pub device: Option<String>,
    /// The rule that chose it.
    pub rule: Rule,
    /// All of it in one sentence.
    pub reason: String,
    /// What it beat, the strongest first.
    pub beat: Vec<Beaten>,
}

/// A value that did not make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beaten {
    /// The value.
    pub value: String,
    /// The publication that it is from.
    pub etag: Option<String>,
    /// The key of the device that it is from.
    pub device: Option<String>,
    /// Device and time, as the sentence names them.
    pub(crate) origin: String,
}

/// The explanation of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// In the order of the result: tuples, notes, person, devices, extensions; then what was superseded.
    pub entries: Vec<Entry>,
}

impl Explanation {
    /// The entry of a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path == path)
    }

    /// The JSON form: `{"entries":[{"path","value","etag","device","rule","reason","beat":[{"value","etag","device"}]}]}`.
    #[must_use]
    pub fn write_json(&self) -> String {
        let mut out = Writer::with_capacity(self.entries.len() * 192 + 16);
        self.write(&mut out);
        out.into_string()
    }

    /// Writes the JSON form as a value.
    pub fn write(&self, out: &mut Writer) {
        out.begin_object();
        out.key("entries").begin_array();
        for entry in &self.entries {
            out.begin_object();
            out.key("path").string(&entry.path);
            out.key("value").string(&entry.value);
            out.string_member("etag", entry.etag.as_deref());
            out.string_member("device", entry.device.as_deref());
            out.key("rule").string(entry.rule.as_str());
            out.key("reason").string(&entry.reason);
            out.key("beat").begin_array();
            for beaten in &entry.beat {
                out.begin_object();
                out.key("value").string(&beaten.value);
                out.string_member("etag", beaten.etag.as_deref());
                out.string_member("device", beaten.device.as_deref());
                out.end_object();
            }
            out.end_array();
            out.end_object();
        }
        out.end_array();
        out.end_object();
    }
}

impl Composed<'_> {
    /// Why the result is what it is.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let mut explanation = Explanation { entries: parts::explain(self) };
        if let Some(output) = &self.verdict {
            verdict::explain(self, output, &mut explanation.entries);
        }
        for entry in &mut explanation.entries {
            if entry.reason.is_empty() {
                entry.reason = sentence::of(self, entry);
            }
        }
        explanation
    }
}
