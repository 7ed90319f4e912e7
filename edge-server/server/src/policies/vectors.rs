//! Vectors that come with an upload: they must hold, and say what the policy would change of what is in force.

use super::snapshot::Generation;
use merge_core::json::{self, Member, Value, Writer};
use policy_sandbox::{Finding, Hook, Policy, Vector};
use std::sync::Arc;
use tributary_engine::differences;

/// Vectors that are named, of those that fail and of those whose answer changes; the others are counted.
const NAMED: usize = 10;

/// What the vectors came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// How many there were.
    pub vectors: usize,
    /// Of those that call `pp_merge`, how many.
    pub compared: usize,
    /// Those of them that the policy answers otherwise than what is in force.
    pub changed: usize,
    /// Some of those: the vector, and what the answer says otherwise, in words.
    pub sample: Vec<(String, Vec<String>)>,
    /// The policy that it was held against; none is the built-in merge.
    pub against: Option<Arc<str>>,
}

/// Runs each twice: what does not hold, or differs from itself.
pub(super) fn failing(policy: &Policy, vectors: &[Vector]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut more = 0;
    for vector in vectors {
        let [first, second] = [policy.try_vector(vector), policy.try_vector(vector)];
        let place = format!("vector {}", vector.name);
        let finding = if let Some(mismatch) = &first.mismatch {
            let fix = "mend the policy or the vector; `tributary policy test` shows the lines that differ";
            Finding::new("E210", place, mismatch.to_string(), fix)
        } else if first.output != second.output {
            let fix = "answer by the input alone";
            Finding::new("E205", place, "two runs with one input gave different outputs", fix)
        } else {
            continue;
        };
        if findings.len() < NAMED { findings.push(finding) } else { more += 1 }
    }
    if more > 0 {
        let (message, fix) =
            (format!("{more} more do not hold"), "see them all with `tributary policy test`");
        findings.push(Finding::new("E210", "vectors", message, fix));
    }
    findings
}

/// What the policy answers otherwise than what is in force does, with the parameters of each.
pub(super) fn compared(policy: &Policy, in_force: Option<&Generation>, vectors: &[Vector]) -> Tried {
    let active = in_force.and_then(|now| now.policy.as_ref().map(|entry| (entry, &*now.params)));
    let mut tried = Tried {
        vectors: vectors.len(),
        against: active.map(|(entry, _)| Arc::clone(&entry.name)),
        ..Tried::default()
    };
    for vector in vectors.iter().filter(|vector| vector.hook == Hook::Merge) {
        tried.compared += 1;
        let before = match active {
            Some((entry, params)) => answer(&entry.policy, &with_params(&vector.input, params)),
            None => NO_OPINION.to_owned(),
        };
        let what = differences(&before, &answer(policy, &vector.input));
        if what.is_empty() {
            continue;
        }
        tried.changed += 1;
        if tried.sample.len() < NAMED {
            tried.sample.push((vector.name.clone(), what));
        }
    }
    tried
}

/// An answer that changes nothing of the built-in merge.
const NO_OPINION: &str = r#"{"abi":1}"#;

/// What a policy answers but for the reasons that it gives; a failure as what stands in for it.
fn answer(policy: &Policy, input: &[u8]) -> String {
    let Ok(Some(output)) = policy.merge_whole(input).result else { return NO_OPINION.to_owned() };
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
