//! The toxic proxy does what it says: cuts where it is told to, and lies.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::database::on_postgres;
use super::ground::at_port;
use crate::servers::Postgres;
use crate::toxic::{Cut, Mood, Protocol, Proxy};

/// How a transaction is committed: as a text, or as a statement that is prepared once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Text,
    Prepared,
}

/// How long a step takes at most: whatever waits longer waits for ever.
const STEP_WITHIN: Duration = Duration::from_secs(20);

/// Takes a step, or says which one hangs.
async fn step<T>(what: impl std::fmt::Debug, step: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(STEP_WITHIN, step).await;
    done.unwrap_or_else(|_| panic!("{what:?} hangs"))
}

async fn connect(url: &str) -> PgConnection {
    step("connecting", PgConnection::connect(url)).await.unwrap()
}

async fn insert_and_commit(connection: &mut PgConnection, way: Way) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("BEGIN; INSERT INTO kept VALUES (1)").execute(&mut *connection).await?;
    match way {
        Way::Text => sqlx::raw_sql("COMMIT").execute(connection).await.map(drop),
        Way::Prepared => sqlx::query("COMMIT").execute(connection).await.map(drop),
    }
}

async fn count(direct: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(direct).await.unwrap()
}

/// A server that has heard of a commit may be at it still when its client has gone.
async fn await_count(direct: &mut PgConnection, expected: i64) {
    let mut turns = tokio::time::interval(Duration::from_millis(5));
    while count(direct).await != expected {
        turns.tick().await;
    }
}

#[tokio::test]
async fn a_cut_falls_where_it_is_told_to_and_a_lie_is_one() {
    let Some(_) = on_postgres("the proxy") else { return };
    let postgres = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    let url = postgres.database();
    let proxy = Proxy::start(Protocol::Postgres, postgres.port());
    let through = at_port(&url, proxy.port());
    let mut direct = connect(&url).await;
    sqlx::raw_sql("CREATE TABLE kept (id bigint)").execute(&mut direct).await.unwrap();
    let mut stored = 0;
    for way in [Way::Text, Way::Prepared] {
        for (cut, is_stored) in
            [(Cut::BeforeForwarding, 0), (Cut::AfterForwarding, 1), (Cut::BeforeReply, 1)]
        {
            let mut connection = connect(&through).await;
            // So that the statement is prepared.
            step((way, cut, "before"), insert_and_commit(&mut connection, way)).await.unwrap();
            let (done, ()) = tokio::join!(
                step((way, cut, "the commit"), insert_and_commit(&mut connection, way)),
                step((way, cut, "the cut"), proxy.cut(cut)),
            );
            done.unwrap_err();
            stored += 1 + is_stored;
            step((way, cut, "the count"), await_count(&mut direct, stored)).await;
        }
        proxy.set(Mood::Lying);
        let mut connection = connect(&through).await;
        step((way, "the lie"), insert_and_commit(&mut connection, way)).await.unwrap();
        proxy.set(Mood::Fair);
        assert_eq!(count(&mut direct).await, stored, "{way:?}");
    }
    proxy.set(Mood::Refusing);
    assert!(step("the refusal", PgConnection::connect(&through)).await.is_err());
}
