//! Pulls that wait for a lead to appear. Whenever one may have, a bounded number of them look at a time:
//! hundreds that are woken by one lead would hold up whoever else asks the index.

use std::time::Duration;

use crate::metrics::Present;

use super::{Dialer, DialerError, Pull, Pulled, WAIT_MS_MAX};

/// How many pulls that were woken look at a time.
pub(super) const LOOK_COUNT_MAX: usize = 32;

impl Dialer {
    /// Gives a rep the next lead, or says why there is none.
    ///
    /// A rep who holds a lead gets it again. With `wait_ms` the call waits for a lead to appear; to
    /// hang up meanwhile takes nothing. [`DialerError::LeaseLost`]: this request got a lease before,
    /// and that is over.
    pub async fn next_lead(&self, pull: Pull) -> Result<Pulled, DialerError> {
        let queue = self.roster().rep(&pull.rep)?.rep.queue;
        let wait_ms = u64::try_from(pull.wait_ms.min(WAIT_MS_MAX)).unwrap_or(0);
        let wait_over = tokio::time::sleep(Duration::from_millis(wait_ms));
        tokio::pin!(wait_over);
        let mut bell = self.parts.follower.listen(queue);
        let mut leaving = self.parts.leaving.subscribe();
        // What stands in line is counted for the last look alone.
        let (mut is_last, mut turn) = (wait_ms == 0, None);
        loop {
            bell.mark_unchanged();
            let dialer = self.clone();
            let (rep, request) = (pull.rep.clone(), pull.request.clone());
            let look = async move { dialer.pull_once(&rep, request.as_ref(), is_last).await };
            let answer = Self::apart(look).await?;
            drop(turn.take());
            match answer {
                Pulled::Nothing(nothing)
                    if !is_last && !nothing.should_retry && nothing.owed.is_empty() =>
                {
                    let _waiting = Present::in_gauge(&self.parts.metrics.waiting);
                    let woken = async {
                        // Neither the bell nor the turns end before the dialer does.
                        let _ = bell.changed().await;
                        self.parts.looks.acquire().await.ok()
                    };
                    tokio::select! {
                        biased;
                        () = &mut wait_over => is_last = true,
                        _ = leaving.wait_for(|is_leaving| *is_leaving) => is_last = true,
                        taken = woken => turn = taken,
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
