//! An input that was recorded as JSON: what an output to it may name.

use merge_core::json::{self, JsonError, Value};
use merge_core::policy::Known;
use merge_core::time::Millis;

/// The names in an input of `pp_merge`, for `merge_core::policy::read_output_for`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedInput {
    now_ms: i64,
    publications: Vec<(String, Vec<String>)>,
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
        })
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
