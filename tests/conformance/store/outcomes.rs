//! Outcomes: counted for their campaign to the cent, kept once, and a lead closes with them if it may.

use nextlead::domain::{
    CloseReason, Currency, Disposition, LeadId, Outcome, OutcomeId, OutcomeResult, Route, Standing,
};
use nextlead::store::{
    BookFilter, Denied, Erase, OutcomeRecorded, OutcomeTotal, RecordOutcome, StoreError,
};

use super::desk::{Desk, START};

impl Desk {
    pub(super) fn outcome(
        &self,
        lead: LeadId,
        result: OutcomeResult,
        amount: Option<(i64, &str)>,
        now: i64,
    ) -> RecordOutcome {
        let currency = |code: &str| Currency::from_code(code).expect("a currency");
        let outcome = Outcome {
            source_system: "crm".into(),
            id: OutcomeId::new(&format!("deal-{}", self.next())).expect("an id"),
            lead,
            result,
            amount: amount.map(|(sum, code)| (sum, currency(code))),
            decided_at: now,
        };
        RecordOutcome { outcome, body_hash: [1; 32], actor: "crm".into(), now }
    }

    async fn conclude(&self, change: RecordOutcome) -> OutcomeRecorded {
        self.store.record_outcome(change).await.expect("an outcome is recorded")
    }

    async fn earned(&self) -> Vec<OutcomeTotal> {
        let books = self.store.books(&BookFilter::default(), START).await.expect("a report");
        books.into_iter().flat_map(|book| book.outcomes).collect()
    }
}

fn total(result: OutcomeResult, currency: &str, count: i64, amount_minor: i64) -> OutcomeTotal {
    OutcomeTotal { result, currency: currency.to_owned(), count, amount_minor }
}

fn by_outcome(route: Route) -> Standing {
    Standing::Closed { why: CloseReason::Outcome, route }
}

pub(super) async fn outcomes_are_summed_by_result_and_currency(desk: &Desk) {
    use OutcomeResult::{Lost, Won};
    assert_eq!(desk.earned().await, []);
    let leads = desk.leads(3).await;
    let now = START + 5;
    let first = desk.outcome(leads[0], Won, Some((120_050, "EUR")), now);
    let recorded = desk.conclude(first.clone()).await;
    assert!(recorded.closed && !recorded.is_replay);
    assert_eq!(recorded.state.standing, by_outcome(Route::Won));
    for (lead, result, amount) in [
        (leads[0], Won, Some((10, "EUR"))),
        (leads[1], Won, Some((7, "JPY"))),
        (leads[2], Lost, None),
    ] {
        desk.conclude(desk.outcome(lead, result, amount, now)).await;
    }
    let again = desk.conclude(first.clone()).await;
    assert!(again.is_replay && again.closed);
    let mut other = first;
    other.body_hash = [2; 32];
    let refused = desk.store.record_outcome(other).await;
    assert!(matches!(refused, Err(StoreError::Denied(Denied::RequestReused))), "{refused:?}");

    let sums = [total(Won, "EUR", 2, 120_060), total(Won, "JPY", 1, 7), total(Lost, "", 1, 0)];
    assert_eq!(desk.earned().await, sums);
    assert_eq!(desk.story(leads[0]).await, ["opened", "outcome", "outcome"]);
    let event = desk.store.ledger(leads[0], 1, 1).await.expect("a read").pop().expect("an event");
    let detail: Vec<_> = event.detail.values().map(String::as_str).collect();
    assert_eq!(detail, ["120050", "EUR", "won"]);
    let elsewhere = BookFilter { campaign: Some(desk.elsewhere.key), ..BookFilter::default() };
    assert_eq!(desk.store.books(&elsewhere, now).await.expect("a report"), []);
}

pub(super) async fn an_outcome_closes_no_lead_in_a_rep_s_hands(desk: &Desk) {
    let lead = desk.lead().await;
    let lease = desk.lease(0, lead, START).await;
    let won = desk.outcome(lead, OutcomeResult::Won, None, START + 1);
    let kept = desk.conclude(won).await;
    assert!(!kept.closed);
    assert_eq!(kept.state.standing, Standing::Leased);
    let touch = desk.call_under(&lease, Disposition::NoAnswer, START + 2).await;
    assert!(!desk.record_touch(touch).await.late);
    let lost = desk.outcome(lead, OutcomeResult::Lost, None, START + 3);
    let closed = desk.conclude(lost).await;
    assert!(closed.closed, "it waits, so it closes");
    assert_eq!(closed.state.standing, by_outcome(Route::Lost));
    let swept = desk.store.sweep(i64::MAX / 2, 10, None).await.expect("a sweep");
    assert_eq!(swept.woken_count, 0);
}

pub(super) async fn an_erasure_keeps_the_sums_and_forgets_whose_they_are(desk: &Desk) {
    let leads = desk.leads(2).await;
    for lead in &leads {
        let won = desk.outcome(*lead, OutcomeResult::Won, Some((100, "EUR")), START);
        desk.conclude(won.clone()).await;
        let erase = Erase { lead: *lead, actor: "desk".into(), now: START + 1, request: None };
        desk.store.erase(erase).await.expect("an erasure");
        let refused = desk.store.record_outcome(won).await;
        assert!(matches!(refused, Err(StoreError::Denied(Denied::LeadErased))), "{refused:?}");
    }
    assert_eq!(desk.earned().await, [total(OutcomeResult::Won, "EUR", 2, 200)]);
}
