//! Finds the node and the token, and opens the five services.
//!
//! A token is a secret, so it never comes from an argument, where every process list shows it: it
//! comes from the environment or from a file.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::api::proto::coverage_service_client::CoverageServiceClient;
use crate::api::proto::intake_service_client::IntakeServiceClient;
use crate::api::proto::queue_service_client::QueueServiceClient;
use crate::api::proto::rep_service_client::RepServiceClient;
use crate::api::proto::rules_service_client::RulesServiceClient;
use crate::config::{SERVER_DEFAULT, STORE_DEFAULT, StoreFile, admin_token_file};

/// The largest answer that is taken: one to a batch of rejected rows can be long.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Without pings a connection whose packets are lost hangs for ever.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// The environment variable that carries the token itself.
const TOKEN_VARIABLE: &str = "NEXTLEAD_TOKEN";

/// Which node to call, and with which token.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Node")]
pub(super) struct ServerArgs {
    /// The node to call [default: http://127.0.0.1:7400]
    #[arg(long, global = true, env = "NEXTLEAD_SERVER", value_name = "URL")]
    server: Option<String>,

    /// File that holds the token. Without it: the variable NEXTLEAD_TOKEN, or else the admin token
    /// that a node with the default store leaves in nextlead.db.admin-token
    #[arg(long, global = true, env = "NEXTLEAD_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl ServerArgs {
    /// The node's URL, with `http://` before it if no scheme was given.
    pub(super) fn url(&self) -> String {
        match self.server.as_deref() {
            None | Some("") => SERVER_DEFAULT.to_owned(),
            Some(url) if url.contains("://") => url.to_owned(),
            Some(address) => format!("http://{address}"),
        }
    }

    /// Reads the token and prepares the connection; it is made with the first call.
    pub(super) fn open(&self) -> anyhow::Result<Node> {
        let url = self.url();
        let endpoint = Endpoint::from_shared(url.clone())
            .with_context(|| format!("'{url}' is no URL of a node, such as {SERVER_DEFAULT}"))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .tcp_nodelay(true)
            .initial_connection_window_size(4 << 20)
            .initial_stream_window_size(2 << 20);
        let token = self.token(std::env::var(TOKEN_VARIABLE).ok())?;
        let value = format!("Bearer {token}").parse::<MetadataValue<Ascii>>();
        let Ok(mut bearer) = value else { bail!("the token has characters that no token has") };
        bearer.set_sensitive(true);
        Ok(Node { channel: endpoint.connect_lazy(), bearer: Bearer(bearer) })
    }

    /// The named file goes before the variable: who names one on the command line means it.
    fn token(&self, from_variable: Option<String>) -> anyhow::Result<String> {
        if let Some(path) = &self.token_file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the token file {}", path.display()))?;
            return checked(&text, &path.display().to_string());
        }
        if let Some(token) = from_variable.filter(|token| !token.trim().is_empty()) {
            return checked(&token, TOKEN_VARIABLE);
        }
        let StoreFile(store) = STORE_DEFAULT.parse().expect("the default is a store");
        let path = admin_token_file(&store);
        let Ok(text) = std::fs::read_to_string(&path) else {
            bail!(
                "no token: set {TOKEN_VARIABLE}, or name its file with --token-file \
                 (NEXTLEAD_TOKEN_FILE); {} is not in this directory",
                path.display()
            );
        };
        checked(&text, &path.display().to_string())
    }
}

fn checked(text: &str, place: &str) -> anyhow::Result<String> {
    let token = text.trim();
    if token.is_empty() {
        bail!("there is no token in {place}");
    }
    Ok(token.to_owned())
}

/// Puts the token on every call.
#[derive(Clone)]
pub(super) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A channel that carries the token.
pub(super) type Line = InterceptedService<Channel, Bearer>;

/// A node, ready to be called.
pub(super) struct Node {
    channel: Channel,
    bearer: Bearer,
}

impl Node {
    /// A node with any token, for tests.
    #[cfg(test)]
    pub(super) fn at(url: &str) -> Self {
        let channel = Endpoint::from_shared(url.to_owned()).expect("a test's URL").connect_lazy();
        Self { channel, bearer: Bearer(MetadataValue::from_static("Bearer test")) }
    }

    fn line(&self) -> Line {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    pub(super) fn reps(&self) -> RepServiceClient<Line> {
        RepServiceClient::new(self.line()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(super) fn intake(&self) -> IntakeServiceClient<Line> {
        IntakeServiceClient::new(self.line()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(super) fn rules(&self) -> RulesServiceClient<Line> {
        RulesServiceClient::new(self.line()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(super) fn queues(&self) -> QueueServiceClient<Line> {
        QueueServiceClient::new(self.line()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    pub(super) fn coverage(&self) -> CoverageServiceClient<Line> {
        CoverageServiceClient::new(self.line()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(server: Option<&str>, token_file: Option<PathBuf>) -> ServerArgs {
        ServerArgs { server: server.map(str::to_owned), token_file }
    }

    #[test]
    fn an_address_without_a_scheme_is_http() {
        assert_eq!(args(None, None).url(), SERVER_DEFAULT);
        assert_eq!(args(Some("crm:7400"), None).url(), "http://crm:7400");
        assert_eq!(args(Some("https://crm"), None).url(), "https://crm");
    }

    #[test]
    fn a_named_token_file_goes_before_the_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "from-file\n").unwrap();
        let named = args(None, Some(path.clone()));
        assert_eq!(named.token(Some("from-variable".into())).unwrap(), "from-file");
        assert_eq!(args(None, None).token(Some(" v ".into())).unwrap(), "v");

        std::fs::write(&path, " \n").unwrap();
        assert!(named.token(None).unwrap_err().to_string().contains("no token in"));
    }
}
