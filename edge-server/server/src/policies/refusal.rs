//! Why a change of the policies is refused.

use crate::store::StoreFailed;
use policy_sandbox::{Finding, Report};

/// Why an upload is refused.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file is no policy, or one that fails: everything that was found, and what is wrong with the name.
    #[error("the policy has {} errors", .0.errors.len())]
    Refused(Box<Report>, Option<NameProblem>),
    /// Nothing is wrong but the name.
    #[error(transparent)]
    Name(NameProblem),
    /// No domain is of the tenant whose it would be.
    #[error("no domain is of the tenant {0}")]
    NoTenant(String),
    /// The tenant has as much as it may.
    #[error("{}", .0.message)]
    Quota(Box<Finding>),
    /// As many files are kept as may be.
    #[error("{0} policies are kept already")]
    Full(usize),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

impl UploadError {
    /// What it is counted under: the contract's codes, or the API's where the contract has none.
    pub(super) fn codes(&self) -> Vec<&'static str> {
        match self {
            Self::Refused(report, _) => {
                let mut codes: Vec<_> = report.errors.iter().map(|finding| finding.code).collect();
                codes.dedup();
                codes
            }
            Self::Name(NameProblem::Taken(_)) => vec!["name_taken"],
            Self::Name(NameProblem::Bad) => vec!["bad_name"],
            Self::NoTenant(_) => vec!["unknown_tenant"],
            Self::Quota(finding) => vec![finding.code],
            Self::Full(_) => vec!["full"],
            Self::Store(_) => vec!["store"],
        }
    }
}

/// What is wrong with a policy's name.
#[derive(Debug, thiserror::Error)]
pub enum NameProblem {
    /// Another file has it.
    #[error("another policy is called {0}")]
    Taken(String),
    /// It is empty, too long, or has characters that cannot be shown.
    #[error("a name has 1 to 64 printable characters")]
    Bad,
}

/// Why an assignment is refused.
#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    /// There is no policy of that id.
    #[error("there is no policy {0}")]
    NoPolicy(String),
    /// There is no built-in merge of that name.
    #[error("there is no built-in merge {0}")]
    NoBuiltIn(String),
    /// The policy does not take these parameters.
    #[error("the parameters were refused: {}", .0.first().map_or_else(|| "the policy could not be asked".to_owned(), Finding::to_string))]
    Params(Vec<Finding>),
    /// A signature is asked for there, and the policy has no good one.
    #[error("the policy may not be assigned there: {}", .0.message)]
    Signature(Box<Finding>),
    /// This scope holds the one that was meant, and is locked.
    #[error("{0} is locked")]
    Locked(String),
    /// No domain is of that tenant.
    #[error("no domain is of the tenant {0}")]
    NoTenant(String),
    /// The tenant has as many as it may.
    #[error("{}", .0.message)]
    Quota(Box<Finding>),
    /// Nothing is on trial there.
    #[error("nothing is on trial in {0}")]
    NoCandidate(String),
    /// Nothing is assigned there, so there is nothing to roll back.
    #[error("nothing is assigned to {0}")]
    NothingAssigned(String),
    /// What was in force before is no longer kept.
    #[error("what was in force for {scope} before generation {generation} is no longer kept")]
    NoEarlier {
        /// The scope.
        scope: String,
        /// The oldest generation that is kept, which is in force.
        generation: u64,
    },
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

impl AssignError {
    /// The code of the API's answer, which it is counted under as well; that of a signature is the contract's.
    pub(super) fn counted_as(&self) -> &'static str {
        match self {
            Self::Signature(finding) | Self::Quota(finding) => finding.code,
            other => other.code(),
        }
    }

    /// The code of the API's answer.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPolicy(_) => "unknown_policy",
            Self::NoBuiltIn(_) => "unknown_built_in",
            Self::Params(_) => "params_refused",
            Self::Signature(_) => "signature_refused",
            Self::Locked(_) => "locked",
            Self::NoTenant(_) => "unknown_tenant",
            Self::Quota(_) => "quota",
            Self::NoCandidate(_) => "no_candidate",
            Self::NothingAssigned(_) => "nothing_assigned",
            Self::NoEarlier { .. } => "no_earlier",
            Self::Store(_) => "store",
        }
    }
}

/// Why a policy cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// There is no uploaded policy of that id.
    #[error("there is no uploaded policy of that id")]
    Unknown,
    /// It is in force for this scope.
    #[error("it is in force for {0}")]
    InUse(String),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}
