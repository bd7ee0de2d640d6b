//! The skills that a campaign's leads need: who gets its leads, however the node ends meanwhile.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use nextlead::api::proto::{self, next_lead_response::Answer};
use nextlead::domain::{CampaignId, CampaignSettings, Route};
use nextlead::store::{Clocking, PostgresOptions, PostgresStore, Sharing, SqliteStore, Store};

use super::ground::Ground;
use super::support::{TestNode, lead};
use super::two_nodes::within;

/// The store of a folder, whose node is gone.
pub(super) async fn open_store(folder: &Path) -> Box<dyn Store> {
    match Ground::of(folder) {
        None => Box::new(SqliteStore::open(&folder.join("nextlead.db")).await.unwrap()),
        Some(ground) => {
            let sharing = match ground.queue {
                Some(_) => Sharing::Shared,
                None => Sharing::Alone,
            };
            let options = PostgresOptions {
                sharing,
                clocking: Clocking::Caller,
                ..PostgresOptions::new(ground.store)
            };
            Box::new(PostgresStore::open(&options).await.unwrap())
        }
    }
}

/// Lets the leads of campaign `spring` in the store of a folder need no skills any more and does nothing
/// else, as a node that dies right after its commit.
async fn free_of_skills_and_die(folder: &Path) {
    let store = open_store(folder).await;
    let spring = CampaignId::new("spring").unwrap();
    let roster = store.roster().await.unwrap();
    let before = roster.campaigns.iter().find(|campaign| campaign.id == spring).unwrap();
    let settings = CampaignSettings {
        skills: BTreeSet::new(),
        ends_at: None,
        route_at_end: Route::Lost,
        default_country: None,
    };
    store.put_campaign(&spring, before.queue, &settings).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn skills_that_changed_as_the_node_died_count_after_its_restart() {
    let mut node = TestNode::start().await;
    let campaign = proto::Campaign {
        campaign_id: "spring".into(),
        queue_id: "sales".into(),
        skills: vec!["solar".into()],
        ..Default::default()
    };
    let request = proto::UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
    node.intake.upsert_campaign(request).await.unwrap();
    let lead_id = node.hand_over(lead(1)).await;
    assert_eq!(node.pull_nothing("ann").await.unskilled_count, 1);
    let TestNode { node: running, folder, clock, .. } = node;
    running.stop().await.unwrap();
    free_of_skills_and_die(folder.path()).await;

    let mut node = TestNode::start_bare(folder, clock).await;

    // A shared index outlives its node: whoever sweeps next ranks it.
    let mut served = None;
    within(Duration::from_secs(10), async || {
        node.node.dialer().sweep(100).await.unwrap();
        if let Answer::Served(lead) = node.pull("ann").await {
            served = lead.lead;
        }
        served.is_some()
    })
    .await;
    assert_eq!(served.unwrap().lead_id, lead_id);
}
