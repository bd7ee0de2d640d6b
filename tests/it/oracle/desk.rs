//! What marketing and managers do, each told to the node and to the model.

use nextlead::api::proto;
use proto::HandoverOutcome;

use super::company::Queue;
use super::day::Day;
use super::documents::Document;
use super::leads::{Lead, Number, Reason, Route, Stands};
use super::model::Model;
use super::places::PLACES;
use crate::support::{DAY_MS, HOUR_MS, MINUTE_MS, by_id, time};

/// What becomes of a handover.
#[derive(Debug, PartialEq)]
enum Taken {
    /// The lead that it takes up again, and whether its number said stop.
    Opened(Option<i64>, bool),
    Merged(i64),
}

impl Model {
    /// Takes a handover in: another lead, or one more of a lead that is known.
    fn take_in(&mut self, mut lead: Lead) -> Taken {
        let (mut open, mut closed) = (Vec::new(), Vec::new());
        for (nth, other) in self.leads.iter().enumerate() {
            let is_match = other.queue == lead.queue
                && other.name == lead.name
                && lead.numbers.iter().any(|number| {
                    let carriers = self
                        .leads
                        .iter()
                        .filter(|one| one.queue == lead.queue && one.carries(&number.text));
                    other.carries(&number.text) && carriers.count() <= 3
                });
            match other.stands.is_open() {
                _ if !is_match => {}
                true => open.push(nth),
                false => closed.push(nth),
            }
        }
        if let [into] = open[..] {
            let known = &mut self.leads[into];
            known.owner = known.owner.or(lead.owner);
            // What was not known of it is by now.
            let news = lead.numbers.into_iter().filter(|one| !known.carries(&one.text));
            let news: Vec<Number> = news.collect();
            known.is_merged |= !news.is_empty() || known.score.is_none() && lead.score.is_some();
            known.numbers.extend(news);
            known.score = known.score.or(lead.score);
            let id = known.id;
            self.heed_numbers(into);
            return Taken::Merged(id);
        }
        let before = closed.last().copied().filter(|_| open.is_empty());
        let predecessor = before.map(|nth| self.leads[nth].id);
        if let Some(before) = before.map(|nth| &mut self.leads[nth])
            && matches!(before.stands, Stands::Closed { route: Route::Nurture(_), .. })
        {
            before.close(Reason::Superseded, Route::Superseded);
        }
        let is_suppressed = self.is_suppressed(&lead);
        if is_suppressed {
            lead.close(Reason::Suppressed, Route::Suppressed);
        }
        // The server gives ids in the order of handovers.
        lead.id = self.leads.last().map_or(1, |last| last.id + 1);
        self.leads.push(lead);
        Taken::Opened(predecessor, is_suppressed)
    }
}

impl Day {
    /// Some lead that nobody knows yet, or one who shares a number, or is known already.
    pub(super) fn new_lead(&mut self, key: usize) -> Option<Lead> {
        let open: Vec<usize> = (0..self.model.campaigns.len())
            .filter(|nth| !self.model.campaigns[*nth].has_ended(self.model.now))
            .collect();
        if open.is_empty() {
            return None;
        }
        let dice = &mut self.dice;
        let campaign = dice.pick(&open);
        let queue = self.model.campaigns[campaign].queue;
        let reps: Vec<usize> =
            (0..self.model.reps.len()).filter(|rep| self.model.reps[*rep].queue == queue).collect();
        let place = dice.place(PLACES.len());
        let ago_ms = if dice.one_in(8) { dice.minutes(0, 900) } else { dice.minutes(0, 20) };
        let handed_over_at = (self.model.now - ago_ms).div_euclid(MINUTE_MS) * MINUTE_MS;
        let numbers = PLACES[place]
            .prefixes
            .iter()
            .enumerate()
            .map(|(nth, prefix)| Number { text: prefix.number(key * 2 + nth), is_stopped: false });
        let has_score = !dice.one_in(4);
        let mut lead = Lead {
            id: 0,
            key: key.to_string(),
            name: format!("Person {key}"),
            queue,
            campaign,
            campaign_id: self.model.campaigns[campaign].id,
            place,
            numbers: numbers.collect(),
            is_dutch: dice.one_in(5),
            is_demo: dice.one_in(3),
            is_web: dice.one_in(2),
            is_merged: false,
            score: has_score.then(|| dice.below(60)),
            handed_over_at,
            entered_at: handed_over_at,
            promised_at: self.model.queues[queue].promised(handed_over_at),
            stands: Stands::Ready,
            callback: None,
            owner: dice.one_in(5).then(|| dice.pick(&reps)),
            ready_since: handed_over_at,
            attempts: 0,
            transfers: 0,
            tried: [0; 4],
            stage: (0, 0),
            last_disposition: None,
            first_touched_at: None,
            times_released: 0,
            lease: None,
        };
        if self.dice.one_in(4)
            && let Some(like) = self.some_lead()
        {
            self.liken(&mut lead, like);
        }
        Some(lead)
    }

    /// Makes a lead one who has the number of another, and may be the same person.
    fn liken(&mut self, lead: &mut Lead, like: usize) {
        let other = &self.model.leads[like];
        lead.place = other.place;
        lead.numbers = other.numbers.clone();
        lead.numbers.iter_mut().for_each(|number| number.is_stopped = false);
        if self.dice.one_in(2) {
            lead.name.clone_from(&other.name);
            lead.is_dutch = other.is_dutch;
            (lead.is_demo, lead.is_web, lead.score) = (other.is_demo, other.is_web, other.score);
        }
    }

    /// Hands a few leads over, in one batch.
    pub(super) async fn hand_over(&mut self) {
        let (mut rows, mut expected) = (Vec::new(), Vec::new());
        for row_number in 1..=1 + self.dice.below(8) {
            self.tally.handovers += 1;
            let key = usize::try_from(self.tally.handovers).unwrap();
            let Some(lead) = self.new_lead(key) else { return };
            let owner = lead.owner.map(|rep| self.model.reps[rep].id);
            rows.push(proto::ImportRow { row_number, lead: Some(lead.message(owner)) });
            expected.push(self.model.take_in(lead));
        }
        self.tell(format!("handed over: {expected:?}"));
        let batch = proto::ImportLeadsRequest { rows, ..Default::default() };
        let answers = self.node().intake.import_leads(tokio_stream::once(batch)).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        let taken = answer.rows.into_iter().map(|row| match row.result {
            Some(proto::import_row_result::Result::Taken(taken)) => match taken.outcome() {
                HandoverOutcome::Opened => {
                    Taken::Opened(taken.predecessor_lead_id.parse().ok(), taken.suppressed)
                }
                HandoverOutcome::Merged => Taken::Merged(taken.lead_id.parse().unwrap()),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
        assert_eq!(taken.collect::<Vec<_>>(), expected, "left is what the node made of it");
    }

    /// Something that marketing or a manager does.
    pub(super) async fn desk(&mut self) {
        // What is due by now has been noticed.
        self.pass_time(0).await;
        match self.dice.below(20) {
            0..2 => self.update().await,
            2 => self.assign().await,
            3..6 => self.engage().await,
            6 => self.conclude().await,
            7 => self.suppress().await,
            8 => self.pause_or_resume().await,
            9 => self.come_or_go().await,
            10..12 => self.be_absent().await,
            12 => self.change_hours().await,
            13 => {
                let queue = self.dice.place(self.model.queues.len());
                self.publish(queue).await;
            }
            14 if self.dice.one_in(6) => self.end_campaign().await,
            14 => self.change_queue().await,
            15..18 => self.touch_unleased().await,
            18 => self.transfer().await,
            _ => self.check_callbacks().await,
        }
    }

    /// Marketing scores a lead anew.
    async fn update(&mut self) {
        let Some(nth) = self.some_lead() else { return };
        let score = self.dice.below(60);
        let lead = &mut self.model.leads[nth];
        if self.model.campaigns[lead.campaign].has_ended(self.model.now) {
            return;
        }
        let mut is_news = lead.score.replace(score) != Some(score);
        if self.dice.one_in(2) {
            self.renumber(nth);
            is_news = true;
        }
        let lead = &self.model.leads[nth];
        let (id, message) = (lead.id.to_string(), lead.message(None));
        let numbers: Vec<&String> = lead.numbers.iter().map(|one| &one.text).collect();
        let told = format!("lead {id} is handed over again: score {score}, {numbers:?}");
        self.tell(told);
        self.model.heed_numbers(nth);
        let request = proto::UpsertLeadRequest { lead: Some(message), ..Default::default() };
        let answer = self.node().intake.upsert_lead(request).await.unwrap().into_inner();
        let result = answer.result.unwrap();
        assert_eq!(result.lead_id, id);
        let expected = if is_news { HandoverOutcome::Updated } else { HandoverOutcome::Unchanged };
        assert_eq!(result.outcome(), expected);
    }

    /// The last of its numbers that may be dialled becomes another, or a new one comes if none may.
    fn renumber(&mut self, nth: usize) {
        self.tally.handovers += 1;
        let key = usize::try_from(self.tally.handovers).unwrap();
        let prefixes = PLACES[self.model.leads[nth].place].prefixes;
        let text = prefixes[prefixes.len() - 1].number(key * 2);
        let Lead { numbers, is_merged, .. } = &mut self.model.leads[nth];
        // What is stopped stays known, behind all others.
        let last = numbers.iter().rposition(|number| !number.is_stopped);
        // What another handover told stays known, too.
        if let Some(place) = last.filter(|_| !*is_merged) {
            numbers.remove(place);
        }
        numbers.push(Number { text, is_stopped: false });
        numbers.sort_by_key(|number| number.is_stopped);
    }

    /// A manager gives a lead to somebody, or to nobody.
    async fn assign(&mut self) {
        let Some(nth) = self.some_lead() else { return };
        let queue = self.model.leads[nth].queue;
        let owner = self.dice.place(self.model.reps.len());
        let owner = Some(owner).filter(|rep| self.model.reps[*rep].queue == queue);
        self.model.leads[nth].owner = owner;
        let id = self.model.leads[nth].id.to_string();
        let owner_rep_id = owner.map_or("", |rep| self.model.reps[rep].id).to_owned();
        self.tell(format!("lead {id} belongs to {owner_rep_id:?}"));
        let lead = Some(by_id(&id));
        let request = proto::AssignLeadRequest { lead, owner_rep_id, ..Default::default() };
        self.node().queues.assign_lead(request).await.unwrap();
    }

    /// A manager has another queue work a lead.
    async fn transfer(&mut self) {
        let Some(nth) = self.some_lead() else { return };
        let to = self.dice.place(self.model.queues.len());
        let was_there = self.model.leads[nth].queue == to;
        let may = self.model.transfer(nth, to) || was_there;
        let queue_id = self.model.queues[to].id.to_owned();
        let id = self.model.leads[nth].id.to_string();
        self.tell(format!("lead {id} goes to {queue_id}, if it may: {may}"));
        let lead = Some(by_id(&id));
        let request = proto::TransferLeadRequest { lead, queue_id, ..Default::default() };
        match self.node().queues.transfer_lead(request).await {
            Ok(answer) => {
                let told = answer.into_inner().transferred_before;
                assert_eq!((true, told), (may, was_there), "lead {id}");
            }
            Err(refused) => assert!(!may, "{refused:?}"),
        }
    }

    /// A lead does something by itself, mostly one that rests.
    async fn engage(&mut self) {
        let rests =
            |lead: &Lead| matches!(lead.stands, Stands::Closed { route: Route::Nurture(_), .. });
        let leads = &self.model.leads;
        let resting: Vec<usize> = (0..leads.len()).filter(|nth| rests(&leads[*nth])).collect();
        let nth = match resting.is_empty() || self.dice.one_in(3) {
            true => self.some_lead(),
            false => Some(self.dice.pick(&resting)),
        };
        let Some(nth) = nth else { return };
        let wakes = !self.dice.one_in(4);
        // One that is told late is ranked behind what happened since: see the checks of the moves.
        let at = self.model.now;
        let woken = wakes && self.model.engage(nth, at);
        let id = self.model.leads[nth].id.to_string();
        self.tell(format!("lead {id} engages, a new interest: {wakes}; it wakes: {woken}"));
        let request = proto::RecordEngagementRequest {
            lead: Some(by_id(&id)),
            source_system: "web".into(),
            engagement_id: format!("visit-{}", self.dice.below(i64::MAX)),
            kind: "visited".into(),
            engaged_time: Some(time(at)),
            wakes,
        };
        let answer = self.node().intake.record_engagement(request).await.unwrap().into_inner();
        assert_eq!(answer.woken, woken, "lead {id}");
    }

    async fn conclude(&mut self) {
        let Some(nth) = self.some_lead() else { return };
        let is_won = self.dice.one_in(2);
        let closed = self.model.conclude(nth, is_won);
        let id = self.model.leads[nth].id.to_string();
        self.tell(format!("lead {id} is won: {is_won}; that closes it: {closed}"));
        let result = if is_won { proto::OutcomeResult::Won } else { proto::OutcomeResult::Lost };
        let request = proto::RecordOutcomeRequest {
            lead: Some(by_id(&id)),
            source_system: "crm".into(),
            outcome_id: format!("deal-{}", self.dice.below(i64::MAX)),
            result: result.into(),
            ..Default::default()
        };
        let answer = self.node().intake.record_outcome(request).await.unwrap().into_inner();
        assert_eq!(answer.closed, closed, "lead {id}");
    }

    /// A number or a person says stop, for a while or for good.
    async fn suppress(&mut self) {
        let Some(nth) = self.some_lead() else { return };
        let until = self.dice.one_in(2).then(|| self.model.now + self.dice.minutes(10, 900));
        let lead = &self.model.leads[nth];
        let is_person = self.dice.one_in(2);
        let numbers = lead.numbers.iter().map(|one| one.text.clone());
        let numbers: Vec<String> = numbers.take(if is_person { 8 } else { 1 }).collect();
        use proto::suppress_contact_request::Contact;
        let contact = match is_person {
            true => Contact::Lead(by_id(&lead.id.to_string())),
            false => Contact::Number(numbers[0].clone()),
        };
        self.tell(format!("{numbers:?} say stop until {until:?}"));
        self.model.suppress(numbers, until);
        if is_person {
            self.model.close_suppressed(nth);
        }
        let request = proto::SuppressContactRequest {
            contact: Some(contact),
            source: "letter".into(),
            until_time: until.map(time),
            ..Default::default()
        };
        self.node().intake.suppress_contact(request).await.unwrap();
    }

    async fn pause_or_resume(&mut self) {
        let nth = self.dice.place(self.model.campaigns.len());
        let campaign = &mut self.model.campaigns[nth];
        // One that is paused is soon resumed.
        let paused = !campaign.is_paused && self.dice.one_in(2);
        campaign.is_paused = paused;
        let campaign_id = campaign.id.to_owned();
        self.tell(format!("{campaign_id} is paused: {paused}"));
        let request = proto::PauseCampaignRequest { campaign_id, resume: !paused };
        self.node().intake.pause_campaign(request).await.unwrap();
    }

    pub(super) async fn put_rep(&mut self, nth: usize) {
        let rep = Some(self.model.reps[nth].message(&self.model.queues));
        let request = proto::UpsertRepRequest { rep, ..Default::default() };
        self.node().queues.upsert_rep(request).await.unwrap();
    }

    /// A rep leaves, at once or at an instant to come, or is back.
    async fn come_or_go(&mut self) {
        let nth = self.dice.place(self.model.reps.len());
        let now = self.model.now;
        let rep = &mut self.model.reps[nth];
        let is_gone = !rep.is_active || rep.ends_at.is_some();
        match self.dice.below(3) {
            _ if is_gone => (rep.is_active, rep.ends_at) = (true, None),
            0 => rep.is_active = false,
            1 => rep.ends_at = Some(now),
            _ => rep.ends_at = Some((now + self.dice.minutes(5, 600)) / MINUTE_MS * MINUTE_MS),
        }
        let (is_active, ends_at, id) = (rep.is_active, rep.ends_at, rep.id);
        self.tell(format!("{id} is active: {is_active}, and leaves at {ends_at:?}"));
        if !is_active || ends_at.is_some_and(|at| at <= now) {
            self.model.give_back(nth);
        }
        self.put_rep(nth).await;
    }

    async fn be_absent(&mut self) {
        let nth = self.dice.place(self.model.reps.len());
        let from = self.model.now.div_euclid(MINUTE_MS) * MINUTE_MS + self.dice.minutes(-30, 300);
        let length_ms = self.dice.pick(&[30 * MINUTE_MS, 3 * HOUR_MS, 3 * DAY_MS]);
        let rep = &mut self.model.reps[nth];
        rep.absences =
            if rep.absences.is_empty() { vec![(from, from + length_ms)] } else { Vec::new() };
        let (id, absences) = (rep.id, rep.absences.clone());
        self.tell(format!("{id} is absent: {absences:?}"));
        self.put_rep(nth).await;
    }

    /// A rep learns Dutch or forgets it, or works other hours.
    async fn change_hours(&mut self) {
        let nth = self.dice.place(self.model.reps.len());
        let (id, queue) = (self.model.reps[nth].id, self.model.reps[nth].queue);
        let other = super::company::Rep::any(&mut self.dice, id, queue);
        let rep = &mut self.model.reps[nth];
        (rep.is_dutch, rep.hours, rep.zone) = (other.is_dutch, other.hours, other.zone);
        let (hours, zone) = (rep.hours.text, rep.zone);
        let skills = self.skills_of(nth);
        self.tell(format!("{id} works {hours} in {zone}, with {skills:?}"));
        self.put_rep(nth).await;
    }

    /// A manager publishes other rules.
    async fn publish(&mut self, queue: usize) {
        let today = self.today();
        self.model.queues[queue].rules = Document::any(&mut self.dice, today);
        self.publish_anew(queue).await;
    }

    pub(super) async fn publish_anew(&mut self, nth: usize) {
        let queue = &self.model.queues[nth];
        let (queue_id, text) = (queue.id.to_owned(), queue.rules.text(queue.id));
        self.tell(format!("published for {queue_id}"));
        let reason = "a random day".into();
        let request =
            proto::PublishRulesRequest { queue_id, text, reason, wait: true, ..Default::default() };
        self.node().rules.publish_rules(request).await.unwrap();
        self.model.in_a_row.clear();
    }

    pub(super) async fn put_campaign(&mut self, nth: usize) {
        let campaign = &self.model.campaigns[nth];
        let campaign = proto::Campaign {
            campaign_id: campaign.id.into(),
            queue_id: self.model.queues[campaign.queue].id.into(),
            skills: super::company::skills(campaign.is_dutch),
            end_time: campaign.ends_at.map(time),
            ..Default::default()
        };
        let request =
            proto::UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
        self.node().intake.upsert_campaign(request).await.unwrap();
    }

    /// A manager sets a queue otherwise.
    async fn change_queue(&mut self) {
        let nth = self.dice.place(self.model.queues.len());
        let (id, rules) = (self.model.queues[nth].id, self.model.queues[nth].rules.clone());
        self.model.queues[nth] = Queue::any(&mut self.dice, id, rules);
        self.tell(format!("{id} is set otherwise"));
        let queue = Some(self.model.queues[nth].message());
        let request = proto::UpsertQueueRequest { queue, ..Default::default() };
        self.node().queues.upsert_queue(request).await.unwrap();
        // For whom leads are kept is found anew by the sweep.
        self.pass_time(0).await;
    }

    async fn end_campaign(&mut self) {
        let nth = self.dice.place(self.model.campaigns.len());
        if self.model.campaigns[nth].ends_at.is_some() {
            return;
        }
        self.model.campaigns[nth].ends_at = Some(self.model.now + self.dice.minutes(1, 100));
        self.tell(format!("{} ends soon", self.model.campaigns[nth].id));
        self.put_campaign(nth).await;
    }
}
