//! How many files the process may hold: each connection is one. Service managers start a process with
//! few and let it ask for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Asks for as many files as are wanted, and gives how many there may be; `None`: any number.
pub(super) fn allow(wanted: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current?;
    let more = maximum.map_or(wanted, |maximum| wanted.min(maximum));
    if more <= current {
        return Some(current);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(more), maximum }) {
        Ok(()) => Some(more),
        Err(_) => Some(current),
    }
}
