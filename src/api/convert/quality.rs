//! What reps think of leads, and what queues ask of them.

use crate::auth::Caller;
use crate::coverage::{OwedView, QualityReport, QualitySums};
use crate::dialer::{OwedQuality, RateLead};
use crate::domain::{
    CampaignId, Disposition, QUALITY_REASON_COUNT_MAX, Quality, QualityMode, QualitySettings,
    RATING_MAX, RepId, TouchId,
};

use super::super::proto;
use super::super::status::Problems;
use super::codes::Known as _;
use super::reps::scope;
use super::{Fields, time};

const REASON_LENGTH_MAX: usize = 64;

/// Reads what a rep thinks, if they say so.
pub(super) fn quality(
    fields: &mut Fields,
    message: Option<&proto::Quality>,
) -> Option<Option<Quality>> {
    let Some(message) = message else { return Some(None) };
    let rating = u8::try_from(message.rating).ok().filter(|one| (1..=RATING_MAX).contains(one));
    if rating.is_none() {
        fields.problem("quality.rating", format!("must be 1 to {RATING_MAX}"));
    }
    let reason = &message.reason;
    if !is_code(reason) {
        fields.problem("quality.reason", "must be one of the queue's reasons");
        return None;
    }
    Some(Some(Quality { rating: rating?, reason: reason.clone() }))
}

fn is_code(text: &str) -> bool {
    let is_of_code = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    (1..=REASON_LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_of_code)
}

/// Reads feedback that comes after its touch.
pub(in crate::api) fn rate(
    caller: &Caller,
    rep_id: &str,
    message: &proto::RateLeadRequest,
) -> Result<RateLead, Problems> {
    let mut fields = Fields::default();
    let rep = fields.id("rep_id", rep_id, RepId::new);
    let touch = fields.id("touch_id", &message.touch_id, TouchId::new);
    if message.quality.is_none() {
        fields.problem("quality", "must be given");
    }
    let quality = quality(&mut fields, message.quality.as_ref()).flatten();
    let (is_own, caller) = (caller.rep.is_some(), scope(caller, rep_id));
    let read = || Some(RateLead { rep: rep?, is_own, touch: touch?, caller, quality: quality? });
    fields.finish(read())
}

/// Reads what a queue asks.
pub(super) fn settings(fields: &mut Fields, queue: &proto::Queue) -> Option<QualitySettings> {
    let mode = match proto::QualityMode::try_from(queue.quality_mode) {
        Ok(mode) => Some(mode.known().unwrap_or(QualityMode::Off)),
        Err(_) => {
            fields.problem("queue.quality_mode", "must be a QUALITY_MODE");
            None
        }
    };
    let mut dispositions = Vec::new();
    for (nth, code) in queue.quality_dispositions.iter().enumerate() {
        let field = format!("queue.quality_dispositions[{nth}]");
        dispositions.extend(fields.code::<proto::Disposition>(&field, *code));
    }
    dispositions.sort_unstable();
    dispositions.dedup();
    let reasons = &queue.quality_reasons;
    if reasons.len() > QUALITY_REASON_COUNT_MAX {
        let problem = format!("must be at most {QUALITY_REASON_COUNT_MAX}");
        fields.problem("queue.quality_reasons", problem);
        return None;
    }
    for (nth, _) in reasons.iter().enumerate().filter(|(_, reason)| !is_code(reason)) {
        let problem = format!("must be 1 to {REASON_LENGTH_MAX} small letters, digits and _");
        fields.problem(&format!("queue.quality_reasons[{nth}]"), problem);
    }
    Some(QualitySettings { mode: mode?, dispositions, reasons: reasons.clone() })
}

/// What a queue asks of whoever holds one of its leads.
pub(super) fn ask(settings: &QualitySettings) -> Option<proto::QualityAsk> {
    let is_asked = |one: &Disposition| settings.mode_after(*one) != QualityMode::Off;
    let asked = Disposition::ALL.iter().copied().filter(is_asked);
    (!settings.is_off()).then(|| proto::QualityAsk {
        mode: proto::QualityMode::from(settings.mode).into(),
        dispositions: asked.map(|one| proto::Disposition::from(one).into()).collect(),
        reasons: settings.reasons().into_iter().map(str::to_owned).collect(),
    })
}

/// What reps said of leads.
pub(in crate::api) fn quality_report(
    report: QualityReport,
    (from, until): (i64, i64),
) -> proto::GetQualityResponse {
    let source = |((campaign, source), of_it): ((CampaignId, String), QualitySums)| {
        let (campaign_id, sums) = (campaign.to_string(), Some(sums(of_it)));
        proto::SourceQuality { campaign_id, source, sums }
    };
    let rep = |(rep, of_them): (RepId, QualitySums)| proto::RepQuality {
        rep_id: rep.to_string(),
        sums: Some(sums(of_them)),
    };
    let owed = |one: OwedView| proto::OwedQuality {
        lead_id: one.lead.to_string(),
        touch_id: one.touch.to_string(),
        since_time: Some(time(one.touched_at)),
        rep_id: one.rep.to_string(),
        required: one.is_required,
    };
    proto::GetQualityResponse {
        from_time: Some(time(from)),
        until_time: Some(time(until)),
        sources: report.sources.into_iter().map(source).collect(),
        reps: report.reps.into_iter().map(rep).collect(),
        owed: report.owed.into_iter().map(owed).collect(),
    }
}

fn sums(sums: QualitySums) -> proto::QualitySums {
    proto::QualitySums {
        asked_count: sums.asked,
        answered_count: sums.answered,
        rating_count: sums.ratings,
        rating_sum: sums.rating_sum,
        reasons: sums.reasons.into_iter().collect(),
    }
}

/// What a rep owes.
pub(super) fn owed(owed: &[OwedQuality]) -> Vec<proto::OwedQuality> {
    let one = |one: &OwedQuality| proto::OwedQuality {
        lead_id: one.lead.to_string(),
        touch_id: one.touch.to_string(),
        since_time: Some(time(one.touched_at)),
        required: true,
        ..Default::default()
    };
    owed.iter().map(one).collect()
}
