//! Counts what became of the rows, and holds every answer against what was sent.

use anyhow::{bail, ensure};
use serde::{Deserialize, Serialize};

use super::batch::Pending;
use super::rejects::reason_text;
use super::rows::Original;
use crate::api::proto::ImportLeadsResponse;
use crate::api::proto::import_row_result::Result as RowResult;

/// What became of the rows so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) opened: i64,
    pub(super) updated: i64,
    pub(super) unchanged: i64,
    pub(super) merged: i64,
    /// By the node, or since they could not be read.
    pub(super) rejected: i64,
    /// Of a check: would be taken in.
    pub(super) accepted: i64,
    /// Of those that were sent: an attribute did not look like its type, and stayed a text.
    pub(super) kept_as_text: i64,
}

impl Tally {
    /// All of them.
    pub(super) fn total(&self) -> i64 {
        self.taken() + self.accepted + self.rejected
    }

    /// Those that the node has, for good.
    pub(super) fn taken(&self) -> i64 {
        self.opened + self.updated + self.unchanged + self.merged
    }

    /// Takes a batch that is done with, and gives its rejected rows in the order of the file. Fails if
    /// the answer does not fit the batch.
    pub(super) fn add<'row>(
        &mut self,
        pending: &'row Pending,
        answer: Option<&ImportLeadsResponse>,
    ) -> anyhow::Result<Vec<(&'row Original, String)>> {
        let mut rejected: Vec<(&Original, String)> =
            pending.unreadable.iter().map(|(original, why)| (original, why.clone())).collect();
        if let Some(answer) = answer {
            self.add_answer(pending, answer, &mut rejected)?;
        }
        rejected.sort_by_key(|(original, _)| original.number);
        self.rejected += rejected.len() as i64;
        self.kept_as_text += pending.kept_as_text;
        Ok(rejected)
    }

    fn add_answer<'row>(
        &mut self,
        pending: &'row Pending,
        answer: &ImportLeadsResponse,
        rejected: &mut Vec<(&'row Original, String)>,
    ) -> anyhow::Result<()> {
        ensure!(
            answer.batch_number == pending.number && answer.rows.len() == pending.sent.len(),
            "the node answered batch {} with {} rows where batch {} with {} rows was due",
            answer.batch_number,
            answer.rows.len(),
            pending.number,
            pending.sent.len(),
        );
        let before = rejected.len();
        for (original, row) in pending.sent.iter().zip(&answer.rows) {
            match &row.result {
                _ if row.row_number != original.number => {
                    bail!("the node answered row {} as {}", original.number, row.row_number)
                }
                Some(RowResult::Taken(_) | RowResult::Accepted(_)) => {}
                Some(RowResult::Rejection(rejection)) => {
                    rejected.push((original, reason_text(rejection)));
                }
                None => bail!("the node did not say what became of row {}", original.number),
            }
        }
        let counts = Self {
            opened: answer.opened_count,
            updated: answer.updated_count,
            unchanged: answer.unchanged_count,
            merged: answer.merged_count,
            rejected: answer.rejected_count,
            accepted: answer.accepted_count,
            kept_as_text: 0,
        };
        let rejected_count = (rejected.len() - before) as i64;
        ensure!(
            counts.total() == pending.sent.len() as i64 && counts.rejected == rejected_count,
            "the counts of batch {} do not add up: {counts:?} for {} rows",
            pending.number,
            pending.sent.len(),
        );
        self.opened += counts.opened;
        self.updated += counts.updated;
        self.unchanged += counts.unchanged;
        self.merged += counts.merged;
        self.accepted += counts.accepted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use csv::ByteRecord;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::api::proto::{HandoverResult, ImportRowResult, RowRejection};

    fn original(number: i64) -> Original {
        Original { number, line: 1, cells: ByteRecord::from(vec![number.to_string()]) }
    }

    /// Rows 1, 3 and 4 were sent, row 2 could not be read.
    fn pending() -> Pending {
        Pending {
            number: 5,
            sent: [1, 3, 4].map(original).into(),
            unreadable: vec![(original(2), "has 1 cells".to_owned())],
            kept_as_text: 1,
            _place: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
        }
    }

    fn answer() -> ImportLeadsResponse {
        let taken = Some(RowResult::Taken(HandoverResult::default()));
        let rejection = RowRejection { reason: "FIELD_INVALID".into(), problems: Vec::new() };
        let row = |row_number, result| ImportRowResult { row_number, result };
        ImportLeadsResponse {
            batch_number: 5,
            rows: vec![
                row(1, Some(RowResult::Rejection(rejection))),
                row(3, taken.clone()),
                row(4, taken),
            ],
            opened_count: 1,
            merged_count: 1,
            rejected_count: 1,
            ..ImportLeadsResponse::default()
        }
    }

    fn add(answer: &ImportLeadsResponse) -> anyhow::Result<(Tally, Vec<(i64, String)>)> {
        let mut tally = Tally::default();
        let pending = pending();
        let rejected = tally.add(&pending, Some(answer))?.into_iter();
        Ok((tally, rejected.map(|(original, why)| (original.number, why)).collect()))
    }

    #[test]
    fn rejected_rows_come_in_the_order_of_the_file_and_the_counts_add_up() {
        let (tally, rejects) = add(&answer()).unwrap();
        assert_eq!((tally.opened, tally.merged, tally.rejected), (1, 1, 2));
        assert_eq!((tally.taken(), tally.total()), (2, 4));
        assert_eq!(tally.kept_as_text, 1);
        assert_eq!(rejects, [(1, "FIELD_INVALID".to_owned()), (2, "has 1 cells".to_owned())]);
    }

    #[test]
    fn an_answer_that_does_not_fit_its_batch_is_an_error() {
        let check = |change: fn(&mut ImportLeadsResponse), expected: &str| {
            let mut answer = answer();
            change(&mut answer);
            let problem = add(&answer).unwrap_err().to_string();
            assert!(problem.contains(expected), "{problem}");
        };
        check(|answer| answer.batch_number = 6, "where batch 5 with 3 rows was due");
        check(|answer| drop(answer.rows.pop()), "with 2 rows where");
        check(|answer| answer.rows[1].row_number = 2, "row 3 as 2");
        check(|answer| answer.rows[1].result = None, "what became of row 3");
        check(|answer| answer.opened_count = 2, "do not add up");
        check(|answer| answer.rejected_count = 0, "do not add up");
    }
}
