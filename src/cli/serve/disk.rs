//! What `serve` keeps of the store's disk.

use clap::Args;

use crate::config::ByteCount;
use crate::store::DISK_RESERVE_BYTES;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Disk")]
pub(super) struct DiskArgs {
    /// What is kept free on the store's disk: with less, leads are not taken in, while touches,
    /// releases and renewals go on; 0 keeps nothing
    #[arg(
        long,
        env = "NEXTLEAD_DISK_RESERVE",
        value_name = "SIZE",
        default_value_t = ByteCount(DISK_RESERVE_BYTES)
    )]
    pub(super) disk_reserve: ByteCount,
}
