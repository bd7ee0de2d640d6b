//! What every call passes first and last: its request gets its limits, its answer its pieces. A call
//! that panics is answered, and who calls again and again without a valid token waits for the answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Code, Status};
use tower::ServiceExt as _;

use super::address::Address;
use super::connection::Vitals;
use super::methods::Shape;
use super::request::RequestBody;
use super::stream::{Answer, Stream};
use super::tally::Limit;
use super::{Front, Refusal};
use crate::auth::is_open_to_all;

/// Where a call comes from; in the extensions of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The service of one connection.
#[derive(Clone)]
pub(super) struct Door<S> {
    pub(super) service: S,
    pub(super) step: Arc<Step>,
}

/// What all calls of a connection share.
pub(super) struct Step {
    pub(super) vitals: Arc<Vitals>,
    pub(super) peer: SocketAddr,
    pub(super) address: Address,
    pub(super) front: Arc<Front>,
}

impl<S> hyper::service::Service<http::Request<Incoming>> for Door<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = http::Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let Self { service, step } = self.clone();
        Box::pin(async move {
            let stream = Stream::current();
            let is_open = is_open_to_all(request.uri().path());
            if step.front.methods.is_answered_at_length(request.uri().path()) {
                stream.answer_at_length();
            }
            let response = step.answer(service, request, stream.clone()).await;
            if !is_open {
                step.weigh(is_unauthenticated(&response)).await;
            }
            Ok(response.map(|body| Answer::new(body, stream)))
        })
    }
}

impl Step {
    async fn answer<S>(
        &self,
        service: S,
        request: http::Request<Incoming>,
        stream: Arc<Stream>,
    ) -> http::Response<Body>
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    {
        let Front { limits, tally, methods, .. } = &*self.front;
        let shape = methods.shape(request.uri().path(), limits);
        let ours = (shape != Shape::Stream).then_some(limits.deadlines.call_within);
        let wish = wish(request.headers());
        let within = ours.into_iter().chain(wish).min();
        let (parts, body) = request.into_parts();
        let body = Body::new(RequestBody::new(body, shape, &limits.deadlines, tally.clone()));
        let mut request = http::Request::from_parts(parts, body);
        request.extensions_mut().insert(Peer(self.peer));
        request.extensions_mut().insert(stream);
        let answer = AssertUnwindSafe(service.oneshot(request)).catch_unwind();
        let outcome = match within {
            Some(within) => tokio::time::timeout(within, answer).await,
            None => Ok(answer.await),
        };
        match outcome {
            Ok(Ok(Ok(response))) => response,
            // What it said is in the log already, by the hook of the process.
            Ok(Err(_panic)) => Status::from(Refusal::Panicked).into_http(),
            Err(_) => {
                if wish.is_none_or(|wish| Some(wish) > ours) {
                    tally.note(Limit::CallLate);
                }
                Status::from(Refusal::CallLate).into_http()
            }
        }
    }

    /// Looks at whether the caller had a token. Honest callers behind the same address are not held up:
    /// only the answers to calls without one are.
    async fn weigh(&self, is_guess: bool) {
        if !is_guess {
            self.vitals.knew();
            return;
        }
        let Front { limits, tally, guesses, started_at, .. } = &*self.front;
        let now_ms = u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        // A proxy's connection carries the calls of many, so it is never cut for one of them.
        if self.vitals.guessed() >= limits.guess_row_max && !self.front.is_behind_proxy {
            tally.note(Limit::GuessCut);
            self.vitals.cut();
        }
        if guesses.note(self.address, now_ms) {
            tally.note(Limit::GuessDelayed);
            tokio::time::sleep(limits.deadlines.guess_delay).await;
        }
    }
}

fn is_unauthenticated(response: &http::Response<Body>) -> bool {
    let code = response.headers().get("grpc-status");
    code.is_some_and(|code| Code::from_bytes(code.as_bytes()) == Code::Unauthenticated)
}

/// How long the client is willing to wait, if it says so: at most eight digits and a unit.
fn wish(headers: &http::HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (count, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let is_count = count.len() <= 8 && count.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = count.parse().ok().filter(|_| is_count)?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_says_how_long_it_waits_in_digits_and_a_unit() {
        let read = |text: &str| {
            let value = http::HeaderValue::from_str(text).unwrap();
            wish(&http::HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-timeout"),
                value,
            )]))
        };
        assert_eq!(read("5S"), Some(Duration::from_secs(5)));
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3_600)));
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        for text in ["", "S", "5", "5s", "+5S", "-5S", "123456789S", "5 S"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(wish(&http::HeaderMap::new()), None);
    }
}
