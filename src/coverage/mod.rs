//! Where every lead stands: the books by campaign and source, who was never contacted, and whether
//! everything adds up. Reads only.

mod export;
mod quality;
mod skips;

use std::collections::HashMap;
use std::sync::Arc;

use tracing::Instrument as _;

use crate::clock::Clock;
use crate::domain::{CampaignId, CampaignKey, LeadId, QueueId, QueueKey, RepId, RepKey};
use crate::metrics::{Gauges, Registry};
use crate::store::{
    AuditReport, Book, BookFilter, Store, StoreError, Uncontacted, UncontactedPage,
};

pub use export::{ExportScope, LeadExport, LeadView, TouchExport, TouchView};
pub use quality::{OwedView, QualityReport, QualitySums};
pub use skips::{ServeCounts, SkipReport};

/// Why a report could not be given.
#[derive(Debug, thiserror::Error)]
pub enum CoverageError {
    /// There is no such queue or campaign.
    #[error("there is no {what} {id:?}")]
    NotFound {
        /// `"queue"` or `"campaign"`.
        what: &'static str,
        /// The id that was asked for.
        id: String,
    },
    /// The truth is out of reach.
    #[error("could not use the store")]
    Store(#[from] StoreError),
}

/// The books as they stood at an instant.
#[derive(Clone, Debug)]
pub struct CoverageReport {
    /// That instant.
    pub read_at: i64,
    /// By queue, campaign and source.
    pub books: Vec<BookView>,
}

/// The book of one campaign and source.
#[derive(Clone, Debug)]
pub struct BookView {
    /// The queue.
    pub queue: QueueId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The counts.
    pub book: Book,
}

/// A lead that nobody has touched.
#[derive(Clone, Debug)]
pub struct UncontactedView {
    /// Its queue.
    pub queue: QueueId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Where it stands.
    pub lead: Uncontacted,
}

/// The reports. Clones share everything.
#[derive(Clone)]
pub struct Coverage {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: CoverageMetrics,
}

/// What the last checks of the books found. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct CoverageMetrics {
    imbalance: Gauges,
    checked_at: Gauges,
}

impl CoverageMetrics {
    /// Puts everything into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "What the last check of the books found: 0, or something is wrong. \
An audit folds the whole ledger, a recount looks at the books alone";
        registry.register("ledger_imbalance", help, self.imbalance.clone());
        let help = "When the last check of the books ended";
        registry.register("ledger_check_timestamp_seconds", help, self.checked_at.clone());
    }

    fn note(&self, check: &'static str, report: &AuditReport, now: i64) {
        let labels = vec![("check", check.to_owned())];
        self.imbalance.get_or_create_owned(&labels).set(report.imbalance);
        self.checked_at.get_or_create_owned(&labels).set(now / 1_000);
    }
}

/// The names behind keys, read afresh for each report.
struct Names {
    queues: HashMap<QueueKey, QueueId>,
    campaigns: HashMap<CampaignKey, CampaignId>,
    reps: HashMap<RepKey, RepId>,
}

impl Names {
    fn queue(&self, id: Option<&QueueId>) -> Result<Option<QueueKey>, CoverageError> {
        let Some(id) = id else { return Ok(None) };
        let found = self.queues.iter().find(|(_, one)| *one == id).map(|(key, _)| *key);
        let missing = || CoverageError::NotFound { what: "queue", id: id.to_string() };
        found.ok_or_else(missing).map(Some)
    }

    fn campaign(&self, id: Option<&CampaignId>) -> Result<Option<CampaignKey>, CoverageError> {
        let Some(id) = id else { return Ok(None) };
        let found = self.campaigns.iter().find(|(_, one)| *one == id).map(|(key, _)| *key);
        let missing = || CoverageError::NotFound { what: "campaign", id: id.to_string() };
        found.ok_or_else(missing).map(Some)
    }

    fn of(&self, queue: QueueKey, campaign: CampaignKey) -> Option<(QueueId, CampaignId)> {
        Some((self.queues.get(&queue)?.clone(), self.campaigns.get(&campaign)?.clone()))
    }
}

impl Coverage {
    /// Reports from this store, as of this clock.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, metrics: CoverageMetrics::default() }
    }

    /// What the last checks of the books found.
    pub fn metrics(&self) -> CoverageMetrics {
        self.metrics.clone()
    }

    async fn names(&self) -> Result<Names, CoverageError> {
        let rows = self.store.roster().await?;
        Ok(Names {
            queues: rows.queues.into_iter().map(|queue| (queue.key, queue.id)).collect(),
            campaigns: rows.campaigns.into_iter().map(|one| (one.key, one.id)).collect(),
            reps: rows.reps.into_iter().map(|rep| (rep.key, rep.id)).collect(),
        })
    }

    /// The books, of one queue or campaign or all.
    pub async fn books(
        &self,
        queue: Option<&QueueId>,
        campaign: Option<&CampaignId>,
    ) -> Result<CoverageReport, CoverageError> {
        let names = self.names().await?;
        let filter = BookFilter { queue: names.queue(queue)?, campaign: names.campaign(campaign)? };
        let read_at = self.clock.now();
        let books = self.store.books(&filter, read_at).await?;
        let mut books: Vec<BookView> = books
            .into_iter()
            .filter_map(|book| {
                let (queue, campaign) = names.of(book.queue, book.campaign)?;
                Some(BookView { queue, campaign, book })
            })
            .collect();
        books.sort_by(|one, other| {
            let order = |view: &BookView| (view.queue.clone(), view.campaign.clone());
            (order(one), &one.book.source).cmp(&(order(other), &other.book.source))
        });
        Ok(CoverageReport { read_at, books })
    }

    /// Leads without a first touch, in the order of their deadlines, after `after`.
    pub async fn uncontacted(
        &self,
        queue: Option<&QueueId>,
        campaign: Option<&CampaignId>,
        with_closed: bool,
        after: Option<(i64, LeadId)>,
        limit: usize,
    ) -> Result<Vec<UncontactedView>, CoverageError> {
        let names = self.names().await?;
        let page = UncontactedPage {
            queue: names.queue(queue)?,
            campaign: names.campaign(campaign)?,
            with_closed,
            after,
            limit,
        };
        let leads = self.store.uncontacted(&page).await?;
        let view = |lead: Uncontacted| {
            let (queue, campaign) = names.of(lead.state.queue, lead.state.campaign)?;
            Some(UncontactedView { queue, campaign, lead })
        };
        Ok(leads.into_iter().filter_map(view).collect())
    }

    /// Folds the whole ledger and recounts every book: does everything add up?
    ///
    /// Reads for as long as it takes, away from the network's thread.
    pub async fn audit(&self) -> Result<AuditReport, CoverageError> {
        let store = self.store.clone();
        let report = in_back_room(async move { store.audit().await }).await?;
        self.metrics.note("audit", &report, self.clock.now());
        Ok(report)
    }

    /// The part of an audit that is cheap enough to do now and then: recounts every book, and leaves
    /// the ledger alone. Away from the network's thread, too.
    pub async fn recount(&self) -> Result<AuditReport, CoverageError> {
        let store = self.store.clone();
        let report = in_back_room(async move { store.recount().await }).await?;
        self.metrics.note("recount", &report, self.clock.now());
        if report.imbalance != 0 {
            let imbalance = report.imbalance;
            tracing::error!(imbalance, "the books do not add up: audit the ledger");
        }
        Ok(report)
    }
}

/// Runs a long read away from the network's thread.
async fn in_back_room<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = tokio::runtime::Handle::current();
    let work = work.in_current_span();
    match tokio::task::spawn_blocking(move || runtime.block_on(work)).await {
        Ok(answer) => answer,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}
