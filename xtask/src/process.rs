//! Running other programs: what is run is printed, what fails is named.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An error is a sentence for the person at the terminal.
pub(crate) type Result<T, E = String> = std::result::Result<T, E>;

/// A program to run, with its arguments, folder and environment.
pub(crate) struct Run {
    command: Command,
    words: String,
    quiet: bool,
}

impl Run {
    /// `program` is looked up on the PATH, with the tools of this project first.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Run {
        let mut command = Command::new(program.as_ref());
        command.current_dir(crate::paths::root()).env("PATH", search_path());
        Run { command, words: program.as_ref().to_string_lossy().into_owned(), quiet: false }
    }

    /// Cargo, as the one that started us.
    pub(crate) fn cargo() -> Run {
        let mut run = Run::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        run.words = "cargo".into();
        run
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Run {
        self.words.push(' ');
        self.words.push_str(&arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Run {
        args.into_iter().fold(self, Run::arg)
    }

    pub(crate) fn folder(mut self, folder: impl AsRef<Path>) -> Run {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Run {
        self.command.env_remove(name);
        self
    }

    /// Does not print the command line.
    pub(crate) fn quietly(mut self) -> Run {
        self.quiet = true;
        self
    }

    /// Runs to the end; the output goes to the terminal.
    pub(crate) fn run(mut self) -> Result<()> {
        self.announce();
        let status = self.command.status().map_err(|e| format!("`{}` does not start: {e}", self.words))?;
        if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", self.words)) }
    }

    /// Runs to the end and gives what it printed; standard error goes to the terminal.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self
            .command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| format!("`{}` does not start: {e}", self.words))?;
        if !output.status.success() {
            return Err(format!("`{}` failed ({})", self.words, output.status));
        }
        String::from_utf8(output.stdout).map_err(|_| format!("`{}` did not print UTF-8", self.words))
    }

    /// Runs to the end, passing each line of both outputs to `line` and to the terminal.
    pub(crate) fn watched(mut self, line: &mut dyn FnMut(&str)) -> Result<()> {
        use std::io::{BufRead, BufReader};
        self.announce();
        let (reader, writer) = std::io::pipe().map_err(|e| format!("no pipe: {e}"))?;
        let second = writer.try_clone().map_err(|e| format!("no pipe: {e}"))?;
        self.command.stdout(writer).stderr(second);
        let mut child = self.command.spawn().map_err(|e| format!("`{}` does not start: {e}", self.words))?;
        // Our own copies of the pipe's write end live in the Command: without this the reader never ends.
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match reader.read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(_) => {
                    let text = String::from_utf8_lossy(&bytes);
                    eprint!("{text}");
                    line(text.trim_end());
                }
            }
        }
        let status = child.wait().map_err(|e| format!("`{}`: {e}", self.words))?;
        if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", self.words)) }
    }

    /// The command itself, for callers that keep the child.
    pub(crate) fn into_command(self) -> Command {
        self.announce();
        self.command
    }

    fn announce(&self) {
        if !self.quiet {
            eprintln!("  $ {}", self.words);
        }
    }
}

/// Where `name` is on the PATH, if anywhere.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path()).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Under CI nothing may be skipped.
pub(crate) fn under_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

fn search_path() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = crate::paths::tools().join("bin");
    let folders = std::iter::once(tools).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap_or(path)
}
