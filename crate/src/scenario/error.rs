//! Places in a scenario's text, and what is wrong there, shown with the line it is on.
//!
//! Owns positions and how an error reads. Does not know what is right or wrong.

use std::fmt;
use std::ops::Range;

/// A part of a scenario's text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Its first byte.
    pub start: u32,
    /// The byte after its last.
    pub end: u32,
}

impl Span {
    pub(super) fn new(range: Range<usize>) -> Self {
        // `Limits::source_bytes` is checked before anything has a span; 4 GiB would not be read.
        Self { start: range.start as u32, end: range.end as u32 }
    }

    /// From the start of this to the end of `last`.
    pub(super) fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end }
    }

    /// The line of its first byte, counted from 1, and the character in that line, counted from 1.
    #[must_use]
    pub fn line_and_column(self, source: &str) -> (usize, usize) {
        let before = &source[..floor(source, self.start as usize)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// What it covers of `source`.
    #[must_use]
    pub fn text(self, source: &str) -> &str {
        &source[floor(source, self.start as usize)..floor(source, self.end as usize)]
    }
}

/// The last character boundary of `source` up to `at`: spans lie on boundaries, but of another text they may not.
fn floor(source: &str, at: usize) -> usize {
    source.floor_char_boundary(at)
}

/// Characters of a line that are shown on each side of the place pointed at.
const SHOWN_AROUND: usize = 60;

/// The line `span` begins on, with its number, and carets under the part of it that `span` covers.
///
/// ```
/// use interleave::scenario::{Span, excerpt};
///
/// assert_eq!(excerpt("GET a\nGTE b", Span { start: 6, end: 9 }), "2 | GTE b\n  | ^^^");
/// ```
#[must_use]
pub fn excerpt(source: &str, span: Span) -> String {
    let (number, column) = span.line_and_column(source);
    let line = source.lines().nth(number - 1).unwrap_or_default();
    let before = column - 1;
    // A caret under the end of the line, too, where something is missing.
    let covered = span.text(source).lines().next().map_or(0, |text| text.chars().count()).max(1);
    let skipped = before.saturating_sub(SHOWN_AROUND);
    let shown: String = line.chars().skip(skipped).take(SHOWN_AROUND * 2).collect();
    let shown = shown.trim_end();
    let margin = " ".repeat(number.to_string().len());
    let (head, gap) = if skipped > 0 { ("...", "   ") } else { ("", "") };
    let indent: String = line.chars().skip(skipped).take(before - skipped).map(blank_like).collect();
    let under = line.chars().skip(before).take(covered.min(SHOWN_AROUND));
    let carets: String = under.map(|char| if is_wide(char) { "^^" } else { "^" }).collect();
    let carets = if carets.is_empty() { "^".to_owned() } else { carets };
    format!("{number} | {head}{shown}\n{margin} | {gap}{indent}{carets}")
}

/// A blank as wide as `char`, so that the carets stand where they point.
fn blank_like(char: char) -> char {
    match char {
        '\t' => '\t',
        _ if is_wide(char) => '\u{3000}',
        _ => ' ',
    }
}

/// Whether `char` takes two columns where others take one: the scripts of East Asia, roughly.
fn is_wide(char: char) -> bool {
    matches!(char, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{ff01}'..='\u{ff60}')
}

/// What is wrong at a place, before the text it is in is at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) span: Span,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) help: Option<String>,
}

/// A mistake in a scenario's text, found before anything ran. [`Display`](fmt::Display) shows the line and points at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    fault: Fault,
    line: usize,
    column: usize,
    excerpt: String,
}

impl ScriptError {
    pub(super) fn new(source: &str, fault: Fault) -> Self {
        let (line, column) = fault.span.line_and_column(source);
        Self { line, column, excerpt: excerpt(source, fault.span), fault }
    }

    /// The place.
    #[must_use]
    pub fn span(&self) -> Span {
        self.fault.span
    }

    /// Its line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Its column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What was expected and what was found, in one sentence without the place.
    #[must_use]
    pub fn message(&self) -> String {
        let Fault { expected, found, .. } = &self.fault;
        format!("expected {expected}, found {found}")
    }

    /// What to do about it, where more can be said than what was expected.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.fault.help.as_deref()
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, excerpt, .. } = self;
        write!(f, "line {line}, column {column}: {}\n{excerpt}", self.message())?;
        if let Some(help) = self.help() {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ScriptError {}
