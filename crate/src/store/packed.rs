//! Several strings one after the other in one allocation: how small collections and the pieces of lists are kept.
//!
//! Owns the layout, each string behind its length. Does not know what the strings are: elements, members, or fields and
//! values in turn. Redis calls the like a listpack.

use super::weight::allocated;

/// Strings in a row. Reaching one walks over those before it, and changing one moves those behind it, so whoever owns a
/// row keeps it short; what that saves is an allocation and a slot of a table for each string.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    len: usize,
}

impl Packed {
    /// How many strings there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes they take, lengths included.
    pub(super) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// What they have allocated.
    pub(super) fn heap_bytes(&self) -> usize {
        allocated(self.bytes.capacity())
    }

    /// How many bytes a string of `len` bytes takes.
    pub(super) fn room(len: usize) -> usize {
        prefix(len).1 + len
    }

    /// Gives back memory that was taken for strings to come: none will.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// The strings in order.
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter { bytes: &self.bytes, left: self.len }
    }

    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        self.iter().nth(index)
    }

    pub(super) fn push(&mut self, string: &[u8]) {
        let (prefix, used) = prefix(string.len());
        self.bytes.reserve(used + string.len());
        self.bytes.extend_from_slice(&prefix[..used]);
        self.bytes.extend_from_slice(string);
        self.len += 1;
    }

    /// Puts `string` in front of the one at `index`, or last if that is the length.
    pub(super) fn insert(&mut self, index: usize, string: &[u8]) {
        if index == self.len {
            return self.push(string);
        }
        let at = self.offset(index);
        let (prefix, used) = prefix(string.len());
        let (end, room) = (self.bytes.len(), used + string.len());
        self.bytes.resize(end + room, 0);
        self.bytes.copy_within(at..end, at + room);
        self.bytes[at..at + used].copy_from_slice(&prefix[..used]);
        self.bytes[at + used..at + room].copy_from_slice(string);
        self.len += 1;
    }

    /// Puts `string` in the place of the one at `index`.
    pub(super) fn replace(&mut self, index: usize, string: &[u8]) {
        self.replace_from(index, self.offset(index), string);
    }

    /// Of strings that are keys and values in turn, puts `value` behind `key`; whether that is there.
    // One walk for both: HSET of a hash of 512 fields had three quarters of the throughput with two.
    pub(super) fn replace_value(&mut self, key: &[u8], value: &[u8]) -> bool {
        let mut strings = self.iter();
        let mut index = 1;
        while let Some(other) = strings.next() {
            if other == key {
                let start = self.bytes.len() - strings.bytes.len();
                self.replace_from(index, start, value);
                return true;
            }
            strings.next();
            index += 2;
        }
        false
    }

    /// Puts `string` in the place of the one at `index`, which starts at that byte.
    fn replace_from(&mut self, index: usize, start: usize, string: &[u8]) {
        let end = start + Iter { bytes: &self.bytes[start..], left: self.len - index }.skipped(1);
        if end - start == Self::room(string.len()) {
            self.bytes[end - string.len()..end].copy_from_slice(string);
        } else {
            self.remove(index, 1);
            self.insert(index, string);
        }
    }

    /// Removes `count` strings from the one at `index` on.
    pub(super) fn remove(&mut self, index: usize, count: usize) {
        let start = self.offset(index);
        let end = start + Iter { bytes: &self.bytes[start..], left: self.len - index }.skipped(count);
        self.bytes.drain(start..end);
        self.len -= count;
    }

    /// Splits the strings from the one at `index` on off.
    pub(super) fn split_off(&mut self, index: usize) -> Self {
        let bytes = self.bytes.split_off(self.offset(index));
        let len = self.len - index;
        self.len = index;
        Self { bytes, len }
    }

    /// Where the string at `index`, or the end, lies.
    fn offset(&self, index: usize) -> usize {
        self.iter().skipped(index)
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for Packed {
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut packed = Self::default();
        strings.into_iter().for_each(|string| packed.push(string.as_ref()));
        packed
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|string| string.escape_ascii().to_string())).finish()
    }
}

/// Strings in a row, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Iter<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl Iter<'_> {
    /// How many bytes the next `count` strings take.
    fn skipped(mut self, count: usize) -> usize {
        let before = self.bytes.len();
        for _ in 0..count {
            self.next();
        }
        before - self.bytes.len()
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (mut len, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            len |= usize::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                break;
            }
            shift += 7;
        }
        let (string, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        Some(string)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// A length as it stands in front of a string, seven bits a byte, and how many bytes of it count.
fn prefix(mut len: usize) -> ([u8; 10], usize) {
    let (mut bytes, mut used) = ([0; 10], 0);
    loop {
        bytes[used] = (len & 0x7f) as u8;
        len >>= 7;
        if len == 0 {
            return (bytes, used + 1);
        }
        bytes[used] |= 0x80;
        used += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every change does what the same change does to a vector of vectors.
        #[test]
        fn changes_are_those_of_a_vector(
            changes in proptest::collection::vec(
                (0u8..5, any::<u16>(), prop_oneof![0usize..4, 120usize..140, 16_380usize..16_390]), 1..40),
        ) {
            let (mut packed, mut model) = (Packed::default(), Vec::<Vec<u8>>::new());
            for (change, place, len) in changes {
                let string = vec![change; len];
                let index = usize::from(place) % (model.len() + 1);
                match change {
                    0 => {
                        packed.push(&string);
                        model.push(string);
                    }
                    1 => {
                        packed.insert(index, &string);
                        model.insert(index, string);
                    }
                    2 if index < model.len() => {
                        packed.replace(index, &string);
                        model[index] = string;
                    }
                    3 => {
                        let count = len.min(model.len() - index);
                        packed.remove(index, count);
                        model.drain(index..index + count);
                    }
                    _ => {
                        prop_assert_eq!(packed.split_off(index), model.split_off(index).iter().collect());
                    }
                }
                prop_assert!(packed.iter().eq(model.iter()));
                prop_assert_eq!(packed.len(), model.len());
                prop_assert_eq!(packed.get(index), model.get(index).map(|string| &string[..]));
            }
        }
    }
}
