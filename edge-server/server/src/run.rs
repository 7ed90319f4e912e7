//! Puts the server together, runs it, and takes it down in order.
//!
//! ```text
//!   up:    store -> policies -> shards, restored -> port
//!   down:  port closed -> shards told -> requests answered, close frames sent -> shards stop -> last commit -> store closed
//! ```

use crate::api::{Api, Demo, Token};
use crate::clock::Clock;
use crate::config::{Config, Merge};
use crate::metrics::{Exposition, Metrics};
use crate::policies::{Host, Library, LibraryError};
use crate::shards::{Inbox, Performer, ShardSetup, Shards};
use crate::site::Site;
use crate::store::{Op, RedbStore, Store, StoreError, Table, Writer};
use crate::transport::{
    Admission, Door, End, Flows, OriginPolicy, OutboxLimits, Services, Sockets, TlsError, WebSocketSettings,
};
use crate::users::{Directory, PasswordError, first_line};
use bytes::Bytes;
use merge_core::compose::Composition;
use policy_sandbox::{Compile, Sandbox, Settings as SandboxSettings};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tributary_engine::route::aor_hash;
use tributary_engine::{
    Auth, Effects, Everybody, Input, Lifetime, Limits, Record, RouteKey, Shard, Timing, Users,
};
use tributary_sip::digest::DigestServer;

/// Where the secret that signs nonces stands in the store, so that a restart does not log anybody out.
const SECRET_KEY: &[u8] = b"nonce-secret";
/// Counts starts of the process: connection ids of different processes never meet.
const STARTS_KEY: &[u8] = b"starts";
/// Connection ids of one process.
const IDS_PER_START: u32 = 40;
/// How long connections may take to end when the server stops.
const PARTING: Duration = Duration::from_secs(5);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Users.
    #[error(transparent)]
    Users(#[from] PasswordError),
    /// Policies.
    #[error(transparent)]
    Policies(#[from] LibraryError),
    /// The port.
    #[error(
        "cannot listen on {address}: {source}; another program may have the port: choose another with --listen"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or a resource of the system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// The address it listens on; with the port that it got where the configuration said 0.
    pub address: SocketAddr,
    /// The API's token, and where it was written if it was made up.
    pub token: Option<String>,
    /// The file that holds a made-up token.
    pub token_file: Option<PathBuf>,
    /// Whether there is a page to show.
    pub has_page: bool,
    stop: watch::Sender<bool>,
    task: JoinHandle<bool>,
}

impl Running {
    /// Ends the server in order. False when it had stopped because its store or a shard failed.
    pub async fn stop(self) -> bool {
        let _ = self.stop.send(true);
        self.task.await.unwrap_or(false)
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
    let tls = crate::transport::acceptor(&config.tls)?;
    let listener = TcpListener::bind(config.server.listen)
        .await
        .map_err(|source| StartError::Listen { address: config.server.listen, source })?;
    let address = listener
        .local_addr()
        .map_err(|source| StartError::Listen { address: config.server.listen, source })?;

    let mut opened = open_store(&config)?;
    let (secret, starts) = identity(opened.as_deref_mut())?;
    let engine = engine_config(&config, secret)?;
    let (shards, inboxes) = Shards::new(engine.shards);
    let restored = restored(opened.as_deref(), &shards)?;
    let site = Site::new(config.server.site.as_deref());
    let sandbox = sandbox(&surroundings)?;
    let shipped = match &config.policies.shipped {
        Some(folder) => crate::policies::shipped(Path::new(folder))
            .map_err(|source| StartError::System { what: folder.clone(), source })?,
        None => site.policies(),
    };

    let (stop, stopping) = watch::channel(false);
    let ready = Arc::new(AtomicBool::new(false));
    // Apart from `ready`: the store may fail before the server is ready for the first time.
    let failed = Arc::new(AtomicBool::new(false));
    // The library reads what is stored before the writer takes the store away.
    let mut library = Library::open(sandbox, shipped, opened.as_deref(), clock, config.policies.max_files)?;
    let (writer, store_thread) = match opened {
        Some(store) => {
            let (writer, thread) = start_writer(store, metrics.clone(), stop.clone(), Arc::clone(&failed))?;
            library.store_in(writer.clone());
            (Some(writer), Some(thread))
        }
        None => (None, None),
    };
    let library = Arc::new(library);

    let flows = Arc::new(Flows::new(
        starts << IDS_PER_START,
        OutboxLimits {
            bytes: config.websocket.output_queue_bytes,
            messages: config.websocket.output_queue_messages,
        },
    ));
    let performer = |index| Performer {
        index,
        store: writer.clone(),
        flows: Arc::clone(&flows),
        shards: shards.clone(),
        metrics: metrics.clone(),
    };
    let shard_tasks = start_shards(&engine, inboxes, restored, &library, clock, &performer)?;

    let (token, token_file) = api_token(&config)?;
    let demo = surroundings.demo.then(|| Demo {
        domain: config.first_domain().to_owned(),
        users: vec!["alice".to_owned(), "bob".to_owned()],
        ws_path: "/ws".to_owned(),
        api_token: token.clone().unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    let has_page = site.is_there();
    let router = crate::api::router(Api {
        token: token.as_deref().map(Token::new),
        open_metrics: config.api.open_metrics,
        shards: shards.clone(),
        library,
        policies_enabled: config.policies.enabled,
        exposition,
        ready: Arc::clone(&ready),
        site,
        max_body: config.api.max_body_bytes,
        demo,
    });
    let services = Arc::new(Services {
        flows: Arc::clone(&flows),
        shards: shards.clone(),
        metrics,
        admission: Admission::new(config.websocket.max_connections, config.websocket.connections_per_address),
        origins: OriginPolicy::new(&config.websocket.origins, config.server.listen.ip()),
        websocket: WebSocketSettings {
            max_message: config.websocket.max_message_bytes,
            ping: seconds(config.websocket.ping_seconds),
            pong: seconds(config.websocket.pong_seconds),
        },
        sockets: Sockets::default(),
        stop: stopping.clone(),
    });
    let door = Door {
        router,
        tls,
        patience: seconds(config.http.handshake_seconds),
        max_head: config.http.max_head_bytes,
    };
    ready.store(true, Ordering::Release);
    let parts = Parts { listener, door, services, shards, shard_tasks, writer, store_thread, ready, failed };
    let task = tokio::spawn(parts.run(stop.clone()));
    Ok(Running { address, token, token_file, has_page, stop, task })
}

/// What runs.
struct Parts {
    listener: TcpListener,
    door: Door,
    services: Arc<Services>,
    shards: Shards,
    shard_tasks: JoinSet<()>,
    writer: Option<Writer>,
    store_thread: Option<std::thread::JoinHandle<()>>,
    ready: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
}

impl Parts {
    /// Serves until told to stop, then takes everything down in order.
    async fn run(self, stop: watch::Sender<bool>) -> bool {
        let Self { listener, door, services, shards, mut shard_tasks, writer, store_thread, ready, failed } =
            self;
        let mut stopping = stop.subscribe();
        let mut door =
            tokio::spawn(crate::transport::run(listener, door, Arc::clone(&services), stopping.clone()));
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => {}
            ended = shard_tasks.join_next() => {
                // Its users could not be served: half a server is worse than one that is started again.
                let error = ended.and_then(Result::err);
                tracing::error!(error = error.map(tracing::field::display), "a shard ended by itself; the server stops");
                failed.store(true, Ordering::Release);
                stop.send_replace(true);
            }
        }
        ready.store(false, Ordering::Release);
        // Before any connection ends: what hangs on one must outlive the restart.
        shards.shutdown().await;
        services.flows.end_all(End::Shutdown);
        let parting = async {
            let _ = (&mut door).await;
            services.sockets.ended().await;
        };
        if tokio::time::timeout(PARTING, parting).await.is_err() {
            tracing::warn!("some connections did not end in time");
            // With the task go the connections that it holds, of clients that do not read their answers.
            door.abort();
        }
        shards.stop().await;
        while let Some(ended) = shard_tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a shard did not end well");
                failed.store(true, Ordering::Release);
            }
        }
        if let (Some(writer), Some(thread)) = (writer, store_thread) {
            // The last commit and the last flush happen there.
            let ended = tokio::task::spawn_blocking(move || {
                writer.stop();
                thread.join()
            });
            let _ = ended.await;
        }
        !failed.load(Ordering::Acquire)
    }
}

fn open_store(config: &Config) -> Result<Option<Box<dyn Store>>, StoreError> {
    let Some(folder) = &config.store.data else { return Ok(None) };
    let store = RedbStore::open(Path::new(folder), config.store.durability)?;
    Ok(Some(Box::new(store)))
}

/// The nonce secret and the number of this start; kept where there is a store.
fn identity(store: Option<&mut (dyn Store + 'static)>) -> Result<([u8; 32], u64), StartError> {
    let mut secret = random()?;
    let Some(store) = store else { return Ok((secret, 1)) };
    let (mut known, mut starts) = (None, 0);
    store.scan(Table::Meta, &mut |key, value| {
        if key == SECRET_KEY {
            known = <[u8; 32]>::try_from(value).ok();
        } else if key == STARTS_KEY {
            starts = <[u8; 8]>::try_from(value).map_or(0, u64::from_be_bytes);
        }
    })?;
    if let Some(known) = known {
        secret = known;
    }
    let starts = starts + 1;
    let put = |key: &'static [u8], value: &[u8]| Op::Put {
        table: Table::Meta,
        key: Bytes::from_static(key),
        value: Bytes::copy_from_slice(value),
    };
    store.commit(&[put(SECRET_KEY, &secret), put(STARTS_KEY, &starts.to_be_bytes())])?;
    Ok((secret, starts))
}

fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StartError::System {
        what: "the system gives no random bytes".to_owned(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}

fn engine_config(config: &Config, secret: [u8; 32]) -> Result<tributary_engine::Config, StartError> {
    let presence = &config.presence;
    let users: Arc<dyn Users> =
        if config.server.open { Arc::new(Everybody) } else { Arc::new(Directory::new(config)?) };
    let auth = if config.server.open {
        Auth::Open
    } else {
        Auth::Digest(Arc::new(DigestServer::new(config.realm(), secret, presence.nonce_seconds)))
    };
    let mut limits = Limits::default();
    for (name, value) in &config.limits {
        limits.set(name, *value);
    }
    let lifetime = |min, default, max| Lifetime { min, max, default };
    let milliseconds = |seconds: u32| seconds.saturating_mul(1_000);
    Ok(tributary_engine::Config {
        domains: config.server.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
        auth,
        users,
        switches: merge_core::live::Switches {
            presence_uses_registration_state: presence.use_registrations,
            notify_closed_state_for_non_published_users: presence.notify_closed,
        },
        composition: match presence.merge {
            Merge::Compose => Composition::Compose,
            Merge::Union => Composition::Union,
            Merge::Newest => Composition::Newest,
            Merge::MostAvailable => Composition::MostAvailable,
        },
        timing: Timing {
            register: lifetime(
                presence.min_registration_seconds,
                presence.default_registration_seconds,
                presence.max_registration_seconds,
            ),
            publish: lifetime(
                presence.min_publication_seconds,
                presence.default_publication_seconds,
                presence.max_publication_seconds,
            ),
            subscribe: lifetime(
                presence.min_subscription_seconds,
                presence.default_subscription_seconds,
                presence.max_subscription_seconds,
            ),
            publication_grace_ms: milliseconds(presence.grace_seconds),
            subscription_grace_ms: milliseconds(presence.watcher_grace_seconds),
            restart_grace_ms: milliseconds(presence.restart_grace_seconds),
            ..Timing::default()
        },
        limits,
        shards: shard_count(config.server.shards),
    })
}

fn shard_count(configured: usize) -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = if configured == 0 { cores } else { configured };
    u16::try_from(count).unwrap_or(u16::MAX).max(1)
}

/// The stored records, each with its shard. One that cannot be read is logged and stays stored.
fn restored(store: Option<&dyn Store>, shards: &Shards) -> Result<Vec<Vec<Record>>, StoreError> {
    let mut records: Vec<Vec<Record>> = (0..shards.count()).map(|_| Vec::new()).collect();
    let Some(store) = store else { return Ok(records) };
    for (table, engine_table) in [
        (Table::Registrations, tributary_engine::Table::Registrations),
        (Table::Publications, tributary_engine::Table::Publications),
        (Table::Subscriptions, tributary_engine::Table::Subscriptions),
    ] {
        store.scan(table, &mut |_, value| match Record::decode(engine_table, value) {
            Ok(record) => {
                let index = RouteKey::Aor(aor_hash(record.aor())).shard(shards.count());
                if let Some(shard) = records.get_mut(usize::from(index)) {
                    shard.push(record);
                }
            }
            Err(error) => {
                tracing::error!(table = table.name(), %error, "a stored record cannot be read; it stays in the store");
            }
        })?;
    }
    Ok(records)
}

fn sandbox(surroundings: &Surroundings) -> Result<Sandbox, LibraryError> {
    let compile = match &surroundings.compiler {
        Some(program) => Compile::Child { program: program.clone(), args: vec!["compile-policy".into()] },
        None => Compile::InProcess,
    };
    Ok(Sandbox::new(SandboxSettings { compile, ..SandboxSettings::default() })?)
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

fn start_shards(
    engine: &tributary_engine::Config,
    inboxes: Vec<Inbox>,
    restored: Vec<Vec<Record>>,
    library: &Arc<Library>,
    clock: Clock,
    performer: &dyn Fn(u16) -> Performer,
) -> Result<JoinSet<()>, StartError> {
    let engine = Arc::new(engine.clone());
    let mut tasks = JoinSet::new();
    for (index, (inbox, records)) in (0_u16..).zip(inboxes.into_iter().zip(restored)) {
        let performer = performer(index);
        let mut policies = Host::new(Arc::clone(library), performer.metrics.clone(), clock);
        let mut shard = Shard::new(Arc::clone(&engine), random()?, index);
        let mut effects = Effects::new();
        let count = records.len();
        for record in records {
            shard.handle(clock.now(), Input::Restore(Box::new(record)), &mut policies, &mut effects);
        }
        shard.handle(clock.now(), Input::Restored, &mut policies, &mut effects);
        if count > 0 {
            tracing::info!(shard = index, records = count, "state restored");
        }
        let setup = ShardSetup { shard, index, inbox, policies, performer, clock, effects };
        tasks.spawn(crate::shards::run(setup));
    }
    Ok(tasks)
}

/// The API's token: configured, read from a file, or made up and written to the data folder.
fn api_token(config: &Config) -> Result<(Option<String>, Option<PathBuf>), StartError> {
    let system = |what: &Path| {
        let what = what.display().to_string();
        move |source| StartError::System { what, source }
    };
    if let Some(token) = &config.api.token {
        return Ok((Some(token.clone()), None));
    }
    if let Some(file) = &config.api.token_file {
        return Ok((Some(first_line(file).map_err(system(Path::new(file)))?), None));
    }
    let Some(folder) = &config.store.data else { return Ok((None, None)) };
    let file = Path::new(folder).join("api-token");
    if file.is_file() {
        let token = first_line(&file.display().to_string()).map_err(system(&file))?;
        if !token.is_empty() {
            return Ok((Some(token), Some(file)));
        }
    }
    let token = crate::policies::hex(random()?.get(..24).unwrap_or_default());
    write_secret(&file, &token).map_err(system(&file))?;
    Ok((Some(token), Some(file)))
}

/// Writes a file that only its owner may read.
fn write_secret(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(format!("{text}\n").as_bytes())
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
