//! What was chosen in a run, so that the run can be made again.
//!
//! Where there was only one option nothing was chosen, and nothing is kept but that there was a step. Each choice is kept
//! with the number of its options, so that a program that no longer is what it was is noticed where it parts. Knows not what
//! the options are.

use std::error::Error;
use std::fmt;

/// The most choices that are read back: more is no run that anybody made here.
pub const CHOICES_MAX: usize = 1_000_000;

/// The choices of a run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Choices {
    steps: u64,
    picks: Vec<Pick>,
}

/// One choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pick {
    /// Which option was taken, from 0.
    pub option: u32,
    /// How many there were; at least 2.
    pub options: u32,
}

/// A program had other options than when its choices were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parted {
    /// Steps that went as recorded.
    pub steps: u64,
    /// How many options the recording has there; 0: none, or no choice.
    pub recorded: u32,
    /// How many there are.
    pub found: u32,
}

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, recorded, found } = self;
        write!(
            f,
            "after {steps} steps the recording has a choice of {recorded} and the run one of {found}: it was recorded \
             with another program or another version"
        )
    }
}

impl Error for Parted {}

/// Bytes that are no choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoicesError {
    /// They end in the midst of a number, or go on after the last.
    Length,
    /// A number does not fit, or an option is none of its options.
    Number,
    /// More than [`CHOICES_MAX`].
    TooMany,
}

impl fmt::Display for ChoicesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str(
                "expected the choices of a run, found too few bytes or too many: copy all of them",
            ),
            Self::Number => {
                f.write_str("expected the choices of a run, found a number that cannot be one of them")
            }
            Self::TooMany => write!(f, "expected at most {CHOICES_MAX} choices of a run, found more"),
        }
    }
}

impl Error for ChoicesError {}

impl Choices {
    /// Choices that were made somewhere else: in `steps` steps, those where there was more than one option. `None` if an
    /// option is none of its options, or if there are more choices than steps.
    #[must_use]
    pub fn new(steps: u64, picks: Vec<Pick>) -> Option<Self> {
        let fits = |pick: &Pick| pick.options >= 2 && pick.option < pick.options;
        (picks.len() as u64 <= steps && picks.iter().all(fits)).then_some(Self { steps, picks })
    }

    /// Steps of the run, chosen or not.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The choices.
    #[must_use]
    pub fn picks(&self) -> &[Pick] {
        &self.picks
    }

    /// Adds a step that took `option` of `options`.
    pub(crate) fn push(&mut self, option: usize, options: usize) {
        self.steps += 1;
        if options > 1 {
            self.picks.push(Pick { option: option as u32, options: options as u32 });
        }
    }

    /// Forgets all but the first `steps` steps, `picks` of which were choices.
    #[cfg(feature = "explore")]
    pub(crate) fn go_back(&mut self, steps: u64, picks: usize) {
        self.steps = steps;
        self.picks.truncate(picks);
    }

    /// Adds what `longer`, which begins as these do, has besides.
    #[cfg(feature = "explore")]
    pub(crate) fn catch_up(&mut self, longer: &Self) {
        self.picks.extend_from_slice(&longer.picks[self.picks.len()..]);
        self.steps = longer.steps;
    }

    /// As bytes: numbers of seven bits a byte. About two bytes a choice.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 * self.picks.len() + 8);
        write_number(&mut bytes, self.steps);
        write_number(&mut bytes, self.picks.len() as u64);
        for pick in &self.picks {
            write_number(&mut bytes, u64::from(pick.options));
            write_number(&mut bytes, u64::from(pick.option));
        }
        bytes
    }

    /// What [`Self::to_bytes`] wrote. Takes memory for what is there, not for what is announced.
    ///
    /// # Errors
    /// If the bytes are no choices, or more than [`CHOICES_MAX`].
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, ChoicesError> {
        let steps = read_number(&mut bytes)?;
        let count = read_number(&mut bytes)?;
        if count > CHOICES_MAX as u64 {
            return Err(ChoicesError::TooMany);
        }
        let mut picks = Vec::with_capacity((count as usize).min(bytes.len() / 2));
        for _ in 0..count {
            let options = u32::try_from(read_number(&mut bytes)?).map_err(|_| ChoicesError::Number)?;
            let option = u32::try_from(read_number(&mut bytes)?).map_err(|_| ChoicesError::Number)?;
            picks.push(Pick { option, options });
        }
        match bytes {
            [] => Self::new(steps, picks).ok_or(ChoicesError::Number),
            _ => Err(ChoicesError::Length),
        }
    }
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Result<u64, ChoicesError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(ChoicesError::Length)?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return Err(ChoicesError::Number);
        }
        number |= part << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(ChoicesError::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut choices = Choices::default();
        for (option, options) in [(0, 1), (1, 2), (299, 300), (0, 1), (0, 2)] {
            choices.push(option, options);
        }
        assert_eq!((choices.steps(), choices.picks().len()), (5, 3));
        let bytes = choices.to_bytes();
        assert_eq!(Choices::from_bytes(&bytes), Ok(choices));
        for end in 0..bytes.len() {
            assert_eq!(Choices::from_bytes(&bytes[..end]), Err(ChoicesError::Length), "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_choice_is_refused() {
        let check = |bytes: &[u8], error| assert_eq!(Choices::from_bytes(bytes), Err(error), "{bytes:?}");
        check(&[], ChoicesError::Length);
        check(&[0, 0, 0], ChoicesError::Length);
        // One choice in no step.
        check(&[0, 1, 2, 0], ChoicesError::Number);
        check(&[1, 1, 1, 0], ChoicesError::Number);
        check(&[1, 1, 2, 2], ChoicesError::Number);
        check(&[0xff; 11], ChoicesError::Number);
        check(&[1, 0xff, 0xff, 0xff, 0x7f], ChoicesError::TooMany);
        // Announced and not there.
        check(&[0xff, 0x7f, 0xff, 0x7f], ChoicesError::Length);
    }
}
