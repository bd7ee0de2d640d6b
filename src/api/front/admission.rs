//! Who may sit down: the calls that are worked on at a time, and the pulls that wait, in all and by
//! token.
//!
//! It stands behind the gate, so it knows whose call it is, and before any message is read, so a call
//! that is too many costs next to nothing. Touches, releases and renewals have seats of their own in
//! reserve: a node with too much to do still takes what would otherwise be lost. A pull that waits for
//! a lead works on nothing, so it stands up and waits among those who wait.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::{Either, Ready, ready};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Request, Status};

use super::Refusal;
use super::limits::Limits;
use super::methods::is_urgent;
use super::stream::Stream;
use super::tally::{Limit, Tally};
use crate::auth::{Caller, Role};

/// How many may watch the node's health at a time: it takes no token, and a watch may last for ever.
const WATCH_COUNT_MAX: usize = 256;
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";

/// Counts who sits and who waits.
#[derive(Debug)]
pub(super) struct Desk {
    limits: Limits,
    tally: Arc<Tally>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: Count,
    tokens: HashMap<Token, Count>,
}

/// Whose calls count together: whether it is a rep's, and the caller's name.
type Token = (bool, Arc<str>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    calls: usize,
    waits: usize,
}

/// What a seat is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Call,
    Wait,
    Watch,
}

/// A seat; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    desk: Arc<Desk>,
    token: Token,
    is_for: For,
}

impl Desk {
    pub(super) fn new(limits: Limits, tally: Arc<Tally>) -> Self {
        Self { limits, tally, counts: Mutex::default() }
    }

    fn seat_for_call(self: &Arc<Self>, caller: &Caller, path: &str) -> Result<Seat, Refusal> {
        let is_reps = caller.role == Role::Rep;
        let limits = &self.limits;
        let reserved = if is_urgent(path) { 0 } else { limits.call_count_reserved };
        let all_max = limits.call_count_max.saturating_sub(reserved);
        let token_max =
            if is_reps { limits.rep_call_count_max } else { limits.token_call_count_max };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all.calls >= all_max {
            self.tally.note(Limit::Calls);
            return Err(Refusal::Overloaded);
        }
        let token: Token = (is_reps, Arc::from(caller.name.as_str()));
        let count = counts.tokens.entry(token.clone()).or_default();
        if count.calls >= token_max {
            self.tally.note(Limit::TokenCalls);
            return Err(Refusal::TokenBusy);
        }
        count.calls += 1;
        counts.all.calls += 1;
        self.tally.calls(1);
        Ok(Seat { desk: self.clone(), token, is_for: For::Call })
    }

    fn seat_for_watch(self: &Arc<Self>) -> Result<Seat, Refusal> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // No caller has an empty name.
        let token: Token = (false, Arc::from(""));
        let count = counts.tokens.entry(token.clone()).or_default();
        if count.calls >= WATCH_COUNT_MAX {
            self.tally.note(Limit::Calls);
            return Err(Refusal::Overloaded);
        }
        count.calls += 1;
        Ok(Seat { desk: self.clone(), token, is_for: For::Watch })
    }

    fn seat_for_wait(self: &Arc<Self>, token: &Token) -> Result<Seat, Refusal> {
        let limits = &self.limits;
        let token_max =
            if token.0 { limits.rep_wait_count_max } else { limits.token_wait_count_max };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all.waits >= limits.wait_count_max {
            self.tally.note(Limit::Waits);
            return Err(Refusal::WaitsFull);
        }
        let count = counts.tokens.entry(token.clone()).or_default();
        if count.waits >= token_max {
            self.tally.note(Limit::TokenWaits);
            return Err(Refusal::TokenWaitsFull);
        }
        count.waits += 1;
        counts.all.waits += 1;
        self.tally.waits(1);
        Ok(Seat { desk: self.clone(), token: token.clone(), is_for: For::Wait })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.desk.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { all, tokens } = &mut *counts;
        let count = tokens.get_mut(&self.token).expect("a seat is counted with its token");
        match self.is_for {
            For::Call => {
                all.calls -= 1;
                count.calls -= 1;
                self.desk.tally.calls(-1);
            }
            For::Watch => count.calls -= 1,
            For::Wait => {
                all.waits -= 1;
                count.waits -= 1;
                self.desk.tally.waits(-1);
            }
        }
        if count.calls == 0 && count.waits == 0 {
            tokens.remove(&self.token);
        }
    }
}

/// The right to wait; given back when dropped.
#[derive(Debug)]
#[must_use = "who waits without it is not counted"]
pub(in crate::api) struct Waiting(
    #[expect(dead_code, reason = "it counts until it is dropped")] Seat,
);

/// Gives the seat of this call back and takes one among those who wait.
///
/// An error: enough wait already. The call then keeps its seat.
pub(in crate::api) fn wait_apart<T>(request: &Request<T>) -> Result<Option<Waiting>, Refusal> {
    // Without a front, as in a test that calls a service itself, nobody counts.
    let Some(stream) = request.extensions().get::<Arc<Stream>>() else { return Ok(None) };
    let Some(seat) = stream.stand_up() else { return Ok(None) };
    match seat.desk.seat_for_wait(&seat.token) {
        Ok(wait) => Ok(Some(Waiting(wait))),
        Err(refusal) => {
            stream.sit(seat);
            Err(refusal)
        }
    }
}

/// A service that only those call who got a seat.
#[derive(Clone)]
pub(in crate::api) struct Admission<S> {
    service: S,
    desk: Arc<Desk>,
}

impl<S> Admission<S> {
    pub(in crate::api) fn new(service: S, limits: &Limits, tally: &Arc<Tally>) -> Self {
        Self { service, desk: Arc::new(Desk::new(limits.clone(), tally.clone())) }
    }

    fn admit(&self, request: &http::Request<Body>) -> Result<(), Refusal> {
        let extensions = request.extensions();
        // Whoever asks for the node's health has no token, and is always told; who stays to watch it holds
        // memory.
        let Some(stream) = extensions.get::<Arc<Stream>>() else { return Ok(()) };
        let Some(caller) = extensions.get::<Caller>() else {
            if request.uri().path() == HEALTH_WATCH {
                stream.sit(self.desk.seat_for_watch()?);
            }
            return Ok(());
        };
        stream.sit(self.desk.seat_for_call(caller, request.uri().path())?);
        Ok(())
    }
}

impl<S> Service<http::Request<Body>> for Admission<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Self::Response, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self.admit(&request) {
            Ok(()) => Either::Right(self.service.call(request)),
            Err(refusal) => Either::Left(ready(Ok(Status::from(refusal).into_http()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PULL: &str = "/nextlead.v1.RepService/NextLead";
    const TOUCH: &str = "/nextlead.v1.RepService/RecordTouch";

    fn desk(limits: Limits) -> Arc<Desk> {
        Arc::new(Desk::new(limits, Arc::default()))
    }

    fn small() -> Limits {
        Limits {
            call_count_max: 4,
            call_count_reserved: 1,
            wait_count_max: 3,
            rep_call_count_max: 2,
            rep_wait_count_max: 1,
            ..Limits::default()
        }
    }

    fn caller(name: &str, role: Role) -> Caller {
        Caller { name: name.into(), role, rep: None }
    }

    fn wait(seat: &Seat) -> Result<Seat, Refusal> {
        seat.desk.seat_for_wait(&seat.token)
    }

    #[test]
    fn an_overloaded_desk_still_takes_touches() {
        let desk = desk(small());
        let crm = caller("crm", Role::Admin);
        let seats: Vec<_> = (0..3).map(|_| desk.seat_for_call(&crm, PULL).unwrap()).collect();
        assert_eq!(desk.seat_for_call(&crm, PULL).unwrap_err(), Refusal::Overloaded);
        let touch = desk.seat_for_call(&crm, TOUCH).unwrap();
        assert_eq!(desk.seat_for_call(&crm, TOUCH).unwrap_err(), Refusal::Overloaded);
        assert_eq!(desk.tally.call_count(), 4);
        assert_eq!(desk.tally.met_count(Limit::Calls), 2);
        drop((seats, touch));
        assert_eq!(desk.tally.call_count(), 0);
        assert!(desk.counts.lock().unwrap().tokens.is_empty());
    }

    #[test]
    fn a_rep_has_few_seats_and_takes_none_from_others() {
        let desk = desk(small());
        let (ann, bob) = (caller("ann", Role::Rep), caller("bob", Role::Rep));
        let first = desk.seat_for_call(&ann, PULL).unwrap();
        let _second = desk.seat_for_call(&ann, PULL).unwrap();
        assert_eq!(desk.seat_for_call(&ann, TOUCH).unwrap_err(), Refusal::TokenBusy);
        assert!(desk.seat_for_call(&bob, PULL).is_ok());
        drop(first);
        assert!(desk.seat_for_call(&ann, PULL).is_ok());
    }

    #[test]
    fn those_who_wait_are_counted_apart_from_those_who_work() {
        let desk = desk(small());
        let (ann, crm) = (caller("ann", Role::Rep), caller("crm", Role::Admin));
        let seat = desk.seat_for_call(&ann, PULL).unwrap();
        let waiting = wait(&seat).unwrap();
        assert_eq!(wait(&seat).unwrap_err(), Refusal::TokenWaitsFull);
        drop(seat);
        assert_eq!((desk.tally.call_count(), desk.tally.wait_count()), (0, 1));
        let seat = desk.seat_for_call(&crm, PULL).unwrap();
        let _others = (wait(&seat).unwrap(), wait(&seat).unwrap());
        assert_eq!(wait(&seat).unwrap_err(), Refusal::WaitsFull);
        drop(waiting);
        assert!(wait(&seat).is_ok());
    }
}
