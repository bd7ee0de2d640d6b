//! Standings and routes as the words that stand in the tables, so that a person can read the
//! ledger with any SQL tool: `"waiting retry 1700000000000"`.

use crate::domain::{CloseReason, Disposition, Route, Standing, WaitReason};

/// A standing in words.
pub(crate) fn standing_to_text(standing: &Standing) -> String {
    match standing {
        Standing::Ready | Standing::Leased | Standing::Erased => standing.code().to_owned(),
        Standing::Waiting { until, why } => format!("waiting {} {until}", why.code()),
        Standing::Closed { why, route } => {
            format!("closed {} {}", why.code(), route_to_text(route))
        }
    }
}

/// Reads what [`standing_to_text`] wrote.
pub(crate) fn standing_from_text(text: &str) -> Option<Standing> {
    match text {
        "ready" => return Some(Standing::Ready),
        "leased" => return Some(Standing::Leased),
        "erased" => return Some(Standing::Erased),
        _ => {}
    }
    let (word, rest) = text.split_once(' ')?;
    let (why, rest) = rest.split_once(' ')?;
    match word {
        "waiting" => {
            let why = WaitReason::from_code(why)?;
            Some(Standing::Waiting { until: rest.parse().ok()?, why })
        }
        "closed" => {
            let why = close_reason(why)?;
            Some(Standing::Closed { why, route: route_from_text(rest)? })
        }
        _ => None,
    }
}

/// A route in words: its code, and the date of a nurture that has one.
pub(crate) fn route_to_text(route: &Route) -> String {
    match route {
        Route::Nurture { until: Some(until) } => format!("nurture {until}"),
        route => route.code().to_owned(),
    }
}

/// Reads what [`route_to_text`] wrote.
pub(crate) fn route_from_text(text: &str) -> Option<Route> {
    Some(match text {
        "won" => Route::Won,
        "lost" => Route::Lost,
        "nurture" => Route::Nurture { until: None },
        "suppressed" => Route::Suppressed,
        "unreachable" => Route::Unreachable,
        "superseded" => Route::Superseded,
        text => {
            let until = text.strip_prefix("nurture ")?;
            Route::Nurture { until: Some(until.parse().ok()?) }
        }
    })
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn close_reason(code: &str) -> Option<CloseReason> {
    let others = [
        CloseReason::AttemptsExhausted,
        CloseReason::CampaignEnded,
        CloseReason::Suppressed,
        CloseReason::Superseded,
        CloseReason::Outcome,
        CloseReason::TransfersExhausted,
    ];
    let other = others.into_iter().find(|why| why.code() == code);
    other.or_else(|| Disposition::from_code(code).map(CloseReason::Disposition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standing_reads_back() {
        let mut standings = vec![Standing::Ready, Standing::Leased];
        for why in WaitReason::ALL {
            standings.push(Standing::Waiting { until: -5, why: *why });
        }
        let mut reasons: Vec<CloseReason> =
            Disposition::ALL.iter().map(|one| CloseReason::Disposition(*one)).collect();
        reasons.extend([
            CloseReason::AttemptsExhausted,
            CloseReason::CampaignEnded,
            CloseReason::Suppressed,
            CloseReason::Superseded,
            CloseReason::Outcome,
            CloseReason::TransfersExhausted,
        ]);
        let routes = [
            Route::Won,
            Route::Lost,
            Route::Nurture { until: None },
            Route::Nurture { until: Some(1_700_000_000_000) },
            Route::Suppressed,
            Route::Unreachable,
            Route::Superseded,
        ];
        for why in reasons {
            standings.extend(routes.iter().map(|route| Standing::Closed { why, route: *route }));
        }
        for standing in standings {
            let text = standing_to_text(&standing);
            assert_eq!(standing_from_text(&text), Some(standing), "{text}");
        }
    }

    #[test]
    fn what_is_no_standing_is_refused() {
        for text in ["", "read", "waiting", "waiting retry", "waiting retry x", "closed lost"] {
            assert_eq!(standing_from_text(text), None, "{text:?}");
        }
    }
}
