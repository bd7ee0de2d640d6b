//! What time changes is changed once, by the node that has the duty; another takes it over.

use nextlead::api::proto::{LeadEventKind as Kind, *};

use super::{ground, id_of, pair, story};
use crate::support::{HOUR_MS, MINUTE_MS, lead};

#[tokio::test]
async fn leases_expire_once_however_many_nodes_sweep() {
    let Some(ground) = ground("one sweep") else { return };
    let (mut one, mut other) = pair(&ground).await;
    let mut leads = Vec::new();
    for nth in 0..8 {
        let rep = format!("rep{nth}");
        one.put_rep(&rep, "sales", &[]).await;
        one.hand_over(lead(nth)).await;
        leads.push(id_of(&one.pull_lead(&rep).await));
    }
    one.clock.advance(HOUR_MS);
    for _ in 0..5 {
        let (left, right) = (one.node.dialer(), other.node.dialer());
        let swept = tokio::join!(left.sweep(3), right.sweep(3), left.sweep(3), right.sweep(3));
        swept.0.unwrap();
        swept.1.unwrap();
        swept.2.unwrap();
        swept.3.unwrap();
    }
    for lead in &leads {
        let kinds: Vec<Kind> = story(&mut other, lead).await.iter().map(LeadEvent::kind).collect();
        assert_eq!(kinds, [Kind::Opened, Kind::Leased, Kind::Expired]);
    }
    let sweeping = [&one, &other].map(|node| node.node.dialer().is_sweeping());
    assert_eq!(sweeping.iter().filter(|is_sweeping| **is_sweeping).count(), 1);
    one.audit().await;
}

#[tokio::test]
async fn the_duty_passes_on_when_its_node_stops_and_when_it_stands_still() {
    let Some(ground) = ground("the duty of sweeping") else { return };
    let (one, other) = pair(&ground).await;
    one.node.dialer().sweep(1).await.unwrap();
    other.node.dialer().sweep(1).await.unwrap();
    assert!(one.node.dialer().is_sweeping() && !other.node.dialer().is_sweeping());

    // Who stops gives it up.
    one.node.dialer().leave().await;
    other.node.dialer().sweep(1).await.unwrap();
    assert!(other.node.dialer().is_sweeping());

    // Who stands still loses it, and learns so when it goes on.
    one.clock.advance(MINUTE_MS);
    one.node.dialer().sweep(1).await.unwrap();
    assert!(one.node.dialer().is_sweeping());
    other.node.dialer().sweep(1).await.unwrap();
    assert!(!other.node.dialer().is_sweeping());
}
