//! Reads back, through the API, what a node holds.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use nextlead::api::client::Client;
use nextlead::api::proto;
use proto::lead_ref::Name;
use tonic::Code;

use super::check::Truth;
use super::history::History;

/// How many leads are read at once.
const READER_COUNT: usize = 16;

/// Reads all that the clients' handovers led to, and audits the books.
pub(super) async fn read(client: &Client, history: &History) -> Truth {
    let keys: BTreeSet<&str> =
        history.handovers.iter().map(|sent| sent.external_id.as_str()).collect();
    let traces = stream::iter(keys).map(|key| async move { (key, trace(client, key).await) });
    let traces: Vec<_> = traces.buffer_unordered(READER_COUNT).collect().await;
    let mut truth = Truth::default();
    let mut ledgers = BTreeMap::new();
    for (key, found) in traces {
        let Some((lead, events)) = found else { continue };
        let is_closed = is_closed(events.last().unwrap());
        truth.handovers.insert(key.to_owned(), (lead.clone(), is_closed));
        ledgers.insert(lead, events);
    }
    for (lead, events) in ledgers {
        if !events.iter().map(|event| event.number).eq(1..=events.len() as i64) {
            truth.broken_ledgers.push(lead.clone());
        }
        for touch in events.into_iter().filter_map(|mut event| event.details.remove("touch")) {
            truth.touches.entry(touch).or_default().push(lead.clone());
        }
    }
    let audit = client.coverage().audit_ledger(proto::AuditLedgerRequest {}).await;
    let audit = audit.unwrap().into_inner();
    truth.handover_count = audit.handover_count;
    truth.touch_count = audit.touch_count;
    truth.imbalance = audit.imbalance + audit.faults.len() as i64;
    truth
}

/// The lead of a handover with its whole ledger, if the node knows it.
async fn trace(client: &Client, external_id: &str) -> Option<(String, Vec<proto::LeadEvent>)> {
    let key = proto::HandoverKey {
        source_system: "crm".into(),
        external_id: external_id.into(),
        campaign_id: "spring".into(),
    };
    let lead = proto::LeadRef { name: Some(Name::HandoverKey(key)) };
    let mut request =
        proto::TraceLeadRequest { lead: Some(lead), page_size: 1_000, ..Default::default() };
    let mut events = Vec::new();
    loop {
        let page = match client.queues().trace_lead(request.clone()).await {
            Ok(page) => page.into_inner(),
            Err(status) => {
                assert_eq!(status.code(), Code::NotFound, "{status:?}");
                return None;
            }
        };
        events.extend(page.events);
        if page.next_page_token.is_empty() {
            return Some((page.lead_id, events));
        }
        request.page_token = page.next_page_token;
    }
}

fn is_closed(event: &proto::LeadEvent) -> bool {
    let standing = event.to_standing.as_ref().and_then(|standing| standing.standing.as_ref());
    matches!(standing, Some(proto::standing::Standing::Closed(_)))
}
