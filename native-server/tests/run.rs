//! `interleave-server run` as a person calls it: what it prints and how it exits. What scenarios mean is tested where they
//! are made.

use std::path::PathBuf;
use std::process::Command;

use interleave::engine::Flavor;
use interleave::machine::{Machine, Recipe};
use interleave::scenario::EXAMPLES;
use interleave::sharing::Kind;

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

/// A file called `name` that holds `text`.
fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the folder is there for tests to write to");
    path.to_str().expect("it was made from texts").to_owned()
}

/// What the page shows at the end of `recipe`, and the run as it is saved there.
fn shown(recipe: &Recipe, choose: impl Fn(&Machine) -> usize) -> (String, Recipe) {
    let mut machine = Machine::open(recipe).unwrap();
    // Past its last option a run of another flavour makes its own steps.
    while machine.choose(choose(&machine)).is_some() || machine.step().is_some() {}
    let outcome = machine.look().outcome.expect("it is over");
    (outcome.text, machine.recipe())
}

#[test]
fn a_saved_run_comes_to_what_the_page_shows() {
    for example in EXAMPLES {
        for (number, flavor) in [Flavor::CurrentThread, Flavor::MultiThread { workers: 3 }, Flavor::Manual]
            .into_iter()
            .enumerate()
        {
            let recipe = Recipe {
                scenario: example.broken.to_owned(),
                sharing: Kind::Actor,
                flavor,
                seed: 7,
                ..Recipe::default()
            };
            // The last of what can be done: another schedule than that of a run nobody chose in.
            let (text, saved) = shown(&recipe, |machine| machine.look().options.len().saturating_sub(1));
            let saved = file(&format!("{}-{number}.interleave.json", example.name), &saved.to_json());
            let (code, printed) = run(&saved, &[]);
            assert_eq!(printed.trim_end(), text.trim_end(), "{} {flavor}", example.name);
            assert!(matches!(code, Some(0 | 1)));
            // Flags that say the same change nothing.
            assert_eq!(run(&saved, &["--sharing", "actor", "--seed", "7"]), (code, printed));
        }
    }
}

#[test]
fn a_saved_run_has_said_how_it_is_run() {
    let recipe = Recipe {
        scenario: "client a { INCR k }".to_owned(),
        flavor: Flavor::MultiThread { workers: 3 },
        ..Recipe::default()
    };
    let saved = file("contradicted.interleave.json", &recipe.to_json());
    for (flags, expected) in [
        (["--sharing", "actor"], "expected --sharing sharded, as the run in"),
        (["--flavor", "current-thread"], "expected --flavor multi-thread"),
        (["--workers", "2"], "expected --workers 3"),
        (["--seed", "1"], "expected --seed 0"),
        (["--hold-ms", "1"], "expected --hold-ms 0"),
    ] {
        check(&saved, &flags, 2, expected);
    }
    check(&saved, &["--flavor", "multi-thread", "--workers", "3"], 0, "k = 1");
}

#[test]
fn what_is_no_saved_run_is_refused() {
    let recipe =
        Recipe { scenario: EXAMPLES[0].broken.to_owned(), flavor: Flavor::Manual, ..Recipe::default() };
    let (_, whole) = shown(&recipe, |_| 0);
    let cut = whole.to_json();
    let refuse = |text: &str, expected: &str| {
        check(&file("refused.interleave.json", text), &[], 2, expected);
    };
    refuse(
        &cut[..cut.len() / 2],
        "is no saved run: expected a saved run, found something else or a part of one",
    );
    refuse("{}", "missing field `format`");
    refuse(r#"{"format":2}"#, "it was saved by a newer version");
    refuse(r#"{"format":1,"scenario":"client a {"}"#, "is no scenario:\nline 1");
    // Whoever changes the scenario in the file has another one.
    let other = Recipe { scenario: "client a { SET k 1 }".to_owned(), ..whole.clone() };
    refuse(&other.to_json(), "cannot be run: ");
    let further = Recipe { step: whole.step + 1, ..whole };
    refuse(&further.to_json(), "found one that ends after");
}

#[test]
fn what_cannot_be_run_says_why() {
    check("nowhere.txt", &[], 2, "cannot read nowhere.txt");
    check("../Cargo.toml", &[], 2, "is no scenario:\nline 1, column 1");
    check("oversell/fixed.txt", &["--sharing", "none"], 2, "expected isolated, mutex");
}
