//! Words, names and what lies between them; the state that parsing carries along.
//!
//! Owns the smallest pieces of the grammar and how a place is described in an error. Does not know statements.

use std::sync::Arc;

use winnow::combinator::{alt, eof, opt, peek, preceded, repeat, terminated};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stateful};
use winnow::token::{any, one_of, take_till, take_while};

use super::ast::{Channel, Piece, Text};
use super::error::{Fault, Span};
use super::limits::Limits;
use super::nearest::nearest;

/// The text still to be read, and what is known from what has been read.
pub(super) type Input<'s> = Stateful<LocatingSlice<&'s str>, State<'s>>;

/// A piece that was read. Mistakes are [cut](ErrMode::Cut): the first one wins.
pub(super) type Parsed<T> = ModalResult<T, Fault>;

/// What the text so far has introduced.
#[derive(Debug)]
pub(super) struct State<'s> {
    /// The whole text.
    pub(super) source: &'s str,
    pub(super) limits: Limits,
    pub(super) depth: usize,
    pub(super) statements: usize,
    pub(super) locks: Vec<Arc<str>>,
    pub(super) channels: Vec<Channel>,
    /// Whether anybody computes.
    pub(super) spins: bool,
    /// For each channel, the task that receives from it.
    pub(super) receivers: Vec<Option<usize>>,
    pub(super) scope: Scope,
    /// How many tasks were met so far: each has a number.
    pub(super) tasks: usize,
}

/// The names of one client, or of `setup` or `finally`.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// All variables by slot. Blocks that do not see each other share the slot of a common name.
    pub(super) variables: Vec<Arc<str>>,
    /// Those that can be used here, in the order of their `let`s.
    pub(super) visible: Vec<usize>,
    /// The task being read and those around it, innermost last.
    pub(super) tasks: Vec<TaskScope>,
}

/// What is known of one task's text.
#[derive(Debug, Default)]
pub(super) struct TaskScope {
    pub(super) number: usize,
    /// How many tasks run this text at least.
    pub(super) count: u32,
    pub(super) talks: bool,
    pub(super) sends: Vec<usize>,
    pub(super) spawned: Vec<Arc<str>>,
}

impl Scope {
    /// The slot of the variable called `name` here.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.visible.iter().copied().find(|slot| &*self.variables[*slot] == name)
    }

    /// Whether there was a variable called `name`, in a block that has ended.
    pub(super) fn has_ended(&self, name: &str) -> bool {
        self.find(name).is_none() && self.variables.iter().any(|known| &**known == name)
    }

    /// The slot of a new variable, to be used from here to the end of the block.
    pub(super) fn declare(&mut self, name: &str) -> usize {
        let known = self.variables.iter().position(|known| &**known == name);
        let slot = known.unwrap_or_else(|| {
            self.variables.push(name.into());
            self.variables.len() - 1
        });
        self.visible.push(slot);
        slot
    }

    /// The task being read.
    pub(super) fn task(&mut self) -> &mut TaskScope {
        self.tasks.last_mut().expect("statements stand in tasks only")
    }
}

impl ParserError<Input<'_>> for Fault {
    type Inner = Self;

    /// Only for parsers that are tried and given up: what the reader is told is made by [`expected`].
    fn from_input(input: &Input<'_>) -> Self {
        let at = input.current_token_start();
        Self { span: Span::new(at..at), expected: String::new(), found: String::new(), help: None }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a line that is a command: words end at blanks only, as in `redis-cli`.
    Line,
    /// In an expression: a `)` ends a word, too.
    Expression,
}

/// A word: quoted, bare, or first bare and then quoted.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) span: Span,
    pub(super) text: Text,
    pub(super) quoted: bool,
}

impl Word {
    /// Its text if it is bare and has no variable in it.
    pub(super) fn bare(&self) -> Option<&str> {
        match &*self.text {
            [Piece::Bytes(bytes)] if !self.quoted => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

/// White space within a line.
fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\x0b' | '\x0c')
}

fn is_space(char: char) -> bool {
    char == '\n' || is_blank(char)
}

fn ends_word(place: Place, char: char) -> bool {
    is_space(char) || (place == Place::Expression && char == ')')
}

/// Skips blanks.
pub(super) fn blanks(i: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., is_blank).void().parse_next(i)
}

/// Skips a comment.
fn comment(i: &mut Input<'_>) -> Parsed<()> {
    ('#', take_till(0.., '\n')).void().parse_next(i)
}

/// Skips blanks, comments and ends of lines.
pub(super) fn gap(i: &mut Input<'_>) -> Parsed<()> {
    repeat(0.., alt((take_while(1.., is_space).void(), comment))).parse_next(i)
}

/// Whether the text, or the line, ends here.
pub(super) fn at_line_end(i: &mut Input<'_>) -> bool {
    peek(alt((eof::<_, ErrMode<Fault>>.void(), one_of(['\n', '#']).void()))).parse_next(i).is_ok()
}

/// Whether nothing is left to read.
pub(super) fn at_end(i: &mut Input<'_>) -> bool {
    eof::<_, ErrMode<Fault>>.parse_next(i).is_ok()
}

/// Takes `symbol`, if it stands here by itself.
pub(super) fn takes(i: &mut Input<'_>, symbol: &str, place: Place) -> bool {
    opt(lone(symbol, place)).parse_next(i).is_ok_and(|taken| taken.is_some())
}

/// Whether `symbol` stands here by itself. Does not take it.
pub(super) fn is_at(i: &mut Input<'_>, symbol: &str, place: Place) -> bool {
    peek(lone(symbol, place)).parse_next(i).is_ok()
}

/// `symbol` standing by itself, not as the start of a word.
pub(super) fn lone<'s>(symbol: &str, place: Place) -> impl Parser<Input<'s>, (), ErrMode<Fault>> {
    terminated(symbol, peek(alt((eof.void(), any.verify(move |char| ends_word(place, *char)).void())))).void()
}

/// Letters, digits and `_`, not starting with a digit.
pub(super) fn name<'s>(i: &mut Input<'s>) -> Parsed<&'s str> {
    (
        one_of(|char: char| char.is_alphabetic() || char == '_'),
        take_while(0.., |char: char| char.is_alphanumeric() || char == '_'),
    )
        .take()
        .parse_next(i)
}

/// Takes the keyword `word`, if it is what stands here.
pub(super) fn keyword(i: &mut Input<'_>, word: &str) -> Option<Span> {
    let ends = alt((eof.void(), one_of(|char| is_space(char) || matches!(char, '{' | '}')).void()));
    // `opt` puts back what was read of a longer word.
    let found: Parsed<_> = opt(terminated(word, peek(ends)).span()).parse_next(i);
    found.ok().flatten().map(Span::new)
}

/// Where reading stands.
pub(super) fn here(i: &Input<'_>) -> usize {
    i.current_token_start()
}

/// The mistake of finding something other than `what` here.
pub(super) fn fault(i: &mut Input<'_>, what: impl Into<String>) -> Fault {
    take_while::<_, _, ErrMode<Fault>>(0.., is_blank).parse_next(i).expect("none is enough");
    let at = here(i);
    let word: Parsed<&str> = peek(take_till(1.., is_space)).parse_next(i);
    let (span, found) = match word {
        _ if at_line_end(i) => {
            let found = if at_end(i) { "the end of the text" } else { "the end of the line" };
            (Span::new(at..at), found.to_owned())
        }
        Ok(word) => (Span::new(at..at + word.len()), quote(word)),
        Err(_) => unreachable!("neither the end of a line nor a blank: a word"),
    };
    let help = match &*found {
        "`=`" => {
            Some("to compare, write `==`; to change a variable, begin the line with its name".to_owned())
        }
        found if found.starts_with("`;") => Some("every statement has a line of its own".to_owned()),
        _ => None,
    };
    Fault { span, expected: what.into(), found, help }
}

/// Fails, finding something other than `what` here.
pub(super) fn expected<T>(i: &mut Input<'_>, what: impl Into<String>) -> Parsed<T> {
    Err(ErrMode::Cut(fault(i, what)))
}

/// Fails at `span`.
pub(super) fn wrong<T>(
    span: Span,
    expected: impl Into<String>,
    found: impl Into<String>,
    help: Option<String>,
) -> Parsed<T> {
    Err(ErrMode::Cut(Fault { span, expected: expected.into(), found: found.into(), help }))
}

/// Fails because `limit` is passed.
pub(super) fn too_many<T>(span: Span, most: usize, what: &str, found: usize, limit: &str) -> Parsed<T> {
    let help = format!("a scenario's limit `{limit}` is reached");
    wrong(span, format!("at most {most} {what}"), found.to_string(), Some(help))
}

/// `text` in back quotes, cut where it is long.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 32;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// A new or known name, after blanks; `what` says of what.
pub(super) fn expect_name<'s>(i: &mut Input<'s>, what: &str) -> Parsed<(&'s str, Span)> {
    blanks(i)?;
    let Some((name, span)) = opt(name.with_span()).parse_next(i)? else {
        return expected(i, what);
    };
    let span = Span::new(span);
    let most = i.state.limits.name_bytes;
    if name.len() > most {
        return too_many(span, most, "bytes in a name", name.len(), "name_bytes");
    }
    Ok((name, span))
}

/// A word and where it ends, which must be at its closing quote if it has one.
pub(super) fn word(i: &mut Input<'_>, place: Place) -> Parsed<Word> {
    let start = here(i);
    let mut text = Text::new();
    let mut quoted = false;
    let ends = |i: &mut Input<'_>| -> bool {
        let end: Parsed<()> =
            peek(alt((eof.void(), any.verify(|char| ends_word(place, *char)).void()))).parse_next(i);
        end.is_ok()
    };
    while !ends(i) {
        if quoted {
            return expected(i, "a space after the closing quote");
        }
        let next: char = peek(any).parse_next(i)?;
        match next {
            '"' => double_quoted(i, &mut text)?,
            '\'' => single_quoted(i, &mut text)?,
            '$' => dollar(i, &mut text)?,
            _ => {
                let bare = |char| ends_word(place, char) || matches!(char, '"' | '\'' | '$');
                let bytes = take_till(1.., bare).parse_next(i)?;
                push(&mut text, bytes.as_bytes());
            }
        }
        quoted |= matches!(next, '"' | '\'');
    }
    if text.is_empty() {
        text.push(Piece::Bytes(Vec::new()));
    }
    Ok(Word { span: Span::new(start..here(i)), text, quoted })
}

fn push(text: &mut Text, bytes: &[u8]) {
    match text.last_mut() {
        Some(Piece::Bytes(last)) => last.extend_from_slice(bytes),
        _ => text.push(Piece::Bytes(bytes.to_vec())),
    }
}

/// A `$`: with a name, the variable; else itself.
fn dollar(i: &mut Input<'_>, text: &mut Text) -> Parsed<()> {
    let start = here(i);
    let braced: Option<_> = opt("${").parse_next(i)?;
    if braced.is_some() {
        let Some(name) = opt(terminated(name, '}')).parse_next(i)? else {
            return expected(i, "a variable's name and `}` after `${`");
        };
        text.push(Piece::Variable(variable(i, name, Span::new(start..here(i)))?));
        return Ok(());
    }
    match opt(preceded('$', name)).parse_next(i)? {
        Some(name) => text.push(Piece::Variable(variable(i, name, Span::new(start..here(i)))?)),
        None => push(text, "$".parse_next(i)?.as_bytes()),
    }
    Ok(())
}

/// The slot of the variable `name`, which stands at `span`.
pub(super) fn variable(i: &Input<'_>, name: &str, span: Span) -> Parsed<usize> {
    let scope = &i.state.scope;
    if let Some(slot) = scope.find(name) {
        return Ok(slot);
    }
    let known = scope.visible.iter().map(|slot| &*scope.variables[*slot]);
    let help = match nearest(name, known) {
        _ if scope.has_ended(name) => has_ended(name),
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("make one first: `let {name} = ...`"),
    };
    wrong(span, "a variable", format!("`{name}`, which is none here"), Some(help))
}

/// The help for a variable used after its block.
pub(super) fn has_ended(name: &str) -> String {
    format!(
        "the block that made `{name}` has ended: make it before the block, and change it inside with `{name} = ...`"
    )
}

/// `"..."`, read as `redis-cli` reads it, with variables.
fn double_quoted(i: &mut Input<'_>, text: &mut Text) -> Parsed<()> {
    let start = here(i);
    push(text, &[]);
    '"'.parse_next(i)?;
    loop {
        let next: Option<char> = peek(opt(any)).parse_next(i)?;
        match next {
            None | Some('\n') => return unclosed(start, '"'),
            Some('"') => return '"'.void().parse_next(i),
            Some('$') => dollar(i, text)?,
            Some('\\') => {
                let byte = opt(preceded("\\x", take_while(2, |char: char| char.is_ascii_hexdigit())))
                    .parse_next(i)?;
                if let Some(digits) = byte {
                    push(text, &[u8::from_str_radix(digits, 16).expect("two hexadecimal digits")]);
                    continue;
                }
                let escaped: Option<char> = opt(preceded('\\', any)).parse_next(i)?;
                match escaped {
                    None | Some('\n') => return unclosed(start, '"'),
                    Some('n') => push(text, b"\n"),
                    Some('r') => push(text, b"\r"),
                    Some('t') => push(text, b"\t"),
                    Some('b') => push(text, b"\x08"),
                    Some('a') => push(text, b"\x07"),
                    Some(other) => push(text, other.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            Some(_) => {
                let plain = take_till(1.., ['"', '\\', '$', '\n']).parse_next(i)?;
                push(text, plain.as_bytes());
            }
        }
    }
}

/// `'...'`, in which only `\'` is special.
fn single_quoted(i: &mut Input<'_>, text: &mut Text) -> Parsed<()> {
    let start = here(i);
    push(text, &[]);
    '\''.parse_next(i)?;
    let inside = alt((r"\'".value("'"), '\\'.take(), take_till(1.., ['\'', '\\', '\n'])));
    repeat(0.., inside).fold(|| (), |(), bytes: &str| push(text, bytes.as_bytes())).parse_next(i)?;
    match opt('\'').parse_next(i)? {
        Some(_) => Ok(()),
        None => unclosed(start, '\''),
    }
}

fn unclosed<T>(start: usize, quote: char) -> Parsed<T> {
    let found = "the end of the line".to_owned();
    wrong(Span::new(start..start + 1), format!("a closing {quote} for this one"), found, None)
}
