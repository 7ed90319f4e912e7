//! Running test vectors; what they are, and how an answer is judged, is policy-check's, so that a page says the same.

use policy_check::{Hook, Mismatch, Vector};

use crate::policy::Policy;

/// What running a vector came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Fuel that the call took; 0 for `pp_params`.
    pub fuel_used: u64,
    /// What the policy logged.
    pub log: Vec<String>,
    /// What it answered, as it wrote it; `None` for no opinion and for a failure.
    pub output: Option<String>,
    /// What differs from what was expected; `None` when the vector holds.
    pub mismatch: Option<Mismatch>,
}

impl Verdict {
    fn wrong(mismatch: Mismatch) -> Self {
        Self { mismatch: Some(mismatch), ..Self::default() }
    }
}

impl Policy {
    /// Runs a vector.
    #[must_use]
    pub fn try_vector(&self, vector: &Vector) -> Verdict {
        if vector.hook != Hook::Params {
            return self.try_call(vector);
        }
        // What an assignment would say: by the manifest's schema first, then by the policy.
        let finding = self.judge_params(&vector.params).into_iter().next();
        let answer = finding.map_or(Ok(()), |finding| Err((finding.code, finding.to_string())));
        Verdict { mismatch: vector.judge_params(answer), ..Verdict::default() }
    }

    fn try_call(&self, vector: &Vector) -> Verdict {
        let known = match vector.known() {
            Ok(known) => known,
            Err(mismatch) => return Verdict::wrong(mismatch),
        };
        let outcome = self.call_whole(vector.hook, &vector.input);
        let answer = match &outcome.result {
            Ok(bytes) => Ok(bytes.as_deref()),
            Err(failure) => Err((failure.code, failure.to_string())),
        };
        let mismatch = vector.judge(&known, answer).or(match vector.max_fuel {
            Some(most) if outcome.fuel_used > most => Some(Mismatch::Fuel { used: outcome.fuel_used, most }),
            _ => None,
        });
        let output = match outcome.result {
            Ok(Some(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => None,
        };
        Verdict { fuel_used: outcome.fuel_used, log: outcome.log, output, mismatch }
    }
}
