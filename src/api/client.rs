//! What a client of a node needs: a connection that carries the token with every call.

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_health::pb::health_client::HealthClient;

use super::proto::admin_service_client::AdminServiceClient;
use super::proto::coverage_service_client::CoverageServiceClient;
use super::proto::intake_service_client::IntakeServiceClient;
use super::proto::queue_service_client::QueueServiceClient;
use super::proto::rep_service_client::RepServiceClient;
use super::proto::rules_service_client::RulesServiceClient;
use super::{KEEPALIVE_EVERY, KEEPALIVE_WITHIN, MESSAGE_LENGTH_MAX};

/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Why a node cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is none.
    #[error("{server:?} is no address of a server: expected something like http://127.0.0.1:7070")]
    Address {
        /// What was given.
        server: String,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// The token holds what no header can carry.
    #[error("the token holds characters that no token has")]
    Token,
    /// Nobody answers there.
    #[error("could not connect to {server}")]
    Unreachable {
        /// The address.
        server: String,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
}

/// Adds the token to every call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// What calls go through.
pub type Calls = InterceptedService<Channel, Bearer>;

/// A connection to a node. Clones share it.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    bearer: Bearer,
}

/// Connects to a node, `http://127.0.0.1:7070`, say.
pub async fn connect(server: &str, token: &str) -> Result<Client, ConnectError> {
    let mut header: MetadataValue<Ascii> =
        format!("Bearer {}", token.trim()).parse().map_err(|_| ConnectError::Token)?;
    header.set_sensitive(true);
    Ok(Client { channel: channel_to(server).await?, bearer: Bearer(header) })
}

/// A connection for what needs no token.
#[derive(Clone)]
pub struct OpenClient(Channel);

/// Connects to a node without a token: there is little that it says then.
pub async fn connect_openly(server: &str) -> Result<OpenClient, ConnectError> {
    Ok(OpenClient(channel_to(server).await?))
}

impl OpenClient {
    /// How the node is.
    pub fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.0.clone())
    }
}

async fn channel_to(server: &str) -> Result<Channel, ConnectError> {
    let endpoint = Endpoint::from_shared(server.to_owned())
        .map_err(|source| ConnectError::Address { server: server.to_owned(), source })?
        .connect_timeout(CONNECT_WITHIN)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_WITHIN);
    let unreachable = |source| ConnectError::Unreachable { server: server.to_owned(), source };
    endpoint.connect().await.map_err(unreachable)
}

impl Client {
    fn calls(&self) -> Calls {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    /// What reps call.
    pub fn reps(&self) -> RepServiceClient<Calls> {
        RepServiceClient::new(self.calls())
    }

    /// What marketing automation calls.
    pub fn intake(&self) -> IntakeServiceClient<Calls> {
        IntakeServiceClient::new(self.calls()).max_decoding_message_size(MESSAGE_LENGTH_MAX)
    }

    /// What managers call about rules.
    pub fn rules(&self) -> RulesServiceClient<Calls> {
        RulesServiceClient::new(self.calls()).max_decoding_message_size(MESSAGE_LENGTH_MAX)
    }

    /// What managers call about queues.
    pub fn queues(&self) -> QueueServiceClient<Calls> {
        QueueServiceClient::new(self.calls()).max_decoding_message_size(MESSAGE_LENGTH_MAX)
    }

    /// What an admin calls.
    pub fn admin(&self) -> AdminServiceClient<Calls> {
        AdminServiceClient::new(self.calls()).max_decoding_message_size(MESSAGE_LENGTH_MAX)
    }

    /// What marketing calls.
    pub fn coverage(&self) -> CoverageServiceClient<Calls> {
        CoverageServiceClient::new(self.calls()).max_decoding_message_size(MESSAGE_LENGTH_MAX)
    }
}
