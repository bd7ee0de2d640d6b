//! The company whose reps make the load: one queue, a campaign a team, and the reps.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::api::client::Client;
use crate::api::proto::{
    CallingLaw, Campaign, PublishRulesRequest, Queue, Rep, UpsertCampaignRequest,
    UpsertQueueRequest, UpsertRepRequest,
};
use crate::cli::words::duration_of;

/// The queue that all of them work; `rules.toml` names it too.
pub(super) const QUEUE_ID: &str = "load";
/// The teams: each has a campaign, and its reps its skill.
pub(super) const TEAMS: [&str; 5] = ["north", "east", "south", "west", "overseas"];
/// How many products there are, each a skill that every rep has.
pub(super) const PRODUCT_COUNT: u64 = 20;
/// How long a lease lasts: no run outlasts it, so no rep has to renew.
pub(super) const LEASE: Duration = Duration::from_secs(12 * 3_600);
/// How many reps are set up at a time.
const AT_A_TIME: usize = 64;

/// What leads are worth.
const RULES: &str = include_str!("rules.toml");

/// The id of a team's campaign.
pub(super) fn campaign_id(team: usize) -> String {
    format!("load-{}", TEAMS[team])
}

/// The skill that a product takes.
pub(super) fn product(nth: u64) -> String {
    format!("product-{nth:02}")
}

/// The id of a rep, from 0.
pub(super) fn rep_id(nth: usize) -> String {
    format!("load-rep-{nth:05}")
}

/// Makes the queue, with its rules, and the campaigns.
pub(super) async fn set_up(client: &Client) -> anyhow::Result<()> {
    let lease = duration_of(i64::try_from(LEASE.as_millis())?);
    let queue = Queue {
        queue_id: QUEUE_ID.to_owned(),
        time_zone: "UTC".to_owned(),
        // A run may take place at any time of the day.
        hours: "always".to_owned(),
        calling_law: CallingLaw::Exempt.into(),
        lease_duration: Some(lease),
        lease_total_duration: Some(lease),
        ..Queue::default()
    };
    let request = UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    client.queues().upsert_queue(request).await.context("could not make the queue")?;
    let request = PublishRulesRequest {
        queue_id: QUEUE_ID.to_owned(),
        text: RULES.to_owned(),
        reason: "nextlead load".to_owned(),
        wait: true,
        ..Default::default()
    };
    client.rules().publish_rules(request).await.context("could not publish the rules")?;
    for (nth, team) in TEAMS.iter().enumerate() {
        let campaign = Campaign {
            campaign_id: campaign_id(nth),
            queue_id: QUEUE_ID.to_owned(),
            skills: vec![(*team).to_owned()],
            ..Campaign::default()
        };
        let request = UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
        client.intake().upsert_campaign(request).await.context("could not make a campaign")?;
    }
    Ok(())
}

/// Makes the reps, a fifth of them in each team.
pub(super) async fn set_up_reps(client: &Client, rep_count: usize) -> anyhow::Result<()> {
    let reps = (0..rep_count).map(|nth| {
        let mut queues = client.queues();
        let request = UpsertRepRequest { rep: Some(rep(nth)), ..Default::default() };
        async move { queues.upsert_rep(request).await.map(drop) }
    });
    let done = stream::iter(reps).buffer_unordered(AT_A_TIME).try_collect::<()>().await;
    done.context("could not make the reps; a node that was never filled has no queue `load`")
}

fn rep(nth: usize) -> Rep {
    let products = (0..PRODUCT_COUNT).map(product);
    Rep {
        rep_id: rep_id(nth),
        queue_id: QUEUE_ID.to_owned(),
        skills: [TEAMS[nth % TEAMS.len()].to_owned()].into_iter().chain(products).collect(),
        ..Rep::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;

    #[test]
    fn the_rules_have_twenty_values_and_no_mistake() {
        assert!(RuleSet::compile(RULES).is_ok(), "{:?}", RuleSet::compile(RULES).err());
        assert_eq!(RULES.matches("[[value]]").count(), 20);
        assert!(RULES.contains(&format!("queue    = \"{QUEUE_ID}\"")));
    }

    #[test]
    fn a_rep_has_a_team_and_all_products() {
        let rep = rep(7);
        assert_eq!((rep.rep_id.as_str(), rep.skills.len()), ("load-rep-00007", 21));
        assert_eq!(rep.skills[0], "south");
    }
}
