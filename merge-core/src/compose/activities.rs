//! How much an `activities` element says.

use crate::activity::{self, is_plain};
use crate::model::Activities;
use crate::xml::Namespace;

/// What kind of statement an `activities` element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A value of its own: on the phone, in a meeting, on vacation. Chosen by somebody, or known.
    Explicit,
    /// `unknown`, `available` and the like, nothing at all, or an `away` that is only idleness noticed.
    Plain,
}

/// The class of an `activities` element, seen on a device at which the user is idle or not.
///
/// An `away` alone from an idle device says no more than that it is idle, so it counts as plain.
pub(crate) fn classify(activities: Activities<'_>, idle: bool) -> Class {
    let says_something = activities.values().any(|value| {
        let away = idle && value.token == "away" && value.element.namespace() == Namespace::Rpid;
        !away && !is_plain(value.token)
    });
    if says_something { Class::Explicit } else { Class::Plain }
}

/// How much activities keep somebody from answering: 0 free, 1 busy, 2 away.
#[must_use]
pub fn hindrance(activities: Activities<'_>) -> u8 {
    activities.values().map(|value| activity::hindrance(value.token)).max().unwrap_or(0)
}
