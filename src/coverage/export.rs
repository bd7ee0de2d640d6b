//! Exports: every lead or touch that passes a filter, a bounded page at a time.
//!
//! A page is read away from the network's thread and only when it is asked for: an export whose
//! reader has stopped holds no connection, no thread and no more than the page it has.

use std::sync::Arc;

use super::{Coverage, CoverageError, Names};
use crate::domain::{CampaignId, LeadId, QueueId, RepId};
use crate::store::{ExportFilter, LeadRecord, StoreError, TouchOfLead};

/// How many leads, or touches, are looked at for one page.
const PAGE_SIZE: i64 = 256;

/// Which leads or touches are exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportScope {
    /// Of leads of one queue.
    pub queue: Option<QueueId>,
    /// Of leads of one campaign.
    pub campaign: Option<CampaignId>,
    /// Leads that changed, or touches that were recorded, at this instant or later.
    pub since: Option<i64>,
}

/// A lead with where it stands.
#[derive(Clone, Debug)]
pub struct LeadView {
    /// Its queue.
    pub queue: QueueId,
    /// The campaign whose handover opened it.
    pub campaign: CampaignId,
    /// To whom it belongs.
    pub owner: Option<RepId>,
    /// The lead.
    pub record: LeadRecord,
}

/// A touch with whose it is.
#[derive(Clone, Debug)]
pub struct TouchView {
    /// The lead's queue.
    pub queue: QueueId,
    /// The lead's campaign.
    pub campaign: CampaignId,
    /// Who made it; `None`: a system posted it.
    pub rep: Option<RepId>,
    /// The touch.
    pub touch: TouchOfLead,
}

/// Walks over all leads that there were when it began, in the order of their ids. Each is read as it
/// stands when its page is.
pub struct LeadExport {
    coverage: Coverage,
    names: Arc<Names>,
    filter: ExportFilter,
    after: i64,
    last: i64,
}

/// Walks over all touches that there were when it began, in the order in which they were recorded.
pub struct TouchExport(LeadExport);

impl Coverage {
    /// Begins an export of leads.
    pub async fn export_leads(&self, scope: &ExportScope) -> Result<LeadExport, CoverageError> {
        let LeadId(last) = self.store.last_lead().await?;
        self.export(scope, last).await
    }

    /// Begins an export of touches.
    pub async fn export_touches(&self, scope: &ExportScope) -> Result<TouchExport, CoverageError> {
        let last = self.store.last_touch().await?;
        self.export(scope, last).await.map(TouchExport)
    }

    async fn export(&self, scope: &ExportScope, last: i64) -> Result<LeadExport, CoverageError> {
        let names = self.names().await?;
        let filter = ExportFilter {
            queue: names.queue(scope.queue.as_ref())?,
            campaign: names.campaign(scope.campaign.as_ref())?,
            since: scope.since,
        };
        Ok(LeadExport { coverage: self.clone(), names: Arc::new(names), filter, after: 0, last })
    }
}

impl LeadExport {
    /// The next leads, at least one; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<LeadView>>, CoverageError> {
        while let Some((after, _)) = self.range() {
            let (store, filter) = (self.coverage.store.clone(), self.filter.clone());
            let last = self.last;
            let page = super::in_back_room(async move {
                let LeadId(end) = store.lead_page_end(LeadId(after), PAGE_SIZE as usize).await?;
                // Whoever is gone at the end of the page was gone before.
                let through = if end == after { last } else { end.min(last) };
                let leads = store.leads_between(&filter, LeadId(after), LeadId(through)).await;
                Ok::<_, StoreError>((leads?, through))
            });
            let (leads, through) = page.await?;
            let view = |record: LeadRecord| {
                let (queue, campaign) = self.names.of(record.lead.queue, record.lead.campaign)?;
                let owner = record.state.owner.and_then(|rep| self.names.reps.get(&rep).cloned());
                Some(LeadView { queue, campaign, owner, record })
            };
            let views: Vec<LeadView> = leads.into_iter().filter_map(view).collect();
            self.after = through;
            if !views.is_empty() {
                return Ok(Some(views));
            }
        }
        Ok(None)
    }

    /// What the next page looks at: keys above the first and up to the second.
    fn range(&self) -> Option<(i64, i64)> {
        let through = self.after.saturating_add(PAGE_SIZE).min(self.last);
        (self.after < self.last).then_some((self.after, through))
    }
}

impl TouchExport {
    /// The next touches, at least one; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<TouchView>>, CoverageError> {
        let Self(walk) = self;
        while let Some((after, through)) = walk.range() {
            let (store, filter) = (walk.coverage.store.clone(), walk.filter.clone());
            let page =
                super::in_back_room(
                    async move { store.touches_between(&filter, after, through).await },
                );
            let view = |touch: TouchOfLead| {
                let (queue, campaign) = walk.names.of(touch.queue, touch.campaign)?;
                let rep = touch.recorded.touch.rep;
                let rep = rep.and_then(|rep| walk.names.reps.get(&rep).cloned());
                Some(TouchView { queue, campaign, rep, touch })
            };
            let views: Vec<TouchView> = page.await?.into_iter().filter_map(view).collect();
            walk.after = through;
            if !views.is_empty() {
                return Ok(Some(views));
            }
        }
        Ok(None)
    }
}
