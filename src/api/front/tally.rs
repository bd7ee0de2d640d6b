//! What the front counts: which limits were met, and what is open now.
//!
//! Plain counters, so that whoever exports them needs nothing of the front. An attack meets a limit a
//! hundred thousand times a second; the log says so once in ten seconds a limit, with the number, and
//! never whose call it was.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// How often the log may name one limit.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A limit of the front that somebody met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Limit {
    /// A connection was refused, since there were enough.
    Connections,
    /// A connection was refused, since its address had enough.
    AddressConnections,
    /// A connection could not be taken: the process or the machine is out of files or memory.
    Files,
    /// A TLS handshake took too long.
    HandshakeLate,
    /// A TLS handshake failed.
    HandshakeFailed,
    /// A connection made no call in time.
    FirstCallLate,
    /// A connection sent what no HTTP/2 client sends first.
    Protocol,
    /// A connection sent too many frames that carry nothing.
    IdleFrames,
    /// A connection took too many of its calls back.
    Resets,
    /// A connection changed its settings too often.
    Settings,
    /// A request took too long to arrive.
    RequestLate,
    /// A request was too large.
    RequestSize,
    /// A call took too long to answer.
    CallLate,
    /// A client did not read its answer.
    AnswerLate,
    /// A connection did not take what was sent to it.
    WriteLate,
    /// A call was refused, since there were enough.
    Calls,
    /// A call was refused, since its token had enough.
    TokenCalls,
    /// A pull could not wait, since enough did.
    Waits,
    /// A pull could not wait, since enough of its token did.
    TokenWaits,
    /// The answer to a call without a valid token was held back.
    GuessDelayed,
    /// A connection made nothing but calls without a valid token, and was cut.
    GuessCut,
}

use Limit::{
    AddressConnections, AnswerLate, CallLate, Calls, Connections, Files, FirstCallLate, GuessCut,
    GuessDelayed, HandshakeFailed, HandshakeLate, IdleFrames, Protocol, RequestLate, RequestSize,
    Resets, Settings, TokenCalls, TokenWaits, Waits, WriteLate,
};

impl Limit {
    /// Every limit, in the order of the counters.
    pub const ALL: [Self; 21] = [
        Connections,
        AddressConnections,
        Files,
        HandshakeLate,
        HandshakeFailed,
        FirstCallLate,
        Protocol,
        IdleFrames,
        Resets,
        Settings,
        RequestLate,
        RequestSize,
        CallLate,
        AnswerLate,
        WriteLate,
        Calls,
        TokenCalls,
        Waits,
        TokenWaits,
        GuessDelayed,
        GuessCut,
    ];

    /// Its name for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Connections => "connections",
            AddressConnections => "address_connections",
            Files => "files",
            HandshakeLate => "handshake_late",
            HandshakeFailed => "handshake_failed",
            FirstCallLate => "first_call_late",
            Protocol => "protocol",
            IdleFrames => "idle_frames",
            Resets => "resets",
            Settings => "settings",
            RequestLate => "request_late",
            RequestSize => "request_size",
            CallLate => "call_late",
            AnswerLate => "answer_late",
            WriteLate => "write_late",
            Calls => "calls",
            TokenCalls => "token_calls",
            Waits => "waits",
            TokenWaits => "token_waits",
            GuessDelayed => "guess_delayed",
            GuessCut => "guess_cut",
        }
    }
}

/// What the front counted since it started.
#[derive(Debug)]
pub struct Tally {
    started_at: Instant,
    met: [Met; Limit::ALL.len()],
    connection_count: AtomicI64,
    call_count: AtomicI64,
    wait_count: AtomicI64,
}

#[derive(Debug, Default)]
struct Met {
    count: AtomicU64,
    /// When the log named it last, in milliseconds since the start, and one more; 0: never.
    logged: AtomicU64,
    /// How often it had been met by then.
    count_logged: AtomicU64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            started_at: Instant::now(),
            met: Default::default(),
            connection_count: AtomicI64::new(0),
            call_count: AtomicI64::new(0),
            wait_count: AtomicI64::new(0),
        }
    }
}

impl Tally {
    /// How often each limit was met.
    pub fn limits_met(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().map(|limit| (limit, self.met_count(limit)))
    }

    /// How often a limit was met.
    pub fn met_count(&self, limit: Limit) -> u64 {
        self.met[limit as usize].count.load(Relaxed)
    }

    /// The connections that stand now.
    pub fn connection_count(&self) -> i64 {
        self.connection_count.load(Relaxed)
    }

    /// The calls that are worked on now; health, and pulls that wait, are not among them.
    pub fn call_count(&self) -> i64 {
        self.call_count.load(Relaxed)
    }

    /// The pulls that wait now.
    pub fn wait_count(&self) -> i64 {
        self.wait_count.load(Relaxed)
    }

    /// Notes that a limit was met.
    pub(super) fn note(&self, limit: Limit) {
        let met = &self.met[limit as usize];
        let count = met.count.fetch_add(1, Relaxed) + 1;
        let now = u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX) + 1;
        let logged = met.logged.load(Relaxed);
        let pause = u64::try_from(LOG_EVERY.as_millis()).expect("a short while");
        if logged != 0 && now < logged + pause {
            return;
        }
        if met.logged.compare_exchange(logged, now, Relaxed, Relaxed).is_err() {
            return;
        }
        let since_last = count - met.count_logged.swap(count, Relaxed).min(count);
        let limit = limit.name();
        tracing::warn!(limit, count, since_last, "the front met its limit {limit:?}");
    }

    pub(super) fn connections(&self, change: i64) {
        self.connection_count.fetch_add(change, Relaxed);
    }

    pub(super) fn calls(&self, change: i64) {
        self.call_count.fetch_add(change, Relaxed);
    }

    pub(super) fn waits(&self, change: i64) {
        self.wait_count.fetch_add(change, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_limit_has_a_counter_and_a_name_of_its_own() {
        let tally = Tally::default();
        for (nth, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, nth);
            for _ in 0..=nth {
                tally.note(limit);
            }
        }
        for (limit, count) in tally.limits_met() {
            assert_eq!(count, limit as u64 + 1, "{}", limit.name());
        }
        let names: BTreeSet<_> = Limit::ALL.into_iter().map(Limit::name).collect();
        assert_eq!(names.len(), Limit::ALL.len());
    }
}
