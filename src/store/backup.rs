//! Copies of the store: one is taken of a running store, and put back in the place of a stopped one.
//!
//! A store that was restored is an earlier one than its clients remember. So nothing that they hold
//! may fit by accident: leases get new tokens, and new leads get ids that were never given out.

use std::fs::File;
use std::path::PathBuf;

use tokio::sync::OwnedSemaphorePermit;

use super::error::StoreError;

/// A copy of everything, as it stood at one instant.
///
/// The copy lies beside the store without a name, and is gone with this handle, whatever ends it.
#[derive(Debug)]
pub struct Backup {
    /// The copy, to be read from its beginning.
    pub file: File,
    /// How long it is.
    pub bytes: u64,
    /// The last instant that its ledger knows; 0 for an empty one.
    pub last_instant: i64,
    /// There is one copy at a time: each takes as much room as the store.
    pub(super) _turn: OwnedSemaphorePermit,
}

/// What becomes of the access tokens in a backup: whoever was revoked after it was taken would
/// otherwise be let in again without anybody having thought of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldTokens {
    /// They open what they opened when the backup was taken.
    Keep,
    /// None of them opens anything.
    Revoke,
}

/// A backup to put in a store's place.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The backup's file. It is only read.
    pub backup: PathBuf,
    /// The store's file, which no node may have open.
    pub store: PathBuf,
    /// Whether a store that is there already may be replaced. It is kept beside, under another name.
    pub replaces: bool,
    /// What becomes of the access tokens.
    pub tokens: OldTokens,
    /// Now.
    pub now: i64,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The last instant that the ledger knows: what was recorded after it is lost.
    pub last_instant: i64,
    /// The leads that are there.
    pub lead_count: i64,
    /// The touches that are there.
    pub touch_count: i64,
    /// Leases that stand, under tokens that nobody knows: who pulls gets their lead with the new one.
    pub lease_count: u64,
    /// Access tokens that were revoked.
    pub revoked_count: u64,
    /// New leads get ids above this.
    pub lead_floor: i64,
    /// Where the store that was there before is kept.
    pub kept: Option<PathBuf>,
}

/// Why a backup was not restored. What was there before is still there, untouched.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is a store already, and it was not said that it may be replaced.
    #[error("there is a store already at {}", .0.display())]
    Exists(PathBuf),
    /// The store that an earlier restore replaced is still there.
    #[error("{} still holds the store that was replaced before: move it away first", .0.display())]
    KeptBefore(PathBuf),
    /// The file is no store.
    #[error("{} is no backup of nextlead", .0.display())]
    NoBackup(PathBuf),
    /// The file is damaged.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// The books in it do not add up.
    #[error("the books in the backup are off by {imbalance}, {first}")]
    Imbalanced {
        /// By how much.
        imbalance: i64,
        /// The first fault.
        first: String,
    },
    /// A file could not be read, written or renamed.
    #[error("could not {what}")]
    File {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}
