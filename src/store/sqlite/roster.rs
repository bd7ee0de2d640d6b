//! Who works what, and by which rules: single rows, written in transactions of their own.

use sqlx::{Row, SqliteConnection};

use super::super::RosterRows;
use super::super::books::{StoredAnswer, hex, route_to_text};
use super::super::changes::{NewRep, NewRules, RequestKey};
use super::super::duty::{Duty, TakeDuty};
use super::super::error::{Denied, StoreError};
use super::access::{self, AccessAnswer, AccessChange};
use super::duty;
use super::load::{json, limit_of};
use super::open::failure;
use super::rows::corrupt;
use super::sql;
use crate::domain::{
    Campaign, CampaignId, CampaignKey, CampaignSettings, Queue, QueueId, QueueKey, QueueSettings,
    Rep, RepId, RepKey, RuleVersion,
};

/// A change of who works what.
#[derive(Debug)]
pub(super) enum RosterChange {
    Queue(QueueId, QueueSettings),
    Campaign(CampaignId, QueueKey, CampaignSettings),
    Rep(RepId, NewRep),
    Publish(NewRules),
    InForce { queue: QueueKey, version: i64, now: i64, duty: Option<Duty> },
    Access(AccessChange),
    TakeDuty(TakeDuty),
    GiveDutyUp(Duty),
}

impl RosterChange {
    /// Whether other nodes are to read their settings again.
    fn is_of_settings(&self) -> bool {
        !matches!(
            self,
            Self::Access(AccessChange::NoteUses(_)) | Self::TakeDuty(_) | Self::GiveDutyUp(_)
        )
    }
}

/// What it is answered with.
#[derive(Debug)]
pub(super) enum RosterAnswer {
    Queue(Queue),
    Campaign(Campaign),
    Rep(Rep),
    Rules(RuleVersion),
    Access(AccessAnswer),
    Duty(Option<Duty>),
    Done,
}

impl RosterAnswer {
    /// Whether there is something to commit.
    pub(super) fn is_moved(&self) -> bool {
        !matches!(self, Self::Duty(None))
    }
}

/// Makes the change, within the transaction that is open.
pub(super) async fn change(
    connection: &mut SqliteConnection,
    change: &RosterChange,
) -> Result<RosterAnswer, StoreError> {
    let answer = change_rows(connection, change).await?;
    if change.is_of_settings() {
        duty::count_change(connection).await?;
    }
    Ok(answer)
}

async fn change_rows(
    connection: &mut SqliteConnection,
    change: &RosterChange,
) -> Result<RosterAnswer, StoreError> {
    match change {
        RosterChange::Queue(id, settings) => {
            let query = sqlx::query_scalar(sql::PUT_QUEUE).bind(id.as_str()).bind(json(settings));
            let key = QueueKey(query.fetch_one(connection).await.map_err(failure)?);
            Ok(RosterAnswer::Queue(Queue { key, id: id.clone(), settings: settings.clone() }))
        }
        RosterChange::Campaign(id, queue, settings) => {
            put_campaign(connection, id, *queue, settings).await.map(RosterAnswer::Campaign)
        }
        RosterChange::Rep(id, rep) => {
            let query = sqlx::query_scalar(sql::PUT_REP)
                .bind(id.as_str())
                .bind(rep.queue.0)
                .bind(json(&rep.skills))
                .bind(rep.is_active);
            let key = RepKey(query.fetch_one(connection).await.map_err(failure)?);
            let NewRep { queue, skills, is_active } = rep.clone();
            Ok(RosterAnswer::Rep(Rep { key, id: id.clone(), queue, skills, is_active }))
        }
        RosterChange::Publish(rules) => publish(connection, rules).await.map(RosterAnswer::Rules),
        RosterChange::Access(change) => {
            access::change(connection, change).await.map(RosterAnswer::Access)
        }
        RosterChange::TakeDuty(take) => duty::take(connection, take).await.map(RosterAnswer::Duty),
        RosterChange::GiveDutyUp(lost) => {
            duty::give_up(connection, lost).await.map(|()| RosterAnswer::Done)
        }
        RosterChange::InForce { queue, version, now, duty } => {
            duty::check(connection, duty.as_ref()).await?;
            let query = sqlx::query(sql::PUT_RULES_IN_FORCE).bind(queue.0).bind(version).bind(now);
            query.execute(connection).await.map_err(failure)?;
            Ok(RosterAnswer::Done)
        }
    }
}

async fn put_campaign(
    connection: &mut SqliteConnection,
    id: &CampaignId,
    queue: QueueKey,
    settings: &CampaignSettings,
) -> Result<Campaign, StoreError> {
    let query = sqlx::query_scalar(sql::PUT_CAMPAIGN)
        .bind(id.as_str())
        .bind(queue.0)
        .bind(json(settings))
        .bind(settings.ends_at)
        .bind(route_to_text(&settings.route_at_end));
    let key: Option<i64> = query.fetch_optional(&mut *connection).await.map_err(failure)?;
    let key = CampaignKey(key.ok_or(Denied::CampaignMoved)?);
    let query = sqlx::query(sql::UNPARK_CAMPAIGN).bind(key.0);
    query.execute(connection).await.map_err(failure)?;
    Ok(Campaign { key, id: id.clone(), queue, settings: settings.clone() })
}

async fn publish(
    connection: &mut SqliteConnection,
    rules: &NewRules,
) -> Result<RuleVersion, StoreError> {
    if let Some(version) = published_before(connection, rules).await? {
        let rows = versions(connection, rules.queue, version + 1, 1).await?;
        return rows.into_iter().next().ok_or_else(|| {
            corrupt("request", "answer", &format!("version {version} is not there"))
        });
    }
    let query = sqlx::query_scalar(sql::ADD_RULE_VERSION)
        .bind(rules.queue.0)
        .bind(&rules.text)
        .bind(&rules.author)
        .bind(&rules.reason)
        .bind(rules.now);
    let version: i64 = query.fetch_one(&mut *connection).await.map_err(failure)?;
    if let Some(key) = &rules.request {
        add_request(connection, key, &StoredAnswer::Published { version }, rules.now).await?;
    }
    Ok(RuleVersion {
        queue: rules.queue,
        version,
        text: rules.text.clone(),
        author: rules.author.clone(),
        reason: rules.reason.clone(),
        published_at: rules.now,
        in_force_at: None,
    })
}

async fn published_before(
    connection: &mut SqliteConnection,
    rules: &NewRules,
) -> Result<Option<i64>, StoreError> {
    let Some(key) = &rules.request else { return Ok(None) };
    match answered_before(connection, key).await? {
        None => Ok(None),
        Some(StoredAnswer::Published { version }) => Ok(Some(version)),
        Some(_) => Err(Denied::RequestReused.into()),
    }
}

/// What a request was answered with before.
pub(super) async fn answered_before(
    connection: &mut SqliteConnection,
    key: &RequestKey,
) -> Result<Option<StoredAnswer>, StoreError> {
    let query = sqlx::query(sql::REQUEST).bind(&key.caller).bind(key.id.as_str());
    let row = query.fetch_optional(connection).await.map_err(failure)?;
    let Some(row) = row else { return Ok(None) };
    let hash: String = row.try_get(0).map_err(failure)?;
    let answer: String = row.try_get(1).map_err(failure)?;
    match serde_json::from_str(&answer) {
        Ok(answer) if hash == hex(&key.body_hash) => Ok(Some(answer)),
        Ok(_) => Err(Denied::RequestReused.into()),
        Err(_) => Err(corrupt("request", "answer", &answer)),
    }
}

/// Keeps what a request is answered with.
pub(super) async fn add_request(
    connection: &mut SqliteConnection,
    key: &RequestKey,
    answer: &StoredAnswer,
    now: i64,
) -> Result<(), StoreError> {
    let query = sqlx::query(sql::ADD_REQUEST)
        .bind(&key.caller)
        .bind(key.id.as_str())
        .bind(hex(&key.body_hash))
        .bind(json(answer))
        .bind(now);
    query.execute(connection).await.map(drop).map_err(failure)
}

/// Rule versions of a queue below `before`, newest first.
pub(super) async fn versions(
    connection: &mut SqliteConnection,
    queue: QueueKey,
    before: i64,
    limit: usize,
) -> Result<Vec<RuleVersion>, StoreError> {
    let query = sqlx::query(sql::RULE_VERSIONS).bind(queue.0).bind(before).bind(limit_of(limit));
    let rows = query.fetch_all(connection).await.map_err(failure)?;
    let parse = |row: sqlx::sqlite::SqliteRow| {
        Ok(RuleVersion {
            queue,
            version: row.try_get(0)?,
            text: row.try_get(1)?,
            author: row.try_get(2)?,
            reason: row.try_get(3)?,
            published_at: row.try_get(4)?,
            in_force_at: row.try_get(5)?,
        })
    };
    rows.into_iter().map(parse).collect::<Result<_, sqlx::Error>>().map_err(failure)
}

/// Queues, campaigns and reps.
pub(super) async fn roster(connection: &mut SqliteConnection) -> Result<RosterRows, StoreError> {
    let mut roster = RosterRows::default();
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as(sql::QUEUES).fetch_all(&mut *connection).await.map_err(failure)?;
    for (key, id, settings) in rows {
        let id = QueueId::new(&id).map_err(|_| corrupt("queue", "queue_id", &id))?;
        let settings =
            serde_json::from_str(&settings).map_err(|_| corrupt("queue", "settings", &settings))?;
        roster.queues.push(Queue { key: QueueKey(key), id, settings });
    }
    let rows: Vec<(i64, String, i64, String)> =
        sqlx::query_as(sql::CAMPAIGNS).fetch_all(&mut *connection).await.map_err(failure)?;
    for (key, id, queue, settings) in rows {
        let id = CampaignId::new(&id).map_err(|_| corrupt("campaign", "campaign_id", &id))?;
        let settings = serde_json::from_str(&settings)
            .map_err(|_| corrupt("campaign", "settings", &settings))?;
        roster.campaigns.push(Campaign {
            key: CampaignKey(key),
            id,
            queue: QueueKey(queue),
            settings,
        });
    }
    let rows: Vec<(i64, String, i64, String, bool)> =
        sqlx::query_as(sql::REPS).fetch_all(&mut *connection).await.map_err(failure)?;
    for (key, id, queue, skills, is_active) in rows {
        let id = RepId::new(&id).map_err(|_| corrupt("rep", "rep_id", &id))?;
        let skills =
            serde_json::from_str(&skills).map_err(|_| corrupt("rep", "skills", &skills))?;
        roster.reps.push(Rep { key: RepKey(key), id, queue: QueueKey(queue), skills, is_active });
    }
    Ok(roster)
}
