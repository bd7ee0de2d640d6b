//! Access tokens, as messages and as values.

use crate::auth::{Caller, MadeToken, MakeToken};
use crate::domain::{AccessToken, RepId, Role};

use super::super::proto;
use super::super::status::Problems;
use super::fields::DAY_MS;
use super::{Fields, time};

/// How long a token is valid unless somebody says otherwise.
const LIFETIME_MS_DEFAULT: i64 = 90 * DAY_MS;
/// How long it is valid at most.
const LIFETIME_MS_MAX: i64 = 366 * DAY_MS;

/// Reads what token to make.
pub(in crate::api) fn make_token(
    caller: &Caller,
    message: &proto::CreateTokenRequest,
    now: i64,
) -> Result<MakeToken, Problems> {
    let mut fields = Fields::default();
    let name = fields.word("name", &message.name);
    let role = fields.code::<proto::Role>("role", message.role);
    let rep = rep(&mut fields, message, role);
    let expires_at = expiry(&mut fields, message, now);
    let request = fields.request("CreateToken", &caller.name, &message.request_id, message);
    let read = || {
        let (name, role, request) = (name?, role?, request?);
        Some(MakeToken { name, role, rep: rep?, expires_at: expires_at?, now, request })
    };
    fields.finish(read())
}

/// `Some(None)` for a role without a rep.
fn rep(
    fields: &mut Fields,
    message: &proto::CreateTokenRequest,
    role: Option<Role>,
) -> Option<Option<RepId>> {
    match role? {
        Role::Rep if message.rep_id.is_empty() => {
            fields.problem("rep_id", "must be given with ROLE_REP");
            None
        }
        Role::Rep => fields.id("rep_id", &message.rep_id, RepId::new).map(Some),
        Role::Manager | Role::Marketing | Role::Intake | Role::Admin
            if !message.rep_id.is_empty() =>
        {
            fields.problem("rep_id", "goes with ROLE_REP alone");
            None
        }
        Role::Manager | Role::Marketing | Role::Intake | Role::Admin => Some(None),
    }
}

fn expiry(fields: &mut Fields, message: &proto::CreateTokenRequest, now: i64) -> Option<i64> {
    use proto::create_token_request::Validity;
    match &message.validity {
        None => Some(now.saturating_add(LIFETIME_MS_DEFAULT)),
        Some(Validity::LifetimeDuration(lifetime)) => {
            let field = "lifetime_duration";
            let lifetime_ms = fields.duration(field, Some(lifetime), LIFETIME_MS_MAX)?;
            if lifetime_ms == 0 {
                fields.problem(field, "must be more than nothing");
            }
            Some(now.saturating_add(lifetime_ms))
        }
        Some(Validity::ExpireTime(at)) => {
            let at = fields.instant("expire_time", Some(at))?;
            if at <= now || at > now.saturating_add(LIFETIME_MS_MAX) {
                fields.problem("expire_time", "must be in the future, at most 366 days ahead");
            }
            Some(at)
        }
    }
}

/// The answer to a making: the one place where a token's text leaves a node.
pub(in crate::api) fn made_token(made: MadeToken) -> proto::CreateTokenResponse {
    let token_text = made.text.as_ref().map(|text| text.reveal().to_owned());
    proto::CreateTokenResponse {
        token: Some(token(made.token)),
        replayed: token_text.is_none(),
        token_text: token_text.unwrap_or_default(),
    }
}

/// A token, without its text and hash.
pub(in crate::api) fn token(token: AccessToken) -> proto::Token {
    let (revoked_at, revoked_by) = token.revoked.unzip();
    proto::Token {
        token_id: token.id.to_string(),
        name: token.name,
        role: proto::Role::from(token.role).into(),
        rep_id: token.rep.map(|rep| rep.to_string()).unwrap_or_default(),
        created_time: Some(time(token.created_at)),
        created_by: token.created_by,
        expire_time: Some(time(token.expires_at)),
        last_used_time: token.last_used_at.map(time),
        revoked_time: revoked_at.map(time),
        revoked_by: revoked_by.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use proto::create_token_request::Validity;

    use super::super::duration;
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn message() -> proto::CreateTokenRequest {
        let role = proto::Role::Intake.into();
        proto::CreateTokenRequest { name: "crm".into(), role, ..Default::default() }
    }

    fn read(message: &proto::CreateTokenRequest) -> Result<MakeToken, Vec<String>> {
        let caller = Caller { name: "admin".into(), role: Role::Admin, rep: None };
        let read = make_token(&caller, message, NOW);
        read.map_err(|Problems(all)| all.into_iter().map(|one| one.field).collect())
    }

    fn until(validity: Validity) -> Result<i64, Vec<String>> {
        let message = proto::CreateTokenRequest { validity: Some(validity), ..message() };
        read(&message).map(|make| make.expires_at)
    }

    #[test]
    fn a_token_is_valid_for_ninety_days_unless_somebody_says_otherwise() {
        assert_eq!(read(&message()).unwrap().expires_at, NOW + 90 * DAY_MS);
        let longest = 366 * DAY_MS;
        let lifetime = |ms| Validity::LifetimeDuration(duration(ms));
        assert_eq!(until(lifetime(1)), Ok(NOW + 1));
        assert_eq!(until(lifetime(longest)), Ok(NOW + longest));
        for ms in [0, -1, longest + 1] {
            assert_eq!(until(lifetime(ms)).unwrap_err(), ["lifetime_duration"], "{ms}");
        }
        let at = |at| Validity::ExpireTime(time(at));
        assert_eq!(until(at(NOW + 1)), Ok(NOW + 1));
        for instant in [0, NOW, NOW + longest + 1] {
            assert_eq!(until(at(instant)).unwrap_err(), ["expire_time"], "{instant}");
        }
    }

    #[test]
    fn a_rep_goes_with_the_role_of_a_rep_alone() {
        let of = |role: proto::Role, rep_id: &str| {
            let (role, rep_id) = (role.into(), rep_id.to_owned());
            read(&proto::CreateTokenRequest { role, rep_id, ..message() }).map(|make| make.rep)
        };
        assert_eq!(of(proto::Role::Rep, "ann"), Ok(Some(RepId::new("ann").unwrap())));
        assert_eq!(of(proto::Role::Rep, "").unwrap_err(), ["rep_id"]);
        assert_eq!(of(proto::Role::Admin, "ann").unwrap_err(), ["rep_id"]);
        assert_eq!(of(proto::Role::Admin, ""), Ok(None));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let empty = proto::CreateTokenRequest { request_id: "\n".into(), ..Default::default() };
        assert_eq!(read(&empty).unwrap_err(), ["name", "role", "request_id"]);
    }
}
