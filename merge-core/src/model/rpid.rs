//! Rich presence: the elements of RFC 4480, which stand in persons, tuples and devices alike.

use alloc::borrow::Cow;

use super::fields::Note;
use crate::time::Millis;
use crate::xml::{Element, Namespace};

/// The RFC 4480 elements directly inside a person, tuple or device. Of an element given more than once these find
/// the first; [`Rpid::all`] finds the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rpid<'a> {
    pub(super) around: Element<'a>,
    /// The status of a tuple, where clients older than the RFC put them.
    pub(super) status: Option<Element<'a>>,
}

impl<'a> Rpid<'a> {
    /// All elements of that local name.
    pub fn all(self, local: &'a str) -> impl Iterator<Item = Element<'a>> {
        let inside = |element: Element<'a>| element.children();
        inside(self.around)
            .chain(self.status.into_iter().flat_map(inside))
            .filter(move |element| element.is(Namespace::Rpid, local))
    }

    fn first(self, local: &str) -> Option<Element<'a>> {
        self.around
            .child(Namespace::Rpid, local)
            .or_else(|| self.status.and_then(|status| status.child(Namespace::Rpid, local)))
    }

    fn values(self, local: &str) -> Option<Activities<'a>> {
        self.first(local).map(|element| Activities { element })
    }

    /// `activities` (section 3.2): what the person is doing.
    #[must_use]
    pub fn activities(self) -> Option<Activities<'a>> {
        self.values("activities")
    }

    /// `class` (section 3.3): a label that groups elements of one kind.
    #[must_use]
    pub fn class(self) -> Option<Cow<'a, str>> {
        self.first("class").map(Element::value)
    }

    /// `mood` (section 3.5).
    #[must_use]
    pub fn mood(self) -> Option<Activities<'a>> {
        self.values("mood")
    }

    /// `place-is` (section 3.6): what the place is like.
    #[must_use]
    pub fn place_is(self) -> Option<PlaceIs<'a>> {
        self.first("place-is").map(|element| PlaceIs { element })
    }

    /// `place-type` (section 3.7): values of RFC 4589, in a namespace of their own, or `other`.
    #[must_use]
    pub fn place_type(self) -> Option<Activities<'a>> {
        self.values("place-type")
    }

    /// `privacy` (section 3.8): the media that others nearby cannot overhear.
    #[must_use]
    pub fn privacy(self) -> Option<Activities<'a>> {
        self.values("privacy")
    }

    /// `relationship` (section 3.9) of an alternate contact to the presentity.
    #[must_use]
    pub fn relationship(self) -> Option<Activities<'a>> {
        self.values("relationship")
    }

    /// `service-class` (section 3.10).
    #[must_use]
    pub fn service_class(self) -> Option<Activities<'a>> {
        self.values("service-class")
    }

    /// `sphere` (section 3.11): the role that the person is in.
    #[must_use]
    pub fn sphere(self) -> Option<Activities<'a>> {
        self.values("sphere")
    }

    /// `status-icon` (section 3.12): the URI of an image.
    #[must_use]
    pub fn status_icon(self) -> Option<Cow<'a, str>> {
        self.first("status-icon").map(Element::value)
    }

    /// `time-offset` (section 3.13): minutes east of UTC where the person is.
    #[must_use]
    pub fn time_offset(self) -> Option<i32> {
        let value = self.first("time-offset")?.value();
        value.strip_prefix('+').unwrap_or(&value).parse().ok()
    }

    /// `user-input` (section 3.14).
    #[must_use]
    pub fn user_input(self) -> Option<UserInput<'a>> {
        self.first("user-input").map(|element| UserInput { element })
    }
}

/// RPID `activities`, and others of its shape: `mood`, `place-type`, `privacy`, `relationship`, `service-class`,
/// `sphere`. Each holds notes and then values, which are elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activities<'a> {
    /// The element around the values.
    pub element: Element<'a>,
}

/// One value of an enumeration by elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity<'a> {
    /// The element that is the value.
    pub element: Element<'a>,
    /// Its local name: `on-the-phone`.
    pub token: &'a str,
    /// The text of `other`.
    pub text: Option<Cow<'a, str>>,
}

impl<'a> Activities<'a> {
    /// The values; notes are not among them.
    pub fn values(self) -> impl Iterator<Item = Activity<'a>> {
        self.element.children().filter(|e| !e.is(Namespace::Rpid, "note")).map(|element| Activity {
            element,
            token: element.local(),
            text: element.is(Namespace::Rpid, "other").then(|| element.text()),
        })
    }

    /// Notes inside it (RPID namespace).
    pub fn notes(self) -> impl Iterator<Item = Note<'a>> {
        self.element.children().filter(|e| e.is(Namespace::Rpid, "note")).map(|element| Note { element })
    }

    /// Whether it holds that RPID token.
    #[must_use]
    pub fn has(self, token: &str) -> bool {
        self.element.child(Namespace::Rpid, token).is_some()
    }

    /// Start of its validity.
    #[must_use]
    pub fn from(self) -> Option<Millis> {
        Millis::parse_rfc3339(self.element.attribute("from")?.trim())
    }

    /// End of its validity.
    #[must_use]
    pub fn until(self) -> Option<Millis> {
        Millis::parse_rfc3339(self.element.attribute("until")?.trim())
    }
}

/// RPID `place-is`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceIs<'a> {
    /// The `place-is` element.
    pub element: Element<'a>,
}

impl<'a> PlaceIs<'a> {
    /// What it says of `audio`, `video` or `text`: `noisy`, `ok`, `dark`, ...
    #[must_use]
    pub fn of(self, medium: &str) -> Option<&'a str> {
        self.element.child(Namespace::Rpid, medium)?.children().next().map(Element::local)
    }

    /// Notes inside it (RPID namespace).
    pub fn notes(self) -> impl Iterator<Item = Note<'a>> {
        Activities { element: self.element }.notes()
    }
}

/// RPID `user-input`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserInput<'a> {
    /// The `user-input` element.
    pub element: Element<'a>,
}

impl UserInput<'_> {
    /// Idle; anything else counts as active.
    #[must_use]
    pub fn is_idle(self) -> bool {
        self.element.value() == "idle"
    }

    /// `last-input`: when the last input was seen.
    #[must_use]
    pub fn last_input(self) -> Option<Millis> {
        Millis::parse_rfc3339(self.element.attribute("last-input")?.trim())
    }

    /// `idle-threshold` in seconds: the silence after which the sender says idle.
    #[must_use]
    pub fn idle_threshold(self) -> Option<u32> {
        let value = self.element.attribute("idle-threshold")?;
        let value = value.trim();
        value.strip_prefix('+').unwrap_or(value).parse().ok()
    }
}
