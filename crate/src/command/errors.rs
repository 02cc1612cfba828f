//! How often clients were answered with an error, by its first word.

use std::sync::{Mutex, MutexGuard, PoisonError};

use litemap::LiteMap;

use super::mistake::Mistake;

/// Most words counted one by one, as Redis has it; what comes later counts under none. Some quote what a client sent.
const WORDS_MAX: usize = 128;

/// The counts. Locked only to answer an error or to report.
#[derive(Debug, Default)]
pub(crate) struct Errors(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: u64,
    by_word: LiteMap<String, u64>,
}

impl Errors {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one.
    pub(crate) fn count(&self, mistake: &Mistake) {
        let text = mistake.as_ref();
        let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let word = String::from_utf8_lossy(word);
        let mut counts = self.counts();
        counts.total += 1;
        let is_full = counts.by_word.len() >= WORDS_MAX;
        match counts.by_word.get_mut(&*word) {
            Some(count) => *count += 1,
            None if is_full => {}
            None => _ = counts.by_word.insert(word.into_owned(), 1),
        }
    }

    /// How many there were.
    pub(super) fn total(&self) -> u64 {
        self.counts().total
    }

    /// How many there were of each, in the order of the words.
    pub(super) fn by_word(&self) -> Vec<(String, u64)> {
        self.counts().by_word.iter().map(|(word, count)| (word.clone(), *count)).collect()
    }

    pub(super) fn reset(&self) {
        *self.counts() = Counts::default();
    }
}
