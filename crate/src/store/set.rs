//! Sets: strings, each once.
//!
//! Owns three layouts: integers in ascending order, a few short strings packed, and a table. Each has an order that
//! follows from the changes alone. In the table members only move to lower positions: a walk downward misses none.
//! Knows no command.

use std::hash::{Hash, Hasher};

use super::key::Key;
use super::packed::Packed;
use super::table::Table;
use super::weight::allocated;

/// Most members of a set that is kept as integers: Redis's `set-max-intset-entries`.
pub(super) const INTEGERS_MAX: usize = 512;

/// Most members of a packed set: `set-max-listpack-entries`, which Redis has had since 7.2.
pub(super) const PACKED_LEN_MAX: usize = 128;

/// Longest member of a packed set, in bytes: `set-max-listpack-value` of Redis 7.2.
pub(super) const PACKED_BYTES_MAX: usize = 64;

/// A set.
///
/// ```
/// use interleave::store::Set;
///
/// let mut set = Set::default();
/// assert!(set.add(b"3") && set.add(b"-1") && !set.add(b"3"));
/// assert!(set.contains(b"3"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Set(Layout);

#[derive(Clone, Debug)]
enum Layout {
    // Ascending.
    Integers(Vec<i64>),
    Packed(Packed),
    // Once a table, always one.
    // Beside it what its members have allocated.
    Table(Table<()>, usize),
}

impl Layout {
    /// A table of these.
    fn table(members: impl Iterator<Item = Key>) -> Self {
        let table: Table<()> = members.map(|member| (member, ())).collect();
        let heap = table.iter().map(|(member, ())| member.heap_bytes()).sum();
        Self::Table(table, heap)
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self::Integers(Vec::new())
    }
}

/// A member, lent: an integer has no bytes of its own, so it brings them along.
#[derive(Clone, Copy)]
pub enum Member<'a> {
    /// Bytes of the set's.
    Bytes(&'a [u8]),
    /// An integer's decimal digits.
    Integer(itoa::Buffer, i64),
}

impl Member<'_> {
    /// Lends the member's bytes.
    pub fn with<T>(self, lend: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Bytes(bytes) => lend(bytes),
            Self::Integer(mut buffer, number) => lend(buffer.format(number).as_bytes()),
        }
    }
}

impl Set {
    /// A set without members that had some once that are no integers.
    pub(super) fn packed_of_none() -> Self {
        Self(Layout::Packed(Packed::default()))
    }

    /// A set without members that was large once.
    pub(super) fn table_of_none() -> Self {
        Self(Layout::Table(Table::default(), 0))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Layout::Integers(integers) => integers.len(),
            Layout::Packed(packed) => packed.len(),
            Layout::Table(table, _) => table.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `member` is one.
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Layout::Integers(integers) => {
                integer(member).is_some_and(|number| integers.binary_search(&number).is_ok())
            }
            Layout::Packed(packed) => packed.iter().any(|other| other == member),
            Layout::Table(table, _) => table.contains(member),
        }
    }

    /// Where `member` likely is, for [`Self::fetch`].
    #[inline]
    pub(super) fn likely(&self, member: &[u8]) -> usize {
        if let Layout::Table(table, _) = &self.0 { table.likely(member) } else { usize::MAX }
    }

    /// Fetches from memory what a use of the member at `position` is going to need, if there is one in a table.
    #[inline]
    pub(super) fn fetch(&self, position: usize) {
        if let Layout::Table(table, _) = &self.0 {
            std::hint::black_box(table.at(position).map(|(member, ())| member.is_inline()));
        }
    }

    /// Adds a member; whether it is new.
    pub fn add(&mut self, member: &[u8]) -> bool {
        if let Layout::Integers(integers) = &mut self.0 {
            match integer(member).map(|number| (number, integers.binary_search(&number))) {
                Some((_, Ok(_))) => return false,
                Some((number, Err(at))) if integers.len() < INTEGERS_MAX => {
                    integers.insert(at, number);
                    return true;
                }
                _ => self.leave_integers(member.len()),
            }
        }
        if let Layout::Packed(packed) = &mut self.0 {
            if packed.iter().any(|other| other == member) {
                return false;
            }
            if packed.len() < PACKED_LEN_MAX && member.len() <= PACKED_BYTES_MAX {
                packed.push(member);
                return true;
            }
            self.0 = Layout::table(packed.iter().map(Key::from));
        }
        let Layout::Table(table, heap) = &mut self.0 else {
            unreachable!("what is neither integers nor packed is a table")
        };
        // Looking first: a member that is there already needs no key made of it.
        if table.contains(member) {
            return false;
        }
        let member = Key::from(member);
        *heap += member.heap_bytes();
        table.push(member, ());
        true
    }

    /// Removes a member; whether it was one.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Layout::Integers(integers) => {
                let at = integer(member).and_then(|number| integers.binary_search(&number).ok());
                at.map(|at| integers.remove(at)).is_some()
            }
            Layout::Packed(packed) => {
                let at = packed.iter().position(|other| other == member);
                at.map(|at| packed.remove(at, 1)).is_some()
            }
            Layout::Table(table, heap) => {
                let removed = table.remove(member);
                *heap -= removed.as_ref().map_or(0, |(member, ())| member.heap_bytes());
                removed.is_some()
            }
        }
    }

    /// The member at `position` in the set's own order.
    pub fn at(&self, position: usize) -> Option<Member<'_>> {
        match &self.0 {
            Layout::Integers(integers) => {
                integers.get(position).map(|number| Member::Integer(itoa::Buffer::new(), *number))
            }
            Layout::Packed(packed) => packed.get(position).map(Member::Bytes),
            Layout::Table(table, _) => {
                table.at(position).map(|(member, ())| Member::Bytes(member.as_slice()))
            }
        }
    }

    /// All members in the set's own order.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let (integers, packed, table) = match &self.0 {
            Layout::Integers(integers) => (&integers[..], None, None),
            Layout::Packed(packed) => (&[][..], Some(packed), None),
            Layout::Table(table, _) => (&[][..], None, Some(table)),
        };
        let integers = integers.iter().map(|number| Member::Integer(itoa::Buffer::new(), *number));
        let packed = packed.into_iter().flat_map(Packed::iter).map(Member::Bytes);
        let table =
            table.into_iter().flat_map(Table::iter).map(|(member, ())| Member::Bytes(member.as_slice()));
        integers.chain(packed).chain(table)
    }

    /// How it lies in memory, by Redis's name for the like.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Layout::Integers(_) => "intset",
            Layout::Packed(_) => "listpack",
            Layout::Table(..) => "hashtable",
        }
    }

    /// Whether it is small enough to be no table.
    pub fn is_packed(&self) -> bool {
        !matches!(self.0, Layout::Table(..))
    }

    /// What it has allocated.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Layout::Integers(integers) => allocated(integers.capacity() * size_of::<i64>()),
            Layout::Packed(packed) => packed.heap_bytes(),
            Layout::Table(table, heap) => table.heap_bytes() + heap,
        }
    }

    /// What of it was counted as members came and went.
    #[cfg(test)]
    pub(super) fn counted_bytes(&self) -> usize {
        if let Layout::Table(_, heap) = self.0 { heap } else { 0 }
    }

    /// Makes room for a member of `bytes` bytes that is no integer, or one too many.
    fn leave_integers(&mut self, bytes: usize) {
        let fits = self.len() < PACKED_LEN_MAX && bytes <= PACKED_BYTES_MAX;
        self.0 = if fits {
            let mut packed = Packed::default();
            self.iter().for_each(|member| member.with(|member| packed.push(member)));
            Layout::Packed(packed)
        } else {
            Layout::table(self.iter().map(|member| member.with(|member| Key::from(member))))
        };
    }
}

/// The integer that `member` is in its one canonical spelling, so that printing it again gives the same bytes.
fn integer(member: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(member).ok()?.parse().ok()?;
    (itoa::Buffer::new().format(number).as_bytes() == member).then_some(number)
}

/// Members in another order are another set: commands tell the order.
impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        let members = |set: &Self| set.iter().map(|member| member.with(<[u8]>::to_vec)).collect::<Vec<_>>();
        self.encoding() == other.encoding() && members(self) == members(other)
    }
}

impl Eq for Set {}

impl Hash for Set {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.encoding().hash(state);
        self.iter().for_each(|member| member.with(|member| member.hash(state)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[&str]) -> Set {
        let mut set = Set::default();
        members.iter().for_each(|member| assert!(set.add(member.as_bytes()), "{member}"));
        set
    }

    fn members(set: &Set) -> Vec<String> {
        set.iter().map(|member| member.with(|member| String::from_utf8_lossy(member).into_owned())).collect()
    }

    #[test]
    fn a_set_is_as_small_as_its_members_let_it() {
        let mut integers = set(&["3", "-1", "9223372036854775807"]);
        assert_eq!(
            (members(&integers), integers.encoding()),
            (vec!["-1".into(), "3".into(), i64::MAX.to_string()], "intset")
        );
        assert!(integers.add(b"03") && integers.contains(b"3") && integers.contains(b"03"));
        assert_eq!(integers.encoding(), "listpack");
        let mut packed = set(&["a", "b"]);
        assert!(packed.add(&[b'x'; PACKED_BYTES_MAX]) && packed.encoding() == "listpack");
        assert!(packed.add(&[b'x'; PACKED_BYTES_MAX + 1]) && packed.encoding() == "hashtable");
        let mut many = Set::default();
        assert!((0..INTEGERS_MAX).all(|number| many.add(number.to_string().as_bytes())));
        assert_eq!(many.encoding(), "intset");
        assert!(many.add(b"-5") && many.encoding() == "hashtable" && many.len() == INTEGERS_MAX + 1);
        let mut many = Set::default();
        assert!((0..PACKED_LEN_MAX).all(|number| many.add(format!("m{number}").as_bytes())));
        assert_eq!(many.encoding(), "listpack");
        assert!(many.add(b"1") && many.encoding() == "hashtable");
    }

    #[test]
    fn every_layout_has_each_member_once() {
        for last in ["7", "seven", &"7".repeat(100)] {
            let mut set = set(&["1", "2", "3", last]);
            assert!(!set.add(b"2") && set.remove(b"1") && !set.remove(b"1") && !set.contains(b"1"));
            assert_eq!(set.len(), 3);
            let all = members(&set);
            assert!((0..3).all(|at| set.at(at).unwrap().with(|member| member == all[at].as_bytes())));
            assert!(set.at(3).is_none());
        }
    }
}
