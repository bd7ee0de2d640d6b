//! Engagements: counted, kept once, and a new interest brings back what may come back.

use nextlead::domain::{
    CloseReason, Disposition, Engagement, EngagementId, LeadId, Route, Standing, Tier, WaitReason,
};
use nextlead::store::{
    Denied, EngagementRecorded, Erase, RecordEngagement, StoreError, Suppress, SuppressionOf,
};

use super::desk::{Desk, MINUTE_MS, START, campaign_settings};

impl Desk {
    pub(super) fn engagement(&self, lead: LeadId, wakes: bool, now: i64) -> RecordEngagement {
        let engagement = Engagement {
            source_system: "web".into(),
            id: EngagementId::new(&format!("visit-{}", self.next())).expect("an id"),
            lead,
            kind: "visited".into(),
            engaged_at: now,
            wakes,
        };
        RecordEngagement { engagement, body_hash: [1; 32], actor: "tracker".into(), now }
    }

    async fn engage(&self, change: RecordEngagement) -> EngagementRecorded {
        self.store.record_engagement(change).await.expect("an engagement is recorded")
    }
}

/// The default policy's eight attempts, which end in nurture.
async fn nurtured(desk: &Desk) -> (LeadId, i64) {
    let lead = desk.lead().await;
    let mut now = START;
    loop {
        let state = desk.work(0, lead, Disposition::NoAnswer, now).await.state;
        match state.standing {
            Standing::Waiting { until, .. } => now = until,
            Standing::Closed { route: Route::Nurture { .. }, .. } => return (lead, now),
            other => panic!("neither waits nor rests: {other:?}"),
        }
    }
}

pub(super) async fn an_engagement_counts_once_and_is_kept(desk: &Desk) {
    let lead = desk.lead().await;
    let at = START + MINUTE_MS;
    let change = desk.engagement(lead, false, at);
    let first = desk.engage(change.clone()).await;
    assert!(!first.woke && !first.is_replay);
    assert_eq!(first.state, desk.record(lead).await.state);
    assert_eq!(first.state.standing, Standing::Ready);

    let again = desk.engage(change.clone()).await;
    assert!(again.is_replay);
    assert_eq!(again.state, first.state);
    let mut other = change.clone();
    other.body_hash = [2; 32];
    let refused = desk.store.record_engagement(other).await;
    assert!(matches!(refused, Err(StoreError::Denied(Denied::RequestReused))), "{refused:?}");
    // Another system's ids have nothing to do with these.
    let mut other = change.clone();
    other.engagement.source_system = "mail".into();
    assert!(!desk.engage(other.clone()).await.is_replay);

    let record = desk.record(lead).await;
    assert_eq!(record.lead.facts.recorded_engagements, 2);
    let kept = desk.store.engagements(lead, 10).await.expect("a read");
    let kept: Vec<_> = kept.into_iter().map(|one| (one.engagement, one.recorded_at)).collect();
    assert_eq!(kept, [(other.engagement, at), (change.engagement, at)]);
    assert_eq!(desk.store.engagements(lead, 1).await.expect("a read").len(), 1);
    assert_eq!(desk.story(lead).await, ["opened", "engaged", "engaged"]);
    let event = desk.store.ledger(lead, 1, 1).await.expect("a read").pop().expect("an event");
    assert_eq!((event.actor.as_str(), event.detail["kind"].as_str()), ("tracker", "visited"));

    let unknown = desk.store.record_engagement(desk.engagement(LeadId(999), true, at)).await;
    assert!(matches!(unknown, Err(StoreError::Denied(Denied::UnknownLead(_)))), "{unknown:?}");
}

pub(super) async fn a_handover_sent_again_leaves_recorded_engagements(desk: &Desk) {
    let mut row = desk.somebody();
    let lead = desk.one(row.clone()).await.lead();
    desk.engage(desk.engagement(lead, false, START)).await;
    row.facts.stage = Some("warm".into());
    row.facts.engagements = 5;
    desk.one(row).await;
    assert_eq!(desk.record(lead).await.lead.facts.engagement_count(), 6);
}

pub(super) async fn a_new_interest_wakes_nurture_with_its_history(desk: &Desk) {
    let (lead, now) = nurtured(desk).await;
    let at = now + 10 * MINUTE_MS;
    let seen = desk.engage(desk.engagement(lead, false, at)).await;
    assert!(!seen.woke && !seen.state.standing.is_open(), "not a new interest");

    let mut change = desk.engagement(lead, true, at + 2 * MINUTE_MS);
    change.engagement.engaged_at = at + MINUTE_MS;
    let woken = desk.engage(change.clone()).await;
    assert!(woken.woke);
    let state = desk.record(lead).await.state;
    assert_eq!((state.standing, state.tier, state.attempts), (Standing::Ready, Tier::Ordinary, 0));
    assert_eq!(state.ready_since, at + MINUTE_MS);
    assert_eq!(desk.store.touches(lead, 20).await.expect("a read").len(), 8);
    assert!(desk.engage(change).await.woke, "a replay says what it did");
    // The sweep knows nothing of the old date any more, and it can be worked again.
    desk.store.sweep(i64::MAX / 2, 10, None).await.expect("a sweep");
    assert_eq!(desk.standing(lead).await, Standing::Ready);
    let state = desk.work(1, lead, Disposition::NoAnswer, at + 3 * MINUTE_MS).await.state;
    assert_eq!(state.attempts, 1);
}

pub(super) async fn a_new_interest_ends_a_retry_and_no_callback(desk: &Desk) {
    let leads = desk.leads(3).await;
    desk.work(0, leads[0], Disposition::NoAnswer, START).await;
    let woken = desk.engage(desk.engagement(leads[0], true, START + 5)).await;
    assert!(woken.woke);
    assert_eq!((woken.state.standing, woken.state.ready_since), (Standing::Ready, START + 5));
    assert_eq!(woken.state.attempts, 1, "the chain of attempts goes on");

    let lease = desk.lease(0, leads[1], START).await;
    let mut call = desk.call_under(&lease, Disposition::CallbackAny, START).await;
    call.touch.callback_at = Some(START + 60 * MINUTE_MS);
    desk.record_touch(call).await;
    let kept = desk.engage(desk.engagement(leads[1], true, START + 5)).await;
    let until = START + 60 * MINUTE_MS;
    let waiting = Standing::Waiting { until, why: WaitReason::Callback };
    assert!(!kept.woke);
    assert_eq!((kept.state.standing, kept.state.tier), (waiting, Tier::Callback));

    let lease = desk.lease(0, leads[2], START).await;
    let held = desk.engage(desk.engagement(leads[2], true, START + 5)).await;
    assert!(!held.woke);
    assert_eq!(held.state.standing, Standing::Leased);
    let touch = desk.call_under(&lease, Disposition::Sale, START + 6).await;
    assert!(!desk.record_touch(touch).await.late, "the lease stood all along");
    let won = desk.engage(desk.engagement(leads[2], true, START + 7)).await;
    assert!(!won.woke);
    let why = CloseReason::Disposition(Disposition::Sale);
    assert_eq!(won.state.standing, Standing::Closed { why, route: Route::Won });
}

pub(super) async fn nobody_suppressed_or_of_an_ended_campaign_is_woken(desk: &Desk) {
    let (lead, now) = nurtured(desk).await;
    let (ended, _) = nurtured(desk).await;
    let number = desk.record(lead).await.lead.facts.numbers[0].number.clone();
    let what = SuppressionOf::Number(number);
    let (source, actor) = ("letter".to_owned(), "desk".to_owned());
    let suppress = Suppress { what, source, actor, now, until: None, request: None };
    desk.store.suppress(suppress).await.expect("a suppression");
    let kept = desk.engage(desk.engagement(lead, true, now + 1)).await;
    assert!(!kept.woke);
    let closed = Standing::Closed { why: CloseReason::Suppressed, route: Route::Suppressed };
    assert_eq!(kept.state.standing, closed);

    let settings = campaign_settings(Some(now));
    let campaign = &desk.campaign;
    let put = desk.store.put_campaign(&campaign.id, campaign.queue, &settings).await;
    put.expect("a campaign that ends");
    desk.store.sweep(i64::MAX / 2, 10, None).await.expect("a sweep");
    let kept = desk.engage(desk.engagement(ended, true, now + 1)).await;
    assert!(!kept.woke && !kept.state.standing.is_open());
    let swept = desk.store.sweep(i64::MAX / 2, 10, None).await.expect("a sweep");
    assert_eq!(swept.woken_count, 0);
}

pub(super) async fn an_erasure_takes_engagements_and_lets_none_in(desk: &Desk) {
    let lead = desk.lead().await;
    let change = desk.engagement(lead, true, START);
    desk.engage(change.clone()).await;
    let erase = Erase { lead, actor: "desk".into(), now: START + 1, request: None };
    desk.store.erase(erase).await.expect("an erasure");
    assert_eq!(desk.store.engagements(lead, 10).await.expect("a read"), []);
    assert_eq!(desk.record(lead).await.lead.facts.recorded_engagements, 0);
    let refused = desk.store.record_engagement(change).await;
    assert!(matches!(refused, Err(StoreError::Denied(Denied::LeadErased))), "{refused:?}");
    assert_eq!(desk.story(lead).await, ["opened", "engaged", "erased"]);
}
