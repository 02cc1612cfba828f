//! `cargo xtask bench page`: what a visitor waits for and what a frame costs, beside the limits. The measuring is done in
//! a browser by `e2e/tests/bench.rs`, which prints its table.

use anyhow::Result;

use crate::e2e;

pub(crate) fn bench() -> Result<()> {
    e2e::run_tool("bench")
}
