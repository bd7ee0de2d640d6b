//! A lease: the sole right of one rep to one lead until an instant.

use super::codes::codes;
use super::id::{LeadId, LeaseToken, QueueKey, RepKey};
use super::lead::Facts;
use super::number::Number;

codes! {
    /// By which of the orders of a pull a lead was chosen.
    ServeOrder {
        /// A callback that was due.
        Callback = "callback",
        /// The reserve: the untouched lead with the nearest first-touch deadline.
        FirstTouch = "first_touch",
        /// The smallest rank.
        Ordinary = "ordinary",
    }
}

codes! {
    /// Why a lease ended without a touch. None of them counts as an attempt.
    ReleaseReason {
        /// The rep passes on this lead. Counted against the rep.
        Skipped = "skipped",
        /// The rep took it by mistake.
        RepError = "rep_error",
        /// The rep's program lost the lead.
        ClientLost = "client_lost",
        /// The lead may not be called any more.
        Forbidden = "forbidden",
    }
}

/// The sole right of one rep to one lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The lead.
    pub lead: LeadId,
    /// The lead's queue.
    pub queue: QueueKey,
    /// The rep who got it.
    pub rep: RepKey,
    /// Whether the rep is free again, as it expired, while the lead is held until the grace ends.
    pub is_rep_free: bool,
    /// Names this lease and no other.
    pub token: LeaseToken,
    /// By which order the lead was chosen.
    pub order: ServeOrder,
    /// The rule version under which it was chosen; 0: a queue without rules.
    pub rule_version: i64,
    /// What the lead was worth then.
    pub points: i64,
    /// When it began.
    pub granted_at: i64,
    /// When it ends unless it is renewed.
    pub expires_at: i64,
    /// Until when a touch still counts as in time, though the rep is free: expiry and grace.
    pub held_until: i64,
    /// How far renewals can carry it in all.
    pub renewable_until: i64,
    /// The numbers that may be dialled under it, as a cap counted when it began: the others were at one,
    /// or came later. `None`: nothing capped the lead, so each of its callable numbers may.
    pub dialable: Option<Vec<Number>>,
}

impl Lease {
    /// Whether the rep still has it.
    pub fn stands_at(&self, now: i64) -> bool {
        !self.is_rep_free && now < self.expires_at
    }

    /// Whether a touch under it still moves the lead.
    pub fn holds_at(&self, now: i64) -> bool {
        now < self.held_until
    }

    /// The lead's facts as the rep is to see them: without what may not be dialled under this lease.
    pub fn offered(&self, facts: &Facts) -> Facts {
        let mut offered = facts.clone();
        if let Some(dialable) = &self.dialable {
            offered.numbers.retain(|one| one.stopped.is_some() || dialable.contains(&one.number));
        }
        offered
    }

    /// How long it still lasts, in milliseconds.
    pub fn remaining_ms(&self, now: i64) -> i64 {
        (self.expires_at - now).max(0)
    }

    /// The same lease, carried on from `now` by `duration_ms` as far as renewals go.
    pub fn renewed(&self, now: i64, duration_ms: i64) -> Self {
        let grace_ms = self.held_until - self.expires_at;
        let expires_at = now.saturating_add(duration_ms).min(self.renewable_until);
        let expires_at = expires_at.max(self.expires_at);
        Self { expires_at, held_until: expires_at.saturating_add(grace_ms), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        Lease {
            lead: LeadId(1),
            queue: QueueKey(1),
            rep: RepKey(1),
            is_rep_free: false,
            token: LeaseToken([0; 16]),
            order: ServeOrder::Ordinary,
            rule_version: 0,
            points: 0,
            granted_at: 1_000,
            expires_at: 2_000,
            held_until: 2_100,
            renewable_until: 2_500,
            dialable: None,
        }
    }

    #[test]
    fn a_lease_stands_to_its_end_and_holds_to_the_end_of_its_grace() {
        let lease = lease();
        assert!(lease.stands_at(1_999) && !lease.stands_at(2_000));
        assert!(lease.holds_at(2_099) && !lease.holds_at(2_100));
        assert_eq!(lease.remaining_ms(5_000), 0);
    }

    #[test]
    fn renewals_end_at_their_total_maximum_and_never_shorten() {
        assert_eq!(lease().renewed(1_500, 10_000).expires_at, 2_500);
        assert_eq!(lease().renewed(1_500, 10_000).held_until, 2_600);
        assert_eq!(lease().renewed(1_500, 100).expires_at, 2_000);
    }
}
