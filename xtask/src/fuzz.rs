//! `cargo xtask fuzz TARGET`: builds a target of the package `interleave-fuzz` for libFuzzer, with a stable compiler, and runs
//! it for a while. Knows which flags that takes, and nothing of what a target holds true.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::shell::{apt, cargo, find_program, read, root, run};

/// The targets, and how many inputs `cargo xtask test fuzz` tries on each: some seconds' worth.
const TARGETS: [(&str, u32); 3] = [("decoder", 60_000), ("session", 8_000), ("loader", 20_000)];

/// Where a check's chances begin: the same in each, so that it fails for what was changed and not for what was always there.
/// Looking for that is what a run by hand is for.
const SEED_OF_A_CHECK: u32 = 1;

/// How much to try.
#[derive(Clone, Copy)]
enum Effort {
    Seconds(u32),
    Inputs(u32),
}

/// The marks in the code by which libFuzzer sees what an input reached: counters for edges, their places, and what is compared
/// with what. The pass is LLVM's; without `link-dead-code` its lists would name code that is gone.
const MARKS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Clink-dead-code --cfg fuzzing";

/// Which target, and for how long.
#[derive(Args)]
pub(crate) struct Flags {
    /// decoder, session or loader.
    target: String,
    /// How long to look for failures.
    #[arg(long, default_value_t = 300)]
    seconds: u32,
}

/// Looks for failures as `flags` say.
pub(crate) fn fuzz(flags: &Flags) -> Result<()> {
    if TARGETS.iter().all(|(target, _)| *target != flags.target) {
        let known = TARGETS.map(|(target, _)| target).join(", ");
        bail!("expected the name of a target ({known}), found `{}`", flags.target);
    }
    look(&flags.target, Effort::Seconds(flags.seconds))
}

/// Looks for failures of every target, briefly.
pub(crate) fn check() -> Result<()> {
    TARGETS.iter().try_for_each(|&(target, inputs)| look(target, Effort::Inputs(inputs)))
}

fn look(target: &str, effort: Effort) -> Result<()> {
    if find_program("c++").is_none() {
        // libFuzzer is compiled from its source.
        apt::need(&["g++"])?;
    }
    // What was found before is where the next run by hand begins; a check begins with nothing but the seeds.
    let (found, limits) = match effort {
        Effort::Seconds(seconds) => ("found", vec![format!("-max_total_time={seconds}")]),
        Effort::Inputs(inputs) => {
            ("checked", vec![format!("-runs={inputs}"), format!("-seed={SEED_OF_A_CHECK}")])
        }
    };
    let found = root().join("target/fuzz").join(target).join(found);
    if matches!(effort, Effort::Inputs(_)) && found.exists() {
        fs::remove_dir_all(&found).with_context(|| format!("cannot empty {}", found.display()))?;
    }
    let failures = root().join("target/fuzz").join(target).join("failures");
    for folder in [&found, &failures] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let begin = root().join("target/fuzz/begin");
    run(cargo().args(["run", "--quiet", "--package=interleave-fuzz", "--bin=seeds", "--"]).arg(&begin))?;
    let host = read(Command::new("rustc").args(["--print", "host-tuple"]))?;
    run(cargo()
        .args(["run", "--profile=fuzz", "--package=interleave-fuzz", "--features=libfuzzer", "--bin", target])
        // A target of its own, or the flags would be build scripts', too; and a folder of its own.
        .args(["--target", &host, "--target-dir"])
        .arg(build_folder())
        .arg("--")
        .args([&found, &begin.join(target)])
        .arg(format!("-dict={}", begin.join("words.dict").display()))
        .arg(format!("-artifact_prefix={}/", failures.display()))
        .args(limits)
        .args(["-max_len=4096", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1"])
        .env("RUSTFLAGS", MARKS))
    .with_context(|| format!("the target `{target}` failed; its input lies in {}", failures.display()))
}

fn build_folder() -> PathBuf {
    root().join("target/fuzz/build")
}
