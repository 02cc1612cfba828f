//! When keys were used last, or how often lately: what the choice of a key to evict goes by.
//!
//! Owns a word of 32 bits for every position of a store's table, beside it and not in it: a slot stays 64 bytes, and what a
//! look-up writes stays dense. Its meaning is that of Redis's word of 24 bits: a clock of seconds or, under an LFU policy,
//! the minute of the last use and a counter of 8 bits. After a change of policy the old words are read in the new way until
//! they are written again, as in Redis.

/// What a counter starts at, so that a new key has a chance to be used before it is evicted.
pub const COUNTER_INITIAL: u8 = 5;

/// How use is counted under an LFU policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    /// The larger, the more uses it takes to count further: `lfu-log-factor`.
    pub log_factor: u32,
    /// Minutes without use after which a counter falls by one, 0: it never does: `lfu-decay-time`.
    pub decay_minutes: u32,
}

/// The words, and the clock that is written into them.
#[derive(Debug)]
pub(super) struct Access {
    words: Vec<u32>,
    now_s: u32,
    /// None: the words are times.
    frequency: Option<Frequency>,
    /// Chance, by which counters grow. It starts the same everywhere: the same uses give the same counters.
    random: fastrand::Rng,
}

impl Default for Access {
    fn default() -> Self {
        Self { words: Vec::new(), now_s: 0, frequency: None, random: fastrand::Rng::with_seed(0) }
    }
}

impl Access {
    /// What time it is, in seconds since the Unix epoch.
    #[inline]
    pub(super) fn set_clock(&mut self, now_s: u32) {
        self.now_s = now_s;
    }

    pub(super) fn set_frequency(&mut self, frequency: Option<Frequency>) {
        self.frequency = frequency;
    }

    /// There is an entry at the end that is used now for the first time.
    #[inline]
    pub(super) fn push(&mut self) {
        self.words.push(match self.frequency {
            None => self.now_s,
            Some(_) => word(self.now_s / 60, COUNTER_INITIAL),
        });
    }

    /// The entry at `position` is used.
    #[inline]
    pub(super) fn note(&mut self, position: usize) {
        match self.frequency {
            None => self.words[position] = self.now_s,
            Some(frequency) => self.count(position, frequency),
        }
    }

    #[cold]
    fn count(&mut self, position: usize, frequency: Frequency) {
        let counter = decayed(self.words[position], self.now_s / 60, frequency);
        let counter = grown(counter, frequency, self.random.f64());
        self.words[position] = word(self.now_s / 60, counter);
    }

    /// What is known of the entry at `position`.
    #[inline]
    pub(super) fn word(&self, position: usize) -> Option<u32> {
        self.words.get(position).copied()
    }

    /// The entry at `position` is gone, and the last one in its place.
    pub(super) fn swap_remove(&mut self, position: usize) {
        self.words.swap_remove(position);
    }

    pub(super) fn clear(&mut self) {
        self.words = Vec::new();
    }

    /// How long the entry at `position` was not used, in seconds.
    pub(super) fn idle_s(&self, position: usize) -> u32 {
        // The clock may have gone back.
        self.now_s.saturating_sub(self.words[position])
    }

    /// How often the entry at `position` was used lately, on a scale that grows ever more slowly.
    pub(super) fn counter(&self, position: usize) -> u8 {
        let frequency = self.frequency.unwrap_or(Frequency { log_factor: 10, decay_minutes: 1 });
        decayed(self.words[position], self.now_s / 60, frequency)
    }

    /// How much sooner than others the entry at `position` is to go by its use.
    pub(super) fn staleness(&self, position: usize) -> u64 {
        match self.frequency {
            None => self.idle_s(position).into(),
            Some(_) => u64::from(u8::MAX - self.counter(position)),
        }
    }
}

/// 24 bits of minutes above 8 of the counter.
fn word(minute: u32, counter: u8) -> u32 {
    minute << 8 | u32::from(counter)
}

/// A word's counter after the minutes that have passed.
fn decayed(word: u32, minute: u32, frequency: Frequency) -> u8 {
    let passed = (minute << 8).wrapping_sub(word & !0xff) >> 8;
    let periods = passed.checked_div(frequency.decay_minutes).unwrap_or_default();
    (word as u8).saturating_sub(u8::try_from(periods).unwrap_or(u8::MAX))
}

/// A counter after one more use. It grows with a chance that falls as it grows, so that 8 bits tell a hundred uses from a
/// million. `chance` is in `0..1`.
fn grown(counter: u8, frequency: Frequency, chance: f64) -> u8 {
    let above = f64::from(counter.saturating_sub(COUNTER_INITIAL));
    let grows = chance < 1.0 / (above * f64::from(frequency.log_factor) + 1.0);
    counter.saturating_add(u8::from(grows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequency(log_factor: u32, decay_minutes: u32) -> Option<Frequency> {
        Some(Frequency { log_factor, decay_minutes })
    }

    /// The table in Redis's `redis.conf`: the counter after so many uses, by factor, give or take three standard deviations.
    #[test]
    fn counters_grow_as_redis_documents_them() {
        for (log_factor, uses, expected) in [
            (0, 100, 104..=105),
            (0, 1_000, 255..=255),
            (1, 100, 11..=26),
            (1, 1_000, 37..=61),
            (1, 100_000, 255..=255),
            (10, 100, 7..=13),
            (10, 1_000, 11..=26),
            (10, 100_000, 121..=163),
            (10, 1_000_000, 255..=255),
            (100, 100, 5..=11),
            (100, 1_000, 7..=13),
            (100, 100_000, 37..=61),
            (100, 1_000_000, 122..=164),
        ] {
            let mut access = Access::default();
            access.set_frequency(frequency(log_factor, 1));
            access.push();
            (0..uses).for_each(|_| access.note(0));
            let counter = access.counter(0);
            assert!(expected.contains(&counter), "factor {log_factor}, {uses} uses: {counter}");
        }
    }

    #[test]
    fn counters_fall_with_the_minutes() {
        for (decay_minutes, minutes, expected) in [
            (1, 0, 5),
            (1, 1, 4),
            (1, 4, 1),
            (1, 5, 0),
            (1, 100_000, 0),
            (2, 3, 4),
            (10, 9, 5),
            (0, 1_000, 5),
        ] {
            let mut access = Access::default();
            access.set_frequency(frequency(10, decay_minutes));
            access.set_clock(1_800_000_000);
            access.push();
            access.set_clock(1_800_000_000 + minutes * 60);
            assert_eq!(access.counter(0), expected, "{minutes} minutes, one in {decay_minutes}");
        }
    }

    #[test]
    fn times_move_with_their_entries() {
        let mut access = Access::default();
        for now_s in [10, 20, 30] {
            access.set_clock(now_s);
            access.push();
        }
        access.set_clock(50);
        access.note(1);
        assert_eq!([0, 1, 2].map(|at| access.idle_s(at)), [40, 0, 20]);
        access.swap_remove(0);
        assert_eq!([0, 1].map(|at| access.idle_s(at)), [20, 0]);
        access.set_clock(5);
        assert_eq!(access.idle_s(0), 0, "a clock that goes back makes nothing older");
    }
}
