//! The command line of `tributary policy`.

use super::Server;
use crate::commands::{Noted, Span};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Options of `policy`.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct Policy {
    /// Write the answer as one JSON value to standard output, for programs.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub action: PolicyAction,
}

fn after_help() -> String {
    let mut out = "Examples, from nothing to a policy in force:
  tributary policy new quiet --lang rust
  cd quiet
  tributary policy build
  tributary policy test
  tributary policy push
  tributary policy assign quiet --to domain:example.com

Colours are for terminals: not in a pipe, and not where NO_COLOR is set.

Exit codes:
"
    .to_owned();
    for (exit, meaning) in policy_workbench::EXITS {
        out.push_str(&format!("  {}  {meaning}\n", exit as u8));
    }
    out
}

/// What `policy` does.
#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Make a project that works as it is: source, manifest, vectors, README.
    #[command(after_help = "Examples:
  tributary policy new quiet
  tributary policy new quiet --lang zig --folder policies/quiet")]
    New {
        /// What the policy is called: lower-case letters, digits and `-`.
        #[arg(value_name = "NAME")]
        name: String,
        /// What it is written in.
        #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
        lang: Language,
        /// Where to make it, instead of a folder of its name here.
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Build a project into build/NAME.wasm with its language's compiler, and check the module.
    #[command(
        after_help = "The language is told by the source: src/lib.rs, assembly/policy.ts, policy.c or policy.zig. \
A policy.js needs no building: the script is the policy, and is only checked. \
The manifest in policy.json is laid into the module; in Rust the SDK does that.

Examples:
  tributary policy build
  tributary policy build policies/quiet --json"
    )]
    Build {
        /// The project.
        #[arg(value_name = "FOLDER", default_value = ".")]
        folder: PathBuf,
    },
    /// Find everything that an upload would find: in the file, in the compile, in a dry run.
    #[command(after_help = "Examples:
  tributary policy check build/quiet.wasm
  tributary policy check --json build/quiet.wasm | jq -r '.errors[].code'")]
    Check {
        /// A module, or the folder of a project.
        #[arg(value_name = "POLICY", default_value = ".")]
        policy: PathBuf,
        /// Allow what a policy of the operator's own may be: up to 2 MiB.
        #[arg(long)]
        operator: bool,
    },
    /// Call a policy once and show what it answers, and what watchers get.
    #[command(
        after_help = "INPUT is an input of pp_merge, a test vector, or a live set that `capture` wrote; without it, \
three devices that disagree. With a live set, what watchers get is shown as well.

Examples:
  tributary policy run quiet.wasm
  tributary policy run quiet.wasm alice.json --params '{\"until\": 1080}'
  tributary policy run quiet.wasm input.json --patch '{\"local_time\": {\"minutes\": 1335}}' --save vectors/late.json"
    )]
    Run {
        /// A module, or the folder of a project.
        #[arg(value_name = "POLICY")]
        policy: PathBuf,
        /// What to call it with; - is standard input.
        #[arg(value_name = "INPUT")]
        input: Option<PathBuf>,
        /// The parameters, as JSON or in a file.
        #[arg(long, value_name = "JSON|FILE")]
        params: Option<String>,
        /// A JSON merge patch of the input (RFC 7396).
        #[arg(long, value_name = "JSON")]
        patch: Option<String>,
        /// Write a test vector that expects this answer.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Run test vectors, and show the lines that differ.
    #[command(after_help = "Without VECTOR, all of the folder `vectors` of the project.

Examples:
  tributary policy test
  tributary policy test quiet.wasm vectors/late.json captures/")]
    Test {
        /// A module, or the folder of a project.
        #[arg(value_name = "POLICY", default_value = ".")]
        policy: PathBuf,
        /// Vectors, or folders of them.
        #[arg(value_name = "VECTOR")]
        vectors: Vec<PathBuf>,
    },
    /// Measure fuel and time of a call, and how a merge with the policy compares to the built-in one.
    #[command(after_help = "Examples:
  tributary policy bench
  tributary policy bench --json quiet.wasm --seconds 5 | jq .ratio_milli")]
    Bench {
        /// A module, or the folder of a project.
        #[arg(value_name = "POLICY", default_value = ".")]
        policy: PathBuf,
        /// Vectors to measure besides the built-in samples, or folders of them.
        #[arg(value_name = "VECTOR")]
        vectors: Vec<PathBuf>,
        /// How long to measure.
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
    },
    /// Try made-up inputs; one that makes the policy fail is made small and kept as a test vector.
    #[command(after_help = "The parameters are {} and those of the project's vectors.

Examples:
  tributary policy fuzz
  tributary policy fuzz quiet.wasm --seconds 60 --save vectors
  tributary policy fuzz quiet.wasm --seed 7 --runs 1000")]
    Fuzz {
        /// A module, or the folder of a project.
        #[arg(value_name = "POLICY", default_value = ".")]
        policy: PathBuf,
        /// How many inputs; 10000 if no time is given either.
        #[arg(long, value_name = "N")]
        runs: Option<u64>,
        /// How long.
        #[arg(long, value_name = "N")]
        seconds: Option<u64>,
        /// Where the sequence of inputs begins: the same seed makes the same inputs.
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// Where to keep the inputs that make the policy fail.
        #[arg(long, value_name = "FOLDER")]
        save: Option<PathBuf>,
    },
    /// Say what a policy would change on recorded states: "would change 14 of 200".
    #[command(after_help = "Examples:
  tributary policy replay quiet.wasm captures/
  tributary policy replay new.wasm captures/ --against old.wasm")]
    Replay {
        /// A module, or the folder of a project.
        #[arg(value_name = "POLICY")]
        policy: PathBuf,
        /// Live sets that `capture` wrote, inputs, or folders of them.
        #[arg(value_name = "STATE", required = true)]
        states: Vec<PathBuf>,
        /// Another policy to compare with; the built-in merge without it.
        #[arg(long, value_name = "POLICY")]
        against: Option<PathBuf>,
        /// The parameters, as JSON or in a file.
        #[arg(long, value_name = "JSON|FILE")]
        params: Option<String>,
    },
    /// Sign a module with an Ed25519 key: the signature goes beside it, into POLICY.sig.
    #[command(
        after_help = "The signature is of the file's bytes (RFC 8032), written in base64url. A key and its public half:
  openssl genpkey -algorithm ed25519 -out author.key
  openssl pkey -in author.key -pubout -out author.pub

A server that names author.pub in policies.keys verifies it at `push`. Without this program:
  openssl pkeyutl -sign -rawin -in quiet.wasm -inkey author.key | base64 -w0 > quiet.wasm.sig
  curl -H \"Policy-Signature: $(cat quiet.wasm.sig)\" --data-binary @quiet.wasm ...

Examples:
  tributary policy sign quiet.wasm --key author.key"
    )]
    Sign {
        /// A module, or the folder of a project.
        #[arg(value_name = "POLICY")]
        policy: PathBuf,
        /// The private key (PKCS #8, PEM).
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Upload a policy to a server: checked, compiled and tried there, and not in force yet.
    #[command(after_help = "What `sign` wrote beside the module goes with it.

Examples:
  tributary policy push quiet.wasm
  tributary policy push quiet.wasm --tenant acme
  tributary policy push quiet.wasm --against domain:example.com --dry-run
  tributary policy push quiet.wasm --vectors vectors --against domain:example.com --dry-run
  tributary policy push quiet.wasm --name quiet-2 --url https://sip.example.com --token-file api-token")]
    Push {
        /// A module, or the folder of a project.
        #[arg(value_name = "POLICY", default_value = ".")]
        policy: PathBuf,
        /// What the server shall call it, instead of its manifest's name.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Test vectors, or folders of them, that have to hold on the server.
        #[arg(long, value_name = "VECTOR")]
        vectors: Vec<PathBuf>,
        /// Say what the answers change of what is in force for this scope: those to the vectors, and to what was captured
        /// of its presentities, which have to be answered, too.
        #[arg(long, value_name = "SCOPE")]
        against: Option<String>,
        /// Find all that an upload would find, and keep nothing.
        #[arg(long)]
        dry_run: bool,
        /// The tenant whose it shall be: its limits and its rule of signatures hold then, not the operator's.
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// The server.
        #[command(flatten)]
        server: Server,
    },
    /// Put a policy, or a built-in merge, in force for everybody, a tenant, a domain or a user.
    #[command(after_help = "Examples:
  tributary policy assign quiet --to domain:example.com
  tributary policy assign shift-roster --to user:alice@example.com --params roster.json
  tributary policy assign --built-in newest --to domain:example.com
  tributary policy assign quiet --to domain:example.com --shadow
  tributary policy assign quiet --to domain:example.com --canary 10
  tributary policy assign hide-location --to tenant:acme --lock")]
    Assign {
        /// The policy's name on the server, or the beginning of its id.
        #[arg(value_name = "NAME|ID", required_unless_present = "built_in", conflicts_with = "built_in")]
        policy: Option<String>,
        /// A built-in merge instead: compose (what is in force where nothing is assigned), union, newest or
        /// most-available.
        #[arg(long, value_name = "NAME", conflicts_with = "params")]
        built_in: Option<String>,
        /// For whom: operator (everybody), tenant:NAME, domain:NAME or user:ADDRESS. The innermost decides.
        #[arg(long, value_name = "SCOPE")]
        to: String,
        /// On trial, for so many of a hundred presentities, always the same ones; 0 for none yet. `activate` puts it
        /// in force, `rollback` withdraws it, and so does its breaker.
        #[arg(long, value_name = "PERCENT", conflicts_with = "built_in", value_parser = clap::value_parser!(u8).range(0..=100))]
        canary: Option<u8>,
        /// Run it beside what is in force, without effect, for all whom it does not answer for: `status` then says
        /// what it would change.
        #[arg(long, conflicts_with = "built_in")]
        shadow: bool,
        /// Lock the scope: what is assigned within it has no effect, and nothing more can be.
        #[arg(long)]
        lock: bool,
        /// The parameters, as JSON or in a file.
        #[arg(long, value_name = "JSON|FILE")]
        params: Option<String>,
        /// The server.
        #[command(flatten)]
        server: Server,
    },
    /// Put what is on trial in force.
    #[command(after_help = "Examples:
  tributary policy activate domain:example.com --canary 50
  tributary policy activate domain:example.com")]
    Activate {
        /// Where: operator, tenant:NAME, domain:NAME or user:ADDRESS.
        #[arg(value_name = "SCOPE")]
        scope: String,
        /// For so many of a hundred presentities only; it stays on trial.
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
        canary: Option<u8>,
        /// The server.
        #[command(flatten)]
        server: Server,
    },
    /// Withdraw what is on trial; where nothing is, put back what was in force before, be it nothing.
    #[command(after_help = "Examples:
  tributary policy rollback domain:example.com")]
    Rollback {
        /// Where: operator, tenant:NAME, domain:NAME or user:ADDRESS.
        #[arg(value_name = "SCOPE")]
        scope: String,
        /// The server.
        #[command(flatten)]
        server: Server,
    },
    /// Take back what is assigned somewhere: what is around it decides, or the built-in merge.
    #[command(after_help = "Examples:
  tributary policy unassign domain:example.com
  tributary policy unassign user:alice@example.com")]
    Unassign {
        /// Where: operator, tenant:NAME, domain:NAME or user:ADDRESS.
        #[arg(value_name = "SCOPE")]
        scope: String,
        /// The server.
        #[command(flatten)]
        server: Server,
    },
    /// Show the policies of a server, what each has done, and what is in force where.
    #[command(after_help = "Examples:
  tributary policy status
  tributary policy status --json | jq '.policies[] | select(.figures.failures > 0)'")]
    Status {
        /// The server.
        #[command(flatten)]
        server: Server,
    },
    /// Show what was done with the policies of a server, by whom and when; or verify that log.
    #[command(
        after_help = "Each line carries the hash of the one before, so a line that was changed, removed or moved is \
found. A log that was written anew as a whole is found by a line that was noted elsewhere: --verify prints the last one.

Examples:
  tributary policy audit --last 20
  tributary policy audit --verify
  tributary policy audit --verify --noted 17:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  tributary policy audit --json | jq -r '.lines[] | fromjson | select(.who != \"operator\")'"
    )]
    Audit {
        /// How many lines, the newest last.
        #[arg(long, value_name = "N", default_value_t = 50)]
        last: usize,
        /// Verify all of it instead.
        #[arg(long, conflicts_with = "last")]
        verify: bool,
        /// A line that must be there: its number and its hash.
        #[arg(long, value_name = "LINE:HASH", requires = "verify")]
        noted: Option<Noted>,
        /// The server.
        #[command(flatten)]
        server: Server,
    },
    /// Show what watchers of somebody get, and where each value comes from; or what one of them gets, and why; now, or
    /// what it was lately.
    #[command(
        after_help = "What was is known where somebody is captured: tributary policy capture ADDRESS --for 8h

Examples:
  tributary policy explain alice@example.com
  tributary policy explain alice@example.com --as bob@example.com
  tributary policy explain alice@example.com --last-hour
  tributary policy explain alice@example.com --since 20m --as bob@example.com"
    )]
    Explain {
        /// Whose presence.
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// Who watches.
        #[arg(long = "as", value_name = "ADDRESS")]
        watcher: Option<String>,
        /// Which time.
        #[command(flatten)]
        lately: Lately,
        /// The server.
        #[command(flatten)]
        server: Server,
    },
    /// Write somebody's live set into a file; or capture what policies are asked and answer for a while, and write that.
    #[command(
        after_help = "A capture is switched on for a time (--for), a day at most, and off (--off), which has it \
forgotten. While it is on, each merge that somebody watches is kept in the server's memory, without the texts and positions \
that people wrote: `explain --last-hour` shows it, and --last-hour --out writes what the policy was asked, a file a call, for \
`run`, `test` and `replay`. The server's configuration has to allow it (policies.capture). Without ADDRESS: who is captured.

What is written is without what people wrote: texts of notes are letters, positions zeros, addresses numbers. With --whole \
the live set is as the devices published it.

Examples:
  tributary policy capture alice@example.com --out alice.json
  tributary policy capture alice@example.com | tributary policy run quiet.wasm -
  tributary policy capture alice@example.com --for 8h
  tributary policy capture
  tributary policy capture alice@example.com --last-hour --out captured
  tributary policy capture alice@example.com --off"
    )]
    Capture {
        /// Whose.
        #[arg(value_name = "ADDRESS")]
        address: Option<String>,
        /// Where to write it: the live set to a file, or to standard output without it; what was captured into a
        /// folder. Only their owner may read the files.
        #[arg(long, value_name = "FILE|FOLDER", requires = "address")]
        out: Option<PathBuf>,
        /// Capture for so long: 90s, 20m, 8h.
        #[arg(long = "for", value_name = "TIME", requires = "address", conflicts_with_all = ["out", "lately"])]
        time: Option<Span>,
        /// Write the live set with all that people wrote: it is personal data.
        #[arg(long, conflicts_with_all = ["time", "off", "lately"])]
        whole: bool,
        /// Capture no more, and forget what was kept.
        #[arg(long, requires = "address", conflicts_with_all = ["time", "out", "lately"])]
        off: bool,
        /// Which time.
        #[command(flatten)]
        lately: Lately,
        /// The server.
        #[command(flatten)]
        server: Server,
    },
}

/// A time up to now.
#[derive(Clone, Copy, Debug, Args)]
#[group(id = "lately", multiple = false)]
pub struct Lately {
    /// What was captured within the last hour.
    #[arg(long)]
    pub last_hour: bool,
    /// What was captured within this time: 90s, 20m, 8h.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Span>,
}

impl Lately {
    /// How long, if any is asked for.
    pub fn span(self) -> Option<Span> {
        self.since.or(self.last_hour.then_some(Span::HOUR))
    }
}

/// What `new` makes projects in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Rust, with the SDK.
    Rust,
    /// AssemblyScript, which looks like TypeScript.
    Assemblyscript,
    /// C, without a library.
    C,
    /// Zig, without a library.
    Zig,
    /// JavaScript: the script is the policy, nothing is built.
    #[value(alias = "javascript")]
    Js,
}
