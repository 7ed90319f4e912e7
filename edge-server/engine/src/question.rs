//! Questions to policies, and answers that come later.
//!
//! A policy that takes long is not run in the shard, where everybody else's messages would stand behind it: the
//! host runs it elsewhere, and the merge is finished when the answer comes.
//!
//! ```text
//!   publication ─▶ merge ─▶ question 7 ─▶ the host, elsewhere
//!                                              │           watchers still see what they saw
//!   PolicyAnswered 7 ─▶ the merge of then ─▶ views, each a question ─▶ NOTIFY
//! ```
//! A presentity waits for one answer at a time, and each class of its watchers for one. What changes meanwhile asks
//! anew under another number; an answer to a number that nobody waits for any more is dropped. So what is shown
//! was always made of one state, and the newest state is the last to be asked about.

use crate::effect::Effects;
use crate::policy::{Assignment, Hook, PolicyFailure, PolicyHost, Ran};
use crate::shard::Shard;
use merge_core::live::Presentity as Identity;
use merge_core::policy::limits;
use merge_core::time::Millis;
use std::sync::Arc;

/// How a policy is asked.
pub(crate) enum Ask {
    /// Whoever asks wants the answer at once.
    AtOnce,
    /// The answer may come later, under this number.
    Under(u64),
    /// It has come.
    Answered(Ran),
}

/// Why there is no answer.
pub(crate) enum NoAnswer {
    /// It is to come.
    Later,
    /// There will be none.
    Failed(PolicyFailure),
}

impl From<PolicyFailure> for NoAnswer {
    fn from(failure: PolicyFailure) -> Self {
        Self::Failed(failure)
    }
}

impl Ask {
    /// Asks; `Ok(None)` is "no opinion". An input that is too large is not the policy's failure (contract, "Limits"),
    /// so the host does not count it.
    pub(crate) fn put(
        self,
        host: &mut dyn PolicyHost,
        (identity, assignment): (&Identity, &Assignment),
        hook: Hook,
        input: &[u8],
    ) -> Result<Option<Vec<u8>>, NoAnswer> {
        if input.len() > limits::INPUT_BYTES {
            let message =
                format!("the input has {} bytes, policies are given {}", input.len(), limits::INPUT_BYTES);
            return Err(PolicyFailure { code: "E200".to_owned(), message, retry_at: None }.into());
        }
        let result = match self {
            Self::AtOnce => host.run(identity, assignment, hook, input),
            Self::Under(question) => {
                let begun = host.begin(identity, assignment, hook, input, question);
                begun.ok_or(NoAnswer::Later)?
            }
            Self::Answered(ran) => {
                host.came(&ran);
                ran.result
            }
        };
        Ok(result?)
    }
}

/// A question whose answer is to come.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) question: u64,
    /// When it was asked: the answer is about that moment.
    pub(crate) since: Millis,
}

/// A policy with its parameters.
pub(crate) type MadeBy = ([u8; 32], Arc<str>);

impl Assignment {
    pub(crate) fn made_by(&self) -> MadeBy {
        (self.id, Arc::clone(&self.params))
    }
}

impl Shard {
    /// A policy that was run elsewhere has come to this.
    pub(crate) fn policy_answered(
        &mut self,
        aor: &str,
        question: u64,
        ran: Ran,
        host: &mut dyn PolicyHost,
        fx: &mut Effects,
    ) {
        let Some(id) = self.presentities.find(aor) else { return };
        let waits = self.presentities.get(id).and_then(|one| one.change.as_ref()?.waits.as_ref());
        if waits.is_some_and(|(waiting, _)| waiting.question == question) {
            self.evaluate(id, Some(ran), host, fx);
        } else {
            self.show_unseen(id, Some((question, ran)), host, fx);
        }
    }
}
