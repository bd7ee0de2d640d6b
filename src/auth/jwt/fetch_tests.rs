//! Keys that change, and key servers that misbehave: whatever comes, the last good set stays.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jsonwebtoken::Algorithm::{self, ES256};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::provider::{NOON, Provider, claims, key_set, settings};
use super::{FetchError, JwtVerifier, KeySetProblem, KeySource, Refusal};

const MINUTE_MS: i64 = 60_000;
const PATIENCE: Duration = Duration::from_millis(300);

/// What a key server does next.
#[derive(Clone)]
enum Manner {
    /// Sends these bytes and closes.
    Sends(Vec<u8>),
    /// Sends these bytes again and again.
    SendsForEver(Vec<u8>, Vec<u8>),
    /// Takes the connection and says nothing.
    Silent,
    /// Closes at once.
    Closes,
}

fn ok(body: &str) -> Manner {
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json";
    Manner::Sends(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
}

/// A key server on a free port that does as it was last told.
struct KeyServer {
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    request_count: Arc<Mutex<usize>>,
}

impl KeyServer {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let manner = Arc::new(Mutex::new(Manner::Closes));
        let request_count: Arc<Mutex<usize>> = Arc::default();
        let (told, count) = (manner.clone(), Arc::clone(&request_count));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *count.lock().unwrap() += 1;
                let manner = told.lock().unwrap().clone();
                match tls.clone() {
                    None => drop(tokio::spawn(behave(stream, manner))),
                    Some(tls) => drop(tokio::spawn(async move {
                        // A client that does not trust the certificate is gone by now.
                        if let Ok(stream) = tls.accept(stream).await {
                            behave(stream, manner).await;
                        }
                    })),
                }
            }
        });
        Self { address, manner, request_count }
    }

    fn does(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn verifier(&self, algorithm: Algorithm) -> JwtVerifier {
        let source = format!("http://{}/keys", self.address).parse().unwrap();
        JwtVerifier::with_patience(settings(algorithm, source), Some(PATIENCE)).unwrap()
    }
}

async fn behave(mut stream: impl AsyncRead + AsyncWrite + Unpin, manner: Manner) {
    let mut request = [0; 4_096];
    match manner {
        Manner::Closes => {}
        Manner::Silent => while stream.read(&mut request).await.is_ok_and(|read| read > 0) {},
        Manner::Sends(bytes) => {
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Manner::SendsForEver(head, more) => {
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&head).await;
            while stream.write_all(&more).await.is_ok() {}
        }
    }
}

fn takes(verifier: &JwtVerifier, provider: &Provider) -> Result<(), Refusal> {
    verifier.bearer(provider.token(&claims()).as_bytes(), NOON).map(|_| ())
}

#[tokio::test]
async fn keys_are_rotated_without_a_restart() {
    let (old, new) = (Provider::new(ES256, "k1"), Provider::new(ES256, "k2"));
    let server = KeyServer::start(None).await;
    let verifier = server.verifier(ES256);
    server.does(ok(&key_set(&[old.jwk()])));
    assert!(verifier.is_due(NOON));
    verifier.refresh(NOON).await.unwrap();
    assert_eq!(takes(&verifier, &old), Ok(()));

    server.does(ok(&key_set(&[old.jwk(), new.jwk()])));
    assert_eq!(takes(&verifier, &new), Err(Refusal::UnknownKey));
    assert!(!verifier.is_due(NOON + MINUTE_MS - 1), "an unknown key is asked for once a minute");
    assert!(verifier.is_due(NOON + MINUTE_MS));
    verifier.refresh(NOON + MINUTE_MS).await.unwrap();
    assert_eq!((takes(&verifier, &old), takes(&verifier, &new)), (Ok(()), Ok(())));

    server.does(ok(&key_set(&[new.jwk()])));
    assert!(!verifier.is_due(NOON + 15 * MINUTE_MS));
    assert!(verifier.is_due(NOON + 16 * MINUTE_MS));
    verifier.refresh(NOON + 16 * MINUTE_MS).await.unwrap();
    assert_eq!(takes(&verifier, &old), Err(Refusal::UnknownKey));
    assert_eq!(takes(&verifier, &new), Ok(()));
}

#[tokio::test]
async fn a_thousand_tokens_of_unknown_keys_cause_one_fetch() {
    let (ours, theirs) = (Provider::new(ES256, "k1"), Provider::new(ES256, "evil"));
    let server = KeyServer::start(None).await;
    let verifier = server.verifier(ES256);
    server.does(ok(&key_set(&[ours.jwk()])));
    verifier.refresh(NOON).await.unwrap();
    let token = theirs.token(&claims());
    for nth in 0..1_000 {
        assert_eq!(verifier.bearer(token.as_bytes(), NOON), Err(Refusal::UnknownKey));
        let now = NOON + nth * MINUTE_MS / 1_000;
        if verifier.is_due(now) {
            verifier.refresh(now).await.unwrap();
        }
    }
    assert_eq!(*server.request_count.lock().unwrap(), 1);
}

/// Answers that are none, though the key set in them would do.
fn bad_answers(evil_set: &str, elsewhere: SocketAddr) -> Vec<(&'static str, Manner)> {
    let answer = |status: &str, more: &str, body: &str| {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\n\r\n");
        Manner::Sends((head + body).into_bytes())
    };
    let location = format!("Location: http://{}/keys\r\n", elsewhere);
    let endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4_096)).into_bytes();
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    vec![
        ("moved", answer("301 Moved Permanently", &location, evil_set)),
        ("found", answer("302 Found", &location, "")),
        ("moved for now", answer("307 Temporary Redirect", &location, "")),
        ("failed", answer("500 Internal Server Error", "", evil_set)),
        ("away", answer("404 Not Found", "", evil_set)),
        ("partial", answer("206 Partial Content", "", evil_set)),
        ("nothing", answer("204 No Content", "", "")),
        ("closed", Manner::Closes),
        ("silent", Manner::Silent),
        ("endless", Manner::SendsForEver(endless, chunk)),
        ("endless headers", Manner::SendsForEver(head, b"X-More: 1\r\n".to_vec())),
        ("too long", ok(&format!("{}{}", " ".repeat(256 * 1_024), evil_set))),
        (
            "cut short",
            Manner::Sends(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"keys\":[".to_vec()),
        ),
        ("no protocol", Manner::Sends(vec![0; 1_000])),
    ]
}

/// Key sets that are none, or hold no key that fits.
fn bad_key_sets(evil: &Provider) -> Vec<(&'static str, Manner)> {
    let with = |name: &str, value: Value| {
        let mut jwk = evil.jwk();
        jwk[name] = value;
        ok(&key_set(&[jwk]))
    };
    vec![
        ("a page", ok("<html>Sign in</html>")),
        ("empty", ok("")),
        ("no keys", ok("{\"keys\":[]}")),
        ("not a list", ok("{\"keys\":{}}")),
        ("a list", ok("[]")),
        ("two lists", ok(&format!("{{\"keys\":[],\"keys\":{}}}", json!([evil.jwk()])))),
        ("too many", ok(&key_set(&vec![evil.jwk(); 65]))),
        ("deep", ok(&"[".repeat(100_000))),
        ("for encryption", with("use", json!("enc"))),
        ("for signing only", with("key_ops", json!(["sign"]))),
        ("for another algorithm", with("alg", json!("ES384"))),
        ("on another curve", with("crv", json!("P-384"))),
        ("of another kind", with("kty", json!("oct"))),
        ("cut key", with("x", json!("AAAA"))),
        ("odd key", with("x", json!("****"))),
        ("a long name", with("kid", json!("k".repeat(257)))),
        ("another key's kind", ok(&key_set(&[Provider::new(Algorithm::RS256, "k1").jwk()]))),
    ]
}

#[tokio::test]
async fn a_key_server_that_misbehaves_changes_nothing() {
    let ours = Provider::new(ES256, "k1");
    let evil = Provider::new(ES256, "k1");
    let server = KeyServer::start(None).await;
    let elsewhere = KeyServer::start(None).await;
    elsewhere.does(ok(&key_set(&[evil.jwk()])));
    let verifier = server.verifier(ES256);
    server.does(ok(&key_set(&[ours.jwk()])));
    verifier.refresh(NOON).await.unwrap();

    let answers = bad_answers(&key_set(&[evil.jwk()]), elsewhere.address);
    let manners = [answers, bad_key_sets(&evil)].concat();
    for (nth, (name, manner)) in (1..).zip(manners.iter()) {
        server.does(manner.clone());
        let now = NOON + nth * MINUTE_MS;
        assert!(verifier.refresh(now).await.is_err(), "{name}");
        assert_eq!(takes(&verifier, &ours), Ok(()), "{name}");
        assert_eq!(takes(&verifier, &evil), Err(Refusal::Signature), "{name}");
        let health = verifier.health(now);
        assert!(health.is_usable && health.last_failure.is_some(), "{name}");
        assert_eq!(health.got_at, Some(NOON), "{name}");
        assert!(verifier.is_due(now + MINUTE_MS), "asked again in a minute");
    }
    assert_eq!(*elsewhere.request_count.lock().unwrap(), 0, "no redirect was followed");
    eprintln!("{} ways to misbehave", manners.len());

    server.does(ok(&key_set(&[ours.jwk()])));
    verifier.refresh(NOON).await.unwrap();
    assert_eq!(verifier.health(NOON).last_failure, None);
}

#[tokio::test]
async fn a_server_that_cannot_prove_its_name_is_not_believed() {
    let ours = Provider::new(ES256, "k1");
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let server = KeyServer::start(Some(TlsAcceptor::from(Arc::new(config)))).await;
    server.does(ok(&key_set(&[ours.jwk()])));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, cert.pem()).unwrap();
    let ask = async |host: &str, ca: bool| {
        let source = format!("https://{host}:{}/keys", server.address.port()).parse().unwrap();
        let keys_ca = ca.then(|| file.clone());
        let settings = super::JwtSettings { keys_ca, ..settings(ES256, source) };
        let verifier = JwtVerifier::with_patience(settings, Some(PATIENCE)).unwrap();
        verifier.refresh(NOON).await
    };
    assert!(ask("127.0.0.1", true).await.is_ok());
    assert!(matches!(ask("127.0.0.1", false).await, Err(FetchError::Server(_))), "unknown");
    assert!(matches!(ask("localhost", true).await, Err(FetchError::Server(_))), "another name");
}

#[tokio::test]
async fn a_key_file_is_read_again_and_may_be_gone_for_a_while() {
    let (old, new) = (Provider::new(ES256, "k1"), Provider::new(ES256, "k2"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let verifier = JwtVerifier::new(settings(ES256, KeySource::File(file.clone()))).unwrap();
    assert!(matches!(verifier.refresh(NOON).await, Err(FetchError::File { .. })));
    assert_eq!(takes(&verifier, &old), Err(Refusal::NoKeys));
    assert!(!verifier.health(NOON).is_usable);

    for provider in [&old, &new] {
        std::fs::write(&file, key_set(&[provider.jwk()])).unwrap();
        assert!(!verifier.is_due(NOON + 4_999) && verifier.is_due(NOON + 5_000));
        verifier.refresh(NOON).await.unwrap();
        assert_eq!(takes(&verifier, provider), Ok(()));
    }
    assert_eq!(takes(&verifier, &old), Err(Refusal::UnknownKey));

    std::fs::write(&file, "{\"keys\":").unwrap();
    let half = verifier.refresh(NOON).await;
    assert!(matches!(half, Err(FetchError::KeySet(KeySetProblem::NotASet))));
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(matches!(verifier.refresh(NOON).await, Err(FetchError::File { .. })));
    assert_eq!(takes(&verifier, &new), Ok(()), "the last good set stays");
}
