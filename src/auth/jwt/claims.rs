//! What a token says about its bearer, once its signature is known to be good.
//!
//! Every rule is checked here, by the time that the caller gives: the library would read the machine's
//! clock, take a token without an audience, and forgive a minute.

use serde_json::{Map, Value};

use crate::auth::Role;
use crate::domain::{RepId, check_id};

use super::Refusal;
use super::settings::JwtSettings;

/// How far two clocks may stand apart, in milliseconds.
pub(super) const LEEWAY_MS: i64 = 5_000;
/// The end of the year 9999, in seconds. What is later is no instant but an attack on arithmetic.
const INSTANT_END_S: i64 = 253_402_300_800;

/// Who bears a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    /// Whom the provider knows them as.
    pub(super) subject: String,
    /// Which rep they are, if a rep.
    pub(super) rep: Option<RepId>,
    /// The roles that their values stand for, in the order of the settings.
    pub(super) roles: Vec<Role>,
    /// From when on the token counts no more, leeway included, in milliseconds since 1970.
    pub(super) ends_at: i64,
}

/// Reads the claims of a token at an instant.
pub(super) fn read(claims: &Value, settings: &JwtSettings, now: i64) -> Result<Bearer, Refusal> {
    let members = claims.as_object().ok_or(Refusal::Claims("is no object"))?;
    check_parties(members, settings)?;
    let ends_at = check_times(members, settings, now)?;
    let subject = text(members.get("sub")).filter(|name| check_id(name).is_ok());
    let subject = subject.ok_or(Refusal::Claims("sub"))?.to_owned();
    let roles = roles(claims, settings)?;
    let rep = match roles.contains(&Role::Rep) {
        false => None,
        true => {
            let rep = text(settings.rep_claim.find(claims)).and_then(|id| RepId::new(id).ok());
            // The provider chooses its names without asking whom the ledger knows by them.
            let rep = rep.filter(|id| !id.is_reserved());
            Some(rep.ok_or(Refusal::Claims("rep"))?)
        }
    };
    Ok(Bearer { subject, rep, roles, ends_at })
}

/// Who issued the token, and for whom.
fn check_parties(members: &Map<String, Value>, settings: &JwtSettings) -> Result<(), Refusal> {
    if members.get("iss").and_then(Value::as_str) != Some(settings.issuer.as_str()) {
        return Err(Refusal::Issuer);
    }
    let audience = texts(members.get("aud")).ok_or(Refusal::Audience)?;
    if audience.contains(&settings.audience.as_str()) { Ok(()) } else { Err(Refusal::Audience) }
}

/// From when and until when the token counts; gives the latter.
fn check_times(
    members: &Map<String, Value>,
    settings: &JwtSettings,
    now: i64,
) -> Result<i64, Refusal> {
    let instant = |name| match members.get(name) {
        None => Ok(None),
        Some(value) => instant_ms(value).map(Some).ok_or(Refusal::Claims(name)),
    };
    let expires_at = instant("exp")?.ok_or(Refusal::Claims("exp"))?;
    let ends_at = expires_at + LEEWAY_MS;
    if now >= ends_at {
        return Err(Refusal::Expired);
    }
    if instant("nbf")?.is_some_and(|starts_at| now < starts_at - LEEWAY_MS) {
        return Err(Refusal::Early);
    }
    let issued_at = instant("iat")?;
    if issued_at.is_some_and(|issued_at| now < issued_at - LEEWAY_MS) {
        return Err(Refusal::Early);
    }
    // One that does not say when it was issued may have been issued just now, but not later.
    let life_ms = expires_at - issued_at.unwrap_or(now);
    if life_ms > settings.lifetime_ms_max { Err(Refusal::TooLong) } else { Ok(ends_at) }
}

/// A whole number of seconds since 1970, in milliseconds.
fn instant_ms(value: &Value) -> Option<i64> {
    value.as_i64().filter(|seconds| (0..INSTANT_END_S).contains(seconds)).map(|it| it * 1_000)
}

/// The roles that the token's values stand for. A claim that is not there gives none; one of another
/// shape than a text or a list of texts is refused.
fn roles(claims: &Value, settings: &JwtSettings) -> Result<Vec<Role>, Refusal> {
    let Some(found) = settings.role_claim.find(claims) else {
        return Ok(Vec::new());
    };
    let values = texts(Some(found)).ok_or(Refusal::Claims("role"))?;
    let rules = settings.roles.iter().filter(|rule| values.contains(&rule.value.as_str()));
    Ok(rules.map(|rule| rule.role).collect())
}

/// One text, or a list of nothing but texts.
fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    match value? {
        Value::String(text) => Some(vec![text]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value?.as_str()
}
