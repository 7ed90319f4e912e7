//! What an upload is tried with: the author's vectors, which must hold, and what was captured in the scope that it is
//! meant for, which it must answer; and what it would change of what is in force there.

use super::capture::Recorded;
use super::snapshot::Generation;
use merge_core::json::{self, Member, Value, Writer};
use merge_core::time::Millis;
use policy_sandbox::{Expect, Finding, Hook, Policy, Vector};
use std::sync::Arc;
use tributary_engine::differences;

/// Vectors that are named, of those that fail and of those whose answer changes; the others are counted.
const NAMED: usize = 10;

/// What the vectors came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// How many there were.
    pub vectors: usize,
    /// Of those that call `pp_merge` or `pp_view`, how many.
    pub compared: usize,
    /// Those of them that the policy answers otherwise than what is in force.
    pub changed: usize,
    /// Some of those: the vector, and what the answer says otherwise, in words.
    pub sample: Vec<(String, Vec<String>)>,
    /// The policy that it was held against; none is the built-in merge.
    pub against: Option<Arc<str>>,
    /// The same of what was captured.
    pub captured: TriedCaptured,
}

/// What captured inputs came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriedCaptured {
    /// How many there were.
    pub inputs: usize,
    /// Those that the policy answers otherwise than what is in force.
    pub changed: usize,
    /// Some of those: whose and of when, and what the answer says otherwise, in words.
    pub sample: Vec<(Arc<str>, Millis, Vec<String>)>,
}

/// Runs each vector twice: what does not hold, or differs from itself.
pub(super) fn failing(policy: &Policy, vectors: &[Vector]) -> Vec<Finding> {
    let fix = "mend the policy or the vector; `tributary policy test` shows the lines that differ";
    let (mut findings, more) = wrong(policy, vectors, ("E210", "vector ", fix));
    if more > 0 {
        let (message, fix) =
            (format!("{more} more do not hold"), "see them all with `tributary policy test`");
        findings.push(Finding::new("E210", "vectors", message, fix));
    }
    findings
}

/// Runs each captured input twice: where there is no answer that a host could use, or another one the second time.
pub(super) fn failing_captured(policy: &Policy, captured: &[Vector]) -> Vec<Finding> {
    let fix = "write the input to a file with `tributary policy capture ADDRESS --last-hour --out DIR`, and mend the policy";
    let (mut findings, more) = wrong(policy, captured, ("E211", "captured ", fix));
    if more > 0 {
        findings.push(Finding::new("E211", "captured", format!("it fails on {more} more"), fix));
    }
    findings
}

/// The first ones, and how many more there are.
fn wrong(
    policy: &Policy,
    vectors: &[Vector],
    (code, of, fix): (&'static str, &str, &str),
) -> (Vec<Finding>, usize) {
    let mut findings = Vec::new();
    let mut more = 0;
    for vector in vectors {
        let [first, second] = [policy.try_vector(vector), policy.try_vector(vector)];
        let place = format!("{of}{}", vector.name);
        let finding = if let Some(mismatch) = &first.mismatch {
            Finding::new(code, place, mismatch.to_string(), fix)
        } else if first.output != second.output {
            let fix = "answer by the input alone";
            Finding::new("E205", place, "two runs with one input gave different outputs", fix)
        } else {
            continue;
        };
        if findings.len() < NAMED { findings.push(finding) } else { more += 1 }
    }
    (findings, more)
}

/// What was captured, as vectors that ask for nothing but a usable answer. The parameters are those in force where the
/// policy takes them, for it may be the next version of what is; else none.
pub(super) fn of_captured(
    policy: &Policy,
    in_force: Option<&Generation>,
    captured: &[Recorded],
) -> Vec<Vector> {
    let params = in_force.map(|now| &*now.params).filter(|params| policy.judge_params(params).is_empty());
    let params = params.unwrap_or("{}");
    let vector = |recorded: &Recorded| Vector {
        name: format!("{} at {}", recorded.aor, recorded.at.to_rfc3339()),
        hook: recorded.hook,
        input: with_params(recorded.input.as_bytes(), params),
        params: params.to_owned(),
        expect: Expect::Subset("{}".to_owned()),
        max_fuel: None,
    };
    captured.iter().map(vector).collect()
}

/// What the policy answers otherwise than what is in force does, with the parameters of each.
pub(super) fn compared(
    policy: &Policy,
    in_force: Option<&Generation>,
    vectors: &[Vector],
    (captured, as_vectors): (&[Recorded], &[Vector]),
) -> Tried {
    let (changed, sample) = otherwise(policy, in_force, vectors);
    let of_vector = |(at, what): (usize, Vec<String>)| Some((vectors.get(at)?.name.clone(), what));
    let (changed_captured, captured_sample) = otherwise(policy, in_force, as_vectors);
    let of_captured = |(at, what): (usize, Vec<String>)| {
        let recorded = captured.get(at)?;
        Some((Arc::clone(&recorded.aor), recorded.at, what))
    };
    Tried {
        vectors: vectors.len(),
        compared: vectors.iter().filter(|vector| vector.hook != Hook::Params).count(),
        changed,
        sample: sample.into_iter().filter_map(of_vector).collect(),
        against: in_force.and_then(|now| now.policy.as_ref().map(|entry| Arc::clone(&entry.name))),
        captured: TriedCaptured {
            inputs: captured.len(),
            changed: changed_captured,
            sample: captured_sample.into_iter().filter_map(of_captured).collect(),
        },
    }
}

/// How many are answered otherwise, and which the first of them are.
fn otherwise(
    policy: &Policy,
    in_force: Option<&Generation>,
    vectors: &[Vector],
) -> (usize, Vec<(usize, Vec<String>)>) {
    let active = in_force.and_then(|now| now.policy.as_ref().map(|entry| (entry, &*now.params)));
    let (mut changed, mut sample) = (0, Vec::new());
    for (at, vector) in vectors.iter().enumerate().filter(|(_, vector)| vector.hook != Hook::Params) {
        let before = match active {
            Some((entry, params)) => answer(&entry.policy, vector.hook, &with_params(&vector.input, params)),
            None => NO_OPINION.to_owned(),
        };
        let what = differences(&before, &answer(policy, vector.hook, &vector.input));
        if what.is_empty() {
            continue;
        }
        changed += 1;
        if sample.len() < NAMED {
            sample.push((at, what));
        }
    }
    (changed, sample)
}

/// An answer that changes nothing of the built-in merge.
const NO_OPINION: &str = r#"{"abi":1}"#;

/// What a policy answers but for the reasons that it gives; a failure as what stands in for it.
fn answer(policy: &Policy, hook: Hook, input: &[u8]) -> String {
    let Ok(Some(output)) = policy.call_whole(hook, input).result else { return NO_OPINION.to_owned() };
    let Ok(Value::Object(mut members)) = json::read(&output) else { return NO_OPINION.to_owned() };
    members.retain(|member| member.name != "explain");
    written(&Value::Object(members))
}

fn with_params(input: &[u8], params: &str) -> Vec<u8> {
    match (json::read(input), json::read(params.as_bytes())) {
        (Ok(Value::Object(mut members)), Ok(params)) => {
            members.retain(|member| member.name != "params");
            members.push(Member { name: "params".into(), value: params, offset: 0 });
            written(&Value::Object(members)).into_bytes()
        }
        _ => input.to_vec(),
    }
}

fn written(value: &Value<'_>) -> String {
    let mut out = Writer::new();
    out.value(value);
    out.into_string()
}
