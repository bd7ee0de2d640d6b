//! The node's books when a run is over: every touch of it, and whether they add up.

use anyhow::Context as _;

use super::company::QUEUE_ID;
use super::rep::touch_of;
use crate::api::client::Client;
use crate::api::proto::{AuditLedgerRequest, ExportTouchesRequest};
use crate::cli::words::timestamp_of;

/// How far the node's clock may be from this machine's.
const CLOCKS_APART_MS: i64 = 600_000;

/// What the books say.
#[derive(Debug)]
pub(super) struct Books {
    /// The touches of this run, by rep and number.
    pub(super) touches: Vec<(usize, u64)>,
    /// By how much they do not add up, or leads stand otherwise than their events say: 0.
    pub(super) imbalance: i64,
    /// How many events there are.
    pub(super) event_count: i64,
    /// How many touches there are, also those of earlier runs.
    pub(super) touch_count: i64,
}

impl Books {
    /// Reads the touches of a run that began at `begun_at`, and counts everything again.
    pub(super) async fn read(client: &Client, run: &str, begun_at: i64) -> anyhow::Result<Self> {
        let request = ExportTouchesRequest {
            queue_id: QUEUE_ID.to_owned(),
            recorded_since_time: Some(timestamp_of(begun_at - CLOCKS_APART_MS)),
            ..ExportTouchesRequest::default()
        };
        let mut coverage = client.coverage();
        let pages = coverage.export_touches(request).await.context("could not read the touches")?;
        let mut pages = pages.into_inner();
        let mut touches = Vec::new();
        while let Some(page) = pages.message().await.context("could not read the touches")? {
            let booked = page.touches.into_iter().filter_map(|exported| exported.touch);
            touches.extend(booked.filter_map(|touch| touch_of(run, &touch.touch_id)));
        }
        let audit = coverage.audit_ledger(AuditLedgerRequest {}).await;
        let audit = audit.context("could not audit the ledger")?.into_inner();
        Ok(Self {
            touches,
            imbalance: audit.imbalance,
            event_count: audit.event_count,
            touch_count: audit.touch_count,
        })
    }
}
