//! Who works what, and by which rules: single rows, written in transactions of their own.

use super::super::RosterRows;
use super::super::books::{StoredAnswer, hex, route_to_text};
use super::super::changes::{NewRep, NewRules, RequestKey};
use super::super::duty::{Duty, TakeDuty};
use super::super::error::{Denied, StoreError};
use super::access::{self, AccessAnswer, AccessChange};
use super::connection::{Connection, Row};
use super::duty;
use super::load::{json, limit_of};
use super::rows::corrupt;
use super::statements as sql;
use crate::domain::{
    Campaign, CampaignId, CampaignKey, CampaignSettings, Queue, QueueId, QueueKey, QueueSettings,
    Rep, RepId, RepKey, RuleVersion,
};

/// A change of who works what.
#[derive(Debug)]
pub(in crate::store) enum RosterChange {
    Queue(QueueId, QueueSettings),
    Campaign(CampaignId, QueueKey, CampaignSettings),
    Pause(CampaignId, bool),
    Rep(RepId, NewRep),
    Publish(NewRules),
    InForce { queue: QueueKey, version: i64, now: i64, duty: Option<Duty> },
    Access(AccessChange),
    TakeDuty(TakeDuty),
    GiveDutyUp(Duty),
}

impl RosterChange {
    /// Whether other nodes are to read their settings again.
    pub(in crate::store) fn is_of_settings(&self) -> bool {
        !matches!(
            self,
            Self::Access(AccessChange::NoteUses(_)) | Self::TakeDuty(_) | Self::GiveDutyUp(_)
        )
    }
}

/// What it is answered with.
#[derive(Debug)]
pub(in crate::store) enum RosterAnswer {
    Queue(Queue),
    Campaign(Campaign),
    Paused(Option<Campaign>),
    Rep(Rep),
    Rules(RuleVersion),
    Access(AccessAnswer),
    Duty(Option<Duty>),
    Done,
}

impl RosterAnswer {
    /// Whether there is something to commit.
    pub(in crate::store) fn is_moved(&self) -> bool {
        !matches!(
            self,
            Self::Duty(None) | Self::Paused(None) | Self::Access(AccessAnswer::Revoked(None))
        )
    }
}

/// Makes the change, within the transaction that is open.
pub(in crate::store) async fn change(
    connection: &mut Connection,
    change: &RosterChange,
) -> Result<RosterAnswer, StoreError> {
    let answer = change_rows(connection, change).await?;
    if change.is_of_settings() && answer.is_moved() {
        duty::count_change(connection).await?;
    }
    Ok(answer)
}

async fn change_rows(
    connection: &mut Connection,
    change: &RosterChange,
) -> Result<RosterAnswer, StoreError> {
    match change {
        RosterChange::Queue(id, settings) => {
            let query = sql::PUT_QUEUE.bind(id.as_str()).bind(json(settings));
            let key = QueueKey(query.one(connection).await?.integer(0)?);
            Ok(RosterAnswer::Queue(Queue { key, id: id.clone(), settings: settings.clone() }))
        }
        RosterChange::Campaign(id, queue, settings) => {
            put_campaign(connection, id, *queue, settings).await.map(RosterAnswer::Campaign)
        }
        RosterChange::Pause(id, is_paused) => {
            pause(connection, id, *is_paused).await.map(RosterAnswer::Paused)
        }
        RosterChange::Rep(id, rep) => {
            let query = sql::PUT_REP
                .bind(id.as_str())
                .bind(rep.queue.0)
                .bind(json(&rep.skills))
                .bind(rep.is_active)
                .bind(json(&rep.work));
            let key = RepKey(query.one(connection).await?.integer(0)?);
            let NewRep { queue, skills, is_active, work } = rep.clone();
            Ok(RosterAnswer::Rep(Rep { key, id: id.clone(), queue, skills, is_active, work }))
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
            let query = sql::PUT_RULES_IN_FORCE.bind(queue.0).bind(*version).bind(*now);
            query.execute(connection).await?;
            Ok(RosterAnswer::Done)
        }
    }
}

async fn put_campaign(
    connection: &mut Connection,
    id: &CampaignId,
    queue: QueueKey,
    settings: &CampaignSettings,
) -> Result<Campaign, StoreError> {
    let query = sql::PUT_CAMPAIGN
        .bind(id.as_str())
        .bind(queue.0)
        .bind(json(settings))
        .bind(settings.ends_at)
        .bind(route_to_text(&settings.route_at_end))
        .bind(has_other_skills(connection, id, settings).await?);
    let row = query.maybe(connection).await?.ok_or(Denied::CampaignMoved)?;
    let (key, lane_version) = (CampaignKey(row.integer(0)?), row.integer(1)?);
    let query = sql::UNPARK_CAMPAIGN.bind(key.0);
    query.execute(connection).await?;
    let (settings, is_paused) = (settings.clone(), row.integer(2)? == 1);
    Ok(Campaign { key, id: id.clone(), queue, settings, lane_version, is_paused })
}

/// Pauses a campaign or resumes it; `None`: there is none.
async fn pause(
    connection: &mut Connection,
    id: &CampaignId,
    is_paused: bool,
) -> Result<Option<Campaign>, StoreError> {
    let query = sql::PAUSE_CAMPAIGN.bind(id.as_str()).bind(is_paused);
    let Some(row) = query.maybe(connection).await? else { return Ok(None) };
    Ok(Some(Campaign {
        key: CampaignKey(row.integer(0)?),
        id: id.clone(),
        queue: QueueKey(row.integer(1)?),
        settings: parse("campaign", "settings", row.text(2)?)?,
        lane_version: row.integer(3)?,
        is_paused,
    }))
}

/// Whether a campaign that is there needs other skills than these: its leads change lanes then.
async fn has_other_skills(
    connection: &mut Connection,
    id: &CampaignId,
    settings: &CampaignSettings,
) -> Result<bool, StoreError> {
    let row = sql::CAMPAIGN_SETTINGS.bind(id.as_str()).maybe(connection).await?;
    let Some(row) = row else { return Ok(false) };
    let before: CampaignSettings = parse("campaign", "settings", row.text(0)?)?;
    Ok(before.skills != settings.skills)
}

async fn publish(connection: &mut Connection, rules: &NewRules) -> Result<RuleVersion, StoreError> {
    if let Some(version) = published_before(connection, rules).await? {
        let rows = versions(connection, rules.queue, version + 1, 1).await?;
        return rows.into_iter().next().ok_or_else(|| {
            corrupt("request", "answer", &format!("version {version} is not there"))
        });
    }
    let query = sql::ADD_RULE_VERSION
        .bind(rules.queue.0)
        .bind(&rules.text)
        .bind(&rules.author)
        .bind(&rules.reason)
        .bind(rules.now);
    let version = query.one(connection).await?.integer(0)?;
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
    connection: &mut Connection,
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
pub(in crate::store) async fn answered_before(
    connection: &mut Connection,
    key: &RequestKey,
) -> Result<Option<StoredAnswer>, StoreError> {
    let query = sql::REQUEST.bind(&key.caller).bind(key.id.as_str());
    let row = query.maybe(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let hash = row.text(0)?;
    let answer = row.text(1)?;
    match serde_json::from_str(answer) {
        Ok(answer) if hash == hex(&key.body_hash) => Ok(Some(answer)),
        Ok(_) => Err(Denied::RequestReused.into()),
        Err(_) => Err(corrupt("request", "answer", answer)),
    }
}

/// Keeps what a request is answered with.
pub(in crate::store) async fn add_request(
    connection: &mut Connection,
    key: &RequestKey,
    answer: &StoredAnswer,
    now: i64,
) -> Result<(), StoreError> {
    let query = sql::ADD_REQUEST
        .bind(&key.caller)
        .bind(key.id.as_str())
        .bind(hex(&key.body_hash))
        .bind(json(answer))
        .bind(now);
    query.execute(connection).await.map(drop)
}

/// Rule versions of a queue below `before`, newest first.
pub(in crate::store) async fn versions(
    connection: &mut Connection,
    queue: QueueKey,
    before: i64,
    limit: usize,
) -> Result<Vec<RuleVersion>, StoreError> {
    let query = sql::RULE_VERSIONS.bind(queue.0).bind(before).bind(limit_of(limit));
    let parse = |row: &Row| {
        Ok(RuleVersion {
            queue,
            version: row.integer(0)?,
            text: row.string(1)?,
            author: row.string(2)?,
            reason: row.string(3)?,
            published_at: row.integer(4)?,
            in_force_at: row.maybe_integer(5)?,
        })
    };
    query.all(connection).await?.iter().map(parse).collect()
}

/// Queues, campaigns and reps.
pub(in crate::store) async fn roster(
    connection: &mut Connection,
) -> Result<RosterRows, StoreError> {
    let mut roster = RosterRows::default();
    for row in sql::QUEUES.query().all(connection).await? {
        let (id, settings) = (row.text(1)?, row.text(2)?);
        roster.queues.push(Queue {
            key: QueueKey(row.integer(0)?),
            id: QueueId::new(id).map_err(|_| corrupt("queue", "queue_id", id))?,
            settings: parse("queue", "settings", settings)?,
        });
    }
    for row in sql::CAMPAIGNS.query().all(connection).await? {
        let (id, settings) = (row.text(1)?, row.text(3)?);
        roster.campaigns.push(Campaign {
            key: CampaignKey(row.integer(0)?),
            id: CampaignId::new(id).map_err(|_| corrupt("campaign", "campaign_id", id))?,
            queue: QueueKey(row.integer(2)?),
            settings: parse("campaign", "settings", settings)?,
            lane_version: row.integer(4)?,
            is_paused: row.integer(5)? == 1,
        });
    }
    for row in sql::GUESTS.query().all(connection).await? {
        roster.guests.push((QueueKey(row.integer(0)?), CampaignKey(row.integer(1)?)));
    }
    for row in sql::REPS.query().all(connection).await? {
        let (id, skills) = (row.text(1)?, row.text(3)?);
        roster.reps.push(Rep {
            key: RepKey(row.integer(0)?),
            id: RepId::new(id).map_err(|_| corrupt("rep", "rep_id", id))?,
            queue: QueueKey(row.integer(2)?),
            skills: parse("rep", "skills", skills)?,
            is_active: row.integer(4)? == 1,
            work: parse("rep", "work", row.text(5)?)?,
        });
    }
    Ok(roster)
}

fn parse<T: serde::de::DeserializeOwned>(
    table: &'static str,
    column: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| corrupt(table, column, text))
}
