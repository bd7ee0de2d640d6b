//! A folder that a command needs while it runs and throws away when it ends.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A folder for this run alone, that nobody else may look into; gone when dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one for the command of this name.
    pub(super) fn make(command: &str) -> anyhow::Result<Self> {
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).context("the operating system gives no random bits")?;
        let name = format!("nextlead-{command}-{:016x}", u64::from_be_bytes(bits));
        let path = std::env::temp_dir().join(name);
        let mut builder = fs::DirBuilder::new();
        builder
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("could not make the folder {} for a store", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be thrown away stays in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_is_for_its_owner_alone_and_gone_afterwards() {
        let scratch = Scratch::make("test").unwrap();
        let path = scratch.path().to_owned();
        fs::write(path.join("leads"), "secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
        drop(scratch);
        assert!(!path.exists());
    }
}
