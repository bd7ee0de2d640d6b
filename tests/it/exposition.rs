//! Reads what `/metrics` shows, as strictly as the format allows: whatever a scraper could stumble
//! over is an error here.

use std::collections::{BTreeMap, BTreeSet};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A sample's labels.
pub(crate) type Labels = BTreeMap<String, String>;

/// What one scrape showed.
pub(crate) struct Exposition {
    samples: Vec<(String, Labels, f64)>,
}

/// An answer of the door for those who watch.
pub(crate) struct Answer {
    /// 0: there was no answer.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Asks a node over plain HTTP.
pub(crate) async fn get(address: &str, path: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n")).await
}

/// Sends a request as it is, and reads until the node closes.
pub(crate) async fn ask(address: &str, request: &str) -> Answer {
    let mut answer = Vec::new();
    // A node that refuses closes without reading on, which may reset the connection; one that ends
    // does so at any moment.
    if let Ok(mut stream) = TcpStream::connect(address).await {
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.read_to_end(&mut answer).await;
    }
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

impl Exposition {
    /// Scrapes a node, and checks what it shows.
    pub(crate) async fn of(address: &str) -> Self {
        let answer = get(address, "/metrics").await;
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("content-type: application/openmetrics-text"));
        Self::parse(&answer.body).unwrap_or_else(|problem| panic!("{problem}:\n{}", answer.body))
    }

    /// The sum of the samples with this name and these labels, among others.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &Labels| {
            labels.iter().all(|(label, value)| sample.get(*label).is_some_and(|one| one == value))
        };
        let found = self.samples.iter().filter(|(one, sample, _)| one == name && has(sample));
        found.map(|(_, _, value)| value).sum()
    }

    /// Whether there is a sample with this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|(one, _, _)| one == name)
    }

    /// Reads a text, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("does not end with # EOF")?;
        let mut families = BTreeSet::new();
        let mut family: Option<Family> = None;
        let mut seen = BTreeSet::new();
        let mut samples = Vec::new();
        for line in body.lines() {
            if let Some(said) = line.strip_prefix("# ") {
                let (word, rest) = said.split_once(' ').ok_or(format!("{line:?} says nothing"))?;
                let (name, value) = rest.split_once(' ').ok_or(format!("{line:?} says nothing"))?;
                if family.as_ref().is_none_or(|family| family.name != name) {
                    if !families.insert(name.to_owned()) {
                        return Err(format!("{name} stands in two places"));
                    }
                    family.take().map(Family::finish).transpose()?;
                    family = Some(Family::new(name)?);
                }
                family.as_mut().expect("just made").describe(word, value)?;
                continue;
            }
            let (name, labels, value) = sample(line)?;
            if !seen.insert((name.clone(), labels.clone())) {
                return Err(format!("{line:?} stands there twice"));
            }
            let family = family.as_mut().ok_or(format!("{line:?} belongs to nothing"))?;
            family.take(&name, &labels, value)?;
            samples.push((name, labels, value));
        }
        family.map(Family::finish).transpose()?;
        Ok(Self { samples })
    }
}

/// A metric with all its samples.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    help: String,
    /// Of a histogram, by the other labels: bounds with counts in order, and the count of all.
    buckets: BTreeMap<Labels, Vec<(f64, f64)>>,
    counts: BTreeMap<Labels, f64>,
}

impl Family {
    fn new(name: &str) -> Result<Self, String> {
        let is_name = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_';
        if !name.starts_with("nextlead_") || !name.chars().all(is_name) {
            return Err(format!("{name} is no name of ours"));
        }
        Ok(Self { name: name.to_owned(), ..Self::default() })
    }

    fn describe(&mut self, word: &str, value: &str) -> Result<(), String> {
        let name = &self.name;
        match word {
            "HELP" => self.help = value.to_owned(),
            "TYPE" if matches!(value, "counter" | "gauge" | "histogram" | "info") => {
                self.kind = value.to_owned();
            }
            "UNIT" if name.ends_with(&format!("_{value}")) => {}
            _ => return Err(format!("{name}: {word} {value} makes no sense")),
        }
        Ok(())
    }

    fn take(&mut self, sample: &str, labels: &Labels, value: f64) -> Result<(), String> {
        let suffix = sample.strip_prefix(&self.name).unwrap_or("?");
        let is_right = match self.kind.as_str() {
            "counter" => suffix == "_total" && value >= 0.0,
            "gauge" => suffix.is_empty(),
            "info" => suffix == "_info" && value == 1.0,
            "histogram" => matches!(suffix, "_bucket" | "_sum" | "_count") && value >= 0.0,
            _ => false,
        };
        if !is_right {
            return Err(format!("{sample} {value} is no sample of {} {}", self.kind, self.name));
        }
        let mut others = labels.clone();
        if suffix == "_bucket" {
            let bound = others.remove("le").ok_or(format!("{sample} has no bound"))?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { number(&bound)? };
            self.buckets.entry(others).or_default().push((bound, value));
        } else if suffix == "_count" {
            self.counts.insert(others, value);
        }
        Ok(())
    }

    fn finish(self) -> Result<(), String> {
        let name = &self.name;
        if self.kind.is_empty() || self.help.is_empty() {
            return Err(format!("{name} has no type or no help"));
        }
        for (labels, count) in &self.counts {
            let buckets = self.buckets.get(labels).ok_or(format!("{name} has no buckets"))?;
            let is_rising = buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1);
            if !is_rising || buckets.last() != Some(&(f64::INFINITY, *count)) {
                return Err(format!("the buckets of {name} {labels:?} do not add up"));
            }
        }
        Ok(())
    }
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

/// Reads `name{label="value",…} 1.5`.
fn sample(line: &str) -> Result<(String, Labels, f64), String> {
    let (name_and_labels, value) = line.rsplit_once(' ').ok_or(format!("{line:?} has no value"))?;
    let mut labels = Labels::new();
    let name = match name_and_labels.split_once('{') {
        None => name_and_labels,
        Some((name, rest)) => {
            let mut rest = rest.strip_suffix('}').ok_or(format!("{line:?} is not closed"))?;
            while !rest.is_empty() {
                let (label, after) = rest.split_once("=\"").ok_or(format!("{line:?}: labels"))?;
                let (value, after) = quoted(after).ok_or(format!("{line:?}: a quote"))?;
                if labels.insert(label.to_owned(), value).is_some() {
                    return Err(format!("{line:?} has a label twice"));
                }
                rest = after.strip_prefix(',').unwrap_or(after);
            }
            name
        }
    };
    Ok((name.to_owned(), labels, number(value)?))
}

/// Reads up to the closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((place, one)) = chars.next() {
        match one {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                same @ ('"' | '\\') => same,
                _ => return None,
            }),
            '\n' => return None,
            other => value.push(other),
        }
    }
    None
}

#[test]
fn what_a_scraper_could_stumble_over_is_refused() {
    let good = "# HELP nextlead_a A.\n# TYPE nextlead_a counter\nnextlead_a_total{b=\"c\"} 1\n";
    let histogram = "# HELP nextlead_h H.\n# TYPE nextlead_h histogram\n\
nextlead_h_sum 1\nnextlead_h_count 2\nnextlead_h_bucket{le=\"1\"} 1\n";
    let end = "# EOF\n";
    let check = |text: &str| Exposition::parse(text).map(drop);
    assert_eq!(check(&format!("{good}{end}")), Ok(()));
    assert_eq!(check(&format!("{histogram}nextlead_h_bucket{{le=\"+Inf\"}} 2\n{end}")), Ok(()));
    for bad in [
        good.to_owned(),
        format!("{good}nextlead_a_total{{b=\"c\"}} 2\n{end}"),
        format!("{good}nextlead_a{{b=\"d\"}} 2\n{end}"),
        format!("{good}nextlead_a_total{{b=\"d}} 2\n{end}"),
        format!("{good}nextlead_a_total two\n{end}"),
        format!("{good}nextlead_b 2\n{end}"),
        format!("nextlead_b 2\n{end}"),
        format!("{good}{histogram}{good}{end}"),
        format!("{histogram}nextlead_h_bucket{{le=\"+Inf\"}} 3\n{end}"),
        format!("{histogram}nextlead_h_bucket{{le=\"0.5\"}} 2\n{end}"),
        format!("# HELP other A.\n# TYPE other gauge\nother 1\n{end}"),
        format!("# TYPE nextlead_a gauge\nnextlead_a 1\n{end}"),
    ] {
        assert!(check(&bad).is_err(), "{bad}");
    }
}
