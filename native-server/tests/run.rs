//! `interleave-server run` as a person calls it: what it prints and how it exits. What scenarios mean is tested where they
//! are made.

use std::process::Command;

/// Runs `scenario` with `flags` and gives the exit code and all that was printed.
fn run(scenario: &str, flags: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_interleave-server"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../crate/scenarios"))
        .args(["run", scenario])
        .args(flags)
        .output()
        .expect("the binary of this package can be started");
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), printed.into_owned())
}

fn check(scenario: &str, flags: &[&str], code: i32, expected: &str) {
    let (exit, printed) = run(scenario, flags);
    assert_eq!(exit, Some(code), "{scenario} {flags:?}: {printed}");
    assert!(printed.contains(expected), "{scenario} {flags:?}: expected {expected:?}, found\n{printed}");
}

#[test]
fn a_good_end_and_a_bad_one() {
    for sharing in ["mutex", "async-mutex", "sharded", "actor"] {
        check("oversell/fixed.txt", &["--sharing", sharing], 0, "stock = 0");
        check("oversell/broken.txt", &["--sharing", sharing], 1, "the assertion does not hold: -1 >= 0");
    }
    check("deadlock/broken.txt", &[], 1, "waits for the lock");
}

#[test]
fn what_is_right_is_right_on_any_number_of_workers() {
    for workers in ["1", "2", "8"] {
        for scenario in ["oversell", "lost-update", "deadlock", "held-lock", "full-channel"] {
            let flags = ["--flavor", "multi-thread", "--workers", workers];
            check(&format!("{scenario}/fixed.txt"), &flags, 0, "finally: completed");
        }
    }
    check("oversell/fixed.txt", &["--flavor", "multi-thread", "--workers", "9"], 2, "1..=8");
}

#[test]
fn a_race_shows_only_on_some_schedules() {
    // One worker's LIFO slot lets each buyer finish before the next: a bug that needs more of them to be seen.
    let one = ["--flavor", "multi-thread", "--workers", "1"];
    check("oversell/broken.txt", &one, 0, "stock = 0");
    check("oversell/broken.txt", &[], 1, "-1 >= 0");
}

#[test]
fn the_same_flags_give_the_same_words() {
    let flags = ["--sharing", "actor", "--seed", "7"];
    assert_eq!(run("lost-update/broken.txt", &flags), run("lost-update/broken.txt", &flags));
}

#[test]
fn what_cannot_be_run_says_why() {
    check("nowhere.txt", &[], 2, "cannot read the scenario nowhere.txt");
    check("../Cargo.toml", &[], 2, "is no scenario:\nline 1, column 1");
    check("oversell/fixed.txt", &["--sharing", "none"], 2, "expected isolated, mutex");
}
