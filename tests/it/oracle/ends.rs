//! What must be true of all leads: none is lost, and each stands where the model has it.

use std::collections::BTreeMap;

use nextlead::api::proto;
use proto::standing::Standing;
use proto::{CloseReason, Disposition};

use super::day::Day;
use super::leads::{Lead, Number, Reason, Route, Stands, Why};
use super::places::PLACES;
use crate::support::time;

/// A lead's state as the server would tell it, instants of changes aside.
fn state_of(lead: &Lead) -> proto::LeadState {
    let standing = match lead.stands {
        Stands::Ready => Standing::Ready(proto::ReadyStanding {}),
        Stands::Leased => Standing::Leased(proto::LeasedStanding {}),
        Stands::Waiting { until, why } => {
            let reason = match why {
                Why::Retry => proto::WaitReason::Retry,
                Why::Callback => proto::WaitReason::Callback,
                Why::Cap => proto::WaitReason::Cap,
            };
            Standing::Waiting(proto::WaitingStanding {
                until_time: Some(time(until)),
                reason: reason.into(),
            })
        }
        Stands::Closed { reason, route } => Standing::Closed(closed(reason, route)),
    };
    let tier = match lead.callback {
        Some(_) => proto::Tier::Callback,
        None => proto::Tier::Ordinary,
    };
    let last_disposition = lead.last_disposition.unwrap_or(Disposition::Unspecified);
    proto::LeadState {
        standing: Some(proto::Standing { standing: Some(standing) }),
        tier: tier.into(),
        event_count: 0,
        changed_time: None,
        ready_since_time: Some(time(lead.ready_since)),
        attempt_count: lead.attempts,
        last_disposition: last_disposition.into(),
        first_touch_due_time: Some(time(lead.promised_at)),
        first_touched_time: lead.first_touched_at.map(time),
        released_count: lead.times_released,
    }
}

fn closed(reason: Reason, route: Route) -> proto::ClosedStanding {
    let (reason, disposition) = match reason {
        Reason::Disposition(disposition) => (CloseReason::Disposition, disposition),
        Reason::Exhausted => (CloseReason::AttemptsExhausted, Disposition::Unspecified),
        Reason::TransfersExhausted => (CloseReason::TransfersExhausted, Disposition::Unspecified),
        Reason::CampaignEnded => (CloseReason::CampaignEnded, Disposition::Unspecified),
        Reason::Suppressed => (CloseReason::Suppressed, Disposition::Unspecified),
        Reason::Superseded => (CloseReason::Superseded, Disposition::Unspecified),
        Reason::Outcome => (CloseReason::Outcome, Disposition::Unspecified),
    };
    let (route, until) = match route {
        Route::Won => (proto::Route::Won, None),
        Route::Lost => (proto::Route::Lost, None),
        Route::Nurture(until) => (proto::Route::Nurture, until),
        Route::Suppressed => (proto::Route::Suppressed, None),
        Route::Unreachable => (proto::Route::Unreachable, None),
        Route::Superseded => (proto::Route::Superseded, None),
    };
    proto::ClosedStanding {
        reason: reason.into(),
        disposition: disposition.into(),
        route: route.into(),
        nurture_until_time: until.map(time),
    }
}

impl Day {
    /// Has a lead of every place handed over, and compares where the server sees it.
    pub(super) async fn check_places(mut self) {
        for (nth, place) in PLACES.iter().enumerate() {
            let nth_key = 500 + nth;
            let Some(mut lead) = self.new_lead(nth_key) else { panic!("no campaign is open") };
            (lead.place, lead.owner, lead.name) = (nth, None, format!("Place {nth}"));
            let numbers = place.prefixes.iter().enumerate().map(|(of, prefix)| Number {
                text: prefix.number(nth_key * 2 + of),
                is_stopped: false,
            });
            lead.numbers = numbers.collect();
            let id = self.node().hand_over(lead.message(None)).await;
            let told = self.node().explain(&id).await.whereabouts.unwrap_or_default();
            let clocks = lead.clocks();
            let zones: Vec<&str> = clocks.iter().map(|clock| clock.zone).collect();
            assert_eq!(told.time_zones, zones, "{}", lead.name);
            let laws = clocks.iter().flat_map(|clock| clock.laws).map(|law| law.whose);
            // A state's law stands beside its country's.
            let mut laws: Vec<&str> = laws.collect();
            laws.sort_unstable();
            laws.dedup();
            let has_states = laws.iter().any(|one| one.contains('-'));
            laws.retain(|one| !has_states || one.contains('-'));
            assert_eq!(told.jurisdictions, laws, "{}", lead.name);
        }
    }

    /// Every lead is there, and stands where the model has it; the books add up.
    pub(super) async fn check_all(&mut self) {
        let request = proto::ExportLeadsRequest::default();
        let mut export = self.node().coverage.export_leads(request).await.unwrap().into_inner();
        let mut exported = BTreeMap::new();
        while let Some(part) = export.message().await.unwrap() {
            for one in part.leads {
                exported.insert(one.lead.as_ref().unwrap().lead_id.parse::<i64>().unwrap(), one);
            }
        }
        assert_eq!(exported.len(), self.model.leads.len(), "none is lost, none is made up");
        for lead in &self.model.leads {
            let one = &exported[&lead.id];
            let owner = lead.owner.map_or("", |rep| self.model.reps[rep].id);
            let told = one.lead.as_ref().unwrap();
            let told = (one.queue_id.as_str(), told.owner_rep_id.as_str());
            assert_eq!(told, (self.model.queues[lead.queue].id, owner), "lead {}", lead.id);
            let state =
                proto::LeadState { event_count: 0, changed_time: None, ..one.state.unwrap() };
            let mut states = [state, state_of(lead)];
            if !lead.stands.is_open() {
                // It may close before it was noticed that a wait of it was over, and is ready no more.
                states.iter_mut().for_each(|state| state.ready_since_time = None);
            }
            let [told, expected] = states;
            assert_eq!(told, expected, "lead {}: left is what the node has", lead.id);
        }
        let report = self.node().audit().await;
        assert_eq!(report.lead_count, i64::try_from(self.model.leads.len()).unwrap());
    }

    /// What was promised and nobody is on is listed, the earliest first.
    pub(super) async fn check_callbacks(&mut self) {
        let nth = self.dice.place(self.model.queues.len());
        let promised = self.model.leads.iter().filter(|lead| {
            lead.queue == nth && lead.callback.is_some() && lead.stands != Stands::Leased
        });
        let mut expected: Vec<(i64, i64, &str)> = promised
            .map(|lead| {
                let (at, to) = lead.callback.unwrap();
                (at, lead.id, to.map_or("", |rep| self.model.reps[rep].id))
            })
            .collect();
        expected.sort_unstable();
        let queue_id = self.model.queues[nth].id.into();
        let request =
            proto::ListCallbacksRequest { queue_id, page_size: 1_000, ..Default::default() };
        let listed = self.node().reps.list_callbacks(request).await.unwrap().into_inner();
        let told = listed.callbacks.iter().map(|one| {
            let id = one.lead_id.as_str();
            (one.callback_time, id.to_owned(), one.promised_to_rep_id.clone())
        });
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(at, id, to)| (Some(time(at)), id.to_string(), to.to_owned()))
            .collect();
        assert_eq!(told.collect::<Vec<_>>(), expected, "left is what the node lists");
    }
}
