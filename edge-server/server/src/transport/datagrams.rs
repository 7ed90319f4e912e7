//! SIP over UDP (RFC 3261 18): sockets that are read and written in batches.
//!
//! ```text
//!   socket --> up to 32 datagrams a system call --> STUN? keep-alive? --> parse --> shard
//!   socket <-- up to 32 datagrams a system call <-- what a shard said in one go
//! ```
//! There are no connections: a flow is a socket and a peer ([`FlowId::of_datagrams`]). What finds a
//! full queue or a full buffer is lost, as any network may lose it; whoever said it says it again.

use super::Services;
use super::peer::{complaint, tag};
use super::rates::Datagram;
use bytes::Bytes;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tributary_engine::{Flow, FlowId, Hop, Packet, Transport};
use tributary_sip::transaction::TransactionId;
use tributary_sip::{Message, Method, Name, ResponseBuilder, Status, stun};

/// Datagrams in one system call.
const BATCH: usize = 32;

/// The largest datagram there is.
const DATAGRAM: usize = 65_536;

/// What the system is asked to hold of what came and was not read yet: a second of a large site's
/// REGISTERs after a power cut. It gives what it allows.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The sockets for datagrams, and what names their flows.
#[derive(Debug)]
pub struct Datagrams {
    sockets: Vec<UdpSocket>,
    secret: [u64; 2],
}

/// A message for a peer.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) socket: u8,
    pub(crate) peer: SocketAddr,
    pub(crate) packet: Packet,
    pub(crate) transaction: Option<TransactionId>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    /// Datagrams that the system took.
    pub(crate) sent: u64,
    /// Datagrams that it had no room for.
    pub(crate) lost: u64,
    /// Those that it refused: no way there, or too large.
    pub(crate) refused: Vec<Option<TransactionId>>,
}

impl Datagrams {
    /// Binds a socket to each address. `secret` names flows, and must be the same after a restart.
    ///
    /// # Errors
    /// The address at fault, with what the system said of it.
    pub fn bind(addresses: &[SocketAddr], secret: [u64; 2]) -> Result<Self, (SocketAddr, io::Error)> {
        let bind = |address: &SocketAddr| bind(*address).map_err(|error| (*address, error));
        Ok(Self { sockets: addresses.iter().map(bind).collect::<Result<_, _>>()?, secret })
    }

    /// How many sockets there are.
    pub fn count(&self) -> u8 {
        // The check of the configuration allows no more than flows can name.
        self.sockets.len().min(usize::from(FlowId::SOCKETS)) as u8
    }

    /// Where the sockets are bound.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }

    /// Where the socket of a flow is bound.
    pub(crate) fn local(&self, socket: u8) -> Option<SocketAddr> {
        self.sockets.get(usize::from(socket))?.local_addr().ok()
    }

    /// The way to a peer that has sent nothing: from the first socket of its address family.
    pub(crate) fn hop_to(&self, peer: SocketAddr) -> Option<Hop> {
        let of_family =
            |socket: &UdpSocket| socket.local_addr().is_ok_and(|own| own.is_ipv4() == peer.is_ipv4());
        let socket = u8::try_from(self.sockets.iter().position(of_family)?).ok()?;
        let flow = FlowId::of_datagrams(socket, peer, self.secret)?;
        Some(Hop { flow, transport: Transport::Udp, peer })
    }

    /// Sends messages, as many as the system takes.
    pub(crate) fn send(&self, letters: &[Letter]) -> Posted {
        let mut posted = Posted::default();
        // Those for one socket stand together nearly always: there is one socket nearly always.
        for run in letters.chunk_by(|one, next| one.socket == next.socket) {
            let Some(first) = run.first() else { continue };
            match self.sockets.get(usize::from(first.socket)) {
                Some(socket) => run.chunks(BATCH).for_each(|batch| send(socket, batch, &mut posted)),
                // A flow from before a restart with fewer sockets.
                None => posted.refused.extend(run.iter().map(|letter| letter.transaction)),
            }
        }
        posted
    }

    /// Reads one socket until `stop` says so.
    pub(crate) async fn serve(
        self: Arc<Self>,
        index: u8,
        services: Arc<Services>,
        mut stop: watch::Receiver<bool>,
    ) {
        let Some(socket) = self.sockets.get(usize::from(index)) else { return };
        // Touched, and so taken, as far as datagrams are long.
        let mut buffers = vec![0; BATCH * DATAGRAM];
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                ready = socket.readable() => if let Err(error) = ready {
                    tracing::error!(%error, index, "a socket for datagrams cannot be read any more");
                    return;
                },
            }
            let came = socket.try_io(Interest::READABLE, || receive(socket, &mut buffers));
            let came = match came {
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => {
                    tracing::debug!(%error, "a datagram could not be read");
                    continue;
                }
            };
            for ((peer, length), buffer) in came.into_iter().zip(buffers.chunks(DATAGRAM)) {
                let Some(peer) = peer else { continue };
                let octets = buffer.get(..length).unwrap_or_default();
                self.hear(index, socket, peer, octets, &services);
            }
        }
    }

    fn hear(&self, index: u8, socket: &UdpSocket, peer: SocketAddr, octets: &[u8], services: &Services) {
        let metrics = &services.metrics;
        let reply = |answer: &[u8]| {
            // What does not leave is lost like any datagram.
            if socket.try_send_to(answer, peer).is_err() {
                crate::metrics::count(&metrics.datagrams_lost, "where", "sending");
            }
        };
        match services.rates.datagram(peer.ip()) {
            Datagram::Taken => {}
            Datagram::Refused(seconds) => {
                return refusal(octets, seconds, services).iter().for_each(|answer| reply(answer));
            }
            Datagram::Dropped => return,
        }
        if stun::is_stun(octets) {
            match stun::answer(octets, peer) {
                Some(answer) => reply(&answer),
                None => drop(metrics.messages_malformed.inc()),
            }
            return;
        }
        // Line ends, blanks and zeros keep a way through a NAT open, and mean no more.
        if octets.iter().all(|octet| matches!(octet, b'\r' | b'\n' | b' ' | 0)) {
            return;
        }
        let Some(flow) = FlowId::of_datagrams(index, peer, self.secret) else { return };
        match Message::parse_with(Bytes::copy_from_slice(octets), &services.streams.message) {
            Ok(message) => {
                let hop = Hop { flow, transport: Transport::Udp, peer };
                let flow = Flow { peer: services.trust.at(peer), ..Flow::new(hop) };
                if services.shards.try_message(flow, message).is_err() {
                    crate::metrics::count(&metrics.datagrams_lost, "where", "queue");
                }
            }
            Err(error) => complaint(&error, flow, metrics).iter().for_each(|answer| reply(answer)),
        }
    }
}

/// The answer to a request that is one too many.
fn refusal(octets: &[u8], seconds: u64, services: &Services) -> Option<Bytes> {
    let request = Message::parse_with(Bytes::copy_from_slice(octets), &services.streams.message).ok()?;
    if !request.is_request() || request.method() == Method::Ack {
        return None;
    }
    let refusal = ResponseBuilder::new(&request, Status::SERVICE_UNAVAILABLE).to_tag(&tag());
    refusal.header(Name::RetryAfter, seconds.to_string()).build().ok()
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and [::] can be had with the same port.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER) {
        tracing::debug!(%error, "the receive buffer stays as it is");
    }
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Reads up to [`BATCH`] datagrams: who sent each, and how long it is.
fn receive(socket: &UdpSocket, buffers: &mut [u8]) -> io::Result<Vec<(Option<SocketAddr>, usize)>> {
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let mut slices: Vec<[IoSliceMut<'_>; 1]> =
        buffers.chunks_mut(DATAGRAM).map(|buffer| [IoSliceMut::new(buffer)]).collect();
    let came = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
    Ok(came.map(|datagram| (datagram.address.as_ref().and_then(address), datagram.bytes)).collect())
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddrV4::new(v4.ip(), v4.port()).into());
    }
    let v6 = storage.as_sockaddr_in6()?;
    Some(SocketAddrV6::new(Ipv6Addr::from(v6.ip().octets()), v6.port(), v6.flowinfo(), v6.scope_id()).into())
}

/// Sends one batch.
fn send(socket: &UdpSocket, mut batch: &[Letter], posted: &mut Posted) {
    while !batch.is_empty() {
        let slices: Vec<[IoSlice<'_>; 2]> = batch
            .iter()
            .map(|letter| [IoSlice::new(&letter.packet.head), IoSlice::new(&letter.packet.body)])
            .collect();
        let peers: Vec<Option<SockaddrStorage>> =
            batch.iter().map(|letter| Some(SockaddrStorage::from(letter.peer))).collect();
        let result = socket.try_io(Interest::WRITABLE, || {
            let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(batch.len(), None);
            let flags = MsgFlags::MSG_DONTWAIT;
            Ok(sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &peers, [], flags)?.count())
        });
        match result {
            Ok(count) => {
                posted.sent += count as u64;
                batch = batch.get(count.max(1)..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                posted.lost += batch.len() as u64;
                return;
            }
            // It is about the first of them.
            Err(error) => {
                let Some((first, rest)) = batch.split_first() else { return };
                tracing::debug!(%error, peer = %first.peer, "a datagram could not be sent");
                posted.refused.push(first.transaction);
                batch = rest;
            }
        }
    }
}
