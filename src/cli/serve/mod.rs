//! `serve` runs a node until it is told to stop. Its settings come in groups, one a file.

mod jwt;
mod limits;
mod tls;

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
use crate::telemetry;

use jwt::JwtArgs;

/// Run a node: open its store, serve gRPC, stop on an interrupt or a termination signal
#[derive(Debug, Args)]
#[command(
    after_help = "On its first start a node makes an admin token and keeps it beside its store, \
in FILE.admin-token; the other commands find it there when they run in the same directory.

Examples:
  nextlead serve
  nextlead serve --store sqlite:///var/lib/nextlead/nextlead.db --listen 127.0.0.1:7400
  nextlead serve --listen 0.0.0.0:7400 --tls-cert node.crt --tls-key node.key"
)]
pub(super) struct ServeArgs {
    /// The store
    #[arg(long, env = "NEXTLEAD_STORE", value_name = "sqlite://FILE", default_value = STORE_DEFAULT)]
    store: StoreFile,
    /// The address to listen at; port 0 takes a free one
    #[arg(long, env = "NEXTLEAD_LISTEN", value_name = "ADDRESS", default_value_t = LISTEN_DEFAULT)]
    listen: SocketAddr,
    #[command(flatten)]
    tls: tls::TlsArgs,
    #[command(flatten)]
    limits: limits::LimitArgs,
    #[command(flatten)]
    jwt: JwtArgs,
}

pub(super) async fn run(args: ServeArgs, output: Output) -> anyhow::Result<ExitCode> {
    let ServeArgs { store: StoreFile(store), listen, tls, limits, jwt } = args;
    let jwt = jwt.settings()?;
    telemetry::start();
    warn_of_misspelt_variables();
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("could not listen at {listen}; is another node running there?"))?;
    let (tls, limits) = (tls.transport(), limits.limits());
    let options = Options { tls, limits, jwt, ..Options::new(store, listener) };
    let node = Node::start(options).await?;
    if output.is_json {
        output.document(&serde_json::json!({
            "address": node.address.to_string(),
            "token_file": node.token_file,
            "is_token_new": node.is_token_new,
        }))?;
    } else {
        let token_is = match node.is_token_new {
            true => "made the admin token, readable by you alone",
            false => "the admin token is in",
        };
        let (address, file) = (node.address, node.token_file.display());
        output.text(&format!("serving on {address}\n{token_is}: {file}\n"))?;
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
