//! An identity provider for tests: signs tokens, good ones and others, and writes its key set.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use crate::auth::Role;

use super::settings::{JwtAlgorithm, JwtSettings, KeySource, RoleRule};
use super::{JwtVerifier, LIFETIME_MS_MAX_DEFAULT, REFRESH_EVERY_MS_DEFAULT, base64};

/// A Monday, 2026-11-23, noon UTC.
pub(super) const NOON: i64 = 1_795_435_200_000;
/// The same in seconds.
pub(super) const NOON_S: i64 = NOON / 1_000;
pub(super) const ISSUER: &str = "https://login.example.com/";
pub(super) const AUDIENCE: &str = "nextlead";

/// One key of a provider.
pub(super) struct Provider {
    pub(super) algorithm: Algorithm,
    pub(super) kid: &'static str,
    pub(super) key: EncodingKey,
}

impl Provider {
    pub(super) fn new(algorithm: Algorithm, kid: &'static str) -> Self {
        let pair = |kind| KeyPair::generate_for(kind).unwrap().serialize_der();
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_der(&pair(&PKCS_ECDSA_P256_SHA256)),
            Algorithm::ES384 => EncodingKey::from_ec_der(&pair(&PKCS_ECDSA_P384_SHA384)),
            Algorithm::EdDSA => {
                // The short form of a private key: the kind, then 32 random bytes.
                let mut der = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\
                    ................................";
                getrandom::fill(&mut der[16..]).unwrap();
                EncodingKey::from_ed_der(&der)
            }
            // The key itself stands behind 26 bytes that name its kind.
            _ => EncodingKey::from_rsa_der(&pair(&PKCS_RSA_SHA256)[26..]),
        };
        Self { algorithm, kid, key }
    }

    /// The public half, as a member of a key set.
    pub(super) fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    pub(super) fn header(&self) -> Value {
        json!({ "alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": self.kid })
    }

    /// A token with these claims.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.sign(self.header().to_string(), claims.to_string())
    }

    /// A token of any two texts.
    pub(super) fn sign(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", base64::encode(header), base64::encode(claims));
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// What a rep's token says at noon; it is good until one.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "iat": NOON_S - 60,
        "nbf": NOON_S - 60,
        "exp": NOON_S + 3_600,
        "roles": ["sales", "everybody"],
    })
}

/// Claims with one of them changed.
pub(super) fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

/// A header or claims with a member left out, as a text.
pub(super) fn without(list: Value, name: &str) -> String {
    let Value::Object(mut members) = list else { panic!("no object") };
    members.remove(name).unwrap();
    Value::Object(members).to_string()
}

/// A key set as a provider publishes it.
pub(super) fn key_set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

pub(super) fn settings(algorithm: Algorithm, keys: KeySource) -> JwtSettings {
    let rule = |value: &str, role| RoleRule { value: value.into(), role };
    JwtSettings {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        algorithm: JwtAlgorithm(algorithm),
        keys,
        keys_ca: None,
        refresh_every_ms: REFRESH_EVERY_MS_DEFAULT,
        role_claim: "roles".parse().unwrap(),
        roles: vec![
            rule("sales", Role::Rep),
            rule("head of sales", Role::Manager),
            rule("marketing", Role::Marketing),
        ],
        rep_claim: "sub".parse().unwrap(),
        lifetime_ms_max: LIFETIME_MS_MAX_DEFAULT,
    }
}

/// A verifier whose keys lie in a file, and were read at noon.
pub(super) async fn verifier_of(algorithm: Algorithm, keys: &[Value]) -> JwtVerifier {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, key_set(keys)).unwrap();
    let verifier = JwtVerifier::new(settings(algorithm, KeySource::File(file))).unwrap();
    verifier.refresh(NOON).await.unwrap();
    verifier
}
