//! Expires: asked for and granted.

use crate::config::Lifetime;
use crate::respond::Reply;
use tributary_sip::{Name, Status};

/// The seconds to grant, or 423. Zero, "end it", is always granted; nothing is ever made longer than
/// it was asked for.
pub(crate) fn granted(asked: Option<u32>, range: Lifetime) -> Result<u32, Reply> {
    let asked = asked.unwrap_or(range.default);
    if asked == 0 || asked >= range.min {
        return Ok(asked.min(range.max));
    }
    Err(Reply::refuse(Status::INTERVAL_TOO_BRIEF, "Expires").with(Name::MinExpires, range.min.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_shortened_but_never_lengthened() {
        let range = Lifetime { min: 10, max: 100, default: 50 };
        let check = |asked, expect| assert_eq!(granted(asked, range).ok(), expect, "{asked:?}");
        check(None, Some(50));
        check(Some(0), Some(0));
        check(Some(9), None);
        check(Some(10), Some(10));
        check(Some(u32::MAX), Some(100));
    }
}
