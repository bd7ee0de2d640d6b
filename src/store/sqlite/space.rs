//! Room on the store's disk. While less than the reserve is free, what can wait (intake) is refused,
//! so that what cannot (touches, releases, renewals, wishes never to be called) still finds room.
//!
//! A ballast lies beside the store: a node that finds its disk full to the last byte when it starts
//! throws it away, as SQLite needs a few pages to open a file at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::open::{beside, new_private_file};

/// Enough for SQLite's shared index of a log of half a gigabyte.
const BALLAST_BYTES: u64 = 1 << 20;

/// The bytes that are free to us on the disk of a file that is, or is to be, at `path`.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Watches the room on the store's disk.
pub(super) struct Space {
    store: PathBuf,
    reserve_bytes: u64,
    is_low: bool,
}

impl Space {
    pub(super) fn of(store: &Path, reserve_bytes: u64) -> Self {
        Self { store: store.to_owned(), reserve_bytes, is_low: false }
    }

    /// Whether less than the reserve was free at the last look.
    pub(super) fn was_low(&self) -> bool {
        self.is_low
    }

    /// Whether less than the reserve is free now. Says so once, and once more when it is over.
    pub(super) fn is_low(&mut self) -> bool {
        // A disk that does not tell is no reason to refuse anything.
        let Ok(free) = free_bytes(&self.store) else { return false };
        let is_low = free < self.reserve_bytes.max(1);
        if is_low != self.is_low {
            self.is_low = is_low;
            let (free_mib, reserve_mib) = (free >> 20, self.reserve_bytes >> 20);
            if is_low {
                tracing::error!(
                    free_mib,
                    reserve_mib,
                    "the store's disk runs full: leads are not taken in until there is room again"
                );
            } else {
                tracing::info!(free_mib, "there is room on the store's disk again");
                lay_ballast(&self.store);
            }
        }
        is_low
    }
}

/// Lays the ballast, unless it is there. Without room for it there is none.
pub(super) fn lay_ballast(store: &Path) {
    let path = ballast(store);
    let laid = new_private_file(&path).and_then(|file| fill(&file));
    match laid {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            tracing::debug!(error = &error as &dyn std::error::Error, "could not lay the ballast");
            let _ = fs::remove_file(path);
        }
        _ => {}
    }
}

fn fill(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, FallocateFlags::empty(), 0, BALLAST_BYTES)?)
}

/// Throws the ballast away. Returns whether there was one.
pub(super) fn throw_ballast(store: &Path) -> bool {
    fs::remove_file(ballast(store)).is_ok()
}

fn ballast(store: &Path) -> PathBuf {
    beside(store, ".ballast")
}
