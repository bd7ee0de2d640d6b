//! The use cases: what reps, marketing and managers do. The only writers of the store.
//!
//! The queue proposes and the store decides. Every commit passes by the follower, in
//! order and before it is answered, so the index never lags behind what a client was told. What
//! changes something runs apart from the request that asked for it: a client that hangs up leaves
//! nothing half done.

mod backup;
mod callback;
mod caps;
mod duties;
mod engage;
mod error;
mod explain;
mod fit;
mod follower;
mod hours;
mod inquiry;
mod intake;
mod keeping;
mod last_resort;
mod late;
mod learning;
mod leases;
mod measures;
mod mend;
mod missed;
mod news;
mod obstacle;
mod outcome;
mod own;
mod passes;
mod passing;
mod places;
mod publish;
mod pull;
mod quality;
mod ranking;
mod renew;
mod roster;
mod rulebook;
mod seats;
mod second_look;
mod settings;
mod sweep;
mod tending;
mod touch;
mod transfer;
mod unroutable;
mod verdicts;
mod waiting;
mod words;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::domain::{LeaseToken, QueueKey};
use crate::failpoint;
use crate::queue::LeadQueue;
use crate::store::Store;

use duties::Duties;
use follower::Follower;
use hours::HoursBoard;
use keeping::Keeping;
use mend::Mended;
use news::Listener;
use roster::Roster;
use sweep::Rung;
use verdicts::Verdicts;

pub use duties::Among;
pub use engage::NewEngagement;
pub use error::{DialerError, FieldProblem};
pub use intake::OWNER_FIELD;
pub use measures::{DialerMetrics, IndexState, QueueCensus};
pub use obstacle::{KeptFor, LeadExplanation, Obstacle, RepObstacle};
pub use outcome::NewOutcome;
pub use quality::{OwedQuality, RateLead};
pub use sweep::Rest;
pub use transfer::TransferredLead;
pub use unroutable::{Unroutable, UnroutableLead, UnroutablePage};
pub use verdicts::Forbidden;
pub use words::{
    CallbackTime, CallbacksFor, CampaignView, CheckedRules, NewLead, NewTouch, Nothing, Opening,
    Peek, Peeked, PromisedCallback, PublishRules, Pull, Pulled, QueueView, Recorded, ReleaseLease,
    Released, RenewLease, Renewed, RepSettings, RepView, RuleVersionView, Served, Why,
};

/// The longest that a pull waits for a lead to appear.
pub const WAIT_MS_MAX: i64 = 60_000;
/// How many touches of a lead's story an answer holds.
pub const STORY_LENGTH_MAX: usize = 20;
/// How many candidates one pull looks at before it asks to be tried again.
pub const CANDIDATE_COUNT_MAX: usize = 64;

/// Where lease tokens come from: 128 random bits each.
pub type TokenSource = Arc<dyn Fn() -> LeaseToken + Send + Sync>;

/// Lease tokens from the operating system's random source.
pub fn random_tokens() -> TokenSource {
    Arc::new(|| {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("the operating system gives random bits");
        LeaseToken(bits)
    })
}

/// The use cases of one node. Clones share everything.
#[derive(Clone)]
pub struct Dialer {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    follower: Arc<Follower>,
    tokens: TokenSource,
    hours: HoursBoard,
    verdicts: Verdicts,
    duties: Duties,
    /// Held while a setting is stored and taken over: two changes of one must not pass each other.
    settings_turn: tokio::sync::Mutex<()>,
    /// Whether the node stops: nobody waits for a lead any more.
    leaving: watch::Sender<bool>,
    mended: Mended,
    keeping: Keeping,
    rung: Rung,
    /// When it was last looked for what nobody fills.
    looked: Rung,
    /// Held while a ranking begins.
    beginning: tokio::sync::Mutex<()>,
    /// Queues whose waiting pulls are about to be told to look again.
    ringing: Mutex<BTreeSet<QueueKey>>,
    /// The number of the settings that were read; held while they are read again.
    settings_read: tokio::sync::Mutex<i64>,
    settings_number: watch::Sender<i64>,
    metrics: DialerMetrics,
}

impl Dialer {
    /// Reads the roster, builds the index of every queue from the store unless it is shared and built,
    /// and follows the store from here on. Ready when it returns.
    pub async fn start(
        store: Arc<dyn Store>,
        queue: Arc<dyn LeadQueue>,
        clock: Arc<dyn Clock>,
        tokens: TokenSource,
        among: Among,
    ) -> Result<Self, DialerError> {
        let settings_number = store.settings_number().await?;
        let roster = Roster::load(store.roster().await?);
        let metrics = DialerMetrics::default();
        let follower =
            Arc::new(Follower::new(clock, store.clone(), queue, roster, metrics.clone()));
        let parts = Parts {
            store,
            follower,
            tokens,
            hours: HoursBoard::default(),
            verdicts: Verdicts::default(),
            duties: Duties::new(among),
            settings_turn: tokio::sync::Mutex::default(),
            leaving: watch::Sender::new(false),
            mended: Mended::default(),
            keeping: Keeping::default(),
            rung: Rung::default(),
            looked: Rung::default(),
            beginning: tokio::sync::Mutex::default(),
            ringing: Mutex::default(),
            settings_read: tokio::sync::Mutex::new(settings_number),
            settings_number: watch::Sender::new(settings_number),
            metrics,
        };
        let dialer = Self { parts: Arc::new(parts) };
        let passes = dialer.parts.store.passes(dialer.now()).await?;
        dialer.parts.follower.passes.note(&passes);
        if dialer.parts.duties.is_alone() {
            dialer.build_index().await?;
            dialer.parts.keeping.begin(dialer.roster().reps_unsorted().into_iter(), dialer.now());
            dialer.parts.store.follow(Arc::new(Listener::of(&dialer)));
            return Ok(dialer);
        }
        // What others do while this node joins them is news already.
        dialer.begin_rules().await?;
        dialer.parts.store.follow(Arc::new(Listener::of(&dialer)));
        dialer.join_index().await?;
        Ok(dialer)
    }

    /// Ends every pull that waits for a lead to appear, and lets none wait from here on.
    pub fn end_waits(&self) {
        self.parts.leaving.send_replace(true);
    }

    /// The instant that decides: the node's clock.
    pub fn now(&self) -> i64 {
        self.parts.follower.clock.now()
    }

    fn roster(&self) -> &Roster {
        &self.parts.follower.roster
    }

    fn queue_index(&self) -> &dyn LeadQueue {
        self.parts.follower.queue.as_ref()
    }

    /// Runs a change apart from the request's future: dropping the request does not drop the change.
    async fn apart<T: Send + 'static>(change: impl Future<Output = T> + Send + 'static) -> T {
        let done = tokio::spawn(change.in_current_span()).await;
        failpoint::reach("dialer.before-answer");
        match done {
            Ok(answer) => answer,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        }
    }

    /// Runs heavy reading and reckoning away from the network's thread.
    async fn in_back_room<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = tokio::runtime::Handle::current();
        let work = work.in_current_span();
        match tokio::task::spawn_blocking(move || runtime.block_on(work)).await {
            Ok(answer) => answer,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        }
    }
}
