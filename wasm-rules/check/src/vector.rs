//! Test vectors: one JSON file each, with an input and what a policy shall make of it.

use std::fmt;
use std::path::Path;

use merge_core::json::{self, Member, Value, Writer};
use merge_core::policy::limits;

use crate::patch::{merge_patch, set};
use crate::recorded::{Hook, RecordedInput};
use crate::text::plain_text;

/// A vector that was read, its input put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// What the vector shows, in words.
    pub name: String,
    /// The hook.
    pub hook: Hook,
    /// The input: the base with the patch, and the parameters in their place.
    pub input: Vec<u8>,
    /// The parameters, as JSON.
    pub params: String,
    /// What is expected.
    pub expect: Expect,
    /// The most fuel that the call may take.
    pub max_fuel: Option<u64>,
}

/// What a vector expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// This JSON, members in any order.
    Exact(String),
    /// JSON with at least these members; lists and values as they are here.
    Subset(String),
    /// A failure with this code.
    Error(String),
    /// No opinion: 0 (for `pp_params`: the parameters are good).
    NoOpinion,
}

/// A vector file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {message}")]
pub struct VectorError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub message: String,
}

impl VectorError {
    /// Of this file.
    #[must_use]
    pub fn of(file: &Path, message: String) -> Self {
        Self { file: file.display().to_string(), message }
    }
}

const MEMBERS: &[&str] = &["name", "hook", "base", "patch", "params", "expect", "match", "max_fuel"];

impl Vector {
    /// Reads a vector file and the base that it names. A captured input, of `pp_merge` or `pp_view`, asks for
    /// nothing but a usable answer.
    ///
    /// # Errors
    /// A file cannot be read or is not a vector.
    pub fn load(file: &Path) -> Result<Self, VectorError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| VectorError::of(file, format!("{}: {error}", path.display())))
        };
        let bytes = read(file)?;
        let folder = file.parent().unwrap_or(Path::new("."));
        Self::read(file, &bytes, |base| read(&folder.join(base)))
    }

    /// The same of a file that was read already; `base` reads the one that it names.
    ///
    /// # Errors
    /// It is not a vector, or `base` failed.
    pub fn read(
        file: &Path,
        bytes: &[u8],
        base: impl FnOnce(&str) -> Result<Vec<u8>, VectorError>,
    ) -> Result<Self, VectorError> {
        let fail = |message: String| VectorError::of(file, message);
        let value = json::read(bytes).map_err(|error| fail(error.to_string()))?;
        if let Some(hook) = Hook::of_input(&value) {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Self {
                name,
                hook,
                params: written(value.get("params").unwrap_or(&Value::Object(Vec::new()))),
                input: written(&value).into_bytes(),
                expect: Expect::Subset("{}".into()),
                max_fuel: None,
            });
        }
        if let Some(member) = value.members().iter().find(|member| !MEMBERS.contains(&&*member.name)) {
            return Err(fail(format!("unknown member {:?}; known are {}", member.name, MEMBERS.join(", "))));
        }
        let base_bytes = match value.get("base").and_then(Value::as_str) {
            Some(path) => base(path)?,
            None => b"{}".to_vec(),
        };
        let mut input = json::read(&base_bytes).map_err(|error| fail(format!("base: {error}")))?;
        if let Some(patch) = value.get("patch") {
            input = merge_patch(input, patch);
        }
        if let Some(params) = value.get("params") {
            set(&mut input, "params", params.clone());
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let name = text("name").ok_or_else(|| fail("`name` is missing".into()))?;
        Ok(Self {
            name: name.to_owned(),
            hook: match text("hook") {
                None => Hook::Merge,
                Some(name) => Hook::of(name).ok_or_else(|| {
                    let known = Hook::ALL.map(Hook::as_str).join(", ");
                    fail(format!("`hook` is {name:?}; known are {known}"))
                })?,
            },
            params: written(input.get("params").unwrap_or(&Value::Object(Vec::new()))),
            input: written(&input).into_bytes(),
            expect: expectation(&value).map_err(fail)?,
            max_fuel: value.get("max_fuel").and_then(Value::as_int).and_then(|fuel| fuel.try_into().ok()),
        })
    }

    /// What the input names, for judging an answer to it.
    ///
    /// # Errors
    /// No policy would be given it.
    pub fn known(&self) -> Result<RecordedInput, Mismatch> {
        if self.input.len() > limits::INPUT_BYTES {
            return Err(Mismatch::Unusable(format!("the input has {} bytes", self.input.len())));
        }
        let known = RecordedInput::read(&self.input)
            .map_err(|error| Mismatch::Unusable(format!("input: {error}")))?;
        match self.hook {
            Hook::View if known.hook() != Hook::View => {
                Err(Mismatch::Unusable("an input of pp_view has `watcher` and `merged`".to_owned()))
            }
            _ => Ok(known),
        }
    }

    /// What differs from what `pp_merge` or `pp_view` is expected to answer. `answer`: the bytes, none for no opinion, or
    /// the code of the failure and what happened.
    #[must_use]
    pub fn judge(
        &self,
        known: &RecordedInput,
        answer: Result<Option<&[u8]>, (&'static str, String)>,
    ) -> Option<Mismatch> {
        let answer = answer.and_then(|bytes| match bytes.map(|bytes| (bytes, known.read_output(bytes))) {
            None => Ok(None),
            Some((bytes, Ok(_))) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
            Some((_, Err(error))) => Err((error.code, error.to_string())),
        });
        match answer {
            Err(failure) => self.mismatch(Some(failure), None),
            Ok(output) => self.mismatch(None, output.as_deref()),
        }
    }

    /// What differs from what `pp_params` is expected to answer: nothing, or the code of the failure and what
    /// happened.
    #[must_use]
    pub fn judge_params(&self, answer: Result<(), (&'static str, String)>) -> Option<Mismatch> {
        match (answer, &self.expect) {
            (Ok(()), Expect::NoOpinion) => None,
            (Err((code, _)), Expect::Error(expected)) if code == expected => None,
            (Ok(()), _) => Some(Mismatch::Output { expected: self.expect.clone(), got: None }),
            (Err((code, message)), _) => {
                Some(Mismatch::Failed { expected: self.expect.clone(), code, message })
            }
        }
    }

    fn mismatch(&self, failed: Option<(&'static str, String)>, output: Option<&str>) -> Option<Mismatch> {
        if let Some((code, message)) = failed {
            let wanted = matches!(&self.expect, Expect::Error(expected) if expected == code);
            return (!wanted).then(|| Mismatch::Failed { expected: self.expect.clone(), code, message });
        }
        let good = match (&self.expect, output) {
            (Expect::NoOpinion, None) => true,
            (Expect::Exact(expected), Some(got)) => compare(expected, got, same),
            (Expect::Subset(expected), Some(got)) => compare(expected, got, within),
            (Expect::Subset(expected), None) => expected == "{}",
            _ => false,
        };
        (!good).then(|| Mismatch::Output { expected: self.expect.clone(), got: output.map(str::to_owned) })
    }
}

/// What differs from what a vector expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The call failed, or its answer could not be used, and that was not expected.
    Failed {
        /// What was.
        expected: Expect,
        /// The code of the failure.
        code: &'static str,
        /// What happened, with its code and place.
        message: String,
    },
    /// The answer is another one.
    Output {
        /// The one that was expected.
        expected: Expect,
        /// What came; `None` for no opinion.
        got: Option<String>,
    },
    /// The answer is right, at too high a price.
    Fuel {
        /// Fuel that the call took.
        used: u64,
        /// Fuel that the vector allows.
        most: u64,
    },
    /// The vector cannot be run.
    Unusable(String),
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(json) => write!(f, "{}", plain_text(json)),
            Self::Subset(json) => write!(f, "at least {}", plain_text(json)),
            Self::Error(code) => write!(f, "a failure with {code}"),
            Self::NoOpinion => f.write_str("no opinion"),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { message, .. } | Self::Unusable(message) => f.write_str(message),
            Self::Output { expected, got } => {
                let got = got.as_deref().map_or("no opinion".to_owned(), plain_text);
                write!(f, "expected {expected}, got {got}")
            }
            Self::Fuel { used, most } => write!(f, "took {used} fuel, {most} are allowed"),
        }
    }
}

fn expectation(value: &Value<'_>) -> Result<Expect, String> {
    let expected = || value.get("expect").map(written).ok_or_else(|| "`expect` is missing".to_owned());
    match value.get("match").and_then(Value::as_str).unwrap_or("exact") {
        "exact" => expected().map(Expect::Exact),
        "subset" => expected().map(Expect::Subset),
        "no_opinion" => Ok(Expect::NoOpinion),
        other => match other.strip_prefix("error:") {
            Some(code) if crate::find_code(code).is_some() => Ok(Expect::Error(code.to_owned())),
            _ => Err(format!("`match` is {other:?}; known are exact, subset, error:CODE, no_opinion")),
        },
    }
}

/// Both were read before: the expectation with its vector, the answer when it was found to be usable.
fn compare(expected: &str, got: &str, how: Comparison) -> bool {
    match (json::read(expected.as_bytes()), json::read(got.as_bytes())) {
        (Ok(expected), Ok(got)) => how(&expected, &got, 0),
        _ => false,
    }
}

/// Equal, members in any order.
fn same(a: &Value<'_>, b: &Value<'_>, depth: usize) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => x.len() == y.len() && members(x, b, depth, same),
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| deeper(x, y, depth, same))
        }
        _ => a == b,
    }
}

/// Every member of `a` is in `b`; lists and plain values are equal.
fn within(a: &Value<'_>, b: &Value<'_>, depth: usize) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(_)) => members(x, b, depth, within),
        _ => same(a, b, depth),
    }
}

type Comparison = fn(&Value<'_>, &Value<'_>, usize) -> bool;

fn members(members: &[Member<'_>], other: &Value<'_>, depth: usize, how: Comparison) -> bool {
    members
        .iter()
        .all(|member| other.get(&member.name).is_some_and(|found| deeper(&member.value, found, depth, how)))
}

/// The reader bounds nesting, and so does this.
fn deeper(a: &Value<'_>, b: &Value<'_>, depth: usize, how: Comparison) -> bool {
    depth < json::MAX_DEPTH && how(a, b, depth + 1)
}

fn written(value: &Value<'_>) -> String {
    let mut out = Writer::new();
    out.value(value);
    out.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_may_leave_members_out_but_not_list_items() {
        let check = |a: &str, b: &str| compare(a, b, within);
        assert!(check(r#"{"set":{"basic":"open"}}"#, r#"{"abi":1,"set":{"note":[],"basic":"open"}}"#));
        assert!(!check(r#"{"set":{"basic":"open"}}"#, r#"{"set":{"basic":"closed"}}"#));
        assert!(!check(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#));
    }

    #[test]
    fn exact_ignores_the_order_of_members_and_nothing_else() {
        let check = |a: &str, b: &str| compare(a, b, same);
        assert!(check(r#"{"a":1,"b":[{"c":2,"d":3}]}"#, r#"{"b":[{"d":3,"c":2}],"a":1}"#));
        assert!(!check(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
        assert!(!check(r#"[1,2]"#, r#"[2,1]"#));
    }
}
