//! Exports: what is asked for, and pages cut into messages that every client takes.

use prost::Message;
use prost_types::Timestamp;

use crate::coverage::{ExportScope, LeadView, TouchView};
use crate::domain::{CampaignId, QueueId};

use super::super::proto;
use super::super::status::Problems;
use super::masked::{masked, masked_if_number};
use super::{Fields, states};

/// The size at which a message is full, in bytes. One lead has less than this again, and clients take
/// 4 MiB unless they are told otherwise.
const MESSAGE_BYTES_FULL: usize = 1_024 * 1_024;

/// Reads what shall be exported.
pub(in crate::api) fn export_scope(
    queue: &str,
    campaign: &str,
    (since_field, since): (&str, Option<&Timestamp>),
) -> Result<ExportScope, Problems> {
    let mut fields = Fields::default();
    let queue = fields.id_if_given("queue_id", queue, QueueId::new);
    let campaign = fields.id_if_given("campaign_id", campaign, CampaignId::new);
    let since = fields.instant(since_field, since);
    let (queue, campaign) = fields.finish(queue.zip(campaign))?;
    Ok(ExportScope { queue, campaign, since })
}

/// A page of leads; masked, without whole numbers.
pub(in crate::api) fn exported_leads(
    leads: &[LeadView],
    is_masked: bool,
) -> Vec<proto::ExportLeadsResponse> {
    let leads = leads.iter().map(|view| {
        let mut lead = states::lead(&view.record.lead, &view.campaign, view.owner.as_ref());
        if is_masked {
            mask_lead(&mut lead);
        }
        proto::ExportedLead {
            lead: Some(lead),
            queue_id: view.queue.to_string(),
            state: Some(states::state(&view.record.state)),
        }
    });
    let parts = parts(leads).into_iter();
    parts.map(|leads| proto::ExportLeadsResponse { leads }).collect()
}

/// A page of touches; masked, without whole numbers and without notes.
pub(in crate::api) fn exported_touches(
    touches: &[TouchView],
    is_masked: bool,
) -> Vec<proto::ExportTouchesResponse> {
    let touches = touches.iter().map(|view| {
        let mut touch = states::touch(&view.touch.recorded, view.rep.as_ref());
        let mut external_id = view.touch.external_id.clone();
        if is_masked {
            touch.number = masked(&touch.number);
            touch.notes.clear();
            external_id = masked_if_number(&external_id);
        }
        proto::ExportedTouch {
            touch: Some(touch),
            handover_key: Some(proto::HandoverKey {
                source_system: view.touch.source_system.clone(),
                external_id,
                campaign_id: view.campaign.to_string(),
            }),
            queue_id: view.queue.to_string(),
        }
    });
    let parts = parts(touches).into_iter();
    parts.map(|touches| proto::ExportTouchesResponse { touches }).collect()
}

fn mask_lead(lead: &mut proto::Lead) {
    for entry in &mut lead.numbers {
        entry.number = masked(&entry.number);
    }
    if let Some(key) = &mut lead.handover_key {
        key.external_id = masked_if_number(&key.external_id);
    }
    // A column that nobody mapped may hold a second number.
    for value in lead.attributes.values_mut() {
        if let Some(proto::attribute_value::Value::StringValue(text)) = &mut value.value {
            *text = masked_if_number(text);
        }
    }
}

/// Cuts a page where a message is full.
fn parts<M: Message>(page: impl Iterator<Item = M>) -> Vec<Vec<M>> {
    let mut parts = Vec::new();
    let mut bytes = MESSAGE_BYTES_FULL;
    for one in page {
        if bytes >= MESSAGE_BYTES_FULL {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += one.encoded_len();
        parts.last_mut().expect("a part was begun").push(one);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_where_they_are_full_and_keep_the_order() {
        let notes =
            |length: usize| proto::Touch { notes: "x".repeat(length), ..Default::default() };
        let lengths = [10, MESSAGE_BYTES_FULL, 20, MESSAGE_BYTES_FULL - 1, 30];
        let parts = parts(lengths.into_iter().map(notes));
        let parts: Vec<Vec<usize>> =
            parts.iter().map(|part| part.iter().map(|one| one.notes.len()).collect()).collect();
        let full = MESSAGE_BYTES_FULL;
        assert_eq!(parts, [vec![10, full], vec![20, full - 1], vec![30]]);
    }

    #[test]
    fn an_export_needs_no_filter_and_names_a_bad_one() {
        assert_eq!(export_scope("", "", ("since", None)), Ok(ExportScope::default()));
        let Problems(problems) =
            export_scope("a\n", "", ("since", Some(&Timestamp { seconds: -1, nanos: 0 })))
                .unwrap_err();
        let fields: Vec<_> = problems.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["queue_id", "since"]);
    }
}
