//! Sorted sets: members, each with a score, in the order of their scores.
//!
//! Owns two layouts: small sets are packed in order, member and score in turn, and large ones are a table of scores
//! beside the order of members. Either is a function of the changes alone. Knows no command.

use std::hash::{Hash, Hasher};
use std::ops::Range;

use super::key::Key;
use super::packed::Packed;
use super::ranked::{Ranked, compare};
use super::table::Table;
use super::weight::allocated;

/// Most members of a packed sorted set: Redis's `zset-max-listpack-entries`.
pub(super) const PACKED_LEN_MAX: usize = 128;

/// Longest member of a packed sorted set, in bytes: Redis's `zset-max-listpack-value`.
pub(super) const PACKED_BYTES_MAX: usize = 64;

/// A sorted set. Scores are never NaN.
///
/// ```
/// use interleave::store::SortedSet;
///
/// let mut set = SortedSet::default();
/// set.set(b"b", 2.0);
/// set.set(b"a", 1.0);
/// assert_eq!(set.rank(b"b"), Some(1));
/// assert_eq!(set.iter(0..2).collect::<Vec<_>>(), [(&b"a"[..], 1.0), (&b"b"[..], 2.0)]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SortedSet(Layout);

#[derive(Clone, Debug)]
enum Layout {
    Packed(Packed),
    // Once a table, always one.
    // The heap is what the table's members have allocated; the order has them once more.
    Table { scores: Table<f64>, order: Ranked, heap: usize },
}

impl Default for Layout {
    fn default() -> Self {
        Self::Packed(Packed::default())
    }
}

impl SortedSet {
    /// A set without members that was large once.
    pub(super) fn table_of_none() -> Self {
        Self(Layout::Table { scores: Table::default(), order: Ranked::default(), heap: 0 })
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Layout::Packed(packed) => packed.len() / 2,
            Layout::Table { scores, .. } => scores.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Layout::Packed(packed) => {
                pairs(packed).find(|(other, _)| *other == member).map(|(_, score)| score)
            }
            Layout::Table { scores, .. } => scores.get(member).copied(),
        }
    }

    /// Where `member` likely is, for [`Self::fetch`].
    #[inline]
    pub(super) fn likely(&self, member: &[u8]) -> usize {
        if let Layout::Table { scores, .. } = &self.0 { scores.likely(member) } else { usize::MAX }
    }

    /// Fetches from memory what finding the score at `position` is going to need, if there is one in a table.
    #[inline]
    pub(super) fn fetch(&self, position: usize) {
        if let Layout::Table { scores, .. } = &self.0 {
            std::hint::black_box(scores.at(position).map(|(member, score)| (member.is_inline(), *score)));
        }
    }

    /// Gives a member a score; the one it had before.
    pub fn set(&mut self, member: &[u8], score: f64) -> Option<f64> {
        debug_assert!(!score.is_nan());
        if let Layout::Packed(packed) = &mut self.0 {
            let old = pairs(packed).find(|(other, _)| *other == member).map(|(_, score)| score);
            // Zero and minus zero are the same score, and the old one stays.
            if old == Some(score) {
                return old;
            }
            if old.is_some() {
                remove(packed, member);
            }
            if packed.len() / 2 < PACKED_LEN_MAX && member.len() <= PACKED_BYTES_MAX {
                let rank =
                    pairs(packed).take_while(|(other, s)| compare((*s, other), (score, member)).is_lt());
                let rank = rank.count();
                packed.insert(rank * 2, member);
                // Redis keeps the score of a small sorted set as text or a number, which know no minus zero.
                packed.insert(rank * 2 + 1, &(score + 0.0).to_le_bytes());
                return old;
            }
            let scores: Table<_> = pairs(packed).map(|(member, score)| (Key::from(member), score)).collect();
            let mut order = Ranked::default();
            pairs(packed).for_each(|(member, score)| order.insert(score, member));
            let heap = scores.iter().map(|(member, _)| member.heap_bytes()).sum();
            self.0 = Layout::Table { scores, order, heap };
        }
        let Layout::Table { scores, order, heap } = &mut self.0 else {
            unreachable!("what is not packed is a table")
        };
        let old = match scores.find(member) {
            Some(position) if scores[position] == score => return Some(scores[position]),
            Some(position) => Some(std::mem::replace(&mut scores[position], score)),
            None => {
                let member = Key::from(member);
                *heap += member.heap_bytes();
                scores.push(member, score);
                None
            }
        };
        if let Some(old) = old {
            order.remove(old, member);
        }
        order.insert(score, member);
        old
    }

    /// Removes a member; the score it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Layout::Packed(packed) => remove(packed, member),
            Layout::Table { scores, order, heap } => {
                let (key, score) = scores.remove(member)?;
                *heap -= key.heap_bytes();
                order.remove(score, member);
                Some(score)
            }
        }
    }

    /// Removes the members of these ranks, which there must be.
    pub fn remove_range(&mut self, range: Range<usize>) {
        match &mut self.0 {
            Layout::Packed(packed) => packed.remove(range.start * 2, range.len() * 2),
            Layout::Table { scores, order, heap } => {
                for (member, _) in order.from(range.start).take(range.len()) {
                    *heap -= scores.remove(member).map_or(0, |(key, _)| key.heap_bytes());
                }
                order.remove_range(range);
            }
        }
    }

    /// How many members come before this one.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        match &self.0 {
            Layout::Packed(packed) => pairs(packed).position(|(other, _)| other == member),
            Layout::Table { scores, order, .. } => {
                let score = *scores.get(member)?;
                Some(order.count_before(|other| compare(other, (score, member)).is_lt()))
            }
        }
    }

    /// How many members come before the first that `before` is false for; it must be true for those before that one,
    /// and false for all after.
    pub fn count_before(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        match &self.0 {
            Layout::Packed(packed) => {
                pairs(packed).take_while(|(member, score)| before(*score, member)).count()
            }
            Layout::Table { order, .. } => order.count_before(|(score, member)| before(score, member)),
        }
    }

    /// The member at a rank, and its score.
    pub fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        self.iter(rank..rank + 1).next()
    }

    /// The members of these ranks and their scores, in order.
    pub fn iter(&self, range: Range<usize>) -> impl Iterator<Item = (&[u8], f64)> {
        let (packed, order) = self.layouts();
        let packed = packed.into_iter().flat_map(move |packed| pairs(packed).skip(range.start));
        let order = order.into_iter().flat_map(move |order| order.from(range.start));
        packed.chain(order).take(range.len())
    }

    /// The same, the last one first.
    pub fn iter_back(&self, range: Range<usize>) -> impl Iterator<Item = (&[u8], f64)> {
        let (packed, order) = self.layouts();
        let packed = packed.into_iter().flat_map(move |packed| {
            let members: Vec<_> = pairs(packed).take(range.end).collect();
            members.into_iter().rev()
        });
        let order = order.into_iter().flat_map(move |order| order.back_from(range.end));
        packed.chain(order).take(range.len())
    }

    /// The member at `position` in the order in which a walk downward misses none, since members only move to lower
    /// positions; not the order of scores unless the set is packed.
    pub fn walk_at(&self, position: usize) -> Option<(&[u8], f64)> {
        match &self.0 {
            Layout::Packed(packed) => pairs(packed).nth(position),
            Layout::Table { scores, .. } => {
                scores.at(position).map(|(member, score)| (member.as_slice(), *score))
            }
        }
    }

    /// Whether it is small enough to be packed.
    pub fn is_packed(&self) -> bool {
        matches!(self.0, Layout::Packed(_))
    }

    /// What it has allocated.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Layout::Packed(packed) => packed.heap_bytes(),
            Layout::Table { scores, heap, .. } => {
                let order = allocated(scores.len() * size_of::<(f64, Key)>());
                scores.heap_bytes() + order + heap * 2
            }
        }
    }

    /// What of it was counted as members came and went.
    #[cfg(test)]
    pub(super) fn counted_bytes(&self) -> usize {
        if let Layout::Table { heap, .. } = self.0 { heap } else { 0 }
    }

    fn layouts(&self) -> (Option<&Packed>, Option<&Ranked>) {
        match &self.0 {
            Layout::Packed(packed) => (Some(packed), None),
            Layout::Table { order, .. } => (None, Some(order)),
        }
    }

    /// All that a command could find out, in one order: members by position, and the bits of their scores.
    pub(super) fn walk(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let all = (0..self.len()).filter_map(|position| self.walk_at(position));
        all.map(|(member, score)| (member, score.to_bits()))
    }
}

/// Members and scores of a packed set.
fn pairs(packed: &Packed) -> impl Iterator<Item = (&[u8], f64)> {
    let mut strings = packed.iter();
    std::iter::from_fn(move || {
        let (member, score) = (strings.next()?, strings.next()?);
        Some((member, f64::from_le_bytes(score.try_into().ok()?)))
    })
}

fn remove(packed: &mut Packed, member: &[u8]) -> Option<f64> {
    let (rank, score) = pairs(packed)
        .enumerate()
        .find(|(_, (other, _))| *other == member)
        .map(|(rank, (_, score))| (rank, score))?;
    packed.remove(rank * 2, 2);
    Some(score)
}

/// The same members in another order of walking are another set: commands tell the order.
impl PartialEq for SortedSet {
    fn eq(&self, other: &Self) -> bool {
        self.is_packed() == other.is_packed() && self.walk().eq(other.walk())
    }
}

impl Eq for SortedSet {}

impl Hash for SortedSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.is_packed().hash(state);
        self.walk().for_each(|member| member.hash(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[(&str, f64)]) -> SortedSet {
        let mut set = SortedSet::default();
        for (member, score) in members {
            set.set(member.as_bytes(), *score);
        }
        set
    }

    fn names(set: &SortedSet) -> Vec<String> {
        set.iter(0..set.len()).map(|(member, _)| String::from_utf8_lossy(member).into_owned()).collect()
    }

    #[test]
    fn both_layouts_order_by_score_and_then_by_member() {
        for padding in [1, PACKED_BYTES_MAX + 1] {
            let last = "z".repeat(padding);
            let mut set = set(&[("b", 1.0), ("a", 1.0), ("c", -1.5), (&last, f64::INFINITY)]);
            assert_eq!(set.is_packed(), padding == 1);
            assert_eq!(names(&set), ["c", "a", "b", &last]);
            assert_eq!((set.set(b"c", 1.0), set.rank(b"c"), set.len()), (Some(-1.5), Some(2), 4));
            assert_eq!(names(&set), ["a", "b", "c", &last]);
            assert_eq!(set.iter_back(1..3).map(|(member, _)| member).collect::<Vec<_>>(), [b"c", b"b"]);
            assert_eq!(set.count_before(|score, _| score <= 1.0), 3);
            assert_eq!(
                (set.remove(b"a"), set.remove(b"a"), set.score(b"a"), set.rank(b"a")),
                (Some(1.0), None, None, None)
            );
            set.remove_range(0..2);
            assert_eq!(
                (names(&set), set.at(0)),
                (vec![last.clone()], Some((last.as_bytes(), f64::INFINITY)))
            );
            assert!(set.walk_at(0).is_some() && set.walk_at(1).is_none());
        }
    }

    #[test]
    fn a_sorted_set_is_packed_up_to_its_limits() {
        let mut set = SortedSet::default();
        for number in 0..PACKED_LEN_MAX {
            assert_eq!(set.set(format!("{number:03}").as_bytes(), 0.0), None);
        }
        assert!(set.is_packed());
        let before = names(&set);
        set.set(b"another", 1.0);
        assert!(!set.is_packed());
        assert_eq!(names(&set)[..PACKED_LEN_MAX], before);
        assert_eq!(set.set(b"another", -0.0), Some(1.0));
        assert_eq!(set.rank(b"another"), Some(PACKED_LEN_MAX));
    }
}
