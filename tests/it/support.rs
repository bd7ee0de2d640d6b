//! A real node for each test: SQLite in a temporary folder, the index in memory, gRPC on a free
//! port, and a clock that the test moves.

use std::sync::Arc;

use nextlead::api::front::Limits;
use nextlead::api::proto;
use nextlead::clock::ManualClock;
use nextlead::node::{Node, Options, Sweeping};
use proto::admin_service_client::AdminServiceClient;
use proto::coverage_service_client::CoverageServiceClient;
use proto::intake_service_client::IntakeServiceClient;
use proto::queue_service_client::QueueServiceClient;
use proto::rep_service_client::RepServiceClient;
use proto::rules_service_client::RulesServiceClient;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_types::StatusExt;

use super::ground::Ground;

/// A Monday, 2026-11-23, noon UTC.
pub(crate) const NOON: i64 = 1_795_435_200_000;
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// Signs every call with the node's admin token.
#[derive(Clone)]
pub(crate) struct Sign(String);

impl tonic::service::Interceptor for Sign {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value: MetadataValue<_> = format!("Bearer {}", self.0).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

pub(crate) type Signed = InterceptedService<Channel, Sign>;

/// A node and its clients.
pub(crate) struct TestNode {
    pub(crate) clock: ManualClock,
    pub(crate) node: Node,
    pub(crate) folder: TempDir,
    pub(crate) reps: RepServiceClient<Signed>,
    pub(crate) intake: IntakeServiceClient<Signed>,
    pub(crate) queues: QueueServiceClient<Signed>,
    pub(crate) rules: RulesServiceClient<Signed>,
    pub(crate) coverage: CoverageServiceClient<Signed>,
    pub(crate) admin: AdminServiceClient<Signed>,
    /// The connection, for calls without the token.
    pub(crate) channel: Channel,
    touch_count: u64,
}

impl TestNode {
    /// A node with queue `sales` (always open, in UTC), campaign `spring` and rep `ann`.
    pub(crate) async fn start() -> Self {
        let mut node = Self::start_bare(TempDir::new().unwrap(), ManualClock::at(NOON)).await;
        node.put_queue("sales", "always").await;
        node.put_campaign("spring", "sales", None).await;
        node.put_rep("ann", "sales", &[]).await;
        node
    }

    /// A node over whatever the folder holds.
    pub(crate) async fn start_bare(folder: TempDir, clock: ManualClock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut options = Options {
            clock: Some(Arc::new(clock.clone())),
            sweeping: Sweeping::ByHand,
            metrics_listener: Some(metrics_listener),
            // Hundreds of refusals of one address are what some tests are about.
            limits: Limits {
                guess_count_max: u32::MAX,
                guess_row_max: u32::MAX,
                ..Limits::default()
            },
            ..Options::new(folder.path().join("nextlead.db"), listener)
        };
        Ground::put_into(folder.path(), &mut options);
        Self::over(folder, clock, options).await
    }

    /// A node with these options, that a test sweeps by hand.
    pub(crate) async fn over(folder: TempDir, clock: ManualClock, options: Options) -> Self {
        let node = Node::start(options).await.unwrap();
        let token = std::fs::read_to_string(&node.token_file).unwrap().trim().to_owned();
        let endpoint = Endpoint::from_shared(format!("http://{}", node.address)).unwrap();
        let channel = endpoint.tcp_nodelay(true).connect().await.unwrap();
        let sign = Sign(token);
        let signed = || InterceptedService::new(channel.clone(), sign.clone());
        Self {
            reps: RepServiceClient::new(signed()),
            intake: IntakeServiceClient::new(signed()),
            queues: QueueServiceClient::new(signed()),
            rules: RulesServiceClient::new(signed()),
            coverage: CoverageServiceClient::new(signed()),
            admin: AdminServiceClient::new(signed()),
            channel: channel.clone(),
            clock,
            node,
            folder,
            touch_count: 0,
        }
    }

    /// Stops the node and starts another one on its file.
    pub(crate) async fn restart(self) -> Self {
        let touch_count = self.touch_count;
        let (folder, clock) = self.end().await;
        Self { touch_count, ..Self::start_bare(folder, clock).await }
    }

    /// Stops the node. Gives what another one goes on with.
    pub(crate) async fn end(self) -> (TempDir, ManualClock) {
        let Self { clock, node, folder, reps, intake, queues, rules, .. } = self;
        let (coverage, admin, channel) = (self.coverage, self.admin, self.channel);
        drop((reps, intake, queues, rules, coverage, admin, channel));
        node.stop().await.unwrap();
        (folder, clock)
    }

    /// The node's connection, with another token.
    pub(crate) fn signed_by(&self, token: &str) -> Signed {
        InterceptedService::new(self.channel.clone(), Sign(token.to_owned()))
    }

    /// Moves the clock, and sweeps until nothing is left to do.
    pub(crate) async fn pass_time(&self, ms: i64) {
        self.clock.advance(ms);
        while self.node.dialer().sweep(1_000).await.unwrap().is_unfinished() {}
    }

    pub(crate) async fn put_queue(&mut self, id: &str, hours: &str) {
        let queue = proto::Queue {
            queue_id: id.into(),
            time_zone: "UTC".into(),
            hours: hours.into(),
            // A test's own clock is at any hour, and its leads are made up.
            calling_law: proto::CallingLaw::Exempt.into(),
            ..Default::default()
        };
        let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
        self.queues.upsert_queue(request).await.unwrap();
    }

    pub(crate) async fn put_campaign(&mut self, id: &str, queue: &str, end_at: Option<i64>) {
        let campaign = proto::Campaign {
            campaign_id: id.into(),
            queue_id: queue.into(),
            end_time: end_at.map(time),
            ..Default::default()
        };
        let request =
            proto::UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
        self.intake.upsert_campaign(request).await.unwrap();
    }

    pub(crate) async fn put_rep(&mut self, id: &str, queue: &str, skills: &[&str]) {
        let rep = proto::Rep {
            rep_id: id.into(),
            queue_id: queue.into(),
            skills: skills.iter().map(ToString::to_string).collect(),
            active: Some(true),
            ..Default::default()
        };
        let request = proto::UpsertRepRequest { rep: Some(rep), ..Default::default() };
        self.queues.upsert_rep(request).await.unwrap();
    }

    /// Hands a lead over and gives its id.
    pub(crate) async fn hand_over(&mut self, lead: proto::Lead) -> String {
        let request = proto::UpsertLeadRequest { lead: Some(lead), ..Default::default() };
        let answer = self.intake.upsert_lead(request).await.unwrap().into_inner();
        answer.result.unwrap().lead_id
    }

    /// Publishes rules for `sales` and waits until they are in force.
    pub(crate) async fn publish(&mut self, values_and_more: &str) -> i64 {
        let text = format!("queue = \"sales\"\n{values_and_more}");
        let request = proto::PublishRulesRequest {
            queue_id: "sales".into(),
            text,
            reason: "a test".into(),
            wait: true,
            ..Default::default()
        };
        let answer = self.rules.publish_rules(request).await.unwrap().into_inner();
        answer.rule_version.unwrap().version
    }

    /// Pulls without waiting.
    pub(crate) async fn pull(&mut self, rep: &str) -> proto::next_lead_response::Answer {
        let request = proto::NextLeadRequest { rep_id: rep.into(), ..Default::default() };
        self.reps.next_lead(request).await.unwrap().into_inner().answer.unwrap()
    }

    /// Pulls a lead that must be there.
    pub(crate) async fn pull_lead(&mut self, rep: &str) -> proto::ServedLead {
        match self.pull(rep).await {
            proto::next_lead_response::Answer::Served(served) => served,
            proto::next_lead_response::Answer::Nothing(nothing) => panic!("{nothing:?}"),
        }
    }

    /// Pulls nothing, and says why.
    pub(crate) async fn pull_nothing(&mut self, rep: &str) -> proto::NothingToServe {
        match self.pull(rep).await {
            proto::next_lead_response::Answer::Nothing(nothing) => nothing,
            proto::next_lead_response::Answer::Served(_) => panic!("a lead was served"),
        }
    }

    /// A touch of a served lead, that ends now; its id is new.
    pub(crate) fn touch_of(
        &mut self,
        rep: &str,
        served: &proto::ServedLead,
        disposition: proto::Disposition,
    ) -> proto::RecordTouchRequest {
        let lead = served.lead.as_ref().unwrap();
        self.touch_count += 1;
        let now = nextlead::clock::Clock::now(&self.clock);
        proto::RecordTouchRequest {
            rep_id: rep.into(),
            lead: Some(by_id(&lead.lead_id)),
            // No two nodes of one store give a touch the same id.
            touch_id: format!("touch-{}-{}", self.node.address.port(), self.touch_count),
            lease_token: served.lease_token.clone(),
            channel: proto::Channel::Call.into(),
            direction: proto::Direction::Outbound.into(),
            number: lead.numbers[0].number.clone(),
            start_time: Some(time(now)),
            end_time: Some(time(now)),
            disposition: disposition.into(),
            ..Default::default()
        }
    }

    /// Records a touch of a served lead.
    pub(crate) async fn touch(
        &mut self,
        rep: &str,
        served: &proto::ServedLead,
        disposition: proto::Disposition,
    ) -> proto::RecordTouchResponse {
        let request = self.touch_of(rep, served, disposition);
        self.reps.record_touch(request).await.unwrap().into_inner()
    }

    /// Where a lead stands, in a word.
    pub(crate) async fn standing(&mut self, lead_id: &str) -> &'static str {
        use proto::standing::Standing;
        match self.explain(lead_id).await.state.unwrap().standing.unwrap().standing.unwrap() {
            Standing::Ready(_) => "ready",
            Standing::Waiting(_) => "waiting",
            Standing::Leased(_) => "leased",
            Standing::Closed(_) => "closed",
            Standing::Erased(_) => "erased",
        }
    }

    pub(crate) async fn explain(&mut self, lead_id: &str) -> proto::ExplainLeadResponse {
        let request =
            proto::ExplainLeadRequest { lead: Some(by_id(lead_id)), ..Default::default() };
        self.queues.explain_lead(request).await.unwrap().into_inner()
    }

    /// Audits, and panics with the faults if anything does not add up.
    pub(crate) async fn audit(&mut self) -> proto::AuditLedgerResponse {
        let request = proto::AuditLedgerRequest::default();
        let report = self.coverage.audit_ledger(request).await.unwrap().into_inner();
        assert_eq!(report.imbalance, 0, "{report:?}");
        report
    }
}

/// A lead of campaign `spring` with a number of its own, in UTC.
pub(crate) fn lead(nth: u32) -> proto::Lead {
    lead_of("spring", nth)
}

/// A lead of a campaign, with a number of its own, in UTC.
pub(crate) fn lead_of(campaign: &str, nth: u32) -> proto::Lead {
    let key = proto::HandoverKey {
        source_system: "crm".into(),
        external_id: format!("{nth}"),
        campaign_id: campaign.into(),
    };
    let number = format!("+1{:03}55501{:02}", 200 + nth / 100, nth % 100);
    proto::Lead {
        handover_key: Some(key),
        name: format!("Lead {nth}"),
        numbers: vec![proto::LeadNumber { number, ..Default::default() }],
        time_zone: "UTC".into(),
        source: "web".into(),
        ..Default::default()
    }
}

pub(crate) fn by_id(lead_id: &str) -> proto::LeadRef {
    proto::LeadRef { name: Some(proto::lead_ref::Name::LeadId(lead_id.into())) }
}

pub(crate) fn time(at: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.rem_euclid(1_000) * 1_000_000).unwrap();
    prost_types::Timestamp { seconds: at.div_euclid(1_000), nanos }
}

/// The stable reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// The fields that a refusal names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().map(|details| details.field_violations);
    violations.into_iter().flatten().map(|violation| violation.field).collect()
}
