//! What time changes, and suppressions.

use nextlead::domain::{
    Disposition, EventKind, Facts, LeadId, LeadNumber, PASS_MS, Route, Standing,
};
use nextlead::store::{Pass, Suppress, Suppressed, SuppressionOf, Swept};

use super::desk::{Desk, MINUTE_MS, START, campaign_settings, number};

const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

async fn sweep(desk: &Desk, now: i64) -> Swept {
    desk.store.sweep(now, 100, None).await.expect("a sweep")
}

async fn end_campaign(desk: &Desk, ends_at: Option<i64>) {
    let campaign = &desk.campaign;
    let settings = campaign_settings(ends_at);
    let put = desk.store.put_campaign(&campaign.id, campaign.queue, &settings).await;
    put.expect("a campaign");
}

pub(super) async fn a_sweep_frees_wakes_and_closes(desk: &Desk) {
    let leads = desk.leads(3).await;
    let lease = desk.lease(0, leads[0], START).await;
    desk.work(1, leads[1], Disposition::NoAnswer, START).await;
    assert_eq!(sweep(desk, lease.expires_at - 1).await, Swept::default());

    let freed = sweep(desk, lease.expires_at).await;
    assert_eq!((freed.freed_count, freed.expired.len()), (1, 0));
    assert!(desk.record(leads[0]).await.lease.expect("held on").is_rep_free);
    assert_eq!(sweep(desk, lease.expires_at).await, Swept::default());

    let ended = sweep(desk, lease.held_until).await;
    let until = lease.expires_at + PASS_MS;
    assert_eq!(ended.expired, [Pass { rep: desk.reps[0], lead: leads[0], until }]);
    assert_eq!((ended.freed_count, ended.woken_count), (0, 0));
    assert_eq!(desk.standing(leads[0]).await, Standing::Ready);
    assert_eq!(desk.story(leads[0]).await, ["opened", "leased", "expired"]);

    let due_at = desk.standing(leads[1]).await.due_at().expect("it waits");
    assert_eq!(sweep(desk, due_at - 1).await.woken_count, 0);
    assert_eq!(sweep(desk, due_at).await.woken_count, 1);
    let told = desk.store.ledger(leads[1], 0, 10).await.unwrap();
    let last = told.last().map(|event| (event.kind, event.at));
    assert_eq!(last, Some((EventKind::Woken, due_at)), "told at the sweep's instant");
    let state = desk.record(leads[1]).await.state;
    assert_eq!((state.standing, state.ready_since), (Standing::Ready, due_at));

    // A leased lead closes with its campaign when its lease has ended.
    let lease = desk.lease(0, leads[2], due_at).await;
    end_campaign(desk, Some(due_at + 1)).await;
    assert_eq!(sweep(desk, due_at + 1).await.ended_count, 2);
    assert_eq!(desk.standing(leads[2]).await, Standing::Leased);
    assert_eq!(sweep(desk, lease.held_until).await.ended_count, 1);
    for lead in leads {
        assert!(matches!(desk.standing(lead).await, Standing::Closed { route: Route::Lost, .. }));
    }
}

pub(super) async fn a_sweep_is_bounded(desk: &Desk) {
    let leads = desk.leads(5).await;
    for (rep, lead) in leads.iter().enumerate() {
        desk.lease(rep, *lead, START).await;
    }
    let now = START + DAY_MS;
    let counts = [2, 2, 1];
    for (turn, count) in counts.into_iter().enumerate() {
        let swept = desk.store.sweep(now, 2, None).await.expect("a sweep");
        assert_eq!(swept.expired.len(), count);
        assert_eq!(swept.is_unfinished, turn < 2, "turn {turn}");
    }
    assert_eq!(desk.store.sweep(now, 2, None).await.expect("a sweep"), Swept::default());
}

async fn nurture(desk: &Desk) -> LeadId {
    let lead = desk.lead().await;
    let mut now = START;
    for _ in 0..8 {
        now += 3 * DAY_MS;
        desk.work(0, lead, Disposition::NoAnswer, now).await;
    }
    lead
}

pub(super) async fn a_nurture_does_not_outlive_its_campaign(desk: &Desk) {
    let lead = nurture(desk).await;
    let standing = desk.standing(lead).await;
    let due_at = standing.due_at().expect("nurture with a date");
    end_campaign(desk, Some(due_at)).await;

    let swept = sweep(desk, due_at).await;

    assert_eq!((swept.woken_count, swept.ended_count), (0, 0));
    assert_eq!(desk.standing(lead).await, standing);
    // It is not looked at for ever.
    assert_eq!(desk.store.sweep(due_at + 1, 0, None).await.expect("a sweep"), Swept::default());
    // The campaign goes on after all: so does the lead.
    end_campaign(desk, None).await;
    assert_eq!(sweep(desk, due_at + 2).await.woken_count, 1);
    assert_eq!(desk.standing(lead).await, Standing::Ready);
    assert_eq!(desk.record(lead).await.state.attempts, 0);
}

pub(super) async fn a_suppression_closes_every_open_carrier(desk: &Desk) {
    let one = |index| LeadNumber { number: number(index), stopped: None };
    let facts = |name: &str, index| Facts {
        name: Some(name.into()),
        email: Some(format!("{name}@x.example")),
        numbers: vec![one(index)],
        source: "web".into(),
        ..Facts::default()
    };
    let ann = desk.one(desk.with(facts("ann", 1))).await.lead();
    let bob = desk.one(desk.of(&desk.elsewhere, facts("bob", 1))).await.lead();
    let cid = desk.one(desk.with(facts("cid", 2))).await.lead();
    desk.lease(0, bob, START).await;
    let mut suppress = Suppress {
        what: SuppressionOf::Number(number(1)),
        source: "letter".into(),
        until: None,
        actor: "marketing".into(),
        now: START + 1,
        request: desk.request("suppress-1", 1),
    };

    let first = desk.store.suppress(suppress.clone()).await.expect("an answer");

    assert_eq!(first, Suppressed { was_known: false, closed_count: 2 });
    for lead in [ann, bob] {
        let standing = desk.standing(lead).await;
        assert!(matches!(standing, Standing::Closed { route: Route::Suppressed, .. }));
    }
    assert_eq!(desk.store.lease_of(desk.reps[0]).await.expect("a read"), None);
    assert_eq!(desk.store.suppress(suppress.clone()).await.expect("an answer"), first);
    suppress.request = None;
    let known = desk.store.suppress(suppress.clone()).await.expect("an answer");
    assert_eq!(known, Suppressed { was_known: true, closed_count: 0 });
    suppress.what = SuppressionOf::Email("cid@x.example".into());
    assert_eq!(desk.store.suppress(suppress).await.expect("an answer").closed_count, 1);
    assert!(!desk.standing(cid).await.is_open());
}

pub(super) async fn old_requests_and_passes_are_forgotten(desk: &Desk) {
    let lead = desk.lead().await;
    let mut grant = desk.grant(0, &[lead], START);
    grant.request = desk.request("pull-1", 1);
    let key = grant.request.clone().expect("a request");
    let lease = super::desk::granted(desk.store.lease(grant).await.expect("a lease")).lease;
    desk.store.release(desk.release(&lease, START)).await.expect("a release");

    sweep(desk, START + 2 * DAY_MS - 1).await;
    assert!(desk.store.pulled_before(&key).await.expect("a read").is_some());
    // Passes that are over are gone even for somebody who asks about the past.
    assert_eq!(desk.store.passes(START).await.expect("a read"), []);
    sweep(desk, START + 2 * DAY_MS).await;
    assert_eq!(desk.store.pulled_before(&key).await.expect("a read"), None);
}
