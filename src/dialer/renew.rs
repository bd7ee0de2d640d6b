//! Renewals: a rep keeps a lead, as long as it may still be dialled or is being spoken to.

use crate::domain::{Route, Standing, Verdict, Whereabouts};
use crate::store::{self, LeadRecord, RenewOutcome};

use super::hours::dialling;
use super::verdicts::has_number;
use super::{Dialer, DialerError, Forbidden, RenewLease, Renewed};

impl Dialer {
    /// Carries a lease on, from now, as far as renewals go. Unless a call is under way its lead is judged
    /// again at this instant: one that may not be dialled any more goes out of the rep's hands, and the
    /// answer says why.
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
            actor: renew.rep.to_string(),
            token: renew.token,
            lease_ms: renew.wish_ms.unwrap_or(queue.settings.lease_ms),
            fit: (!renew.is_in_call).then(|| self.fit_to_stay()),
            now,
            request: renew.request,
        };
        let dialer = self.clone();
        let renewed = Self::apart(async move {
            let outcome = dialer.parts.store.renew(change).await?;
            if let RenewOutcome::Forbidden { ended, .. } = &outcome {
                dialer.parts.follower.passes.note(&[ended.pass]);
            }
            Ok::<_, store::StoreError>(outcome)
        });
        match renewed.await.map_err(DialerError::from) {
            Err(DialerError::LeaseLost) if renew.is_own => {
                Err(self.lease_lost(&rep, renew.lead).await)
            }
            Err(error) => Err(error),
            Ok(RenewOutcome::Forbidden { record, .. }) => {
                Err(DialerError::LeadForbidden(self.why_forbidden(&record, now)))
            }
            Ok(RenewOutcome::Renewed(lease)) => Ok(Renewed {
                remaining_ms: lease.remaining_ms(now),
                renewable_ms: (lease.renewable_until - now).max(0),
            }),
        }
    }

    /// Why a lead may not be dialled, as it stands now.
    fn why_forbidden(&self, record: &LeadRecord, now: i64) -> Forbidden {
        if matches!(record.state.standing, Standing::Closed { route: Route::Suppressed, .. }) {
            return Forbidden::Suppressed;
        }
        let facts = &record.lead.facts;
        if !has_number(facts) {
            return Forbidden::NoNumber;
        }
        let queue = self.roster().queue_by_key(record.state.queue);
        let queue = queue.expect("a lead's queue is in the roster before the lead");
        let verdict =
            Whereabouts::of(facts).map(|found| dialling(&queue).verdict(&found.place, now));
        let (next_at, bar) = match verdict {
            None => (None, None),
            // It may be by now, if this answers a retry.
            Some(Verdict::Allowed { .. }) => (Some(now), None),
            Some(Verdict::NotUntil { at, bar }) => (Some(at), Some(bar)),
            Some(Verdict::Never { bar }) => (None, Some(bar)),
        };
        Forbidden::OutsideHours { next_at, bar }
    }
}
