//! A store that the first migration made, with data in it, comes up under all of them.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::{Connection, SqliteConnection};

use super::super::changes::{Erase, HandOver, Suppress, SuppressionOf};
use super::super::{SqliteStore, Store};
use super::tests::{START, campaign, folder, hand_over, handover};
use crate::domain::{Event, LeadId, Number, Standing};

/// Every table that the first migration makes.
const TABLES: &[&str] = &[
    "queue",
    "campaign",
    "rep",
    "rule_version",
    "lead",
    "lead_number",
    "standing",
    "handover",
    "lease",
    "held_number",
    "touch",
    "ledger",
    "suppression",
    "pass",
    "request",
    "book",
];

async fn connect(path: &Path) -> SqliteConnection {
    let address = format!("sqlite://{}?mode=rwc", path.display());
    SqliteConnection::connect(&address).await.unwrap()
}

async fn run(connection: &mut SqliteConnection, statement: String) {
    let done = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Makes `old` as the first migration leaves it, with the rows of `new` as far as it has columns for
/// them.
async fn make_old(old: &Path, new: &Path, migrations: &Path) {
    let first = "0001_store.sql";
    std::fs::copy(Path::new("migrations/sqlite").join(first), migrations.join(first)).unwrap();
    let mut connection = connect(old).await;
    Migrator::new(migrations).await.unwrap().run(&mut connection).await.unwrap();
    run(&mut connection, format!("ATTACH '{}' AS new", new.display())).await;
    for table in TABLES {
        let columns =
            format!("SELECT group_concat(name, ', ') FROM pragma_table_info('{table}', 'main')");
        let columns: String = sqlx::query_scalar(sqlx::AssertSqlSafe(columns))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let copy =
            format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}");
        run(&mut connection, copy).await;
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_store_of_the_first_release_is_brought_up_to_date_with_all_that_is_in_it() {
    let (files, new) = folder();
    let store = SqliteStore::open(&new).await.unwrap();
    let march = campaign(&store).await;
    hand_over(&store, &march, 0..50).await;
    let number = Number::from_e164("+12020000007").unwrap();
    let suppress = Suppress {
        what: SuppressionOf::Number(number),
        source: "letter".into(),
        until: None,
        actor: "crm".into(),
        now: START,
        request: None,
    };
    assert_eq!(store.suppress(suppress).await.unwrap().closed_count, 1);
    let records = store.open_leads(march.queue, LeadId(0), 100).await.unwrap();
    let told = histories(&store).await;
    assert_eq!((told.len(), told[6].len(), told[7].len()), (50, 1, 2));
    store.close().await;
    let old = files.path().join("old.db");
    let migrations = tempfile::tempdir().unwrap();
    make_old(&old, &new, migrations.path()).await;

    let store = SqliteStore::open(&old).await.unwrap();

    let audit = store.audit().await.unwrap();
    assert_eq!((audit.imbalance, audit.leads, audit.handovers), (0, 50, 50));
    assert_eq!(audit.events, 51);
    assert_eq!(store.open_leads(march.queue, LeadId(0), 100).await.unwrap(), records);
    assert_eq!(histories(&store).await, told);
    // It takes what only the new tables can hold.
    let lead = LeadId(8);
    let erase = Erase { lead, actor: "crm".into(), now: START + 1, request: None };
    assert!(!store.erase(erase).await.unwrap().was_erased);
    assert_eq!(store.lead(lead).await.unwrap().unwrap().state.standing, Standing::Erased);
    let again = HandOver {
        rows: vec![handover(&march, 7)],
        actor: "crm".into(),
        now: START + 2,
        request: None,
    };
    let answer = store.hand_over(again).await.unwrap();
    assert_eq!(answer, [super::super::HandedOver::Erased { lead }]);
    assert_eq!(store.audit().await.unwrap().imbalance, 0);
    // The histories go on where they were.
    let after = histories(&store).await;
    let expected =
        told.iter().zip(&after).map(|(told, after)| told.len() + usize::from(told != after));
    assert_eq!(after.iter().map(Vec::len).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!((&after[7][..2], after[7][2].seq), (&told[7][..], 3));
}

/// All events of the first 50 leads.
async fn histories(store: &SqliteStore) -> Vec<Vec<Event>> {
    let mut histories = Vec::new();
    for lead in 1..=50 {
        histories.push(store.ledger(LeadId(lead), 0, 100).await.unwrap());
    }
    histories
}

#[tokio::test]
async fn an_old_store_that_lost_something_is_brought_up_to_date_and_the_audit_says_what() {
    let (files, new) = folder();
    let store = SqliteStore::open(&new).await.unwrap();
    let march = campaign(&store).await;
    hand_over(&store, &march, 0..6).await;
    store.close().await;
    let old = files.path().join("old.db");
    let migrations = tempfile::tempdir().unwrap();
    make_old(&old, &new, migrations.path()).await;
    let mut connection = connect(&old).await;
    for loss in ["DELETE FROM ledger WHERE lead_id = 3", "DELETE FROM standing WHERE lead_id = 5"] {
        run(&mut connection, loss.to_owned()).await;
    }
    connection.close().await.unwrap();

    let store = SqliteStore::open(&old).await.unwrap();

    let audit = store.audit().await.unwrap();
    let faults: Vec<&str> = audit.faults.iter().map(|fault| fault.what.as_str()).collect();
    assert_eq!(faults, ["lead 3", "book web/march", "lead 5"]);
    // What is whole goes on.
    assert_eq!(store.ledger(LeadId(4), 0, 10).await.unwrap().len(), 1);
    hand_over(&store, &march, 6..7).await;
    assert_eq!(store.audit().await.unwrap().faults, audit.faults);
}

#[tokio::test]
async fn the_key_of_erased_things_outlives_a_restart() {
    let (_files, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let march = campaign(&store).await;
    hand_over(&store, &march, 0..1).await;
    let erase = Erase { lead: LeadId(1), actor: "crm".into(), now: START + 1, request: None };
    store.erase(erase).await.unwrap();
    store.close().await;

    let store = SqliteStore::open(&path).await.unwrap();

    let change = HandOver {
        rows: vec![handover(&march, 0)],
        actor: "crm".into(),
        now: START + 2,
        request: None,
    };
    let answer = store.hand_over(change).await.unwrap();
    assert_eq!(answer, [super::super::HandedOver::Erased { lead: LeadId(1) }]);
}
