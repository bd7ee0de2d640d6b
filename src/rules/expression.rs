//! Reads a CEL expression into a syntax tree with places, and bounds it before it is parsed.
//!
//! The parser of the `cel` crate limits how deep brackets nest, but not how long a chain of
//! operators grows, and it recurses to copy and to drop what it built; so tokens are counted first.
//! It tells places only together with errors: the same text with one bracket too many gives the
//! same numbers to the same parts, and the places of all of them.

use std::ops::Range;
use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{Expr, SourceInfo};
use cel::parser::ParseError;
use cel::parser::pratt_parser::{Lexer, PrattParser, TokenKind};

use super::mistake::Report;
use super::toml_reader::Quoted;
use super::{EXPRESSION_LENGTH_MAX, EXPRESSION_PART_COUNT_MAX};

/// How deep brackets, calls and lists nest at most.
const DEPTH_MAX: u16 = 50;

/// An expression with the places of its parts.
pub(super) struct Expression<'t> {
    pub(super) root: IdedExpr,
    quoted: Quoted<'t>,
    places: Option<Arc<SourceInfo>>,
}

impl<'t> Expression<'t> {
    /// Parses a text, or reports why it is none.
    pub(super) fn parse(quoted: Quoted<'t>, report: &mut Report<'_>) -> Option<Self> {
        if let Err((range, problem)) = check_size(quoted.text) {
            report.add(quoted.place(range, report.document()), problem);
            return None;
        }
        match parser().parse(quoted.text) {
            Ok(root) => {
                let places = places(quoted.text);
                Some(Self { root, quoted, places })
            }
            Err(errors) => {
                // What follows the first error is mostly its echo.
                let error = errors.errors.first();
                let (range, problem) = error.map_or_else(
                    || (0..quoted.text.len(), "cannot be read".to_owned()),
                    |error| explained(quoted.text, error),
                );
                report.add(quoted.place(range, report.document()), problem);
                None
            }
        }
    }

    /// Reports a mistake at a part: at its operator, or at the whole of a field or a name.
    pub(super) fn wrong(&self, part: &IdedExpr, problem: String, report: &mut Report<'_>) {
        self.wrong_at(self.shown(part), problem, report);
    }

    /// Reports a mistake at the name of a field: behind the first dot from the token of a part.
    pub(super) fn wrong_field(
        &self,
        part: &IdedExpr,
        name: &str,
        problem: String,
        report: &mut Report<'_>,
    ) {
        self.wrong_at(self.field(part, name), problem, report);
    }

    /// Reports a mistake at the name of a call: at the token of a part, or before it.
    pub(super) fn wrong_call(
        &self,
        part: &IdedExpr,
        name: &str,
        problem: String,
        report: &mut Report<'_>,
    ) {
        let token = self.token(part);
        let before = self.quoted.text.get(..token.end).and_then(|text| text.rfind(name));
        let range = before.map_or(token, |start| start..start + name.len());
        self.wrong_at(range, problem, report);
    }

    fn wrong_at(&self, range: Range<usize>, problem: String, report: &mut Report<'_>) {
        report.add(self.quoted.place(range, report.document()), problem);
    }

    fn shown(&self, part: &IdedExpr) -> Range<usize> {
        let token = self.token(part);
        if let Expr::Select(select) = &part.expr
            && !select.test
        {
            return self.shown(&select.operand).start..self.field(part, &select.field).end;
        }
        if self.quoted.text.get(token.clone()) == Some("(") {
            // The call of a function behind a dot: its name is more telling than its bracket.
            let before = &self.quoted.text[..token.start];
            let name =
                before.trim_end_matches(|one: char| one.is_ascii_alphanumeric() || one == '_');
            return name.len()..token.end;
        }
        token
    }

    fn field(&self, part: &IdedExpr, name: &str) -> Range<usize> {
        let token = self.token(part);
        let dot = self.quoted.text.get(token.start..).and_then(|text| text.find('.'));
        let behind = token.start + dot.unwrap_or(0);
        let start = self.quoted.text.get(behind..).and_then(|text| text.find(name));
        start.map_or(token, |start| behind + start..behind + start + name.len())
    }

    fn token(&self, part: &IdedExpr) -> Range<usize> {
        let place = self.places.as_ref().and_then(|places| places.offset_for(part.id));
        match place {
            Some((start, end)) => start as usize..end as usize,
            None => 0..self.quoted.text.len(),
        }
    }
}

fn parser() -> PrattParser {
    PrattParser::new().max_recursion_depth(DEPTH_MAX)
}

/// Checks the length and counts the parts: every name, literal and operator becomes one part of the
/// tree at most.
fn check_size(text: &str) -> Result<(), (Range<usize>, String)> {
    if text.len() > EXPRESSION_LENGTH_MAX {
        let problem = format!("an expression has at most {EXPRESSION_LENGTH_MAX} bytes");
        return Err((0..text.len(), problem));
    }
    if text.trim().is_empty() {
        return Err((0..text.len(), "an expression must not be empty".to_owned()));
    }
    let mut lexer = Lexer::new(text);
    let mut part_count = 0;
    loop {
        let token = lexer.lex();
        match token.kind {
            // The parser tells what is wrong.
            TokenKind::TokEnd | TokenKind::TokError => return Ok(()),
            TokenKind::TokWhitespace
            | TokenKind::TokComment
            | TokenKind::TokDot
            | TokenKind::TokComma
            | TokenKind::TokColon
            | TokenKind::TokRightParen
            | TokenKind::TokRightBracket => {}
            _ => part_count += 1,
        }
        if part_count > EXPRESSION_PART_COUNT_MAX {
            let problem = format!(
                "an expression has at most {EXPRESSION_PART_COUNT_MAX} names, literals and \
                 operators"
            );
            return Err((token.start..token.end, problem));
        }
    }
}

/// The places of all parts of a text that can be parsed.
fn places(text: &str) -> Option<Arc<SourceInfo>> {
    // On a line of its own, as the text may end in a comment.
    let errors = parser().parse(&format!("{text}\n)")).err()?;
    errors.errors.into_iter().find_map(|error| error.source_info)
}

/// An error of the parser in our words, with its place.
fn explained(text: &str, error: &ParseError) -> (Range<usize>, String) {
    let (line, column) = error.pos;
    let start = match (usize::try_from(line), usize::try_from(column)) {
        (Ok(line @ 1..), Ok(column @ 1..)) => {
            let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
            (before + column - 1).min(text.len())
        }
        _ => return (0..text.len(), nested_too_deep(&error.msg)),
    };
    let rest = text.get(start..).unwrap_or_default();
    if rest.starts_with('=') && !rest.starts_with("==") {
        return (start..start + 1, "`=` is not an operator; `==` compares".to_owned());
    }
    let is_word = |one: char| one == '_' || one.is_alphanumeric();
    let word = rest.len() - rest.trim_start_matches(is_word).len();
    let length = word.max(rest.chars().next().map_or(0, char::len_utf8));
    let wrong = &rest[..length];
    let message = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
    let message = match (wrong, message) {
        ("", _) => "something is missing at the end".to_owned(),
        ("and" | "AND", _) => "`and` is written `&&`".to_owned(),
        ("or" | "OR", _) => "`or` is written `||`".to_owned(),
        _ if message.ends_with("expecting <EOF>") => format!("`{wrong}` does not fit here"),
        (_, other) => other.to_owned(),
    };
    (start..start + length, format!("cannot read this expression: {message}"))
}

fn nested_too_deep(message: &str) -> String {
    if message.contains("recursion limit") {
        format!("an expression nests at most {DEPTH_MAX} brackets deep")
    } else {
        format!("cannot read this expression: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let mut report = Report::new(text);
        let quoted = Quoted { text, span: 0..text.len() };
        assert!(Expression::parse(quoted, &mut report).is_none(), "{text}");
        report.finish().expect_err("a mistake").0.remove(0).message
    }

    #[test]
    fn a_huge_expression_is_refused_before_it_is_parsed() {
        assert!(problem(&format!("1{}", " + 1".repeat(250))).contains("at most 500"));
        assert!(problem(&"-".repeat(501)).contains("at most 500"));
        assert!(problem(&" ".repeat(4_097)).contains("at most 4096 bytes"));
        let nested = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(problem(&nested(52)).contains("at most 50 brackets deep"));
        assert!(problem(" \n").contains("must not be empty"));
    }

    #[test]
    fn every_part_of_an_expression_has_a_place() {
        let text = "has(lead.a) && lead.b in [1, 2] // why\n || size(lead.c) > -lead.d.size()";
        let root = parser().parse(text).expect("an expression");
        let places = places(text).expect("places");
        let mut left = vec![&root];
        let mut seen = 0;
        while let Some(part) = left.pop() {
            let (start, end) = places.offset_for(part.id).expect("a place");
            assert!(start < end && end as usize <= text.len(), "{part:?}");
            seen += 1;
            match &part.expr {
                Expr::Call(call) => {
                    left.extend(call.target.as_deref());
                    left.extend(&call.args);
                }
                Expr::Select(select) => left.push(&select.operand),
                Expr::List(list) => left.extend(&list.elements),
                _ => {}
            }
        }
        assert_eq!(seen, 18);
    }

    #[test]
    fn the_parser_s_errors_are_told_in_plain_words() {
        assert_eq!(problem("lead.a = 5"), "`=` is not an operator; `==` compares");
        assert!(problem("lead.a >").ends_with("something is missing at the end"));
    }
}
