//! A lead as the oracle keeps it, and where it stands.

use nextlead::api::proto;
use proto::Disposition;

use super::company::skills;
use super::places::{Clock, PLACES, Place};
use super::walls::wall;
use crate::support::time;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Why {
    Retry,
    Callback,
    Cap,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Route {
    Won,
    Lost,
    Nurture(Option<i64>),
    Suppressed,
    Unreachable,
    Superseded,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reason {
    Disposition(Disposition),
    Exhausted,
    TransfersExhausted,
    CampaignEnded,
    Suppressed,
    Superseded,
    Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stands {
    Ready,
    Waiting { until: i64, why: Why },
    Leased,
    Closed { reason: Reason, route: Route },
}

impl Stands {
    pub(super) fn is_open(self) -> bool {
        !matches!(self, Self::Closed { .. })
    }

    /// In which order leads are looked at does not matter: what they wait for is over or is not.
    pub(super) fn is_servable(self, now: i64) -> bool {
        match self {
            Self::Ready => true,
            Self::Waiting { until, .. } => until <= now,
            Self::Leased | Self::Closed { .. } => false,
        }
    }
}

/// A number, and whether it is not to be dialled for this lead any more.
#[derive(Clone, Debug)]
pub(super) struct Number {
    pub(super) text: String,
    pub(super) is_stopped: bool,
}

/// A lead in a rep's hands.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) rep: usize,
    pub(super) token: String,
    pub(super) granted_at: i64,
    pub(super) expires_at: i64,
    pub(super) renewable_until: i64,
    /// Its rep pulls again, and the lead is kept for their touch alone.
    pub(super) is_rep_free: bool,
    /// The numbers that nobody else dials meanwhile.
    pub(super) held: Vec<String>,
    /// Those that may be dialled.
    pub(super) dialable: Vec<String>,
    /// A cap counted when it was given, so no number that came later may be.
    pub(super) is_capped: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Lead {
    pub(super) id: i64,
    /// Its handover's id in the CRM.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) queue: usize,
    pub(super) campaign: usize,
    pub(super) campaign_id: &'static str,
    pub(super) place: usize,
    pub(super) numbers: Vec<Number>,
    pub(super) is_dutch: bool,
    pub(super) is_demo: bool,
    pub(super) is_web: bool,
    /// Another handover told what was not known of it.
    pub(super) is_merged: bool,
    pub(super) score: Option<i64>,
    pub(super) handed_over_at: i64,
    /// When its queue began with it.
    pub(super) entered_at: i64,
    pub(super) promised_at: i64,
    pub(super) stands: Stands,
    /// When a callback was promised for, and by whom in person.
    pub(super) callback: Option<(i64, Option<usize>)>,
    pub(super) owner: Option<usize>,
    pub(super) ready_since: i64,
    pub(super) attempts: i32,
    /// How often policies have handed it to another queue.
    pub(super) transfers: i32,
    /// How often each part of its day was tried.
    pub(super) tried: [u8; 4],
    /// The stage that decided last, and how many attempts were made before it.
    pub(super) stage: (usize, i32),
    pub(super) last_disposition: Option<Disposition>,
    pub(super) first_touched_at: Option<i64>,
    pub(super) times_released: i32,
    pub(super) lease: Option<Lease>,
}

impl Lead {
    fn is_of(&self) -> &'static Place {
        &PLACES[self.place]
    }

    /// The numbers that may be dialled, as far as it is up to the lead.
    pub(super) fn callable(&self) -> Vec<&str> {
        let callable = self.numbers.iter().filter(|number| !number.is_stopped);
        callable.map(|number| number.text.as_str()).collect()
    }

    pub(super) fn carries(&self, number: &str) -> bool {
        self.numbers.iter().any(|one| one.text == number)
    }

    pub(super) fn clocks(&self) -> Vec<&'static Clock> {
        self.is_of().clocks(&self.callable())
    }

    pub(super) fn is_capped_by_law(&self) -> bool {
        self.is_of().is_capped(&self.callable())
    }

    pub(super) fn message(&self, owner: Option<&'static str>) -> proto::Lead {
        let place = self.is_of();
        let text = |is_so: bool, word: &str| if is_so { word.to_owned() } else { String::new() };
        let number =
            |one: &Number| proto::LeadNumber { number: one.text.clone(), ..Default::default() };
        let postcode = proto::AttributeValue {
            value: Some(proto::attribute_value::Value::StringValue(place.postcode.into())),
        };
        let has_postcode = !place.postcode.is_empty();
        proto::Lead {
            handover_key: Some(proto::HandoverKey {
                source_system: "crm".into(),
                external_id: self.key.clone(),
                campaign_id: self.campaign_id.into(),
            }),
            name: self.name.clone(),
            time_zone: place.zone.into(),
            country: place.country.into(),
            region: place.region.into(),
            attributes: has_postcode
                .then(|| ("postcode".to_owned(), postcode))
                .into_iter()
                .collect(),
            source: text(self.is_demo, "demo"),
            channel: text(self.is_web, "web"),
            score: self.score.map(|score| score as f64),
            skills: skills(self.is_dutch),
            handed_over_time: Some(time(self.handed_over_at)),
            numbers: self.numbers.iter().map(number).collect(),
            owner_rep_id: owner.unwrap_or_default().into(),
            ..Default::default()
        }
    }

    /// What its callback is at on a clock of the zone where it lives, if that is one.
    pub(super) fn local_text(&self, at: i64) -> Option<String> {
        let clocks = self.clocks();
        let [clock] = &clocks[..] else { return None };
        let shown = wall(clock.zone, at);
        Some(format!("{}T{:02}:{:02}", shown.date, shown.minute / 60, shown.minute % 60))
    }

    /// It becomes ready at an instant at which a wait or a nurture was over.
    pub(super) fn wake(&mut self, due_at: i64) {
        match self.stands {
            Stands::Waiting { why: Why::Cap, .. } => {}
            Stands::Closed { .. } => {
                self.begin_anew();
                self.ready_since = due_at;
            }
            _ => self.ready_since = due_at,
        }
        self.stands = Stands::Ready;
    }

    /// Its chain of attempts begins anew.
    pub(super) fn begin_anew(&mut self) {
        (self.attempts, self.tried, self.stage) = (0, [0; 4], (0, 0));
        (self.transfers, self.callback) = (0, None);
    }

    /// A queue begins with it.
    pub(super) fn enter(&mut self, queue: usize, now: i64) {
        (self.queue, self.entered_at) = (queue, now);
        (self.attempts, self.tried, self.stage) = (0, [0; 4], (0, 0));
    }

    /// It closes, wherever it stood.
    pub(super) fn close(&mut self, reason: Reason, route: Route) {
        (self.stands, self.callback) = (Stands::Closed { reason, route }, None);
    }
}
