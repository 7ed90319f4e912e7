//! What a policy is given: views over the JSON, nothing copied.
//!
//! A member that is missing reads as empty, 0 or `None`: a policy built for a newer input goes on
//! working with an older host as well as it can.

use core::slice;

use merge_core::json::Value;

type V<'j> = Value<'j>;

fn text<'v>(value: &'v V<'_>, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn maybe_text<'v>(value: &'v V<'_>, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

fn int(value: &V<'_>, name: &str) -> i64 {
    value.get(name).and_then(Value::as_int).unwrap_or_default()
}

fn maybe_int(value: &V<'_>, name: &str) -> Option<i64> {
    value.get(name).and_then(Value::as_int)
}

fn items<'v, 'j>(value: &'v V<'j>, name: &str) -> slice::Iter<'v, V<'j>> {
    value.get(name).and_then(Value::as_array).unwrap_or_default().iter()
}

macro_rules! view {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'v, 'j>(&'v V<'j>);

        impl<'v, 'j> $name<'v, 'j> {
            /// The JSON itself, for members that this SDK does not name.
            #[must_use]
            pub fn json(self) -> &'v V<'j> {
                self.0
            }
        }
    };
}

/// A list of words.
#[derive(Clone, Debug)]
pub struct Texts<'v, 'j>(slice::Iter<'v, V<'j>>);

impl<'v> Iterator for Texts<'v, '_> {
    type Item = &'v str;

    fn next(&mut self) -> Option<&'v str> {
        self.0.by_ref().find_map(Value::as_str)
    }
}

/// Whether a list holds a word.
pub trait Contained {
    /// Whether the list holds this word.
    fn has(self, word: &str) -> bool;
}

impl Contained for Texts<'_, '_> {
    fn has(mut self, word: &str) -> bool {
        self.any(|other| other == word)
    }
}

/// The input of a call.
#[derive(Clone, Copy, Debug)]
pub struct Input<'j>(&'j V<'j>);

impl<'j> Input<'j> {
    /// A view of an input that was read.
    #[must_use]
    pub fn new(value: &'j V<'j>) -> Self {
        Self(value)
    }

    /// The JSON itself, for members that this SDK does not name.
    #[must_use]
    pub fn json(&self) -> &'j V<'j> {
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
    pub fn presentity(&self) -> Presentity<'j, 'j> {
        Presentity(self.0.get("presentity").unwrap_or(&Value::Null))
    }

    /// What is published, newest first.
    pub fn publications(&self) -> impl Iterator<Item = Publication<'j, 'j>> + Clone + use<'j> {
        items(self.0, "publications").map(Publication)
    }

    /// The publication with this etag.
    #[must_use]
    pub fn publication(&self, etag: &str) -> Option<Publication<'j, 'j>> {
        self.publications().find(|publication| publication.etag() == etag)
    }

    /// Where the person is registered.
    pub fn registrations(&self) -> impl Iterator<Item = Registration<'j, 'j>> + Clone + use<'j> {
        items(self.0, "registrations").map(Registration)
    }

    /// The person's calls.
    pub fn dialogs(&self) -> impl Iterator<Item = Dialog<'j, 'j>> + Clone + use<'j> {
        items(self.0, "dialogs").map(Dialog)
    }

    /// The time where the person is, where it is known.
    #[must_use]
    pub fn local_time(&self) -> Option<LocalTime<'j, 'j>> {
        self.0.get("local_time").filter(|value| !value.is_null()).map(LocalTime)
    }

    /// What the built-in merge would answer.
    #[must_use]
    pub fn builtin(&self) -> Builtin<'j, 'j> {
        Builtin(self.0.get("builtin").unwrap_or(&Value::Null))
    }

    /// The operator's parameters for this assignment.
    #[must_use]
    pub fn params(&self) -> Params<'j, 'j> {
        Params(self.0.get("params").unwrap_or(&Value::Null))
    }
}

view! {
    /// Whose state is merged.
    Presentity
}
impl<'v, 'j> Presentity<'v, 'j> {
    /// `sip:alice@example.com`
    #[must_use]
    pub fn aor(self) -> &'v str {
        text(self.0, "aor")
    }
    /// The domain.
    #[must_use]
    pub fn domain(self) -> &'v str {
        text(self.0, "domain")
    }
    /// The tenant that the domain belongs to.
    #[must_use]
    pub fn tenant(self) -> &'v str {
        text(self.0, "tenant")
    }
    /// The groups the person is in.
    #[must_use]
    pub fn groups(self) -> Texts<'v, 'j> {
        Texts(items(self.0, "groups"))
    }
    /// The person's language.
    #[must_use]
    pub fn locale(self) -> Option<&'v str> {
        maybe_text(self.0, "locale")
    }
}

view! {
    /// What one device published.
    Publication
}
impl<'v, 'j> Publication<'v, 'j> {
    /// Its name in this call.
    #[must_use]
    pub fn etag(self) -> &'v str {
        text(self.0, "etag")
    }
    /// `publish`, `register`, `dialog`, `hard-state` or `gateway`.
    #[must_use]
    pub fn source(self) -> &'v str {
        text(self.0, "source")
    }
    /// The device's name, stable over its publications.
    #[must_use]
    pub fn device(self) -> &'v str {
        text(self.0, "device")
    }
    /// `desk`, `mobile`, `soft`, `web`, `room` or `service`.
    #[must_use]
    pub fn device_kind(self) -> &'v str {
        text(self.0, "device_kind")
    }
    /// The device's `+sip.instance`.
    #[must_use]
    pub fn instance(self) -> Option<&'v str> {
        maybe_text(self.0, "instance")
    }
    /// The device's `User-Agent`.
    #[must_use]
    pub fn user_agent(self) -> Option<&'v str> {
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
    pub fn tuples(self) -> impl Iterator<Item = Tuple<'v, 'j>> + Clone + use<'v, 'j> {
        items(self.0, "tuples").map(Tuple)
    }
    /// What it says about the person.
    #[must_use]
    pub fn person(self) -> Option<Person<'v, 'j>> {
        self.0.get("person").filter(|value| !value.is_null()).map(Person)
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
impl<'v, 'j> Tuple<'v, 'j> {
    /// Its id inside its publication.
    #[must_use]
    pub fn id(self) -> &'v str {
        text(self.0, "id")
    }
    /// `open` or `closed`.
    #[must_use]
    pub fn basic(self) -> Option<&'v str> {
        maybe_text(self.0, "basic")
    }
    /// Where it can be reached.
    #[must_use]
    pub fn contact(self) -> Option<&'v str> {
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
    pub fn activities(self) -> Texts<'v, 'j> {
        Texts(items(self.0, "activities"))
    }
    /// Its notes.
    pub fn notes(self) -> impl Iterator<Item = Note<'v, 'j>> + Clone + use<'v, 'j> {
        items(self.0, "note").map(Note)
    }
    /// Whether it can do this: `audio`, `video`, `message` and so on. `None`: it does not say.
    #[must_use]
    pub fn cap(self, name: &str) -> Option<bool> {
        self.0.get("caps")?.get(name)?.as_bool()
    }
    /// `active` or `idle`.
    #[must_use]
    pub fn user_input(self) -> Option<&'v str> {
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
impl<'v, 'j> Person<'v, 'j> {
    /// Its id inside its publication.
    #[must_use]
    pub fn id(self) -> &'v str {
        text(self.0, "id")
    }
    /// What the person does.
    #[must_use]
    pub fn activities(self) -> Texts<'v, 'j> {
        Texts(items(self.0, "activities"))
    }
    /// How the person feels.
    #[must_use]
    pub fn mood(self) -> Texts<'v, 'j> {
        Texts(items(self.0, "mood"))
    }
    /// What kind of place the person is at.
    #[must_use]
    pub fn place(self) -> Texts<'v, 'j> {
        Texts(items(self.0, "place"))
    }
    /// The role the person is in: `work`, `home`.
    #[must_use]
    pub fn sphere(self) -> Option<&'v str> {
        maybe_text(self.0, "sphere")
    }
    /// The person's notes.
    pub fn notes(self) -> impl Iterator<Item = Note<'v, 'j>> + Clone + use<'v, 'j> {
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
impl<'v, 'j> Note<'v, 'j> {
    /// Its language.
    #[must_use]
    pub fn lang(self) -> Option<&'v str> {
        maybe_text(self.0, "lang")
    }
    /// What it says.
    #[must_use]
    pub fn text(self) -> &'v str {
        text(self.0, "text")
    }
}

view! {
    /// A registered contact.
    Registration
}
impl<'v, 'j> Registration<'v, 'j> {
    /// Where it is.
    #[must_use]
    pub fn contact(self) -> &'v str {
        text(self.0, "contact")
    }
    /// The device's `+sip.instance`.
    #[must_use]
    pub fn instance(self) -> Option<&'v str> {
        maybe_text(self.0, "instance")
    }
    /// Its q value in thousandths.
    #[must_use]
    pub fn q_milli(self) -> i64 {
        int(self.0, "q_milli")
    }
    /// When it ends.
    #[must_use]
    pub fn expires_ms(self) -> i64 {
        int(self.0, "expires_ms")
    }
    /// `ws`, `tcp` and so on.
    #[must_use]
    pub fn transport(self) -> &'v str {
        text(self.0, "transport")
    }
}

view! {
    /// A call.
    Dialog
}
impl<'v, 'j> Dialog<'v, 'j> {
    /// Its name in this call.
    #[must_use]
    pub fn id(self) -> &'v str {
        text(self.0, "id")
    }
    /// `trying`, `proceeding`, `early`, `confirmed` or `terminated`.
    #[must_use]
    pub fn state(self) -> &'v str {
        text(self.0, "state")
    }
    /// `initiator` or `recipient`.
    #[must_use]
    pub fn direction(self) -> &'v str {
        text(self.0, "direction")
    }
    /// Since when.
    #[must_use]
    pub fn since_ms(self) -> i64 {
        int(self.0, "since_ms")
    }
    /// On which device.
    #[must_use]
    pub fn device(self) -> Option<&'v str> {
        maybe_text(self.0, "device")
    }
}

view! {
    /// The time where the person is.
    LocalTime
}
impl<'v, 'j> LocalTime<'v, 'j> {
    /// The time zone's name.
    #[must_use]
    pub fn tz(self) -> &'v str {
        text(self.0, "tz")
    }
    /// Minutes since midnight.
    #[must_use]
    pub fn minutes(self) -> i64 {
        int(self.0, "minutes")
    }
    /// 1 for Monday to 7 for Sunday.
    #[must_use]
    pub fn weekday(self) -> i64 {
        int(self.0, "weekday")
    }
    /// `2026-11-21`
    #[must_use]
    pub fn date(self) -> &'v str {
        text(self.0, "date")
    }
}

view! {
    /// What the built-in merge would answer.
    Builtin
}
impl<'v, 'j> Builtin<'v, 'j> {
    /// `open` or `closed`.
    #[must_use]
    pub fn basic(self) -> Option<&'v str> {
        maybe_text(self.0, "basic")
    }
    /// The person's activities.
    #[must_use]
    pub fn activities(self) -> Texts<'v, 'j> {
        Texts(items(self.0, "activities"))
    }
    /// The services it would show, in their order.
    pub fn select(self) -> impl Iterator<Item = Selected<'v>> + Clone + use<'v, 'j> {
        items(self.0, "select")
            .map(|value| Selected { etag: text(value, "etag"), tuple: text(value, "tuple") })
    }
    /// The notes it would show.
    pub fn notes(self) -> impl Iterator<Item = Note<'v, 'j>> + Clone + use<'v, 'j> {
        items(self.0, "note").map(Note)
    }
}

/// A service by its publication and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected<'v> {
    /// The publication.
    pub etag: &'v str,
    /// The tuple in it.
    pub tuple: &'v str,
}

view! {
    /// The operator's parameters.
    Params
}
impl<'v, 'j> Params<'v, 'j> {
    /// An integer, or this where it is not given.
    #[must_use]
    pub fn int_or(self, name: &str, otherwise: i64) -> i64 {
        maybe_int(self.0, name).unwrap_or(otherwise)
    }
    /// A flag, or this where it is not given.
    #[must_use]
    pub fn flag_or(self, name: &str, otherwise: bool) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(otherwise)
    }
    /// A text.
    #[must_use]
    pub fn text(self, name: &str) -> Option<&'v str> {
        maybe_text(self.0, name)
    }
    /// A list of words.
    #[must_use]
    pub fn texts(self, name: &str) -> Texts<'v, 'j> {
        Texts(items(self.0, name))
    }
    /// A list of integers; other items are passed over.
    pub fn ints(self, name: &str) -> impl Iterator<Item = i64> + Clone + use<'v, 'j> {
        items(self.0, name).filter_map(Value::as_int)
    }
    /// Whether this parameter is given.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.0.get(name).is_some()
    }
}
