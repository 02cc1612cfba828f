//! A scenario's text as the editor needs it: its words and their colours as HTML, places as the browser counts them, what a
//! word being typed may become. Pure; knows no element and no worker, and leaves it to the worker what is right or wrong.

use std::fmt::Write as _;
use std::ops::Range;

use interleave::command::{Spec, TABLE, lookup};
use interleave::scenario::{PARTS, STATEMENTS};

use crate::console::written;

/// Suggestions shown at once.
const SUGGESTIONS_MAX: usize = 7;

/// The byte at which the UTF-16 code unit `at` stands; the end, if there is none such.
pub(crate) fn byte_of(text: &str, at: u32) -> usize {
    let mut units = 0;
    for (byte, char) in text.char_indices() {
        if units >= at {
            return byte;
        }
        units += char.len_utf16() as u32;
    }
    text.len()
}

/// The UTF-16 code unit at which the byte `at` stands.
pub(crate) fn unit_of(text: &str, at: usize) -> u32 {
    text[..text.floor_char_boundary(at)].encode_utf16().count() as u32
}

/// What a piece of text is, by the name of its class in the style sheet.
type Class = &'static str;

/// The text in colours. `wrong` is underlined; after the lines of `here`, counted from 1, stands who is there.
pub(crate) fn html(text: &str, wrong: Option<&Range<usize>>, here: &[(u32, String)]) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    let mut line_start = 0;
    for (index, line) in text.split('\n').enumerate() {
        let names = here.iter().filter(|(number, _)| *number as usize == index + 1);
        let names: Vec<&str> = names.map(|(_, name)| &**name).collect();
        out.push_str(if names.is_empty() { "<span class=\"l\">" } else { "<span class=\"l here\">" });
        for (range, class) in pieces(line) {
            push(&mut out, line, range, class, line_start, wrong);
        }
        // Something missing at the end of a line is shown behind it.
        let line_end = line_start + line.len();
        if wrong.is_some_and(|wrong| wrong.start == line_end && wrong.end <= line_end + 1) {
            out.push_str("<span class=\"wrong\"> </span>");
        }
        if !names.is_empty() {
            let _ = write!(out, "<span class=\"who\">\u{25c2} {}</span>", escaped(&names.join(", ")));
        }
        out.push_str("\n</span>");
        line_start = line_end + 1;
    }
    out
}

/// One piece, cut where what is wrong begins and ends.
fn push(
    out: &mut String,
    line: &str,
    piece: Range<usize>,
    class: Class,
    line_start: usize,
    wrong: Option<&Range<usize>>,
) {
    let wrong = wrong.map_or(0..0, |wrong| {
        let within = |at: usize| at.saturating_sub(line_start).clamp(piece.start, piece.end);
        if wrong.end <= line_start { 0..0 } else { within(wrong.start)..within(wrong.end) }
    });
    let parts = if wrong.is_empty() {
        [(piece, false), (0..0, false), (0..0, false)]
    } else {
        [(piece.start..wrong.start, false), (wrong.clone(), true), (wrong.end..piece.end, false)]
    };
    for (range, is_wrong) in parts {
        // An error's place may be of another text; then it is shown roughly.
        let (start, end) = (line.floor_char_boundary(range.start), line.floor_char_boundary(range.end));
        let text = escaped(&line[start..end]);
        match (text.is_empty(), is_wrong, class) {
            (true, ..) => {}
            (_, false, "") => out.push_str(&text),
            (_, false, class) => {
                let _ = write!(out, "<span class=\"{class}\">{text}</span>");
            }
            (_, true, class) => {
                let _ = write!(out, "<span class=\"{class} wrong\">{text}</span>");
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A line's words with what they are, and the blanks between.
fn pieces(line: &str) -> Vec<(Range<usize>, Class)> {
    let mut pieces = Vec::new();
    let mut may_begin = true;
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            pieces.push((at..at + blank, ""));
            at += blank;
            continue;
        }
        let (length, class) = word(rest, may_begin);
        may_begin = begins_more(&rest[..length]);
        pieces.push((at..at + length, class));
        at += length;
    }
    pieces
}

/// Whether a command or a keyword may follow this word.
fn begins_more(word: &str) -> bool {
    matches!(word, "{" | "}" | "=" | "(" | "if" | "else" | "while" | "assert")
}

/// The length of the word that `rest` begins with, and what it is.
fn word(rest: &str, may_begin: bool) -> (usize, Class) {
    if rest.starts_with('#') {
        return (rest.len(), "comment");
    }
    if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
        let mut is_escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, char)| {
            let ends = *char == quote && !is_escaped;
            is_escaped = *char == '\\' && !is_escaped;
            ends
        });
        return (end.map_or(rest.len(), |(end, _)| end + 1), "string");
    }
    let open = usize::from(rest.starts_with('('));
    let length = if open == 1 { 1 } else { rest.find(char::is_whitespace).unwrap_or(rest.len()) };
    let word = &rest[..length];
    let class = match word {
        _ if may_begin && (PARTS.contains(&word) || STATEMENTS.contains(&word)) => "keyword",
        _ if may_begin && lookup(word.as_bytes()).is_some() => "command",
        _ if word.starts_with('$') => "variable",
        _ if word.starts_with(|char: char| char.is_ascii_digit()) => "figure",
        _ => "",
    };
    (length, class)
}

/// What a word may become.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Suggestion {
    Keyword(&'static str),
    Command(&'static Spec),
}

impl Suggestion {
    /// As it is written in the text.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Keyword(word) => word.to_owned(),
            Self::Command(spec) => written(spec),
        }
    }

    /// What it does, in a sentence.
    pub(crate) fn says(self) -> &'static str {
        match self {
            Self::Keyword(word) => keyword(word),
            Self::Command(spec) => spec.summary,
        }
    }
}

/// What can be said at a place of the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Help {
    /// The bytes of the word that is being typed.
    pub(crate) word: Range<usize>,
    pub(crate) suggestions: Vec<Suggestion>,
    /// The command whose arguments are being typed.
    pub(crate) command: Option<&'static Spec>,
}

/// Looks at `text` with the caret at the byte `at`.
pub(crate) fn help(text: &str, at: usize) -> Help {
    let at = text.floor_char_boundary(at);
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let before = &text[line_start..at];
    let in_a_word = text[at..].chars().next().is_some_and(|char| !char.is_whitespace());
    let mut words = pieces(before);
    words.retain(|(range, _)| !before[range.clone()].trim().is_empty());
    let typed = words.last().filter(|(range, _)| range.end == before.len());
    if typed.is_some_and(|(_, class)| matches!(*class, "comment" | "string")) {
        return Help::default();
    }
    let named = words.iter().rev().find(|(_, class)| *class == "command");
    let command = named.and_then(|(range, _)| lookup(before[range.clone()].as_bytes())).map(|(_, spec)| spec);
    let Some((range, _)) = typed.filter(|_| !in_a_word) else {
        return Help { word: at..at, suggestions: Vec::new(), command };
    };
    let opener = words.len().checked_sub(2).map(|last| &before[words[last].0.clone()]);
    let suggestions = suggest(&text[..line_start + range.start], opener, &before[range.clone()]);
    Help { word: line_start + range.start..at, suggestions, command }
}

/// What `word` may become after `text`, in whose line `opener` is the last word.
fn suggest(text: &str, opener: Option<&str>, word: &str) -> Vec<Suggestion> {
    let begins_statement = matches!(opener, None | Some("{" | "}"));
    let begins_value = opener.is_some_and(begins_more) && !begins_statement;
    let at_top = begins_statement && depth(text) <= 0;
    let keywords: &[&str] = match (at_top, begins_statement, begins_value) {
        (true, ..) => &PARTS,
        (false, true, _) => &STATEMENTS,
        (false, false, true) => &["receive"],
        (false, false, false) => return Vec::new(),
    };
    let begins = |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let keywords = keywords.iter().filter(|name| name.starts_with(word));
    let mut suggestions: Vec<Suggestion> = keywords.map(|word| Suggestion::Keyword(word)).collect();
    if !at_top {
        let mut found: Vec<&Spec> = TABLE.iter().filter(|spec| begins(spec.name)).collect();
        found.sort_by_key(|spec| spec.name);
        suggestions.extend(found.into_iter().map(Suggestion::Command));
    }
    // What stands there in full needs no help.
    if let [only] = suggestions[..]
        && only.text().eq_ignore_ascii_case(word)
    {
        suggestions.clear();
    }
    suggestions.truncate(SUGGESTIONS_MAX);
    suggestions
}

/// How many blocks a text opens more than it closes.
fn depth(text: &str) -> isize {
    let words = text.lines().flat_map(|line| pieces(line).into_iter().map(move |(range, _)| &line[range]));
    words.fold(0, |depth, word| match word {
        "{" => depth + 1,
        "}" => depth - 1,
        _ => depth,
    })
}

/// What is put in for a new line at the byte `at`: as many blanks as the line has, and more after an opening brace.
pub(crate) fn new_line(text: &str, at: usize) -> String {
    let before = &text[..text.floor_char_boundary(at)];
    let line = &before[before.rfind('\n').map_or(0, |newline| newline + 1)..];
    let indent = &line[..line.len() - line.trim_start_matches(' ').len()];
    let deeper = if line.trim_end().ends_with('{') { "    " } else { "" };
    format!("\n{indent}{deeper}")
}

/// What a keyword does.
fn keyword(word: &str) -> &'static str {
    match word {
        "setup" => "What is done before the clients start.",
        "client" => "A client: client NAME { ... }, or client NAME * COUNT { ... }.",
        "finally" => "What is done and checked after all tasks have ended.",
        "channel" => "A channel that holds so many messages: channel NAME CAPACITY.",
        "let" => "A new variable: let NAME = VALUE.",
        "if" => "Only if the value is neither 0 nor nil.",
        "else" => "Otherwise.",
        "while" => "As long as the value is neither 0 nor nil.",
        "repeat" => "So many times: repeat COUNT { ... }.",
        "spawn" => "A task of its own: spawn NAME { ... }.",
        "join" => "Wait for the tasks spawned under that name.",
        "lock" => "Hold an async mutex meanwhile: lock NAME { ... }.",
        "send" => "Put a message into a channel; wait while it is full.",
        "receive" => "Take a message out of a channel; wait while it is empty.",
        "assert" => "What must hold; else the outcome counts as bad.",
        "yield" => "Let the others run first.",
        "sleep" => "Wait: sleep 10ms.",
        "spin" => "Compute for so long without giving way: spin 5ms.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_the_browser_does() {
        let text = "a\u{1f980}\u{3042}b";
        for (unit, byte) in [(0, 0), (1, 1), (3, 5), (4, 8), (5, 9), (99, 9)] {
            assert_eq!(byte_of(text, unit), byte);
        }
        assert_eq!(unit_of(text, 8), 4);
    }

    #[test]
    fn words_have_their_colours() {
        assert_eq!(
            html("client a {\n  let x = GET \"<k>\" # why", None, &[]),
            "<span class=\"l\"><span class=\"keyword\">client</span> a {\n</span>\
             <span class=\"l\">  <span class=\"keyword\">let</span> x = <span class=\"command\">GET</span> \
             <span class=\"string\">&quot;&lt;k&gt;&quot;</span> <span class=\"comment\"># why</span>\n</span>"
        );
    }

    #[test]
    fn what_is_wrong_is_underlined_and_who_is_there_is_told() {
        let check = |text: &str, wrong: Range<usize>, expected: &str| {
            let html = html(text, Some(&wrong), &[]);
            assert!(html.contains(expected), "{html}");
        };
        check("GET a\nGTE bcd", 6..9, "<span class=\" wrong\">GTE</span> bcd");
        check("GET abc", 5..7, "a<span class=\" wrong\">bc</span>");
        check("let x =", 7..7, "=<span class=\"wrong\"> </span>");
        let here = [(1, "buyer 1".to_owned()), (1, "buyer 2".to_owned())];
        assert!(html("GET a", None, &here).contains("class=\"l here\""));
        assert!(html("GET a", None, &here).contains("buyer 1, buyer 2</span>"));
    }

    fn check(text: &str, expected: &[&str], command: Option<&str>) {
        let at = text.find('|').unwrap_or(text.len());
        let help = help(&text.replace('|', ""), at);
        let texts: Vec<String> = help.suggestions.iter().map(|suggestion| suggestion.text()).collect();
        assert_eq!(texts, expected, "{text:?}");
        assert_eq!(help.command.map(|spec| spec.name), command, "{text:?}");
    }

    #[test]
    fn suggests_what_may_stand_there() {
        check("se|", &["setup"], None);
        check("client a {\n  rep|", &["repeat"], None);
        check("client a {\n  RENA|", &["RENAME", "RENAMENX"], None);
        check("client a {\n  let x = getr|", &["GETRANGE"], None);
        check("client a {\n  let x = rec|", &["receive"], None);
        check("client a { yie|", &["yield"], None);
        check("client a {\n  GET st|", &[], Some("get"));
        check("client a {\n  # se|", &[], None);
        check("client a {\n  SET \"se|", &[], None);
        check("client a {\n}\nfin|", &["finally"], None);
        check("client a {\n  yield|", &[], None);
        check("", &[], None);
    }

    #[test]
    fn a_new_line_begins_below_the_one_before() {
        for (text, expected) in [("GET a", "\n"), ("    GET a", "\n    "), ("  if x {", "\n      ")] {
            assert_eq!(new_line(text, text.len()), expected);
        }
    }

    #[test]
    fn every_keyword_is_explained() {
        for word in PARTS.iter().chain(&STATEMENTS) {
            assert!(!keyword(word).is_empty(), "{word}");
        }
    }
}
