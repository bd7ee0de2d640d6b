//! The one place that tells who calls, by the `authorization` header.
//!
//! A token is judged by its SHA-256 alone, whatever it looks like, so that one that almost fits takes
//! as long to refuse as any other.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::store::{Store, StoreError, TokenPage};

use super::jwt::is_jwt;
use super::token_table::TokenTable;
use super::{AdminToken, AuthError, Caller, JwtVerifier, Role};

/// Who gets in.
pub struct Access {
    admin: AdminToken,
    jwt: Option<Arc<JwtVerifier>>,
    pub(super) tokens: TokenTable,
    pub(super) store: Arc<dyn Store>,
    /// Held while a token is stored and taken over: its making and its end must not pass each other.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// When uses were last written down.
    pub(super) noted_at: AtomicI64,
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
#[derive(Clone, Debug)]
pub struct Stay(End);

#[derive(Clone, Debug)]
enum End {
    Never,
    /// When this says so, or is gone.
    Told(watch::Receiver<bool>),
    /// At an instant.
    At(Instant),
}

impl Stay {
    /// A stay that nothing ends.
    pub fn endless() -> Self {
        Self(End::Never)
    }

    /// A stay that is over when this says so, or is gone.
    pub fn until(over: watch::Receiver<bool>) -> Self {
        Self(End::Told(over))
    }

    /// A stay that ends by itself.
    pub fn for_ms(ms: i64) -> Self {
        Self(End::At(Instant::now() + Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
    }

    /// Whether nothing ends it.
    pub fn is_endless(&self) -> bool {
        matches!(self.0, End::Never)
    }

    /// Ends when the token is revoked or has expired; never, if nothing can end it.
    pub async fn over(self) {
        match self.0 {
            End::Never => std::future::pending().await,
            End::Told(mut over) => {
                let _ = over.wait_for(|is_over| *is_over).await;
            }
            End::At(end) => sleep_until(end).await,
        }
    }
}

impl Access {
    /// Access by the admin's token, and by those that the store holds.
    pub async fn start(
        admin: AdminToken,
        store: Arc<dyn Store>,
        now: i64,
    ) -> Result<Self, StoreError> {
        let tokens = TokenTable::default();
        let live = TokenPage { live_at: Some(now), before: None, limit: usize::MAX };
        store.tokens(live).await?.iter().for_each(|token| tokens.put(token));
        let turn = tokio::sync::Mutex::default();
        Ok(Self { admin, jwt: None, tokens, store, turn, noted_at: AtomicI64::new(now) })
    }

    /// Reads again who gets in, as another node may have made or revoked a token.
    pub async fn reload(&self, now: i64) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let live = TokenPage { live_at: Some(now), before: None, limit: usize::MAX };
        self.tokens.replace(&self.store.tokens(live).await?);
        Ok(())
    }

    /// Lets in whom a company's identity provider vouches for, too.
    #[must_use]
    pub fn with_jwt(mut self, jwt: Option<Arc<JwtVerifier>>) -> Self {
        self.jwt = jwt;
        self
    }

    /// What checks the tokens of the identity provider, if there is one.
    pub fn jwt(&self) -> Option<&JwtVerifier> {
        self.jwt.as_deref()
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
        // No token of ours has a dot in it.
        if let Some(jwt) = self.jwt().filter(|_| is_jwt(token)) {
            return jwt.authorize(token, path, now);
        }
        let admitted = self.verify(token, now).ok_or(AuthError::Unauthenticated)?;
        let caller = &admitted.caller;
        // A rep is somebody: no verifier may let in a rep without saying who.
        if caller.role == Role::Rep && caller.rep.is_none() {
            return Err(AuthError::Unauthenticated);
        }
        if caller.may(path) { Ok(admitted) } else { Err(AuthError::Denied) }
    }

    /// Asks each kind of token in turn. Other verifiers join here.
    fn verify(&self, token: &[u8], now: i64) -> Option<Admitted> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        if self.admin.is(&hash) {
            let caller = Caller { name: "admin".to_owned(), role: Role::Admin, rep: None };
            return Some(Admitted { caller, stay: Stay::endless() });
        }
        self.tokens.admit(&hash, now)
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::store::SqliteStore;

    use super::*;

    const NEXT_LEAD: &str = "/nextlead.v1.RepService/NextLead";

    fn read(token: &AdminToken) -> String {
        fs::read_to_string(token.file()).unwrap().trim().to_owned()
    }

    async fn access(folder: &std::path::Path) -> Access {
        let file = folder.join("a.db");
        let store = Arc::new(SqliteStore::open(&file).await.unwrap());
        Access::start(AdminToken::in_file(folder.join("a.admin-token")).unwrap(), store, 0)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn only_the_whole_token_opens_and_no_token_looks_like_a_wrong_one() {
        let folder = tempfile::tempdir().unwrap();
        let access = access(folder.path()).await;
        let text = read(access.admin());
        let ask = |header: &str| {
            let admitted = access.authorize(Some(header.as_bytes()), NEXT_LEAD, 0);
            admitted.map(|admitted| admitted.caller.role)
        };
        assert_eq!(ask(&format!("Bearer {text}")), Ok(Role::Admin));
        assert_eq!(ask(&format!("bearer {text}")), Ok(Role::Admin));
        let other = AdminToken::in_file(folder.path().join("b.admin-token")).unwrap();
        let headers =
            [String::new(), text.clone(), format!("Bearer {}", &text[1..]), "Bearer ".into()];
        for header in headers.into_iter().chain([format!("Bearer {}", read(&other))]) {
            assert_eq!(ask(&header), Err(AuthError::Unauthenticated));
        }
        let nobody = access.authorize(None, NEXT_LEAD, 0).map(|_| ());
        assert_eq!(nobody, Err(AuthError::Unauthenticated));
    }
}
