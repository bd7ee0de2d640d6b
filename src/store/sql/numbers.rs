//! What a batch knows of the numbers and addresses of its leads: who holds them, what said never, and how
//! often they were dialled. What belongs to somebody who was erased is found by its hash.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::super::books::{Change, Dial, Seal, Slate};
use super::super::error::StoreError;
use super::connection::Connection;
use super::load::json;
use super::rows::{packed, token};
use super::statements as sql;
use crate::domain::{LeadId, Number};

/// Values with the end of their suppression.
pub(in crate::store) type Until<T> = Vec<(T, Option<i64>)>;
/// A number as it is written, when it was dialled, and the lease that is in doubt.
type DialColumns = (String, i64, Option<String>);

/// Loads who holds the numbers of all leads on the slate, which of them said never, and how often those
/// were dialled that a cap counts for.
pub(in crate::store) async fn load(
    connection: &mut Connection,
    slate: &mut Slate,
    (mut numbers, mut emails): (BTreeSet<Number>, BTreeSet<String>),
    changes: &[&Change],
    dials_since: i64,
) -> Result<(), StoreError> {
    for tracked in slate.leads.values() {
        let facts = &tracked.now.lead.facts;
        numbers.extend(facts.numbers.iter().map(|one| one.number.clone()));
        emails.extend(facts.email_folded());
    }
    if numbers.is_empty() && emails.is_empty() {
        return Ok(());
    }
    let sealed_numbers = sealed(slate, &numbers, Seal::number);
    let sealed_emails = sealed(slate, &emails, |seal, email| seal.email(email));
    let capped = capped_numbers(slate, changes);
    let capped: BTreeMap<String, Number> = names_of(slate, capped);
    let query = sql::LOAD_NUMBERS
        .bind(json(&numbers))
        .bind(json(&emails))
        .bind(json(&sealed_numbers.keys().collect::<Vec<_>>()))
        .bind(json(&sealed_emails.keys().collect::<Vec<_>>()))
        .bind(json(&capped.keys().collect::<Vec<_>>()))
        .bind(dials_since);
    type Rows = (
        Vec<(Number, LeadId)>,
        Until<Number>,
        Until<String>,
        Until<String>,
        Until<String>,
        Vec<DialColumns>,
    );
    let (held, of_numbers, of_emails, number_hashes, email_hashes, dials): Rows =
        packed(connection, "held_number", query).await?;
    for (number, lead) in held {
        slate.hold(number, lead);
    }
    slate.suppressed_numbers.extend(of_numbers);
    slate.suppressed_emails.extend(of_emails);
    for (hash, until) in number_hashes {
        let Some(number) = sealed_numbers.get(&hash) else { continue };
        take_until(slate.suppressed_numbers.entry((*number).clone()), until);
    }
    for (hash, until) in email_hashes {
        let Some(email) = sealed_emails.get(&hash) else { continue };
        take_until(slate.suppressed_emails.entry((*email).clone()), until);
    }
    for (name, at, token) in dials {
        take_dial(slate, capped.get(&name).cloned(), at, token)?;
    }
    Ok(())
}

/// Of what is suppressed in clear and as a hash, what lasts longer counts.
fn take_until<K: Eq + std::hash::Hash>(entry: Entry<'_, K, Option<i64>>, until: Option<i64>) {
    let known = entry.or_insert(until);
    *known = known.zip(until).map(|(one, other)| one.max(other));
}

/// The numbers for which a cap counts: those of leads that somebody asks for and that one binds.
fn capped_numbers(slate: &Slate, changes: &[&Change]) -> BTreeSet<Number> {
    let mut numbers = BTreeSet::new();
    for change in changes {
        let grant = match change {
            Change::Lease(grant) => Some(grant),
            Change::Touch(change) => change.then.as_ref(),
            _ => None,
        };
        let Some(grant) = grant else { continue };
        let Some(caps) = &grant.caps else { continue };
        for candidate in &grant.candidates {
            let Some(row) = slate.row(candidate.lead) else { continue };
            if !(caps.of)(&row.lead.facts, grant.now).is_empty() {
                numbers.extend(row.lead.facts.callable_numbers().cloned());
            }
        }
    }
    numbers
}

/// Numbers by how they may be written: in clear, and as a hash if anything was ever erased.
fn names_of(slate: &Slate, numbers: BTreeSet<Number>) -> BTreeMap<String, Number> {
    let names = numbers.into_iter().flat_map(|number| {
        let hash = slate.seal.as_ref().map(|seal| (seal.number(&number), number.clone()));
        [Some((number.as_str().to_owned(), number)), hash]
    });
    names.flatten().collect()
}

/// Puts a dial on the slate; `None`: of a number that nobody asked for.
pub(in crate::store) fn take_dial(
    slate: &mut Slate,
    number: Option<Number>,
    at: i64,
    text: Option<String>,
) -> Result<(), StoreError> {
    let Some(number) = number else { return Ok(()) };
    let token = text.map(|text| token("dial", &text)).transpose()?;
    slate.dials.entry(number).or_default().push(Dial { at, token });
    Ok(())
}

/// Values by their hashes; none as long as nothing was ever erased.
fn sealed<'a, T>(
    slate: &Slate,
    values: &'a BTreeSet<T>,
    hash: impl Fn(&Seal, &T) -> String,
) -> HashMap<String, &'a T> {
    let seal = slate.seal.iter();
    seal.flat_map(|seal| values.iter().map(|value| (hash(seal, value), value))).collect()
}
