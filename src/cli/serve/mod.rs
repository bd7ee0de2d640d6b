//! `serve` runs a node until it is told to stop. Its settings come in groups, one a file.

mod disk;
mod jwt;
mod limits;
mod notify;
mod place;
mod signals;
mod telemetry;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, CommandFactory as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::telemetry::TelemetryArgs;
use super::Cli;
use super::output::Output;
use super::settings::misspelt_variables;
use crate::config::{LISTEN_DEFAULT, STORE_DEFAULT, StorePlace};
use crate::node::{Node, Options};
use disk::DiskArgs;
use jwt::JwtArgs;
use notify::ServiceManager;
use place::{AdminArgs, QueueArgs};

pub(super) use signals::Signals;

/// Run a node: open its store, serve gRPC, stop on an interrupt or a termination signal
#[derive(Debug, Args)]
#[command(
    after_help = "On its first start a node makes an admin token and keeps it beside its store, \
in FILE.admin-token, or in nextlead.admin-token if the store is a database; the other commands find it \
there when they run in the same directory.

Several nodes share a PostgreSQL database and a Redis. Addresses with a password go into the \
environment or the configuration file, never into the arguments.

Examples:
  nextlead serve
  nextlead serve --store sqlite:///var/lib/nextlead/nextlead.db --listen 127.0.0.1:7400
  nextlead serve --listen 0.0.0.0:7400 --tls-cert node.crt --tls-key node.key
  nextlead serve --store postgres://nextlead@db/leads --queue redis://cache --listen 127.0.0.1:7401"
)]
pub(super) struct ServeArgs {
    /// The store: sqlite://FILE, for one node, or postgres://USER@HOST/DATABASE (PostgreSQL 15 or
    /// later), for one or more
    #[arg(
        long,
        env = "NEXTLEAD_STORE",
        hide_env_values = true,
        value_name = "URL",
        default_value = STORE_DEFAULT
    )]
    store: StorePlace,
    #[command(flatten)]
    queue: QueueArgs,
    /// The address to listen at; port 0 takes a free one
    #[arg(long, env = "NEXTLEAD_LISTEN", value_name = "ADDRESS", default_value_t = LISTEN_DEFAULT)]
    listen: SocketAddr,
    #[command(flatten)]
    tls: tls::TlsArgs,
    #[command(flatten)]
    admin: AdminArgs,
    #[command(flatten)]
    limits: limits::LimitArgs,
    #[command(flatten)]
    disk: DiskArgs,
    #[command(flatten)]
    jwt: JwtArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    /// Stop also when standard input ends: with the process that started this one
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

pub(super) async fn run(args: ServeArgs, output: Output) -> anyhow::Result<ExitCode> {
    let ServeArgs { store, queue, listen, tls, admin, limits, disk, jwt, telemetry, .. } = args;
    disk.check(&store)?;
    let (store_password, queue_password) = (queue.store_password()?, queue.queue_password()?);
    let jwt = jwt.settings()?;
    let telling = crate::telemetry::start(&telemetry.options()?)?;
    warn_of_misspelt_variables();
    let metrics_listener = telemetry.listener().await?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("could not listen at {listen}; is another node running there?"))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        store = %store,
        queue = %queue.queue,
        listen = %listen,
        metrics = metrics_listener.is_some(),
        traces = telling.trace_metrics().is_some(),
        "starting"
    );
    let options = Options {
        store,
        store_password,
        queue: queue.queue,
        queue_password,
        queue_prefix: queue.queue_prefix,
        admin_token_file: admin.admin_token_file,
        tls: tls.transport(),
        limits: limits.limits(),
        disk_reserve_bytes: disk.disk_reserve.0,
        jwt,
        metrics_listener,
        trace_metrics: telling.trace_metrics(),
        ..Options::new(PathBuf::new(), listener)
    };
    let node = Node::start(options).await?;
    // Caught before anybody is told that the node is up: they may tell it to stop at once.
    let mut signals = Signals::catch().context("could not catch signals")?;
    if args.until_input_ends {
        signals.take_end_of_input().context("could not read the standard input")?;
    }
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
    run_until_told(node, signals).await?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the node until a signal asks it to stop. A second one ends it at once, which loses nothing
/// that was acknowledged.
async fn run_until_told(node: Node, mut signals: Signals) -> anyhow::Result<()> {
    let manager = ServiceManager::of_environment();
    manager.ready();
    let living = tokio::spawn(ServiceManager::of_environment().keep_alive(node.pulse()));
    let (tell, told) = oneshot::channel::<()>();
    let running = node.run_until(async {
        let _ = told.await;
    });
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended,
        () = signals.next() => {}
    }
    tracing::info!("stopping; a second signal ends the node at once");
    manager.stopping();
    living.abort();
    let _ = tell.send(());
    tokio::select! {
        ended = running => ended,
        () = signals.next() => bail!("told to stop a second time, ended at once"),
    }
}

fn warn_of_misspelt_variables() {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    for warning in misspelt_variables(&Cli::command(), names) {
        tracing::warn!("{warning}");
    }
}
