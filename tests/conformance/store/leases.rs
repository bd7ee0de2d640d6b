//! Leases: given, held, renewed, released, expired.

use std::collections::BTreeMap;
use std::sync::Arc;

use nextlead::domain::{
    Disposition, Facts, LeadId, LeadNumber, Lease, PASS_MS, Route, ServeOrder, Standing,
};
use nextlead::store::{Denied, Fit, LeaseOutcome, Pass, Renew, RenewOutcome, StoreError, Turned};

use super::desk::{
    Desk, GRACE_MS, LEASE_MS, LEASE_TOTAL_MS, START, campaign_settings, granted, held, number,
};

/// Whether a change was refused for this reason.
fn refused<T: std::fmt::Debug>(answer: Result<T, StoreError>, why: Denied) -> bool {
    match answer {
        Err(StoreError::Denied(denied)) => denied == why,
        other => panic!("expected a refusal: {other:?}"),
    }
}

pub(super) async fn the_first_candidate_that_holds_is_leased_and_the_others_say_why_not(
    desk: &Desk,
) {
    let leads = desk.leads(5).await;
    desk.lease(0, leads[0], START).await;
    desk.work(1, leads[1], Disposition::NoAnswer, START).await;
    desk.work(1, leads[2], Disposition::NotInterested, START).await;
    let unknown = LeadId(999);
    let candidates = [unknown, leads[0], leads[1], leads[2], leads[3], leads[4]];

    let outcome = desk.pull(2, &candidates, START + 1).await;

    let LeaseOutcome::Granted { granted, turned } = outcome else { panic!("{outcome:?}") };
    assert_eq!(granted.lease.lead, leads[3]);
    assert_eq!(granted.record, desk.record(leads[3]).await);
    assert_eq!(granted.record.state.standing, Standing::Leased);
    assert_eq!(
        turned,
        [
            (unknown, Turned::Unknown),
            (leads[0], Turned::Leased),
            (leads[1], Turned::NotDue),
            (leads[2], Turned::Closed),
        ]
    );
    let event = desk.store.ledger(leads[3], 1, 1).await.expect("a read").remove(0);
    assert_eq!((event.kind.code(), event.actor.as_str()), ("leased", "rep-2"));
    assert_eq!(
        (event.detail["points"].as_str(), event.detail["order"].as_str()),
        ("40", "ordinary")
    );
    assert_eq!(desk.standing(leads[4]).await, Standing::Ready);
}

pub(super) async fn a_lead_of_an_ended_campaign_is_closed_when_it_is_asked_for(desk: &Desk) {
    let row = desk.somebody();
    let ended = desk.one(row.clone()).await.lead();
    let settings = campaign_settings(Some(START + 10));
    let campaign = &desk.campaign;
    let put = desk.store.put_campaign(&campaign.id, campaign.queue, &settings).await;
    put.expect("a campaign");
    let outcome = desk.pull(0, &[ended], START + 10).await;
    assert_eq!(outcome, LeaseOutcome::NoneHeld { turned: vec![(ended, Turned::CampaignEnded)] });
    assert!(matches!(desk.standing(ended).await, Standing::Closed { route: Route::Lost, .. }));
}

pub(super) async fn a_lead_of_a_paused_campaign_is_not_leased(desk: &Desk) {
    let leads = desk.leads(2).await;
    let lease = desk.lease(0, leads[0], START).await;
    let pause = async |is_paused| {
        let campaign = desk.store.pause_campaign(&desk.campaign.id, is_paused).await;
        campaign.expect("an answer").expect("the campaign is there")
    };
    let paused = pause(true).await;
    assert_eq!((paused.is_paused, paused.lane_version), (true, desk.campaign.lane_version + 1));
    assert_eq!(pause(true).await, paused, "again changes nothing");
    let roster = desk.store.roster().await.expect("a read");
    assert!(roster.campaigns.contains(&paused));
    let turned = desk.pull(1, &leads[1..], START).await;
    let LeaseOutcome::NoneHeld { turned } = turned else { panic!("it was leased: {turned:?}") };
    assert_eq!(turned, [(leads[1], Turned::Paused(desk.campaign.key))]);
    assert!(desk.store.renew(desk.renewal(&lease, START + 1)).await.is_ok(), "it goes on");
    let touch = desk.call_under(&lease, Disposition::NoAnswer, START + 2).await;
    assert!(!desk.record_touch(touch).await.late);

    let resumed = pause(false).await;
    assert_eq!((resumed.is_paused, resumed.lane_version), (false, paused.lane_version + 1));
    desk.lease(1, leads[1], START + 3).await;
    let nobody = nextlead::domain::CampaignId::new("never").expect("an id");
    assert_eq!(desk.store.pause_campaign(&nobody, true).await.expect("an answer"), None);
}

pub(super) async fn a_lead_without_a_number_to_dial_is_turned_down(desk: &Desk) {
    let lead = desk.leads(1).await[0];
    desk.record_touch(desk.call(lead, Disposition::WrongNumber, START).await).await;
    let outcome = desk.pull(0, &[lead], START + 1).await;
    assert_eq!(outcome, LeaseOutcome::NoneHeld { turned: vec![(lead, Turned::NoNumber)] });
    assert_eq!(desk.standing(lead).await, Standing::Ready);
}

pub(super) async fn a_lead_that_does_not_fit_is_turned_down_as_it_stands(desk: &Desk) {
    let leads = desk.leads(3).await;
    let wanted = leads[1];
    let mut grant = desk.grant(0, &leads, START);
    let kept = BTreeMap::from([("law".to_owned(), "US".to_owned())]);
    let told = kept.clone();
    grant.fit = Some(Fit(Arc::new(move |lead, state, order, now| {
        assert_eq!((lead.id, order, now), (state.lead, ServeOrder::Ordinary, START));
        (state.standing == Standing::Ready && lead.id == wanted).then(|| told.clone())
    })));

    let outcome = desk.store.lease(grant).await.expect("a pull is answered");

    let LeaseOutcome::Granted { granted, turned } = outcome else { panic!("{outcome:?}") };
    assert_eq!((granted.lease.lead, turned), (wanted, vec![(leads[0], Turned::Unfit)]));
    assert_eq!(desk.story(leads[0]).await, ["opened"]);
    let ledger = desk.store.ledger(wanted, 0, 9).await.expect("a ledger");
    assert_eq!(ledger[1].detail["law"], kept["law"], "what made it fit is kept");
    assert_eq!(ledger[1].detail["points"], "40", "beside what the index said");
    // Whoever it does fit gets it.
    desk.lease(1, leads[0], START).await;
}

pub(super) async fn a_rep_with_a_lease_gets_it_again(desk: &Desk) {
    let leads = desk.leads(2).await;
    let first = desk.lease(0, leads[0], START).await;
    let again = held(desk.pull(0, &leads[1..], START + 1).await);
    assert_eq!(again.lease, first);
    assert_eq!(desk.standing(leads[1]).await, Standing::Ready);
    assert_eq!(desk.store.lease_of(desk.reps[0]).await.expect("a read"), Some(first));
    assert_eq!(desk.store.lease_of(desk.reps[1]).await.expect("a read"), None);
}

/// Runs pulls at once and says which lead each got.
async fn at_once(desk: &Desk, pulls: Vec<(usize, LeadId)>) -> Vec<Option<LeadId>> {
    let mut running = Vec::new();
    for (rep, lead) in pulls {
        let grant = desk.grant(rep, &[lead], START + 1);
        let store = Arc::clone(&desk.store);
        running.push(tokio::spawn(async move { store.lease(grant).await }));
    }
    let mut got = Vec::new();
    for one in running {
        got.push(match one.await.expect("a pull").expect("an answer") {
            LeaseOutcome::Granted { granted, .. } => Some(granted.lease.lead),
            LeaseOutcome::Holds(_) | LeaseOutcome::Owes | LeaseOutcome::NoneHeld { .. } => None,
        });
    }
    got
}

pub(super) async fn one_lead_goes_to_one_of_many_reps(desk: &Desk) {
    let lead = desk.lead().await;
    let got = at_once(desk, (0..32).map(|rep| (rep, lead)).collect()).await;
    assert_eq!(got.iter().flatten().count(), 1);
    assert_eq!(desk.story(lead).await, ["opened", "leased"]);
}

pub(super) async fn one_rep_gets_one_of_many_leads(desk: &Desk) {
    let leads = desk.leads(16).await;
    let got = at_once(desk, leads.iter().map(|lead| (3, *lead)).collect()).await;
    assert_eq!(got.iter().flatten().count(), 1);
}

pub(super) async fn a_number_is_in_one_hand(desk: &Desk) {
    let facts = |name: &str, numbers: &[u64]| {
        let one = |index: &u64| LeadNumber { number: number(*index), stopped: None };
        let numbers = numbers.iter().map(one).collect();
        Facts { name: Some(name.into()), numbers, source: "web".into(), ..Facts::default() }
    };
    let ann = desk.one(desk.with(facts("Ann", &[1, 2, 1]))).await.lead();
    let bob = desk.one(desk.of(&desk.elsewhere, facts("Bob", &[2, 3]))).await.lead();
    let cid = desk.one(desk.with(facts("Cid", &[3]))).await.lead();
    let lease = desk.lease(0, ann, START).await;

    let outcome = desk.pull(1, &[bob, cid], START + 1).await;

    let LeaseOutcome::Granted { granted, turned } = outcome else { panic!("{outcome:?}") };
    assert_eq!((granted.lease.lead, turned), (cid, vec![(bob, Turned::NumberHeld)]));
    desk.store.release(desk.release(&lease, START + 2)).await.expect("a release");
    // Bob's other number is still in Cid's lease.
    let outcome = desk.pull(2, &[bob], START + 3).await;
    assert_eq!(outcome, LeaseOutcome::NoneHeld { turned: vec![(bob, Turned::NumberHeld)] });
    desk.store.release(desk.release(&granted.lease, START + 4)).await.expect("a release");
    desk.lease(2, bob, START + 5).await;
}

pub(super) async fn an_expired_lease_frees_the_rep_and_holds_the_lead(desk: &Desk) {
    let leads = desk.leads(2).await;
    let lease = desk.lease(0, leads[0], START).await;
    let end = lease.expires_at;
    assert_eq!(held(desk.pull(0, &leads[1..], end - 1).await).lease, lease);

    let outcome = desk.pull(0, &leads, end).await;

    let LeaseOutcome::Granted { granted, turned } = outcome else { panic!("{outcome:?}") };
    assert_eq!(granted.lease.lead, leads[1]);
    assert_eq!(turned, [(leads[0], Turned::Leased)]);
    let old = desk.record(leads[0]).await;
    assert_eq!(old.state.standing, Standing::Leased);
    assert!(old.lease.expect("its grace runs").is_rep_free);
}

pub(super) async fn a_lease_past_its_grace_ends_when_the_lead_is_asked_for(desk: &Desk) {
    let lead = desk.lead().await;
    let lease = desk.lease(0, lead, START).await;
    assert_eq!(lease.held_until, START + LEASE_MS + GRACE_MS);
    let early = desk.pull(1, &[lead], lease.held_until - 1).await;
    assert_eq!(early, LeaseOutcome::NoneHeld { turned: vec![(lead, Turned::Leased)] });
    desk.lease(1, lead, lease.held_until).await;
    assert_eq!(desk.story(lead).await, ["opened", "leased", "expired", "leased"]);
    let passes = desk.store.passes(lease.held_until).await.expect("a read");
    assert_eq!(passes.len(), 1);
    assert_eq!((passes[0].rep, passes[0].lead), (desk.reps[0], lead));
}

pub(super) async fn a_pull_is_answered_again_while_its_lease_stands(desk: &Desk) {
    let leads = desk.leads(2).await;
    let request = desk.request("pull-1", 1);
    let key = request.clone().expect("a request");
    let mut empty = desk.grant(0, &[LeadId(999)], START);
    empty.request = request.clone();
    let none = desk.store.lease(empty).await.expect("an answer");
    assert!(matches!(none, LeaseOutcome::NoneHeld { .. }));
    assert_eq!(desk.store.pulled_before(&key).await.expect("a read"), None);

    let mut grant = desk.grant(0, &leads[..1], START);
    grant.request = request;
    let lease =
        granted(desk.store.lease(grant.clone()).await.expect("an empty pull is free")).lease;
    let pulled = desk.store.pulled_before(&key).await.expect("a read");
    assert_eq!(pulled, Some((leads[0], lease.token)));
    let mut again = desk.grant(0, &leads[1..], START + 5);
    again.request = grant.request.clone();
    assert_eq!(held(desk.store.lease(again.clone()).await.expect("an answer")).lease, lease);
    let mut other = grant.clone();
    other.request = desk.request("pull-1", 2);
    assert!(refused(desk.store.lease(other).await, Denied::RequestReused));

    desk.store.release(desk.release(&lease, START + 6)).await.expect("a release");
    again.now = START + 7;
    assert!(refused(desk.store.lease(again).await, Denied::LeaseLost));
}

fn renewed(answer: Result<RenewOutcome, StoreError>) -> Lease {
    match answer.expect("an answer") {
        RenewOutcome::Renewed(lease) => lease,
        other => panic!("{other:?}"),
    }
}

/// A lead that is not fit to stay goes out of the rep's hands, and its renewal says so again when it is
/// asked again.
pub(super) async fn a_renewal_of_what_may_not_be_dialled_any_more_ends_the_lease(desk: &Desk) {
    let leads = desk.leads(3).await;
    let night = Fit(Arc::new(|_, _, _, now| (now < START + 10).then(BTreeMap::new)));
    let lease = desk.lease(0, leads[0], START).await;
    let early = Renew { fit: Some(night.clone()), ..desk.renewal(&lease, START + 9) };
    renewed(desk.store.renew(early).await);
    let in_call = desk.renewal(&lease, START + 10);
    renewed(desk.store.renew(in_call).await);

    let mut late = Renew { fit: Some(night), ..desk.renewal(&lease, START + 11) };
    late.request = desk.request("renew-2", 1);
    let first = desk.store.renew(late.clone()).await.expect("an answer");
    let RenewOutcome::Forbidden { ended, record } = &first else { panic!("{first:?}") };
    let pass = Pass { rep: desk.reps[0], lead: leads[0], until: START + 11 + PASS_MS };
    assert_eq!(ended.pass, pass);
    assert_eq!(**record, desk.record(leads[0]).await);
    assert_eq!((record.state.standing, &record.lease), (Standing::Ready, &None));
    assert_eq!(desk.store.renew(late.clone()).await.expect("the same answer"), first);
    late.request = desk.request("renew-2", 2);
    assert!(refused(desk.store.renew(late).await, Denied::RequestReused));
    assert_eq!(desk.story(leads[0]).await, ["opened", "leased", "released"]);
    let ledger = desk.store.ledger(leads[0], 0, 9).await.expect("a ledger");
    assert_eq!(ledger[2].detail["reason"], "forbidden");
    assert_eq!(ledger[2].actor, "rep");
    desk.lease(0, leads[1], START + 12).await;
}

pub(super) async fn a_renewal_needs_a_standing_lease_and_has_an_end(desk: &Desk) {
    let lead = desk.lead().await;
    let lease = desk.lease(0, lead, START).await;
    let wrong_rep = Renew { rep: desk.reps[1], ..desk.renewal(&lease, START + 1) };
    assert!(refused(desk.store.renew(wrong_rep).await, Denied::LeaseLost));
    let mut wrong_token = desk.renewal(&lease, START + 1);
    wrong_token.token.0[0] ^= 1;
    assert!(refused(desk.store.renew(wrong_token).await, Denied::LeaseLost));

    let mut now = START;
    for _ in 0..4 {
        now += LEASE_MS - 1;
        let renewal = desk.renewal(&lease, now);
        if now >= START + LEASE_TOTAL_MS {
            assert!(refused(desk.store.renew(renewal).await, Denied::LeaseLost));
            continue;
        }
        let lease = renewed(desk.store.renew(renewal).await);
        let expected = (now + LEASE_MS).min(START + LEASE_TOTAL_MS);
        assert_eq!(lease.expires_at, expected);
        assert_eq!(lease.held_until, expected + GRACE_MS);
        assert_eq!(desk.record(lead).await.lease, Some(lease));
    }
    let mut again = desk.renewal(&lease, START + LEASE_TOTAL_MS - 1);
    again.request = desk.request("renew-1", 1);
    let first = desk.store.renew(again.clone()).await.expect("a renewal");
    assert_eq!(desk.store.renew(again.clone()).await.expect("the same answer"), first);
    again.request = desk.request("renew-1", 2);
    assert!(refused(desk.store.renew(again).await, Denied::RequestReused));
    let in_grace = desk.renewal(&lease, START + LEASE_TOTAL_MS);
    assert!(refused(desk.store.renew(in_grace).await, Denied::LeaseLost));
    assert_eq!(desk.story(lead).await, ["opened", "leased"]);
}

pub(super) async fn a_release_keeps_the_place_and_passes_the_rep(desk: &Desk) {
    let lead = desk.lead().await;
    let lease = desk.lease(0, lead, START + 100).await;
    let mut release = desk.release(&lease, START + 200);
    release.request = desk.request("release-1", 1);

    let ended = desk.store.release(release.clone()).await.expect("a release");

    let until = START + 200 + PASS_MS;
    assert_eq!(ended.pass, Pass { rep: desk.reps[0], lead, until });
    let record = desk.record(lead).await;
    assert_eq!((record.state.standing, record.state.ready_since), (Standing::Ready, START));
    assert_eq!((record.state.times_released, record.lease), (1, None));
    assert_eq!(desk.store.passes(until - 1).await.expect("a read"), [ended.pass]);
    assert_eq!(desk.store.passes(until).await.expect("a read"), []);
    // Again: the same answer, and nothing changes, though another rep has it by now.
    desk.lease(1, lead, START + 300).await;
    release.now += 500;
    assert_eq!(desk.store.release(release.clone()).await.expect("an answer"), ended);
    release.request = None;
    assert!(refused(desk.store.release(release).await, Denied::LeaseLost));

    let second = desk.lead().await;
    let lease = desk.lease(0, second, START).await;
    let in_grace = desk.release(&lease, lease.held_until - 1);
    desk.store.release(in_grace).await.expect("a release within the grace");
    let lease = desk.lease(0, second, START + 1).await;
    let too_late = desk.release(&lease, lease.held_until);
    assert!(refused(desk.store.release(too_late).await, Denied::LeaseLost));
}

pub(super) async fn a_nurture_whose_date_has_come_can_be_leased(desk: &Desk) {
    let lead = desk.lead().await;
    let mut now = START;
    for _ in 0..8 {
        now += 3 * 86_400_000;
        desk.work(0, lead, Disposition::NoAnswer, now).await;
    }
    let due_at = desk.standing(lead).await.due_at().expect("nurture with a date");
    let early = desk.pull(0, &[lead], due_at - 1).await;
    assert_eq!(early, LeaseOutcome::NoneHeld { turned: vec![(lead, Turned::Closed)] });
    desk.lease(0, lead, due_at).await;
    let story = desk.story(lead).await;
    assert_eq!(story[story.len() - 2..], ["woken", "leased"]);
}
