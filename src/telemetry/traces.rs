//! Traces by OpenTelemetry: a call, the selection and the commits that it led to, each a span, sent to
//! a collector over OTLP. A trace that a client began is carried on.
//!
//! How much is sampled, and the collector's headers, are said by the standard `OTEL_…` variables.

use std::str::FromStr;

use anyhow::Context as _;
use opentelemetry::trace::{SpanKind, TracerProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData};

use super::exporter::{Exporter, Forwarder, TraceMetrics};

/// Where traces are collected: the URL of an OTLP endpoint that speaks gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self(text.to_owned())),
            _ => Err("expected a URL such as http://127.0.0.1:4317"),
        }
    }
}

/// Traces under way. What is still to be sent gets a short while when this is dropped.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    exporter: Exporter,
}

impl Traces {
    pub(super) fn start(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(env!("CARGO_PKG_NAME"));
        }
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = resource.with_attribute(version).build();
        let (exporter, forwarder): (Exporter, Forwarder) =
            Exporter::start(endpoint, &resource).context("could not set up traces")?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_span_processor(forwarder)
            .build();
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self { provider, exporter })
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.provider.tracer(env!("CARGO_PKG_NAME"))
    }

    pub(super) fn metrics(&self) -> TraceMetrics {
        self.exporter.metrics()
    }
}

/// A span as collectors like it: a call by the name of its method, as a server's.
pub(super) fn named(mut span: SpanData) -> SpanData {
    if span.name == "call" {
        span.span_kind = SpanKind::Server;
        let method = span.attributes.iter().find(|one| one.key.as_str() == "method");
        if let Some(method) = method {
            span.name = method.value.to_string().into();
        }
    }
    span
}
