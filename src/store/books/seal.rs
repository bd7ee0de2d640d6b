//! Keyed hashes that stand for what was erased: whoever comes with the same number, address or
//! handover key again is recognised, and nobody can read who it was.
//!
//! A bare hash of a phone number is as good as the number, since all numbers can be tried in minutes.
//! Under a key that lies in the same file that still holds for whoever has the whole file; what the
//! key protects is every copy of a part of it: an export, a report, a log, a screen. Destroying the
//! key makes the hashes worthless for good, and with them what they keep out.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::text::hex;
use crate::domain::Number;

/// The key of one store, ready to hash.
#[derive(Clone)]
pub(crate) struct Seal(Hmac<Sha256>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Seal(hidden)")
    }
}

impl Seal {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("a key of any length will do"))
    }

    /// Stands for a number.
    pub(crate) fn number(&self, number: &Number) -> String {
        self.of(&["number", number.as_str()])
    }

    /// Stands for an e-mail address, folded.
    pub(crate) fn email(&self, folded: &str) -> String {
        self.of(&["email", folded])
    }

    /// Stands for a handover's key within its campaign.
    pub(crate) fn handover(&self, source_system: &str, external_id: &str) -> String {
        self.of(&["handover", source_system, external_id])
    }

    /// No part has a control character, so a line break parts them.
    fn of(&self, parts: &[&str]) -> String {
        let mut hmac = self.0.clone();
        for part in parts {
            hmac.update(part.as_bytes());
            hmac.update(b"\n");
        }
        hex(&hmac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_the_known_hmac_and_differs_by_key_and_kind() {
        let seal = Seal::new(&[7; 32]);
        // Checked with: printf 'email\na@x\n' | openssl dgst -sha256 -mac hmac -macopt hexkey:07…07
        assert_eq!(seal.email("a@x"), KNOWN);
        assert_ne!(seal.email("a@x"), Seal::new(&[8; 32]).email("a@x"));
        assert_ne!(seal.handover("a", "b c"), seal.handover("a b", "c"));
        assert!(!format!("{seal:?}").contains('7'));
    }

    const KNOWN: &str = "54fcd18f61043b8a5fe23f107064ec0212c91c6fd99913cfb85b324ecf2f59a4";
}
