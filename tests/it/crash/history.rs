//! What the clients know: each writes down what it sent and what it was answered, with numbers from
//! one counter that all of them share. The node's own books are not asked for any of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Puts everything that all clients send and get into one order.
#[derive(Clone, Debug, Default)]
pub(super) struct Order(Arc<AtomicU64>);

impl Order {
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// When a request was sent first, and when its answer came; `None`: the client gave up before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) sent: u64,
    pub(super) answered: Option<u64>,
}

/// A lead in a rep's hands, as far as the rep knows.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) rep: String,
    pub(super) lead: String,
    /// Leads of one family share numbers and people; no two families do.
    pub(super) family: u64,
    pub(super) numbers: Vec<String>,
    /// When the request was sent that was answered with the lead.
    pub(super) asked: u64,
    /// When the answer came.
    pub(super) since: u64,
    /// When the touch or the release was sent that ends it; `None`: it lasts.
    pub(super) until: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct TouchSent {
    pub(super) id: String,
    pub(super) lead: String,
    pub(super) family: u64,
    pub(super) span: Span,
    /// The answer said that its lease was over.
    pub(super) is_late: bool,
    /// All answers said that nothing was changed.
    pub(super) is_failed: bool,
}

/// One sending of a handover; the same may be sent again.
#[derive(Clone, Debug)]
pub(super) struct HandoverSent {
    pub(super) external_id: String,
    pub(super) numbers: Vec<String>,
    pub(super) span: Span,
    /// The lead that the answer named.
    pub(super) lead: Option<String>,
    /// All answers said that nothing was changed.
    pub(super) is_failed: bool,
}

/// A wish never to be called again: by letter, or by a touch.
#[derive(Clone, Debug)]
pub(super) struct SuppressionSent {
    pub(super) family: u64,
    pub(super) numbers: Vec<String>,
    pub(super) span: Span,
}

/// A touch or a release that its client gave up. A node that stood still may take it in much later, even
/// when the rep has been given the same lead again.
#[derive(Clone, Debug)]
pub(super) struct LooseEnd {
    pub(super) lead: String,
    pub(super) sent: u64,
}

/// A call whose answer was to come again later.
#[derive(Clone, Debug)]
pub(super) struct PutOff {
    pub(super) what: &'static str,
    pub(super) reason: String,
    /// The answer said when.
    pub(super) come_again: bool,
}

/// All that one client, or all of them, sent and got.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) holds: Vec<Hold>,
    pub(super) touches: Vec<TouchSent>,
    pub(super) handovers: Vec<HandoverSent>,
    pub(super) suppressions: Vec<SuppressionSent>,
    /// What the node said no to without a reason.
    pub(super) refusals: Vec<String>,
    /// What was put off, each time: it was sent again.
    pub(super) put_off: Vec<PutOff>,
    pub(super) loose_ends: Vec<LooseEnd>,
}

impl History {
    /// How often calls were put off, by what they were and the reason.
    pub(super) fn put_off_counts(&self) -> BTreeMap<(&str, &str), usize> {
        let mut counts = BTreeMap::new();
        for one in &self.put_off {
            *counts.entry((one.what, one.reason.as_str())).or_default() += 1;
        }
        counts
    }

    pub(super) fn add(&mut self, other: Self) {
        self.holds.extend(other.holds);
        self.touches.extend(other.touches);
        self.handovers.extend(other.handovers);
        self.suppressions.extend(other.suppressions);
        self.refusals.extend(other.refusals);
        self.put_off.extend(other.put_off);
        self.loose_ends.extend(other.loose_ends);
    }
}
