//! A node under attack, and somebody honest who goes on calling it meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use nextlead::api::client::{Client, ClientTls, connect_with};
use nextlead::api::front::{Deadlines, Limit, Limits, Tally, Transport};
use nextlead::api::proto;
use nextlead::node::{Node, Options};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::ground::Ground;

/// Short enough for a test, long enough for an honest client on a busy machine.
pub(super) fn short() -> Limits {
    let milliseconds = Duration::from_millis;
    Limits {
        deadlines: Deadlines {
            handshake_within: milliseconds(300),
            first_call_within: milliseconds(500),
            body_piece_within: milliseconds(400),
            body_within: milliseconds(900),
            answer_piece_within: milliseconds(500),
            guess_delay: milliseconds(100),
            ..Deadlines::default()
        },
        ..Limits::default()
    }
}

/// A node under attack.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) token: String,
    pub(super) tally: Arc<Tally>,
    pub(super) client: Client,
    node: Node,
    _folder: TempDir,
}

impl Target {
    /// A node with queue `sales`, campaign `spring` and rep `ann`.
    pub(super) async fn start(limits: Limits) -> Self {
        Self::start_with(limits, Transport::Loopback, &ClientTls::default()).await
    }

    /// Such a node, with TLS perhaps, and a client that has what it takes.
    pub(super) async fn start_with(limits: Limits, tls: Transport, trust: &ClientTls) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut options = Options::new(folder.path().join("nextlead.db"), listener);
        Ground::put_into(folder.path(), &mut options);
        let scheme = if matches!(tls, Transport::Tls(_)) { "https" } else { "http" };
        let node = Node::start(Options { limits, tls, ..options }).await.unwrap();
        let token = std::fs::read_to_string(&node.token_file).unwrap().trim().to_owned();
        let url = format!("{scheme}://{}", node.address);
        let client = connect_with(&url, &token, trust).await.unwrap();
        set_up(&client).await;
        let (address, tally) = (node.address, node.tally.clone());
        Self { address, token, tally, client, node, _folder: folder }
    }

    /// Runs an attack while somebody honest calls without a pause. All of their calls must succeed,
    /// and at least one must have run.
    pub(super) async fn under<T>(&self, attack: impl Future<Output = T>) -> T {
        let honest = Honest::start(self.client.clone());
        let outcome = attack.await;
        honest.stop().await;
        outcome
    }

    /// As [`Self::under`], and the attack meets this limit.
    pub(super) async fn meets<T>(&self, limit: Limit, attack: impl Future<Output = T>) -> T {
        let before = self.tally.met_count(limit);
        let outcome = self.under(attack).await;
        assert!(self.tally.met_count(limit) > before, "{} was not met", limit.name());
        outcome
    }

    /// Nothing is left over: no connection but the honest one, no call, and the books add up.
    pub(super) async fn end(self) {
        let patience = Duration::from_secs(30);
        let calm = async {
            while self.tally.connection_count() > 1 || self.tally.call_count() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, calm).await.expect("every attacker is gone");
        let audit = self.client.coverage().audit_ledger(proto::AuditLedgerRequest::default()).await;
        assert_eq!(audit.unwrap().into_inner().imbalance, 0);
        self.node.stop().await.unwrap();
    }
}

/// Sets up queue `sales`, campaign `spring` and rep `ann`.
pub(super) async fn set_up(client: &Client) {
    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        calling_law: proto::CallingLaw::Exempt.into(),
        ..Default::default()
    };
    let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    client.queues().upsert_queue(request).await.unwrap();
    let campaign = proto::Campaign {
        campaign_id: "spring".into(),
        queue_id: "sales".into(),
        ..Default::default()
    };
    let request = proto::UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
    client.intake().upsert_campaign(request).await.unwrap();
    let rep = proto::Rep { rep_id: "ann".into(), queue_id: "sales".into(), ..Default::default() };
    let request = proto::UpsertRepRequest { rep: Some(rep), ..Default::default() };
    client.queues().upsert_rep(request).await.unwrap();
}

/// Hands leads over and pulls, one call after the other, until told to stop.
struct Honest {
    is_over: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    calling: JoinHandle<()>,
}

impl Honest {
    fn start(client: Client) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (is_over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (is_over_too, count_too) = (is_over.clone(), count.clone());
        let calling = tokio::spawn(async move {
            while !is_over_too.load(SeqCst) || count_too.load(SeqCst) == 0 {
                let nth = u32::try_from(NEXT.fetch_add(1, SeqCst)).unwrap();
                let lead = Some(crate::support::lead(nth));
                let request = proto::UpsertLeadRequest { lead, ..Default::default() };
                client.intake().upsert_lead(request).await.unwrap();
                let pull = proto::NextLeadRequest { rep_id: "ann".into(), ..Default::default() };
                client.reps().next_lead(pull).await.unwrap();
                count_too.fetch_add(1, SeqCst);
            }
        });
        Self { is_over, count, calling }
    }

    async fn stop(self) {
        self.is_over.store(true, SeqCst);
        self.calling.await.expect("an honest client is served while the node is attacked");
        assert!(self.count.load(SeqCst) > 0);
    }
}
