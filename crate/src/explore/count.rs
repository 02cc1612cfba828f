//! Numbers of schedules, which grow faster than any integer.
//!
//! Owns adding them up without a wrong result. Knows nothing of what is counted.

use std::fmt;
use std::ops::Add;

/// A number of schedules: exact, unless it says "or more".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count {
    number: u128,
    or_more: bool,
}

impl Count {
    /// None.
    pub const ZERO: Self = Self { number: 0, or_more: false };
    /// One.
    pub const ONE: Self = Self { number: 1, or_more: false };

    /// The number; `None` if it is too large to be known.
    #[must_use]
    pub fn exact(self) -> Option<u128> {
        (!self.or_more).then_some(self.number)
    }
}

impl From<u64> for Count {
    fn from(number: u64) -> Self {
        Self { number: number.into(), or_more: false }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        match self.number.checked_add(other.number) {
            Some(number) => Self { number, or_more: self.or_more || other.or_more },
            None => Self { number: u128::MAX, or_more: true },
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, if self.or_more { " or more" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_says_so() {
        let mut count = Count::ONE;
        for _ in 0..127 {
            count = count + count;
        }
        assert_eq!(count.exact(), Some(1 << 127));
        let over = count + count;
        assert_eq!(over.exact(), None);
        assert_eq!((over + Count::ONE).to_string(), format!("{} or more", u128::MAX));
    }
}
