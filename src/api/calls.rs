//! Every call as an operator sees it: one span with method, role and a call id, one count by method
//! and code, and one line for a call that failed or was slow. Nothing of what a request says comes
//! here: no id that a client gave, no message, no token.
//!
//! A handler that panics is answered with `INTERNAL`; the calls beside it notice nothing.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body::{Frame, SizeHint};
use opentelemetry::propagation::Extractor;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service, http};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::clock::Stopwatch;

use super::measures::{CallMetrics, Method};

/// From when on a call is told of as slow.
const SLOW: Duration = Duration::from_secs(1);
const GRPC_STATUS: &str = "grpc-status";
const TRACEPARENT: &str = "traceparent";

/// A service whose calls are counted, traced and told of.
#[derive(Clone)]
pub(super) struct Calls<S> {
    inner: S,
    metrics: CallMetrics,
}

impl<S> Calls<S> {
    pub(super) fn of(inner: S, metrics: CallMetrics) -> Self {
        Self { inner, metrics }
    }
}

impl<S> Service<http::Request<Body>> for Calls<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let call = Call::begin(&self.metrics, &request);
        let span = call.span.clone();
        let inner = &mut self.inner;
        let begun = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| inner.call(request))));
        let answer = async move {
            let mut call = call;
            let answered = match begun {
                Ok(running) => AssertUnwindSafe(running).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            match answered {
                Ok(Ok(response)) => Ok(call.watch(response)),
                Ok(Err(never)) => match never {},
                Err(panic) => {
                    let answer = call.panicked(&*panic).into_http();
                    Ok(call.watch(answer))
                }
            }
        };
        Box::pin(answer.instrument(span))
    }
}

/// Tells calls apart: a number of this process, and the call's within it.
struct CallId(u32, u64);

impl CallId {
    fn next() -> Self {
        static PROCESS: OnceLock<u32> = OnceLock::new();
        static LAST: AtomicU64 = AtomicU64::new(0);
        let process = *PROCESS.get_or_init(|| {
            let mut bits = [0; 4];
            // Without random bits the ids of two runs may be equal, which harms nobody.
            let _ = getrandom::fill(&mut bits);
            u32::from_be_bytes(bits)
        });
        Self(process, LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}-{}", self.0, self.1)
    }
}

/// The trace that a client continues here, and nothing else of its headers.
struct Parent<'h>(&'h str);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// A call under way. It is counted when it ends; one that is dropped before was cancelled.
struct Call {
    method: Arc<Method>,
    metrics: CallMetrics,
    span: Span,
    began: Stopwatch,
    has_panicked: bool,
    is_over: bool,
}

impl Call {
    fn begin(metrics: &CallMetrics, request: &http::Request<Body>) -> Self {
        let method = metrics.method(request.uri().path());
        // Of the highest level, so that whatever is logged says which call it belongs to.
        let span = tracing::error_span!(
            "call",
            method = method.name,
            call.id = %CallId::next(),
            role = tracing::field::Empty,
            code = tracing::field::Empty,
            cause = tracing::field::Empty,
        );
        let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
        if let Some(parent) = parent {
            let parent = opentelemetry::global::get_text_map_propagator(|propagator| {
                propagator.extract(&Parent(parent))
            });
            // Fails only where nothing is traced.
            let _ = span.set_parent(parent);
        }
        metrics.running.inc();
        Self {
            method,
            metrics: metrics.clone(),
            span,
            began: Stopwatch::start(),
            has_panicked: false,
            is_over: false,
        }
    }

    /// Follows the answer to its end: the code of a stream stands behind its last message.
    fn watch(mut self, response: http::Response<Body>) -> http::Response<Body> {
        if let Some(code) = code_in(response.headers()) {
            self.end(code, Some(response.headers()));
            return response;
        }
        response.map(|body| Body::new(Watched { body, call: self }))
    }

    fn end(&mut self, code: Code, headers: Option<&http::HeaderMap>) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let took = self.began.elapsed();
        self.metrics.running.dec();
        self.metrics.ended(&self.method, code, took);
        self.span.record("code", code_name(code));
        self.span.in_scope(|| self.tell(code, headers, took));
    }

    /// One line: at debug what went well or was the client's mistake, at error what was ours.
    fn tell(&self, code: Code, headers: Option<&http::HeaderMap>, took: Duration) {
        let is_slow = took >= SLOW && !self.method.may_take_long;
        let may_be_ours = may_be_ours(code);
        if !may_be_ours && !is_slow && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let method = self.method.name;
        let took_ms = took.as_secs_f64() * 1_000.0;
        let status = headers.and_then(Status::from_header_map).filter(|_| code != Code::Ok);
        let reason = status.and_then(|status| status.get_details_error_info());
        let reason = reason.map(|info| info.reason).unwrap_or_default();
        // A request that is no protocol buffer is answered with the same code, but without a reason.
        let is_ours = may_be_ours && (self.has_panicked || !reason.is_empty());
        let name = code_name(code);
        if is_ours {
            tracing::error!(reason, took_ms, "{method} failed: {name}");
        } else if is_slow {
            tracing::warn!(reason, took_ms, "{method} took {took_ms:.0} ms");
        } else {
            tracing::debug!(reason, took_ms, "{method} ended: {name}");
        }
    }

    /// What is answered when a handler panicked. What the panic says may be about a person and is told
    /// to nobody.
    fn panicked(&mut self, panic: &(dyn Any + Send)) -> Status {
        self.metrics.panics.inc();
        self.has_panicked = true;
        self.span.record("cause", literal(panic).unwrap_or("the handler panicked"));
        Status::internal("something went wrong on the server")
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled, None);
    }
}

/// What a panic says, if it is a text of the program itself: one that was put together may tell of a
/// lead.
fn literal(panic: &(dyn Any + Send)) -> Option<&'static str> {
    panic.downcast_ref::<&'static str>().copied()
}

fn code_in(headers: &http::HeaderMap) -> Option<Code> {
    headers.get(GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()))
}

/// Whether a failure may be the node's, so that somebody must act.
fn may_be_ours(code: Code) -> bool {
    match code {
        Code::Internal | Code::Unavailable | Code::Unknown | Code::DataLoss => true,
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => false,
    }
}

/// The name of a code, as the protocol spells it.
pub(super) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The body of an answer, that ends its call when it ends.
struct Watched {
    body: Body,
    call: Call,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { body, call } = &mut *self;
        if call.is_over {
            return Poll::Ready(None);
        }
        let span = call.span.clone();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            span.in_scope(|| Pin::new(&mut *body).poll_frame(context))
        }));
        let frame = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(frame)) => frame,
            Err(panic) => {
                let (parts, _) = call.panicked(&*panic).into_http::<()>().into_parts();
                Some(Ok(Frame::trailers(parts.headers)))
            }
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    call.end(code_in(trailers).unwrap_or(Code::Unknown), Some(trailers));
                }
            }
            Some(Err(status)) => call.end(status.code(), None),
            None => call.end(Code::Ok, None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
