//! The admin's token: made at the first start, and kept in a file that its owner alone can read, beside
//! a store that is a file: whoever can read it could read the store as well. In memory there is only
//! its SHA-256, compared in constant time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Why there is no admin token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be read or made.
    #[error("could not use the token file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds no token.
    #[error("{} holds no token; delete it, and a new one is made", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The token that opens everything.
pub struct AdminToken {
    file: PathBuf,
    is_new: bool,
    hash: [u8; 32],
}

impl AdminToken {
    /// Reads the token in a file, or makes it at the first start. Of nodes that start at once with one
    /// file in common, one makes it and all read it.
    pub fn in_file(path: PathBuf) -> Result<Self, TokenError> {
        let file_problem = |source| TokenError::File { path: path.clone(), source };
        let is_new = match fs::exists(&path) {
            Ok(true) => false,
            Ok(false) => make(&path).map_err(file_problem)?,
            Err(source) => return Err(file_problem(source)),
        };
        let text = fs::read_to_string(&path).map_err(file_problem)?;
        let token = text.trim();
        if token.len() != TOKEN_LENGTH || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TokenError::Damaged { path });
        }
        warn_of_readers(&path);
        Ok(Self { hash: Sha256::digest(token).into(), file: path, is_new })
    }

    /// The file that holds it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether this start made it.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether this is the SHA-256 of the token.
    pub(super) fn is(&self, hash: &[u8; 32]) -> bool {
        hash.ct_eq(&self.hash).into()
    }
}

/// 256 random bits, in hexadecimal digits.
const TOKEN_LENGTH: usize = 64;

/// Tells the drafts of one process from each other.
static DRAFT_COUNT: AtomicU64 = AtomicU64::new(0);

/// Makes a token file. It appears whole or not at all, so a crash leaves no half of a token. Answers
/// whether it is this one's: another node may have been faster.
fn make(path: &Path) -> io::Result<bool> {
    let mut bits = [0; TOKEN_LENGTH / 2];
    getrandom::fill(&mut bits).map_err(io::Error::other)?;
    let token: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(
        ".{}-{}.new",
        std::process::id(),
        DRAFT_COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(format!("{token}\n").as_bytes())?;
    file.sync_all()?;
    // A second name for a file is given only if nothing has that name yet.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        linked => linked?,
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(true)
}

fn warn_of_readers(path: &Path) {
    let mode = fs::metadata(path).map(|data| data.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        let path = path.display();
        tracing::warn!(%path, "others than its owner can read {path}: it opens everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_read_back_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nextlead.db.admin-token");
        let first = AdminToken::in_file(file.clone()).unwrap();
        let second = AdminToken::in_file(file.clone()).unwrap();
        assert!(first.is_new() && !second.is_new());
        assert_eq!(first.hash, second.hash);
        assert_eq!(first.file(), file);
        let mode = fs::metadata(first.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1, "no draft is left");
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db.admin-token");
        fs::write(&file, "").unwrap();
        assert!(matches!(AdminToken::in_file(file), Err(TokenError::Damaged { .. })));
    }

    #[test]
    fn nodes_that_start_at_once_have_one_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nextlead.admin-token");
        let tokens: Vec<AdminToken> = std::thread::scope(|scope| {
            let make = || AdminToken::in_file(file.clone()).unwrap();
            let making: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            making.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(tokens.iter().all(|token| token.hash == tokens[0].hash));
        assert_eq!(tokens.iter().filter(|token| token.is_new()).count(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }
}
