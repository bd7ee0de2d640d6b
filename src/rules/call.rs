//! The functions that rules may call, and `in`.

use cel::IdedExpr;
use cel::common::ast::CallExpr;

use super::compile::{Compiler, Typed, double};
use super::field::Type;
use super::mistake::hint;
use super::program::{Double, Extreme, Flag, Int, Text, TextTest};

const FUNCTIONS: [&str; 5] = ["min", "max", "int", "double", "size"];
const METHODS: [&str; 4] = ["startsWith", "endsWith", "contains", "size"];

/// Compiles `text.name(…)`.
pub(super) fn method(
    compiler: &mut Compiler<'_, '_>,
    part: &IdedExpr,
    call: &CallExpr,
) -> Option<Typed> {
    let target = call.target.as_deref()?;
    let test = match call.func_name.as_str() {
        "startsWith" => TextTest::StartsWith,
        "endsWith" => TextTest::EndsWith,
        "contains" => TextTest::Contains,
        "size" if call.args.is_empty() => return size(compiler, part, target),
        _ => return unknown(compiler, part, call),
    };
    let [argument] = call.args.as_slice() else {
        return arity(compiler, part, call, "one text in its brackets");
    };
    let (text, sought) = (compiler.typed(target), compiler.typed(argument));
    match (text?, sought?) {
        (Typed::Text(text), Typed::Text(sought)) => {
            Some(Typed::Flag(Flag::TextTest(test, Box::new((text, sought)))))
        }
        (text, sought) => {
            let wrong = if text.kind() == Type::Text { sought.kind() } else { text.kind() };
            let name = &call.func_name;
            wrong_call(compiler, part, call, format!("`{name}` needs strings, not {}", wrong.one()))
        }
    }
}

/// Compiles `name(…)`.
pub(super) fn function(
    compiler: &mut Compiler<'_, '_>,
    part: &IdedExpr,
    call: &CallExpr,
) -> Option<Typed> {
    match (call.func_name.as_str(), call.args.as_slice()) {
        ("min", _) => extreme(compiler, part, call, Extreme::Min),
        ("max", _) => extreme(compiler, part, call, Extreme::Max),
        ("size", [text]) => size(compiler, part, text),
        ("int", [number]) => match compiler.typed(number)? {
            Typed::Int(int) => Some(Typed::Int(int)),
            Typed::Double(double) => Some(Typed::Int(Int::Truncate(Box::new(double)))),
            other => number_needed(compiler, part, call, other.kind()),
        },
        ("double", [number]) => {
            let typed = compiler.typed(number)?;
            let kind = typed.kind();
            match double(typed) {
                Some(double) => Some(Typed::Double(double)),
                None => number_needed(compiler, part, call, kind),
            }
        }
        ("int" | "double" | "size", _) => arity(compiler, part, call, "one value"),
        _ => unknown(compiler, part, call),
    }
}

fn size(compiler: &mut Compiler<'_, '_>, part: &IdedExpr, text: &IdedExpr) -> Option<Typed> {
    match compiler.typed(text)? {
        Typed::Text(text) => Some(Typed::Int(Int::Size(Box::new(text)))),
        other => compiler.wrong(part, format!("`size` needs a string, not {}", other.kind().one())),
    }
}

fn extreme(
    compiler: &mut Compiler<'_, '_>,
    part: &IdedExpr,
    call: &CallExpr,
    extreme: Extreme,
) -> Option<Typed> {
    if call.args.len() < 2 {
        return arity(compiler, part, call, "two numbers or more");
    }
    let typed: Vec<_> = call.args.iter().map(|argument| compiler.typed(argument)).collect();
    let typed = typed.into_iter().collect::<Option<Vec<Typed>>>()?;
    let is_number = |typed: &&Typed| matches!(typed.kind(), Type::Int | Type::Double);
    if let Some(other) = typed.iter().find(|typed| !is_number(typed)) {
        return number_needed(compiler, part, call, other.kind());
    }
    let are_ints = typed.iter().all(|typed| typed.kind() == Type::Int);
    if !are_ints {
        let doubles: Box<[Double]> = typed.into_iter().filter_map(double).collect();
        return Some(Typed::Double(Double::Extreme(extreme, doubles)));
    }
    let int = |typed| match typed {
        Typed::Int(int) => Some(int),
        _ => None,
    };
    Some(Typed::Int(Int::Extreme(extreme, typed.into_iter().filter_map(int).collect())))
}

/// The test whether an item is one of some literals; `None`: their types do not fit.
pub(super) fn membership(item: Typed, literals: Vec<Typed>) -> Option<Flag> {
    let is_all_int = literals.iter().all(|literal| literal.kind() == Type::Int);
    match item {
        Typed::Int(int) if is_all_int => {
            let ints = literals.into_iter().map(|literal| match literal {
                Typed::Int(Int::Literal(int)) => Some(int),
                _ => None,
            });
            Some(Flag::IntIn(Box::new(int), ints.collect::<Option<_>>()?))
        }
        Typed::Text(text) => {
            let texts = literals.into_iter().map(|literal| match literal {
                Typed::Text(Text::Literal(text)) => Some(text),
                _ => None,
            });
            Some(Flag::TextIn(Box::new(text), texts.collect::<Option<_>>()?))
        }
        Typed::Flag(_) => None,
        number => {
            let doubles = literals.into_iter().map(|literal| match literal {
                Typed::Int(Int::Literal(int)) => Some(int as f64),
                Typed::Double(Double::Literal(double)) => Some(double),
                _ => None,
            });
            Some(Flag::DoubleIn(Box::new(double(number)?), doubles.collect::<Option<_>>()?))
        }
    }
}

fn number_needed<T>(
    compiler: &mut Compiler<'_, '_>,
    part: &IdedExpr,
    call: &CallExpr,
    found: Type,
) -> Option<T> {
    let problem = format!("`{}` needs numbers, not {}", call.func_name, found.one());
    wrong_call(compiler, part, call, problem)
}

fn arity<T>(
    compiler: &mut Compiler<'_, '_>,
    part: &IdedExpr,
    call: &CallExpr,
    wanted: &str,
) -> Option<T> {
    wrong_call(compiler, part, call, format!("`{}` takes {wanted}", call.func_name))
}

fn unknown<T>(compiler: &mut Compiler<'_, '_>, part: &IdedExpr, call: &CallExpr) -> Option<T> {
    let name = call.func_name.as_str();
    let problem = if name == "matches" {
        "`matches` is refused: there are no regular expressions; use `startsWith`, `endsWith`, \
         `contains` or `in`"
            .to_owned()
    } else if call.target.is_some() {
        let hint = hint(name, METHODS);
        let list = METHODS.join("`, `");
        if hint.is_empty() {
            format!("no function `.{name}()`; behind a text there are `{list}`")
        } else {
            format!("no function `.{name}()`{hint}")
        }
    } else {
        let hint = hint(name, FUNCTIONS);
        let list = FUNCTIONS.join("`, `");
        if hint.is_empty() {
            format!("no function `{name}`; there are `{list}`")
        } else {
            format!("no function `{name}`{hint}")
        }
    };
    wrong_call(compiler, part, call, problem)
}

fn wrong_call<T>(
    compiler: &mut Compiler<'_, '_>,
    part: &IdedExpr,
    call: &CallExpr,
    problem: String,
) -> Option<T> {
    compiler.expression.wrong_call(part, &call.func_name, problem, compiler.report);
    None
}
