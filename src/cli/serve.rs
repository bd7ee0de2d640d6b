//! `serve` runs a node until it is told to stop.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;

use crate::config::{LISTEN_DEFAULT, STORE_DEFAULT, StoreFile};

/// Run a node: open its store, serve gRPC, stop on an interrupt or a termination signal
#[derive(Debug, Args)]
#[command(
    after_help = "On its first start a node makes an admin token and keeps it beside its store, \
in FILE.admin-token; the other commands find it there when they run in the same directory."
)]
pub(super) struct ServeArgs {
    /// The store
    #[arg(long, env = "NEXTLEAD_STORE", value_name = "sqlite://FILE", default_value = STORE_DEFAULT)]
    store: StoreFile,
    /// The address to listen at; port 0 takes a free one
    #[arg(long, env = "NEXTLEAD_LISTEN", value_name = "ADDRESS", default_value_t = LISTEN_DEFAULT)]
    listen: SocketAddr,
}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let ServeArgs { store: StoreFile(store), listen } = args;
    tokio::select! {
        () = stopped() => Ok(ExitCode::SUCCESS),
        else => anyhow::bail!("no node for {} at {listen}", store.display()),
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
