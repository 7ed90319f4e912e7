//! What a policy is given: views over the JSON, nothing copied.
//!
//! A member that is missing reads as empty, 0 or `None`: a policy built for a newer input goes on
//! working with an older host as well as it can. Each question looks the member up anew, so what is
//! asked often is best kept in a variable.

mod builtin;
mod params;
mod publication;
mod surroundings;
mod view_input;

use crate::json::{Items, Json};

pub use builtin::{Builtin, Selected};
pub use params::Params;
pub use publication::{Geo, Note, Person, Publication, Tuple};
pub use surroundings::{Dialog, LocalTime, Presentity, Registration};
pub use view_input::{Merged, ViewInput, Watcher};

fn text<'j>(value: Json<'j>, name: &str) -> &'j str {
    maybe_text(value, name).unwrap_or_default()
}

fn maybe_text<'j>(value: Json<'j>, name: &str) -> Option<&'j str> {
    value.get(name).and_then(Json::as_str)
}

fn int(value: Json<'_>, name: &str) -> i64 {
    maybe_int(value, name).unwrap_or_default()
}

fn maybe_int(value: Json<'_>, name: &str) -> Option<i64> {
    value.get(name).and_then(Json::as_int)
}

fn object<'j>(value: Json<'j>, name: &str) -> Option<Json<'j>> {
    value.get(name).filter(|value| value.is_object())
}

fn items<'j>(value: Json<'j>, name: &str) -> Items<'j> {
    value.get(name).unwrap_or(Json::NULL).items()
}

macro_rules! view {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'j>(pub(super) Json<'j>);

        impl<'j> $name<'j> {
            /// The JSON itself, for members that this SDK does not name.
            #[must_use]
            pub fn json(self) -> Json<'j> {
                self.0
            }
        }
    };
}
use view;

/// A list of words.
#[derive(Clone, Debug)]
pub struct Texts<'j>(Items<'j>);

impl<'j> Iterator for Texts<'j> {
    type Item = &'j str;

    fn next(&mut self) -> Option<&'j str> {
        self.0.find_map(Json::as_str)
    }
}

/// Whether a list holds a word.
pub trait Contained {
    /// Whether the list holds this word.
    fn has(self, word: &str) -> bool;
}

impl Contained for Texts<'_> {
    fn has(mut self, word: &str) -> bool {
        self.0.any(|item| item.is(word))
    }
}

/// The input of a call.
#[derive(Clone, Copy, Debug)]
pub struct Input<'j>(Json<'j>);

impl<'j> Input<'j> {
    /// The input that these bytes are; `None` where they are no JSON object.
    #[must_use]
    pub fn new(bytes: &'j [u8]) -> Option<Self> {
        let json = Json::new(bytes);
        let whole = json.is_object() && bytes.trim_ascii_end().ends_with(b"}");
        whole.then_some(Self(json))
    }

    /// The JSON itself, for members that this SDK does not name.
    #[must_use]
    pub fn json(&self) -> Json<'j> {
        self.0
    }

    /// The moment of the call, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        int(self.0, "now_ms")
    }

    /// Why the state is merged: `publish`, `refresh`, `remove`, `expire`, `register`, `dialog`,
    /// `timer` or `policy`.
    #[must_use]
    pub fn reason(&self) -> &'j str {
        text(self.0, "reason")
    }

    /// The publication that made the call necessary.
    #[must_use]
    pub fn changed_etag(&self) -> Option<&'j str> {
        maybe_text(self.0, "changed_etag")
    }

    /// Whose state this is.
    #[must_use]
    pub fn presentity(&self) -> Presentity<'j> {
        Presentity(self.0.get("presentity").unwrap_or(Json::NULL))
    }

    /// What is published, newest first.
    pub fn publications(&self) -> impl Iterator<Item = Publication<'j>> + Clone + use<'j> {
        items(self.0, "publications").map(Publication)
    }

    /// The publication with this etag.
    #[must_use]
    pub fn publication(&self, etag: &str) -> Option<Publication<'j>> {
        self.publications().find(|publication| publication.etag() == etag)
    }

    /// Where the person is registered.
    pub fn registrations(&self) -> impl Iterator<Item = Registration<'j>> + Clone + use<'j> {
        items(self.0, "registrations").map(Registration)
    }

    /// The person's calls.
    pub fn dialogs(&self) -> impl Iterator<Item = Dialog<'j>> + Clone + use<'j> {
        items(self.0, "dialogs").map(Dialog)
    }

    /// The time where the person is, where it is known.
    #[must_use]
    pub fn local_time(&self) -> Option<LocalTime<'j>> {
        object(self.0, "local_time").map(LocalTime)
    }

    /// What the built-in merge would answer.
    #[must_use]
    pub fn builtin(&self) -> Builtin<'j> {
        Builtin(self.0.get("builtin").unwrap_or(Json::NULL))
    }

    /// The operator's parameters for this assignment.
    #[must_use]
    pub fn params(&self) -> Params<'j> {
        Params(self.0.get("params").unwrap_or(Json::NULL))
    }
}
