//! Compares what the clients know with what the node holds after its last start. Pure, so that the
//! tests below can plant each fault and see it found.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{History, Hold};

/// What the node holds at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// The handovers that it knows, by external id: the lead, and whether that is closed.
    pub(super) handovers: BTreeMap<String, (String, bool)>,
    /// The touches in the ledgers, by id: the leads, one for each time that the touch is there.
    pub(super) touches: BTreeMap<String, Vec<String>>,
    /// Leads whose events are not numbered from one without a gap.
    pub(super) broken_ledgers: Vec<String>,
    /// Of the audit.
    pub(super) handover_count: i64,
    pub(super) touch_count: i64,
    pub(super) imbalance: i64,
}

/// Everything that does not fit.
pub(super) fn violations(history: &History, truth: &Truth) -> Vec<String> {
    let mut found: Vec<String> =
        history.refusals.iter().map(|refusal| format!("refused: {refusal}")).collect();
    check_touches(history, truth, &mut found);
    check_handovers(history, truth, &mut found);
    check_suppressions(history, truth, &mut found);
    check_holds(history, &mut found);
    if truth.imbalance != 0 {
        found.push(format!("the books are off by {}", truth.imbalance));
    }
    found.extend(truth.broken_ledgers.iter().map(|lead| format!("gap in the ledger of {lead}")));
    found
}

fn check_touches(history: &History, truth: &Truth, found: &mut Vec<String>) {
    let mut sent = BTreeSet::new();
    for touch in &history.touches {
        sent.insert(&touch.id);
        let there = truth.touches.get(&touch.id).map_or(&[][..], Vec::as_slice);
        let is_right = match (touch.span.answered, there) {
            (_, [lead]) => *lead == touch.lead && !touch.is_failed,
            (None, []) => true,
            _ => false,
        };
        if !is_right {
            found.push(format!("{touch:?} is in the ledgers of {there:?}"));
        }
        // Leases are long here: nothing ends one under a rep's hands but a suppression, or what the rep
        // sent before and gave up.
        let is_revoked = || {
            let of_family = history.suppressions.iter().filter(|one| one.family == touch.family);
            of_family
                .into_iter()
                .any(|one| touch.span.answered.is_some_and(|at| one.span.sent < at))
        };
        let is_ended = || {
            let is_before = |sent| touch.span.answered.is_some_and(|at| sent < at);
            history.loose_ends.iter().any(|end| end.lead == touch.lead && is_before(end.sent))
        };
        if touch.is_late && !is_revoked() && !is_ended() {
            found.push(format!("nothing ended the lease of {touch:?}"));
        }
    }
    let invented = truth.touches.keys().filter(|id| !sent.contains(id));
    found.extend(invented.map(|id| format!("nobody sent touch {id}")));
    if truth.touch_count != truth.touches.len() as i64 {
        let (books, ledgers) = (truth.touch_count, truth.touches.len());
        found.push(format!("{books} touches are stored, {ledgers} are in the ledgers"));
    }
}

fn check_handovers(history: &History, truth: &Truth, found: &mut Vec<String>) {
    for sent in history.handovers.iter().filter(|sent| sent.span.answered.is_some()) {
        let lead = truth.handovers.get(&sent.external_id).map(|(lead, _)| lead);
        if lead.is_none() || lead != sent.lead.as_ref() {
            found.push(format!("{sent:?} is lead {lead:?}"));
        }
    }
    let failed = history.handovers.iter().filter(|sent| sent.is_failed);
    let failed: BTreeSet<_> = failed.map(|sent| &sent.external_id).collect();
    // The same may have been sent again, and have come through then.
    let sent = history.handovers.iter().filter(|sent| !sent.is_failed);
    let sent: BTreeSet<_> = sent.map(|sent| &sent.external_id).collect();
    let stored = failed.difference(&sent).filter(|id| truth.handovers.contains_key(**id));
    found.extend(stored.map(|id| format!("handover {id} is stored, and was said to have failed")));
    // Those that nobody answered count if they came through.
    if truth.handover_count != truth.handovers.len() as i64 {
        let (books, known) = (truth.handover_count, truth.handovers.len());
        found.push(format!("{books} handovers are in the books, {known} are known by their keys"));
    }
}

fn check_suppressions(history: &History, truth: &Truth, found: &mut Vec<String>) {
    let mut suppressed_at = BTreeMap::<&str, u64>::new();
    for suppression in &history.suppressions {
        let Some(answered) = suppression.span.answered else { continue };
        for number in &suppression.numbers {
            let at = suppressed_at.entry(number).or_insert(answered);
            *at = answered.min(*at);
        }
    }
    for hold in &history.holds {
        let is_suppressed = |number: &String| {
            suppressed_at.get(number.as_str()).is_some_and(|answered| *answered < hold.asked)
        };
        if hold.numbers.iter().any(is_suppressed) {
            found.push(format!("a suppressed number was served: {hold:?}"));
        }
    }
    for sent in &history.handovers {
        let is_suppressed = |number: &String| suppressed_at.contains_key(number.as_str());
        let is_open = truth.handovers.get(&sent.external_id).is_some_and(|(_, closed)| !closed);
        if is_open && sent.numbers.iter().any(is_suppressed) {
            found.push(format!("a suppressed number is open: {sent:?}"));
        }
    }
}

/// No lead and no number is in the hands of two reps between the answer that gave it to the first
/// and the request that the first ends it with.
fn check_holds(history: &History, found: &mut Vec<String>) {
    let mut of_family = BTreeMap::<u64, Vec<(u64, u64)>>::new();
    for one in &history.suppressions {
        let answered = one.span.answered.unwrap_or(u64::MAX);
        of_family.entry(one.family).or_default().push((one.span.sent, answered));
    }
    let mut held = BTreeMap::<String, Vec<(u64, u64, &Hold)>>::new();
    for hold in &history.holds {
        let until = hold.until.unwrap_or(u64::MAX);
        // A suppression takes a lead out of a rep's hands before the rep knows.
        let revoking = of_family.get(&hold.family).into_iter().flatten();
        let revoking = revoking.filter(|(_, answered)| *answered > hold.asked);
        let until = revoking.map(|(sent, _)| *sent).fold(until, u64::min);
        if until <= hold.since {
            continue;
        }
        let numbers = hold.numbers.iter().map(|number| format!("number {number}"));
        for what in numbers.chain([format!("lead {}", hold.lead)]) {
            held.entry(what).or_default().push((hold.since, until, hold));
        }
    }
    for (what, mut spans) in held {
        spans.sort_by_key(|(since, ..)| *since);
        let mut last: Option<(u64, &Hold)> = None;
        for (since, until, hold) in spans {
            if let Some((held_until, holder)) = last
                && since < held_until
                && holder.rep != hold.rep
            {
                found.push(format!("{what} is in two hands: {holder:?} and {hold:?}"));
            }
            if last.is_none_or(|(held_until, _)| held_until < until) {
                last = Some((until, hold));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::{HandoverSent, LooseEnd, Span, SuppressionSent, TouchSent};
    use super::*;

    const SHARED: &str = "+49301";

    fn hold(rep: &str, lead: &str, asked: u64, until: Option<u64>) -> Hold {
        let numbers = vec![SHARED.to_owned()];
        let (rep, lead) = (rep.to_owned(), lead.to_owned());
        Hold { rep, lead, family: 7, numbers, asked, since: asked + 1, until }
    }

    /// Lead 1 goes from ann, who touches it, to bob, who still has it.
    fn sound() -> (History, Truth) {
        let span = Span { sent: 1, answered: Some(2) };
        let handover = HandoverSent {
            external_id: "7-0".into(),
            numbers: vec![SHARED.into()],
            span,
            lead: Some("1".into()),
            is_failed: false,
        };
        let touch = TouchSent {
            id: "t1".into(),
            lead: "1".into(),
            family: 7,
            span: Span { sent: 20, answered: Some(21) },
            is_late: false,
            is_failed: false,
        };
        let history = History {
            holds: vec![hold("ann", "1", 10, Some(20)), hold("bob", "1", 25, None)],
            touches: vec![touch],
            handovers: vec![handover],
            ..History::default()
        };
        let truth = Truth {
            handovers: [("7-0".to_owned(), ("1".to_owned(), false))].into(),
            touches: [("t1".to_owned(), vec!["1".to_owned()])].into(),
            handover_count: 1,
            touch_count: 1,
            ..Truth::default()
        };
        (history, truth)
    }

    fn suppression(sent: u64, answered: u64) -> SuppressionSent {
        let span = Span { sent, answered: Some(answered) };
        SuppressionSent { family: 7, numbers: vec![SHARED.into()], span }
    }

    /// Plants one fault, and sees that it is found and named.
    fn check(plant: impl FnOnce(&mut History, &mut Truth), expected: &str) {
        let (mut history, mut truth) = sound();
        assert_eq!(violations(&history, &truth), Vec::<String>::new());
        plant(&mut history, &mut truth);
        let found = violations(&history, &truth);
        assert!(found.iter().any(|one| one.contains(expected)), "{expected:?} is not in {found:?}");
    }

    #[test]
    fn two_hands_on_a_lead_or_a_number_are_found() {
        check(|history, _| history.holds[0].until = None, "lead 1 is in two hands");
        check(
            |history, _| history.holds[1] = hold("bob", "2", 15, None),
            "number +49301 is in two",
        );
        // The first holds on while a second and a third come and go.
        let long = |history: &mut History, _: &mut Truth| {
            history.holds = vec![hold("ann", "1", 1, None), hold("ann", "1", 3, Some(5))];
            history.holds.push(hold("bob", "1", 8, Some(12)));
        };
        check(long, "lead 1 is in two hands");
    }

    #[test]
    fn a_lost_doubled_moved_or_invented_touch_is_found() {
        check(|_, truth| truth.touches.clear(), "TouchSent");
        check(|_, truth| truth.touches.get_mut("t1").unwrap().push("1".into()), "TouchSent");
        check(|_, truth| truth.touches.get_mut("t1").unwrap()[0] = "2".into(), "TouchSent");
        check(|history, _| history.touches.clear(), "nobody sent touch t1");
        check(|_, truth| truth.touch_count = 2, "2 touches are stored");
        check(|history, _| history.touches[0].is_late = true, "nothing ended the lease");
    }

    #[test]
    fn a_lost_or_doubled_handover_is_found() {
        check(|_, truth| truth.handovers.clear(), "HandoverSent");
        check(|_, truth| truth.handovers.get_mut("7-0").unwrap().0 = "2".into(), "HandoverSent");
        check(|_, truth| truth.handover_count = 2, "2 handovers are in the books");
        check(|_, truth| truth.imbalance = 1, "off by 1");
        check(|_, truth| truth.broken_ledgers.push("1".into()), "gap in the ledger of 1");
        check(|history, _| history.refusals.push("INTERNAL".into()), "refused: INTERNAL");
    }

    #[test]
    fn what_was_said_to_have_failed_and_is_stored_is_found() {
        let touch = |history: &mut History, _: &mut Truth| {
            history.touches[0].span.answered = None;
            history.touches[0].is_failed = true;
        };
        check(touch, "is_failed: true");
        let handover = |history: &mut History, _: &mut Truth| {
            history.handovers[0].span.answered = None;
            history.handovers[0].is_failed = true;
        };
        check(handover, "handover 7-0 is stored");
    }

    #[test]
    fn a_lost_suppression_is_found() {
        let before = |history: &mut History, _: &mut Truth| {
            history.suppressions.push(suppression(22, 24));
        };
        check(before, "a suppressed number was served");
        check(before, "a suppressed number is open");
    }

    #[test]
    fn what_nobody_was_told_may_be_there_or_not() {
        let (mut history, mut truth) = sound();
        history.touches[0].span.answered = None;
        history.handovers[0].span.answered = None;
        assert_eq!(violations(&history, &truth), Vec::<String>::new());
        truth.touches.clear();
        truth.touch_count = 0;
        truth.handovers.clear();
        truth.handover_count = 0;
        assert_eq!(violations(&history, &truth), Vec::<String>::new());
    }

    #[test]
    fn what_a_rep_gave_up_may_end_a_lease_later() {
        let (mut history, truth) = sound();
        history.touches[0].is_late = true;
        history.loose_ends.push(LooseEnd { lead: "2".into(), sent: 5 });
        history.loose_ends.push(LooseEnd { lead: "1".into(), sent: 22 });
        assert_eq!(violations(&history, &truth).len(), 1);
        history.loose_ends[1].sent = 5;
        assert_eq!(violations(&history, &truth), Vec::<String>::new());
    }

    #[test]
    fn a_suppression_ends_a_hold_before_the_rep_knows() {
        let (mut history, mut truth) = sound();
        history.holds[0] = Hold { until: Some(40), ..hold("ann", "1", 10, None) };
        history.holds[1] = Hold { numbers: Vec::new(), ..hold("bob", "1", 25, None) };
        assert_eq!(violations(&history, &truth).len(), 1);
        history.suppressions.push(suppression(20, 22));
        truth.handovers.get_mut("7-0").unwrap().1 = true;
        assert_eq!(violations(&history, &truth), Vec::<String>::new());
    }
}
