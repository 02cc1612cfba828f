//! Hashes: fields and their values.
//!
//! Owns two layouts: small hashes are packed, field and value in turn, and large ones a table. Either has an order that
//! follows from the changes alone, and in which entries only move to lower positions: a walk downward misses none.
//! Knows no command.

use std::hash::{Hash as StdHash, Hasher};

use super::key::Key;
use super::packed::Packed;
use super::table::Table;
use super::value::Bytes;
use super::weight::of_field;

/// Most fields of a packed hash: Redis's `hash-max-listpack-entries`. A look-up compares all of them.
pub(super) const PACKED_LEN_MAX: usize = 512;

/// Longest field or value of a packed hash, in bytes: Redis's `hash-max-listpack-value`.
pub(super) const PACKED_BYTES_MAX: usize = 64;

/// A hash.
///
/// ```
/// use interleave::store::Hash;
///
/// let mut hash = Hash::default();
/// assert!(hash.set(b"field", b"value"));
/// assert_eq!(hash.get(b"field"), Some(&b"value"[..]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hash(Layout);

#[derive(Clone, Debug)]
enum Layout {
    Packed(Packed),
    // Once a table, always one: as in Redis, a hash that shrinks is not packed again.
    // Beside it what its fields and values have allocated.
    Table(Table<Bytes>, usize),
}

impl Default for Layout {
    fn default() -> Self {
        Self::Packed(Packed::default())
    }
}

impl Hash {
    /// A hash without fields that was large once.
    pub(super) fn table_of_none() -> Self {
        Self(Layout::Table(Table::default(), 0))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Layout::Packed(packed) => packed.len() / 2,
            Layout::Table(table, _) => table.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a field.
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        match &self.0 {
            Layout::Packed(packed) => {
                let mut strings = packed.iter();
                while let (Some(other), Some(value)) = (strings.next(), strings.next()) {
                    if other == field {
                        return Some(value);
                    }
                }
                None
            }
            Layout::Table(table, _) => table.get(field).map(|value| &**value),
        }
    }

    /// Where `field` likely is, for [`Self::fetch`].
    #[inline]
    pub(super) fn likely(&self, field: &[u8]) -> usize {
        if let Layout::Table(table, _) = &self.0 { table.likely(field) } else { usize::MAX }
    }

    /// Fetches from memory what a use of the field at `position` is going to need, if there is one in a table.
    #[inline]
    pub(super) fn fetch(&self, position: usize) {
        if let Layout::Table(table, _) = &self.0
            && let Some((field, value)) = table.at(position)
        {
            std::hint::black_box((field.is_inline(), value.first().copied()));
        }
    }

    /// Sets a field; whether it is new.
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        if let Layout::Packed(packed) = &mut self.0 {
            let fits = value.len() <= PACKED_BYTES_MAX;
            if fits && packed.replace_value(field, value) {
                return false;
            }
            if fits && field.len() <= PACKED_BYTES_MAX && packed.len() / 2 < PACKED_LEN_MAX {
                packed.push(field);
                packed.push(value);
                return true;
            }
        }
        let (table, heap) = self.table();
        match table.find(field) {
            Some(position) => {
                let old = &mut table[position];
                *heap -= of_field(old);
                old.assign(value);
                *heap += of_field(old);
                false
            }
            None => {
                let (field, value) = (Key::from(field), Bytes::from(value));
                *heap += field.heap_bytes() + of_field(&value);
                table.push(field, value);
                true
            }
        }
    }

    /// Removes a field; whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.0 {
            Layout::Packed(packed) => match position(packed, field) {
                Some(position) => {
                    packed.remove(position * 2, 2);
                    true
                }
                None => false,
            },
            Layout::Table(table, heap) => match table.remove(field) {
                Some((field, value)) => {
                    *heap -= field.heap_bytes() + of_field(&value);
                    true
                }
                None => false,
            },
        }
    }

    /// The field at `position` in the hash's own order, and its value.
    pub fn at(&self, position: usize) -> Option<(&[u8], &[u8])> {
        match &self.0 {
            Layout::Packed(packed) => {
                let mut strings = packed.iter().skip(position * 2);
                strings.next().zip(strings.next())
            }
            Layout::Table(table, _) => table.at(position).map(|(field, value)| (field.as_slice(), &**value)),
        }
    }

    /// All fields and their values in the hash's own order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (packed, table) = match &self.0 {
            Layout::Packed(packed) => (Some(packed), None),
            Layout::Table(table, _) => (None, Some(table)),
        };
        let packed = packed.into_iter().flat_map(|packed| {
            let mut strings = packed.iter();
            std::iter::from_fn(move || strings.next().zip(strings.next()))
        });
        let table =
            table.into_iter().flat_map(Table::iter).map(|(field, value)| (field.as_slice(), &**value));
        packed.chain(table)
    }

    /// Whether it is small enough to be packed.
    pub fn is_packed(&self) -> bool {
        matches!(self.0, Layout::Packed(_))
    }

    /// What it has allocated.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Layout::Packed(packed) => packed.heap_bytes(),
            Layout::Table(table, heap) => table.heap_bytes() + heap,
        }
    }

    /// What of it was counted as fields came and went.
    #[cfg(test)]
    pub(super) fn counted_bytes(&self) -> usize {
        if let Layout::Table(_, heap) = self.0 { heap } else { 0 }
    }

    /// The table, which a packed hash becomes for good, and what its fields and values have allocated.
    fn table(&mut self) -> (&mut Table<Bytes>, &mut usize) {
        if self.is_packed() {
            let table: Table<_> =
                self.iter().map(|(field, value)| (Key::from(field), Bytes::from(value))).collect();
            let heap = table.iter().map(|(field, value)| field.heap_bytes() + of_field(value)).sum();
            self.0 = Layout::Table(table, heap);
        }
        match &mut self.0 {
            Layout::Table(table, heap) => (table, heap),
            Layout::Packed(_) => unreachable!("a packed hash was made a table just above"),
        }
    }
}

/// Which pair of a packed hash has this field.
fn position(packed: &Packed, field: &[u8]) -> Option<usize> {
    packed.iter().step_by(2).position(|other| other == field)
}

/// Fields in another order are another hash: commands tell the order.
impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.is_packed() == other.is_packed() && self.iter().eq(other.iter())
    }
}

impl Eq for Hash {}

impl StdHash for Hash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.is_packed().hash(state);
        self.iter().for_each(|pair| pair.hash(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_packed_up_to_its_limits() {
        let mut hash = Hash::default();
        for number in 0..PACKED_LEN_MAX {
            assert!(hash.set(format!("field:{number}").as_bytes(), &[b'v'; PACKED_BYTES_MAX]));
        }
        assert!(hash.is_packed());
        let before: Vec<_> = hash.iter().map(|(field, _)| field.to_vec()).collect();
        assert!(hash.set(b"one more", b""));
        assert!(!hash.is_packed());
        assert_eq!(
            hash.iter().map(|(field, _)| field.to_vec()).take(PACKED_LEN_MAX).collect::<Vec<_>>(),
            before
        );
        for (field, value) in [(PACKED_BYTES_MAX + 1, 0), (0, PACKED_BYTES_MAX + 1)] {
            let mut hash = Hash::default();
            hash.set(&vec![b'f'; field], &vec![b'v'; value]);
            assert!(!hash.is_packed());
        }
        let mut hash = Hash::default();
        hash.set(b"f", b"v");
        assert!(!hash.set(b"f", &[b'v'; PACKED_BYTES_MAX + 1]));
        assert!(!hash.is_packed() && hash.len() == 1);
    }

    #[test]
    fn both_layouts_keep_what_is_set() {
        let long = [b'l'; PACKED_BYTES_MAX + 1];
        for last in [&b"z"[..], &long] {
            let mut hash = Hash::default();
            for field in [&b"a"[..], b"b", b"c", last] {
                assert!(hash.set(field, b"1"));
            }
            assert!(!hash.set(b"b", b"22") && hash.remove(b"a") && !hash.remove(b"a"));
            assert_eq!(hash.get(b"b"), Some(&b"22"[..]));
            assert_eq!((hash.get(b"a"), hash.len()), (None, 3));
            let fields: Vec<_> = hash.iter().collect();
            assert!(
                (0..3).all(|position| hash.at(position) == Some(fields[position])) && hash.at(3).is_none()
            );
        }
    }
}
