//! How long does a node take until it is ready, with a million leads in its store? And how fast do
//! handovers come into the store on the way there?
//!
//! `cargo bench --bench start -- 1000000`; 100,000 leads without a number, 10,000 with `--quick`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod company;

use company::{NOW, clock};
use nextlead::clock::ManualClock;
use nextlead::domain::CampaignId;

async fn measure(lead_count: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nextlead.db");
    let time = ManualClock::at(NOW);
    let (dialer, store) = company::open(&path, &time).await;
    let queue = company::queue_id();
    let campaign = CampaignId::new("spring").expect("an id");
    dialer.put_queue(queue.clone(), company::queue_settings()).await.expect("a queue");
    let settings = company::campaign_settings(&[]);
    dialer.put_campaign(campaign.clone(), queue, settings).await.expect("a campaign");
    let begun = clock();
    company::hand_over(&dialer, lead_count, |nth| company::lead(nth, &campaign)).await;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{lead_count} handovers in {seconds:.2} s: {:.0} a second",
        lead_count as f64 / seconds
    );
    store.close().await;
    drop((dialer, store));
    for _ in 0..3 {
        let begun = clock();
        let (dialer, store) = company::open(&path, &time).await;
        println!("ready with {lead_count} leads in {:.2} s", begun.elapsed().as_secs_f64());
        store.close().await;
        drop(dialer);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.iter().find_map(|argument| argument.parse().ok());
    let is_quick = arguments.iter().any(|argument| argument == "--quick" || argument == "--test");
    let lead_count = wanted.unwrap_or(if is_quick { 10_000 } else { 100_000 });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(measure(lead_count));
}
