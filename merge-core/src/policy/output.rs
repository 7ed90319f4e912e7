//! What a policy answers, once it is read.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::model::Basic;
use crate::time::Millis;

/// What a policy decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// What it starts from.
    pub base: Base,
    /// The tuples to show, in this order; `None` leaves those of the base as they are.
    pub select: Option<Vec<Select>>,
    /// What it says itself.
    pub set: Set,
    /// What is not to be shown.
    pub drop: Vec<Drop>,
    /// When it wants to be asked again.
    pub reevaluate_at: Option<Millis>,
    /// Its reasons, cleaned to be shown.
    pub explain: Vec<String>,
    /// Members that the contract does not know (E206): passed over when a policy runs, shown when it is checked.
    pub unknown: Vec<Finding>,
}

/// What a policy starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base {
    /// The built-in composition.
    #[default]
    Builtin,
    /// Nothing.
    Empty,
}

/// One tuple chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The publication that it is in.
    pub etag: String,
    /// Its id there.
    pub tuple: String,
    /// Another priority, in thousandths.
    pub priority_milli: Option<u16>,
    /// Another status.
    pub basic: Option<Basic>,
}

/// Values that replace those of the base. An empty list removes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The status of every tuple that is shown.
    pub basic: Option<Basic>,
    /// The person's activities.
    pub activities: Option<Vec<String>>,
    /// The person's mood.
    pub mood: Option<Vec<String>>,
    /// The types of place the person is at (RFC 4589).
    pub place: Option<Vec<String>>,
    /// The notes on the presentity and the person.
    pub note: Option<Vec<NoteText>>,
}

/// A note, cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteText {
    /// A BCP 47 tag.
    pub lang: Option<String>,
    /// The text, at most 512 characters.
    pub text: String,
}

/// Something not to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drop {
    /// `geo`: every location (RFC 4119).
    Geo,
    /// `note`: every note.
    Notes,
    /// `note:ETAG`: the notes of one publication.
    NotesOf(String),
    /// `tuple:ETAG/ID`: one tuple.
    Tuple(String, String),
    /// `devices`: every device, and which one a service runs on.
    Devices,
    /// `person`: the person.
    Person,
    /// `activities`, `mood`, `place` or `sphere`, wherever they stand.
    Field(&'static str),
}

/// One thing that is wrong with an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The code of the contract: E202, E203 or E206 to E209.
    pub code: &'static str,
    /// The member: `select[0].tuple`; empty for the whole text.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.code)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

/// Why an output cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputError {
    /// The code of the first finding.
    pub code: &'static str,
    /// Where the first finding is; of E209 the policy's own code for the failure.
    pub place: String,
    /// What the owner of the policy reads.
    pub message: String,
    /// All findings, in the order of the output's members.
    pub findings: Vec<Finding>,
}

impl OutputError {
    /// Where it is and what is wrong, for whoever says the code as well.
    #[must_use]
    pub fn told(&self) -> String {
        if self.place.is_empty() { self.message.clone() } else { format!("{}: {}", self.place, self.message) }
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.told())
    }
}

impl core::error::Error for OutputError {}

impl Output {
    /// The answer `0`: no opinion, the built-in composition stands.
    #[must_use]
    pub fn no_opinion() -> Output {
        Output::default()
    }

    /// Whether it gives the person anything of its own.
    #[must_use]
    pub fn sets_person(&self) -> bool {
        [&self.set.activities, &self.set.mood, &self.set.place]
            .into_iter()
            .any(|list| list.as_ref().is_some_and(|list| !list.is_empty()))
    }
}
