//! A request on its way in: each piece has a deadline, and a request of one message a length, which is
//! looked at in its first five bytes. What is too long is refused before any of it is kept.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use hyper::body::Bytes;
use tokio::time::{Instant, Sleep};
use tonic::Status;

use super::Refusal;
use super::limits::Deadlines;
use super::methods::Shape;
use super::tally::{Limit, Tally};

/// A gRPC message begins with whether it is compressed and with its length in four bytes.
const PREFIX_LENGTH: usize = 5;

/// A request's bytes, under watch.
pub(super) struct RequestBody<B> {
    body: B,
    shape: Shape,
    tally: Arc<Tally>,
    piece_within: Duration,
    within: Duration,
    prefix: [u8; PREFIX_LENGTH],
    length: usize,
    /// Made at the first wait.
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    until: Option<Instant>,
}

impl<B: Body<Data = Bytes> + Unpin> RequestBody<B> {
    pub(super) fn new(body: B, shape: Shape, deadlines: &Deadlines, tally: Arc<Tally>) -> Self {
        let piece_within = match shape {
            Shape::One { .. } => deadlines.body_piece_within,
            Shape::Stream => deadlines.stream_piece_within,
        };
        Self {
            body,
            shape,
            tally,
            piece_within,
            within: deadlines.body_within,
            prefix: [0; PREFIX_LENGTH],
            length: 0,
            timer: None,
            is_waiting: false,
            until: None,
        }
    }

    /// Looks at a piece that came.
    fn weigh(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let Shape::One { length_max } = self.shape else { return Ok(()) };
        if self.length < PREFIX_LENGTH {
            let prefix = &mut self.prefix[self.length..];
            let count = prefix.len().min(piece.len());
            prefix[..count].copy_from_slice(&piece[..count]);
        }
        self.length += piece.len();
        if self.length < PREFIX_LENGTH {
            return Ok(());
        }
        let [_, length @ ..] = self.prefix;
        let said = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if said > length_max || self.length - PREFIX_LENGTH > length_max {
            self.tally.note(Limit::RequestSize);
            return Err(Refusal::RequestSize { length_max });
        }
        Ok(())
    }

    /// Ready when the next piece is too late.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Refusal> {
        if !self.is_waiting {
            self.is_waiting = true;
            let now = Instant::now();
            let mut until = now + self.piece_within;
            if self.shape != Shape::Stream {
                until = until.min(*self.until.get_or_insert(now + self.within));
            }
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(until),
                none => *none = Some(Box::pin(tokio::time::sleep_until(until))),
            }
        }
        let timer = self.timer.as_mut().expect("it was made when the wait began");
        std::task::ready!(timer.as_mut().poll(context));
        self.tally.note(Limit::RequestLate);
        Poll::Ready(Refusal::RequestLate)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for RequestBody<B>
where
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let Poll::Ready(piece) = Pin::new(&mut this.body).poll_frame(context) else {
            return this.poll_late(context).map(|refusal| Some(Err(refusal.into())));
        };
        this.is_waiting = false;
        Poll::Ready(match piece {
            Some(Ok(frame)) => match frame.data_ref().map_or(Ok(()), |piece| this.weigh(piece)) {
                Ok(()) => Some(Ok(frame)),
                Err(refusal) => Some(Err(refusal.into())),
            },
            Some(Err(error)) => Some(Err(Status::from_error(Box::new(error)))),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{Stream, StreamExt as _};
    use http_body_util::{BodyExt as _, StreamBody};
    use tonic::Code;

    use super::*;

    const ONE: Shape = Shape::One { length_max: 100 };
    const LONG: Shape = Shape::One { length_max: 1_000_000 };

    type Pieces = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

    /// A piece may take 100 ms, in a stream 10 s, and the whole of one message 400 ms.
    fn body(shape: Shape, pieces: Pieces) -> RequestBody<StreamBody<Pieces>> {
        let deadlines = Deadlines {
            body_piece_within: Duration::from_millis(100),
            body_within: Duration::from_millis(400),
            stream_piece_within: Duration::from_secs(10),
            ..Deadlines::default()
        };
        RequestBody::new(StreamBody::new(pieces), shape, &deadlines, Arc::default())
    }

    fn at_once(pieces: &[&[u8]]) -> Pieces {
        let pieces: Vec<_> = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
        Box::pin(tokio_stream::iter(pieces.into_iter().map(|piece| Ok(Frame::data(piece)))))
    }

    /// A byte at a time, with pauses; it never ends.
    fn dribble(pause: Duration) -> Pieces {
        let ticks = futures_util::stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok(Frame::data(Bytes::from_static(&[0]))), ()))
        });
        ticks.boxed()
    }

    async fn refused(mut body: RequestBody<StreamBody<Pieces>>) -> Option<Code> {
        while let Some(piece) = body.frame().await {
            if let Err(status) = piece {
                return Some(status.code());
            }
        }
        None
    }

    #[tokio::test]
    async fn a_message_that_says_it_is_too_long_is_refused_at_its_fifth_byte() {
        let too_long = Some(Code::OutOfRange);
        for pieces in [&[&[0, 0xff, 0xff, 0xff, 0xff][..]][..], &[&[0, 0, 0], &[0, 101]]] {
            assert_eq!(refused(body(ONE, at_once(pieces))).await, too_long);
        }
        let fits = [&[0, 0, 0, 0, 100][..], &[7; 100]];
        assert_eq!(refused(body(ONE, at_once(&fits))).await, None);
        let more_than_said = [&[0, 0, 0, 0, 100][..], &[7; 100], &[7]];
        assert_eq!(refused(body(ONE, at_once(&more_than_said))).await, too_long);
        assert_eq!(refused(body(Shape::Stream, at_once(&more_than_said))).await, None);
    }

    #[tokio::test]
    async fn a_request_that_does_not_come_or_comes_too_slowly_is_late() {
        let late = Some(Code::DeadlineExceeded);
        assert_eq!(refused(body(ONE, tokio_stream::pending().boxed())).await, late);
        let started_at = Instant::now();
        let patient = body(LONG, dribble(Duration::from_millis(1)));
        let patient = RequestBody { piece_within: Duration::from_secs(60), ..patient };
        assert_eq!(refused(patient).await, late);
        assert!(started_at.elapsed() >= Duration::from_millis(400), "the whole took too long");
    }

    #[tokio::test]
    async fn a_stream_may_pause_between_its_pieces_for_as_long_as_it_lasts() {
        let slow = dribble(Duration::from_millis(150)).take(5).boxed();
        assert_eq!(refused(body(Shape::Stream, slow)).await, None);
    }
}
