//! Making, listing and revoking tokens: in the store first, then in the table that calls are judged by.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::domain::{AccessToken, RepId, Role, TokenId};
use crate::store::{NewToken, RequestKey, StoreError, TokenPage};

use super::token_text::{TokenText, random_id};
use super::{Access, Caller};

/// How often uses of tokens are written down.
const NOTE_USES_EVERY_MS: i64 = 60_000;

/// Why a token could not be made, listed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no such token.
    #[error("there is no token {0:?}")]
    UnknownToken(String),
    /// The truth is out of reach, or refused.
    #[error("could not use the store")]
    Store(#[from] StoreError),
}

/// A token to make.
#[derive(Clone, Debug)]
pub struct MakeToken {
    /// Who or what carries it.
    pub name: String,
    /// What it opens.
    pub role: Role,
    /// Whom it acts for: given for the role of a rep, and for no other.
    pub rep: Option<RepId>,
    /// The first instant at which it opens nothing any more; after `now`.
    pub expires_at: i64,
    /// When it is made.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// A token that was made.
#[derive(Debug)]
pub struct MadeToken {
    /// It.
    pub token: AccessToken,
    /// Its text; `None` if the same request made it before: nobody has the text any more.
    pub text: Option<TokenText>,
}

impl Access {
    /// Makes a token. It opens what its role opens from when this returns.
    pub async fn make_token(
        self: &Arc<Self>,
        maker: &Caller,
        make: MakeToken,
    ) -> Result<MadeToken, AccessError> {
        let (access, actor) = (self.clone(), maker.name.clone());
        apart(async move {
            let text = TokenText::random();
            let new = NewToken {
                id: TokenId::new(&random_id()).expect("hexadecimal digits are an id"),
                name: make.name,
                role: make.role,
                rep: make.rep,
                hash: text.hash(),
                expires_at: make.expires_at,
                actor,
                now: make.now,
                request: make.request,
            };
            let _turn = access.turn.lock().await;
            let kept = access.store.create_token(new).await?;
            if kept.is_replay {
                return Ok(MadeToken { token: kept.token, text: None });
            }
            access.tokens.put(&kept.token);
            tracing::info!(
                token.id = %kept.token.id,
                role = kept.token.role.code(),
                "made token {}", kept.token.id
            );
            Ok(MadeToken { token: kept.token, text: Some(text) })
        })
        .await
    }

    /// Revokes a token. From when this returns nobody comes in by it, and whoever is in is out.
    pub async fn revoke_token(
        self: &Arc<Self>,
        revoker: &Caller,
        id: TokenId,
        now: i64,
    ) -> Result<AccessToken, AccessError> {
        let (access, actor) = (self.clone(), revoker.name.clone());
        apart(async move {
            let _turn = access.turn.lock().await;
            let revoked = access.store.revoke_token(&id, &actor, now).await.inspect_err(|_| {
                // A full disk must not keep a leaked token alive: it is out until the next start, and
                // the error says that this was not written down.
                access.tokens.remove_by_id(&id);
            })?;
            let token = revoked.ok_or_else(|| AccessError::UnknownToken(id.to_string()))?;
            let token = access.with_last_use(token);
            access.tokens.remove(&token.hash);
            tracing::info!(token.id = %id, "revoked token {id}");
            Ok(token)
        })
        .await
    }

    /// Lists tokens, newest first.
    pub async fn tokens(&self, page: TokenPage) -> Result<Vec<AccessToken>, AccessError> {
        let tokens = self.store.tokens(page).await?;
        Ok(tokens.into_iter().map(|token| self.with_last_use(token)).collect())
    }

    /// One pass over what time changes: lets go of tokens that have expired, and once a minute writes
    /// down when tokens were last used.
    pub async fn sweep(&self, now: i64) -> Result<(), StoreError> {
        self.tokens.forget_expired(now);
        let noted_at = self.noted_at.load(Ordering::Relaxed);
        if now - noted_at < NOTE_USES_EVERY_MS {
            return Ok(());
        }
        self.noted_at.store(now, Ordering::Relaxed);
        self.note_uses().await
    }

    /// Writes down when tokens were last used, as far as the store does not know yet.
    pub async fn note_uses(&self) -> Result<(), StoreError> {
        let uses = self.tokens.new_uses();
        if uses.is_empty() {
            return Ok(());
        }
        self.store.note_token_uses(uses.clone()).await?;
        self.tokens.noted(&uses);
        Ok(())
    }

    /// The table knows of uses that are not written down yet.
    fn with_last_use(&self, token: AccessToken) -> AccessToken {
        let last_used_at = self.tokens.last_used_at(&token.hash).max(token.last_used_at);
        AccessToken { last_used_at, ..token }
    }
}

/// Runs a change apart from the request's future: a client that hangs up leaves no token in the store
/// that the table does not know.
async fn apart<T: Send + 'static>(change: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(change).await {
        Ok(answer) => answer,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}
