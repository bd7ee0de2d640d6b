//! Checkpoints: carry the write-ahead log into the file, on a connection of their own, so that no
//! commit waits for one. A log that is written without a pause is never wholly carried over and would
//! grow for ever, so from some size on it is carried over in small steps until little is left, and the
//! writer waits for that. Then the log begins anew in the same place: a sync of what a file has room
//! for already costs half of one that makes it longer.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::task::JoinHandle;

use super::super::sql::Connection;
use crate::failpoint;

/// How much of the log may wait, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// From how much that is not carried over on a checkpoint runs beside the writer. A page that many
    /// commits change is carried over once, so this is large.
    pub(super) step: u64,
    /// From which size on the log is to begin anew.
    pub(super) anew: u64,
    /// For how much of it the writer waits then.
    pub(super) last_step: u64,
    /// From which size on the writer waits, however much there is.
    pub(super) wait: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { step: 32 << 20, anew: 192 << 20, last_step: 4 << 20, wait: 384 << 20 }
    }
}

/// How long after somebody stood in the way of emptying the log it is tried again.
const PAUSE: Duration = Duration::from_secs(5);
/// What stands before each page in the log (SQLite's file format, 4.1).
const FRAME_HEAD_BYTES: u64 = 24;

pub(super) struct Checkpointer {
    wal: PathBuf,
    sizes: Sizes,
    frame_bytes: u64,
    /// Where the connection is: here, or with the checkpoint that runs.
    idle: Option<SqliteConnection>,
    running: Option<Running>,
    /// What the log held when the last one began.
    tried_bytes: u64,
    /// [`Sizes::anew`] and [`Sizes::wait`], or more while somebody stands in the way.
    anew_bytes: u64,
    wait_bytes: u64,
    /// Something was erased, and the log still tells what it was.
    is_scrub_due: bool,
    /// Runs after a try that failed, so that the writer is not kept out over and over.
    pause: Option<JoinHandle<()>>,
}

/// A checkpoint beside the writer: its connection, and whether it failed to empty the log.
type Running = JoinHandle<(SqliteConnection, bool)>;

/// What stands in the log, in bytes.
#[derive(Clone, Copy, Debug)]
struct Log {
    all: u64,
    to_carry: u64,
}

impl Checkpointer {
    pub(super) fn new(
        connection: SqliteConnection,
        wal: PathBuf,
        page_bytes: u32,
        sizes: Sizes,
    ) -> Self {
        Self {
            wal,
            sizes,
            frame_bytes: u64::from(page_bytes) + FRAME_HEAD_BYTES,
            idle: Some(connection),
            running: None,
            tried_bytes: 0,
            anew_bytes: sizes.anew,
            wait_bytes: sizes.wait,
            // An erasure before the last crash may still be in the log.
            is_scrub_due: true,
            pause: None,
        }
    }

    /// How long the log's file is: what it ever held since it was cut.
    fn file_bytes(&self) -> u64 {
        std::fs::metadata(&self.wal).map_or(0, |metadata| metadata.len())
    }

    /// Called after the commit of an erasure: the log is emptied beside the writer as soon as nobody
    /// reads in it any more. Each later commit, a sweep's at the latest, tries again.
    pub(super) fn erased(&mut self) {
        self.is_scrub_due = true;
    }

    /// Called after commits: starts a checkpoint if one is due. Waits only for little, unless the log
    /// is very long or the disk is low: then it is cut as well.
    pub(super) async fn committed(&mut self, is_low: bool) {
        let file_bytes = self.file_bytes();
        let is_room_made = is_low && file_bytes >= self.sizes.last_step && !self.is_paused();
        if file_bytes >= self.wait_bytes || is_room_made {
            self.cut(file_bytes).await;
            return;
        }
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.rejoin().await;
        }
        if self.is_scrub_due {
            self.scrub();
        }
        let Some(log) = self.look().await else { return };
        if log.all < self.tried_bytes {
            self.tried_bytes = 0;
        }
        let is_to_end = log.all >= self.anew_bytes;
        // A reader with an old snapshot keeps what came later from being carried over, and each try
        // sorts the whole log.
        let is_held = log.all - log.to_carry < self.tried_bytes;
        let step = if is_to_end && !is_held { self.sizes.last_step } else { self.sizes.step };
        if is_to_end && log.to_carry < self.sizes.last_step {
            self.begin_anew(log, file_bytes).await;
        } else if log.to_carry >= step && log.all - self.tried_bytes >= step {
            self.tried_bytes = log.all;
            self.carry();
        }
    }

    /// What stands in the log; `None` while a checkpoint runs.
    async fn look(&mut self) -> Option<Log> {
        let connection = self.idle.as_mut()?;
        let looked = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(NOOP)");
        let (_, all, carried) = looked.fetch_one(connection).await.ok()?;
        let bytes = |frames: i64| u64::try_from(frames).unwrap_or(0) * self.frame_bytes;
        Some(Log { all: bytes(all), to_carry: bytes(all).saturating_sub(bytes(carried)) })
    }

    /// Carries the log over beside the writer.
    fn carry(&mut self) {
        let Some(mut connection) = self.idle.take() else { return };
        self.running = Some(tokio::spawn(async move {
            checkpoint(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await;
            (connection, false)
        }));
    }

    /// Carries the rest over while the writer waits, so that the next commit is the log's first. A
    /// reader with an old snapshot (an audit, say) can stand in the way; then the log may grow by
    /// another step before the next try.
    async fn begin_anew(&mut self, log: Log, file_bytes: u64) {
        if file_bytes >= self.sizes.wait {
            // Somebody stood in the way for long, and has gone.
            return self.cut(file_bytes).await;
        }
        let Some(connection) = &mut self.idle else { return };
        let is_done = checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)").await;
        self.anew_bytes = if is_done { self.sizes.anew } else { log.all + self.sizes.step };
    }

    /// Empties the log while the writer waits, and cuts its file.
    async fn cut(&mut self, file_bytes: u64) {
        self.rejoin().await;
        let Some(connection) = &mut self.idle else { return };
        let is_done = checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        if is_done {
            (self.anew_bytes, self.wait_bytes) = (self.sizes.anew, self.sizes.wait);
        } else {
            self.wait_bytes = file_bytes + self.sizes.step;
            self.take_a_pause();
        }
    }

    fn is_paused(&self) -> bool {
        self.pause.as_ref().is_some_and(|pause| !pause.is_finished())
    }

    fn take_a_pause(&mut self) {
        self.pause = Some(tokio::spawn(tokio::time::sleep(PAUSE)));
    }

    /// Carries the log over beside the writer, then cuts it. The second step keeps the writer out, but
    /// has next to nothing left to carry.
    fn scrub(&mut self) {
        let is_paused = self.is_paused();
        let Some(mut connection) = self.idle.take_if(|_| !is_paused) else { return };
        // Whatever is erased while this runs needs another round.
        self.is_scrub_due = false;
        self.running = Some(tokio::spawn(async move {
            checkpoint(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await;
            let is_empty = checkpoint(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
            (connection, !is_empty)
        }));
    }

    async fn rejoin(&mut self) {
        let Some(running) = self.running.take() else { return };
        let Ok((connection, has_failed)) = running.await else { return };
        self.idle = Some(connection);
        if has_failed {
            self.is_scrub_due = true;
            self.take_a_pause();
        }
    }

    /// Carries everything over, at the end.
    pub(super) async fn finish(mut self) {
        self.rejoin().await;
        if let Some(mut connection) = self.idle {
            checkpoint(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
            Connection::Sqlite(connection).end().await;
        }
    }
}

/// Runs a checkpoint; says whether nobody stood in its way.
async fn checkpoint(connection: &mut SqliteConnection, statement: &'static str) -> bool {
    failpoint::reach("sqlite.before-checkpoint");
    // The first column says whether somebody did.
    let done = sqlx::query_scalar::<_, i64>(statement).fetch_one(connection).await;
    failpoint::reach("sqlite.after-checkpoint");
    match done {
        Ok(is_busy) => is_busy == 0,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not run a checkpoint");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions as _, Connection as _, Sqlite, Transaction};
    use tempfile::TempDir;

    use super::super::open;
    use super::*;

    const SIZES: Sizes =
        Sizes { step: 64 << 10, anew: 512 << 10, last_step: 32 << 10, wait: 4 << 20 };

    struct Bench {
        writer: SqliteConnection,
        checkpointer: Checkpointer,
        path: PathBuf,
        _folder: TempDir,
    }

    impl Bench {
        async fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("nextlead.db");
            let opened = open::open(&path).await.unwrap();
            let mut checkpointer =
                Checkpointer::new(opened.checkpointer, opened.wal, opened.page_bytes, SIZES);
            checkpointer.is_scrub_due = false;
            let mut writer = opened.writer;
            let filler = "CREATE TABLE filler (bytes BLOB)";
            sqlx::query(filler).execute(&mut writer).await.unwrap();
            Self { writer, checkpointer, path, _folder: folder }
        }

        /// Commits about 16 KiB so often, and gives the lengths that the log's file had. As under
        /// load, it is never wholly carried over while nobody reads in it.
        async fn commit(&mut self, count: usize, is_low: bool) -> Vec<u64> {
            let mut reader = self.reader().await;
            let mut lengths = Vec::new();
            for _ in 0..count {
                let snapshot = snapshot(&mut reader).await;
                let fill = sqlx::query("INSERT INTO filler VALUES (randomblob(16384))");
                fill.execute(&mut self.writer).await.unwrap();
                // However slow the disk is.
                self.checkpointer.rejoin().await;
                snapshot.rollback().await.unwrap();
                self.checkpointer.committed(is_low).await;
                lengths.push(self.checkpointer.file_bytes());
            }
            lengths
        }

        async fn reader(&self) -> SqliteConnection {
            open::options(&self.path, "-1024").connect().await.unwrap()
        }
    }

    async fn snapshot(reader: &mut SqliteConnection) -> Transaction<'_, Sqlite> {
        let mut snapshot = reader.begin().await.unwrap();
        let count = sqlx::query("SELECT count(*) FROM filler");
        count.fetch_one(&mut *snapshot).await.unwrap();
        snapshot
    }

    #[tokio::test]
    async fn a_log_that_is_written_without_a_pause_begins_anew_in_its_place() {
        let mut bench = Bench::new().await;
        let lengths = bench.commit(1_000, false).await;
        let longest = *lengths.last().unwrap();
        assert!(lengths.is_sorted(), "it was cut");
        assert!((SIZES.anew..SIZES.wait).contains(&longest), "{longest} bytes");
        bench.checkpointer.finish().await;
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM filler");
        assert_eq!(count.fetch_one(&mut bench.writer).await.unwrap(), 1_000);
    }

    #[tokio::test]
    async fn a_log_that_a_reader_holds_grows_and_is_cut_once_they_have_gone() {
        let mut bench = Bench::new().await;
        let mut reader = bench.reader().await;
        let snapshot = snapshot(&mut reader).await;
        let held = bench.commit(400, false).await;
        assert!(*held.last().unwrap() > SIZES.wait, "{held:?}");
        snapshot.rollback().await.unwrap();
        let freed = bench.commit(100, false).await;
        assert!(*freed.last().unwrap() < SIZES.wait, "{freed:?}");
    }

    #[tokio::test]
    async fn a_reader_who_stays_has_no_checkpoint_tried_with_each_commit() {
        let mut bench = Bench::new().await;
        let mut reader = bench.reader().await;
        let _snapshot = snapshot(&mut reader).await;
        let mut tried_count = 0;
        for _ in 0..100 {
            bench.commit(1, false).await;
            tried_count += usize::from(bench.checkpointer.running.is_some());
        }
        assert!((1..50).contains(&tried_count), "{tried_count} of 100");
    }

    #[tokio::test]
    async fn a_low_disk_gets_the_room_of_the_log_back() {
        let mut bench = Bench::new().await;
        let before = *bench.commit(100, false).await.last().unwrap();
        assert!(before >= SIZES.anew);
        let after = bench.commit(1, true).await;
        assert!(after[0] < SIZES.last_step, "{after:?}");
    }
}
