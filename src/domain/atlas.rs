//! What is known about places: which zones a number's prefix, a region or a country may be in.
//!
//! The tables lie in `data/` with their sources, and are part of the program. They are read once; a
//! test reads them too, so that a mistake in them never reaches a user.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use super::number::{Number, calling_code, code_of_anywhere};

const MAP_DATA: &str = include_str!("data/phone-timezones/map_data.txt");
const AREA_CODES: &str = include_str!("data/phone-timezones/area_codes.csv");
const REGIONS: &str = include_str!("data/zones/regions.csv");
const SAME_CLOCK: &str = include_str!("data/zones/same_clock.csv");

/// Countries by their own codes that are regions of the United States to its law.
const TERRITORIES: [&str; 5] = ["AS", "GU", "MP", "PR", "VI"];
/// How long a prefix of the North American plan is with its area code.
const AREA_PREFIX_LENGTH: usize = 4;

static SHIPPED: LazyLock<Atlas> = LazyLock::new(|| {
    Atlas::read(MAP_DATA, AREA_CODES, REGIONS, SAME_CLOCK)
        .expect("a test reads the same tables without a mistake")
});

pub(super) struct Atlas {
    /// Prefixes, digit by digit: for each node its ten children; 0: none.
    children: Vec<[u16; 10]>,
    /// The zones of each node; empty: those of the longest prefix before it.
    zones: Vec<Vec<&'static str>>,
    areas: HashMap<&'static str, Area>,
    regions: BTreeMap<&'static str, Region>,
    /// Regions by country and what people call them, in small letters.
    names: HashMap<&'static str, HashMap<String, &'static str>>,
    same_clock: HashMap<&'static str, &'static str>,
}

/// Where an area code of the North American plan lies.
pub(super) struct Area {
    pub(super) country: &'static str,
    /// Codes of its states or provinces; none outside of the United States and Canada.
    pub(super) regions: Vec<&'static str>,
}

struct Region {
    zones: Vec<&'static str>,
}

impl Atlas {
    pub(super) fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Reads the tables, or says all that is wrong with them.
    fn read(
        map_data: &'static str,
        area_codes: &'static str,
        regions: &'static str,
        same_clock: &'static str,
    ) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut atlas = Self {
            children: vec![[0; 10]],
            zones: vec![Vec::new()],
            areas: HashMap::new(),
            regions: BTreeMap::new(),
            names: HashMap::new(),
            same_clock: HashMap::new(),
        };
        for row in rows(regions) {
            let [code, name, zones] = row[..] else {
                mistakes.push(format!("regions: {row:?}"));
                continue;
            };
            let region = Region { zones: zones.split('&').collect() };
            let Some((country, short)) = code.split_once('-') else {
                mistakes.push(format!("regions: {code}"));
                continue;
            };
            let names = atlas.names.entry(country).or_default();
            let known = [code, short, name].map(|one| names.insert(one.to_ascii_lowercase(), code));
            if atlas.regions.insert(code, region).is_some() || known.iter().any(Option::is_some) {
                mistakes.push(format!("regions: {code}"));
            }
        }
        for row in rows(same_clock) {
            let [zone, same_as] = row[..] else {
                mistakes.push(format!("same_clock: {row:?}"));
                continue;
            };
            atlas.same_clock.insert(zone, same_as);
            if !atlas.regions.values().any(|region| region.zones.contains(&same_as)) {
                mistakes.push(format!("same_clock: no region keeps {same_as}"));
            }
        }
        atlas.read_areas(area_codes, &mut mistakes);
        atlas.read_prefixes(map_data, &mut mistakes);
        atlas.widen();
        if mistakes.is_empty() { Ok(atlas) } else { Err(mistakes) }
    }

    fn read_areas(&mut self, text: &'static str, mistakes: &mut Vec<String>) {
        for row in rows(text) {
            let [code, country, names] = row[..] else {
                mistakes.push(format!("area_codes: {row:?}"));
                continue;
            };
            let (country, names) =
                if TERRITORIES.contains(&country) { ("US", country) } else { (country, names) };
            let of_country = |name: &&str| {
                let known = self.regions.keys().find(|region| {
                    region.split_once('-').is_some_and(|(of, own)| of == country && own == *name)
                });
                known.copied()
            };
            let names: Vec<&str> = names.split('/').filter(|name| !name.is_empty()).collect();
            let regions: Vec<&str> = names.iter().filter_map(of_country).collect();
            if regions.len() != names.len() || self.areas.contains_key(code) {
                mistakes.push(format!("area_codes: {code} in {names:?} of {country}"));
            }
            self.areas.insert(code, Area { country, regions });
        }
    }

    fn read_prefixes(&mut self, text: &'static str, mistakes: &mut Vec<String>) {
        let mut prefixes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((prefix, zones)) = line.split_once('|') else {
                mistakes.push(format!("map_data: {line}"));
                continue;
            };
            // The whole North American plan says nothing, and an area code is as wide as all of it.
            let prefix = match prefix {
                "1" => continue,
                _ if prefix.starts_with('1') => &prefix[..prefix.len().min(AREA_PREFIX_LENGTH)],
                _ => prefix,
            };
            prefixes.entry(prefix).or_default().extend(zones.split('&'));
        }
        for (prefix, zones) in prefixes {
            let mut node = 0;
            for digit in prefix.bytes() {
                let Some(digit) = digit.checked_sub(b'0').filter(|digit| *digit < 10) else {
                    mistakes.push(format!("map_data: {prefix}"));
                    break;
                };
                node = self.child(node, usize::from(digit));
            }
            self.zones[node] = zones.into_iter().collect();
        }
    }

    /// Where an area code's zones are not its region's own, either may be wrong.
    fn widen(&mut self) {
        for (code, area) in &self.areas {
            let Some(node) = self.longest(&format!("1{code}")) else { continue };
            let zones = self.zones_of_prefix(node);
            let is_kept = |zone: &&str| area.regions.iter().any(|region| self.keeps(region, zone));
            if area.regions.is_empty() || zones.iter().all(is_kept) {
                continue;
            }
            let of_region = area.regions.iter().flat_map(|region| self.zones_of_region(region));
            let all: BTreeSet<&str> = zones.iter().chain(of_region).copied().collect();
            self.zones[usize::from(node)] = all.into_iter().collect();
        }
    }

    fn child(&mut self, node: usize, digit: usize) -> usize {
        if self.children[node][digit] == 0 {
            let next = u16::try_from(self.children.len()).expect("far fewer prefixes than 65,536");
            self.children[node][digit] = next;
            self.children.push([0; 10]);
            self.zones.push(Vec::new());
        }
        usize::from(self.children[node][digit])
    }

    /// What tells where a number was issued: numbers of one prefix have the same; `None`: unknown.
    pub(super) fn prefix_of(&self, number: &Number) -> Option<u16> {
        let digits = number.as_str().trim_start_matches('+');
        if let Some(whole) = self.whole_country(digits) {
            return Some(whole);
        }
        // The table has one zone for the mobile numbers of some wide countries.
        let anywhere = if digits.starts_with('1') { None } else { code_of_anywhere(number) };
        match anywhere {
            Some(code) => self.longest(&code.to_string()),
            None => self.longest(digits),
        }
    }

    /// The first prefix that is known, if no longer one is: then nothing but the country matters, and what
    /// kind of number it is need not be found out, which takes long.
    fn whole_country(&self, digits: &str) -> Option<u16> {
        let mut node = 0_u16;
        for digit in digits.bytes() {
            node = self.children[usize::from(node)][usize::from(digit - b'0')];
            let place = usize::from(node);
            if node == 0 || !self.zones[place].is_empty() {
                return Some(node).filter(|_| node != 0 && self.children[place] == [0; 10]);
            }
        }
        None
    }

    fn longest(&self, digits: &str) -> Option<u16> {
        let (mut node, mut found) = (0_u16, None);
        for digit in digits.bytes() {
            node = self.children[usize::from(node)][usize::from(digit - b'0')];
            if node == 0 {
                break;
            }
            if !self.zones[usize::from(node)].is_empty() {
                found = Some(node);
            }
        }
        found
    }

    /// The zones of a prefix.
    pub(super) fn zones_of_prefix(&self, prefix: u16) -> &[&'static str] {
        &self.zones[usize::from(prefix)]
    }

    /// Where a number of the North American plan was issued.
    pub(super) fn area_of(&self, number: &Number) -> Option<&Area> {
        self.areas.get(number.as_str().strip_prefix("+1")?.get(..3)?)
    }

    /// Whether a number is one of a country's plan, as far as its first digits say.
    pub(super) fn is_number_of(&self, number: &Number, country: &str) -> bool {
        match calling_code(country) {
            Some(1) => self.area_of(number).is_some_and(|area| area.country == country),
            Some(code) => number.as_str().trim_start_matches('+').starts_with(&code.to_string()),
            None => false,
        }
    }

    /// A country as the law has it: some have a code of their own and are a region of another.
    pub(super) fn country_of(&self, code: &str) -> (String, Option<&'static str>) {
        let code = code.to_ascii_uppercase();
        match TERRITORIES.contains(&code.as_str()) {
            true => ("US".to_owned(), self.region_of("US", &code)),
            false => (code, None),
        }
    }

    /// The code of a region by what people call it: `FL`, `US-FL` or `Florida`.
    pub(super) fn region_of(&self, country: &str, name: &str) -> Option<&'static str> {
        self.names.get(country)?.get(name.trim().to_ascii_lowercase().as_str()).copied()
    }

    /// The regions of a country, if they are known.
    pub(super) fn regions_of(&self, country: &str) -> Vec<&'static str> {
        let is_of = |code: &&&'static str| code.split('-').next() == Some(country);
        self.regions.keys().filter(is_of).copied().collect()
    }

    /// The zones that some of a region keeps.
    pub(super) fn zones_of_region(&self, region: &str) -> &[&'static str] {
        self.regions.get(region).map_or(&[], |region| &region.zones)
    }

    /// Whether somebody in a region may have this zone's time on the wall.
    pub(super) fn keeps(&self, region: &str, zone: &str) -> bool {
        let zone = self.same_clock.get(zone).copied().unwrap_or(zone);
        self.zones_of_region(region).contains(&zone)
    }

    /// Those places of several that may have this zone's time: regions that keep it, and countries as a
    /// whole. All of them if that leaves none, or if the zone is no region's.
    pub(super) fn places_of_zone<'a>(&self, zone: &str, places: &'a [String]) -> Vec<&'a str> {
        let all = || places.iter().map(String::as_str);
        let is_known = self.regions.keys().any(|region| self.keeps(region, zone));
        let here: Vec<&str> =
            all().filter(|one| is_known && (!one.contains('-') || self.keeps(one, zone))).collect();
        if here.is_empty() { all().collect() } else { here }
    }

    /// The countries whose regions keep a zone.
    pub(super) fn countries_of_zone(&self, zone: &str) -> BTreeSet<&'static str> {
        let keepers = self.regions.keys().filter(|code| self.keeps(code, zone));
        keepers.filter_map(|code| code.split('-').next()).collect()
    }

    /// Every zone that a country may have; empty: nobody knows.
    pub(super) fn zones_of_country(&self, country: &str) -> BTreeSet<&'static str> {
        let of_region = |region: &'static str| self.zones_of_region(region).iter().copied();
        let zones: BTreeSet<&str> =
            self.regions_of(country).into_iter().flat_map(of_region).collect();
        if !zones.is_empty() {
            return zones;
        }
        let Some(code) = calling_code(country) else { return zones };
        // The entry of the calling code itself has all the zones of those who share it.
        let whole = self.longest(&code.to_string()).filter(|_| code != 1);
        whole.map_or(zones, |prefix| self.zones_of_prefix(prefix).iter().copied().collect())
    }
}

/// The rows of a table without quotes, after its header.
fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().skip(1).map(|line| line.split(',').collect())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    fn number(text: &str) -> Number {
        Number::from_e164(text).expect("a number")
    }

    fn zones_of(text: &str) -> Vec<&'static str> {
        let atlas = Atlas::shipped();
        let prefix = atlas.prefix_of(&number(text));
        prefix.map_or(Vec::new(), |prefix| atlas.zones_of_prefix(prefix).to_vec())
    }

    #[test]
    fn the_tables_have_no_mistake_and_name_zones_that_exist() {
        let read = Atlas::read(MAP_DATA, AREA_CODES, REGIONS, SAME_CLOCK);
        let atlas = read.unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let of_regions = atlas.regions.values().flat_map(|region| &region.zones);
        let zones: BTreeSet<&str> =
            atlas.zones.iter().flatten().chain(of_regions).copied().collect();
        let names = zones.into_iter().chain(atlas.same_clock.keys().copied());
        let unknown: Vec<&str> = names.filter(|zone| TimeZone::get(zone).is_err()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert_eq!((atlas.areas.len(), atlas.regions.len()), (441, 69));
    }

    #[test]
    fn clocks_that_are_said_to_show_the_same_do() {
        let zone = |name| TimeZone::get(name).expect("a zone");
        let mut differing = Vec::new();
        for (one, other) in &Atlas::shipped().same_clock {
            let (left, right) = (zone(one), zone(other));
            let hours = (0..24 * 366 * 5).map(|hour| 1_735_689_600 + hour * 3_600);
            let mut hours = hours.map(|at| Timestamp::from_second(at).expect("an instant"));
            if let Some(at) = hours.find(|at| left.to_offset(*at) != right.to_offset(*at)) {
                differing.push(format!("{one} {other} at {at}"));
            }
        }
        assert!(differing.is_empty(), "{differing:#?}");
    }

    #[test]
    fn a_number_s_zones_are_those_of_its_longest_prefix() {
        assert_eq!(zones_of("+12125550100"), ["America/New_York"]);
        assert_eq!(zones_of("+4930123456"), ["Europe/Berlin"]);
        assert_eq!(zones_of("+61891234567"), ["Australia/Adelaide", "Australia/Perth"]);
        assert_eq!(zones_of("+61261234567"), ["Australia/Sydney"]);
        for mobile in ["+61412345678", "+79161234567"] {
            assert!(zones_of(mobile).len() > 3, "a mobile is anywhere in its country");
        }
    }

    /// Every prefix that is known of itself alone is a calling code, so it says as much as that.
    #[test]
    fn a_number_of_a_country_with_one_entry_has_the_zones_of_its_calling_code() {
        let atlas = Atlas::shipped();
        for text in ["+4930123456", "+4915123456789", "+33612345678"] {
            let number = number(text);
            let whole = atlas.whole_country(number.as_str().trim_start_matches('+'));
            let code = code_of_anywhere(&number).map(|code| code.to_string());
            let slow = atlas.longest(code.as_deref().unwrap_or(&text[1..]));
            assert!(whole.is_some() && whole == slow, "{text}");
        }
        for text in ["+61412345678", "+79161234567", "+447911123456"] {
            assert_eq!(atlas.whole_country(&text[1..]), None, "{text}: its digits tell more");
        }
    }

    #[test]
    fn an_area_code_counts_with_all_the_zones_of_its_exchanges() {
        assert_eq!(zones_of("+14235550100"), ["America/Chicago", "America/New_York"]);
        let idaho = ["America/Boise", "America/Denver", "America/Los_Angeles"];
        assert_eq!(zones_of("+12085550100"), idaho);
        assert_eq!(zones_of("+18005550100"), Vec::<&str>::new(), "toll-free");
    }

    #[test]
    fn a_region_is_known_by_its_code_or_name_within_its_country() {
        let atlas = Atlas::shipped();
        for name in ["FL", "us-fl", " Florida "] {
            assert_eq!(atlas.region_of("US", name), Some("US-FL"), "{name}");
        }
        assert_eq!(atlas.region_of("CA", "FL"), None);
        assert_eq!(atlas.region_of("DE", "Bavaria"), None);
        assert_eq!(atlas.country_of("pr"), ("US".to_owned(), Some("US-PR")));
        assert_eq!(atlas.country_of("CA"), ("CA".to_owned(), None), "and not California");
    }

    #[test]
    fn a_country_has_all_zones_of_its_regions_or_of_its_calling_code() {
        let atlas = Atlas::shipped();
        assert!(atlas.zones_of_country("US").contains("Pacific/Honolulu"));
        assert!(atlas.zones_of_country("DE").contains("Europe/Berlin"));
        assert!(atlas.zones_of_country("AU").len() > 3);
        assert!(atlas.zones_of_country("JM").is_empty(), "it shares +1");
        assert!(atlas.zones_of_country("XX").is_empty());
    }

    #[test]
    fn every_area_code_of_a_region_has_zones_that_the_region_keeps() {
        let atlas = Atlas::shipped();
        let mut strange = Vec::new();
        for (code, area) in atlas.areas.iter().filter(|(_, area)| !area.regions.is_empty()) {
            for zone in zones_of(&format!("+1{code}5550100")) {
                if !area.regions.iter().any(|region| atlas.keeps(region, zone)) {
                    strange.push(format!("{code} {zone}"));
                }
            }
        }
        strange.sort();
        let known = [
            "474 America/Winnipeg",
            "709 America/Puerto_Rico",
            "867 America/Fort_Nelson",
            "867 America/Vancouver",
            "867 America/Winnipeg",
            "879 America/Puerto_Rico",
            "907 Pacific/Honolulu",
        ];
        assert_eq!(strange, known, "beside which the region's own zones count");
        assert!(zones_of("+14745550100").contains(&"America/Regina"));
        assert!(zones_of("+19075550100").contains(&"America/Adak"));
    }

    #[test]
    fn all_mistakes_of_the_tables_are_told_at_once() {
        let areas = "code,country,region\n201,US,XX\n202\n";
        let regions = "region,name,zones\nUS-NY,New York,America/New_York\n";
        let same = "zone,same_as\nUS/Pacific,America/Los_Angeles\n";
        let mistakes = Atlas::read("12a|UTC\nnothing\n", areas, regions, same).err();
        assert_eq!(mistakes.expect("mistakes").len(), 5);
    }
}
