//! Which node ranks a queue, and what becomes of a ranking that its node does not end: the dialers of two
//! nodes, and of one alone, each with its index behind a gate.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nextlead::clock::ManualClock;
use nextlead::dialer::{Among, Dialer, NewLead, PublishRules, random_tokens};
use nextlead::domain::{
    CampaignId, CampaignSettings, Facts, HandoverKey, LeadNumber, Number, QueueId, QueueKey,
    QueueSettings, Route,
};
use nextlead::queue::{Basis, LeadQueue, MemoryQueue, RedisOptions, RedisQueue, Swap};
use nextlead::store::{
    Clocking, PostgresOptions, PostgresStore, Sharing, SqliteStore, Store, TakeDuty,
};

use super::{ground, within};
use crate::gate::Gate;
use crate::ground::Ground;
use crate::support::NOON;

const SOON: Duration = Duration::from_secs(10);
const LEAD_COUNT: usize = 40;
const SPRING: &str = "spring";

async fn store(ground: &Ground) -> PostgresStore {
    let options = PostgresOptions {
        clocking: Clocking::Caller,
        sharing: Sharing::Shared,
        ..PostgresOptions::new(ground.store.clone())
    };
    PostgresStore::open(&options).await.unwrap()
}

async fn index(ground: &Ground) -> RedisQueue {
    let options = RedisOptions { prefix: ground.prefix.clone(), timeout: SOON };
    RedisQueue::open(ground.queue.as_ref().unwrap(), options).await.unwrap()
}

/// What a node ranks with.
struct Desk {
    dialer: Dialer,
    gate: Arc<Gate>,
    clock: ManualClock,
}

impl Desk {
    async fn open(ground: &Ground) -> Self {
        let gate = Gate::before(Arc::new(index(ground).await));
        let store: Arc<dyn Store> = Arc::new(store(ground).await);
        let clock = ManualClock::at(NOON);
        let (at, tokens) = (Arc::new(clock.clone()), random_tokens());
        let dialer = Dialer::start(store, gate.clone(), at, tokens, Among::nodes()).await.unwrap();
        Self { dialer, gate, clock }
    }

    fn staged_count(&self) -> usize {
        self.gate.staged_count.load(Ordering::SeqCst)
    }

    async fn publish(&self, wait: bool) -> i64 {
        let publish = PublishRules {
            queue: QueueId::new("sales").unwrap(),
            text: "queue = \"sales\"\npoint_is = \"1m\"\n".into(),
            author: "eve".into(),
            reason: "a test".into(),
            wait,
            request: None,
        };
        self.dialer.publish_rules(publish).await.unwrap().version.version
    }
}

fn skilled(skills: &[&str]) -> CampaignSettings {
    CampaignSettings {
        skills: skills.iter().map(|skill| (*skill).to_owned()).collect(),
        ends_at: None,
        route_at_end: Route::Nurture { until: None },
        default_country: None,
    }
}

fn facts(nth: usize) -> Facts {
    let number = Number::from_e164(&format!("+1202{nth:07}")).unwrap();
    let numbers = vec![LeadNumber { number, stopped: None }];
    Facts { numbers, zone: Some("UTC".into()), source: "unknown".into(), ..Facts::default() }
}

/// Makes a queue with leads of one campaign that needs no skills.
async fn set_up(dialer: &Dialer) -> QueueKey {
    let sales = QueueId::new("sales").unwrap();
    let settings = QueueSettings {
        zone: "UTC".into(),
        hours: "always".parse().unwrap(),
        law: Default::default(),
        caps: Vec::new(),
        lease_ms: 600_000,
        lease_total_ms: 7_200_000,
        grace_ms: 30_000,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    };
    dialer.put_queue(sales.clone(), settings).await.unwrap();
    let spring = CampaignId::new(SPRING).unwrap();
    dialer.put_campaign(spring, sales, skilled(&[])).await.unwrap();
    let leads = (0..LEAD_COUNT).map(|nth| NewLead {
        key: HandoverKey {
            source_system: "crm".into(),
            external_id: nth.to_string(),
            campaign: CampaignId::new(SPRING).unwrap(),
        },
        handed_over_at: None,
        facts: facts(nth),
        owner: None,
    });
    dialer.hand_over_all(leads.collect(), "crm").await.unwrap();
    dialer.queue_keys()[0].1
}

/// Two nodes over such a queue.
async fn desks(ground: &Ground) -> (Desk, Desk, QueueKey) {
    let one = Desk::open(ground).await;
    let queue = set_up(&one.dialer).await;
    (one, Desk::open(ground).await, queue)
}

/// The skills of the lanes in which leads are.
async fn lanes(index: &dyn LeadQueue, queue: QueueKey) -> BTreeSet<Vec<String>> {
    let census = index.census(queue).await.unwrap();
    assert_eq!(census.lanes.iter().map(|(_, count)| count).sum::<usize>(), LEAD_COUNT);
    census.lanes.iter().map(|(lane, _)| lane.skills.iter().cloned().collect()).collect()
}

async fn are_in(desk: &Desk, queue: QueueKey, skills: &[&str]) -> bool {
    let skills = skills.iter().map(|skill| (*skill).to_owned()).collect();
    lanes(desk.gate.as_ref(), queue).await == BTreeSet::from([skills])
}

/// Changes the skills of the campaign and does nothing else: as a node that dies right after its commit.
async fn change_skills_and_die(ground: &Ground, queue: QueueKey, skills: &[&str]) {
    let dying = store(ground).await;
    let spring = CampaignId::new(SPRING).unwrap();
    dying.put_campaign(&spring, queue, &skilled(skills)).await.unwrap();
    dying.close().await;
}

#[tokio::test]
async fn a_change_of_skills_whose_node_died_moves_the_leads_all_the_same() {
    let Some(ground) = ground("a ranking that its node does not begin") else { return };
    let (one, other, queue) = desks(&ground).await;
    assert!(are_in(&one, queue, &[]).await);
    let before = one.staged_count() + other.staged_count();

    change_skills_and_die(&ground, queue, &["solar"]).await;

    within(SOON, async || {
        let swept = tokio::join!(one.dialer.sweep(100), other.dialer.sweep(100));
        swept.0.unwrap();
        swept.1.unwrap();
        let basis = one.gate.is_built(queue).await.unwrap();
        basis == Some(Basis { rule_version: 0, lane_version: 1 })
    })
    .await;
    assert!(are_in(&one, queue, &["solar"]).await);
    for _ in 0..20 {
        one.dialer.sweep(100).await.unwrap();
        other.dialer.sweep(100).await.unwrap();
    }
    let ranked = one.staged_count() + other.staged_count() - before;
    assert_eq!(ranked, 1, "one node ranks, and once");
    let drift = one.dialer.metrics().drift_count() + other.dialer.metrics().drift_count();
    assert_eq!(drift, 0, "what is to be ranked again was not lost");
}

#[tokio::test]
async fn a_change_of_skills_that_could_not_be_ranked_by_is_so_with_a_later_sweep() {
    let Some(ground) = ground("a ranking that fails") else { return };
    let one = Desk::open(&ground).await;
    let queue = set_up(&one.dialer).await;
    fail_to_rank(&one, queue).await;

    let other = Desk::open(&ground).await;
    within(SOON, async || {
        other.dialer.sweep(100).await.unwrap();
        other.gate.is_built(queue).await.unwrap().unwrap().lane_version == 1
    })
    .await;
    assert!(are_in(&other, queue, &["solar"]).await);
    assert!(one.dialer.metrics().is_unranked(), "it does not know yet");
    one.dialer.sweep(100).await.unwrap();
    assert!(!one.dialer.metrics().is_unranked());
}

/// Changes the skills of the campaign, and fails to move its leads.
async fn fail_to_rank(desk: &Desk, queue: QueueKey) {
    desk.gate.refused_count.store(1, Ordering::SeqCst);
    let (spring, sales) = (CampaignId::new(SPRING).unwrap(), QueueId::new("sales").unwrap());
    desk.dialer.put_campaign(spring, sales, skilled(&["solar"])).await.unwrap();
    within(SOON, async || desk.dialer.metrics().is_unranked()).await;
    assert!(are_in(desk, queue, &[]).await);
}

#[tokio::test]
async fn a_node_alone_ranks_again_with_its_next_sweep_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("nextlead.db")).await.unwrap();
    let gate = Gate::before(Arc::new(MemoryQueue::new()));
    let clock = ManualClock::at(NOON);
    let (at, tokens) = (Arc::new(clock.clone()), random_tokens());
    let starting = Dialer::start(Arc::new(store), gate.clone(), at, tokens, Among::Alone);
    let one = Desk { dialer: starting.await.unwrap(), gate, clock };
    let queue = set_up(&one.dialer).await;
    fail_to_rank(&one, queue).await;

    within(SOON, async || {
        one.dialer.sweep(100).await.unwrap();
        are_in(&one, queue, &["solar"]).await && !one.dialer.metrics().is_unranked()
    })
    .await;
    let basis = one.gate.is_built(queue).await.unwrap();
    assert_eq!(basis, Some(Basis { rule_version: 0, lane_version: 1 }));
}

#[tokio::test]
async fn a_node_that_loses_the_duty_of_ranking_ends_and_another_ranks() {
    let Some(ground) = ground("a duty that is lost during a ranking") else { return };
    let (one, other, queue) = desks(&ground).await;
    one.gate.is_shut.send_replace(true);
    assert_eq!(one.publish(false).await, 1);
    one.gate.is_reached.subscribe().wait_for(|is_reached| *is_reached).await.unwrap();
    let half_filled = one.gate.staged(queue).await.unwrap().unwrap();

    // To somebody whose clock is ahead its node seems to be gone.
    let third = store(&ground).await;
    let name = format!("rank {}", queue.0);
    let take = TakeDuty { name, node: "third".into(), now: NOON + 60_000, for_ms: 4_000 };
    let taken = third.take_duty(&take).await.unwrap().unwrap();
    // It carries its duty on once a second.
    one.clock.advance(1_000);
    within(SOON, async || one.dialer.queues()[0].ranking_version.is_none()).await;
    within(SOON, async || one.gate.staged(queue).await.unwrap().is_none()).await;
    assert!(!one.dialer.metrics().is_unranked(), "it was overtaken, and did not fail");
    let basis = one.gate.is_built(queue).await.unwrap().unwrap();
    assert_eq!(basis.rule_version, 0, "nothing half filled is in use");

    third.give_duty_up(&taken).await.unwrap();
    within(SOON, async || {
        other.dialer.sweep(100).await.unwrap();
        other.gate.is_built(queue).await.unwrap().unwrap().rule_version == 1
    })
    .await;
    one.gate.is_shut.send_replace(false);
    one.dialer.sweep(100).await.unwrap();
    assert!(are_in(&one, queue, &[]).await);
    assert!(one.gate.swap(queue, half_filled, 0).await.is_err());
    third.close().await;
}

#[tokio::test]
async fn an_index_that_nobody_fills_is_dropped_and_one_that_somebody_fills_is_not() {
    let Some(ground) = ground("an orphaned index") else { return };
    let (one, _other, queue) = desks(&ground).await;
    let third = store(&ground).await;
    let name = format!("rank {}", queue.0);
    let take = TakeDuty { name, node: "third".into(), now: NOON, for_ms: i64::MAX / 2 };
    let taken = third.take_duty(&take).await.unwrap().unwrap();
    let filled = index(&ground).await.stage(queue, Basis::default()).await.unwrap();
    for _ in 0..5 {
        one.clock.advance(1_000);
        one.dialer.sweep(100).await.unwrap();
    }
    assert_eq!(one.gate.staged(queue).await.unwrap(), Some(filled));

    third.give_duty_up(&taken).await.unwrap();
    within(SOON, async || {
        one.clock.advance(1_000);
        one.dialer.sweep(100).await.unwrap();
        one.gate.staged(queue).await.unwrap().is_none()
    })
    .await;
    assert!(are_in(&one, queue, &[]).await);
    third.close().await;
}

#[tokio::test]
async fn an_index_by_rules_or_lanes_that_nobody_made_is_built_again() {
    let Some(ground) = ground("an index of another store") else { return };
    let (one, _other, queue) = desks(&ground).await;
    let index = index(&ground).await;
    for (rule_version, lane_version) in [(7, 0), (0, 7)] {
        let foreign = index.stage(queue, Basis { rule_version, lane_version }).await.unwrap();
        // What changed since it began does not matter to who put it in use.
        let swapped = index.swap(queue, foreign, usize::MAX).await.unwrap();
        assert!(!matches!(swapped, Swap::Behind(_)));
        within(SOON, async || {
            one.dialer.sweep(100).await.unwrap();
            one.gate.is_built(queue).await.unwrap() == Some(Basis::default())
        })
        .await;
        assert!(are_in(&one, queue, &[]).await);
    }
}

#[tokio::test]
async fn commits_that_do_not_pause_hold_up_no_ranking() {
    let Some(ground) = ground("a ranking that is always behind") else { return };
    let (one, _other, queue) = desks(&ground).await;
    one.gate.behind_count.store(1_000, Ordering::SeqCst);
    let published = tokio::time::timeout(SOON, one.publish(true)).await;
    assert_eq!(published.expect("it is in force"), 1);
    assert!(are_in(&one, queue, &[]).await);
}
