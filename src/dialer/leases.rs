//! Renewals and releases: how a lead stays in a rep's hands, and how it leaves them without a touch.

use crate::store;

use super::{Dialer, DialerError, ReleaseLease, RenewLease, Renewed};

impl Dialer {
    /// Carries a lease on, from now, as far as renewals go.
    pub async fn renew_lease(&self, renew: RenewLease) -> Result<Renewed, DialerError> {
        let rep = self.roster().rep(&renew.rep)?;
        if renew.is_own {
            self.check_active(&rep)?;
        }
        let queue = self.queue_of(&rep);
        let now = self.now();
        let change = store::Renew {
            lead: renew.lead,
            rep: rep.rep.key,
            token: renew.token,
            lease_ms: renew.wish_ms.unwrap_or(queue.settings.lease_ms),
            now,
            request: renew.request,
        };
        let dialer = self.clone();
        let renewed = Self::apart(async move { dialer.parts.store.renew(change).await }).await;
        let lease = match renewed.map_err(DialerError::from) {
            Err(DialerError::LeaseLost) if renew.is_own => {
                return Err(self.lease_lost(&rep, renew.lead).await);
            }
            renewed => renewed?,
        };
        Ok(Renewed {
            remaining_ms: lease.remaining_ms(now),
            renewable_ms: (lease.renewable_until - now).max(0),
        })
    }

    /// Ends a lease without a touch. The rep is not offered this lead for a quarter of an hour, unless
    /// nothing else is left for them and nobody else could take it.
    pub async fn release_lease(&self, release: ReleaseLease) -> Result<(), DialerError> {
        let rep = self.roster().rep(&release.rep)?;
        if release.is_own {
            self.check_active(&rep)?;
        }
        let change = store::Release {
            lead: release.lead,
            rep: rep.rep.key,
            actor: release.rep.to_string(),
            token: release.token,
            reason: release.reason,
            now: self.now(),
            request: release.request,
        };
        match self.end_lease(change).await {
            Err(DialerError::LeaseLost) if release.is_own => {
                Err(self.lease_lost(&rep, release.lead).await)
            }
            ended => ended,
        }
    }

    pub(super) async fn end_lease(&self, change: store::Release) -> Result<(), DialerError> {
        let dialer = self.clone();
        Self::apart(async move {
            let ended = dialer.parts.store.release(change).await?;
            dialer.parts.follower.passes.note(&[ended.pass]);
            Ok(())
        })
        .await
    }
}
