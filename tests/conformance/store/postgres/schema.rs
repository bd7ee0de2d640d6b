//! Both databases have the same tables, columns and indexes under the same numbers of migrations.

use std::collections::BTreeSet;

use nextlead::domain::Disposition;
use nextlead::store::{PostgresStore, SqliteStore, Store};
use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};

use super::super::desk::{Desk, START};
use super::super::postgres_options;
use crate::servers::Postgres;

/// Tables of the crate that runs the migrations.
const FOREIGN: &str = "_sqlx_migrations";

async fn sqlite_lines(connection: &mut SqliteConnection) -> BTreeSet<String> {
    let columns = "SELECT m.name, c.name, c.type, c.\"notnull\" OR c.pk > 0, c.pk
        FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
    let mut lines = BTreeSet::new();
    for row in sqlx::query(columns).fetch_all(&mut *connection).await.unwrap() {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (is_required, place): (bool, i64) = (row.get(3), row.get(4));
        lines.insert(format!("{table}.{column} {kind} required {is_required} key {place}"));
    }
    let indexes = "SELECT m.name, i.\"unique\", i.partial, i.origin,
            (SELECT group_concat(name, ' ') FROM
                (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
        FROM sqlite_schema m JOIN pragma_index_list(m.name) i
        WHERE m.type = 'table' AND i.origin <> 'pk'";
    for row in sqlx::query(indexes).fetch_all(connection).await.unwrap() {
        let (table, columns): (String, String) = (row.get(0), row.get(4));
        let (is_unique, is_partial): (bool, bool) = (row.get(1), row.get(2));
        lines.insert(format!("{table} index {columns} unique {is_unique} partial {is_partial}"));
    }
    lines
}

async fn postgres_lines(connection: &mut PgConnection) -> BTreeSet<String> {
    let columns = "SELECT c.relname::text, a.attname::text,
            CASE format_type(a.atttypid, NULL) WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB'
                ELSE upper(format_type(a.atttypid, NULL)) END,
            a.attnotnull,
            coalesce(array_position(k.conkey, a.attnum), 0)::bigint
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace";
    let mut lines = BTreeSet::new();
    for row in sqlx::query(columns).fetch_all(&mut *connection).await.unwrap() {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (is_required, place): (bool, i64) = (row.get(3), row.get(4));
        lines.insert(format!("{table}.{column} {kind} required {is_required} key {place}"));
    }
    let indexes = "SELECT c.relname::text, i.indisunique, i.indpred IS NOT NULL,
            (SELECT string_agg(a.attname, ' ' ORDER BY k.place)
             FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisprimary";
    for row in sqlx::query(indexes).fetch_all(connection).await.unwrap() {
        let (table, columns): (String, String) = (row.get(0), row.get(3));
        let (is_unique, is_partial): (bool, bool) = (row.get(1), row.get(2));
        lines.insert(format!("{table} index {columns} unique {is_unique} partial {is_partial}"));
    }
    lines
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leads.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let url = Postgres::shared().database();
    PostgresStore::open(&postgres_options(url.clone())).await.unwrap().close().await;
    let mut sqlite = SqliteConnection::connect(&path.display().to_string()).await.unwrap();
    let mut postgres = PgConnection::connect(&url).await.unwrap();

    let mut here = sqlite_lines(&mut sqlite).await;
    let mut there = postgres_lines(&mut postgres).await;

    for lines in [&mut here, &mut there] {
        lines.retain(|line| !line.starts_with(FOREIGN));
    }
    let only_here: Vec<_> = here.difference(&there).collect();
    let only_there: Vec<_> = there.difference(&here).collect();
    assert!(only_here.is_empty() && only_there.is_empty(), "{only_here:#?}\n{only_there:#?}");
    assert!(here.len() > 150, "{}", here.len());
    let count = "SELECT count(*) FROM _sqlx_migrations";
    let ours: i64 = sqlx::query_scalar(count).fetch_one(&mut sqlite).await.unwrap();
    let theirs: i64 = sqlx::query_scalar(count).fetch_one(&mut postgres).await.unwrap();
    assert_eq!(ours, theirs);
}

/// Puts the ledger and the standings back to how they were before the events were kept in order.
const BEFORE_THE_ORDER: &str = r#"
    DELETE FROM _sqlx_migrations WHERE version >= 8;
    ALTER TABLE ledger RENAME TO ledger_in_order;
    CREATE TABLE ledger (
        lead_id BIGINT NOT NULL, seq BIGINT NOT NULL CHECK (seq > 0), at_ms BIGINT NOT NULL,
        kind TEXT NOT NULL COLLATE "C", actor TEXT NOT NULL, from_standing TEXT,
        to_standing TEXT NOT NULL, rule_version BIGINT, detail TEXT
    );
    INSERT INTO ledger SELECT lead_id, seq, at_ms, kind, actor, from_standing, to_standing,
        rule_version, detail FROM ledger_in_order;
    DROP TABLE ledger_in_order;
    ALTER TABLE ledger ADD PRIMARY KEY (lead_id, seq);
    ALTER TABLE standing DROP COLUMN last_event, DROP COLUMN owner_key, DROP COLUMN promised_key,
        DROP COLUMN callback_ms;
    ALTER TABLE rep DROP COLUMN work;"#;

#[tokio::test]
async fn a_database_that_kept_the_ledger_by_lead_is_brought_up_to_date_with_all_that_is_in_it() {
    let url = Postgres::shared().database();
    let desk = Desk::over(PostgresStore::open(&postgres_options(url.clone())).await.unwrap()).await;
    let leads = desk.leads(3).await;
    for (rep, lead) in leads.iter().enumerate().rev().skip(1) {
        desk.work(rep, *lead, Disposition::NoAnswer, START).await;
    }
    let mut told = Vec::new();
    for lead in &leads {
        told.push(desk.store.ledger(*lead, 0, 10).await.unwrap());
    }
    desk.store.close().await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(BEFORE_THE_ORDER).execute(&mut stranger).await.unwrap();

    let store = PostgresStore::open(&postgres_options(url)).await.unwrap();

    let audit = store.audit().await.unwrap();
    assert_eq!((audit.imbalance, audit.leads, audit.events), (0, 3, 7), "{:?}", audit.faults);
    for (lead, told) in leads.iter().zip(told) {
        assert_eq!(store.ledger(*lead, 0, 10).await.unwrap(), told);
    }
    store.lease(desk.grant(5, &leads[2..], START)).await.unwrap();
    let told = store.ledger(leads[2], 0, 10).await.unwrap();
    assert_eq!(told.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.audit().await.unwrap().imbalance, 0);
}

#[tokio::test]
async fn the_audit_finds_events_that_no_lead_leads_to() {
    let url = Postgres::shared().database();
    let desk = Desk::over(PostgresStore::open(&postgres_options(url.clone())).await.unwrap()).await;
    let leads = desk.leads(3).await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    let plant = "INSERT INTO ledger VALUES (4, 2, 2, 2, 0, 'noted', '', 'ready', 'ready')";
    sqlx::query(plant).execute(&mut stranger).await.unwrap();
    let faults = async || {
        let audit = desk.store.audit().await.unwrap();
        (audit.imbalance, audit.faults.into_iter().map(|fault| fault.what).collect::<Vec<_>>())
    };
    assert_eq!(faults().await, (1, vec!["ledger".to_owned()]));
    sqlx::query("DELETE FROM ledger WHERE event_key = 4").execute(&mut stranger).await.unwrap();
    assert_eq!(faults().await, (0, vec![]));

    sqlx::query("DELETE FROM standing WHERE lead_id = $1")
        .bind(leads[1].0)
        .execute(&mut stranger)
        .await
        .unwrap();

    let (_, faults) = faults().await;
    assert_eq!(faults, ["book web/sales-march", "ledger", "lead 2"]);
}

#[tokio::test]
async fn two_holders_of_a_lead_a_rep_or_a_number_cannot_be_written() {
    let url = Postgres::shared().database();
    let store = PostgresStore::open(&postgres_options(url.clone())).await.unwrap();
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    let mut run = async |statement: &'static str| {
        sqlx::query(statement).execute(&mut stranger).await.map(drop)
    };
    const LEASE: &str = "INSERT INTO lease VALUES
        (1, 1, 7, 7, '00000000000000000000000000000001', 'ordinary', 0, 1, 2, 3, 4)";
    run(LEASE).await.unwrap();
    run("INSERT INTO held_number VALUES ('+12025550100', 1)").await.unwrap();
    for statement in [
        LEASE,
        "INSERT INTO lease VALUES
            (2, 1, 7, 7, '00000000000000000000000000000002', 'ordinary', 0, 1, 2, 3, 4)",
        "INSERT INTO lease VALUES
            (2, 1, 8, 8, '00000000000000000000000000000001', 'ordinary', 0, 1, 2, 3, 4)",
        "INSERT INTO held_number VALUES ('+12025550100', 1)",
        "INSERT INTO held_number VALUES ('+12025550101', 2)",
    ] {
        assert!(run(statement).await.is_err(), "{statement}");
    }
    drop(store);
}
