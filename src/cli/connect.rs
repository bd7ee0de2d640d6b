//! Finds the node and the token, and connects.
//!
//! A token is a secret, so it never comes from an argument, where every process list shows it: it
//! comes from the environment or from a file.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::api::client::{Client, ConnectError, OpenClient, connect, connect_openly};
use crate::config::{SERVER_DEFAULT, STORE_DEFAULT, StoreFile, admin_token_file};

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

    /// Reads the token and connects.
    pub(super) async fn open(&self) -> anyhow::Result<Client> {
        let url = self.url();
        let token = self.token(std::env::var(TOKEN_VARIABLE).ok())?;
        let connected = connect(&url, &token).await;
        connected.map_err(|problem| match problem {
            // What the network said ("tcp connect error") helps nobody who forgot to start a node.
            ConnectError::Unreachable { .. } => Unreachable { url }.into(),
            other => other.into(),
        })
    }

    /// Connects for what needs no token.
    pub(super) async fn open_without_token(&self) -> anyhow::Result<OpenClient> {
        let url = self.url();
        let connected = connect_openly(&url).await;
        connected.map_err(|problem| match problem {
            ConnectError::Unreachable { .. } => Unreachable { url }.into(),
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

/// Nobody answers.
#[derive(Debug, thiserror::Error)]
#[error("{}", unreachable_text(url))]
pub(super) struct Unreachable {
    url: String,
}

/// What to say when nobody answers.
pub(super) fn unreachable_text(url: &str) -> String {
    format!("cannot reach a node at {url}; is `nextlead serve` running?")
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
