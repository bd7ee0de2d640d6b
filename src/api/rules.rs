//! `RulesService`: read, ask, answer.

use tonic::{Request, Response, Status};

use crate::dialer::DialerError;
use crate::domain::QueueId;

use super::Services;
use super::caller::caller_of;
use super::convert::{self, Fields, Page};
use super::proto::rules_service_server::RulesService;
use super::proto::{
    CheckRulesRequest, CheckRulesResponse, ListRuleVersionsRequest, ListRuleVersionsResponse,
    PublishRulesRequest, PublishRulesResponse,
};

/// A page of versions ends here, so that it fits into a message: documents are long.
const PAGE_TEXT_LENGTH_MAX: usize = 2 * 1_024 * 1_024;

/// What a manager calls to say what leads are worth.
pub(super) struct RulesApi(pub(super) Services);

#[tonic::async_trait]
impl RulesService for RulesApi {
    async fn check_rules(
        &self,
        request: Request<CheckRulesRequest>,
    ) -> Result<Response<CheckRulesResponse>, Status> {
        match self.0.dialer.check_rules(request.into_inner().text).await {
            Ok(checked) => Ok(Response::new(convert::checked(checked))),
            Err(DialerError::RulesInvalid(mistakes)) => {
                Ok(Response::new(convert::mistakes(mistakes)))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn publish_rules(
        &self,
        request: Request<PublishRulesRequest>,
    ) -> Result<Response<PublishRulesResponse>, Status> {
        let publication = convert::publish(&caller_of(&request), request.get_ref())?;
        let queue = publication.queue.clone();
        let version = self.0.dialer.publish_rules(publication).await?;
        let rule_version = Some(convert::version(&queue, version));
        Ok(Response::new(PublishRulesResponse { rule_version }))
    }

    async fn list_rule_versions(
        &self,
        request: Request<ListRuleVersionsRequest>,
    ) -> Result<Response<ListRuleVersionsResponse>, Status> {
        let message = request.get_ref();
        let mut fields = Fields::default();
        let queue = fields.id("queue_id", &message.queue_id, QueueId::new);
        let page = Page::of(&mut fields, (message.page_size, &message.page_token), 10, 100);
        let (queue, page) = fields.finish(queue.zip(page))?;
        let before = page.after_number()?;

        let versions = self.0.dialer.rule_versions(&queue, before, page.size + 1).await?;
        let mut text_length = 0;
        let fits = |(nth, view): &(usize, &crate::dialer::RuleVersionView)| {
            text_length += view.version.text.len();
            *nth < page.size && (*nth == 0 || text_length <= PAGE_TEXT_LENGTH_MAX)
        };
        let fitting = versions.iter().enumerate().take_while(fits).count();
        let next_page_token = match versions.get(fitting) {
            Some(_) => versions[fitting - 1].version.version.to_string(),
            None => String::new(),
        };
        let versions = versions.into_iter().take(fitting);
        let rule_versions = versions.map(|view| convert::version(&queue, view)).collect();
        Ok(Response::new(ListRuleVersionsResponse { rule_versions, next_page_token }))
    }
}
