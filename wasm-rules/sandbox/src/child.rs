//! Compiling on trial, in a process of its own that the kernel can stop.
//!
//! The counts that are checked before a compile bound it to seconds, but a compiler's worst case is
//! nobody's promise. So a file is first compiled by a child process with limits on processor time
//! and address space. What the child made is thrown away and the file is compiled again in this
//! process, whose compile is the same work and therefore known to be bounded. Taking the child's
//! machine code would save that second compile, and would have the server run what a process wrote
//! into a pipe that had just been handed a hostile file. Twice a few dozen milliseconds at an upload is
//! the cheaper of the two; a start takes what this process compiled from the cache.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use merge_core::policy::limits;
use policy_check::Finding;
use wasmtime::Module;

use crate::engine;

/// Where files are compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compile {
    /// In this process, behind the checked counts alone. For tests, tools and a trial.
    #[default]
    InProcess,
    /// First in a child process, under the contract's limits. The program calls [`compile_child`]
    /// when it is started with these arguments; the server names itself and a hidden subcommand.
    Child {
        /// The program to start.
        program: PathBuf,
        /// Its arguments.
        args: Vec<OsString>,
    },
}

/// What a compiling process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Seconds of processor time.
    pub cpu_seconds: u64,
    /// Bytes of address space.
    pub memory_bytes: u64,
}

impl Default for CompileLimits {
    /// Those of the contract.
    fn default() -> Self {
        Self { cpu_seconds: limits::COMPILE_CPU_SECONDS, memory_bytes: limits::COMPILE_MEMORY_BYTES }
    }
}

/// What the child says when the file compiled.
const GOOD: &[u8] = b"compiled\n";
/// As much as is read of what the child says.
const ANSWER_BYTES: u64 = 4096;

pub(crate) fn refused(message: String) -> Finding {
    Finding::new(
        "E150",
        "compile",
        policy_check::plain_text(&message),
        "make the policy smaller and simpler: fewer and shorter functions",
    )
}

/// The whole program of the child: limits itself, compiles what comes in at standard input, and
/// says so. Anything else that happens to it means no.
#[must_use]
pub fn compile_child(limits: CompileLimits) -> ExitCode {
    let answer = limit_this_process(limits)
        .and_then(|()| {
            let mut bytes = Vec::new();
            let most = merge_core::policy::limits::MODULE_BYTES_OPERATOR as u64 + 1;
            std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            Ok(bytes)
        })
        .and_then(|bytes| {
            let engine = engine::compiling().map_err(|error| format!("{error:#}"))?;
            Module::from_binary(&engine, &bytes).map(drop).map_err(|error| format!("{error:#}"))
        });
    let mut out = std::io::stdout().lock();
    let (text, code) = match &answer {
        Ok(()) => (GOOD, ExitCode::SUCCESS),
        Err(message) => (message.as_bytes(), ExitCode::FAILURE),
    };
    if out.write_all(text).and_then(|()| out.flush()).is_err() {
        return ExitCode::FAILURE;
    }
    code
}

#[cfg(unix)]
fn limit_this_process(limits: CompileLimits) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = |resource, current: u64, maximum: u64| {
        setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })
            .map_err(|error| format!("cannot limit the compiler: {error}"))
    };
    // A second between the two: the first ends it with a signal that says why.
    limit(Resource::Cpu, limits.cpu_seconds, limits.cpu_seconds + 1)?;
    limit(Resource::As, limits.memory_bytes, limits.memory_bytes)?;
    // A compiler writes no files and dumps no core.
    limit(Resource::Fsize, 0, 0)?;
    limit(Resource::Core, 0, 0)
}

#[cfg(not(unix))]
fn limit_this_process(_limits: CompileLimits) -> Result<(), String> {
    Err("this platform cannot limit a compiling process: compile in-process".into())
}

/// Compiles on trial, if the settings say so.
pub(crate) fn trial(compile: &Compile, bytes: &[u8]) -> Result<(), Finding> {
    let Compile::Child { program, args } = compile else { return Ok(()) };
    let cannot = |error: std::io::Error| refused(format!("the compiling process cannot be started: {error}"));
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(cannot)?;
    let answer = converse(&mut child, bytes, Duration::from_secs(limits::COMPILE_WALL_SECONDS));
    // Killed in every case: a child that has answered has nothing left to do. An error here means
    // that it has ended by itself.
    let _ = child.kill();
    let status = child.wait().map_err(cannot)?;
    match answer {
        Some(answer) if answer == GOOD => Ok(()),
        Some(answer) if !answer.is_empty() => Err(refused(String::from_utf8_lossy(&answer).into_owned())),
        Some(_) => Err(refused(format!(
            "the compiler was stopped ({}); it may use {} s of processor time and {} MiB",
            why(status),
            limits::COMPILE_CPU_SECONDS,
            limits::COMPILE_MEMORY_BYTES / (1024 * 1024)
        ))),
        None => Err(refused(format!("the compiler took longer than {} s", limits::COMPILE_WALL_SECONDS))),
    }
}

/// What ended a child that said nothing.
fn why(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use rustix::process::Signal;
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        if signal == Some(Signal::XCPU.as_raw()) {
            return "no processor time left".into();
        }
        // What Rust does when an allocation fails.
        if signal == Some(Signal::ABORT.as_raw()) {
            return "no memory left".into();
        }
    }
    status.to_string()
}

/// Writes the file and reads the answer, both beside this thread, so that the wait has an end.
/// `None` when the time was up.
fn converse(child: &mut Child, bytes: &[u8], most: Duration) -> Option<Vec<u8>> {
    let (mut input, output) = (child.stdin.take()?, child.stdout.take()?);
    let (send, receive) = mpsc::channel();
    let bytes = bytes.to_vec();
    std::thread::spawn(move || {
        // A child that stops reading shows in what it answers.
        let _ = input.write_all(&bytes);
        drop(input);
        let mut answer = Vec::new();
        let _ = output.take(ANSWER_BYTES).read_to_end(&mut answer);
        let _ = send.send(answer);
    });
    receive.recv_timeout(most).ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_says_nothing_is_not_waited_for() {
        // Neither answers nor ends by itself.
        let mut child = Command::new("tail")
            .args(["-f", "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(converse(&mut child, b"\0asm", Duration::from_millis(1)), None);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
    }
}
