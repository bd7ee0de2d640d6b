//! The door for those who watch over a node: `/live`, `/ready` and `/metrics` over plain HTTP/1, on
//! an address of their own that is this machine's unless told otherwise.
//!
//! Whoever can reach it needs no token and learns nothing about a person; so it is kept small and
//! cannot be kept busy: few connections, one request each, short deadlines, short headers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tonic::codegen::{Bytes, http};

use crate::health::Health;
use crate::metrics::CONTENT_TYPE;

/// How many connections there are at a time; another one is closed at once.
const CONNECTION_COUNT_MAX: usize = 16;
/// How long a connection lives, its one request included.
const CONNECTION_WITHIN: Duration = Duration::from_secs(10);
/// How long a request's headers may take, and how long and how many they may be.
const HEADERS_WITHIN: Duration = Duration::from_secs(3);
const HEADERS_LENGTH_MAX: usize = 8 * 1_024;
const HEADER_COUNT_MAX: usize = 64;
/// How long to wait when a connection could not be accepted: the process may be out of files.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Gives all metrics as text.
pub type Exposition = Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;
type Answer = http::Response<Full<Bytes>>;

/// What the door shows. Clones share everything.
#[derive(Clone)]
pub struct Watch {
    /// What is up and what is down.
    pub health: Health,
    /// The metrics.
    pub exposition: Exposition,
}

/// Serves until `shutdown` ends. Requests under way are cut then: there is nothing to lose.
pub async fn watch(listener: TcpListener, shown: Watch, shutdown: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(CONNECTION_COUNT_MAX));
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    if let Ok(place) = places.clone().try_acquire_owned() {
                        let answering = converse(stream, shown.clone());
                        tokio::spawn(async move {
                            let _place = place;
                            // One that is too slow is closed, as is one that makes no sense.
                            let _ = tokio::time::timeout(CONNECTION_WITHIN, answering).await;
                        });
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "could not accept a connection at the metrics address"
                    );
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                }
            }
        }
    };
    tokio::select! {
        () = shutdown => {}
        () = accepting => {}
    }
}

async fn converse(stream: TcpStream, shown: Watch) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let shown = shown.clone();
        async move { Ok::<_, Infallible>(answer(&request, &shown).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADERS_LENGTH_MAX)
        .max_headers(HEADER_COUNT_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(request: &http::Request<Incoming>, shown: &Watch) -> Answer {
    if !matches!(*request.method(), http::Method::GET | http::Method::HEAD) {
        return plain(http::StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    match request.uri().path() {
        "/live" => plain(http::StatusCode::OK, "live\n"),
        "/ready" => ready(&shown.health),
        "/metrics" => with_type(http::StatusCode::OK, CONTENT_TYPE, (shown.exposition)().await),
        _ => plain(http::StatusCode::NOT_FOUND, "there is /live, /ready and /metrics\n"),
    }
}

fn ready(health: &Health) -> Answer {
    let is_ready = health.is_ready();
    let parts = health.parts().into_iter().map(|part| {
        let since = jiff::Timestamp::from_millisecond(part.since).unwrap_or_default();
        let mut shown = json!({
            "part": part.name,
            "up": part.problem.is_none(),
            "since": since.to_string(),
        });
        if let Some(problem) = part.problem {
            shown["problem"] = problem.into();
        }
        shown
    });
    let shown = json!({ "ready": is_ready, "parts": parts.collect::<Vec<_>>() });
    let status = match is_ready {
        true => http::StatusCode::OK,
        false => http::StatusCode::SERVICE_UNAVAILABLE,
    };
    with_type(status, "application/json", format!("{shown}\n"))
}

fn plain(status: http::StatusCode, text: &'static str) -> Answer {
    with_type(status, "text/plain; charset=utf-8", text.to_owned())
}

fn with_type(status: http::StatusCode, content_type: &'static str, text: String) -> Answer {
    let mut answer = http::Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let value = http::HeaderValue::from_static(content_type);
    answer.headers_mut().insert(http::header::CONTENT_TYPE, value);
    let never = http::HeaderValue::from_static("no-store");
    answer.headers_mut().insert(http::header::CACHE_CONTROL, never);
    answer
}
