//! The sandbox: an engine, its settings, and the way from bytes to a policy.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use merge_core::policy::limits;
use policy_cache::Cache;
use policy_check::prices::COST_VERSION;
use policy_check::{Finding, Owner, Report, Script, SplitEngine, check_as, is_script};
use sha2::{Digest, Sha256};
use wasmtime::{Engine, Linker, Module};

use crate::call::Body;
use crate::child::{self, Compile};
use crate::dry_run::{Sample, dry_run};
use crate::engine;
use crate::imports::{Host, linker};
use crate::policy::{Made, Policy};
use crate::script::{Code, Halves, Reader, ScriptEngine, Scripts};

/// How the sandbox is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Calls that can run at the same moment. Each reserves 4 MiB of address space and keeps at most
    /// 1 MiB of memory once used. More calls than that fail as the host's fault.
    pub instances: u32,
    /// Where files are compiled.
    pub compile: Compile,
    /// Where compiled code is kept between two starts, if anywhere.
    pub cache: Option<CacheSettings>,
    /// What runs policies that are scripts. Without it they are refused.
    pub scripts: Option<ScriptEngine>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { instances: 64, compile: Compile::InProcess, cache: None, scripts: None }
    }
}

/// Where compiled code is kept.
#[derive(Clone)]
pub struct CacheSettings {
    /// The folder; it is made if it is not there.
    pub folder: PathBuf,
    /// What its files are authenticated with: random, the same at each start, and not in the folder.
    pub secret: [u8; 32],
}

impl fmt::Debug for CacheSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheSettings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The sandbox could not be set up: the platform lacks something that the engine needs, or the folder of
/// the cache cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the policy engine cannot start: {0}")]
pub struct SandboxError(String);

/// Compiles policies and holds what they share. One a process is enough.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<Host>,
    compile: Compile,
    compiling: Gate,
    cache: Option<Cache>,
    scripts: Option<Scripts>,
}

/// A file that may be compiled.
struct Checked<'a> {
    source: Source<'a>,
    report: Report,
}

/// What is compiled of a file.
enum Source<'a> {
    /// All of it, somebody's code.
    Module(&'a [u8]),
    /// The memory that a script is for the engine's code, a module.
    Script(Arc<Code>, Vec<u8>),
}

impl Sandbox {
    /// Sets up the engine.
    ///
    /// # Errors
    /// The platform is one that the engine does not know, the address space is too small for the
    /// pool, or the cache's folder cannot be made.
    pub fn new(settings: Settings) -> Result<Self, SandboxError> {
        let error = |error: wasmtime::Error| SandboxError(format!("{error:#}"));
        let engine = engine::running(settings.instances.max(1)).map_err(error)?;
        let linker = linker(&engine).map_err(error)?;
        let open = |CacheSettings { folder, secret }| {
            let shown = folder.display().to_string();
            Cache::open(folder, secret, &engine, COST_VERSION)
                .map_err(|error| SandboxError(format!("{shown}: {error}")))
        };
        let cache = settings.cache.map(open).transpose()?;
        let scripts = settings.scripts.map(Scripts::new);
        Ok(Self { engine, linker, compile: settings.compile, compiling: Gate::new(), cache, scripts })
    }

    /// Checks and compiles a tenant's or a user's file. Blocks for as long as that takes, which may
    /// be seconds for a hostile one: not for an asynchronous task.
    ///
    /// # Errors
    /// All findings of the static check, or what the compiler said (E150).
    pub fn compile(&self, bytes: &[u8]) -> Result<Policy, Vec<Finding>> {
        self.compile_as(bytes, Owner::Tenant)
    }

    /// As [`compile`](Self::compile), with the owner's limit of size.
    ///
    /// # Errors
    /// All findings of the static check, or what the compiler said (E150).
    pub fn compile_as(&self, bytes: &[u8], owner: Owner) -> Result<Policy, Vec<Finding>> {
        let checked = self.check(bytes, owner).map_err(|report| report.errors)?;
        self.build(bytes, checked).map_err(|finding| vec![finding])
    }

    /// Everything that can be told from a file before it is compiled. Of a script, that is what its engine says of
    /// it: blocks.
    #[must_use]
    pub fn report(&self, bytes: &[u8], owner: Owner) -> Report {
        self.check(bytes, owner).map_or_else(|report| *report, |checked| checked.report)
    }

    /// Checks, compiles and tries out a file: everything that can be known before it is used. Blocks.
    ///
    /// # Errors
    /// The report, with all findings of the first of these steps that found any.
    pub fn examine(&self, bytes: &[u8], owner: Owner, samples: &[Sample]) -> Result<Policy, Box<Report>> {
        let checked = self.check(bytes, owner)?;
        let report = checked.report.clone();
        let refused = |errors| Box::new(Report { errors, ..report.clone() });
        let policy = self.build(bytes, checked).map_err(|finding| refused(vec![finding]))?;
        let findings = dry_run(&policy, samples);
        if findings.is_empty() { Ok(policy) } else { Err(refused(findings)) }
    }

    /// Everything that can be told from a file without compiling it; of a script, once it has become a module.
    fn check<'a>(&self, file: &'a [u8], owner: Owner) -> Result<Checked<'a>, Box<Report>> {
        if !is_script(file) {
            let report = check_as(file, owner);
            let checked = |report| Checked { source: Source::Module(file), report };
            return if report.is_ok() { Ok(checked(report)) } else { Err(Box::new(report)) };
        }
        let refused = |finding| Box::new(Report { errors: vec![finding], ..Report::default() });
        let Some(scripts) = &self.scripts else {
            return Err(refused(Finding::new(
                "E180",
                "engine",
                "this build has no engine for scripts",
                "build it whole (`cargo xtask policies` makes the engine), or name the engine's folder in `policies.shipped`",
            )));
        };
        Script::check(file).map_err(refused)?;
        let reader = scripts.reader(|engine| self.reader(engine)).map_err(refused)?;
        let (report, memory) = reader.read(file)?;
        Ok(Checked { source: Source::Script(reader.code().clone(), memory), report })
    }

    /// Compiles the engine for scripts, which is ours: nobody has to try that first.
    fn reader(&self, engine: SplitEngine) -> Result<Reader, Finding> {
        let (code, made) = self.code(&engine.code, false)?;
        let memory = self.compile_module(&engine.memory, false)?;
        Reader::new(engine, Code::new(code, self.linker.clone(), made), &memory)
    }

    /// From a file that was checked to a policy.
    fn build(&self, file: &[u8], checked: Checked<'_>) -> Result<Policy, Finding> {
        let (body, made) = match checked.source {
            Source::Module(bytes) => {
                let (module, made) = self.code(bytes, true)?;
                let start = self.linker.instantiate_pre(&module);
                (Body::Module(start.map_err(|error| child::refused(format!("{error:#}")))?), made)
            }
            Source::Script(code, memory) => {
                // Not kept: there is no function in it, and it is made anew as soon as it is read.
                let memory = self.compile_module(&memory, false)?;
                let made = code.made().clone();
                (Body::Script(Halves::new(code, &memory)?), made)
            }
        };
        Policy::new(Sha256::digest(file).into(), checked.report, body, made)
    }

    /// A module's code: from the cache, or compiled and kept there.
    fn code(&self, bytes: &[u8], foreign: bool) -> Result<(Module, Made), Finding> {
        let sha256 = Sha256::digest(bytes).into();
        if let Some(module) = self.cache.as_ref().and_then(|cache| cache.load(&self.engine, &sha256)) {
            return Ok((module, Made::FromCache));
        }
        let module = self.compile_module(bytes, foreign)?;
        let kept = self.cache.as_ref().map_or(Ok(()), |cache| cache.keep(&sha256, &module));
        Ok((module, kept.map_or_else(|error| Made::NotKept(error.to_string()), |()| Made::Compiled)))
    }

    /// Compiles a module; a `foreign` one, whose code somebody else wrote, first on trial.
    fn compile_module(&self, bytes: &[u8], foreign: bool) -> Result<Module, Finding> {
        let _turn = self.compiling.enter();
        if foreign {
            child::trial(&self.compile, bytes)?;
        }
        // A compiler is a large program; should it ever panic on a file, the file is refused.
        catch_unwind(AssertUnwindSafe(|| Module::from_binary(&self.engine, bytes)))
            .map_err(|_| child::refused("the compiler failed on this file".into()))?
            .map_err(|error| child::refused(format!("{error:#}")))
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("compile", &self.compile).finish_non_exhaustive()
    }
}

/// Lets as many compiles in at once as the contract allows.
struct Gate {
    inside: Mutex<u64>,
    left: Condvar,
}

struct Turn<'a>(&'a Gate);

impl Gate {
    fn new() -> Self {
        Self { inside: Mutex::new(0), left: Condvar::new() }
    }

    fn enter(&self) -> Turn<'_> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inside = self
            .left
            .wait_while(inside, |inside| *inside >= limits::COMPILES_AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *inside += 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.inside.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    #[test]
    fn as_many_compile_at_once_as_the_contract_allows_and_the_others_wait() {
        let gate = Gate::new();
        let (inside, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let full = std::sync::Barrier::new(limits::COMPILES_AT_ONCE as usize);
        std::thread::scope(|scope| {
            for _ in 0..4 * limits::COMPILES_AT_ONCE {
                scope.spawn(|| {
                    let _turn = gate.enter();
                    most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                    // Nobody leaves before all the places are taken.
                    full.wait();
                    inside.fetch_sub(1, SeqCst);
                });
            }
        });
        assert_eq!(most.load(SeqCst), limits::COMPILES_AT_ONCE);
    }
}
