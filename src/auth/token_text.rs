//! The text of a token: what its carrier keeps secret, and a node never does.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// What every token begins with, so that whoever scans code and logs for secrets finds it.
const PREFIX: &str = "nl_";

/// The text of a token: `nl_` and 256 random bits in hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// A new one.
    pub(super) fn random() -> Self {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).expect("the operating system gives random bits");
        Self(format!("{PREFIX}{}", hex(&bits)))
    }

    /// The text itself, for the one who asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// By what a node knows it again.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenText(hidden)")
    }
}

/// Sixteen random hexadecimal digits: what people call a token by.
pub(super) fn random_id() -> String {
    let mut bits = [0; 8];
    getrandom::fill(&mut bits).expect("the operating system gives random bits");
    hex(&bits)
}

fn hex(bits: &[u8]) -> String {
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_can_be_recognised_and_no_two_are_equal() {
        let (one, other) = (TokenText::random(), TokenText::random());
        assert!(one != other && one.hash() != other.hash());
        let digits = one.reveal().strip_prefix("nl_").unwrap();
        assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(!format!("{one:?}").contains(digits));
    }
}
