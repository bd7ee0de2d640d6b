//! `CoverageService`: read, ask, answer.

use tonic::{Request, Response, Status};

use crate::domain::{CampaignId, QueueId};

use super::Services;
use super::caller::caller_of;
use super::convert::{self, Fields, Page};
use super::proto::coverage_service_server::CoverageService;
use super::proto::{
    AuditLedgerRequest, AuditLedgerResponse, GetCoverageRequest, GetCoverageResponse,
    ListUncontactedRequest, ListUncontactedResponse,
};

/// What marketing calls to see where every lead stands.
pub(super) struct CoverageApi(pub(super) Services);

#[tonic::async_trait]
impl CoverageService for CoverageApi {
    async fn get_coverage(
        &self,
        request: Request<GetCoverageRequest>,
    ) -> Result<Response<GetCoverageResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let queue = fields.id_if_given("queue_id", &message.queue_id, QueueId::new);
        let campaign = fields.id_if_given("campaign_id", &message.campaign_id, CampaignId::new);
        let (queue, campaign) = fields.finish(queue.zip(campaign))?;
        let report = self.0.coverage.books(queue.as_ref(), campaign.as_ref()).await?;
        Ok(Response::new(convert::coverage(report)))
    }

    async fn list_uncontacted(
        &self,
        request: Request<ListUncontactedRequest>,
    ) -> Result<Response<ListUncontactedResponse>, Status> {
        let caller = caller_of(&request);
        let message = request.get_ref();
        let mut fields = Fields::default();
        let queue = fields.id_if_given("queue_id", &message.queue_id, QueueId::new);
        let campaign = fields.id_if_given("campaign_id", &message.campaign_id, CampaignId::new);
        let page = Page::of(&mut fields, (message.page_size, &message.page_token), 100, 1_000);
        let ((queue, campaign), page) = fields.finish(queue.zip(campaign).zip(page))?;
        let after = convert::uncontacted_after(&page)?;

        let (queue, campaign) = (queue.as_ref(), campaign.as_ref());
        let (with_closed, limit) = (message.with_closed, page.size + 1);
        let coverage = &self.0.coverage;
        let mut leads = coverage.uncontacted(queue, campaign, with_closed, after, limit).await?;
        let has_more = leads.len() > page.size;
        leads.truncate(page.size);
        let last = leads.last().filter(|_| has_more);
        let next_page_token = last.map(convert::uncontacted_token).unwrap_or_default();
        let leads = leads.iter().map(|lead| convert::uncontacted(&caller, lead)).collect();
        Ok(Response::new(ListUncontactedResponse { leads, next_page_token }))
    }

    async fn audit_ledger(
        &self,
        _request: Request<AuditLedgerRequest>,
    ) -> Result<Response<AuditLedgerResponse>, Status> {
        let report = self.0.coverage.audit().await?;
        Ok(Response::new(convert::audit(report)))
    }
}
