//! Takes spans that ended to their collector, on a thread of its own.
//!
//! Whoever ends a span drops it into a bounded line and goes on; a span that finds the line full is
//! dropped and counted, and so is a batch that the collector does not take in time. No call ever waits
//! for a collector.

use std::sync::mpsc as blocking;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry_otlp::{WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use tokio::sync::{mpsc, watch};
use tonic::transport::ClientTlsConfig;

use crate::metrics::{Registry, Tally};

use super::traces::{Endpoint, named};

/// How many spans may wait, and how many go out together.
const LINE_COUNT_MAX: usize = 4_096;
const BATCH_COUNT_MAX: usize = 512;
/// How long spans are gathered before they go out.
const GATHER_FOR: Duration = Duration::from_millis(200);
/// How long a collector may take for a batch.
const EXPORT_WITHIN: Duration = Duration::from_secs(5);
/// How long the last spans may take when the process stops.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// What became of a span.
const OUTCOMES: [&str; 2] = ["exported", "dropped"];
const EXPORTED: usize = 0;
const DROPPED: usize = 1;

/// What is counted of traces. Clones share everything.
#[derive(Clone, Debug)]
pub struct TraceMetrics(Tally);

impl TraceMetrics {
    /// Puts everything into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Spans by what became of them; dropped: the collector was away or too slow";
        self.0.register(registry, "trace_spans", help);
    }

    fn add(&self, outcome: usize, count: usize) {
        self.0.add(outcome, u64::try_from(count).unwrap_or(u64::MAX));
    }
}

/// Takes spans that ended from whoever ends them.
#[derive(Debug)]
pub(super) struct Forwarder {
    line: mpsc::Sender<SpanData>,
    metrics: TraceMetrics,
}

impl SpanProcessor for Forwarder {
    fn on_start(&self, _span: &mut Span, _context: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.line.try_send(span).is_err() {
            self.metrics.add(DROPPED, 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The thread that takes spans to their collector. Dropping it sends what is left, for a short while.
pub(super) struct Exporter {
    stop: watch::Sender<bool>,
    ended: blocking::Receiver<()>,
    metrics: TraceMetrics,
}

impl Exporter {
    pub(super) fn start(
        endpoint: &Endpoint,
        resource: &Resource,
    ) -> anyhow::Result<(Self, Forwarder)> {
        let metrics = TraceMetrics(Tally::new("outcome", OUTCOMES));
        let (line, waiting) = mpsc::channel(LINE_COUNT_MAX);
        let (stop, stopping) = watch::channel(false);
        let (ending, ended) = blocking::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exporter = {
            // Its connection lives on this runtime, away from the network's thread.
            let _inside = runtime.enter();
            let builder = opentelemetry_otlp::SpanExporter::builder().with_tonic();
            let builder = builder.with_endpoint(endpoint.as_str()).with_timeout(EXPORT_WITHIN);
            let builder = match endpoint.as_str().starts_with("https:") {
                true => builder.with_tls_config(ClientTlsConfig::new().with_native_roots()),
                false => builder,
            };
            let mut exporter = builder.build().context("could not use the traces' endpoint")?;
            exporter.set_resource(resource);
            exporter
        };
        let work = Work { exporter, waiting, stopping, metrics: metrics.clone() };
        thread::Builder::new().name("traces".to_owned()).spawn(move || {
            // Dropped at the very end, by a panic too.
            let _ending = ending;
            runtime.block_on(work.run());
        })?;
        let forwarder = Forwarder { line, metrics: metrics.clone() };
        Ok((Self { stop, ended, metrics }, forwarder))
    }

    pub(super) fn metrics(&self) -> TraceMetrics {
        self.metrics.clone()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // Ends with an error as nothing is ever sent: the thread's end drops the sender.
        let _ = self.ended.recv_timeout(STOP_WITHIN);
    }
}

struct Work {
    exporter: opentelemetry_otlp::SpanExporter,
    waiting: mpsc::Receiver<SpanData>,
    stopping: watch::Receiver<bool>,
    metrics: TraceMetrics,
}

impl Work {
    async fn run(mut self) {
        let mut batch = Vec::new();
        let mut is_failing = false;
        let mut is_stopping = false;
        while !is_stopping {
            is_stopping = self.gather(&mut batch).await;
            while !batch.is_empty() {
                is_failing = self.export(std::mem::take(&mut batch), is_failing).await;
                while batch.len() < BATCH_COUNT_MAX
                    && let Ok(span) = self.waiting.try_recv()
                {
                    batch.push(span);
                }
                if !is_stopping && batch.len() < BATCH_COUNT_MAX {
                    break;
                }
            }
        }
    }

    /// Gathers spans for a while, or until the process stops: then says so.
    async fn gather(&mut self, batch: &mut Vec<SpanData>) -> bool {
        let room = BATCH_COUNT_MAX.saturating_sub(batch.len()).max(1);
        tokio::select! {
            biased;
            count = self.waiting.recv_many(batch, room) => if count == 0 { return true },
            _ = self.stopping.wait_for(|is_stopping| *is_stopping) => return true,
        }
        let gathered = async {
            while batch.len() < BATCH_COUNT_MAX {
                match self.waiting.recv().await {
                    Some(span) => batch.push(span),
                    None => break,
                }
            }
        };
        tokio::select! {
            biased;
            _ = self.stopping.wait_for(|is_stopping| *is_stopping) => true,
            _ = tokio::time::timeout(GATHER_FOR, gathered) => false,
        }
    }

    /// Sends a batch. Says whether that failed; the first failure in a row is told of.
    async fn export(&self, batch: Vec<SpanData>, was_failing: bool) -> bool {
        let count = batch.len();
        let batch = batch.into_iter().map(named).collect();
        let sent = tokio::time::timeout(EXPORT_WITHIN, self.exporter.export(batch)).await;
        let has_failed = !matches!(sent, Ok(Ok(())));
        self.metrics.add(if has_failed { DROPPED } else { EXPORTED }, count);
        if has_failed && !was_failing {
            tracing::warn!(
                count,
                "the collector does not take traces; they are dropped and counted"
            );
        }
        has_failed
    }
}
