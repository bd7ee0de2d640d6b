//! Who gets in: roles, and the tokens that an admin makes.

use super::codes::codes;
use super::id::{RepId, TokenId};

codes! {
    /// What a caller is.
    Role {
        /// A rep, through a softphone.
        Rep = "rep",
        /// Writes rules, sets up queues and reps.
        Manager = "manager",
        /// Reads coverage.
        Marketing = "marketing",
        /// Marketing automation or a CRM.
        Intake = "intake",
        /// May everything.
        Admin = "admin",
    }
}

/// A token that an admin made. Its text is known to who carries it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Its place in the order of making.
    pub key: i64,
    /// What people call it by; no secret.
    pub id: TokenId,
    /// Who or what carries it.
    pub name: String,
    /// What it opens.
    pub role: Role,
    /// Whom it acts for: set for the role of a rep, and for no other.
    pub rep: Option<RepId>,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: i64,
    /// Who made it.
    pub created_by: String,
    /// The first instant at which it opens nothing any more.
    pub expires_at: i64,
    /// When it was revoked, and by whom.
    pub revoked: Option<(i64, String)>,
    /// When it was last used, as far as that was noted.
    pub last_used_at: Option<i64>,
}

impl AccessToken {
    /// Whether it opens anything at `now`.
    pub fn is_live_at(&self, now: i64) -> bool {
        self.revoked.is_none() && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_until_its_end_and_not_a_millisecond_longer() {
        let token = AccessToken {
            key: 1,
            id: TokenId::new("a").unwrap(),
            name: "crm".into(),
            role: Role::Intake,
            rep: None,
            hash: [0; 32],
            created_at: 5,
            created_by: "admin".into(),
            expires_at: 10,
            revoked: None,
            last_used_at: None,
        };
        assert!(token.is_live_at(9) && !token.is_live_at(10));
        let revoked = AccessToken { revoked: Some((6, "admin".into())), ..token };
        assert!(!revoked.is_live_at(6));
    }
}
