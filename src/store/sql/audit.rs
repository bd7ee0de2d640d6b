//! The audit: folds the whole ledger, counts every book again, and compares. It reads in pages, so it
//! neither stops the writer nor fills the memory, and each page by a snapshot of its own: what a lead
//! and its events say of each other they say within a page, and a snapshot that is kept for as long as
//! all pages take keeps everything that is written over meanwhile.

use std::collections::BTreeMap;

use super::super::books::{DIAL_KEPT_MS, route_index, standing_from_text};
use super::super::error::StoreError;
use super::super::outcomes::OutcomeTotal;
use super::super::reports::{AuditFault, AuditReport, Book};
use super::connection::Connection;
use super::rows::packed;
use super::statements as sql;
use super::{read, report, roster};
use crate::domain::{CampaignKey, LeadId, Link, QueueKey, Standing, fold};

/// How many leads are folded at a time.
const PAGE_LEAD_COUNT: i64 = 5_000;
const FAULT_COUNT_MAX: usize = 100;
const DAY_MS: i64 = 24 * 3_600_000;

/// Audits everything.
pub(in crate::store) async fn audit(
    connection: &mut Connection,
) -> Result<AuditReport, StoreError> {
    let mut audit = AuditReport::default();
    fold_ledger(connection, &mut audit).await?;
    connection.begin_snapshot().await?;
    count_books(connection, &mut audit).await?;
    count_strays(connection, &mut audit).await?;
    connection.command("ROLLBACK").await?;
    Ok(audit)
}

/// Recounts the books, and folds nothing.
pub(in crate::store) async fn recount(
    connection: &mut Connection,
) -> Result<AuditReport, StoreError> {
    connection.begin_snapshot().await?;
    let mut audit = AuditReport::default();
    count_books(connection, &mut audit).await?;
    connection.command("ROLLBACK").await?;
    Ok(audit)
}

fn blame(audit: &mut AuditReport, by: i64, what: impl ToString, problem: impl ToString) {
    audit.imbalance += by;
    if audit.faults.len() < FAULT_COUNT_MAX {
        let (what, problem) = (what.to_string(), problem.to_string());
        audit.faults.push(AuditFault { what, problem });
    }
}

async fn fold_ledger(
    connection: &mut Connection,
    audit: &mut AuditReport,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        // After a restore the ids go on far above, and there is nothing to read in between.
        let next = sql::AUDIT_NEXT_LEAD.bind(after);
        let next = next.one(connection).await?.maybe_integer(0)?;
        let Some(first) = next else { return Ok(()) };
        after = first - 1 + PAGE_LEAD_COUNT;
        connection.begin_snapshot().await?;
        fold_page(connection, audit, first - 1, after).await?;
        connection.command("ROLLBACK").await?;
    }
}

/// A row of `audit_standings.sql`: lead, seq, words, state, route, whether it has a lease.
type StandingRow = (LeadId, i64, String, i64, Option<usize>, i64);

async fn fold_page(
    connection: &mut Connection,
    audit: &mut AuditReport,
    after: i64,
    up_to: i64,
) -> Result<(), StoreError> {
    type EventRow = (LeadId, i64, i64, Option<String>, String);
    let query = sql::AUDIT_EVENTS.bind(after).bind(up_to);
    let events: Vec<EventRow> = packed(connection, "ledger", query).await?;
    let query = sql::AUDIT_STANDINGS.bind(after).bind(up_to);
    let standings: Vec<StandingRow> = packed(connection, "standing", query).await?;
    audit.events += events.len() as i64;
    audit.leads += standings.len() as i64;
    let mut links: BTreeMap<LeadId, Vec<Link>> = BTreeMap::new();
    for (lead, seq, at, from, to) in events {
        let from = from.as_deref().map(read::standing).transpose()?;
        let link = Link { seq, at, from, to: read::standing(&to)? };
        links.entry(lead).or_default().push(link);
    }
    for row in standings {
        let lead = row.0;
        if let Err(problem) = compare(&row, links.remove(&lead).unwrap_or_default()) {
            blame(audit, 1, format_args!("lead {lead}"), problem);
        }
    }
    Ok(())
}

/// Compares where a lead stands with what its events fold to.
fn compare(row: &StandingRow, links: Vec<Link>) -> Result<(), String> {
    let (_, seq, words, state, route, has_lease) = row;
    let folded = fold(links).map_err(|fault| fault.to_string())?;
    let standing = standing_from_text(words).ok_or("its standing makes no sense")?;
    if folded != (standing, *seq) {
        let (folded, count) = (folded.0.code(), folded.1);
        let code = standing.code();
        return Err(format!("its {count} events fold to {folded}, it stands at {code}, {seq}"));
    }
    let numbers = match &standing {
        Standing::Ready => (0, None),
        Standing::Waiting { .. } => (1, None),
        Standing::Leased => (2, None),
        Standing::Closed { route, .. } => (3, Some(route_index(route))),
        Standing::Erased => (4, None),
    };
    if numbers != (*state, *route) {
        return Err("its standing in numbers is not its standing in words".to_owned());
    }
    if (standing == Standing::Leased) != (*has_lease == 1) {
        return Err("it is leased without a lease, or the other way round".to_owned());
    }
    Ok(())
}

async fn count_books(
    connection: &mut Connection,
    audit: &mut AuditReport,
) -> Result<(), StoreError> {
    let campaigns = roster::roster(connection).await?.campaigns;
    let names: BTreeMap<_, _> = campaigns.into_iter().map(|one| (one.key, one.id)).collect();
    let mut books: BTreeMap<_, (Book, Book)> = BTreeMap::new();
    let kept = sql::BOOKS.bind(None::<i64>).bind(None::<i64>);
    let kept = kept.all(connection).await?;
    let counted = sql::AUDIT_BOOKS.query().all(connection).await?;
    let moved = sql::AUDIT_TRANSFERS.query().all(connection).await?;
    for (rows, is_kept) in [(kept, true), (counted, false), (moved, false)] {
        for row in &rows {
            let book = report::book(row)?;
            let key = (book.queue, book.campaign, book.source.clone());
            let pair = books.entry(key).or_default();
            add(if is_kept { &mut pair.0 } else { &mut pair.1 }, &book);
        }
    }
    let kept = sql::BOOK_OUTCOMES.bind(None::<i64>).bind(None::<i64>);
    let kept = report::outcomes(connection, kept).await?;
    let counted = report::outcomes(connection, sql::AUDIT_OUTCOMES.query()).await?;
    for (outcomes, is_kept) in [(kept, true), (counted, false)] {
        for ((queue, campaign, source), totals) in outcomes {
            let pair = books.entry((QueueKey(queue), CampaignKey(campaign), source)).or_default();
            (if is_kept { &mut pair.0 } else { &mut pair.1 }).outcomes = totals;
        }
    }
    audit.books = books.len() as i64;
    for ((_, campaign, source), (kept, counted)) in books {
        audit.handovers += counted.handed_over;
        let difference = difference(&kept, &counted);
        let by = difference + counted.imbalance().abs();
        if by != 0 {
            let name = names.get(&campaign).map_or("?", |id| id.as_str());
            let problem = format!(
                "kept and counted differ by {difference}, counted handovers without a place: {}",
                counted.imbalance()
            );
            blame(audit, by, format_args!("book {source}/{name}"), problem);
        }
    }
    Ok(())
}

/// Every counter of a book.
fn counters(book: &mut Book) -> impl Iterator<Item = &mut i64> {
    let counters = [
        &mut book.handed_over,
        &mut book.ready,
        &mut book.waiting,
        &mut book.leased,
        &mut book.merged,
        &mut book.erased,
        &mut book.touched,
        &mut book.touched_in_time,
        &mut book.first_touch_ms_sum,
        &mut book.touches,
        &mut book.transferred_in,
        &mut book.transferred_out,
    ];
    counters.into_iter().chain(&mut book.closed)
}

/// Adds what another count of the same book found.
fn add(book: &mut Book, other: &Book) {
    let mut other = other.clone();
    counters(book).zip(counters(&mut other)).for_each(|(one, other)| *one += *other);
}

/// The sum of the differences of all counters.
fn difference(one: &Book, other: &Book) -> i64 {
    let (mut kept, mut found) = (one.clone(), other.clone());
    let counted = counters(&mut kept).zip(counters(&mut found));
    let sum: i64 = counted.map(|(one, other)| (*one - *other).abs()).sum();
    // A total that only one of them has differs by all of it.
    let has = |book: &Book, total: &OutcomeTotal| book.outcomes.contains(total);
    let lost = one.outcomes.iter().filter(|total| !has(other, total));
    let found = other.outcomes.iter().filter(|total| !has(one, total));
    sum + (lost.count() + found.count()) as i64
}

async fn count_strays(
    connection: &mut Connection,
    audit: &mut AuditReport,
) -> Result<(), StoreError> {
    let row = sql::AUDIT_STRAYS.query().one(connection).await?;
    let count = |place: usize| row.integer(place);
    let (leads, touches) = (count(0)?, count(1)?);
    audit.touches = count(2)?;
    if leads > 0 {
        blame(audit, leads, "leads", format_args!("{leads} were opened by no handover"));
    }
    if touches > 0 {
        blame(audit, touches, "touches", format_args!("{touches} have no lead"));
    }
    find_homeless(connection, audit, count(3)?, count(4)?).await?;
    count_moves(connection, audit).await?;
    count_dials(connection, audit).await
}

/// Looks whether transfers and the queues that leads are in tell the same.
async fn count_moves(
    connection: &mut Connection,
    audit: &mut AuditReport,
) -> Result<(), StoreError> {
    let row = sql::AUDIT_MOVES.query().one(connection).await?;
    let problems = [
        "do not begin where the one before ended",
        "are not where their lead is",
        "are told of by no event",
        "leads came from elsewhere by none",
    ];
    for (place, problem) in problems.into_iter().enumerate() {
        let count = row.integer(place)?;
        if count > 0 {
            blame(audit, count, "transfers", format_args!("{count} {problem}"));
        }
    }
    Ok(())
}

/// Compares what caps count with the calls that were made and the leases that stand. Of calls that are
/// nearly as old as the longest window some may be forgotten.
async fn count_dials(
    connection: &mut Connection,
    audit: &mut AuditReport,
) -> Result<(), StoreError> {
    let last = sql::LAST_INSTANT.query().one(connection).await?.maybe_integer(0)?.unwrap_or(0);
    let since = last.saturating_sub(DIAL_KEPT_MS - DAY_MS);
    let row = sql::AUDIT_DIALS.bind(since).one(connection).await?;
    let (uncounted, doubted) = (row.integer(0)?, row.integer(1)?);
    if uncounted > 0 {
        let problem = format_args!("{uncounted} leads were called more often than was counted");
        blame(audit, uncounted, "dials", problem);
    }
    if doubted > 0 {
        let problem = format_args!("{doubted} are in doubt that a lease or a touch tells of");
        blame(audit, doubted, "dials", problem);
    }
    Ok(())
}

/// Compares how many events were written with how many the standings count. Each lead's own were read
/// from its standing backwards, and no two leads have the same, so those are all that there are if the
/// numbers agree.
async fn find_homeless(
    connection: &mut Connection,
    audit: &mut AuditReport,
    written: i64,
    counted: i64,
) -> Result<(), StoreError> {
    if written != counted {
        let problem = format!("{written} events were written, the standings count {counted}");
        blame(audit, (written - counted).abs(), "ledger", problem);
    }
    // One that is lost may hide one that is not there.
    if audit.imbalance == 0 {
        return Ok(());
    }
    let query = sql::AUDIT_HOMELESS.bind(FAULT_COUNT_MAX as i64);
    for row in query.all(connection).await? {
        let lead = LeadId(row.integer(0)?);
        blame(audit, 1, format_args!("lead {lead}"), "has events and stands nowhere");
    }
    Ok(())
}
