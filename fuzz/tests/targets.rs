//! The targets without libFuzzer: on every input that ever failed, on those it begins with, and on some made by chance.

use std::path::Path;

use interleave_fuzz::{TARGETS, decoder, loader, session};
use proptest::collection::vec;
use proptest::prelude::*;

/// Inputs that made `target` fail once, by file name.
fn regressions(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(target);
    let files = std::fs::read_dir(&folder).into_iter().flatten();
    files
        .map(|file| {
            let path = file.expect("a folder that opened lists its files").path();
            let input = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.display().to_string(), input)
        })
        .collect()
}

#[test]
fn what_failed_once_does_not_again() {
    for target in TARGETS {
        for (file, input) in regressions(target.name) {
            println!("{file}");
            (target.run)(&input);
        }
    }
}

#[test]
fn every_regression_is_a_targets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let name = entry.expect("a folder that opened lists its files").file_name();
        let name = name.to_string_lossy().into_owned();
        assert!(name == "README.md" || TARGETS.iter().any(|target| target.name == name), "{name}");
    }
}

#[test]
fn the_seeds_pass() {
    for target in TARGETS {
        (target.seeds)().iter().for_each(|input| (target.run)(input));
    }
}

/// Bytes that requests are made of, and now and then any other.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["*1\r\n", "*2\r\n", "*3\r\n", "*-1\r\n", "*\r\n", "$1\r\nk\r\n", "$3\r\nGET\r\n",
            "$3\r\nSET\r\n", "$4\r\nINCR\r\n", "$-1\r\n", "$5\r\n", "\r\n", "\n", "PING\r\n", "GET k\r\n",
            "SET k \"a\\x00\"\r\n", "'", "\"", "INCR k\r\n", "QUIT\r\n", "HELLO 3\r\n", "$01\r\n"])
            .prop_map(|text: &str| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// Records that there are, and now and then any other, as the loader takes them.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let seeds = loader_seeds();
    let seeds = prop::sample::select(seeds).prop_map(|seed| seed[6..].to_vec());
    let other = vec(any::<u8>(), 0..40)
        .prop_map(|content| [&(content.len() as u16).to_le_bytes()[..], &content].concat());
    vec(prop_oneof![8 => seeds, 1 => other], 0..4).prop_map(|records| records.concat())
}

fn loader_seeds() -> Vec<Vec<u8>> {
    let target = TARGETS.iter().find(|target| target.name == "loader");
    (target.expect("one target is the loader").seeds)()
}

#[test]
fn the_loader_begins_with_records_of_every_kind() {
    // Or it would be tried only how logs are refused.
    let seeds = loader_seeds();
    for kind in 1..=3 {
        let count = seeds.iter().filter(|seed| kinds(&seed[6..]).any(|other| other == kind)).count();
        assert!(count > 10, "{count} of {} have one of kind {kind}", seeds.len());
    }
}

/// The kinds of such records: their first bytes.
fn kinds(mut records: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let (length, rest) = records.split_first_chunk()?;
        let (content, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)));
        records = rest;
        content.first().copied()
    })
}

proptest! {
    #[test]
    fn what_chance_brings_is_decoded_the_same_in_pieces(how: u8, limits: u8, bytes in bytes()) {
        decoder(&[&[how, limits], &bytes[..]].concat());
    }

    #[test]
    fn what_chance_brings_is_answered_the_same_in_pieces(how: u8, kind: u8, bytes in bytes()) {
        session(&[&[how, kind], &bytes[..]].concat());
    }

    #[test]
    fn what_chance_brings_is_loaded_or_refused(choices: [u8; 6], records in records()) {
        loader(&[&choices[..], &records].concat());
    }
}
