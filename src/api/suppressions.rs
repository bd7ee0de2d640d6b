//! Suppressions in bulk: batches in, pages out.

use crate::dialer::DialerError;
use crate::domain::check_id;
use crate::store::{Suppression, SuppressionPage};

use super::Services;
use super::convert::{self, Fields, Page};
use super::intake::ROW_COUNT_MAX;
use super::proto::{
    ImportSuppressionsRequest, ImportSuppressionsResponse, ListSuppressionsRequest,
    ListSuppressionsResponse, SuppressionRejection,
};
use super::status::Problems;

/// Takes in the good rows of a batch, closes what carries them, and answers all.
pub(super) async fn import(
    services: &Services,
    actor: &str,
    batch: ImportSuppressionsRequest,
) -> Result<ImportSuppressionsResponse, DialerError> {
    if batch.rows.len() > ROW_COUNT_MAX {
        return Err(DialerError::invalid("rows", format!("must be at most {ROW_COUNT_MAX}")));
    }
    if let Err(problem) = check_id(&batch.source) {
        return Err(DialerError::invalid("source", problem.to_string()));
    }
    let mut fields = Fields::default();
    let country = fields.number_country("country", &batch.country);
    let until =
        convert::suppressed_until(&mut fields, batch.until_time.as_ref(), services.dialer.now());
    let read = fields.finish(Some((country, until)));
    let (country, until) = read.map_err(|Problems(all)| DialerError::Invalid(all))?;
    let mut answer =
        ImportSuppressionsResponse { batch_number: batch.batch_number, ..Default::default() };
    let mut whats = Vec::with_capacity(batch.rows.len());
    for row in &batch.rows {
        let mut fields = Fields::default();
        let what = convert::suppressed(&mut fields, row.contact.as_ref(), country.as_deref());
        match fields.finish(what) {
            Ok(what) => whats.push(what),
            Err(Problems(problems)) => answer.rejections.push(SuppressionRejection {
                row_number: row.row_number,
                rejection: Some(convert::rejection("FIELD_INVALID", problems)),
            }),
        }
    }
    answer.rejected_count = convert::count(answer.rejections.len());
    if !whats.is_empty() {
        let count = whats.len();
        let all = services.dialer.suppress_all(whats, (batch.source, until), actor).await?;
        answer.suppressed_count = convert::count(all.new_count);
        answer.known_count = convert::count(count - all.new_count);
        answer.closed_count = convert::count(all.closed_count);
    }
    Ok(answer)
}

/// A page of what is suppressed.
pub(super) async fn list(
    services: &Services,
    message: &ListSuppressionsRequest,
) -> Result<ListSuppressionsResponse, tonic::Status> {
    let mut fields = Fields::default();
    let kind = convert::suppression_kind(&mut fields, message.kind);
    let page = Page::of(&mut fields, (message.page_size, &message.page_token), 100, 1_000);
    let (kind, page) = fields.finish(kind.zip(page))?;
    let after = convert::suppressions_after(&page)?;
    let asked = SuppressionPage { kind, after, limit: page.size + 1 };
    let mut found = services.dialer.suppressions(&asked).await?;
    let has_more = found.len() > page.size;
    found.truncate(page.size);
    let last = found.last().filter(|_| has_more);
    let next_page_token = last.map(token).unwrap_or_default();
    let suppressions = found.into_iter().map(convert::suppression_of).collect();
    Ok(ListSuppressionsResponse { suppressions, next_page_token })
}

/// Names the last of a page: its kind and value.
fn token(last: &Suppression) -> String {
    format!("{}:{}", last.kind.code(), last.value)
}
