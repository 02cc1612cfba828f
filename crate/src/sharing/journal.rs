//! What one who runs commands appends to the log, and whether it may run them at all.
//!
//! Owns which commands are written down: those that changed data, and a DEL for each key that went by itself. Knows neither file nor lock; whoever calls holds the data.

use crate::command::{Flag, Mistake, Spec};
use crate::log::entry::Ran;
use crate::log::{Draft, Log};
use crate::store::Keyspace;

use super::job::Asked;

/// One executor's way to the log.
#[derive(Debug)]
pub(super) struct Journal {
    log: Log,
    draft: Draft,
    /// A client's command is in the draft, not just keys that went by themselves.
    noted: bool,
}

impl Journal {
    pub(super) fn new(log: &Log) -> Self {
        Self { log: log.clone(), draft: Draft::default(), noted: false }
    }

    /// Refuses a command that may change data while the log cannot be written: it would be lost with the next start.
    pub(super) fn admit(&self, spec: &Spec) -> Result<(), Mistake> {
        if self.log.fails() && spec.has(Flag::Write) {
            // It may have recovered in between, and then there is nothing to say.
            return self.log.failing().map_or(Ok(()), |failing| Err(Mistake::log_fails(&failing)));
        }
        Ok(())
    }

    /// Notes which keys went by themselves: before the command that ran among them, which did not see them any more.
    pub(super) fn note_vanished(&mut self, keyspace: &mut dyn Keyspace, now_ms: u64) {
        for index in 0..keyspace.count() {
            for (database, store) in keyspace.shard(index).stores().enumerate() {
                store.take_vanished(|key| {
                    let how = Ran { database, ..Ran::default() };
                    self.draft.command(now_ms, how, [&b"DEL"[..], key].into_iter());
                });
            }
        }
    }

    /// Notes a command that has changed data, unless that is none of its business. `seed` is where its random choices started, if
    /// it made any.
    pub(super) fn note(&mut self, asked: &Asked<'_>, now_ms: u64, seed: Option<u64>) {
        if asked.found.spec.has(Flag::Write) {
            let how = Ran { database: asked.database, seed, served: None };
            self.draft.command(now_ms, how, asked.args.iter());
            self.noted = true;
        }
    }

    /// Notes a command that was waiting and was served from `key`.
    pub(super) fn note_served(&mut self, words: &[&[u8]], key: &[u8], database: usize, now_ms: u64) {
        let how = Ran { database, seed: None, served: Some(key) };
        self.draft.command(now_ms, how, words.iter().copied());
    }

    /// Appends what was noted as one record; the position behind it, if a command was among it.
    pub(super) fn append(&mut self) -> Option<u64> {
        if self.draft.is_empty() {
            return None;
        }
        self.draft.close();
        let position = self.log.append(&mut self.draft);
        std::mem::take(&mut self.noted).then_some(position)
    }

    /// Whether the log cannot be written.
    pub(super) fn fails(&self) -> bool {
        self.log.fails()
    }
}
