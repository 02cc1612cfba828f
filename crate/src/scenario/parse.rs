//! Statements, blocks and the parts of a scenario.
//!
//! Owns the grammar from the whole text down to one statement, and the limits of the text. The first mistake wins.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use winnow::ascii::digit1;
use winnow::combinator::{alt, opt, peek, terminated};
use winnow::error::ErrMode;
use winnow::prelude::*;
use winnow::stream::LocatingSlice;

use super::ast::{Arm, Block, Body, Channel, Kind, Part, Statement};
use super::error::{Fault, Span};
use super::expression::{assigned, channel_name, command, end_of_statement, expression, receive_name};
use super::lex::{
    Input, Parsed, Place, Scope, State, TaskScope, at_end, blanks, expect_name, expected, fault, gap, here,
    keyword, lone, name, quote, takes, too_many, wrong,
};
use super::limits::Limits;
use super::nearest::nearest;

/// The keywords a statement can begin with; any other line is a Redis command.
pub const STATEMENTS: [&str; 14] = [
    "let", "if", "else", "while", "repeat", "spawn", "join", "lock", "send", "receive", "assert", "yield",
    "sleep", "spin",
];

/// The keywords a part of a scenario can begin with.
pub const PARTS: [&str; 4] = ["channel", "setup", "client", "finally"];

/// The variable that holds which of `client name * count` a client is, from 1.
pub const ME: &str = "me";

/// What was read.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) channels: Vec<Channel>,
    pub(super) locks: Vec<Arc<str>>,
    pub(super) setup: Option<Part>,
    pub(super) clients: Vec<Part>,
    pub(super) finally: Option<Part>,
    /// Whether any task computes: then time may go on while others could run.
    pub(super) spins: bool,
}

/// Reads a whole scenario.
pub(super) fn script(source: &str, limits: &Limits) -> Result<Script, Fault> {
    if source.len() > limits.source_bytes {
        let most = limits.source_bytes;
        let at = source.floor_char_boundary(most);
        let passed: Parsed<()> =
            too_many(Span::new(at..at), most, "bytes of text", source.len(), "source_bytes");
        return Err(unwrapped(passed.expect_err("it is made to fail")));
    }
    let state = State {
        source,
        limits: *limits,
        depth: 0,
        statements: 0,
        locks: Vec::new(),
        channels: Vec::new(),
        receivers: Vec::new(),
        spins: false,
        scope: Scope::default(),
        tasks: 0,
    };
    let mut input = Input { input: LocatingSlice::new(source), state };
    let mut script = Script {
        channels: Vec::new(),
        locks: Vec::new(),
        setup: None,
        clients: Vec::new(),
        finally: None,
        spins: false,
    };
    parts(&mut input, &mut script).map_err(unwrapped)?;
    script.channels = input.state.channels;
    script.locks = input.state.locks;
    script.spins = input.state.spins;
    Ok(script)
}

fn unwrapped(error: ErrMode<Fault>) -> Fault {
    error.into_inner().unwrap_or_else(|_| unreachable!("the text is whole: no parser waits for more"))
}

fn parts(i: &mut Input<'_>, script: &mut Script) -> Parsed<()> {
    loop {
        gap(i)?;
        if at_end(i) {
            break;
        }
        if let Some(span) = keyword(i, "channel") {
            channel(i, span)?;
        } else if let Some(span) = keyword(i, "setup") {
            once(span, "setup", script.setup.is_some())?;
            i.state.scope = Scope::default();
            script.setup = Some(part(i, "setup", None)?);
        } else if let Some(span) = keyword(i, "finally") {
            once(span, "finally", script.finally.is_some())?;
            i.state.scope = Scope::default();
            script.finally = Some(part(i, "finally", None)?);
        } else if keyword(i, "client").is_some() {
            client(i, script)?;
        } else {
            return misplaced(i);
        }
        end_of_statement(i)?;
    }
    if script.clients.is_empty() {
        return expected(i, "at least one `client name { ... }`");
    }
    Ok(())
}

fn once(span: Span, what: &str, again: bool) -> Parsed<()> {
    if again {
        return wrong(span, format!("one `{what}`"), "a second one", None);
    }
    Ok(())
}

/// The mistake of something else than a part at the top level.
fn misplaced(i: &mut Input<'_>) -> Parsed<()> {
    let mut fault = fault(i, "`client`, `setup`, `finally` or `channel`");
    let word: Parsed<&str> = peek(name).parse_next(i);
    if let Ok(word) = word {
        let is_statement = STATEMENTS.contains(&word) || crate::command::lookup(word.as_bytes()).is_some();
        fault.help = match nearest(word, PARTS) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if is_statement => Some("statements stand in blocks: `client alice { ... }`".to_owned()),
            None => fault.help,
        };
    }
    Err(ErrMode::Cut(fault))
}

/// `channel name capacity`, but for the keyword.
fn channel(i: &mut Input<'_>, keyword: Span) -> Parsed<()> {
    let (name, span) = expect_name(i, "a channel's name")?;
    if i.state.channels.iter().any(|known| &*known.name == name) {
        return wrong(span, "a new channel's name", format!("{} again", quote(name)), None);
    }
    let most = i.state.limits.channel_messages;
    let (capacity, span) = number(i, "how many messages the channel holds, from 1")?;
    if capacity == 0 {
        return wrong(span, "how many messages the channel holds, from 1", "`0`", None);
    }
    if capacity > most {
        return too_many(keyword.to(span), most, "messages in a channel", capacity, "channel_messages");
    }
    i.state.channels.push(Channel { name: name.into(), capacity });
    i.state.receivers.push(None);
    Ok(())
}

/// `client name { ... }` or `client name * count { ... }`, but for the keyword.
fn client(i: &mut Input<'_>, script: &mut Script) -> Parsed<()> {
    let (name, span) = expect_name(i, "a client's name")?;
    if script.clients.iter().any(|known| &*known.name == name) || PARTS.contains(&name) {
        let help = format!("several clients that do the same are written `client {name} * 2 {{ ... }}`");
        return wrong(span, "a new client's name", format!("{} again", quote(name)), Some(help));
    }
    blanks(i)?;
    let times: Option<char> = opt('*').parse_next(i)?;
    let mut count = None;
    if times.is_some() {
        let (given, span) = number(i, "how many such clients there are, from 1")?;
        if given == 0 {
            return wrong(span, "how many such clients there are, from 1", "`0`", None);
        }
        count = Some((given, span));
    }
    let others: usize = script.clients.iter().map(|client| client.count as usize).sum();
    let (all, most) = (others.saturating_add(count.map_or(1, |(count, _)| count)), i.state.limits.clients);
    if all > most {
        return too_many(count.map_or(span, |(_, span)| span), most, "clients", all, "clients");
    }
    i.state.scope = Scope::default();
    i.state.scope.declare(ME);
    script.clients.push(part(i, name, count.map(|(count, _)| count as u32))?);
    Ok(())
}

/// The block of a part called `name`.
fn part(i: &mut Input<'_>, name: &str, count: Option<u32>) -> Parsed<Part> {
    let body = body(i, count.unwrap_or(1))?;
    let variables = std::mem::take(&mut i.state.scope.variables);
    Ok(Part {
        name: name.into(),
        count: count.unwrap_or(1),
        numbered: count.is_some(),
        body: Arc::new(body),
        variables,
    })
}

/// The block of a task that runs `count` times.
fn body(i: &mut Input<'_>, count: u32) -> Parsed<Body> {
    i.state.tasks += 1;
    let task = TaskScope { number: i.state.tasks, count, ..TaskScope::default() };
    i.state.scope.tasks.push(task);
    let block = block(i)?;
    let task = i.state.scope.tasks.pop().expect("pushed above");
    Ok(Body { block, talks: task.talks, sends: task.sends })
}

/// `{ ... }`, after blanks.
fn block(i: &mut Input<'_>) -> Parsed<Block> {
    blanks(i)?;
    let opening: Parsed<Range<usize>> = '{'.span().parse_next(i);
    let Ok(opening) = opening else {
        return expected(i, "`{` and a block");
    };
    let opening = Span::new(opening);
    let most = i.state.limits.depth;
    i.state.depth += 1;
    if i.state.depth > most {
        return too_many(opening, most, "levels of nesting", i.state.depth, "depth");
    }
    let visible = i.state.scope.visible.len();
    let mut block = Block::new();
    loop {
        gap(i)?;
        let closing: Parsed<char> = '}'.parse_next(i);
        if closing.is_ok() {
            break;
        }
        if at_end(i) {
            let help = "the `}` of a block stands alone, after a space or at the start of a line";
            return wrong(opening, "a `}` for this `{`", "the end of the text", Some(help.to_owned()));
        }
        block.push(statement(i)?);
        end_of_statement(i)?;
    }
    i.state.scope.visible.truncate(visible);
    i.state.depth -= 1;
    Ok(block)
}

fn statement(i: &mut Input<'_>) -> Parsed<Statement> {
    let start = here(i);
    let most = i.state.limits.statements;
    i.state.statements += 1;
    if i.state.statements > most {
        return too_many(Span::new(start..start), most, "statements", i.state.statements, "statements");
    }
    // Of a statement with a block, the head only: it is what is shown while the task stands there.
    let head = |i: &Input<'_>| Span::new(start..here(i));
    let (span, kind) = if keyword(i, "let").is_some() {
        let (name, span) = new_variable(i)?;
        let value = assigned_value(i, "`=` and a value")?;
        if i.state.scope.find(name).is_some() {
            let help = format!("to change it, leave out the `let`: `{name} = ...`");
            return wrong(span, "a new variable's name", format!("{} again", quote(name)), Some(help));
        }
        let slot = i.state.scope.declare(name);
        (head(i), Kind::Set { slot, value })
    } else if keyword(i, "if").is_some() {
        return if_else(i, start);
    } else if keyword(i, "while").is_some() {
        let condition = expression(i)?;
        (head(i), Kind::While { condition, body: block(i)? })
    } else if keyword(i, "repeat").is_some() {
        let times = expression(i)?;
        (head(i), Kind::Repeat { times, body: block(i)? })
    } else if keyword(i, "spawn").is_some() {
        let (name, _) = expect_name(i, "a name for the task")?;
        let (span, spawned) = (head(i), spawned(i, name));
        let count = i.state.scope.task().count;
        let body = Arc::new(body(i, count)?);
        // What the task sends to, whoever spawns it must have, to hand it over.
        let task = i.state.scope.task();
        for channel in &body.sends {
            if !task.sends.contains(channel) {
                task.sends.push(*channel);
            }
        }
        (span, Kind::Spawn { spawned, name: name.into(), body })
    } else if keyword(i, "join").is_some() {
        let (name, span) = expect_name(i, "the name of a task spawned before")?;
        let known = &i.state.scope.task().spawned;
        let Some(spawned) = known.iter().position(|known| &**known == name) else {
            let near = nearest(name, known.iter().map(|known| &**known));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let help = help
                .unwrap_or_else(|| format!("this task can join what it spawned: `spawn {name} {{ ... }}`"));
            return wrong(span, "the name of a task spawned before", quote(name), Some(help));
        };
        (head(i), Kind::Join { spawned })
    } else if keyword(i, "lock").is_some() {
        let (name, _) = expect_name(i, "a lock's name")?;
        let lock = lock(i, name);
        (head(i), Kind::Lock { lock, body: block(i)? })
    } else if keyword(i, "send").is_some() {
        let channel = channel_name(i)?;
        let sends = &mut i.state.scope.task().sends;
        if !sends.contains(&channel) {
            sends.push(channel);
        }
        let value = expression(i)?;
        (head(i), Kind::Send { channel, value })
    } else if keyword(i, "receive").is_some() {
        let channel = receive_name(i)?;
        (head(i), Kind::Receive { channel })
    } else if keyword(i, "assert").is_some() {
        let condition = expression(i)?;
        (head(i), Kind::Assert(condition))
    } else if keyword(i, "yield").is_some() {
        (head(i), Kind::Yield)
    } else if keyword(i, "sleep").is_some() {
        let duration = duration(i)?;
        (head(i), Kind::Sleep(duration))
    } else if keyword(i, "spin").is_some() {
        let duration = duration(i)?;
        i.state.spins = true;
        (head(i), Kind::Spin(duration))
    } else if let Some(span) = keyword(i, "else") {
        return wrong(span, "a statement", "an `else` without its `if`", None);
    } else if let Some((name, span)) =
        opt(terminated(name.with_span(), peek((blanks, lone("=", Place::Line))))).parse_next(i)?
    {
        let slot = assigned(i, name, Span::new(span))?;
        let value = assigned_value(i, "`=`")?;
        (head(i), Kind::Set { slot, value })
    } else {
        let (command, span) = command(i)?;
        (span, Kind::Command(command))
    };
    Ok(Statement { span, kind })
}

/// `= value`, after blanks.
fn assigned_value(i: &mut Input<'_>, what: &str) -> Parsed<super::ast::Expression> {
    blanks(i)?;
    if !takes(i, "=", Place::Expression) {
        return expected(i, what);
    }
    expression(i)
}

/// The name of a variable to be.
fn new_variable<'s>(i: &mut Input<'s>) -> Parsed<(&'s str, Span)> {
    let (name, span) = expect_name(i, "a variable's name")?;
    if STATEMENTS.contains(&name) || PARTS.contains(&name) || name == "nil" {
        return wrong(
            span,
            "a variable's name",
            format!("{}, which means something else", quote(name)),
            None,
        );
    }
    if name == ME {
        return wrong(span, "a new variable's name", "`me`, the client's own number", None);
    }
    Ok((name, span))
}

/// `if condition { ... } else if condition { ... } else { ... }`, but for the first keyword.
fn if_else(i: &mut Input<'_>, start: usize) -> Parsed<Statement> {
    let mut arms = Vec::new();
    let mut otherwise = Block::new();
    let mut arm_start = start;
    loop {
        let condition = expression(i)?;
        let span = Span::new(arm_start..here(i));
        arms.push(Arm { span, condition, block: block(i)? });
        // An `else` may stand on the line after the `}`; what stands there instead must not be swallowed.
        if peek((gap, |i: &mut Input<'_>| keyword_or_backtrack(i, "else"))).parse_next(i).is_err() {
            break;
        }
        gap(i)?;
        arm_start = here(i);
        keyword(i, "else");
        blanks(i)?;
        if keyword(i, "if").is_none() {
            otherwise = block(i)?;
            break;
        }
    }
    let span = arms[0].span;
    Ok(Statement { span, kind: Kind::If { arms, otherwise } })
}

fn keyword_or_backtrack(i: &mut Input<'_>, word: &str) -> Parsed<Span> {
    keyword(i, word).ok_or_else(|| winnow::error::ParserError::from_input(i))
}

/// The number of the name `name` among those the task spawns under.
fn spawned(i: &mut Input<'_>, name: &str) -> usize {
    let known = &mut i.state.scope.task().spawned;
    known.iter().position(|known| &**known == name).unwrap_or_else(|| {
        known.push(name.into());
        known.len() - 1
    })
}

/// The number of the lock `name`. Locks need no declaration.
fn lock(i: &mut Input<'_>, name: &str) -> usize {
    let known = &mut i.state.locks;
    known.iter().position(|known| &**known == name).unwrap_or_else(|| {
        known.push(name.into());
        known.len() - 1
    })
}

/// A whole number, after blanks.
fn number(i: &mut Input<'_>, what: &str) -> Parsed<(usize, Span)> {
    blanks(i)?;
    let digits: Option<(&str, Range<usize>)> = opt(digit1.with_span()).parse_next(i)?;
    let Some((digits, span)) = digits else { return expected(i, what) };
    // More digits than fit are more than any limit.
    Ok((digits.parse().unwrap_or(usize::MAX), Span::new(span)))
}

/// `10ms`, after blanks.
fn duration(i: &mut Input<'_>) -> Parsed<Duration> {
    const A_TIME: &str = "a time: a whole number and its unit, `us`, `ms` or `s`, as in `10ms`";
    blanks(i)?;
    let start = i.checkpoint();
    let unit = alt(("us".value(1u64), "ms".value(1_000), "s".value(1_000_000)));
    let read: Parsed<(&str, u64)> = terminated((digit1, unit), peek(lone("", Place::Line))).parse_next(i);
    let Ok((digits, unit_us)) = read else {
        i.reset(&start);
        return expected(i, A_TIME);
    };
    // More than fits is more than any limit: the run will say so.
    let amount: u64 = digits.parse().unwrap_or(u64::MAX);
    Ok(Duration::from_micros(amount.saturating_mul(unit_us)))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
