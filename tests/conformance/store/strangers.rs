//! Many strangers at once: a batch is worth what its changes are worth one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nextlead::domain::{Disposition, Facts, LeadId, LeadNumber, Number, OutcomeResult, RepKey};
use nextlead::store::{
    Denied, Erase, Grant, Handover, LeaseOutcome, RecordEngagement, RecordOutcome, Store,
    StoreError,
};

use super::desk::{Desk, MINUTE_MS, START, number};

pub(super) async fn a_refused_change_fails_nobody_else(desk: &Desk) {
    let leads = desk.leads(32).await;
    let first = desk.lease(0, leads[0], START).await;
    let mut lost = desk.renewal(&first, START + 1);
    lost.token.0[15] ^= 1;
    let mut reused = desk.grant(1, &leads[1..2], START);
    reused.request = desk.request("r", 1);
    desk.store.lease(reused.clone()).await.expect("a lease");
    reused.request = desk.request("r", 2);
    let mut stray: Handover = desk.somebody();
    stray.campaign.0 = 999;

    let mut pulls = Vec::new();
    let mut refusals = Vec::new();
    for (rep, lead) in leads.iter().enumerate().skip(2) {
        let (store, grant) = (desk.store.clone(), desk.grant(rep, &[*lead], START + 1));
        pulls.push(tokio::spawn(async move { store.lease(grant).await }));
        let (store, renew, pull) = (desk.store.clone(), lost.clone(), reused.clone());
        refusals.push(tokio::spawn(async move {
            let renewal = store.renew(renew).await;
            assert!(matches!(renewal, Err(StoreError::Denied(Denied::LeaseLost))));
            let pull = store.lease(pull).await;
            assert!(matches!(pull, Err(StoreError::Denied(Denied::RequestReused))));
        }));
    }
    // A campaign that nobody knows fails its own handover and no other.
    let handover = |row: Handover| nextlead::store::HandOver {
        rows: vec![row],
        actor: "crm".into(),
        now: START,
        request: None,
    };
    let good = handover(desk.somebody());
    let (stray, good) =
        tokio::join!(desk.store.hand_over(handover(stray)), desk.store.hand_over(good));
    assert!(matches!(stray, Err(StoreError::Unavailable(_))), "{stray:?}");
    assert_eq!(good.expect("a handover").len(), 1);
    for pull in pulls {
        let outcome = pull.await.expect("a pull").expect("an answer");
        assert!(matches!(outcome, LeaseOutcome::Granted { .. }), "{outcome:?}");
    }
    for refusal in refusals {
        refusal.await.expect("a refusal");
    }
}

/// Numbers from a fixed formula (xorshift), so that a walk that failed can be walked again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }
}

const ENDINGS: &[Disposition] = &[
    Disposition::NoAnswer,
    Disposition::NoAnswer,
    Disposition::Voicemail,
    Disposition::CallbackAny,
    Disposition::CallbackOwn,
    Disposition::WrongNumber,
    Disposition::NotInterested,
    Disposition::Sale,
    Disposition::DoNotCall,
];

/// Somebody out of few people, so that they are met again and again.
fn somebody(desk: &Desk, dice: &mut Dice) -> Handover {
    let one = |index: usize| LeadNumber { number: number(index as u64), stopped: None };
    let numbers: BTreeSet<usize> = (0..=dice.roll(2)).map(|_| dice.roll(300)).collect();
    let names = ["Ann", "Bob", "Cid Lee", "Lee"];
    let facts = Facts {
        name: (dice.roll(4) > 0).then(|| names[dice.roll(4)].to_owned()),
        email: (dice.roll(3) == 0).then(|| format!("p{}@x.example", dice.roll(100))),
        numbers: numbers.into_iter().map(one).collect(),
        source: ["web", "fair"][dice.roll(2)].to_owned(),
        ..Facts::default()
    };
    let campaign = [&desk.campaign, &desk.elsewhere][dice.roll(2)];
    let mut row = desk.of(campaign, facts);
    row.key.external_id = format!("lead-{}", dice.roll(400));
    row
}

/// What runs on its own: a rep pulls, and then does something with what they got.
async fn cycle(store: Arc<dyn Store>, desk: Arc<Desk>, grant: Grant, mut dice: Dice) {
    let now = grant.now;
    let outcome = store.lease(grant).await.expect("an answer");
    let (LeaseOutcome::Granted { granted, .. } | LeaseOutcome::Holds(granted)) = outcome else {
        return;
    };
    let later = now + dice.roll(13) as i64 * MINUTE_MS;
    match dice.roll(8) {
        0 => {}
        1 => drop(store.renew(desk.renewal(&granted.lease, later)).await),
        2 => drop(store.release(desk.release(&granted.lease, later)).await),
        _ => {
            let how = ENDINGS[dice.roll(ENDINGS.len())];
            let mut change = desk.call_under(&granted.lease, how, later).await;
            if dice.roll(3) == 0 {
                let leads: Vec<LeadId> = (0..4).map(|_| LeadId(dice.roll(400) as i64)).collect();
                let rep = desk.reps.iter().position(|rep| *rep == granted.lease.rep);
                change.then = Some(desk.grant(rep.expect("a rep"), &leads, later));
            }
            let again = change.clone();
            let recorded = store.record_touch(change).await.expect("always recorded");
            assert!(!recorded.is_replay);
            assert!(store.record_touch(again).await.expect("a replay").is_replay);
        }
    }
}

/// A lead does something by itself.
async fn tell(store: Arc<dyn Store>, change: RecordEngagement) {
    match store.record_engagement(change).await {
        Ok(_) | Err(StoreError::Denied(Denied::UnknownLead(_) | Denied::LeadErased)) => {}
        Err(error) => panic!("an engagement failed: {error}"),
    }
}

/// Something becomes of a lead.
async fn conclude(store: Arc<dyn Store>, change: RecordOutcome) {
    match store.record_outcome(change).await {
        Ok(_) | Err(StoreError::Denied(Denied::UnknownLead(_) | Denied::LeadErased)) => {}
        Err(error) => panic!("an outcome failed: {error}"),
    }
}

/// At most one lease a rep, and one lead a number.
async fn check_hands(desk: &Desk) {
    let mut reps: BTreeMap<RepKey, LeadId> = BTreeMap::new();
    let mut numbers: BTreeMap<Number, LeadId> = BTreeMap::new();
    for queue in [desk.queue.key, desk.elsewhere.queue] {
        let open = desk.store.open_leads(queue, LeadId(0), 10_000).await.expect("a page");
        for record in open {
            let Some(lease) = &record.lease else { continue };
            let lead = record.lead.id;
            if !lease.is_rep_free {
                assert_eq!(reps.insert(lease.rep, lead), None, "two leases of one rep");
            }
            for number in record.lead.facts.callable_numbers() {
                // A number that came by a merge during the lease is not held for it.
                let is_merged =
                    desk.story(lead).await.iter().any(|word| ["merged", "updated"].contains(word));
                let before = numbers.insert(number.clone(), lead);
                assert!(before.is_none() || is_merged, "a number in two hands");
            }
        }
    }
}

pub(super) async fn the_books_add_up_after_a_random_walk(desk: &Desk) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let shared = Arc::new(desk.twin());
    let mut now = START;
    for round in 0..60 {
        now += dice.roll(8) as i64 * MINUTE_MS;
        let rows: Vec<Handover> = (0..dice.roll(12)).map(|_| somebody(desk, &mut dice)).collect();
        desk.hand_over(rows).await;
        let mut running = Vec::new();
        for _ in 0..24 {
            let leads: Vec<LeadId> = (0..6).map(|_| LeadId(dice.roll(400) as i64)).collect();
            let grant = desk.grant(dice.roll(32), &leads, now);
            let own = Dice(dice.0 ^ desk.next());
            running.push(tokio::spawn(cycle(desk.store.clone(), shared.clone(), grant, own)));
        }
        for _ in 0..6 {
            let lead = LeadId(dice.roll(400) as i64);
            let change = desk.engagement(lead, dice.roll(2) == 0, now);
            running.push(tokio::spawn(tell(desk.store.clone(), change)));
            let lead = LeadId(dice.roll(400) as i64);
            let result = [OutcomeResult::Won, OutcomeResult::Lost][dice.roll(2)];
            let amount = [None, Some((dice.roll(100) as i64, "EUR")), Some((3, "JPY"))];
            let change = desk.outcome(lead, result, amount[dice.roll(3)], now);
            if dice.roll(8) == 0 {
                running.push(tokio::spawn(conclude(desk.store.clone(), change)));
            }
        }
        if round % 4 == 3 {
            let lead = LeadId(dice.roll(200) as i64);
            let erase = Erase { lead, actor: "crm".into(), now, request: None };
            match desk.store.erase(erase).await {
                Ok(_) | Err(StoreError::Denied(Denied::UnknownLead(_))) => {}
                Err(error) => panic!("an erasure failed: {error}"),
            }
        }
        for one in running {
            one.await.expect("a cycle");
        }
        if round % 3 == 0 {
            desk.store.sweep(now, 50, None).await.expect("a sweep");
        }
        if round % 20 == 19 {
            check_hands(desk).await;
            desk.audit().await;
        }
    }
    let audit = desk.store.audit().await.expect("an audit");
    assert!(audit.leads > 100 && audit.events > 1_000 && audit.touches > 300, "{audit:?}");
}
