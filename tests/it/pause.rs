//! Campaigns paused and resumed.

use nextlead::api::proto::{self, next_lead_response::Answer};
use proto::Disposition;
use tonic::Code;

use crate::support::{DAY_MS, MINUTE_MS, TestNode, lead_of};

impl TestNode {
    async fn pause(&mut self, campaign_id: &str, resume: bool) {
        let request = proto::PauseCampaignRequest { campaign_id: campaign_id.into(), resume };
        let answer = self.intake.pause_campaign(request).await.expect("an answer").into_inner();
        assert_eq!(answer.campaign.expect("a campaign").paused, !resume);
    }

    /// Pulls as a client does that is told to pull again: until the queue is ranked after a pause, a pull
    /// may meet more leads of the paused campaign than it looks at.
    async fn pull_on(&mut self, rep: &str) -> proto::ServedLead {
        loop {
            match self.pull(rep).await {
                Answer::Served(served) => return served,
                Answer::Nothing(nothing) => assert!(nothing.should_retry, "{nothing:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_paused_campaign_s_leads_keep_their_places_and_are_not_served() {
    let mut node = TestNode::start().await;
    node.put_campaign("fair", "sales", None).await;
    let mut paused = Vec::new();
    // More than a pull looks at, all of them before the one that may be served.
    for nth in 1..=70 {
        paused.push(node.hand_over(lead_of("fair", nth)).await);
    }
    let held = node.pull_lead("ann").await;
    assert_eq!(held.lead.as_ref().expect("a lead").lead_id, paused[0]);
    node.pass_time(MINUTE_MS).await;
    let before = node.explain(&paused[1]).await.state.expect("a state").ready_since_time;
    node.pause("fair", false).await;
    node.pause("fair", false).await;
    // Handovers go on, and so does the call that was under way.
    let late = node.hand_over(lead_of("fair", 80)).await;
    let other = node.hand_over(lead_of("spring", 81)).await;
    node.touch("ann", &held, Disposition::NotInterested).await;

    let served = node.pull_on("ann").await;
    assert_eq!(served.lead.as_ref().expect("a lead").lead_id, other, "nobody starves");
    node.touch("ann", &served, Disposition::NotInterested).await;
    node.pull_nothing("ann").await;
    let explained = node.explain(&paused[1]).await;
    let kinds: Vec<_> = explained.obstacles.iter().map(|one| one.kind()).collect();
    assert_eq!(kinds, [proto::ObstacleKind::Paused]);
    assert_eq!(explained.next_servable_time, None);

    let mut node = node.restart().await;
    node.pull_nothing("ann").await;
    // Its settings may change meanwhile, and it stays paused.
    node.put_campaign("fair", "sales", Some(nextlead::clock::Clock::now(&node.clock) + DAY_MS))
        .await;
    node.pull_nothing("ann").await;
    let listed = node.intake.list_campaigns(proto::ListCampaignsRequest::default()).await;
    let campaigns = listed.expect("a list").into_inner().campaigns;
    let is_paused = |id: &str| campaigns.iter().any(|one| one.campaign_id == id && one.paused);
    assert!(is_paused("fair") && !is_paused("spring"));

    node.pause("fair", true).await;
    let served = node.pull_lead("ann").await;
    assert_eq!(served.lead.as_ref().expect("a lead").lead_id, paused[1]);
    assert_eq!(served.state.expect("a state").ready_since_time, before);
    assert_eq!(node.standing(&late).await, "ready");
    let unknown = proto::PauseCampaignRequest { campaign_id: "never".into(), resume: false };
    let unknown = node.intake.pause_campaign(unknown).await.expect_err("there is none");
    assert_eq!(unknown.code(), Code::NotFound);
    node.audit().await;
}
