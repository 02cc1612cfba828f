//! `cargo xtask bench engine`: polls a second of every engine, and how long exploring takes. The measuring is done by
//! `crate/examples/engine_speed.rs`, in processor time, which prints its table. Knows none of the numbers.

use anyhow::Result;

use crate::shell::{cargo, run, say};

/// Builds the example and runs it.
pub(crate) fn bench() -> Result<()> {
    say("building the engines");
    let native = ["--package=interleave", "--features=native", "--example=engine_speed"];
    run(cargo().args(["run", "--release", "--quiet"]).args(native))
}
