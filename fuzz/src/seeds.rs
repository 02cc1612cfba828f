//! Inputs to begin with, which hold what nobody comes to by chance: every transcript, and every command's words.

use bytes::BytesMut;
use interleave::command::TABLE;
use interleave::log::Draft;
use interleave::log::entry::Ran;
use interleave::log::frame::HEADER_BYTES;
use interleave::resp::{encode_request, split_line};
use interleave::sharing::{Replay, snapshot};
use interleave::store::Databases;

use crate::loader::asks_for_much;

#[path = "../../crate/tests/support/transcript.rs"]
#[expect(dead_code, reason = "only the requests are wanted here")]
mod transcript;
#[path = "../../crate/tests/support/wire.rs"]
#[expect(dead_code, reason = "what is answered does not matter here")]
mod wire;

/// Requests of a long transcript go into inputs of so many, which libFuzzer can put together in new ways.
const REQUESTS: usize = 12;

/// When what a log tells of was done.
const NOW_MS: u64 = 1_800_000_000_000;

/// For those who take requests.
///
/// # Panics
/// When the transcripts cannot be read.
pub fn requests() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    // How they are cut, and the second choice, take turns.
    let mut add = |bytes: &[u8]| {
        let number = inputs.len() as u8;
        inputs.push([&[number, number / 3], bytes].concat());
    };
    for (_, steps) in transcript::all() {
        for steps in steps.chunks(REQUESTS) {
            let mut encoded = BytesMut::new();
            for step in steps {
                let request = split_line(&step.request).expect("a transcript's quotes are balanced");
                encode_request(&request, &mut encoded);
            }
            add(&encoded);
            let typed: String = steps.iter().map(|step| format!("{}\r\n", step.request)).collect();
            add(typed.as_bytes());
        }
    }
    for case in wire::cases() {
        // What is longer than a line may be is cheaper to come by with small limits.
        add(&case.sent[..case.sent.len().min(1000)]);
    }
    inputs
}

/// For the loader: what a server writes down of the transcripts, and then a snapshot of what they leave.
///
/// # Panics
/// When the transcripts cannot be read.
pub fn logs() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (_, steps) in transcript::all() {
        let (mut databases, mut replay) = (Databases::default(), Replay::new());
        for (number, steps) in steps.chunks(REQUESTS).enumerate() {
            let mut records = Vec::new();
            for step in steps {
                let words = split_line(&step.request).expect("a transcript's quotes are balanced");
                let mut draft = Draft::default();
                // What had to wait was served from its first key; a seed is as good as another.
                let (seed, served) = [(None, None), (Some(7), words.get(1))][number % 2];
                let ran = Ran { database: number % 3, seed, served: served.map(Vec::as_slice) };
                draft.command(NOW_MS, ran, words.iter().map(Vec::as_slice));
                draft.close();
                let record = draft.records();
                let content = &record[HEADER_BYTES..];
                // Behind what is refused nothing would be tried.
                if !asks_for_much(content) && replay.apply(content, &mut databases).is_ok() {
                    put(record, &mut records);
                }
            }
            let number = inputs.len() as u8;
            inputs.push([&[number, number, 0, number, 1, number % 5], &records[..]].concat());
        }
        let mut records = Vec::new();
        let snapshot = snapshot(&mut databases, usize::MAX, |draft| {
            put(draft.records(), &mut records);
            Ok::<_, std::convert::Infallible>(())
        });
        if snapshot.is_ok_and(|keys| keys > 0) {
            inputs.push([&[2, 0, 0, 0, 0, 0], &records[..]].concat());
        }
    }
    inputs
}

/// Adds `records` as the loader's input has them: each behind its length in two bytes, and only those with such a length.
fn put(mut records: &[u8], out: &mut Vec<u8>) {
    while let Some((header, rest)) = records.split_first_chunk::<HEADER_BYTES>() {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let (content, rest) = rest.split_at(length as usize);
        if let Ok(length) = u16::try_from(length) {
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(content);
        }
        records = rest;
    }
}

/// libFuzzer's list of words: commands, and those that stand for themselves in their usage.
pub fn dictionary() -> String {
    let mut words: Vec<String> = Vec::new();
    for spec in TABLE.iter().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands)) {
        words.extend(spec.name.split('|').map(str::to_uppercase));
        let tokens = spec.usage.split(|c: char| !c.is_ascii_alphanumeric() && c != '*');
        words.extend(tokens.filter(|word| word.chars().all(|c| c.is_ascii_uppercase())).map(str::to_owned));
    }
    words.extend(
        ["*1\\x0D\\x0A$", "\\x0D\\x0A", "+inf", "-inf", "(1", "[a", "9223372036854775807", "-1"]
            .map(str::to_owned),
    );
    words.sort_unstable();
    words.dedup();
    words.iter().filter(|word| !word.is_empty()).map(|word| format!("\"{word}\"\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_among_the_words() {
        let words = dictionary();
        for spec in TABLE {
            assert!(words.contains(&format!("\"{}\"\n", spec.name.to_uppercase())), "{}", spec.name);
        }
        assert!(words.contains("\"WITHSCORES\"\n"), "{words}");
        assert!(requests().len() > 100 && logs().len() > 100);
    }
}
