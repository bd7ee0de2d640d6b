//! What went wrong between a command and its node, in words that say what to do about it.
//!
//! The libraries say "transport error" to all of it; the reason lies deep in the chain of causes.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// What to say when a node at this address cannot be talked to.
pub(super) fn text(url: &str, error: &(dyn Error + 'static)) -> String {
    if let Some(why) = tls_problem(error).map(tls_text) {
        return format!("cannot talk to the node at {url}: {why}");
    }
    // A connection came about, and then was lost.
    if causes(error).any(|cause| cause.is::<hyper::Error>()) {
        let hint = match url.strip_prefix("http://") {
            Some(rest) => format!("if it has a certificate, call it https://{rest}"),
            None => "if it asks for certificates, give it one that it accepts with --client-cert \
                     and --client-key"
                .to_owned(),
        };
        return format!("the node at {url} hung up; {hint}");
    }
    format!("cannot reach a node at {url}; is `nextlead serve` running?")
}

fn tls_text(problem: &rustls::Error) -> String {
    match problem {
        rustls::Error::InvalidCertificate(why) => match why {
            // A trusted issuer of the same name, but not that one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate comes from an issuer that is not trusted here; name the issuer's \
                 certificate with --ca-cert"
                    .to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; is the clock of this machine right?".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name; call it by the name in the certificate"
                    .to_owned()
            }
            // What `openssl req -x509` makes unless told otherwise. The library keeps its own error hidden.
            other if other.to_string().contains("CaUsedAsEndEntity") => {
                "its certificate is that of an issuer, which no server may use; make one with \
                 basicConstraints CA:FALSE"
                    .to_owned()
            }
            other => format!("its certificate is not accepted: {other}"),
        },
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS; call it http://… if it runs on this machine".to_owned()
        }
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
        ) => "it wants a certificate of yours; give it with --client-cert and --client-key"
            .to_owned(),
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError,
        ) => "it does not accept the certificate of --client-cert".to_owned(),
        other => other.to_string(),
    }
}

/// What TLS says, somewhere among the causes.
fn tls_problem<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    causes(error).find_map(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        inner.or_else(|| cause.downcast_ref::<rustls::Error>())
    })
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://node:7400";

    #[test]
    fn what_tls_says_is_found_inside_what_the_network_says() {
        let said = |problem: rustls::Error| {
            text(URL, &io::Error::new(io::ErrorKind::InvalidData, problem))
        };
        let expired = said(rustls::Error::InvalidCertificate(CertificateError::Expired));
        assert_eq!(
            expired,
            "cannot talk to the node at https://node:7400: its certificate has expired"
        );
        let unknown = said(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert!(unknown.contains("--ca-cert"));
        let plain = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert!(said(plain).contains("does not speak TLS"));
        let asked = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        assert!(said(asked).contains("--client-cert"));
    }

    #[test]
    fn nobody_there_is_said_to_be_nobody_there() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(text(URL, &refused).starts_with("cannot reach a node at https://node:7400"));
    }
}
