//! `tributary-load`: WebSocket watchers and publishers against a server of its own.
//!
//! ```text
//! memory   N connections → N subscriptions → M publications: what each costs, from the kernel's count
//! rate     P presentities x W watchers, each PUBLISH after the last one reached all: PUBLISH/s,
//!          NOTIFY/s, server CPU per NOTIFY
//! latency  the same at a fixed, moderate rate: PUBLISH -> NOTIFY, p50 and p99
//! avalanche  all clients register at once, with passwords, after the server was killed (only when asked for)
//! fan-out  one PUBLISH to N watchers: until the last NOTIFY is here
//! ```
//! `--scenario` measures what one registration, message or call costs instead (see `scenario.rs`), or what
//! policies cost those who have nothing to do with them (`policies.rs`).
//! The generator is one thread and speaks the least of SIP and WebSocket that the work needs, since
//! it shares the machine with what it measures.

mod avalanche;
mod figures;
mod kamailio;
mod phases;
mod policies;
mod scenario;
mod sip;
mod target;
mod targets;
mod watchers;
mod wire;

use std::time::Duration;

pub use phases::Figures;
pub use scenario::Scenario;
use target::Target;

/// What to measure.
#[derive(clap::Parser, Clone)]
#[command(name = "tributary-load", about = "Load generator: watchers and publishers over WebSocket")]
pub struct Options {
    /// Run the same load against this server, too: kamailio
    #[arg(long)]
    pub against: Option<String>,
    /// Run only that other server
    #[arg(long, requires = "against")]
    pub alone: bool,
    /// What one registration, message or call costs, over UDP and over WebSocket, in place of the phases
    #[arg(long, value_enum)]
    pub scenario: Option<Scenario>,
    /// Presentities, each watched, that an activation of the scenario `policies` merges anew
    #[arg(long, default_value_t = 100_000)]
    pub crowd: usize,
    /// Clients of a scenario, each of which does one thing after another
    #[arg(long, default_value_t = 20)]
    pub callers: usize,
    /// Only these phases (memory, rate, latency, fan-out, avalanche)
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Watchers and publications of the memory phase
    #[arg(long, default_value_t = 5000)]
    pub idle: usize,
    /// Presentities of the rate and latency phases
    #[arg(long, default_value_t = 50)]
    pub presentities: usize,
    /// Watchers of each of them
    #[arg(long, default_value_t = 10)]
    pub watchers: usize,
    /// Seconds of the rate and latency phases
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// PUBLISH/s of the latency phase
    #[arg(long, default_value_t = 100)]
    pub pace: u64,
    /// Watchers of the fan-out phase
    #[arg(long, default_value_t = 10_000)]
    pub fan_out: usize,
    /// Clients of the avalanche over UDP
    #[arg(long, default_value_t = 50_000)]
    pub phones: usize,
    /// Clients of the avalanche over WebSocket: each takes a file of the server and one of the generator
    #[arg(long, default_value_t = 15_000)]
    pub browsers: usize,
    /// Fail when a target is missed; wants a quiet machine
    #[arg(long)]
    pub strict: bool,
}

impl Options {
    fn wants(&self, phase: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == phase)
    }

    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// Runs the phases and prints the figures; an error is a sentence for the terminal.
pub fn run(options: &Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no runtime: {e}"))?;
    let local = tokio::task::LocalSet::new();
    let against = match options.against.as_deref() {
        None => None,
        Some("kamailio") => Some(Target::Kamailio),
        Some(other) => return Err(format!("no other server is called `{other}`; known: kamailio")),
    };
    let mut options = options.clone();
    if options.scenario == Some(Scenario::Publish) {
        // What that costs is a phase of its own.
        (options.scenario, options.only) = (None, vec!["rate".to_owned()]);
    }
    let options = &options;
    local.block_on(&runtime, async {
        if options.scenario == Some(Scenario::Policies) {
            return policies::run(options).await;
        }
        if let Some(scenario) = options.scenario {
            let ours = (!options.alone).then_some(Target::Tributary);
            let targets: Vec<Target> = ours.into_iter().chain(against).collect();
            return scenario::run(scenario, &targets, options).await;
        }
        let (mut ours, mut theirs) = (None, None);
        if options.only.iter().any(|name| name == "avalanche") {
            avalanche::avalanche(options).await?;
            if options.only.len() == 1 {
                return Ok(());
            }
        }
        if !options.alone {
            let figures = phases::measure(&Target::Tributary, options).await?;
            println!("{figures}");
            ours = Some(figures);
        }
        if let Some(target) = against {
            let figures = phases::measure(&target, options).await?;
            println!("{figures}");
            theirs = Some(figures);
        }
        ours.map_or(Ok(()), |ours| judge(&ours, theirs.as_ref(), options.strict))
    })
}

/// Prints the ratios and how the run stands to each target.
fn judge(ours: &Figures, theirs: Option<&Figures>, strict: bool) -> Result<(), String> {
    if let Some(theirs) = theirs {
        println!("{}", ours.beside(theirs));
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("targets (load average now: {})", load.split(' ').next().unwrap_or("unknown"));
    let verdicts = targets::verdicts(ours, theirs);
    for verdict in &verdicts {
        println!("{verdict}");
    }
    let missed = verdicts.iter().filter(|verdict| verdict.missed()).count();
    if strict && missed > 0 {
        Err(format!("{missed} of {} targets were missed", verdicts.len()))
    } else {
        Ok(())
    }
}
