//! TLS from outside: who gets in, who does not and is told why, and what a handshake may take.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nextlead::api::client::{ClientTls, connect_with};
use nextlead::api::front::{Deadlines, Limit, Limits, TlsFiles, Transport};
use nextlead::api::proto;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::target::{Target, short};
use super::wire::{PREFACE, Raw};
use crate::process::{BINARY, Process};

/// An issuer, and the files of what it issued.
struct Pki {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    folder: PathBuf,
}

impl Pki {
    fn new(folder: &Path) -> Self {
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        fs::write(folder.join("ca.crt"), &certificate).unwrap();
        let issuer = Issuer::new(parameters, key);
        Self { issuer, certificate, folder: folder.to_owned() }
    }

    /// Issues a certificate for a name, in files called after `file`.
    fn issue(&self, name: &str, file: &str) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap().pem();
        let files = TlsFiles {
            certificate: self.folder.join(format!("{file}.crt")),
            key: self.folder.join(format!("{file}.key")),
            client_issuers: None,
        };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn trust(&self) -> ClientTls {
        ClientTls { issuers: Some(self.certificate.clone().into_bytes()), identity: None }
    }
}

#[tokio::test]
async fn handshakes_that_do_not_end_or_mean_something_else_are_cut() {
    let folder = TempDir::new().unwrap();
    let pki = Pki::new(folder.path());
    let transport = Transport::Tls(pki.issue("127.0.0.1", "node"));
    let target = Target::start_with(short(), transport, &pki.trust()).await;
    for (first, limit) in [
        (&b""[..], Limit::HandshakeLate),
        (&[0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], Limit::HandshakeLate),
        (PREFACE, Limit::HandshakeFailed),
        (b"GET / HTTP/1.1\r\nHost: node\r\n\r\n", Limit::HandshakeFailed),
    ] {
        let attack = async {
            let mut raw = Raw::connect(target.address).await.unwrap();
            raw.send(first).await.unwrap();
            raw.wait_for_end().await;
        };
        target.meets(limit, attack).await;
    }
    // Through TLS nobody is more patient.
    for (alpn, limit) in
        [(vec![], Limit::HandshakeFailed), (vec![b"h2".to_vec()], Limit::FirstCallLate)]
    {
        let attack = async {
            let connector = tokio_rustls::TlsConnector::from(Arc::new(client_config(&pki, alpn)));
            let stream = TcpStream::connect(target.address).await.unwrap();
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let mut raw = Raw::over(connector.connect(name, stream).await.unwrap());
            raw.wait_for_end().await;
        };
        target.meets(limit, attack).await;
    }
    target.end().await;
}

fn client_config(pki: &Pki, alpn: Vec<Vec<u8>>) -> rustls::ClientConfig {
    use rustls::pki_types::pem::PemObject as _;
    let issuer = rustls::pki_types::CertificateDer::from_pem_slice(pki.certificate.as_bytes());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issuer.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn;
    config
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_and_nobody_is_hung_up_on() {
    let (old_folder, new_folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (old, new) = (Pki::new(old_folder.path()), Pki::new(new_folder.path()));
    let files = old.issue("127.0.0.1", "node");
    let deadlines =
        Deadlines { certificate_every: Duration::from_millis(20), ..Deadlines::default() };
    let limits = Limits { deadlines, ..Limits::default() };
    let target = Target::start_with(limits, Transport::Tls(files.clone()), &old.trust()).await;
    let url = format!("https://{}", target.address);
    assert!(connect_with(&url, &target.token, &new.trust()).await.is_err());

    let renewed = new.issue("127.0.0.1", "node");
    fs::rename(renewed.certificate, files.certificate).unwrap();
    fs::rename(renewed.key, files.key).unwrap();
    let taken = async {
        while connect_with(&url, &target.token, &new.trust()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    target
        .under(async { tokio::time::timeout(Duration::from_secs(20), taken).await.unwrap() })
        .await;
    assert!(connect_with(&url, &target.token, &old.trust()).await.is_err());
    // The connection that stood is the honest client's, and goes on.
    let queues = target.client.queues().list_queues(proto::ListQueuesRequest::default()).await;
    assert_eq!(queues.unwrap().into_inner().queues.len(), 1);
    target.end().await;
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn serve(folder: &Path, files: &TlsFiles, more: &[&str]) -> Process {
    let own = ["--tls-cert", text(&files.certificate), "--tls-key", text(&files.key)];
    let settings = [&["--listen", "127.0.0.1:0"], &own[..], more].concat();
    Process::start_with(Path::new(BINARY), folder, &settings)
}

/// Runs `queue list` against a URL; gives the exit code and what was said of the failure.
fn list(node: &Process, url: &str, more: &[&str]) -> (i32, String) {
    let ran = node.run(&[&["queue", "list", "--server", url], more].concat());
    (ran.code, ran.err)
}

#[test]
fn a_command_is_served_through_tls_or_told_what_to_do() {
    let folder = TempDir::new().unwrap();
    let pki = Pki::new(folder.path());
    let node = serve(folder.path(), &pki.issue("127.0.0.1", "node"), &[]);
    let (address, ca) = (node.address(), folder.path().join("ca.crt"));
    let https = format!("https://{address}");
    assert_eq!(list(&node, &https, &["--ca-cert", text(&ca)]), (0, String::new()));

    let (code, said) = list(&node, &https, &[]);
    assert!(code != 0 && said.contains("--ca-cert"), "{said}");
    let (code, said) = list(&node, &https, &["--ca-cert", text(&folder.path().join("node.key"))]);
    assert!(code != 0 && said.contains("there is no certificate in PEM in"), "{said}");
    let (code, said) = list(&node, &format!("http://{address}"), &[]);
    assert!(code != 0 && said.contains(&format!("call it {https}")), "{said}");
    let by_name = https.replace("127.0.0.1", "localhost");
    let (code, said) = list(&node, &by_name, &["--ca-cert", text(&ca)]);
    assert!(code != 0 && said.contains("for another name"), "{said}");
    assert!(node.terminate());

    let plain = TempDir::new().unwrap();
    let node = Process::start(plain.path());
    let https = format!("https://{}", node.address());
    let (code, said) = list(&node, &https, &["--ca-cert", text(&ca)]);
    assert!(code != 0 && said.contains("does not speak TLS"), "{said}");
    assert!(node.terminate());
}

#[test]
fn a_node_that_asks_for_certificates_serves_nobody_without_one() {
    let folder = TempDir::new().unwrap();
    let pki = Pki::new(folder.path());
    let (own, ca) = (pki.issue("127.0.0.1", "node"), folder.path().join("ca.crt"));
    let client = pki.issue("crm", "crm");
    let stranger_folder = TempDir::new().unwrap();
    let stranger = Pki::new(stranger_folder.path()).issue("crm", "crm");
    let node = serve(folder.path(), &own, &["--tls-client-ca", text(&ca)]);
    let https = format!("https://{}", node.address());
    let ca = ["--ca-cert", text(&ca)];
    let with = |files: &TlsFiles| {
        let identity =
            ["--client-cert", text(&files.certificate), "--client-key", text(&files.key)];
        list(&node, &https, &[&ca[..], &identity].concat())
    };
    assert_eq!(with(&client), (0, String::new()));
    let (code, said) = list(&node, &https, &ca);
    assert!(code != 0 && said.contains("--client-cert"), "{said}");
    let (code, said) = with(&stranger);
    assert!(code != 0 && said.contains("--client-cert"), "{said}");
    // A certificate is no token.
    let token = folder.path().join("wrong-token");
    fs::write(&token, "wrong").unwrap();
    let identity = ["--client-cert", text(&client.certificate), "--client-key", text(&client.key)];
    let wrong = ["--token-file", text(&token)];
    let (code, said) = list(&node, &https, &[&ca[..], &identity, &wrong].concat());
    assert!(code != 0 && said.contains("TOKEN_INVALID"), "{said}");
    assert!(node.terminate());
}

#[test]
fn without_tls_a_node_serves_this_machine_unless_a_proxy_is_before_it() {
    let folder = TempDir::new().unwrap();
    let mut command = crate::process::command(Path::new(BINARY), folder.path());
    let refused = command.args(["serve", "--listen", "0.0.0.0:0"]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("not a loopback address"), "{said}");
    let settings = ["--listen", "0.0.0.0:0", "--tls-by-proxy"];
    let node = Process::start_with(Path::new(BINARY), folder.path(), &settings);
    let port = node.address().rsplit_once(':').unwrap().1.to_owned();
    assert_eq!(list(&node, &format!("http://127.0.0.1:{port}"), &[]).0, 0);
    assert!(node.terminate());
}
