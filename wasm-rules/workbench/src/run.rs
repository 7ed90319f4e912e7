//! `tributary policy run`: one call, and what comes of it.

use std::path::Path;

use merge_core::compose::compose;
use merge_core::json::{self, Member, Value, Writer};
use merge_core::live::Snapshot;
use merge_core::policy::{Call, Output, Reason, apply, limits, read_output, write_input};
use policy_sandbox::{Finding, Hook, Outcome, Policy, RecordedInput, Vector, merge_patch};

use crate::answer::{Answer, Paint, Problem};
use crate::load::{not_json, read, written};
use crate::test::{value_of, vector_text};
use crate::{check, pretty};

/// What is to be run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// A file with an input of `pp_merge` or `pp_view`, with a vector, or with a live set.
    pub input: Option<&'a Path>,
    /// The parameters, in the place of the input's own.
    pub params: Option<&'a str>,
    /// A merge patch of the input (RFC 7396), as JSON.
    pub patch: Option<&'a str>,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The hook that was called.
    pub hook: Hook,
    /// The input, all of it, as JSON.
    pub input: String,
    /// What came of the call.
    pub outcome: Outcome,
    /// What is wrong with the parameters and the answer.
    pub findings: Vec<Finding>,
    /// Fuel that the call was allowed.
    pub allowed: u64,
    /// With a live set: what watchers get by the built-in merge, and with the policy.
    pub documents: Option<(String, String)>,
}

/// Runs `pp_merge` once, or `pp_view` where the input is one of it.
///
/// # Errors
/// The input is none.
pub fn run(policy: &Policy, asked: Asked<'_>) -> Result<Ran, Problem> {
    let ran = answered(policy, asked)?;
    if ran.hook == Hook::View && policy.view_key().is_none() {
        let place = asked.input.map_or_else(String::new, |file| file.display().to_string());
        return Err(Problem::usage(
            format!("{place} is an input of pp_view, which the policy does not have"),
            "export it, or give an input of pp_merge",
        ));
    }
    Ok(ran)
}

/// The same, but that a policy without `pp_view` hides nothing: it has no opinion of an input of that.
pub(crate) fn answered(policy: &Policy, asked: Asked<'_>) -> Result<Ran, Problem> {
    let mut ran = called(policy, asked)?;
    // What an assignment would refuse, the policy would never be called with.
    ran.findings.extend(asked.params.map_or_else(Vec::new, |params| policy.judge_params(params)));
    Ok(ran)
}

fn called(policy: &Policy, asked: Asked<'_>) -> Result<Ran, Problem> {
    let bytes = match asked.input {
        Some(file) => read(file)?,
        None => default_input(),
    };
    let place = asked.input.map_or("the built-in sample".to_owned(), |file| file.display().to_string());
    let value = json::read(&bytes).map_err(|error| not_json(&place, &error.to_string()))?;
    if value.get("aor").is_some() {
        return run_live(policy, &bytes, &place, asked);
    }
    let whole = if Hook::of_input(&value).is_some() {
        bytes
    } else if let (Some(file), true) = (asked.input, value.get("name").is_some()) {
        let vector = Vector::load(file)
            .map_err(|error| Problem::usage(error.to_string(), "mend the vector, or give an input"))?;
        vector.input
    } else {
        return Err(Problem::usage(
            format!("{place} is neither an input, nor a vector, nor a live set"),
            "give a file with `publications`, or with `watcher` and `merged`, a vector, or the JSON of \
             /api/v1/presentities/AOR/live",
        ));
    };
    let input = changed(&whole, asked)?;
    let known =
        RecordedInput::read(input.as_bytes()).map_err(|error| not_json(&place, &error.to_string()))?;
    let hook = known.hook();
    let outcome = if hook == Hook::View && policy.view_key().is_none() {
        Outcome { result: Ok(None), fuel_used: 0, log: Vec::new() }
    } else {
        located(policy, hook, input.as_bytes(), policy.call_whole(hook, input.as_bytes()))
    };
    let findings = match &outcome.result {
        Ok(Some(output)) => {
            let found = known.check_output(output).into_iter().map(|found| answer_finding(&found));
            found.map(|found| policy.explained(found, hook, input.as_bytes())).collect()
        }
        _ => Vec::new(),
    };
    Ok(Ran { hook, allowed: allowed(policy, hook, &input), input, outcome, findings, documents: None })
}

/// A live set is composed by the built-in merge, and what the policy says is applied to that: the whole way
/// that a server goes.
fn run_live(policy: &Policy, bytes: &[u8], place: &str, asked: Asked<'_>) -> Result<Ran, Problem> {
    if asked.patch.is_some() {
        return Err(Problem::usage(
            format!("{place} is a live set, whose documents a patch cannot change"),
            "edit the file, or patch an input",
        ));
    }
    let snapshot = Snapshot::read_json(bytes)
        .map_err(|error| Problem::usage(format!("{place}: {error}"), "give the JSON that the API gave"))?;
    let builtin = compose(&snapshot.set, snapshot.now, snapshot.composition);
    let call = Call {
        set: &snapshot.set,
        now: snapshot.now,
        reason: Reason::Policy,
        changed_etag: None,
        params: asked.params.unwrap_or("{}"),
        local_time: None,
    };
    let input = String::from_utf8_lossy(&write_input(&call, &builtin)).into_owned();
    let outcome = located(policy, Hook::Merge, input.as_bytes(), policy.merge_whole(input.as_bytes()));
    let mut findings = Vec::new();
    let merged = match &outcome.result {
        Ok(Some(output)) => match read_output(output, &call) {
            Ok(output) => apply(&call, &builtin, &output),
            Err(_) => {
                let found = merge_core::policy::check_output(output, &call);
                let explained =
                    |found| policy.explained(answer_finding(found), Hook::Merge, input.as_bytes());
                findings.extend(found.iter().map(explained));
                apply(&call, &builtin, &Output::no_opinion())
            }
        },
        _ => apply(&call, &builtin, &Output::no_opinion()),
    };
    let documents = (builtin.write_json(), merged.write_json());
    let (hook, allowed) = (Hook::Merge, allowed(policy, Hook::Merge, &input));
    Ok(Ran { hook, allowed, input, outcome, findings, documents: Some(documents) })
}

/// What came of a call, with the place in a script where its fuel was used up.
fn located(policy: &Policy, hook: Hook, input: &[u8], mut outcome: Outcome) -> Outcome {
    if let Err(failure) = &mut outcome.result
        && failure.code == "E204"
        && let Some(at) = policy.spent_at(hook, input)
    {
        failure.at = Some(format!("{}, {at}", failure.at.as_deref().unwrap_or_default()));
    }
    outcome
}

fn default_input() -> Vec<u8> {
    let samples = policy_sandbox::builtin_samples();
    samples
        .into_iter()
        .find(|sample| sample.name == "three-devices")
        .map(|sample| sample.input)
        .unwrap_or_default()
}

/// The input with the patch and the parameters in their places.
fn changed(whole: &[u8], asked: Asked<'_>) -> Result<String, Problem> {
    let mut value = json::read(whole).map_err(|error| not_json("input", &error.to_string()))?;
    if let Some(patch) = asked.patch {
        let patch = json::read(patch.as_bytes()).map_err(|error| not_json("--patch", &error.to_string()))?;
        value = merge_patch(value, &patch);
    }
    if let Some(params) = asked.params {
        let params =
            json::read(params.as_bytes()).map_err(|error| not_json("--params", &error.to_string()))?;
        // Not by a patch: parameters are replaced, members and all.
        if let Value::Object(members) = &mut value {
            members.retain(|member| member.name != "params");
            members.push(Member { name: "params".into(), value: params, offset: 0 });
        }
        return Ok(written(&value));
    }
    Ok(written(&value))
}

fn allowed(policy: &Policy, hook: Hook, input: &str) -> u64 {
    if hook == Hook::View {
        return limits::fuel(input.len());
    }
    policy.needs().cut(input.as_bytes()).map_or(0, |needed| limits::fuel(needed.len()))
}

/// What `merge-core` found in an answer, in the words of a check.
fn answer_finding(found: &merge_core::policy::Finding) -> Finding {
    Finding::new(
        found.code,
        format!("output {}", found.place).trim_end(),
        found.message.clone(),
        found.fix.clone(),
    )
}

impl Ran {
    /// The call as a vector that expects what came of it; `None` where it failed.
    #[must_use]
    pub fn vector(&self, name: &str) -> Option<String> {
        let output = self.outcome.result.as_ref().ok()?;
        let value = json::read(self.input.as_bytes()).ok()?;
        let output = output.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        self.is_good().then(|| vector_text(name, self.hook, &value, output.as_deref()))
    }

    fn fuel_text(&self) -> String {
        let used = self.outcome.fuel_used;
        let share = (used as f64 * 100.0) / (self.allowed.max(1) as f64);
        format!("{used} of {} fuel ({share:.1} %)", self.allowed)
    }
}

impl Answer for Ran {
    fn is_good(&self) -> bool {
        self.outcome.result.is_ok() && self.findings.is_empty()
    }

    fn text(&self, paint: Paint) -> String {
        let mut out = match &self.outcome.result {
            Err(failure) => format!("{}\n", paint.bad(&failure.to_string())),
            Ok(None) if self.hook == Hook::View => "no opinion: nothing is hidden\n".to_owned(),
            Ok(None) => "no opinion: the built-in merge stands\n".to_owned(),
            Ok(Some(bytes)) => match json::read(bytes) {
                Ok(value) => pretty::text(&value),
                Err(_) => format!("{}\n", policy_sandbox::plain_text(&String::from_utf8_lossy(bytes))),
            },
        };
        for finding in &self.findings {
            out.push_str(&check::finding_text(finding, &paint.bad(finding.code)));
        }
        for line in &self.outcome.log {
            out.push_str(&format!("log: {line}\n"));
        }
        if let Some((builtin, merged)) = &self.documents {
            out.push_str("\nwhat watchers get (- built-in merge, + with the policy):\n");
            let lines =
                |text: &str| json::read(text.as_bytes()).map_or(Vec::new(), |value| pretty::lines(&value));
            if builtin == merged {
                out.push_str("      the same\n");
            } else {
                out.push_str(&crate::diff::diff(&lines(builtin), &lines(merged), paint));
            }
        }
        out.push_str(&paint.dim(&self.fuel_text()));
        out.push('\n');
        out
    }

    fn write_json(&self, out: &mut Writer) {
        out.begin_object();
        out.key("ok").bool(self.is_good());
        match &self.outcome.result {
            Ok(None) => out.key("output").null(),
            Ok(Some(bytes)) => value_of(out.key("output"), &String::from_utf8_lossy(bytes)),
            Err(failure) => {
                out.key("failure").begin_object();
                out.key("code").string(failure.code);
                out.key("message").string(&failure.message);
                out.string_member("at", failure.at.as_deref());
                out.end_object();
            }
        }
        out.key("findings").begin_array();
        self.findings.iter().for_each(|finding| finding.write(out));
        out.end_array();
        out.key("log").begin_array();
        self.outcome.log.iter().for_each(|line| out.string(line));
        out.end_array();
        out.key("fuel").int(self.outcome.fuel_used as i64);
        out.key("allowed").int(self.allowed as i64);
        if let Some((builtin, merged)) = &self.documents {
            value_of(out.key("builtin"), builtin);
            value_of(out.key("merged"), merged);
        }
        out.end_object();
    }
}
