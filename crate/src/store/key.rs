//! A key as it is kept: short ones inside the table, long ones beside it.
//!
//! Owns that layout and nothing else.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use super::weight::allocated;

/// Longest key kept without an allocation of its own.
const INLINE: usize = 22;

/// A key of any bytes, in 24 of them. Most keys are short: keeping those in the table saves an allocation a key and
/// a cache miss a look-up.
#[derive(Clone)]
pub(super) enum Key {
    Short { len: u8, bytes: [u8; INLINE] },
    Long(Box<[u8]>),
}

const _: () = assert!(size_of::<Key>() == 24 || size_of::<usize>() != 8);

impl From<&[u8]> for Key {
    fn from(key: &[u8]) -> Self {
        if key.len() > INLINE {
            return Self::Long(key.into());
        }
        let mut bytes = [0; INLINE];
        bytes[..key.len()].copy_from_slice(key);
        Self::Short { len: key.len() as u8, bytes }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.as_slice().escape_ascii())
    }
}

impl Key {
    /// What it has allocated.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Short { .. } => 0,
            Self::Long(bytes) => allocated(bytes.len()),
        }
    }

    /// Whether it is kept in the table.
    #[inline]
    pub(super) fn is_inline(&self) -> bool {
        matches!(self, Self::Short { .. })
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}

/// Hash and equality must be those of the bytes: the table looks up by `&[u8]`.
impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Key {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_bytes_at_every_length() {
        let bytes: Vec<u8> = (0..=255).collect();
        for len in 0..=bytes.len() {
            assert_eq!(Key::from(&bytes[..len]).as_slice(), &bytes[..len]);
        }
    }
}
