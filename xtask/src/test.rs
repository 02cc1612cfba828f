//! `cargo xtask test`: every check of the project in order, each with a heading and its time, stopping at the first
//! that fails. Knows what each check runs, not what it looks for.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::shell::{apt, cargo, run};
use crate::toolchain::Wasm;
use crate::{clients, e2e, fuzz, server, tidy};

struct Check {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

/// In this order: what is quick to run and likely to fail comes first.
const CHECKS: [Check; 11] = [
    Check { name: "fmt", about: "every file is formatted", run: fmt },
    Check { name: "tidy", about: "the rules about files that no compiler checks", run: tidy::check },
    Check { name: "clippy", about: "lints, native, with every set of features", run: clippy },
    Check { name: "wasm", about: "lints of what runs in the browser, for wasm", run: wasm },
    Check {
        name: "unit",
        about: "unit and property tests, and the examples in the documentation",
        run: unit,
    },
    Check {
        name: "fuzz",
        about: "a few seconds of looking for bytes that break something",
        run: fuzz::check,
    },
    Check { name: "doc", about: "the documentation builds without warnings", run: doc },
    Check {
        name: "page",
        about: "the page builds, as visitors get it, and the server around it",
        run: build,
    },
    Check {
        name: "redis",
        about: "redis-cli, redis-benchmark, and replies beside redis-server's",
        run: redis,
    },
    Check { name: "clients", about: "sessions of real Redis clients", run: clients::test },
    Check { name: "browser", about: "the page in headless Chromium", run: browser },
];

/// Prints the checks and what they are about.
pub(crate) fn list() {
    for check in &CHECKS {
        println!("{:<10} {}", check.name, check.about);
    }
}

/// Runs all checks, or only those named.
pub(crate) fn test(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| CHECKS.iter().all(|check| check.name != *name)) {
        let known = CHECKS.map(|check| check.name).join(", ");
        bail!("expected the name of a check ({known}), found `{unknown}`");
    }
    let chosen =
        CHECKS.iter().filter(|check| names.is_empty() || names.iter().any(|name| name == check.name));
    let began = Instant::now();
    let mut times = Vec::new();
    for check in chosen {
        println!("\n===== {}: {} =====", check.name, check.about);
        let began = Instant::now();
        if let Err(error) = (check.run)() {
            eprintln!("error: {error:#}");
            println!("\nthe check `{0}` failed; to run it alone: cargo xtask test {0}", check.name);
            println!("{} passed, 1 failed", times.len());
            bail!("the check `{}` failed", check.name);
        }
        let took = began.elapsed().as_secs_f64();
        println!("----- {}: passed in {took:.1} s", check.name);
        times.push((check.name, took));
    }
    println!();
    for (name, took) in &times {
        println!("{name:<10} {took:>7.1} s");
    }
    println!("{:<10} {:>7.1} s", "all", began.elapsed().as_secs_f64());
    println!("{} passed, 0 failed", times.len());
    Ok(())
}

fn fmt() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    run(cargo().args(["clippy", "--workspace", "--all-targets"]).args(deny))?;
    let outside = ["beside_redis", "bench*", "browser", "harness", "real_clients", "redis", "shots"];
    let outside = outside.map(|test| format!("--test={test}"));
    // What a plain `cargo test` leaves out.
    run(cargo().args(["clippy", "--workspace"]).args(outside).args(deny))?;
    // In the workspace the server turns every feature of the crate on; these are the other sets somebody builds.
    let sets = [
        &["--all-targets"][..],
        &["--lib", "--features=native"],
        &["--lib", "--no-default-features", "--features=native"],
        &["--lib", "--test=shuttle", "--no-default-features", "--features=shuttle"],
    ];
    for features in sets {
        run(cargo().args(["clippy", "--package=interleave"]).args(features).args(deny))?;
    }
    run(cargo().args(["clippy", "--package=interleave-server", "--no-default-features"]).args(deny))
}

fn wasm() -> Result<()> {
    run(Wasm::find()?
        .clippy()
        .args(["--package=interleave", "--package=interleave-web", "--lib"])
        .args(["--package=interleave-tab", "--package=interleave-engine"])
        // Which has the macros and build scripts that building the page needs, too.
        .args(["--profile=page", "--", "-D", "warnings"]))
}

fn unit() -> Result<()> {
    run(cargo().args(["test", "--workspace"]))?;
    // With locks of its own, so a build of its own; without the recorder, which nobody watches there.
    run(cargo()
        .args(["test", "--package=interleave", "--no-default-features", "--features=shuttle"])
        .arg("--test=shuttle"))
}

fn doc() -> Result<()> {
    // The documentation is for who works on this; a module's story leads into its private parts.
    run(cargo()
        .args(["doc", "--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links"))
}

fn build() -> Result<()> {
    server::build_with_page(server::Profile::Release).map(drop)
}

fn redis() -> Result<()> {
    apt::need(&["redis-server", "redis-tools"])?;
    e2e::run_tests(&["--test=redis", "--test=beside_redis"], &TWO_AT_ONCE)
}

fn browser() -> Result<()> {
    e2e::need_a_browser()?;
    e2e::run_tests(&["--test=harness", "--test=browser"], &TWO_AT_ONCE)
}

/// Each test has a server and a browser of its own; more at once would only wait for each other.
const TWO_AT_ONCE: [&str; 1] = ["--test-threads=2"];
