//! How a touch ended: a closed list.

use super::codes::codes;

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
        /// The lead asked this very rep to call again at an instant.
        CallbackOwn = "callback_own",
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
    /// Whether the lead asked to be called again at an instant.
    pub fn is_callback(self) -> bool {
        matches!(self, Self::CallbackAny | Self::CallbackOwn)
    }

    /// Whether the lead itself was reached, and said something.
    pub fn reached_lead(self) -> bool {
        !matches!(
            self,
            Self::NoAnswer
                | Self::Busy
                | Self::Voicemail
                | Self::Congestion
                | Self::DeadAir
                | Self::DroppedBeforeRep
                | Self::Gatekeeper
                | Self::WrongTime
                | Self::WrongNumber
                | Self::Disconnected
                | Self::Fax
                | Self::ReassignedSuspect
        )
    }

    /// Whether the number that was dialled must not be dialled again for this lead.
    pub fn stops_number(self) -> bool {
        matches!(self, Self::WrongNumber | Self::Disconnected | Self::Fax | Self::ReassignedSuspect)
    }
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
        assert_eq!(Disposition::ALL.len(), 22);
    }
}
