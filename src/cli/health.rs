//! `health` asks a node whether it serves: for a container's check, or a load balancer's.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use super::output::Output;
use crate::api::client::OpenClient;

/// How long a node may take to say how it is.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Ask a node whether it serves; needs no token. The exit code is 0 if it does
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead health
  nextlead health --server https://leads.example.com:7400")]
pub(super) struct HealthArgs {
    /// The part of the node to ask about, by its name in the health protocol [default: all of it]
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

pub(super) async fn run(
    args: HealthArgs,
    node: OpenClient,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let request = HealthCheckRequest { service: args.service.unwrap_or_default() };
    let mut health = node.health();
    let asked = tokio::time::timeout(ANSWER_WITHIN, health.check(request)).await;
    let answer = asked.context("the node did not say how it is within five seconds")??;
    let status = answer.into_inner().status();
    let is_serving = status == ServingStatus::Serving;
    if output.is_json {
        output.document(&serde_json::json!({ "status": status.as_str_name() }))?;
    } else {
        output.text(if is_serving { "serving" } else { "not serving" })?;
    }
    Ok(if is_serving { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
