//! Logs: one line an event on standard error. What is private never comes this far.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Sends log lines to standard error. `NEXTLEAD_LOG` filters them, `info` by default.
pub fn start() {
    let filter = EnvFilter::try_from_env("NEXTLEAD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // In a file or a journal, colours are only noise.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // To say that standard error cannot be written to it would write there, and panic: a log on a
        // full disk must not end the node.
        .log_internal_errors(false);
    // A second start in one process keeps the first.
    let _ = lines.try_init();
}
