//! A touch: one attempt to reach a lead, and how it ended.

use super::id::{LeadId, LeaseToken, RepKey, TouchId};
use super::lead::Number;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            serde::Serialize,
            serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $code)] $variant,)+
        }

        impl $name {
            /// Every one, in the order of the code.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code: what stands in rules, in the books and on the command line.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Reads a code.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == code)
            }
        }
    };
}
pub(super) use codes;

codes! {
    /// How a touch ended. The list is closed; what was no attempt at all is a [`super::ReleaseReason`].
    Disposition {
        /// It rang out.
        NoAnswer = "no_answer",
        /// The line was busy.
        Busy = "busy",
        /// An answering machine took the call.
        Voicemail = "voicemail",
        /// The network did not put the call through.
        Congestion = "congestion",
        /// Somebody or something picked up and nothing was heard.
        DeadAir = "dead_air",
        /// The lead hung up, or was cut off, before the rep was on.
        DroppedBeforeRep = "dropped_before_rep",
        /// The lead asked to be called again at an instant, by anyone.
        CallbackAny = "callback_any",
        /// Somebody else answered and did not put through.
        Gatekeeper = "gatekeeper",
        /// Reached at a bad moment, without a time agreed.
        WrongTime = "wrong_time",
        /// The number belongs to somebody else. Stops the number.
        WrongNumber = "wrong_number",
        /// The number is out of service. Stops the number.
        Disconnected = "disconnected",
        /// A fax machine answered. Stops the number.
        Fax = "fax",
        /// The number seems to have a new owner. Stops the number.
        ReassignedSuspect = "reassigned_suspect",
        /// The lead does not want it.
        NotInterested = "not_interested",
        /// The lead does not fit.
        NotQualified = "not_qualified",
        /// The lead said never again: number and person are suppressed at once, in every queue.
        DoNotCall = "do_not_call",
        /// The lead is worth a next step by sales.
        Qualified = "qualified",
        /// A meeting was agreed.
        Appointment = "appointment",
        /// It was sold.
        Sale = "sale",
        /// The lead speaks a language that the rep does not.
        Language = "language",
        /// The lead needs somebody who knows more.
        NeedsSpecialist = "needs_specialist",
    }
}

impl Disposition {
    /// Whether the number that was dialled must not be dialled again for this lead.
    pub fn stops_number(self) -> bool {
        matches!(self, Self::WrongNumber | Self::Disconnected | Self::Fax | Self::ReassignedSuspect)
    }

    /// Whether the lead itself was spoken to.
    pub fn is_contact(self) -> bool {
        matches!(
            self,
            Self::CallbackAny
                | Self::NotInterested
                | Self::NotQualified
                | Self::DoNotCall
                | Self::Qualified
                | Self::Appointment
                | Self::Sale
                | Self::Language
                | Self::NeedsSpecialist
        )
    }
}

codes! {
    /// By what a lead was reached.
    Channel {
        /// A phone call.
        Call = "call",
        /// An e-mail.
        Email = "email",
        /// A text message.
        Message = "message",
        /// In person.
        Meeting = "meeting",
    }
}

codes! {
    /// Who began.
    Direction {
        /// We did.
        Outbound = "outbound",
        /// The lead did.
        Inbound = "inbound",
    }
}

/// One attempt to reach a lead. A fact: stored once, never changed, never dropped.
#[derive(Clone, PartialEq)]
pub struct Touch {
    /// The client's id of it.
    pub id: TouchId,
    /// The lead.
    pub lead: LeadId,
    /// The rep who made it; `None` when a system posted it.
    pub rep: Option<RepKey>,
    /// The lease that it was made under, if any.
    pub lease: Option<LeaseToken>,
    /// By what.
    pub channel: Channel,
    /// Who began.
    pub direction: Direction,
    /// The number that was dialled; a call has one.
    pub number: Option<Number>,
    /// When it began.
    pub started_at: i64,
    /// When it ended.
    pub ended_at: i64,
    /// How it ended.
    pub disposition: Disposition,
    /// When the lead wants to be called again; goes with [`Disposition::CallbackAny`].
    pub callback_at: Option<i64>,
    /// What the rep wrote down. Personal data: never logged.
    pub notes: String,
}

impl std::fmt::Debug for Touch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Touch({} on lead {}: {})", self.id, self.lead, self.disposition.code())
    }
}

/// A touch as the books keep it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedTouch {
    /// The fact.
    pub touch: Touch,
    /// Its lease was over, so it did not move the lead.
    pub late: bool,
    /// When it was recorded.
    pub recorded_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_stands_once() {
        for disposition in Disposition::ALL {
            assert_eq!(Disposition::from_code(disposition.code()), Some(*disposition));
        }
        assert_eq!(Disposition::from_code("connected"), None);
        assert_eq!(Disposition::ALL.len(), 21);
    }
}
