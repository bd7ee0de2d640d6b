//! Leads, reps and pulls of the checks: plain ones, to be varied with `..`.

use std::collections::BTreeSet;
use std::sync::Arc;

use nextlead::domain::{
    FirstTouchRank, LeadId, QueueKey, RepKey, ServeOrder, Tier, Worth, WorthStep,
};
use nextlead::queue::{Ask, Basis, Candidate, Entry, Lane, LeadQueue, OpenHours, Update};

/// The queue of the checks.
pub(super) const QUEUE: QueueKey = QueueKey(1);
/// The version of the rules that it is begun with.
pub(super) const RULES: i64 = 1;
/// The rep of the checks.
pub(super) const REP: RepKey = RepKey(1);
/// After how many ordinary pulls one is kept for the untouched.
pub(super) const RESERVE_AFTER: u32 = 3;
/// Hours that are open to [`ask`].
pub(super) const OPEN: &str = "Europe/Berlin";
/// Hours that are closed.
pub(super) const CLOSED: &str = "Asia/Tokyo";

/// A ranking by a version of the rules, and by the first lanes.
pub(super) fn by(rule_version: i64) -> Basis {
    Basis { rule_version, lane_version: 0 }
}

/// A touched lead that is ready since 0, worth nothing, and may be taken by anybody.
pub(super) fn entry(lead: i64) -> Entry {
    Entry {
        lead: LeadId(lead),
        queue: QUEUE,
        version: 1,
        basis: by(RULES),
        tier: Tier::Ordinary,
        ready_since: 0,
        due_at: None,
        worth: Worth::steady(0),
        lane: lane(&[], Some(OPEN)),
        keeper: None,
        first_touch: None,
    }
}

/// A lead that was never touched.
pub(super) fn untouched(lead: i64, times_released: i32, due_at: i64) -> Entry {
    let first_touch = Some(FirstTouchRank { times_released, due_at, lead: LeadId(lead) });
    Entry { first_touch, ..entry(lead) }
}

/// A lead that waits for an instant.
pub(super) fn waiting(lead: i64, due_at: i64) -> Entry {
    Entry { due_at: Some(due_at), ready_since: due_at, ..entry(lead) }
}

/// A promised callback that is due.
pub(super) fn callback(lead: i64) -> Entry {
    Entry { tier: Tier::Callback, ..entry(lead) }
}

/// A head start that ends, and what is left then.
pub(super) fn ending(head_start_ms: i64, until: i64, then_ms: i64) -> Worth {
    let later = vec![WorthStep { head_start_ms: then_ms, until: None }];
    Worth { head_start_ms, until: Some(until), later }
}

pub(super) fn lane(skills: &[&str], hours: Option<&str>) -> Lane {
    Lane { skills: names(skills), hours: hours.map(Into::into) }
}

pub(super) fn names(names: &[&str]) -> Arc<BTreeSet<String>> {
    Arc::new(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Gives the queue of the checks an index, as most of them need.
pub(super) async fn begin<Q: LeadQueue>(queue: Q) -> Q {
    queue.begin(QUEUE, by(RULES)).await.unwrap();
    queue
}

/// A pull of one lead at `now`, of a rep without skills, while [`OPEN`] is open.
pub(super) fn ask(now: i64) -> Ask {
    Ask {
        queue: QUEUE,
        rep: REP,
        skills: names(&[]),
        hours: Arc::new(OpenHours { number: 1, open: BTreeSet::from([OPEN.into()]) }),
        reserve_after: RESERVE_AFTER,
        passed: Vec::new(),
        count: 1,
        now,
    }
}

pub(super) async fn put(queue: &impl LeadQueue, entries: impl IntoIterator<Item = Entry>) {
    queue.apply(puts(entries)).await.unwrap();
}

pub(super) fn puts(entries: impl IntoIterator<Item = Entry>) -> Vec<Update> {
    entries.into_iter().map(|entry| Update::Put(Box::new(entry))).collect()
}

pub(super) fn remove(lead: i64, version: i64) -> Update {
    Update::Remove { queue: QUEUE, lead: LeadId(lead), version }
}

/// All candidates of a pull that has to be finished at once.
pub(super) async fn candidates(queue: &impl LeadQueue, ask: &Ask) -> Vec<Candidate> {
    let proposal = queue.propose(ask).await.unwrap();
    assert!(!proposal.is_unfinished, "nothing here asks for much work");
    proposal.candidates
}

/// One pull; the lead stays in flight.
pub(super) async fn pull(queue: &impl LeadQueue, ask: &Ask) -> Option<i64> {
    candidates(queue, ask).await.first().map(|candidate| candidate.lead.0)
}

/// One pull and what it was served by; the debt moves.
pub(super) async fn serve(queue: &impl LeadQueue, ask: &Ask) -> Option<(i64, ServeOrder)> {
    let candidate = candidates(queue, ask).await.first().copied()?;
    let Candidate { lead, order, .. } = candidate;
    queue.served(QUEUE, ask.rep, lead, order, ask.reserve_after).await.unwrap();
    Some((lead.0, order))
}

/// Pulls until there is nothing more, without serving.
pub(super) async fn drain(queue: &impl LeadQueue, ask: &Ask) -> Vec<i64> {
    let mut leads = Vec::new();
    while let Some(lead) = pull(queue, ask).await {
        leads.push(lead);
    }
    leads
}

pub(super) fn ids(leads: &[i64]) -> Vec<LeadId> {
    leads.iter().copied().map(LeadId).collect()
}

pub(super) async fn put_back(queue: &impl LeadQueue, leads: &[i64]) {
    queue.put_back(QUEUE, &ids(leads)).await.unwrap();
}
