//! A callback is promised for an instant at which the lead may be called, or not at all: whoever hears
//! "then nobody may ring you" can still ask for another time, while the lead is on the line.

use crate::domain::{Disposition, LeadId, LocalTime, LocalTimeProblem, Verdict, Whereabouts};
use crate::store::{CallbackPage, CallbacksOf, LeadRecord};

use super::hours::offering;
use super::roster::RosterRep;
use super::{CallbackTime, CallbacksFor, Dialer, DialerError, NewTouch, PromisedCallback};

impl Dialer {
    /// The instant for which a touch promises a callback. Refuses one outside of calling hours, with the
    /// next instant inside, and more promises in person than the queue allows. An instant that has passed
    /// is due at once, and waits for the hours to open. A touch that does not move its lead promises
    /// nothing and is recorded whatever it says, and so is one that was recorded before: its lease is
    /// over.
    pub(super) async fn callback_at(
        &self,
        new: &NewTouch,
        rep: Option<&RosterRep>,
        now: i64,
    ) -> Result<Option<i64>, DialerError> {
        let Some(callback) = &new.callback else { return Ok(None) };
        let record = match (callback, new.token) {
            (CallbackTime::At(at), None) => return Ok(Some(*at)),
            _ => self.parts.store.lead(new.lead).await?,
        };
        let Some(record) = record else {
            // Who records it is told that there is no such lead.
            return Ok(None);
        };
        let lease = record.lease.as_ref().filter(|lease| Some(lease.token) == new.token);
        let at = match callback {
            CallbackTime::At(at) => *at,
            CallbackTime::Local { time, zone } => match instant(&record, *time, zone.as_deref()) {
                Err(_) if lease.is_none() => return Ok(None),
                at => at?,
            },
        };
        if lease.is_none() || !new.disposition.is_callback() {
            return Ok(Some(at));
        }
        self.check_hours(&record, at, now)?;
        if new.disposition == Disposition::CallbackOwn {
            self.check_count(&record, rep).await?;
        }
        Ok(Some(at))
    }

    fn check_hours(&self, record: &LeadRecord, at: i64, now: i64) -> Result<(), DialerError> {
        if at <= now {
            return Ok(());
        }
        let queue = self.roster().queue_by_key(record.state.queue);
        let queue = queue.expect("a lead's queue is in the roster before the lead");
        let found = Whereabouts::of(&record.lead.facts);
        match found.map(|found| offering(&queue).verdict(&found.place, at)) {
            Some(Verdict::Allowed { .. }) => Ok(()),
            None => Err(DialerError::CallbackIllegal { next_at: None, bar: None }),
            Some(Verdict::NotUntil { at, bar }) => {
                Err(DialerError::CallbackIllegal { next_at: Some(at), bar: Some(bar) })
            }
            Some(Verdict::Never { bar }) => {
                Err(DialerError::CallbackIllegal { next_at: None, bar: Some(bar) })
            }
        }
    }

    async fn check_count(
        &self,
        record: &LeadRecord,
        rep: Option<&RosterRep>,
    ) -> Result<(), DialerError> {
        let queue = self.roster().queue_by_key(record.state.queue);
        let (Some(queue), Some(rep)) = (queue, rep) else { return Ok(()) };
        let count_max = queue.settings.own.callback_count_max;
        let limit = usize::try_from(count_max).unwrap_or(0);
        let lead = record.lead.id;
        match self.parts.store.callback_count(rep.rep.key, lead, limit).await? {
            count if count < limit => Ok(()),
            _ => Err(DialerError::CallbacksFull(count_max)),
        }
    }

    /// A page of promised callbacks that nobody is on, the earliest first.
    pub async fn callbacks(
        &self,
        of: &CallbacksFor,
        after: Option<(i64, LeadId)>,
        limit: usize,
    ) -> Result<Vec<PromisedCallback>, DialerError> {
        let of = match of {
            CallbacksFor::Queue(queue) => CallbacksOf::Queue(self.roster().queue(queue)?.key),
            CallbacksFor::Rep(rep) => CallbacksOf::Rep(self.roster().rep(rep)?.rep.key),
            CallbacksFor::Own(rep) => {
                let rep = self.roster().rep(rep)?;
                self.check_active(&rep)?;
                CallbacksOf::Rep(rep.rep.key)
            }
        };
        let records = self.parts.store.callbacks(&CallbackPage { of, after, limit }).await?;
        self.parts.follower.know(&records).await?;
        let view = |record: LeadRecord| {
            let callback = record.state.callback?;
            let queue = self.roster().queue_by_key(record.state.queue)?.id.clone();
            let to = callback.to.and_then(|rep| self.roster().rep_by_key(rep));
            let to = to.map(|entry| entry.rep.id.clone());
            Some(PromisedCallback { record, queue, at: callback.at, to })
        };
        Ok(records.into_iter().filter_map(view).collect())
    }
}

/// The instant at which a clock shows a time: in the zone that was named, or where the lead lives.
fn instant(record: &LeadRecord, time: LocalTime, zone: Option<&str>) -> Result<i64, DialerError> {
    let found = Whereabouts::of(&record.lead.facts);
    let zones = found.as_ref().map_or(&[][..], |found| found.place.zones());
    let zone = match (zone, zones) {
        (Some(zone), _) => zone,
        (None, [zone]) => zone,
        (None, _) => {
            let problem = "must be given, as nobody can say in which zone the lead lives";
            return Err(DialerError::invalid("callback_time_zone", problem));
        }
    };
    time.instant_in(zone).map_err(|problem| match problem {
        LocalTimeProblem::UnknownZone => DialerError::invalid(
            "callback_time_zone",
            "must be a time zone by its IANA name: Europe/Berlin",
        ),
        LocalTimeProblem::Skipped => {
            let problem = format!("is skipped in {zone}, where clocks are put forward over it");
            DialerError::invalid("callback_local_time", problem)
        }
        LocalTimeProblem::OutOfRange => {
            DialerError::invalid("callback_local_time", "must be within 366 days of the touch")
        }
    })
}
