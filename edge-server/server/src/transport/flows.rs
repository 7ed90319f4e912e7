//! The open connections, and what waits to be sent on each.
//!
//! A shard sends by pushing into a flow's outbox and then has the socket take what it takes, which
//! never blocks and spares each message the waking of a task. What a plain socket does not take at
//! once, and all that TLS has to encrypt, is written by the connection's task when the peer reads. The
//! outbox is bounded; a reader that lets it fill costs itself its connection and nobody else anything.

use super::frames::Queue;
use bytes::Bytes;
use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll, ready};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tributary_engine::{Flow, FlowDevice, FlowId, Hop, Packet, Peer, Standing, Transport, labelled};

/// Locks that guard a map or a queue for a few instructions each.
const STRIPES: usize = 64;

labelled! {
    /// Why a connection ends.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum End {
        /// The peer closed, or its connection broke.
        Gone => "gone",
        /// It answered no ping.
        Silent => "silent",
        /// We have opened it, and there is nothing more to say.
        Idle => "idle",
        /// It did not read what was sent.
        Slow => "slow",
        /// It sent too large a message or frame.
        TooLarge => "too_large",
        /// It broke the WebSocket protocol.
        Protocol => "protocol",
        /// It sent text that is not UTF-8.
        NotUtf8 => "not_utf8",
        /// It kept sending what is no SIP.
        Garbage => "garbage",
        /// The state machines asked for it.
        Asked(&'static str) => "asked",
        /// The server stops.
        Shutdown => "shutdown",
    }
}

/// How much may wait for a slow reader. An empty outbox takes any single packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Bytes.
    pub bytes: usize,
    /// Messages.
    pub messages: usize,
}

#[derive(Debug, Default)]
struct Outbox {
    waiting: Queue,
    /// Where it leaves, for whoever holds the lock; none under TLS.
    socket: Option<OwnedWriteHalf>,
    end: Option<End>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Identity {
    authenticated: Option<Standing>,
    device: Option<Arc<FlowDevice>>,
    peer: Option<Arc<Peer>>,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) peer: SocketAddr,
    /// Ours; `None` of one that broke before it could be asked.
    pub(crate) local: Option<SocketAddr>,
}

/// One open connection, shared by its task and the shards.
#[derive(Debug)]
pub struct FlowHandle {
    id: FlowId,
    ends: Ends,
    transport: Transport,
    limits: OutboxLimits,
    outbox: Mutex<Outbox>,
    identity: Mutex<Identity>,
    /// Whether we have opened it; sessions that are held over it then.
    opened: Option<AtomicU32>,
    /// Woken when the outbox has news.
    pub(crate) news: Notify,
}

impl FlowHandle {
    /// The connection's name.
    pub fn id(&self) -> FlowId {
        self.id
    }

    /// The other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.ends.peer
    }

    /// Our end.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.ends.local
    }

    /// The flow as the state machines see it at this moment.
    pub fn flow(&self) -> Flow {
        let identity = lock(&self.identity);
        Flow {
            hop: Hop { flow: self.id, transport: self.transport, peer: self.ends.peer },
            authenticated: identity.authenticated.clone(),
            device: identity.device.clone(),
            peer: identity.peer.clone(),
        }
    }

    /// Puts a packet into the outbox; [`flush`](Self::flush) has to follow. False when the connection
    /// has ended or now ends for being slow.
    pub fn push(&self, packet: Packet) -> bool {
        let mut outbox = lock(&self.outbox);
        if outbox.closed || outbox.end.is_some() {
            return false;
        }
        let room = self.make_sure_of_room(&mut outbox, packet.len());
        if room {
            match self.transport {
                Transport::Ws | Transport::Wss => outbox.waiting.push(packet),
                // Content-Length says where it ends.
                Transport::Tcp | Transport::Tls | Transport::Udp => outbox.waiting.push_bare(packet),
            }
        }
        room
    }

    /// Whether so many bytes more may wait. Where not, the connection ends for being slow.
    fn make_sure_of_room(&self, outbox: &mut Outbox, bytes: usize) -> bool {
        let waiting = &mut outbox.waiting;
        // One packet says nothing about its reader, however large it is.
        let room = waiting.is_empty()
            || (waiting.bytes() + bytes <= self.limits.bytes && waiting.len() < self.limits.messages);
        if !room {
            outbox.end = Some(End::Slow);
            outbox.waiting = Queue::default();
            self.news.notify_one();
        }
        room
    }

    /// Writes what the socket takes now, and leaves the rest to the connection's task.
    pub fn flush(&self) {
        let mut outbox = lock(&self.outbox);
        let Outbox { waiting, socket, .. } = &mut *outbox;
        // A broken socket is the task's to find out.
        let _ = socket.as_ref().map(|socket| waiting.write(|slices| socket.try_write_vectored(slices)));
        let rest = !waiting.is_empty();
        drop(outbox);
        // Whoever counts the silence on a connection of ours has to hear of what is said.
        if rest || self.opened.is_some() {
            self.news.notify_one();
        }
    }

    /// Whether it was opened by us.
    pub(crate) fn is_opened(&self) -> bool {
        self.opened.is_some()
    }

    /// Whether a session is held over it, as far as anybody said so.
    pub(crate) fn is_in_session(&self) -> bool {
        self.opened.as_ref().is_some_and(|sessions| sessions.load(Ordering::Relaxed) > 0)
    }

    /// A session begins or ends over it.
    pub(crate) fn note_session(&self, begun: bool) {
        if let Some(sessions) = &self.opened {
            let change =
                |count: u32| Some(if begun { count.saturating_add(1) } else { count.saturating_sub(1) });
            // The change is always one.
            let _ = sessions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
            self.news.notify_one();
        }
    }

    /// Whether messages can still be sent over it.
    pub(crate) fn is_open(&self) -> bool {
        let outbox = lock(&self.outbox);
        !outbox.closed && outbox.end.is_none()
    }

    /// Puts bytes into the outbox that are a whole frame already. A peer that asks for pongs and does
    /// not read them is slow like any other.
    pub(crate) fn push_framed(&self, bytes: &[u8]) {
        let mut outbox = lock(&self.outbox);
        if self.make_sure_of_room(&mut outbox, bytes.len()) {
            outbox.waiting.push_bare(Packet { head: Bytes::copy_from_slice(bytes), body: Bytes::new() });
        }
    }

    /// Writes all that waits to the plain socket.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut outbox = lock(&self.outbox);
        let Outbox { waiting, socket: Some(socket), .. } = &mut *outbox else {
            return Poll::Ready(Ok(()));
        };
        loop {
            match waiting.write(|slices| socket.try_write_vectored(slices)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(socket.as_ref().poll_write_ready(cx))?;
                }
                result => return Poll::Ready(result),
            }
        }
    }

    /// Gives all that waits to `write`, as much as that takes.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn write_with(
        &self,
        write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        lock(&self.outbox).waiting.write(write)
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn shut_down(&self) {
        // Dropped, the half that writes ends its direction.
        drop(lock(&self.outbox).socket.take());
    }

    /// Asks the connection's task to send what waits and close.
    pub fn end(&self, end: End) {
        let mut outbox = lock(&self.outbox);
        outbox.end.get_or_insert(end);
        drop(outbox);
        self.news.notify_one();
    }

    /// The order to end, if there is one.
    pub(crate) fn ending(&self) -> Option<End> {
        lock(&self.outbox).end
    }

    /// From here on only frames of the connection's own task follow what waits.
    fn close(&self) {
        lock(&self.outbox).closed = true;
    }
}

/// All open connections.
#[derive(Debug)]
pub struct Flows {
    stripes: Vec<RwLock<HashMap<u64, Arc<FlowHandle>>>>,
    next: AtomicU64,
    limits: OutboxLimits,
}

impl Flows {
    /// No connections yet. `first` is the first id; ids are never used twice, also not by a later
    /// process on the same store, so the caller starts each process in a range of its own.
    pub fn new(first: u64, limits: OutboxLimits) -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| RwLock::default()).collect(),
            next: AtomicU64::new(first),
            limits,
        }
    }

    /// Enters a new connection. `socket` is where its messages leave, unless they are to be encrypted.
    pub fn open(
        &self,
        peer: SocketAddr,
        transport: Transport,
        socket: Option<OwnedWriteHalf>,
    ) -> Arc<FlowHandle> {
        self.enter(Ends { peer, local: None }, transport, socket, (None, None))
    }

    /// Enters a new connection, which we have opened or not, to a server that is trusted or not.
    pub(crate) fn enter(
        &self,
        ends: Ends,
        transport: Transport,
        socket: Option<OwnedWriteHalf>,
        (opened, trusted): (Option<AtomicU32>, Option<Arc<Peer>>),
    ) -> Arc<FlowHandle> {
        let id = FlowId(self.next.fetch_add(1, Ordering::Relaxed));
        let handle = Arc::new(FlowHandle {
            id,
            ends,
            transport,
            limits: self.limits,
            outbox: Mutex::new(Outbox { socket, ..Outbox::default() }),
            identity: Mutex::new(Identity { peer: trusted, ..Identity::default() }),
            opened,
            news: Notify::new(),
        });
        let mut stripe = self.stripe(id).write().unwrap_or_else(PoisonError::into_inner);
        stripe.insert(id.0, Arc::clone(&handle));
        handle
    }

    /// Removes a connection that has ended; nothing more is sent to it.
    pub fn remove(&self, handle: &FlowHandle) {
        handle.close();
        let mut stripe = self.stripe(handle.id).write().unwrap_or_else(PoisonError::into_inner);
        stripe.remove(&handle.id.0);
        // A map that was large once need not stay so.
        if stripe.capacity() > 64 && stripe.len() < stripe.capacity() / 4 {
            stripe.shrink_to_fit();
        }
    }

    /// The connection of that name, while it is open.
    pub fn find(&self, id: FlowId) -> Option<Arc<FlowHandle>> {
        self.stripe(id).read().unwrap_or_else(PoisonError::into_inner).get(&id.0).cloned()
    }

    /// Notes whose password was shown over the connection.
    pub fn authenticated(&self, id: FlowId, standing: Standing) {
        if let Some(handle) = self.find(id) {
            lock(&handle.identity).authenticated = Some(standing);
        }
    }

    /// Forgets of every connection that this user's password was shown there: it is another now.
    pub fn password_changed(&self, aor: &str) {
        for stripe in &self.stripes {
            for handle in stripe.read().unwrap_or_else(PoisonError::into_inner).values() {
                lock(&handle.identity).authenticated.take_if(|standing| *standing.aor == *aor);
            }
        }
    }

    /// Notes which device registered over the connection.
    pub fn registered(&self, id: FlowId, device: Arc<FlowDevice>) {
        if let Some(handle) = self.find(id) {
            lock(&handle.identity).device = Some(device);
        }
    }

    /// Asks every connection to end.
    pub fn end_all(&self, end: End) {
        for stripe in &self.stripes {
            for handle in stripe.read().unwrap_or_else(PoisonError::into_inner).values() {
                handle.end(end);
            }
        }
    }

    /// How many messages and bytes wait for readers, of all connections together.
    pub fn waiting(&self) -> (usize, usize) {
        let (mut messages, mut bytes) = (0, 0);
        for stripe in &self.stripes {
            for handle in stripe.read().unwrap_or_else(PoisonError::into_inner).values() {
                let outbox = lock(&handle.outbox);
                messages += outbox.waiting.len();
                bytes += outbox.waiting.bytes();
            }
        }
        (messages, bytes)
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        let count = |stripe: &RwLock<HashMap<u64, _>>| stripe.read().map_or(0, |stripe| stripe.len());
        self.stripes.iter().map(count).sum()
    }

    fn stripe(&self, id: FlowId) -> &RwLock<HashMap<u64, Arc<FlowHandle>>> {
        // STRIPES is not 0, and the remainder is below it.
        &self.stripes[id.0 as usize % STRIPES]
    }
}

/// A panic elsewhere does not make a queue of whole packets wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn packet(length: usize) -> Packet {
        Packet { head: Bytes::from(vec![b'x'; length]), body: Bytes::new() }
    }

    fn flows(bytes: usize, messages: usize) -> (Flows, Arc<FlowHandle>) {
        let flows = Flows::new(7, OutboxLimits { bytes, messages });
        let handle = flows.open("127.0.0.1:1".parse().unwrap(), Transport::Ws, None);
        (flows, handle)
    }

    /// Takes out what waits: the length of each frame without its header of 2 or 4 bytes.
    fn lengths(handle: &FlowHandle) -> Vec<usize> {
        let mut lengths = Vec::new();
        handle
            .write_with(|slices| {
                lengths.extend(slices.chunks(2).map(|frame| frame[1].len()));
                Ok(slices.iter().map(|slice| slice.len()).sum())
            })
            .unwrap();
        lengths
    }

    #[test]
    fn packets_come_out_in_the_order_they_went_in() {
        let (_, handle) = flows(100, 10);
        assert!(handle.push(packet(3)));
        assert!(handle.push(packet(4)));
        assert_eq!(lengths(&handle), [3, 4]);
        assert_eq!(handle.ending(), None);
        assert!(lengths(&handle).is_empty());
    }

    #[test]
    fn a_reader_that_lets_its_outbox_fill_is_ended_and_told_to_nobody_else() {
        for (bytes, messages) in [(10, 100), (1_000, 2)] {
            let (flows, slow) = flows(bytes, messages);
            let other = flows.open("127.0.0.1:2".parse().unwrap(), Transport::Ws, None);
            assert!(slow.push(packet(5)));
            assert!(slow.push(packet(5)));
            assert!(!slow.push(packet(5)));
            assert_eq!(slow.ending(), Some(End::Slow));
            assert!(lengths(&slow).is_empty(), "nothing more is written to it");
            assert!(other.push(packet(5)));
            assert_eq!(other.ending(), None);
        }
    }

    #[test]
    fn a_packet_larger_than_the_bound_goes_when_nothing_waits_and_ends_the_connection_when_something_does() {
        let (_, handle) = flows(10, 10);
        assert!(handle.push(packet(11)));
        assert_eq!(lengths(&handle), [11]);
        assert!(handle.push(packet(1)));
        assert!(!handle.push(packet(11)));
        assert_eq!(handle.ending(), Some(End::Slow));
    }

    #[test]
    fn the_default_bounds_take_a_burst_of_two_thousand_notifications_at_once() {
        let defaults = crate::config::Config::default().websocket;
        let (_, handle) = flows(defaults.output_queue_bytes, defaults.output_queue_messages);
        for _ in 0..2_000 {
            assert!(handle.push(packet(2_000)));
        }
        assert_eq!(lengths(&handle).len(), 2_000);
    }

    #[test]
    fn a_connection_that_has_ended_takes_nothing_and_its_id_is_not_used_again() {
        let (flows, first) = flows(100, 10);
        flows.remove(&first);
        assert!(flows.find(first.id()).is_none());
        assert!(!first.push(packet(1)));
        assert_eq!(flows.count(), 0);
        let second = flows.open("127.0.0.1:1".parse().unwrap(), Transport::Ws, None);
        assert!(second.id() > first.id());
    }
}
