//! Where a run is to stop.
//!
//! Owns what a breakpoint matches. Does not stop anything: the host does, after the step that came to one.

use serde::{Deserialize, Serialize};

use super::seen::Seen;

/// A place to stop: after a step of the scenario's that has to do with it. What the run does for itself in the end, to tell what
/// came of it, is no such step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakpoint {
    /// What is looked for.
    pub kind: BreakpointKind,
    /// A part of its name, whatever the case; of a key, all of it. Without meaning for [`BreakpointKind::Outcome`].
    #[serde(default)]
    pub text: String,
}

/// What a breakpoint looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakpointKind {
    /// A poll of a task.
    Task,
    /// A command, by its name.
    Command,
    /// A command that names a key.
    Key,
    /// A lock taken or let go.
    Lock,
    /// An assertion that fails, or a task that ends with an error.
    Outcome,
}

impl Breakpoint {
    /// Whether the last step came to it; `touched` are the keys that its commands named, and `failed` whether something went
    /// wrong in it.
    pub(super) fn is_hit(&self, seen: &Seen, touched: &[Box<[u8]>], failed: bool) -> bool {
        let wanted = self.text.trim().to_ascii_lowercase();
        let named = |name: &str| !wanted.is_empty() && name.to_ascii_lowercase().contains(&wanted);
        match self.kind {
            BreakpointKind::Task => {
                seen.step.by_scenario && seen.step.polled.is_some_and(|task| named(&seen.name(task)))
            }
            BreakpointKind::Command => {
                seen.step.commands.iter().any(|&command| seen.label(command).eq_ignore_ascii_case(&wanted))
            }
            BreakpointKind::Key => touched.iter().any(|key| **key == *self.text.trim().as_bytes()),
            BreakpointKind::Lock => {
                let mut locks = seen.step.locks.iter().filter_map(|&lock| seen.object(lock));
                locks.any(|lock| named(&lock.name))
            }
            BreakpointKind::Outcome => failed,
        }
    }
}
