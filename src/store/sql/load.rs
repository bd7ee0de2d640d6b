//! Loads what a batch of changes needs, with few statements over many rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::books::{
    Change, EMAIL_MATCH_COUNT_MAX, EngagementRow, Found, HandoverOnce, HandoverRow, OutcomeRow,
    RequestRow, SHARED_COUNT_MAX, Seal, Slate, StoredAnswer, TouchRow,
};
use super::super::changes::{CARRIER_COUNT_MAX, Grant, RequestKey, SuppressionOf};
use super::super::duty::Duty;
use super::super::error::{Denied, StoreError};
use super::connection::Connection;
use super::numbers::{self, Until, take_dial};
use super::rows::{corrupt, packed, read, read_leads, token};
use super::statements as sql;
use super::{duty, erasure, quality, write_skips};
use crate::domain::{CampaignKey, Disposition, LeadId, Number, QueueKey, RepKey, RequestId};

/// What a batch asks for by key.
#[derive(Default)]
struct Needs {
    leads: BTreeSet<LeadId>,
    reps: BTreeSet<RepKey>,
    requests: Vec<(String, String)>,
    touches: Vec<(String, String)>,
    engagements: Vec<(String, String)>,
    outcomes: Vec<(String, String)>,
    /// Leads whose every carrier is needed, as they said never.
    persons: BTreeSet<LeadId>,
    numbers: BTreeSet<Number>,
    emails: BTreeSet<String>,
    sweep: Option<(i64, usize, Option<Duty>)>,
    erased: Vec<LeadId>,
    /// How many leads that carry what said never are loaded at most.
    carrier_count_max: Option<usize>,
    has_handovers: bool,
    /// Dials count from this instant on; `None`: no cap counts any.
    dials_since: Option<i64>,
    /// Nothing is asked for but what calls need.
    is_of_call: bool,
}

impl Needs {
    fn grant(&mut self, grant: &Grant) {
        self.leads.extend(grant.candidates.iter().map(|candidate| candidate.lead));
        if let Some(caps) = &grant.caps {
            let since = grant.now.saturating_sub(caps.window_ms_max);
            self.dials_since = Some(self.dials_since.map_or(since, |other| other.min(since)));
        }
    }

    fn suppression(&mut self, what: &SuppressionOf) {
        match what {
            SuppressionOf::Number(number) => drop(self.numbers.insert(number.clone())),
            SuppressionOf::Email(email) => drop(self.emails.insert(email.clone())),
            SuppressionOf::Person(lead) => {
                self.leads.insert(*lead);
                self.persons.insert(*lead);
            }
        }
    }

    fn of(changes: &[&Change]) -> Self {
        let is_of_call = changes.iter().all(|change| {
            matches!(
                change,
                Change::Lease(_) | Change::Renew(_) | Change::Release(_) | Change::Touch(_)
            )
        });
        let mut needs = Self { is_of_call, ..Self::default() };
        for change in changes {
            if let Some(RequestKey { caller, id, .. }) = change.request() {
                needs.requests.push((caller.clone(), id.as_str().to_owned()));
            }
            match change {
                Change::HandOver(_) => needs.has_handovers = true,
                Change::Lease(grant) => {
                    needs.reps.insert(grant.rep);
                    needs.grant(grant);
                }
                Change::Renew(renew) => {
                    needs.leads.insert(renew.lead);
                }
                Change::Release(release) => {
                    needs.leads.insert(release.lead);
                }
                Change::Touch(change) => {
                    let touch = &change.touch;
                    needs.touches.push((change.caller.clone(), touch.id.as_str().to_owned()));
                    needs.leads.insert(touch.lead);
                    if let Some((grant, rep)) = change.then.as_ref().zip(touch.rep) {
                        needs.reps.insert(rep);
                        needs.grant(grant);
                    }
                    if touch.disposition == Disposition::DoNotCall {
                        needs.persons.insert(touch.lead);
                        needs.numbers.extend(touch.number.clone());
                    }
                }
                Change::Engage(change) => {
                    let engagement = &change.engagement;
                    let id = engagement.id.as_str().to_owned();
                    needs.engagements.push((engagement.source_system.clone(), id));
                    needs.leads.insert(engagement.lead);
                }
                Change::Conclude(change) => {
                    let outcome = &change.outcome;
                    let id = outcome.id.as_str().to_owned();
                    needs.outcomes.push((outcome.source_system.clone(), id));
                    needs.leads.insert(outcome.lead);
                }
                Change::Suppress(suppress) => needs.suppression(&suppress.what),
                Change::SuppressAll(all) => {
                    all.whats.iter().for_each(|what| needs.suppression(what));
                    needs.carrier_count_max = Some(CARRIER_COUNT_MAX);
                }
                Change::Assign(assign) => {
                    needs.leads.insert(assign.lead);
                }
                Change::Transfer(transfer) => drop(needs.leads.insert(transfer.lead)),
                Change::Rate(_) => {}
                Change::Erase(erase) => {
                    needs.leads.insert(erase.lead);
                    needs.erased.push(erase.lead);
                }
                Change::Sweep { now, limit, duty } => {
                    needs.sweep = Some((*now, *limit, duty.clone()));
                }
            }
        }
        needs
    }
}

/// Rows as one JSON parameter.
pub(in crate::store) fn json<T: serde::Serialize>(rows: &T) -> String {
    serde_json::to_string(rows).expect("keys and texts are JSON")
}

/// Loads all that `changes` look at.
pub(in crate::store) async fn load(
    connection: &mut Connection,
    changes: &[&Change],
    seal: Option<Arc<Seal>>,
) -> Result<Slate, StoreError> {
    let mut slate = Slate { seal, ..Slate::default() };
    let mut needs = Needs::of(changes);
    write_skips::load(connection, &mut slate, changes).await?;
    quality::load(connection, &mut slate, changes).await?;
    if connection.is_remote() && needs.is_of_call {
        if load_calls(connection, &mut slate, &mut needs).await? {
            return Ok(slate);
        }
    } else {
        load_requests(connection, &mut slate, &mut needs).await?;
        load_touches(connection, &mut slate, &mut needs).await?;
        load_engagements(connection, &mut slate, &mut needs).await?;
        load_outcomes(connection, &mut slate, &mut needs).await?;
    }
    if let Some((now, limit, duty)) = needs.sweep.take() {
        match duty::check(connection, duty.as_ref()).await {
            Err(StoreError::Denied(Denied::DutyLost)) => slate.is_duty_lost = true,
            checked => {
                checked?;
                load_due(connection, &mut slate, &mut needs, now, limit).await?;
            }
        }
    }
    if needs.has_handovers {
        load_handovers(connection, &mut slate, &mut needs, changes).await?;
    }
    load_leads(connection, &mut slate, &needs.leads, &needs.reps).await?;
    let is_never =
        !needs.persons.is_empty() || !needs.numbers.is_empty() || !needs.emails.is_empty();
    if is_never && !needs.has_handovers {
        load_carriers(connection, &mut slate, &mut needs).await?;
    }
    if !needs.erased.is_empty() {
        erasure::load_erasable(connection, &mut slate, &needs.erased).await?;
        let erasable = slate.erasable.values();
        needs.numbers.extend(erasable.flat_map(|one| one.dialled.iter().cloned()));
    }
    let (numbers, emails) = (needs.numbers, needs.emails);
    let since = needs.dials_since.unwrap_or(i64::MAX);
    numbers::load(connection, &mut slate, (numbers, emails), changes, since).await?;
    Ok(slate)
}

/// A row of `load_requests.sql`.
type RequestColumns = (String, String, String, StoredAnswer, i64);
/// A row of `load_touches.sql`.
type TouchColumns =
    (String, String, String, LeadId, i64, usize, Option<LeadId>, Option<String>, i64);

/// Loads what calls need as a rule, in one round trip. Says whether that is all.
async fn load_calls(
    connection: &mut Connection,
    slate: &mut Slate,
    needs: &mut Needs,
) -> Result<bool, StoreError> {
    let query = sql::LOAD_CALLS
        .bind(json(&needs.requests))
        .bind(json(&needs.touches))
        .bind(json(&needs.leads))
        .bind(json(&needs.reps))
        .bind(needs.dials_since.unwrap_or(i64::MAX));
    let row = query.one(connection).await?;
    take_requests(slate, needs, read("request", row.text(0)?)?)?;
    take_touches(slate, needs, read("touch", row.text(1)?)?)?;
    for lead in read_leads(row.text(2)?, row.text(3)?)? {
        slate.load(lead);
    }
    slate.last_event = row.integer(5)?;
    type Rows = (Vec<(Number, LeadId)>, Until<Number>, Until<String>);
    let (held, numbers, emails): Rows = read("held_number", row.text(4)?)?;
    let dials: Vec<(Number, i64, Option<String>)> = read("dial", row.text(6)?)?;
    let missing = needs.leads.iter().filter(|lead| slate.row(**lead).is_none());
    // A replay names leads of its own, never takes more, and what was erased is known by its hash. A
    // lead that is not there at all is rare enough to be looked for twice.
    let is_all = missing.count() == 0
        && needs.persons.is_empty()
        && needs.numbers.is_empty()
        && slate.seal.is_none();
    if is_all {
        held.into_iter().for_each(|(number, lead)| slate.hold(number, lead));
        slate.suppressed_numbers.extend(numbers);
        slate.suppressed_emails.extend(emails);
        for (number, at, token) in dials {
            take_dial(slate, Some(number), at, token)?;
        }
    }
    Ok(is_all)
}

async fn load_requests(
    connection: &mut Connection,
    slate: &mut Slate,
    needs: &mut Needs,
) -> Result<(), StoreError> {
    if needs.requests.is_empty() {
        return Ok(());
    }
    let query = sql::LOAD_REQUESTS.bind(json(&needs.requests));
    let rows: Vec<RequestColumns> = packed(connection, "request", query).await?;
    take_requests(slate, needs, rows)
}

fn take_requests(
    slate: &mut Slate,
    needs: &mut Needs,
    rows: Vec<RequestColumns>,
) -> Result<(), StoreError> {
    for (caller, id, hash, answer, at) in rows {
        if let StoredAnswer::Lease { lead, .. } = &answer {
            needs.leads.insert(*lead);
        }
        let body_hash = unhex(&hash).ok_or_else(|| corrupt("request", "body_hash", &hash))?;
        let name = RequestId::new(&id).map_err(|_| corrupt("request", "request_id", &id))?;
        let key = RequestKey { caller: caller.clone(), id: name, body_hash };
        slate.requests.insert((caller, id), RequestRow { key, answer, at });
    }
    Ok(())
}

/// Reads 32 bytes in hexadecimal digits.
pub(in crate::store) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}

async fn load_touches(
    connection: &mut Connection,
    slate: &mut Slate,
    needs: &mut Needs,
) -> Result<(), StoreError> {
    if needs.touches.is_empty() {
        return Ok(());
    }
    let query = sql::LOAD_TOUCHES.bind(json(&needs.touches));
    let rows: Vec<TouchColumns> = packed(connection, "touch", query).await?;
    take_touches(slate, needs, rows)
}

fn take_touches(
    slate: &mut Slate,
    needs: &mut Needs,
    rows: Vec<TouchColumns>,
) -> Result<(), StoreError> {
    for (caller, id, body_hash, lead, late, suppressed_count, next_lead, next_token, owed) in rows {
        let next = match next_lead.zip(next_token) {
            Some((lead, text)) => Some((lead, token("touch", &text)?)),
            None => None,
        };
        needs.leads.insert(lead);
        needs.leads.extend(next.map(|(lead, _)| lead));
        let (late, is_quality_owed) = (late == 1, owed > 0);
        let row = TouchRow { lead, body_hash, late, suppressed_count, next, is_quality_owed };
        slate.touches.insert((caller, id), row);
    }
    Ok(())
}

async fn load_engagements(
    connection: &mut Connection,
    slate: &mut Slate,
    needs: &mut Needs,
) -> Result<(), StoreError> {
    if needs.engagements.is_empty() {
        return Ok(());
    }
    type Columns = (String, String, String, LeadId, i64);
    let query = sql::LOAD_ENGAGEMENTS.bind(json(&needs.engagements));
    let rows: Vec<Columns> = packed(connection, "engagement", query).await?;
    for (source_system, id, body_hash, lead, woke) in rows {
        needs.leads.insert(lead);
        let row = EngagementRow { lead, body_hash, woke: woke == 1 };
        slate.engagements.insert((source_system, id), row);
    }
    Ok(())
}

async fn load_outcomes(
    connection: &mut Connection,
    slate: &mut Slate,
    needs: &mut Needs,
) -> Result<(), StoreError> {
    if needs.outcomes.is_empty() {
        return Ok(());
    }
    type Columns = (String, String, String, LeadId, i64);
    let query = sql::LOAD_OUTCOMES.bind(json(&needs.outcomes));
    let rows: Vec<Columns> = packed(connection, "outcome", query).await?;
    for (source_system, id, body_hash, lead, closed) in rows {
        needs.leads.insert(lead);
        let row = OutcomeRow { lead, body_hash, closed: closed == 1 };
        slate.outcomes.insert((source_system, id), row);
    }
    Ok(())
}

async fn load_due(
    connection: &mut Connection,
    slate: &mut Slate,
    needs: &mut Needs,
    now: i64,
    limit: usize,
) -> Result<(), StoreError> {
    // One more than the limit tells whether there is more.
    let query = sql::LOAD_DUE.bind(now).bind(limit_of(limit) + 1);
    let mut kinds: [Vec<LeadId>; 4] = packed(connection, "standing", query).await?;
    let is_unfinished = kinds.iter().any(|kind| kind.len() > limit);
    for kind in &mut kinds {
        kind.truncate(limit);
        needs.leads.extend(kind.iter());
    }
    let [expired, freed, due, ended] = kinds;
    slate.found = Found { expired, freed, due, ended, is_unfinished, limit };
    Ok(())
}

/// A limit as SQL takes it.
pub(in crate::store) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1)
}

async fn load_handovers(
    connection: &mut Connection,
    slate: &mut Slate,
    needs: &mut Needs,
    changes: &[&Change],
) -> Result<(), StoreError> {
    let mut keys = Vec::new();
    let mut numbers = BTreeSet::new();
    let mut emails = BTreeSet::new();
    for change in changes {
        let Change::HandOver(change) = change else { continue };
        for row in &change.rows {
            keys.push((&row.key.source_system, &row.key.external_id, row.campaign));
            numbers.extend(row.facts.numbers.iter().map(|one| (row.queue, &one.number)));
            emails.extend(row.facts.email_folded().map(|email| (row.queue, email)));
        }
    }
    type Row = (String, String, CampaignKey, QueueKey, String, LeadId, i64, String, i64);
    let query = sql::LOAD_HANDOVERS.bind(json(&keys));
    let rows: Vec<Row> = packed(connection, "handover", query).await?;
    erasure::load_refused(connection, slate, &keys).await?;
    for (source_system, external_id, campaign, queue, source, lead, is_merged, hash, at) in rows {
        needs.leads.insert(lead);
        let handover = HandoverRow {
            queue,
            source: source.into(),
            lead,
            is_merged: is_merged == 1,
            facts_hash: hash,
            handed_over_at: at,
            is_new: false,
            is_changed: false,
        };
        slate.handovers.insert(HandoverOnce { source_system, external_id, campaign }, handover);
    }
    type Matches =
        (Vec<(QueueKey, Number, Vec<LeadId>)>, Vec<(QueueKey, String, Vec<LeadId>)>, i64, i64);
    let query = sql::LOAD_MATCHES
        .bind(json(&numbers))
        .bind(json(&emails))
        .bind(limit_of(SHARED_COUNT_MAX + 1))
        .bind(limit_of(EMAIL_MATCH_COUNT_MAX));
    let matches: Matches = packed(connection, "lead_number", query).await?;
    let (by_number, by_email, last_lead, last_event) = matches;
    (slate.last_lead, slate.last_event) = (last_lead, last_event);
    for (queue, number, leads) in by_number {
        needs.leads.extend(&leads);
        slate.by_number.insert((queue, number), leads);
    }
    for (queue, email, leads) in by_email {
        needs.leads.extend(&leads);
        slate.by_email.insert((queue, email), leads);
    }
    needs.numbers.extend(numbers.into_iter().map(|(_, number)| number.clone()));
    needs.emails.extend(emails.into_iter().map(|(_, email)| email));
    Ok(())
}

async fn load_leads(
    connection: &mut Connection,
    slate: &mut Slate,
    leads: &BTreeSet<LeadId>,
    reps: &BTreeSet<RepKey>,
) -> Result<(), StoreError> {
    if reps.is_empty() && leads.iter().all(|lead| slate.row(*lead).is_some()) {
        return Ok(());
    }
    let query = sql::LEADS_BY_ID.bind(json(leads)).bind(json(reps));
    let row = query.one(connection).await?;
    for lead in read_leads(row.text(0)?, row.text(1)?)? {
        slate.load(lead);
    }
    slate.last_event = row.integer(2)?;
    Ok(())
}

/// Loads every other lead that must close with the persons and numbers that said never.
async fn load_carriers(
    connection: &mut Connection,
    slate: &mut Slate,
    needs: &mut Needs,
) -> Result<(), StoreError> {
    for lead in &needs.persons {
        let Some(row) = slate.row(*lead) else { continue };
        needs.numbers.extend(row.lead.facts.numbers.iter().map(|one| one.number.clone()));
        needs.emails.extend(row.lead.facts.email_folded());
    }
    let count_max = needs.carrier_count_max.unwrap_or(usize::MAX);
    // One more than the limit tells whether there are more.
    let query = sql::LOAD_CARRIERS
        .bind(json(&needs.numbers))
        .bind(json(&needs.emails))
        .bind(limit_of(count_max).saturating_add(1));
    let mut carriers: Vec<LeadId> = packed(connection, "lead_number", query).await?;
    slate.has_more_carriers = carriers.len() > count_max;
    carriers.truncate(count_max);
    let missing = carriers.into_iter().filter(|lead| slate.row(*lead).is_none()).collect();
    load_leads(connection, slate, &missing, &BTreeSet::new()).await
}
