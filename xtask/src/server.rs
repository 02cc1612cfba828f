//! Builds the server's binary and says where it is. Knows nothing of what the server does.

use std::path::PathBuf;

use anyhow::Result;

use crate::shell::{cargo, root, run, say};

/// Builds the release server, with the page embedded as it now lies in `target/page`.
pub(crate) fn build() -> Result<PathBuf> {
    say("building the server");
    run(cargo().args(["build", "--release", "--package=interleave-server"]))?;
    Ok(root().join("target/release").join(format!("interleave-server{}", std::env::consts::EXE_SUFFIX)))
}
