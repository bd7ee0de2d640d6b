//! Leads that are kept for one rep: callbacks that were promised, leads that belong to somebody, and
//! when reps work.

use nextlead::domain::{
    Absence, Callback, Disposition, LeadId, RepId, Standing, Tier, WaitReason, WorkTime,
};
use nextlead::store::{
    Assign, Assigned, CallbackPage, CallbacksOf, Denied, Erase, HandOver, HandedOver, Handover,
    NewRep, Owner, StoreError,
};

use super::desk::{Desk, MINUTE_MS, START};

/// Promises to call a lead again, in person or by anyone.
async fn promise(desk: &Desk, rep: usize, lead: LeadId, how: Disposition, at: i64) {
    let lease = desk.lease(rep, lead, START).await;
    let mut change = desk.call_under(&lease, how, START).await;
    change.touch.callback_at = Some(at);
    change.actor = format!("rep-{rep}");
    desk.record_touch(change).await;
}

fn owner(desk: &Desk, rep: usize) -> Option<Owner> {
    let id = RepId::new(&format!("rep-{rep}")).expect("an id");
    Some(Owner { key: desk.reps[rep], id })
}

fn assign(lead: LeadId, owner: Option<Owner>) -> Assign {
    Assign { lead, owner, actor: "manager".into(), now: START + 1, request: None }
}

async fn assigned(desk: &Desk, assign: Assign) -> Assigned {
    desk.store.assign(assign).await.expect("a lead is given")
}

async fn callbacks(
    desk: &Desk,
    of: CallbacksOf,
    after: Option<(i64, LeadId)>,
    limit: usize,
) -> Vec<LeadId> {
    let records = desk.store.callbacks(&CallbackPage { of, after, limit }).await.expect("a read");
    records.iter().map(|record| record.lead.id).collect()
}

pub(super) async fn a_callback_is_promised_until_the_next_touch(desk: &Desk) {
    let lead = desk.lead().await;
    let at = START + 5 * MINUTE_MS;
    promise(desk, 3, lead, Disposition::CallbackOwn, at).await;

    let state = desk.record(lead).await.state;
    let callback = Some(Callback { at, to: Some(desk.reps[3]) });
    assert_eq!((state.callback, state.tier), (callback, Tier::Callback));
    assert_eq!(state.standing, Standing::Waiting { until: at, why: WaitReason::Callback });
    let events = desk.store.ledger(lead, 0, 10).await.expect("a read");
    assert_eq!(events[2].detail.get("promised_to").map(String::as_str), Some("rep-3"));
    let of = CallbacksOf::Rep(desk.reps[3]);
    assert_eq!(callbacks(desk, of, None, 10).await, [lead]);
    assert_eq!(desk.store.callback_count(desk.reps[3], LeadId(0), 9).await.expect("a read"), 1);
    assert_eq!(desk.store.callback_count(desk.reps[3], lead, 9).await.expect("a read"), 0);

    // It stays promised when it is due, in a rep's hands and out of them again, and is listed while
    // nobody is on it.
    desk.store.sweep(at, 10, None).await.expect("a sweep");
    assert_eq!(desk.record(lead).await.state.callback, callback);
    let lease = desk.lease(4, lead, at).await;
    assert_eq!(callbacks(desk, of, None, 10).await, []);
    desk.store.release(desk.release(&lease, at + 1)).await.expect("a release");
    assert_eq!(desk.record(lead).await.state.callback, callback);
    assert_eq!(callbacks(desk, of, None, 10).await, [lead]);

    desk.work(4, lead, Disposition::NoAnswer, at + 2).await;
    let state = desk.record(lead).await.state;
    assert_eq!((state.callback, state.tier), (None, Tier::Ordinary));
    assert_eq!(callbacks(desk, of, None, 10).await, []);
    assert_eq!(desk.store.callback_count(desk.reps[3], LeadId(0), 9).await.expect("a read"), 0);
}

pub(super) async fn callbacks_come_in_pages_by_their_instants(desk: &Desk) {
    let leads = desk.leads(4).await;
    let at = |minutes: i64| START + minutes * MINUTE_MS;
    promise(desk, 0, leads[0], Disposition::CallbackOwn, at(30)).await;
    promise(desk, 1, leads[1], Disposition::CallbackAny, at(10)).await;
    promise(desk, 0, leads[2], Disposition::CallbackOwn, at(10)).await;
    desk.work(2, leads[3], Disposition::NoAnswer, START).await;

    let of = CallbacksOf::Queue(desk.queue.key);
    assert_eq!(callbacks(desk, of, None, 10).await, [leads[1], leads[2], leads[0]]);
    assert_eq!(callbacks(desk, of, None, 1).await, [leads[1]]);
    let after = Some((at(10), leads[1]));
    assert_eq!(callbacks(desk, of, after, 1).await, [leads[2]]);
    let own = CallbacksOf::Rep(desk.reps[0]);
    assert_eq!(callbacks(desk, own, None, 10).await, [leads[2], leads[0]]);
    assert_eq!(callbacks(desk, own, Some((at(10), leads[2])), 10).await, [leads[0]]);
    assert_eq!(callbacks(desk, CallbacksOf::Queue(desk.elsewhere.queue), None, 9).await, []);
    let count = desk.store.callback_count(desk.reps[0], LeadId(0), 1).await.expect("a read");
    assert_eq!(count, 1, "no more are counted than are asked for");
}

pub(super) async fn a_lead_belongs_to_whom_it_was_given_last(desk: &Desk) {
    let lead = desk.lead().await;
    let first = assigned(desk, assign(lead, owner(desk, 1))).await;
    assert!(!first.was_so);
    assert_eq!(first.record.state.owner, Some(desk.reps[1]));
    assert_eq!(first.record, desk.record(lead).await);
    assert!(assigned(desk, assign(lead, owner(desk, 1))).await.was_so);
    let request = desk.request("a1", 1);
    let other = Assign { request, ..assign(lead, owner(desk, 2)) };
    assert!(!assigned(desk, other.clone()).await.was_so);
    assert!(!assigned(desk, other.clone()).await.was_so, "a request is answered as before");
    let reused = Assign { request: desk.request("a1", 2), ..other };
    let error = desk.store.assign(reused).await.expect_err("another body");
    assert!(matches!(error, StoreError::Denied(Denied::RequestReused)), "{error}");
    assert_eq!(desk.story(lead).await, ["opened", "assigned", "assigned"]);
    let events = desk.store.ledger(lead, 1, 10).await.expect("a read");
    assert_eq!(events[1].detail["owner"], "rep-2");

    // Wherever it stands, and through all that moves it.
    desk.lease(5, lead, START + 2).await;
    assigned(desk, assign(lead, owner(desk, 4))).await;
    assert_eq!(desk.standing(lead).await, Standing::Leased);
    assert_eq!(desk.record(lead).await.state.owner, Some(desk.reps[4]));
    assigned(desk, assign(lead, None)).await;
    assert_eq!(desk.record(lead).await.state.owner, None);

    let unknown = desk.store.assign(assign(LeadId(9_999), None)).await.expect_err("no such lead");
    assert!(matches!(unknown, StoreError::Denied(Denied::UnknownLead(_))), "{unknown}");
    let owned = desk.lead().await;
    assigned(desk, assign(owned, owner(desk, 1))).await;
    let erase = Erase { lead: owned, actor: "crm".into(), now: START + 5, request: None };
    desk.store.erase(erase).await.expect("an erasure");
    assert_eq!(desk.record(owned).await.state.owner, None);
    assert!(desk.store.assign(assign(owned, owner(desk, 1))).await.is_err());
}

pub(super) async fn a_handover_gives_an_owner_and_takes_none_away(desk: &Desk) {
    let row = Handover { owner: owner(desk, 1), ..desk.somebody() };
    let lead = desk.one(row.clone()).await.lead();
    assert_eq!(desk.record(lead).await.state.owner, Some(desk.reps[1]));
    assert_eq!(desk.one(row.clone()).await, HandedOver::Unchanged { lead });

    // A row that names nobody leaves it to whom it belongs; one that names another gives it to them.
    let mut renamed = Handover { owner: None, ..row.clone() };
    renamed.facts.company = Some("Example Ltd".into());
    assert_eq!(desk.one(renamed.clone()).await, HandedOver::Updated { lead });
    assert_eq!(desk.record(lead).await.state.owner, Some(desk.reps[1]));
    let given = Handover { owner: owner(desk, 2), ..renamed };
    assert_eq!(desk.one(given.clone()).await, HandedOver::Updated { lead });
    assert_eq!(desk.record(lead).await.state.owner, Some(desk.reps[2]));

    // The same row again after a manager's word says nothing new.
    assigned(desk, assign(lead, owner(desk, 3))).await;
    assert_eq!(desk.one(given.clone()).await, HandedOver::Unchanged { lead });
    assert_eq!(desk.record(lead).await.state.owner, Some(desk.reps[3]));

    // What is merged gives an owner to a lead that has none.
    let first = desk.somebody();
    let twin = |owner| Handover { key: desk.somebody().key, owner, ..first.clone() };
    let lead = desk.one(first.clone()).await.lead();
    assert_eq!(desk.one(twin(owner(desk, 1))).await, HandedOver::Merged { into: lead });
    assert_eq!(desk.one(twin(owner(desk, 2))).await, HandedOver::Merged { into: lead });
    assert_eq!(desk.record(lead).await.state.owner, Some(desk.reps[1]));

    let many = (0..40).map(|_| Handover { owner: owner(desk, 6), ..desk.somebody() }).collect();
    let change = HandOver { rows: many, actor: "crm".into(), now: START, request: None };
    let taken = desk.store.hand_over(change).await.expect("handovers are taken in");
    let last = taken.last().expect("forty").lead();
    assert_eq!(desk.record(last).await.state.owner, Some(desk.reps[6]));
}

pub(super) async fn the_own_leads_of_a_rep_come_in_pages(desk: &Desk) {
    let leads = desk.leads(5).await;
    for lead in &leads[..4] {
        assigned(desk, assign(*lead, owner(desk, 1))).await;
    }
    desk.work(1, leads[1], Disposition::Sale, START + 2).await;
    promise(desk, 1, leads[4], Disposition::CallbackOwn, START + MINUTE_MS).await;

    let rep = desk.reps[1];
    let page = desk.store.own_leads(rep, false, LeadId(0), 2).await.expect("a read");
    assert_eq!(page, [(leads[0], desk.queue.key, 2), (leads[2], desk.queue.key, 2)]);
    let page = desk.store.own_leads(rep, false, leads[2], 2).await.expect("a read");
    assert_eq!(page, [(leads[3], desk.queue.key, 2)], "what is closed is kept for nobody");
    let page = desk.store.own_leads(rep, true, LeadId(0), 9).await.expect("a read");
    assert_eq!(page, [(leads[4], desk.queue.key, 3)]);
}

pub(super) async fn the_working_time_of_a_rep_reads_back(desk: &Desk) {
    let hours = "mon-fri 09:00-17:00".parse().expect("hours");
    let work = WorkTime {
        hours: Some((hours, "Europe/Berlin".into())),
        absences: vec![Absence { from: START, to: START + MINUTE_MS }],
        ends_at: Some(START + 9 * MINUTE_MS),
    };
    let id = RepId::new("rep-7").expect("an id");
    let row = NewRep {
        queue: desk.queue.key,
        skills: Default::default(),
        is_active: true,
        work: work.clone(),
    };
    let put = desk.store.put_rep(&id, &row).await.expect("a rep");
    assert_eq!(put.work, work);
    let roster = desk.store.roster().await.expect("a read");
    let read = roster.reps.iter().find(|rep| rep.id == id).expect("the rep is there");
    assert_eq!(*read, put);
    let other = roster.reps.iter().find(|rep| rep.key == desk.reps[8]).expect("the rep is there");
    assert_eq!(other.work, WorkTime::default());
}
