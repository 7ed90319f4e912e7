//! What the devices published.

use super::{Contained, Texts, int, items, maybe_int, maybe_text, object, text, view};
use crate::json::Json;

view! {
    /// What one device published.
    Publication
}
impl<'j> Publication<'j> {
    /// Its name in this call.
    #[must_use]
    pub fn etag(self) -> &'j str {
        text(self.0, "etag")
    }
    /// `publish`, `register`, `dialog`, `hard-state` or `gateway`.
    #[must_use]
    pub fn source(self) -> &'j str {
        text(self.0, "source")
    }
    /// The device's name, stable over its publications.
    #[must_use]
    pub fn device(self) -> &'j str {
        text(self.0, "device")
    }
    /// `desk`, `mobile`, `soft`, `web`, `room` or `service`.
    #[must_use]
    pub fn device_kind(self) -> &'j str {
        text(self.0, "device_kind")
    }
    /// The device's `+sip.instance`.
    #[must_use]
    pub fn instance(self) -> Option<&'j str> {
        maybe_text(self.0, "instance")
    }
    /// The device's `User-Agent`.
    #[must_use]
    pub fn user_agent(self) -> Option<&'j str> {
        maybe_text(self.0, "user_agent")
    }
    /// When this state came in.
    #[must_use]
    pub fn received_ms(self) -> i64 {
        int(self.0, "received_ms")
    }
    /// When the publication began.
    #[must_use]
    pub fn first_ms(self) -> i64 {
        int(self.0, "first_ms")
    }
    /// When it ends.
    #[must_use]
    pub fn expires_ms(self) -> i64 {
        int(self.0, "expires_ms")
    }
    /// Its services.
    pub fn tuples(self) -> impl Iterator<Item = Tuple<'j>> + Clone + use<'j> {
        items(self.0, "tuples").map(Tuple)
    }
    /// What it says about the person.
    #[must_use]
    pub fn person(self) -> Option<Person<'j>> {
        object(self.0, "person").map(Person)
    }
    /// Its notes: those of the document, and then those on the person that say something else. Clients write them in
    /// one place, in the other, or the same in both.
    pub fn notes(self) -> impl Iterator<Item = Note<'j>> + Clone + use<'j> {
        let said = self.all_notes();
        let before = said.clone();
        let first = move |(at, note): &(usize, Note<'j>)| {
            before.clone().take(*at).all(|known| known.text() != note.text())
        };
        said.enumerate().filter(first).map(|(_, note)| note)
    }
    /// The same with those that stand there twice.
    pub(crate) fn all_notes(self) -> impl Iterator<Item = Note<'j>> + Clone + use<'j> {
        items(self.0, "note").map(Note).chain(self.person().into_iter().flat_map(Person::notes))
    }
    /// Whether the person, or one of the services, is said to be engaged in this activity.
    #[must_use]
    pub fn has_activity(self, activity: &str) -> bool {
        self.person().is_some_and(|person| person.activities().has(activity))
            || self.tuples().any(|tuple| tuple.activities().has(activity))
    }
}

view! {
    /// One service: a way to reach the person.
    Tuple
}
impl<'j> Tuple<'j> {
    /// Its id inside its publication.
    #[must_use]
    pub fn id(self) -> &'j str {
        text(self.0, "id")
    }
    /// `open` or `closed`.
    #[must_use]
    pub fn basic(self) -> Option<&'j str> {
        maybe_text(self.0, "basic")
    }
    /// Where it can be reached.
    #[must_use]
    pub fn contact(self) -> Option<&'j str> {
        maybe_text(self.0, "contact")
    }
    /// Its priority in thousandths.
    #[must_use]
    pub fn priority_milli(self) -> Option<i64> {
        maybe_int(self.0, "priority_milli")
    }
    /// When it was true.
    #[must_use]
    pub fn timestamp_ms(self) -> Option<i64> {
        maybe_int(self.0, "timestamp_ms")
    }
    /// Its activities.
    #[must_use]
    pub fn activities(self) -> Texts<'j> {
        Texts(items(self.0, "activities"))
    }
    /// Its notes.
    pub fn notes(self) -> impl Iterator<Item = Note<'j>> + Clone + use<'j> {
        items(self.0, "note").map(Note)
    }
    /// Whether it can do this: `audio`, `video`, `message` and so on. `None`: it does not say.
    #[must_use]
    pub fn cap(self, name: &str) -> Option<bool> {
        self.0.get("caps")?.get(name)?.as_bool()
    }
    /// `active` or `idle`.
    #[must_use]
    pub fn user_input(self) -> Option<&'j str> {
        maybe_text(self.0, "user_input")
    }
    /// Since when it is idle.
    #[must_use]
    pub fn idle_since_ms(self) -> Option<i64> {
        maybe_int(self.0, "idle_since_ms")
    }
}

view! {
    /// What is said about the person.
    Person
}
impl<'j> Person<'j> {
    /// Its id inside its publication.
    #[must_use]
    pub fn id(self) -> &'j str {
        text(self.0, "id")
    }
    /// What the person does.
    #[must_use]
    pub fn activities(self) -> Texts<'j> {
        Texts(items(self.0, "activities"))
    }
    /// How the person feels.
    #[must_use]
    pub fn mood(self) -> Texts<'j> {
        Texts(items(self.0, "mood"))
    }
    /// What kind of place the person is at.
    #[must_use]
    pub fn place(self) -> Texts<'j> {
        Texts(items(self.0, "place"))
    }
    /// The role the person is in: `work`, `home`.
    #[must_use]
    pub fn sphere(self) -> Option<&'j str> {
        maybe_text(self.0, "sphere")
    }
    /// The person's notes.
    pub fn notes(self) -> impl Iterator<Item = Note<'j>> + Clone + use<'j> {
        items(self.0, "note").map(Note)
    }
    /// Where the person is.
    #[must_use]
    pub fn geo(self) -> Option<Geo> {
        let geo = self.0.get("geo")?;
        Some(Geo {
            lat_e6: maybe_int(geo, "lat_e6")?,
            lon_e6: maybe_int(geo, "lon_e6")?,
            acc_m: int(geo, "acc_m"),
        })
    }
    /// When this was true.
    #[must_use]
    pub fn timestamp_ms(self) -> Option<i64> {
        maybe_int(self.0, "timestamp_ms")
    }
}

/// A place on earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geo {
    /// Degrees north, in millionths.
    pub lat_e6: i64,
    /// Degrees east, in millionths.
    pub lon_e6: i64,
    /// The accuracy, in metres.
    pub acc_m: i64,
}

view! {
    /// A note for people.
    Note
}
impl<'j> Note<'j> {
    /// Its language.
    #[must_use]
    pub fn lang(self) -> Option<&'j str> {
        maybe_text(self.0, "lang")
    }
    /// What it says.
    #[must_use]
    pub fn text(self) -> &'j str {
        text(self.0, "text")
    }
}
