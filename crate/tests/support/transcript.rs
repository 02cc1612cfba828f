//! Transcripts: requests and the replies they get, as `redis-cli --no-raw` prints them.
//!
//! Owns the format of `tests/transcripts/*.txt` and knows nothing of how a request is carried out, so that every
//! transport can be put to the same test:
//!
//! - `> SET k v` is a request, quoted as in `redis-cli`; the lines up to the next one are its reply.
//! - `~ pattern` as the first line of a reply is a pattern for it instead: `*` stands for any text, line breaks
//!   included.
//! - `! reason` before a request says why its reply differs from Redis 7.0.15's on purpose. All others are the same.
//! - Lines that start with `#` are comments. Blank lines after a reply do not count.
//!
//! Each file starts with an empty keyspace and a new connection.

use std::path::Path;

/// A request and its reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where it stands in the file, from 1.
    pub(crate) line: usize,
    /// The request as typed.
    pub(crate) request: String,
    /// The reply as printed, or a pattern for it.
    pub(crate) reply: String,
    /// Why Redis answers otherwise, if it does.
    pub(crate) differs: Option<String>,
}

impl Step {
    /// Whether `printed` is the reply.
    pub(crate) fn accepts(&self, printed: &str) -> bool {
        let printed = printed.trim_end_matches('\n');
        match self.reply.strip_prefix("~ ") {
            Some(pattern) => matches(pattern, printed),
            None => printed == self.reply,
        }
    }
}

/// The steps of a transcript.
///
/// # Panics
/// When a reply stands before the first request.
pub(crate) fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut differs = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(request) = line.strip_prefix("> ") {
            let request = request.to_owned();
            steps.push(Step { line: index + 1, request, reply: String::new(), differs: differs.take() });
        } else if let Some(reason) = line.strip_prefix("! ") {
            differs = Some(reason.to_owned());
        } else if !line.starts_with('#') {
            match steps.last_mut() {
                Some(step) => step.reply.extend([line, "\n"]),
                None => assert!(line.is_empty(), "line {}: expected a request, found {line:?}", index + 1),
            }
        }
    }
    for step in &mut steps {
        step.reply.truncate(step.reply.trim_end_matches('\n').len());
    }
    steps
}

/// All transcripts, name and steps, in the order of their names.
///
/// # Panics
/// When they cannot be read.
pub(crate) fn all() -> Vec<(String, Vec<Step>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crate/tests/transcripts");
    let mut transcripts: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let path = entry.expect("a folder that opened lists its files").path();
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), parse(&text))
        })
        .collect();
    transcripts.sort_by(|(a, _), (b, _)| a.cmp(b));
    transcripts
}

/// Whether `text` is the pieces of `pattern` in order, any text in place of each `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}
