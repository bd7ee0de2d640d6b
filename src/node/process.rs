//! What the machine tells about this process and its disk. Where it does not tell, nothing is shown.

use std::path::Path;

/// How many bytes are free on the disk that holds a file, for whoever is not root.
pub(super) fn disk_free_bytes(file: &Path) -> Option<u64> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// How many bytes of memory the process has. On Linux only.
pub(super) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

/// How many files and connections the process has open. On Linux only.
pub(super) fn open_file_count() -> Option<u64> {
    let files = std::fs::read_dir("/proc/self/fd").ok()?;
    // One of them is this very look.
    u64::try_from(files.count().saturating_sub(1)).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_files_and_a_disk() {
        assert!(resident_bytes().unwrap() > 1_000_000);
        assert!(open_file_count().unwrap() >= 3);
        assert!(disk_free_bytes(Path::new("nextlead.db")).unwrap() > 0);
    }
}
