//! Lists: strings in an order that their users give them.
//!
//! Owns one layout for every length: a queue of short packed rows, which Redis calls a quicklist. Both ends are
//! reached at once; the middle by skipping rows. Knows no command.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use super::packed::Packed;
use super::weight::allocated;

/// Most bytes of a row, unless one string alone is longer: Redis's `list-max-listpack-size -2`. Bounds what a change in
/// the middle of a list moves.
const ROW_BYTES_MAX: usize = 8 * 1024;

/// Most strings of a row. Bounds the walk to one of them, which Redis spares by telling lengths twice.
const ROW_LEN_MAX: usize = 128;

/// Where a list begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its head.
    Left,
    /// Its tail.
    Right,
}

/// A list.
///
/// ```
/// use interleave::store::{End, List};
///
/// let mut list = List::default();
/// list.push(End::Right, b"b");
/// list.push(End::Left, b"a");
/// assert_eq!(list.iter(0..2).collect::<Vec<_>>(), [b"a", b"b"]);
/// ```
#[derive(Clone, Default)]
pub struct List {
    // None is empty.
    rows: VecDeque<Packed>,
    len: usize,
    /// How many bytes the rows have, lengths included.
    bytes: usize,
}

impl List {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an element at an end.
    pub fn push(&mut self, end: End, element: &[u8]) {
        self.len += 1;
        self.bytes += Packed::room(element.len());
        let row = match end {
            End::Left => self.rows.front_mut(),
            End::Right => self.rows.back_mut(),
        };
        match (row, end) {
            (Some(row), End::Left) if fits(row, element) => return row.insert(0, element),
            (Some(row), End::Right) if fits(row, element) => return row.push(element),
            (Some(full), _) => full.shrink(),
            (None, _) => {}
        }
        let row = [element].into_iter().collect();
        match end {
            End::Left => self.rows.push_front(row),
            End::Right => self.rows.push_back(row),
        }
    }

    /// The element at `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let (row, index) = self.place(index)?;
        self.rows[row].get(index)
    }

    /// The elements of `range`, which must lie within the list, in order.
    pub fn iter(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let (row, skipped) = self.place(range.start).unwrap_or((self.rows.len(), 0));
        self.rows.range(row..).flat_map(Packed::iter).skip(skipped).take(range.len())
    }

    /// All elements, the last one first.
    pub fn iter_back(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().rev().flat_map(|row| row.iter().collect::<Vec<_>>().into_iter().rev())
    }

    /// Puts another element in the place of the one at `index`; whether there is one.
    pub fn set(&mut self, index: usize, element: &[u8]) -> bool {
        let Some((row, within)) = self.place(index) else { return false };
        let row = &mut self.rows[row];
        let old = Packed::room(row.get(within).map_or(0, <[u8]>::len));
        if row.len() == 1 || row.byte_len() - old + Packed::room(element.len()) <= ROW_BYTES_MAX {
            row.replace(within, element);
            self.bytes = self.bytes - old + Packed::room(element.len());
        } else {
            self.remove(index..index + 1);
            self.insert(index, element);
        }
        true
    }

    /// Puts an element in front of the one at `index`, or last if that is the length.
    ///
    /// # Panics
    /// If `index` is above the length.
    pub fn insert(&mut self, index: usize, element: &[u8]) {
        let Some((row, within)) = self.place(index) else {
            assert_eq!(index, self.len, "an element is put within a list or at its end");
            return self.push(End::Right, element);
        };
        self.len += 1;
        self.bytes += Packed::room(element.len());
        if fits(&self.rows[row], element) {
            return self.rows[row].insert(within, element);
        }
        let rest = self.rows[row].split_off(within);
        self.rows.insert(row + 1, rest);
        if !self.rows[row].is_empty() && fits(&self.rows[row], element) {
            return self.rows[row].push(element);
        }
        let alone = [element].into_iter().collect();
        if self.rows[row].is_empty() {
            self.rows[row] = alone;
        } else {
            self.rows.insert(row + 1, alone);
        }
    }

    /// Removes the elements of `range`, which must lie within the list.
    pub fn remove(&mut self, range: Range<usize>) {
        let Some((mut row, within)) = self.place(range.start) else { return };
        let mut left = range.len();
        self.len -= left;
        let mut start = within;
        while left > 0 {
            let count = left.min(self.rows[row].len() - start);
            left -= count;
            self.bytes -= self.rows[row].byte_len();
            if count == self.rows[row].len() {
                self.rows.remove(row);
            } else {
                self.rows[row].remove(start, count);
                self.bytes += self.rows[row].byte_len();
                row += 1;
            }
            start = 0;
        }
    }

    /// Removes up to `most` elements that are `element`, those nearest to `end` first; how many.
    pub fn remove_equal(&mut self, element: &[u8], end: End, most: usize) -> usize {
        let mut left = most;
        for step in 0..self.rows.len() {
            let at = if end == End::Left { step } else { self.rows.len() - 1 - step };
            let equal = self.rows[at].iter().filter(|other| *other == element).count();
            if equal == 0 {
                continue;
            }
            // Which of the equal ones in this row stay: from the left the later ones, from the right the earlier ones.
            let removed = equal.min(left);
            let stay = if end == End::Left { removed..equal } else { 0..equal - removed };
            let mut numbers = 0..equal;
            let stays =
                |other: &&[u8]| *other != element || numbers.next().is_some_and(|n| stay.contains(&n));
            self.rows[at] = self.rows[at].iter().filter(stays).collect();
            left -= removed;
            if left == 0 {
                break;
            }
        }
        self.rows.retain(|row| !row.is_empty());
        self.len -= most - left;
        self.bytes -= (most - left) * Packed::room(element.len());
        most - left
    }

    /// What it has allocated: its rows, each an allocation of its own.
    pub(super) fn heap_bytes(&self) -> usize {
        allocated(self.rows.capacity() * size_of::<Packed>()) + self.rows.len() * allocated(1) + self.bytes
    }

    /// What of it was counted as elements came and went, and what that should be.
    #[cfg(test)]
    pub(super) fn counted_bytes(&self) -> (usize, usize) {
        (self.bytes, self.rows.iter().map(Packed::byte_len).sum())
    }

    /// The row of the element at `index`, and its place in it.
    fn place(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        // From the end that is nearer.
        if index < self.len / 2 {
            let mut left = index;
            for (at, row) in self.rows.iter().enumerate() {
                if left < row.len() {
                    return Some((at, left));
                }
                left -= row.len();
            }
        } else {
            let mut end = self.len;
            for (at, row) in self.rows.iter().enumerate().rev() {
                end -= row.len();
                if index >= end {
                    return Some((at, index - end));
                }
            }
        }
        unreachable!("the rows' lengths add up to the list's")
    }
}

/// Whether `element` may join `row`.
fn fits(row: &Packed, element: &[u8]) -> bool {
    row.len() < ROW_LEN_MAX && row.byte_len() + Packed::room(element.len()) <= ROW_BYTES_MAX
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter(0..self.len).eq(other.iter(0..other.len))
    }
}

impl Eq for List {}

impl Hash for List {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.iter(0..self.len).for_each(|element| element.hash(state));
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.iter(0..self.len).map(|element| element.escape_ascii().to_string()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn end(left: bool) -> End {
        if left { End::Left } else { End::Right }
    }

    proptest! {
        /// Every change does what the same change does to a vector, whatever it does to the rows.
        #[test]
        fn changes_are_those_of_a_vector(
            changes in proptest::collection::vec(
                (0u8..6, any::<u16>(), prop_oneof![0usize..3, 90usize..100, 4_000usize..9_000]), 1..60),
            filled in 0usize..400,
        ) {
            let (mut list, mut model) = (List::default(), Vec::<Vec<u8>>::new());
            for number in 0..filled {
                let element = vec![b'x'; number % 3];
                list.push(End::Right, &element);
                model.push(element);
            }
            for (change, place, len) in changes {
                let element = vec![b'x'; len];
                let index = usize::from(place) % (model.len() + 1);
                match change {
                    0 => {
                        list.push(end(true), &element);
                        model.insert(0, element);
                    }
                    1 => {
                        list.push(end(false), &element);
                        model.push(element);
                    }
                    2 => {
                        list.insert(index, &element);
                        model.insert(index, element);
                    }
                    3 => {
                        prop_assert_eq!(list.set(index, &element), index < model.len());
                        if let Some(old) = model.get_mut(index) {
                            *old = element;
                        }
                    }
                    4 => {
                        let range = index..model.len().min(index + len / 2);
                        list.remove(range.clone());
                        model.drain(range);
                    }
                    _ => {
                        let (most, from) = (usize::from(place % 5), end(place % 2 == 0));
                        let mut equal: Vec<usize> = (0..model.len()).filter(|n| model[*n] == element).collect();
                        if from == End::Right {
                            equal.reverse();
                        }
                        equal.truncate(most);
                        prop_assert_eq!(list.remove_equal(&element, from, most), equal.len());
                        equal.sort_unstable();
                        equal.iter().rev().for_each(|n| drop(model.remove(*n)));
                    }
                }
                prop_assert_eq!(list.len(), model.len());
                prop_assert!(list.iter(0..list.len()).eq(model.iter()));
                prop_assert!(list.iter_back().eq(model.iter().rev()));
                prop_assert_eq!(list.get(index), model.get(index).map(|element| &element[..]));
                let is_short = |row: &Packed| {
                    (1..=ROW_LEN_MAX).contains(&row.len()) && row.byte_len() <= ROW_BYTES_MAX
                };
                prop_assert!(list.rows.iter().all(|row| row.len() == 1 || is_short(row)));
            }
        }
    }
}
