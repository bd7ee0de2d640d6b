//! What a batch of calls writes to a server, in one statement: a server is a round trip away, and a rep's
//! touch with the next lead would need eight of them, while every other node waits for its turn.

use super::super::books::{Slate, Tracked};
use super::super::error::StoreError;
use super::connection::Connection;
use super::rows::{corrupt, packed};
use super::statements as sql;
use super::write::{self, Rows};
use super::{write_books, write_leases, write_skips, write_transfers};

/// Whether all that the batch changes is what calls change.
pub(in crate::store) fn are_enough(slate: &Slate, changed: &[&Tracked]) -> bool {
    let is_moved_only = |tracked: &&Tracked| {
        tracked
            .before
            .as_ref()
            .is_some_and(|before| std::sync::Arc::ptr_eq(&before.lead, &tracked.now.lead))
    };
    changed.iter().all(is_moved_only)
        && !changed.iter().any(|tracked| write_transfers::is_moved(tracked))
        && !slate.handovers.values().any(|row| row.is_new || row.is_changed)
        && slate.new_engagements.is_empty()
        && slate.new_outcomes.is_empty()
        && slate.new_suppressions.is_empty()
        && slate.sealed_suppressions.is_empty()
        && slate.erased_leads.is_empty()
        && slate.sealed_dials.is_empty()
        && slate.book_deltas.values().all(|delta| delta.handed_over == 0)
        && slate.new_feedback.is_empty()
        && slate.late_feedback.is_empty()
        && slate.forget.is_none()
}

/// Writes the slate.
pub(in crate::store) async fn write(
    connection: &mut Connection,
    slate: &Slate,
    changed: &[&Tracked],
) -> Result<(), StoreError> {
    let [.., standings] = write::standing_statements(changed, true);
    let [events] = write::event_statements(slate);
    let leases = write_leases::statements(slate, changed);
    // `None`: some of them may not count.
    let [skips, serves] = write_skips::statements(slate);
    let parts: [(Option<Rows>, Option<&'static str>); 15] = [
        (standings, Some("standing")),
        (events, Some("ledger")),
        (leases.freed, None),
        (leases.ended, Some("lease")),
        (leases.carried, Some("lease")),
        (leases.given, Some("lease")),
        (leases.held, Some("held_number")),
        (write::touch_statement(slate), Some("touch")),
        (write::request_statement(slate), Some("request")),
        (write::pass_statement(slate), None),
        (write_books::moved(slate), Some("book")),
        (write::told_statement(slate), None),
        (write::dial_statement(slate), Some("dial")),
        (skips, Some("skip")),
        (serves, Some("serve_count")),
    ];
    let mut query = sql::WRITE_CALLS.query();
    let mut expected = Vec::with_capacity(parts.len());
    for (rows, table) in parts {
        let (rows, count) = rows.map_or(("[]".to_owned(), 0), |rows| (rows.rows, rows.row_count));
        query = query.bind(rows);
        expected.extend(table.map(|table| (table, count)));
    }
    let done: Vec<u64> = packed(connection, "standing", query).await?;
    for ((table, wanted), done) in expected.into_iter().zip(done) {
        if done != wanted {
            return Err(corrupt(table, "(count)", &format!("{done} of {wanted} rows")));
        }
    }
    Ok(())
}
