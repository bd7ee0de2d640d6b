//! Who reads by which connection: reads are many, and a report must not keep a pull waiting.

use tokio::sync::OwnedSemaphorePermit;

use super::super::backup::Backup;
use super::super::error::StoreError;
use super::connection::Connection;

/// How often a read is tried again on another connection, as one that lay idle may be dead.
pub(in crate::store) const AGAIN_COUNT_MAX: usize = 16;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Reading {
    /// What somebody waits for, and which is short.
    Call,
    /// What may take long; few run at a time.
    Report,
}

/// A connection that was taken to read by.
#[derive(Debug)]
pub(in crate::store) struct Taken {
    pub(in crate::store) connection: Connection,
    pub(in crate::store) _turn: Option<OwnedSemaphorePermit>,
}

/// Gives connections to read by. One that is dropped while it is read by, or whose read failed, is
/// not used again by databases that could hand its state to the next one.
pub(in crate::store) trait Readers: Send + Sync + 'static {
    /// Takes a connection; [`StoreError::Stopped`] after [`Readers::close`].
    fn take(&self, reading: Reading) -> impl Future<Output = Result<Taken, StoreError>> + Send;
    /// Gives it back after a read that came to its end.
    fn put_back(&self, reading: Reading, taken: Taken);
    /// Whether another connection may do better.
    fn is_passing(&self, error: &StoreError) -> bool;
    /// A copy of everything.
    fn back_up(&self) -> impl Future<Output = Result<Backup, StoreError>> + Send;
    /// Waits for reads to end, then gives no more connections.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
