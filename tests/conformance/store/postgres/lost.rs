//! Connections that are lost, and what is answered then: never that something failed that was stored,
//! nor that something is stored that is not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{FutureExt as _, join_all};
use nextlead::domain::Disposition;
use nextlead::store::{CommitSink, HandOver, LeadRecord, News, PostgresStore, StoreError};
use sqlx::{Connection as _, PgConnection};

use super::super::desk::{Desk, START};
use super::super::{postgres_options, tokens};
use super::proxy::{Cut, Proxy};
use crate::servers::Postgres;

/// The lock that every transaction holds which writes.
const WRITER_LOCK: i64 = 0x6e65_7874_6c65_6164;

/// A desk behind a proxy, with the address of its database before it.
async fn behind_proxy() -> (Desk, Proxy, String) {
    let server = Postgres::shared();
    let proxy = Proxy::before(server.port()).await;
    let url = server.database();
    let store = PostgresStore::open(&postgres_options(proxy.url(&url))).await.unwrap();
    (Desk::over(store).await, proxy, url)
}

pub(super) async fn end_sessions(stranger: &mut PgConnection, which: &str) {
    let statement = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'nextlead' AND datname = current_database() AND {which}"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(stranger).await.unwrap();
}

#[tokio::test]
async fn a_change_whose_commit_is_cut_off_on_either_side_is_made_once() {
    let (desk, proxy, _) = behind_proxy().await;
    for (round, cut) in
        [Cut::BeforeCommit, Cut::AfterCommit].into_iter().cycle().take(8).enumerate()
    {
        proxy.cut(cut);
        let lead = desk.lead().await;
        assert!(proxy.is_done(), "the commit was cut off");
        let now = START + round as i64;
        proxy.cut(cut);
        let lease = desk.lease(0, lead, now).await;
        proxy.cut(cut);
        let touch = desk.call_under(&lease, Disposition::NoAnswer, now).await;
        let recorded = desk.record_touch(touch.clone()).await;
        assert!(proxy.is_done() && !recorded.late);

        assert_eq!(desk.story(lead).await, ["opened", "leased", "touched"]);
        assert_eq!(desk.store.touches(lead, 10).await.unwrap().len(), 1);
        let again = desk.record_touch(touch).await;
        assert_eq!(again.record.state.seq, 3);
    }
    desk.audit().await;
}

#[tokio::test]
async fn a_touch_with_the_next_lead_is_four_round_trips() {
    let (desk, proxy, _) = behind_proxy().await;
    let leads = desk.leads(12).await;
    let mut lease = desk.lease(0, leads[0], START).await;
    for next in &leads[1..] {
        let mut touch = desk.call_under(&lease, Disposition::NoAnswer, START).await;
        touch.then = Some(desk.grant(0, &[*next], START));
        let before = proxy.round_trip_count();

        let recorded = desk.record_touch(touch).await;

        let count = proxy.round_trip_count() - before;
        // Begin, load, write, commit; the first time each is prepared, too.
        assert!(count == 4 || *next == leads[1], "{count}");
        lease = super::super::desk::granted(recorded.next.expect("it was asked for")).lease;
        assert_eq!(lease.lead, *next);
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<LeadRecord>>);

#[derive(Default)]
struct Alarm(AtomicBool);

#[async_trait]
impl CommitSink for Alarm {
    async fn committed(&self, _: &[LeadRecord]) {}

    async fn others_committed(&self, news: &News) {
        self.0.fetch_or(news.is_incomplete, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_server_that_lost_what_was_answered_is_found_out() {
    let url = Postgres::shared().database();
    let desk = Desk::over(PostgresStore::open(&postgres_options(url.clone())).await.unwrap()).await;
    let alarm = Arc::new(Alarm::default());
    desk.store.follow(alarm.clone());
    desk.lead().await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    end_sessions(&mut stranger, "true").await;
    desk.lead().await;
    assert!(!alarm.0.load(Ordering::SeqCst), "nothing is lost");
    // As if a standby had taken over that had not heard of the last commit.
    sqlx::query("UPDATE node SET last_commit = last_commit - 1")
        .execute(&mut stranger)
        .await
        .unwrap();
    end_sessions(&mut stranger, "true").await;

    desk.lead().await;

    assert!(alarm.0.load(Ordering::SeqCst));
    desk.audit().await;
}

#[async_trait]
impl CommitSink for Notes {
    async fn committed(&self, records: &[LeadRecord]) {
        self.0.lock().unwrap().extend_from_slice(records);
    }
}

#[tokio::test]
async fn what_nobody_can_tell_is_unknown_and_comes_to_light_later() {
    let (desk, proxy, _) = behind_proxy().await;
    let notes = Arc::new(Notes::default());
    desk.store.follow(notes.clone());
    let change = |request| HandOver {
        rows: vec![desk.somebody()],
        actor: "crm".into(),
        now: START,
        request,
    };
    let stored = change(desk.request("stored", 1));
    proxy.cut(Cut::AfterCommitForGood);

    let answer = desk.store.hand_over(stored.clone()).await;

    assert!(matches!(answer, Err(StoreError::Unknown)), "{answer:?}");
    assert!(notes.0.lock().unwrap().is_empty());
    // As long as nobody gets through it is said at once that nothing is possible.
    let answer = desk.store.hand_over(change(None)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    proxy.cut(Cut::Nothing);
    let again = loop {
        // The server is left alone for a moment after it could not be reached.
        match desk.store.hand_over(stored.clone()).await {
            Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
            answer => break answer.unwrap(),
        }
    };
    // The follower knows what was stored, though it was answered to nobody.
    let told = notes.0.lock().unwrap().iter().map(|record| record.lead.id).collect::<Vec<_>>();
    assert_eq!(told, [again[0].lead()]);
    assert_eq!(desk.store.audit().await.unwrap().leads, 1);
}

#[derive(Default)]
struct Settings(AtomicBool, tokio::sync::Notify);

#[async_trait]
impl CommitSink for Settings {
    async fn committed(&self, _: &[LeadRecord]) {}

    async fn settings_changed(&self) {
        self.0.store(true, Ordering::SeqCst);
        self.1.notify_one();
    }
}

#[tokio::test]
async fn a_token_whose_end_was_stored_without_an_answer_is_told_of_too() {
    let (desk, proxy, _) = behind_proxy().await;
    let token = tokens::make(&desk, tokens::new(1)).await.id;
    let settings = Arc::new(Settings::default());
    desk.store.follow(settings.clone());
    proxy.cut(Cut::AfterCommitForGood);

    let answer = desk.store.revoke_token(&token, "admin", START).await;

    assert!(matches!(answer, Err(StoreError::Unknown)), "{answer:?}");
    assert!(!settings.0.load(Ordering::SeqCst), "nobody can tell yet");
    proxy.cut(Cut::Nothing);
    let change =
        || HandOver { rows: vec![desk.somebody()], actor: "crm".into(), now: START, request: None };
    while desk.store.hand_over(change()).await.is_err() {
        // The server is left alone for a moment after it could not be reached.
        tokio::task::yield_now().await;
    }
    settings.1.notified().await;
    assert!(settings.0.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_session_that_the_server_ends_is_replaced_under_way_too() {
    let url = Postgres::shared().database();
    let desk = Desk::over(PostgresStore::open(&postgres_options(url.clone())).await.unwrap()).await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    let lead = desk.lead().await;
    end_sessions(&mut stranger, "true").await;
    assert_eq!(desk.record(lead).await.lead.id, lead);
    let second = desk.lead().await;

    // In the middle of a transaction that has read and waits for a table to write to.
    sqlx::raw_sql("BEGIN; LOCK TABLE ledger IN EXCLUSIVE MODE")
        .execute(&mut stranger)
        .await
        .unwrap();
    let grant = desk.grant(0, &[second], START);
    let store = desk.store.clone();
    let pull = tokio::spawn(async move { store.lease(grant).await });
    let mut witness = PgConnection::connect(&url).await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'nextlead' AND wait_event_type = 'Lock' AND datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut witness).await.unwrap() == 0 {}
    end_sessions(&mut witness, "wait_event_type = 'Lock'").await;
    sqlx::raw_sql("COMMIT").execute(&mut stranger).await.unwrap();

    pull.await.unwrap().unwrap();

    assert_eq!(desk.story(second).await, ["opened", "leased"]);
    desk.audit().await;
}

#[tokio::test]
async fn whoever_waits_too_long_is_told_and_later_served() {
    let url = Postgres::shared().database();
    let mut options = postgres_options(url.clone());
    options.lock_timeout = Duration::from_millis(100);
    options.statement_timeout = Duration::from_millis(400);
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    let lead = desk.lead().await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    // Another node that holds the lock, then somebody whose statement never ends.
    let held = format!("SELECT pg_advisory_lock({WRITER_LOCK})");
    sqlx::query(sqlx::AssertSqlSafe(held)).execute(&mut stranger).await.unwrap();
    let answer = desk.store.lease(desk.grant(0, &[lead], START)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert_eq!(desk.record(lead).await.state.seq, 1);
    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut stranger).await.unwrap();
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep(60); RETURN new; END';
        CREATE TRIGGER slow BEFORE INSERT ON lease FOR EACH ROW EXECUTE FUNCTION slow()";
    sqlx::raw_sql(slow).execute(&mut stranger).await.unwrap();

    let answer = desk.store.lease(desk.grant(0, &[lead], START)).await;

    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    sqlx::raw_sql("DROP TRIGGER slow ON lease").execute(&mut stranger).await.unwrap();
    desk.lease(0, lead, START).await;
    desk.audit().await;
}

#[tokio::test]
async fn changes_that_wait_together_are_refused_together() {
    const COUNT: usize = 32;
    let url = Postgres::shared().database();
    let mut options = postgres_options(url.clone());
    options.lock_timeout = Duration::from_secs(1);
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    let leads = desk.leads(COUNT).await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    let held = format!("SELECT pg_advisory_lock({WRITER_LOCK})");
    sqlx::query(sqlx::AssertSqlSafe(held)).execute(&mut stranger).await.unwrap();
    let grants = leads.iter().enumerate().map(|(rep, lead)| desk.grant(rep, &[*lead], START));
    let pulls: Vec<_> = grants.map(|grant| desk.store.lease(grant)).collect();

    let answers = tokio::time::timeout(Duration::from_secs(20), join_all(pulls)).await;

    // One after the other they would take 32 seconds.
    let answers = answers.expect("they do not wait one after the other");
    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_begun() {
    let url = Postgres::shared().database();
    let desk = Desk::over(PostgresStore::open(&postgres_options(url.clone())).await.unwrap()).await;
    let leads = desk.leads(2).await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    let held = format!("SELECT pg_advisory_lock({WRITER_LOCK})");
    sqlx::query(sqlx::AssertSqlSafe(held)).execute(&mut stranger).await.unwrap();
    let (store, grant) = (desk.store.clone(), desk.grant(0, &leads[..1], START));
    let pull = tokio::spawn(async move { store.lease(grant).await });
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'nextlead' AND wait_event_type = 'Lock' AND datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut stranger).await.unwrap() == 0 {}
    // It waits behind the first, until whoever asked has had enough.
    assert!(desk.store.lease(desk.grant(1, &leads[1..], START)).now_or_never().is_none());

    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut stranger).await.unwrap();

    pull.await.unwrap().unwrap();
    desk.lead().await;
    assert_eq!(desk.story(leads[0]).await, ["opened", "leased"]);
    assert_eq!(desk.story(leads[1]).await, ["opened"]);
    desk.audit().await;
}

#[tokio::test]
async fn long_reports_leave_sessions_to_everybody_else() {
    let url = Postgres::shared().database();
    let mut options = postgres_options(url.clone());
    options.lock_timeout = Duration::from_secs(60);
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    let lead = desk.lead().await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE handover IN ACCESS EXCLUSIVE MODE")
        .execute(&mut stranger)
        .await
        .unwrap();
    let store = desk.store.clone();
    let reports = tokio::spawn(async move {
        join_all((0..options.report_count + 3).map(|_| store.recount())).await
    });
    for _ in 0..20 {
        assert_eq!(desk.record(lead).await.lead.id, lead);
    }
    assert!(!reports.is_finished());

    sqlx::raw_sql("ROLLBACK").execute(&mut stranger).await.unwrap();

    for report in reports.await.unwrap() {
        assert_eq!(report.unwrap().handovers, 1);
    }
}

#[tokio::test]
async fn what_may_go_through_the_next_time_is_tried_again_but_not_for_ever() {
    let url = Postgres::shared().database();
    let desk = Desk::over(PostgresStore::open(&postgres_options(url.clone())).await.unwrap()).await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    // Sequences count on, whatever becomes of the transaction.
    let deadlocks = "CREATE SEQUENCE tries; CREATE SEQUENCE fails;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
            IF nextval(''tries'') <= 2 THEN RAISE EXCEPTION ''no'' USING ERRCODE = ''40P01''; END IF;
            RETURN new; END';
        CREATE TRIGGER fail BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION fail()";
    sqlx::raw_sql(deadlocks).execute(&mut stranger).await.unwrap();

    let lead = desk.lead().await;

    assert_eq!(desk.story(lead).await, ["opened"]);
    sqlx::query("ALTER SEQUENCE tries MINVALUE -100 START -100 RESTART")
        .execute(&mut stranger)
        .await
        .unwrap();
    let answer = desk.store.lease(desk.grant(0, &[lead], START)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let tries: i64 =
        sqlx::query_scalar("SELECT last_value FROM tries").fetch_one(&mut stranger).await.unwrap();
    assert_eq!(tries, -97, "the first and three more");
}

/// sqlx before 0.9.1 leaves a pooled connection in a transaction when a `begin()` is dropped half way.
#[tokio::test]
async fn no_read_that_is_dropped_half_way_leaves_a_transaction_behind() {
    let url = Postgres::shared().database();
    let mut options = postgres_options(url.clone());
    // Nothing ends by itself here.
    options.vanished_timeout = Duration::from_secs(3_600);
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    let leads = desk.leads(50).await;
    for micros in 0..300 {
        let limit = Duration::from_micros(10 * micros);
        let _ = tokio::time::timeout(limit, desk.store.audit()).await;
        let _ = tokio::time::timeout(limit, desk.store.recount()).await;
        let _ = tokio::time::timeout(limit, desk.store.lead(leads[0])).await;
        let _ = tokio::time::timeout(limit, desk.store.lease(desk.grant(0, &leads, START))).await;
    }
    desk.audit().await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    let open = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'nextlead' AND state LIKE 'idle in transaction%'
            AND datname = current_database()";
    // The server notices a client that is gone when it next looks.
    let mut count = 1;
    for _ in 0..2_000 {
        count = sqlx::query_scalar::<_, i64>(open).fetch_one(&mut stranger).await.unwrap();
        if count == 0 {
            break;
        }
    }
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_node_goes_on_when_its_server_is_back() {
    let mut server = Postgres::start_with(&["fsync=off"]);
    let store = PostgresStore::open(&postgres_options(server.database())).await.unwrap();
    let desk = Desk::over(store).await;
    let lead = desk.lead().await;
    server.signal("QUIT");
    while desk.store.lead(lead).await.is_ok() {}
    // Whatever is asked now is answered soon: it cannot be done, or nobody can tell.
    let answer = desk.store.lease(desk.grant(0, &[lead], START)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_) | StoreError::Unknown)), "{answer:?}");
    let read = desk.store.lead(lead).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");

    server.start_again();

    let mut answer = desk.store.lease(desk.grant(0, &[lead], START)).await;
    while answer.is_err() {
        tokio::task::yield_now().await;
        answer = desk.store.lease(desk.grant(0, &[lead], START)).await;
    }
    assert_eq!(desk.story(lead).await, ["opened", "leased"]);
    desk.audit().await;
}
