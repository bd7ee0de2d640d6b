//! Outcomes: what became of a lead in the CRM, and what it was worth.

use super::codes::codes;
use super::id::{LeadId, OutcomeId};
use super::standing::Route;

codes! {
    /// How a deal ended.
    OutcomeResult {
        /// It was won.
        Won = "won",
        /// It was lost.
        Lost = "lost",
    }
}

impl OutcomeResult {
    /// The route of a lead that closes with it.
    pub fn route(self) -> Route {
        match self {
            Self::Won => Route::Won,
            Self::Lost => Route::Lost,
        }
    }
}

/// The largest amount of one outcome, in minor units: sums of a million such are still exact.
pub const AMOUNT_MINOR_MAX: i64 = 9_000_000_000_000;

/// The currencies of ISO 4217 that are in use, without funds, metals and codes for tests.
const CURRENCIES: &str = "\
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD \
GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT \
LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR \
NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP \
STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD \
XCG XOF XPF YER ZAR ZMW ZWG";
/// Those without a minor unit, and those whose unit has a thousand of them.
const WHOLE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const THOUSANDS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// A currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(&'static str);

impl Currency {
    /// The currency of an ISO 4217 code.
    pub fn from_code(code: &str) -> Option<Self> {
        CURRENCIES.split(' ').find(|known| *known == code).map(Self)
    }

    /// Its ISO 4217 code: `"EUR"`.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// How many digits of an amount in minor units stand behind the point.
    pub fn digit_count(self) -> usize {
        let is_in = |list: &str| list.split(' ').any(|one| one == self.0);
        match (is_in(WHOLE), is_in(THOUSANDS)) {
            (true, _) => 0,
            (_, true) => 3,
            _ => 2,
        }
    }
}

/// What became of a lead: a deal that was won or lost. A fact, stored once.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The system that knows of it, `"crm"`, say.
    pub source_system: String,
    /// That system's id of it; with the system it names the outcome for ever.
    pub id: OutcomeId,
    /// Whose.
    pub lead: LeadId,
    /// How it ended.
    pub result: OutcomeResult,
    /// What it was worth: minor units from 0 to [`AMOUNT_MINOR_MAX`], and their currency.
    pub amount: Option<(i64, Currency)>,
    /// When it was decided.
    pub decided_at: i64,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Outcome({} of lead {})", self.result.code(), self.lead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_those_of_the_standard_with_their_minor_units() {
        let digits = |code| Currency::from_code(code).map(Currency::digit_count);
        assert_eq!(digits("EUR"), Some(2));
        assert_eq!(digits("JPY"), Some(0));
        assert_eq!(digits("KWD"), Some(3));
        for code in ["", "eur", "EURO", "XTS", "XAU", "EUR USD"] {
            assert_eq!(digits(code), None, "{code:?}");
        }
        let known = |list: &str| list.split(' ').all(|code| Currency::from_code(code).is_some());
        assert!(known(WHOLE) && known(THOUSANDS));
    }
}
