//! Releases: how a lead leaves a rep's hands without a touch.

use crate::store;

use super::{Dialer, DialerError, ReleaseLease};

impl Dialer {
    /// Ends a lease without a touch. The rep is not offered this lead for a quarter of an hour, unless
    /// nothing else is left for them and nobody else could take it. One skip more than the queue allows in
    /// an hour is refused, and the rep keeps the lead.
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
            cause: release.cause(self.queue_of(&rep).settings.skips_per_hour_max),
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
