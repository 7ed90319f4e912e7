//! A compiled policy, and one call of it.

use std::fmt;
use std::sync::Arc;

use merge_core::json::{self, Value, Writer};
use merge_core::policy::{Needs, ViewKey, limits};
use policy_check::{Finding, Hook, Manifest, Report};
use wasmtime::{InstancePre, Module, ModuleExport, Store, Trap, WasmBacktrace};

use crate::imports::{Aborted, Host};
use crate::outcome::{CallFailure, Fault, Outcome};
use policy_check::plain_text;

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
    start: InstancePre<Host>,
    memory: ModuleExport,
    alloc: ModuleExport,
    merge: ModuleExport,
    view: Option<ModuleExport>,
    params: Option<ModuleExport>,
    initialize: Option<ModuleExport>,
}

impl Policy {
    pub(crate) fn new(
        sha256: [u8; 32],
        report: Report,
        module: &Module,
        start: InstancePre<Host>,
        made: Made,
    ) -> Result<Self, Finding> {
        let optional = |name: &str| module.get_export_index(name);
        // policy-check has seen these exports; the engine not finding one is a fault of ours.
        let required = |name: &str| {
            optional(name).ok_or_else(|| {
                Finding::new("E130", format!("export {name}"), "not found by the engine", "report this")
            })
        };
        let inner = Inner {
            memory: required("memory")?,
            alloc: required("pp_alloc")?,
            merge: required("pp_merge")?,
            view: optional("pp_view"),
            params: optional("pp_params"),
            initialize: optional("_initialize"),
            sha256,
            made,
            report,
            start,
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

    /// Whether the policy hides things: where it fails, less is shown and not more.
    #[must_use]
    pub fn privacy(&self) -> bool {
        self.inner.report.manifest.as_ref().is_some_and(|manifest| manifest.privacy)
    }

    /// Runs `pp_merge` in a fresh instance. `input` is what `merge_core::policy::write_needed` wrote for
    /// the policy's [`needs`](Self::needs).
    #[must_use]
    pub fn merge(&self, input: &[u8]) -> Outcome {
        self.call(Hook::Merge.as_str(), &self.inner.merge, input)
    }

    /// As [`merge`](Self::merge), with an input that holds everything, such as one that was recorded:
    /// the policy is sent what it needs of it.
    #[must_use]
    pub fn merge_whole(&self, input: &[u8]) -> Outcome {
        if self.needs() == Needs::ALL {
            return self.merge(input);
        }
        match self.needs().cut(input) {
            Ok(needed) => self.merge(&needed),
            Err(error) => Outcome::not_called(format!("the input is not JSON: {error}")),
        }
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
            Some(view) => self.call(Hook::View.as_str(), view, input),
            None => Outcome::not_called("the policy has no pp_view".to_owned()),
        }
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
        match self.call(Hook::Params.as_str(), hook, &input.into_bytes()).result? {
            None => Ok(()),
            Some(output) => Err(params_answer(&output)),
        }
    }

    /// Runs an export that is none of the contract's on this input with this fuel: its answer, and the memory as it
    /// is after that.
    pub(crate) fn settle(
        &self,
        name: &'static str,
        input: &[u8],
        fuel: u64,
    ) -> Result<(Vec<u8>, Vec<u8>), CallFailure> {
        let module = self.inner.start.module();
        let export = module
            .get_export_index(name)
            .ok_or_else(|| CallFailure::host(format!("the engine has no {name}")))?;
        let mut store = Store::new(module.engine(), Host::default());
        let mut call = Call { inner: &self.inner, store: &mut store };
        let instance = call.start()?;
        let said = call.hook(&instance, name, &export, input, fuel)?.unwrap_or_default();
        let memory = instance
            .get_module_export(&mut store, &self.inner.memory)
            .and_then(wasmtime::Extern::into_memory)
            .ok_or_else(|| CallFailure::host("the engine has no memory"))?;
        Ok((said, memory.data(&store).to_vec()))
    }

    fn call(&self, hook: &'static str, export: &ModuleExport, input: &[u8]) -> Outcome {
        if input.len() > limits::INPUT_BYTES {
            let message =
                format!("the input has {} bytes, policies are given {}", input.len(), limits::INPUT_BYTES);
            return Outcome::not_called(message);
        }
        let mut store = Store::new(self.inner.start.module().engine(), Host::default());
        let allowed = limits::fuel(input.len());
        let result = Call { inner: &self.inner, store: &mut store }.run(hook, export, input, allowed);
        // Before the hook's own fuel was set, what is left is the start's and may be anything.
        let started = !matches!(&result, Err(failure) if failure.started.is_none());
        let fuel_used = if started { allowed.saturating_sub(store.get_fuel().unwrap_or(0)) } else { 0 };
        let log = std::mem::take(&mut store.data_mut().log);
        Outcome { result: result.map_err(|failed| failed.failure), fuel_used, log }
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
        "E209" => "the policy says so itself; its documentation tells what it takes",
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

struct Call<'a> {
    inner: &'a Inner,
    store: &'a mut Store<Host>,
}

/// A failure, and whether the hook's own fuel had been set by then.
struct Failed {
    failure: CallFailure,
    started: Option<()>,
}

impl Call<'_> {
    fn run(
        mut self,
        hook: &'static str,
        export: &ModuleExport,
        input: &[u8],
        allowed: u64,
    ) -> Result<Option<Vec<u8>>, Failed> {
        let start = self.start().map_err(|failure| Failed { failure, started: None })?;
        self.hook(&start, hook, export, input, allowed)
            .map_err(|failure| Failed { failure, started: Some(()) })
    }

    /// A fresh instance; the start function and `_initialize` have fuel of their own, because what
    /// they take differs between an engine that initialises memory and one that maps it.
    fn start(&mut self) -> Result<wasmtime::Instance, CallFailure> {
        self.fuel(limits::FUEL_START)?;
        let instance = self.inner.start.instantiate(&mut *self.store).map_err(|error| {
            if error.is::<wasmtime::PoolConcurrencyLimitError>() {
                return CallFailure::host("every instance is taken");
            }
            self.failure("start", limits::FUEL_START, &error)
        })?;
        if let Some(initialize) = &self.inner.initialize {
            self.call::<(), ()>(&instance, "_initialize", initialize, (), limits::FUEL_START)?;
        }
        Ok(instance)
    }

    fn hook(
        &mut self,
        instance: &wasmtime::Instance,
        hook: &'static str,
        export: &ModuleExport,
        input: &[u8],
        allowed: u64,
    ) -> Result<Option<Vec<u8>>, CallFailure> {
        self.fuel(allowed)?;
        // Both lengths fit: the limits are far below 2^31.
        let length = input.len() as i32;
        let pointer = self.call::<i32, i32>(instance, "pp_alloc", &self.inner.alloc, length, allowed)? as u32;
        let Some(memory) =
            instance.get_module_export(&mut *self.store, &self.inner.memory).and_then(|e| e.into_memory())
        else {
            return Err(CallFailure::policy("E130", "export memory", "the memory is gone"));
        };
        let lie = |message: String| CallFailure::policy("E208", "pp_alloc", message);
        if pointer == 0 {
            return Err(lie(format!("refused {length} bytes")));
        }
        if !pointer.is_multiple_of(8) {
            return Err(lie(format!("returned {pointer}, which is not a multiple of 8")));
        }
        let start = pointer as usize;
        let Some(place) = memory.data_mut(&mut *self.store).get_mut(start..start + input.len()) else {
            return Err(lie(format!("returned {pointer}, and {length} bytes from there leave the memory")));
        };
        place.copy_from_slice(input);

        let packed =
            self.call::<(i32, i32), i64>(instance, hook, export, (pointer as i32, length), allowed)? as u64;
        if packed == 0 {
            return Ok(None);
        }
        let (start, length) = ((packed >> 32) as usize, (packed & 0xffff_ffff) as usize);
        let lie = |message: String| CallFailure::policy("E208", hook, message);
        if length > limits::OUTPUT_BYTES {
            return Err(lie(format!("the output has {length} bytes, allowed are {}", limits::OUTPUT_BYTES)));
        }
        match start.checked_add(length).and_then(|end| memory.data(&*self.store).get(start..end)) {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None => Err(lie(format!("the output ({length} bytes at {start}) leaves the memory"))),
        }
    }

    fn call<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        instance: &wasmtime::Instance,
        name: &'static str,
        export: &ModuleExport,
        params: P,
        allowed: u64,
    ) -> Result<R, CallFailure> {
        let function = instance
            .get_module_export(&mut *self.store, export)
            .and_then(|export| export.into_func())
            .and_then(|function| function.typed::<P, R>(&*self.store).ok())
            .ok_or_else(|| CallFailure::policy("E131", name, "not a function of the contract's type"))?;
        function.call(&mut *self.store, params).map_err(|error| self.failure(name, allowed, &error))
    }

    fn fuel(&mut self, fuel: u64) -> Result<(), CallFailure> {
        self.store.set_fuel(fuel).map_err(|error| CallFailure::host(error.to_string()))
    }

    /// A trap, an abort or an empty tank as a value, with the place in the module.
    fn failure(&mut self, what: &str, allowed: u64, error: &wasmtime::Error) -> CallFailure {
        let at = match error.downcast_ref::<WasmBacktrace>().and_then(|trace| trace.frames().first()) {
            None => what.to_owned(),
            Some(frame) => {
                let name = frame.func_name().map_or_else(String::new, |name| format!(" ({})", short(name)));
                let offset =
                    frame.module_offset().map_or_else(String::new, |offset| format!(", offset {offset:#x}"));
                format!("{what}: function {}{name}{offset}", frame.func_index())
            }
        };
        if error.is::<Aborted>() {
            let message = self.store.data_mut().aborted.take().unwrap_or_default();
            return CallFailure::policy("E201", at, format!("aborted: {message}"));
        }
        let (code, message) = match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => ("E204", format!("out of fuel: all of the {allowed} allowed were used")),
            Some(Trap::StackOverflow) => {
                ("E201", format!("the stack of {} bytes is exhausted", limits::STACK_BYTES))
            }
            Some(trap) => ("E201", trap_words(*trap)),
            None => ("E201", plain_text(&error.root_cause().to_string())),
        };
        CallFailure { code, message, at: Some(at), fault: Fault::Policy }
    }
}

fn trap_words(trap: Trap) -> String {
    let text = trap.to_string();
    text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
}

fn short(name: &str) -> String {
    plain_text(name).chars().take(80).collect()
}
