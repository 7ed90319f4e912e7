//! What a check answers: findings, each with a code, a place and the fix.
//!
//! A file may hold the same mistake a quarter of a million times (that many imports fit in 2 MiB), so
//! what is kept of it does not grow with the file: the first few of a kind, and how many there are more.

use std::collections::BTreeMap;
use std::fmt;

use crate::manifest::Manifest;
use crate::text::plain_text;

/// Findings that are named for one kind of mistake; the rest are counted.
pub const NAMED_PER_KIND: usize = 10;

/// Characters of one part of a finding: names out of the file are quoted, and may be 100,000 long.
pub const FINDING_CHARS: usize = 400;

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
    /// A finding from its four parts, each cut to [`FINDING_CHARS`] and made [plain](plain_text): what they quote comes
    /// from a file.
    pub fn new(
        code: &'static str,
        place: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { code, place: cut(place.into()), message: cut(message.into()), fix: cut(fix.into()) }
    }
}

fn cut(text: String) -> String {
    let mut text = plain_text(&text);
    if let Some((end, _)) = text.char_indices().nth(FINDING_CHARS) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// Findings as they are made: [`NAMED_PER_KIND`] of a kind are kept and the rest counted.
#[derive(Debug, Default)]
pub struct Findings {
    named: Vec<Finding>,
    /// How often each kind was met: a kind is a code and, where one code stands for several mistakes,
    /// a word for which.
    met: BTreeMap<(&'static str, &'static str), usize>,
}

impl Findings {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding; its code is its kind.
    pub fn push(&mut self, finding: Finding) {
        self.push_kind(finding.code, "", || finding);
    }

    /// Adds a finding of a kind, made only if it is among the first.
    pub fn push_kind(&mut self, code: &'static str, kind: &'static str, finding: impl FnOnce() -> Finding) {
        let met = self.met.entry((code, kind)).or_default();
        *met += 1;
        if *met <= NAMED_PER_KIND {
            self.named.push(finding());
        }
    }

    /// How many were added, those that are only counted included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.met.values().sum()
    }

    /// The findings, and after them how many more there are of each kind.
    #[must_use]
    pub fn finish(mut self) -> Vec<Finding> {
        for ((code, kind), met) in self.met {
            if met > NAMED_PER_KIND {
                let colon = if kind.is_empty() { "" } else { ": " };
                let message = format!("{kind}{colon}{} more of the same", met - NAMED_PER_KIND);
                self.named.push(Finding::new(code, "file", message, "see the first ones"));
            }
        }
        self.named
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
    /// `pp_view`: takes away from what a class of watchers sees.
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
