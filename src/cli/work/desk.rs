//! A rep's desk: what lies on it, and what a key or an answer of the node does to it. Pure: the
//! driver makes the calls and shows what is said.

use tonic::Status;

use super::keys::{
    GIVE_BACK_KEYS, GiveBack, Key, MISTAKE, NOTES, QUIT, SKIP, TALKING, disposition_of,
    give_back_of, needs_instant, read_when,
};
use super::lead::Held;
use crate::api::proto::next_lead_response::Answer;
use crate::api::proto::record_touch_response::Next;
use crate::api::proto::{
    Disposition, NextLeadResponse, NothingToServe, RecordTouchRequest, RecordTouchResponse,
    ReleaseLeaseRequest, RenewLeaseRequest, RenewLeaseResponse, ServedLead,
};
use crate::cli::lead::standing_text;
use crate::cli::words::{read_word, word};

/// How long a lead must have been on a screen before a key may end it: who pressed a key twice meant
/// the lead before.
const SETTLE_MS: i64 = 700;

/// What happens to a desk.
#[derive(Debug)]
pub(super) enum Event {
    Key(Key),
    /// A whole line, where keys come as lines.
    Line(String),
    /// There will be no more keys.
    End,
    Tick,
    Pulled(Result<NextLeadResponse, Status>),
    Renewed(Result<RenewLeaseResponse, Status>),
    Recorded(Result<RecordTouchResponse, Status>),
    Released(Result<(), Status>),
    /// The node does not answer; the call is made again.
    LineDown(Status),
    LineUp,
}

/// What the driver shall do.
#[derive(Debug)]
pub(super) enum Effect {
    Pull {
        is_patient: bool,
    },
    Renew(RenewLeaseRequest),
    Record(RecordTouchRequest),
    Release(ReleaseLeaseRequest),
    Tell(Told),
    Quit,
    /// There is nothing left to do, and this is why.
    Fail(Status),
}

/// What a rep without a screen is told.
#[derive(Debug)]
pub(super) enum Told {
    Served(Box<ServedLead>),
    Nothing(NothingToServe),
    Recorded(String, Box<RecordTouchResponse>),
    Released,
    Refused(Status),
    LineDown(Status),
    LineUp,
    /// A question, or that a key means nothing here.
    Note(String),
}

/// What the keys mean now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// Each key does something by itself.
    Keys,
    Notes(String),
    When(Disposition, String),
    Skip,
    Quit,
    /// A touch is not recorded yet.
    QuitUnsent,
}

/// What the desk waits for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Busy {
    Pulling,
    Recording(Box<RecordTouchRequest>),
    Releasing,
}

pub(super) struct Desk {
    /// Empty: the rep of the token.
    pub(super) rep: String,
    pub(super) lead: Option<Held>,
    pub(super) nothing: Option<NothingToServe>,
    pub(super) prompt: Prompt,
    pub(super) busy: Option<Busy>,
    pub(super) touch_count: u32,
    /// Since when nothing could be served.
    pub(super) idle_since: i64,
    /// What the node last said no to, or what became of the last lead.
    pub(super) flash: Option<Flash>,
    pub(super) line_down: Option<String>,
    /// Whether a person sees a screen that changes under their fingers.
    is_screen: bool,
    is_ending: bool,
    new_id: Box<dyn FnMut() -> String>,
}

/// A line above the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flash {
    pub(super) is_bad: bool,
    pub(super) text: String,
}

impl Flash {
    fn of_touch(response: &RecordTouchResponse) -> Self {
        let standing = response.state.as_ref().and_then(|state| state.standing.as_ref());
        let standing = standing_text(standing);
        match response.late {
            false => Self { is_bad: false, text: format!("Recorded; the lead is {standing}.") },
            true => Self {
                is_bad: true,
                text: format!("Recorded late, which moved nothing; the lead is {standing}."),
            },
        }
    }
}

impl Desk {
    /// An empty desk that pulls; `new_id` makes the ids of touches.
    pub(super) fn open(
        rep: String,
        is_screen: bool,
        now: i64,
        new_id: Box<dyn FnMut() -> String>,
    ) -> (Self, Vec<Effect>) {
        let desk = Self {
            rep,
            lead: None,
            nothing: None,
            prompt: Prompt::Keys,
            busy: Some(Busy::Pulling),
            touch_count: 0,
            idle_since: now,
            flash: None,
            line_down: None,
            is_screen,
            is_ending: false,
            new_id,
        };
        (desk, vec![Effect::Pull { is_patient: false }])
    }

    /// Whether a line that was typed ahead may be taken now.
    pub(super) fn takes_lines(&self) -> bool {
        match self.busy {
            None => true,
            Some(Busy::Pulling) => self.nothing.is_some(),
            Some(_) => false,
        }
    }

    /// The touch that the node has not confirmed.
    pub(super) fn unsent(&self) -> Option<&RecordTouchRequest> {
        match &self.busy {
            Some(Busy::Recording(request)) => Some(request),
            _ => None,
        }
    }

    /// Takes what happened, and says what to do about it.
    pub(super) fn on(&mut self, event: Event, now: i64) -> Vec<Effect> {
        match event {
            Event::Key(key) => self.key(key, now),
            Event::Line(line) => self.line(&line, now),
            Event::End => {
                self.is_ending = true;
                self.settle()
            }
            Event::Tick => self.tick(now),
            Event::Pulled(Ok(response)) => self.pulled(response, now),
            Event::Pulled(Err(status)) => self.refused(status),
            Event::Renewed(answer) => self.renewed(answer, now),
            Event::Recorded(Ok(response)) => self.recorded(response, now),
            Event::Recorded(Err(status)) | Event::Released(Err(status)) => self.refused(status),
            Event::Released(Ok(())) => self.released(),
            Event::LineDown(status) => self.line_went_down(status),
            Event::LineUp => match self.line_down.take() {
                Some(_) => vec![Effect::Tell(Told::LineUp)],
                None => Vec::new(),
            },
        }
    }

    fn line_went_down(&mut self, status: Status) -> Vec<Effect> {
        let problem = match status.message() {
            "" => status.code().description(),
            message => message,
        };
        let is_new = self.line_down.replace(problem.to_owned()).is_none();
        // Nobody is there any more who could decide to wait.
        if self.is_ending {
            return vec![Effect::Fail(status)];
        }
        let told = Effect::Tell(Told::LineDown(status));
        is_new.then_some(told).into_iter().collect()
    }

    fn line(&mut self, line: &str, now: i64) -> Vec<Effect> {
        if matches!(self.prompt, Prompt::Notes(_) | Prompt::When(..)) {
            if let Prompt::Notes(text) | Prompt::When(_, text) = &mut self.prompt {
                *text = line.trim().to_owned();
            }
            return self.key(Key::Enter, now);
        }
        let word = line.trim();
        let mut letters = word.chars();
        match (letters.next(), letters.next()) {
            (None, _) => Vec::new(),
            (Some(key), None) => self.key(Key::Char(key), now),
            _ => match read_word::<Disposition>(word) {
                Ok(disposition) if self.prompt == Prompt::Keys => self.ended(disposition, now),
                _ => self.note(format!("{word:?} means nothing here")),
            },
        }
    }

    fn key(&mut self, key: Key, now: i64) -> Vec<Effect> {
        match (&mut self.prompt, key) {
            (Prompt::Notes(text) | Prompt::When(_, text), Key::Char(one)) => text.push(one),
            (Prompt::Notes(text) | Prompt::When(_, text), Key::Backspace) => drop(text.pop()),
            (Prompt::Notes(text), Key::Enter) => {
                let text = std::mem::take(text).trim().to_owned();
                self.prompt = Prompt::Keys;
                if let Some(lead) = &mut self.lead {
                    lead.notes = text;
                }
            }
            (Prompt::When(disposition, text), Key::Enter) => {
                let (disposition, text) = (*disposition, std::mem::take(text));
                return self.when(disposition, &text, now);
            }
            (Prompt::Quit, Key::Interrupt) => return vec![Effect::Quit],
            (Prompt::Keys, Key::Interrupt) => return self.quit(),
            (Prompt::Keys, Key::Char(key)) => return self.command(key, now),
            (Prompt::Keys, _) => {}
            (_, Key::Escape | Key::Interrupt) => self.prompt = Prompt::Keys,
            (Prompt::Skip, Key::Char(key)) => return self.skip(key),
            (Prompt::Quit, Key::Char('y')) => return self.release(MISTAKE, true),
            (Prompt::Quit, Key::Char('k')) | (Prompt::QuitUnsent, Key::Char('y')) => {
                return vec![Effect::Quit];
            }
            (Prompt::Quit | Prompt::QuitUnsent, _) => self.prompt = Prompt::Keys,
            (Prompt::Skip, _) => {}
        }
        Vec::new()
    }

    /// A key that does something by itself.
    fn command(&mut self, key: char, now: i64) -> Vec<Effect> {
        if key == QUIT {
            return self.quit();
        }
        let Some(lead) = self.lead.as_mut().filter(|_| self.busy.is_none()) else {
            return Vec::new();
        };
        if self.is_screen && now < lead.shown_at + SETTLE_MS {
            return Vec::new();
        }
        match key {
            NOTES => {
                self.prompt = Prompt::Notes(lead.notes.clone());
                self.ask("notes, in one line")
            }
            SKIP => {
                self.prompt = Prompt::Skip;
                self.ask(&format!("why skip: {GIVE_BACK_KEYS}"))
            }
            TALKING => {
                lead.is_talking = !lead.is_talking;
                Vec::new()
            }
            '1'..='9' => match lead.choose(key) {
                true => Vec::new(),
                false => self.note(format!("there is no number {key}")),
            },
            _ => match disposition_of(key) {
                Some(disposition) => self.ended(disposition, now),
                None => self.note(format!("the key {key} means nothing here")),
            },
        }
    }

    /// The call ended.
    fn ended(&mut self, disposition: Disposition, now: i64) -> Vec<Effect> {
        let Some(lead) = self.lead.as_ref().filter(|_| self.busy.is_none()) else {
            return self.note("there is no lead to touch".to_owned());
        };
        if !lead.served.dispositions.contains(&(disposition as i32)) {
            let code = word::<Disposition>(disposition as i32);
            return self.note(format!("a touch of this lead cannot end with {code}"));
        }
        if needs_instant(disposition) {
            self.prompt = Prompt::When(disposition, String::new());
            return self.ask("call back when: +2h, 14:30 or 2026-03-02 14:30 where the lead lives");
        }
        self.record(disposition, None, now)
    }

    fn when(&mut self, disposition: Disposition, text: &str, now: i64) -> Vec<Effect> {
        let zone = self.lead.as_ref().map_or("", |lead| lead.zone());
        match read_when(text, zone, now) {
            Ok(at) => self.record(disposition, Some(at), now),
            Err(problem) => {
                self.prompt = Prompt::When(disposition, text.to_owned());
                self.note(problem)
            }
        }
    }

    fn record(
        &mut self,
        disposition: Disposition,
        callback: Option<prost_types::Timestamp>,
        now: i64,
    ) -> Vec<Effect> {
        self.prompt = Prompt::Keys;
        self.flash = None;
        let touch_id = (self.new_id)();
        let Some(lead) = &self.lead else { return Vec::new() };
        let request = RecordTouchRequest {
            callback_time: callback,
            then_next: !self.is_ending,
            ..lead.touch(&self.rep, touch_id, disposition, now)
        };
        self.busy = Some(Busy::Recording(Box::new(request.clone())));
        vec![Effect::Record(request)]
    }

    fn recorded(&mut self, response: RecordTouchResponse, now: i64) -> Vec<Effect> {
        let touch_id = self.unsent().map_or(String::new(), |request| request.touch_id.clone());
        self.busy = None;
        self.lead = None;
        self.touch_count += 1;
        self.prompt = Prompt::Keys;
        self.flash = Some(Flash::of_touch(&response));
        let next = response.next.clone();
        let mut effects = vec![Effect::Tell(Told::Recorded(touch_id, Box::new(response)))];
        effects.extend(match next {
            Some(Next::NextServed(served)) => self.serve(served, now),
            Some(Next::NextNothing(nothing)) => self.nothing(nothing, now),
            Some(Next::NextLost(_)) | None => self.pull(false),
        });
        effects.extend(self.settle());
        effects
    }

    fn pulled(&mut self, response: NextLeadResponse, now: i64) -> Vec<Effect> {
        self.busy = None;
        let mut effects = match response.answer {
            Some(Answer::Served(served)) => self.serve(served, now),
            Some(Answer::Nothing(nothing)) => self.nothing(nothing, now),
            None => self.pull(true),
        };
        effects.extend(self.settle());
        effects
    }

    fn serve(&mut self, served: ServedLead, now: i64) -> Vec<Effect> {
        self.nothing = None;
        self.prompt = Prompt::Keys;
        let told = Told::Served(Box::new(served.clone()));
        self.lead = Some(Held::new(served, now));
        vec![Effect::Tell(told)]
    }

    fn nothing(&mut self, nothing: NothingToServe, now: i64) -> Vec<Effect> {
        if self.nothing.is_none() {
            self.idle_since = now;
        }
        let mut effects = Vec::new();
        if self.nothing.as_ref() != Some(&nothing) {
            effects.push(Effect::Tell(Told::Nothing(nothing.clone())));
        }
        self.nothing = Some(nothing);
        effects.extend(self.pull(true));
        effects
    }

    fn pull(&mut self, is_patient: bool) -> Vec<Effect> {
        if self.is_ending {
            return Vec::new();
        }
        self.busy = Some(Busy::Pulling);
        vec![Effect::Pull { is_patient }]
    }

    fn skip(&mut self, key: char) -> Vec<Effect> {
        match give_back_of(key) {
            Some(why) => self.release(why, false),
            None => self.note(GIVE_BACK_KEYS.to_owned()),
        }
    }

    fn quit(&mut self) -> Vec<Effect> {
        if self.unsent().is_some() {
            self.prompt = Prompt::QuitUnsent;
            return self.ask("a touch is not recorded yet; quit nevertheless: y");
        }
        if self.lead.is_none() || self.busy.is_some() {
            return vec![Effect::Quit];
        }
        self.prompt = Prompt::Quit;
        self.ask("give the lead back: y gives it back and quits, k keeps it and quits")
    }

    fn release(&mut self, why: GiveBack, is_ending: bool) -> Vec<Effect> {
        self.prompt = Prompt::Keys;
        self.flash = None;
        self.is_ending |= is_ending;
        let Some(lead) = &self.lead else { return self.settle() };
        self.busy = Some(Busy::Releasing);
        vec![Effect::Release(lead.release(&self.rep, why))]
    }

    fn released(&mut self) -> Vec<Effect> {
        self.busy = None;
        self.lead = None;
        self.flash = Some(Flash { is_bad: false, text: "The lead is back in line.".to_owned() });
        let mut effects = vec![Effect::Tell(Told::Released)];
        effects.extend(self.pull(false));
        effects.extend(self.settle());
        effects
    }

    /// The node said no: nothing was done, the lead still lies here.
    fn refused(&mut self, status: Status) -> Vec<Effect> {
        let was_pulling = matches!(self.busy, Some(Busy::Pulling));
        let was_releasing = matches!(self.busy, Some(Busy::Releasing));
        self.busy = None;
        self.flash = Some(Flash { is_bad: true, text: status.message().to_owned() });
        // Without a lead there is nothing to do; one that could not be released runs out.
        if was_pulling || self.is_ending {
            return vec![Effect::Fail(status)];
        }
        let mut effects = vec![Effect::Tell(Told::Refused(status))];
        if was_releasing {
            self.lead = None;
            effects.extend(self.pull(false));
        }
        effects
    }

    fn renewed(&mut self, answer: Result<RenewLeaseResponse, Status>, now: i64) -> Vec<Effect> {
        let Some(lead) = &mut self.lead else { return Vec::new() };
        match answer {
            Ok(renewed) => {
                lead.renewed(&renewed, now);
                Vec::new()
            }
            Err(status) => {
                lead.is_lost = true;
                self.flash = Some(Flash { is_bad: true, text: status.message().to_owned() });
                vec![Effect::Tell(Told::Refused(status))]
            }
        }
    }

    fn tick(&mut self, now: i64) -> Vec<Effect> {
        let is_free = self.busy.is_none();
        let Some(lead) = self.lead.as_mut().filter(|lead| is_free && lead.wants_renewal(now))
        else {
            return Vec::new();
        };
        lead.is_renewing = true;
        vec![Effect::Renew(lead.renewal(&self.rep))]
    }

    /// Once nobody types any more, gives back what lies here and ends.
    fn settle(&mut self) -> Vec<Effect> {
        match self.busy {
            _ if !self.is_ending => Vec::new(),
            None | Some(Busy::Pulling) if self.lead.is_none() => vec![Effect::Quit],
            None => self.release(MISTAKE, true),
            Some(_) => Vec::new(),
        }
    }

    fn ask(&self, question: &str) -> Vec<Effect> {
        vec![Effect::Tell(Told::Note(question.to_owned()))]
    }

    fn note(&mut self, text: String) -> Vec<Effect> {
        self.flash = Some(Flash { is_bad: true, text: text.clone() });
        vec![Effect::Tell(Told::Note(text))]
    }
}
