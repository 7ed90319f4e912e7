//! Serves until told to stop, then takes everything down in order.

use super::ports::Ports;
use crate::shards::Shards;
use crate::store::Writer;
use crate::transport::{Door, End, Services};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long connections may take to end when the server stops.
const PARTING: Duration = Duration::from_secs(5);

/// What runs.
pub(super) struct Parts {
    pub(super) ports: Ports,
    /// For SIP over TLS.
    pub(super) sip_tls: Option<TlsAcceptor>,
    pub(super) door: Door,
    pub(super) services: Arc<Services>,
    pub(super) shards: Shards,
    pub(super) shard_tasks: JoinSet<()>,
    pub(super) writer: Option<Writer>,
    pub(super) store_thread: Option<std::thread::JoinHandle<()>>,
    pub(super) ready: Arc<AtomicBool>,
    pub(super) failed: Arc<AtomicBool>,
}

impl Parts {
    /// Serves until told to stop, then takes everything down in order.
    pub(super) async fn run(self, stop: watch::Sender<bool>) -> bool {
        let Self {
            ports,
            sip_tls,
            door,
            services,
            shards,
            mut shard_tasks,
            writer,
            store_thread,
            ready,
            failed,
        } = self;
        let mut stopping = stop.subscribe();
        let mut sip = ports.sip.serve(sip_tls.as_ref(), &services, &stopping);
        let mut door =
            tokio::spawn(crate::transport::run(ports.http, door, Arc::clone(&services), stopping.clone()));
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
            while sip.join_next().await.is_some() {}
            services.sockets.ended().await;
        };
        if tokio::time::timeout(PARTING, parting).await.is_err() {
            tracing::warn!("some connections did not end in time");
            // With the task go the connections that it holds.
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
