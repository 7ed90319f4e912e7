//! A change that was begun comes to its end, whoever hangs up.
//!
//! A change is a commit, an edit of what is in memory, and a word to the shards. A client that went
//! away in between would drop the request's future at one of its awaits: stored and not in force, or
//! in force and not told. So every request that may change something runs in a task of its own.

use super::Api;
use super::error::ApiError;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Changes under way at once; one more is answered 503. They follow each other anyway.
const MOST_CHANGES: usize = 64;

/// Room for changes that are under way.
#[derive(Clone, Debug)]
pub struct Changes(Arc<Semaphore>);

impl Default for Changes {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_CHANGES)))
    }
}

pub(super) async fn to_its_end(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    let Ok(room) = Arc::clone(&api.changes.0).try_acquire_owned() else {
        return ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            format!("{MOST_CHANGES} changes are under way"),
            "try again in a moment",
        )
        .into_response();
    };
    let change = tokio::spawn(async move {
        let response = next.run(request).await;
        drop(room);
        response
    });
    change.await.unwrap_or_else(|_| ApiError::stopping().into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Api, Tokens, router};
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::contacts::AddressBook;
    use crate::metrics::Exposition;
    use crate::policies::{Library, write_scope};
    use crate::shards::{Inbox, Shards, Task};
    use crate::site::Site;
    use crate::store::{MemoryStore, Op, Store, StoreError, Table, Writer, rows};
    use crate::trace::Tracer;
    use crate::transport::{Flows, OutboxLimits};
    use crate::users::Directory;
    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use policy_sandbox::{Sandbox, Settings};
    use std::net::{Ipv4Addr, SocketAddr};
    use std::pin::pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};
    use tower::ServiceExt as _;
    use tributary_engine::lockout::Rules;
    use tributary_engine::{Input, Lockout};

    /// A store that the test can look into.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<MemoryStore>>);

    impl Store for Seen {
        fn commit(&mut self, ops: &[Op]) -> Result<(), StoreError> {
            self.0.lock().unwrap().commit(ops)
        }

        fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
            self.0.lock().unwrap().scan(table, visit)
        }
    }

    struct Stage {
        router: axum::Router,
        changes: Changes,
        library: Arc<Library>,
        directory: Arc<Directory>,
        store: Seen,
        inbox: Inbox,
    }

    fn stage() -> Stage {
        let store = Seen::default();
        let (writer, _thread) = Writer::start(Box::new(store.clone()), |_, _, _| {}).unwrap();
        let (exposition, clock) = (Exposition::default(), Clock::default());
        let sandbox = Sandbox::new(Settings::default()).unwrap();
        let metrics = exposition.metrics.clone();
        let mut library =
            Library::open(sandbox, Vec::new(), None, (metrics.clone(), clock), &Config::default()).unwrap();
        library.store_in(writer.clone());
        let mut directory = Directory::open(&Config::default(), None, metrics, clock).unwrap();
        directory.store_in(writer);
        let (library, directory) = (Arc::new(library), Arc::new(directory));
        let (shards, mut inboxes) = Shards::new(tributary_engine::Router::new([0; 32], 1));
        let changes = Changes::default();
        let router = router(Api {
            tokens: Tokens::new(Some("token"), []),
            open_metrics: true,
            shards,
            flows: Arc::new(Flows::new(0, OutboxLimits { bytes: 0, messages: 0 })),
            library: Arc::clone(&library),
            directory: Arc::clone(&directory),
            open: false,
            contacts: Arc::new(AddressBook::open(&Config::default(), None).unwrap()),
            tracer: Arc::new(
                Tracer::new(&Config::default().trace, clock, exposition.metrics.clone()).unwrap(),
            ),
            lockout: Arc::new(Lockout::new(Rules::default(), [1, 2])),
            clock,
            changes: changes.clone(),
            policies_enabled: true,
            exposition,
            ready: Arc::default(),
            site: Site::new(None),
            max_body: 4_096,
            demo: None,
        });
        Stage { router, changes, library, directory, store, inbox: inboxes.remove(0) }
    }

    fn request(method: &str, path: &str, body: &'static str) -> Request {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 5_060));
        http::Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", "Bearer token")
            .header("content-type", "application/json")
            .extension(ConnectInfo(peer))
            .body(Body::from(body))
            .unwrap()
    }

    /// Polls the request `polls` times and drops it. True when it was answered before.
    async fn dropped_after(polls: usize, stage: &Stage, request: Request) -> bool {
        let mut answer = pin!(stage.router.clone().oneshot(request));
        for _ in 0..polls {
            if let Poll::Ready(answer) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                assert!(answer.unwrap().status().is_success());
                return true;
            }
            // Lets the rest of the server go on by one step.
            tokio::task::yield_now().await;
        }
        false
    }

    #[tokio::test]
    async fn store_and_memory_are_equal_wherever_a_client_hangs_up() {
        for (method, path, body, table) in [
            ("PUT", "/assignments/domain:example.com", r#"{"built_in":"newest"}"#, Table::Assignments),
            ("PUT", "/users/bob@example.com", r#"{"password":"secret"}"#, Table::Users),
        ] {
            let mut answered = false;
            let mut polls = 0;
            while !answered {
                polls += 1;
                assert!(polls < 100_000, "{path} was never answered");
                let mut stage = stage();
                answered = dropped_after(polls, &stage, request(method, path, body)).await;
                // Whatever was begun has ended once all of the room is there again.
                let _all = stage.changes.0.acquire_many(MOST_CHANGES as u32).await.unwrap();
                let stored: Vec<_> = rows(&stage.store, table)
                    .unwrap()
                    .into_iter()
                    .map(|(key, _)| String::from_utf8(key).unwrap())
                    .collect();
                let in_force: Vec<String> = match table {
                    Table::Users => {
                        stage.directory.list(None, 9).iter().map(|user| user.aor.to_string()).collect()
                    }
                    _ => stage
                        .library
                        .snapshot()
                        .scopes()
                        .iter()
                        .map(|(scope, _)| write_scope(scope))
                        .collect(),
                };
                assert_eq!(stored, in_force, "{path} dropped after {polls} polls");
                let told = stage.inbox.queue.try_recv();
                let told = matches!(told, Ok(Task::Input(Input::PolicyChanged { .. })));
                assert_eq!(told, table == Table::Assignments && !in_force.is_empty(), "after {polls} polls");
            }
        }
    }
}
