//! Members chosen at random, for HRANDFIELD, SRANDMEMBER, ZRANDMEMBER and SPOP.
//!
//! Owns the choice of positions: the same random numbers give the same choice. Knows no collection.

use std::collections::BTreeSet;

use super::Mistake;
use crate::resp::{Limits, parse_i64};

/// How many members are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// So many different ones, or all.
    Distinct(u64),
    /// So many, the same one perhaps several times.
    Repeated(u64),
}

impl Count {
    /// Reads a count: a negative one asks for repetitions.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Mistake> {
        let count = parse_i64(text).ok_or(Mistake::NOT_AN_INTEGER)?;
        if count == i64::MIN {
            return Err(Mistake::new(
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ));
        }
        let amount = count.unsigned_abs();
        Ok(if count < 0 { Self::Repeated(amount) } else { Self::Distinct(amount) })
    }

    /// Whether twice as many, with what belongs to each, are still a number.
    pub(super) fn check_doubled(self) -> Result<(), Mistake> {
        let (Self::Distinct(count) | Self::Repeated(count)) = self;
        if count > i64::MAX as u64 / 2 { Err(Mistake::new("ERR value is out of range")) } else { Ok(()) }
    }

    /// Chooses positions below `len`, which must not be 0, for a reply that has `bytes_at` bytes of each.
    ///
    /// Repetitions make a reply longer than the data it is made of, so they are bounded by what a request may be: as
    /// many as it may have arguments (Redis: no bound), and as many bytes.
    pub(super) fn choose(
        self,
        random: &mut fastrand::Rng,
        len: usize,
        limits: &Limits,
        bytes_at: impl Fn(usize) -> usize,
    ) -> Result<Vec<usize>, Mistake> {
        match self {
            Self::Distinct(count) => Ok(distinct(random, len, usize::try_from(count).unwrap_or(usize::MAX))),
            Self::Repeated(count) if count > limits.arguments as u64 => {
                Err(Mistake::new("ERR value is out of range"))
            }
            Self::Repeated(count) => {
                let mut bytes = 0;
                let mut one = || {
                    let position = below(random, len);
                    bytes += bytes_at(position);
                    let fits = bytes <= limits.request_bytes;
                    fits.then_some(position).ok_or(Mistake::new("ERR value is out of range"))
                };
                (0..count).map(|_| one()).collect()
            }
        }
    }
}

/// `count` different positions below `len`, in the order of their choice, or all in theirs.
pub(super) fn distinct(random: &mut fastrand::Rng, len: usize, count: usize) -> Vec<usize> {
    if count >= len {
        return (0..len).collect();
    }
    if count >= len / 4 {
        // Shuffling all costs less than choosing again and again what was chosen before.
        let mut all: Vec<usize> = (0..len).collect();
        for at in 0..count {
            all.swap(at, at + below(random, len - at));
        }
        all.truncate(count);
        return all;
    }
    let mut chosen = BTreeSet::new();
    std::iter::repeat_with(|| below(random, len))
        .filter(|position| chosen.insert(*position))
        .take(count)
        .collect()
}

/// Any position below `len`, which must not be 0: the same where addresses have 32 bits.
pub(super) fn below(random: &mut fastrand::Rng, len: usize) -> usize {
    random.u64(..len as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_positions_are_distinct_and_equally_likely() {
        let mut random = fastrand::Rng::with_seed(3);
        for (len, count) in [(1, 1), (5, 2), (100, 3), (100, 24), (100, 26), (100, 99), (100, 100), (3, 9)] {
            let mut times = vec![0; len];
            for _ in 0..1_000 {
                let chosen = distinct(&mut random, len, count);
                assert_eq!(chosen.len(), count.min(len));
                assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), chosen.len());
                chosen.iter().for_each(|position| times[*position] += 1);
            }
            let fair = 1_000 * count.min(len) / len;
            assert!(
                times.iter().all(|times| (fair / 3..=fair * 2).contains(times)),
                "{len} {count} {times:?}"
            );
        }
    }

    #[test]
    fn repetitions_are_bounded() {
        let limits = Limits { arguments: 10, request_bytes: 100, ..Limits::default() };
        let mut random = fastrand::Rng::with_seed(3);
        let mut check = |count, bytes, expected: Option<usize>| {
            let chosen = Count::Repeated(count).choose(&mut random, 3, &limits, |_| bytes);
            assert_eq!(chosen.ok().map(|chosen| chosen.len()), expected);
        };
        check(10, 1, Some(10));
        check(11, 1, None);
        check(10, 10, Some(10));
        check(10, 11, None);
    }
}
