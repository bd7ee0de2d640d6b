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

/// What a rep must not be called, in words.
pub const REP_ID_RESERVED: &str =
    "must not be `admin`, nor begin with `jwt:` or a role and a colon: other callers are named so";

impl RepId {
    /// Whether another caller may be named so. The ledger and request ids know a rep by the bare id, an
    /// admin's file as `admin`, and everybody else by a prefix: the role of the token, or `jwt`.
    pub fn is_reserved(&self) -> bool {
        let id = self.as_str();
        let prefix = id.split_once(':').map(|(prefix, _)| prefix);
        id == Role::Admin.code()
            || prefix.is_some_and(|one| one == "jwt" || Role::from_code(one).is_some())
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
    fn a_rep_cannot_be_called_what_another_caller_is() {
        let is_reserved = |id: &str| RepId::new(id).unwrap().is_reserved();
        for role in Role::ALL {
            assert!(is_reserved(&format!("{}:crm", role.code())), "{role:?}");
        }
        for id in ["admin", "admin:", "jwt:ann", "intake:crm:2"] {
            assert!(is_reserved(id), "{id}");
        }
        for id in ["ann", "administrator", "Admin", "intake", "ann:intake:crm", "sales:ann", "jwt"]
        {
            assert!(!is_reserved(id), "{id}");
        }
    }

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
