//! Conversations: what several clients of one server say in turn, and what each of them then hears.
//!
//! - `a> SUBSCRIBE news` is a request of client `a`, typed as into redis-cli. A client is connected when it first speaks.
//! - `a! ` on its own: client `a` hangs up.
//! - `wait 100` lets so many milliseconds pass.
//! - The lines after it, up to the next of these, say what was heard by the time all is quiet: `a< +OK` what client `a` heard,
//!   `b< ` what `b` did, its line ends as spaces, ` <end>` behind it if the server closed. `a~ ` is a pattern for it, where
//!   `...` stands for any text. Who is not named hears nothing.
//! - Lines that start with `#` are comments.
//!
//! No client relies on what another wrote to the keyspace, so they hold where it is not shared, too.
//!
//! Redis 7.0.15 says the same, but after a line that starts with `! `, which says why not.

use std::collections::BTreeMap;
use std::path::Path;

/// What happens in one turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A client says something.
    Say(char, String),
    /// A client hangs up.
    Leave(char),
    /// Milliseconds pass.
    Wait(u64),
}

/// One act and what comes of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Where it stands in the file, from 1.
    pub(crate) line: usize,
    /// What happens.
    pub(crate) act: Act,
    /// What each client hears.
    pub(crate) heard: BTreeMap<char, Heard>,
    /// Whether something else is heard from Redis.
    pub(crate) differs: bool,
}

/// What a client hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    text: String,
    is_pattern: bool,
}

impl Heard {
    /// Whether `found` is it.
    pub(crate) fn is(&self, found: &str) -> bool {
        if !self.is_pattern {
            return found == self.text;
        }
        let Some((first, last)) = self.text.rsplit_once("...") else { return found == self.text };
        let mut pieces = first.split("...");
        let Some(mut rest) = pieces.next().and_then(|first| found.strip_prefix(first)) else { return false };
        for piece in pieces {
            match rest.split_once(piece) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

/// What a client heard, in one line.
pub(crate) fn shown(heard: &[u8], ended: bool) -> String {
    let text = String::from_utf8_lossy(heard).replace("\r\n", " ");
    format!("{}{}", text.trim_end(), if ended { " <end>" } else { "" }).trim_start().to_owned()
}

/// All conversations, name and turns, in the order of their names.
///
/// # Panics
/// When they cannot be read.
pub(crate) fn all() -> Vec<(String, Vec<Turn>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crate/tests/conversations");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut all: Vec<_> = files
        .map(|entry| {
            let path = entry.expect("a folder that opened lists its files").path();
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let turns = parse(&name, &text);
            (name, turns)
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

fn parse(name: &str, text: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut differs = false;
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        if line.is_empty() || line.starts_with(['#', '!']) {
            differs |= line.starts_with('!');
            continue;
        }
        let mut act = |act| {
            let differs = std::mem::take(&mut differs);
            turns.push(Turn { line: line_number, act, heard: BTreeMap::new(), differs });
        };
        if let Some(ms) = line.strip_prefix("wait ") {
            act(Act::Wait(
                ms.parse().unwrap_or_else(|_| panic!("{name}:{line_number}: expected milliseconds")),
            ));
            continue;
        }
        let mut chars = line.chars();
        let (client, mark) = (chars.next().unwrap_or(' '), chars.next().unwrap_or(' '));
        let rest = chars.as_str().trim_start().to_owned();
        match mark {
            '>' => act(Act::Say(client, rest)),
            '!' => act(Act::Leave(client)),
            '<' | '~' => {
                let turn =
                    turns.last_mut().unwrap_or_else(|| panic!("{name}:{line_number}: nothing was said"));
                let twice = turn.heard.insert(client, Heard { text: rest, is_pattern: mark == '~' });
                assert!(twice.is_none(), "{name}:{line_number}: {client} hears once a turn");
            }
            _ => panic!("{name}:{line_number}: expected `a>`, `a<`, `a~`, `a!` or `wait`, found {line:?}"),
        }
    }
    turns
}
