//! Feedback on quality: what a rep thinks of a lead that they reached, so that marketing learns which
//! campaigns and sources are worth their price. Numbers and codes only; notes are not for it.

use serde::{Deserialize, Serialize};

use super::codes::codes;
use super::disposition::Disposition;

codes! {
    /// Whether a queue wants to know what its reps think of their leads.
    #[derive(Default)]
    QualityMode {
        /// It does not ask.
        #[default]
        Off = "off",
        /// It asks, and waits for nobody.
        Asked = "asked",
        /// It asks, and who owes an answer gets no further lead.
        Required = "required",
    }
}

/// The reasons that a queue offers which names none itself.
pub const QUALITY_REASONS_DEFAULT: &[&str] = &[
    "good_fit",
    "no_need",
    "no_budget",
    "no_authority",
    "bad_timing",
    "wrong_person",
    "bad_data",
    "other",
];
/// The most reasons that a queue offers.
pub const QUALITY_REASON_COUNT_MAX: usize = 32;

/// What a manager sets about feedback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualitySettings {
    /// Whether it is asked for.
    pub mode: QualityMode,
    /// After which dispositions; empty: those with which the lead itself was reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dispositions: Vec<Disposition>,
    /// The closed list of reasons; empty: [`QUALITY_REASONS_DEFAULT`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl QualitySettings {
    /// Whether it asks for anything.
    pub fn is_off(&self) -> bool {
        self.mode == QualityMode::Off
    }

    /// How it asks after a touch that ended so.
    pub fn mode_after(&self, disposition: Disposition) -> QualityMode {
        let is_asked = match self.dispositions.as_slice() {
            [] => disposition.reached_lead(),
            named => named.contains(&disposition),
        };
        if is_asked { self.mode } else { QualityMode::Off }
    }

    /// The reasons that may be given.
    pub fn reasons(&self) -> Vec<&str> {
        match self.reasons.as_slice() {
            [] => QUALITY_REASONS_DEFAULT.to_vec(),
            named => named.iter().map(String::as_str).collect(),
        }
    }
}

/// What a rep thinks of a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quality {
    /// From 1, worthless, to 5, could not be better.
    pub rating: u8,
    /// Why: one of the queue's reasons.
    pub reason: String,
}

/// The best rating; the worst is 1.
pub const RATING_MAX: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_asks_when_the_lead_was_reached_unless_it_names_dispositions() {
        let mut settings = QualitySettings { mode: QualityMode::Asked, ..Default::default() };
        let asked = |settings: &QualitySettings| -> Vec<_> {
            let all = Disposition::ALL.iter().copied();
            all.filter(|one| settings.mode_after(*one) == QualityMode::Asked).collect()
        };
        let reached = asked(&settings);
        assert!(reached.contains(&Disposition::NotInterested));
        assert!(reached.contains(&Disposition::Sale));
        assert!(!reached.contains(&Disposition::Gatekeeper));
        assert!(!reached.contains(&Disposition::Voicemail));
        settings.dispositions = vec![Disposition::Voicemail];
        assert_eq!(asked(&settings), [Disposition::Voicemail]);
        settings.mode = QualityMode::Off;
        assert!(asked(&settings).is_empty());
    }

    #[test]
    fn a_queue_s_own_reasons_replace_the_usual_ones() {
        let mut settings = QualitySettings::default();
        assert_eq!(settings.reasons(), QUALITY_REASONS_DEFAULT);
        settings.reasons = vec!["hot".to_owned()];
        assert_eq!(settings.reasons(), ["hot"]);
    }
}
