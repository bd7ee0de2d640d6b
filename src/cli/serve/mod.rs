//! `serve` runs a node until it is told to stop.

mod jwt;
mod telemetry;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use tokio::net::TcpListener;

use super::Cli;
use super::output::Output;
use super::settings::misspelt_variables;
use crate::config::{LISTEN_DEFAULT, STORE_DEFAULT, StoreFile};
use crate::node::{Node, Options};

use self::telemetry::TelemetryArgs;

use jwt::JwtArgs;

/// Run a node: open its store, serve gRPC, stop on an interrupt or a termination signal
#[derive(Debug, Args)]
#[command(
    after_help = "On its first start a node makes an admin token and keeps it beside its store, \
in FILE.admin-token; the other commands find it there when they run in the same directory.

Examples:
  nextlead serve
  nextlead serve --store sqlite:///var/lib/nextlead/nextlead.db --listen 127.0.0.1:7400"
)]
pub(super) struct ServeArgs {
    /// The store
    #[arg(long, env = "NEXTLEAD_STORE", value_name = "sqlite://FILE", default_value = STORE_DEFAULT)]
    store: StoreFile,
    /// The address to listen at; port 0 takes a free one
    #[arg(long, env = "NEXTLEAD_LISTEN", value_name = "ADDRESS", default_value_t = LISTEN_DEFAULT)]
    listen: SocketAddr,
    #[command(flatten)]
    jwt: JwtArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

pub(super) async fn run(args: ServeArgs, output: Output) -> anyhow::Result<ExitCode> {
    let ServeArgs { store: StoreFile(store), listen, jwt, telemetry } = args;
    let jwt = jwt.settings()?;
    let telling = crate::telemetry::start(&telemetry.options()?)?;
    warn_of_misspelt_variables();
    let metrics_listener = telemetry.listener().await?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("could not listen at {listen}; is another node running there?"))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        store = %store.display(),
        listen = %listen,
        metrics = metrics_listener.is_some(),
        traces = telling.trace_metrics().is_some(),
        "starting"
    );
    let options = Options {
        jwt,
        metrics_listener,
        trace_metrics: telling.trace_metrics(),
        ..Options::new(store, listener)
    };
    let node = Node::start(options).await?;
    if output.is_json {
        output.document(&serde_json::json!({
            "address": node.address.to_string(),
            "token_file": node.token_file,
            "is_token_new": node.is_token_new,
            "metrics_address": node.metrics_address.map(|address| address.to_string()),
        }))?;
    } else {
        let token_is = match node.is_token_new {
            true => "made the admin token, readable by you alone",
            false => "the admin token is in",
        };
        let (address, file) = (node.address, node.token_file.display());
        output.text(&format!("serving on {address}\n{token_is}: {file}\n"))?;
        if let Some(address) = node.metrics_address {
            output.text(&format!("metrics and health on http://{address}\n"))?;
        }
    }
    node.run_until(stopped()).await?;
    Ok(ExitCode::SUCCESS)
}

fn warn_of_misspelt_variables() {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    for warning in misspelt_variables(&Cli::command(), names) {
        tracing::warn!("{warning}");
    }
}

/// Ends when the process is told to stop, by Ctrl-C or by a service manager.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
