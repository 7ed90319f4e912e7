//! What a call comes to: a value in every case, never a panic and never an error to unwind.

use std::fmt;

/// The result of one call of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The bytes the policy wrote, `None` for "no opinion", or why there are none.
    ///
    /// The bytes are the policy's own, unchecked: `merge_core::policy` decides whether they can be
    /// used.
    pub result: Result<Option<Vec<u8>>, CallFailure>,
    /// Fuel the hook used, `pp_alloc` included; what starting took is not part of it.
    pub fuel_used: u64,
    /// What the policy logged: lines without control characters, cut to the contract's limits.
    pub log: Vec<String>,
}

/// Why a call gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailure {
    /// A code of the contract.
    pub code: &'static str,
    /// What happened, as a lower-case sentence without a full stop.
    pub message: String,
    /// Where in the module: `pp_merge: function 7 (parse), offset 0x1a2b`.
    pub at: Option<String>,
    /// Whose failure it is: only the policy's own count against it.
    pub fault: Fault,
}

/// Whose failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The policy did something wrong.
    Policy,
    /// The host could not run it: the input is larger than policies are given, or no instance was
    /// free. The built-in merge answers, and the policy is not blamed.
    Host,
}

impl Outcome {
    /// Of a call that was not made, through no fault of the policy.
    pub(crate) fn not_called(message: String) -> Self {
        Self { result: Err(CallFailure::host(message)), fuel_used: 0, log: Vec::new() }
    }
}

impl CallFailure {
    pub(crate) fn policy(code: &'static str, at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), at: Some(at.into()), fault: Fault::Policy }
    }

    pub(crate) fn host(message: impl Into<String>) -> Self {
        Self { code: "E200", message: message.into(), at: None, fault: Fault::Host }
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{} {at}: {}", self.code, self.message),
            None => write!(f, "{} {}", self.code, self.message),
        }
    }
}

impl std::error::Error for CallFailure {}
