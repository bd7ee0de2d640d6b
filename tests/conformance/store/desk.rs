//! The desk at which the checks work: a store with two queues, their campaigns and reps, and short
//! words for what is done over and over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nextlead::domain::{
    Campaign, CampaignId, CampaignSettings, Channel, Direction, Disposition, Facts, HandoverKey,
    LeadId, LeadNumber, Lease, LeaseToken, Number, Policy, Queue, QueueId, QueueSettings, RepId,
    RepKey, RequestId, Route, ServeOrder, SkipReason, Standing, Touch, TouchId, WeeklyHours,
};
use nextlead::store::{
    Candidate, Grant, Granted, HandOver, HandedOver, Handover, LeadRecord, LeaseOutcome, NewRep,
    RecordTouch, Release, ReleaseCause, Renew, RequestKey, Store, StoreError, TouchRecorded,
};

/// When every check begins.
pub(super) const START: i64 = 1_700_000_000_000;
pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const LEASE_MS: i64 = 10 * MINUTE_MS;
pub(super) const LEASE_TOTAL_MS: i64 = 25 * MINUTE_MS;
pub(super) const GRACE_MS: i64 = MINUTE_MS;
/// The first touch is promised within this time of the handover.
pub(super) const PROMISE_MS: i64 = 240 * MINUTE_MS;

pub(super) struct Desk {
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Queue,
    /// Another one.
    pub(super) other: Queue,
    pub(super) campaign: Campaign,
    /// A campaign of another queue.
    pub(super) elsewhere: Campaign,
    pub(super) reps: Vec<RepKey>,
    last: AtomicU64,
}

pub(super) fn campaign_settings(ends_at: Option<i64>) -> CampaignSettings {
    CampaignSettings {
        skills: Default::default(),
        ends_at,
        route_at_end: Route::Lost,
        default_country: None,
    }
}

pub(super) fn number(index: u64) -> Number {
    Number::from_e164(&format!("+1202{index:07}")).expect("a number")
}

impl Desk {
    pub(super) async fn over(store: impl Store + 'static) -> Self {
        let settings = QueueSettings {
            zone: "Europe/Berlin".into(),
            hours: WeeklyHours::always(),
            law: Default::default(),
            caps: Vec::new(),
            lease_ms: LEASE_MS,
            lease_total_ms: LEASE_TOTAL_MS,
            grace_ms: GRACE_MS,
            skips_per_hour_max: None,
            own: Default::default(),
            quality: Default::default(),
        };
        let mut campaigns = Vec::new();
        let mut queues = Vec::new();
        for name in ["sales", "service"] {
            let id = QueueId::new(name).expect("an id");
            let queue = store.put_queue(&id, &settings).await.expect("a queue");
            let id = CampaignId::new(&format!("{name}-march")).expect("an id");
            let settings = campaign_settings(None);
            campaigns.push(store.put_campaign(&id, queue.key, &settings).await.expect("one"));
            queues.push(queue);
        }
        let other = queues.swap_remove(1);
        let queue = queues.swap_remove(0);
        let mut reps = Vec::new();
        for name in 0..32 {
            let id = RepId::new(&format!("rep-{name}")).expect("an id");
            let rep = NewRep {
                queue: queue.key,
                skills: Default::default(),
                is_active: true,
                work: Default::default(),
            };
            reps.push(store.put_rep(&id, &rep).await.expect("a rep").key);
        }
        let elsewhere = campaigns.pop().expect("two campaigns");
        let campaign = campaigns.pop().expect("two campaigns");
        let last = AtomicU64::new(0);
        Self { store: Arc::new(store), queue, other, campaign, elsewhere, reps, last }
    }

    /// The same desk for another task. Its numbers begin far from this one's.
    pub(super) fn twin(&self) -> Self {
        Self {
            store: self.store.clone(),
            queue: self.queue.clone(),
            other: self.other.clone(),
            campaign: self.campaign.clone(),
            elsewhere: self.elsewhere.clone(),
            reps: self.reps.clone(),
            last: AtomicU64::new(1 << 32),
        }
    }

    pub(super) fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// After every check: the events fold to the standings, and the books add up.
    pub(super) async fn audit(&self) {
        match self.store.audit().await {
            Ok(audit) => {
                assert_eq!(audit.imbalance, 0, "{:?}", audit.faults);
                assert!(audit.faults.is_empty());
                let recount = self.store.recount().await.expect("a read");
                let counted = (recount.imbalance, recount.books, recount.handovers);
                assert_eq!(counted, (0, audit.books, audit.handovers));
            }
            Err(StoreError::Stopped) => {}
            Err(error) => panic!("the audit failed: {error}"),
        }
    }

    // ---- Handovers.

    /// A handover of somebody nobody else knows: their own number, no name, no address.
    pub(super) fn somebody(&self) -> Handover {
        let index = self.next();
        let numbers = vec![LeadNumber { number: number(index), stopped: None }];
        self.with(Facts { numbers, source: "web".into(), ..Facts::default() })
    }

    pub(super) fn with(&self, facts: Facts) -> Handover {
        self.of(&self.campaign, facts)
    }

    pub(super) fn of(&self, campaign: &Campaign, facts: Facts) -> Handover {
        Handover {
            key: HandoverKey {
                source_system: "crm".into(),
                external_id: format!("lead-{}", self.next()),
                campaign: campaign.id.clone(),
            },
            campaign: campaign.key,
            queue: campaign.queue,
            handed_over_at: START,
            first_touch_due_at: Some(START + PROMISE_MS),
            owner: None,
            facts,
        }
    }

    pub(super) async fn hand_over(&self, rows: Vec<Handover>) -> Vec<HandedOver> {
        let change = HandOver { rows, actor: "marketing".into(), now: START, request: None };
        self.store.hand_over(change).await.expect("handovers are taken in")
    }

    pub(super) async fn one(&self, row: Handover) -> HandedOver {
        self.hand_over(vec![row]).await.pop().expect("one answer a row")
    }

    /// A new lead of somebody's.
    pub(super) async fn lead(&self) -> LeadId {
        self.one(self.somebody()).await.lead()
    }

    pub(super) async fn leads(&self, count: usize) -> Vec<LeadId> {
        let rows = (0..count).map(|_| self.somebody()).collect();
        self.hand_over(rows).await.iter().map(HandedOver::lead).collect()
    }

    pub(super) async fn record(&self, lead: LeadId) -> LeadRecord {
        self.store.lead(lead).await.expect("a read").expect("the lead is there")
    }

    pub(super) async fn standing(&self, lead: LeadId) -> Standing {
        self.record(lead).await.state.standing
    }

    /// The words of a lead's events.
    pub(super) async fn story(&self, lead: LeadId) -> Vec<&'static str> {
        let events = self.store.ledger(lead, 0, 1_000).await.expect("a read");
        events.iter().map(|event| event.kind.code()).collect()
    }

    // ---- Leases.

    pub(super) fn request(&self, id: &str, body: u8) -> Option<RequestKey> {
        let id = RequestId::new(id).expect("an id");
        Some(RequestKey { caller: "softphone".into(), id, body_hash: [body; 32] })
    }

    pub(super) fn grant(&self, rep: usize, leads: &[LeadId], now: i64) -> Grant {
        let mut token = [0; 16];
        token[8..].copy_from_slice(&self.next().to_be_bytes());
        let candidate = |lead: &LeadId| Candidate {
            lead: *lead,
            order: ServeOrder::Ordinary,
            points: 40,
            detail: [("points".to_owned(), "40".to_owned())].into(),
        };
        Grant {
            rep: self.reps[rep],
            actor: format!("rep-{rep}"),
            candidates: leads.iter().map(candidate).collect(),
            fit: None,
            caps: None,
            holds_back: false,
            token: LeaseToken(token),
            lease_ms: LEASE_MS,
            lease_total_ms: LEASE_TOTAL_MS,
            grace_ms: GRACE_MS,
            rule_version: 0,
            now,
            request: None,
        }
    }

    pub(super) async fn pull(&self, rep: usize, leads: &[LeadId], now: i64) -> LeaseOutcome {
        self.store.lease(self.grant(rep, leads, now)).await.expect("a pull is answered")
    }

    /// A lease that must be given.
    pub(super) async fn lease(&self, rep: usize, lead: LeadId, now: i64) -> Lease {
        granted(self.pull(rep, &[lead], now).await).lease
    }

    pub(super) fn renewal(&self, lease: &Lease, now: i64) -> Renew {
        Renew {
            lead: lease.lead,
            rep: lease.rep,
            actor: "rep".into(),
            token: lease.token,
            lease_ms: LEASE_MS,
            fit: None,
            now,
            request: None,
        }
    }

    pub(super) fn release(&self, lease: &Lease, now: i64) -> Release {
        Release {
            lead: lease.lead,
            rep: lease.rep,
            actor: "rep".into(),
            token: lease.token,
            cause: ReleaseCause::Skip { reason: SkipReason::NoTime, per_hour_max: None },
            now,
            request: None,
        }
    }

    // ---- Touches.

    /// A call of the lead's first number, without a lease.
    pub(super) async fn call(&self, lead: LeadId, how: Disposition, now: i64) -> RecordTouch {
        let id = TouchId::new(&format!("touch-{}", self.next())).expect("an id");
        let record = self.store.lead(lead).await.expect("a read");
        let dialled = record.and_then(|record| record.lead.facts.numbers.first().cloned());
        let touch = Touch {
            id,
            lead,
            rep: Some(self.reps[0]),
            lease: None,
            channel: Channel::Call,
            direction: Direction::Outbound,
            number: dialled.map(|one| one.number),
            started_at: now,
            ended_at: now,
            disposition: how,
            callback_at: None,
            notes: "said hello".into(),
        };
        RecordTouch {
            touch,
            caller: "softphone".into(),
            body_hash: [1; 32],
            actor: "rep-0".into(),
            is_by_system: false,
            only_in: None,
            quality: Default::default(),
            policy: Arc::new(Policy::default()),
            rule_version: 0,
            queue: Arc::new(self.queue.clone()),
            others: vec![Arc::new(self.other.clone())],
            now,
            then: None,
        }
    }

    /// A call under a lease.
    pub(super) async fn call_under(
        &self,
        lease: &Lease,
        how: Disposition,
        now: i64,
    ) -> RecordTouch {
        let mut change = self.call(lease.lead, how, now).await;
        change.touch.rep = Some(lease.rep);
        change.touch.lease = Some(lease.token);
        change
    }

    pub(super) async fn record_touch(&self, change: RecordTouch) -> TouchRecorded {
        self.store.record_touch(change).await.expect("a touch is recorded")
    }

    /// Leases the lead and ends the call so.
    pub(super) async fn work(
        &self,
        rep: usize,
        lead: LeadId,
        how: Disposition,
        now: i64,
    ) -> LeadRecord {
        let lease = self.lease(rep, lead, now).await;
        self.record_touch(self.call_under(&lease, how, now).await).await.record
    }
}

pub(super) fn granted(outcome: LeaseOutcome) -> Granted {
    match outcome {
        LeaseOutcome::Granted { granted, .. } => *granted,
        other => panic!("no lease was given: {other:?}"),
    }
}

pub(super) fn held(outcome: LeaseOutcome) -> Granted {
    match outcome {
        LeaseOutcome::Holds(granted) => *granted,
        other => panic!("no lease stands: {other:?}"),
    }
}
