//! `IntakeService`: read, ask, answer; and the stream of an import.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use crate::dialer::{DialerError, FieldProblem, OWNER_FIELD};
use crate::domain::{CampaignId, QueueId};
use crate::store::{HandedOver, SuppressionOf};

use super::caller::caller_of;
use super::convert::{self, Fields, Page, Unwanted};
use super::proto::intake_service_server::IntakeService;
use super::proto::{
    EraseLeadRequest, EraseLeadResponse, ImportLeadsRequest, ImportLeadsResponse,
    ImportSuppressionsRequest, ImportSuppressionsResponse, ListCampaignsRequest,
    ListCampaignsResponse, ListSuppressionsRequest, ListSuppressionsResponse, PauseCampaignRequest,
    PauseCampaignResponse, RecordEngagementRequest, RecordEngagementResponse, RecordOutcomeRequest,
    RecordOutcomeResponse, SuppressContactRequest, SuppressContactResponse, UpsertCampaignRequest,
    UpsertCampaignResponse, UpsertLeadRequest, UpsertLeadResponse,
};
use super::status::Problems;
use super::{Services, suppressions};

/// The most rows of one batch.
pub const ROW_COUNT_MAX: usize = 20_000;
/// The most batches of one stream that are on their way at a time.
const BATCH_COUNT_MAX: usize = 3;

/// What marketing automation and the CRM call.
pub(super) struct IntakeApi(pub(super) Services);

#[tonic::async_trait]
impl IntakeService for IntakeApi {
    async fn upsert_campaign(
        &self,
        request: Request<UpsertCampaignRequest>,
    ) -> Result<Response<UpsertCampaignResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let read = convert::campaign_settings(&mut fields, message.campaign.as_ref());
        fields.request("UpsertCampaign", "", &message.request_id, message);
        let (id, queue, settings) = fields.finish(read)?;
        let campaign = self.0.dialer.put_campaign(id, queue, settings).await?;
        Ok(Response::new(UpsertCampaignResponse { campaign: Some(convert::campaign(campaign)) }))
    }

    async fn list_campaigns(
        &self,
        request: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let queue = fields.id_if_given("queue_id", &message.queue_id, QueueId::new);
        let page = Page::of(&mut fields, (message.page_size, &message.page_token), 100, 1_000);
        let (queue, page) = fields.finish(queue.zip(page))?;
        let campaigns = self.0.dialer.campaigns(queue.as_ref())?;
        let (campaigns, next_page_token) = convert::by_id(campaigns, &page, |one| one.id.as_str());
        let campaigns = campaigns.into_iter().map(convert::campaign).collect();
        Ok(Response::new(ListCampaignsResponse { campaigns, next_page_token }))
    }

    async fn pause_campaign(
        &self,
        request: Request<PauseCampaignRequest>,
    ) -> Result<Response<PauseCampaignResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let id = fields.id("campaign_id", &message.campaign_id, CampaignId::new);
        let id = fields.finish(id)?;
        let campaign = self.0.dialer.pause_campaign(id, !message.resume).await?;
        Ok(Response::new(PauseCampaignResponse { campaign: Some(convert::campaign(campaign)) }))
    }

    async fn upsert_lead(
        &self,
        request: Request<UpsertLeadRequest>,
    ) -> Result<Response<UpsertLeadResponse>, Status> {
        let caller = caller_of(&request);
        let message = request.get_ref();
        let mut fields = Fields::default();
        let lead = convert::new_lead(
            &mut fields,
            message.lead.as_ref(),
            |campaign| self.0.dialer.default_country(campaign),
            self.0.dialer.now(),
        );
        let key = fields.request("UpsertLead", &caller.name, &message.request_id, message);
        let (lead, key) = fields.finish(lead.zip(key))?;
        let result = self.0.dialer.hand_over(lead, &caller.name, key).await?;
        let result = Some(convert::handed_over(result));
        Ok(Response::new(UpsertLeadResponse { result }))
    }

    type ImportLeadsStream =
        Pin<Box<dyn Stream<Item = Result<ImportLeadsResponse, Status>> + Send>>;

    async fn import_leads(
        &self,
        request: Request<Streaming<ImportLeadsRequest>>,
    ) -> Result<Response<Self::ImportLeadsStream>, Status> {
        let actor = caller_of(&request).name;
        let services = self.0.clone();
        // A batch is read while the one before it is on its way into the store. Imports are begun in
        // order, and the network's one thread runs what they spawn in order, too: rows are taken in
        // the order in which they were sent.
        let answers = request.into_inner().map(move |batch| {
            let (services, actor) = (services.clone(), actor.clone());
            async move { Ok(import(&services, &actor, batch?).await?) }
        });
        Ok(Response::new(Box::pin(answers.buffered(BATCH_COUNT_MAX))))
    }

    async fn record_engagement(
        &self,
        request: Request<RecordEngagementRequest>,
    ) -> Result<Response<RecordEngagementResponse>, Status> {
        let caller = caller_of(&request);
        let message = request.get_ref();
        let mut fields = Fields::default();
        let name = convert::lead_name(&mut fields, message.lead.as_ref());
        let new = convert::new_engagement(&mut fields, message, self.0.dialer.now());
        let (name, new) = fields.finish(name.zip(new))?;
        let lead = self.0.lead(name).await?;
        let recorded = self.0.dialer.record_engagement(lead, new, &caller.name).await?;
        Ok(Response::new(convert::engaged(&recorded)))
    }

    async fn record_outcome(
        &self,
        request: Request<RecordOutcomeRequest>,
    ) -> Result<Response<RecordOutcomeResponse>, Status> {
        let caller = caller_of(&request);
        let message = request.get_ref();
        let mut fields = Fields::default();
        let name = convert::lead_name(&mut fields, message.lead.as_ref());
        let new = convert::new_outcome(&mut fields, message, self.0.dialer.now());
        let (name, new) = fields.finish(name.zip(new))?;
        let lead = self.0.lead(name).await?;
        let recorded = self.0.dialer.record_outcome(lead, new, &caller.name).await?;
        Ok(Response::new(convert::concluded(&recorded)))
    }

    async fn suppress_contact(
        &self,
        request: Request<SuppressContactRequest>,
    ) -> Result<Response<SuppressContactResponse>, Status> {
        let caller = caller_of(&request);
        let message = request.get_ref();
        let mut fields = Fields::default();
        let read = convert::suppression(&mut fields, message, self.0.dialer.now());
        let key = fields.request("SuppressContact", &caller.name, &message.request_id, message);
        let ((what, source, until), key) = fields.finish(read.zip(key))?;
        let what = match what {
            Unwanted::Value(what) => what,
            Unwanted::Person(name) => SuppressionOf::Person(self.0.lead(name).await?),
        };
        let wish = (source, until);
        let suppressed = self.0.dialer.suppress(what, wish, &caller.name, key).await?;
        Ok(Response::new(SuppressContactResponse {
            known_before: suppressed.was_known,
            closed_count: convert::count(suppressed.closed_count),
        }))
    }

    type ImportSuppressionsStream =
        Pin<Box<dyn Stream<Item = Result<ImportSuppressionsResponse, Status>> + Send>>;

    async fn import_suppressions(
        &self,
        request: Request<Streaming<ImportSuppressionsRequest>>,
    ) -> Result<Response<Self::ImportSuppressionsStream>, Status> {
        let actor = caller_of(&request).name;
        let services = self.0.clone();
        let answers = request.into_inner().map(move |batch| {
            let (services, actor) = (services.clone(), actor.clone());
            async move { Ok(suppressions::import(&services, &actor, batch?).await?) }
        });
        Ok(Response::new(Box::pin(answers.buffered(BATCH_COUNT_MAX))))
    }

    async fn list_suppressions(
        &self,
        request: Request<ListSuppressionsRequest>,
    ) -> Result<Response<ListSuppressionsResponse>, Status> {
        suppressions::list(&self.0, request.get_ref()).await.map(Response::new)
    }

    async fn erase_lead(
        &self,
        request: Request<EraseLeadRequest>,
    ) -> Result<Response<EraseLeadResponse>, Status> {
        let caller = caller_of(&request);
        let message = request.get_ref();
        let mut fields = Fields::default();
        let name = convert::lead_name(&mut fields, message.lead.as_ref());
        let key = fields.request("EraseLead", &caller.name, &message.request_id, message);
        let (name, key) = fields.finish(name.zip(key))?;
        let lead = self.0.lead(name).await?;
        let erased = self.0.dialer.erase_lead(lead, &caller.name, key).await?;
        Ok(Response::new(EraseLeadResponse {
            lead_id: lead.to_string(),
            erased_before: erased.was_erased,
            other_lead_ids: erased.others.iter().map(ToString::to_string).collect(),
        }))
    }
}

/// Takes in the good rows of a batch, and answers all.
async fn import(
    services: &Services,
    actor: &str,
    batch: ImportLeadsRequest,
) -> Result<ImportLeadsResponse, DialerError> {
    if batch.rows.len() > ROW_COUNT_MAX {
        return Err(DialerError::invalid("rows", format!("must be at most {ROW_COUNT_MAX}")));
    }
    let now = services.dialer.now();
    let mut leads = Vec::with_capacity(batch.rows.len());
    let mut refused = Vec::with_capacity(batch.rows.len());
    for row in &batch.rows {
        let mut fields = Fields::default();
        let lead = convert::new_lead(
            &mut fields,
            row.lead.as_ref(),
            |campaign| services.dialer.default_country(campaign),
            now,
        );
        refused.push(match fields.finish(lead) {
            Ok(lead) => {
                leads.push(lead);
                None
            }
            Err(Problems(problems)) => Some(problems),
        });
    }
    let taken: Vec<Result<Taken, FieldProblem>> = if leads.is_empty() {
        Vec::new()
    } else if batch.validate_only {
        let checked = services.dialer.check_handovers(&leads).into_iter();
        checked.map(|checked| checked.map(|()| Taken::WouldBe)).collect()
    } else {
        let taken = services.dialer.hand_over_all(leads, actor).await?.into_iter();
        taken.map(|taken| taken.map(Taken::Is)).collect()
    };
    let answer = answer(&batch, refused, taken);
    services.metrics.imported(&answer);
    Ok(answer)
}

/// A row that is in the store, or would be taken in.
enum Taken {
    Is(HandedOver),
    WouldBe,
}

fn answer(
    batch: &ImportLeadsRequest,
    refused: Vec<Option<Vec<FieldProblem>>>,
    taken: Vec<Result<Taken, FieldProblem>>,
) -> ImportLeadsResponse {
    let mut answer = ImportLeadsResponse { batch_number: batch.batch_number, ..Default::default() };
    let mut taken = taken.into_iter();
    for (row, problems) in batch.rows.iter().zip(refused) {
        let result = match problems {
            Some(problems) => Err(("FIELD_INVALID", problems)),
            None => match taken.next().expect("one answer a lead") {
                Ok(Taken::Is(HandedOver::Erased { .. })) => {
                    let problem = FieldProblem::new("lead.handover_key", "its lead was erased");
                    Err(("ERASED", vec![problem]))
                }
                Ok(result) => Ok(result),
                Err(problem) if problem.field == OWNER_FIELD => {
                    let field = format!("lead.{OWNER_FIELD}");
                    Err(("FIELD_INVALID", vec![FieldProblem::new(field, problem.problem)]))
                }
                Err(problem) => {
                    let field = "lead.handover_key.campaign_id";
                    let problem = FieldProblem::new(field, problem.problem);
                    Err(("CAMPAIGN_NOT_FOUND", vec![problem]))
                }
            },
        };
        *match &result {
            Ok(Taken::Is(HandedOver::Opened { .. })) => &mut answer.opened_count,
            Ok(Taken::Is(HandedOver::Updated { .. })) => &mut answer.updated_count,
            Ok(Taken::Is(HandedOver::Unchanged { .. })) => &mut answer.unchanged_count,
            Ok(Taken::Is(HandedOver::Merged { .. })) => &mut answer.merged_count,
            Ok(Taken::WouldBe) => &mut answer.accepted_count,
            Ok(Taken::Is(HandedOver::Erased { .. })) | Err(_) => &mut answer.rejected_count,
        } += 1;
        answer.rows.push(match result {
            Ok(Taken::Is(taken)) => convert::row_result(row.row_number, Ok(taken)),
            Ok(Taken::WouldBe) => convert::row_accepted(row.row_number),
            Err(refusal) => convert::row_result(row.row_number, Err(refusal)),
        });
    }
    answer
}

#[cfg(test)]
mod tests {
    use crate::api::proto::{ImportRow, import_row_result};
    use crate::domain::LeadId;

    use super::*;

    #[test]
    fn each_row_gets_its_own_answer_and_counts_once() {
        let row = |row_number| ImportRow { row_number, lead: None };
        let rows = [7, 8, 9].map(row).to_vec();
        let batch = ImportLeadsRequest { batch_number: 3, rows, validate_only: false };
        let refused = vec![None, Some(vec![FieldProblem::new("lead.name", "bad")]), None];
        let unknown = FieldProblem::new("campaign_id", "there is no campaign");
        let updated = Taken::Is(HandedOver::Updated { lead: LeadId(1) });
        let taken = vec![Ok(updated), Err(unknown)];

        let answer = answer(&batch, refused, taken);

        assert_eq!((answer.batch_number, answer.updated_count, answer.rejected_count), (3, 1, 2));
        let reason = |nth: usize| match answer.rows[nth].result.as_ref().unwrap() {
            import_row_result::Result::Taken(taken) => taken.lead_id.clone(),
            import_row_result::Result::Rejection(rejection) => rejection.reason.clone(),
            import_row_result::Result::Accepted(_) => "accepted".to_owned(),
        };
        assert_eq!([reason(0), reason(1), reason(2)], ["1", "FIELD_INVALID", "CAMPAIGN_NOT_FOUND"]);
        let numbers: Vec<_> = answer.rows.iter().map(|row| row.row_number).collect();
        assert_eq!(numbers, [7, 8, 9]);
    }
}
