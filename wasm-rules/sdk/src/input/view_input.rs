//! What `pp_view` is given.

use super::{Contained, Note, Params, Person, Texts, Tuple, int, items, maybe_text, object, text, view};
use crate::json::Json;

/// The input of `pp_view`: who watches, and what there is to see.
#[derive(Clone, Copy, Debug)]
pub struct ViewInput<'j>(Json<'j>);

impl<'j> ViewInput<'j> {
    /// The input that these bytes are; `None` where they are no JSON object.
    #[must_use]
    pub fn new(bytes: &'j [u8]) -> Option<Self> {
        super::Input::new(bytes).map(|input| Self(input.json()))
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

    /// Who watches.
    #[must_use]
    pub fn watcher(&self) -> Watcher<'j> {
        Watcher(self.0.get("watcher").unwrap_or(Json::NULL))
    }

    /// The document as the merge left it.
    #[must_use]
    pub fn merged(&self) -> Merged<'j> {
        Merged(self.0.get("merged").unwrap_or(Json::NULL))
    }

    /// The operator's parameters.
    #[must_use]
    pub fn params(&self) -> Params<'j> {
        Params(self.0.get("params").unwrap_or(Json::NULL))
    }
}

view! {
    /// Who watches: a class of watchers, or one of them.
    Watcher
}
impl<'j> Watcher<'j> {
    /// `family`, `colleague`, `contact`, `same-domain`, `service`, `stranger` or `anonymous`.
    #[must_use]
    pub fn class(self) -> &'j str {
        text(self.0, "class")
    }
    /// The groups that they are in.
    #[must_use]
    pub fn groups(self) -> Texts<'j> {
        Texts(items(self.0, "groups"))
    }
    /// Who, where the manifest's `view_key` is `identity`.
    #[must_use]
    pub fn aor(self) -> Option<&'j str> {
        maybe_text(self.0, "aor")
    }
}

view! {
    /// A document as the merge left it.
    Merged
}
impl<'j> Merged<'j> {
    /// Whose state it is.
    #[must_use]
    pub fn entity(self) -> &'j str {
        text(self.0, "entity")
    }
    /// The services.
    pub fn tuples(self) -> impl Iterator<Item = Tuple<'j>> + Clone + use<'j> {
        items(self.0, "tuples").map(Tuple)
    }
    /// What is said about the person.
    #[must_use]
    pub fn person(self) -> Option<Person<'j>> {
        object(self.0, "person").map(Person)
    }
    /// The notes on the whole.
    pub fn notes(self) -> impl Iterator<Item = Note<'j>> + Clone + use<'j> {
        items(self.0, "note").map(Note)
    }
    /// What the person, and then each service, is said to be engaged in.
    pub fn activities(self) -> impl Iterator<Item = &'j str> + use<'j> {
        let person = self.person().into_iter().flat_map(Person::activities);
        person.chain(self.tuples().flat_map(Tuple::activities))
    }
    /// Whether something is said that keeps from answering: what [`View::activities`](crate::View::activities) may call
    /// `busy` or `away`.
    #[must_use]
    pub fn keeps_from_answering(self) -> bool {
        self.activities().any(merge_core::activity::keeps_from_answering)
    }
    /// Whether anybody is said to be engaged in this.
    #[must_use]
    pub fn has_activity(self, activity: &str) -> bool {
        self.person().is_some_and(|person| person.activities().has(activity))
            || self.tuples().any(|tuple| tuple.activities().has(activity))
    }
}
