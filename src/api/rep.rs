//! `RepService`: read, ask, answer.

use tonic::{Request, Response, Status};

use crate::dialer::{CallbacksFor, Pull, Pulled};

use super::Services;
use super::caller::{caller_of, rep_of};
use super::convert::{self, CallbackList};
use super::front::wait_apart;
use super::proto::rep_service_server::RepService;
use super::proto::{
    ListCallbacksRequest, ListCallbacksResponse, NextLeadRequest, NextLeadResponse,
    RateLeadRequest, RateLeadResponse, RecordTouchRequest, RecordTouchResponse,
    ReleaseLeaseRequest, ReleaseLeaseResponse, RenewLeaseRequest, RenewLeaseResponse,
};

/// What a rep's softphone calls.
pub(super) struct RepApi(pub(super) Services);

#[tonic::async_trait]
impl RepService for RepApi {
    async fn next_lead(
        &self,
        request: Request<NextLeadRequest>,
    ) -> Result<Response<NextLeadResponse>, Status> {
        let caller = caller_of(&request);
        let rep = rep_of(&caller, &request.get_ref().rep_id)?;
        let pull = convert::pull(&caller, rep, request.get_ref())?;
        let now = Pull { wait_ms: 0, ..pull.clone() };
        let pulled = match self.0.dialer.next_lead(now).await? {
            Pulled::Nothing(nothing)
                if pull.wait_ms > 0 && !nothing.should_retry && nothing.owed.is_empty() =>
            {
                let _waiting = wait_apart(&request)?;
                self.0.dialer.next_lead(pull).await?
            }
            answer => answer,
        };
        Ok(Response::new(convert::pulled(pulled)))
    }

    async fn renew_lease(
        &self,
        request: Request<RenewLeaseRequest>,
    ) -> Result<Response<RenewLeaseResponse>, Status> {
        let caller = caller_of(&request);
        let rep = rep_of(&caller, &request.get_ref().rep_id)?;
        let (name, renewal) = convert::renewal(&caller, rep, request.get_ref())?;
        let lead = self.0.lead(name).await?;
        let renewed = self.0.dialer.renew_lease(renewal(lead)).await?;
        Ok(Response::new(convert::renewed(&renewed)))
    }

    async fn release_lease(
        &self,
        request: Request<ReleaseLeaseRequest>,
    ) -> Result<Response<ReleaseLeaseResponse>, Status> {
        let caller = caller_of(&request);
        let rep = rep_of(&caller, &request.get_ref().rep_id)?;
        let (name, release) = convert::release(&caller, rep, request.get_ref())?;
        let lead = self.0.lead(name).await?;
        self.0.dialer.release_lease(release(lead)).await?;
        Ok(Response::new(ReleaseLeaseResponse {}))
    }

    async fn rate_lead(
        &self,
        request: Request<RateLeadRequest>,
    ) -> Result<Response<RateLeadResponse>, Status> {
        let caller = caller_of(&request);
        let rep = rep_of(&caller, &request.get_ref().rep_id)?;
        let rate = convert::rate(&caller, rep, request.get_ref())?;
        self.0.dialer.rate_lead(rate).await?;
        Ok(Response::new(RateLeadResponse {}))
    }

    async fn record_touch(
        &self,
        request: Request<RecordTouchRequest>,
    ) -> Result<Response<RecordTouchResponse>, Status> {
        let now = self.0.dialer.now();
        let caller = caller_of(&request);
        let rep = rep_of(&caller, &request.get_ref().rep_id)?;
        let (name, touch) = convert::new_touch(&caller, rep, request.get_ref(), now)?;
        let lead = self.0.lead(name).await?;
        let recorded = self.0.dialer.record_touch(touch(lead)).await?;
        Ok(Response::new(convert::recorded(recorded)))
    }

    async fn list_callbacks(
        &self,
        request: Request<ListCallbacksRequest>,
    ) -> Result<Response<ListCallbacksResponse>, Status> {
        let caller = caller_of(&request);
        let rep = rep_of(&caller, &request.get_ref().rep_id)?;
        let CallbackList { of, after, size } = convert::callbacks_of(rep, request.get_ref())?;
        let of = match of {
            CallbacksFor::Rep(rep) if caller.rep.is_some() => CallbacksFor::Own(rep),
            of => of,
        };
        let now = self.0.dialer.now();
        let callbacks = self.0.dialer.callbacks(&of, after, size + 1).await?;
        Ok(Response::new(convert::callbacks(callbacks, size, now)))
    }
}
