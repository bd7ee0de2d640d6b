//! What `serve` keeps of the store's disk.

use anyhow::bail;
use clap::Args;

use crate::config::{ByteCount, StorePlace};
use crate::store::DISK_RESERVE_BYTES;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Disk")]
pub(super) struct DiskArgs {
    /// What is kept free on the disk of a store in a file: with less, leads are not taken in, while touches,
    /// releases and renewals go on; 0 keeps nothing
    #[arg(
        long,
        env = "NEXTLEAD_DISK_RESERVE",
        value_name = "SIZE",
        default_value_t = ByteCount(DISK_RESERVE_BYTES)
    )]
    pub(super) disk_reserve: ByteCount,
}

impl DiskArgs {
    /// Refuses a reserve for a disk that the node does not see.
    pub(super) fn check(&self, store: &StorePlace) -> anyhow::Result<()> {
        let is_file = matches!(store, StorePlace::File(_));
        if !is_file && self.disk_reserve != ByteCount(DISK_RESERVE_BYTES) {
            bail!(
                "--disk-reserve is about the disk of a store in a file: of a database, watch the disk \
                 where its server runs, and stop imports there in time"
            );
        }
        Ok(())
    }
}
