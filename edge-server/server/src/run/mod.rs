//! Puts the server together, runs it, and takes it down in order.
//!
//! ```text
//!   up:    store -> policies -> shards, restored -> port
//!   down:  port closed -> shards told -> requests answered, close frames sent -> shards stop -> last commit -> store closed
//! ```

mod down;
mod engine;
mod error;
mod ports;
mod reach;
mod secrets;

pub use self::error::StartError;
pub use self::ports::SipAddresses;

use self::down::Parts;
use self::engine::{engine_config, lockout, restored, shard_count, start_shards};
use self::ports::Ports;
use self::secrets::{
    api_token, compiled_code_key, further_tokens, identity, names_of_datagrams, random, sealing_keys,
};
use crate::api::{Api, Changes, Demo, Tokens};
use crate::clock::Clock;
use crate::config::Config;
use crate::contacts::AddressBook;
use crate::local_time::Wall;
use crate::metrics::{Exposition, Metrics};
use crate::onward::{Aliases, Connections, Onward, PeerCertificates, Trust};
use crate::policies::{Aside, Library, LibraryError};
use crate::shards::{Performer, Shards};
use crate::site::Site;
use crate::store::{RedbStore, Store, StoreError, Writer};
use crate::tokens::Reader;
use crate::trace::Tracer;
use crate::transport::{
    Admission, Certificates, Door, Flows, OriginPolicy, OutboxLimits, Rates, Services, Sockets,
    StreamSettings, WebSocketSettings,
};
use crate::users::Directory;
use policy_sandbox::{CacheSettings, Compile, Sandbox, ScriptEngine, Settings as SandboxSettings};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tributary_engine::Router;
use tributary_sip::Limits as SipLimits;

/// Connection ids of one process: the number of its start stands above these bits.
const IDS_PER_START: u32 = 40;

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// The address it listens on; with the port that it got where the configuration said 0.
    pub address: SocketAddr,
    /// Where it speaks SIP besides.
    pub sip: SipAddresses,
    /// The API's token, and where it was written if it was made up.
    pub token: Option<String>,
    /// The file that holds a made-up token.
    pub token_file: Option<PathBuf>,
    /// Whether there is a page to show.
    pub has_page: bool,
    certificates: Option<Arc<Certificates>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<bool>,
}

impl Running {
    /// Ends the server in order. False when it had stopped because its store or a shard failed.
    pub async fn stop(self) -> bool {
        let _ = self.stop.send(true);
        self.task.await.unwrap_or(false)
    }

    /// Has the files of the certificates read anew. False where there is no TLS.
    pub fn reload_certificates(&self) -> bool {
        self.certificates.as_ref().inspect(|certificates| certificates.reload()).is_some()
    }

    /// Waits until the server stops by itself, which it does only when its store or a shard fails.
    pub async fn stopped(&mut self) {
        let mut stopped = self.stop.subscribe();
        let _ = stopped.wait_for(|stop| *stop).await;
    }
}

/// What the process around the server decides.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The program to start for compiling policies on trial: this one, with its hidden subcommand.
    /// None compiles inside this process, for tests.
    pub compiler: Option<PathBuf>,
    /// Run as a demonstration: tell the page the token and the users.
    pub demo: bool,
}

/// Starts a server.
///
/// # Errors
/// See [`StartError`]; nothing is left running then.
pub async fn start(config: Config, surroundings: Surroundings) -> Result<Running, StartError> {
    let exposition = Exposition::default();
    let metrics = exposition.metrics.clone();
    let clock = Clock::default();
    let certificates = Certificates::open(&config)?;
    let tls =
        certificates.as_ref().map(|certificates| certificates.acceptor(&[b"http/1.1"], None)).transpose()?;
    // A list would turn away who offers something else, and phones offer `sip`, `sip/2` and more.
    let egress = config.egress();
    let trust = Arc::new(Trust::new(&config, &egress.peers));
    let asked = PeerCertificates::new(&config, &trust)?;
    let sip_tls = certificates.as_ref().map(|certificates| {
        certificates.acceptor(&[], asked.map(|asked| asked as Arc<dyn ClientCertVerifier>))
    });
    let sip_tls = sip_tls.transpose()?;
    let connections = Connections::new(&config, certificates.as_ref(), Arc::clone(&trust))?;

    let mut opened = open_store(&config)?;
    for exposed in crate::private::open_to_all(&config) {
        tracing::warn!("{exposed}");
    }
    let (secret, starts) = identity(opened.as_deref_mut())?;
    let ports = Ports::bind(&config, names_of_datagrams(&secret)).await?;
    let address = ports
        .http
        .local_addr()
        .map_err(|source| StartError::Listen { address: config.server.listen, source })?;
    let sip = ports.sip.addresses();
    let mut directory = Directory::open(&config, opened.as_deref(), metrics.clone(), clock)?;
    let mut contacts = AddressBook::open(&config, opened.as_deref())?;
    if directory.is_empty() && !config.server.open {
        tracing::warn!("there are no users yet, so nobody can log in; PUT /api/v1/users/ADDRESS adds them");
    }
    let seed = random()?;
    let secrets = (seed, sealing_keys(&secret));
    let router = Router::new(seed, shard_count(config.server.shards)).sealing(secrets.1.clone());
    let (shards, inboxes) = Shards::new(router);
    let restored = restored(opened.as_deref(), &shards)?;
    let site = Site::new(config.server.site.as_deref());
    let (shipped, scripts) = match config.policies.shipped.as_deref().map(Path::new) {
        Some(folder) => (
            crate::policies::shipped(folder)
                .map_err(|source| StartError::System { what: folder.display().to_string(), source })?,
            crate::policies::script_engine(folder),
        ),
        None => (site.policies(), site.script_engine()),
    };
    let sandbox = sandbox(&config, &surroundings, &secret, scripts)?;

    let (stop, stopping) = watch::channel(false);
    let ready = Arc::new(AtomicBool::new(false));
    // Apart from `ready`: the store may fail before the server is ready for the first time.
    let failed = Arc::new(AtomicBool::new(false));
    // The library reads what is stored before the writer takes the store away.
    let seen_by = (metrics.clone(), clock);
    let mut library = Library::open(sandbox, shipped, opened.as_deref(), seen_by, &config)?;
    let (writer, store_thread) = match opened {
        Some(store) => {
            let (writer, thread) = start_writer(store, metrics.clone(), stop.clone(), Arc::clone(&failed))?;
            directory.store_in(writer.clone());
            contacts.store_in(writer.clone());
            library.store_in(writer.clone());
            (Some(writer), Some(thread))
        }
        None => (None, None),
    };
    library.tell(shards.clone());
    let (directory, contacts) = (Arc::new(directory), Arc::new(contacts));
    let library = Arc::new(library);
    let wall = Wall::new(&config.server, Arc::clone(&directory));
    let reach = reach::reach(&config, address, &sip);
    let tokens = Reader::open(&config)?;
    let lockout = Arc::new(lockout(&config.lockout, &secret));
    let users = (Arc::clone(&directory), Arc::clone(&contacts), Arc::clone(&lockout));
    let engine = engine_config(&config, secret, users, tokens.clone(), (reach, egress));
    let (ways, wanted) = mpsc::unbounded_channel();

    let flows = Arc::new(Flows::new(
        starts << IDS_PER_START,
        OutboxLimits {
            bytes: config.websocket.output_queue_bytes,
            messages: config.websocket.output_queue_messages,
        },
    ));
    let tracer = Tracer::new(&config.trace, clock, metrics.clone())
        .map_err(|source| StartError::System { what: "the socket for Homer".to_owned(), source })?;
    let tracer = Arc::new(tracer);
    #[cfg(feature = "otlp")]
    let otlp = crate::otlp::Exporter::start(&config.otlp, clock, metrics.clone(), stopping.clone())
        .map_err(|error| StartError::System {
            what: "otlp.endpoint".to_owned(),
            source: std::io::Error::other(error),
        })?
        .map(Arc::new);
    let performer = |index| Performer {
        index,
        store: writer.clone(),
        flows: Arc::clone(&flows),
        datagrams: Arc::clone(ports.sip.datagrams()),
        ways: ways.clone(),
        shards: shards.clone(),
        tracer: Arc::clone(&tracer),
        #[cfg(feature = "otlp")]
        otlp: otlp.clone(),
        metrics: metrics.clone(),
    };
    let aside = Aside::start(&shards)
        .map_err(|source| StartError::System { what: "threads for policies".to_owned(), source })?;
    let shard_tasks =
        start_shards(&engine, secrets, inboxes, restored, (&library, &wall, &aside), clock, &performer)?;

    tokio::spawn(Arc::clone(library.captures()).forget_in_time(stopping.clone()));
    let (token, token_file) = api_token(&config)?;
    let others = further_tokens(&config)?;
    let demo = surroundings.demo.then(|| Demo {
        domain: config.first_domain().to_owned(),
        users: vec!["alice".to_owned(), "bob".to_owned()],
        ws_path: "/ws".to_owned(),
        api_token: token.clone().unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    let has_page = site.is_there();
    let router = crate::api::router(Api {
        tokens: Tokens::new(token.as_deref(), others),
        open_metrics: config.api.open_metrics,
        shards: shards.clone(),
        flows: Arc::clone(&flows),
        library,
        directory,
        open: config.server.open,
        contacts,
        tracer: Arc::clone(&tracer),
        lockout,
        clock,
        changes: Changes::default(),
        policies_enabled: config.policies.enabled,
        exposition,
        ready: Arc::clone(&ready),
        site,
        max_body: config.api.max_body_bytes,
        demo,
    });
    if let Some(certificates) = &certificates {
        certificates.measure(&metrics);
        let every = (config.tls.reload_seconds > 0).then(|| seconds(config.tls.reload_seconds));
        tokio::spawn(Arc::clone(certificates).keep_current(every, metrics.clone(), stopping.clone()));
    }
    if let Some(tokens) = tokens {
        tokio::spawn(tokens.keep_current(metrics.clone(), stopping.clone()));
    }
    let rates = Arc::new(Rates::new(&config.overload, clock, metrics.clone()));
    let services = Arc::new(Services {
        flows: Arc::clone(&flows),
        shards: shards.clone(),
        metrics,
        admission: Admission::new(
            config.websocket.max_connections,
            config.websocket.connections_per_address,
            Some(Arc::clone(&rates)),
        ),
        rates,
        origins: OriginPolicy::new(&config.websocket.origins, config.server.listen.ip()),
        websocket: WebSocketSettings {
            max_message: config.websocket.max_message_bytes,
            ping: seconds(config.websocket.ping_seconds),
            pong: seconds(config.websocket.pong_seconds),
        },
        streams: StreamSettings {
            message: SipLimits { body: config.sip.max_body_bytes, ..SipLimits::DEFAULT },
            idle: seconds(config.sip.idle_seconds),
            patience: seconds(config.sip.message_seconds),
        },
        trust,
        aliases: Aliases::default(),
        sockets: Sockets::default(),
        stop: stopping.clone(),
    });
    let datagrams = Arc::clone(ports.sip.datagrams());
    let onward = Onward::new(Arc::clone(&services), datagrams, connections, &config.egress.nameservers);
    tokio::spawn(Arc::new(onward).run(wanted, stopping.clone()));
    let door = Door {
        router,
        tls,
        patience: seconds(config.http.handshake_seconds),
        reading: seconds(config.http.write_seconds),
        max_head: config.http.max_head_bytes,
    };
    ready.store(true, Ordering::Release);
    let parts =
        Parts { ports, sip_tls, door, services, shards, shard_tasks, writer, store_thread, ready, failed };
    let task = tokio::spawn(parts.run(stop.clone()));
    Ok(Running { address, sip, token, token_file, has_page, certificates, stop, task })
}

fn open_store(config: &Config) -> Result<Option<Box<dyn Store>>, StoreError> {
    let Some(folder) = &config.store.data else { return Ok(None) };
    let store = RedbStore::open(Path::new(folder), config.store.durability)?;
    Ok(Some(Box::new(store)))
}

fn sandbox(
    config: &Config,
    surroundings: &Surroundings,
    secret: &[u8; 32],
    scripts: Option<ScriptEngine>,
) -> Result<Sandbox, LibraryError> {
    let compile = match &surroundings.compiler {
        Some(program) => Compile::Child { program: program.clone(), args: vec!["compile-policy".into()] },
        None => Compile::InProcess,
    };
    let cache = config.store.data.as_ref().map(|folder| CacheSettings {
        folder: Path::new(folder).join("compiled-policies"),
        secret: compiled_code_key(secret),
    });
    Ok(Sandbox::new(SandboxSettings { compile, cache, scripts, ..SandboxSettings::default() })?)
}

/// Starts the store's thread. When a commit fails the whole server stops: what it promises could
/// not be kept.
fn start_writer(
    store: Box<dyn Store>,
    metrics: Metrics,
    stop: watch::Sender<bool>,
    failed: Arc<AtomicBool>,
) -> Result<(Writer, std::thread::JoinHandle<()>), StartError> {
    Writer::start(store, move |changes, duration, error| {
        metrics.store_commits.inc();
        metrics.store_changes.inc_by(changes as u64);
        metrics.store_commit_seconds.observe(duration.as_secs_f64());
        if let Some(error) = error {
            metrics.store_failures.inc();
            tracing::error!(%error, "the store failed; the server stops, since it could not keep what it promises");
            failed.store(true, Ordering::Release);
            stop.send_replace(true);
        }
    })
    .map_err(|source| StartError::System { what: "the store's thread".to_owned(), source })
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
