//! Where a lead may be: the time zones by whose clocks it lives, and the places whose law covers it.
//!
//! What is stated comes first, then the postcode, then the region, then where its numbers were issued,
//! then its country as a whole. Where the evidence leaves several answers, or contradicts itself, all of
//! them count: a lead is called only when that is right in each. Nothing of this is stored: it follows
//! from the lead's facts.

use std::collections::BTreeSet;
use std::fmt;

use super::atlas::Atlas;
use super::codes::codes;
use super::law::Law;
use super::lead::Facts;
use super::number::Number;
use super::postcode::regions_of_postcode;
use super::window::zone;

/// The zones and the law that may be a lead's own. Leads of one place may be called at the same hours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    zones: Vec<String>,
    jurisdictions: Vec<String>,
}

codes! {
    /// What tells a lead's zones.
    ZoneEvidence {
        /// Marketing stated the zone.
        Stated = "stated",
        /// The region or state of the postcode that marketing stated.
        Postcode = "postcode",
        /// The region or state that marketing stated.
        Region = "region",
        /// Where the lead's numbers were issued.
        Number = "number",
        /// Nothing but the country: every zone of it counts.
        Country = "country",
    }
}

/// Where a lead may be, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The zones and the law.
    pub place: Place,
    /// What told the zones.
    pub evidence: ZoneEvidence,
}

impl Place {
    /// IANA names of the zones; sorted, at least one.
    pub fn zones(&self) -> &[String] {
        &self.zones
    }

    /// The places whose calling hours are law for it, as far as any are known; sorted.
    pub fn jurisdictions(&self) -> &[String] {
        &self.jurisdictions
    }

    /// The places whose law covers what [`Place`] shows as this text.
    pub fn jurisdictions_in(name: &str) -> impl Iterator<Item = &str> + Clone {
        let (_, jurisdictions) = name.split_once(' ').unwrap_or((name, ""));
        jurisdictions.split('&').filter(|part| !part.is_empty())
    }

    /// Reads what [`Place`] shows as its text.
    pub fn from_name(name: &str) -> Self {
        let (zones, jurisdictions) = name.split_once(' ').unwrap_or((name, ""));
        let split = |text: &str| {
            text.split('&').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        Self { zones: split(zones), jurisdictions: split(jurisdictions) }
    }
}

/// `America/Chicago&America/New_York US-FL`: the zones, and whose law.
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.zones.join("&"))?;
        if !self.jurisdictions.is_empty() {
            write!(formatter, " {}", self.jurisdictions.join("&"))?;
        }
        Ok(())
    }
}

impl Whereabouts {
    /// Where a lead may be; `None`: nobody can say, so it may not be called.
    pub fn of(facts: &Facts) -> Option<Self> {
        Search::of(facts).whereabouts()
    }

    /// IANA names of the zones alone, as [`Whereabouts::of`] finds them; sorted, empty if nobody can say.
    pub fn zones(facts: &Facts) -> Vec<String> {
        let search = Search::of(facts);
        let zones = search.zones().into_iter().flat_map(|(zones, _)| zones);
        zones.map(str::to_owned).collect()
    }

    /// What [`Whereabouts::of`] goes by, as a text: facts with the same are in the same place. Holds no
    /// personal data.
    pub fn key(facts: &Facts) -> String {
        let atlas = Atlas::shipped();
        // Made for every lead that is ranked.
        let mut key = String::with_capacity(64);
        key.push_str(facts.zone.as_deref().unwrap_or(""));
        key.push('|');
        key.push_str(facts.country.as_deref().unwrap_or(""));
        key.push('|');
        if let Some(name) = facts.region.as_deref() {
            // Text of the client's own would make a key for each of its spellings.
            key.extend(["US", "CA"].map(|country| atlas.region_of(country, name).unwrap_or("")));
        }
        for country in ["US", "CA"] {
            key.push('|');
            key.extend(regions_of_postcode(facts, country).iter().copied());
        }
        // Beside a stated zone only area codes of the North American plan add anything: a state. Unless
        // it may be wrong, which nothing but a country says.
        let is_settled = facts.zone.is_some() && facts.country.is_none();
        for number in facts.callable_numbers() {
            match number.as_str().strip_prefix("+1").and_then(|rest| rest.get(..3)) {
                Some(area) => key.extend(["|+1", area]),
                None if is_settled => {}
                None => key.push_str(&format!("|{:?}", atlas.prefix_of(number))),
            }
        }
        key
    }
}

/// The evidence, as it is weighed.
struct Search<'a> {
    atlas: &'static Atlas,
    /// The zones that the stated one may mean.
    stated_zones: Vec<String>,
    stated_country: Option<String>,
    /// Its stated region, the one of its postcode, or one that the law of its country has it as.
    regions: Vec<&'static str>,
    /// What told the regions.
    region_evidence: ZoneEvidence,
    /// Numbers that may tell where it is: not those of another country than it is said to be in.
    numbers: Vec<&'a Number>,
}

impl<'a> Search<'a> {
    fn of(facts: &'a Facts) -> Self {
        let atlas = Atlas::shipped();
        let stated = facts.country.as_deref().map(|code| atlas.country_of(code));
        let (stated_country, territory) = stated.unzip();
        let is_of_it = |number: &&Number| {
            stated_country.as_deref().is_none_or(|country| atlas.is_number_of(number, country))
        };
        let mut search = Self {
            atlas,
            stated_zones: facts.zone.as_deref().map_or(Vec::new(), zones_of_name),
            numbers: facts.callable_numbers().filter(is_of_it).collect(),
            stated_country,
            regions: territory.flatten().into_iter().collect(),
            region_evidence: ZoneEvidence::Region,
        };
        if search.regions.is_empty() {
            search.read_regions(facts);
        }
        search
    }

    /// The regions of its postcode, and the stated one: if they are not the same, either may be wrong.
    fn read_regions(&mut self, facts: &Facts) {
        let countries = self.countries();
        let by_postcode = countries.iter().map(|country| regions_of_postcode(facts, country));
        self.regions = by_postcode.flatten().copied().collect();
        if !self.regions.is_empty() {
            self.region_evidence = ZoneEvidence::Postcode;
        }
        if let Some(name) = facts.region.as_deref() {
            let mut stated = countries.iter().filter_map(|one| self.atlas.region_of(one, name));
            self.regions.extend(stated.next().filter(|one| !self.regions.contains(one)));
        }
    }

    /// The countries that it may be in, as far as nothing contradicts.
    fn countries(&self) -> BTreeSet<String> {
        if let Some(country) = &self.stated_country {
            return BTreeSet::from([country.clone()]);
        }
        let areas = self.numbers.iter().filter_map(|number| self.atlas.area_of(number));
        let by_number = areas.map(|area| area.country.to_owned());
        self.countries_of_stated_zones().into_iter().chain(by_number).collect()
    }

    fn countries_of_stated_zones(&self) -> BTreeSet<String> {
        let countries = self.stated_zones.iter().map(|zone| self.atlas.countries_of_zone(zone));
        countries.flatten().map(str::to_owned).collect()
    }

    /// Whether its stated zone is none of its region or country: either may be wrong then.
    fn is_contradicted(&self) -> bool {
        if self.stated_zones.is_empty() {
            return false;
        }
        if !self.regions.is_empty() {
            return !self.regions.iter().all(|region| self.keeps_stated(region));
        }
        let Some(country) = &self.stated_country else { return false };
        let of_zones = self.countries_of_stated_zones();
        match self.atlas.regions_of(country).is_empty() {
            true => !of_zones.is_empty(),
            false => !of_zones.contains(country),
        }
    }

    fn keeps_stated(&self, region: &str) -> bool {
        self.stated_zones.iter().any(|zone| self.atlas.keeps(region, zone))
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        let (zones, evidence) = self.zones()?;
        let law = Law::shipped();
        let mut countries = self.countries();
        if self.is_contradicted() {
            countries.extend(self.countries_of_stated_zones());
        }
        let mut jurisdictions = BTreeSet::new();
        for country in countries {
            for place in self.places_in(&country, &zones) {
                let whose = [place, country.as_str()].into_iter().find(|one| law.has_rules(one));
                jurisdictions.extend(whose.map(str::to_owned));
            }
        }
        let place = Place {
            zones: zones.into_iter().map(str::to_owned).collect(),
            jurisdictions: jurisdictions.into_iter().collect(),
        };
        Some(Whereabouts { place, evidence })
    }

    fn zones(&self) -> Option<(BTreeSet<&str>, ZoneEvidence)> {
        if self.stated_zones.is_empty() {
            return self.zones_unstated();
        }
        let mut zones: BTreeSet<&str> = self.stated_zones.iter().map(String::as_str).collect();
        if self.is_contradicted() {
            zones.extend(self.zones_unstated().into_iter().flat_map(|(others, _)| others));
        }
        Some((zones, ZoneEvidence::Stated))
    }

    /// What all but the stated zone tells.
    fn zones_unstated(&self) -> Option<(BTreeSet<&str>, ZoneEvidence)> {
        let of_region = |region: &&'static str| self.atlas.zones_of_region(region);
        let of_regions: BTreeSet<&str> = self.regions.iter().flat_map(of_region).copied().collect();
        if !of_regions.is_empty() {
            return Some((of_regions, self.region_evidence));
        }
        let prefixes = self.numbers.iter().filter_map(|number| self.atlas.prefix_of(number));
        let of_numbers: BTreeSet<&str> =
            prefixes.flat_map(|prefix| self.atlas.zones_of_prefix(prefix)).copied().collect();
        if !of_numbers.is_empty() {
            return Some((of_numbers, ZoneEvidence::Number));
        }
        let of_country = self.atlas.zones_of_country(self.stated_country.as_deref()?);
        (!of_country.is_empty()).then_some((of_country, ZoneEvidence::Country))
    }

    /// The regions of a country that it may be in, or the country.
    fn places_in<'b>(&self, country: &'b str, zones: &BTreeSet<&str>) -> Vec<&'b str> {
        let all = self.atlas.regions_of(country);
        if !self.regions.is_empty() {
            let is_of_it = |region: &&&'static str| region.split('-').next() == Some(country);
            let mut own: Vec<&'b str> = self.regions.iter().filter(is_of_it).copied().collect();
            if self.is_contradicted() {
                own.extend(all.iter().filter(|region| self.keeps_stated(region)));
            }
            return if own.is_empty() { vec![country] } else { own };
        }
        if all.is_empty() {
            return vec![country];
        }
        let areas = self.numbers.iter().filter_map(|number| self.atlas.area_of(number));
        let of_numbers: Vec<&'static str> =
            areas.flat_map(|area| &area.regions).filter(|one| all.contains(one)).copied().collect();
        let keeps =
            |region: &&&'static str| zones.iter().any(|zone| self.atlas.keeps(region, zone));
        let near: Vec<_> = of_numbers.iter().filter(keeps).copied().collect();
        if !near.is_empty() {
            return near;
        }
        // Whoever moved with their number may be in any region of the zone that they have now.
        let by_zone: Vec<_> = all.iter().filter(keeps).copied().collect();
        match (by_zone.is_empty(), of_numbers.is_empty()) {
            (false, _) => by_zone,
            (true, false) => of_numbers,
            (true, true) => all,
        }
    }
}

/// The zones that a name may mean, by their proper names: it comes as its writer spelt it, and two old
/// abbreviations are used for the clocks that change as well as for those that do not.
fn zones_of_name(name: &str) -> Vec<String> {
    let zone = zone(name);
    let proper = zone.as_ref().and_then(|zone| zone.iana_name()).unwrap_or(name);
    let also = match proper {
        "EST" => Some("America/New_York"),
        "MST" => Some("America/Denver"),
        _ => None,
    };
    [proper].into_iter().chain(also).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{LeadNumber, Value};

    /// Zone, country, region, numbers; empty: not stated.
    fn facts(zone: &str, country: &str, region: &str, numbers: &[&str]) -> Facts {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let number = |text: &&str| LeadNumber {
            number: Number::from_e164(text).expect("a number"),
            stopped: None,
        };
        Facts {
            zone: text(zone),
            country: text(country),
            region: text(region),
            numbers: numbers.iter().map(number).collect(),
            ..Facts::default()
        }
    }

    fn check(facts: &Facts, name: &str, evidence: ZoneEvidence) {
        let found = Whereabouts::of(facts).map(|one| (one.place.to_string(), one.evidence));
        assert_eq!(found, Some((name.to_owned(), evidence)), "{}", Whereabouts::key(facts));
        let place = Whereabouts::of(facts).expect("a place").place;
        assert_eq!(Place::from_name(name), place);
    }

    #[test]
    fn what_is_stated_comes_before_the_number() {
        let zone = "America/Los_Angeles";
        let moved = facts(zone, "US", "CA", &["+12125550100"]);
        check(&moved, "America/Los_Angeles US", ZoneEvidence::Stated);
        let region = facts("", "US", "Florida", &["+12125550100"]);
        check(&region, "America/Chicago&America/New_York US-FL", ZoneEvidence::Region);
        let abroad = facts("Europe/Berlin", "DE", "", &["+12125550100"]);
        check(&abroad, "Europe/Berlin", ZoneEvidence::Stated);
    }

    #[test]
    fn a_number_tells_zones_and_state() {
        let told = |numbers: &[&str], name| {
            check(&facts("", "", "", numbers), name, ZoneEvidence::Number);
        };
        told(&["+12125550100"], "America/New_York US");
        told(&["+13055550100"], "America/New_York US-FL");
        let west = "America/Los_Angeles&America/New_York US-FL&US-WA";
        told(&["+13055550100", "+12065550100"], west);
        told(&["+4930123456"], "Europe/Berlin");
        told(&["+16045550100"], "America/Vancouver CA");
        told(&["+17875550100"], "America/Puerto_Rico US");
    }

    #[test]
    fn who_moved_with_their_number_may_be_in_any_state_of_their_zone() {
        let moved = facts("America/Los_Angeles", "", "", &["+13055550100"]);
        check(&moved, "America/Los_Angeles US&US-NV&US-OR&US-WA", ZoneEvidence::Stated);
        let stayed = facts("America/New_York", "", "", &["+13055550100"]);
        check(&stayed, "America/New_York US-FL", ZoneEvidence::Stated);
        let detroit = facts("America/Detroit", "", "", &["+13135550100"]);
        check(&detroit, "America/Detroit US-MI", ZoneEvidence::Stated);
    }

    #[test]
    fn statements_that_contradict_count_both() {
        let either = facts("America/Los_Angeles", "US", "AL", &[]);
        let west = "America/Chicago&America/Los_Angeles US&US-AL&US-NV&US-OR&US-WA";
        check(&either, west, ZoneEvidence::Stated);
        let mut moved = facts("", "US", "FL", &["+12125550100"]);
        moved.attributes.insert("postcode".into(), Value::Text("98101".into()));
        let both = "America/Chicago&America/Los_Angeles&America/New_York US-FL&US-WA";
        check(&moved, both, ZoneEvidence::Postcode);
    }

    #[test]
    fn a_zone_of_no_country_leaves_the_law_to_the_number() {
        check(&facts("UTC", "", "", &["+13055550100"]), "UTC US-FL", ZoneEvidence::Stated);
        check(&facts("UTC", "", "", &["+4930123456"]), "UTC", ZoneEvidence::Stated);
    }

    #[test]
    fn a_postcode_comes_before_the_region_and_after_the_stated_zone() {
        let with = |zone, country, number, postcode: &str| {
            let mut lead = facts(zone, country, "", &[number]);
            lead.attributes.insert("postcode".into(), Value::Text(postcode.into()));
            lead
        };
        let florida = with("", "US", "+12065550100", "33101");
        check(&florida, "America/Chicago&America/New_York US-FL", ZoneEvidence::Postcode);
        let by_number = with("", "", "+14165550100", "R3C 4T3");
        check(&by_number, "America/Winnipeg CA", ZoneEvidence::Postcode);
        let zone = with("America/New_York", "US", "+12065550100", "33101");
        check(&zone, "America/New_York US-FL", ZoneEvidence::Stated);
        let german = with("", "DE", "+4930123456", "33101");
        check(&german, "Europe/Berlin", ZoneEvidence::Number);
    }

    #[test]
    fn a_zone_is_known_however_its_name_is_spelt() {
        let spelt = facts("america/NEW_york", "", "", &[]);
        let found = Whereabouts::of(&spelt).expect("a place").place;
        assert_eq!(found.zones(), ["America/New_York"]);
        assert!(found.jurisdictions().iter().any(|one| one == "US-FL"), "{found}");
    }

    /// Who writes EST in summer mostly means the time of New York.
    #[test]
    fn a_name_that_means_two_clocks_counts_as_both() {
        let eastern = facts("EST", "", "", &["+12125550100"]);
        check(&eastern, "America/New_York&EST US", ZoneEvidence::Stated);
        let mountain = facts("MST", "US", "", &["+13035550100"]);
        check(&mountain, "America/Denver&MST US", ZoneEvidence::Stated);
        let alone = Whereabouts::of(&facts("EST", "", "", &[])).expect("a place").place;
        assert!(alone.jurisdictions().iter().any(|one| one == "US-FL"), "{alone}");
    }

    #[test]
    fn a_zone_that_is_none_of_the_country_leaves_both_possible() {
        let both = facts("America/Chicago", "DE", "", &["+4930123456"]);
        let found = Whereabouts::of(&both).expect("a place").place;
        assert_eq!(found.zones(), ["America/Chicago", "Europe/Berlin"]);
        assert!(found.jurisdictions().iter().any(|one| one == "US-TX"), "{found}");
        let abroad = facts("Europe/Berlin", "US", "", &["+13055550100"]);
        check(&abroad, "America/New_York&Europe/Berlin US-FL", ZoneEvidence::Stated);
        let of_neighbour = facts("America/Toronto", "US", "", &["+12125550100"]);
        let found = Whereabouts::of(&of_neighbour).expect("a place").place;
        assert_eq!(found.zones(), ["America/New_York", "America/Toronto"]);
        assert_eq!(found.jurisdictions(), ["CA", "US"]);
    }

    #[test]
    fn every_name_of_a_zone_of_the_united_states_and_canada_is_under_their_law() {
        let atlas = Atlas::shipped();
        let lawless: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.to_string())
            .filter(|name| name.starts_with("US/") || name.starts_with("Canada/"))
            .filter(|name| atlas.countries_of_zone(name).is_empty())
            .collect();
        assert!(lawless.is_empty(), "{lawless:?}");
    }

    #[test]
    fn an_unknown_zone_is_every_zone_of_the_country_or_none() {
        let toll_free = facts("", "US", "", &["+18005550100"]);
        let found = Whereabouts::of(&toll_free).expect("a place");
        assert_eq!(found.evidence, ZoneEvidence::Country);
        for zone in ["America/Adak", "America/New_York", "Pacific/Guam"] {
            assert!(found.place.zones().iter().any(|one| one == zone), "{zone}");
        }
        for state in ["US-KY", "US-RI", "US-UT"] {
            assert!(found.place.jurisdictions().iter().any(|one| one == state), "{state}");
        }
        assert_eq!(Whereabouts::of(&facts("", "", "", &["+18005550100"])), None);
        assert_eq!(Whereabouts::of(&facts("", "JM", "", &[])), None);
        check(&facts("", "DE", "", &["+12125550100"]), "Europe/Berlin", ZoneEvidence::Country);
    }

    #[test]
    fn a_stopped_number_tells_nothing() {
        let mut lead = facts("", "", "", &["+12125550100", "+12065550100"]);
        lead.numbers[0].stopped = Some(crate::domain::Disposition::WrongNumber);
        check(&lead, "America/Los_Angeles US-WA", ZoneEvidence::Number);
    }

    #[test]
    fn facts_of_one_key_are_in_one_place() {
        let one = facts("", "US", "Florida", &["+12125550100"]);
        let other = facts("", "US", "fl", &["+12125550199"]);
        assert_eq!(Whereabouts::key(&one), Whereabouts::key(&other));
        assert!(!Whereabouts::key(&one).contains("5550100"));
        let numbers = ["+12125550100", "+13055550100", "+4930123456", "+18005550100"];
        let mut places = std::collections::HashMap::new();
        for zone in ["", "UTC", "EST", "America/New_York", "Europe/Berlin"] {
            for country in ["", "US", "CA", "DE", "PR"] {
                for region in ["", "FL", "Bavaria", "CA"] {
                    for number in numbers {
                        let facts = facts(zone, country, region, &[number]);
                        let place = Whereabouts::of(&facts);
                        let known = places.entry(Whereabouts::key(&facts)).or_insert(place.clone());
                        assert_eq!(*known, place, "{}", Whereabouts::key(&facts));
                    }
                }
            }
        }
    }
}
