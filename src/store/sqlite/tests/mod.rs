//! What only a file can show: that it lasts, that it is ours alone, and that the audit finds what
//! was changed behind the store's back.

mod backup;
mod full;
mod upgrade;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection, SqliteConnection};

use super::super::changes::{HandOver, Handover};
use super::super::error::StoreError;
use super::super::{SqliteStore, Store};
use super::REPORT_COUNT_MAX;
use crate::domain::{
    Campaign, CampaignId, CampaignSettings, Facts, HandoverKey, LeadId, LeadNumber, Number,
    QueueId, QueueSettings, Route, WeeklyHours,
};

pub(super) const START: i64 = 1_700_000_000_000;

pub(super) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nextlead.db");
    (folder, path)
}

pub(super) async fn campaign(store: &SqliteStore) -> Campaign {
    let settings = QueueSettings {
        zone: "UTC".into(),
        hours: WeeklyHours::always(),
        law: Default::default(),
        caps: Vec::new(),
        lease_ms: 1,
        lease_total_ms: 1,
        grace_ms: 1,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    };
    let queue = store.put_queue(&QueueId::new("sales").unwrap(), &settings).await.unwrap();
    let settings = CampaignSettings {
        skills: Default::default(),
        ends_at: None,
        route_at_end: Route::Lost,
        default_country: None,
    };
    let id = CampaignId::new("march").unwrap();
    store.put_campaign(&id, queue.key, &settings).await.unwrap()
}

pub(super) fn handover(campaign: &Campaign, index: u64) -> Handover {
    let number = Number::from_e164(&format!("+1202{index:07}")).unwrap();
    let facts = Facts {
        numbers: vec![LeadNumber { number, stopped: None }],
        source: "web".into(),
        ..Facts::default()
    };
    Handover {
        key: HandoverKey {
            source_system: "crm".into(),
            external_id: index.to_string(),
            campaign: campaign.id.clone(),
        },
        campaign: campaign.key,
        queue: campaign.queue,
        handed_over_at: START,
        first_touch_due_at: None,
        owner: None,
        facts,
    }
}

pub(super) async fn hand_over(
    store: &SqliteStore,
    campaign: &Campaign,
    indexes: std::ops::Range<u64>,
) {
    let rows = indexes.map(|index| handover(campaign, index)).collect();
    let change = HandOver { rows, actor: "crm".into(), now: START, request: None };
    store.hand_over(change).await.unwrap();
}

#[tokio::test]
async fn everything_is_there_after_it_was_closed_and_opened_again() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let campaign = campaign(&store).await;
    hand_over(&store, &campaign, 0..3).await;
    let record = store.lead(LeadId(2)).await.unwrap();
    store.close().await;

    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.lead(LeadId(2)).await.unwrap(), record);
    assert_eq!(store.roster().await.unwrap().campaigns, std::slice::from_ref(&campaign));
    assert_eq!(store.last_instant().await.unwrap(), START);
    // Ids go on where they were.
    hand_over(&store, &campaign, 3..4).await;
    assert!(store.lead(LeadId(4)).await.unwrap().is_some());
    assert_eq!(store.audit().await.unwrap().imbalance, 0);
}

#[tokio::test]
async fn a_store_that_was_dropped_without_a_word_lost_nothing() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let campaign = campaign(&store).await;
    hand_over(&store, &campaign, 0..3).await;
    // What a crash would leave behind: the file and its log as they are now. The log comes first, as
    // what is carried over meanwhile stands in both.
    let crashed = path.with_file_name("crashed.db");
    for ending in ["-wal", ""] {
        let name = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        std::fs::copy(name(&path), name(&crashed)).unwrap();
    }
    let store = SqliteStore::open(&crashed).await.unwrap();
    assert!(store.lead(LeadId(3)).await.unwrap().is_some());
    assert_eq!(store.audit().await.unwrap().imbalance, 0);
}

#[tokio::test]
async fn a_second_store_on_the_same_file_refuses() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let second = SqliteStore::open(&path).await;
    assert!(matches!(second.err(), Some(StoreError::InUse { .. })));
    store.close().await;
    SqliteStore::open(&path).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    campaign(&store).await;
    for ending in ["", "-wal", ".lock"] {
        let name = format!("{}{ending}", path.display());
        let mode = std::fs::metadata(&name).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn the_audit_finds_what_was_changed_behind_the_stores_back() {
    for (statement, found) in [
        ("UPDATE standing SET standing = 'leased' WHERE lead_id = 1", "lead 1"),
        ("UPDATE standing SET state = 1 WHERE lead_id = 1", "lead 1"),
        ("UPDATE standing SET seq = 2 WHERE lead_id = 1", "lead 1"),
        ("DELETE FROM ledger WHERE lead_id = 2", "lead 2"),
        ("DELETE FROM ledger WHERE lead_id = 5", "ledger"),
        ("DELETE FROM standing WHERE lead_id = 2", "lead 2"),
        ("UPDATE standing SET last_event = 1 WHERE lead_id = 2", "lead 2"),
        (
            "INSERT INTO ledger VALUES (6, 2, 2, 2, 0, 'noted', '', 'ready', 'ready', NULL, NULL)",
            "ledger",
        ),
        ("UPDATE book SET ready = 7", "book web/march"),
        ("UPDATE book SET touches = 1", "book web/march"),
        ("UPDATE handover SET is_merged = 1 WHERE lead_id = 3", "book web/march"),
        ("DELETE FROM handover WHERE lead_id = 3", "leads"),
    ] {
        let (_folder, path) = folder();
        let store = SqliteStore::open(&path).await.unwrap();
        let campaign = campaign(&store).await;
        hand_over(&store, &campaign, 0..5).await;
        assert_eq!(store.audit().await.unwrap().imbalance, 0);
        let address = format!("sqlite://{}", path.display());
        let mut stranger = SqliteConnection::connect(&address).await.unwrap();
        sqlx::query(statement).execute(&mut stranger).await.unwrap();
        stranger.close().await.unwrap();

        let audit = store.audit().await.unwrap();

        assert!(audit.imbalance > 0, "{statement}");
        let what: Vec<&str> = audit.faults.iter().map(|fault| fault.what.as_str()).collect();
        assert!(what.contains(&found), "{statement}: {what:?}");
        // The recount looks at the books alone.
        if found.starts_with("book") {
            assert!(store.recount().await.unwrap().imbalance > 0, "{statement}");
        }
    }
}

#[tokio::test]
async fn two_holders_of_a_lead_a_rep_or_a_number_cannot_be_written() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let address = format!("sqlite://{}", path.display());
    let mut stranger = SqliteConnection::connect(&address).await.unwrap();
    let mut run = async |statement: &'static str| {
        sqlx::query(statement).execute(&mut stranger).await.map(drop)
    };
    const LEASE: &str = "INSERT INTO lease VALUES
        (1, 1, 7, 7, '00000000000000000000000000000001', 'ordinary', 0, 1, 2, 3, 4, NULL, 0)";
    run(LEASE).await.unwrap();
    run("INSERT INTO held_number VALUES ('+12025550100', 1)").await.unwrap();
    for statement in [
        LEASE,
        "INSERT INTO lease VALUES
            (2, 1, 7, 7, '00000000000000000000000000000002', 'ordinary', 0, 1, 2, 3, 4, NULL, 0)",
        "INSERT INTO lease VALUES
            (2, 1, 8, 8, '00000000000000000000000000000001', 'ordinary', 0, 1, 2, 3, 4, NULL, 0)",
        "INSERT INTO held_number VALUES ('+12025550100', 1)",
        "INSERT INTO held_number VALUES ('+12025550101', 2)",
    ] {
        assert!(run(statement).await.is_err(), "{statement}");
    }
    drop(store);
}

#[tokio::test]
async fn every_statement_is_understood() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let address = format!("sqlite://{}", path.display());
    let mut stranger = SqliteConnection::connect(&address).await.unwrap();
    for (name, statement) in super::super::sql::statements::all() {
        let explained = sqlx::AssertSqlSafe(format!("EXPLAIN {}", statement.sqlite));
        let done = sqlx::query(explained).execute(&mut stranger).await;
        assert!(statement.sqlite.is_empty() || done.is_ok(), "{name}: {done:?}");
    }
    drop(store);
}

#[tokio::test]
async fn no_hot_statement_reads_a_whole_table() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let address = format!("sqlite://{}", path.display());
    let mut stranger = SqliteConnection::connect(&address).await.unwrap();
    for (name, statement) in super::super::sql::statements::HOT {
        if statement.sqlite.is_empty() {
            continue;
        }
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.sqlite));
        let rows: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).fetch_all(&mut stranger).await.unwrap();
        for (_, _, _, step) in rows {
            // The parameter, what was made of it, the few that a page has, the events of one lead, and the
            // campaigns (c), which are few.
            let small = [
                "VIRTUAL TABLE",
                "CONSTANT ROW",
                "(subquery",
                "numbers",
                "emails",
                "recent_",
                "chain",
            ];
            let is_small = small.iter().any(|word| step.contains(word)) || step == "SCAN c";
            assert!(!step.starts_with("SCAN") || is_small, "{name}: {step}");
        }
    }
    drop(store);
}

#[tokio::test]
async fn what_transfers_change_of_the_books_is_counted_from_the_transfers() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let address = format!("sqlite://{}", path.display());
    let mut stranger = SqliteConnection::connect(&address).await.unwrap();
    let statement = super::super::sql::statements::AUDIT_TRANSFERS.sqlite;
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(explain).fetch_all(&mut stranger).await.unwrap();
    // Handovers (h) and standings (s) are as many as there are leads.
    let whole = |step: &String| step.starts_with("SCAN h") || step.starts_with("SCAN s");
    let whole: Vec<String> = rows.into_iter().map(|row| row.3).filter(whole).collect();
    assert_eq!(whole, [""; 0]);
    drop(store);
}

#[tokio::test]
async fn a_full_disk_refuses_changes_and_answers_reads() {
    let (_folder, path) = folder();
    let mut opened = super::open::open(&path).await.unwrap();
    sqlx::query("PRAGMA max_page_count = 120").execute(&mut opened.writer).await.unwrap();
    let store = SqliteStore::over(opened, &path, 0).unwrap();
    let campaign = campaign(&store).await;
    hand_over(&store, &campaign, 0..3).await;
    let rows = (3..5_000).map(|index| handover(&campaign, index)).collect();
    let change = HandOver { rows, actor: "crm".into(), now: START, request: None };

    let refused = store.hand_over(change).await;

    assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
    assert!(store.lead(LeadId(3)).await.unwrap().is_some());
    let audit = store.audit().await.unwrap();
    assert_eq!((audit.imbalance, audit.leads), (0, 3));
    // What still fits is taken.
    hand_over(&store, &campaign, 3..4).await;
}

#[tokio::test]
async fn a_commit_that_fails_is_unknown_and_stops_the_store() {
    let (_folder, path) = folder();
    let mut opened = super::open::open(&path).await.unwrap();
    let is_broken = Arc::new(AtomicBool::new(false));
    let hook = is_broken.clone();
    let mut handle = opened.writer.lock_handle().await.unwrap();
    handle.set_commit_hook(move || !hook.load(Ordering::SeqCst));
    drop(handle);
    let store = SqliteStore::over(opened, &path, 0).unwrap();
    let campaign = campaign(&store).await;
    hand_over(&store, &campaign, 0..1).await;
    is_broken.store(true, Ordering::SeqCst);
    let change = |index| HandOver {
        rows: vec![handover(&campaign, index)],
        actor: "crm".into(),
        now: START,
        request: None,
    };

    let (one, other) = tokio::join!(store.hand_over(change(1)), store.hand_over(change(2)));

    for answer in [one, other] {
        let is_told = matches!(answer, Err(StoreError::Unknown | StoreError::Stopped));
        assert!(is_told, "{answer:?}");
    }
    is_broken.store(false, Ordering::SeqCst);
    assert!(matches!(store.hand_over(change(3)).await, Err(StoreError::Stopped)));
    assert!(matches!(store.sweep(START, 10, None).await, Err(StoreError::Stopped)));
    assert!(store.lead(LeadId(1)).await.unwrap().is_some(), "reads go on");
}

#[tokio::test]
async fn long_reports_leave_connections_to_everybody_else() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let campaign = campaign(&store).await;
    hand_over(&store, &campaign, 0..1).await;
    let running = store.readers.reports.acquire_many(REPORT_COUNT_MAX as u32).await.unwrap();

    tokio::select! {
        biased;
        _ = store.audit() => panic!("two reports run already"),
        lead = store.lead(LeadId(1)) => assert!(lead.unwrap().is_some()),
    }
    drop(running);
    assert_eq!(store.audit().await.unwrap().leads, 1);
}
