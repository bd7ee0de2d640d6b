//! Queues, campaigns and reps, and what a manager asks about a lead.

use std::collections::BTreeMap;

use crate::dialer::{CampaignView, LeadExplanation, Peek, Peeked, QueueView};
use crate::domain::{
    CAP_COUNT_MAX, CAP_DIAL_COUNT_MAX, CAP_WINDOW_MS_MAX, CAP_WINDOW_MS_MIN,
    CLOSING_MARGIN_MS_DEFAULT, CLOSING_MARGIN_MS_MAX, CallingLaw, CampaignId, CampaignSettings,
    Cap, Event, EventKind, GRACE_MS_DEFAULT, LEASE_MS_DEFAULT, LEASE_TOTAL_MS_DEFAULT, Law,
    QueueId, QueueSettings, RepId, Route, WeeklyHours, Whereabouts, ZoneEvidence, is_zone,
};

use super::super::proto;
use super::fields::DAY_MS;
use super::roster::own_leads;
use super::{Fields, count, duration, engagements, obstacles, quality, states, time};

const GRACE_MS_MAX: i64 = 3_600_000;
const SKIP_COUNT_MAX: u32 = 1_000;

/// Reads a queue.
pub(in crate::api) fn queue_settings(
    fields: &mut Fields,
    queue: Option<&proto::Queue>,
) -> Option<(QueueId, QueueSettings)> {
    let Some(queue) = queue else {
        fields.problem("queue", "must be given");
        return None;
    };
    let id = fields.id("queue.queue_id", &queue.queue_id, QueueId::new);
    if !is_zone(&queue.time_zone) {
        fields.problem("queue.time_zone", "must be a time zone by its IANA name: Europe/Berlin");
    }
    let hours = match queue.hours.parse::<WeeklyHours>() {
        Ok(hours) => Some(hours),
        Err(problem) => {
            fields.problem("queue.hours", problem.to_string());
            None
        }
    };
    let lease = queue.lease_duration.as_ref();
    let lease_ms =
        fields.duration("queue.lease_duration", lease, DAY_MS).unwrap_or(LEASE_MS_DEFAULT);
    if lease_ms == 0 {
        fields.problem("queue.lease_duration", "must be more than nothing");
    }
    let total = queue.lease_total_duration.as_ref();
    let lease_total_ms = fields
        .duration("queue.lease_total_duration", total, DAY_MS)
        .unwrap_or(LEASE_TOTAL_MS_DEFAULT.max(lease_ms));
    if lease_total_ms < lease_ms {
        fields.problem("queue.lease_total_duration", "must be at least lease_duration");
    }
    let grace = queue.grace_duration.as_ref();
    let grace_ms =
        fields.duration("queue.grace_duration", grace, GRACE_MS_MAX).unwrap_or(GRACE_MS_DEFAULT);
    let skips_per_hour_max = skips_per_hour_max(fields, queue);
    let quality = quality::settings(fields, queue);
    let zone = queue.time_zone.clone();
    let law = calling_law(fields, queue);
    let caps = caps(fields, &queue.caps);
    let (hours, law, caps) = (hours?, law?, caps?);
    let own = own_leads(fields, queue)?;
    let settings = QueueSettings {
        zone,
        hours,
        law,
        caps,
        lease_ms,
        lease_total_ms,
        grace_ms,
        skips_per_hour_max: skips_per_hour_max?,
        own,
        quality: Box::new(quality?),
    };
    Some((id?, settings))
}

fn skips_per_hour_max(fields: &mut Fields, queue: &proto::Queue) -> Option<Option<u32>> {
    let count = queue.skips_per_hour_max.map(u32::try_from).transpose();
    let count = count.ok().filter(|count| count.is_none_or(|count| count <= SKIP_COUNT_MAX));
    if count.is_none() {
        let problem = format!("must be 0 to {SKIP_COUNT_MAX}");
        fields.problem("queue.skips_per_hour_max", problem);
    }
    count
}

fn caps(fields: &mut Fields, caps: &[proto::Cap]) -> Option<Vec<Cap>> {
    if caps.len() > CAP_COUNT_MAX {
        fields.problem("queue.caps", format!("must be at most {CAP_COUNT_MAX}"));
        return None;
    }
    let mut read = Vec::with_capacity(caps.len());
    for (place, cap) in caps.iter().enumerate() {
        let count = u32::try_from(cap.dial_count_max).ok();
        let count = count.filter(|count| (1..=CAP_DIAL_COUNT_MAX).contains(count));
        if count.is_none() {
            let problem = format!("must be 1 to {CAP_DIAL_COUNT_MAX}");
            fields.problem(&format!("queue.caps[{place}].dial_count_max"), problem);
        }
        let name = format!("queue.caps[{place}].window_duration");
        let window = cap.window_duration.as_ref();
        let window_ms = fields.duration(&name, window, CAP_WINDOW_MS_MAX).unwrap_or(0);
        if window_ms < CAP_WINDOW_MS_MIN {
            fields.problem(&name, "must be at least a minute");
        }
        read.extend(count.map(|dial_count_max| Cap { dial_count_max, window_ms }));
    }
    Some(read)
}

fn calling_law(fields: &mut Fields, queue: &proto::Queue) -> Option<CallingLaw> {
    let margin = queue.closing_margin_duration.as_ref();
    let margin_ms = fields
        .duration("queue.closing_margin_duration", margin, CLOSING_MARGIN_MS_MAX)
        .unwrap_or(CLOSING_MARGIN_MS_DEFAULT);
    match proto::CallingLaw::try_from(queue.calling_law) {
        Ok(proto::CallingLaw::Unspecified | proto::CallingLaw::Applies) => {
            Some(CallingLaw::Applies { margin_ms })
        }
        Ok(proto::CallingLaw::Exempt) => Some(CallingLaw::Exempt),
        Err(_) => {
            let laws = "CALLING_LAW_APPLIES or CALLING_LAW_EXEMPT";
            fields.problem("queue.calling_law", format!("must be {laws}"));
            None
        }
    }
}

/// A queue.
pub(in crate::api) fn queue(view: QueueView) -> proto::Queue {
    let settings = view.settings;
    let (calling_law, margin_ms) = match settings.law {
        CallingLaw::Applies { margin_ms } => (proto::CallingLaw::Applies, Some(margin_ms)),
        CallingLaw::Exempt => (proto::CallingLaw::Exempt, None),
    };
    proto::Queue {
        queue_id: view.id.to_string(),
        time_zone: settings.zone,
        hours: settings.hours.to_string(),
        lease_duration: Some(duration(settings.lease_ms)),
        lease_total_duration: Some(duration(settings.lease_total_ms)),
        grace_duration: Some(duration(settings.grace_ms)),
        rule_version: view.rule_version,
        ranking_version: view.ranking_version.unwrap_or(0),
        calling_law: calling_law.into(),
        closing_margin_duration: margin_ms.map(duration),
        caps: settings.caps.iter().map(cap).collect(),
        skips_per_hour_max: settings
            .skips_per_hour_max
            .map(|count| i32::try_from(count).unwrap_or(i32::MAX)),
        callback_grace_duration: Some(duration(settings.own.callback_grace_ms)),
        callback_count_max: i32::try_from(settings.own.callback_count_max).ok(),
        owner_absence_max_duration: Some(duration(settings.own.owner_absence_ms_max)),
        strict_rep_hours: settings.own.is_strict_about_hours,
        quality_mode: proto::QualityMode::from(settings.quality.mode).into(),
        quality_dispositions: settings
            .quality
            .dispositions
            .iter()
            .map(|one| proto::Disposition::from(*one).into())
            .collect(),
        quality_reasons: settings.quality.reasons,
    }
}

pub(super) fn cap(cap: &Cap) -> proto::Cap {
    proto::Cap {
        dial_count_max: i64::from(cap.dial_count_max),
        window_duration: Some(duration(cap.window_ms)),
    }
}

/// Reads a campaign.
pub(in crate::api) fn campaign_settings(
    fields: &mut Fields,
    campaign: Option<&proto::Campaign>,
) -> Option<(CampaignId, QueueId, CampaignSettings)> {
    let Some(campaign) = campaign else {
        fields.problem("campaign", "must be given");
        return None;
    };
    let id = fields.id("campaign.campaign_id", &campaign.campaign_id, CampaignId::new);
    let queue = fields.id("campaign.queue_id", &campaign.queue_id, QueueId::new);
    let skills = fields.skills("campaign.skills", &campaign.skills);
    let ends_at = fields.instant("campaign.end_time", campaign.end_time.as_ref());
    let route_at_end = match proto::Route::try_from(campaign.end_route) {
        Ok(proto::Route::Unspecified | proto::Route::Nurture) => {
            Some(Route::Nurture { until: None })
        }
        Ok(proto::Route::Lost) => Some(Route::Lost),
        Ok(proto::Route::Unreachable) => Some(Route::Unreachable),
        Ok(proto::Route::Won | proto::Route::Suppressed | proto::Route::Superseded) | Err(_) => {
            let routes = "ROUTE_NURTURE, ROUTE_LOST or ROUTE_UNREACHABLE";
            fields.problem("campaign.end_route", format!("must be {routes}"));
            None
        }
    };
    let country = &campaign.default_country;
    let default_country = fields.number_country("campaign.default_country", country);
    let route_at_end = route_at_end?;
    let settings = CampaignSettings { skills: skills?, ends_at, route_at_end, default_country };
    Some((id?, queue?, settings))
}

/// A campaign.
pub(in crate::api) fn campaign(view: CampaignView) -> proto::Campaign {
    proto::Campaign {
        campaign_id: view.id.to_string(),
        queue_id: view.queue.to_string(),
        skills: view.settings.skills.into_iter().collect(),
        end_time: view.settings.ends_at.map(time),
        end_route: proto::Route::from(view.settings.route_at_end).into(),
        default_country: view.settings.default_country.unwrap_or_default(),
        paused: view.is_paused,
    }
}

/// The first places of a queue.
pub(in crate::api) fn peek(peek: Peek) -> proto::PeekQueueResponse {
    let point_is_ms = peek.point_is_ms.max(1);
    let places = (1..).zip(peek.places).map(|(position, (place, keeper, found))| {
        let (lead, state) = match &found {
            Some(Peeked { record, campaign, owner }) => {
                let mut lead = states::lead(&record.lead, campaign, owner.as_ref());
                lead.attributes.clear();
                (Some(lead), Some(states::state(&record.state)))
            }
            None => (None, None),
        };
        proto::QueuePlace {
            position,
            lead_id: place.lead.to_string(),
            tier: proto::Tier::from(place.rank.tier).into(),
            points: place.head_start_ms / point_is_ms,
            rank_time: Some(time(place.rank.virtual_since)),
            first_touch_due_time: place.first_touch_due_at.map(time),
            lead,
            state,
            kept_for_rep_id: keeper.map(|rep| rep.to_string()).unwrap_or_default(),
        }
    });
    proto::PeekQueueResponse {
        taken_time: Some(time(peek.taken_at)),
        ready_count: count(peek.ready_count),
        point_duration: Some(duration(peek.point_is_ms)),
        places: places.collect(),
    }
}

/// Why a lead is where it is.
pub(in crate::api) fn explanation_of_lead(
    one: LeadExplanation,
    asked: Option<&RepId>,
) -> proto::ExplainLeadResponse {
    let place = one.place.map(|(ahead, ready)| proto::PlaceInLine {
        ahead_count: count(ahead),
        ready_count: count(ready),
    });
    proto::ExplainLeadResponse {
        lead: Some(states::lead(&one.record.lead, &one.campaign, one.owner.as_ref())),
        state: Some(states::state(&one.record.state)),
        queue_id: one.queue.to_string(),
        held_by_rep_id: one.held_by.map(|rep| rep.to_string()).unwrap_or_default(),
        rule_version: one.rule_version,
        explanation: Some(states::explanation(one.explanation)),
        obstacles: one.obstacles.iter().map(|one| obstacles::obstacle(one, asked)).collect(),
        next_servable_time: one.next_servable_at.map(time),
        place,
        read_time: Some(time(one.read_at)),
        whereabouts: one.whereabouts.as_ref().map(whereabouts),
        engagements: engagements::engagements(one.engagements),
        kept_until_time: one.kept.as_ref().and_then(|(_, until)| *until).map(time),
        kept_for_rep_id: one.kept.map(|(rep, _)| rep.to_string()).unwrap_or_default(),
        numbers: obstacles::numbers(&one.numbers),
        unroutable: one.is_unroutable,
    }
}

fn whereabouts(found: &Whereabouts) -> proto::Whereabouts {
    let evidence = match found.evidence {
        ZoneEvidence::Stated => proto::ZoneEvidence::Stated,
        ZoneEvidence::Postcode => proto::ZoneEvidence::Postcode,
        ZoneEvidence::Region => proto::ZoneEvidence::Region,
        ZoneEvidence::Number => proto::ZoneEvidence::Number,
        ZoneEvidence::Country => proto::ZoneEvidence::Country,
    };
    proto::Whereabouts {
        time_zones: found.place.zones().to_vec(),
        evidence: evidence.into(),
        jurisdictions: found.place.jurisdictions().to_vec(),
    }
}

/// What the ledger keeps of an event; beside the rules of the law that it names, what they cite.
fn details(kind: EventKind, mut details: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let rules = details.get("law").filter(|_| kind == EventKind::Leased);
    let citations = rules.map(|rules| Law::shipped().citations(rules)).unwrap_or_default();
    if !citations.is_empty() {
        details.insert("law_cited".to_owned(), citations);
    }
    details
}

/// A part of a lead's ledger.
pub(in crate::api) fn trace(events: Vec<Event>) -> Vec<proto::LeadEvent> {
    let event = |event: Event| proto::LeadEvent {
        number: event.seq,
        event_time: Some(time(event.at)),
        kind: proto::LeadEventKind::from(event.kind).into(),
        actor: event.actor,
        from_standing: event.from.map(states::standing),
        to_standing: Some(states::standing(event.to)),
        rule_version: event.rule_version.unwrap_or(0),
        details: details(event.kind, event.detail),
    };
    events.into_iter().map(event).collect()
}

#[cfg(test)]
mod tests {
    use crate::api::status::Problems;

    use super::*;

    fn message() -> proto::Queue {
        proto::Queue {
            queue_id: "inside".into(),
            time_zone: "Europe/Berlin".into(),
            hours: "mon-fri 09:00-18:00, sat 10:00-14:00".into(),
            ..Default::default()
        }
    }

    fn read(message: &proto::Queue) -> Result<QueueSettings, Vec<String>> {
        let mut fields = Fields::default();
        let queue = queue_settings(&mut fields, Some(message));
        let read = fields.finish(queue).map(|(_, settings)| settings);
        read.map_err(|Problems(all)| all.into_iter().map(|one| one.field).collect())
    }

    #[test]
    fn a_queue_without_durations_has_the_usual_ones() {
        let settings = read(&message()).unwrap();
        assert_eq!(settings.lease_ms, LEASE_MS_DEFAULT);
        assert_eq!(settings.lease_total_ms, LEASE_TOTAL_MS_DEFAULT);
        assert_eq!(settings.grace_ms, GRACE_MS_DEFAULT);
        let long = proto::Queue { lease_duration: Some(duration(DAY_MS)), ..message() };
        assert_eq!(read(&long).unwrap().lease_total_ms, DAY_MS);
    }

    #[test]
    fn a_queue_is_sent_as_it_was_read() {
        let message = proto::Queue { skips_per_hour_max: Some(6), ..message() };
        let settings = read(&message).unwrap();
        assert_eq!(settings.skips_per_hour_max, Some(6));
        let id = QueueId::new("inside").unwrap();
        let view =
            QueueView { id, settings: settings.clone(), rule_version: 3, ranking_version: None };
        let sent = queue(view);
        assert_eq!((sent.rule_version, sent.ranking_version), (3, 0));
        assert_eq!(read(&sent), Ok(settings));
    }

    #[test]
    fn all_mistakes_of_a_queue_are_told_at_once() {
        let bad = proto::Queue {
            queue_id: String::new(),
            time_zone: "Here".into(),
            hours: String::new(),
            lease_duration: Some(duration(0)),
            lease_total_duration: Some(duration(DAY_MS + 1)),
            grace_duration: Some(duration(GRACE_MS_MAX + 1)),
            skips_per_hour_max: Some(-1),
            ..Default::default()
        };
        let fields = [
            "queue_id",
            "time_zone",
            "hours",
            "lease_duration",
            "lease_total_duration",
            "grace_duration",
            "skips_per_hour_max",
        ];
        assert_eq!(read(&bad).unwrap_err(), fields.map(|field| format!("queue.{field}")));
    }

    #[test]
    fn a_campaign_ends_in_one_of_three_ways() {
        let read = |end_route: proto::Route| {
            let campaign = proto::Campaign {
                campaign_id: "fair".into(),
                queue_id: "inside".into(),
                end_route: end_route.into(),
                ..Default::default()
            };
            let mut fields = Fields::default();
            let read = campaign_settings(&mut fields, Some(&campaign));
            fields.finish(read).map(|(.., settings)| settings.route_at_end)
        };
        let nurture = Route::Nurture { until: None };
        assert_eq!(read(proto::Route::Unspecified), Ok(nurture));
        assert_eq!(read(proto::Route::Nurture), Ok(nurture));
        assert_eq!(read(proto::Route::Lost), Ok(Route::Lost));
        assert_eq!(read(proto::Route::Unreachable), Ok(Route::Unreachable));
        assert!(read(proto::Route::Won).is_err());
    }
}
