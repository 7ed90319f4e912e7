//! What single activities say (RFC 4480 3.2, and what clients write in their place).
//!
//! It needs nothing else of the crate: a policy's project gets this file along.

/// Whether a value only says that nothing particular is going on. RFC 4480 has just `unknown`; the others are
/// what clients write when their user picked "available" from a list.
#[must_use]
pub fn is_plain(token: &str) -> bool {
    matches!(token, "unknown" | "available" | "online" | "open" | "active" | "normal" | "ready" | "none")
}

/// How much an activity keeps somebody from answering: 0 free, 1 busy, 2 away.
#[must_use]
pub fn hindrance(token: &str) -> u8 {
    match token {
        "working" | "other" | "looking-for-work" | "tv" | "playing" | "spectator" => 0,
        "away" | "holiday" | "vacation" | "sleeping" | "permanent-absence" | "worship" | "breakfast"
        | "dinner" | "meal" | "in-transit" | "travel" | "steering" | "shopping" => 2,
        plain if is_plain(plain) => 0,
        _ => 1,
    }
}

/// Whether somebody who does this cannot well answer: what `busy` or `away` may stand for in a view.
#[must_use]
pub fn keeps_from_answering(token: &str) -> bool {
    hindrance(token) > 0
}
