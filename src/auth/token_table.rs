//! The tokens that open something, in memory, by the SHA-256 of their texts.
//!
//! The store keeps them; this is what a call is judged by. A token that is revoked leaves the table,
//! so a call with it is like a call with one that never was.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use crate::domain::{AccessToken, TokenId};

use super::{Admitted, Caller, Stay};

/// A token that opens something.
struct Entry {
    id: TokenId,
    caller: Caller,
    expires_at: i64,
    /// 0: not yet.
    last_used_at: AtomicI64,
    /// Up to which use the store knows.
    noted_at: AtomicI64,
    /// Whether the stay of whoever came in by it is over. It is over as well when this is gone.
    over: watch::Sender<bool>,
}

/// The table. Lookups take no turns with each other.
#[derive(Default)]
pub(super) struct TokenTable(RwLock<HashMap<[u8; 32], Arc<Entry>>>);

impl TokenTable {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<[u8; 32], Arc<Entry>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<[u8; 32], Arc<Entry>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a token in.
    pub(super) fn put(&self, token: &AccessToken) {
        let last_used_at = token.last_used_at.unwrap_or(0);
        let entry = Entry {
            id: token.id.clone(),
            caller: caller_of(token),
            expires_at: token.expires_at,
            last_used_at: AtomicI64::new(last_used_at),
            noted_at: AtomicI64::new(last_used_at),
            over: watch::Sender::new(false),
        };
        self.write().insert(token.hash, Arc::new(entry));
    }

    /// Takes in those of these tokens that are not here yet, and lets nobody in by any other.
    pub(super) fn replace(&self, live: &[AccessToken]) {
        let known: HashSet<[u8; 32]> = self.read().keys().copied().collect();
        let wanted: HashSet<[u8; 32]> = live.iter().map(|token| token.hash).collect();
        known.difference(&wanted).for_each(|hash| self.remove(hash));
        let new = live.iter().filter(|token| !known.contains(&token.hash));
        new.for_each(|token| self.put(token));
    }

    /// Lets nobody in by a token any more, and ends the stays of those who are in.
    pub(super) fn remove(&self, hash: &[u8; 32]) {
        if let Some(entry) = self.write().remove(hash) {
            entry.over.send_replace(true);
        }
    }

    /// The same, by its id.
    pub(super) fn remove_by_id(&self, id: &TokenId) {
        let hash = self.read().iter().find(|(_, one)| one.id == *id).map(|(hash, _)| *hash);
        if let Some(hash) = hash {
            self.remove(&hash);
        }
    }

    /// Who comes with the token of this hash.
    ///
    /// The hash is found as any key is, not in constant time: whoever measured that would learn the
    /// beginning of a hash, and from it nothing about 256 random bits.
    pub(super) fn admit(&self, hash: &[u8; 32], now: i64) -> Option<Admitted> {
        let entry = self.read().get(hash).filter(|entry| now < entry.expires_at).cloned()?;
        entry.last_used_at.fetch_max(now, Ordering::Relaxed);
        Some(Admitted { caller: entry.caller.clone(), stay: Stay::until(entry.over.subscribe()) })
    }

    /// Lets go of what has expired, and ends the stays that go with it.
    pub(super) fn forget_expired(&self, now: i64) {
        let is_over = |entry: &Entry| entry.expires_at <= now;
        // Mostly nothing has, and then no call waits.
        let expired: Vec<[u8; 32]> = {
            let table = self.read();
            table.iter().filter(|(_, entry)| is_over(entry)).map(|(hash, _)| *hash).collect()
        };
        expired.iter().for_each(|hash| self.remove(hash));
    }

    /// When a token was last used, if it is here.
    pub(super) fn last_used_at(&self, hash: &[u8; 32]) -> Option<i64> {
        let at = self.read().get(hash)?.last_used_at.load(Ordering::Relaxed);
        (at > 0).then_some(at)
    }

    /// Uses that the store does not know.
    pub(super) fn new_uses(&self) -> Vec<(TokenId, i64)> {
        let table = self.read();
        let new = table.values().filter_map(|entry| {
            let at = entry.last_used_at.load(Ordering::Relaxed);
            (at > entry.noted_at.load(Ordering::Relaxed)).then(|| (entry.id.clone(), at))
        });
        new.collect()
    }

    /// The store knows these uses now.
    pub(super) fn noted(&self, uses: &[(TokenId, i64)]) {
        let uses: HashMap<&TokenId, i64> = uses.iter().map(|(id, at)| (id, *at)).collect();
        for entry in self.read().values() {
            if let Some(at) = uses.get(&entry.id) {
                entry.noted_at.fetch_max(*at, Ordering::Relaxed);
            }
        }
    }
}

fn caller_of(token: &AccessToken) -> Caller {
    let name = match &token.rep {
        Some(rep) => rep.to_string(),
        None => format!("{}:{}", token.role.code(), token.name),
    };
    Caller { name, role: token.role, rep: token.rep.clone() }
}

#[cfg(test)]
mod tests {
    use crate::domain::{RepId, Role};

    use super::*;

    fn token(nth: u8, role: Role) -> AccessToken {
        AccessToken {
            key: i64::from(nth),
            id: TokenId::new(&format!("t{nth}")).unwrap(),
            name: "crm".into(),
            role,
            rep: (role == Role::Rep).then(|| RepId::new("ann").unwrap()),
            hash: [nth; 32],
            created_at: 0,
            created_by: "admin".into(),
            expires_at: 100,
            revoked: None,
            last_used_at: None,
        }
    }

    fn is_over(stay: &Stay) -> bool {
        let mut over = std::pin::pin!(stay.clone().over());
        let waker = std::task::Waker::noop();
        over.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready()
    }

    #[test]
    fn a_rep_is_known_by_their_id_and_others_by_role_and_name() {
        let table = TokenTable::default();
        table.put(&token(1, Role::Rep));
        table.put(&token(2, Role::Intake));
        let rep = table.admit(&[1; 32], 0).unwrap().caller;
        assert_eq!((rep.name.as_str(), rep.rep), ("ann", Some(RepId::new("ann").unwrap())));
        let crm = table.admit(&[2; 32], 0).unwrap().caller;
        assert_eq!((crm.name.as_str(), crm.rep), ("intake:crm", None));
        assert!(table.admit(&[3; 32], 0).is_none());
    }

    #[test]
    fn a_stay_ends_when_its_token_is_removed_or_has_expired() {
        let table = TokenTable::default();
        table.put(&token(1, Role::Intake));
        table.put(&token(2, Role::Intake));
        let (first, second) =
            (table.admit(&[1; 32], 99).unwrap(), table.admit(&[2; 32], 99).unwrap());
        assert!(!is_over(&first.stay));
        table.remove_by_id(&TokenId::new("t1").unwrap());
        assert!(is_over(&first.stay) && !is_over(&second.stay));
        assert!(table.admit(&[1; 32], 0).is_none());

        table.forget_expired(99);
        assert!(!is_over(&second.stay));
        assert!(table.admit(&[2; 32], 100).is_none(), "the clock decides, not the sweep");
        table.forget_expired(100);
        assert!(is_over(&second.stay));
        assert!(table.admit(&[2; 32], 0).is_none());
    }

    #[test]
    fn a_use_is_told_to_the_store_once() {
        let table = TokenTable::default();
        table.put(&token(1, Role::Intake));
        assert!(table.new_uses().is_empty());
        table.admit(&[1; 32], 7);
        table.admit(&[1; 32], 5);
        assert_eq!(table.last_used_at(&[1; 32]), Some(7));
        let uses = table.new_uses();
        assert_eq!(uses, [(TokenId::new("t1").unwrap(), 7)]);
        table.admit(&[1; 32], 8);
        table.noted(&uses);
        assert_eq!(table.new_uses().len(), 1, "a later use is another one");
        table.noted(&table.new_uses());
        assert!(table.new_uses().is_empty());
    }
}
