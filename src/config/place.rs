//! Where a node keeps its store and its index: a file or a database, this process or Redis.
//!
//! An address may hold a password. It is never shown: neither in a log, nor in what `config show`
//! prints, nor in the list of processes, which is why arguments that hold one are refused.

use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
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
        Self(addresses(&self.0).map(with).collect::<Vec<_>>().join(","))
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

/// What is wrong with the address of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorePlaceProblem {
    /// It is none.
    #[error(transparent)]
    Store(#[from] StoreProblem),
    /// A parameter that nobody would heed. It is not named: it may be part of a password.
    #[error(
        "the parameters of a PostgreSQL address are sslmode, sslrootcert, sslcert, sslkey, host, \
         hostaddr, port, dbname, user, password, application_name and options; in a password, ? and & \
         are written %3F and %26"
    )]
    Parameter,
}

/// The parameters of an address of PostgreSQL that the crate heeds. It logs any other with its value.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

impl FromStr for StorePlace {
    type Err = StorePlaceProblem;

    /// Reads `sqlite://FILE` or `postgres://…`; a bare path is taken as a file, too.
    fn from_str(text: &str) -> Result<Self, StorePlaceProblem> {
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => {
                match parameters(text).all(|(name, _)| PARAMETERS.contains(&name)) {
                    true => Ok(Self::Postgres(ServerUrl(text.to_owned()))),
                    false => Err(StorePlaceProblem::Parameter),
                }
            }
            _ => Ok(Self::File(text.parse::<StoreFile>()?.0)),
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

/// The addresses of a text, which a comma parts; a comma within one parts nothing.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let begins = |at: &usize| {
        let rest = text[at + 1..].trim_start();
        let scheme = rest.split_once("://").map_or("", |(scheme, _)| scheme);
        let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        !scheme.is_empty() && scheme.bytes().all(is_of_scheme)
    };
    let commas = text.match_indices(',').map(|(at, _)| at).filter(begins);
    let mut begin = 0;
    commas.map(Some).chain([None]).map(move |comma| {
        let one = &text[begin..comma.unwrap_or(text.len())];
        begin = comma.map_or(text.len(), |comma| comma + 1);
        one
    })
}

/// The place of the password in an address: `postgres://user:HERE@host`. One that is not written as it
/// should be may hold any character, and is found all the same.
fn password_of(url: &str) -> Option<Range<usize>> {
    let begin = url.find("://")? + 3;
    let rest = &url[begin..];
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let colon = authority.find(':')?;
    let after = &authority[colon + 1..];
    let is_port = after.bytes().all(|byte| byte.is_ascii_digit());
    let end = match after.contains('@') {
        true => rest[..rest.find('?').unwrap_or(rest.len())].rfind('@')?,
        false if is_port => return None,
        // Cut short by what a password may hold, too.
        false => rest.rfind('@')?,
    };
    (colon + 1 < end).then(|| begin + colon + 1..begin + end)
}

/// The places of the passwords among the parameters of an address: `…?user=ann&password=HERE`.
fn secret_parameters(url: &str) -> Vec<Range<usize>> {
    // A name that is written so that nobody can read it is taken for one of a secret.
    const SECRETS: [&str; 5] = ["pass", "pwd", "secret", "token", "%"];
    parameters(url)
        .filter(|(name, value)| {
            let name = name.to_ascii_lowercase();
            let is_key = name.contains("key") && url[value.clone()].contains("BEGIN");
            !value.is_empty() && (is_key || SECRETS.iter().any(|word| name.contains(word)))
        })
        .map(|(_, value)| value)
        .collect()
}

/// The names of an address's parameters, and where their values stand.
fn parameters(url: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let begin = url.find("://").and_then(|scheme| {
        let begin = password_of(url).map_or(scheme, |password| password.end);
        url[begin..].find('?').map(|at| begin + at + 1)
    });
    let begin = begin.unwrap_or(url.len());
    let mut at = begin;
    url[begin..].split('&').filter(|one| !one.is_empty()).map(move |one| {
        // Names that are empty were left out; where this one stands is found again.
        at += url[at..].find(one).unwrap_or(0);
        let name = one.split('=').next().unwrap_or_default();
        let value = at + (name.len() + 1).min(one.len())..at + one.len();
        at = value.end;
        (name, value)
    })
}

fn secrets(url: &str) -> Vec<Range<usize>> {
    password_of(url).into_iter().chain(secret_parameters(url)).collect()
}

/// A text whose addresses show `***` for their passwords.
pub fn without_passwords(text: &str) -> String {
    let shown = addresses(text).map(|url| {
        let mut shown = url.to_owned();
        secrets(url).into_iter().rev().for_each(|place| shown.replace_range(place, "***"));
        shown
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

/// Refuses arguments that hold a password: addresses of the servers that we use, and whatever stands
/// where one of them should, its scheme mistyped.
pub fn refuse_passwords(args: &[OsString]) -> Result<(), PasswordInArguments> {
    let mut is_next = false;
    let mut has_password = |arg: &OsString| {
        let arg = arg.to_string_lossy();
        let is_place = is_next || arg.starts_with("--store=") || arg.starts_with("--queue=");
        is_next = arg == "--store" || arg == "--queue";
        let is_of_server = |url: &str| {
            let Some((before, _)) = url.split_once("://") else { return false };
            let scheme = before.rsplit('=').next().unwrap_or_default();
            scheme.starts_with("postgres") || scheme.starts_with("redis")
        };
        addresses(&arg).any(|url| (is_place || is_of_server(url)) && !secrets(url).is_empty())
    };
    match args.iter().any(&mut has_password) {
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
            ("postgres://ann:s3,cr@et@db/leads", "postgres://ann:***@db/leads"),
            ("postgres://ann:s3/cr#et@db/leads", "postgres://ann:***@db/leads"),
            ("postgres://ann:x@s3/cr@db/leads", "postgres://ann:***@db/leads"),
            ("postgres://db/d?user=a&password=s3", "postgres://db/d?user=a&password=***"),
            (
                "postgres://a:s3@db/d?password=s3&user=a",
                "postgres://a:***@db/d?password=***&user=a",
            ),
        ] {
            let place: StorePlace = url.parse().unwrap();
            assert_eq!(place.to_string(), shown);
            assert!(!format!("{place:?}").contains("s3"));
            let StorePlace::Postgres(whole) = place else { panic!("{url} is of PostgreSQL") };
            assert_eq!(whole.reveal(), url);
        }
        let place: QueuePlace = "redis://:one@a:1,redis://:two@b:2".parse().unwrap();
        assert_eq!(place.to_string(), "redis://:***@a:1,redis://:***@b:2");
        for (text, shown) in [
            ("valkey://:s3@h", "valkey://:***@h"),
            ("redis://:s3,s3@h", "redis://:***@h"),
            ("redis://:s3@a, redis://:s3@b", "redis://:***@a, redis://:***@b"),
            ("postgres://h/d?x=1&&p%61ssword=s3&y=2", "postgres://h/d?x=1&&p%61ssword=***&y=2"),
            ("postgres://h/d?sslpassword=s3", "postgres://h/d?sslpassword=***"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }

    #[test]
    fn a_parameter_that_nobody_heeds_is_refused_before_it_is_logged() {
        for text in [
            "postgres://h/d?sslpassword=s3",
            "postgres://h/d?p%61ssword=s3",
            "postgres://h/d?user=a&passwort=s3",
            "postgres://h/d?",
        ] {
            let place = text.parse::<StorePlace>();
            assert_eq!(place.is_ok(), text.ends_with('?'), "{text}");
        }
        let known = "postgres://h/d?sslmode=verify-full&user=a&password=b&options=-c%20x%3D1";
        assert!(known.parse::<StorePlace>().is_ok());
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
        assert!(!check(&["nextlead", "serve", "--store", "postgres://h/d?user=a&password=s3"]));
        assert!(!check(&["nextlead", "serve", "--queue", "valkey://:s3@h"]));
        assert!(!check(&["nextlead", "serve", "--queue=valkey://:s3@h"]));
        assert!(!check(&["nextlead", "serve", "--store", "postgres://a:s3,x@h/d"]));
        assert!(check(&["nextlead", "serve", "--store", "postgres://a@h/d?x=a:b@c"]));
        assert!(check(&["nextlead", "serve", "--store", "postgres://a@h:5432/d", "--json"]));
        assert!(check(&["nextlead", "--server", "http://a:b@h", "health"]));
    }
}
