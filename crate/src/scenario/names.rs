//! Names of tasks for the recorder, which takes text that lives as long as the program.
//!
//! Owns the few texts that are kept for ever, and how few they are. Does not know what they name.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Most names that are kept; a task that comes later is called [`OTHER`] in the trace. At `Limits::name_bytes` each they
/// take well under a megabyte.
const KEPT: usize = 4_096;

/// The name of tasks past the limit.
const OTHER: &str = "scenario task";

static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// `name`, kept for ever: the same text again for the same name.
pub(super) fn kept(name: &str) -> &'static str {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = names.get(name) {
        return kept;
    }
    if names.len() == KEPT {
        return OTHER;
    }
    let kept: &'static str = Box::leak(name.into());
    names.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let text = "some name".to_owned();
        let [first, second] = [kept("some name"), kept(&text)];
        assert!(std::ptr::eq(first, second));
    }
}
