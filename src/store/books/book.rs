//! How a change moves the books of one queue, campaign and source.

use std::sync::Arc;

use super::slate::LeadRow;
use crate::domain::{CampaignKey, LeadState, QueueKey, Route, Standing};

/// Names a book.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BookKey {
    pub(crate) queue: QueueKey,
    pub(crate) campaign: CampaignKey,
    pub(crate) source: Arc<str>,
}

/// By how much each counter of a book moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BookDelta {
    pub(crate) handed_over: i64,
    pub(crate) ready: i64,
    pub(crate) waiting: i64,
    pub(crate) leased: i64,
    pub(crate) closed: [i64; Route::CODES.len()],
    pub(crate) merged: i64,
    pub(crate) erased: i64,
    pub(crate) transferred_in: i64,
    pub(crate) transferred_out: i64,
    pub(crate) touched: i64,
    pub(crate) touched_in_time: i64,
    pub(crate) first_touch_ms_sum: i64,
    pub(crate) touches: i64,
    /// The last ledger instant; no difference.
    pub(crate) last_ms: i64,
}

/// The place of a route in [`Route::CODES`].
pub(crate) fn route_index(route: &Route) -> usize {
    let place = Route::CODES.iter().position(|code| *code == route.code());
    place.expect("every route's code stands in the list of codes")
}

impl BookDelta {
    /// Takes a lead out of the books as it stood before.
    pub(crate) fn leave(&mut self, row: &LeadRow) {
        self.count(&row.state, -1);
    }

    /// Puts a lead into the books as it stands now.
    pub(crate) fn enter(&mut self, row: &LeadRow) {
        self.count(&row.state, 1);
        self.last_ms = self.last_ms.max(row.state.changed_at);
    }

    fn count(&mut self, state: &LeadState, by: i64) {
        match &state.standing {
            Standing::Ready => self.ready += by,
            Standing::Waiting { .. } => self.waiting += by,
            Standing::Leased => self.leased += by,
            Standing::Closed { route, .. } => self.closed[route_index(route)] += by,
            Standing::Erased => self.erased += by,
        }
        let Some(touched_at) = state.first_touched_at else { return };
        self.touched += by;
        self.first_touch_ms_sum += by * (touched_at - state.handed_over_at);
        if state.first_touch_due_at.is_some_and(|due_at| touched_at <= due_at) {
            self.touched_in_time += by;
        }
    }
}
