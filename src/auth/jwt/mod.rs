//! Tokens of a company's identity provider: JSON Web Tokens, signed with a key that the company
//! publishes.
//!
//! What to believe is fixed by the settings, never by the token: one issuer, one audience, one
//! algorithm, the keys of one set. Keys are fetched beside the calls, never within one; when a fetch
//! fails the last good set goes on for a day. Every refusal looks the same from outside; the reason
//! stands in the log at `debug`, without the token.

mod base64;
mod claims;
mod json;
mod keys;
mod settings;
mod source;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde_json::Value;

use crate::auth::{Admitted, AuthError, Caller, Role, Stay};
use crate::clock::Clock;

use claims::Bearer;
use keys::{Candidates, KeySet};
use source::Source;

pub use keys::KeySetProblem;
pub use settings::{
    ClaimPath, JwtAlgorithm, JwtProblem, JwtSettings, KeySource, LIFETIME_MS_MAX_DEFAULT,
    REFRESH_EVERY_MS_DEFAULT, RoleRule,
};
pub use source::FetchError;

/// The longest token, in bytes.
pub const TOKEN_LENGTH_MAX: usize = 8 * 1_024;
/// How long a key set is used after it was last got. Then no token is taken any more.
pub const KEYS_AGE_MS_MAX: i64 = 24 * 3_600_000;
/// How soon keys are fetched from a URL again, after a failure or for a key that is not known.
const FETCH_AGAIN_MS: i64 = 60_000;
/// How often a file is looked at.
const FILE_EVERY_MS: i64 = 5_000;
/// How often it is asked whether a fetch is due.
const TICK: Duration = Duration::from_secs(1);

/// Why a token was not taken. Only the log sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is longer than a token may be")]
    Length,
    #[error("it has not the shape of a token")]
    Shape,
    #[error("its header makes no sense")]
    Header,
    #[error("it was signed by another algorithm")]
    Algorithm,
    #[error("its kind is not that of an access token")]
    Kind,
    #[error("there are no keys, or too old ones")]
    NoKeys,
    #[error("its key is not known")]
    UnknownKey,
    #[error("it names no key, and there are several")]
    NoKeyNamed,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is from another issuer")]
    Issuer,
    #[error("it is for another audience")]
    Audience,
    #[error("its claim {0} is missing or makes no sense")]
    Claims(&'static str),
    #[error("it has expired")]
    Expired,
    #[error("its time has not come")]
    Early,
    #[error("it lives too long")]
    TooLong,
}

/// How the keys of the provider are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysHealth {
    /// Tokens can be checked.
    pub is_usable: bool,
    /// How many keys there are.
    pub key_count: usize,
    /// When they were last got, in milliseconds since 1970. `None`: never.
    pub got_at: Option<i64>,
    /// Why the last fetch failed. `None`: it did not.
    pub last_failure: Option<String>,
}

/// Checks tokens of one identity provider.
pub struct JwtVerifier {
    settings: JwtSettings,
    source: Source,
    held: ArcSwapOption<Held>,
    fetches: Mutex<Fetches>,
    is_key_wanted: AtomicBool,
}

struct Held {
    keys: KeySet,
    got_at: i64,
}

#[derive(Default)]
struct Fetches {
    last_at: Option<i64>,
    last_failure: Option<String>,
}

/// Whether a bearer token is a JSON Web Token by its looks: three parts with dots between them.
pub(super) fn is_jwt(token: &[u8]) -> bool {
    token.iter().filter(|byte| **byte == b'.').count() == 2
}

impl JwtVerifier {
    /// A verifier that has no keys yet: see [`JwtVerifier::refresh`].
    pub fn new(settings: JwtSettings) -> Result<Self, FetchError> {
        Self::with_patience(settings, None)
    }

    fn with_patience(settings: JwtSettings, within: Option<Duration>) -> Result<Self, FetchError> {
        Ok(Self {
            source: Source::new(&settings.keys, settings.keys_ca.as_deref(), within)?,
            settings,
            held: ArcSwapOption::empty(),
            fetches: Mutex::default(),
            is_key_wanted: AtomicBool::new(false),
        })
    }

    /// Tells who bears a token and calls a method, at an instant. Of several roles the first counts that
    /// opens the method.
    pub(super) fn authorize(
        &self,
        token: &[u8],
        path: &str,
        now: i64,
    ) -> Result<Admitted, AuthError> {
        let bearer = self.bearer(token, now).map_err(|refusal| {
            tracing::debug!(reason = %refusal, "refused a token of the provider: {refusal}");
            AuthError::Unauthenticated
        })?;
        let callers = bearer.roles.iter().map(|role| caller(&bearer, *role));
        let caller =
            callers.into_iter().find(|caller| caller.may(path)).ok_or(AuthError::Denied)?;
        Ok(Admitted { caller, stay: Stay::for_ms(bearer.ends_at - now) })
    }

    fn bearer(&self, token: &[u8], now: i64) -> Result<Bearer, Refusal> {
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(Refusal::Length);
        }
        let token = std::str::from_utf8(token).map_err(|_| Refusal::Shape)?;
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Shape)?;
        let (header, claims) = message.split_once('.').ok_or(Refusal::Shape)?;
        if claims.contains('.') {
            return Err(Refusal::Shape);
        }
        let key_id = self.key_named(header)?;
        let held = self.held.load();
        let held = held.as_ref().filter(|held| now - held.got_at <= KEYS_AGE_MS_MAX);
        let keys = &held.ok_or(Refusal::NoKeys)?.keys;
        let candidates = match keys.candidates(key_id.as_deref()) {
            Candidates::Keys(candidates) => candidates,
            Candidates::Unnamed => return Err(Refusal::NoKeyNamed),
            Candidates::Unknown => {
                self.is_key_wanted.store(true, Ordering::Relaxed);
                return Err(Refusal::UnknownKey);
            }
        };
        if !keys.is_signed(&candidates, message, signature) {
            return Err(Refusal::Signature);
        }
        let claims = base64::decode(claims).and_then(|claims| json::read(&claims));
        claims::read(&claims.ok_or(Refusal::Claims("set"))?, &self.settings, now)
    }

    /// Checks a header; gives the key that it names.
    fn key_named(&self, header: &str) -> Result<Option<String>, Refusal> {
        let header = base64::decode(header).ok_or(Refusal::Shape)?;
        let header = json::read(&header).ok_or(Refusal::Header)?;
        let members = header.as_object().ok_or(Refusal::Header)?;
        if members.get("alg").and_then(Value::as_str) != Some(self.settings.algorithm.name()) {
            return Err(Refusal::Algorithm);
        }
        // What must be understood, is not; and nobody signs what is packed or sealed.
        if ["crit", "b64", "zip", "enc"].iter().any(|name| members.contains_key(*name)) {
            return Err(Refusal::Header);
        }
        match members.get("typ") {
            None => {}
            Some(Value::String(kind)) if is_access(kind) => {}
            Some(_) => return Err(Refusal::Kind),
        }
        match members.get("kid") {
            None => Ok(None),
            Some(Value::String(id)) => Ok(Some(id.clone())),
            Some(_) => Err(Refusal::Header),
        }
    }

    /// Gets the key set once and, if it is good, checks tokens by it from now on. Otherwise the last good
    /// one stays. One call of this runs at a time.
    pub async fn refresh(&self, now: i64) -> Result<(), FetchError> {
        self.is_key_wanted.store(false, Ordering::Relaxed);
        self.fetches().last_at = Some(now);
        let loaded = self.source.load().await;
        let read = loaded.and_then(|bytes| Ok(KeySet::read(&bytes, self.settings.algorithm.0)?));
        let failure = read.as_ref().err().map(chain);
        let before = std::mem::replace(&mut self.fetches().last_failure, failure.clone());
        match (&before, &failure) {
            (before, Some(failure)) if before.as_ref() != Some(failure) => {
                tracing::warn!("no new keys of the identity provider: {failure}");
            }
            (Some(_), None) => tracing::info!("the identity provider's keys are there again"),
            _ => {}
        }
        let keys = read?;
        self.held.store(Some(Held { keys, got_at: now }.into()));
        Ok(())
    }

    /// Whether it is time to get the key set.
    pub fn is_due(&self, now: i64) -> bool {
        let (every_ms, again_ms) = match self.source {
            Source::File(_) => (FILE_EVERY_MS, FILE_EVERY_MS),
            Source::Url(..) => (self.settings.refresh_every_ms, FETCH_AGAIN_MS),
        };
        let fetches = self.fetches();
        let Some(last_at) = fetches.last_at else {
            return true;
        };
        let is_pressing =
            fetches.last_failure.is_some() || self.is_key_wanted.load(Ordering::Relaxed);
        now - last_at >= if is_pressing { again_ms.min(every_ms) } else { every_ms }
    }

    /// Gets the key set whenever it is due, for ever.
    pub async fn keep_fresh(&self, clock: &dyn Clock) {
        let mut timer = tokio::time::interval(TICK);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            let now = clock.now();
            if self.is_due(now) {
                // What failed is logged, shown, and tried again.
                let _ = self.refresh(now).await;
            }
        }
    }

    /// How the keys are at an instant.
    pub fn health(&self, now: i64) -> KeysHealth {
        let held = self.held.load();
        KeysHealth {
            is_usable: held.as_ref().is_some_and(|held| now - held.got_at <= KEYS_AGE_MS_MAX),
            key_count: held.as_ref().map_or(0, |held| held.keys.count()),
            got_at: held.as_ref().map(|held| held.got_at),
            last_failure: self.fetches().last_failure.clone(),
        }
    }

    fn fetches(&self) -> std::sync::MutexGuard<'_, Fetches> {
        self.fetches.lock().expect("nobody panics while they hold it")
    }
}

/// Whether a token's `typ` is that of a token for calls. Others, such as those that say who logged out,
/// are signed by the same keys.
fn is_access(kind: &str) -> bool {
    ["jwt", "at+jwt", "application/jwt", "application/at+jwt"]
        .iter()
        .any(|one| kind.eq_ignore_ascii_case(one))
}

fn caller(bearer: &Bearer, role: Role) -> Caller {
    match &bearer.rep {
        Some(rep) if role == Role::Rep => {
            Caller { name: rep.to_string(), role, rep: Some(rep.clone()) }
        }
        _ => Caller { name: format!("jwt:{}", bearer.subject), role, rep: None },
    }
}

/// An error and its causes, in one line.
fn chain(error: &FetchError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        text.push_str(": ");
        text.push_str(&one.to_string());
        cause = one.source();
    }
    text
}

#[cfg(test)]
mod fetch_tests;
#[cfg(test)]
mod forged_tests;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod token_tests;
