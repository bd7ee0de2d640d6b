//! A disk that runs full: what is refused, what still goes through, and that nothing is half done.
//! `tests/it/full.rs` does it on a real small disk; here SQLite itself is given no more pages.

use super::super::super::books::route_index;
use super::super::super::changes::{HandOver, Suppress, SuppressAll, SuppressionOf};
use super::super::super::error::StoreError;
use super::super::super::{SqliteStore, Store};
use super::super::{open, space};
use super::{START, campaign, folder, hand_over, handover};
use crate::domain::{LeadId, Number, Route};

#[tokio::test]
async fn below_the_reserve_leads_are_refused_and_wishes_never_to_be_called_are_not() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let campaign = campaign(&store).await;
    hand_over(&store, &campaign, 0..3).await;
    store.close().await;

    let store = SqliteStore::open_with(&path, u64::MAX).await.unwrap();
    let rows = vec![handover(&campaign, 3)];
    let change = HandOver { rows, actor: "crm".into(), now: START, request: None };
    assert!(matches!(store.hand_over(change).await, Err(StoreError::Low)));
    let what = SuppressionOf::Number(Number::from_e164("+12020000001").unwrap());
    let suppress = Suppress {
        what,
        source: "letter".into(),
        until: None,
        actor: "crm".into(),
        now: START,
        request: None,
    };
    assert_eq!(store.suppress(suppress).await.unwrap().closed_count, 1);
    let number = |nth: u64| Number::from_e164(&format!("+1202{nth:07}")).unwrap();
    let whats = (2..1_000).map(|nth| SuppressionOf::Number(number(nth))).collect();
    let list =
        SuppressAll { whats, source: "list".into(), until: None, actor: "crm".into(), now: START };
    let all = store.suppress_all(list).await.unwrap();
    assert_eq!((all.new_count, all.closed_count, all.is_unfinished), (998, 1, false));
    assert!(store.lead(LeadId(4)).await.unwrap().is_none());
    let books = store.books(&Default::default(), START).await.unwrap();
    assert_eq!(books[0].closed[route_index(&Route::Suppressed)], 2);
    assert_eq!(store.audit().await.unwrap().imbalance, 0);
}

/// Opens the store with room for so many pages and no more.
async fn open_within(path: &std::path::Path, page_count: i64) -> SqliteStore {
    let mut opened = open::open(path).await.unwrap();
    let limit: i64 =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {page_count}")))
            .fetch_one(&mut opened.writer)
            .await
            .unwrap();
    assert!(limit >= page_count);
    SqliteStore::over(opened, path, 0).unwrap()
}

#[tokio::test]
async fn a_full_file_refuses_changes_whole_and_goes_on_reading() {
    let (_folder, path) = folder();
    let store = open_within(&path, 1_000_000).await;
    let campaign = campaign(&store).await;
    let mut taken = 0;
    store.close().await;
    for cycle in 1..=10 {
        // More room each time, and each time it is used up to the last page.
        let store = open_within(&path, 120 + 30 * cycle).await;
        let mut refused_count = 0;
        while refused_count < 3 {
            let rows = (taken..taken + 10).map(|index| handover(&campaign, index)).collect();
            let change = HandOver { rows, actor: "crm".into(), now: START, request: None };
            match store.hand_over(change).await {
                Ok(_) => taken += 10,
                Err(StoreError::Full) => refused_count += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        let last = LeadId(i64::try_from(taken).unwrap());
        assert!(store.lead(last).await.unwrap().is_some(), "reads go on");
        assert!(store.lead(LeadId(last.0 + 1)).await.unwrap().is_none(), "nothing is half done");
        let audit = store.audit().await.unwrap();
        assert_eq!((audit.imbalance, audit.leads), (0, last.0));
        store.close().await;
    }
}

#[tokio::test]
async fn the_ballast_is_laid_while_there_is_room_and_thrown_away_once() {
    let (_folder, path) = folder();
    SqliteStore::open_with(&path, u64::MAX).await.unwrap().close().await;
    assert!(!space::throw_ballast(&path), "none is laid on a disk that is nearly full");
    SqliteStore::open_with(&path, 0).await.unwrap().close().await;
    assert!(space::throw_ballast(&path));
    assert!(!space::throw_ballast(&path));
}
