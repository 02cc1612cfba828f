//! How large a scenario may be and how long a run of it may last.
//!
//! Owns the numbers and the reason for each. Whoever parses or runs enforces them.

use std::time::Duration;

/// What a scenario may ask for. Passing a limit of the text is a [`ScriptError`](super::ScriptError) before anything
/// runs; passing one of the run stops the whole run, whose [`Outcome`](super::Outcome) then names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest text, in bytes. It must fit a link.
    pub source_bytes: usize,
    /// How deep blocks, and parentheses in expressions, may nest together.
    pub depth: usize,
    /// Most clients, those of `client buyer * 4` counting as four.
    pub clients: usize,
    /// Most statements in the text.
    pub statements: usize,
    /// Longest name of a client, variable, lock, channel or spawned task, in bytes.
    pub name_bytes: usize,
    /// Most messages a channel may hold.
    pub channel_messages: usize,
    /// Most statements one task may execute in a run; one more is counted for each turn of a loop.
    pub steps: u64,
    /// Most tasks a run may `spawn`, over all of its clients.
    pub spawned_tasks: usize,
    /// Longest time a run may `sleep` and `spin`, all tasks added up.
    pub time: Duration,
    /// Most commands a run may send. Each can add no more than [`Limits::value_bytes`] to the store for each key.
    pub commands: u64,
    /// Longest string, in bytes: in a variable, a request, a reply or the store.
    pub value_bytes: usize,
    /// Most bytes of strings that a run may make: what it sends, what it is answered, what it puts together.
    pub total_bytes: usize,
    /// Most keys whose final values an outcome holds; the first ones in their order. No error: it is for people to read.
    pub keys_shown: usize,
}

impl Limits {
    /// Those of [`Default`].
    pub const DEFAULT: Self = Self {
        source_bytes: 64 << 10,
        depth: 32,
        clients: 64,
        statements: 2_000,
        name_bytes: 32,
        channel_messages: 1_024,
        steps: 100_000,
        spawned_tasks: 256,
        time: Duration::from_secs(3_600),
        commands: 50_000,
        value_bytes: 4 << 10,
        total_bytes: 64 << 20,
        keys_shown: 256,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a run has taken so far of what is limited for all of its tasks together.
#[cfg(feature = "explore")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Counted {
    pub(crate) spawned: usize,
    pub(crate) time_us: u64,
    pub(crate) commands: u64,
    pub(crate) bytes: usize,
}

#[cfg(feature = "explore")]
impl Counted {
    /// What was taken after there was `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            spawned: self.spawned - before.spawned,
            time_us: self.time_us - before.time_us,
            commands: self.commands - before.commands,
            bytes: self.bytes - before.bytes,
        }
    }

    /// With `more`; `None` if that is more than `limits` allow.
    pub(crate) fn and(self, more: Self, limits: &Limits) -> Option<Self> {
        let sum = Self {
            spawned: self.spawned.checked_add(more.spawned)?,
            time_us: self.time_us.checked_add(more.time_us)?,
            commands: self.commands.checked_add(more.commands)?,
            bytes: self.bytes.checked_add(more.bytes)?,
        };
        let fits = sum.spawned <= limits.spawned_tasks
            && u128::from(sum.time_us) <= limits.time.as_micros()
            && sum.commands <= limits.commands
            && sum.bytes <= limits.total_bytes;
        fits.then_some(sum)
    }
}
