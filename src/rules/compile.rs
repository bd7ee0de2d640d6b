//! From a syntax tree to a program of one type, or to all its mistakes.
//!
//! A part that is wrong gives `None` after it has been reported, and whoever needs it stays silent:
//! one mistake is told once. The other side of an operator is checked all the same.

use cel::IdedExpr;
use cel::common::ast::operators::{
    ADD, CONDITIONAL, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS,
    LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS, SUBSTRACT,
};
use cel::common::ast::{CallExpr, Expr, LiteralValue, SelectExpr};

use super::call;
use super::expression::Expression;
use super::field::{Column, Schema, Type};
use super::mistake::{Report, hint};
use super::program::{Arithmetic, Comparison, Double, Flag, Int, Text};
use crate::domain::Disposition;

/// A program of any type.
#[derive(Debug)]
pub(super) enum Typed {
    Int(Int),
    Double(Double),
    Flag(Flag),
    Text(Text),
}

impl Typed {
    pub(super) fn kind(&self) -> Type {
        match self {
            Self::Int(_) => Type::Int,
            Self::Double(_) => Type::Double,
            Self::Flag(_) => Type::Bool,
            Self::Text(_) => Type::Text,
        }
    }
}

/// Two programs brought to one type.
enum Pair {
    Ints(Int, Int),
    Doubles(Double, Double),
    Flags(Flag, Flag),
    Texts(Text, Text),
}

/// Brings two programs to one type: an int beside a double becomes one. `Err` gives their types.
fn unify(left: Typed, right: Typed) -> Result<Pair, (Type, Type)> {
    match (left, right) {
        (Typed::Int(left), Typed::Int(right)) => Ok(Pair::Ints(left, right)),
        (Typed::Flag(left), Typed::Flag(right)) => Ok(Pair::Flags(left, right)),
        (Typed::Text(left), Typed::Text(right)) => Ok(Pair::Texts(left, right)),
        (left, right) => {
            let kinds = (left.kind(), right.kind());
            match (double(left), double(right)) {
                (Some(left), Some(right)) => Ok(Pair::Doubles(left, right)),
                _ => Err(kinds),
            }
        }
    }
}

/// Any number as a double.
pub(super) fn double(typed: Typed) -> Option<Double> {
    match typed {
        Typed::Double(double) => Some(double),
        Typed::Int(int) => Some(Double::Promote(Box::new(int))),
        Typed::Flag(_) | Typed::Text(_) => None,
    }
}

/// Compiles one expression.
pub(super) struct Compiler<'c, 'd> {
    pub(super) expression: &'c Expression<'c>,
    pub(super) schema: &'c Schema,
    pub(super) report: &'c mut Report<'d>,
}

/// Compiles a condition.
pub(super) fn condition(
    expression: &Expression<'_>,
    schema: &Schema,
    report: &mut Report<'_>,
) -> Option<Flag> {
    let mut compiler = Compiler { expression, schema, report };
    match compiler.typed(&expression.root)? {
        Typed::Flag(flag) => Some(flag),
        other => {
            let kind = other.kind().one();
            compiler.wrong(&expression.root, format!("a condition is a bool, this is {kind}"))
        }
    }
}

/// Compiles a formula; its result is an int or a double.
pub(super) fn formula(
    expression: &Expression<'_>,
    schema: &Schema,
    report: &mut Report<'_>,
) -> Option<Typed> {
    let mut compiler = Compiler { expression, schema, report };
    match compiler.typed(&expression.root)? {
        number @ (Typed::Int(_) | Typed::Double(_)) => Some(number),
        other => {
            let kind = other.kind().one();
            compiler.wrong(&expression.root, format!("points are a number, this is {kind}"))
        }
    }
}

impl Compiler<'_, '_> {
    /// Reports a mistake at a part, and gives nothing.
    pub(super) fn wrong<T>(&mut self, part: &IdedExpr, problem: impl Into<String>) -> Option<T> {
        self.expression.wrong(part, problem.into(), self.report);
        None
    }

    /// The program of a part.
    pub(super) fn typed(&mut self, part: &IdedExpr) -> Option<Typed> {
        match &part.expr {
            Expr::Literal(literal) => self.literal(part, literal),
            Expr::Ident(name) => self.name(part, name),
            Expr::Select(select) => self.select(part, select),
            Expr::Call(call) => self.operation(part, call),
            Expr::Comprehension(_) => self.wrong(
                part,
                "`all`, `exists`, `exists_one`, `map` and `filter` are refused: there are no \
                     lists to go through",
            ),
            Expr::List(_) => self.wrong(part, "a list stands only behind `in`"),
            Expr::Map(_) | Expr::Struct(_) => self.wrong(part, "there are no maps and messages"),
            Expr::Unspecified => self.wrong(part, "cannot read this expression"),
        }
    }

    fn literal(&mut self, part: &IdedExpr, literal: &LiteralValue) -> Option<Typed> {
        match literal {
            LiteralValue::Boolean(flag) => Some(Typed::Flag(Flag::Literal(*flag.inner()))),
            LiteralValue::Double(double) => Some(Typed::Double(Double::Literal(*double.inner()))),
            LiteralValue::Int(int) => Some(Typed::Int(Int::Literal(*int.inner()))),
            LiteralValue::String(text) => Some(Typed::Text(Text::Literal(text.inner().into()))),
            LiteralValue::Null => self
                .wrong(part, "null stands only in `lead.field == null` and `lead.field != null`"),
            LiteralValue::UInt(_) => self.wrong(part, "write whole numbers without `u`"),
            LiteralValue::Bytes(_) => self.wrong(part, "write text without `b`"),
        }
    }

    fn name(&mut self, part: &IdedExpr, name: &str) -> Option<Typed> {
        if name == "lead" {
            return self.wrong(part, "which field of the lead? write `lead.field`");
        }
        let problem = match self.schema.find(name) {
            Some(_) => format!("no name `{name}`; did you mean `lead.{name}`?"),
            None => {
                let hint = hint(name, ["lead"]);
                format!("no name `{name}`; fields are written `lead.field`{hint}")
            }
        };
        self.wrong(part, problem)
    }

    fn select(&mut self, part: &IdedExpr, select: &SelectExpr) -> Option<Typed> {
        let (column, kind) = self.field(part, select)?;
        Some(match kind? {
            _ if select.test => Typed::Flag(Flag::Has(column)),
            Type::Int => Typed::Int(Int::Field(column)),
            Type::Double => Typed::Double(Double::Field(column)),
            Type::Bool => Typed::Flag(Flag::Field(column)),
            Type::Text => Typed::Text(Text::Field(column)),
        })
    }

    fn field(&mut self, part: &IdedExpr, select: &SelectExpr) -> Option<(Column, Option<Type>)> {
        match &select.operand.expr {
            Expr::Ident(name) if name == "lead" => {}
            Expr::Ident(name) => {
                self.name(&select.operand, name);
                return None;
            }
            _ => {
                let known = self.typed(&select.operand).map(|typed| typed.kind().one());
                return known.and_then(|kind| {
                    self.wrong(part, format!("{kind} has no field `{}`", select.field))
                });
            }
        }
        let field = self.schema.find(&select.field);
        if field.is_none() {
            let hint = hint(&select.field, self.schema.names());
            let declare = if hint.is_empty() { "; declare it in [fields]" } else { "" };
            let problem = format!("no field `{}`{hint}{declare}", select.field);
            self.expression.wrong_field(part, &select.field, problem, self.report);
        }
        field
    }

    fn operation(&mut self, part: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        if call.target.is_some() {
            return call::method(self, part, call);
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (LOGICAL_AND | LOGICAL_OR, [left, right]) => {
                let is_and = call.func_name == LOGICAL_AND;
                let sign = if is_and { "&&" } else { "||" };
                let (left, right) = (self.flag(part, sign, left), self.flag(part, sign, right));
                let pair = Box::new((left?, right?));
                Some(Typed::Flag(if is_and { Flag::And(pair) } else { Flag::Or(pair) }))
            }
            (LOGICAL_NOT, [flag]) => {
                let flag = self.flag(part, "!", flag)?;
                Some(Typed::Flag(Flag::Not(Box::new(flag))))
            }
            (NEGATE, [number]) => match self.typed(number)? {
                Typed::Int(int) => Some(Typed::Int(Int::Negate(Box::new(int)))),
                Typed::Double(double) => Some(Typed::Double(Double::Negate(Box::new(double)))),
                other => {
                    self.wrong(part, format!("`-` needs a number, not {}", other.kind().one()))
                }
            },
            (CONDITIONAL, [condition, yes, no]) => self.conditional(part, condition, yes, no),
            (IN, [item, list]) => self.membership(part, item, list),
            (name, [left, right]) => {
                if let Some((comparison, sign)) = comparison(name) {
                    self.comparison(part, comparison, sign, left, right)
                } else if let Some((arithmetic, sign)) = arithmetic(name) {
                    self.arithmetic(part, arithmetic, sign, left, right)
                } else if name == INDEX {
                    self.wrong(part, "nothing here is read by index")
                } else {
                    call::function(self, part, call)
                }
            }
            _ => call::function(self, part, call),
        }
    }

    fn flag(&mut self, part: &IdedExpr, sign: &str, operand: &IdedExpr) -> Option<Flag> {
        match self.typed(operand)? {
            Typed::Flag(flag) => Some(flag),
            other => {
                let kind = other.kind().one();
                self.wrong(part, format!("`{sign}` needs bools, not {kind}"))
            }
        }
    }

    fn conditional(
        &mut self,
        part: &IdedExpr,
        condition: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Option<Typed> {
        let condition = self.flag(part, "?", condition);
        let (yes, no) = (self.typed(yes), self.typed(no));
        let condition = condition?;
        Some(match unify(yes?, no?) {
            Ok(Pair::Ints(yes, no)) => Typed::Int(Int::If(Box::new((condition, yes, no)))),
            Ok(Pair::Doubles(yes, no)) => Typed::Double(Double::If(Box::new((condition, yes, no)))),
            Ok(Pair::Flags(yes, no)) => Typed::Flag(Flag::If(Box::new((condition, yes, no)))),
            Ok(Pair::Texts(yes, no)) => Typed::Text(Text::If(Box::new((condition, yes, no)))),
            Err((yes, no)) => {
                let (yes, no) = (yes.name(), no.name());
                let problem = format!("both sides of `:` need one type, not {yes} and {no}");
                return self.wrong(part, problem);
            }
        })
    }

    fn comparison(
        &mut self,
        part: &IdedExpr,
        comparison: Comparison,
        sign: &str,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Option<Typed> {
        let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if is_equality && let Some(field) = compared_with_null(left, right) {
            let (column, _) = self.field(field.0, field.1)?;
            let has = Flag::Has(column);
            let is_null = comparison == Comparison::Equal;
            return Some(Typed::Flag(if is_null { Flag::Not(Box::new(has)) } else { has }));
        }
        let (left, right) = (self.typed(left), self.typed(right));
        let (left, right) = (left?, right?);
        self.check_disposition(part, &left, &right);
        self.check_disposition(part, &right, &left);
        let flag = match unify(left, right) {
            Ok(Pair::Ints(left, right)) => Flag::Ints(comparison, Box::new((left, right))),
            Ok(Pair::Doubles(left, right)) => Flag::Doubles(comparison, Box::new((left, right))),
            Ok(Pair::Texts(left, right)) => Flag::Texts(comparison, Box::new((left, right))),
            Ok(Pair::Flags(left, right)) if is_equality => {
                let same = Flag::Same(Box::new((left, right)));
                if comparison == Comparison::Equal { same } else { Flag::Not(Box::new(same)) }
            }
            Ok(Pair::Flags(..)) => {
                return self.wrong(part, format!("`{sign}` does not order bools"));
            }
            Err((left, right)) => {
                let (left, right) = (left.name(), right.name());
                return self.wrong(part, format!("`{sign}` cannot compare {left} with {right}"));
            }
        };
        Some(Typed::Flag(flag))
    }

    fn arithmetic(
        &mut self,
        part: &IdedExpr,
        arithmetic: Arithmetic,
        sign: &str,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Option<Typed> {
        let (left, right) = (self.typed(left), self.typed(right));
        let (left, right) = (left?, right?);
        let kinds = (left.kind().name(), right.kind().name());
        match unify(left, right) {
            Ok(Pair::Ints(left, right)) => {
                Some(Typed::Int(Int::Arithmetic(arithmetic, Box::new((left, right)))))
            }
            Ok(Pair::Doubles(..)) if arithmetic == Arithmetic::Remainder => {
                self.wrong(part, "`%` needs whole numbers")
            }
            Ok(Pair::Doubles(left, right)) => {
                Some(Typed::Double(Double::Arithmetic(arithmetic, Box::new((left, right)))))
            }
            _ => {
                let (left, right) = kinds;
                self.wrong(part, format!("`{sign}` needs numbers, not {left} and {right}"))
            }
        }
    }

    fn membership(&mut self, part: &IdedExpr, item: &IdedExpr, list: &IdedExpr) -> Option<Typed> {
        let item_typed = self.typed(item);
        let Expr::List(elements) = &list.expr else {
            return self
                .wrong(list, "`in` needs a list of literals: `lead.stage in [\"a\", \"b\"]`");
        };
        let mut literals = Vec::with_capacity(elements.elements.len());
        for element in &elements.elements {
            match self.typed(element) {
                Some(Typed::Int(Int::Literal(int))) => literals.push(Typed::Int(Int::Literal(int))),
                Some(Typed::Double(Double::Literal(double))) => {
                    literals.push(Typed::Double(Double::Literal(double)));
                }
                Some(Typed::Text(Text::Literal(text))) => {
                    literals.push(Typed::Text(Text::Literal(text)));
                }
                Some(_) => {
                    return self
                        .wrong(element, "a list behind `in` holds numbers or texts as they are");
                }
                None => return None,
            }
        }
        let item_typed = item_typed?;
        for literal in &literals {
            self.check_disposition(part, &item_typed, literal);
        }
        let kind = item_typed.kind().one();
        match call::membership(item_typed, literals) {
            Some(flag) => Some(Typed::Flag(flag)),
            None => self.wrong(
                part,
                format!("`in` needs a list of the same type as its left side, {kind}"),
            ),
        }
    }
}

impl Compiler<'_, '_> {
    /// Reports a text beside `lead.last_disposition` that no disposition has as its code: such a
    /// condition would be valid and never hold.
    fn check_disposition(&mut self, part: &IdedExpr, field: &Typed, literal: &Typed) {
        if let Typed::Text(Text::Field(Column::LastDisposition)) = field
            && let Typed::Text(Text::Literal(code)) = literal
            && Disposition::from_code(code).is_none()
        {
            let hint = hint(code, Disposition::ALL.iter().map(|one| one.code()));
            self.wrong::<()>(part, format!("no disposition `{code}`{hint}"));
        }
    }
}

/// The field that stands beside a null, if any.
fn compared_with_null<'e>(
    left: &'e IdedExpr,
    right: &'e IdedExpr,
) -> Option<(&'e IdedExpr, &'e SelectExpr)> {
    let is_null = |part: &IdedExpr| matches!(part.expr, Expr::Literal(LiteralValue::Null));
    let field = match (is_null(left), is_null(right)) {
        (false, true) => left,
        (true, false) => right,
        _ => return None,
    };
    match &field.expr {
        Expr::Select(select) if !select.test => Some((field, select)),
        _ => None,
    }
}

fn comparison(name: &str) -> Option<(Comparison, &'static str)> {
    Some(match name {
        EQUALS => (Comparison::Equal, "=="),
        NOT_EQUALS => (Comparison::NotEqual, "!="),
        LESS => (Comparison::Less, "<"),
        LESS_EQUALS => (Comparison::LessOrEqual, "<="),
        GREATER => (Comparison::Greater, ">"),
        GREATER_EQUALS => (Comparison::GreaterOrEqual, ">="),
        _ => return None,
    })
}

fn arithmetic(name: &str) -> Option<(Arithmetic, &'static str)> {
    Some(match name {
        ADD => (Arithmetic::Add, "+"),
        SUBSTRACT => (Arithmetic::Subtract, "-"),
        MULTIPLY => (Arithmetic::Multiply, "*"),
        DIVIDE => (Arithmetic::Divide, "/"),
        MODULO => (Arithmetic::Remainder, "%"),
        _ => return None,
    })
}
