//! `CoverageService`: read, ask, answer.

use std::pin::Pin;

use futures_util::stream::{self, Stream, TryStreamExt as _};
use tonic::{Request, Response, Status};

use crate::auth::{Caller, Role};
use crate::domain::{CampaignId, QueueId};

use super::Services;
use super::caller::caller_of;
use super::convert::{self, Fields, Page};
use super::proto::coverage_service_server::CoverageService;
use super::proto::{
    AuditLedgerRequest, AuditLedgerResponse, ExportLeadsRequest, ExportLeadsResponse,
    ExportTouchesRequest, ExportTouchesResponse, GetCoverageRequest, GetCoverageResponse,
    GetQualityRequest, GetQualityResponse, GetSkipsRequest, GetSkipsResponse,
    ListUncontactedRequest, ListUncontactedResponse, ListUnroutableRequest, ListUnroutableResponse,
};

/// The answers of a stream, made as they are read.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Whether a caller sees neither whole numbers nor notes: marketing knows its own leads, but not what
/// reps dialled and wrote down.
fn is_masked_for(caller: &Caller) -> bool {
    caller.role == Role::Marketing
}

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
        // An index knows its queue's leads by lanes, not by campaigns; the books do without one.
        let mut censuses = match campaign {
            Some(_) => Vec::new(),
            None => self.0.dialer.census().await.unwrap_or_default(),
        };
        censuses.retain(|one| queue.as_ref().is_none_or(|queue| one.queue == *queue));
        Ok(Response::new(convert::coverage(report, &censuses)))
    }

    async fn list_unroutable(
        &self,
        request: Request<ListUnroutableRequest>,
    ) -> Result<Response<ListUnroutableResponse>, Status> {
        let is_masked = is_masked_for(&caller_of(&request));
        let message = request.get_ref();
        let mut fields = Fields::default();
        let queue = fields.id_if_given("queue_id", &message.queue_id, QueueId::new);
        let page = Page::of(&mut fields, (message.page_size, &message.page_token), 100, 1_000);
        let (queue, page) = fields.finish(queue.zip(page))?;
        let after = convert::unroutable_after(&page)?;
        let found = self.0.dialer.unroutable(queue.as_ref(), after, page.size).await?;
        let next_page_token = found.next.map(convert::unroutable_token).unwrap_or_default();
        let leads = found.leads.iter().map(|lead| convert::unroutable(lead, is_masked)).collect();
        Ok(Response::new(ListUnroutableResponse { leads, next_page_token }))
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

    async fn get_quality(
        &self,
        request: Request<GetQualityRequest>,
    ) -> Result<Response<GetQualityResponse>, Status> {
        let is_of_marketing = is_masked_for(&caller_of(&request));
        let message = request.get_ref();
        let mut fields = Fields::default();
        let queue = fields.id("queue_id", &message.queue_id, QueueId::new);
        let (from, until) = (message.from_time.as_ref(), message.until_time.as_ref());
        let period = convert::period(&mut fields, from, until, self.0.dialer.now());
        let (queue, (from, until)) = fields.finish(queue.zip(period))?;
        let report = self.0.coverage.quality(&queue, from, until).await?;
        let answer = convert::quality_report(report, (from, until));
        Ok(Response::new(match is_of_marketing {
            // Who of the reps said what is between them and their manager.
            true => GetQualityResponse { reps: Vec::new(), owed: Vec::new(), ..answer },
            false => answer,
        }))
    }

    async fn get_skips(
        &self,
        request: Request<GetSkipsRequest>,
    ) -> Result<Response<GetSkipsResponse>, Status> {
        let is_of_marketing = is_masked_for(&caller_of(&request));
        let message = request.get_ref();
        let mut fields = Fields::default();
        let queue = fields.id("queue_id", &message.queue_id, QueueId::new);
        let (from, until) = (message.from_time.as_ref(), message.until_time.as_ref());
        let period = convert::period(&mut fields, from, until, self.0.dialer.now());
        let (queue, (from, until)) = fields.finish(queue.zip(period))?;
        let report = self.0.coverage.skips(&queue, from, until).await?;
        Ok(Response::new(convert::skips(&match is_of_marketing {
            // As with what they think of leads.
            true => report.without_reps(),
            false => report,
        })))
    }

    async fn audit_ledger(
        &self,
        _request: Request<AuditLedgerRequest>,
    ) -> Result<Response<AuditLedgerResponse>, Status> {
        let report = self.0.coverage.audit().await?;
        Ok(Response::new(convert::audit(report)))
    }

    type ExportLeadsStream = Answers<ExportLeadsResponse>;

    async fn export_leads(
        &self,
        request: Request<ExportLeadsRequest>,
    ) -> Result<Response<Self::ExportLeadsStream>, Status> {
        let is_masked = is_masked_for(&caller_of(&request));
        let message = request.get_ref();
        let since = ("changed_since_time", message.changed_since_time.as_ref());
        let scope = convert::export_scope(&message.queue_id, &message.campaign_id, since)?;
        let export = self.0.coverage.export_leads(&scope).await?;
        let pages = stream::try_unfold(export, move |mut export| async move {
            let page = export.next().await?;
            let messages = page.map(|leads| convert::exported_leads(&leads, is_masked));
            Ok::<_, Status>(messages.map(|messages| (messages, export)))
        });
        let answers = pages.map_ok(|messages| stream::iter(messages.into_iter().map(Ok)));
        Ok(Response::new(Box::pin(answers.try_flatten())))
    }

    type ExportTouchesStream = Answers<ExportTouchesResponse>;

    async fn export_touches(
        &self,
        request: Request<ExportTouchesRequest>,
    ) -> Result<Response<Self::ExportTouchesStream>, Status> {
        let is_masked = is_masked_for(&caller_of(&request));
        let message = request.get_ref();
        let since = ("recorded_since_time", message.recorded_since_time.as_ref());
        let scope = convert::export_scope(&message.queue_id, &message.campaign_id, since)?;
        let export = self.0.coverage.export_touches(&scope).await?;
        let pages = stream::try_unfold(export, move |mut export| async move {
            let page = export.next().await?;
            let messages = page.map(|touches| convert::exported_touches(&touches, is_masked));
            Ok::<_, Status>(messages.map(|messages| (messages, export)))
        });
        let answers = pages.map_ok(|messages| stream::iter(messages.into_iter().map(Ok)));
        Ok(Response::new(Box::pin(answers.try_flatten())))
    }
}
