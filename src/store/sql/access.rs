//! Access tokens: single rows, written in transactions of their own.

use super::super::books::{StoredAnswer, hex};
use super::super::error::{Denied, StoreError};
use super::super::tokens::{NewToken, TokenKept, TokenPage};
use super::connection::{Connection, Row};
use super::load::{json, limit_of};
use super::roster::{add_request, answered_before};
use super::rows::corrupt;
use super::statements as sql;
use crate::domain::{AccessToken, RepId, Role, TokenId};

/// A change of who gets in.
#[derive(Debug)]
pub(in crate::store) enum AccessChange {
    Create(NewToken),
    Revoke { id: TokenId, actor: String, now: i64 },
    NoteUses(Vec<(TokenId, i64)>),
}

/// What it is answered with.
#[derive(Debug)]
pub(in crate::store) enum AccessAnswer {
    Kept(Box<TokenKept>),
    Revoked(Option<AccessToken>),
    Noted,
}

/// Makes the change, within the transaction that is open.
pub(in crate::store) async fn change(
    connection: &mut Connection,
    change: &AccessChange,
) -> Result<AccessAnswer, StoreError> {
    match change {
        AccessChange::Create(new) => {
            create(connection, new).await.map(|kept| AccessAnswer::Kept(Box::new(kept)))
        }
        AccessChange::Revoke { id, actor, now } => {
            let query = sql::REVOKE_TOKEN.bind(id.as_str()).bind(*now).bind(actor);
            query.execute(connection).await?;
            token(connection, id.as_str()).await.map(AccessAnswer::Revoked)
        }
        AccessChange::NoteUses(uses) => {
            let query = sql::NOTE_TOKEN_USES.bind(json(uses));
            query.execute(connection).await?;
            Ok(AccessAnswer::Noted)
        }
    }
}

async fn create(connection: &mut Connection, new: &NewToken) -> Result<TokenKept, StoreError> {
    if let Some(key) = &new.request
        && let Some(answer) = answered_before(connection, key).await?
    {
        let StoredAnswer::TokenMade { id } = answer else {
            return Err(Denied::RequestReused.into());
        };
        let token = token(connection, &id).await?;
        let token = token.ok_or_else(|| corrupt("request", "answer", "a token is not there"))?;
        return Ok(TokenKept { token, is_replay: true });
    }
    let rep_key: Option<i64> = match &new.rep {
        Some(rep) => {
            let query = sql::REP_KEY.bind(rep.as_str());
            let row = query.maybe(connection).await?;
            let row = row.ok_or_else(|| Denied::UnknownRep(rep.clone()))?;
            Some(row.integer(0)?)
        }
        None => None,
    };
    let query = sql::ADD_TOKEN
        .bind(new.id.as_str())
        .bind(&new.name)
        .bind(new.role.code())
        .bind(rep_key)
        .bind(hex(&new.hash))
        .bind(new.now)
        .bind(&new.actor)
        .bind(new.expires_at);
    query.execute(connection).await?;
    if let Some(key) = &new.request {
        let answer = StoredAnswer::TokenMade { id: new.id.to_string() };
        add_request(connection, key, &answer, new.now).await?;
    }
    let token = token(connection, new.id.as_str()).await?;
    Ok(TokenKept { token: token.expect("it was just added"), is_replay: false })
}

async fn token(connection: &mut Connection, id: &str) -> Result<Option<AccessToken>, StoreError> {
    let query = sql::TOKEN_BY_ID.bind(id);
    let row = query.maybe(connection).await?;
    row.as_ref().map(parse).transpose()
}

/// A page of tokens.
pub(in crate::store) async fn tokens(
    connection: &mut Connection,
    page: TokenPage,
) -> Result<Vec<AccessToken>, StoreError> {
    let query = sql::TOKENS
        .bind(page.before.unwrap_or(i64::MAX))
        .bind(page.live_at)
        .bind(limit_of(page.limit));
    let rows = query.all(connection).await?;
    rows.iter().map(parse).collect()
}

fn parse(row: &Row) -> Result<AccessToken, StoreError> {
    let text = |place: usize| row.string(place);
    let number = |place: usize| row.integer(place);
    let number_if = |place: usize| row.maybe_integer(place);
    let text_if = |place: usize| row.maybe_string(place);
    let (id, role) = (text(1)?, text(3)?);
    let rep = text_if(4)?.map(|rep| RepId::new(&rep).map_err(|_| corrupt("rep", "rep_id", &rep)));
    Ok(AccessToken {
        key: number(0)?,
        name: text(2)?,
        role: Role::from_code(&role).ok_or_else(|| corrupt("token", "role", &role))?,
        rep: rep.transpose()?,
        hash: hash(&text(5)?).ok_or_else(|| corrupt("token", "hash", "(hidden)"))?,
        created_at: number(6)?,
        created_by: text(7)?,
        expires_at: number(8)?,
        revoked: number_if(9)?.zip(text_if(10)?),
        last_used_at: number_if(11)?,
        id: TokenId::new(&id).map_err(|_| corrupt("token", "token_id", &id))?,
    })
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
