//! Leads that nobody can take: listed with why, counted apart, never among the healthy.

use nextlead::api::proto;
use proto::{ObstacleKind, UnroutableReason as Reason};

use super::super::metrics::scrape;
use super::super::support::{HOUR_MS, TestNode, fields, lead, lead_of, time};
use super::{numbers, queue, rep};

/// Each unroutable lead, as what it is counted.
async fn listed(node: &mut TestNode) -> Vec<(String, Reason)> {
    let request = proto::ListUnroutableRequest::default();
    let answer = node.coverage.list_unroutable(request).await.unwrap().into_inner();
    assert_eq!(answer.next_page_token, "");
    answer.leads.iter().map(|one| (one.lead_id.clone(), one.reason())).collect()
}

/// What metrics show, and coverage, which must say the same: servable, paused, and by reason.
async fn counted(node: &mut TestNode) -> (f64, f64, Vec<f64>) {
    let shown = scrape(node).await;
    let state = |state| shown.sum("nextlead_index_leads", &[("queue", "sales"), ("state", state)]);
    let why = ["no_hours", "never_open", "no_rep", "kept"]
        .map(|why| shown.sum("nextlead_unroutable_leads", &[("queue", "sales"), ("why", why)]));
    assert_eq!(state("unroutable"), why.iter().sum::<f64>());
    let request = proto::GetCoverageRequest { queue_id: "sales".into(), ..Default::default() };
    let answer = node.coverage.get_coverage(request).await.unwrap().into_inner();
    let [line] = &answer.in_line[..] else { panic!("{answer:?}") };
    assert_eq!(
        (line.servable_count as f64, line.paused_count as f64),
        (state("ready"), state("paused"))
    );
    let told: i64 = line.unroutable.iter().map(|one| one.lead_count).sum();
    assert_eq!(told as f64, state("unroutable"));
    let ready: i64 = answer.books.iter().map(|book| book.ready_count).sum();
    let all = state("ready") + state("paused") + state("unroutable");
    assert_eq!(ready as f64, all, "the books and the index have the same leads");
    (state("ready"), state("paused"), why.to_vec())
}

/// Waits until so many leads stand in the lane of the paused: they go there in the background.
async fn paused(node: &TestNode, count: f64) {
    let labels = [("queue", "sales"), ("state", "paused")];
    while scrape(node).await.sum("nextlead_index_leads", &labels) != count {}
}

#[tokio::test]
async fn a_lead_that_nobody_can_take_is_listed_and_counted_by_why_and_never_as_ready() {
    let mut node = TestNode::start().await;
    node.set_queue(proto::Queue { hours: "mon-sun 03:00-05:00".into(), calling_law: 0, ..queue() })
        .await;
    let nowhere =
        proto::Lead { numbers: numbers(&["+18005550100"]), time_zone: String::new(), ..lead(1) };
    let nowhere = node.hand_over(nowhere).await;
    let miami =
        proto::Lead { numbers: numbers(&["+13055550101"]), time_zone: String::new(), ..lead(2) };
    let miami = node.hand_over(miami).await;
    // In Tokyo no law is known: the queue's own night will do.
    let tokyo = |nth| proto::Lead {
        numbers: numbers(&[&format!("+8131234567{nth}")]),
        time_zone: String::new(),
        ..lead(nth)
    };
    let welsh = |nth| proto::Lead { skills: vec!["welsh".into()], ..tokyo(nth) };
    let welsh_lead = node.hand_over(welsh(3)).await;
    let healthy = node.hand_over(tokyo(4)).await;

    let expected = [
        (nowhere.clone(), Reason::NoHours),
        (miami.clone(), Reason::NeverOpen),
        (welsh_lead.clone(), Reason::NoRep),
    ];
    assert_eq!(listed(&mut node).await, expected);
    assert_eq!(counted(&mut node).await, (1.0, 0.0, vec![1.0, 1.0, 1.0, 0.0]));
    for (id, is_unroutable) in
        [(&nowhere, true), (&miami, true), (&welsh_lead, true), (&healthy, false)]
    {
        let explained = node.explain(id).await;
        assert_eq!(explained.unroutable, is_unroutable, "{:?}", explained.obstacles);
        assert_eq!(explained.next_servable_time.is_none(), is_unroutable, "{id}");
    }
    assert_eq!(node.explain(&miami).await.obstacles[0].kind(), ObstacleKind::OutsideHours);

    // Who has the skill makes it healthy, and one who left does not.
    node.set_rep(proto::Rep { skills: vec!["welsh".into()], ..rep("gwen") }).await;
    assert_eq!(counted(&mut node).await, (2.0, 0.0, vec![1.0, 1.0, 0.0, 0.0]));
    let end_time = Some(time(node.now() + HOUR_MS));
    node.set_rep(proto::Rep { skills: vec!["welsh".into()], end_time, ..rep("gwen") }).await;
    node.pass_time(HOUR_MS).await;
    assert_eq!(counted(&mut node).await, (1.0, 0.0, vec![1.0, 1.0, 1.0, 0.0]));
    // The law lets the queue call by day.
    node.set_queue(proto::Queue { calling_law: 0, ..queue() }).await;
    assert_eq!(counted(&mut node).await.2, [1.0, 0.0, 1.0, 0.0]);
    node.audit().await;
}

#[tokio::test]
async fn a_lead_that_is_kept_counts_as_ready_unless_its_keeper_cannot_take_it() {
    let mut node = TestNode::start().await;
    node.set_rep(proto::Rep { skills: vec!["welsh".into()], ..rep("gwen") }).await;
    let owned = |nth, owner: &str| proto::Lead { owner_rep_id: owner.into(), ..lead(nth) };
    node.hand_over(owned(1, "ann")).await;
    assert_eq!(counted(&mut node).await, (1.0, 0.0, vec![0.0; 4]));
    let welsh = proto::Lead { skills: vec!["welsh".into()], ..owned(2, "ann") };
    let stuck = node.hand_over(welsh).await;
    assert_eq!(counted(&mut node).await, (1.0, 0.0, vec![0.0, 0.0, 0.0, 1.0]));
    assert_eq!(listed(&mut node).await, [(stuck.clone(), Reason::Kept)]);
    let explained = node.explain(&stuck).await;
    assert!(explained.unroutable);
    let deadline = explained.obstacles[0].until_time;
    assert_eq!((explained.next_servable_time, deadline.is_some()), (deadline, true), "to gwen");
    assert_eq!(node.explain_to(&stuck, "ann").await.next_servable_time, None);
    assert_eq!(explained.obstacles[0].missing_skills, ["welsh"]);

    node.set_paused(true).await;
    paused(&node, 2.0).await;
    assert_eq!(counted(&mut node).await, (0.0, 2.0, vec![0.0; 4]));
    assert_eq!(listed(&mut node).await, [], "a pause is a decision");
    node.set_paused(false).await;
    paused(&node, 0.0).await;
    // She left, and everybody may take hers: gwen has the skill.
    node.set_rep(proto::Rep { active: Some(false), ..rep("ann") }).await;
    assert_eq!(counted(&mut node).await, (2.0, 0.0, vec![0.0; 4]));
    assert!(node.taker(&["gwen"]).await.is_some());
}

#[tokio::test]
async fn the_list_comes_in_pages_and_of_one_queue() {
    let mut node = TestNode::start().await;
    node.put_queue("service", "always").await;
    node.put_campaign("help", "service", None).await;
    let nowhere = |campaign: &str, nth| proto::Lead {
        numbers: numbers(&[&format!("+1800555010{nth}")]),
        time_zone: String::new(),
        ..lead_of(campaign, nth)
    };
    let mut all = Vec::new();
    for nth in 1..=3 {
        all.push(node.hand_over(nowhere("spring", nth)).await);
    }
    all.push(node.hand_over(nowhere("help", 4)).await);
    let mut request = proto::ListUnroutableRequest { page_size: 2, ..Default::default() };
    let mut paged = Vec::new();
    loop {
        let answer = node.coverage.list_unroutable(request.clone()).await.unwrap().into_inner();
        paged.extend(answer.leads.into_iter().map(|one| one.lead_id));
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    assert_eq!(paged, all);
    let of = proto::ListUnroutableRequest { queue_id: "service".into(), ..Default::default() };
    let answer = node.coverage.list_unroutable(of).await.unwrap().into_inner();
    let [only] = &answer.leads[..] else { panic!("{answer:?}") };
    assert_eq!((&only.lead_id, only.obstacles[0].kind()), (&all[3], ObstacleKind::UnknownZone));
    let bad = proto::ListUnroutableRequest { page_token: "7".into(), ..Default::default() };
    assert_eq!(fields(&node.coverage.list_unroutable(bad).await.unwrap_err()), ["page_token"]);
}
