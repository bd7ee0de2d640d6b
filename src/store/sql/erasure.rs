//! What an erasure needs of this file: its key, what is known of the lead, and what is written over.

use std::sync::Arc;

use foldhash::HashMap;

use super::super::books::{
    Change, Erasable, HandoverOnce, OTHER_COUNT_MAX, Seal, SealedSuppression, Slate,
};
use super::super::error::StoreError;
use super::connection::Connection;
use super::failure::unavailable;
use super::load::{json, limit_of};
use super::rows::{corrupt, packed};
use super::statements as sql;
use super::write::{each, some};
use crate::domain::{CampaignKey, LeadId, Number};

/// The name of the key of all that stands for something erased.
const SECRET: &str = "erasure";

/// The key that this file has; `None`: nothing was ever erased.
pub(in crate::store) async fn seal(
    connection: &mut Connection,
) -> Result<Option<Arc<Seal>>, StoreError> {
    let query = sql::SECRET.bind(SECRET);
    let Some(row) = query.maybe(connection).await? else { return Ok(None) };
    let key = <&[u8; 32]>::try_from(row.bytes(0)?);
    let key = key.map_err(|_| corrupt("secret", "value", "(hidden)"))?;
    Ok(Some(Arc::new(Seal::new(key))))
}

/// The key for a batch: made within its transaction if this is the first erasure.
pub(in crate::store) async fn seal_for(
    connection: &mut Connection,
    known: Option<Arc<Seal>>,
    changes: &[&Change],
) -> Result<Option<Arc<Seal>>, StoreError> {
    let has_erasure = changes.iter().any(|change| matches!(change, Change::Erase(_)));
    if known.is_some() || !has_erasure {
        return Ok(known);
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(unavailable)?;
    let query = sql::ADD_SECRET.bind(SECRET).bind(key.as_slice());
    query.execute(connection).await?;
    Ok(Some(Arc::new(Seal::new(&key))))
}

/// Loads what must be known of leads that are to be erased; they are on the slate.
pub(in crate::store) async fn load_erasable(
    connection: &mut Connection,
    slate: &mut Slate,
    leads: &[LeadId],
) -> Result<(), StoreError> {
    type Rows = (Vec<(LeadId, Number)>, Vec<(LeadId, String, String, CampaignKey)>);
    let query = sql::LOAD_ERASABLE.bind(json(&leads));
    let (dialled, handovers): Rows = packed(connection, "touch", query).await?;
    for lead in leads {
        let mut erasable = Erasable::default();
        if let Some(row) = slate.row(*lead) {
            let facts = &row.lead.facts;
            let numbers: Vec<_> = facts.numbers.iter().map(|one| &one.number).collect();
            let query = sql::LOAD_OTHERS
                .bind(json(&numbers))
                .bind(json(&facts.email_folded().as_slice()))
                .bind(lead.0)
                .bind(limit_of(OTHER_COUNT_MAX));
            erasable.others = packed(connection, "lead_number", query).await?;
        }
        slate.erasable.insert(*lead, erasable);
    }
    for (lead, number) in dialled {
        slate.erasable.entry(lead).or_default().dialled.push(number);
    }
    for (lead, source_system, external_id, campaign) in handovers {
        let once = HandoverOnce { source_system, external_id, campaign };
        slate.erasable.entry(lead).or_default().handovers.push(once);
    }
    Ok(())
}

/// Finds the handovers of a batch whose lead was erased.
pub(in crate::store) async fn load_refused(
    connection: &mut Connection,
    slate: &mut Slate,
    keys: &[(&String, &String, CampaignKey)],
) -> Result<(), StoreError> {
    let Some(seal) = &slate.seal else { return Ok(()) };
    let sealed: HashMap<(String, CampaignKey), usize> = keys
        .iter()
        .enumerate()
        .map(|(nth, key)| ((seal.handover(key.0, key.1), key.2), nth))
        .collect();
    let asked: Vec<_> = sealed.keys().collect();
    let query = sql::LOAD_REFUSED.bind(json(&asked));
    let found: Vec<(String, CampaignKey, LeadId)> = packed(connection, "handover", query).await?;
    for (hash, campaign, lead) in found {
        let Some(nth) = sealed.get(&(hash, campaign)) else { continue };
        let (source_system, external_id, campaign) = keys[*nth];
        let (source_system, external_id) = (source_system.clone(), external_id.clone());
        slate.refused.insert(HandoverOnce { source_system, external_id, campaign }, lead);
    }
    Ok(())
}

/// Writes over what the batch's erasures leave nothing of. Facts, numbers, leases and standings are
/// written as those of any other lead.
pub(in crate::store) async fn write(
    connection: &mut Connection,
    slate: &Slate,
) -> Result<(), StoreError> {
    let sealed = |one: &SealedSuppression| (one.kind, one.value.clone(), one.hash.clone());
    let rows: Vec<_> = slate.sealed_suppressions.iter().map(sealed).collect();
    some(connection, sql::SEAL_SUPPRESSIONS, &rows).await?;
    some(connection, sql::SEAL_DIALS, &slate.sealed_dials).await?;
    let Some(seal) = slate.seal.as_ref().filter(|_| !slate.erased_leads.is_empty()) else {
        return Ok(());
    };
    each(connection, "lead", sql::ERASE_LEADS, &slate.erased_leads).await?;
    let handover = |once: &HandoverOnce| {
        let hash = seal.handover(&once.source_system, &once.external_id);
        (once.source_system.clone(), once.external_id.clone(), once.campaign, hash)
    };
    let rows: Vec<_> = slate.erased_handovers.iter().map(handover).collect();
    each(connection, "handover", sql::ERASE_HANDOVERS, &rows).await?;
    some(connection, sql::ERASE_TOUCHES, &slate.erased_leads).await?;
    some(connection, sql::ERASE_ENGAGEMENTS, &slate.erased_leads).await?;
    some(connection, sql::ERASE_OUTCOMES, &slate.erased_leads).await?;
    some(connection, sql::DROP_PASSES, &slate.erased_leads).await?;
    Ok(())
}
