//! The door: gRPC, one file a service. It says things and decides nothing.
//!
//! A call passes the gate in `caller`, which asks who calls; its handler reads the message through
//! `convert`, asks one use case and writes the answer. What went wrong becomes a status in `status`
//! alone. Around all of it stands `calls`, which counts, traces, and catches what panics.

mod admin;
mod backup;
mod caller;
mod calls;
pub mod client;
mod convert;
mod coverage;
mod health;
mod intake;
mod measures;
pub mod proto;
mod queue;
mod rep;
mod rules;
mod status;
mod stay;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::pb::health_server;

use crate::auth::Access;
use crate::coverage::Coverage;
use crate::dialer::{Dialer, DialerError};
use crate::domain::LeadId;
use crate::health::Health;

use caller::Gate;
use calls::Calls;
use convert::LeadName;
use proto::admin_service_server::AdminServiceServer;
use proto::coverage_service_server::CoverageServiceServer;
use proto::intake_service_server::IntakeServiceServer;
use proto::queue_service_server::QueueServiceServer;
use proto::rep_service_server::RepServiceServer;
use proto::rules_service_server::RulesServiceServer;

pub use intake::ROW_COUNT_MAX;
pub use measures::CallMetrics;
pub use status::DOMAIN;
pub use watch::{Exposition, Watch, watch};

/// The largest batch of an import, and the largest answer to one, in bytes. Other requests have at most
/// 4 MiB.
pub const MESSAGE_LENGTH_MAX: usize = 16 * 1_024 * 1_024;
/// How many calls of one connection run at a time; more wait their turn.
const STREAM_COUNT_MAX: u32 = 1_024;
/// How often a silent connection is asked whether it still lives.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
/// How long it may take to say so.
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(10);
/// How long a node that stops waits for running calls. A stream that its client keeps open never ends.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Why a node stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptors of the API are damaged.
    #[error("could not offer reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The network failed.
    #[error("could not serve")]
    Transport(#[source] tonic::transport::Error),
}

/// What the API is a door to. Clones share everything.
#[derive(Clone)]
pub struct Services {
    /// The use cases.
    pub dialer: Dialer,
    /// The reports.
    pub coverage: Coverage,
    /// Who gets in.
    pub access: Arc<Access>,
    /// What is up and what is down.
    pub health: Health,
    /// What is counted of calls.
    pub metrics: CallMetrics,
}

impl Services {
    /// The lead that a request names.
    async fn lead(&self, name: LeadName) -> Result<LeadId, DialerError> {
        match name {
            LeadName::Id(lead) => Ok(lead),
            LeadName::Key(key) => self.dialer.lead_by_key(&key).await,
        }
    }
}

/// Serves until `shutdown` ends, then says that it no longer serves, ends the pulls that wait, and gives
/// running calls five seconds to finish.
///
/// The listener comes from the caller, so a test can bind port 0 and know the port. Runs on any
/// runtime; one thread costs half the processor time of two here.
pub async fn serve(
    listener: TcpListener,
    services: Services,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let routes = routes(&services, health_service)?;
    let gate = Gate::new(routes, &services);
    let door = Calls::of(gate, services.metrics.clone());
    let incoming = TcpListenerStream::new(listener).map(|stream| stream.and_then(accepted));
    let stopping = Arc::new(Notify::new());
    let shutdown = async {
        tokio::select! {
            () = shutdown => {}
            () = health::follow(reporter.clone(), services.health.clone()) => {}
        }
        health::end(&reporter, &services.health).await;
        services.dialer.end_waits();
        stopping.notify_one();
    };
    let serving = Server::builder()
        .max_concurrent_streams(STREAM_COUNT_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_WITHIN))
        .serve_with_incoming_shutdown(door, incoming, shutdown);
    let overdue = async {
        stopping.notified().await;
        tokio::time::sleep(STOP_WITHIN).await;
    };
    tokio::select! {
        served = serving => served.map_err(ServeError::Transport),
        () = overdue => {
            tracing::warn!("stopped though some calls were still open");
            Ok(())
        }
    }
}

fn routes(
    services: &Services,
    health: health_server::HealthServer<impl health_server::Health>,
) -> Result<Routes, ServeError> {
    let intake = IntakeServiceServer::new(intake::IntakeApi(services.clone()))
        .max_decoding_message_size(MESSAGE_LENGTH_MAX);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .build_v1()
        .map_err(ServeError::Reflection)?;
    Ok(Routes::new(RepServiceServer::new(rep::RepApi(services.clone())))
        .add_service(intake)
        .add_service(RulesServiceServer::new(rules::RulesApi(services.clone())))
        .add_service(QueueServiceServer::new(queue::QueueApi(services.clone())))
        .add_service(CoverageServiceServer::new(coverage::CoverageApi(services.clone())))
        .add_service(AdminServiceServer::new(admin::AdminApi(services.clone())))
        // The health of a node: it answers. Which services it has, reflection tells.
        .add_service(health)
        .add_service(reflection)
        .prepare())
}

/// A new connection, set up. Without `TCP_NODELAY` a lone call takes 88 ms: the kernel holds the end
/// of an answer back until the client has confirmed its beginning.
fn accepted(stream: TcpStream) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
