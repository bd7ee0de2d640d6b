//! Answers that end when the caller's stay does: a call that waits or streams outlives no token.
//!
//! What the call had begun to store is stored all the same, as no change lives in its request.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::codegen::{Bytes, http};
use tonic::{Status, codegen::http::HeaderMap};

use crate::auth::{AuthError, Stay};

/// Runs a call for as long as its caller may stay.
pub(super) async fn during<E>(
    stay: Stay,
    call: impl Future<Output = Result<http::Response<Body>, E>>,
) -> Result<http::Response<Body>, E> {
    if stay.is_endless() {
        return call.await;
    }
    tokio::select! {
        // A call that revokes its own token is answered.
        biased;
        answer = call => answer.map(|answer| answer.map(|body| Body::new(Staying::new(stay, body)))),
        () = stay.clone().over() => Ok(Status::from(AuthError::Unauthenticated).into_http()),
    }
}

/// How many frames an answer has that is one message: it, and its trailers.
const WHOLE_FRAME_COUNT: u32 = 2;

/// A body that breaks off with a status when its caller's stay is over.
struct Staying {
    body: Body,
    stay: Stay,
    /// Made when the body first has nothing ready: most bodies are whole from the beginning.
    over: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    is_over: bool,
    frame_count: u32,
}

impl Staying {
    fn new(stay: Stay, body: Body) -> Self {
        Self { body, stay, over: None, is_over: false, frame_count: 0 }
    }

    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let stay = &self.stay;
        let over = self.over.get_or_insert_with(|| Box::pin(stay.clone().over()));
        over.as_mut().poll(context)
    }

    fn break_off(&mut self) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.is_over = true;
        // Whatever the call still did for its answer ends here.
        self.body = Body::empty();
        let mut trailers = HeaderMap::new();
        let status = Status::from(AuthError::Unauthenticated);
        Poll::Ready(Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))))
    }
}

impl http_body::Body for Staying {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        // A stream that always has something ready, a backup, say, is asked before each piece.
        let is_stream = self.frame_count >= WHOLE_FRAME_COUNT;
        if is_stream && self.poll_over(context).is_ready() {
            return self.break_off();
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.frame_count = self.frame_count.saturating_add(1);
            return Poll::Ready(frame);
        }
        match !is_stream && self.poll_over(context).is_ready() {
            true => self.break_off(),
            false => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::watch;
    use tonic::Code;

    use super::*;

    #[tokio::test]
    async fn a_stream_breaks_off_with_a_status_when_the_stay_is_over() {
        let (over, stay) = watch::channel(false);
        // Never has anything to say.
        let silent = futures_util::stream::pending::<Result<Frame<Bytes>, Status>>();
        let silent = Body::new(http_body_util::StreamBody::new(silent));
        let mut body = Staying::new(Stay::until(stay), silent);
        assert!(futures_util::FutureExt::now_or_never(body.frame()).is_none());

        over.send_replace(true);

        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        let status = Status::from_header_map(&trailers).unwrap();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_stream_that_always_has_more_breaks_off_too() {
        let (over, stay) = watch::channel(false);
        let piece = || Ok::<_, Status>(Frame::data(Bytes::from_static(b"more")));
        let endless = futures_util::stream::repeat_with(piece);
        let endless = Body::new(http_body_util::StreamBody::new(endless));
        let mut body = Staying::new(Stay::until(stay), endless);
        for _ in 0..5 {
            assert!(body.frame().await.unwrap().unwrap().is_data());
        }

        over.send_replace(true);

        assert!(body.frame().await.unwrap().unwrap().is_trailers());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn an_answer_that_is_there_is_given_though_the_stay_is_over() {
        let (over, stay) = watch::channel(false);
        let call = async {
            over.send_replace(true);
            Ok::<_, Status>(http::Response::new(Body::new(String::from("done"))))
        };
        let answer = during(Stay::until(stay), call).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "done");
    }
}
