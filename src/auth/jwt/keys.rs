//! A provider's key set, as RFC 7517 writes it, and which of its keys may check a token.
//!
//! A set often holds more than one wants: keys for encryption, for other algorithms, of unknown kinds.
//! Those are passed over. A set in which nothing is left is damaged, and does not replace a good one.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::Value;

use super::base64;
use super::json;

/// The longest key set.
pub(super) const KEY_SET_LENGTH_MAX: usize = 256 * 1_024;
/// How many keys a set holds at most. Providers rotate among two or three.
const KEY_COUNT_MAX: usize = 64;
/// The longest name of a key.
const KEY_ID_LENGTH_MAX: usize = 256;
/// The sizes of an RSA modulus, in bytes: 2,048 to 8,192 bits.
const MODULUS_LENGTHS: std::ops::RangeInclusive<usize> = 256..=1_024;

/// The keys of one set that fit the algorithm in force.
pub(super) struct KeySet {
    algorithm: Algorithm,
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    key: DecodingKey,
}

/// Why a key set cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetProblem {
    /// Not a key set.
    #[error("this is no JSON Web Key Set")]
    NotASet,
    /// Too many keys.
    #[error("a key set holds at most {KEY_COUNT_MAX} keys")]
    TooMany,
    /// No key fits.
    #[error("no key of the set fits the algorithm that was set")]
    NoneFits,
}

/// What is known about the key that a token names.
pub(super) enum Candidates<'a> {
    /// These may have signed it.
    Keys(Vec<&'a DecodingKey>),
    /// The set does not hold it.
    Unknown,
    /// The token names no key, and the set holds several.
    Unnamed,
}

impl KeySet {
    /// Reads a set and keeps the keys that fit.
    pub(super) fn read(bytes: &[u8], algorithm: Algorithm) -> Result<Self, KeySetProblem> {
        let set = json::read(bytes).ok_or(KeySetProblem::NotASet)?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or(KeySetProblem::NotASet)?;
        if listed.len() > KEY_COUNT_MAX {
            return Err(KeySetProblem::TooMany);
        }
        let keys: Vec<Key> = listed.iter().filter_map(|one| Key::read(one, algorithm)).collect();
        if keys.is_empty() { Err(KeySetProblem::NoneFits) } else { Ok(Self { algorithm, keys }) }
    }

    /// How many keys fit.
    pub(super) fn count(&self) -> usize {
        self.keys.len()
    }

    /// The keys that may have signed a token which names this one. The name is looked up, and nothing
    /// else is done with it.
    pub(super) fn candidates(&self, id: Option<&str>) -> Candidates<'_> {
        let Some(id) = id else {
            return match self.keys.as_slice() {
                [only] => Candidates::Keys(vec![&only.key]),
                _ => Candidates::Unnamed,
            };
        };
        let named = self.keys.iter().filter(|one| one.id.as_deref() == Some(id));
        let named: Vec<_> = named.map(|one| &one.key).collect();
        if named.is_empty() { Candidates::Unknown } else { Candidates::Keys(named) }
    }

    /// Whether a signature is that of a message under one of these keys, by the algorithm in force.
    pub(super) fn is_signed(&self, keys: &[&DecodingKey], message: &str, signature: &str) -> bool {
        let verify = |key: &DecodingKey| {
            crypto::verify(signature, message.as_bytes(), key, self.algorithm).unwrap_or(false)
        };
        keys.iter().any(|key| verify(key))
    }
}

impl Key {
    fn read(value: &Value, algorithm: Algorithm) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let common = &jwk.common;
        let is_for_us =
            common.public_key_use.as_ref().is_none_or(|is| *is == PublicKeyUse::Signature)
                && common
                    .key_operations
                    .as_ref()
                    .is_none_or(|may| may.contains(&KeyOperations::Verify))
                && common.key_algorithm.is_none_or(|one| one == KeyAlgorithm::from(algorithm));
        if !is_for_us || !has_shape(&jwk.algorithm, algorithm) {
            return None;
        }
        let id = jwk.common.key_id.clone();
        let is_nameable = id.as_ref().is_none_or(|id| id.len() <= KEY_ID_LENGTH_MAX);
        let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| is_nameable)?;
        Some(Self { id, key })
    }
}

/// Whether a key is of the kind, curve and size that an algorithm wants.
fn has_shape(parameters: &AlgorithmParameters, algorithm: Algorithm) -> bool {
    let has_length =
        |text: &str, length: usize| base64::decode(text).is_some_and(|bytes| bytes.len() == length);
    let is_point = |curve: &EllipticCurve, wanted: EllipticCurve, x: &str, y: &str, length| {
        *curve == wanted && has_length(x, length) && has_length(y, length)
    };
    match (algorithm, parameters) {
        (Algorithm::ES256, AlgorithmParameters::EllipticCurve(key)) => {
            is_point(&key.curve, EllipticCurve::P256, &key.x, &key.y, 32)
        }
        (Algorithm::ES384, AlgorithmParameters::EllipticCurve(key)) => {
            is_point(&key.curve, EllipticCurve::P384, &key.x, &key.y, 48)
        }
        (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(key)) => {
            key.curve == EllipticCurve::Ed25519 && has_length(&key.x, 32)
        }
        (
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512,
            AlgorithmParameters::RSA(key),
        ) => base64::decode(&key.n).is_some_and(|n| MODULUS_LENGTHS.contains(&n.len())),
        _ => false,
    }
}
