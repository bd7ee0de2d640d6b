//! Pulls that wait for a lead to appear: each takes a seat, and looks when it is its turn.

use std::time::Duration;

use crate::metrics::Present;

use super::seats::LOOK_COUNT_MAX;
use super::{Dialer, DialerError, Pull, Pulled, WAIT_MS_MAX};

impl Dialer {
    /// Gives a rep the next lead, or says why there is none.
    ///
    /// A rep who holds a lead gets it again. With `wait_ms` the call waits for a lead to appear; to
    /// hang up meanwhile takes nothing. A fresh lead goes to the one of those who wait and may take it
    /// who has been idle the longest. [`DialerError::LeaseLost`]: this request got a lease before, and
    /// that is over.
    pub async fn next_lead(&self, pull: Pull) -> Result<Pulled, DialerError> {
        let rep = self.roster().rep(&pull.rep)?.rep;
        let wait_ms = u64::try_from(pull.wait_ms.min(WAIT_MS_MAX)).unwrap_or(0);
        let wait_over = tokio::time::sleep(Duration::from_millis(wait_ms));
        tokio::pin!(wait_over);
        let seats = &self.parts.follower.seats;
        let listening = seats.listen(rep.queue);
        let is_near = self.queue_index().patience().is_none();
        let look_count_max = if is_near { 1 } else { LOOK_COUNT_MAX };
        let mut leaving = self.parts.leaving.subscribe();
        // What stands in line is counted for the last look alone.
        let (mut is_last, mut look) = (wait_ms == 0, None);
        loop {
            let seen = listening.rings();
            let idle_since = seats.asked(rep.key, self.now());
            let dialer = self.clone();
            let (id, request, turn) = (pull.rep.clone(), pull.request.clone(), look.take());
            let look_now =
                async move { dialer.pull_once(&id, request.as_ref(), is_last, turn).await };
            match Self::apart(look_now).await? {
                Pulled::Nothing(nothing)
                    if !is_last && !nothing.should_retry && nothing.owed.is_empty() =>
                {
                    let _waiting = Present::in_gauge(&self.parts.metrics.waiting);
                    let mut seated = listening.sit(idle_since, seen, look_count_max);
                    tokio::select! {
                        biased;
                        () = &mut wait_over => is_last = true,
                        _ = leaving.wait_for(|is_leaving| *is_leaving) => is_last = true,
                        called = seated.called() => look = called,
                    }
                }
                answer => {
                    self.parts.metrics.pulled(&answer);
                    return Ok(answer);
                }
            }
        }
    }
}
