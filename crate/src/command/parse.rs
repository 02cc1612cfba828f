//! Reading arguments: integers, words, expiries.
//!
//! Owns what several families read the same way, with Redis's error for each. Knows no command by name.

use std::ops::Range;

use super::Mistake;
use crate::resp::{parse_f64_or_tiny, parse_i64};

/// An integer argument.
pub(super) fn integer(text: &[u8]) -> Result<i64, Mistake> {
    parse_i64(text).ok_or(Mistake::NOT_AN_INTEGER)
}

/// An amount: an integer argument from 0 on.
pub(super) fn amount(text: &[u8]) -> Result<usize, Mistake> {
    natural(text).ok_or(Mistake::new("ERR value is out of range, must be positive"))
}

/// A number from 0 on, for those that have words of their own for what is none. What is more than there can be of
/// anything in memory counts as so many: the same in 32 bits.
pub(super) fn natural(text: &[u8]) -> Option<usize> {
    let number = u64::try_from(parse_i64(text)?).ok()?;
    Some(usize::try_from(number).unwrap_or(usize::MAX))
}

/// A time to wait, in milliseconds.
pub(super) fn timeout_ms(text: &[u8]) -> Result<u64, Mistake> {
    let ms = parse_i64(text).ok_or(Mistake::new("ERR timeout is not an integer or out of range"))?;
    u64::try_from(ms).map_err(|_| Mistake::NEGATIVE_TIMEOUT)
}

/// The same, given in seconds, with any fraction; counted in whole milliseconds, rounded up. What leaves 64 bits counts as
/// negative, as in Redis.
pub(super) fn timeout_of_seconds(text: &[u8]) -> Result<u64, Mistake> {
    let seconds = parse_f64_or_tiny(text).filter(|seconds| !seconds.is_nan());
    let seconds = seconds.ok_or(Mistake::new("ERR timeout is not a float or out of range"))?;
    let ms = (seconds * 1000.0).ceil();
    if ms < 0.0 || ms >= i64::MAX as f64 { Err(Mistake::NEGATIVE_TIMEOUT) } else { Ok(ms as u64) }
}

/// Which of `len` positions lie from `start` to `end`, both included; negative ones count from the end.
pub(super) fn clip(start: i64, end: i64, len: usize) -> Range<usize> {
    let len = len as i64;
    let from_start = |position: i64| if position < 0 { position.saturating_add(len) } else { position };
    let (start, end) = (from_start(start).max(0), from_start(end).saturating_add(1).min(len));
    if start >= end { 0..0 } else { start as usize..end as usize }
}

/// Whether an argument is this word, in any case.
pub(super) fn is(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

/// How an expiry is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds since the Unix epoch.
    UnixSeconds,
    /// Milliseconds since the Unix epoch.
    UnixMilliseconds,
}

impl Clock {
    /// The clock that this option of SET and GETEX names.
    pub(super) fn of_option(option: &[u8]) -> Option<Self> {
        let clocks = [
            ("EX", Self::Seconds),
            ("PX", Self::Milliseconds),
            ("EXAT", Self::UnixSeconds),
            ("PXAT", Self::UnixMilliseconds),
        ];
        clocks.into_iter().find(|(name, _)| is(option, name)).map(|(_, clock)| clock)
    }

    pub(super) fn is_absolute(self) -> bool {
        matches!(self, Self::UnixSeconds | Self::UnixMilliseconds)
    }

    /// `amount` on this clock as milliseconds since the Unix epoch; `None` when that leaves 64 bits.
    pub(super) fn unix_ms(self, amount: i64, now_ms: u64) -> Option<i64> {
        let ms = match self {
            Self::Seconds | Self::UnixSeconds => amount.checked_mul(1000)?,
            Self::Milliseconds | Self::UnixMilliseconds => amount,
        };
        if self.is_absolute() { Some(ms) } else { ms.checked_add_unsigned(now_ms) }
    }
}

/// The expiry of a SET or GETEX, in milliseconds since the Unix epoch: must be above zero on its clock.
pub(super) fn positive_expiry(command: &str, clock: Clock, text: &[u8], now_ms: u64) -> Result<u64, Mistake> {
    let amount = integer(text)?;
    let expires_ms = if amount > 0 { clock.unix_ms(amount, now_ms) } else { None };
    expires_ms.map(|ms| ms as u64).ok_or_else(|| Mistake::invalid_expire(command))
}
