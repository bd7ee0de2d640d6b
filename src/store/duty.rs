//! What only one node at a time does: sweeping, ranking a queue. A duty is held for a while, and is
//! fenced: whoever lost it cannot act on it any more, however late they learn of it.

/// A duty that a node took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Which one.
    pub name: String,
    /// Grows whenever it changes hands. A change that names an older term than the current one is
    /// [`Denied::DutyLost`](super::Denied::DutyLost).
    pub term: i64,
}

/// A node that wants a duty, or has it and wants it for longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeDuty {
    /// Which one.
    pub name: String,
    /// The node. No two have the same id, and one that starts again has another.
    pub node: String,
    /// When.
    pub now: i64,
    /// For how long, in milliseconds.
    pub for_ms: i64,
}
