//! A callback is promised for an instant at which the lead may be called, or not at all: whoever hears
//! "then nobody may ring you" can still ask for another time, while the lead is on the line.

use crate::domain::{Disposition, LeaseToken, Verdict, Whereabouts};

use super::hours::offering;
use super::{Dialer, DialerError, NewTouch};

impl Dialer {
    /// Refuses a touch that promises a callback at an instant outside of calling hours, and says the next
    /// one inside. An instant that has passed is due at once, and waits for the hours to open. A touch
    /// that does not move its lead promises nothing and is recorded whatever it says, and so is one that
    /// was recorded before: its lease is over.
    pub(super) async fn check_callback(
        &self,
        new: &NewTouch,
        token: LeaseToken,
        now: i64,
    ) -> Result<(), DialerError> {
        let Some(at) = new.callback_at.filter(|at| *at > now) else { return Ok(()) };
        if new.disposition != Disposition::CallbackAny {
            return Ok(());
        }
        let Some(record) = self.parts.store.lead(new.lead).await? else { return Ok(()) };
        if record.lease.as_ref().is_none_or(|lease| lease.token != token) {
            return Ok(());
        }
        let queue = self.roster().queue_by_key(record.state.queue);
        let queue = queue.expect("a lead's queue is in the roster before the lead");
        let found = Whereabouts::of(&record.lead.facts);
        match found.map(|found| offering(&queue).verdict(&found.place, at)) {
            Some(Verdict::Allowed { .. }) => Ok(()),
            None => Err(DialerError::CallbackIllegal { next_at: None, bar: None }),
            Some(Verdict::NotUntil { at, bar }) => {
                Err(DialerError::CallbackIllegal { next_at: Some(at), bar: Some(bar) })
            }
            Some(Verdict::Never { bar }) => {
                Err(DialerError::CallbackIllegal { next_at: None, bar: Some(bar) })
            }
        }
    }
}
