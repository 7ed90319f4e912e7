//! Policies that are written in JavaScript: the engine that reads them, run once for each when it comes, and their
//! instances.
//!
//! ```text
//!   javascript.engine ─┬─> code, compiled once ──────────────────────────────────────┐
//!                      └─> memory as it begins ─┐                                    ├─> an instance
//!   policy.js ── pp_script, in an instance of both ─> memory as it is then, a module ┘
//! ```
//! What is 660 KB of functions is the same for every script, and compiling it takes a second; a script's own module is a
//! memory and no function, which takes a few milliseconds. So scripts also share their machine code. All of it
//! comes from the engine's file, which is ours: nothing of what somebody uploaded is compiled, so none is tried
//! in a child process first.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use merge_core::policy::limits;
use policy_check::{Finding, Report, Script, SplitEngine};
use wasmtime::{Extern, Instance, InstancePre, Linker, Module, ModuleExport, Store};

use crate::call::{Body, Guest, required};
use crate::child::refused;
use crate::imports::Host;
use crate::outcome::{CallFailure, Fault};
use crate::policy::Made;

/// The engine that runs scripts: the module that `cargo xtask policies` builds of `wasm-rules/javascript`.
#[derive(Clone)]
pub struct ScriptEngine(Arc<[u8]>);

impl ScriptEngine {
    /// The engine in this file.
    #[must_use]
    pub fn new(file: &[u8]) -> Self {
        Self(file.into())
    }
}

impl fmt::Debug for ScriptEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScriptEngine({} bytes)", self.0.len())
    }
}

/// The engine, compiled when the first script comes.
pub(crate) struct Scripts {
    engine: ScriptEngine,
    compiled: Mutex<Option<Arc<Reader>>>,
}

impl Scripts {
    pub(crate) fn new(engine: ScriptEngine) -> Self {
        Self { engine, compiled: Mutex::new(None) }
    }

    /// What reads scripts; `compile` makes it of the engine, if that has not been done yet.
    pub(crate) fn reader(
        &self,
        compile: impl FnOnce(SplitEngine) -> Result<Reader, Finding>,
    ) -> Result<Arc<Reader>, Finding> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match compiled.take() {
            Some(reader) => reader,
            None => Arc::new(compile(SplitEngine::new(&self.engine.0)?)?),
        };
        Ok(compiled.insert(reader).clone())
    }
}

/// The engine's machine code, and an instance's way to it.
pub(crate) struct Code {
    module: Module,
    linker: Linker<Host>,
    /// Module and name of each import, in their order.
    imports: Vec<(String, String)>,
    made: Made,
}

impl Code {
    pub(crate) fn new(module: Module, linker: Linker<Host>, made: Made) -> Self {
        let imports =
            module.imports().map(|import| (import.module().to_owned(), import.name().to_owned())).collect();
        Self { module, linker, imports, made }
    }

    pub(crate) fn made(&self) -> &Made {
        &self.made
    }
}

/// What an instance of a script is made of.
pub(crate) struct Halves {
    code: Arc<Code>,
    memory: InstancePre<Host>,
    export: ModuleExport,
}

impl Halves {
    /// The code over the memory of this module.
    pub(crate) fn new(code: Arc<Code>, memory: &Module) -> Result<Self, Finding> {
        let export = required(memory, SplitEngine::MEMORY.1)?;
        let memory = code.linker.instantiate_pre(memory).map_err(|error| refused(format!("{error:#}")))?;
        Ok(Self { code, memory, export })
    }

    pub(crate) fn code(&self) -> &Module {
        &self.code.module
    }

    pub(crate) fn instantiate(&self, store: &mut Store<Host>) -> wasmtime::Result<Instance> {
        let memory = self.memory.instantiate(&mut *store)?.get_module_export(&mut *store, &self.export);
        let mut imports: Vec<Extern> = Vec::with_capacity(self.code.imports.len());
        for (module, name) in &self.code.imports {
            imports.push(match &memory {
                Some(memory) if (module.as_str(), name.as_str()) == SplitEngine::MEMORY => memory.clone(),
                _ => self.code.linker.get(&mut *store, module, name)?,
            });
        }
        Instance::new(store, &self.code.module, &imports)
    }
}

/// The engine, ready to read scripts.
pub(crate) struct Reader {
    split: SplitEngine,
    code: Arc<Code>,
    guest: Guest,
}

impl Reader {
    /// `memory` is the compiled [`SplitEngine::memory`].
    pub(crate) fn new(split: SplitEngine, code: Code, memory: &Module) -> Result<Self, Finding> {
        let code = Arc::new(code);
        let guest = Guest::new(Body::Script(Halves::new(code.clone(), memory)?), true)?;
        Ok(Self { split, code, guest })
    }

    pub(crate) fn code(&self) -> &Arc<Code> {
        &self.code
    }

    /// What there is to say of a script, and the module that is its memory.
    pub(crate) fn read(&self, script: &[u8]) -> Result<(Report, Vec<u8>), Box<Report>> {
        let unread = |failure| Box::new(Report { errors: vec![unread(&failure)], ..Report::default() });
        let (said, memory) = self.guest.settle("pp_script", script, limits::FUEL_SCRIPT).map_err(unread)?;
        Ok((Script::read(&said)?.report, self.split.with_memory(&memory)))
    }
}

/// The engine came to no answer about a script.
fn unread(failure: &CallFailure) -> Finding {
    let (message, fix) = match (failure.fault, failure.code) {
        (Fault::Policy, "E204") => (
            format!("it used all of its {} fuel before its functions were defined", limits::FUEL_SCRIPT),
            "compute in `merge`, or put the result into the script",
        ),
        (Fault::Policy, _) => (failure.message.clone(), "nest less deeply, and keep less in memory"),
        (Fault::Host, _) => (failure.message.clone(), "try again"),
    };
    let code = if failure.code == "E204" { "E204" } else { "E180" };
    Finding::new(code, "script", message, fix)
}
