//! Gets a key set from where it lies: a file, or a URL.
//!
//! A key server is believed only as far as needed. It has five seconds for everything, may send 256
//! KiB, may not point elsewhere, and must prove its name. Whatever else it does is a failed fetch.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode, Url};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::keys::{KEY_SET_LENGTH_MAX, KeySetProblem};
use super::settings::KeySource;

/// How long a key server may take to take the connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long it may take for everything.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no new key set.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The file could not be read.
    #[error("could not read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server did not answer, or its certificate is not one to trust.
    #[error("could not fetch the key set")]
    Server(#[source] reqwest::Error),
    /// The server answered something else than the set.
    #[error("the key server answered {0}")]
    Status(StatusCode),
    /// Too long.
    #[error("a key set has at most {KEY_SET_LENGTH_MAX} bytes")]
    TooLong,
    /// It was read, but cannot be used.
    #[error(transparent)]
    KeySet(#[from] KeySetProblem),
}

/// A place that can be asked for a key set.
pub(super) enum Source {
    File(PathBuf),
    Url(Client, Url),
}

impl Source {
    /// Prepares a place; reads the certificates to trust, if any were named.
    pub(super) fn new(
        source: &KeySource,
        ca: Option<&Path>,
        within: Option<Duration>,
    ) -> Result<Self, FetchError> {
        let url = match source {
            KeySource::File(path) => return Ok(Self::File(path.clone())),
            KeySource::Url(url) => url.clone(),
        };
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .pool_max_idle_per_host(0)
            .connect_timeout(within.unwrap_or(CONNECT_WITHIN))
            .timeout(within.unwrap_or(ANSWER_WITHIN));
        if url.scheme() == "http" {
            // Only this machine is asked like that, and a proxy is another one.
            builder = builder.no_proxy();
        }
        if let Some(path) = ca {
            let file = |source| FetchError::File { path: path.to_owned(), source };
            let pem = std::fs::read(path).map_err(file)?;
            let trusted = Certificate::from_pem_bundle(&pem).map_err(FetchError::Server)?;
            if trusted.is_empty() {
                return Err(file(std::io::Error::other("no certificate in it")));
            }
            builder = builder.tls_certs_only(trusted);
        }
        Ok(Self::Url(builder.build().map_err(FetchError::Server)?, url))
    }

    /// Reads the set as it is now.
    pub(super) async fn load(&self) -> Result<Vec<u8>, FetchError> {
        match self {
            Self::File(path) => {
                read(path).await.map_err(|source| FetchError::File { path: path.clone(), source })
            }
            Self::Url(client, url) => fetch(client, url).await,
        }
        .and_then(|bytes| {
            if bytes.len() > KEY_SET_LENGTH_MAX { Err(FetchError::TooLong) } else { Ok(bytes) }
        })
    }
}

/// Reads a file, up to a byte more than is allowed.
async fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = KEY_SET_LENGTH_MAX as u64 + 1;
    // A pipe would keep the reader for ever.
    if !tokio::fs::metadata(path).await?.is_file() {
        return Err(std::io::Error::other("not a file"));
    }
    File::open(path).await?.take(limit).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

async fn fetch(client: &Client, url: &Url) -> Result<Vec<u8>, FetchError> {
    let failed = |error: reqwest::Error| FetchError::Server(error.without_url());
    let mut answer = client.get(url.clone()).send().await.map_err(failed)?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(answer.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > KEY_SET_LENGTH_MAX {
            return Err(FetchError::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
