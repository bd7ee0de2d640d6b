//! What can only be seen from inside: the statements themselves, and how the server would run them.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::super::Store as _;
use super::super::sql::statements;
use super::sessions::{Purpose, Sessions};
use super::{PostgresOptions, PostgresStore};

#[path = "../../../tests/servers.rs"]
mod servers;

async fn opened() -> (PostgresStore, Sessions) {
    let options = PostgresOptions::new(servers::Postgres::shared().database());
    (PostgresStore::open(&options).await.unwrap(), Sessions::new(&options).unwrap())
}

/// Prepares a statement as `name`; says how many parameters it has.
async fn prepare(connection: &mut PgConnection, name: &str, statement: &str) -> usize {
    let count = (1..20).take_while(|place| statement.contains(&format!("${place}"))).count();
    let kind = |place: usize| {
        // Of these the server cannot tell; we bind nothing but integers to them.
        let may_be_null = statement.contains(&format!("${place} IS NULL"));
        if may_be_null { "bigint" } else { "unknown" }
    };
    let kinds: Vec<&str> = (1..=count).map(kind).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!("({})", kinds.join(", ")) };
    let text = AssertSqlSafe(format!("PREPARE {name}{kinds} AS {statement}"));
    let done = sqlx::raw_sql(text).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{name}: {error}"));
    count
}

#[tokio::test]
async fn every_statement_is_understood() {
    let (store, sessions) = opened().await;
    let mut session = sessions.open(Purpose::Write).await.unwrap();
    for (name, statement) in statements::all() {
        // Some only SQLite needs.
        if statement.postgres.is_empty() {
            continue;
        }
        prepare(session.connection(), name, statement.postgres).await;
    }
    store.close().await;
}

/// Also on tables that are still empty: the plan is kept while they fill.
#[tokio::test]
async fn no_hot_statement_reads_a_whole_table() {
    let (store, sessions) = opened().await;
    let mut session = sessions.open(Purpose::Write).await.unwrap();
    let generic = sqlx::raw_sql("SET plan_cache_mode = force_generic_plan");
    generic.execute(session.connection()).await.unwrap();
    for (name, statement) in statements::HOT {
        if statement.postgres.is_empty() {
            continue;
        }
        let count = prepare(session.connection(), name, statement.postgres).await;
        let nulls = vec!["NULL"; count].join(", ");
        let values = if count == 0 { String::new() } else { format!("({nulls})") };
        let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE {name}{values}"));
        let rows = sqlx::raw_sql(explain).fetch_all(session.connection()).await.unwrap();
        for row in &rows {
            let step: &str = row.get(0);
            // Campaigns are few, and so are passes, which last minutes.
            let is_small = ["on campaign", "on pass"].iter().any(|table| step.contains(table));
            assert!(!step.contains("Seq Scan") || is_small, "{name}: {step}");
        }
        let text: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        let has_hash = text.iter().any(|step| step.contains("Hash Join"));
        assert!(!has_hash, "{name} reads one side whole: {}", text.join("\n"));
    }
    store.close().await;
}
