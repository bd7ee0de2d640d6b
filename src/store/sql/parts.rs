//! Many handovers at once, taken in by several commits.

use super::super::books::{Answer, Change};
use super::super::changes::{HandOver, HandedOver};
use super::super::error::StoreError;
use super::readers::Readers;
use super::running::SqlStore;

#[expect(private_bounds, reason = "which databases there are is decided here")]
impl<R: Readers> SqlStore<R> {
    /// Takes rows in by a few commits, one after the other: whoever else writes need not wait for all.
    pub(super) async fn hand_over_in_parts(
        &self,
        change: HandOver,
    ) -> Result<Vec<HandedOver>, StoreError> {
        let HandOver { rows, actor, now, .. } = change;
        let mut answers = Vec::with_capacity(rows.len());
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let rows = rows.by_ref().take(self.row_count_max).collect();
            let part = HandOver { rows, actor: actor.clone(), now, request: None };
            match self.change(Change::HandOver(part)).await {
                Ok(Answer::HandOver(part)) => answers.extend(part),
                Ok(_) => unreachable!("each change is answered in kind"),
                Err(error) if answers.is_empty() => return Err(error),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "took in only a part of many handovers");
                    return Err(StoreError::Unknown);
                }
            }
        }
        Ok(answers)
    }
}
