//! Opening sessions on the server: what each is set to, what it must find, and how quickly one gives up.
//!
//! A setting of the server, the database or the role that makes a commit less than durable is never
//! corrected in silence: somebody meant it, and must know that this store refuses it.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use super::super::error::StoreError;
use super::super::sql::{Session, failure, unavailable};
use super::lineage::Lineages;
use super::options::PostgresOptions;

/// The least version of the server, as it counts itself.
const VERSION_MIN: i32 = 150_000;
/// How many statements a session keeps prepared: all that we have.
const STATEMENT_COUNT_MAX: usize = 160;
/// The client gives up this much later than the server does.
const LIMIT_SLACK: Duration = Duration::from_secs(2);
/// What tables are joined by: the keys that the parameter names, one by one. A plan that was made when a
/// table was empty is kept while a million leads come in, and must still look each of them up.
const BY_KEY: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("jit", "off"),
];

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
    Report,
    /// Brings the tables up to date, which takes as long as it takes.
    Migrate,
}

/// Opens sessions.
#[derive(Clone)]
pub(super) struct Sessions {
    address: PgConnectOptions,
    options: PostgresOptions,
    lineages: Arc<Lineages>,
}

impl fmt::Debug for Sessions {
    /// The address has the password in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sessions").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The server could not be reached.
#[derive(Debug, thiserror::Error)]
#[error("could not connect to the database server")]
pub(super) struct Unreachable(#[source] sqlx::Error);

impl Sessions {
    pub(super) fn new(options: &PostgresOptions) -> Result<Self, StoreError> {
        let address = PgConnectOptions::from_str(&options.url).map_err(unavailable)?;
        let address = match &options.password {
            Some(password) => address.password(password),
            None => address,
        };
        // As the crate reads them.
        let is_chosen = ["sslmode=", "ssl-mode="].iter().any(|name| options.url.contains(name))
            || std::env::var_os("PGSSLMODE").is_some();
        check_secrecy(&address, is_chosen)?;
        let address = address
            .application_name("nextlead")
            .statement_cache_capacity(STATEMENT_COUNT_MAX)
            .disable_statement_logging();
        Ok(Self { address, options: options.clone(), lineages: Arc::default() })
    }

    /// Whether a session is of a server that another one took over from since it was opened.
    pub(super) fn is_left(&self, session: &Session) -> bool {
        session.timeline() < self.lineages.timeline()
    }

    pub(super) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    /// Where the database is, without a password.
    pub(super) fn place(&self) -> String {
        let address = &self.address;
        let database = address.get_database().unwrap_or(address.get_username());
        format!("postgres://{}:{}/{database}", address.get_host(), address.get_port())
    }

    fn limit(&self, purpose: Purpose) -> Duration {
        match purpose {
            Purpose::Write | Purpose::Read => self.options.statement_timeout,
            Purpose::Report => self.options.report_timeout,
            Purpose::Migrate => Duration::from_secs(24 * 3_600),
        }
    }

    /// The settings of a session, times in milliseconds.
    fn settings(&self, purpose: Purpose) -> Vec<(&'static str, String)> {
        let ms = |time: Duration| time.as_millis().to_string();
        let vanished = self.options.vanished_timeout;
        let mut settings = vec![
            ("statement_timeout", ms(self.limit(purpose))),
            ("lock_timeout", ms(self.options.lock_timeout)),
            ("idle_in_transaction_session_timeout", ms(vanished)),
            ("tcp_user_timeout", ms(vanished)),
            ("tcp_keepalives_idle", "3".to_owned()),
            ("tcp_keepalives_interval", "1".to_owned()),
            ("tcp_keepalives_count", "4".to_owned()),
        ];
        if matches!(purpose, Purpose::Read | Purpose::Report) {
            settings.push(("default_transaction_read_only", "on".to_owned()));
        }
        if matches!(purpose, Purpose::Write | Purpose::Read) {
            settings.extend(BY_KEY.map(|(name, value)| (name, value.to_owned())));
        }
        settings
    }

    /// How a session is opened that only listens.
    pub(super) fn ear(&self) -> PgConnectOptions {
        self.address.clone().options(self.settings(Purpose::Read))
    }

    /// Opens a session, and asserts that it is what it must be.
    pub(super) async fn open(&self, purpose: Purpose) -> Result<Session, StoreError> {
        let opening = async {
            let mut connection = self.connect(purpose).await?;
            self.check_server(&mut connection).await?;
            self.check_settings(&mut connection, purpose).await?;
            let timeline = self.lineages.check(&mut connection).await?;
            Ok((connection, timeline))
        };
        let opened = tokio::time::timeout(self.options.connect_timeout, opening).await;
        let late =
            |_| Err(unavailable(Unreachable(io::Error::from(io::ErrorKind::TimedOut).into())));
        let (connection, timeline) = opened.unwrap_or_else(late)?;
        Ok(Session::new(connection, self.limit(purpose) + LIMIT_SLACK, timeline))
    }

    /// Has the server end the session, and free its locks, if nothing is heard of it for twice the time
    /// after which a node counts as vanished: what lies in between may hang, and answer the server's
    /// probes all the same. Whoever keeps the session says something more often than that.
    pub(super) async fn keep_alive(&self, session: &mut Session) -> Result<(), StoreError> {
        let limit = 2 * self.options.vanished_timeout.as_millis();
        let set = AssertSqlSafe(format!("SET idle_session_timeout = {limit}"));
        session.run(|to| sqlx::raw_sql(set).execute(to)).await.map(drop).map_err(failure)
    }

    async fn connect(&self, purpose: Purpose) -> Result<PgConnection, StoreError> {
        let address = self.address.clone().options(self.settings(purpose));
        let lost = |error| unavailable(Unreachable(error));
        let mut connection = address.connect().await.map_err(lost)?;
        // A server that ends a statement whose client has gone frees its locks earlier. Not every
        // system can tell, and then there are the other timeouts.
        let _ = sqlx::raw_sql("SET client_connection_check_interval = '2s'")
            .execute(&mut connection)
            .await;
        Ok(connection)
    }

    async fn check_server(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        const QUESTION: &str = "SELECT current_setting('server_version_num')::int, \
            pg_is_in_recovery(), current_setting('synchronous_commit'), \
            current_setting('server_encoding'), current_setting('fsync')";
        let row = sqlx::query(QUESTION).fetch_one(connection).await.map_err(failure)?;
        let version: i32 = row.try_get(0).map_err(failure)?;
        let is_standby: bool = row.try_get(1).map_err(failure)?;
        let text = |place: usize| row.try_get::<&str, _>(place).map_err(failure);
        if version < VERSION_MIN {
            let (major, least) = (version / 10_000, VERSION_MIN / 10_000);
            return unfit(format!("it is PostgreSQL {major}, {least} is the least"));
        }
        if is_standby {
            return unfit("it is a standby: only a primary may decide".to_owned());
        }
        check_durability(text(2)?)?;
        let encoding = text(3)?;
        if encoding != "UTF8" {
            return unfit(format!("the database is in {encoding}, and must be in UTF8"));
        }
        if text(4)? != "on" {
            tracing::warn!("the database server has fsync off: a crash of its machine loses leads");
        }
        Ok(())
    }

    /// A pool between us and the server may have dropped what was asked for.
    async fn check_settings(
        &self,
        connection: &mut PgConnection,
        purpose: Purpose,
    ) -> Result<(), StoreError> {
        let wanted = self.settings(purpose);
        let rows = sqlx::query("SELECT name, setting FROM pg_settings WHERE source = 'client'");
        let rows = rows.fetch_all(connection).await.map_err(failure)?;
        let has = |name: &str, value: &str| {
            rows.iter().any(|row| {
                let text = |place: usize| row.try_get::<&str, _>(place).unwrap_or_default();
                text(0) == name && text(1) == value
            })
        };
        // On a socket of this machine nothing gets lost on the way.
        let is_of_tcp = |name: &str| name.starts_with("tcp_");
        match wanted.iter().find(|(name, value)| !is_of_tcp(name) && !has(name, value)) {
            None => Ok(()),
            Some((name, value)) => unfit(format!(
                "it does not let a session set {name} to {value}; connect to it directly"
            )),
        }
    }
}

/// Whether what goes to another machine can be read on the way. Who wants it so says so: unless told
/// otherwise the driver encrypts if the server offers it, and a server in the middle does not.
fn check_secrecy(address: &PgConnectOptions, is_chosen: bool) -> Result<(), StoreError> {
    let host = address.get_host();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = address.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_here {
        return Ok(());
    }
    let mode = address.get_ssl_mode();
    let is_loose = matches!(mode, PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer);
    if is_loose && !is_chosen {
        return unfit(
            "it is on another machine, and nothing says that the way there is encrypted: add \
             ?sslmode=verify-full to its address, with sslrootcert=FILE for a certificate authority \
             of your own, or sslmode=disable where everybody on the way may read the leads"
                .to_owned(),
        );
    }
    if !matches!(mode, PgSslMode::VerifyFull) {
        tracing::warn!(
            ?mode,
            "the database server is on another machine and need not prove who it is; \
             sslmode=verify-full makes it"
        );
    }
    Ok(())
}

/// Whether a commit is on disk when it is answered.
pub(super) fn check_durability(synchronous_commit: &str) -> Result<(), StoreError> {
    match synchronous_commit {
        "on" | "remote_apply" => Ok(()),
        other => unfit(format!(
            "synchronous_commit is {other}, so that a crash loses what was answered; set it to on, \
             for the server, the database and the role"
        )),
    }
}

fn unfit<T>(problem: String) -> Result<T, StoreError> {
    Err(StoreError::Unfit { problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_go_to_another_machine_in_the_clear_only_if_that_is_wanted() {
        let is_taken = |url: &str| Sessions::new(&PostgresOptions::new(url)).is_ok();
        for here in [
            "postgres://ann@localhost/leads",
            "postgres://127.0.0.1:5433/leads",
            "postgres://[::1]/leads",
            "postgres://ann@%2Frun%2Fpostgresql/leads",
            "postgres:///leads?host=/run/postgresql",
        ] {
            assert!(is_taken(here), "{here}");
        }
        for (parameters, is_fit) in [
            ("", false),
            ("?user=ann", false),
            ("?sslmode=disable", true),
            ("?sslmode=require", true),
            ("?sslmode=verify-full", true),
        ] {
            let there = format!("postgres://db.example/leads{parameters}");
            assert_eq!(is_taken(&there), is_fit, "{there}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let mut options = PostgresOptions::new("postgres://ann:s3cret@localhost/leads");
        assert!(!format!("{:?}", Sessions::new(&options).unwrap()).contains("s3cret"));
        options.password = Some("s3cret".to_owned());
        assert!(!format!("{:?}", Sessions::new(&options).unwrap()).contains("s3cret"));
    }
}
