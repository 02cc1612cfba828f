//! Commands, and expressions of values, variables and commands.
//!
//! Owns how a line of words becomes a command, and what may stand where a value is expected. Checks commands against the
//! table, so that a misspelt one is found before anything runs. Does not know statements.

use winnow::combinator::{opt, peek, preceded, separated_foldl1, terminated};
use winnow::error::ErrMode;
use winnow::prelude::*;
use winnow::token::{any, take_while};

use super::ast::{Command, Expression, Operator, Piece, Step};
use super::error::{Fault, Span};
use super::lex::{
    Input, Parsed, Place, Word, at_line_end, blanks, expect_name, expected, fault, has_ended, is_at, quote,
    too_many, variable, word, wrong,
};
use super::nearest::nearest;
use super::value::Value;
use crate::command::{Spec, TABLE, lookup};

/// What can stand where a value is expected.
const VALUES: &str =
    "a value is a number, a \"string\", `nil`, a variable, a Redis command or `receive channel`";

/// Reads an expression: comparisons of sums of products.
pub(super) fn expression(i: &mut Input<'_>) -> Parsed<Expression> {
    let mut steps = sum(i)?;
    if let Some(operator) = opt(operator(Operator::compares)).parse_next(i)? {
        steps = join(steps, operator, sum(i)?);
    }
    Ok(Expression { steps })
}

fn sum(i: &mut Input<'_>) -> Parsed<Vec<Step>> {
    separated_foldl1(product, operator(Operator::is_sum), join).parse_next(i)
}

fn product(i: &mut Input<'_>) -> Parsed<Vec<Step>> {
    separated_foldl1(operand, operator(Operator::is_product), join).parse_next(i)
}

/// Postfix order: both sides, then what is done with them.
fn join(mut left: Vec<Step>, operator: Operator, right: Vec<Step>) -> Vec<Step> {
    left.extend(right);
    left.push(Step::Apply(operator));
    left
}

/// One of the operators that `accepts` takes, standing by itself.
fn operator<'s>(accepts: impl Fn(Operator) -> bool) -> impl Parser<Input<'s>, Operator, ErrMode<Fault>> {
    let symbol = take_while(1..=2, ['=', '!', '<', '>', '+', '-', '*', '/', '%']);
    let known =
        symbol.verify_map(move |symbol| Operator::from_symbol(symbol).filter(|found| accepts(*found)));
    preceded(blanks, terminated(known, peek(any.verify(|char: &char| char.is_whitespace() || *char == '('))))
}

/// Whether an operator, or the `=` that some write for one, stands here.
fn at_operator(i: &mut Input<'_>) -> bool {
    peek(operator(|_| true)).parse_next(i).is_ok() || is_at(i, "=", Place::Expression)
}

fn operand(i: &mut Input<'_>) -> Parsed<Vec<Step>> {
    blanks(i)?;
    let opening: Parsed<_> = '('.span().parse_next(i);
    if let Ok(opening) = opening {
        let (opening, depth) = (Span::new(opening), i.state.limits.depth);
        i.state.depth += 1;
        if i.state.depth > depth {
            return too_many(opening, depth, "levels of nesting", i.state.depth, "depth");
        }
        let inner = expression(i)?;
        blanks(i)?;
        let closing: Parsed<char> = ')'.parse_next(i);
        if closing.is_err() {
            return expected(i, "an operator or the `)` of this expression");
        }
        i.state.depth -= 1;
        return Ok(inner.steps);
    }
    let mut words = Vec::new();
    loop {
        let before = i.checkpoint();
        blanks(i)?;
        let ends = at_line_end(i)
            || at_operator(i)
            || ["{", "}"].into_iter().any(|brace| is_at(i, brace, Place::Expression))
            || peek::<_, _, ErrMode<Fault>, _>(')').parse_next(i).is_ok();
        if ends {
            // The blanks after it are no part of it.
            i.reset(&before);
            break;
        }
        words.push(word(i, Place::Expression)?);
    }
    match words.first() {
        None => {
            let mut fault = fault(i, "a value");
            fault.help.get_or_insert_with(|| VALUES.to_owned());
            Err(ErrMode::Cut(fault))
        }
        Some(_) => value_of(i, words),
    }
}

/// What `words`, one at least, stand for.
fn value_of(i: &mut Input<'_>, words: Vec<Word>) -> Parsed<Vec<Step>> {
    let first = &words[0];
    let bare = first.bare().map(str::to_owned);
    if bare.as_deref() == Some("receive") {
        let [_, channel] = &*words else {
            return wrong(
                first.span.to(words[words.len() - 1].span),
                "`receive channel`",
                "something else",
                None,
            );
        };
        let Some(name) = channel.bare() else {
            return wrong(channel.span, "a channel's name", "other text", None);
        };
        return Ok(vec![Step::Receive(receiving(i, name, channel.span)?)]);
    }
    let single = match (&*first.text, bare.as_deref()) {
        (_, Some("nil")) => Some(Step::Push(Value::Nil)),
        (_, Some(text)) if is_number(text) => match Value::from_bytes(text.to_owned()) {
            Value::Integer(number) => Some(Step::Push(number.into())),
            _ => {
                let found = quote(text);
                return wrong(first.span, "an integer of 64 bits, without leading zeros", found, None);
            }
        },
        (_, Some(text)) => i.state.scope.find(text).map(Step::Load),
        ([Piece::Variable(slot)], None) if !first.quoted => Some(Step::Load(*slot)),
        ([Piece::Bytes(bytes)], None) => Some(Step::Push(Value::from_bytes(bytes.clone()))),
        (_, None) if first.quoted => Some(Step::Text(first.text.clone())),
        (_, None) => None,
    };
    match (single, &*words) {
        (Some(step), [_]) => Ok(vec![step]),
        (Some(_), [_, second, ..]) => {
            let found = quote(second.span.text(i.state.source));
            wrong(second.span, "an operator between two values", found, Some(SPACES.to_owned()))
        }
        _ if bare.as_deref().is_some_and(|text| lookup(text.as_bytes()).is_some()) => {
            Ok(vec![Step::Command(command_of(i, words)?)])
        }
        _ => {
            let text = bare.as_deref().unwrap_or_else(|| first.span.text(i.state.source));
            let scope = &i.state.scope;
            let variables = scope.visible.iter().map(|slot| &*scope.variables[*slot]);
            let commands: Vec<_> = command_names();
            let near = nearest(text, variables.chain(commands.iter().map(|name| &**name)));
            let help = match near {
                _ if scope.has_ended(text) => has_ended(text),
                Some(near) => format!("did you mean `{near}`?"),
                None if text.contains(['<', '>', '=', '+', '*', '/', '-', '%']) => SPACES.to_owned(),
                None if text.ends_with(['{', '}']) => "braces stand alone, after a space".to_owned(),
                None if bare.is_none() => format!("a string is written in quotes: \"{text}\""),
                None => VALUES.to_owned(),
            };
            wrong(first.span, "a value", quote(text), Some(help))
        }
    }
}

const SPACES: &str = "operators stand alone, with a space on both sides";

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Notes that the task being read receives from the channel `name`: it must be the only one.
pub(super) fn receiving(i: &mut Input<'_>, name: &str, span: Span) -> Parsed<usize> {
    let channel = channel(i, name, span)?;
    let task = i.state.scope.task();
    let (number, count) = (task.number, task.count);
    let receiver = i.state.receivers[channel].replace(number);
    if count > 1 || receiver.is_some_and(|receiver| receiver != number) {
        let help =
            "as with Tokio's mpsc, many may send and one receives: let one task receive and pass it on";
        return wrong(span, "one task that receives from a channel", "several", Some(help.to_owned()));
    }
    Ok(channel)
}

/// The channel called `name`, which stands at `span`.
pub(super) fn channel(i: &Input<'_>, name: &str, span: Span) -> Parsed<usize> {
    let names = || i.state.channels.iter().map(|channel| &*channel.name);
    names().position(|known| known == name).map_or_else(
        || {
            let help = match nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare it before the clients: `channel {name} 1`"),
            };
            wrong(span, "a channel", quote(name), Some(help))
        },
        Ok,
    )
}

/// Reads the rest of the line as a command. Its first word is looked up, so no statement's keyword may stand here.
pub(super) fn command(i: &mut Input<'_>) -> Parsed<(Command, Span)> {
    let mut words = Vec::new();
    loop {
        blanks(i)?;
        if at_line_end(i) || is_at(i, "}", Place::Line) {
            break;
        }
        if is_at(i, "{", Place::Line) {
            // A block after what is no keyword: the first word may have been meant to be one.
            return match words.first() {
                Some(first) if named(first).is_none() => unknown(i, first, "a keyword that takes a block"),
                _ => {
                    let mut fault = fault(i, "a statement's next word or its end");
                    fault.help = Some("to send a lone brace, put it in quotes".to_owned());
                    Err(ErrMode::Cut(fault))
                }
            };
        }
        words.push(word(i, Place::Line)?);
    }
    if words.is_empty() {
        return expected(i, "a statement");
    }
    let span = words[0].span.to(words[words.len() - 1].span);
    Ok((command_of(i, words)?, span))
}

/// Checks `words` against the table.
fn command_of(i: &mut Input<'_>, words: Vec<Word>) -> Parsed<Command> {
    let first = &words[0];
    let Some(mut spec) = named(first) else {
        return unknown(i, first, "a keyword or a Redis command");
    };
    if let Some(word) = words.get(1).filter(|_| !spec.subcommands.is_empty())
        && let Some(name) = word.bare()
    {
        let known = || spec.subcommands.iter().map(|sub| (own_name(sub), sub));
        let Some((_, sub)) = known().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
            let near = nearest(name, known().map(|(known, _)| known));
            let help = near.map(|near| format!("did you mean `{}`?", near.to_ascii_uppercase()));
            let what = format!("a subcommand of `{}`", spec.name.to_ascii_uppercase());
            return wrong(word.span, what, quote(name), help);
        };
        spec = sub;
    }
    // A subcommand that is known only in the run is checked by the server then.
    let checked = spec.subcommands.is_empty() || words.len() < 2;
    if checked && !spec.takes(words.len()) {
        let usage = format!("{} {}", spec.name.replace('|', " ").to_ascii_uppercase(), spec.usage);
        let given = words.len() - 1;
        let found = format!("{given} word{} after its name", if given == 1 { "" } else { "s" });
        return wrong(first.span.to(words[given].span), format!("`{}`", usage.trim_end()), found, None);
    }
    i.state.scope.task().talks = true;
    Ok(Command { words: words.into_iter().map(|word| word.text).collect() })
}

/// The command that `word` names.
fn named(word: &Word) -> Option<&'static Spec> {
    Some(lookup(word.bare()?.as_bytes())?.1)
}

/// The name of a subcommand without its container's.
fn own_name(sub: &'static Spec) -> &'static str {
    sub.name.split_once('|').map_or(sub.name, |(_, own)| own)
}

/// The commands' names as they are usually written.
fn command_names() -> Vec<String> {
    TABLE.iter().map(|spec| spec.name.to_ascii_uppercase()).collect()
}

/// The mistake of `word` being neither a keyword nor a command.
fn unknown<T>(i: &Input<'_>, word: &Word, what: &str) -> Parsed<T> {
    let found = word.span.text(i.state.source);
    let help = if let Some(text) = word.bare() {
        let commands = command_names();
        let known = super::parse::STATEMENTS.into_iter().chain(commands.iter().map(|name| &**name));
        match nearest(text, known) {
            _ if text.contains(';') => Some("every statement has a line of its own".to_owned()),
            near => near.map(|near| format!("did you mean `{near}`?")),
        }
    } else {
        Some("a line begins with a keyword or a command's name, without quotes or variables".to_owned())
    };
    wrong(word.span, what, quote(found), help)
}

/// `name` of a variable that is to be changed.
pub(super) fn assigned(i: &Input<'_>, name: &str, span: Span) -> Parsed<usize> {
    if name == super::parse::ME {
        let help = format!("copy it: `let number = {name}`");
        return wrong(span, "a variable that can change", "the client's own number", Some(help));
    }
    variable(i, name, span)
}

/// A channel's name, after blanks.
pub(super) fn channel_name(i: &mut Input<'_>) -> Parsed<usize> {
    let (name, span) = expect_name(i, "a channel's name")?;
    channel(i, name, span)
}

/// Like [`channel_name`], for the task that receives.
pub(super) fn receive_name(i: &mut Input<'_>) -> Parsed<usize> {
    let (name, span) = expect_name(i, "a channel's name")?;
    receiving(i, name, span)
}

/// A mistake at the end of a statement: what may follow it.
pub(super) fn end_of_statement(i: &mut Input<'_>) -> Parsed<()> {
    blanks(i)?;
    if at_line_end(i) || peek::<_, _, ErrMode<Fault>, _>('}').parse_next(i).is_ok() {
        return Ok(());
    }
    Err(ErrMode::Cut(fault(i, "the end of the line")))
}
