//! TLS: the certificate and key from files, read again when they change, so that a renewed certificate
//! needs no restart. Connections that stand keep what they were made with. A pair that cannot be read
//! or does not fit is said in the log and the one before stays: renewing tools write two files, one
//! after the other.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// What a client has to say that it speaks: HTTP/2.
pub(super) const ALPN: &[u8] = b"h2";

/// How a node's connections are kept from being read on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// They never leave this machine.
    #[default]
    Loopback,
    /// A proxy before the node does it; its connections carry the calls of many.
    ByProxy,
    /// The node does it.
    Tls(TlsFiles),
}

/// The files of TLS, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The node's certificate, then those that lead to its issuer.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The issuers of clients' certificates. If given, a client without one gets no connection; a token
    /// it needs all the same.
    pub client_issuers: Option<PathBuf>,
}

/// Why TLS cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("could not read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {what} in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The certificate, the key and the issuers do not work together.
    #[error("the certificate {} cannot be used with the key {}", certificate.display(), key.display())]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The issuers of clients' certificates cannot be used.
    #[error("the issuers in {} cannot be used", path.display())]
    Issuers {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// TLS as it is now.
pub(super) struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    stamps: Mutex<Vec<Stamp>>,
}

/// What changes when a file does: its time, its length, and which file it is.
type Stamp = Option<(i64, i64, u64, u64)>;

impl Tls {
    /// Reads the files.
    pub(super) fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let stamps = stamps(&files);
        let config = config(&files)?;
        warn_of_readers(&files.key);
        Ok(Self { files, config: ArcSwap::from_pointee(config), stamps: Mutex::new(stamps) })
    }

    /// What the next connection is made with.
    pub(super) fn current(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Reads the files again if one of them changed; true if there is something new.
    pub(super) fn refresh(&self) -> bool {
        let stamps = stamps(&self.files);
        let mut known = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == stamps {
            return false;
        }
        *known = stamps;
        match config(&self.files) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                tracing::info!("read the new certificate {}", self.files.certificate.display());
                warn_of_readers(&self.files.key);
                true
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot use the changed TLS files; the ones before stay");
                false
            }
        }
    }
}

fn stamps(files: &TlsFiles) -> Vec<Stamp> {
    let files = [Some(&files.certificate), Some(&files.key), files.client_issuers.as_ref()];
    let stamp = |path: &PathBuf| {
        let data = fs::metadata(path).ok()?;
        Some((data.mtime(), data.mtime_nsec(), data.len(), data.ino()))
    };
    files.into_iter().flatten().map(stamp).collect()
}

fn config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let TlsFiles { certificate, key, client_issuers } = files;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pair_failed =
        |source| TlsError::Pair { certificate: certificate.clone(), key: key.clone(), source };
    // TLS 1.2 and 1.3.
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(pair_failed)?;
    let builder = match client_issuers {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let failed = |source| TlsError::Issuers { path: path.clone(), source };
            let mut roots = RootCertStore::empty();
            for issuer in certificates(path)? {
                roots.add(issuer).map_err(|error| failed(error.into()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            let verifier = verifier.build().map_err(|error| failed(error.into()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|error| failure(key, error, "private key"))?;
    let mut config =
        builder.with_single_cert(certificates(certificate)?, secret).map_err(pair_failed)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| failure(path, error, "certificate");
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(failed)?;
    match found.is_empty() {
        true => Err(TlsError::Pem { path: path.to_owned(), what: "certificate" }),
        false => Ok(found),
    }
}

/// What a key file holds may not come into a message, so only a failing disk keeps its cause.
fn failure(path: &Path, error: pem::Error, what: &'static str) -> TlsError {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => TlsError::File { path, source },
        _ => TlsError::Pem { path, what },
    }
}

fn warn_of_readers(path: &Path) {
    let mode = fs::metadata(path).map(|data| data.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        let path = path.display();
        tracing::warn!(%path, "others than its owner can read {path}: it is the node's private key");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair {
        certificate: String,
        key: String,
    }

    fn pair(name: &str) -> Pair {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        Pair { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    fn files(folder: &Path) -> TlsFiles {
        TlsFiles {
            certificate: folder.join("node.crt"),
            key: folder.join("node.key"),
            client_issuers: None,
        }
    }

    fn write(files: &TlsFiles, certificate: &str, key: &str) {
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
    }

    #[test]
    fn a_new_pair_is_taken_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let (old, new) = (pair("old.test"), pair("a-longer-name.test"));
        write(&files, &old.certificate, &old.key);
        let tls = Tls::load(files.clone()).unwrap();
        assert!(!tls.refresh(), "nothing changed");
        let before = tls.config.load_full();

        write(&files, &new.certificate, &old.key);
        assert!(!tls.refresh(), "the new certificate came before its key");
        assert!(Arc::ptr_eq(&before, &tls.config.load_full()));
        fs::remove_file(&files.key).unwrap();
        assert!(!tls.refresh());
        write(&files, &new.certificate, &new.key);
        assert!(tls.refresh());
        assert!(!Arc::ptr_eq(&before, &tls.config.load_full()));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_by_its_name_and_never_by_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let said = |files: &TlsFiles| match Tls::load(files.clone()) {
            Ok(_) => panic!("it loaded"),
            Err(error) => error.to_string(),
        };
        assert!(said(&files).starts_with("could not read "));
        let (one, other) = (pair("a.test"), pair("b.test"));
        write(&files, "secret", &one.key);
        assert!(said(&files).ends_with("node.crt holds no certificate in PEM"));
        write(&files, &one.certificate, "secret");
        assert!(said(&files).ends_with("node.key holds no private key in PEM"));
        write(&files, &one.certificate, &other.key);
        assert!(said(&files).contains("cannot be used with the key"));
        write(&files, &one.certificate, &one.key);
        let with_issuers = TlsFiles { client_issuers: Some(files.key.clone()), ..files };
        assert!(said(&with_issuers).ends_with("node.key holds no certificate in PEM"));
    }
}
