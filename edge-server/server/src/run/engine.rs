//! The state machines: what the configuration means to them, and their start from what is stored.

use super::StartError;
use crate::clock::Clock;
use crate::config::{Config, ForkPolicy, ForkSupport, Merge, UnknownEpid};
use crate::contacts::AddressBook;
use crate::local_time::Wall;
use crate::policies::{Aside, Host, Library};
use crate::shards::{Inbox, Performer, ShardSetup, Shards};
use crate::store::{Store, StoreError, Table};
use crate::tenants::Tenants;
use crate::tokens::Reader;
use crate::users::{Anybody, Directory};
use merge_core::compose::Composition;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::task::JoinSet;
use tributary_engine::tokens::Tokens;
use tributary_engine::{
    Auth, Effects, Egress, Forking, Input, Lifetime, Limits, Lockout, Rate, Reach, Record, SaysForking,
    Shard, Timing, Users, lockout,
};
use tributary_sip::SealingKeys;
use tributary_sip::digest::DigestServer;

pub(super) fn engine_config(
    config: &Config,
    secret: [u8; 32],
    (directory, contacts, lockout): (Arc<Directory>, Arc<AddressBook>, Arc<Lockout>),
    tokens: Option<Arc<Reader>>,
    (reach, egress): (Reach, Egress),
) -> tributary_engine::Config {
    let presence = &config.presence;
    let users: Arc<dyn Users> = match config.server.open {
        true => Arc::new(Anybody(Tenants::new(&config.server))),
        false => directory,
    };
    let auth = if config.server.open {
        Auth::Open
    } else {
        let server = DigestServer::new(config.realm(), secret, presence.nonce_seconds);
        // The check of the configuration has let nothing else in.
        Auth::Digest(Arc::new(
            server
                .offering(config.digest_algorithms().unwrap_or_default())
                .with_integrity(config.server.digest_integrity),
        ))
    };
    let mut limits = Limits::default();
    for (name, value) in &config.limits {
        limits.set(name, *value);
    }
    let lifetime = |min, default, max| Lifetime { min, max, default };
    let milliseconds = |seconds: u32| seconds.saturating_mul(1_000);
    tributary_engine::Config {
        domains: config.server.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
        reach,
        egress,
        auth,
        users,
        contacts,
        // The check of the configuration has let nothing else in.
        services: (presence.services.iter())
            .filter_map(|service| Some(tributary_sip::Aor::parse(service).ok()?.as_str().to_owned()))
            .collect(),
        presence_enabled: presence.enabled,
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
        masks: config.masks(),
        tokens: tokens.map(|tokens| tokens as Arc<dyn Tokens>),
        lockout: Some(lockout),
        user_rate: Rate {
            per_second: config.overload.requests_per_user,
            burst: config.overload.requests_per_user_burst,
        },
        require_registration: presence.require_registration,
        registrar: tributary_engine::Registrar {
            kept_headers: config.registrar.headers.clone(),
            path_without_support: config.registrar.path_without_support,
            service_routes: config.registrar.service_route.clone(),
            flow_timer: config.registrar.flow_timer_seconds,
            // The check of the configuration has let nothing else in.
            watchers: (config.registrar.watchers.iter())
                .filter_map(|watcher| Some(tributary_sip::Aor::parse(watcher).ok()?.as_str().to_owned()))
                .collect(),
        },
        forking: Forking {
            policy: match config.proxy.fork_policy {
                ForkPolicy::All => tributary_engine::ForkPolicy::All,
                ForkPolicy::Exclude => tributary_engine::ForkPolicy::Exclude,
                ForkPolicy::AllOrBest => tributary_engine::ForkPolicy::AllOrBest,
            },
            says: match config.proxy.fork_support {
                ForkSupport::FeatureTag => SaysForking::NotByTag(config.proxy.no_fork_tag.clone()),
                ForkSupport::MsForking => SaysForking::BySupported,
            },
            refuse_unknown_epid: config.proxy.unknown_epid == UnknownEpid::Refuse,
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
            lag_ms: config.overload.lag_ms,
            auth_lifetime_ms: milliseconds(config.server.auth_lifetime_seconds),
            ring_ms: milliseconds(config.proxy.ring_seconds),
            t1_ms: config.sip.t1_ms,
            t2_ms: config.sip.t2_ms,
            ..Timing::default()
        },
        limits,
        shards: shard_count(config.server.shards),
    }
}

/// Nobody is locked out yet.
pub(super) fn lockout(rules: &crate::config::Lockout, secret: &[u8; 32]) -> Lockout {
    let rules = lockout::Rules {
        per_address: rules.failures_per_address,
        per_account: rules.failures_per_account,
        lock_ms: i64::from(rules.seconds) * 1_000,
        known_ms: i64::from(rules.known_seconds) * 1_000,
        entries: rules.entries,
    };
    Lockout::new(rules, lockout_seed(secret))
}

/// A part of the secret, told apart from nonces, which are signed with all of it.
fn lockout_seed(secret: &[u8; 32]) -> [u64; 2] {
    let digest = Sha256::new().chain_update(b"lockout").chain_update(secret).finalize();
    let word = |at: usize| digest.iter().skip(at).take(8).fold(0, |word, byte| word << 8 | u64::from(*byte));
    [word(0), word(8)]
}

pub(super) fn shard_count(configured: usize) -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = if configured == 0 { cores } else { configured };
    u16::try_from(count).unwrap_or(u16::MAX).max(1)
}

/// The stored records, each with its shard. One that cannot be read is logged and stays stored.
pub(super) fn restored(store: Option<&dyn Store>, shards: &Shards) -> Result<Vec<Vec<Record>>, StoreError> {
    let mut records: Vec<Vec<Record>> = (0..shards.count()).map(|_| Vec::new()).collect();
    let Some(store) = store else { return Ok(records) };
    for (table, engine_table) in [
        (Table::Registrations, tributary_engine::Table::Registrations),
        (Table::Publications, tributary_engine::Table::Publications),
        (Table::Subscriptions, tributary_engine::Table::Subscriptions),
    ] {
        store.scan(table, &mut |_, value| match Record::decode(engine_table, value) {
            Ok(record) => {
                let index = shards.shard_of(record.aor());
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

pub(super) fn start_shards(
    engine: &tributary_engine::Config,
    (seed, keys): ([u8; 32], SealingKeys),
    inboxes: Vec<Inbox>,
    restored: Vec<Vec<Record>>,
    (library, wall, aside): (&Arc<Library>, &Arc<Wall>, &Aside),
    clock: Clock,
    performer: &dyn Fn(u16) -> Performer,
) -> Result<JoinSet<()>, StartError> {
    let engine = Arc::new(engine.clone());
    let mut tasks = JoinSet::new();
    for (index, (inbox, records)) in (0_u16..).zip(inboxes.into_iter().zip(restored)) {
        let performer = performer(index);
        let mut policies = Host::new(Arc::clone(library), Arc::clone(wall), performer.metrics.clone(), clock)
            .with_aside(aside.clone());
        let mut shard = Shard::new(Arc::clone(&engine), seed, index).sealing(keys.clone());
        let mut effects = Effects::new();
        let count = records.len();
        for record in records {
            shard.handle(clock.now(), Input::Restore(Box::new(record)), &mut policies, &mut effects);
        }
        shard.handle(clock.now(), Input::Restored, &mut policies, &mut effects);
        if count > 0 {
            tracing::info!(shard = index, records = count, "state restored");
        }
        let setup = ShardSetup {
            shard,
            index,
            inbox,
            policies,
            performer,
            clock,
            effects,
            lag_ms: engine.timing.lag_ms,
        };
        tasks.spawn(crate::shards::run(setup));
    }
    Ok(tasks)
}
