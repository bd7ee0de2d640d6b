//! Counts by address: connections that stand, and calls without a valid token.
//!
//! In IPv6 a customer has a whole /64, so that is the address. Both tables hold only who is there now
//! or failed lately, so an attacker from many addresses fills no memory.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use super::meter::Store;

/// How many addresses that failed lately are remembered.
const FAILED_COUNT_MAX: usize = 10_000;

/// What counts as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            address => Self(address),
        }
    }
}

/// The connections of each address.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<HashMap<Address, usize>>);

/// A place among an address's connections; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    address: Address,
}

impl Connections {
    /// Takes a place, if the address has one left.
    pub(super) fn enter(self: &Arc<Self>, address: Address, count_max: usize) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= count_max {
            return None;
        }
        *count += 1;
        Some(Place { connections: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// The calls without a valid token of each address.
#[derive(Debug)]
pub(super) struct Guesses {
    stores: Mutex<HashMap<Address, Store>>,
    burst: u32,
}

impl Guesses {
    pub(super) fn new(burst: u32) -> Self {
        Self { stores: Mutex::default(), burst }
    }

    /// Notes one; true if the address had too many, of which one a second is forgotten.
    pub(super) fn note(&self, address: Address, now_ms: u64) -> bool {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if stores.len() >= FAILED_COUNT_MAX && !stores.contains_key(&address) {
            stores.retain(|_, store| !store.is_full(now_ms));
            // So many at once are one attacker: all new ones count as one who had too many.
            if stores.len() >= FAILED_COUNT_MAX {
                return true;
            }
        }
        let store = stores.entry(address).or_insert_with(|| Store::full(self.burst, 1));
        !store.take(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_ipv4_stays_what_it_is() {
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    }

    #[test]
    fn an_address_has_its_places_and_no_other_loses_one() {
        let connections = Arc::new(Connections::default());
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let first = connections.enter(one, 2).unwrap();
        let _second = connections.enter(one, 2).unwrap();
        assert!(connections.enter(one, 2).is_none());
        assert!(connections.enter(other, 2).is_some());
        drop(first);
        assert!(connections.enter(one, 2).is_some());
        assert_eq!(connections.0.lock().unwrap().len(), 1, "who left is forgotten");
    }

    #[test]
    fn guesses_are_free_up_to_the_burst_and_then_one_a_second() {
        let guesses = Guesses::new(3);
        let one = address("192.0.2.1");
        let outcomes: Vec<_> = (0..5).map(|_| guesses.note(one, 0)).collect();
        assert_eq!(outcomes, [false, false, false, true, true]);
        assert!(!guesses.note(address("192.0.2.2"), 0), "another address has its own");
        assert!(!guesses.note(one, 1_000));
        assert!(guesses.note(one, 1_000));
    }

    #[test]
    fn an_attacker_of_many_addresses_fills_no_memory() {
        let guesses = Guesses::new(3);
        let nth = |nth: u32| Address(IpAddr::from(nth.to_be_bytes()));
        for one in 0..20_000 {
            guesses.note(nth(one), 0);
        }
        assert_eq!(guesses.stores.lock().unwrap().len(), FAILED_COUNT_MAX);
        assert!(guesses.note(nth(30_000), 0));
        assert!(!guesses.note(nth(30_000), 60_000), "what was long ago is forgotten");
    }
}
