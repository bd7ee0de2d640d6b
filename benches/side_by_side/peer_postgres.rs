//! The queue that one would write by hand on PostgreSQL: a table, an index of what is open, and `FOR
//! UPDATE SKIP LOCKED`.
//!
//! It asks what a rep asks: the best item among 200 of 1,000 lanes. A cycle is two durable statements:
//! the item that is done, and the next one. Prepared, a connection a worker, nothing between them and
//! the server.

use std::time::Duration;

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::echo::{figures, histogram, record};
use super::{Figures, Settings, clock};

const LANE_COUNT: i32 = 1_000;
const OPEN_LANE_COUNT: i32 = 200;

/// The open items in the order of their rank: the fastest of the indexes that were tried, as every
/// fifth of the best items is in a lane of this worker.
const SET_UP: &str = "
CREATE TABLE item (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane int NOT NULL,
    rank bigint NOT NULL,
    state smallint NOT NULL DEFAULT 0,
    worker int,
    taken_at timestamptz,
    done_at timestamptz,
    outcome smallint,
    payload text NOT NULL
);
INSERT INTO item (lane, rank, payload)
SELECT (random() * 1e9)::bigint % 1000, (random() * 1e15)::bigint, repeat('x', 250)
FROM generate_series(1, {count});
CREATE INDEX item_open ON item (rank, id) WHERE state = 0;
VACUUM ANALYZE item;
CHECKPOINT";

const TAKE: &str = "
UPDATE item SET state = 1, worker = $2, taken_at = now()
WHERE id = (
    SELECT id FROM item
    WHERE state = 0 AND lane = ANY($1)
    ORDER BY rank, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, payload";

const FINISH: &str = "
UPDATE item SET state = 2, outcome = $3, done_at = now()
WHERE id = $1 AND state = 1 AND worker = $2";

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

async fn run_all(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    // One at a time: some of them may not stand in a transaction.
    for statement in statements.split(';') {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        connection.execute(statement).await.expect("it is done");
    }
}

/// What a database does within minutes after it was filled, so that it is not in the way of anybody.
pub(crate) fn settle(url: &str) {
    runtime().block_on(run_all(url, "VACUUM ANALYZE; CHECKPOINT"));
}

pub(crate) struct Contestant {
    url: String,
    runtime: tokio::runtime::Runtime,
}

impl Contestant {
    pub(crate) fn start(settings: &Settings, url: String) -> Self {
        let begun = clock();
        let set_up = SET_UP.replace("{count}", &settings.lead_count.to_string());
        let runtime = runtime();
        runtime.block_on(run_all(&url, &set_up));
        eprintln!("SKIP LOCKED is filled after {:.1} s", begun.elapsed().as_secs_f64());
        Self { url, runtime }
    }

    pub(crate) fn run(&mut self, reps: usize, settings: &Settings) -> Figures {
        let seconds = Duration::from_secs(settings.seconds);
        self.runtime.block_on(measure(&self.url, reps, seconds))
    }
}

async fn measure(url: &str, reps: usize, seconds: Duration) -> Figures {
    let mut connections = Vec::with_capacity(reps);
    for _ in 0..reps {
        let mut connection = PgConnection::connect(url).await.expect("a connection");
        let commit: String = sqlx::query_scalar("SHOW synchronous_commit")
            .fetch_one(&mut connection)
            .await
            .expect("a setting");
        assert_eq!(commit, "on");
        connections.push(connection);
    }
    let warm_up = Duration::from_millis(500);
    let begun = clock();
    let working = (0..).zip(connections);
    let working =
        working.map(|(worker, connection)| work(connection, worker, begun, warm_up, seconds));
    let mut all = histogram();
    for times in join_all(working).await {
        all.add(times).expect("the same bounds");
    }
    figures(&all, seconds)
}

async fn work(
    mut connection: PgConnection,
    worker: i32,
    begun: std::time::Instant,
    warm_up: Duration,
    seconds: Duration,
) -> Histogram<u64> {
    let mut times = histogram();
    // Five teams, each with a fifth of the lanes, as nextlead's reps have.
    let first = worker % (LANE_COUNT / OPEN_LANE_COUNT) * OPEN_LANE_COUNT;
    let lanes: Vec<i32> = (first..first + OPEN_LANE_COUNT).collect();
    let mut held = take(&mut connection, worker, &lanes).await;
    loop {
        let sent = begun.elapsed();
        let done = sqlx::query(FINISH).bind(held).bind(worker).bind(1_i16);
        let done = done.execute(&mut connection).await.expect("an answer");
        assert_eq!(done.rows_affected(), 1, "nobody else has finished it");
        if sent >= warm_up + seconds {
            return times;
        }
        held = take(&mut connection, worker, &lanes).await;
        if sent >= warm_up {
            record(&mut times, begun.elapsed() - sent);
        }
    }
}

async fn take(connection: &mut PgConnection, worker: i32, lanes: &[i32]) -> i64 {
    let taking = sqlx::query_as::<_, (i64, String)>(TAKE).bind(lanes).bind(worker);
    taking.fetch_one(connection).await.expect("an item: there are enough of them").0
}
