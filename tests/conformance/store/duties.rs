//! What only one node at a time does, and how a node learns what others changed.

use futures_util::future::join_all;
use nextlead::domain::{CampaignId, RepId, Role, Standing, TokenId};
use nextlead::store::{Denied, Duty, NewRep, NewRules, NewToken, StoreError, Swept, TakeDuty};

use super::desk::{Desk, START, campaign_settings};

const HOLD_MS: i64 = 5_000;

async fn take(desk: &Desk, node: &str, now: i64) -> Option<i64> {
    let take = TakeDuty { name: "sweep".into(), node: node.into(), now, for_ms: HOLD_MS };
    let duty = desk.store.take_duty(&take).await.expect("an answer");
    duty.map(|duty| {
        assert_eq!(duty.name, "sweep");
        duty.term
    })
}

fn sweeping(term: i64) -> Duty {
    Duty { name: "sweep".into(), term }
}

pub(super) async fn a_duty_is_one_node_s_until_it_is_over(desk: &Desk) {
    assert_eq!(take(desk, "a", START).await, Some(1));
    assert_eq!(take(desk, "b", START).await, None);
    // Who has it carries it on, in the same term.
    assert_eq!(take(desk, "a", START + HOLD_MS - 1).await, Some(1));
    assert_eq!(take(desk, "b", START + HOLD_MS).await, None);
    let over = START + 2 * HOLD_MS - 1;
    assert_eq!(take(desk, "b", over - 1).await, None);
    assert_eq!(take(desk, "b", over).await, Some(2));
    assert_eq!(take(desk, "a", over).await, None);
    // Duties of other names are others' duties.
    let other = TakeDuty { name: "rank".into(), node: "a".into(), now: over, for_ms: HOLD_MS };
    assert_eq!(desk.store.take_duty(&other).await.expect("an answer").map(|one| one.term), Some(1));
}

pub(super) async fn a_duty_that_was_given_up_is_free_and_lost(desk: &Desk) {
    let term = take(desk, "a", START).await.expect("it is free");
    desk.store.give_duty_up(&sweeping(term)).await.expect("given up");

    let lost = desk.store.sweep(START, 10, Some(&sweeping(term))).await;
    assert!(matches!(lost, Err(StoreError::Denied(Denied::DutyLost))));
    let next = take(desk, "b", START).await.expect("it is free");
    assert!(next > term);
    // Whoever lost it gives nothing up that is another's.
    desk.store.give_duty_up(&sweeping(term)).await.expect("nothing to give up");
    assert_eq!(take(desk, "a", START).await, None);
}

pub(super) async fn one_of_many_nodes_gets_a_duty(desk: &Desk) {
    for round in 0..8_i64 {
        let now = START + round * HOLD_MS;
        let nodes: Vec<String> = (0..16).map(|node| format!("{round}-{node}")).collect();
        let taken = join_all(nodes.iter().map(|node| take(desk, node, now))).await;
        let terms: Vec<i64> = taken.into_iter().flatten().collect();
        assert_eq!(terms, [round + 1]);
    }
}

pub(super) async fn what_names_a_lost_duty_changes_nothing(desk: &Desk) {
    let lead = desk.lead().await;
    let lease = desk.lease(0, lead, START).await;
    let stale = sweeping(take(desk, "a", START).await.expect("it is free"));
    let now = lease.held_until;
    let current = sweeping(take(desk, "b", now).await.expect("it is over"));
    let rules = NewRules {
        queue: desk.queue.key,
        text: "one".into(),
        author: "eve".into(),
        reason: "better".into(),
        now,
        request: None,
    };
    desk.store.publish_rules(&rules).await.expect("a version");

    let swept = desk.store.sweep(now, 10, Some(&stale)).await;
    assert!(matches!(swept, Err(StoreError::Denied(Denied::DutyLost))));
    let noted = desk.store.put_rules_in_force(desk.queue.key, 1, now, Some(&stale)).await;
    assert!(matches!(noted, Err(StoreError::Denied(Denied::DutyLost))));
    assert_eq!(desk.standing(lead).await, Standing::Leased);
    let version = desk.store.latest_rules(desk.queue.key).await.expect("a read").expect("one");
    assert_eq!(version.in_force_at, None);
    // One that nobody ever had is nobody's.
    let unknown = Duty { name: "unheard of".into(), term: 1 };
    let swept = desk.store.sweep(now, 10, Some(&unknown)).await;
    assert!(matches!(swept, Err(StoreError::Denied(Denied::DutyLost))));

    let swept = desk.store.sweep(now, 10, Some(&current)).await.expect("a sweep");
    assert_eq!(swept.expired.len(), 1);
    desk.store.put_rules_in_force(desk.queue.key, 1, now, Some(&current)).await.expect("noted");
    // It is theirs until somebody else takes it, however late it is.
    let later = now + 10 * HOLD_MS;
    let swept = desk.store.sweep(later, 10, Some(&current)).await.expect("a sweep");
    assert_eq!(swept, Swept::default());
}

pub(super) async fn every_change_of_settings_is_counted(desk: &Desk) {
    let store = &desk.store;
    let mut known = store.settings_number().await.expect("a read");
    assert!(known > 0, "the desk has queues");
    macro_rules! counted {
        ($change:expr) => {
            $change.await.expect("a change");
            let number = store.settings_number().await.expect("a read");
            assert!(number > known, stringify!($change));
            known = number;
        };
    }
    let rep = RepId::new("rep-new").expect("an id");
    let row = NewRep {
        queue: desk.queue.key,
        skills: Default::default(),
        is_active: true,
        work: Default::default(),
    };
    let campaign = CampaignId::new("april").expect("an id");
    let rules = NewRules {
        queue: desk.queue.key,
        text: "one".into(),
        author: "eve".into(),
        reason: "better".into(),
        now: START,
        request: None,
    };
    let token = NewToken {
        id: TokenId::new("tok").expect("an id"),
        name: "crm".into(),
        role: Role::Intake,
        rep: None,
        hash: [7; 32],
        actor: "admin".into(),
        now: START,
        expires_at: START + HOLD_MS,
        request: None,
    };
    counted!(store.put_queue(&desk.queue.id, &desk.queue.settings));
    counted!(store.put_campaign(&campaign, desk.queue.key, &campaign_settings(None)));
    counted!(store.put_rep(&rep, &row));
    counted!(store.publish_rules(&rules));
    counted!(store.put_rules_in_force(desk.queue.key, 1, START, None));
    counted!(store.create_token(token.clone()));
    counted!(store.revoke_token(&token.id, "admin", START));

    // What is refused, and what nodes do for themselves, is not one.
    let other = store.put_campaign(&campaign, desk.elsewhere.queue, &campaign_settings(None)).await;
    assert!(matches!(other, Err(StoreError::Denied(Denied::CampaignMoved))));
    let nobodys = TokenId::new("nobodys").expect("an id");
    assert_eq!(store.revoke_token(&nobodys, "admin", START).await.expect("a look"), None);
    store.note_token_uses(vec![(token.id, START + 1)]).await.expect("noted");
    take(desk, "a", START).await.expect("it is free");
    desk.lead().await;
    assert_eq!(store.settings_number().await.expect("a read"), known);
}
