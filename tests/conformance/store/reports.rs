//! What can be read: the roster, rules, books, pages, and what the follower is told.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use nextlead::domain::{CampaignId, CampaignKey, Disposition, LeadId, QueueKey, RepId, Route};
use nextlead::store::{
    BookFilter, CommitSink, Denied, ExportFilter, LeadRecord, NewRep, NewRules, RecentMark,
    StoreError, UncontactedPage,
};

use super::desk::{Desk, PROMISE_MS, START, campaign_settings};

pub(super) async fn the_roster_reads_back_and_a_campaign_keeps_its_queue(desk: &Desk) {
    let id = CampaignId::new("april").expect("an id");
    let mut settings = campaign_settings(Some(START));
    settings.skills.insert("german".into());
    settings.route_at_end = Route::Nurture { until: None };
    let queue = desk.queue.key;
    let campaign = desk.store.put_campaign(&id, queue, &settings).await.expect("a campaign");
    let again = desk.store.put_campaign(&id, queue, &settings).await.expect("the same");
    assert_eq!(campaign, again);
    let moved = desk.store.put_campaign(&id, desk.elsewhere.queue, &settings).await;
    assert!(matches!(moved, Err(StoreError::Denied(Denied::CampaignMoved))));
    let rep = NewRep {
        queue,
        skills: ["german".into()].into(),
        is_active: false,
        work: Default::default(),
    };
    let id = RepId::new("rep-0").expect("an id");
    let changed = desk.store.put_rep(&id, &rep).await.expect("a rep");
    assert_eq!(changed.key, desk.reps[0]);

    let roster = desk.store.roster().await.expect("a read");

    assert!(roster.queues.contains(&desk.queue));
    assert_eq!(roster.queues.len(), 2);
    assert!(roster.campaigns.contains(&campaign));
    assert_eq!(roster.campaigns.len(), 3);
    assert!(roster.reps.contains(&changed));
    assert_eq!(roster.reps.len(), desk.reps.len());
}

pub(super) async fn a_campaign_counts_the_changes_of_its_skills(desk: &Desk) {
    let id = CampaignId::new("april").expect("an id");
    let queue = desk.queue.key;
    let mut lane_versions = Vec::new();
    for (skills, ends_at) in [
        (&["german"][..], None),
        (&["german"], Some(START)),
        (&["german", "solar"], Some(START)),
        (&["german"], None),
    ] {
        let mut settings = campaign_settings(ends_at);
        settings.skills = skills.iter().map(|skill| (*skill).to_owned()).collect();
        let campaign = desk.store.put_campaign(&id, queue, &settings).await.expect("a campaign");
        lane_versions.push(campaign.lane_version);
        let moved = desk.store.put_campaign(&id, desk.elsewhere.queue, &settings).await;
        assert!(matches!(moved, Err(StoreError::Denied(Denied::CampaignMoved))));
        let roster = desk.store.roster().await.expect("a read");
        assert!(roster.campaigns.contains(&campaign));
    }
    assert_eq!(lane_versions, [0, 0, 1, 2]);
}

pub(super) async fn rule_versions_are_numbered_and_read_back(desk: &Desk) {
    let rules = |text: &str| NewRules {
        queue: desk.queue.key,
        text: text.into(),
        author: "eve".into(),
        reason: "better".into(),
        now: START,
        request: desk.request(text, 1),
    };
    assert_eq!(desk.store.latest_rules(desk.queue.key).await.expect("a read"), None);
    for (place, text) in ["one", "two", "three"].into_iter().enumerate() {
        let version = desk.store.publish_rules(&rules(text)).await.expect("a version");
        assert_eq!((version.version, version.in_force_at), (place as i64 + 1, None));
        let again = desk.store.publish_rules(&rules(text)).await.expect("the same answer");
        assert_eq!(again, version);
    }
    desk.store.put_rules_in_force(desk.queue.key, 2, START + 5, None).await.expect("in force");
    let versions = desk.store.rule_versions(desk.queue.key, None, 10).await.expect("a read");
    let texts: Vec<&str> = versions.iter().map(|version| version.text.as_str()).collect();
    assert_eq!(texts, ["three", "two", "one"]);
    assert_eq!(versions[1].in_force_at, Some(START + 5));
    let page = desk.store.rule_versions(desk.queue.key, Some(3), 1).await.expect("a read");
    assert_eq!(page, versions[1..2]);
    let latest = desk.store.latest_rules(desk.queue.key).await.expect("a read");
    assert_eq!(latest.as_ref(), versions.first());
    let mut other = rules("three");
    other.request = desk.request("three", 2);
    let reused = desk.store.publish_rules(&other).await;
    assert!(matches!(reused, Err(StoreError::Denied(Denied::RequestReused))));
    assert_eq!(desk.store.latest_rules(desk.elsewhere.queue).await.expect("a read"), None);
}

pub(super) async fn books_count_every_handover_once(desk: &Desk) {
    let leads = desk.leads(4).await;
    let mut twin = desk.somebody();
    twin.facts.numbers.clone_from(&desk.record(leads[0]).await.lead.facts.numbers);
    twin.facts.source = "fair".into();
    desk.one(twin).await;
    desk.lease(0, leads[1], START).await;
    desk.work(1, leads[2], Disposition::NoAnswer, START).await;
    desk.work(1, leads[3], Disposition::Sale, START).await;
    desk.one(desk.of(&desk.elsewhere, desk.somebody().facts)).await;

    let now = START + PROMISE_MS + 1;
    let books = desk.store.books(&BookFilter::default(), now).await.expect("a report");

    assert_eq!(books.len(), 3);
    assert!(books.iter().all(|book| book.imbalance() == 0));
    let filter = BookFilter { campaign: Some(desk.campaign.key), queue: None };
    let mine = desk.store.books(&filter, now).await.expect("a report");
    let [fair, web] = mine.as_slice() else { panic!("{mine:?}") };
    assert_eq!((fair.source.as_str(), fair.handed_over, fair.merged), ("fair", 1, 1));
    assert_eq!((web.handed_over, web.ready, web.leased, web.waiting), (4, 1, 1, 1));
    assert_eq!((web.closed.iter().sum::<i64>(), web.closed[0]), (1, 1));
    assert_eq!((web.touched, web.touches, web.overdue), (2, 2, 2));
    let nobody = BookFilter { queue: Some(QueueKey(99)), campaign: Some(CampaignKey(99)) };
    assert!(desk.store.books(&nobody, now).await.expect("a report").is_empty());
    assert_eq!(desk.store.last_instant().await.expect("a read"), START);
}

pub(super) async fn the_uncontacted_come_in_the_order_of_their_promises(desk: &Desk) {
    let mut rows: Vec<_> = (0..5).map(|_| desk.somebody()).collect();
    for (row, due) in rows.iter_mut().zip([50, 10, 30, 20, 40]) {
        row.first_touch_due_at = Some(START + due);
    }
    rows[4].first_touch_due_at = None;
    let answers = desk.hand_over(rows).await;
    let leads: Vec<LeadId> = answers.iter().map(|answer| answer.lead()).collect();
    desk.work(0, leads[2], Disposition::NoAnswer, START).await;
    // Said never without a first touch: closed, and never contacted.
    let change = desk.call(leads[3], Disposition::DoNotCall, START).await;
    desk.record_touch(change).await;
    let list = async |with_closed, after, limit| {
        let page = UncontactedPage { with_closed, after, limit, ..UncontactedPage::default() };
        let rows = desk.store.uncontacted(&page).await.expect("a report");
        rows.into_iter().map(|row| row.state.lead).collect::<Vec<_>>()
    };
    // Without a promise the handover is the place in the order.
    assert_eq!(list(false, None, 10).await, [leads[4], leads[1], leads[0]]);
    assert_eq!(list(true, None, 10).await, [leads[4], leads[1], leads[3], leads[0]]);
    assert_eq!(list(true, None, 2).await, [leads[4], leads[1]]);
    assert_eq!(list(true, Some((START + 10, leads[1])), 10).await, [leads[3], leads[0]]);
}

pub(super) async fn open_leads_come_in_pages(desk: &Desk) {
    let leads = desk.leads(5).await;
    desk.work(0, leads[1], Disposition::Sale, START).await;
    let lease = desk.lease(0, leads[2], START).await;
    let queue = desk.queue.key;
    let first = desk.store.open_leads(queue, LeadId(0), 2).await.expect("a page");
    let second = desk.store.open_leads(queue, first[1].lead.id, 9).await.expect("a page");
    let middle = desk.store.middle_lead().await.expect("a lead");
    assert!((leads[0]..leads[4]).contains(&middle), "{middle} of {leads:?}");
    let ids: Vec<LeadId> = first.iter().chain(&second).map(|record| record.lead.id).collect();
    assert_eq!(ids, [leads[0], leads[2], leads[3], leads[4]]);
    assert_eq!(first[1].lease, Some(lease));
    assert_eq!(first[1], desk.record(leads[2]).await);
}

pub(super) async fn leads_are_exported_between_two_ids_whatever_the_filter(desk: &Desk) {
    let leads = desk.leads(4).await;
    let other = desk.one(desk.of(&desk.elsewhere, desk.somebody().facts)).await.lead();
    desk.work(0, leads[1], Disposition::Sale, START + 7).await;
    desk.lease(0, leads[2], START + 9).await;
    let export = async |filter: &ExportFilter, after: LeadId, through: LeadId| {
        let rows = desk.store.leads_between(filter, after, through).await.expect("a page");
        rows.into_iter().map(|record| record.lead.id).collect::<Vec<_>>()
    };
    let all = ExportFilter::default();
    assert_eq!(export(&all, LeadId(0), other).await, [&leads[..], &[other]].concat());
    assert_eq!(export(&all, leads[0], leads[2]).await, [leads[1], leads[2]]);
    let mine = ExportFilter { campaign: Some(desk.campaign.key), ..all.clone() };
    assert_eq!(export(&mine, leads[2], other).await, [leads[3]]);
    let theirs = ExportFilter { queue: Some(desk.elsewhere.queue), ..all.clone() };
    assert_eq!(export(&theirs, LeadId(0), other).await, [other]);
    let changed = ExportFilter { since: Some(START + 7), ..all.clone() };
    assert_eq!(export(&changed, LeadId(0), other).await, [leads[1], leads[2]]);
    assert_eq!(desk.store.last_lead().await.expect("a read"), other);
    let end = async |after, count| desk.store.lead_page_end(after, count).await.expect("a read");
    assert_eq!(end(LeadId(0), 2).await, leads[1]);
    assert_eq!((end(leads[2], 9).await, end(other, 9).await), (other, other));
    let page = desk.store.leads_between(&all, leads[1], leads[2]).await.expect("a page");
    assert_eq!(page, [desk.record(leads[2]).await]);
}

pub(super) async fn touches_are_exported_as_they_were_recorded(desk: &Desk) {
    assert_eq!(desk.store.last_touch().await.expect("a read"), 0);
    let leads = desk.leads(2).await;
    let other = desk.one(desk.of(&desk.elsewhere, desk.somebody().facts)).await.lead();
    let mut sent = Vec::new();
    for (place, lead) in [leads[1], other, leads[0], leads[1]].into_iter().enumerate() {
        let change = desk.call(lead, Disposition::NoAnswer, START + place as i64).await;
        desk.record_touch(change.clone()).await;
        sent.push(change.touch);
    }
    let last = desk.store.last_touch().await.expect("a read");
    let export = async |filter: &ExportFilter, after: i64, through: i64| {
        let rows = desk.store.touches_between(filter, after, through).await.expect("a page");
        rows.into_iter().map(|row| row.recorded.touch).collect::<Vec<_>>()
    };
    let all = ExportFilter::default();
    assert_eq!(last, 4);
    assert_eq!(export(&all, 0, last).await, sent);
    assert_eq!(export(&all, 1, 3).await, sent[1..3]);
    let theirs = ExportFilter { queue: Some(desk.elsewhere.queue), ..all.clone() };
    assert_eq!(export(&theirs, 0, last).await, sent[1..2]);
    let mine = ExportFilter { campaign: Some(desk.campaign.key), since: Some(START + 2), ..all };
    assert_eq!(export(&mine, 0, last).await, sent[2..]);
    let rows = desk.store.touches_between(&mine, 0, last).await.expect("a page");
    let record = desk.record(leads[0]).await;
    assert_eq!(rows[0].external_id, record.lead.external_id);
    assert_eq!((rows[0].queue, rows[0].campaign), (desk.queue.key, desk.campaign.key));
    assert_eq!(rows[0].recorded.recorded_at, START + 2);
}

/// Writes down what it is told.
#[derive(Default)]
struct Notes(Mutex<Vec<Vec<LeadRecord>>>);

#[async_trait]
impl CommitSink for Notes {
    async fn committed(&self, records: &[LeadRecord]) {
        self.0.lock().expect("notes").push(records.to_vec());
    }
}

pub(super) async fn the_follower_is_told_of_each_lead_once_a_commit(desk: &Desk) {
    let notes = Arc::new(Notes::default());
    desk.store.follow(notes.clone());
    let told = || std::mem::take(&mut *notes.0.lock().expect("notes"));
    let leads = desk.leads(2).await;
    let commits = told();
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0], [desk.record(leads[0]).await, desk.record(leads[1]).await]);

    let lease = desk.lease(0, leads[0], START).await;
    told();
    let mut change = desk.call_under(&lease, Disposition::NoAnswer, START + 1).await;
    change.then = Some(desk.grant(0, &leads[1..], START + 1));
    desk.record_touch(change.clone()).await;
    assert_eq!(told(), [[desk.record(leads[0]).await, desk.record(leads[1]).await]]);
    // Replays and empty pulls change nothing, so there is nothing to tell.
    desk.record_touch(change).await;
    desk.pull(1, &[LeadId(99)], START).await;
    assert!(told().is_empty());
}

pub(super) async fn a_closed_store_says_so(desk: &Desk) {
    let lead = desk.lead().await;
    let grant = desk.grant(0, &[lead], START);
    desk.store.close().await;
    assert!(matches!(desk.store.lease(grant).await, Err(StoreError::Stopped)));
    assert!(matches!(desk.store.lead(lead).await, Err(StoreError::Stopped)));
}

pub(super) async fn a_copy_is_whole_alone_and_goes_with_its_handle(desk: &Desk) {
    desk.leads(3).await;
    let mut backup = match desk.store.back_up().await {
        // Servers have means of their own, and say so.
        Err(StoreError::Denied(Denied::BackupElsewhere)) => return,
        backup => backup.expect("a copy"),
    };
    assert_eq!(backup.last_instant, START);
    let mut copy = Vec::new();
    backup.file.read_to_end(&mut copy).expect("it can be read");
    assert_eq!(copy.len() as u64, backup.bytes);
    assert!(backup.bytes > 0);
    let second = desk.store.back_up().await;
    assert!(matches!(second, Err(StoreError::Denied(Denied::BackupRunning))));
    // Changes go on while it is there.
    desk.lead().await;
    drop(backup);
    desk.store.back_up().await.expect("the next one");
}

pub(super) async fn a_history_comes_in_pages_whatever_was_written_between(desk: &Desk) {
    let leads = desk.leads(3).await;
    for round in 0..4 {
        // Of one lead more happens than of the others.
        for (rep, lead) in leads.iter().enumerate().skip(if round % 2 == 0 { 0 } else { 2 }) {
            let lease = desk.lease(rep, *lead, START + round).await;
            let release = desk.release(&lease, START + round);
            desk.store.release(release).await.expect("a release");
        }
        desk.lead().await;
    }
    for (lead, count) in leads.iter().zip([5, 5, 9]) {
        let whole = desk.store.ledger(*lead, 0, 1_000).await.expect("a read");
        let seqs: Vec<i64> = whole.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=count).collect::<Vec<_>>());
        for limit in 1..=4 {
            let mut told = Vec::new();
            loop {
                let after = told.len() as i64;
                let page = desk.store.ledger(*lead, after, limit).await.expect("a read");
                assert!(page.len() <= limit);
                if page.is_empty() {
                    break;
                }
                told.extend(page);
            }
            assert_eq!(told, whole);
        }
    }
    assert!(desk.store.ledger(LeadId(999), 0, 10).await.expect("a read").is_empty());
}

pub(super) async fn what_changed_of_late_is_told_once(desk: &Desk) {
    let first = desk.leads(3).await;
    let (found, mark) = desk.store.recent_leads(&RecentMark::default(), 10).await.expect("a read");
    assert_eq!(found, first);
    let (found, same) = desk.store.recent_leads(&mark, 10).await.expect("a read");
    assert_eq!((found, &same), (vec![], &mark));

    let fresh = desk.lead().await;
    let call = desk.call(first[0], Disposition::NoAnswer, START).await;
    desk.record_touch(call).await;
    let lease = desk.lease(0, first[1], START).await;
    desk.store.release(desk.release(&lease, START + 1)).await.expect("a release");
    let (found, next) = desk.store.recent_leads(&mark, 10).await.expect("a read");
    assert_eq!(found, [first[0], first[1], fresh]);
    let (found, _) = desk.store.recent_leads(&next, 10).await.expect("a read");
    assert_eq!(found, []);

    // In pages, oldest first.
    let (found, mark) = desk.store.recent_leads(&mark, 1).await.expect("a read");
    assert_eq!((found.len(), mark), (3, next));
    let (found, mark) = desk.store.recent_leads(&RecentMark::default(), 1).await.expect("a read");
    assert_eq!((found, mark.lead), (vec![first[0], first[1]], first[0]));
}
