//! The settings of `serve` for TLS: a certificate, or a proxy that has one, or this machine alone.

use std::path::PathBuf;

use clap::Args;

use crate::api::front::{TlsFiles, Transport};

/// How connections are kept from being read on their way.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// The node's certificate and those that lead to its issuer, in PEM; read again when it changes
    #[arg(long, env = "NEXTLEAD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, env = "NEXTLEAD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Issuers of clients' certificates, in PEM: a client without one gets no connection. It needs a
    /// token all the same
    #[arg(long, env = "NEXTLEAD_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// A proxy before this node terminates TLS: serve in plain text at any address. Only the proxy may
    /// be able to reach it
    #[arg(long, env = "NEXTLEAD_TLS_BY_PROXY", conflicts_with = "tls_cert")]
    tls_by_proxy: bool,
}

impl TlsArgs {
    pub(super) fn transport(self) -> Transport {
        match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => {
                Transport::Tls(TlsFiles { certificate, key, client_issuers: self.tls_client_ca })
            }
            _ if self.tls_by_proxy => Transport::ByProxy,
            _ => Transport::Loopback,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        tls: TlsArgs,
    }

    fn read(words: &[&str]) -> Option<Transport> {
        let words = [&["serve"], words].concat();
        Line::try_parse_from(words).ok().map(|line| line.tls.transport())
    }

    #[test]
    fn a_certificate_comes_with_its_key_or_not_at_all() {
        assert_eq!(read(&[]), Some(Transport::Loopback));
        assert_eq!(read(&["--tls-by-proxy"]), Some(Transport::ByProxy));
        let pair = ["--tls-cert", "a", "--tls-key", "b"];
        let files = |client_issuers| {
            Some(Transport::Tls(TlsFiles {
                certificate: "a".into(),
                key: "b".into(),
                client_issuers,
            }))
        };
        assert_eq!(read(&pair), files(None));
        let with_clients = [&pair[..], &["--tls-client-ca", "c"]].concat();
        assert_eq!(read(&with_clients), files(Some("c".into())));
        for words in [&pair[..2], &pair[2..], &["--tls-client-ca", "c"]] {
            assert_eq!(read(words), None, "{words:?}");
        }
        assert_eq!(read(&[&pair[..], &["--tls-by-proxy"]].concat()), None);
    }
}
