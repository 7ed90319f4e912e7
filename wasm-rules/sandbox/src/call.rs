//! One call: a fresh instance, started, given the input, asked, and dropped.

use merge_core::json;
use merge_core::policy::limits;
use policy_check::{Finding, plain_text, short_name};
use wasmtime::{
    Instance, InstancePre, Memory, Module, ModuleExport, PoolConcurrencyLimitError, Store, Trap,
    WasmBacktrace,
};

use crate::imports::{Aborted, Host};
use crate::outcome::{CallFailure, Fault, Outcome};
use crate::script::Halves;

/// What instances are made of.
pub(crate) enum Body {
    /// A module that stands alone.
    Module(InstancePre<Host>),
    /// The engine for scripts, over a memory.
    Script(Halves),
}

impl Body {
    /// The module that has the exports of the contract.
    pub(crate) fn module(&self) -> &Module {
        match self {
            Self::Module(start) => start.module(),
            Self::Script(halves) => halves.code(),
        }
    }
}

/// What each call needs of a compiled policy.
pub(crate) struct Guest {
    body: Body,
    memory: ModuleExport,
    alloc: ModuleExport,
    initialize: Option<ModuleExport>,
}

impl Guest {
    /// Makes instances of this, and has each `initialize` itself.
    pub(crate) fn new(body: Body, initialize: bool) -> Result<Self, Finding> {
        let module = body.module();
        let (memory, alloc) = (required(module, "memory")?, required(module, "pp_alloc")?);
        let initialize = initialize.then(|| required(module, "_initialize")).transpose()?;
        Ok(Self { body, memory, alloc, initialize })
    }

    /// Asks a hook in a fresh instance.
    pub(crate) fn ask(&self, hook: &'static str, export: &ModuleExport, input: &[u8]) -> Outcome {
        if input.len() > limits::INPUT_BYTES {
            let message =
                format!("the input has {} bytes, policies are given {}", input.len(), limits::INPUT_BYTES);
            return Outcome::not_called(message);
        }
        let allowed = limits::fuel(input.len());
        let mut call = Call::of(self);
        let (result, fuel_used) = match call.start() {
            // What is left now is the start's, and may be anything.
            Err(failure) => (Err(failure), 0),
            Ok(instance) => {
                let result = call.hook(&instance, hook, export, input, allowed);
                (result, allowed.saturating_sub(call.store.get_fuel().unwrap_or(0)))
            }
        };
        Outcome { result, fuel_used, log: std::mem::take(&mut call.store.data_mut().log) }
    }

    /// Runs an export that is none of the contract's on this input with this fuel: its answer, and the memory as it
    /// is after that.
    pub(crate) fn settle(
        &self,
        name: &'static str,
        input: &[u8],
        fuel: u64,
    ) -> Result<(Vec<u8>, Vec<u8>), CallFailure> {
        let export = self
            .body
            .module()
            .get_export_index(name)
            .ok_or_else(|| CallFailure::host(format!("the engine has no {name}")))?;
        let mut call = Call::of(self);
        let instance = call.start()?;
        let said = call.hook(&instance, name, &export, input, fuel)?.unwrap_or_default();
        let memory = call.memory(&instance).ok_or_else(|| CallFailure::host("the engine has no memory"))?;
        Ok((said, memory.data(&call.store).to_vec()))
    }
}

impl Guest {
    /// The line where a script is when this call has used up its fuel: the places where the engine can stop it are counted,
    /// and a second call is stopped at the last of them. A loop in which nothing has a place is told by what is before it.
    pub(crate) fn spent_at(&self, hook: &'static str, export: &ModuleExport, input: &[u8]) -> Option<i64> {
        const NAME: &str = "pp_stop_at";
        let Body::Script(halves) = &self.body else { return None };
        let stop_at = halves.code().get_export_index(NAME)?;
        let allowed = limits::fuel(input.len());
        let asked = |place: i32, fuel: u64| {
            let mut call = Call::of(self);
            let instance = call.start().ok()?;
            call.call::<i32, i32>(&instance, NAME, &stop_at, place, fuel).ok()?;
            let said = call.hook(&instance, hook, export, input, fuel);
            // What a trap ended is the call; its instance may still be asked.
            call.fuel(fuel).ok()?;
            let places = call.call::<i32, i32>(&instance, NAME, &stop_at, 0, fuel).ok()?;
            Some((said, places))
        };
        let (_, places) = asked(0, allowed)?;
        // With fuel left to say so.
        let (said, _) = asked(places, 2 * allowed)?;
        let said = said.ok()??;
        let said = json::read(&said).ok()?;
        said.get("error")?.get("line")?.as_int()
    }
}

/// An export that policy-check has seen; the engine not finding it is a fault of ours.
pub(crate) fn required(module: &Module, name: &str) -> Result<ModuleExport, Finding> {
    module.get_export_index(name).ok_or_else(|| {
        Finding::new("E130", format!("export {name}"), "not found by the engine", "report this")
    })
}

/// One call under way.
struct Call<'g> {
    guest: &'g Guest,
    store: Store<Host>,
}

impl<'g> Call<'g> {
    fn of(guest: &'g Guest) -> Self {
        Self { guest, store: Store::new(guest.body.module().engine(), Host::default()) }
    }

    fn memory(&mut self, instance: &Instance) -> Option<Memory> {
        instance.get_module_export(&mut self.store, &self.guest.memory)?.into_memory()
    }

    /// A fresh instance; the start function and `_initialize` have fuel of their own, because what
    /// they take differs between an engine that initialises memory and one that maps it.
    fn start(&mut self) -> Result<Instance, CallFailure> {
        self.fuel(limits::FUEL_START)?;
        let made = match &self.guest.body {
            Body::Module(start) => start.instantiate(&mut self.store),
            Body::Script(halves) => halves.instantiate(&mut self.store),
        };
        let instance = made.map_err(|error| {
            if error.is::<PoolConcurrencyLimitError>() {
                return CallFailure::host("every instance is taken");
            }
            self.failure("start", limits::FUEL_START, &error)
        })?;
        if let Some(initialize) = &self.guest.initialize {
            self.call::<(), ()>(&instance, "_initialize", initialize, (), limits::FUEL_START)?;
        }
        Ok(instance)
    }

    /// What a hook answers, with fuel of its own.
    fn hook(
        &mut self,
        instance: &Instance,
        hook: &'static str,
        export: &ModuleExport,
        input: &[u8],
        allowed: u64,
    ) -> Result<Option<Vec<u8>>, CallFailure> {
        self.fuel(allowed)?;
        // Both lengths fit: the limits are far below 2^31.
        let length = input.len() as i32;
        let pointer = self.call::<i32, i32>(instance, "pp_alloc", &self.guest.alloc, length, allowed)? as u32;
        let Some(memory) = self.memory(instance) else {
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
        let Some(place) = memory.data_mut(&mut self.store).get_mut(start..start + input.len()) else {
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
        match start.checked_add(length).and_then(|end| memory.data(&self.store).get(start..end)) {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None => Err(lie(format!("the output ({length} bytes at {start}) leaves the memory"))),
        }
    }

    fn call<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        instance: &Instance,
        name: &'static str,
        export: &ModuleExport,
        params: P,
        allowed: u64,
    ) -> Result<R, CallFailure> {
        let function = instance
            .get_module_export(&mut self.store, export)
            .and_then(|export| export.into_func())
            .and_then(|function| function.typed::<P, R>(&self.store).ok())
            .ok_or_else(|| CallFailure::policy("E131", name, "not a function of the contract's type"))?;
        function.call(&mut self.store, params).map_err(|error| self.failure(name, allowed, &error))
    }

    fn fuel(&mut self, fuel: u64) -> Result<(), CallFailure> {
        self.store.set_fuel(fuel).map_err(|error| CallFailure::host(error.to_string()))
    }

    /// A trap, an abort or an empty tank as a value, with the place in the module.
    fn failure(&mut self, what: &str, allowed: u64, error: &wasmtime::Error) -> CallFailure {
        let at = match error.downcast_ref::<WasmBacktrace>().and_then(|trace| trace.frames().first()) {
            // The functions of the engine for scripts tell an author nothing.
            Some(frame) if matches!(self.guest.body, Body::Module(_)) => {
                let name =
                    frame.func_name().map_or_else(String::new, |name| format!(" ({})", short_name(name)));
                let offset =
                    frame.module_offset().map_or_else(String::new, |offset| format!(", offset {offset:#x}"));
                format!("{what}: function {}{name}{offset}", frame.func_index())
            }
            _ => what.to_owned(),
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
