//! The words that a policy may use.
//!
//! It needs nothing else of the crate: a policy's project gets this file along.

/// The length of one activity or other token, in characters.
pub const TOKEN_CHARS: usize = 32;

/// RFC 4480 section 3.2, and `unknown`.
pub const ACTIVITIES: &[&str] = &[
    "appointment",
    "away",
    "breakfast",
    "busy",
    "dinner",
    "holiday",
    "in-transit",
    "looking-for-work",
    "meal",
    "meeting",
    "on-the-phone",
    "other",
    "performance",
    "permanent-absence",
    "playing",
    "presentation",
    "shopping",
    "sleeping",
    "spectator",
    "steering",
    "travel",
    "tv",
    "unknown",
    "vacation",
    "working",
    "worship",
];

/// RFC 4480 section 3.4, and `unknown`.
pub const MOODS: &[&str] = &[
    "afraid",
    "amazed",
    "angry",
    "annoyed",
    "anxious",
    "ashamed",
    "bored",
    "brave",
    "calm",
    "cold",
    "confused",
    "contented",
    "cranky",
    "curious",
    "depressed",
    "disappointed",
    "disgusted",
    "distracted",
    "embarrassed",
    "excited",
    "flirtatious",
    "frustrated",
    "grumpy",
    "guilty",
    "happy",
    "hot",
    "humbled",
    "humiliated",
    "hungry",
    "hurt",
    "impressed",
    "in_awe",
    "in_love",
    "indignant",
    "interested",
    "invincible",
    "jealous",
    "lonely",
    "mean",
    "moody",
    "nervous",
    "neutral",
    "offended",
    "other",
    "playful",
    "proud",
    "relieved",
    "remorseful",
    "restless",
    "sad",
    "sarcastic",
    "serious",
    "shocked",
    "shy",
    "sick",
    "sleepy",
    "stressed",
    "surprised",
    "thirsty",
    "unknown",
    "worried",
];

/// An RFC 4480 activity, or an `x-` token of at most 32 characters.
#[must_use]
pub fn is_activity(token: &str) -> bool {
    ACTIVITIES.binary_search(&token).is_ok() || is_extension(token)
}

/// An RFC 4480 mood, or an `x-` token of at most 32 characters.
#[must_use]
pub fn is_mood(token: &str) -> bool {
    MOODS.binary_search(&token).is_ok() || is_extension(token)
}

/// A place type of RFC 4589 or later (lower-case words with hyphens), at most 32 characters.
#[must_use]
pub fn is_place(token: &str) -> bool {
    token.len() <= TOKEN_CHARS && is_word(token)
}

fn is_extension(token: &str) -> bool {
    token.len() <= TOKEN_CHARS && token.strip_prefix("x-").is_some_and(is_word)
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_lowercase())
        && token.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// A language tag, loosely (RFC 5646 section 2.1): a first subtag of letters and others of letters and digits,
/// each of 1 to 8.
#[must_use]
pub fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    tag.len() <= 35
        && parts.next().is_some_and(|primary| primary.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(|part| part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && tag.split('-').all(|part| (1..=8).contains(&part.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(ACTIVITIES.is_sorted() && MOODS.is_sorted());
    }

    #[test]
    fn tokens_are_those_of_the_rfcs_or_begin_with_x() {
        let check = |token: &str, expect| assert_eq!(is_activity(token), expect, "{token}");
        check("on-the-phone", true);
        check("On-The-Phone", false);
        check("x-lunch-break", true);
        check("x-", false);
        check("x-a b", false);
        check("x-234567890123456789012345678901", false);
        check("x-a234567890123456789012345678901", false);
        check("available", false);
        assert!(is_mood("in_awe") && !is_mood("busy"));
        assert!(is_place("office") && !is_place("Office"));
    }
}
