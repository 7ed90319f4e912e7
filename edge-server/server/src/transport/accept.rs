//! Takes connections from a listener, whatever `accept` says of single ones.

use crate::metrics::{Split, count};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;

/// How long to wait after `accept` fails for want of what only time brings, such as file descriptors.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// The next connection that `accept` gives; nothing once `stop` says so.
pub(super) async fn next<T>(
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    stop: &mut watch::Receiver<bool>,
    errors: &Split,
) -> Option<T> {
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return None,
            accepted = poll_fn(&mut accept) => accepted,
        };
        let error = match accepted {
            Ok(connection) => return Some(connection),
            Err(error) => error,
        };
        if is_of_one_connection(&error) {
            count(errors, "kind", "connection");
            tracing::debug!(%error, "a connection was gone before it was accepted");
            continue;
        }
        count(errors, "kind", "resources");
        tracing::warn!(%error, "connections cannot be accepted; if files are short, raise the limit (ulimit -n)");
        // The connection still waits in the listener's queue: to ask again at once would only spin.
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return None,
            () = tokio::time::sleep(OUT_OF_FILES) => {}
        }
    }
}

/// Whether an error is about the connection that was to be accepted, so that the next may be fine.
///
/// Linux reports on `accept` what the network has already found out about the new socket (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::Interrupted
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const ECONNABORTED: i32 = 103;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;

    #[tokio::test]
    async fn a_connection_that_is_gone_already_costs_the_next_one_no_wait() {
        let (errors, (_keep, mut stop)) = (Split::default(), watch::channel(false));
        let mut told = [Err(ECONNABORTED), Err(ECONNABORTED), Ok("a connection")].into_iter();
        let accept = |_: &mut Context<'_>| match told.next() {
            Some(told) => Poll::Ready(told.map_err(io::Error::from_raw_os_error)),
            None => Poll::Pending,
        };
        assert_eq!(next(accept, &mut stop, &errors).await, Some("a connection"));
        let counted = |kind: &str| errors.get_or_create(&[("kind", kind.to_owned())]).get();
        assert_eq!((counted("connection"), counted("resources")), (2, 0));
    }

    #[tokio::test]
    async fn a_stop_is_seen_at_once_by_a_listener_that_is_out_of_files() {
        for error in [EMFILE, ENFILE] {
            let (errors, (told, mut stop)) = (Split::default(), watch::channel(false));
            let mut calls = 0;
            let accept = |_: &mut Context<'_>| {
                calls += 1;
                told.send_replace(true);
                Poll::Ready(Err::<(), _>(io::Error::from_raw_os_error(error)))
            };
            assert_eq!(next(accept, &mut stop, &errors).await, None);
            assert_eq!(calls, 1, "it waits before it asks again, and is told to stop while it waits");
            assert_eq!(errors.get_or_create(&[("kind", "resources".to_owned())]).get(), 1);
        }
    }

    #[tokio::test]
    async fn a_listener_that_was_out_of_files_accepts_again() {
        let (errors, (_keep, mut stop)) = (Split::default(), watch::channel(false));
        let mut told = [Err(EMFILE), Ok("a connection")].into_iter();
        let accept = |_: &mut Context<'_>| match told.next() {
            Some(told) => Poll::Ready(told.map_err(io::Error::from_raw_os_error)),
            None => Poll::Pending,
        };
        assert_eq!(next(accept, &mut stop, &errors).await, Some("a connection"));
    }
}
