//! Copies of the truth, while it is worked with.

use crate::store::Backup;

use super::{Dialer, DialerError};

impl Dialer {
    /// Copies everything as it stands now; changes go on meanwhile. Takes seconds for a million leads.
    pub async fn back_up(&self) -> Result<Backup, DialerError> {
        let dialer = self.clone();
        Ok(Self::apart(async move { dialer.parts.store.back_up().await }).await?)
    }
}
