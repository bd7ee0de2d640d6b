//! Handovers: opened, updated, merged.

use nextlead::domain::{Disposition, Facts, LeadNumber, Route, Standing};
use nextlead::store::{
    HandOver, HandedOver, Handover, LeaseOutcome, Suppress, SuppressionOf, Turned,
};

use super::desk::{Desk, START, number};

fn facts(name: &str, email: Option<&str>, numbers: &[u64]) -> Facts {
    let numbers = numbers.iter().map(|one| LeadNumber { number: number(*one), stopped: None });
    Facts {
        name: (!name.is_empty()).then(|| name.to_owned()),
        email: email.map(str::to_owned),
        numbers: numbers.collect(),
        source: "web".into(),
        ..Facts::default()
    }
}

pub(super) async fn a_handover_opens_a_lead_that_reads_back(desk: &Desk) {
    let mut row = desk.with(facts("Ann \"A\" Größe", Some("Ann@x.example"), &[1, 2]));
    row.facts.score = Some(0.25);
    row.facts.attributes.insert("size".into(), nextlead::domain::Value::Int(-5));

    let answer = desk.one(row.clone()).await;

    let HandedOver::Opened { lead, predecessor: None, conflicts, is_suppressed: false } = answer
    else {
        panic!("{answer:?}");
    };
    assert!(conflicts.is_empty());
    let record = desk.record(lead).await;
    assert_eq!(record.lead.facts, row.facts);
    assert_eq!((record.lead.queue, record.lead.campaign), (row.queue, row.campaign));
    assert_eq!((record.state.standing, record.state.ready_since), (Standing::Ready, START));
    assert_eq!(record.state.first_touch_due_at, row.first_touch_due_at);
    assert_eq!(desk.story(lead).await, ["opened"]);
    assert_eq!(desk.store.lead_by_key(&row.key).await.expect("a read"), Some(lead));
}

pub(super) async fn the_same_handover_again_adds_nothing(desk: &Desk) {
    let row = desk.somebody();
    let lead = desk.one(row.clone()).await.lead();
    assert_eq!(desk.one(row).await, HandedOver::Unchanged { lead });
    assert_eq!(desk.story(lead).await, ["opened"]);
}

pub(super) async fn new_facts_replace_the_old_ones_but_a_stopped_number_stays_stopped(desk: &Desk) {
    let mut row = desk.with(facts("Ann", Some("a@x.example"), &[1, 2]));
    let lead = desk.one(row.clone()).await.lead();
    desk.work(0, lead, Disposition::WrongNumber, START + 1).await;

    row.facts = facts("Ann", None, &[1, 3]);
    assert_eq!(desk.one(row.clone()).await, HandedOver::Updated { lead });

    let known = desk.record(lead).await.lead.facts.clone();
    assert_eq!(known.email, None);
    let numbers: Vec<_> = known.numbers.iter().map(|one| (&one.number, one.stopped)).collect();
    let stopped = Some(Disposition::WrongNumber);
    assert_eq!(numbers, [(&number(1), stopped), (&number(3), None)]);
    assert_eq!(desk.story(lead).await, ["opened", "leased", "touched", "updated"]);
    // What the lead is no longer known by matches nobody any more.
    let other = desk.one(desk.with(facts("Ann", Some("a@x.example"), &[2]))).await;
    assert!(matches!(other, HandedOver::Opened { .. }), "{other:?}");
}

pub(super) async fn an_equal_email_or_number_merges_unless_the_names_contradict(desk: &Desk) {
    let lead = desk.one(desk.with(facts("Ann Lee", Some("Ann@X.example"), &[1]))).await.lead();
    let by_email = desk.with(facts("Somebody Else", Some(" ann@x.EXAMPLE "), &[2]));
    assert_eq!(desk.one(by_email.clone()).await, HandedOver::Merged { into: lead });
    assert_eq!(desk.store.lead_by_key(&by_email.key).await.expect("a read"), Some(lead));
    // The number that came with the merge counts, too.
    let by_number = desk.with(facts("Lee, Ann B.", None, &[2]));
    assert_eq!(desk.one(by_number).await, HandedOver::Merged { into: lead });
    let contradicting = desk.one(desk.with(facts("Bob Lee", None, &[1]))).await;
    assert!(matches!(contradicting, HandedOver::Opened { .. }), "{contradicting:?}");

    let known = desk.record(lead).await.lead.facts.clone();
    assert_eq!(known.name.as_deref(), Some("Ann Lee"));
    assert_eq!(known.numbers.len(), 2);
    assert_eq!(desk.story(lead).await, ["opened", "merged", "merged"]);
}

pub(super) async fn a_merged_handover_that_is_sent_again_only_fills_in(desk: &Desk) {
    let lead = desk.one(desk.with(facts("Ann", Some("a@x.example"), &[1]))).await.lead();
    let mut second = desk.with(facts("Ann Lee", Some("a@x.example"), &[]));
    desk.one(second.clone()).await;
    assert_eq!(desk.one(second.clone()).await, HandedOver::Unchanged { lead });
    second.facts.stage = Some("hot".into());
    assert_eq!(desk.one(second).await, HandedOver::Updated { lead });
    let known = desk.record(lead).await.lead.facts.clone();
    assert_eq!((known.name.as_deref(), known.stage.as_deref()), (Some("Ann"), Some("hot")));
}

pub(super) async fn two_different_matches_open_a_lead_and_report_the_conflict(desk: &Desk) {
    let ann = desk.one(desk.with(facts("Ann", Some("a@x.example"), &[1]))).await.lead();
    let bob = desk.one(desk.with(facts("Bob", Some("b@x.example"), &[2]))).await.lead();
    // One that is closed is no predecessor, as nobody knows whose.
    let zed = desk.one(desk.with(facts("Zed", None, &[2]))).await.lead();
    desk.work(0, zed, Disposition::NotInterested, START + 1).await;
    let answer = desk.one(desk.with(facts("", Some("a@x.example"), &[2]))).await;
    let HandedOver::Opened { conflicts, predecessor: None, .. } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(conflicts, [ann, bob]);
}

pub(super) async fn a_number_of_more_than_three_leads_merges_nobody(desk: &Desk) {
    for name in ["Ann", "Bob", "Cid"] {
        let answer = desk.one(desk.with(facts(name, None, &[9]))).await;
        assert!(matches!(answer, HandedOver::Opened { .. }), "{answer:?}");
    }
    let merged = desk.one(desk.with(facts("Cid", None, &[9]))).await;
    assert!(matches!(merged, HandedOver::Merged { .. }), "three may share: {merged:?}");
    desk.one(desk.with(facts("Dan", None, &[9]))).await;
    let fifth = desk.one(desk.with(facts("Dan", None, &[9]))).await;
    let HandedOver::Opened { conflicts, .. } = fifth else { panic!("{fifth:?}") };
    assert!(conflicts.is_empty());
}

pub(super) async fn another_queue_is_not_matched(desk: &Desk) {
    desk.one(desk.with(facts("Ann", Some("a@x.example"), &[1]))).await;
    let elsewhere = desk.of(&desk.elsewhere, facts("Ann", Some("a@x.example"), &[1]));
    let answer = desk.one(elsewhere).await;
    assert!(matches!(answer, HandedOver::Opened { predecessor: None, .. }), "{answer:?}");
}

pub(super) async fn a_closed_match_is_named_as_predecessor_and_leaves_nurture(desk: &Desk) {
    let lost = desk.one(desk.with(facts("Ann", Some("a@x.example"), &[1]))).await.lead();
    desk.work(0, lost, Disposition::NotInterested, START + 1).await;
    let second = desk.one(desk.with(facts("Ann", Some("a@x.example"), &[2]))).await;
    assert!(
        matches!(second, HandedOver::Opened { predecessor: Some(lead), .. } if lead == lost),
        "{second:?}"
    );
    assert_eq!(desk.record(second.lead()).await.lead.predecessor, Some(lost));
    assert!(matches!(desk.standing(lost).await, Standing::Closed { route: Route::Lost, .. }));

    // Eight attempts exhaust the last resort of the policy: nurture.
    let mut now = START;
    for _ in 0..8 {
        now += 3 * 86_400_000;
        desk.work(0, second.lead(), Disposition::NoAnswer, now).await;
    }
    let nurture = desk.standing(second.lead()).await;
    assert!(matches!(nurture, Standing::Closed { route: Route::Nurture { .. }, .. }));
    let third = desk.one(desk.with(facts("Ann", Some("a@x.example"), &[]))).await;
    assert!(
        matches!(third, HandedOver::Opened { predecessor: Some(lead), .. } if lead == second.lead()),
        "{third:?}"
    );
    let closed = desk.standing(second.lead()).await;
    assert!(matches!(closed, Standing::Closed { route: Route::Superseded, .. }), "{closed:?}");
}

pub(super) async fn what_new_facts_forbid_holds_at_once(desk: &Desk) {
    let what = SuppressionOf::Number(number(77));
    let (source, actor) = ("letter".into(), "marketing".into());
    let suppress = Suppress { what, source, until: None, actor, now: START, request: None };
    desk.store.suppress(suppress).await.expect("a suppression");
    let mut row = desk.with(facts("Ann Lee", None, &[1]));
    let updated = desk.one(row.clone()).await.lead();
    let merged = desk.one(desk.with(facts("Bob Roe", None, &[2]))).await.lead();
    let lease = desk.lease(0, updated, START).await;

    row.facts = facts("Ann Lee", None, &[1, 77]);
    assert_eq!(desk.one(row).await, HandedOver::Updated { lead: updated });
    let other = desk.one(desk.with(facts("Bob Roe", None, &[2, 77]))).await;
    assert_eq!(other, HandedOver::Merged { into: merged });

    for lead in [updated, merged] {
        let standing = desk.standing(lead).await;
        assert!(matches!(standing, Standing::Closed { route: Route::Suppressed, .. }));
    }
    assert_eq!(desk.story(updated).await, ["opened", "leased", "updated", "released", "closed"]);
    assert_eq!(desk.store.lease_of(lease.rep).await.expect("a read"), None);
}

pub(super) async fn a_leased_lead_holds_its_new_numbers_or_leaves_the_rep_s_hands(desk: &Desk) {
    let mut row = desk.with(facts("Ann Lee", None, &[1]));
    let lead = desk.one(row.clone()).await.lead();
    let rival = desk.one(desk.with(facts("Bob Roe", None, &[2]))).await.lead();
    let third = desk.one(desk.with(facts("Cid Poe", None, &[3]))).await.lead();
    let lease = desk.lease(0, lead, START).await;
    row.facts = facts("Ann Lee", None, &[1, 2]);
    desk.one(row.clone()).await;

    let turned = LeaseOutcome::NoneHeld { turned: vec![(rival, Turned::NumberHeld)] };
    assert_eq!(desk.pull(1, &[rival], START + 1).await, turned);
    assert_eq!(desk.store.lease_of(lease.rep).await.expect("a read"), Some(lease));

    desk.lease(1, third, START + 2).await;
    row.facts = facts("Ann Lee", None, &[1, 2, 3]);
    desk.one(row).await;
    assert_eq!(desk.standing(lead).await, Standing::Ready);
    desk.lease(0, rival, START + 3).await;
}

pub(super) async fn a_suppressed_handover_is_opened_and_closed(desk: &Desk) {
    for what in [SuppressionOf::Number(number(1)), SuppressionOf::Email("a@x.example".into())] {
        let (source, actor) = ("letter".into(), "marketing".into());
        let suppress = Suppress { what, source, until: None, actor, now: START, request: None };
        desk.store.suppress(suppress).await.expect("a suppression");
    }
    for facts in [facts("Ann", None, &[1]), facts("Bob", Some("A@x.example"), &[])] {
        let answer = desk.one(desk.with(facts)).await;
        assert!(matches!(answer, HandedOver::Opened { is_suppressed: true, .. }), "{answer:?}");
        let standing = desk.standing(answer.lead()).await;
        assert!(matches!(standing, Standing::Closed { route: Route::Suppressed, .. }));
        assert_eq!(desk.story(answer.lead()).await, ["opened", "closed"]);
    }
}

pub(super) async fn rows_of_one_batch_see_each_other(desk: &Desk) {
    let first = desk.with(facts("Ann", Some("a@x.example"), &[1]));
    let second = desk.with(facts("Ann", None, &[1]));
    let mut again: Handover = first.clone();
    again.facts.stage = Some("hot".into());
    let answers = desk.hand_over(vec![first.clone(), second, first, again]).await;
    let lead = answers[0].lead();
    assert!(matches!(answers[0], HandedOver::Opened { .. }));
    assert_eq!(
        answers[1..],
        [
            HandedOver::Merged { into: lead },
            HandedOver::Unchanged { lead },
            HandedOver::Updated { lead }
        ]
    );
    assert_eq!(desk.record(lead).await.lead.facts.stage.as_deref(), Some("hot"));
}

pub(super) async fn a_handover_request_is_answered_again(desk: &Desk) {
    let rows = vec![desk.somebody()];
    let request = desk.request("r1", 1);
    let change = HandOver { rows, actor: "crm".into(), now: START, request };
    let first = desk.store.hand_over(change.clone()).await.expect("an answer");
    let again = desk.store.hand_over(change.clone()).await.expect("an answer");
    assert_eq!(first, again);
    let other = HandOver { request: desk.request("r1", 2), ..change };
    let error = desk.store.hand_over(other).await.expect_err("another body");
    assert!(error.to_string().contains("another body"), "{error}");
}
