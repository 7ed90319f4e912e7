//! `tributary policy bench`: what a call costs, and a merge with the policy beside the built-in one.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use merge_core::compose::compose;
use merge_core::json::Writer;
use merge_core::live::Snapshot;
use merge_core::policy::{Call, Output, Reason, apply, read_output, write_needed};
use policy_sandbox::{Hook, Policy, Sample, Vector, builtin_samples, view_samples};

use crate::answer::{Answer, Paint, Problem};
use crate::test::{vector_files, vectors_if_any};

/// Three devices that disagree, as the server's store holds them: what the ratio is measured on.
const LIVE: &str = include_str!("../../policies/inputs/three-devices.live.json");
/// The samples of views that are measured: one document, seen by every class.
const SEEN: &str = "in-a-meeting as ";
/// Runs before anything is counted.
const WARM_UP: u32 = 50;
/// Runs that are timed at least, however long one takes, and at most.
const LEAST_RUNS: usize = 20;
const MOST_RUNS: usize = 100_000;

/// What one input costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The sample, or the vector's name.
    pub name: String,
    /// Bytes that the policy is sent.
    pub bytes: usize,
    /// Fuel of the call: the same in every run.
    pub fuel: u64,
    /// Fuel that is allowed.
    pub allowed: u64,
    /// Half of the calls took less.
    pub median: Duration,
    /// One call in a hundred took longer.
    pub p99: Duration,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// By input.
    pub calls: Vec<Effort>,
    /// The built-in merge of three devices, document written.
    pub builtin: Duration,
    /// The same with the policy in between: input written, called, answer read and applied.
    pub with_policy: Duration,
}

/// Measures the policy for about `time`: on the built-in samples, and on the vectors of `project` or those
/// at `paths`.
///
/// # Errors
/// A vector cannot be used.
pub fn bench(
    policy: &Policy,
    project: &Path,
    paths: &[PathBuf],
    time: Duration,
) -> Result<Measured, Problem> {
    let files = if paths.is_empty() { vectors_if_any(project) } else { vector_files(paths)? };
    let named = |samples: Vec<Sample>, hook| samples.into_iter().map(move |one| (one.name, hook, one.input));
    let mut inputs: Vec<(String, Hook, Vec<u8>)> = named(builtin_samples(), Hook::Merge).collect();
    if policy.view_key().is_some() {
        inputs.extend(named(view_samples(), Hook::View).filter(|(name, ..)| name.starts_with(SEEN)));
    }
    for file in files {
        let vector = Vector::load(&file)
            .map_err(|error| Problem::usage(error.to_string(), "mend the vector, or leave it out"))?;
        if vector.hook != Hook::Params {
            inputs.push((vector.name, vector.hook, vector.input));
        }
    }
    // Two of the shares go to the ratio.
    let share = time / (inputs.len() as u32 + 2);
    let mut calls = Vec::new();
    for (name, hook, input) in inputs {
        let cannot = |error| Problem::usage(format!("{name}: not JSON: {error}"), "mend the vector");
        let needed = if hook == Hook::Merge { policy.needs().cut(&input).map_err(cannot)? } else { input };
        let call = |input: &[u8]| if hook == Hook::View { policy.view(input) } else { policy.merge(input) };
        let fuel = call(&needed).fuel_used;
        let (median, p99) = timed(share, || drop(black_box(call(black_box(&needed)))));
        let allowed = merge_core::policy::limits::fuel(needed.len());
        calls.push(Effort { name, bytes: needed.len(), fuel, allowed, median, p99 });
    }
    let snapshot = Snapshot::read_json(LIVE.as_bytes())
        .map_err(|error| Problem::tool(format!("the built-in live set: {error}"), "report this"))?;
    let (builtin, _) = timed(share, || {
        let composed = compose(&snapshot.set, snapshot.now, snapshot.composition);
        drop(black_box(composed.write_pidf()));
    });
    let (with_policy, _) = timed(share, || drop(black_box(merged(policy, &snapshot))));
    Ok(Measured { calls, builtin, with_policy })
}

/// The whole way of a merge with a policy, as a server goes it.
fn merged(policy: &Policy, snapshot: &Snapshot) -> Vec<u8> {
    let builtin = compose(&snapshot.set, snapshot.now, snapshot.composition);
    let call = Call {
        set: &snapshot.set,
        now: snapshot.now,
        reason: Reason::Publish,
        changed_etag: None,
        params: "{}",
        local_time: None,
    };
    let input = write_needed(&call, &builtin, policy.needs());
    let output = match policy.merge(&input).result {
        Ok(Some(bytes)) => read_output(&bytes, &call).unwrap_or_else(|_| Output::no_opinion()),
        _ => Output::no_opinion(),
    };
    apply(&call, &builtin, &output).write_pidf()
}

/// The median and the 99th percentile of what `work` takes.
fn timed(time: Duration, mut work: impl FnMut()) -> (Duration, Duration) {
    (0..WARM_UP).for_each(|_| work());
    let mut took = Vec::new();
    let began = Instant::now();
    while took.len() < LEAST_RUNS || (began.elapsed() < time && took.len() < MOST_RUNS) {
        let start = Instant::now();
        work();
        took.push(start.elapsed());
    }
    took.sort();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
    (at(50), at(99))
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1000.0
}

impl Measured {
    /// How many built-in merges a merge with the policy takes.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.with_policy.as_nanos() as f64 / self.builtin.as_nanos().max(1) as f64
    }
}

impl Answer for Measured {
    fn is_good(&self) -> bool {
        true
    }

    fn text(&self, paint: Paint) -> String {
        let width = self.calls.iter().map(|call| call.name.chars().count()).max().unwrap_or(0).clamp(5, 60);
        let mut out = format!(
            "{}\n",
            paint.dim(&format!(
                "{:<width$} {:>7} {:>10} {:>8} {:>10} {:>10}",
                "input", "bytes", "fuel", "allowed", "median us", "p99 us"
            ))
        );
        for call in &self.calls {
            let share = call.fuel as f64 * 100.0 / call.allowed.max(1) as f64;
            out.push_str(&format!(
                "{:<width$} {:>7} {:>10} {share:>6.1} % {:>10.1} {:>10.1}\n",
                call.name,
                call.bytes,
                call.fuel,
                micros(call.median),
                micros(call.p99)
            ));
        }
        out.push_str(&format!(
            "a merge of three devices: built-in {:.1} us, with the policy {:.1} us: {:.1} times the built-in alone\n",
            micros(self.builtin),
            micros(self.with_policy),
            self.ratio()
        ));
        out
    }

    /// Times in nanoseconds, the ratio in thousandths: JSON here knows integers only.
    fn write_json(&self, out: &mut Writer) {
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        out.begin_object();
        out.key("ok").bool(true);
        out.key("calls").begin_array();
        for call in &self.calls {
            out.begin_object();
            out.key("name").string(&call.name);
            out.key("bytes").int(call.bytes as i64);
            out.key("fuel").int(call.fuel as i64);
            out.key("allowed").int(call.allowed as i64);
            out.key("median_ns").int(nanos(call.median));
            out.key("p99_ns").int(nanos(call.p99));
            out.end_object();
        }
        out.end_array();
        out.key("builtin_ns").int(nanos(self.builtin));
        out.key("with_policy_ns").int(nanos(self.with_policy));
        out.key("ratio_milli").int((self.ratio() * 1000.0) as i64);
        out.end_object();
    }
}
