//! What a node tells about itself: the settings of logs, metrics and traces.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::net::TcpListener;

use crate::telemetry::{Endpoint, FILTER_DEFAULT, LogFormat, Options};

/// Logs, metrics, health and traces
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs, metrics and traces")]
pub(super) struct TelemetryArgs {
    /// What to log on standard error: off, error, warn, info, debug or trace; for a part of the
    /// program alone: `info,nextlead::store=debug`. Nothing about a person is logged at any level
    #[arg(long, env = "NEXTLEAD_LOG", value_name = "FILTER", default_value = FILTER_DEFAULT)]
    log: String,
    /// How log lines look: text, or json (one object a line)
    #[arg(long, env = "NEXTLEAD_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// Show /metrics (for Prometheus), /live and /ready over plain HTTP at this address, such as
    /// 127.0.0.1:7401; not shown unless given
    #[arg(long, env = "NEXTLEAD_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// Allow a metrics address that other machines can reach: whoever can needs no token
    #[arg(long, env = "NEXTLEAD_METRICS_PUBLIC", requires = "metrics_listen")]
    metrics_public: bool,
    /// Send traces to this OpenTelemetry collector (OTLP over gRPC), such as http://127.0.0.1:4317;
    /// the standard OTEL_EXPORTER_OTLP_ENDPOINT counts as well
    #[arg(long, env = "NEXTLEAD_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<Endpoint>,
}

/// Where other programs are used to be told where traces go.
const STANDARD_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

impl TelemetryArgs {
    /// What is told, how and where to.
    pub(super) fn options(&self) -> anyhow::Result<Options> {
        let standard = std::env::var(STANDARD_ENDPOINT).ok().filter(|url| !url.is_empty());
        let traces = match (&self.otlp_endpoint, standard) {
            (Some(endpoint), _) => Some(endpoint.clone()),
            (None, Some(url)) => {
                let endpoint = url.parse::<Endpoint>().map_err(anyhow::Error::msg);
                Some(endpoint.with_context(|| format!("could not use {STANDARD_ENDPOINT}"))?)
            }
            (None, None) => None,
        };
        Ok(Options { format: self.log_format, filter: Some(self.log.clone()), traces })
    }

    /// Listens where metrics are shown, if they are.
    pub(super) async fn listener(&self) -> anyhow::Result<Option<TcpListener>> {
        let Some(address) = self.metrics_listen else { return Ok(None) };
        if !address.ip().is_loopback() && !self.metrics_public {
            bail!(
                "{address} is not a loopback address, and metrics are shown without a token: \
say --metrics-public if only those can reach it who may see them"
            );
        }
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("could not show metrics at {address}"))?;
        Ok(Some(listener))
    }
}
