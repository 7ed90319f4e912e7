//! Event and Subscription-State (RFC 6665 8.2, 8.4).

use crate::lex::{self, Lex};
use crate::params::Params;

/// Event: `presence;id=1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The package with its templates: `presence`, `presence.winfo`. Case matters.
    pub package: &'a str,
    /// `id` and package parameters.
    pub params: Params<'a>,
}

impl<'a> Event<'a> {
    /// Reads a whole header value.
    pub fn parse(text: &'a str) -> Option<Event<'a>> {
        let mut lex = Lex::new(text);
        let package = lex.token()?;
        let params = Params::lex(&mut lex)?;
        lex.skip_ws();
        lex.is_empty().then_some(Event { package, params })
    }

    /// The `id` parameter, which is part of the subscription's identity.
    pub fn id(&self) -> Option<&'a str> {
        self.params.get("id")
    }

    /// Whether two Events name the same subscription: package and id (RFC 6665 8.2.1).
    pub fn matches(&self, other: &Event<'_>) -> bool {
        self.package == other.package && self.id() == other.id()
    }
}

/// Subscription-State: `active;expires=3600`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionState<'a> {
    /// The state.
    pub state: SubState<'a>,
    /// `reason`, `expires`, `retry-after`.
    pub params: Params<'a>,
}

/// The state in a Subscription-State.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubState<'a> {
    /// Accepted and authorised.
    Active,
    /// Accepted, authorisation still open.
    Pending,
    /// Over.
    Terminated,
    /// Any other token.
    Other(&'a str),
}

impl<'a> SubscriptionState<'a> {
    /// Reads a whole header value.
    pub fn parse(text: &'a str) -> Option<SubscriptionState<'a>> {
        let mut lex = Lex::new(text);
        let token = lex.token()?;
        let params = Params::lex(&mut lex)?;
        lex.skip_ws();
        let state = match token {
            t if t.eq_ignore_ascii_case("active") => SubState::Active,
            t if t.eq_ignore_ascii_case("pending") => SubState::Pending,
            t if t.eq_ignore_ascii_case("terminated") => SubState::Terminated,
            other => SubState::Other(other),
        };
        lex.is_empty().then_some(SubscriptionState { state, params })
    }

    /// Seconds left, clamped to `u32::MAX`.
    pub fn expires(&self) -> Option<u32> {
        self.seconds("expires")
    }

    /// Seconds to wait before subscribing again, clamped to `u32::MAX`.
    pub fn retry_after(&self) -> Option<u32> {
        self.seconds("retry-after")
    }

    /// Why it ended: `deactivated`, `noresource`, ...
    pub fn reason(&self) -> Option<&'a str> {
        self.params.get("reason")
    }

    fn seconds(&self, name: &str) -> Option<u32> {
        let seconds = lex::digits(self.params.get(name)?)?;
        Some(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}
