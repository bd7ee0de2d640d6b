//! Where a node keeps its store and its index: a file or a database, this process or Redis.
//!
//! An address may hold a password. It is never shown: neither in a log, nor in what `config show`
//! prints, nor in the list of processes, which is why arguments that hold one are refused.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{StoreFile, StoreProblem};

/// The address of a server, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// The whole of it, for whoever connects.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The same with a password, where none stands yet.
    pub fn with_password(&self, password: &str) -> Self {
        let password: String = password.bytes().map(percent_encoded).collect();
        let with = |url: &str| {
            let (Some(begin), None) = (url.find("://"), password_of(url)) else {
                return url.to_owned();
            };
            let (scheme, rest) = url.split_at(begin + 3);
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            match rest[..end].rsplit_once('@') {
                Some((user, host)) => {
                    let user = user.trim_end_matches(':');
                    format!("{scheme}{user}:{password}@{host}{}", &rest[end..])
                }
                None => format!("{scheme}:{password}@{rest}"),
            }
        };
        Self(self.0.split(',').map(with).collect::<Vec<_>>().join(","))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&without_passwords(&self.0))
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// A file of SQLite, for one node.
    File(PathBuf),
    /// A database of PostgreSQL, for one node or several.
    Postgres(ServerUrl),
}

impl FromStr for StorePlace {
    type Err = StoreProblem;

    /// Reads `sqlite://FILE` or `postgres://…`; a bare path is taken as a file, too.
    fn from_str(text: &str) -> Result<Self, StoreProblem> {
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(ServerUrl(text.to_owned()))),
            _ => text.parse().map(|StoreFile(file)| Self::File(file)),
        }
    }
}

impl fmt::Display for StorePlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(out, "sqlite://{}", file.display()),
            Self::Postgres(url) => write!(out, "{url}"),
        }
    }
}

/// The index that is used when none is named: in the node's own memory.
pub const QUEUE_DEFAULT: &str = "memory";

/// What an index's address may look like; said when one does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an index is memory, or redis://HOST:PORT; of a cluster, several of its nodes parted by commas, \
     or redis-cluster://HOST:PORT"
)]
pub struct QueueProblem;

/// Where the index of the queues is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueuePlace {
    /// In the memory of the one node.
    Memory,
    /// In Redis, or in a Redis Cluster, shared by all nodes.
    Redis(ServerUrl),
}

impl FromStr for QueuePlace {
    type Err = QueueProblem;

    fn from_str(text: &str) -> Result<Self, QueueProblem> {
        const SCHEMES: [&str; 3] = ["redis", "rediss", "redis-cluster"];
        if text == QUEUE_DEFAULT {
            return Ok(Self::Memory);
        }
        let is_redis =
            |url: &str| url.split_once("://").is_some_and(|(scheme, _)| SCHEMES.contains(&scheme));
        match text.split(',').all(is_redis) {
            true => Ok(Self::Redis(ServerUrl(text.to_owned()))),
            false => Err(QueueProblem),
        }
    }
}

impl fmt::Display for QueuePlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => out.write_str(QUEUE_DEFAULT),
            Self::Redis(url) => write!(out, "{url}"),
        }
    }
}

/// A byte as it stands in an address.
fn percent_encoded(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

/// The place of the password in an address: `postgres://user:HERE@host`, also in the `n`th of several
/// that are parted by commas.
fn password_of(url: &str) -> Option<std::ops::Range<usize>> {
    let begin = url.find("://")? + 3;
    let authority = &url[begin..];
    let authority = &authority[..authority.find(['/', '?', '#']).unwrap_or(authority.len())];
    // A password may hold what it should not, another @ among it.
    let (user, _) = authority.rsplit_once('@')?;
    let colon = user.find(':')?;
    (colon + 1 < user.len()).then(|| begin + colon + 1..begin + user.len())
}

/// A text whose addresses show `***` for their passwords.
pub fn without_passwords(text: &str) -> String {
    let shown = text.split(',').map(|url| match password_of(url) {
        Some(place) => format!("{}***{}", &url[..place.start], &url[place.end..]),
        None => url.to_owned(),
    });
    shown.collect::<Vec<_>>().join(",")
}

/// Why the arguments are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an address among the arguments holds a password, which everybody on this machine can read in \
     the list of processes: put the address into the environment (NEXTLEAD_STORE, NEXTLEAD_QUEUE) or \
     into the configuration file, or the password into a file (--store-password-file, \
     --queue-password-file)"
)]
pub struct PasswordInArguments;

/// Refuses arguments that hold a password.
pub fn refuse_passwords(args: &[OsString]) -> Result<(), PasswordInArguments> {
    let has_password = |arg: &OsString| {
        let arg = arg.to_string_lossy();
        let is_of_server = |url: &str| {
            let Some((before, _)) = url.split_once("://") else { return false };
            let scheme = before.rsplit('=').next().unwrap_or_default();
            scheme.starts_with("postgres") || scheme.starts_with("redis")
        };
        arg.split(',').any(|url| is_of_server(url) && password_of(url).is_some())
    };
    match args.iter().any(has_password) {
        true => Err(PasswordInArguments),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://ann:s3cret@db/leads", "postgres://ann:***@db/leads"),
            ("postgres://ann:s3@cr:et@db/leads", "postgres://ann:***@db/leads"),
            ("postgres://ann@db:5432/leads", "postgres://ann@db:5432/leads"),
            ("postgres://db/a:b@c", "postgres://db/a:b@c"),
        ] {
            let place: StorePlace = url.parse().unwrap();
            assert_eq!(place.to_string(), shown);
            assert!(!format!("{place:?}").contains("s3"));
            let StorePlace::Postgres(whole) = place else { panic!("{url} is of PostgreSQL") };
            assert_eq!(whole.reveal(), url);
        }
        let place: QueuePlace = "redis://:one@a:1,redis://:two@b:2".parse().unwrap();
        assert_eq!(place.to_string(), "redis://:***@a:1,redis://:***@b:2");
    }

    #[test]
    fn a_password_goes_where_none_stands() {
        let with = |url: &str| ServerUrl(url.to_owned()).with_password("p@ss/1").0;
        assert_eq!(with("redis://h:1/0"), "redis://:p%40ss%2F1@h:1/0");
        assert_eq!(
            with("redis://ann@a,redis://b"),
            "redis://ann:p%40ss%2F1@a,redis://:p%40ss%2F1@b"
        );
        assert_eq!(with("redis://:old@a"), "redis://:old@a");
    }

    #[test]
    fn an_index_is_in_memory_or_in_redis() {
        assert_eq!("memory".parse(), Ok(QueuePlace::Memory));
        for text in ["redis://h", "rediss://h:1", "redis://a,redis://b", "redis-cluster://a:1"] {
            assert!(matches!(text.parse(), Ok(QueuePlace::Redis(_))), "{text}");
        }
        for text in ["", "redis", "memory://", "redis://a,b", "http://a"] {
            assert_eq!(text.parse::<QueuePlace>(), Err(QueueProblem), "{text}");
        }
    }

    #[test]
    fn a_password_among_the_arguments_is_refused() {
        let check = |args: &[&str]| {
            refuse_passwords(&args.iter().map(Into::into).collect::<Vec<_>>()).is_ok()
        };
        assert!(!check(&["nextlead", "serve", "--store", "postgres://a:b@h/d"]));
        assert!(!check(&["nextlead", "serve", "--queue=redis://h,redis://:b@h"]));
        assert!(!check(&["nextlead", "config", "show", "--", "--store=postgresql://a:b@h"]));
        assert!(check(&["nextlead", "serve", "--store", "postgres://a@h/d?x=a:b@c"]));
        assert!(check(&["nextlead", "--server", "http://a:b@h", "health"]));
    }
}
