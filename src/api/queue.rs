//! `QueueService`: read, ask, answer.

use tonic::{Request, Response, Status};

use crate::domain::{QueueId, RepId};

use super::Services;
use super::caller::caller_of;
use super::convert::{self, Fields, Page};
use super::proto::queue_service_server::QueueService;
use super::proto::{
    AssignLeadRequest, AssignLeadResponse, ExplainLeadRequest, ExplainLeadResponse,
    ListQueuesRequest, ListQueuesResponse, ListRepsRequest, ListRepsResponse, PeekQueueRequest,
    PeekQueueResponse, TraceLeadRequest, TraceLeadResponse, TransferLeadRequest,
    TransferLeadResponse, UpsertQueueRequest, UpsertQueueResponse, UpsertRepRequest,
    UpsertRepResponse,
};

/// What a manager calls to set up queues and reps, and to ask about leads.
pub(super) struct QueueApi(pub(super) Services);

#[tonic::async_trait]
impl QueueService for QueueApi {
    async fn upsert_queue(
        &self,
        request: Request<UpsertQueueRequest>,
    ) -> Result<Response<UpsertQueueResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let read = convert::queue_settings(&mut fields, message.queue.as_ref());
        fields.request("UpsertQueue", "", &message.request_id, message);
        let (id, settings) = fields.finish(read)?;
        let queue = self.0.dialer.put_queue(id, settings).await?;
        Ok(Response::new(UpsertQueueResponse { queue: Some(convert::queue(queue)) }))
    }

    async fn list_queues(
        &self,
        request: Request<ListQueuesRequest>,
    ) -> Result<Response<ListQueuesResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let page = Page::of(&mut fields, (message.page_size, &message.page_token), 100, 1_000);
        let page = fields.finish(page)?;
        let queues = self.0.dialer.queues();
        let (queues, next_page_token) = convert::by_id(queues, &page, |one| one.id.as_str());
        let queues = queues.into_iter().map(convert::queue).collect();
        Ok(Response::new(ListQueuesResponse { queues, next_page_token }))
    }

    async fn upsert_rep(
        &self,
        request: Request<UpsertRepRequest>,
    ) -> Result<Response<UpsertRepResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let read = convert::rep_settings(&mut fields, message.rep.as_ref());
        fields.request("UpsertRep", "", &message.request_id, message);
        let (id, settings) = fields.finish(read)?;
        let rep = self.0.dialer.put_rep(id, settings).await?;
        Ok(Response::new(UpsertRepResponse { rep: Some(convert::rep(rep)) }))
    }

    async fn list_reps(
        &self,
        request: Request<ListRepsRequest>,
    ) -> Result<Response<ListRepsResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let queue = fields.id_if_given("queue_id", &message.queue_id, QueueId::new);
        let page = Page::of(&mut fields, (message.page_size, &message.page_token), 100, 1_000);
        let (queue, page) = fields.finish(queue.zip(page))?;
        let reps = self.0.dialer.reps(queue.as_ref())?;
        let (reps, next_page_token) = convert::by_id(reps, &page, |one| one.id.as_str());
        let reps = reps.into_iter().map(convert::rep).collect();
        Ok(Response::new(ListRepsResponse { reps, next_page_token }))
    }

    async fn assign_lead(
        &self,
        request: Request<AssignLeadRequest>,
    ) -> Result<Response<AssignLeadResponse>, Status> {
        let caller = caller_of(&request);
        let message = request.get_ref();
        let mut fields = Fields::default();
        let name = convert::lead_name(&mut fields, message.lead.as_ref());
        let owner = fields.id_if_given("owner_rep_id", &message.owner_rep_id, RepId::new);
        let key = fields.request("AssignLead", &caller.name, &message.request_id, message);
        let ((name, owner), key) = fields.finish(name.zip(owner).zip(key))?;
        let lead = self.0.lead(name).await?;
        let assigned = self.0.dialer.assign_lead(lead, owner, &caller.name, key).await?;
        Ok(Response::new(AssignLeadResponse {
            assigned_before: assigned.was_so,
            lead_id: lead.to_string(),
            state: Some(convert::state(&assigned.record.state)),
        }))
    }

    async fn transfer_lead(
        &self,
        request: Request<TransferLeadRequest>,
    ) -> Result<Response<TransferLeadResponse>, Status> {
        let caller = caller_of(&request);
        let message = request.get_ref();
        let mut fields = Fields::default();
        let name = convert::lead_name(&mut fields, message.lead.as_ref());
        let queue = fields.id("queue_id", &message.queue_id, QueueId::new);
        let reason = fields.reason("reason", &message.reason);
        let key = fields.request("TransferLead", &caller.name, &message.request_id, message);
        let (((name, queue), reason), key) = fields.finish(name.zip(queue).zip(reason).zip(key))?;
        let lead = self.0.lead(name).await?;
        let done = self.0.dialer.transfer_lead(lead, &queue, reason, &caller.name, key).await?;
        Ok(Response::new(TransferLeadResponse {
            transferred_before: done.was_so,
            lead_id: lead.to_string(),
            from_queue_id: done.from.to_string(),
            state: Some(convert::state(&done.record.state)),
        }))
    }

    async fn peek_queue(
        &self,
        request: Request<PeekQueueRequest>,
    ) -> Result<Response<PeekQueueResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let queue = fields.id("queue_id", &message.queue_id, QueueId::new);
        let limit = fields.size("place_count", message.place_count, 20, 200);
        let (queue, limit) = fields.finish(queue.zip(limit))?;
        let peek = self.0.dialer.peek(&queue, limit).await?;
        Ok(Response::new(convert::peek(peek)))
    }

    async fn explain_lead(
        &self,
        request: Request<ExplainLeadRequest>,
    ) -> Result<Response<ExplainLeadResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let name = convert::lead_name(&mut fields, message.lead.as_ref());
        let rep = fields.id_if_given("rep_id", &message.rep_id, RepId::new);
        let (name, rep) = fields.finish(name.zip(rep))?;
        let lead = self.0.lead(name).await?;
        let explanation = self.0.dialer.explain_lead(lead, rep.clone()).await?;
        Ok(Response::new(convert::explanation_of_lead(explanation, rep.as_ref())))
    }

    async fn trace_lead(
        &self,
        request: Request<TraceLeadRequest>,
    ) -> Result<Response<TraceLeadResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let name = convert::lead_name(&mut fields, message.lead.as_ref());
        let page = Page::of(&mut fields, (message.page_size, &message.page_token), 100, 1_000);
        let (name, page) = fields.finish(name.zip(page))?;
        let after_seq = page.after_number()?.unwrap_or(0);
        let lead = self.0.lead(name).await?;

        let mut events = self.0.dialer.trace_lead(lead, after_seq, page.size + 1).await?;
        let has_more = events.len() > page.size;
        events.truncate(page.size);
        let last = events.last().filter(|_| has_more);
        let next_page_token = last.map(|event| event.seq.to_string()).unwrap_or_default();
        let events = convert::trace(events);
        Ok(Response::new(TraceLeadResponse { lead_id: lead.to_string(), events, next_page_token }))
    }
}
