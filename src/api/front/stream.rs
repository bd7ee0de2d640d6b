//! One call on its way: what its parts have to know of each other, and who waits for whom.
//!
//! The HTTP/2 library hands each stream to an executor as one future that reads, asks and answers. This
//! executor keeps it under watch: a stream whose client does not read the answer is dropped, which
//! resets it and frees what it held. The connection and its other streams go on.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Frame, SizeHint};
use hyper::body::Bytes;
use hyper::rt::Executor;
use tokio::time::{Instant, Sleep};
use tonic::Status;
use tonic::body::Body;

use super::admission::Seat;
use super::connection::Vitals;
use super::tally::{Limit, Tally};

/// The largest piece of an answer that is handed on before its client has room for it.
const PIECE_LENGTH_MAX: usize = 32 * 1_024;

tokio::task_local! {
    static CURRENT: Arc<Stream>;
}

/// What the parts of one call share.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// A piece of the answer was handed out, and the next was not asked for yet.
    is_piece_out: AtomicBool,
    piece_count: AtomicU32,
    /// The answer is a stream.
    is_long: AtomicBool,
    /// The call's place among those that are worked on.
    seat: Mutex<Option<Seat>>,
}

impl Stream {
    /// The stream that the current task works on.
    pub(super) fn current() -> Arc<Self> {
        CURRENT.with(Arc::clone)
    }

    /// Notes that the answer is a stream, whose reader may take longer.
    pub(super) fn answer_at_length(&self) {
        self.is_long.store(true, Relaxed);
    }

    /// Keeps the seat until the stream ends.
    pub(super) fn sit(&self, seat: Seat) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(seat);
    }

    /// Gives the seat away.
    pub(super) fn stand_up(&self) -> Option<Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Runs the streams of one connection.
#[derive(Clone)]
pub(super) struct StreamExecutor {
    pub(super) vitals: Arc<Vitals>,
    pub(super) tally: Arc<Tally>,
    pub(super) answer_piece_within: Duration,
    pub(super) stream_answer_piece_within: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, call: F) {
        let Self { vitals, tally, answer_piece_within, stream_answer_piece_within } = self.clone();
        vitals.opened();
        tokio::spawn(async move {
            let _open = Open(vitals);
            let stream = Arc::new(Stream::default());
            let mut call = pin!(CURRENT.scope(stream.clone(), call));
            let mut watch = Watch { stream: &stream, piece_count: 0, until: None };
            let is_over = std::future::poll_fn(|context| {
                if call.as_mut().poll(context).is_ready() {
                    return Poll::Ready(true);
                }
                let is_long = stream.is_long.load(Relaxed);
                let within = if is_long { stream_answer_piece_within } else { answer_piece_within };
                watch.poll(context, within).map(|()| false)
            });
            if !is_over.await {
                tally.note(Limit::AnswerLate);
            }
        });
    }
}

/// Counts a stream as open as long as it is, whatever ends it.
struct Open(Arc<Vitals>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}

/// Looks at whether the client takes its answer.
struct Watch<'s> {
    stream: &'s Stream,
    /// The pieces that were out when the timer was set.
    piece_count: u32,
    until: Option<Pin<Box<Sleep>>>,
}

impl Watch<'_> {
    /// Ready when a piece has been out for too long.
    fn poll(&mut self, context: &mut Context<'_>, within: Duration) -> Poll<()> {
        if !self.stream.is_piece_out.load(Relaxed) {
            return Poll::Pending;
        }
        let piece_count = self.stream.piece_count.load(Relaxed);
        let timer = self.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        if piece_count != self.piece_count {
            self.piece_count = piece_count;
            timer.as_mut().reset(Instant::now() + within);
        }
        timer.as_mut().poll(context)
    }
}

/// An answer on its way out, in pieces: a client that reads slowly costs one piece, not the whole.
pub(super) struct Answer {
    body: Body,
    rest: Bytes,
    stream: Arc<Stream>,
}

impl Answer {
    pub(super) fn new(body: Body, stream: Arc<Stream>) -> Self {
        Self { body, rest: Bytes::new(), stream }
    }

    fn piece(&mut self, mut data: Bytes) -> Frame<Bytes> {
        self.rest = data.split_off(data.len().min(PIECE_LENGTH_MAX));
        Frame::data(data)
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.stream.is_piece_out.store(false, Relaxed);
        let frame = if self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.piece(data),
                    Err(other) => other,
                },
                ended => return Poll::Ready(ended),
            }
        } else {
            let rest = std::mem::take(&mut self.rest);
            self.piece(rest)
        };
        self.stream.is_piece_out.store(true, Relaxed);
        self.stream.piece_count.fetch_add(1, Relaxed);
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() { self.body.size_hint() } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    fn answer(length: usize) -> Answer {
        let bytes: Vec<u8> = (0..length).map(|nth| nth as u8).collect();
        Answer::new(Body::new(Full::new(Bytes::from(bytes))), Arc::default())
    }

    #[tokio::test]
    async fn an_answer_goes_out_whole_in_pieces() {
        for length in [1, PIECE_LENGTH_MAX, PIECE_LENGTH_MAX + 1, 1_000_000] {
            let mut answer = answer(length);
            let mut whole = Vec::new();
            while !answer.is_end_stream() {
                let piece = answer.frame().await.unwrap().unwrap().into_data().unwrap();
                assert!(piece.len() <= PIECE_LENGTH_MAX && !piece.is_empty());
                whole.extend_from_slice(&piece);
            }
            assert!(whole.iter().enumerate().all(|(nth, byte)| *byte == nth as u8));
            assert_eq!(whole.len(), length);
        }
    }

    fn executor(answer_piece_within: Duration) -> StreamExecutor {
        StreamExecutor {
            vitals: Arc::default(),
            tally: Arc::default(),
            answer_piece_within,
            stream_answer_piece_within: 20 * answer_piece_within,
        }
    }

    /// Sends an answer of four pieces to a client that takes one every so often, and says whether all
    /// of it went out.
    async fn is_read(within: Duration, pause: Duration, is_long: bool) -> bool {
        let executor = executor(within);
        let (done, is_done) = tokio::sync::oneshot::channel();
        executor.execute(async move {
            let mut answer = answer(4 * PIECE_LENGTH_MAX);
            answer.stream = Stream::current();
            if is_long {
                answer.stream.answer_at_length();
            }
            while !answer.is_end_stream() {
                answer.frame().await.unwrap().unwrap();
                tokio::time::sleep(pause).await;
            }
            done.send(()).unwrap();
        });
        let is_read = is_done.await.is_ok();
        while executor.vitals.stream_count() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(executor.tally.met_count(Limit::AnswerLate), u64::from(!is_read));
        is_read
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_loses_its_call_and_a_slow_one_does_not() {
        let milliseconds = Duration::from_millis;
        assert!(!is_read(milliseconds(50), Duration::from_secs(3_600), false).await);
        assert!(is_read(milliseconds(2_000), milliseconds(600), false).await);
        assert!(!is_read(milliseconds(100), milliseconds(300), false).await);
        assert!(is_read(milliseconds(100), milliseconds(300), true).await, "a stream has longer");
        assert!(!is_read(milliseconds(5), Duration::from_secs(3_600), true).await);
    }

    #[tokio::test]
    async fn an_answer_that_has_nothing_to_say_yet_is_not_late() {
        let executor = executor(Duration::from_millis(1));
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        executor.execute(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            done.send(()).unwrap();
        });
        is_done.await.unwrap();
        assert_eq!(executor.tally.met_count(Limit::AnswerLate), 0);
    }
}
