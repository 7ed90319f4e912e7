//! `tributary policy replay`: what a policy would change, on states that were recorded.

use std::path::PathBuf;

use merge_core::json::{self, Writer};
use policy_sandbox::Policy;

use crate::answer::{Answer, Paint, Problem};
use crate::diff::diff;
use crate::pretty;
use crate::run::{Asked, answered};
use crate::test::vector_files;

/// States whose differences are shown; the others are counted.
const SHOWN: usize = 5;

/// What one recorded state comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The file.
    pub file: PathBuf,
    /// What there is now, and what the policy would make of it, where the two differ.
    pub change: Option<(String, String)>,
    /// Why there would be no answer of the policy.
    pub failure: Option<String>,
}

/// What the recorded states come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// In the order of the files.
    pub states: Vec<Replay>,
}

/// Runs recorded live sets and inputs, of `pp_merge` and `pp_view`: what `policy` answers, beside what `against` does,
/// or beside the built-in merge, which hides nothing from anybody.
///
/// # Errors
/// A file is neither.
pub fn replay(
    policy: &Policy,
    against: Option<&Policy>,
    paths: &[PathBuf],
    params: Option<&str>,
) -> Result<Replayed, Problem> {
    let states = vector_files(paths)?
        .into_iter()
        .map(|file| {
            let asked = Asked { input: Some(&file), params, patch: None };
            let new = answered(policy, asked)?;
            let old = against.map(|against| answered(against, asked)).transpose()?;
            let failure = match (&new.outcome.result, new.findings.first()) {
                (Err(failure), _) => Some(failure.to_string()),
                (Ok(_), Some(finding)) => Some(finding.to_string()),
                (Ok(_), None) => None,
            };
            let output = |outcome: &policy_sandbox::Outcome| match &outcome.result {
                Ok(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                _ => "null".to_owned(),
            };
            let pair = match (new.documents, old) {
                // Documents where there are any: two answers may come to the same.
                (Some((builtin, merged)), old) => {
                    (old.and_then(|old| old.documents).map_or(builtin, |(_, before)| before), merged)
                }
                (None, old) => {
                    (old.map_or("null".to_owned(), |old| output(&old.outcome)), output(&new.outcome))
                }
            };
            Ok(Replay { file, change: (pair.0 != pair.1).then_some(pair), failure })
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    Ok(Replayed { states })
}

impl Replayed {
    fn changes(&self) -> usize {
        self.states.iter().filter(|state| state.change.is_some()).count()
    }

    fn failures(&self) -> usize {
        self.states.iter().filter(|state| state.failure.is_some()).count()
    }
}

impl Answer for Replayed {
    /// A change is what policies are for; a failure is not.
    fn is_good(&self) -> bool {
        self.failures() == 0
    }

    fn text(&self, paint: Paint) -> String {
        let mut out = String::new();
        for state in self.states.iter().filter(|state| state.failure.is_some()) {
            let failure = state.failure.as_deref().unwrap_or_default();
            out.push_str(&format!("{}: {}\n", state.file.display(), paint.bad(failure)));
        }
        for state in self.states.iter().filter(|state| state.change.is_some()).take(SHOWN) {
            let Some((old, new)) = &state.change else { continue };
            out.push_str(&format!("{}\n", state.file.display()));
            let lines =
                |text: &str| json::read(text.as_bytes()).map_or(Vec::new(), |value| pretty::lines(&value));
            out.push_str(&diff(&lines(old), &lines(new), paint));
        }
        if self.changes() > SHOWN {
            out.push_str(&paint.dim(&format!("and {} more\n", self.changes() - SHOWN)));
        }
        out.push_str(&format!("would change {} of {}", self.changes(), self.states.len()));
        if self.failures() > 0 {
            out.push_str(&paint.bad(&format!("; would fail on {}", self.failures())));
        }
        out.push('\n');
        out
    }

    fn write_json(&self, out: &mut Writer) {
        out.begin_object();
        out.key("ok").bool(self.is_good());
        out.key("states").int(self.states.len() as i64);
        out.key("changes").int(self.changes() as i64);
        out.key("failures").int(self.failures() as i64);
        out.key("changed").begin_array();
        for state in self.states.iter().filter(|state| state.change.is_some()) {
            out.string(&state.file.display().to_string());
        }
        out.end_array();
        out.key("failed").begin_array();
        for state in self.states.iter() {
            let Some(failure) = &state.failure else { continue };
            out.begin_object();
            out.key("file").string(&state.file.display().to_string());
            out.key("message").string(failure);
            out.end_object();
        }
        out.end_array();
        out.end_object();
    }
}
