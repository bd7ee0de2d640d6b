//! What the store is asked about access tokens.

use crate::domain::{AccessToken, RepId, Role, TokenId};

use super::RequestKey;

/// A token to keep.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its id.
    pub id: TokenId,
    /// Who or what carries it.
    pub name: String,
    /// What it opens.
    pub role: Role,
    /// Whom it acts for: given for the role of a rep, and for no other.
    pub rep: Option<RepId>,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// Until when it is valid.
    pub expires_at: i64,
    /// Who makes it.
    pub actor: String,
    /// When.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// A token that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKept {
    /// It.
    pub token: AccessToken,
    /// The same request made it before: nothing changed, and the text that was hashed now opens
    /// nothing.
    pub is_replay: bool,
}

/// A page of tokens, newest first.
#[derive(Clone, Copy, Debug)]
pub struct TokenPage {
    /// Only those that open something at this instant.
    pub live_at: Option<i64>,
    /// Only those made before the one with this key.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: usize,
}
