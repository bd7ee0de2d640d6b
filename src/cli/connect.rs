//! Finds the node and the token, and connects.
//!
//! A token is a secret, so it never comes from an argument, where every process list shows it: it
//! comes from the environment or from a file.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::trouble;
use crate::api::client::{
    Client, ClientTls, ConnectError, OpenClient, connect_openly, connect_with,
};
use crate::config::{
    ADMIN_TOKEN_FILE_DEFAULT, SERVER_DEFAULT, STORE_DEFAULT, StoreFile, admin_token_file,
};

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

    /// File with the issuers, in PEM, that may have signed the node's certificate. Without it: those
    /// that this machine trusts
    #[arg(long, global = true, env = "NEXTLEAD_CA_CERT", value_name = "FILE")]
    ca_cert: Option<PathBuf>,

    /// File with a certificate of yours, in PEM, for a node that asks for one
    #[arg(
        long,
        global = true,
        env = "NEXTLEAD_CLIENT_CERT",
        value_name = "FILE",
        requires = "client_key"
    )]
    client_cert: Option<PathBuf>,

    /// File with its private key, in PEM
    #[arg(
        long,
        global = true,
        env = "NEXTLEAD_CLIENT_KEY",
        value_name = "FILE",
        requires = "client_cert"
    )]
    client_key: Option<PathBuf>,
}

impl ServerArgs {
    /// A node on this machine that listens at `address`, and the file with its token.
    pub(super) fn of(address: &str, token_file: PathBuf) -> Self {
        Self {
            server: Some(address.to_owned()),
            token_file: Some(token_file),
            ca_cert: None,
            client_cert: None,
            client_key: None,
        }
    }

    /// Whether a node was named, on the command line or by the variable.
    pub(super) fn is_named(&self) -> bool {
        self.server.as_deref().is_some_and(|server| !server.is_empty())
    }

    /// The node's URL. If no scheme was given: `http://` on this machine, unless certificates are named,
    /// else `https://`.
    pub(super) fn url(&self) -> String {
        let has_certificates = self.ca_cert.is_some() || self.client_cert.is_some();
        match self.server.as_deref() {
            None | Some("") if has_certificates => SERVER_DEFAULT.replacen("http", "https", 1),
            None | Some("") => SERVER_DEFAULT.to_owned(),
            Some(url) if url.contains("://") => url.to_owned(),
            // Beyond this machine a node has a certificate, and a token must not be read on its way.
            Some(address) if has_certificates || !is_loopback(address) => {
                format!("https://{address}")
            }
            Some(address) => format!("http://{address}"),
        }
    }

    /// Reads the token and connects.
    pub(super) async fn open(&self) -> anyhow::Result<Client> {
        let url = self.url();
        let token = self.token(std::env::var(TOKEN_VARIABLE).ok())?;
        let connected = connect_with(&url, &token, &self.tls()?).await;
        connected.map_err(|problem| match problem {
            // What the network said ("tcp connect error") helps nobody who forgot to start a node.
            ConnectError::Unreachable { source, .. } => {
                Unreachable { text: trouble::text(&url, &source) }.into()
            }
            other => other.into(),
        })
    }

    fn tls(&self) -> anyhow::Result<ClientTls> {
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => {
                PrivateKeyDer::from_pem_file(key)
                    .map_err(|_| anyhow!("there is no private key in PEM in {}", key.display()))?;
                Some((certificates(certificate)?, read(key)?))
            }
            _ => None,
        };
        let issuers = self.ca_cert.as_deref().map(certificates).transpose()?;
        Ok(ClientTls { issuers, identity })
    }

    /// Connects for what needs no token.
    pub(super) async fn open_without_token(&self) -> anyhow::Result<OpenClient> {
        let url = self.url();
        let connected = connect_openly(&url, &self.tls()?).await;
        connected.map_err(|problem| match problem {
            ConnectError::Unreachable { source, .. } => {
                Unreachable { text: trouble::text(&url, &source) }.into()
            }
            other => other.into(),
        })
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
        // It opens everything on this machine's node: no other server is to see it.
        if !is_loopback(&self.url()) {
            bail!(
                "no token for {}: set {TOKEN_VARIABLE}, or name its file with --token-file \
                 (NEXTLEAD_TOKEN_FILE)",
                self.url()
            );
        }
        let StoreFile(store) = STORE_DEFAULT.parse().expect("the default is a store");
        let mut path = admin_token_file(&store);
        if !path.exists() && Path::new(ADMIN_TOKEN_FILE_DEFAULT).exists() {
            path = ADMIN_TOKEN_FILE_DEFAULT.into();
        }
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

/// The certificates in a file: its text, once it is known that there are some.
fn certificates(path: &Path) -> anyhow::Result<Vec<u8>> {
    let text = read(path)?;
    let mut found = CertificateDer::pem_slice_iter(&text);
    match found.next() {
        Some(Ok(_)) if found.all(|one| one.is_ok()) => Ok(text),
        _ => bail!("there is no certificate in PEM in {}", path.display()),
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Whether an address, with a scheme or without, is on this machine.
fn is_loopback(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match place.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((host, _)) => host,
        None => place.rsplit_once(':').map_or(place, |(host, _)| host),
    };
    if place.contains('@') {
        return false;
    }
    let is_local_address = host.parse().is_ok_and(|one: IpAddr| one.is_loopback());
    is_local_address || host.eq_ignore_ascii_case("localhost")
}

fn checked(text: &str, place: &str) -> anyhow::Result<String> {
    let token = text.trim();
    if token.is_empty() {
        bail!("there is no token in {place}");
    }
    Ok(token.to_owned())
}

/// The node cannot be talked to.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Unreachable {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(server: Option<&str>, token_file: Option<PathBuf>) -> ServerArgs {
        ServerArgs {
            server: server.map(str::to_owned),
            token_file,
            ca_cert: None,
            client_cert: None,
            client_key: None,
        }
    }

    #[test]
    fn an_address_without_a_scheme_is_http_on_this_machine_and_without_certificates() {
        assert_eq!(args(None, None).url(), SERVER_DEFAULT);
        assert_eq!(args(Some("crm:7400"), None).url(), "https://crm:7400");
        assert_eq!(args(Some("https://crm"), None).url(), "https://crm");
        let with = |server| ServerArgs { ca_cert: Some("ca".into()), ..args(server, None) };
        assert_eq!(with(Some("crm:7400")).url(), "https://crm:7400");
        assert_eq!(with(None).url(), "https://127.0.0.1:7400");
    }

    #[test]
    fn the_admin_token_that_lies_here_is_for_this_machine_alone() {
        for here in ["http://127.0.0.1:7400", "localhost:7400", "https://[::1]:7400/", "127.8.8.8"]
        {
            assert!(is_loopback(here), "{here}");
        }
        for there in ["crm:7400", "https://localhost.example.com", "http://localhost:1@crm", ""] {
            assert!(!is_loopback(there), "{there}");
        }
        let refused = args(Some("crm:7400"), None).token(None).unwrap_err().to_string();
        assert!(refused.contains("no token for https://crm:7400"), "{refused}");
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "no certificate").unwrap();
        let args = ServerArgs { ca_cert: Some(path.clone()), ..args(None, None) };
        let problem = args.tls().err().unwrap().to_string();
        assert_eq!(problem, format!("there is no certificate in PEM in {}", path.display()));
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
