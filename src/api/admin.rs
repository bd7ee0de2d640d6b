//! `AdminService`: read, ask, answer.

use tonic::{Request, Response, Status};

use crate::domain::TokenId;
use crate::store::TokenPage;

use super::caller::caller_of;
use super::convert::{self, Fields, Page};
use super::proto::admin_service_server::AdminService;
use super::proto::{
    BackupRequest, CreateTokenRequest, CreateTokenResponse, ListTokensRequest, ListTokensResponse,
    RevokeTokenRequest, RevokeTokenResponse,
};
use super::{Services, backup};

/// What an admin calls.
pub(super) struct AdminApi(pub(super) Services);

#[tonic::async_trait]
impl AdminService for AdminApi {
    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let caller = caller_of(&request);
        let make = convert::make_token(&caller, request.get_ref(), self.0.dialer.now())?;
        let made = self.0.access.make_token(&caller, make).await?;
        Ok(Response::new(convert::made_token(made)))
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        let caller = caller_of(&request);
        let message = request.get_ref();
        let mut fields = Fields::default();
        let id = fields.id("token_id", &message.token_id, TokenId::new);
        fields.request("RevokeToken", "", &message.request_id, message);
        let id = fields.finish(id)?;
        let token = self.0.access.revoke_token(&caller, id, self.0.dialer.now()).await?;
        Ok(Response::new(RevokeTokenResponse { token: Some(convert::token(token)) }))
    }

    type BackupStream = backup::Parts;

    async fn backup(
        &self,
        _: Request<BackupRequest>,
    ) -> Result<Response<Self::BackupStream>, Status> {
        Ok(Response::new(backup::send(self.0.dialer.back_up().await?)))
    }

    async fn list_tokens(
        &self,
        request: Request<ListTokensRequest>,
    ) -> Result<Response<ListTokensResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let page = Page::of(&mut fields, (message.page_size, &message.page_token), 100, 1_000);
        let page = fields.finish(page)?;
        let live_at = message.live_only.then(|| self.0.dialer.now());
        let before = page.after_number()?;

        let asked = TokenPage { live_at, before, limit: page.size + 1 };
        let mut tokens = self.0.access.tokens(asked).await?;
        let has_more = tokens.len() > page.size;
        tokens.truncate(page.size);
        let last = tokens.last().filter(|_| has_more);
        let next_page_token = last.map(|token| token.key.to_string()).unwrap_or_default();
        let tokens = tokens.into_iter().map(convert::token).collect();
        Ok(Response::new(ListTokensResponse { tokens, next_page_token }))
    }
}
