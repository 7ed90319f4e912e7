//! What a check answers: findings, each with a code, a place and the fix.

use std::fmt;

use crate::manifest::Manifest;

/// One thing found in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A code of the contract (`E133`), or of a warning (`W301`).
    pub code: &'static str,
    /// Where: `file`, `export pp_merge`, `function 7 (parse), offset 0x1a2b`, `sample three-devices`.
    pub place: String,
    /// What is wrong, as a lower-case sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl Finding {
    /// A finding from its four parts.
    pub fn new(
        code: &'static str,
        place: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { code, place: place.into(), message: message.into(), fix: fix.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}; {}", self.code, self.place, self.message, self.fix)
    }
}

/// The hooks a module exports with the right types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// `pp_merge`: decides the merged state.
    pub merge: bool,
    /// `pp_view`: coarsens what a class of watchers sees. Recognised in this version, not called yet.
    pub view: bool,
    /// `pp_params`: checks the operator's parameters.
    pub params: bool,
    /// `_initialize`: runs once in each fresh instance.
    pub initialize: bool,
}

impl Hooks {
    /// The names of the hooks that are there, `_initialize` not counted.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        [(self.merge, "pp_merge"), (self.view, "pp_view"), (self.params, "pp_params")]
            .into_iter()
            .filter_map(|(there, name)| there.then_some(name))
            .collect()
    }
}

/// The result of a static check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What must be mended before the policy can be used.
    pub errors: Vec<Finding>,
    /// What the author should know.
    pub warnings: Vec<Finding>,
    /// The manifest, where there is a good one.
    pub manifest: Option<Manifest>,
    /// The highest ABI version that both the file and this host know; 0 when there is none.
    pub abi: u32,
    /// The hooks that are there.
    pub hooks: Hooks,
}

impl Report {
    /// Whether the policy may go on to be compiled.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }
}
