//! How many connections there may be, in all and from one address.

use super::Rates;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tributary_engine::labelled;

/// Counts connections. Clones share the counts.
#[derive(Clone, Debug)]
pub struct Admission {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    total: u32,
    per_address: u32,
    rates: Option<Arc<Rates>>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// Holds one connection's place until it is dropped.
#[derive(Debug)]
pub struct Place {
    address: IpAddr,
    shared: Arc<Shared>,
}

labelled! {
    /// Why there is no place.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Full {
        /// `websocket.max_connections` is reached.
        Total => "full",
        /// `websocket.connections_per_address` is reached.
        Address => "address_full",
        /// `overload.connections_per_address` is reached: too many were opened lately.
        Rate => "address_rate",
    }
}

impl Admission {
    /// Limits of 0 are none. `rates` say how often an address may come.
    pub fn new(total: u32, per_address: u32, rates: Option<Arc<Rates>>) -> Self {
        let no_limit = |limit: u32| if limit == 0 { u32::MAX } else { limit };
        let shared = Shared {
            total: no_limit(total),
            per_address: no_limit(per_address),
            rates,
            counts: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes a place for a connection from `address`.
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn enter(&self, address: IpAddr) -> Result<Place, Full> {
        if self.shared.rates.as_ref().is_some_and(|rates| !rates.opens(address)) {
            return Err(Full::Rate);
        }
        let mut counts = self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.shared.total {
            return Err(Full::Total);
        }
        let here = counts.by_address.entry(address).or_default();
        if *here >= self.shared.per_address {
            return Err(Full::Address);
        }
        *here += 1;
        counts.total += 1;
        Ok(Place { address, shared: Arc::clone(&self.shared) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(here) = counts.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_full_leaves_room_for_others_until_all_is_full() {
        let admission = Admission::new(3, 2, None);
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = admission.enter(a).unwrap();
        let _second = admission.enter(a).unwrap();
        assert_eq!(admission.enter(a).unwrap_err(), Full::Address);
        let _third = admission.enter(b).unwrap();
        assert_eq!(admission.enter(b).unwrap_err(), Full::Total);
        drop(first);
        admission.enter(b).unwrap();
    }

    #[test]
    fn zero_is_no_limit_and_addresses_without_connections_are_forgotten() {
        let admission = Admission::new(0, 0, None);
        let places: Vec<Place> = (0..100).map(|_| admission.enter([127, 0, 0, 1].into()).unwrap()).collect();
        drop(places);
        assert!(admission.shared.counts.lock().unwrap().by_address.is_empty());
    }
}
