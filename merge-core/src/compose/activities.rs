//! How much an `activities` element says.

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

/// Values that only say that nothing particular is going on. RFC 4480 has just `unknown`; the others are
/// what clients write when their user picked "available" from a list.
fn is_plain(token: &str) -> bool {
    matches!(token, "unknown" | "available" | "online" | "open" | "active" | "normal" | "ready" | "none")
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
    activities.values().map(|value| hindrance_of(value.token)).max().unwrap_or(0)
}

/// The same of one activity.
pub(crate) fn hindrance_of(token: &str) -> u8 {
    match token {
        "working" | "other" | "looking-for-work" | "tv" | "playing" | "spectator" => 0,
        "away" | "holiday" | "vacation" | "sleeping" | "permanent-absence" | "worship" | "breakfast"
        | "dinner" | "meal" | "in-transit" | "travel" | "steering" | "shopping" => 2,
        plain if is_plain(plain) => 0,
        _ => 1,
    }
}
