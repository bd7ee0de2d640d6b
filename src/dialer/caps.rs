//! What caps the calls of a queue's leads: its own caps, and the law's where a lead may be. Counted in the
//! transaction that leases, so what is put together here only says by which.

use std::sync::Arc;

use crate::domain::{CallingLaw, Place, Queue, cap_window_ms_max, caps_in_force};
use crate::store::Caps;

use super::Dialer;

impl Dialer {
    /// What caps the calls of a queue; `None`: nothing does, wherever they go.
    pub(super) fn caps(&self, queue: &Arc<Queue>) -> Option<Caps> {
        let settings = &queue.settings;
        let window_ms_max = cap_window_ms_max(&settings.caps, settings.law)?;
        let (queue, follower) = (queue.clone(), self.parts.follower.clone());
        let of = move |facts: &_, now| {
            let settings = &queue.settings;
            let name = match settings.law {
                CallingLaw::Applies { .. } => follower.places.hours_of(facts),
                CallingLaw::Exempt => None,
            };
            let jurisdictions = Place::jurisdictions_in(name.as_deref().unwrap_or(""));
            caps_in_force(&settings.caps, settings.law, jurisdictions, now).into()
        };
        Some(Caps { window_ms_max, of: Arc::new(of) })
    }
}
