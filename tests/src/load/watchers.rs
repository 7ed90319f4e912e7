//! What watchers and publishers share while they run: who saw which change, and when.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;

use super::figures::Latencies;
use super::sip;
use super::wire::Connection;

/// Counts of a whole phase.
pub(crate) struct Board {
    pub(crate) began: Instant,
    /// 2xx answers to SUBSCRIBE.
    pub(crate) subscribed: Cell<usize>,
    /// Watchers that got their first NOTIFY.
    pub(crate) greeted: Cell<usize>,
    /// All NOTIFYs.
    pub(crate) notifies: Cell<u64>,
    /// 2xx answers to PUBLISH.
    pub(crate) published: Cell<u64>,
    /// Connections that ended, answers that were no 2xx: none is expected.
    pub(crate) faults: RefCell<Vec<String>>,
    pub(crate) latencies: RefCell<Latencies>,
    /// Woken at each first NOTIFY and each fault.
    pub(crate) changed: Notify,
}

impl Board {
    pub(crate) fn new() -> Rc<Board> {
        Rc::new(Board {
            began: Instant::now(),
            subscribed: Cell::new(0),
            greeted: Cell::new(0),
            notifies: Cell::new(0),
            published: Cell::new(0),
            faults: RefCell::new(Vec::new()),
            latencies: RefCell::default(),
            changed: Notify::new(),
        })
    }

    /// Microseconds since the phase began: the mark that a document carries.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn fault(&self, what: String) {
        self.faults.borrow_mut().push(what);
        self.changed.notify_waiters();
    }
}

/// One presentity: the change under way, and how many of its watchers have seen it.
#[derive(Default)]
pub(crate) struct Presentity {
    pub(crate) uri: String,
    pub(crate) mark: Cell<u64>,
    pub(crate) seen: Cell<usize>,
    /// How many have to see it.
    pub(crate) wanted: Cell<usize>,
    /// Woken when they all have.
    pub(crate) all_saw: Notify,
}

impl Presentity {
    pub(crate) fn new(n: usize) -> Rc<Presentity> {
        Self::named(format!("sip:p{n}@example.com"))
    }

    pub(crate) fn named(uri: String) -> Rc<Presentity> {
        Rc::new(Presentity { uri, ..Presentity::default() })
    }
}

/// Subscribes on `connection` and answers NOTIFYs until the connection ends.
pub(crate) async fn watch(mut connection: Connection, id: usize, of: Rc<Presentity>, board: Rc<Board>) {
    let request = sip::subscribe(id, &of.uri, connection.local);
    Connection::queue(&mut connection.out, request.as_bytes());
    if let Err(e) = connection.flush().await {
        return board.fault(format!("watcher {id}: {e}"));
    }
    let mut greeted = false;
    let mut reply = Vec::new();
    loop {
        let outcome = connection.receive(|message, out| match sip::status(message) {
            Some(200..=299) => board.subscribed.set(board.subscribed.get() + 1),
            Some(status) => board.fault(format!("watcher {id}: SUBSCRIBE was answered {status}")),
            None => {
                sip::answer_200(message, &mut reply);
                Connection::queue(out, &reply);
                board.notifies.set(board.notifies.get() + 1);
                if !greeted {
                    greeted = true;
                    board.greeted.set(board.greeted.get() + 1);
                    board.changed.notify_waiters();
                }
                let mark = sip::mark(message);
                // Who is sent the same state once more, by another policy, has seen it already.
                let awaited = of.seen.get() < of.wanted.get();
                if awaited && mark.is_some_and(|mark| mark == of.mark.get() && mark > 0) {
                    board.latencies.borrow_mut().add(board.now().saturating_sub(of.mark.get()));
                    of.seen.set(of.seen.get() + 1);
                    if of.seen.get() == of.wanted.get() {
                        of.all_saw.notify_waiters();
                    }
                }
            }
        });
        match outcome.await {
            Ok(true) => {}
            Ok(false) => return board.fault(format!("watcher {id}: the server closed")),
            Err(e) => return board.fault(format!("watcher {id}: {e}")),
        }
    }
}

/// A device that publishes for one presentity.
pub(crate) struct Publisher {
    connection: Connection,
    user: usize,
    serial: u64,
}

impl Publisher {
    pub(crate) fn new(connection: Connection, user: usize) -> Publisher {
        Publisher { connection, user, serial: 0 }
    }

    /// Publishes `mark` for `entity`, replacing `etag`; returns the new one.
    pub(crate) async fn publish(
        &mut self,
        entity: &str,
        etag: Option<&str>,
        mark: u64,
    ) -> Result<String, String> {
        self.serial += 1;
        let request = sip::publish(entity, self.user, self.serial, etag, mark);
        self.exchange(request).await
    }

    /// Takes the publication back.
    pub(crate) async fn remove(&mut self, entity: &str, etag: &str) -> Result<(), String> {
        self.serial += 1;
        let request = sip::remove(entity, self.user, self.serial, etag);
        self.exchange(request).await.map(drop)
    }

    /// Sends a PUBLISH and gives the entity-tag of its answer.
    async fn exchange(&mut self, request: String) -> Result<String, String> {
        Connection::queue(&mut self.connection.out, request.as_bytes());
        self.connection.flush().await.map_err(|e| format!("publisher {}: {e}", self.user))?;
        let mut answer = None;
        while answer.is_none() {
            let open = self
                .connection
                .receive(|message, _| match sip::status(message) {
                    Some(200) => {
                        let etag = sip::header(message, "sip-etag").unwrap_or_default();
                        answer = Some(Ok(String::from_utf8_lossy(etag).into_owned()));
                    }
                    Some(100..=199) | None => {}
                    Some(status) => answer = Some(Err(format!("PUBLISH was answered {status}"))),
                })
                .await
                .map_err(|e| format!("publisher {}: {e}", self.user))?;
            if !open {
                return Err(format!("publisher {}: the server closed", self.user));
            }
        }
        answer.unwrap_or_else(|| Err("no answer".into()))
    }
}
