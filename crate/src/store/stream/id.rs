//! The ids of a stream's entries.
//!
//! Owns their order, the step from one to the next, and how they print. How a request spells them, and what it may leave
//! out, commands know.

use std::fmt;

/// An entry's id: when it was added, in milliseconds since the Unix epoch, and its number within that millisecond. Or
/// whatever else its author chose, as long as it grows.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The part before the dash.
    pub ms: u64,
    /// The part after the dash.
    pub seq: u64,
}

impl StreamId {
    /// Before every entry: none has this id.
    pub const MIN: Self = Self { ms: 0, seq: 0 };

    /// The last id there can be.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// The id of these parts.
    #[must_use]
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The id right after this one; none after the last.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { ms: self.ms, seq }),
            None => Some(Self { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id right before this one; none before the first.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { ms: self.ms, seq }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_there_and_back() {
        let last = u64::MAX;
        for (id, next) in [
            (StreamId::MIN, Some(StreamId::new(0, 1))),
            (StreamId::new(7, last), Some(StreamId::new(8, 0))),
            (StreamId::new(last, last - 1), Some(StreamId::MAX)),
            (StreamId::MAX, None),
        ] {
            assert_eq!(id.next(), next, "{id}");
            if let Some(next) = next {
                assert_eq!(next.previous(), Some(id));
                assert!(id < next);
            }
        }
        assert_eq!(StreamId::MIN.previous(), None);
    }
}
