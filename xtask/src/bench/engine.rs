//! `cargo xtask bench engine`: polls a second of every engine, how long exploring takes, and how near any step of a long run
//! is. The measuring is done by `crate/examples/engine_speed.rs`, natively and in processor time, and by
//! `e2e/tests/bench_engine.rs`, in a browser; both print their tables. Knows none of the numbers.

use anyhow::Result;

use crate::e2e;
use crate::shell::{cargo, run, say};

/// Builds and runs both.
pub(crate) fn bench() -> Result<()> {
    say("building the engines");
    let native = ["--package=interleave", "--features=native", "--example=engine_speed"];
    run(cargo().args(["run", "--release", "--quiet"]).args(native))?;
    e2e::run_tool("bench_engine")
}
