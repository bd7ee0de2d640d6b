//! A handler that panics, and a writer that does: what clients see, what is logged, what goes on.
//!
//! Panics come from a clock that a test arms, so nothing in the program is made for it. The panic says
//! a name, as one about a lead would. A process of its own: what is logged is set up for a whole one.
#![expect(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nextlead::api::client::{Client, connect};
use nextlead::api::proto;
use nextlead::clock::{Clock, SystemClock};
use nextlead::node::{Node, Options, Sweeping};
use nextlead::telemetry;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::Code;

/// What the panic says about somebody.
const NAME: &str = "c4n4ry Smith";

/// The machine's clock, until it is armed.
struct Trap {
    clock: SystemClock,
    /// How many looks at the clock until one panics, and 0: none does.
    looks: AtomicUsize,
    /// The next look of the store's writer panics.
    is_for_writer: AtomicBool,
}

impl Clock for Trap {
    fn now(&self) -> i64 {
        let is_writer = std::thread::current().name() == Some("store-writer");
        if is_writer && self.is_for_writer.swap(false, Ordering::SeqCst) {
            panic!("could not place the lead of {NAME}");
        }
        let looks = self.looks.load(Ordering::SeqCst);
        if !is_writer && looks > 0 && self.looks.fetch_sub(1, Ordering::SeqCst) == 1 {
            panic!("could not serve {NAME}");
        }
        self.clock.now()
    }
}

/// Where the lines go.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn set_up(client: &Client) {
    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        calling_law: proto::CallingLaw::Exempt.into(),
        ..Default::default()
    };
    let queue = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    client.queues().upsert_queue(queue).await.unwrap();
    let (campaign_id, queue_id) = ("spring".to_owned(), "sales".to_owned());
    let campaign = Some(proto::Campaign { campaign_id, queue_id, ..Default::default() });
    let campaign = proto::UpsertCampaignRequest { campaign, ..Default::default() };
    client.intake().upsert_campaign(campaign).await.unwrap();
    for rep_id in ["ann", "bob"] {
        let rep = proto::Rep {
            rep_id: rep_id.into(),
            queue_id: "sales".into(),
            active: Some(true),
            ..Default::default()
        };
        let rep = proto::UpsertRepRequest { rep: Some(rep), ..Default::default() };
        client.queues().upsert_rep(rep).await.unwrap();
    }
}

fn pull_of(rep_id: &str, wait_seconds: i64) -> proto::NextLeadRequest {
    let wait = prost_types::Duration { seconds: wait_seconds, nanos: 0 };
    proto::NextLeadRequest {
        rep_id: rep_id.into(),
        wait_duration: Some(wait),
        ..Default::default()
    }
}

fn new_lead(external_id: &str) -> proto::UpsertLeadRequest {
    let lead = proto::Lead {
        handover_key: Some(proto::HandoverKey {
            source_system: "crm".into(),
            external_id: external_id.into(),
            campaign_id: "spring".into(),
        }),
        name: NAME.into(),
        numbers: vec![proto::LeadNumber { number: "+12025550143".into(), ..Default::default() }],
        time_zone: "UTC".into(),
        source: "web".into(),
        ..Default::default()
    };
    proto::UpsertLeadRequest { lead: Some(lead), ..Default::default() }
}

/// A node by a trap, and a client of it.
async fn start(folder: &TempDir, sweeping: Sweeping) -> (Arc<Trap>, Node, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap = Arc::new(Trap {
        clock: SystemClock::start(0),
        looks: AtomicUsize::new(0),
        is_for_writer: AtomicBool::new(false),
    });
    let clock: Arc<dyn Clock> = trap.clone();
    let options = Options::new(folder.path().join("nextlead.db"), listener);
    let node = Node::start(Options { clock: Some(clock), sweeping, ..options }).await.unwrap();
    let token = std::fs::read_to_string(&node.token_file).unwrap();
    let client = connect(&format!("http://{}", node.address), &token).await.unwrap();
    set_up(&client).await;
    (trap, node, client)
}

async fn panic_in_handlers() {
    let folder = TempDir::new().unwrap();
    let (trap, node, client) = start(&folder, Sweeping::ByHand).await;
    let mut reps = client.reps();
    let waiting = tokio::spawn(async move { reps.next_lead(pull_of("bob", 30)).await });
    // Bob looks at the clock, too, until he waits.
    let waits = async {
        while node.dialer().metrics().waiting_count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.expect("bob waits");

    // At the gate, in the handler, and deeper: wherever it happens, the call is answered.
    let mut failed_count = 0;
    for look in 1..=6 {
        trap.looks.store(look, Ordering::SeqCst);
        if let Err(status) = client.reps().next_lead(pull_of("ann", 0)).await {
            assert_eq!(status.code(), Code::Internal, "{status}");
            assert!(!status.message().contains(NAME), "{status}");
            failed_count += 1;
        }
        trap.looks.store(0, Ordering::SeqCst);
    }
    assert!(failed_count >= 2, "{failed_count} calls met the trap");
    client.intake().upsert_lead(new_lead("1")).await.unwrap();
    let answer = waiting.await.unwrap().unwrap().into_inner().answer;
    let is_served = matches!(answer, Some(proto::next_lead_response::Answer::Served(_)));
    assert!(is_served, "whoever waited on the same connection gets the lead");
    drop(client);
    node.stop().await.unwrap();
}

async fn panic_in_the_writer() {
    let folder = TempDir::new().unwrap();
    let (trap, node, client) = start(&folder, Sweeping::ByTimer).await;
    trap.is_for_writer.store(true, Ordering::SeqCst);
    let status = client.intake().upsert_lead(new_lead("1")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let run = node.run_until(std::future::pending());
    let ended = tokio::time::timeout(Duration::from_secs(20), run).await.expect("it ends");
    assert!(ended.unwrap_err().to_string().contains("start it again"));
    // What was committed is there, though nobody was told.
    let (_, node, client) = start(&folder, Sweeping::ByHand).await;
    let request = proto::AuditLedgerRequest::default();
    let report = client.coverage().audit_ledger(request).await.unwrap().into_inner();
    assert_eq!((report.imbalance, report.handover_count), (0, 1));
    drop(client);
    node.stop().await.unwrap();
}

#[tokio::test]
async fn a_panic_fails_its_own_call_and_one_in_the_writer_stops_the_node() {
    let page = Page::default();
    let options = telemetry::Options { filter: Some("trace".into()), ..Default::default() };
    let lines = page.clone();
    let _telling = telemetry::start_to(&options, move || lines.clone()).unwrap();

    panic_in_handlers().await;
    panic_in_the_writer().await;

    let log = page.text();
    assert!(log.contains("a thread panicked at tests/panics.rs"), "{log}");
    assert!(log.contains("RepService/NextLead failed: INTERNAL"), "{log}");
    assert!(!log.contains("c4n4ry"), "{log}");
}
