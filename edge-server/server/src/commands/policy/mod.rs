//! `tributary policy`: what an author and an operator do with policies, here and on a server.

mod audit;
mod history;
mod push;
mod remote;
mod sign;

pub(crate) use self::audit::Noted;
pub(crate) use self::history::Span;
use crate::cli::{Language, Policy, PolicyAction};
use crate::site::Site;
use merge_core::json::Writer;
use policy_sandbox::{Compile, Owner, ScriptEngine};
use policy_workbench::{Answer, Asked, Exit, Fuzz, Paint, Problem, Workbench, params_of};
use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Inputs that are tried where neither a number nor a time is given.
const FUZZ_RUNS: u64 = 10_000;

type Done = Result<Box<dyn Answer>, Problem>;

/// Runs the command, writes what it answers, and says by the exit code what it was.
pub(super) fn run(policy: Policy) -> ExitCode {
    let done = act(policy.action);
    let exit = match &done {
        Ok(answer) if answer.is_good() => Exit::Good,
        Ok(_) => Exit::Bad,
        Err(problem) => problem.exit,
    };
    let written = match &done {
        Ok(answer) => write(&**answer, policy.json, false),
        Err(problem) => write(problem, policy.json, true),
    };
    // A reader that has seen enough closes its end, which is no fault; that nothing could be written is.
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::from(Exit::Tool as u8),
        _ => ExitCode::from(exit as u8),
    }
}

/// Answers go to standard output, and so do problems as JSON, so that a program finds all in one place.
fn write(answer: &dyn Answer, as_json: bool, is_problem: bool) -> std::io::Result<()> {
    if as_json {
        let mut out = Writer::new();
        answer.write_json(&mut out);
        return writeln!(std::io::stdout().lock(), "{}", out.into_string());
    }
    // NO_COLOR counts where it is set to anything (no-color.org).
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if is_problem {
        let paint = Paint { on: !plain && std::io::stderr().is_terminal() };
        return write!(std::io::stderr().lock(), "{}", answer.text(paint));
    }
    let paint = Paint { on: !plain && std::io::stdout().is_terminal() };
    write!(std::io::stdout().lock(), "{}", answer.text(paint))
}

fn act(action: PolicyAction) -> Done {
    match action {
        PolicyAction::New { name, lang, folder } => {
            let lang = match lang {
                Language::Rust => policy_workbench::Language::Rust,
                Language::Assemblyscript => policy_workbench::Language::AssemblyScript,
                Language::C => policy_workbench::Language::C,
                Language::Zig => policy_workbench::Language::Zig,
                Language::Js => policy_workbench::Language::JavaScript,
            };
            let folder = folder.unwrap_or_else(|| name.clone().into());
            boxed(policy_workbench::new(&folder, &name, lang))
        }
        PolicyAction::Build { folder } => boxed(policy_workbench::build(&workbench()?, &folder)),
        PolicyAction::Check { policy, operator } => {
            let owner = if operator { Owner::Operator } else { Owner::Tenant };
            boxed(policy_workbench::check(&workbench()?, &policy, owner))
        }
        PolicyAction::Run { policy, input, params, patch, save } => {
            let policy = workbench()?.load(&policy)?;
            let params = params.as_deref().map(params_of).transpose()?;
            let asked = Asked { input: input.as_deref(), params: params.as_deref(), patch: patch.as_deref() };
            let ran = policy_workbench::run(&policy, asked)?;
            if let Some(file) = save {
                let name = file.file_stem().unwrap_or_default().to_string_lossy().replace('-', " ");
                let vector = ran.vector(&name).ok_or_else(|| {
                    Problem::usage("the call failed, and a failure is not saved", "see it without --save")
                })?;
                store(&file, &vector)?;
            }
            Ok(Box::new(ran))
        }
        PolicyAction::Test { policy, vectors } => {
            boxed(policy_workbench::test(&workbench()?.load(&policy)?, &policy, &vectors))
        }
        PolicyAction::Bench { policy, vectors, seconds } => {
            let time = Duration::from_secs(seconds);
            boxed(policy_workbench::bench(&workbench()?.load(&policy)?, &policy, &vectors, time))
        }
        PolicyAction::Fuzz { policy, runs, seconds, seed, save } => {
            let runs = runs.or(if seconds.is_none() { Some(FUZZ_RUNS) } else { None });
            let how = Fuzz { seed, runs, time: seconds.map(Duration::from_secs) };
            let fuzzed = policy_workbench::fuzz(&workbench()?.load(&policy)?, &policy, how);
            if let Some(folder) = save {
                for find in &fuzzed.finds {
                    store(&folder.join(find.file_name()), &find.input)?;
                }
            }
            Ok(Box::new(fuzzed))
        }
        PolicyAction::Replay { policy, states, against, params } => {
            let workbench = workbench()?;
            let policy = workbench.load(&policy)?;
            let against = against.map(|against| workbench.load(&against)).transpose()?;
            let params = params.as_deref().map(params_of).transpose()?;
            boxed(policy_workbench::replay(&policy, against.as_ref(), &states, params.as_deref()))
        }
        PolicyAction::Sign { policy, key } => boxed(sign::sign(&policy, &key)),
        remote => remote::act(remote),
    }
}

fn boxed<A: Answer + 'static>(done: Result<A, Problem>) -> Done {
    Ok(Box::new(done?))
}

/// Compiles as a server does: in a child process with limits first.
fn workbench() -> Result<Workbench, Problem> {
    let compile = match std::env::current_exe() {
        Ok(program) => Compile::Child { program, args: vec![OsString::from("compile-policy")] },
        Err(_) => Compile::InProcess,
    };
    Workbench::new(compile, engine_for_scripts())
}

/// The engine of the policies that ship with this build, or of those in the folder that the server's own setting
/// names, for whoever works on them.
fn engine_for_scripts() -> Option<ScriptEngine> {
    let site = Site::new(None);
    match std::env::var("TRIBUTARY_POLICIES_SHIPPED") {
        Ok(folder) => crate::policies::script_engine(Path::new(&folder)),
        Err(_) => site.script_engine(),
    }
}

/// Writes a file and the folders above it.
fn store(file: &Path, text: &str) -> Result<(), Problem> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let made = if folder.as_os_str().is_empty() { Ok(()) } else { std::fs::create_dir_all(folder) };
    made.and_then(|()| std::fs::write(file, text)).map_err(|error| {
        Problem::usage(format!("{}: {error}", file.display()), "name a place that can be written")
    })
}
