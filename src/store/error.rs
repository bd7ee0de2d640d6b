//! Why the store did not do what it was asked.

use crate::domain::{LeadId, RepId};

/// A refusal for a reason of the business; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request id was used before, for something else.
    #[error("this request id was used before with another body")]
    RequestReused,
    /// The lease is over, or was never given.
    #[error("the lease no longer stands")]
    LeaseLost,
    /// There is no such lead.
    #[error("there is no lead {0}")]
    UnknownLead(LeadId),
    /// There is no such rep.
    #[error("there is no rep {:?}", .0.as_str())]
    UnknownRep(RepId),
    /// A campaign feeds one queue, for good.
    #[error("a campaign cannot change its queue")]
    CampaignMoved,
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// For a reason of the business.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It is out of reach for now; nothing changed.
    #[error("could not use the store")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk is full; nothing changed, and reads go on.
    #[error("the store's disk is full")]
    Full,
    /// The commit's outcome is unknown: asking again with the same request id tells.
    #[error("it is unknown whether the change was stored; ask again with the same request id")]
    Unknown,
    /// The store has stopped: it is being closed, or a commit's outcome was unknown.
    #[error("the store has stopped")]
    Stopped,
    /// The file belongs to another process.
    #[error("{path} is in use by another process: one node at a time may serve it")]
    InUse {
        /// The file.
        path: String,
    },
    /// A row makes no sense.
    #[error("the store holds something that makes no sense: {table}.{column} = {value}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What stands there, unless it is personal.
        value: String,
    },
}
