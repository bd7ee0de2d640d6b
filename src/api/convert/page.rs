//! Pages of lists: how many, and from where on. A token is the key that the last page ended with.

use crate::dialer::FieldProblem;
use crate::domain::check_id;

use super::super::status::Problems;
use super::Fields;

const TOKEN_PROBLEM: &str = "must be a token as it was given";

/// The page that a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Page {
    /// At most this many.
    pub(in crate::api) size: usize,
    /// After this key; `None`: the first page.
    pub(in crate::api) after: Option<String>,
}

impl Page {
    /// Reads what the client asks for.
    pub(in crate::api) fn of(
        fields: &mut Fields,
        (page_size, token): (i32, &str),
        default: usize,
        max: usize,
    ) -> Option<Self> {
        let after = (!token.is_empty()).then(|| token.to_owned());
        // A token is an id that we gave out, so it has the shape of one.
        let is_ours = token.is_empty() || check_id(token).is_ok();
        if !is_ours {
            fields.problem("page_token", TOKEN_PROBLEM);
        }
        let size = fields.size("page_size", page_size, default, max)?;
        is_ours.then_some(Self { size, after })
    }

    /// The key that the page starts after, as a number.
    pub(in crate::api) fn after_number(&self) -> Result<Option<i64>, Problems> {
        let number = self.after.as_deref().map(|text| text.parse().map_err(|_| token_problem()));
        number.transpose()
    }
}

/// A token that we did not give.
pub(super) fn token_problem() -> Problems {
    Problems(vec![FieldProblem::new("page_token", TOKEN_PROBLEM)])
}

/// One page of a list that is ordered by id, and the token of the next.
pub(in crate::api) fn by_id<T>(
    all: Vec<T>,
    page: &Page,
    id: impl Fn(&T) -> &str,
) -> (Vec<T>, String) {
    let mut all = all;
    all.sort_by(|one, other| id(one).cmp(id(other)));
    let is_left = |one: &T| page.after.as_deref().is_none_or(|after| id(one) > after);
    let mut left = all.into_iter().filter(is_left);
    let taken: Vec<T> = left.by_ref().take(page.size).collect();
    let has_more = left.next().is_some();
    let token = taken.last().filter(|_| has_more).map_or(String::new(), |one| id(one).to_owned());
    (taken, token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_everything_once_and_end() {
        let all = || ["d", "a", "c", "b", "e"].map(String::from).to_vec();
        let mut page = Page { size: 2, after: None };
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (part, token) = by_id(all(), &page, String::as_str);
            seen.extend(part);
            page.after = (!token.is_empty()).then_some(token);
        }
        assert_eq!(seen.concat(), "abcde");
        assert_eq!(page.after, None);
    }

    #[test]
    fn a_full_last_page_has_no_next() {
        let page = Page { size: 2, after: None };
        assert_eq!(by_id(vec!["a", "b"], &page, |one| *one).1, "");
    }

    #[test]
    fn sizes_have_a_default_and_a_limit_and_no_sign() {
        let size = |given| Page::of(&mut Fields::default(), (given, ""), 20, 100);
        assert_eq!(size(0).map(|page| page.size), Some(20));
        assert_eq!(size(7).map(|page| page.size), Some(7));
        assert_eq!(size(i32::MAX).map(|page| page.size), Some(100));
        assert_eq!(size(-1), None);
    }

    #[test]
    fn a_token_that_nobody_gave_is_refused() {
        let page = |token: &str| Page { size: 1, after: Some(token.to_owned()) };
        assert_eq!(page("17").after_number(), Ok(Some(17)));
        assert!(page("x").after_number().is_err());
    }
}
