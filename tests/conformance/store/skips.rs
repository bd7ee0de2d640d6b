//! Skips: what counts, how many a rep may have within an hour, and what is counted of every serve.

use futures_util::future::join_all;
use nextlead::domain::{
    Disposition, Lease, RepKey, SKIP_WINDOW_MS, ServeTally, SkipReason, ValueBand,
};
use nextlead::store::{
    Denied, Grant, Release, ReleaseCause, ServeCount, ServePeriod, StoreError, Suppress,
    SuppressionOf,
};

use super::desk::{Desk, GRACE_MS, LEASE_MS, MINUTE_MS, START, granted};

/// The hour in which every check begins.
const HOUR: i64 = START / SKIP_WINDOW_MS;

/// A skip, where so many are allowed within an hour.
fn skip(desk: &Desk, lease: &Lease, per_hour_max: u32, now: i64) -> Release {
    let cause =
        ReleaseCause::Skip { reason: SkipReason::TooHard, per_hour_max: Some(per_hour_max) };
    Release { cause, ..desk.release(lease, now) }
}

/// `None`: it was taken.
async fn limited(desk: &Desk, release: Release) -> Option<Option<i64>> {
    match desk.store.release(release).await {
        Ok(_) => None,
        Err(StoreError::Denied(Denied::SkipLimit { next_at })) => Some(next_at),
        Err(error) => panic!("another answer: {error}"),
    }
}

/// Leases a lead that is new.
async fn serve(desk: &Desk, rep: usize, now: i64) -> Lease {
    let lead = desk.lead().await;
    desk.lease(rep, lead, now).await
}

async fn counts(desk: &Desk, from_hour: i64, until_hour: i64) -> Vec<ServeCount> {
    let period = ServePeriod { queue: desk.queue.key, from_hour, until_hour };
    desk.store.serve_counts(&period).await.expect("a report")
}

fn count(rep: RepKey, band: ValueBand, tally: ServeTally, count: i64) -> ServeCount {
    ServeCount { rep, band, tally, count }
}

pub(super) async fn one_skip_too_many_is_refused_and_the_lead_stays(desk: &Desk) {
    for nth in 0..2 {
        let lease = serve(desk, 0, START + nth).await;
        assert_eq!(limited(desk, skip(desk, &lease, 2, START + nth)).await, None);
    }
    let lease = serve(desk, 0, START + 2).await;
    let mut third = skip(desk, &lease, 2, START + 3);
    third.request = desk.request("skip-3", 1);

    let refused = limited(desk, third.clone()).await;

    assert_eq!(refused, Some(Some(START + SKIP_WINDOW_MS)), "the first one falls out of the hour");
    assert_eq!(desk.store.lease_of(desk.reps[0]).await.expect("a read"), Some(lease.clone()));
    assert_eq!(desk.story(lease.lead).await, ["opened", "leased"]);
    // Another rep has skips of their own.
    let other = serve(desk, 1, START + 3).await;
    assert_eq!(limited(desk, skip(desk, &other, 2, START + 3)).await, None);
    // A refusal is not remembered, and a mistake is no skip.
    third.cause = ReleaseCause::RepError;
    let carried = desk.renewal(&lease, START + LEASE_MS - 1);
    desk.store.renew(carried).await.expect("it stands");
    third.now = START + LEASE_MS;
    assert_eq!(limited(desk, third).await, None);
    let lease = serve(desk, 0, START + SKIP_WINDOW_MS - 1).await;
    let again = |now| skip(desk, &lease, 2, now);
    assert!(limited(desk, again(START + SKIP_WINDOW_MS - 1)).await.is_some());
    assert_eq!(limited(desk, again(START + SKIP_WINDOW_MS)).await, None);
    let lease = serve(desk, 0, START + 2 * SKIP_WINDOW_MS + 1).await;
    let never = skip(desk, &lease, 0, START + 2 * SKIP_WINDOW_MS + 1);
    assert_eq!(limited(desk, never).await, Some(None), "none is allowed");
}

pub(super) async fn of_many_skips_at_once_as_many_pass_as_are_allowed(desk: &Desk) {
    // Leases that expired free the rep for the next one, and can be given back until their grace ends.
    let grace_ms = SKIP_WINDOW_MS;
    let mut leases = Vec::new();
    for nth in 0..32 {
        let lead = desk.lead().await;
        let grant = Grant { grace_ms, lease_ms: 1, ..desk.grant(0, &[lead], START + nth) };
        leases.push(granted(desk.store.lease(grant).await.expect("a lease")).lease);
    }
    let now = START + MINUTE_MS;
    let releases = leases.iter().map(|lease| limited(desk, skip(desk, lease, 6, now)));

    let answers = join_all(releases).await;

    let passed = answers.iter().filter(|answer| answer.is_none()).count();
    assert_eq!(passed, 6);
    let next_at = Some(Some(now + SKIP_WINDOW_MS));
    assert!(answers.iter().all(|answer| answer.is_none() || *answer == next_at), "{answers:?}");
    let served = count(desk.reps[0], ValueBand::Tens, ServeTally::Served, 32);
    let skipped = count(desk.reps[0], ValueBand::Tens, ServeTally::TooHard, 6);
    assert_eq!(counts(desk, HOUR, HOUR + 1).await, [served, skipped]);
}

pub(super) async fn a_lease_that_runs_out_is_a_skip_whether_or_not_it_was_swept(desk: &Desk) {
    let lost = serve(desk, 0, START).await;
    let now = START + LEASE_MS;
    let lease = serve(desk, 0, now).await;
    // Within the grace a touch would be in time, so it is no skip yet.
    assert_eq!(limited(desk, skip(desk, &lease, 1, now + GRACE_MS - 1)).await, None);
    let lease = serve(desk, 0, now + GRACE_MS).await;

    let refused = limited(desk, skip(desk, &lease, 2, now + GRACE_MS)).await;
    desk.store.sweep(now + GRACE_MS, 100, None).await.expect("a sweep");
    let swept = limited(desk, skip(desk, &lease, 2, now + GRACE_MS)).await;

    let next_at = lost.expires_at + SKIP_WINDOW_MS;
    assert_eq!(refused, Some(Some(next_at)), "it counts from its end, unseen");
    assert_eq!(swept, refused, "and is counted once");
    assert_eq!(desk.story(lost.lead).await, ["opened", "leased", "expired"]);
    let counts = counts(desk, HOUR, HOUR + 1).await;
    let tallies: Vec<_> = counts.iter().map(|one| (one.tally, one.count)).collect();
    let expected = [(ServeTally::Expired, 1), (ServeTally::Served, 3), (ServeTally::TooHard, 1)];
    assert_eq!(tallies, expected, "a grace that runs is no expiry");
}

pub(super) async fn old_skips_are_forgotten_and_their_counts_are_not(desk: &Desk) {
    for nth in 0..3 {
        let lease = serve(desk, 0, START + nth).await;
        assert_eq!(limited(desk, skip(desk, &lease, 9, START + nth)).await, None);
    }
    let before = counts(desk, HOUR, HOUR + 1).await;
    desk.store.sweep(START + SKIP_WINDOW_MS + 2, 100, None).await.expect("a sweep");
    // Somebody who asked about the past would find none left to count.
    let lease = serve(desk, 0, START + 3).await;
    assert_eq!(limited(desk, skip(desk, &lease, 1, START + 3)).await, None);
    let skipped = before.iter().find(|one| one.tally == ServeTally::TooHard).expect("skips");
    assert_eq!(skipped.count, 3);
    let after = counts(desk, HOUR, HOUR + 1).await;
    assert_eq!(after.iter().map(|one| one.count).sum::<i64>(), 8);
}

pub(super) async fn serves_are_counted_by_hour_rep_worth_and_end(desk: &Desk) {
    let [ann, bob] = [desk.reps[0], desk.reps[1]];
    let late = START + SKIP_WINDOW_MS;
    let mut worthy = desk.grant(1, &[desk.lead().await], late);
    worthy.candidates[0].points = 12_345;
    let worthy = granted(desk.store.lease(worthy).await.expect("a lease")).lease;
    assert_eq!(desk.store.lease_of(bob).await.expect("a read"), Some(worthy.clone()));
    for cause in [ReleaseCause::RepError, ReleaseCause::ClientLost, ReleaseCause::Forbidden] {
        let lease = serve(desk, 0, START).await;
        let release = Release { cause, ..desk.release(&lease, START) };
        desk.store.release(release).await.expect("it holds");
    }
    let touched = desk.lead().await;
    desk.work(0, touched, Disposition::NoAnswer, START).await;
    // What becomes of a serve is counted in the serve's own hour.
    let lease = serve(desk, 0, START).await;
    let release =
        Release { cause: desk.release(&lease, late).cause, ..desk.release(&lease, START) };
    desk.store.release(release).await.expect("it holds");
    let suppressed = serve(desk, 0, START).await;
    let number = desk.record(suppressed.lead).await.lead.facts.numbers[0].number.clone();
    let suppress = Suppress {
        what: SuppressionOf::Number(number),
        source: "letter".into(),
        until: None,
        actor: "marketing".into(),
        now: START,
        request: None,
    };
    desk.store.suppress(suppress).await.expect("an answer");
    let erased = serve(desk, 0, START).await;
    let erase = nextlead::store::Erase {
        lead: erased.lead,
        actor: "crm".into(),
        now: START,
        request: None,
    };
    desk.store.erase(erase).await.expect("it is erased");

    let tens = |tally, number| count(ann, ValueBand::Tens, tally, number);
    let mut first = vec![
        tens(ServeTally::Served, 7),
        tens(ServeTally::RepError, 1),
        tens(ServeTally::ClientLost, 1),
        tens(ServeTally::Forbidden, 3),
        tens(ServeTally::NoTime, 1),
    ];
    let mut found = counts(desk, HOUR, HOUR + 1).await;
    first.sort();
    found.sort();
    assert_eq!(found, first, "an erased lead stays counted");
    let second = [count(bob, ValueBand::TenThousands, ServeTally::Served, 1)];
    assert_eq!(counts(desk, HOUR + 1, HOUR + 2).await, second);
    assert_eq!(counts(desk, HOUR, HOUR + 2).await.len(), 6);
    assert_eq!(counts(desk, HOUR + 2, HOUR + 9).await, []);
}
