//! The front of the door: takes connections, and lets nobody use up what belongs to all.
//!
//! ```text
//!   listener ── places for connections, in all and by address
//!   connection ── TLS and its handshake, deadlines, goodbye
//!   guarded, meter ── the bytes: floods and clients that read nothing
//!   stream, request ── one call: the pieces of its request and of its answer
//!   door ── its deadline, its panic, guesses of tokens
//!   (gate: who calls)
//!   admission ── places for calls and for waits, in all and by token
//! ```
//!
//! The HTTP/2 and gRPC libraries leave open how long a silent client may stay, how many pings are
//! answered and how many calls wait; here each has a number in [`Limits`] and a count in [`Tally`].

mod address;
mod admission;
mod connection;
mod door;
mod files;
mod guarded;
mod limits;
mod listener;
mod meter;
mod methods;
mod request;
mod stream;
mod tally;
mod tls;

use std::sync::Arc;

use tokio::time::Instant;

use address::Guesses;
use methods::Methods;
use tls::Tls;

pub(super) use admission::{Admission, wait_apart};
pub use door::Peer;
pub use limits::{Deadlines, FrameLimits, Limits};
pub(super) use listener::serve;
pub use tally::{Limit, Tally};
pub use tls::{TlsError, TlsFiles, Transport};

/// How the front is set up.
#[derive(Clone, Debug, Default)]
pub struct FrontOptions {
    /// How connections are kept from being read.
    pub transport: Transport,
    /// What is allowed, and for how long.
    pub limits: Limits,
    /// Where it is counted.
    pub tally: Arc<Tally>,
}

/// Why the front turned a call away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The node has as many calls as it can work on.
    #[error("the node has too much to do; try again soon")]
    Overloaded,
    /// The token has as many calls open as it may.
    #[error("this token has too many calls open; try again when one has ended")]
    TokenBusy,
    /// As many pulls wait as may.
    #[error("too many pulls wait for a lead; pull again soon")]
    WaitsFull,
    /// As many pulls of this token wait as may.
    #[error("too many pulls of this token wait for a lead; let one end first")]
    TokenWaitsFull,
    /// The request did not arrive in time.
    #[error("the request took too long to arrive")]
    RequestLate,
    /// The request is too long.
    #[error("the request is too long: this method takes at most {length_max} bytes")]
    RequestSize {
        /// The most that this method takes, in bytes.
        length_max: usize,
    },
    /// The answer was not there in time.
    #[error("the call took too long")]
    CallLate,
    /// The call panicked.
    #[error("the call failed inside the node")]
    Panicked,
}

/// What all connections share.
struct Front {
    limits: Limits,
    tally: Arc<Tally>,
    tls: Option<Arc<Tls>>,
    is_behind_proxy: bool,
    methods: Methods,
    guesses: Guesses,
    started_at: Instant,
}

impl Front {
    fn new(options: FrontOptions) -> Result<Self, TlsError> {
        let FrontOptions { transport, limits, tally } = options;
        let is_behind_proxy = transport == Transport::ByProxy;
        let tls = match transport {
            Transport::Tls(files) => Some(Arc::new(Tls::load(files)?)),
            Transport::Loopback | Transport::ByProxy => None,
        };
        Ok(Self {
            guesses: Guesses::new(limits.guess_count_max),
            limits,
            tally,
            tls,
            is_behind_proxy,
            methods: Methods::of_api(),
            started_at: Instant::now(),
        })
    }
}
