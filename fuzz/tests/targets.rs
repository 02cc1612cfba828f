//! The targets without libFuzzer: on every input that ever failed, on those it begins with, and on some made by chance.

use std::path::Path;

use interleave_fuzz::{TARGETS, Target, decoder, seeds, session};
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
    for (name, target) in TARGETS {
        for (file, input) in regressions(name) {
            println!("{file}");
            target(&input);
        }
    }
}

#[test]
fn every_regression_is_a_targets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let name = entry.expect("a folder that opened lists its files").file_name();
        let name = name.to_string_lossy().into_owned();
        assert!(name == "README.md" || TARGETS.iter().any(|(target, _)| *target == name), "{name}");
    }
}

#[test]
fn the_seeds_pass() {
    for target in TARGETS.map(|(_, target): (_, Target)| target) {
        seeds::inputs().iter().for_each(|input| target(input));
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

proptest! {
    #[test]
    fn what_chance_brings_is_decoded_the_same_in_pieces(how: u8, limits: u8, bytes in bytes()) {
        decoder(&[&[how, limits], &bytes[..]].concat());
    }

    #[test]
    fn what_chance_brings_is_answered_the_same_in_pieces(how: u8, kind: u8, bytes in bytes()) {
        session(&[&[how, kind], &bytes[..]].concat());
    }
}
