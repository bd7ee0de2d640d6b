//! A node whose clock is wrong changes no lease: the database's clock decides.

use std::time::Duration;

use nextlead::api::proto::Disposition;
use nextlead::clock::{Clock as _, ManualClock, SystemClock};
use nextlead::node::StoreClock;

use super::{ground, id_of, knows_rep, node_on, story};
use crate::support::{DAY_MS, HOUR_MS, by_id, lead};

#[tokio::test]
async fn a_node_with_a_wrong_clock_shortens_and_stretches_no_lease() {
    let Some(ground) = ground("wrong clocks") else { return };
    let now = SystemClock::start(0).now();
    let right = ManualClock::at(now);
    let mut one = node_on(&ground, right.clone(), StoreClock::Database).await;
    one.put_queue("sales", "always").await;
    one.put_campaign("spring", "sales", None).await;
    for (nth, wrong_by) in [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS].into_iter().enumerate() {
        let mut other =
            node_on(&ground, ManualClock::at(now + wrong_by), StoreClock::Database).await;
        let (ann, bob) = (format!("ann{nth}"), format!("bob{nth}"));
        one.put_rep(&ann, "sales", &[]).await;
        one.put_rep(&bob, "sales", &[]).await;
        knows_rep(&mut other, &bob).await;
        for lead_nth in 0..2 {
            one.hand_over(lead(u32::try_from(nth).unwrap() * 2 + lead_nth)).await;
        }
        let held = one.pull_lead(&ann).await;

        // Whatever it sweeps, the lease stands.
        one.node.dialer().leave().await;
        for _ in 0..3 {
            other.node.dialer().sweep(100).await.unwrap();
        }
        assert!(other.node.dialer().is_sweeping());
        assert_eq!(one.standing(&id_of(&held)).await, "leased");
        // Its own leases last as long as others'.
        let theirs = other.pull_lead(&bob).await;
        assert_ne!(id_of(&theirs), id_of(&held));
        let again = one.pull_lead(&bob).await;
        assert_eq!((id_of(&again), again.held_before), (id_of(&theirs), true));
        let remaining = Duration::try_from(again.remaining_duration.unwrap()).unwrap();
        // By this node's clock, which stands still while the database's goes on.
        let lease = Duration::from_secs(600);
        assert!(remaining.abs_diff(lease) < Duration::from_secs(120), "{remaining:?}");
        // What it is told under a lease is in time.
        let mut touch = one.touch_of(&ann, &held, Disposition::WrongNumber);
        touch.lead = Some(by_id(&id_of(&held)));
        let recorded = other.reps.record_touch(touch).await.unwrap().into_inner();
        assert!(!recorded.late, "wrong by {wrong_by} ms");
        one.touch(&bob, &theirs, Disposition::WrongNumber).await;
        let events = story(&mut one, &id_of(&held)).await;
        assert!(events.is_sorted_by_key(|event| event.number));
        other.node.dialer().leave().await;
    }
    one.audit().await;
}
