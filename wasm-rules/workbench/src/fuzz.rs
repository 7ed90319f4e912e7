//! `tributary policy fuzz`: inputs that nobody thought of.

use std::path::Path;
use std::time::{Duration, Instant};

use merge_core::json::{self, Writer};
use policy_sandbox::{Finding, Generator, Hook, Policy, Sample, try_sample};

use crate::answer::{Answer, Paint};
use crate::check::finding_text;
use crate::load::written;
use crate::pretty;
use crate::shrink::shrink;
use crate::test::{params_in, vectors_if_any};

/// Kinds of failure that are told apart; a policy that fails in more ways fails in these first.
const MOST_FINDS: usize = 10;

/// How long, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Fuzz {
    /// The seed of the inputs: the same seed makes the same ones.
    pub seed: u64,
    /// Inputs to try.
    pub runs: Option<u64>,
    /// Time after which no further input is tried.
    pub time: Option<Duration>,
}

/// A kind of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Find {
    /// What was found, with the first input that shows it.
    pub finding: Finding,
    /// An input that shows it, with nothing in it that could be left out: a vector as it is, since an input
    /// by itself asks for nothing but a usable answer.
    pub input: String,
    /// The seed and the number of the input, counted from 1.
    pub run: u64,
}

impl Find {
    /// A name for a file that holds the input.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("fuzz-{}-{}.json", self.finding.code, self.run)
    }
}

/// What fuzzing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fuzzed {
    /// The seed.
    pub seed: u64,
    /// Inputs that were tried.
    pub runs: u64,
    /// The most fuel that one took.
    pub most_fuel: u64,
    /// What was found, one of each kind.
    pub finds: Vec<Find>,
}

/// Tries made-up inputs, with the parameters of the vectors of `project` among others.
#[must_use]
pub fn fuzz(policy: &Policy, project: &Path, how: Fuzz) -> Fuzzed {
    let params = params_in(&vectors_if_any(project));
    // What the policy does not take it is never given.
    let params: Vec<String> =
        params.into_iter().filter(|params| policy.judge_params(params).is_empty()).collect();
    let mut generator = Generator::new(how.seed).with_params(params);
    let views = policy.view_key().is_some();
    let mut fuzzed = Fuzzed { seed: how.seed, runs: 0, most_fuel: 0, finds: Vec::new() };
    let began = Instant::now();
    let goes_on = |fuzzed: &Fuzzed| {
        how.runs.is_none_or(|runs| fuzzed.runs < runs)
            && how.time.is_none_or(|time| began.elapsed() < time)
            && fuzzed.finds.len() < MOST_FINDS
    };
    while goes_on(&fuzzed) {
        // Every other one a view's, where there are views.
        let hook = if views && fuzzed.runs % 2 == 1 { Hook::View } else { Hook::Merge };
        let input = match hook {
            Hook::View => generator.next_view_input(),
            _ => generator.next_input(),
        };
        fuzzed.runs += 1;
        fuzzed.most_fuel = fuzzed.most_fuel.max(policy.call_whole(hook, &input).fuel_used);
        for finding in tried(policy, &input) {
            if fuzzed.finds.iter().all(|known| kind(&known.finding) != kind(&finding)) {
                let input = smallest(policy, &input, &finding);
                fuzzed.finds.push(Find { finding, input, run: fuzzed.runs });
            }
        }
    }
    fuzzed
}

/// Twice, and what comes out is looked at.
fn tried(policy: &Policy, input: &[u8]) -> Vec<Finding> {
    try_sample(policy, &Sample { name: "made up".to_owned(), input: input.to_vec() })
}

/// Failures with one code at one place are one kind.
fn kind(finding: &Finding) -> (&'static str, &str) {
    (finding.code, finding.place.as_str())
}

fn smallest(policy: &Policy, input: &[u8], finding: &Finding) -> String {
    let Ok(value) = json::read(input) else { return String::from_utf8_lossy(input).into_owned() };
    let fails = |input: &[u8]| tried(policy, input).iter().any(|other| kind(other) == kind(finding));
    let small = shrink(value, fails);
    debug_assert!(fails(written(&small).as_bytes()));
    pretty::text(&small)
}

impl Answer for Fuzzed {
    fn is_good(&self) -> bool {
        self.finds.is_empty()
    }

    fn text(&self, paint: Paint) -> String {
        let mut out = String::new();
        for find in &self.finds {
            out.push_str(&finding_text(&find.finding, &paint.bad(find.finding.code)));
            out.push_str(&paint.dim(&format!("       input {} of seed {}", find.run, self.seed)));
            out.push('\n');
        }
        let verdict = match self.finds.len() {
            0 => paint.good("nothing found"),
            1 => paint.bad("1 kind of failure"),
            n => paint.bad(&format!("{n} kinds of failure")),
        };
        out.push_str(&format!(
            "{verdict}: {} inputs of seed {}, at most {} fuel\n",
            self.runs, self.seed, self.most_fuel
        ));
        out
    }

    fn write_json(&self, out: &mut Writer) {
        out.begin_object();
        out.key("ok").bool(self.is_good());
        // A seed may have more than 53 bits.
        out.key("seed").string(&self.seed.to_string());
        out.key("runs").int(self.runs as i64);
        out.key("most_fuel").int(self.most_fuel as i64);
        out.key("finds").begin_array();
        for find in &self.finds {
            out.begin_object();
            find.finding.write(out.key("finding"));
            out.key("run").int(find.run as i64);
            out.key("file").string(&find.file_name());
            out.end_object();
        }
        out.end_array();
        out.end_object();
    }
}
