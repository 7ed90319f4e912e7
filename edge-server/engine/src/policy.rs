//! The door to uploaded policies. The server keeps them; the engine asks at each merge, checks what
//! comes back and serves what the assignment says ([`OnFailure`]) whenever anything is wrong.

use merge_core::compose::Composition;
use merge_core::live::Presentity;
use merge_core::policy::{LocalTime, Mask, Needs, Reason, ViewKey, Watcher};
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
    /// Whom its `pp_view` tells apart; none where it has no `pp_view`.
    pub view: Option<ViewKey>,
    /// What watchers get where it gives no usable answer.
    pub on_failure: OnFailure,
    /// Whether it hides things, as its manifest says: what it would have hidden is not shown in its place.
    pub privacy: bool,
}

/// What watchers get where a policy could not be asked, or gave no usable answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// What the built-in composition makes of the same devices.
    #[default]
    Builtin,
    /// What the policy's last good answer makes of them, while all that it names is there; else the built-in
    /// composition, or the status alone where the policy hides things.
    LastGood,
    /// Open or closed, and nothing else.
    Minimal,
}

/// What a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `pp_merge`: what becomes of what devices published.
    Merge,
    /// `pp_view`: what of that some watchers see.
    View,
}

/// A good answer of a policy, some time ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodAnswer {
    /// What it wrote; `None` for "no opinion".
    pub output: Option<Vec<u8>>,
    /// When.
    pub at: Millis,
}

/// Why a policy gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFailure {
    /// The contract's code, `E204`.
    pub code: String,
    /// In the contract's words.
    pub message: String,
    /// When it may be asked about this presentity again: nothing else need change for that.
    pub retry_at: Option<Millis>,
}

impl PolicyFailure {
    /// The code of a policy that is not to be asked for now: no failure of this call.
    pub const HELD: &'static str = "held";
}

/// A merge that is captured. Documents are in the JSON form of presence, `null` where there is nothing to show.
#[derive(Clone, Debug)]
pub struct CapturedMerge<'a> {
    /// When.
    pub now: Millis,
    /// Why it was merged.
    pub reason: Reason,
    /// The publication that changed; also one that is over.
    pub etag: Option<&'a str>,
    /// The policy that was asked; none where the built-in composition is in force.
    pub assignment: Option<&'a Assignment>,
    /// The input of `pp_merge` with all members, whatever that policy needs.
    pub input: Vec<u8>,
    /// What it answered that was used; none for "no opinion" and for a failure.
    pub output: Option<&'a [u8]>,
    /// Why something else stands in for its answer.
    pub failure: Option<&'a PolicyFailure>,
    /// What the operator's mask took away of that; none where it took nothing.
    pub masked: Option<Mask>,
    /// What watchers saw until then.
    pub before: String,
    /// What they see now, before any views of it.
    pub after: String,
}

/// A view that was made for some watchers of what is captured.
#[derive(Clone, Debug)]
pub struct CapturedView<'a> {
    /// Whose.
    pub watcher: &'a Watcher,
    /// The input of `pp_view`.
    pub input: Vec<u8>,
    /// As for [`CapturedMerge::output`].
    pub output: Option<&'a [u8]>,
    /// As for [`CapturedMerge::failure`].
    pub failure: Option<&'a PolicyFailure>,
    /// What they saw until then; `null` also where they have just begun to watch.
    pub before: String,
    /// What they see now.
    pub after: String,
}

/// What a policy came to: what it wrote, nothing for "no opinion", or why there is no answer.
pub type Opinion = Result<Option<Vec<u8>>, PolicyFailure>;

/// What a call came to that ran elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// As [`PolicyHost::run`] would have given it.
    pub result: Opinion,
    /// The fuel that it took.
    pub fuel: u64,
}

/// Runs policies for a shard. Held by the shard's task, so `&mut`.
pub trait PolicyHost {
    /// The policy in force for a presentity, if any; also one that is not to be asked for now.
    fn assignment(&mut self, presentity: &Presentity) -> Option<Assignment>;

    /// Asks a policy: `Ok(None)` is "no opinion".
    ///
    /// # Errors
    /// Trap, out of fuel, a limit: the host has counted it already. Also that it is not to be asked for now.
    fn run(&mut self, presentity: &Presentity, assignment: &Assignment, hook: Hook, input: &[u8]) -> Opinion;

    /// As [`run`](Self::run), for a merge that can wait: `None` where the policy takes long and runs elsewhere.
    /// [`Input::PolicyAnswered`](crate::Input::PolicyAnswered) then brings what it came to, under this number.
    fn begin(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        hook: Hook,
        input: &[u8],
        question: u64,
    ) -> Option<Opinion> {
        let _ = question;
        Some(self.run(presentity, assignment, hook, input))
    }

    /// What came of a call that ran elsewhere is used now, as if it had been run now.
    fn came(&mut self, ran: &Ran) {
        let _ = ran;
    }

    /// What [`run`](Self::run) gave was good, and is applied.
    fn accepted(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        hook: Hook,
        output: Option<&[u8]>,
    ) {
        let _ = (presentity, assignment, hook, output);
    }

    /// What `pp_merge` answered last that was accepted, where the assignment wants that for the time of a failure.
    fn last_good(&mut self, presentity: &Presentity, assignment: &Assignment) -> Option<GoodAnswer> {
        let _ = (presentity, assignment);
        None
    }

    /// The engine could not use what [`run`](Self::run) gave: to be counted like a failure of the call.
    fn refused(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        input: &[u8],
        failure: &PolicyFailure,
    );

    /// A policy that runs beside what the presentity goes by, without effect, where there is one and its time is
    /// not used up.
    fn shadow(&mut self, presentity: &Presentity) -> Option<Assignment> {
        let _ = presentity;
        None
    }

    /// Runs the `pp_merge` of that one.
    ///
    /// # Errors
    /// As [`run`](Self::run); nothing is counted yet.
    fn run_shadow(&mut self, assignment: &Assignment, input: &[u8]) -> Opinion {
        let _ = (assignment, input);
        Ok(None)
    }

    /// What it would have changed for the presentity's watchers, in words; nothing where it would not.
    fn shadowed(&mut self, presentity: &Presentity, outcome: Result<Vec<String>, PolicyFailure>) {
        let _ = (presentity, outcome);
    }

    /// Whether the merges of this presentity are captured. Asked at each that somebody watches.
    fn captures(&self, aor: &str) -> bool {
        let _ = aor;
        false
    }

    /// One that is.
    fn captured(&mut self, presentity: &Presentity, merge: &CapturedMerge<'_>) {
        let _ = (presentity, merge);
    }

    /// A view of what was merged last, right after that or when somebody began to watch.
    fn captured_view(&mut self, presentity: &Presentity, view: &CapturedView<'_>) {
        let _ = (presentity, view);
    }

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
        _hook: Hook,
        _input: &[u8],
    ) -> Opinion {
        Ok(None)
    }

    fn refused(
        &mut self,
        _presentity: &Presentity,
        _assignment: &Assignment,
        _input: &[u8],
        _failure: &PolicyFailure,
    ) {
    }
}
