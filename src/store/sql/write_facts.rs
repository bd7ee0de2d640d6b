//! What clients told of leads: engagements and outcomes, and what the books count of these.

use super::super::books::{NewEngagement, NewOutcome, Slate};
use super::super::error::StoreError;
use super::connection::Connection;
use super::statements as sql;
use super::write::{Rows, run};

/// Writes them all.
pub(in crate::store) async fn write(
    connection: &mut Connection,
    slate: &Slate,
) -> Result<(), StoreError> {
    let engagements: Vec<_> = slate.new_engagements.iter().map(engagement).collect();
    let outcomes: Vec<_> = slate.new_outcomes.iter().map(outcome).collect();
    let sums = slate.outcome_sums.iter().map(|((book, result, currency), (count, amount))| {
        (book.queue, book.campaign, &book.source, result.code(), currency, count, amount)
    });
    let sums: Vec<_> = sums.collect();
    let statements = [
        Rows::of("engagement", sql::ADD_ENGAGEMENTS, &engagements),
        Rows::of("outcome", sql::ADD_OUTCOMES, &outcomes),
        Rows::of("book_outcome", sql::MOVE_BOOK_OUTCOMES, &sums),
    ];
    run(connection, statements).await
}

fn engagement(new: &NewEngagement) -> impl serde::Serialize {
    let fact = new.engagement.clone();
    let (wakes, woke) = (i64::from(fact.wakes), i64::from(new.row.woke));
    let hash = new.row.body_hash.clone();
    let (source_system, kind, at) = (fact.source_system, fact.kind, fact.engaged_at);
    (source_system, fact.id, hash, fact.lead, kind, at, wakes, woke, new.recorded_at)
}

fn outcome(new: &NewOutcome) -> impl serde::Serialize {
    let (fact, book) = (new.outcome.clone(), new.book.clone());
    let (amount_minor, currency) = fact.amount.map_or((0, ""), |(sum, one)| (sum, one.code()));
    (
        fact.source_system,
        fact.id,
        new.row.body_hash.clone(),
        fact.lead,
        book.queue,
        book.campaign,
        book.source,
        fact.result.code(),
        amount_minor,
        currency,
        fact.decided_at,
        i64::from(new.row.closed),
        new.recorded_at,
    )
}
