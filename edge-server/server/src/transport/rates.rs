//! How many messages an address and a connection may send, and how many connections an address may open.
//!
//! Whoever sends too much over a connection is read more slowly: that costs neither an answer nor the
//! message, and TCP tells the sender. Datagrams are read all the same, so that those beyond the rate are
//! answered 503 (RFC 3261 21.5.4) while there are few of them, and then dropped unread.

use crate::clock::Clock;
use crate::config::Overload;
use crate::metrics::{Metrics, count};
use crate::network::Network;
use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tributary_engine::Rate;
use tributary_engine::rate::{Bucket, Buckets, network};

/// Locks that each guard the buckets of some addresses.
const STRIPES: usize = 16;

/// Of so many datagrams that an address sends beyond its rate one is answered.
const UNANSWERED: u32 = 10;

/// The rates, and what is left of them to whom.
#[derive(Debug)]
pub struct Rates {
    connection: Rate,
    address: Rate,
    refusals: Rate,
    openings: Rate,
    exempt: Vec<Network>,
    clock: Clock,
    metrics: Metrics,
    stripes: Vec<Mutex<Stripe>>,
}

#[derive(Debug)]
struct Stripe {
    messages: Buckets<u64, RandomState>,
    refusals: Buckets<u64, RandomState>,
    openings: Buckets<u64, RandomState>,
    lines: Buckets<u64, RandomState>,
}

/// Lines in the log about one address.
const LINES: Rate = Rate { per_second: 1, burst: 10 };

/// What is to be done with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Datagram {
    Taken,
    /// Answered 503: its sender may come again after so many seconds.
    Refused(u64),
    Dropped,
}

impl Rates {
    /// Everybody may do what `settings` say.
    pub fn new(settings: &Overload, clock: Clock, metrics: Metrics) -> Self {
        let most = settings.addresses as usize / STRIPES;
        let buckets = || Buckets::new(most.max(1), RandomState::new());
        let stripe =
            || Stripe { messages: buckets(), refusals: buckets(), openings: buckets(), lines: buckets() };
        let rate = |per_second, burst| Rate { per_second, burst };
        let address = rate(settings.messages_per_address, settings.messages_per_address_burst);
        let tenth = |number: u32| number.div_ceil(UNANSWERED);
        Self {
            connection: rate(settings.messages_per_connection, settings.messages_per_connection_burst),
            address,
            refusals: rate(tenth(address.per_second), tenth(address.burst)),
            openings: rate(settings.connections_per_address, settings.connections_per_address_burst),
            // The check of the configuration has let nothing else in.
            exempt: settings.exempt.iter().filter_map(|text| Network::parse(text)).collect(),
            clock,
            metrics,
            stripes: (0..STRIPES).map(|_| Mutex::new(stripe())).collect(),
        }
    }

    /// How long a message that has just been read from `address` has to wait; `connection` is what is
    /// left to its connection.
    pub(crate) fn wait(&self, address: IpAddr, connection: &mut Bucket) -> Option<Duration> {
        if self.is_exempt(address) {
            return None;
        }
        let now = self.clock.now();
        let own = connection.reserve(self.connection, now);
        let key = network(address);
        let shared = {
            let mut stripe = self.stripe(key);
            let shared = stripe.messages.reserve(key, self.address, now);
            self.tell_crowd(&stripe.messages, key);
            shared
        };
        let why = if own >= shared { "connection_rate" } else { "address_rate" };
        let wait = u64::try_from(own.max(shared)).ok().filter(|wait| *wait > 0)?;
        count(&self.metrics.turned_away, "why", why);
        Some(Duration::from_millis(wait))
    }

    /// Whether a datagram from `address` is read.
    pub(crate) fn datagram(&self, address: IpAddr) -> Datagram {
        if self.is_exempt(address) {
            return Datagram::Taken;
        }
        let now = self.clock.now();
        let key = network(address);
        let mut stripe = self.stripe(key);
        let taken = stripe.messages.take(key, self.address, now);
        self.tell_crowd(&stripe.messages, key);
        let Err(wait) = taken else { return Datagram::Taken };
        count(&self.metrics.turned_away, "why", "address_rate");
        match stripe.refusals.take(key, self.refusals, now) {
            Ok(()) => Datagram::Refused(u64::try_from(wait).unwrap_or_default().div_ceil(1_000).max(1)),
            Err(_) => Datagram::Dropped,
        }
    }

    /// Whether `address` may open a connection.
    pub(crate) fn opens(&self, address: IpAddr) -> bool {
        if self.is_exempt(address) {
            return true;
        }
        let key = network(address);
        let mut stripe = self.stripe(key);
        let taken = stripe.openings.take(key, self.openings, self.clock.now());
        self.tell_crowd(&stripe.openings, key);
        taken.is_ok()
    }

    /// Whether what went wrong with `address` is worth a line in the log, where nobody who fails at will
    /// is to fill it.
    pub(crate) fn is_worth_a_line(&self, address: IpAddr) -> bool {
        let key = network(address);
        self.stripe(key).lines.take(key, LINES, self.clock.now()).is_ok()
    }

    /// Counts it when there are too many addresses for one to be counted by itself.
    fn tell_crowd(&self, buckets: &Buckets<u64, RandomState>, key: u64) {
        if buckets.shares(&key) {
            count(&self.metrics.limit_reached, "limit", "overload.addresses");
        }
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(address))
    }

    fn stripe(&self, key: u64) -> MutexGuard<'_, Stripe> {
        // STRIPES is not 0, and the remainder is below it. A panic elsewhere leaves buckets whole.
        let stripe = &self.stripes[(key ^ key >> 32) as usize % STRIPES];
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Exposition;

    fn rates() -> Rates {
        let settings = Overload {
            messages_per_address: 1,
            messages_per_address_burst: 4,
            messages_per_connection: 1,
            messages_per_connection_burst: 2,
            connections_per_address: 1,
            connections_per_address_burst: 3,
            ..Overload::default()
        };
        Rates::new(&settings, Clock::default(), Exposition::default().metrics)
    }

    #[test]
    fn the_log_has_a_few_lines_about_an_address_and_of_every_address_the_first() {
        let rates = rates();
        let lines = |address| (0..30).filter(|_| rates.is_worth_a_line(address)).count();
        assert_eq!((lines(HERE), lines(THERE)), (10, 10));
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_connection_that_sends_too_much_waits_for_itself_and_with_the_others_of_its_address() {
        let rates = rates();
        let waits = |address, times, bucket: &mut Bucket| {
            (0..times).filter(|_| rates.wait(address, bucket).is_some()).count()
        };
        assert_eq!(waits(HERE, 3, &mut Bucket::default()), 1);
        assert_eq!(waits(HERE, 2, &mut Bucket::default()), 1, "the address has had its four");
        assert_eq!(waits(THERE, 2, &mut Bucket::default()), 0);
        assert_eq!(waits(IpAddr::from([127, 0, 0, 1]), 100, &mut Bucket::default()), 0);
    }

    #[test]
    fn datagrams_beyond_the_rate_are_refused_while_they_are_few_and_then_dropped() {
        let rates = rates();
        let came: Vec<_> = (0..7).map(|_| rates.datagram(HERE)).collect();
        assert_eq!(came[..4], [Datagram::Taken; 4]);
        assert_eq!(came[4..], [Datagram::Refused(1), Datagram::Dropped, Datagram::Dropped]);
        assert_eq!(rates.datagram(THERE), Datagram::Taken);
    }

    #[test]
    fn an_address_opens_so_many_connections_at_once() {
        let rates = rates();
        let opened: Vec<_> = (0..4).map(|_| rates.opens(HERE)).collect();
        assert_eq!(opened, [true, true, true, false]);
        assert!(rates.opens(THERE));
    }
}
