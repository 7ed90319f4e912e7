//! What a command comes to: for people, for programs, and as an exit code.

use std::fmt;

use merge_core::json::Writer;

/// The exit code of every command, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command was carried out and the answer is yes.
    Good = 0,
    /// The command was carried out and the answer is no.
    Bad = 1,
    /// The command cannot be carried out as it was given.
    Usage = 2,
    /// A compiler or another tool is missing, or failed.
    Tool = 3,
    /// The server was not reached, or does not let us in.
    Server = 4,
}

/// The table of exit codes, as help and documentation show it.
pub const EXITS: [(Exit, &str); 5] = [
    (Exit::Good, "done; the policy is good, every vector holds, the server has changed what was asked"),
    (
        Exit::Bad,
        "done, and the answer is no: the policy has errors, a vector fails, fuzzing found something, the server refuses",
    ),
    (Exit::Usage, "not done: the arguments are wrong, or a file is missing or not what it has to be"),
    (Exit::Tool, "not done: a compiler or another tool is missing or failed"),
    (Exit::Server, "not done: the server was not reached, or does not accept the token"),
];

/// Why a command could not be carried out, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The exit code.
    pub exit: Exit,
    /// What happened, as a sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl Problem {
    /// The command was given something that it cannot work with.
    pub fn usage(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), fix: fix.into() }
    }

    /// A tool is missing or failed.
    pub fn tool(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { exit: Exit::Tool, message: message.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n  fix: {}", self.fix) }
    }
}

impl std::error::Error for Problem {}

impl Answer for Problem {
    fn is_good(&self) -> bool {
        false
    }

    fn text(&self, paint: Paint) -> String {
        format!("{} {self}\n", paint.bad("error:"))
    }

    /// The form of the API's errors.
    fn write_json(&self, out: &mut Writer) {
        let code = match self.exit {
            Exit::Tool => "tool",
            Exit::Server => "server",
            Exit::Good | Exit::Bad | Exit::Usage => "usage",
        };
        out.begin_object();
        out.key("error").begin_object();
        out.key("code").string(code);
        out.key("message").string(&self.message);
        out.key("fix").string(&self.fix);
        out.end_object();
        out.end_object();
    }
}

/// The result of a command that was carried out.
pub trait Answer {
    /// Whether the answer is yes: what the exit code says.
    fn is_good(&self) -> bool;
    /// The answer for a person, with a line break at its end.
    fn text(&self, paint: Paint) -> String;
    /// The answer as one JSON value.
    fn write_json(&self, out: &mut Writer);
}

/// Colours, where there is a terminal to show them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    /// Whether there is.
    pub on: bool,
}

impl Paint {
    /// Something that went well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.colour("32", text)
    }

    /// Something that is wrong.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.colour("31", text)
    }

    /// Something to look at.
    #[must_use]
    pub fn warn(self, text: &str) -> String {
        self.colour("33", text)
    }

    /// Something that matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.colour("2", text)
    }

    fn colour(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
