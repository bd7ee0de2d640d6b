//! Suppressions in bulk: a list is worth what its rows are worth one by one.

use nextlead::domain::{Disposition, Facts, LeadId, LeadNumber, Route, Standing};
use nextlead::store::{
    CARRIER_COUNT_MAX, Erase, HandedOver, SuppressAll, SuppressedAll, SuppressionKind,
    SuppressionOf, SuppressionPage,
};

use super::desk::{Desk, START, number};

async fn suppress(desk: &Desk, whats: Vec<SuppressionOf>) -> SuppressedAll {
    let all = SuppressAll {
        whats,
        source: "register".into(),
        until: None,
        actor: "crm".into(),
        now: START + 2,
    };
    desk.store.suppress_all(all).await.expect("a list")
}

fn numbers(range: std::ops::Range<u64>) -> Vec<SuppressionOf> {
    range.map(|index| SuppressionOf::Number(number(index))).collect()
}

fn is_suppressed(standing: &Standing) -> bool {
    matches!(standing, Standing::Closed { route: Route::Suppressed, .. })
}

pub(super) async fn a_list_closes_every_open_carrier_and_counts_each_value_once(desk: &Desk) {
    let of = |email: Option<&str>, one: u64| Facts {
        email: email.map(str::to_owned),
        numbers: vec![LeadNumber { number: number(one), stopped: None }],
        source: "web".into(),
        ..Facts::default()
    };
    let ready = desk.one(desk.with(of(None, 1))).await.lead();
    let leased = desk.one(desk.with(of(None, 2))).await.lead();
    let elsewhere = desk.one(desk.of(&desk.elsewhere, of(Some("Ann@x.example"), 3))).await.lead();
    let closed = desk.one(desk.with(of(None, 4))).await.lead();
    let stranger = desk.one(desk.with(of(Some("bob@x.example"), 5))).await.lead();
    desk.work(0, closed, Disposition::NotInterested, START + 1).await;
    desk.lease(1, leased, START + 1).await;
    let mut list = numbers(1..3);
    list.extend(numbers(1..2));
    list.extend(numbers(4..5));
    list.push(SuppressionOf::Email("ann@x.example".into()));

    let first = suppress(desk, list.clone()).await;

    assert_eq!(first, SuppressedAll { new_count: 4, closed_count: 3, is_unfinished: false });
    for lead in [ready, leased, elsewhere] {
        assert!(is_suppressed(&desk.standing(lead).await), "{lead}");
    }
    assert!(!is_suppressed(&desk.standing(closed).await), "what is closed stays closed as it was");
    assert_eq!(desk.standing(stranger).await, Standing::Ready);
    assert_eq!(suppress(desk, list).await, SuppressedAll::default(), "again it changes nothing");
    let late = desk.one(desk.with(of(None, 2))).await;
    assert!(matches!(late, HandedOver::Opened { is_suppressed: true, .. }), "{late:?}");
}

pub(super) async fn one_commit_closes_a_bounded_number_of_leads(desk: &Desk) {
    let shared = |_| {
        let numbers = vec![LeadNumber { number: number(1), stopped: None }];
        desk.with(Facts { numbers, source: "web".into(), ..Facts::default() })
    };
    // Without a name they would be merged: more than three of a number never are.
    let named = |index: usize| {
        let mut row = shared(index);
        row.facts.name = Some(format!("Person{index}"));
        row
    };
    desk.hand_over((0..CARRIER_COUNT_MAX + 10).map(named).collect()).await;

    let first = suppress(desk, numbers(1..2)).await;
    let second = suppress(desk, numbers(1..2)).await;

    let expected =
        SuppressedAll { new_count: 1, closed_count: CARRIER_COUNT_MAX, is_unfinished: true };
    assert_eq!(first, expected);
    assert_eq!((second.new_count, second.closed_count), (0, 10));
    assert!(!second.is_unfinished);
    let open = desk.store.open_leads(desk.queue.key, LeadId(0), 100).await.expect("a read");
    assert!(open.is_empty());
}

pub(super) async fn suppressions_come_in_pages_and_erased_ones_as_hashes(desk: &Desk) {
    let lead = desk.lead().await;
    let own = desk.record(lead).await.lead.facts.numbers[0].number.clone();
    let mut list = numbers(500..505);
    list.push(SuppressionOf::Number(own.clone()));
    list.push(SuppressionOf::Email("ann@x.example".into()));
    suppress(desk, list).await;
    let erase = Erase { lead, actor: "crm".into(), now: START + 5, request: None };
    desk.store.erase(erase).await.expect("an erasure");

    let mut all = Vec::new();
    let mut page = SuppressionPage { limit: 3, ..SuppressionPage::default() };
    loop {
        let part = desk.store.suppressions(&page).await.expect("a page");
        assert!(part.len() <= 3);
        let Some(last) = part.last() else { break };
        page.after = Some((last.kind, last.value.clone()));
        all.extend(part);
    }

    let kinds: Vec<_> = all.iter().map(|one| one.kind).collect();
    let mut expected = vec![SuppressionKind::Email];
    expected.extend([SuppressionKind::Number; 6]);
    assert_eq!(kinds, expected);
    let hashed: Vec<_> = all.iter().filter(|one| one.is_hashed).collect();
    assert_eq!((hashed.len(), hashed[0].value.len()), (1, 64));
    assert!(all.iter().all(|one| one.value != own.as_str()));
    assert!(all.iter().all(|one| one.source == "register" && one.at == START + 2));
    let page =
        SuppressionPage { kind: Some(SuppressionKind::Email), limit: 9, ..Default::default() };
    let emails = desk.store.suppressions(&page).await.expect("a page");
    assert_eq!(emails.iter().map(|one| one.value.as_str()).collect::<Vec<_>>(), ["ann@x.example"]);
}
