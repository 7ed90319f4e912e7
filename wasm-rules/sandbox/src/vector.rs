//! Test vectors: one JSON file each, with an input and what a policy shall make of it.

use std::path::Path;

use merge_core::json::{self, Member, Value, Writer};
use merge_core::policy::{limits, read_output_for};

use crate::outcome::plain_text;
use crate::policy::Policy;
use crate::recorded::RecordedInput;

/// A vector that was read, its input put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// What the vector shows, in words.
    pub name: String,
    /// The hook: `pp_merge` or `pp_params`.
    pub hook: String,
    /// The input of `pp_merge`: the base with the patch, and the parameters in their place.
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

const MEMBERS: &[&str] = &["name", "hook", "base", "patch", "params", "expect", "match", "max_fuel"];

impl Vector {
    /// Reads a vector file and the base that it names. A file with `publications` of its own is a
    /// captured input and asks for nothing but a usable answer.
    ///
    /// # Errors
    /// A file cannot be read or is not a vector.
    pub fn load(file: &Path) -> Result<Self, VectorError> {
        let fail = |message: String| VectorError { file: file.display().to_string(), message };
        let read =
            |path: &Path| std::fs::read(path).map_err(|error| fail(format!("{}: {error}", path.display())));
        let bytes = read(file)?;
        let value = json::read(&bytes).map_err(|error| fail(error.to_string()))?;
        if value.get("publications").is_some() {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Self {
                name,
                hook: "pp_merge".into(),
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
            Some(base) => read(&file.parent().unwrap_or(Path::new(".")).join(base))?,
            None => b"{}".to_vec(),
        };
        let mut input = json::read(&base_bytes).map_err(|error| fail(format!("base: {error}")))?;
        if let Some(patch) = value.get("patch") {
            input = merge_patch(input, patch, 0);
        }
        if let Some(params) = value.get("params") {
            set(&mut input, "params", params.clone());
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let name = text("name").ok_or_else(|| fail("`name` is missing".into()))?;
        Ok(Self {
            name: name.to_owned(),
            hook: text("hook").unwrap_or("pp_merge").to_owned(),
            params: written(input.get("params").unwrap_or(&Value::Object(Vec::new()))),
            input: written(&input).into_bytes(),
            expect: expectation(&value).map_err(fail)?,
            max_fuel: value.get("max_fuel").and_then(Value::as_int).and_then(|fuel| fuel.try_into().ok()),
        })
    }

    /// Runs the vector. The fuel that it took.
    ///
    /// # Errors
    /// What differs from what was expected, in words.
    pub fn run(&self, policy: &Policy) -> Result<u64, String> {
        match self.hook.as_str() {
            "pp_merge" => self.run_merge(policy),
            "pp_params" => self.run_params(policy),
            other => Err(format!("this version does not call {other}")),
        }
    }

    fn run_params(&self, policy: &Policy) -> Result<u64, String> {
        match (policy.check_params(&self.params), &self.expect) {
            (Ok(()), Expect::NoOpinion) => Ok(0),
            (Err(failure), Expect::Error(code)) if failure.code == code => Ok(0),
            (got, expected) => Err(format!("expected {expected:?}, got {got:?}")),
        }
    }

    fn run_merge(&self, policy: &Policy) -> Result<u64, String> {
        if self.input.len() > limits::INPUT_BYTES {
            return Err(format!("the input has {} bytes", self.input.len()));
        }
        let outcome = policy.merge_whole(&self.input);
        let known = RecordedInput::read(&self.input).map_err(|error| format!("input: {error}"))?;
        let code = match &outcome.result {
            Err(failure) => Some((failure.code, failure.to_string())),
            Ok(None) => None,
            Ok(Some(bytes)) => read_output_for(bytes, &known)
                .err()
                .map(|error| (if error.code == "error" { "E209" } else { error.code }, error.to_string())),
        };
        let text = match &outcome.result {
            Ok(Some(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        };
        let shown = || plain_text(text.as_deref().unwrap_or("no opinion"));
        let good = match (&self.expect, &code, &text) {
            (Expect::Error(expected), Some((code, _)), _) => expected == code,
            (_, Some((_, message)), _) => return Err(message.clone()),
            (Expect::NoOpinion, None, None) => true,
            (Expect::Exact(expected), None, Some(text)) => compare(expected, text, same)?,
            (Expect::Subset(expected), None, Some(text)) => compare(expected, text, within)?,
            (Expect::Subset(expected), None, None) => expected == "{}",
            _ => false,
        };
        if !good {
            return Err(format!("expected {:?}, got {}", self.expect, shown()));
        }
        match self.max_fuel {
            Some(most) if outcome.fuel_used > most => {
                Err(format!("took {} fuel, {most} are allowed", outcome.fuel_used))
            }
            _ => Ok(outcome.fuel_used),
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
            Some(code) if policy_check::find_code(code).is_some() => Ok(Expect::Error(code.to_owned())),
            _ => Err(format!("`match` is {other:?}; known are exact, subset, error:CODE, no_opinion")),
        },
    }
}

fn compare(
    expected: &str,
    got: &str,
    how: fn(&Value<'_>, &Value<'_>, usize) -> bool,
) -> Result<bool, String> {
    let expected = json::read(expected.as_bytes()).map_err(|error| error.to_string())?;
    let got = json::read(got.as_bytes()).map_err(|error| error.to_string())?;
    Ok(how(&expected, &got, 0))
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

/// RFC 7396.
fn merge_patch<'a>(target: Value<'a>, patch: &Value<'a>, depth: usize) -> Value<'a> {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut target = match target {
        object @ Value::Object(_) => object,
        _ => Value::Object(Vec::new()),
    };
    for change in changes {
        if change.value.is_null() {
            if let Value::Object(members) = &mut target {
                members.retain(|member| member.name != change.name);
            }
        } else if depth < json::MAX_DEPTH {
            let before = target.get(&change.name).cloned().unwrap_or(Value::Null);
            set(&mut target, &change.name, merge_patch(before, &change.value, depth + 1));
        }
    }
    target
}

fn set<'a>(object: &mut Value<'a>, name: &str, value: Value<'a>) {
    let Value::Object(members) = object else { return };
    match members.iter_mut().find(|member| member.name == name) {
        Some(member) => member.value = value,
        None => members.push(Member { name: name.to_owned().into(), value, offset: 0 }),
    }
}

fn written(value: &Value<'_>) -> String {
    let mut out = Writer::new();
    out.value(value);
    out.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(target: &str, patch: &str) -> String {
        let (target, patch) = (json::read(target.as_bytes()).unwrap(), json::read(patch.as_bytes()).unwrap());
        written(&merge_patch(target, &patch, 0))
    }

    #[test]
    fn a_patch_does_what_rfc_7396_shows() {
        assert_eq!(patched(r#"{"a":"b"}"#, r#"{"a":"c"}"#), r#"{"a":"c"}"#);
        assert_eq!(patched(r#"{"a":"b"}"#, r#"{"b":"c"}"#), r#"{"a":"b","b":"c"}"#);
        assert_eq!(patched(r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#), r#"{"b":"c"}"#);
        assert_eq!(patched(r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#), r#"{"a":{"b":"d"}}"#);
        assert_eq!(patched(r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#), r#"{"a":[1]}"#);
        assert_eq!(patched("[1,2]", r#"{"a":"b","c":null}"#), r#"{"a":"b"}"#);
        assert_eq!(patched(r#"{"a":"foo"}"#, r#""bar""#), r#""bar""#);
        assert_eq!(patched("{}", r#"{"a":{"bb":{"ccc":null}}}"#), r#"{"a":{"bb":{}}}"#);
    }

    #[test]
    fn a_subset_may_leave_members_out_but_not_list_items() {
        let check = |a: &str, b: &str| compare(a, b, within).unwrap();
        assert!(check(r#"{"set":{"basic":"open"}}"#, r#"{"abi":1,"set":{"note":[],"basic":"open"}}"#));
        assert!(!check(r#"{"set":{"basic":"open"}}"#, r#"{"set":{"basic":"closed"}}"#));
        assert!(!check(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#));
    }

    #[test]
    fn exact_ignores_the_order_of_members_and_nothing_else() {
        let check = |a: &str, b: &str| compare(a, b, same).unwrap();
        assert!(check(r#"{"a":1,"b":[{"c":2,"d":3}]}"#, r#"{"b":[{"d":3,"c":2}],"a":1}"#));
        assert!(!check(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
        assert!(!check(r#"[1,2]"#, r#"[2,1]"#));
    }
}
