//! One connection from its first byte to its last: the TLS handshake, HTTP/2, and the reasons to end it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codegen::{Service, http};

use super::Front;
use super::address::{Address, Place};
use super::door::{Door, Step};
use super::guarded::{Guarded, Wire};
use super::limits::Deadlines;
use super::stream::StreamExecutor;
use super::tally::Limit;

/// How much of one request a client may send before it is read.
const STREAM_WINDOW: u32 = 256 * 1_024;
/// How much of all its requests together.
const CONNECTION_WINDOW: u32 = 1_024 * 1_024;
/// How often a connection that is to end is looked at, and how long one may say goodbye that was cut.
const LEAVING_EVERY: Duration = Duration::from_secs(1);

/// What is known of a connection while it stands.
#[derive(Debug)]
pub(super) struct Vitals {
    started_at: Instant,
    has_called: AtomicBool,
    stream_count: AtomicU32,
    /// When the last stream ended, in milliseconds since the start.
    idle_since_ms: AtomicU64,
    /// The calls without a valid token since the last one that had one.
    guess_row: AtomicU32,
    cut: Notify,
}

impl Default for Vitals {
    fn default() -> Self {
        Self {
            started_at: Instant::now(),
            has_called: AtomicBool::new(false),
            stream_count: AtomicU32::new(0),
            idle_since_ms: AtomicU64::new(0),
            guess_row: AtomicU32::new(0),
            cut: Notify::new(),
        }
    }
}

impl Vitals {
    pub(super) fn opened(&self) {
        self.has_called.store(true, Relaxed);
        self.stream_count.fetch_add(1, Relaxed);
    }

    pub(super) fn closed(&self) {
        let now_ms = u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.idle_since_ms.store(now_ms, Relaxed);
        self.stream_count.fetch_sub(1, Relaxed);
    }

    pub(super) fn stream_count(&self) -> u32 {
        self.stream_count.load(Relaxed)
    }

    /// Notes a call without a valid token, and gives how many there were in a row.
    pub(super) fn guessed(&self) -> u32 {
        self.guess_row.fetch_add(1, Relaxed) + 1
    }

    /// Notes a call with a valid token.
    pub(super) fn knew(&self) {
        self.guess_row.store(0, Relaxed);
    }

    /// Ends the connection soon, whatever it still has open.
    pub(super) fn cut(&self) {
        self.cut.notify_one();
    }

    /// No call is open, and none was a moment ago: nothing that was answered is still on its way.
    fn is_quiet(&self, now: Instant) -> bool {
        self.stream_count() == 0 && now >= self.idle_since() + LEAVING_EVERY
    }

    fn idle_since(&self) -> Instant {
        self.started_at + Duration::from_millis(self.idle_since_ms.load(Relaxed))
    }

    /// What is to be done now, and when to ask again.
    fn review(&self, now: Instant, deadlines: &Deadlines) -> Review {
        let first_until = self.started_at + deadlines.first_call_within;
        if !self.has_called.load(Relaxed) {
            return if now >= first_until { Review::Late } else { Review::Stay(first_until) };
        }
        let old_at = deadlines.age_max.map(|age| self.started_at + age);
        if old_at.is_some_and(|old_at| now >= old_at) {
            return Review::Leave;
        }
        let idle_until = match self.stream_count() {
            0 => self.idle_since() + deadlines.idle_within,
            _ => now + deadlines.idle_within,
        };
        if now >= idle_until {
            return Review::Leave;
        }
        Review::Stay(old_at.map_or(idle_until, |old_at| old_at.min(idle_until)))
    }
}

/// What a look at a connection says.
#[derive(Debug, PartialEq, Eq)]
enum Review {
    /// It may stay; look again then.
    Stay(Instant),
    /// It made no call in time.
    Late,
    /// It has been here long enough: let it end its calls and go.
    Leave,
}

/// How a connection is going to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Standing,
    /// It was told to go, and may end its calls until then.
    Leaving(Instant),
    /// It is gone at the next look.
    Cut,
}

/// A connection that was taken.
pub(super) struct Taken {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// Its place among those of its address; held as long as it stands.
    pub(super) place: Option<Place>,
}

/// Serves a connection until it ends.
pub(super) async fn run<S>(
    front: Arc<Front>,
    taken: Taken,
    service: S,
    stopping: watch::Receiver<bool>,
) where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let Taken { stream, peer, place: _place } = taken;
    let _count = Counted::new(&front);
    // Without it a lone call takes 88 ms: the kernel holds the end of an answer back until the client
    // has confirmed its beginning. A connection that refuses the option is gone.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some(wire) = wire(&front, stream).await else { return };
    let vitals = Arc::new(Vitals::default());
    let executor = StreamExecutor {
        vitals: vitals.clone(),
        tally: front.tally.clone(),
        answer_piece_within: front.limits.deadlines.answer_piece_within,
        stream_answer_piece_within: front.limits.deadlines.stream_answer_piece_within,
    };
    let (address, front_too) = (Address::from(peer.ip()), front.clone());
    let step = Step { vitals: vitals.clone(), peer, address, front: front_too };
    let door = Door { service, step: Arc::new(step) };
    let io = TokioIo::new(Guarded::new(wire, &front.limits, front.tally.clone()));
    let connection = builder(&front, executor).serve_connection(io, door);
    drive(connection, &front, &vitals, stopping).await;
}

fn builder(front: &Front, executor: StreamExecutor) -> http2::Builder<StreamExecutor> {
    let (limits, deadlines) = (&front.limits, &front.limits.deadlines);
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.stream_count_max)
        .max_header_list_size(limits.header_length_max)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(deadlines.keepalive_every)
        .keep_alive_timeout(deadlines.keepalive_within);
    builder
}

/// The network under a connection: with TLS, after its handshake.
async fn wire(front: &Front, stream: TcpStream) -> Option<Wire> {
    let Some(tls) = &front.tls else { return Some(Wire::Plain(stream)) };
    let within = front.limits.deadlines.handshake_within;
    match tokio::time::timeout(within, tls.current().accept(stream)).await {
        // A client that does not say that it means HTTP/2 means something else.
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(super::tls::ALPN) => {
            Some(Wire::Tls(Box::new(stream)))
        }
        Ok(outcome) => {
            front.tally.note(Limit::HandshakeFailed);
            if let Err(error) = outcome {
                tracing::debug!(error = &error as &dyn std::error::Error, "a handshake failed");
            }
            None
        }
        Err(_) => {
            front.tally.note(Limit::HandshakeLate);
            None
        }
    }
}

async fn drive<S>(
    connection: http2::Connection<TokioIo<Guarded<Wire>>, Door<S>, StreamExecutor>,
    front: &Front,
    vitals: &Vitals,
    mut stopping: watch::Receiver<bool>,
) where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let deadlines = &front.limits.deadlines;
    let mut connection = pin!(connection);
    let mut timer = pin!(tokio::time::sleep(deadlines.first_call_within));
    let mut stage = Stage::Standing;
    loop {
        let next = tokio::select! {
            biased;
            outcome = &mut connection => {
                if let Err(error) = outcome {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "a connection ended with an error");
                }
                return;
            }
            // An error means that the front is gone, which is a stop as well.
            _ = stopping.wait_for(|is_stopping| *is_stopping), if stage == Stage::Standing => {
                Stage::Leaving(Instant::now() + deadlines.call_within)
            }
            () = vitals.cut.notified(), if stage != Stage::Cut => Stage::Cut,
            () = &mut timer => {
                let now = Instant::now();
                match stage {
                    Stage::Cut => return,
                    Stage::Leaving(until) if now >= until || vitals.is_quiet(now) => return,
                    Stage::Leaving(_) => stage,
                    Stage::Standing => match vitals.review(now, deadlines) {
                        Review::Stay(until) => {
                            timer.as_mut().reset(until);
                            continue;
                        }
                        Review::Late => {
                            front.tally.note(Limit::FirstCallLate);
                            Stage::Cut
                        }
                        Review::Leave => Stage::Leaving(now + deadlines.call_within),
                    },
                }
            }
        };
        if stage == Stage::Standing {
            connection.as_mut().graceful_shutdown();
        }
        stage = next;
        timer.as_mut().reset(Instant::now() + LEAVING_EVERY);
    }
}

/// Counts a connection as long as it stands.
struct Counted<'f>(&'f Front);

impl<'f> Counted<'f> {
    fn new(front: &'f Front) -> Self {
        front.tally.connections(1);
        Self(front)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.tally.connections(-1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_may_stay_as_long_as_it_works() {
        let deadlines = Deadlines::default();
        let vitals = Vitals::default();
        let after = |seconds| vitals.started_at + Duration::from_secs(seconds);
        assert_eq!(vitals.review(after(0), &deadlines), Review::Stay(after(10)));
        assert_eq!(vitals.review(after(10), &deadlines), Review::Late);
        vitals.opened();
        assert_eq!(vitals.review(after(10), &deadlines), Review::Stay(after(310)));
        assert_eq!(vitals.review(after(9_999), &deadlines), Review::Stay(after(10_299)));
        vitals.closed();
        vitals.idle_since_ms.store(9_999_000, Relaxed);
        assert!(!vitals.is_quiet(after(9_999)) && vitals.is_quiet(after(10_000)));
        assert_eq!(vitals.review(after(10_298), &deadlines), Review::Stay(after(10_299)));
        assert_eq!(vitals.review(after(10_299), &deadlines), Review::Leave);
    }

    #[test]
    fn a_connection_that_is_too_old_leaves_though_it_works() {
        let deadlines =
            Deadlines { age_max: Some(Duration::from_secs(60)), ..Deadlines::default() };
        let vitals = Vitals::default();
        vitals.opened();
        let after = |seconds| vitals.started_at + Duration::from_secs(seconds);
        assert_eq!(vitals.review(after(1), &deadlines), Review::Stay(after(60)));
        assert_eq!(vitals.review(after(60), &deadlines), Review::Leave);
    }
}
