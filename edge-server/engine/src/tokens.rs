//! Bearer tokens (RFC 8898), as the shards see them: something that somebody else has signed, which says
//! whose it is and until when.

use crate::effect::AuthFailure;
use merge_core::time::Millis;
use std::fmt;
use std::sync::Arc;

/// Who reads tokens. Asked for requests that carry one: must answer from memory.
pub trait Tokens: fmt::Debug + Send + Sync {
    /// Whose a token is.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(&self, token: &str, now: Millis) -> Result<Bearer, TokenFault>;

    /// The challenge, without an error: `Bearer realm="...", ...`.
    fn challenge(&self) -> &str;
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The address of record, canonical.
    pub aor: Arc<str>,
    /// When the token ends, and with it what was believed for its sake.
    pub expires: Millis,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It is not signed by whom we trust, or not for us.
    Invalid,
    /// Its time is over.
    Expired,
    /// It does not allow what is asked for.
    Scope,
}

impl TokenFault {
    /// What it is to whoever counts refusals.
    #[must_use]
    pub const fn failure(self) -> AuthFailure {
        match self {
            Self::Invalid => AuthFailure::Token,
            Self::Expired => AuthFailure::TokenExpired,
            Self::Scope => AuthFailure::TokenScope,
        }
    }

    /// The `error` of the challenge that follows (RFC 8898 4).
    #[must_use]
    pub const fn error(self) -> &'static str {
        match self {
            Self::Invalid | Self::Expired => "invalid_token",
            Self::Scope => "invalid_scope",
        }
    }
}
