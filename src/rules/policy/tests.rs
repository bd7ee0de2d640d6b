//! What managers may write about dispositions, and what is refused at its place.

use proptest::prelude::*;

use super::fixed_outcome;
use crate::domain::{AfterRoute, AfterRule, Delay, Disposition, Policy, QueueId, Stage};
use crate::rules::{Mistakes, RuleSet};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-11-22.
const NOW: i64 = 1_795_305_600_000;

fn shown(read: Result<RuleSet, Mistakes>) -> Result<Policy, Vec<String>> {
    match read {
        Ok(rules) => Ok((**rules.policy()).clone()),
        Err(Mistakes(mistakes)) => {
            let shown = |one: &crate::rules::Mistake| {
                format!("{}:{} {}", one.line, one.column, one.message)
            };
            Err(mistakes.iter().map(shown).collect())
        }
    }
}

fn read(after: &str) -> Result<Policy, Vec<String>> {
    shown(RuleSet::compile_at(&format!("queue = 'q'\n{after}"), NOW, Some(&["q", "second-line"])))
}

/// A document whose first rule is for `busy` and says this; another is for all the rest.
fn read_busy(keys: &str) -> Result<AfterRule, Vec<String>> {
    let rest = Disposition::ALL.iter().copied().filter(|one| {
        *one != Disposition::Busy && fixed_outcome(*one).is_none() && !one.stops_number()
    });
    let rest: Vec<_> = rest.map(Disposition::code).collect();
    let rest = format!("[[after]]\ndispositions = {rest:?}\nthen = 'lost'\n");
    let read = read(&format!("[[after]]\ndispositions = ['busy']\n{keys}\n{rest}"));
    read.map(|policy| policy.after[0].clone())
}

#[test]
fn every_route_can_be_written() {
    let date = "2027-01-15".parse().expect("a date");
    let queue = QueueId::new("second-line").expect("an id");
    for (then, route, reason) in [
        ("{ nurture = '90d' }", AfterRoute::Nurture(Some(90 * DAY_MS)), None),
        ("{ nurture = 'until_engagement' }", AfterRoute::Nurture(None), None),
        ("{ nurture_until = '2027-01-15' }", AfterRoute::NurtureUntil(date), None),
        ("'lost'", AfterRoute::Lost, None),
        ("'unreachable'", AfterRoute::Unreachable, None),
        ("{ queue = 'second-line' }", AfterRoute::Queue(queue), None),
        ("{ lost = 'no_budget' }", AfterRoute::Lost, Some("no_budget")),
        ("{ unreachable = 'gone-2' }", AfterRoute::Unreachable, Some("gone-2")),
    ] {
        let rule = read_busy(&format!("then = {then}")).expect(then);
        assert_eq!((rule.then, rule.reason.as_deref()), (route, reason));
        assert_eq!((rule.attempts_max, rule.stages), (None, Vec::new()), "closes at once");
    }
}

#[test]
fn stages_say_what_holds_for_the_first_days_or_attempts() {
    let rule = read_busy(
        "attempts_min = 6\nattempts_max = 12\nthen = 'lost'\n\
         [[after.stage]]\nfor_the_first = '3d'\nattempts = 4\nretry_in = ['1h', 'next_daypart']\n\
         [[after.stage]]\nretry_in = ['2d']",
    );
    let rule = rule.expect("a rule");
    let first = Stage {
        for_the_first_ms: Some(3 * DAY_MS),
        attempts: Some(4),
        retry_in: vec![Delay::For(HOUR_MS), Delay::NextDaypart],
    };
    let then = Stage { retry_in: vec![Delay::For(2 * DAY_MS)], ..Stage::default() };
    assert_eq!(rule.stages, [first, then]);
    assert_eq!((rule.attempts_min, rule.attempts_max), (6, Some(12)));
}

#[test]
fn a_contradiction_is_a_mistake_at_its_place() {
    let stages = |stages: &str| format!("attempts_max = 6\nthen = 'lost'\n{stages}");
    let stage = "[[after.stage]]\nretry_in = ['1h']\n";
    let unreached = "this stage is never reached: ";
    for (keys, mistake) in [
        (
            "retry_in = ['1h']\nthen = 'lost'".to_owned(),
            "2:1 [[after]] needs `attempts_max`: without it the attempts end nowhere, and `then` \
             is never reached; `attempts_max = 8`, say"
                .to_owned(),
        ),
        (
            "retry_in = ['1h']\nattempts_min = 7\nattempts_max = 6\nthen = 'lost'".into(),
            "5:16 `attempts_min` is more than `attempts_max`, 7 of 6".into(),
        ),
        (
            "attempts_min = 7\nthen = 'lost'".into(),
            "4:16 `attempts_min` goes with `retry_in`: without a next attempt the first such \
             touch closes the lead"
                .into(),
        ),
        (
            "retry_in = []\nattempts_max = 6\nthen = 'lost'".into(),
            "4:12 `retry_in` is empty; leave it out to close the lead at once".into(),
        ),
        (
            format!("retry_in = ['1h']\n{}", stages(stage)),
            "4:12 `retry_in` stands in each [[after.stage]] of a rule that has stages".into(),
        ),
        (
            stages(&format!("{stage}{stage}")),
            format!("8:1 {unreached}stage 1 has no end; give it `for_the_first` or `attempts`"),
        ),
        (
            stages(&format!("{stage}attempts = 4\n{stage}attempts = 3")),
            format!(
                "9:1 {unreached}it is over before stage 1 is; days count from the handover, \
                 attempts are all there were"
            ),
        ),
        (
            stages(&format!("{stage}attempts = 6\n{stage}")),
            format!(
                "9:1 {unreached}it is over before stage 1 is; days count from the handover, \
                 attempts are all there were"
            ),
        ),
        (
            stages(&format!("{stage}attempts = 1\n{stage}")),
            format!("6:1 {unreached}after the first attempt it is over"),
        ),
        (
            "then = { nurture_until = '2026-11-22' }".into(),
            "4:26 2026-11-22 does not lie ahead: leads would come back at once".into(),
        ),
        (
            "then = { nurture_until = '20270115' }".into(),
            "4:26 `nurture_until` is a date like \"2027-01-15\"".into(),
        ),
        (
            "then = { lost = 'no budget' }".into(),
            "4:17 a reason is a word of 1 to 64 letters a to z, digits, `_` and `-`".into(),
        ),
        (
            "then = { lost = 'a', unreachable = 'b' }".into(),
            "4:36 `then` is one route, not both `lost` and `unreachable`".into(),
        ),
    ] {
        assert_eq!(read_busy(&keys), Err(vec![mistake]), "{keys}");
    }
}

#[test]
fn a_lead_is_handed_to_another_queue_that_there_is() {
    for (queue, mistake) in [
        ("second-lin", "4:18 there is no queue `second-lin`; did you mean `second-line`?"),
        ("q", "4:18 a lead of queue `q` cannot be handed to `q`"),
    ] {
        let read = read_busy(&format!("then = {{ queue = '{queue}' }}"));
        assert_eq!(read, Err(vec![mistake.to_owned()]));
    }
}

#[test]
fn a_stage_that_begins_by_days_or_by_attempts_is_reached() {
    for (first, second) in [
        ("for_the_first = '3d'\nattempts = 4", "attempts = 4"),
        ("for_the_first = '3d'\nattempts = 4", "for_the_first = '3d'"),
        ("attempts = 2", "attempts = 3"),
    ] {
        let stage = "[[after.stage]]\nretry_in = ['1h']\n";
        let keys = format!("attempts_max = 9\nthen = 'lost'\n{stage}{first}\n{stage}{second}");
        assert_eq!(read_busy(&keys).map(|rule| rule.stages.len()), Ok(2), "{keys}");
    }
}

#[test]
fn what_policy_may_not_say_is_refused_at_its_place() {
    let document = "[[after]]
dispositions = ['busy', 'no_anser', 'do_not_call', 'sale', 'callback_any']
retry_in = ['1h', 'next_daipart']
attempts_max = 1001
[[after]]
dispositions = ['busy']
then = 'lots'
[[after]]
dispositions = []
then = { nurture = 'until_engagment', for = '1d' }
then_what = 1
";
    let expected = [
        "2:1 [[after]] needs `then`",
        "3:25 no disposition `no_anser`; did you mean `no_answer`?",
        "3:37 what follows `do_not_call` is fixed: the lead and its number are suppressed at \
         once",
        "3:52 what follows `sale` is fixed: the lead is won",
        "3:60 what follows `callback_any` is fixed: the lead is called at the time that was \
         agreed",
        "4:19 no delay `next_daipart`; did you mean `next_daypart`?",
        "5:16 `attempts_max` is a whole number from 1 to 1000",
        "7:17 `busy` stands in line 3 already",
        "8:8 no route `lots`; did you mean `lost`?",
        "10:16 [[after]] needs a disposition at least",
        "11:20 no `until_engagment`; did you mean `until_engagement`?",
        "11:39 `then` has no `for`; it has `nurture`, `nurture_until`, `lost`, `unreachable`, \
         `queue`",
        "12:1 [[after]] has no `then_what`; it has `dispositions`, `retry_in`, `stage`, \
         `attempts_min`, `attempts_max`, `then`",
    ];
    assert_eq!(read(document), Err(expected.map(str::to_owned).to_vec()));
}

#[test]
fn what_nothing_is_said_about_is_told_with_a_rule_that_would_do() {
    let rule = "[[after]]\ndispositions = ['no_answer', 'busy', 'voicemail', 'congestion', \
                'language', 'wrong_time']\nthen = 'lost'\n";
    let expected = [
        "2:1 nothing says what follows `dead_air`, `dropped_before_rep`; name it in an [[after]], \
         or add one: dispositions = [\"dead_air\", \"dropped_before_rep\"], retry_in = [\"3d\"], \
         attempts_max = 8, then = { nurture = \"90d\" }",
        "2:1 nothing says what follows `gatekeeper`; name it in an [[after]], or add one: \
         dispositions = [\"gatekeeper\"], retry_in = [\"next_daypart\"], attempts_max = 8, then = \
         { nurture = \"90d\" }",
        "2:1 nothing says what follows `not_interested`, `not_qualified`; name it in an \
         [[after]], or add one: dispositions = [\"not_interested\", \"not_qualified\"], then = \
         \"lost\"",
        "2:1 nothing says what follows `needs_specialist`; name it in an [[after]], or add one: \
         dispositions = [\"needs_specialist\"], retry_in = [\"1h\", \"4h\", \"1d\", \"2d\"], \
         attempts_max = 8, then = { nurture = \"90d\" }",
    ];
    assert_eq!(read(rule), Err(expected.map(str::to_owned).to_vec()));
    assert_eq!(read("").map(|policy| policy.after), Ok(Vec::new()), "all is built in");
}

#[test]
fn what_was_published_before_keeps_what_it_meant() {
    let text = "queue = 'q'\n[[after]]\ndispositions = ['no_answer']\nretry_in = ['1h']\n\
                then = { nurture_until = '2020-01-01' }";
    assert!(RuleSet::compile(text).is_err(), "it is no longer published");
    let policy = shown(RuleSet::compile_stored(text)).expect("it is still in force");
    let rule = |how| policy.after.iter().find(|rule| rule.dispositions.contains(&how));
    assert_eq!(rule(Disposition::NoAnswer).and_then(|rule| rule.attempts_max), None);
    let gatekeeper = rule(Disposition::Gatekeeper).expect("growing delays, as it was");
    let delays = [1, 4, 24, 48].map(|hours| Delay::For(hours * HOUR_MS));
    assert_eq!(gatekeeper.stages[0].retry_in, delays);
    assert_eq!(
        (gatekeeper.attempts_max, gatekeeper.then.clone()),
        (Some(8), AfterRoute::Nurture(Some(90 * DAY_MS)))
    );
    let not_interested = rule(Disposition::NotInterested).expect("lost, as it was");
    assert_eq!((not_interested.stages.len(), not_interested.then.clone()), (0, AfterRoute::Lost));
    let nothing = shown(RuleSet::compile_stored("queue = 'q'")).expect("no policy");
    assert_eq!(nothing, Policy::default());
}

#[test]
fn a_policy_is_told_disposition_by_disposition() {
    let keys = "attempts_min = 6\nattempts_max = 12\nthen = { lost = 'silent' }\n\
                [[after.stage]]\nfor_the_first = '3d'\nattempts = 4\nretry_in = ['1h', \
                'next_daypart']\n[[after.stage]]\nretry_in = ['2d']";
    let policy = Policy { after: vec![read_busy(keys).expect("a rule")] };
    let lines = super::outline(&policy);
    assert_eq!(
        lines[0].outcome,
        "for the first 3d or 4 attempts: 1h, next_daypart and so on; then 2d each time; after 12 \
         attempts but not before 6 lost (silent)"
    );
    let outcome = |how| {
        let line = lines.iter().find(|line| line.dispositions.contains(&how)).expect("a line");
        (line.outcome.as_str(), line.is_built_in)
    };
    assert_eq!(outcome(Disposition::Sale), ("the lead is won", true));
    assert_eq!(
        outcome(Disposition::Fax).0,
        "the number is stopped, the next is tried: at once each time; after 20 attempts \
         unreachable"
    );
    let told: usize = lines.iter().map(|line| line.dispositions.len()).sum();
    assert_eq!(told, Disposition::ALL.len(), "each once");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_document_with_the_rules_that_its_mistakes_propose_has_none(chosen in 1_u32..1 << 21) {
        let is_chosen = |(nth, one): &(usize, &Disposition)| {
            chosen >> nth & 1 == 1 && fixed_outcome(**one).is_none()
        };
        let chosen: Vec<_> =
            Disposition::ALL.iter().enumerate().filter(is_chosen).map(|(_, one)| one.code()).collect();
        prop_assume!(!chosen.is_empty());
        let mut document = format!("[[after]]\ndispositions = {chosen:?}\nthen = 'lost'\n");
        for mistake in read(&document).err().unwrap_or_default() {
            let (_, rule) = mistake.split_once("add one: ").expect("a proposal");
            let rule = rule.replace("], ", "]\n").replace("8, ", "8\n");
            document.push_str(&format!("[[after]]\n{rule}\n"));
        }
        prop_assert!(read(&document).is_ok(), "{document}\n{:?}", read(&document).err());
    }
}
