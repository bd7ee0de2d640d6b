//! A real disk that is small: a file system in memory, mounted for one process that holds it and
//! seen by nobody else. It goes with that process, also when the test is killed.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::FallocateFlags;
use tempfile::TempDir;

/// Mounts the disk, says so, and holds it until its standard input ends.
const HOLDER: &str =
    r#"mount -t tmpfs -o "size=$1,mode=0700" none "$0" && echo mounted && exec cat"#;
/// What takes up the room that a test wants gone.
const HOG: &str = "hog";

pub(crate) struct SmallDisk {
    holder: Child,
    /// Where it is, seen from outside.
    folder: PathBuf,
    is_user_apart: bool,
    mount_point: TempDir,
}

impl SmallDisk {
    /// Mounts a disk of so many MiB. Fails, with what was tried, where nobody may mount.
    pub(crate) fn mount(mib: u64) -> Result<Self, String> {
        let mount_point = TempDir::new().unwrap();
        let mut tried = Vec::new();
        // A root mounts as it is; others may in a user namespace of their own.
        for namespaces in [&["--mount"][..], &["--map-root-user", "--mount"][..]] {
            let holder = Command::new("unshare")
                .args(namespaces)
                .args(["sh", "-c", HOLDER])
                .arg(mount_point.path())
                .arg(format!("{mib}m"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn();
            let Ok(mut holder) = holder else {
                tried.push(format!("unshare {}: cannot be run", namespaces.join(" ")));
                continue;
            };
            let mut line = String::new();
            BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let inside = mount_point.path().strip_prefix("/").unwrap();
            let folder = Path::new("/proc").join(holder.id().to_string()).join("root").join(inside);
            if line == "mounted\n" && File::create(folder.join("probe")).is_ok() {
                std::fs::remove_file(folder.join("probe")).unwrap();
                let is_user_apart = namespaces.len() > 1;
                return Ok(Self { holder, folder, is_user_apart, mount_point });
            }
            let _ = holder.kill();
            holder.wait().unwrap();
            tried.push(format!("unshare {}: refused", namespaces.join(" ")));
        }
        Err(tried.join(", "))
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What goes before a command, so that it runs on this disk. SQLite wants a path that needs no
    /// link to be followed, so it must be inside.
    pub(crate) fn inside(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), format!("--target={}", self.holder.id())];
        words.push("--mount".to_owned());
        if self.is_user_apart {
            words.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
        }
        words.extend(["sh", "-c", "cd \"$0\" && exec \"$@\""].map(str::to_owned));
        words.push(self.mount_point.path().display().to_string());
        words
    }

    /// What is free, in bytes.
    pub(crate) fn free(&self) -> u64 {
        let disk = rustix::fs::statvfs(&self.folder).unwrap();
        disk.f_bavail * disk.f_frsize
    }

    /// Takes up all room but for so many bytes.
    pub(crate) fn fill(&self, but_for: u64) {
        let hog = File::options().append(true).create(true).open(self.folder.join(HOG)).unwrap();
        loop {
            let length = hog.metadata().unwrap().len();
            let Some(more) = self.free().checked_sub(but_for).filter(|more| *more > 0) else {
                return;
            };
            // Others write at the same time, so there may be less by now.
            let taken = rustix::fs::fallocate(&hog, FallocateFlags::empty(), length, more);
            if taken.is_err() && more <= 4_096 {
                return;
            }
            if taken.is_err() {
                let _ = rustix::fs::fallocate(&hog, FallocateFlags::empty(), length, 4_096);
            }
        }
    }

    /// Gives the room back.
    pub(crate) fn clear(&self) {
        std::fs::remove_file(self.folder.join(HOG)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
