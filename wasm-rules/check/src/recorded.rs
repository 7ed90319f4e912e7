//! An input that was recorded as JSON: which hook it is for, and what an output to it may name.

use merge_core::json::{self, JsonError, Value};
use merge_core::policy::{
    Finding, Known, OutputError, Seen, check_output_for, check_view, read_output_for, read_view,
};
use merge_core::time::Millis;

/// What the host calls in a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hook {
    /// `pp_merge`: decides.
    #[default]
    Merge,
    /// `pp_view`: takes away from it for a class of watchers.
    View,
    /// `pp_params`: looks at parameters.
    Params,
}

impl Hook {
    /// All of them.
    pub const ALL: [Hook; 3] = [Hook::Merge, Hook::View, Hook::Params];

    /// The name of the export.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Hook::Merge => "pp_merge",
            Hook::View => "pp_view",
            Hook::Params => "pp_params",
        }
    }

    /// The hook of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Hook> {
        Hook::ALL.into_iter().find(|hook| hook.as_str() == name)
    }

    /// The hook that an input is for, by its members; none where it is neither `pp_merge`'s nor `pp_view`'s.
    #[must_use]
    pub fn of_input(input: &Value<'_>) -> Option<Hook> {
        if input.get("publications").is_some() {
            Some(Hook::Merge)
        } else if input.get("watcher").is_some() && input.get("merged").is_some() {
            Some(Hook::View)
        } else {
            None
        }
    }
}

/// The names in an input of `pp_merge` or `pp_view`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedInput {
    now_ms: i64,
    publications: Vec<(String, Vec<String>)>,
    /// What a view may name; none in an input of `pp_merge`.
    seen: Option<Seen>,
}

impl RecordedInput {
    /// Reads the names out of an input.
    ///
    /// # Errors
    /// The input is not JSON of the strict grammar.
    pub fn read(input: &[u8]) -> Result<Self, JsonError> {
        let value = json::read(input)?;
        let publications = items(&value, "publications");
        Ok(Self {
            now_ms: value.get("now_ms").and_then(Value::as_int).unwrap_or_default(),
            publications: publications
                .iter()
                .map(|publication| {
                    let tuples = items(publication, "tuples").iter().map(|tuple| text(tuple, "id")).collect();
                    (text(publication, "etag"), tuples)
                })
                .collect(),
            seen: (Hook::of_input(&value) == Some(Hook::View)).then(|| Seen::in_input(&value)),
        })
    }

    /// The hook that it is for.
    #[must_use]
    pub fn hook(&self) -> Hook {
        if self.seen.is_some() { Hook::View } else { Hook::Merge }
    }

    /// Whether an output to it can be used, unknown members passed over.
    ///
    /// # Errors
    /// It cannot.
    pub fn read_output(&self, output: &[u8]) -> Result<(), OutputError> {
        match &self.seen {
            Some(seen) => read_view(output, seen).map(drop),
            None => read_output_for(output, self).map(drop),
        }
    }

    /// Everything that is wrong with an output to it, unknown members (E206) included.
    #[must_use]
    pub fn check_output(&self, output: &[u8]) -> Vec<Finding> {
        match &self.seen {
            Some(seen) => check_view(output, seen),
            None => check_output_for(output, self),
        }
    }
}

fn items<'v, 'j>(value: &'v Value<'j>, name: &str) -> &'v [Value<'j>] {
    value.get(name).and_then(Value::as_array).unwrap_or_default()
}

fn text(value: &Value<'_>, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Known for RecordedInput {
    fn now(&self) -> Millis {
        Millis(self.now_ms)
    }

    fn has_publication(&self, etag: &str) -> bool {
        self.publications.iter().any(|(known, _)| known == etag)
    }

    fn has_tuple(&self, etag: &str, tuple: &str) -> bool {
        self.publications
            .iter()
            .any(|(known, tuples)| known == etag && tuples.iter().any(|other| other == tuple))
    }
}
