//! Policies that are written in JavaScript: the engine that reads them, run once for each when it comes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use merge_core::policy::limits;
use policy_check::{Finding, Report, Script};

use crate::outcome::{CallFailure, Fault};
use crate::policy::Policy;

/// The engine that runs scripts: the module that `cargo xtask policies` builds of `wasm-rules/javascript`.
#[derive(Clone)]
pub struct ScriptEngine(Arc<[u8]>);

impl ScriptEngine {
    /// The engine in this file.
    #[must_use]
    pub fn new(file: &[u8]) -> Self {
        Self(file.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ScriptEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScriptEngine({} bytes)", self.0.len())
    }
}

/// The engine, compiled when the first script comes.
#[derive(Debug)]
pub(crate) struct Scripts {
    engine: ScriptEngine,
    compiled: Mutex<Option<Policy>>,
}

impl Scripts {
    pub(crate) fn new(engine: ScriptEngine) -> Self {
        Self { engine, compiled: Mutex::new(None) }
    }

    /// Makes a module of a script; `compile` compiles the engine, if that has not been done yet.
    pub(crate) fn make(
        &self,
        script: &[u8],
        compile: impl FnOnce(&[u8]) -> Result<Policy, Finding>,
    ) -> Result<Script, Box<Report>> {
        let refused = |finding| Box::new(Report { errors: vec![finding], ..Report::default() });
        Script::check(script).map_err(refused)?;
        let reader = {
            let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
            match &*compiled {
                Some(reader) => reader.clone(),
                None => compiled.insert(compile(self.engine.bytes()).map_err(refused)?).clone(),
            }
        };
        let (said, memory) = reader
            .settle("pp_script", script, limits::FUEL_SCRIPT)
            .map_err(|failure| refused(unread(&failure)))?;
        Script::make(self.engine.bytes(), &said, &memory)
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
