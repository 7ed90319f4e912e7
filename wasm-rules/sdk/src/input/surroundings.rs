//! Whose state it is, and what the server itself sees of the person.

use super::{Texts, int, items, maybe_text, text, view};
use crate::json::Json;

view! {
    /// Whose state is merged.
    Presentity
}
impl<'j> Presentity<'j> {
    /// `sip:alice@example.com`
    #[must_use]
    pub fn aor(self) -> &'j str {
        text(self.0, "aor")
    }
    /// The domain.
    #[must_use]
    pub fn domain(self) -> &'j str {
        text(self.0, "domain")
    }
    /// The tenant that the domain belongs to.
    #[must_use]
    pub fn tenant(self) -> &'j str {
        text(self.0, "tenant")
    }
    /// The groups the person is in.
    #[must_use]
    pub fn groups(self) -> Texts<'j> {
        Texts(items(self.0, "groups"))
    }
    /// The person's language.
    #[must_use]
    pub fn locale(self) -> Option<&'j str> {
        maybe_text(self.0, "locale")
    }
}

view! {
    /// A registered contact.
    Registration
}
impl<'j> Registration<'j> {
    /// Where it is.
    #[must_use]
    pub fn contact(self) -> &'j str {
        text(self.0, "contact")
    }
    /// The device's `+sip.instance`.
    #[must_use]
    pub fn instance(self) -> Option<&'j str> {
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
    pub fn transport(self) -> &'j str {
        text(self.0, "transport")
    }
}

view! {
    /// A call.
    Dialog
}
impl<'j> Dialog<'j> {
    /// Its name in this call.
    #[must_use]
    pub fn id(self) -> &'j str {
        text(self.0, "id")
    }
    /// `trying`, `proceeding`, `early`, `confirmed` or `terminated`.
    #[must_use]
    pub fn state(self) -> &'j str {
        text(self.0, "state")
    }
    /// `initiator` or `recipient`.
    #[must_use]
    pub fn direction(self) -> &'j str {
        text(self.0, "direction")
    }
    /// Since when.
    #[must_use]
    pub fn since_ms(self) -> i64 {
        int(self.0, "since_ms")
    }
    /// On which device.
    #[must_use]
    pub fn device(self) -> Option<&'j str> {
        maybe_text(self.0, "device")
    }
}

view! {
    /// The time where the person is.
    LocalTime
}
impl<'j> LocalTime<'j> {
    /// The time zone's name.
    #[must_use]
    pub fn tz(self) -> &'j str {
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
    pub fn date(self) -> &'j str {
        text(self.0, "date")
    }
}
