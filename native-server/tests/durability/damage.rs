//! A log that is not as it was written: cut off at its end, or damaged.

use std::fs;
use std::path::PathBuf;

use crate::program::{Folder, Program};

/// A log of `commands` writes, each a record of the same length; the file, and its length after each.
fn written(folder: &Folder, commands: u32) -> (PathBuf, Vec<u64>) {
    let program = Program::start(folder, &["--appendfsync=always"]);
    let path = folder.path().join("interleave.1.log");
    let mut lengths = vec![fs::metadata(&path).unwrap().len()];
    for number in 0..commands {
        program.client().ask(&format!("SET key:{number} value"), "+OK");
        lengths.push(fs::metadata(&path).unwrap().len());
    }
    program.kill();
    (path, lengths)
}

#[test]
fn a_torn_end_is_cut_off_and_told() {
    for left in [1, 11, 12, 13, 40] {
        let folder = Folder::new();
        let (path, lengths) = written(&folder, 3);
        fs::File::options().write(true).open(&path).unwrap().set_len(lengths[2] + left).unwrap();
        let program = Program::start(&folder, &[]);
        let mut client = program.client();
        client.ask("MGET key:0 key:1 key:2", "*3\n$5\nvalue\n$5\nvalue\n$-1");
        client.ask("SET key:2 again", "+OK");
        let log = program.stop();
        let expected = format!(
            "{}: the last command was not written whole; cut off {left} bytes at offset {}",
            path.display(),
            lengths[2]
        );
        assert!(log.contains(&expected), "expected {expected:?} in\n{log}");
        // What is written behind the cut is whole.
        let program = Program::start(&folder, &[]);
        program.client().ask("GET key:2", "$5\nagain");
        assert!(!program.stop().contains("cut off"));
    }
}

#[test]
fn what_a_crash_leaves_instead_of_the_last_writes_is_cut_off_too() {
    let folder = Folder::new();
    let (path, lengths) = written(&folder, 2);
    let mut bytes = fs::read(&path).unwrap();
    bytes[lengths[1] as usize..].fill(0);
    bytes.resize(bytes.len() + 5000, 0);
    fs::write(&path, bytes).unwrap();
    let program = Program::start(&folder, &[]);
    program.client().ask("MGET key:0 key:1", "*2\n$5\nvalue\n$-1");
    let log = program.stop();
    assert!(log.contains(&format!("bytes at offset {}", lengths[1])), "{log}");
}

#[test]
fn a_damaged_middle_is_refused_with_its_offset_and_a_way_out() {
    // In the length, in its checksum, in the time, in the command itself.
    for place in [0, 3, 9, 14, 40] {
        let folder = Folder::new();
        let (path, lengths) = written(&folder, 3);
        let mut bytes = fs::read(&path).unwrap();
        bytes[lengths[1] as usize + place] ^= 0x20;
        fs::write(&path, &bytes).unwrap();
        let log = Program::refused(&folder, &[]);
        let (offset, path) = (lengths[1], path.display());
        for expected in [
            format!("{path} is damaged at offset {offset}, and not just cut off"),
            format!("`truncate -s {offset} {path}` leaves the commands before it"),
        ] {
            assert!(log.contains(&expected), "byte {place}: expected {expected:?} in\n{log}");
        }
        // The file is as it was, and the way out is one.
        assert_eq!(fs::read(folder.path().join("interleave.1.log")).unwrap(), bytes);
        let file = fs::File::options().write(true).open(folder.path().join("interleave.1.log"));
        file.unwrap().set_len(offset).unwrap();
        let program = Program::start(&folder, &[]);
        program.client().ask("MGET key:0 key:1 key:2", "*3\n$5\nvalue\n$-1\n$-1");
        program.stop();
    }
}

#[test]
fn a_file_that_is_no_log_is_refused() {
    let folder = Folder::new();
    let (path, _) = written(&folder, 1);
    fs::write(&path, "*1\r\n$4\r\nPING\r\n").unwrap();
    let log = Program::refused(&folder, &[]);
    assert!(log.contains("is damaged at offset 0") && !log.contains("truncate"), "{log}");
}

#[test]
fn a_missing_manifest_is_refused_before_anything_is_removed() {
    let folder = Folder::new();
    let (path, _) = written(&folder, 1);
    let manifest = folder.path().join("interleave.manifest");
    let text = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    let log = Program::refused(&folder, &[]);
    assert!(log.contains("holds data, but interleave.manifest is missing"), "{log}");
    fs::write(&manifest, &text[..text.len() - 1]).unwrap();
    let log = Program::refused(&folder, &[]);
    assert!(log.contains("is no manifest that this version can read"), "{log}");
    fs::write(&manifest, text).unwrap();
    let program = Program::start(&folder, &[]);
    program.client().ask("GET key:0", "$5\nvalue");
    program.stop();
    assert!(path.exists());
}
