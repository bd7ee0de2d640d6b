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

/// The steps of each plan of what runs all the time, whatever the parameters are.
async fn plans(connection: &mut PgConnection) -> Vec<(&'static str, Vec<String>)> {
    let generic = sqlx::raw_sql("SET plan_cache_mode = force_generic_plan");
    generic.execute(&mut *connection).await.unwrap();
    let mut plans = Vec::new();
    for (name, statement) in statements::HOT {
        if statement.postgres.is_empty() {
            continue;
        }
        let count = prepare(connection, name, statement.postgres).await;
        let nulls = vec!["NULL"; count].join(", ");
        let values = if count == 0 { String::new() } else { format!("({nulls})") };
        let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE {name}{values}"));
        let rows = sqlx::raw_sql(explain).fetch_all(&mut *connection).await.unwrap();
        plans.push((*name, rows.iter().map(|row| row.get(0)).collect()));
    }
    plans
}

/// Also on tables that are still empty: the plan is kept while they fill.
#[tokio::test]
async fn no_hot_statement_reads_a_whole_table() {
    let (store, sessions) = opened().await;
    let mut session = sessions.open(Purpose::Write).await.unwrap();
    for (name, steps) in plans(session.connection()).await {
        for step in &steps {
            // Campaigns are few, and so are passes, which last minutes.
            let is_small = ["on campaign", "on pass"].iter().any(|table| step.contains(table));
            assert!(!step.contains("Seq Scan") || is_small, "{name}: {step}");
        }
        let has_hash = steps.iter().any(|step| step.contains("Hash Join"));
        assert!(!has_hash, "{name} reads one side whole: {}", steps.join("\n"));
    }
    store.close().await;
}

/// What the server knows of a full table tempts it to other plans.
#[tokio::test]
async fn no_hot_statement_reads_all_standings_of_a_full_store() {
    let (store, sessions) = opened().await;
    let mut session = sessions.open(Purpose::Write).await.unwrap();
    let fill = "INSERT INTO queue VALUES (1, 'sales', '{}');
        INSERT INTO campaign (campaign_key, campaign_id, queue_key, settings, route_at_end)
            SELECT n, n::text, 1, '{}', 'lost' FROM generate_series(1, 5) n;
        INSERT INTO standing (lead_id, queue_key, campaign_key, source, state, standing, tier, seq,
            changed_at_ms, ready_since_ms, attempts, times_released, touch_by_ms, has_promise, last_event)
            SELECT n, 1, 1 + n % 5, 'web', 0, 'ready', 0, 1, 0, 0, 0, 0, n, 0, n
            FROM generate_series(1, 50000) n;
        ANALYZE standing";
    sqlx::raw_sql(fill).execute(session.connection()).await.unwrap();
    for (name, steps) in plans(session.connection()).await {
        let is_scan = |step: &str| {
            let is_theirs = step.ends_with(" on standing") || step.contains(" on standing ");
            step.contains("Scan") && is_theirs
        };
        // Each says in the next line what it looks for.
        let reads_all =
            steps.windows(2).any(|pair| is_scan(&pair[0]) && !pair[1].contains(" Cond: "));
        assert!(!reads_all, "{name}: {}", steps.join("\n"));
    }
    store.close().await;
}
