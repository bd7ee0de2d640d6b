//! The door: gRPC, one file a service. It says things and decides nothing.
//!
//! A call comes through the `front`, which holds the limits, and passes the gate in `caller`, which asks
//! who calls; its handler reads the message through `convert`, asks one use case and writes the answer.
//! What went wrong becomes a status in `status` alone.

mod admin;
mod backup;
mod caller;
pub mod client;
mod codec;
mod convert;
mod coverage;
pub mod front;
mod intake;
pub mod proto;
mod queue;
mod rep;
mod rules;
mod status;
mod stay;
mod suppressions;

use std::sync::Arc;

use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::auth::Access;
use crate::coverage::Coverage;
use crate::dialer::{Dialer, DialerError};
use crate::domain::LeadId;

use caller::Gate;
use convert::LeadName;
use front::{Admission, FrontOptions, TlsError};
use proto::admin_service_server::AdminServiceServer;
use proto::coverage_service_server::CoverageServiceServer;
use proto::intake_service_server::IntakeServiceServer;
use proto::queue_service_server::QueueServiceServer;
use proto::rep_service_server::RepServiceServer;
use proto::rules_service_server::RulesServiceServer;

pub use intake::ROW_COUNT_MAX;
pub use status::DOMAIN;

/// The largest batch of an import, and the largest answer to any call, in bytes.
pub const MESSAGE_LENGTH_MAX: usize = 16 * 1_024 * 1_024;

/// Why a node stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptors of the API are damaged.
    #[error("could not offer reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The certificate or its key cannot be used.
    #[error("could not offer TLS")]
    Tls(#[source] TlsError),
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
/// running calls a while to finish.
///
/// The listener comes from the caller, so a test can bind port 0 and know the port. Runs on any
/// runtime; one thread costs half the processor time of two here.
pub async fn serve(
    listener: TcpListener,
    services: Services,
    front: FrontOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let routes = routes(&services, health_service)?;
    let admitted = Admission::new(routes, &front.limits, &front.tally);
    let gate = Gate::new(admitted, &services);
    let shutdown = async {
        shutdown.await;
        health.set_service_status("", ServingStatus::NotServing).await;
        services.dialer.end_waits();
    };
    front::serve(listener, gate, front, shutdown).await.map_err(ServeError::Tls)
}

fn routes(services: &Services, health: HealthServer<impl Health>) -> Result<Routes, ServeError> {
    // How long a request of one message may be is the front's to say, by method; a stream's messages
    // pass it by.
    macro_rules! limited {
        ($service:expr) => {
            $service
                .max_decoding_message_size(MESSAGE_LENGTH_MAX)
                .max_encoding_message_size(MESSAGE_LENGTH_MAX)
        };
    }
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .build_v1()
        .map_err(ServeError::Reflection)?;
    Ok(Routes::new(limited!(RepServiceServer::new(rep::RepApi(services.clone()))))
        .add_service(limited!(IntakeServiceServer::new(intake::IntakeApi(services.clone()))))
        .add_service(limited!(RulesServiceServer::new(rules::RulesApi(services.clone()))))
        .add_service(limited!(QueueServiceServer::new(queue::QueueApi(services.clone()))))
        .add_service(limited!(CoverageServiceServer::new(coverage::CoverageApi(services.clone()))))
        .add_service(limited!(AdminServiceServer::new(admin::AdminApi(services.clone()))))
        // The health of a node: it answers. Which services it has, reflection tells.
        .add_service(health)
        .add_service(reflection)
        .prepare())
}

#[cfg(test)]
mod tests;
