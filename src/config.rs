//! Where a node keeps its store, where it listens, and where its admin token lies.
//!
//! `serve` and the commands that look for a running node read these from the same place, so that a
//! node started with no options is found by a command given no options.

mod place;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use place::{
    PasswordInArguments, QUEUE_DEFAULT, QueuePlace, QueueProblem, ServerUrl, StorePlace,
    StorePlaceProblem, refuse_passwords, without_passwords,
};

/// The store that is used when none is named: a file in the working directory.
pub const STORE_DEFAULT: &str = "sqlite://nextlead.db";
/// The address that a node listens at unless told otherwise: this machine only.
pub const LISTEN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7400);
/// The node that the other commands call unless told otherwise.
pub const SERVER_DEFAULT: &str = "http://127.0.0.1:7400";

/// The environment variables that no flag stands for: secrets never come as arguments, and the filter
/// of the log is read before them.
pub const OTHER_VARIABLES: [&str; 2] = ["NEXTLEAD_TOKEN", "NEXTLEAD_LOG"];

/// What a store's URL may look like; said when one does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a store is named sqlite://FILE, such as {STORE_DEFAULT} or sqlite:///var/lib/nextlead.db, or \
     postgres://USER@HOST/DATABASE"
)]
pub struct StoreProblem;

/// The file that holds a store, out of its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFile(pub PathBuf);

impl FromStr for StoreFile {
    type Err = StoreProblem;

    /// Reads `sqlite://FILE`; a bare path is taken as one too. Other databases are refused by name,
    /// so that nobody finds a file called `postgres:` later.
    fn from_str(text: &str) -> Result<Self, StoreProblem> {
        let path = match text.split_once("://") {
            Some(("sqlite", path)) => path,
            Some(_) => return Err(StoreProblem),
            None => text.strip_prefix("sqlite:").unwrap_or(text),
        };
        if path.is_empty() || path.contains('?') {
            return Err(StoreProblem);
        }
        Ok(Self(path.into()))
    }
}

/// A number of bytes, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteCount(pub u64);

const BYTE_UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl FromStr for ByteCount {
    type Err = String;

    /// Reads a whole number with a unit: `256MiB`, `1 GiB`; without one it is bytes.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let unit = BYTE_UNITS.iter().find(|(unit, _)| text.ends_with(unit));
        let (number, bits) = match unit {
            Some((unit, bits)) => (text.trim_end_matches(unit).trim_end(), *bits),
            None => (text, 0),
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << bits));
        let problem = || "a size is a whole number of KiB, MiB, GiB or TiB: 256MiB".to_owned();
        bytes.map(Self).ok_or_else(problem)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let even = |(_, bits): &&(&str, u32)| self.0 != 0 && self.0.trailing_zeros() >= *bits;
        match BYTE_UNITS.iter().find(even) {
            Some((unit, bits)) => write!(out, "{}{unit}", self.0 >> bits),
            None => write!(out, "{}", self.0),
        }
    }
}

/// The file that holds the admin token of a node whose store is no file: in the working directory.
/// Nodes that have it in common have the token in common.
pub const ADMIN_TOKEN_FILE_DEFAULT: &str = "nextlead.admin-token";

/// The file that holds the admin token of the node with this store: beside it, with
/// `.admin-token` added to its name.
pub fn admin_token_file(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".admin-token");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_by_its_file() {
        for (text, path) in [
            ("sqlite://nextlead.db", "nextlead.db"),
            ("sqlite:///var/lib/n.db", "/var/lib/n.db"),
            ("sqlite:n.db", "n.db"),
            ("n.db", "n.db"),
        ] {
            assert_eq!(text.parse(), Ok(StoreFile(path.into())), "{text}");
        }
        for text in ["", "sqlite://", "postgres://host/db", "sqlite://n.db?mode=ro"] {
            assert_eq!(text.parse::<StoreFile>(), Err(StoreProblem), "{text}");
        }
    }

    #[test]
    fn a_size_has_a_unit_and_reads_back() {
        for (text, bytes, again) in [
            ("256MiB", 256 << 20, "256MiB"),
            ("1 GiB", 1 << 30, "1GiB"),
            ("1536KiB", 1536 << 10, "1536KiB"),
            ("0", 0, "0"),
            ("1000", 1_000, "1000"),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
            assert_eq!(ByteCount(bytes).to_string(), again);
        }
        for text in ["", "MiB", "1.5GiB", "-1", "1MB", "99999999TiB"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_admin_token_lies_beside_the_store() {
        let StoreFile(store) = STORE_DEFAULT.parse().unwrap();
        assert_eq!(admin_token_file(&store), Path::new("nextlead.db.admin-token"));
    }
}
