//! The configuration: one TOML file, overridden by the environment, checked as a whole.
//!
//! Reading goes in three steps, and each can say where it failed:
//! 1. the file is parsed and every key must be known (errors name the line);
//! 2. `TRIBUTARY_SECTION_KEY` variables replace single keys (errors name the variable);
//! 3. `Config::problems` looks at the whole: what contradicts, what is unsafe, what is missing.
//!
//! All problems of step 3 are reported at once, each with the line and with what to do.

pub(crate) mod definition;
mod document;
mod environment;
mod locate;
mod mask;
mod misread;
mod policies;
mod problems;
mod sections;
mod servers;

pub use self::definition::{Key, Section};
pub use self::document::documentation;
pub use self::mask::Mask;
pub use self::sections::{
    Api, Bearer, Certificate, Durability, Egress, ForkPolicy, ForkSupport, Http, Lockout, Log, LogFormat,
    Merge, Otlp, Overload, Peer, Policies, Presence, Proxy, Registrar, Server, Signatures, Sip, Store,
    Tenant, Tls, Trace, UnknownEpid, User, WebSocket,
};

use self::locate::Lines;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use tributary_sip::Algorithm;

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[tls]`
    pub tls: Tls,
    /// `[[certificates]]`
    pub certificates: Vec<Certificate>,
    /// `[store]`
    pub store: Store,
    /// `[[users]]`
    pub users: Vec<User>,
    /// `[api]`
    pub api: Api,
    /// `[websocket]`
    pub websocket: WebSocket,
    /// `[sip]`
    pub sip: Sip,
    /// `[egress]`
    pub egress: Egress,
    /// `[[peers]]`
    pub peers: Vec<Peer>,
    /// `[http]`
    pub http: Http,
    /// `[registrar]`
    pub registrar: Registrar,
    /// `[proxy]`
    pub proxy: Proxy,
    /// `[bearer]`
    pub bearer: Bearer,
    /// `[lockout]`
    pub lockout: Lockout,
    /// `[overload]`
    pub overload: Overload,
    /// `[presence]`
    pub presence: Presence,
    /// `[limits]`: bounds of the state machines by their names.
    pub limits: BTreeMap<String, u32>,
    /// `[policies]`
    pub policies: Policies,
    /// `[[tenants]]`
    pub tenants: Vec<Tenant>,
    /// `[trace]`
    pub trace: Trace,
    /// `[otlp]`
    pub otlp: Otlp,
    /// `[log]`
    pub log: Log,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, counted from 1; none for a value that came from elsewhere.
    pub line: Option<usize>,
    /// The key (`server.listen`), variable or flag.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, when there was one.
    pub file: Option<PathBuf>,
    /// At least one problem.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match (&self.file, problem.line) {
                (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
                (Some(file), None) => write!(f, "{}: ", file.display())?,
                (None, Some(line)) => write!(f, "line {line}: ")?,
                (None, None) => {}
            }
            if !problem.key.is_empty() {
                write!(f, "{}: ", problem.key)?;
            }
            write!(f, "{}", problem.message)?;
            if !problem.fix.is_empty() {
                write!(f, "\n    {}", problem.fix)?;
            }
        }
        Ok(())
    }
}

/// A configuration file that flags may still complete: only the whole is checked.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// What was read so far.
    pub config: Config,
    file: Option<PathBuf>,
    lines: Lines,
}

impl Draft {
    /// Reads `file` and applies `environment` (name and value pairs).
    ///
    /// # Errors
    /// A file that cannot be read, TOML that is not well formed, unknown keys, wrong types.
    pub fn load(
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let with_file = |problems| ConfigError { file: Some(file.to_owned()), problems };
        let text = std::fs::read_to_string(file).map_err(|error| {
            with_file(vec![Problem {
                line: None,
                key: String::new(),
                message: format!("cannot read the file: {error}"),
                fix: "check the path; `tributary serve --domain ... --user ...` needs no file".to_owned(),
            }])
        })?;
        let config = Config::read_unchecked(&text, environment).map_err(|error| with_file(error.problems))?;
        Ok(Self { config, file: Some(file.to_owned()), lines: Lines::of(&text) })
    }

    /// What the environment alone says.
    ///
    /// # Errors
    /// Variables that name no setting, wrong types.
    pub fn without_file(
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Ok(Self { config: Config::read_unchecked("", environment)?, ..Self::default() })
    }

    /// The configuration, if it is good as a whole.
    ///
    /// # Errors
    /// Everything `Config::problems` finds.
    pub fn checked(self) -> Result<Config, ConfigError> {
        let problems = self.config.problems(&self.lines);
        if problems.is_empty() { Ok(self.config) } else { Err(ConfigError { file: self.file, problems }) }
    }
}

impl Config {
    /// Every section in the order of the documentation.
    pub fn sections() -> Vec<Section> {
        vec![
            Server::section(),
            Tls::section(),
            Certificate::section(),
            Store::section(),
            User::section(),
            Api::section(),
            WebSocket::section(),
            Sip::section(),
            Egress::section(),
            Peer::section(),
            Http::section(),
            Registrar::section(),
            Proxy::section(),
            Bearer::section(),
            Lockout::section(),
            Overload::section(),
            Presence::section(),
            limits_section(),
            Policies::section(),
            Tenant::section(),
            Trace::section(),
            Otlp::section(),
            Log::section(),
        ]
    }

    /// Reads `file`, applies `environment` (name and value pairs) and checks the whole.
    ///
    /// # Errors
    /// As [`Draft::load`] and [`Draft::checked`].
    pub fn load(
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Draft::load(file, environment)?.checked()
    }

    /// Reads the text of a configuration file, applies `environment` and checks the whole.
    ///
    /// # Errors
    /// As [`Config::load`], but for the file itself.
    pub fn read(
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let config = Self::read_unchecked(text, environment)?;
        let problems = config.problems(&Lines::of(text));
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { file: None, problems }) }
    }

    /// Reads the text of a configuration file and applies `environment`, without looking at the
    /// whole. [`Config::checked`] must follow.
    ///
    /// # Errors
    /// TOML that is not well formed, unknown keys, wrong types.
    pub fn read_unchecked(
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        environment::apply(Self::parse(text)?, text, environment)
    }

    /// Checks a configuration that was put together from flags.
    ///
    /// # Errors
    /// Everything `Config::problems` finds.
    pub fn checked(self) -> Result<Self, ConfigError> {
        let problems = self.problems(&Lines::default());
        if problems.is_empty() { Ok(self) } else { Err(ConfigError { file: None, problems }) }
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| misread::of_file(text, &error))
    }

    /// The digest realm.
    pub fn realm(&self) -> &str {
        self.server.realm.as_deref().unwrap_or_else(|| self.first_domain())
    }

    /// The digest algorithms to offer; none where the list is not one of them, each once.
    pub fn digest_algorithms(&self) -> Option<Vec<Algorithm>> {
        let mut algorithms = Vec::new();
        for name in &self.server.digest {
            let algorithm =
                Algorithm::parse(Some(name)).filter(|algorithm| !algorithms.contains(algorithm))?;
            algorithms.push(algorithm);
        }
        (!algorithms.is_empty()).then_some(algorithms)
    }

    /// Whether `domain`, in any case, is one of the server's.
    fn serves(&self, domain: &str) -> bool {
        self.server.domains.iter().any(|known| known.eq_ignore_ascii_case(domain))
    }

    /// The domain that users without one belong to.
    pub fn first_domain(&self) -> &str {
        self.server.domains.first().map_or("localhost", String::as_str)
    }

    /// Whether certificate and key are both given.
    pub fn has_tls(&self) -> bool {
        self.tls.certificate.is_some() && self.tls.key.is_some()
    }
}

/// The bounds that the state machines define themselves.
fn limits_section() -> Section {
    Section {
        name: "limits",
        repeated: false,
        text: "Bounds of the state that is kept. Each refusal is counted in `tributary_limit_reached_total`."
            .to_owned(),
        keys: tributary_engine::limits::TABLE
            .iter()
            .map(|limit| Key {
                name: limit.name,
                kind: <u32 as definition::KeyType>::KIND,
                default: limit.default.to_string(),
                text: format!("{} In {}. Beyond: {}.", limit.about.trim(), limit.unit, limit.answer),
            })
            .collect(),
    }
}
