//! The two ways to make load.
//!
//! **Closed**: each rep calls, waits for the answer, thinks, and calls again, so a slow node is called
//! less often: it says how much a node can do. **Open**: calls come when they come, however the node
//! is: it says how long people wait.

use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Mutex;

use super::floor::Floor;
use super::random::Random;
use super::rep::Rep;
use super::schedule::{Schedule, pace};

/// How many reps make their first or last call at a time.
const AT_A_TIME: usize = 128;
/// How long a rep of a closed loop waits for a lead to appear.
const WAIT_MS: i64 = 500;

/// Gives every rep a lead.
pub(super) async fn log_in(reps: &mut [Rep], floor: &Floor) -> anyhow::Result<()> {
    let pulls = reps.iter_mut().map(|rep| rep.pull(floor, 0));
    stream::iter(pulls).buffer_unordered(AT_A_TIME).try_collect().await
}

/// Gives back what reps still have.
pub(super) async fn log_out(reps: &mut [Rep], floor: &Floor) -> anyhow::Result<()> {
    let ends = reps.iter_mut().map(|rep| rep.hang_up(floor));
    stream::iter(ends).buffer_unordered(AT_A_TIME).try_collect().await
}

/// Each rep calls again as soon as they have thought for about `think`.
pub(super) async fn closed(
    reps: &mut [Rep],
    floor: &Floor,
    think: Duration,
    seed: u64,
) -> anyhow::Result<()> {
    let working = (0..).zip(reps).map(|(nth, rep)| async move {
        let mut random = Random::new(seed, nth);
        // Nobody sits down at the same instant as everybody else.
        pause(think.mul_f64(random.part())).await;
        while !floor.is_over() {
            rep.cycle(floor, floor.elapsed(), WAIT_MS).await?;
            // Between a half and one and a half of it.
            pause(think.mul_f64(0.5 + random.part())).await;
        }
        anyhow::Ok(())
    });
    try_join_all(working).await.map(drop)
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

/// Reps call when the schedule says. One who is still busy calls as soon as they are free, and is late.
pub(super) async fn open(
    reps: Vec<Rep>,
    floor: &Floor,
    schedule: Schedule,
) -> anyhow::Result<Vec<Rep>> {
    let reps: Vec<Mutex<Rep>> = reps.into_iter().map(Mutex::new).collect();
    let mut arrivals = pace(schedule, floor.window.to, floor.watch());
    let mut calls = FuturesUnordered::new();
    let mut is_over = false;
    while !is_over || !calls.is_empty() {
        tokio::select! {
            arrival = arrivals.recv(), if !is_over => match arrival {
                Some(arrival) => {
                    let rep = &reps[arrival.rep];
                    // The lock is fair: calls of one rep are made in their order.
                    calls.push(async move { rep.lock().await.cycle(floor, arrival.at, 0).await });
                }
                None => is_over = true,
            },
            Some(done) = calls.next(), if !calls.is_empty() => done?,
        }
    }
    drop(calls);
    Ok(reps.into_iter().map(Mutex::into_inner).collect())
}
