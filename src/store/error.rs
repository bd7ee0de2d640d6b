//! Why the store did not do what it was asked.

use crate::domain::{LeadId, RepId, RepKey};

/// A refusal for a reason of the business; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request id was used before, for something else.
    #[error("this request id was used before with another body")]
    RequestReused,
    /// The lease is over, or was never given.
    #[error("the lease no longer stands")]
    LeaseLost,
    /// The rep has skipped as many leads as the queue allows within an hour; the lease stays theirs.
    #[error("the rep has skipped as many leads as the queue allows in an hour")]
    SkipLimit {
        /// From when on they may skip again; `None`: the queue allows none.
        next_at: Option<i64>,
    },
    /// No touch by the rep and this id was asked for feedback.
    #[error("no touch of this rep by this id was asked for feedback")]
    UnknownTouch,
    /// The rep said something else about this touch before.
    #[error("this touch was rated before, in another way")]
    AlreadyRated,
    /// The queue does not offer this reason.
    #[error("the queue does not offer this reason")]
    UnknownReason,
    /// There is no such lead.
    #[error("there is no lead {0}")]
    UnknownLead(LeadId),
    /// One backup at a time.
    #[error("another backup is being taken or read")]
    BackupRunning,
    /// A server's databases are backed up by its own means.
    #[error(
        "the store is a database on a server: back it up there, with pg_dump or continuous archiving"
    )]
    BackupElsewhere,
    /// There is no such rep.
    #[error("there is no rep {:?}", .0.as_str())]
    UnknownRep(RepId),
    /// Everything personal about the lead is gone, and nothing new is taken in about it.
    #[error("the lead was erased")]
    LeadErased,
    /// Another node has the duty by now.
    #[error("another node has taken this duty over")]
    DutyLost,
    /// A rep has the lead in their hands.
    #[error("a rep has the lead in their hands")]
    LeadLeased {
        /// Who.
        rep: RepKey,
        /// Until when it is held for them, unless they renew the lease.
        until: i64,
    },
    /// The lead is closed, and not in nurture.
    #[error("the lead is closed")]
    LeadClosed,
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
    /// Little is left of the disk: what can wait is refused, what cannot still goes through.
    #[error("the store's disk is nearly full: leads are taken in again when there is room")]
    Low,
    /// There is no room for a copy of the store.
    #[error(
        "no room for a backup beside the store: it takes {} MiB and the reserve, {} MiB are free",
        needed_bytes >> 20, free_bytes >> 20
    )]
    NoRoom {
        /// How long the copy would be.
        needed_bytes: u64,
        /// What is free.
        free_bytes: u64,
    },
    /// The commit's outcome is unknown: asking again with the same request id tells.
    #[error("it is unknown whether the change was stored; ask again with the same request id")]
    Unknown,
    /// The store has stopped: it is being closed, or a commit's outcome was unknown.
    #[error("the store has stopped")]
    Stopped,
    /// The file or the database belongs to another process.
    #[error("{path} is in use by another process: one node at a time may serve it")]
    InUse {
        /// The file, or the address of the database.
        path: String,
    },
    /// The server is none that may be relied on: too old, a standby, or set so that a crash loses what
    /// was answered.
    #[error("the database server cannot be used: {problem}")]
    Unfit {
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A later release made the tables.
    #[error(
        "the store was made by a later release of nextlead (migration {migration}): run that one, \
         or restore a backup that this one made"
    )]
    Newer {
        /// The first migration that is not known here.
        migration: i64,
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
