//! A company's identity provider at the door: its tokens name reps and managers, in the node's own time.

use std::sync::Arc;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use nextlead::api::proto;
use nextlead::auth::{JwtSettings, KeySource, LIFETIME_MS_MAX_DEFAULT, REFRESH_EVERY_MS_DEFAULT};
use nextlead::clock::ManualClock;
use nextlead::node::{Node, Options, Sweeping};
use proto::queue_service_client::QueueServiceClient;
use proto::rep_service_client::RepServiceClient;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::ground::Ground;
use crate::support::{HOUR_MS, NOON, reason};

/// A node that takes the tokens of one provider, and that provider.
struct Door {
    clock: ManualClock,
    node: Node,
    key: EncodingKey,
    channel: Channel,
    _folder: TempDir,
}

impl Door {
    async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
        jwk["kid"] = "k1".into();
        let file = folder.path().join("keys.json");
        std::fs::write(&file, json!({ "keys": [jwk] }).to_string()).unwrap();
        let clock = ManualClock::at(NOON);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut options = Options {
            clock: Some(Arc::new(clock.clone())),
            sweeping: Sweeping::ByHand,
            jwt: Some(settings(file)),
            ..Options::new(folder.path().join("nextlead.db"), listener)
        };
        Ground::put_into(folder.path(), &mut options);
        let node = Node::start(options).await.unwrap();
        let channel = Channel::from_shared(format!("http://{}", node.address)).unwrap();
        let channel = channel.connect().await.unwrap();
        Self { clock, node, key, channel, _folder: folder }
    }

    /// A token for an hour.
    fn token(&self, subject: &str, roles: Value) -> String {
        let claims = json!({
            "iss": "https://login.example.com/",
            "aud": ["crm", "nextlead"],
            "sub": subject,
            "iat": NOON / 1_000,
            "exp": (NOON + HOUR_MS) / 1_000,
            "realm_access": { "roles": roles },
        });
        let header = Header { kid: Some("k1".into()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    async fn pull(&self, token: &str, rep: &str) -> (Code, String) {
        let request = proto::NextLeadRequest { rep_id: rep.into(), ..Default::default() };
        let mut client = RepServiceClient::new(self.channel.clone());
        answer(client.next_lead(signed(request, token)).await)
    }

    async fn list_reps(&self, token: &str) -> (Code, String) {
        let mut client = QueueServiceClient::new(self.channel.clone());
        answer(client.list_reps(signed(proto::ListRepsRequest::default(), token)).await)
    }

    /// Sets up what a rep needs, as a manager.
    async fn set_up(&self, token: &str) {
        let mut client = QueueServiceClient::new(self.channel.clone());
        let queue = proto::Queue {
            queue_id: "sales".into(),
            time_zone: "UTC".into(),
            hours: "always".into(),
            calling_law: proto::CallingLaw::Exempt.into(),
            ..Default::default()
        };
        let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
        client.upsert_queue(signed(request, token)).await.unwrap();
        let rep = proto::Rep {
            rep_id: "ann".into(),
            queue_id: "sales".into(),
            active: Some(true),
            ..Default::default()
        };
        let request = proto::UpsertRepRequest { rep: Some(rep), ..Default::default() };
        client.upsert_rep(signed(request, token)).await.unwrap();
    }
}

fn settings(keys: std::path::PathBuf) -> JwtSettings {
    JwtSettings {
        issuer: "https://login.example.com/".into(),
        audience: "nextlead".into(),
        algorithm: "ES256".parse().unwrap(),
        keys: KeySource::File(keys),
        keys_ca: None,
        refresh_every_ms: REFRESH_EVERY_MS_DEFAULT,
        role_claim: "realm_access.roles".parse().unwrap(),
        roles: ["sales=rep", "heads=manager"].map(|rule| rule.parse().unwrap()).to_vec(),
        rep_claim: "sub".parse().unwrap(),
        lifetime_ms_max: LIFETIME_MS_MAX_DEFAULT,
    }
}

fn signed<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

fn answer<T>(answer: Result<T, tonic::Status>) -> (Code, String) {
    answer.map_or_else(|status| (status.code(), reason(&status)), |_| (Code::Ok, String::new()))
}

#[tokio::test]
async fn whom_the_identity_provider_vouches_for_gets_in_as_what_it_says() {
    let door = Door::open().await;
    let ann = door.token("ann", json!(["sales"]));
    let head = door.token("eve", json!(["heads"]));
    let ok = || (Code::Ok, String::new());
    let denied = || (Code::PermissionDenied, "ROLE_DENIED".to_owned());

    door.set_up(&head).await;
    assert_eq!(door.pull(&ann, "ann").await, ok());
    assert_eq!(door.list_reps(&head).await, ok());
    assert_eq!(door.list_reps(&ann).await, denied());
    assert_eq!(door.pull(&head, "ann").await, denied());
    let both = door.token("ann", json!(["heads", "sales"]));
    assert_eq!((door.pull(&both, "ann").await, door.list_reps(&both).await), (ok(), ok()));
    assert_eq!(door.pull(&door.token("ann", json!(["guests"])), "ann").await, denied());
    // Nor does anybody become a rep whom the ledger would take for somebody else.
    for name in ["admin", "jwt:eve", "intake:crm"] {
        let answer = door.pull(&door.token(name, json!(["sales"])), name).await;
        assert_eq!(answer, (Code::Unauthenticated, "TOKEN_INVALID".to_owned()));
    }
    // The node's own tokens open as before.
    let admin = std::fs::read_to_string(&door.node.token_file).unwrap();
    assert_eq!(door.list_reps(admin.trim()).await, ok());
}

#[tokio::test]
async fn a_token_of_the_provider_ends_by_the_node_s_clock_and_a_changed_one_never_passes() {
    let door = Door::open().await;
    let head = door.token("eve", json!(["heads"]));
    let refused = (Code::Unauthenticated, "TOKEN_INVALID".to_owned());
    let stranger = Door::open().await.token("eve", json!(["heads"]));
    let (body, signature) = head.rsplit_once('.').unwrap();
    for token in [stranger, format!("{body}."), format!("{body}.{}", signature.to_uppercase())] {
        assert_eq!(door.list_reps(&token).await, refused);
    }
    door.clock.advance(HOUR_MS + 4_999);
    assert_eq!(door.list_reps(&head).await.0, Code::Ok);
    door.clock.advance(1);
    assert_eq!(door.list_reps(&head).await, refused);
}
