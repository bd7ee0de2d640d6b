//! Moves the books of a batch: one row for each queue, campaign and source that it touched.

use serde::Serialize;

use super::super::books::{BookDelta, BookKey, Slate};
use super::super::error::StoreError;
use super::connection::Connection;
use super::statements as sql;
use super::write::{Rows, run, some};
use crate::domain::{CampaignKey, QueueKey};

/// Opens the books that are new, and moves the counters of all.
pub(in crate::store) async fn write(
    connection: &mut Connection,
    slate: &Slate,
) -> Result<(), StoreError> {
    let keys = || slate.book_deltas.iter();
    let new: Vec<_> = keys()
        .filter(|(_, delta)| delta.handed_over > 0 || delta.transferred_in > 0)
        .map(|(key, _)| (key.queue, key.campaign, &key.source))
        .collect();
    some(connection, sql::ADD_BOOKS, &new).await?;
    run(connection, [moved(slate)]).await
}

/// Moves the counters.
pub(in crate::store) fn moved(slate: &Slate) -> Option<Rows> {
    let rows: Vec<BookColumns<'_>> = slate.book_deltas.iter().map(BookColumns::of).collect();
    Rows::of("book", sql::MOVE_BOOKS, &rows)
}

/// A row of `move_books.sql`.
#[derive(Serialize)]
struct BookColumns<'a>(
    QueueKey,
    CampaignKey,
    &'a str,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
);

impl<'a> BookColumns<'a> {
    fn of((key, delta): (&'a BookKey, &'a BookDelta)) -> Self {
        let [won, lost, nurture, suppressed, unreachable, superseded] = delta.closed;
        Self(
            key.queue,
            key.campaign,
            &key.source,
            delta.handed_over,
            delta.ready,
            delta.waiting,
            delta.leased,
            won,
            lost,
            nurture,
            suppressed,
            unreachable,
            superseded,
            delta.merged,
            delta.touched,
            delta.touched_in_time,
            delta.first_touch_ms_sum,
            delta.touches,
            delta.last_ms,
            delta.erased,
            delta.transferred_in,
            delta.transferred_out,
        )
    }
}
