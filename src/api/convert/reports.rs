//! Coverage, who was not contacted, and the audit.

use crate::auth::{Caller, Role};
use crate::coverage::{BookView, CoverageReport, UncontactedView};
use crate::dialer::QueueCensus;
use crate::domain::LeadId;
use crate::store::AuditReport;

use super::super::proto;
use super::super::status::Problems;
use super::codes::ROUTES;
use super::page::token_problem;
use super::{Page, duration, masked_if_number, obstacles, outcomes, states, time};

/// The books.
pub(in crate::api) fn coverage(
    report: CoverageReport,
    censuses: &[QueueCensus],
) -> proto::GetCoverageResponse {
    proto::GetCoverageResponse {
        read_time: Some(time(report.read_at)),
        books: report.books.into_iter().map(book).collect(),
        in_line: censuses.iter().map(obstacles::in_line).collect(),
    }
}

fn book(view: BookView) -> proto::Book {
    let book = view.book;
    let closed = ROUTES.iter().zip(book.closed);
    let closed = closed.map(|(route, count)| proto::RouteCount { route: (*route).into(), count });
    let mean_ms = book.first_touch_ms_sum.checked_div(book.touched);
    proto::Book {
        queue_id: view.queue.to_string(),
        campaign_id: view.campaign.to_string(),
        handed_over_count: book.handed_over,
        ready_count: book.ready,
        waiting_count: book.waiting,
        leased_count: book.leased,
        closed: closed.collect(),
        merged_count: book.merged,
        erased_count: book.erased,
        imbalance: book.imbalance(),
        touched_count: book.touched,
        touched_in_time_count: book.touched_in_time,
        first_touch_mean_duration: mean_ms.map(duration),
        touch_count: book.touches,
        overdue_count: book.overdue,
        source: book.source,
        transferred_in_count: book.transferred_in,
        transferred_out_count: book.transferred_out,
        outcomes: book.outcomes.into_iter().map(outcomes::total).collect(),
    }
}

/// A lead that nobody has touched.
///
/// Marketing may not see phone numbers, and some systems use them as ids.
pub(in crate::api) fn uncontacted(
    caller: &Caller,
    view: &UncontactedView,
) -> proto::UncontactedLead {
    let lead = &view.lead;
    let external_id = match caller.role {
        Role::Marketing => masked_if_number(&lead.external_id),
        Role::Rep | Role::Manager | Role::Intake | Role::Admin => lead.external_id.clone(),
    };
    proto::UncontactedLead {
        lead_id: lead.state.lead.to_string(),
        handover_key: Some(proto::HandoverKey {
            source_system: lead.source_system.clone(),
            external_id,
            campaign_id: view.campaign.to_string(),
        }),
        queue_id: view.queue.to_string(),
        handed_over_time: Some(time(lead.state.handed_over_at)),
        state: Some(states::state(&lead.state)),
    }
}

/// The token of the page after this lead: its place in the order of deadlines.
pub(in crate::api) fn uncontacted_token(view: &UncontactedView) -> String {
    let state = &view.lead.state;
    let at = state.first_touch_due_at.unwrap_or(state.handed_over_at);
    format!("{at}.{}", state.lead)
}

/// Reads such a token.
pub(in crate::api) fn uncontacted_after(page: &Page) -> Result<Option<(i64, LeadId)>, Problems> {
    let Some(token) = page.after.as_deref() else { return Ok(None) };
    let read = || {
        let (at, lead) = token.split_once('.')?;
        Some((at.parse().ok()?, lead.parse().ok()?))
    };
    read().ok_or_else(token_problem).map(Some)
}

/// The result of an audit.
pub(in crate::api) fn audit(report: AuditReport) -> proto::AuditLedgerResponse {
    let faults = report.faults.into_iter();
    proto::AuditLedgerResponse {
        lead_count: report.leads,
        handover_count: report.handovers,
        event_count: report.events,
        touch_count: report.touches,
        book_count: report.books,
        imbalance: report.imbalance,
        faults: faults
            .map(|one| proto::AuditFault { what: one.what, problem: one.problem })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{CampaignId, QueueId};
    use crate::store::Book;

    use super::*;

    #[test]
    fn a_book_names_every_route_and_the_mean_of_what_was_touched() {
        let book_of = |touched| BookView {
            queue: QueueId::new("inside").unwrap(),
            campaign: CampaignId::new("fair").unwrap(),
            book: Book {
                handed_over: 6,
                closed: [1, 2, 0, 0, 0, 3],
                touched,
                first_touch_ms_sum: 3_000,
                ..Book::default()
            },
        };
        let sent = book(book_of(2));
        assert_eq!(sent.imbalance, 0);
        assert_eq!(sent.closed[5].route(), proto::Route::Superseded);
        assert_eq!(sent.closed[5].count, 3);
        assert_eq!(sent.first_touch_mean_duration, Some(duration(1_500)));
        assert_eq!(book(book_of(0)).first_touch_mean_duration, None);
    }

    #[test]
    fn a_token_reads_back_and_others_are_refused() {
        let after =
            |token: &str| uncontacted_after(&Page { size: 1, after: Some(token.to_owned()) });
        assert_eq!(after("17.4"), Ok(Some((17, LeadId(4)))));
        assert!(after("17").is_err() && after("x.4").is_err() && after("17.-4").is_err());
    }
}
