//! Who calls, and what they may: a token names a caller, a role opens methods.
//!
//! [`Access`] is the one place that turns the `authorization` header into a [`Caller`]; which role
//! opens which method is the table in `roles`. A token that is wrong, expired or revoked is not told
//! apart from one that never was.

mod access;
mod admin_token;
mod jwt;
mod roles;
mod token_table;
mod token_text;
mod tokens;

use crate::domain::RepId;

pub use access::{Access, Admitted, Stay};
pub use admin_token::{AdminToken, TokenError};
pub use jwt::{
    ClaimPath, FetchError, JwtAlgorithm, JwtProblem, JwtSettings, JwtVerifier, KEYS_AGE_MS_MAX,
    KeySetProblem, KeySource, KeysHealth, LIFETIME_MS_MAX_DEFAULT, REFRESH_EVERY_MS_DEFAULT,
    RoleRule, TOKEN_LENGTH_MAX,
};
pub use roles::{METHODS, is_open_to_all};
pub use token_text::TokenText;
pub use tokens::{AccessError, MadeToken, MakeToken};

pub use crate::domain::Role;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name that the ledger and rule versions show, and within which request ids count: a rep's
    /// id, so that both outlive a token; `admin` for the admin's file; else the role and the name
    /// that the token was given, `intake:crm`, say.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// The rep that this caller is, and the only one that they act for: set for a rep's own token.
    pub rep: Option<RepId>,
}

impl Caller {
    /// Whether this caller may call a method, named by its path.
    pub fn may(&self, path: &str) -> bool {
        let roles = METHODS.iter().find(|(method, _)| *method == path).map(|(_, roles)| *roles);
        roles.unwrap_or(&[Role::Admin]).contains(&self.role)
    }
}

/// Why a call was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token, or not the right one. The two are not told apart.
    #[error("a valid token is needed, as `authorization: Bearer …`")]
    Unauthenticated,
    /// The caller's role does not open this method.
    #[error("this token's role does not open this method")]
    Denied,
    /// The caller is a rep, and named another one.
    #[error("a rep's token acts for that rep alone")]
    OtherRep,
}
