//! What a client of a node needs: a connection that carries the token with every call.

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};
use tonic_health::pb::health_client::HealthClient;

use super::MESSAGE_LENGTH_MAX;
use super::proto::admin_service_client::AdminServiceClient;
use super::proto::coverage_service_client::CoverageServiceClient;
use super::proto::intake_service_client::IntakeServiceClient;
use super::proto::queue_service_client::QueueServiceClient;
use super::proto::rep_service_client::RepServiceClient;
use super::proto::rules_service_client::RulesServiceClient;

/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How often a silent node is asked whether it still lives.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
/// How long it may take to say so.
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(10);

/// Why a node cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is none.
    #[error("{server:?} is no address of a server: expected something like http://127.0.0.1:7400")]
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
    /// A certificate or key of the client's cannot be used.
    #[error("could not use the TLS files for {server}")]
    Tls {
        /// The address.
        server: String,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// Nobody answers there, or not as a node does.
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

/// What a client brings to a node that it calls through TLS (`https://`), in PEM.
#[derive(Clone, Default)]
pub struct ClientTls {
    /// Who may have issued the node's certificate; `None`: whoever this machine trusts.
    pub issuers: Option<Vec<u8>>,
    /// The client's own certificate and its key, for a node that asks for one.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl ClientTls {
    fn config(&self) -> ClientTlsConfig {
        let config = ClientTlsConfig::new().timeout(CONNECT_WITHIN);
        let config = match &self.issuers {
            Some(issuers) => config.ca_certificate(Certificate::from_pem(issuers)),
            None => config.with_native_roots(),
        };
        match &self.identity {
            Some((certificate, key)) => config.identity(Identity::from_pem(certificate, key)),
            None => config,
        }
    }
}

/// Connects to a node, `http://127.0.0.1:7400`, say.
pub async fn connect(server: &str, token: &str) -> Result<Client, ConnectError> {
    connect_with(server, token, &ClientTls::default()).await
}

/// Connects to a node, with these certificates if its address begins with `https://`.
pub async fn connect_with(
    server: &str,
    token: &str,
    tls: &ClientTls,
) -> Result<Client, ConnectError> {
    let mut header: MetadataValue<Ascii> =
        format!("Bearer {}", token.trim()).parse().map_err(|_| ConnectError::Token)?;
    header.set_sensitive(true);
    Ok(Client { channel: channel_to(server, tls).await?, bearer: Bearer(header) })
}

/// A connection for what needs no token.
#[derive(Clone)]
pub struct OpenClient(Channel);

/// Connects to a node without a token: there is little that it says then.
pub async fn connect_openly(server: &str, tls: &ClientTls) -> Result<OpenClient, ConnectError> {
    Ok(OpenClient(channel_to(server, tls).await?))
}

impl OpenClient {
    /// How the node is.
    pub fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.0.clone())
    }
}

async fn channel_to(server: &str, tls: &ClientTls) -> Result<Channel, ConnectError> {
    let endpoint = Endpoint::from_shared(server.to_owned())
        .map_err(|source| ConnectError::Address { server: server.to_owned(), source })?
        .connect_timeout(CONNECT_WITHIN)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_WITHIN);
    let endpoint = match endpoint.uri().scheme_str() {
        Some("https") => endpoint
            .tls_config(tls.config())
            .map_err(|source| ConnectError::Tls { server: server.to_owned(), source })?,
        _ => endpoint,
    };
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
