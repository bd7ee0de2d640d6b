//! Erasures: everything personal goes, the books stay, and what must outlive them does.

use nextlead::domain::{Disposition, Facts, LeadId, LeadNumber, Standing};
use nextlead::store::{
    BookFilter, Denied, Erase, Erased, HandOver, HandedOver, Handover, LeaseOutcome, StoreError,
    Suppress, SuppressionOf, Turned,
};

use super::desk::{Desk, START, number};

fn person(name: &str, email: &str, one: u64) -> Facts {
    let mut facts = Facts {
        name: Some(name.to_owned()),
        email: Some(email.to_owned()),
        company: Some("Canary Ltd".into()),
        numbers: vec![LeadNumber { number: number(one), stopped: None }],
        zone: Some("Europe/Berlin".into()),
        region: Some("Bavaria".into()),
        source: "web".into(),
        ..Facts::default()
    };
    facts.attributes.insert("birthday".into(), nextlead::domain::Value::Text("1 April".into()));
    facts
}

async fn try_erase(desk: &Desk, lead: LeadId) -> Result<Erased, StoreError> {
    let erase = Erase { lead, actor: "crm".into(), now: START + 5, request: None };
    desk.store.erase(erase).await
}

async fn erase(desk: &Desk, lead: LeadId) -> Erased {
    try_erase(desk, lead).await.expect("an erasure")
}

async fn suppress(desk: &Desk, what: SuppressionOf) -> bool {
    let suppress = Suppress {
        what,
        source: "letter".into(),
        until: None,
        actor: "crm".into(),
        now: START + 1,
        request: None,
    };
    desk.store.suppress(suppress).await.expect("a suppression").was_known
}

/// Asserts that nothing of a person is left in a lead.
async fn assert_nobody(desk: &Desk, lead: LeadId) {
    let record = desk.record(lead).await;
    assert_eq!(record.state.standing, Standing::Erased);
    assert_eq!(record.lease, None);
    let nothing = Facts { source: "web".into(), ..Facts::default() };
    assert!(record.lead.facts == nothing, "facts are left");
    assert_eq!((record.lead.source_system.as_str(), record.lead.external_id.as_str()), ("", ""));
    assert_eq!(record.lead.predecessor, None);
    for touch in desk.store.touches(lead, 100).await.expect("a read") {
        assert_eq!((touch.touch.notes.as_str(), touch.touch.number), ("", None));
    }
}

pub(super) async fn an_erased_lead_stays_in_the_books_wherever_it_stood(desk: &Desk) {
    let leads = desk.leads(4).await;
    let (ready, waiting, leased, closed) = (leads[0], leads[1], leads[2], leads[3]);
    desk.work(0, waiting, Disposition::NoAnswer, START + 1).await;
    desk.work(0, closed, Disposition::NotInterested, START + 1).await;
    desk.lease(1, leased, START + 1).await;
    let events_before = desk.story(closed).await.len();

    for lead in [ready, waiting, leased, closed] {
        assert!(!erase(desk, lead).await.was_erased);
        assert_nobody(desk, lead).await;
        assert_eq!(desk.story(lead).await.last(), Some(&"erased"));
    }

    assert_eq!(desk.story(closed).await.len(), events_before + 1, "no event was taken away");
    let books = desk.store.books(&BookFilter::default(), START).await.expect("books");
    let [book] = books.as_slice() else { panic!("{books:?}") };
    assert_eq!((book.handed_over, book.erased, book.imbalance()), (4, 4, 0));
    assert_eq!((book.touched, book.touches), (2, 2), "what was done stays counted");
    let open = desk.store.open_leads(desk.queue.key, LeadId(0), 100).await.expect("a read");
    assert!(open.is_empty(), "nothing is left to index");
    let page =
        nextlead::store::UncontactedPage { with_closed: true, limit: 100, ..Default::default() };
    assert!(desk.store.uncontacted(&page).await.expect("a read").is_empty());
    let swept = desk.store.sweep(START + 100 * 86_400_000, 100, None).await.expect("a sweep");
    assert_eq!((swept.woken_count, swept.ended_count, swept.expired.len()), (0, 0, 0));
}

pub(super) async fn a_rep_loses_an_erased_lead_and_a_late_touch_tells_nothing(desk: &Desk) {
    let lead = desk.one(desk.with(person("Ann", "ann@x.example", 1))).await.lead();
    let lease = desk.lease(0, lead, START + 1).await;
    let in_hand = desk.call_under(&lease, Disposition::NoAnswer, START + 6).await;
    let with_number = in_hand.clone();
    assert!(with_number.touch.number.is_some());

    erase(desk, lead).await;

    let lost = desk.store.renew(desk.renewal(&lease, START + 6)).await;
    assert!(matches!(lost, Err(StoreError::Denied(Denied::LeaseLost))), "{lost:?}");
    let recorded = desk.record_touch(in_hand.clone()).await;
    assert!(recorded.late);
    assert_eq!(recorded.record.state.standing, Standing::Erased);
    assert_nobody(desk, lead).await;
    assert!(desk.record_touch(in_hand).await.is_replay, "sent again it is the same touch");
    // Rep and number are free.
    let other = desk.one(desk.with(person("Bob", "bob@x.example", 1))).await.lead();
    assert_eq!(desk.lease(0, other, START + 7).await.lead, other);
    match desk.pull(1, &[lead], START + 7).await {
        LeaseOutcome::NoneHeld { turned } => assert_eq!(turned, [(lead, Turned::Closed)]),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn a_suppression_outlives_the_erasure_of_whoever_said_never(desk: &Desk) {
    let ann = desk.one(desk.with(person("Ann", "Ann@X.example", 1))).await.lead();
    let bob = desk.one(desk.with(person("Bob", "bob@x.example", 2))).await.lead();
    let cat = desk.one(desk.with(person("Cat", "cat@x.example", 3))).await.lead();
    // Ann says never in a call, Bob's address is suppressed, Cat says nothing.
    desk.work(0, ann, Disposition::DoNotCall, START + 1).await;
    suppress(desk, SuppressionOf::Email("bob@x.example".into())).await;
    for lead in [ann, bob, cat] {
        erase(desk, lead).await;
    }

    let rows = vec![
        desk.with(person("Ann", "other@x.example", 1)),
        desk.with(person("Ann", "ANN@x.example", 11)),
        desk.with(person("Bob", "bob@x.example", 12)),
        desk.of(&desk.elsewhere, person("Bob", "bob@X.example", 13)),
    ];
    for answer in desk.hand_over(rows).await {
        let is_suppressed = matches!(answer, HandedOver::Opened { is_suppressed: true, .. });
        assert!(is_suppressed, "{answer:?}");
    }
    let cat = desk.one(desk.with(person("Cat", "cat@x.example", 3))).await;
    assert!(matches!(cat, HandedOver::Opened { is_suppressed: false, .. }), "{cat:?}");
    assert!(suppress(desk, SuppressionOf::Number(number(1))).await, "it is known already");
    assert!(!suppress(desk, SuppressionOf::Number(number(2))).await, "a number that said nothing");
    // Never, said after the erasure, counts as well.
    let dan = desk.one(desk.with(person("Dan", "dan@x.example", 4))).await.lead();
    let lease = desk.lease(1, dan, START + 2).await;
    let never = desk.call_under(&lease, Disposition::DoNotCall, START + 6).await;
    let roommate = desk.one(desk.with(person("Eve", "eve@x.example", 4))).await.lead();
    erase(desk, dan).await;
    assert_eq!(desk.record_touch(never).await.suppressed_count, 1);
    assert!(matches!(desk.standing(roommate).await, Standing::Closed { .. }));
    assert!(suppress(desk, SuppressionOf::Number(number(4))).await);
}

pub(super) async fn an_erased_handover_is_turned_away(desk: &Desk) {
    let first = desk.with(person("Ann", "ann@x.example", 1));
    let merged = desk
        .of(&desk.campaign, Facts { source: "fair".into(), ..person("Ann", "ann@x.example", 2) });
    let stranger = desk.with(person("Bob", "bob@x.example", 3));
    let lead = desk.one(first.clone()).await.lead();
    assert_eq!(desk.one(merged.clone()).await, HandedOver::Merged { into: lead });
    erase(desk, lead).await;

    let again = desk.hand_over(vec![first.clone(), stranger.clone(), merged.clone()]).await;

    assert_eq!(
        (&again[0], &again[2]),
        (&HandedOver::Erased { lead }, &HandedOver::Erased { lead })
    );
    let HandedOver::Opened { lead: other, .. } = again[1] else { panic!("{:?}", again[1]) };
    assert_nobody(desk, lead).await;
    // Each handover stays where it was counted.
    let books = desk.store.books(&BookFilter::default(), START).await.expect("books");
    let counts: Vec<_> = books
        .iter()
        .map(|one| (one.source.as_str(), one.handed_over, one.merged, one.erased))
        .collect();
    assert_eq!(counts, [("fair", 1, 1, 0), ("web", 2, 0, 1)]);
    // Its old keys still name it, and no other key does.
    for row in [&first, &merged] {
        assert_eq!(desk.store.lead_by_key(&row.key).await.expect("a read"), Some(lead));
    }
    assert_eq!(desk.store.lead_by_key(&stranger.key).await.expect("a read"), Some(other));
    let unheard = desk.somebody();
    assert_eq!(desk.store.lead_by_key(&unheard.key).await.expect("a read"), None);
    // The same id of another system or campaign is somebody else.
    let mut elsewhere = desk.of(&desk.elsewhere, person("Ann", "ann@x.example", 1));
    elsewhere.key.external_id.clone_from(&first.key.external_id);
    let mut of_shop =
        Handover { key: first.key.clone(), ..desk.with(person("Al", "al@x.example", 9)) };
    of_shop.key.source_system = "shop".into();
    for answer in desk.hand_over(vec![elsewhere, of_shop]).await {
        assert!(matches!(answer, HandedOver::Opened { .. }), "{answer:?}");
    }
}

pub(super) async fn an_erasure_is_done_once_and_names_who_else_it_may_be(desk: &Desk) {
    let ann = desk.one(desk.with(person("Ann", "ann@x.example", 1))).await.lead();
    let same_number = desk.one(desk.with(person("Bob", "bob@x.example", 1))).await.lead();
    let elsewhere = desk.of(&desk.elsewhere, person("Ann", "ann@X.example", 2));
    let same_address = desk.one(elsewhere).await.lead();
    desk.lead().await;
    let erase_with = |body| Erase {
        lead: ann,
        actor: "crm".into(),
        now: START + 5,
        request: desk.request("erase", body),
    };

    let first = desk.store.erase(erase_with(1)).await.expect("an erasure");
    assert_eq!(first, Erased { was_erased: false, others: vec![same_number, same_address] });
    let story = desk.story(ann).await;
    assert_eq!(desk.store.erase(erase_with(1)).await.expect("a replay"), first);
    let reused = desk.store.erase(erase_with(2)).await;
    assert!(matches!(reused, Err(StoreError::Denied(Denied::RequestReused))), "{reused:?}");
    assert_eq!(erase(desk, ann).await, Erased { was_erased: true, others: vec![] });
    assert_eq!(desk.story(ann).await, story, "nothing happened again");
    assert!(!matches!(desk.standing(same_number).await, Standing::Erased));
    let unknown = try_erase(desk, LeadId(4_711)).await;
    assert!(matches!(unknown, Err(StoreError::Denied(Denied::UnknownLead(_)))), "{unknown:?}");
    // A request that opened the lead before is answered as it was.
    let row = desk.with(person("Cat", "cat@x.example", 3));
    let change = || HandOver {
        rows: vec![row.clone()],
        actor: "marketing".into(),
        now: START,
        request: desk.request("cat", 1),
    };
    let opened = desk.store.hand_over(change()).await.expect("a handover");
    erase(desk, opened[0].lead()).await;
    assert_eq!(desk.store.hand_over(change()).await.expect("a replay"), opened);
}
