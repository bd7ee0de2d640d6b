//! Where a lead may be: the time zones by whose clocks it lives, and the places whose law covers it.
//!
//! What is stated comes first, then the region, then where its numbers were issued, then its country
//! as a whole. Where the evidence leaves several answers all of them count: a lead is called only when
//! that is right in each. Nothing of this is stored: it follows from the lead's facts.

use std::collections::BTreeSet;
use std::fmt;

use super::atlas::Atlas;
use super::law::Law;
use super::lead::Facts;
use super::number::Number;

/// The zones and the law that may be a lead's own. Leads of one place may be called at the same hours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    zones: Vec<String>,
    jurisdictions: Vec<String>,
}

/// What tells a lead's zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneEvidence {
    /// Marketing stated the zone.
    Stated,
    /// The region or state that marketing stated.
    Region,
    /// Where the lead's numbers were issued.
    Number,
    /// Nothing but the country: every zone of it counts.
    Country,
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
        for number in facts.callable_numbers() {
            // Beside a stated zone only area codes of the North American plan add anything: a state.
            match number.as_str().strip_prefix("+1").and_then(|rest| rest.get(..3)) {
                Some(area) => key.extend(["|+1", area]),
                None if facts.zone.is_some() => {}
                None => key.push_str(&format!("|{:?}", atlas.prefix_of(number))),
            }
        }
        key
    }
}

/// The evidence, as it is weighed.
struct Search<'a> {
    atlas: &'static Atlas,
    stated_zone: Option<&'a str>,
    stated_country: Option<String>,
    /// Its stated region, or one that the law of its country has it as.
    region: Option<&'static str>,
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
            stated_zone: facts.zone.as_deref(),
            numbers: facts.callable_numbers().filter(is_of_it).collect(),
            stated_country,
            region: territory.flatten(),
        };
        if let Some(name) = facts.region.as_deref().filter(|_| search.region.is_none()) {
            let mut found = search.countries().into_iter();
            search.region = found.find_map(|country| atlas.region_of(&country, name));
        }
        search
    }

    /// The countries that it may be in.
    fn countries(&self) -> BTreeSet<String> {
        if let Some(country) = &self.stated_country {
            return BTreeSet::from([country.clone()]);
        }
        let by_zone = self.stated_zone.map(|zone| self.atlas.countries_of_zone(zone));
        let areas = self.numbers.iter().filter_map(|number| self.atlas.area_of(number));
        let by_number = areas.map(|area| area.country);
        by_zone.into_iter().flatten().chain(by_number).map(str::to_owned).collect()
    }

    fn whereabouts(&self) -> Option<Whereabouts> {
        let (zones, evidence) = self.zones()?;
        let law = Law::shipped();
        let mut jurisdictions = BTreeSet::new();
        for country in self.countries() {
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

    fn zones(&self) -> Option<(BTreeSet<&'a str>, ZoneEvidence)> {
        let of_region =
            self.region.map_or(&[] as &[&str], |region| self.atlas.zones_of_region(region));
        if let Some(zone) = self.stated_zone {
            let mut zones = BTreeSet::from([zone]);
            // Two statements that contradict: either may be wrong.
            if self.region.is_some_and(|region| !self.atlas.keeps(region, zone)) {
                zones.extend(of_region);
            }
            return Some((zones, ZoneEvidence::Stated));
        }
        if !of_region.is_empty() {
            return Some((of_region.iter().copied().collect(), ZoneEvidence::Region));
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
        if let Some(region) = self.region {
            return vec![if region.split('-').next() == Some(country) { region } else { country }];
        }
        let all = self.atlas.regions_of(country);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LeadNumber;

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
        check(&facts("", "", "", &["+12125550100"]), "America/New_York US", ZoneEvidence::Number);
        check(
            &facts("", "", "", &["+13055550100"]),
            "America/New_York US-FL",
            ZoneEvidence::Number,
        );
        let west = "America/Los_Angeles&America/New_York US-FL&US-WA";
        check(&facts("", "", "", &["+13055550100", "+12065550100"]), west, ZoneEvidence::Number);
        check(&facts("", "", "", &["+4930123456"]), "Europe/Berlin", ZoneEvidence::Number);
        check(&facts("", "", "", &["+16045550100"]), "America/Vancouver CA", ZoneEvidence::Number);
        check(
            &facts("", "", "", &["+17875550100"]),
            "America/Puerto_Rico US",
            ZoneEvidence::Number,
        );
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
        check(&either, "America/Chicago&America/Los_Angeles US-AL", ZoneEvidence::Stated);
    }

    #[test]
    fn a_zone_of_no_country_leaves_the_law_to_the_number() {
        check(&facts("UTC", "", "", &["+13055550100"]), "UTC US-FL", ZoneEvidence::Stated);
        check(&facts("UTC", "", "", &["+4930123456"]), "UTC", ZoneEvidence::Stated);
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
        for zone in ["", "UTC", "America/New_York"] {
            for country in ["", "US", "DE", "PR"] {
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
