//! Backups and restores: what a copy holds, what a restored store has in common with the one before,
//! and that nothing is lost by a restore that fails or dies.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::super::backup::{Backup, OldTokens, Restore, RestoreError, Restored};
use super::super::super::changes::{
    Candidate, Grant, LeaseOutcome, Release, ReleaseCause, RequestKey,
};
use super::super::super::error::{Denied, StoreError};
use super::super::super::{SqliteStore, Store};
use super::super::{backup, open, restore};
use super::{START, campaign, folder, hand_over};
use crate::domain::{LeadId, Lease, LeaseToken, QueueKey, RepId, RequestId, ServeOrder};
use crate::store::NewRep;

fn save(mut backup: Backup, path: &Path) {
    let copied = io::copy(&mut backup.file, &mut File::create(path).unwrap()).unwrap();
    assert_eq!(copied, backup.bytes);
}

fn order(backup: &Path, store: &Path) -> Restore {
    Restore {
        backup: backup.to_owned(),
        store: store.to_owned(),
        replaces: false,
        tokens: OldTokens::Keep,
        now: START,
    }
}

async fn restore(backup: &Path, store: &Path) -> Result<Restored, RestoreError> {
    SqliteStore::restore(&order(backup, store)).await
}

/// A store with `count` leads, and a backup of it.
async fn backed_up(count: u64) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let campaign = campaign(&store).await;
    hand_over(&store, &campaign, 0..count).await;
    let saved = path.with_file_name("saved");
    save(store.back_up().await.unwrap(), &saved);
    store.close().await;
    (folder, path, saved)
}

async fn lease_one(store: &SqliteStore, lead: LeadId, request: Option<RequestKey>) -> Lease {
    let rep = NewRep {
        queue: QueueKey(1),
        skills: Default::default(),
        is_active: true,
        work: Default::default(),
    };
    let rep = store.put_rep(&RepId::new("ann").unwrap(), &rep).await.unwrap();
    let candidate =
        Candidate { lead, order: ServeOrder::Ordinary, points: 0, detail: Default::default() };
    let grant = Grant {
        rep: rep.key,
        actor: "ann".into(),
        candidates: vec![candidate],
        fit: None,
        caps: None,
        holds_back: false,
        token: LeaseToken([7; 16]),
        lease_ms: 60_000,
        lease_total_ms: 60_000,
        grace_ms: 1_000,
        rule_version: 0,
        now: START,
        request,
    };
    match store.lease(grant).await.unwrap() {
        LeaseOutcome::Granted { granted, .. } => granted.lease,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_backup_under_load_holds_all_that_was_answered_before_it_began() {
    let (_folder, path) = folder();
    let store = Arc::new(SqliteStore::open(&path).await.unwrap());
    let campaign = campaign(&store).await;
    let answered = Arc::new(AtomicU64::new(0));
    let writer = tokio::spawn({
        let (store, campaign, answered) = (store.clone(), campaign.clone(), answered.clone());
        async move {
            for first in (0..20_000).step_by(20) {
                hand_over(&store, &campaign, first..first + 20).await;
                answered.store(first + 20, Ordering::SeqCst);
            }
        }
    });
    for nth in 0..3 {
        while answered.load(Ordering::SeqCst) < 200 * (nth + 1) {
            tokio::task::yield_now().await;
        }
        let before = answered.load(Ordering::SeqCst);
        let backup = store.back_up().await.unwrap();
        let saved = path.with_file_name(format!("saved-{nth}"));
        save(backup, &saved);
        let restored = path.with_file_name(format!("restored-{nth}.db"));
        // The restore audits the books.
        let told = restore(&saved, &restored).await.unwrap();
        assert!(told.lead_count >= i64::try_from(before).unwrap(), "{told:?}, {before} before");
        assert_eq!(told.last_instant, START);
        let copy = SqliteStore::open(&restored).await.unwrap();
        let last = LeadId(i64::try_from(before).unwrap());
        assert!(copy.lead(last).await.unwrap().is_some());
        assert_eq!(copy.audit().await.unwrap().imbalance, 0);
        copy.close().await;
    }
    writer.abort();
}

#[tokio::test]
async fn a_backup_leaves_nothing_beside_the_store_and_goes_alone() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    campaign(&store).await;
    let names = || {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let backup = store.back_up().await.unwrap();
    assert_eq!(names(), before, "it has no name while it is read");
    let second = store.back_up().await;
    assert!(matches!(second, Err(StoreError::Denied(Denied::BackupRunning))));
    drop(backup);
    store.back_up().await.unwrap();
    store.close().await;

    // What a crash in the middle leaves behind is gone after the next start.
    fs::write(backup::staging(&path), "half a copy").unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    assert!(!backup::staging(&path).exists());
    // Stores that are not open any more give no backups.
    store.close().await;
    assert!(matches!(store.back_up().await, Err(StoreError::Stopped)));
}

#[tokio::test]
async fn a_backup_for_which_there_is_no_room_is_refused_with_figures() {
    let (_folder, path) = folder();
    let store = SqliteStore::open_with(&path, u64::MAX / 2).await.unwrap();
    let refused = store.back_up().await.unwrap_err();
    assert!(matches!(refused, StoreError::NoRoom { needed_bytes: 1.., free_bytes: 1.. }));
    assert!(refused.to_string().contains("MiB are free"));
    assert!(!backup::staging(&path).exists());
}

#[tokio::test]
async fn nothing_that_a_client_holds_fits_a_restored_store() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).await.unwrap();
    let campaign = campaign(&store).await;
    hand_over(&store, &campaign, 0..3).await;
    let request = RequestKey {
        caller: "softphone".into(),
        id: RequestId::new("pull-1").unwrap(),
        body_hash: [1; 32],
    };
    let lease = lease_one(&store, LeadId(2), Some(request.clone())).await;
    let saved = path.with_file_name("saved");
    save(store.back_up().await.unwrap(), &saved);
    hand_over(&store, &campaign, 3..4).await;
    store.close().await;

    let other = path.with_file_name("other.db");
    let told = restore(&saved, &other).await.unwrap();
    assert_eq!((told.lead_count, told.lease_count, told.last_instant), (3, 1, START));
    let store = SqliteStore::open(&other).await.unwrap();
    let release = Release {
        lead: lease.lead,
        rep: lease.rep,
        actor: "ann".into(),
        token: lease.token,
        cause: ReleaseCause::RepError,
        now: START,
        request: None,
    };
    let refused = store.release(release).await;
    assert!(matches!(refused, Err(StoreError::Denied(Denied::LeaseLost))), "{refused:?}");
    // The rep has the lead still, under another token; what the old answer named is over.
    let held = store.lease_of(lease.rep).await.unwrap().unwrap();
    assert_eq!((held.lead, held.expires_at), (lease.lead, lease.expires_at));
    let (_, stored) = store.pulled_before(&request).await.unwrap().unwrap();
    assert!(stored == lease.token && held.token != lease.token);
    // Lead 4 was opened after the backup, and will never be anybody else.
    hand_over(&store, &campaign, 100..101).await;
    assert!(store.lead(LeadId(4)).await.unwrap().is_none());
    let next = LeadId(told.lead_floor + 1);
    assert!(store.lead(next).await.unwrap().is_some());
    assert_eq!(store.audit().await.unwrap().imbalance, 0);
    assert!(store.middle_lead().await.unwrap() < LeadId(3));
    store.close().await;

    // Nor is anybody of one restore the same as of another.
    let third = path.with_file_name("third.db");
    let later = Restore { now: START + 1_000, ..order(&saved, &third) };
    assert!(SqliteStore::restore(&later).await.unwrap().lead_floor > told.lead_floor);
    let again = restore(&third, &path.with_file_name("fourth.db")).await.unwrap();
    assert!(again.lead_floor > told.lead_floor + 1_000_000);
}

#[tokio::test]
async fn a_store_is_replaced_only_when_told_and_is_kept() {
    let (_folder, path, saved) = backed_up(3).await;
    let refused = restore(&saved, &path).await;
    assert!(matches!(refused, Err(RestoreError::Exists(_))));
    let replace = Restore { replaces: true, ..order(&saved, &path) };
    let open = SqliteStore::open(&path).await.unwrap();
    let campaign = campaign(&open).await;
    hand_over(&open, &campaign, 3..5).await;
    let refused = SqliteStore::restore(&replace).await;
    assert!(matches!(refused, Err(RestoreError::Store(StoreError::InUse { .. }))));
    open.close().await;

    let told = SqliteStore::restore(&replace).await.unwrap();
    let kept = told.kept.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    assert!(store.lead(LeadId(4)).await.unwrap().is_none());
    store.close().await;
    let before = SqliteStore::open(&kept).await.unwrap();
    assert!(before.lead(LeadId(5)).await.unwrap().is_some());
    before.close().await;
    let refused = SqliteStore::restore(&replace).await;
    assert!(matches!(refused, Err(RestoreError::KeptBefore(_))), "the one before is not lost");
}

#[tokio::test]
async fn a_damaged_or_foreign_file_is_refused_and_the_old_store_stays() {
    let (folder, path, saved) = backed_up(500).await;
    let bytes = fs::read(&saved).unwrap();
    let bad = folder.path().join("bad");
    let flipped = |place: usize| {
        let mut bytes = bytes.clone();
        bytes[place..place + 64].iter_mut().for_each(|byte| *byte ^= 0xff);
        bytes
    };
    let mut cases = vec![b"just a text".to_vec(), Vec::new(), bytes[..bytes.len() / 2].to_vec()];
    // A page's head, wherever it lies.
    cases.extend((1..10).map(|nth| flipped((bytes.len() / 10 * nth) / 4_096 * 4_096)));
    for case in cases {
        fs::write(&bad, &case).unwrap();
        let refused = SqliteStore::restore(&Restore { replaces: true, ..order(&bad, &path) }).await;
        let problem = refused.expect_err("a damaged backup");
        let is_said = matches!(
            problem,
            RestoreError::NoBackup(_) | RestoreError::Damaged(_) | RestoreError::Imbalanced { .. }
        );
        assert!(is_said, "{problem:?}");
        assert!(!path.with_file_name("nextlead.db.restoring").exists());
    }
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.audit().await.unwrap().leads, 500);
}

#[tokio::test]
async fn books_that_are_off_are_not_restored() {
    let (_folder, path, saved) = backed_up(3).await;
    let options = open::options(&saved, open::WRITER_CACHE);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("UPDATE book SET ready = ready + 1").execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let refused = SqliteStore::restore(&Restore { replaces: true, ..order(&saved, &path) }).await;
    assert!(matches!(refused, Err(RestoreError::Imbalanced { imbalance: 1.., .. })));
}

#[tokio::test]
async fn a_restore_that_died_while_it_moved_files_is_made_good_at_the_next_start() {
    let (folder, path, saved) = backed_up(3).await;
    let beside = |ending: &str| open::beside(&path, ending);
    let made = folder.path().join("made.db");
    restore(&saved, &made).await.unwrap();
    // How far it had come: nothing moved; the log moved; the store moved as well.
    for moved_count in 0..3 {
        let store = SqliteStore::open(&path).await.unwrap();
        let before = store.audit().await.unwrap().leads;
        store.close().await;
        fs::write(beside("-wal"), "an old log").unwrap();
        fs::copy(&made, beside(".restored")).unwrap();
        for ending in ["-wal", ""].iter().take(moved_count) {
            fs::rename(beside(ending), beside(&format!(".replaced{ending}"))).unwrap();
        }

        let store = SqliteStore::open(&path).await.unwrap();

        assert_eq!(store.audit().await.unwrap().leads, 3);
        assert_eq!(fs::read(beside(".replaced-wal")).unwrap(), b"an old log");
        assert!(beside(".replaced").exists() && !beside(".restored").exists());
        let campaign = campaign(&store).await;
        hand_over(&store, &campaign, 10..12).await;
        store.close().await;
        assert_eq!(before, if moved_count == 0 { 3 } else { 5 });
        fs::remove_file(beside(".replaced")).unwrap();
        fs::remove_file(beside(".replaced-wal")).unwrap();
    }
    // One that died before that leaves a copy that nobody needs.
    fs::write(beside(".restoring"), "half a copy").unwrap();
    SqliteStore::open(&path).await.unwrap().close().await;
    assert!(!beside(".restoring").exists());
    restore::finish(&path).unwrap();
}
