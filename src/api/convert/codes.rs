//! The closed lists, both ways. Each match names every value, so the lists cannot drift apart.

use crate::domain;
use crate::rules::LineNote;

use super::super::proto;

macro_rules! mirror {
    ($theirs:ident, $ours:ty: $($variant:ident)+) => {
        impl From<$ours> for proto::$theirs {
            fn from(ours: $ours) -> Self {
                match ours { $(<$ours>::$variant => Self::$variant,)+ }
            }
        }

        impl Known for proto::$theirs {
            type Ours = $ours;

            fn known(self) -> Option<$ours> {
                match self {
                    Self::Unspecified => None,
                    $(Self::$variant => Some(<$ours>::$variant),)+
                }
            }
        }
    };
}

/// A list of the API that has its twin inside.
pub(in crate::api) trait Known: TryFrom<i32> {
    /// The twin.
    type Ours;

    /// The value inside; `None` if none was given.
    fn known(self) -> Option<Self::Ours>;
}

mirror!(Disposition, domain::Disposition:
    NoAnswer Busy Voicemail Congestion DeadAir DroppedBeforeRep CallbackAny Gatekeeper WrongTime
    WrongNumber Disconnected Fax ReassignedSuspect NotInterested NotQualified DoNotCall Qualified
    Appointment Sale Language NeedsSpecialist CallbackOwn);
mirror!(Channel, domain::Channel: Call Email Message Meeting);
mirror!(Direction, domain::Direction: Outbound Inbound);
mirror!(ServeOrder, domain::ServeOrder: Callback FirstTouch Ordinary);
mirror!(WaitReason, domain::WaitReason: Retry Callback Cap);
mirror!(Role, domain::Role: Rep Manager Marketing Intake Admin);
mirror!(Tier, domain::Tier: Callback Ordinary);
mirror!(LeadEventKind, domain::EventKind:
    Opened Updated Merged Woken Leased Released Expired Touched Noted Capped Closed Erased Engaged
    Outcome Assigned Transferred);
mirror!(OutcomeResult, domain::OutcomeResult: Won Lost);

mirror!(QualityMode, domain::QualityMode: Off Asked Required);
mirror!(SkipReason, domain::SkipReason: NotMyArea BadData KnowsMe TooHard NoTime Other);

impl Known for proto::ReleaseReason {
    type Ours = domain::ReleaseReason;

    /// The fourth reason inside, forbidden, is the server's own.
    fn known(self) -> Option<domain::ReleaseReason> {
        match self {
            Self::Unspecified => None,
            Self::Skipped => Some(domain::ReleaseReason::Skipped),
            Self::RepError => Some(domain::ReleaseReason::RepError),
            Self::ClientLost => Some(domain::ReleaseReason::ClientLost),
        }
    }
}

impl From<domain::Route> for proto::Route {
    fn from(route: domain::Route) -> Self {
        match route {
            domain::Route::Won => Self::Won,
            domain::Route::Lost => Self::Lost,
            domain::Route::Nurture { .. } => Self::Nurture,
            domain::Route::Suppressed => Self::Suppressed,
            domain::Route::Unreachable => Self::Unreachable,
            domain::Route::Superseded => Self::Superseded,
        }
    }
}

/// The routes in the order of [`domain::Route::CODES`].
pub(super) const ROUTES: [proto::Route; domain::Route::CODES.len()] = [
    proto::Route::Won,
    proto::Route::Lost,
    proto::Route::Nurture,
    proto::Route::Suppressed,
    proto::Route::Unreachable,
    proto::Route::Superseded,
];

impl From<domain::CloseReason> for proto::CloseReason {
    fn from(reason: domain::CloseReason) -> Self {
        match reason {
            domain::CloseReason::Disposition(_) => Self::Disposition,
            domain::CloseReason::AttemptsExhausted => Self::AttemptsExhausted,
            domain::CloseReason::CampaignEnded => Self::CampaignEnded,
            domain::CloseReason::Suppressed => Self::Suppressed,
            domain::CloseReason::Superseded => Self::Superseded,
            domain::CloseReason::Outcome => Self::Outcome,
            domain::CloseReason::TransfersExhausted => Self::TransfersExhausted,
        }
    }
}

/// The words for why a value adds what it adds.
pub(super) fn note(note: LineNote) -> String {
    match note {
        LineNote::Matched => String::new(),
        LineNote::NotMatched => "does not match".to_owned(),
        LineNote::Ended => "its time is over".to_owned(),
        LineNote::Failed(reason) => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disposition_reads_back_by_its_own_name() {
        for ours in domain::Disposition::ALL {
            let theirs = proto::Disposition::from(*ours);
            let name = format!("DISPOSITION_{}", ours.code().to_uppercase());
            assert_eq!(theirs.as_str_name(), name);
            assert_eq!(theirs.known(), Some(*ours));
        }
        assert_eq!(proto::Disposition::Unspecified.known(), None);
    }

    #[test]
    fn channels_directions_orders_and_events_keep_their_names() {
        fn check(theirs: &str, prefix: &str, code: &str) {
            assert_eq!(theirs, format!("{prefix}_{}", code.to_uppercase()));
        }
        for ours in domain::Channel::ALL {
            check(proto::Channel::from(*ours).as_str_name(), "CHANNEL", ours.code());
        }
        for ours in domain::Direction::ALL {
            check(proto::Direction::from(*ours).as_str_name(), "DIRECTION", ours.code());
        }
        for ours in domain::ServeOrder::ALL {
            check(proto::ServeOrder::from(*ours).as_str_name(), "SERVE_ORDER", ours.code());
        }
        for ours in domain::WaitReason::ALL {
            check(proto::WaitReason::from(*ours).as_str_name(), "WAIT_REASON", ours.code());
        }
        for ours in domain::EventKind::ALL {
            check(proto::LeadEventKind::from(*ours).as_str_name(), "LEAD_EVENT_KIND", ours.code());
        }
        for (theirs, code) in ROUTES.iter().zip(domain::Route::CODES) {
            check(theirs.as_str_name(), "ROUTE", code);
        }
    }

    #[test]
    fn what_a_rep_may_say_is_every_release_reason_but_the_server_s() {
        let said: Vec<_> =
            (1..=3).filter_map(|code| proto::ReleaseReason::try_from(code).ok()?.known()).collect();
        let ours = domain::ReleaseReason::ALL.iter().copied();
        let ours = ours.filter(|one| *one != domain::ReleaseReason::Forbidden);
        assert_eq!(said, ours.collect::<Vec<_>>());
    }
}
