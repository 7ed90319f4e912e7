//! The open connections, and what waits to be sent on each.
//!
//! A shard sends by pushing into a flow's outbox, which never blocks: the connection's task writes
//! when the peer reads. The outbox is bounded; a reader that lets it fill costs itself its
//! connection and nobody else anything.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::Notify;
use tributary_engine::{Flow, FlowDevice, FlowId, Packet, Transport};

/// Locks that guard a map or a queue for a few instructions each.
const STRIPES: usize = 64;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed, or its connection broke.
    Gone,
    /// It answered no ping.
    Silent,
    /// It did not read what was sent.
    Slow,
    /// It sent too large a message or frame.
    TooLarge,
    /// It broke the WebSocket protocol.
    Protocol,
    /// It kept sending what is no SIP.
    Garbage,
    /// The state machines asked for it.
    Asked(&'static str),
    /// The server stops.
    Shutdown,
}

impl End {
    /// The label of the metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::TooLarge => "too_large",
            Self::Protocol => "protocol",
            Self::Garbage => "garbage",
            Self::Asked(_) => "asked",
            Self::Shutdown => "shutdown",
        }
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
    packets: VecDeque<Packet>,
    bytes: usize,
    end: Option<End>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Identity {
    authenticated: Option<Arc<str>>,
    device: Option<Arc<FlowDevice>>,
}

/// One open connection, shared by its task and the shards.
#[derive(Debug)]
pub struct FlowHandle {
    id: FlowId,
    peer: SocketAddr,
    transport: Transport,
    limits: OutboxLimits,
    outbox: Mutex<Outbox>,
    identity: Mutex<Identity>,
    /// Woken when the outbox has news.
    pub(crate) news: Notify,
}

impl FlowHandle {
    /// The connection's name.
    pub fn id(&self) -> FlowId {
        self.id
    }

    /// The flow as the state machines see it at this moment.
    pub fn flow(&self) -> Flow {
        let identity = lock(&self.identity);
        Flow {
            id: self.id,
            peer: self.peer,
            transport: self.transport,
            authenticated: identity.authenticated.clone(),
            device: identity.device.clone(),
        }
    }

    /// Hands a packet over. False when the connection has ended or now ends for being slow.
    pub fn push(&self, packet: Packet) -> bool {
        let mut outbox = lock(&self.outbox);
        if outbox.closed || outbox.end.is_some() {
            return false;
        }
        outbox.bytes += packet.len();
        let full = outbox.bytes > self.limits.bytes || outbox.packets.len() >= self.limits.messages;
        // One packet says nothing about its reader, however large it is.
        if full && !outbox.packets.is_empty() {
            outbox.end = Some(End::Slow);
            outbox.packets = VecDeque::new();
            drop(outbox);
            self.news.notify_one();
            return false;
        }
        outbox.packets.push_back(packet);
        let first = outbox.packets.len() == 1;
        drop(outbox);
        if first {
            self.news.notify_one();
        }
        true
    }

    /// Asks the connection's task to send what waits and close.
    pub fn end(&self, end: End) {
        let mut outbox = lock(&self.outbox);
        outbox.end.get_or_insert(end);
        drop(outbox);
        self.news.notify_one();
    }

    /// Takes everything that waits, and the order to end if there is one.
    pub(crate) fn take(&self) -> (VecDeque<Packet>, Option<End>) {
        let mut outbox = lock(&self.outbox);
        outbox.bytes = 0;
        // The queue's room goes with it: an idle connection holds none.
        (std::mem::take(&mut outbox.packets), outbox.end)
    }

    /// Whether the task must stop writing at once.
    pub(crate) fn is_slow(&self) -> bool {
        lock(&self.outbox).end == Some(End::Slow)
    }

    fn close(&self) {
        let mut outbox = lock(&self.outbox);
        outbox.closed = true;
        outbox.packets = VecDeque::new();
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

    /// Enters a new connection.
    pub fn open(&self, peer: SocketAddr, transport: Transport) -> Arc<FlowHandle> {
        let id = FlowId(self.next.fetch_add(1, Ordering::Relaxed));
        let handle = Arc::new(FlowHandle {
            id,
            peer,
            transport,
            limits: self.limits,
            outbox: Mutex::default(),
            identity: Mutex::default(),
            news: Notify::new(),
        });
        let mut stripe = self.stripe(id).write().unwrap_or_else(PoisonError::into_inner);
        stripe.insert(id.0, Arc::clone(&handle));
        handle
    }

    /// Removes a connection that has ended; what waits for it is dropped.
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

    /// Hands a packet to a connection. False when it is gone or too slow.
    pub fn send(&self, id: FlowId, packet: Packet) -> bool {
        let stripe = self.stripe(id).read().unwrap_or_else(PoisonError::into_inner);
        stripe.get(&id.0).is_some_and(|handle| handle.push(packet))
    }

    /// Notes whose password was shown over the connection.
    pub fn authenticated(&self, id: FlowId, aor: Arc<str>) {
        if let Some(handle) = self.find(id) {
            lock(&handle.identity).authenticated = Some(aor);
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
        let handle = flows.open("127.0.0.1:1".parse().unwrap(), Transport::Ws);
        (flows, handle)
    }

    #[test]
    fn packets_come_out_in_the_order_they_went_in() {
        let (flows, handle) = flows(100, 10);
        assert!(flows.send(handle.id(), packet(3)));
        assert!(flows.send(handle.id(), packet(4)));
        let (packets, end) = handle.take();
        assert_eq!(packets.iter().map(Packet::len).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(end, None);
        assert!(handle.take().0.is_empty());
    }

    #[test]
    fn a_reader_that_lets_its_outbox_fill_is_ended_and_told_to_nobody_else() {
        for (bytes, messages) in [(10, 100), (1_000, 2)] {
            let (flows, slow) = flows(bytes, messages);
            let other = flows.open("127.0.0.1:2".parse().unwrap(), Transport::Ws);
            assert!(flows.send(slow.id(), packet(5)));
            assert!(flows.send(slow.id(), packet(5)));
            assert!(!flows.send(slow.id(), packet(5)));
            assert!(slow.is_slow());
            assert!(slow.take().0.is_empty(), "nothing more is written to it");
            assert!(flows.send(other.id(), packet(5)));
            assert!(!other.is_slow());
        }
    }

    #[test]
    fn a_packet_larger_than_the_bound_goes_when_nothing_waits_and_ends_the_connection_when_something_does() {
        let (flows, handle) = flows(10, 10);
        assert!(flows.send(handle.id(), packet(11)));
        assert_eq!(handle.take().0.len(), 1);
        assert!(flows.send(handle.id(), packet(1)));
        assert!(!flows.send(handle.id(), packet(11)));
        assert!(handle.is_slow());
    }

    #[test]
    fn the_default_bounds_take_a_burst_of_two_thousand_notifications_at_once() {
        let defaults = crate::config::Config::default().websocket;
        let (flows, handle) = flows(defaults.output_queue_bytes, defaults.output_queue_messages);
        for _ in 0..2_000 {
            assert!(flows.send(handle.id(), packet(2_000)));
        }
        assert_eq!(handle.take().0.len(), 2_000);
    }

    #[test]
    fn a_connection_that_has_ended_takes_nothing_and_its_id_is_not_used_again() {
        let (flows, first) = flows(100, 10);
        flows.remove(&first);
        assert!(!flows.send(first.id(), packet(1)));
        assert!(!first.push(packet(1)));
        assert_eq!(flows.count(), 0);
        let second = flows.open("127.0.0.1:1".parse().unwrap(), Transport::Ws);
        assert!(second.id() > first.id());
    }
}
