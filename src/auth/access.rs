//! The one place that tells who calls, by the `authorization` header.
//!
//! A token is judged by its SHA-256 alone, whatever it looks like, so that one that almost fits takes
//! as long to refuse as any other.

use sha2::{Digest as _, Sha256};

use super::{AdminToken, AuthError, Caller, Role};

/// Who gets in.
pub struct Access {
    admin: AdminToken,
}

/// A caller who got in.
#[derive(Debug)]
pub struct Admitted {
    /// Who.
    pub caller: Caller,
    /// How long.
    pub stay: Stay,
}

/// How long a caller may stay: a call that waits or streams ends when its token does.
#[derive(Clone, Debug, Default)]
pub struct Stay(());

impl Stay {
    /// Ends when the token is revoked or has expired; never, if nothing can end it.
    pub async fn over(self) {
        std::future::pending().await
    }
}

impl Access {
    /// Access by the admin's token.
    pub fn new(admin: AdminToken) -> Self {
        Self { admin }
    }

    /// The admin's token.
    pub fn admin(&self) -> &AdminToken {
        &self.admin
    }

    /// Tells who calls a method at an instant, by the value of the `authorization` header.
    pub fn authorize(
        &self,
        header: Option<&[u8]>,
        path: &str,
        now: i64,
    ) -> Result<Admitted, AuthError> {
        let token = header.and_then(bearer).ok_or(AuthError::Unauthenticated)?;
        let admitted = self.verify(token, now).ok_or(AuthError::Unauthenticated)?;
        let caller = &admitted.caller;
        // A rep is somebody: no verifier may let in a rep without saying who.
        if caller.role == Role::Rep && caller.rep.is_none() {
            return Err(AuthError::Unauthenticated);
        }
        if caller.may(path) { Ok(admitted) } else { Err(AuthError::Denied) }
    }

    /// Asks each kind of token in turn. Other verifiers join here.
    fn verify(&self, token: &[u8], _now: i64) -> Option<Admitted> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let caller = || Caller { name: "admin".to_owned(), role: Role::Admin, rep: None };
        self.admin.is(&hash).then(|| Admitted { caller: caller(), stay: Stay::default() })
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NEXT_LEAD: &str = "/nextlead.v1.RepService/NextLead";

    fn read(token: &AdminToken) -> String {
        fs::read_to_string(token.file()).unwrap().trim().to_owned()
    }

    #[test]
    fn only_the_whole_token_opens_and_no_token_looks_like_a_wrong_one() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::new(AdminToken::beside(&folder.path().join("a.db")).unwrap());
        let text = read(access.admin());
        let ask = |header: &str| {
            let admitted = access.authorize(Some(header.as_bytes()), NEXT_LEAD, 0);
            admitted.map(|admitted| admitted.caller.role)
        };
        assert_eq!(ask(&format!("Bearer {text}")), Ok(Role::Admin));
        assert_eq!(ask(&format!("bearer {text}")), Ok(Role::Admin));
        let other = AdminToken::beside(&folder.path().join("b.db")).unwrap();
        let headers =
            [String::new(), text.clone(), format!("Bearer {}", &text[1..]), "Bearer ".into()];
        for header in headers.into_iter().chain([format!("Bearer {}", read(&other))]) {
            assert_eq!(ask(&header), Err(AuthError::Unauthenticated));
        }
        let nobody = access.authorize(None, NEXT_LEAD, 0).map(|_| ());
        assert_eq!(nobody, Err(AuthError::Unauthenticated));
    }
}
