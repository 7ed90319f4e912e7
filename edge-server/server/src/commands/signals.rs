//! What the process is told by its operator. Heard from before anybody can know that it runs: a signal
//! that nobody listens for ends a process at once.

use std::io;

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// To end, by SIGINT or SIGTERM.
    Stop,
    /// SIGHUP: to read files anew, or that the terminal is gone.
    HangUp,
}

#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> io::Result<Told> {
        tokio::select! {
            _ = self.interrupt.recv() => Ok(Told::Stop),
            _ = self.terminate.recv() => Ok(Told::Stop),
            _ = self.hang_up.recv() => Ok(Told::HangUp),
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Listens from the first [`next`](Self::next) on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> io::Result<Told> {
        tokio::signal::ctrl_c().await.map(|()| Told::Stop)
    }
}
