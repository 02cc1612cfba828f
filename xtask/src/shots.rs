//! `cargo xtask shots`: the pictures of the page in `docs/screenshots`. Knows nothing of what is on them.

use anyhow::Result;

use crate::e2e;
use crate::shell::say;

/// Takes them all anew.
pub(crate) fn take() -> Result<()> {
    e2e::run_tool("shots")?;
    say("the pictures are in docs/screenshots; look at them before they are committed");
    Ok(())
}
