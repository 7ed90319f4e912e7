//! A compiled policy: who it is, what it can be asked, and what it says of parameters.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use merge_core::json::{self, JsonError, Value, Writer};
use merge_core::policy::{INPUT_MEMBERS, Needs, ViewKey, limits};
use policy_check::{Finding, Hook, Manifest, Report, plain_text};
use wasmtime::ModuleExport;

use crate::call::{Body, Guest, required};
use crate::outcome::{CallFailure, Outcome};

/// A policy that was checked and compiled. Cheap to clone, and calls may run at the same time.
#[derive(Clone)]
pub struct Policy {
    inner: Arc<Inner>,
}

/// Where a policy's machine code came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was compiled, and kept where there is a cache.
    Compiled,
    /// It was compiled, and could not be kept: the next start compiles it again.
    NotKept(String),
    /// An earlier process had compiled it.
    FromCache,
}

struct Inner {
    sha256: [u8; 32],
    made: Made,
    report: Report,
    guest: Guest,
    merge: ModuleExport,
    view: Option<ModuleExport>,
    params: Option<ModuleExport>,
}

impl Policy {
    pub(crate) fn new(sha256: [u8; 32], report: Report, body: Body, made: Made) -> Result<Self, Finding> {
        let module = body.module();
        // The engine for scripts has them all, whatever a script exports.
        let hook = |there: bool, hook: Hook| there.then(|| required(module, hook.as_str())).transpose();
        let inner = Inner {
            merge: required(module, Hook::Merge.as_str())?,
            view: hook(report.hooks.view, Hook::View)?,
            params: hook(report.hooks.params, Hook::Params)?,
            guest: Guest::new(body, report.hooks.initialize)?,
            sha256,
            made,
            report,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The SHA-256 of the file: the policy's identity. Names are labels.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.inner.sha256
    }

    /// The SHA-256 as 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        self.inner.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What the static check found: no errors, since it compiled, but warnings and the manifest.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.inner.report
    }

    /// Where its machine code came from.
    #[must_use]
    pub fn made(&self) -> &Made {
        &self.inner.made
    }

    /// The manifest's name, where there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.inner.report.manifest.as_ref().map(|manifest| manifest.name.as_str())
    }

    /// The members of the input that the policy is sent.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.inner.report.manifest.as_ref().map_or(Needs::ALL, Manifest::needs)
    }

    /// A finding of a call with this input, for its author: what the manifest's `needs` leaves out, a script reads as
    /// `undefined`; and where a script uses up its fuel is found by calling it twice more.
    #[must_use]
    pub fn explained(&self, finding: Finding, hook: Hook, input: &[u8]) -> Finding {
        if finding.code == "E204" {
            let at = self.spent_at(hook, input).map(|at| format!("{}, {at}", finding.place));
            return Finding { place: at.unwrap_or(finding.place), ..finding };
        }
        if hook != Hook::Merge {
            return finding;
        }
        let needs = self.needs();
        let missing: Vec<&str> = INPUT_MEMBERS.into_iter().filter(|member| !needs.has(member)).collect();
        if finding.code != "E209" || missing.is_empty() || !finding.message.contains("undefined") {
            return finding;
        }
        let fix =
            format!("add to the manifest's `needs` what it reads: it is not sent {}", missing.join(", "));
        Finding::new(finding.code, finding.place, finding.message, fix)
    }

    /// Whether the policy hides things: where it fails, less is shown and not more.
    #[must_use]
    pub fn privacy(&self) -> bool {
        self.inner.report.manifest.as_ref().is_some_and(|manifest| manifest.privacy)
    }

    /// Runs `pp_merge` in a fresh instance. `input` is what `merge_core::policy::write_needed` wrote for
    /// the policy's [`needs`](Self::needs).
    #[must_use]
    pub fn merge(&self, input: &[u8]) -> Outcome {
        self.inner.guest.ask(Hook::Merge.as_str(), &self.inner.merge, input)
    }

    /// As [`merge`](Self::merge), with an input that holds everything, such as one that was recorded:
    /// the policy is sent what it needs of it.
    #[must_use]
    pub fn merge_whole(&self, input: &[u8]) -> Outcome {
        match self.needed(input) {
            Ok(needed) => self.merge(&needed),
            Err(error) => Outcome::not_called(format!("the input is not JSON: {error}")),
        }
    }

    /// What the policy is sent of an input that holds everything.
    fn needed<'i>(&self, input: &'i [u8]) -> Result<Cow<'i, [u8]>, JsonError> {
        let needs = self.needs();
        if needs == Needs::ALL { Ok(input.into()) } else { needs.cut(input).map(Cow::Owned) }
    }

    /// Whom `pp_view` tells apart; none where the policy has no `pp_view`.
    #[must_use]
    pub fn view_key(&self) -> Option<ViewKey> {
        let manifest = self.inner.report.manifest.as_ref();
        self.inner.view.as_ref().map(|_| manifest.map(Manifest::view_key).unwrap_or_default())
    }

    /// Runs `pp_view` in a fresh instance. `input` is what `merge_core::policy::write_view_input` wrote.
    #[must_use]
    pub fn view(&self, input: &[u8]) -> Outcome {
        match &self.inner.view {
            Some(view) => self.inner.guest.ask(Hook::View.as_str(), view, input),
            None => Outcome::not_called("the policy has no pp_view".to_owned()),
        }
    }

    /// Where a script is when this call has used up its fuel: `at or after line 3`. `None` for a module, which says where
    /// it is itself, and where the engine cannot tell.
    #[must_use]
    pub fn spent_at(&self, hook: Hook, input: &[u8]) -> Option<String> {
        let Inner { guest, merge, view, .. } = &*self.inner;
        let line = match hook {
            Hook::Merge => guest.spent_at(hook.as_str(), merge, &self.needed(input).ok()?)?,
            Hook::View => guest.spent_at(hook.as_str(), view.as_ref()?, input)?,
            Hook::Params => return None,
        };
        Some(format!("at or after line {line}"))
    }

    /// Runs a hook with an input that holds everything; `pp_params` is asked by
    /// [`check_params`](Self::check_params).
    #[must_use]
    pub fn call_whole(&self, hook: Hook, input: &[u8]) -> Outcome {
        match hook {
            Hook::Merge => self.merge_whole(input),
            Hook::View => self.view(input),
            Hook::Params => Outcome::not_called("pp_params has no input of its own".to_owned()),
        }
    }

    /// Everything that is wrong with parameters (a JSON object), as is found when the policy is assigned to
    /// somebody: what the manifest's schema says of them, and, where that has nothing against them, the
    /// policy's own `pp_params`.
    #[must_use]
    pub fn judge_params(&self, params: &str) -> Vec<Finding> {
        let judged = params_object(params).map(|params| {
            self.inner
                .report
                .manifest
                .as_ref()
                .map_or_else(Vec::new, |manifest| manifest.judge_params(&params))
        });
        let failure = match judged {
            Ok(findings) if !findings.is_empty() => return findings,
            Ok(_) => self.check_params(params).err(),
            Err(failure) => Some(failure),
        };
        let found = |failure: CallFailure| {
            let place = failure.at.unwrap_or_else(|| "params".to_owned());
            Finding::new(failure.code, place, failure.message, params_fix(failure.code))
        };
        failure.map(found).into_iter().collect()
    }

    /// Asks the policy's `pp_params` whether it can work with these parameters. A policy without it takes
    /// whatever is an object.
    ///
    /// # Errors
    /// The parameters are no strict JSON object or too large (E200), the policy refused them (E209,
    /// its own words in the message), or it failed.
    pub fn check_params(&self, params: &str) -> Result<(), CallFailure> {
        let value = params_object(params)?;
        let Some(hook) = &self.inner.params else { return Ok(()) };
        let mut input = Writer::new();
        input.begin_object();
        input.key("abi").int(i64::from(policy_check::ABI));
        input.key("params").value(&value);
        input.end_object();
        match self.inner.guest.ask(Hook::Params.as_str(), hook, &input.into_bytes()).result? {
            None => Ok(()),
            Some(output) => Err(params_answer(&output)),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("id", &self.id()).field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Parameters as they come: a JSON object of the strict grammar, within the limit.
fn params_object(params: &str) -> Result<Value<'_>, CallFailure> {
    if params.len() > limits::PARAMS_BYTES {
        let (found, allowed) = (params.len(), limits::PARAMS_BYTES);
        return Err(CallFailure::host(format!("the parameters have {found} bytes, allowed are {allowed}")));
    }
    match json::read(params.as_bytes()) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(other) => Err(CallFailure::host(format!("the parameters are {}, not an object", other.kind()))),
        Err(error) => Err(CallFailure::host(format!("the parameters are not JSON: {error}"))),
    }
}

fn params_fix(code: &str) -> &'static str {
    match code {
        "E200" => "give a JSON object of at most 4 KiB; numbers must be whole",
        "E209" => "give what the policy asks for; its documentation tells what it takes",
        _ => "the policy failed on these parameters: its author has to mend that",
    }
}

/// What `pp_params` said, when it was not 0.
fn params_answer(output: &[u8]) -> CallFailure {
    let value = match json::read(output) {
        Ok(value) => value,
        Err(error) => return CallFailure::policy("E202", "pp_params", format!("not JSON: {error}")),
    };
    let message = value
        .get("error")
        .and_then(|error| error.get("message"))
        .and_then(Value::as_str)
        .map_or_else(|| "the policy refused the parameters without a message".to_owned(), plain_text);
    CallFailure::policy("E209", "pp_params", message)
}
