//! Who gets in, and what they may: every role on every method, and what becomes of a token.

mod calls;
mod leads_of_others;
mod matrix;
mod secrets;
mod tokens;

use std::time::Duration;

use nextlead::api::proto;
use proto::Role;
use proto::create_token_request::Validity;

use crate::support::TestNode;

impl TestNode {
    /// Makes a token that is valid for an hour; gives its id and its text.
    pub(crate) async fn make_token(&mut self, role: Role, rep: &str) -> (String, String) {
        let request = proto::CreateTokenRequest {
            name: format!("a {role:?}"),
            role: role.into(),
            rep_id: rep.into(),
            validity: Some(valid_for(Duration::from_secs(3_600))),
            ..Default::default()
        };
        let made = self.admin.create_token(request).await.unwrap().into_inner();
        assert!(!made.replayed);
        (made.token.unwrap().token_id, made.token_text)
    }

    async fn revoke(&mut self, token_id: &str) {
        let request = proto::RevokeTokenRequest { token_id: token_id.into(), ..Default::default() };
        self.admin.revoke_token(request).await.unwrap();
    }
}

fn valid_for(time: Duration) -> Validity {
    Validity::LifetimeDuration(time.try_into().unwrap())
}
