//! The dry run: a policy is tried on samples before anybody's state depends on it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use merge_core::json::{self, Writer};
use merge_core::policy::{WatcherClass, limits};
use policy_check::{Finding, Findings};

use crate::outcome::{CallFailure, Outcome};
use crate::policy::Policy;
use policy_check::RecordedInput;

/// An input to try a policy on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What findings call it.
    pub name: String,
    /// The input, as `merge_core::policy::write_input` writes it.
    pub input: Vec<u8>,
}

/// The samples that every policy is tried on: nobody there, one device, three devices that
/// disagree, a call, texts that break what is glued together carelessly, and a very full input.
#[must_use]
pub fn builtin_samples() -> Vec<Sample> {
    let texts = [
        ("nothing-published", include_str!("../../policies/inputs/nothing-published.json")),
        ("one-device", include_str!("../../policies/inputs/one-device.json")),
        ("three-devices", include_str!("../../policies/inputs/three-devices.json")),
        ("in-a-call", include_str!("../../policies/inputs/in-a-call.json")),
        ("odd-text", include_str!("../../policies/inputs/odd-text.json")),
    ];
    let mut samples: Vec<Sample> = texts
        .into_iter()
        .filter_map(|(name, text)| Some(Sample { name: name.into(), input: compact(text.as_bytes())? }))
        .collect();
    samples.push(Sample { name: "forty-devices".into(), input: crowd() });
    samples
}

/// The samples that `pp_view` is tried on: documents as merges leave them, each seen by every class of watchers,
/// in groups and in none, with the watcher's address as for a view by identity.
#[must_use]
pub fn view_samples() -> Vec<Sample> {
    let texts = [
        ("closed", include_str!("../../policies/inputs/merged/closed.json")),
        ("in-a-meeting", include_str!("../../policies/inputs/merged/in-a-meeting.json")),
        ("odd-text", include_str!("../../policies/inputs/merged/odd-text.json")),
    ];
    let mut samples = Vec::new();
    for (name, text) in texts {
        let Ok(merged) = json::read(text.as_bytes()) else { continue };
        for class in WatcherClass::ALL {
            for groups in [&[][..], &["board", "secretaries"]] {
                let mut out = Writer::with_capacity(text.len());
                out.begin_object();
                out.key("abi").int(1);
                out.key("now_ms").int(1_795_225_680_000);
                out.key("watcher").begin_object();
                out.key("class").string(class.as_str());
                out.key("groups").begin_array();
                groups.iter().for_each(|group| out.string(group));
                out.end_array();
                if class != WatcherClass::Anonymous {
                    out.key("aor").string("sip:bob@example.com");
                }
                out.end_object();
                out.key("merged").value(&merged);
                out.key("params").begin_object();
                out.end_object();
                out.end_object();
                let grouped = if groups.is_empty() { "" } else { " in groups" };
                let name = format!("{name} as {}{grouped}", class.as_str());
                samples.push(Sample { name, input: out.into_bytes() });
            }
        }
    }
    samples
}

/// The same JSON as the host would write it: no spaces.
pub(crate) fn compact(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Writer::with_capacity(text.len());
    out.value(&json::read(text).ok()?);
    Some(out.into_bytes())
}

/// Forty publications: near the largest input that a policy is given.
fn crowd() -> Vec<u8> {
    let now: i64 = 1_795_225_680_000;
    let mut out = Writer::with_capacity(limits::INPUT_BYTES);
    out.begin_object();
    out.key("abi").int(1);
    out.key("minor").int(0);
    out.key("now_ms").int(now);
    out.key("reason").string("refresh");
    out.key("presentity").begin_object();
    out.key("aor").string("sip:front-desk@example.com");
    out.key("domain").string("example.com");
    out.key("tenant").string("acme");
    out.key("groups").begin_array();
    out.end_array();
    out.end_object();
    out.key("publications").begin_array();
    for n in 0..40_i64 {
        let received = now - n * 1000;
        out.begin_object();
        out.key("etag").string(&format!("e-{n:04x}"));
        out.key("source").string("publish");
        out.key("device").string(&format!("phone-{n}"));
        out.key("device_kind").string(["desk", "mobile", "soft", "web"][n.unsigned_abs() as usize % 4]);
        out.key("received_ms").int(received);
        out.key("first_ms").int(received);
        out.key("expires_ms").int(now + 3_600_000);
        out.key("tuples").begin_array();
        for id in ["audio", "chat"] {
            out.begin_object();
            out.key("id").string(id);
            out.key("basic").string(if n % 3 == 0 { "closed" } else { "open" });
            out.key("contact").string(&format!("sip:front-desk@192.0.2.{n}:5060;transport=tls;unit={id}"));
            out.key("priority_milli").int(n * 25);
            out.key("timestamp_ms").int(received);
            out.key("activities").begin_array();
            out.end_array();
            out.key("note").begin_array();
            out.begin_object();
            out.key("lang").string("en");
            out.key("text").string("One of the many telephones at the front desk of the building");
            out.end_object();
            out.end_array();
            out.end_object();
        }
        out.end_array();
        out.key("person").begin_object();
        out.key("id").string("p");
        out.key("activities").begin_array();
        out.string(if n % 2 == 0 { "away" } else { "on-the-phone" });
        out.end_array();
        out.key("note").begin_array();
        out.end_array();
        out.end_object();
        out.key("devices").begin_array();
        out.end_array();
        out.key("unknown_xml").int(0);
        out.end_object();
    }
    out.end_array();
    out.key("registrations").begin_array();
    out.end_array();
    out.key("dialogs").begin_array();
    out.end_array();
    out.key("builtin").begin_object();
    out.key("basic").string("open");
    out.key("activities").begin_array();
    out.string("away");
    out.end_array();
    out.key("select").begin_array();
    for n in [1_i64, 2, 4, 5] {
        out.begin_object();
        out.key("etag").string(&format!("e-{n:04x}"));
        out.key("tuple").string("audio");
        out.end_object();
    }
    out.end_array();
    out.key("note").begin_array();
    out.end_array();
    out.end_object();
    out.key("params").begin_object();
    out.end_object();
    out.end_object();
    out.into_bytes()
}

/// Runs every sample twice and looks at what comes out, and a policy with `pp_view` on [`view_samples`] as well. No
/// findings: the policy may be stored.
///
/// Unknown output members (E206) are findings here, although a running host passes over them: they
/// are misspellings more often than not.
#[must_use]
pub fn dry_run(policy: &Policy, samples: &[Sample]) -> Vec<Finding> {
    let views = if policy.view_key().is_some() { view_samples() } else { Vec::new() };
    let tried = samples.iter().chain(&views).map(|sample| (sample.name.as_str(), tried(policy, sample)));
    let mut findings = Findings::new();
    said_once(tried).into_iter().for_each(|finding| findings.push(finding));
    if let Some(finding) = dry_params(policy) {
        findings.push(finding);
    }
    findings.finish()
}

/// Runs one sample twice and looks at what comes out. Its members say whether it is for `pp_merge` or `pp_view`.
#[must_use]
pub fn try_sample(policy: &Policy, sample: &Sample) -> Vec<Finding> {
    said_once([(sample.name.as_str(), tried(policy, sample))])
}

/// What is found in one sample, each with its place in that.
fn tried(policy: &Policy, sample: &Sample) -> Vec<Finding> {
    match RecordedInput::read(&sample.input) {
        Ok(known) => {
            let run = || policy.call_whole(known.hook(), &sample.input);
            let findings = judge(&known, [run(), run()]).into_iter();
            findings.map(|found| policy.explained(found, known.hook(), &sample.input)).collect()
        }
        Err(error) => {
            vec![Finding::new("E200", "", format!("the sample is not JSON: {error}"), "mend it")]
        }
    }
}

/// Findings of samples, each said once: the first sample that has it, and how many more do.
fn said_once<'s>(tried: impl IntoIterator<Item = (&'s str, Vec<Finding>)>) -> Vec<Finding> {
    let mut found: Vec<(&str, usize, Finding)> = Vec::new();
    let mut known = HashMap::new();
    for (sample, finding) in
        tried.into_iter().flat_map(|(name, all)| all.into_iter().map(move |one| (name, one)))
    {
        // How much fuel there was goes by the input, and where it ends is chance.
        let same = match finding.code {
            "E204" => {
                let hook = finding.place.split([':', ',']).next().unwrap_or_default();
                (finding.code, hook.to_owned(), String::new())
            }
            code => (code, finding.place.clone(), finding.message.clone()),
        };
        match known.entry(same) {
            Entry::Vacant(new) => {
                new.insert(found.len());
                found.push((sample, 0, finding));
            }
            Entry::Occupied(at) => {
                if let Some((_, more, _)) = found.get_mut(*at.get()) {
                    *more += 1;
                }
            }
        }
    }
    let placed = |(sample, more, finding): (&str, usize, Finding)| {
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let inside = if finding.place.is_empty() { String::new() } else { format!(", {}", finding.place) };
        Finding { place: format!("sample {sample}{more}{inside}"), ..finding }
    };
    found.into_iter().map(placed).collect()
}

/// `pp_params` with no parameters: it may refuse them, in its own words and each time.
fn dry_params(policy: &Policy) -> Option<Finding> {
    const PLACE: &str = "pp_params with {}";
    let [first, second] = [policy.check_params("{}"), policy.check_params("{}")];
    if first != second {
        let message = "two calls with the same parameters ended in two ways";
        return Some(Finding::new("E205", PLACE, message, "compute from the parameters alone"));
    }
    first.err().filter(|failure| failure.code != "E209").map(|failure| failed(PLACE, &failure))
}

/// What two runs of one sample come to.
fn judge(known: &RecordedInput, [first, second]: [Outcome; 2]) -> Vec<Finding> {
    if first != second {
        let at = difference(&first, &second);
        return vec![Finding::new(
            "E205",
            "",
            format!("two runs with the same input {at}"),
            "compute from the input alone; a policy has no memory of earlier calls",
        )];
    }
    let output = match first.result {
        Ok(None) => return Vec::new(),
        Ok(Some(output)) => output,
        Err(failure) => return vec![failed("", &failure)],
    };
    let found = known.check_output(&output).into_iter();
    found.map(|found| Finding::new(found.code, found.place, found.message, found.fix)).collect()
}

fn failed(place: &str, failure: &CallFailure) -> Finding {
    let fix = match failure.code {
        "E204" => "do less: a merge takes a few thousand instructions; look for a loop that does not end",
        "E201" => "handle what the sample holds: members may be missing, lists may be empty",
        "E208" => "return a pointer inside the memory, and at most 16 KiB; pp_alloc returns multiples of 8",
        _ => "see CONTRACT.md",
    };
    let place = match (&failure.at, place) {
        (Some(at), "") => at.clone(),
        (Some(at), place) => format!("{place}, {at}"),
        (None, place) => place.to_owned(),
    };
    Finding::new(failure.code, place, failure.message.clone(), fix)
}

fn difference(first: &Outcome, second: &Outcome) -> String {
    match (&first.result, &second.result) {
        (Ok(Some(first)), Ok(Some(second))) if first != second => {
            let same = first.iter().zip(second).take_while(|(a, b)| a == b).count();
            format!("gave outputs that differ from byte {same} on")
        }
        (Ok(a), Ok(b)) if a != b => "gave an output and no opinion".into(),
        (a, b) if a != b => "ended in two ways".into(),
        _ if first.fuel_used != second.fuel_used => "took different amounts of fuel".into(),
        _ => "left different log lines".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy_check::NAMED_PER_KIND;

    type Answer = Result<Option<Vec<u8>>, CallFailure>;

    fn run(result: Answer, fuel_used: u64, log: &[&str]) -> Outcome {
        Outcome { result, fuel_used, log: log.iter().map(|&line| line.to_owned()).collect() }
    }

    fn says(text: &str) -> Answer {
        Ok(Some(text.as_bytes().to_vec()))
    }

    fn judged(runs: [Outcome; 2]) -> Vec<Finding> {
        let sample = builtin_samples().remove(0);
        judge(&RecordedInput::read(&sample.input).unwrap(), runs)
    }

    #[test]
    fn two_runs_of_one_input_that_differ_in_anything_are_e205() {
        let good = || run(says(r#"{"abi":1}"#), 9, &[]);
        let check = |second: Outcome, words: &str| {
            let findings = judged([good(), second]);
            assert_eq!((findings.len(), findings[0].code), (1, "E205"), "{findings:?}");
            assert!(findings[0].message.contains(words), "{}", findings[0]);
        };
        check(run(says(r#"{"abi":2}"#), 9, &[]), "differ from byte 7 on");
        check(run(Ok(None), 9, &[]), "an output and no opinion");
        check(run(Err(CallFailure::policy("E201", "pp_merge", "a trap")), 9, &[]), "ended in two ways");
        check(run(says(r#"{"abi":1}"#), 10, &[]), "different amounts of fuel");
        check(run(says(r#"{"abi":1}"#), 9, &["a line"]), "different log lines");
        assert_eq!(judged([good(), good()]), []);
    }

    #[test]
    fn views_are_tried_on_documents_as_merges_leave_them_by_every_class() {
        let samples = view_samples();
        assert_eq!(samples.len(), 3 * 2 * WatcherClass::ALL.len());
        for sample in samples {
            let known = RecordedInput::read(&sample.input).unwrap();
            assert_eq!(known.hook(), policy_check::Hook::View, "{}", sample.name);
            assert_eq!(known.check_output(br#"{"abi":1,"drop":["geo"],"level":"busy_free"}"#), []);
            let of_merge = run(says(r#"{"abi":1,"base":"empty"}"#), 9, &[]);
            let findings = judge(&known, [of_merge.clone(), of_merge]);
            assert_eq!(findings.first().map(|finding| finding.code), Some("E206"));
        }
    }

    #[test]
    fn what_is_found_in_each_sample_is_said_once_with_how_many_have_it() {
        let finding = |code, place: &str, message: &str| Finding::new(code, place, message, "mend it");
        let wrong = || finding("E207", "set.mood[0]", "\"hapy\" is no mood");
        let fuel = |offset: &str, fuel: &str| {
            finding("E204", &format!("pp_merge: function 7, offset {offset}"), fuel)
        };
        let said = said_once([
            ("one", vec![wrong(), fuel("0x1", "all of 5")]),
            ("two", vec![wrong(), finding("E207", "", "an array")]),
            ("three", vec![wrong(), fuel("0x2", "all of 9")]),
        ]);
        let places: Vec<&str> = said.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(
            places,
            [
                "sample one and 2 more, set.mood[0]",
                "sample one and 1 more, pp_merge: function 7, offset 0x1",
                "sample two"
            ]
        );
    }

    #[test]
    fn a_thousand_misspelt_members_are_counted_and_not_named() {
        let members: String = (0..1000).map(|n| format!(r#","m{n}":0"#)).collect();
        let output = run(says(&format!(r#"{{"abi":1{members}}}"#)), 9, &[]);
        let mut findings = Findings::new();
        judged([output.clone(), output]).into_iter().for_each(|finding| findings.push(finding));
        let findings = findings.finish();
        assert_eq!(findings.len(), NAMED_PER_KIND + 1);
        assert!(findings[NAMED_PER_KIND].message.starts_with("990 more"), "{}", findings[NAMED_PER_KIND]);
    }
}
