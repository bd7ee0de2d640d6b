//! What reps do, each told to the node and to the model.

use nextlead::api::proto;
use proto::{Disposition, ServeOrder};
use tonic::Code;

use super::company::skills;
use super::day::Day;
use super::documents::code;
use super::follows::is_callback;
use super::model::{Lost, Told};
use super::walls::wall;
use crate::support::{MINUTE_MS, by_id, reason, time};

/// Every way in which a call ends; more than once what is usual, and what lets the lead come back.
const DISPOSITIONS: [Disposition; 43] = {
    use Disposition::*;
    let tried = [NoAnswer, Busy, Voicemail, Congestion, DeadAir, DroppedBeforeRep];
    let reached = [Gatekeeper, WrongTime, NotInterested, NotQualified, Language, NeedsSpecialist];
    let (a, b) = (tried, reached);
    [
        a[0],
        a[1],
        a[2],
        a[3],
        a[4],
        a[5],
        b[0],
        b[1],
        b[2],
        b[3],
        b[4],
        b[5],
        a[0],
        a[1],
        a[2],
        a[3],
        a[4],
        a[5],
        b[0],
        b[1],
        b[2],
        b[3],
        b[4],
        b[5],
        CallbackAny,
        CallbackAny,
        CallbackAny,
        CallbackAny,
        CallbackAny,
        CallbackOwn,
        CallbackOwn,
        CallbackOwn,
        CallbackOwn,
        CallbackOwn,
        WrongNumber,
        WrongNumber,
        Disconnected,
        Fax,
        ReassignedSuspect,
        DoNotCall,
        Qualified,
        Appointment,
        Sale,
    ]
};

/// Whom a rep must be served, and by which order.
type Choice = Option<(usize, ServeOrder)>;

impl Day {
    /// Compares an answer with who had to be served.
    fn check(&mut self, rep: usize, expected: Choice, served: Option<proto::ServedLead>) {
        let named = |nth: usize| {
            format!("lead {} ({})", self.model.leads[nth].id, self.model.leads[nth].name)
        };
        let expected_text =
            expected.map(|(nth, order)| format!("{} by {}", named(nth), order.as_str_name()));
        let told = served.as_ref().map(|served| {
            let lead = served.lead.as_ref().unwrap();
            let order = served.why.as_ref().unwrap().order().as_str_name();
            format!("lead {} ({}) by {order}", lead.lead_id, lead.name)
        });
        let who = self.model.reps[rep].id;
        assert_eq!(told, expected_text, "to {who}: left is what the node served");
        self.tally.pulls += 1;
        let (Some((nth, order)), Some(served)) = (expected, served) else { return };
        *self.tally.served.entry(order).or_default() += 1;
        self.tell(format!("  {who} gets {}", told.unwrap()));
        let lead = &self.model.leads[nth];
        let queue = &self.model.queues[lead.queue];
        // Said once more, as nothing weighs as much.
        assert!(
            queue.may_offer(lead, self.model.now),
            "it is called in its hours, in all its zones"
        );
        let at = lead.callback.map(|(at, _)| at);
        assert!(at.is_none_or(|at| at <= self.model.now), "no callback comes before its time");
        let lease = self.model.leads[nth].lease.as_mut().unwrap();
        let numbers = served.lead.as_ref().unwrap().numbers.iter();
        let numbers = numbers.filter(|one| one.stopped_by() == Disposition::Unspecified);
        let numbers: Vec<&String> = numbers.map(|one| &one.number).collect();
        assert_eq!(numbers, lease.dialable.iter().collect::<Vec<_>>(), "what may be dialled");
        lease.token = served.lease_token;
    }

    /// Who gets nothing is told why, in numbers: no lead that cannot be called looks as if it could.
    fn check_counts(&self, rep: usize, expected: Choice, nothing: &proto::NothingToServe) {
        assert!(!nothing.should_retry);
        let told = [
            nothing.open_count,
            nothing.closed_count,
            nothing.unskilled_count,
            nothing.unroutable_count,
            nothing.waiting_count,
            nothing.kept_count,
        ];
        if expected.is_none()
            && let Some(counts) = self.model.counts(rep)
        {
            let kinds = "open, closed, unskilled, unroutable, waiting, kept";
            assert_eq!(told, counts, "{kinds}: left is what the node counts");
        }
    }

    pub(super) async fn pull(&mut self, rep: usize) {
        let name = self.model.reps[rep].id;
        self.tell(format!("{name} pulls"));
        if let Err(why) = self.model.may_pull(rep) {
            let request = proto::NextLeadRequest { rep_id: name.into(), ..Default::default() };
            let refused = self.node().reps.next_lead(request).await.unwrap_err();
            assert_eq!(reason(&refused), why);
            self.tally.refusals += 1;
            return;
        }
        if let Some(nth) = self.model.held_by(rep) {
            let lead = &self.model.leads[nth];
            let lease = lead.lease.as_ref().unwrap();
            let has_number =
                lead.callable().iter().any(|one| lease.dialable.iter().any(|it| it == one));
            if has_number && self.model.queues[lead.queue].may_dial(lead, self.model.now) {
                let token = lease.token.clone();
                let again = self.node().pull_lead(name).await;
                assert!(again.held_before && again.lease_token == token, "the same lead again");
                return;
            }
            self.tell("  which ends the lease, as the lead may not be called".to_owned());
            self.model.forbid(nth);
        }
        let expected = self.model.serve(rep, Vec::new());
        let served = match self.node().pull(name).await {
            proto::next_lead_response::Answer::Served(served) => Some(served),
            proto::next_lead_response::Answer::Nothing(nothing) => {
                self.check_counts(rep, expected, &nothing);
                None
            }
        };
        self.check(rep, expected, served);
    }

    /// What a rep tells of a call.
    fn told(&mut self, nth: usize, dialable: &[String], granted_at: i64) -> Told {
        let callable = self.model.leads[nth].callable();
        let numbers: Vec<&String> =
            dialable.iter().filter(|one| callable.contains(&one.as_str())).collect();
        let number = match numbers.is_empty() {
            true => dialable[0].clone(),
            false => self.dice.pick(&numbers).clone(),
        };
        let began = granted_at - MINUTE_MS;
        let started_at = began + self.dice.below(self.model.now - began + 1);
        let disposition = self.dice.pick(&DISPOSITIONS);
        Told { disposition, number, started_at, callback_at: None }
    }

    fn message(
        &mut self,
        rep: usize,
        nth: usize,
        token: &str,
        told: &Told,
    ) -> proto::RecordTouchRequest {
        self.tally.touches += 1;
        let touch_id = format!("touch-{}", self.tally.touches);
        proto::RecordTouchRequest {
            rep_id: self.model.reps[rep].id.into(),
            lead: Some(by_id(&self.model.leads[nth].id.to_string())),
            touch_id,
            lease_token: token.into(),
            channel: proto::Channel::Call.into(),
            direction: proto::Direction::Outbound.into(),
            number: told.number.clone(),
            start_time: Some(time(told.started_at)),
            end_time: Some(time(self.model.now)),
            disposition: told.disposition.into(),
            ..Default::default()
        }
    }

    /// The rep records how the call went, and mostly asks for the next lead with it.
    pub(super) async fn touch(&mut self, rep: usize) {
        let nth = self.model.held_by(rep).unwrap();
        let lease = self.model.leads[nth].lease.clone().unwrap();
        let mut told = self.told(nth, &lease.dialable, lease.granted_at);
        let mut touch = self.message(rep, nth, &lease.token, &told);
        if is_callback(told.disposition) && !self.promise(rep, nth, &mut told, &mut touch).await {
            told = Told { disposition: Disposition::NoAnswer, callback_at: None, ..told };
            touch = self.message(rep, nth, &lease.token, &told);
        }
        touch.then_next = !self.dice.one_in(4);
        let (who, then_next) = (self.model.reps[rep].id, touch.then_next);
        let id = self.model.leads[nth].id;
        let ended = code(told.disposition);
        self.tell(format!(
            "{who} touched lead {id}: {ended}, on {}, then next: {then_next}",
            told.number
        ));
        // The next lead is chosen before the touch is stored, and given in its commit if it holds there.
        let may_pull = self.model.may_pull(rep).is_ok();
        let soon = self.first_soon(rep).filter(|_| may_pull && then_next);
        self.model.touch(nth, &told);
        let expected = match soon {
            _ if !may_pull || !then_next => None,
            Some((next, order))
                if self.model.leads[next].stands.is_servable(self.model.now)
                    && self.model.offer(rep, next, order) =>
            {
                self.model.check_reserve(rep, order, &[]);
                Some((next, order))
            }
            tried => self.model.serve(rep, tried.map(|(next, _)| next).into_iter().collect()),
        };
        let answer = self.node().reps.record_touch(touch).await.unwrap().into_inner();
        assert!(!answer.late && !answer.replayed);
        if then_next {
            let served = match answer.next {
                Some(proto::record_touch_response::Next::NextServed(served)) => Some(served),
                Some(proto::record_touch_response::Next::NextNothing(nothing)) => {
                    if may_pull {
                        self.check_counts(rep, expected, &nothing);
                    }
                    None
                }
                other => panic!("{other:?}"),
            };
            self.check(rep, expected, served);
        }
    }

    /// Who is first for a rep, as the index has it: without what they passed.
    fn first_soon(&self, rep: usize) -> Choice {
        self.model.first(rep, &self.model.passed_by(rep))
    }

    /// Promises a callback; says whether it was not refused.
    async fn promise(
        &mut self,
        rep: usize,
        nth: usize,
        told: &mut Told,
        touch: &mut proto::RecordTouchRequest,
    ) -> bool {
        let mut at = self.model.now + self.dice.minutes(1, 600);
        let lead = &self.model.leads[nth];
        let by_the_wall = lead.local_text(at).filter(|_| self.dice.one_in(2));
        match by_the_wall {
            Some(text) => {
                // Of an hour that comes twice the first is meant.
                let zone = lead.clocks()[0].zone;
                at = at.div_euclid(MINUTE_MS) * MINUTE_MS;
                let shown = wall(zone, at);
                let is_same = |other: &i64| {
                    let other = wall(zone, *other);
                    (other.date, other.minute) == (shown.date, shown.minute)
                };
                let earlier = [at - 60 * MINUTE_MS, at - 30 * MINUTE_MS];
                at = earlier.into_iter().find(is_same).unwrap_or(at);
                touch.callback_local_time = text;
            }
            None => touch.callback_time = Some(time(at)),
        }
        let queue = &self.model.queues[lead.queue];
        let promised = self.model.leads.iter().enumerate().filter(|(other, lead)| {
            *other != nth && lead.callback.is_some_and(|(_, to)| to == Some(rep))
        });
        let is_full = promised.count() >= usize::try_from(queue.callback_count_max).unwrap();
        let is_own = told.disposition == Disposition::CallbackOwn;
        let refusal = match queue.may_offer(lead, at) || at <= self.model.now {
            false => Some("CALLBACK_ILLEGAL"),
            true if is_own && is_full => Some("CALLBACKS_FULL"),
            true => None,
        };
        let Some(refusal) = refusal else {
            told.callback_at = Some(at);
            return true;
        };
        self.tell(format!("  a callback at {at} is refused: {refusal}"));
        let refused = self.node().reps.record_touch(touch.clone()).await.unwrap_err();
        assert_eq!(reason(&refused), refusal);
        self.tally.refusals += 1;
        false
    }

    /// A rep tells of a call after their lease was over and gone.
    pub(super) async fn touch_late(&mut self) {
        if self.model.lost.is_empty() {
            return;
        }
        let place = self.dice.place(self.model.lost.len());
        let lost: Lost = self.model.lost.remove(place);
        let mut told = self.told(lost.lead, &lost.lease.dialable, lost.lease.granted_at);
        if is_callback(told.disposition) {
            told.disposition = Disposition::NoAnswer;
        }
        let touch = self.message(lost.rep, lost.lead, &lost.lease.token, &told);
        let (who, id) = (self.model.reps[lost.rep].id, self.model.leads[lost.lead].id);
        let ended = code(told.disposition);
        self.tell(format!("{who} tells late of lead {id}: {ended}, on {}", told.number));
        self.model.touch_late(&lost, &told);
        let answer = self.node().reps.record_touch(touch).await.unwrap().into_inner();
        assert!(answer.late && !answer.replayed);
    }

    /// A rep tells of a call that they had no lease for.
    pub(super) async fn touch_unleased(&mut self) {
        let Some(nth) = self.some_lead() else { return };
        let numbers: Vec<String> =
            self.model.leads[nth].numbers.iter().map(|one| one.text.clone()).collect();
        let mut told = self.told(nth, &numbers, self.model.now);
        if is_callback(told.disposition) {
            told.disposition = Disposition::NoAnswer;
        }
        let queue = self.model.leads[nth].queue;
        let reps: Vec<usize> =
            (0..self.model.reps.len()).filter(|rep| self.model.reps[*rep].queue == queue).collect();
        let rep = self.dice.pick(&reps);
        let is_ours = self.dice.one_in(2);
        let mut touch = self.message(rep, nth, "", &told);
        if !is_ours {
            touch.direction = proto::Direction::Inbound.into();
        }
        let (id, ended) = (self.model.leads[nth].id, code(told.disposition));
        let what = format!("{ended}, on {}, our call: {is_ours}", told.number);
        self.tell(format!(
            "{} tells without a lease of lead {id}: {what}",
            self.model.reps[rep].id
        ));
        self.model.touch_unleased(nth, &told, is_ours);
        let answer = self.node().reps.record_touch(touch).await.unwrap().into_inner();
        assert!(!answer.late && !answer.replayed);
    }

    /// The rep gives a lead back.
    pub(super) async fn skip(&mut self, rep: usize) {
        let nth = self.model.held_by(rep).unwrap();
        let lead = &self.model.leads[nth];
        let (id, token) = (lead.id.to_string(), lead.lease.clone().unwrap().token);
        let name = self.model.reps[rep].id;
        let request = proto::ReleaseLeaseRequest {
            rep_id: name.into(),
            lead: Some(by_id(&id)),
            lease_token: token,
            reason: proto::ReleaseReason::Skipped.into(),
            skip_reason: proto::SkipReason::NoTime.into(),
            ..Default::default()
        };
        self.tell(format!("{name} skips lead {id}"));
        let may_skip = self.model.may_skip(rep);
        match self.node().reps.release_lease(request).await {
            Ok(_) => {
                assert!(may_skip, "{name} skipped once too often");
                self.model.skip(rep, nth);
            }
            Err(refused) => {
                assert!(!may_skip && reason(&refused) == "SKIP_LIMIT", "{refused:?}");
                self.tally.refusals += 1;
            }
        }
    }

    /// The rep keeps the lead, in a call or before it.
    pub(super) async fn renew(&mut self, rep: usize) {
        let nth = self.model.held_by(rep).unwrap();
        let in_call = self.dice.one_in(2);
        let lead = &self.model.leads[nth];
        let (id, token) = (lead.id, lead.lease.clone().unwrap().token);
        let queue = &self.model.queues[lead.queue];
        let may_dial = !lead.callable().is_empty() && queue.may_dial(lead, self.model.now);
        let wanted_until = self.model.now + queue.lease_ms;
        let name = self.model.reps[rep].id;
        self.tell(format!("{name} renews lead {id}, in a call: {in_call}"));
        let request = proto::RenewLeaseRequest {
            rep_id: name.into(),
            lead: Some(by_id(&id.to_string())),
            lease_token: token,
            in_call,
            ..Default::default()
        };
        match self.node().reps.renew_lease(request).await {
            Ok(_) => {
                assert!(in_call || may_dial, "what may not be dialled is not renewed");
                let lease = self.model.leads[nth].lease.as_mut().unwrap();
                let until = wanted_until.min(lease.renewable_until);
                lease.expires_at = lease.expires_at.max(until);
            }
            Err(refused) => {
                assert_eq!((refused.code(), may_dial), (Code::FailedPrecondition, false));
                assert_eq!(reason(&refused), "LEAD_FORBIDDEN");
                self.model.forbid(nth);
                self.tally.refusals += 1;
            }
        }
    }

    /// What a rep can do, for the server.
    pub(super) fn skills_of(&self, rep: usize) -> Vec<String> {
        skills(self.model.reps[rep].is_dutch)
    }
}
