//! The door to uploaded policies. The server keeps them; the engine asks at each merge, checks what
//! comes back and serves the built-in merge whenever anything is wrong, or the status alone where the
//! policy is one that hides things.

use merge_core::compose::Composition;
use merge_core::live::Presentity;
use merge_core::policy::{LocalTime, Needs};
use merge_core::time::Millis;
use std::sync::Arc;

/// The policy that is in force for one presentity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Names the policy in events and answers.
    pub name: Arc<str>,
    /// SHA-256 of the module: its version.
    pub id: [u8; 32],
    /// The operator's parameters, a JSON object.
    pub params: Arc<str>,
    /// The members of the input that it is sent, as its manifest says.
    pub needs: Needs,
    /// Whether it hides things, as its manifest says: where it fails, watchers get the status alone.
    pub privacy: bool,
}

/// Why a policy gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFailure {
    /// The contract's code, `E204`.
    pub code: String,
    /// In the contract's words.
    pub message: String,
}

/// Runs policies for a shard, synchronously. Held by the shard's task, so `&mut`.
pub trait PolicyHost {
    /// The policy in force for a presentity, if any; also `None` while a breaker is open.
    fn assignment(&mut self, presentity: &Presentity) -> Option<Assignment>;

    /// Runs `pp_merge`: `Ok(None)` is "no opinion".
    ///
    /// # Errors
    /// Trap, out of fuel, a limit, an answer with an error in it: the host has counted it already.
    fn run(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        input: &[u8],
    ) -> Result<Option<Vec<u8>>, PolicyFailure>;

    /// The engine could not use what [`run`](Self::run) gave: to be counted like a failure of the call.
    fn refused(&mut self, presentity: &Presentity, assignment: &Assignment, failure: &PolicyFailure);

    /// The wall clock of a presentity's time zone.
    fn local_time(&self, presentity: &Presentity, now: Millis) -> Option<LocalTime> {
        let _ = (presentity, now);
        None
    }

    /// The built-in composition chosen for a presentity, where it is not the server's default.
    fn composition(&self, presentity: &Presentity) -> Option<Composition> {
        let _ = presentity;
        None
    }
}

/// No policies at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPolicies;

impl PolicyHost for NoPolicies {
    fn assignment(&mut self, _presentity: &Presentity) -> Option<Assignment> {
        None
    }

    fn run(
        &mut self,
        _presentity: &Presentity,
        _assignment: &Assignment,
        _input: &[u8],
    ) -> Result<Option<Vec<u8>>, PolicyFailure> {
        Ok(None)
    }

    fn refused(&mut self, _presentity: &Presentity, _assignment: &Assignment, _failure: &PolicyFailure) {}
}
