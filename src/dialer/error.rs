//! Why a use case did not go through.

use crate::domain::{Bar, LeadId, instant_text};
use crate::queue::QueueError;
use crate::rules::Mistakes;
use crate::store::{Denied, StoreError};

use super::Forbidden;

/// A field that does not make sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field, as the client named it: `"lead.numbers[0]"`.
    pub field: String,
    /// What was expected, without the value that stood there.
    pub problem: String,
}

impl FieldProblem {
    /// A problem of a field.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// Why a use case did not go through.
#[derive(Debug, thiserror::Error)]
pub enum DialerError {
    /// There is no such queue, campaign, rep or lead.
    #[error("there is no {what} {id:?}")]
    NotFound {
        /// `"queue"`, `"campaign"`, `"rep"`, `"lead"`.
        what: &'static str,
        /// The id that was asked for.
        id: String,
    },
    /// Some fields do not make sense.
    #[error("{}", describe(.0))]
    Invalid(Vec<FieldProblem>),
    /// The rule document has mistakes.
    #[error("the rules have mistakes:\n{0}")]
    RulesInvalid(Mistakes),
    /// The rep may not pull.
    #[error("rep {0:?} is not active")]
    RepInactive(String),
    /// The rep is off duty, and their queue gives no leads to whoever is.
    #[error("rep {rep:?} is off duty{}", of_back(*.back_at))]
    RepOffDuty {
        /// The rep.
        rep: String,
        /// When they are back; `None`: nobody knows.
        back_at: Option<i64>,
    },
    /// The lead is none of the rep's queue.
    #[error("lead {lead} is not in the queue of rep {rep:?}")]
    OtherQueue {
        /// The lead.
        lead: LeadId,
        /// The rep.
        rep: String,
    },
    /// The request id was used before, for something else.
    #[error("this request id was used before with another body")]
    RequestReused,
    /// The lease is over, or was never given.
    #[error("the lease no longer stands")]
    LeaseLost,
    /// The rep skipped as many leads as the queue allows within an hour, and keeps this one.
    #[error("{}", of_skips(*.next_at))]
    SkipLimit {
        /// From when on they may skip again; `None`: the queue allows none.
        next_at: Option<i64>,
    },
    /// The lead, or that of this handover, was erased: it is not to come back.
    #[error("the lead was erased")]
    Erased,
    /// A callback was promised for an instant at which the lead may not be called.
    #[error("{}", of_callback(*.next_at, .bar.as_ref()))]
    CallbackIllegal {
        /// The next instant at which it may be; `None`: there is none in 40 days.
        next_at: Option<i64>,
        /// What forbids the one that was named; `None`: nobody can say where the lead lives.
        bar: Option<Bar>,
    },
    /// A lead may not be dialled any more, so its lease was not renewed but ended.
    #[error("{}", of_forbidden(.0))]
    LeadForbidden(Forbidden),
    /// The rep has promised as many callbacks in person as their queue allows.
    #[error(
        "the rep has promised {0} callbacks in person, as many as the queue allows at a time; promise \
         it to anyone (callback_any), or keep one first"
    )]
    CallbacksFull(i64),
    /// A rep has the lead in their hands.
    #[error(
        "rep {rep:?} has the lead in their hands until {}: transfer it after their touch, or when they \
         have released it",
        instant_text(*.until)
    )]
    LeadLeased {
        /// The rep.
        rep: String,
        /// Until when, unless they renew the lease.
        until: i64,
    },
    /// The lead is closed, and not in nurture.
    #[error("the lead is closed: only an open one, or one in nurture, goes to another queue")]
    LeadClosed,
    /// The campaign feeds another queue.
    #[error("campaign {0:?} cannot change its queue")]
    CampaignMoved(String),
    /// The index is out of reach.
    #[error("could not use the index of the queue")]
    Queue(#[from] QueueError),
    /// The truth is out of reach.
    #[error("could not use the store")]
    Store(#[source] StoreError),
}

fn describe(problems: &[FieldProblem]) -> String {
    let parts = problems.iter().map(|one| format!("{}: {}", one.field, one.problem));
    parts.collect::<Vec<_>>().join("; ")
}

fn of_back(back_at: Option<i64>) -> String {
    back_at.map_or(String::new(), |at| format!(" until {}", instant_text(at)))
}

fn of_callback(next_at: Option<i64>, bar: Option<&Bar>) -> String {
    format!("a callback would be {}", outside(next_at, bar))
}

fn of_forbidden(why: &Forbidden) -> String {
    let why = match why {
        Forbidden::Suppressed => "it is not to be called again".to_owned(),
        Forbidden::NoNumber => "none of its numbers is left".to_owned(),
        Forbidden::OutsideHours { next_at, bar } => {
            format!("it is {}", outside(*next_at, bar.as_ref()))
        }
    };
    format!("the lead may not be dialled any more, and the lease is over: {why}")
}

fn outside(next_at: Option<i64>, bar: Option<&Bar>) -> String {
    let why = bar.map_or("nobody can say where the lead lives".to_owned(), ToString::to_string);
    let next = match next_at {
        Some(at) => format!("the next legal time is {}", instant_text(at)),
        None => "no time of the next 40 days is legal".to_owned(),
    };
    format!("outside of calling hours ({why}); {next}")
}

fn of_skips(next_at: Option<i64>) -> String {
    match next_at {
        Some(at) => format!(
            "no more skips within the hour: the next one is possible at {}",
            instant_text(at)
        ),
        None => "the queue allows no skips".to_owned(),
    }
}

impl DialerError {
    /// One field that does not make sense.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem::new(field, problem)])
    }

    /// Nothing by this id.
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }
}

impl From<StoreError> for DialerError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Denied(Denied::RequestReused) => Self::RequestReused,
            StoreError::Denied(Denied::LeaseLost) => Self::LeaseLost,
            StoreError::Denied(Denied::SkipLimit { next_at }) => Self::SkipLimit { next_at },
            StoreError::Denied(Denied::UnknownLead(lead)) => Self::not_found("lead", lead),
            StoreError::Denied(Denied::UnknownRep(rep)) => Self::not_found("rep", rep),
            StoreError::Denied(Denied::LeadErased) => Self::Erased,
            StoreError::Denied(Denied::LeadClosed) => Self::LeadClosed,
            StoreError::Denied(Denied::UnknownTouch) => Self::not_found("touch", ""),
            StoreError::Denied(Denied::CampaignMoved) => Self::CampaignMoved(String::new()),
            other => Self::Store(other),
        }
    }
}
