//! Runs programs of the package `interleave-e2e` against the release server, which embeds the page. Knows nothing of what
//! they do there.

use std::path::PathBuf;

use anyhow::Result;

use crate::shell::{apt, cargo, run};
use crate::{page, server};

/// Builds the page and the server, then runs the tests that `targets` name for cargo, with `flags` for the test program.
pub(crate) fn run_tests(targets: &[&str], flags: &[&str]) -> Result<()> {
    run_tests_with(targets, flags, &[])
}

/// The same, with more paths in the environment.
pub(crate) fn run_tests_with(targets: &[&str], flags: &[&str], variables: &[(&str, PathBuf)]) -> Result<()> {
    let page = page::build(page::Profile::Page)?;
    let server = server::build(server::Profile::Release)?;
    run(cargo()
        // With the workspace's features, by which everything they are made of is there already when all checks run in turn.
        .args(["test", "--workspace"])
        .args(targets)
        .arg("--")
        .args(flags)
        .env("INTERLEAVE_SERVER", server)
        .env("INTERLEAVE_PAGE", page)
        .envs(variables.iter().map(|(name, path)| (name, path))))
}

/// Runs one of those that are no test but a tool: they are marked `#[ignore]`, and print what they find.
pub(crate) fn run_tool(file: &str) -> Result<()> {
    need_a_browser()?;
    run_tests(&["--test", file], &["--ignored", "--nocapture", "--test-threads=1"])
}

/// The browser, its driver, and redis-benchmark, which tests run beside it.
pub(crate) fn need_a_browser() -> Result<()> {
    apt::need(&["chromium", "chromium-driver", "redis-tools"])
}
