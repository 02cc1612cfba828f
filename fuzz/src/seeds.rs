//! Inputs to begin with, which hold what nobody comes to by chance: every transcript, and every command's words.

use bytes::BytesMut;
use interleave::command::TABLE;
use interleave::resp::{encode_request, split_line};

#[path = "../../crate/tests/support/transcript.rs"]
#[expect(dead_code, reason = "only the requests are wanted here")]
mod transcript;
#[path = "../../crate/tests/support/wire.rs"]
#[expect(dead_code, reason = "what is answered does not matter here")]
mod wire;

/// Requests of a long transcript go into inputs of so many, which libFuzzer can put together in new ways.
const REQUESTS: usize = 12;

/// The inputs, for either target.
///
/// # Panics
/// When the transcripts cannot be read.
pub fn inputs() -> Vec<Vec<u8>> {
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
        assert!(inputs().len() > 100);
    }
}
