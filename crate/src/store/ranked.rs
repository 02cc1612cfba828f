//! The order of a large sorted set: scores and members, ascending, each with its rank.
//!
//! Owns that order as a row of short sorted pieces. Finding a place is two binary searches; inserting moves part of
//! one piece; a rank is the sum of the lengths of the pieces before: with a million members some five thousand
//! additions, a few microseconds. Knows no member's score by itself; that is the table's beside it.

use std::cmp::Ordering;
use std::ops::Range;

use super::key::Key;

/// Most members of a piece: what an insertion moves at most, 32 bytes each.
const PIECE_MAX: usize = 256;

/// Members by score, and by their bytes where scores are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranked {
    // None is empty.
    pieces: Vec<Vec<(f64, Key)>>,
}

/// How a set orders its members. Scores are never NaN.
pub(super) fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(b.1))
}

impl Ranked {
    /// Adds a member that is not in it yet.
    pub(super) fn insert(&mut self, score: f64, member: &[u8]) {
        let entry = (score, Key::from(member));
        // Behind the end of the last piece is still in it.
        let at = self
            .piece(|other| compare(other, (score, member)).is_lt())
            .min(self.pieces.len().saturating_sub(1));
        let Some(piece) = self.pieces.get_mut(at) else {
            return self.pieces.push(vec![entry]);
        };
        let place =
            piece.partition_point(|(other, key)| compare((*other, key.as_slice()), (score, member)).is_lt());
        piece.insert(place, entry);
        if piece.len() > PIECE_MAX {
            let rest = piece.split_off(PIECE_MAX / 2);
            self.pieces.insert(at + 1, rest);
        }
    }

    /// Removes a member that is in it. Needs no rank.
    pub(super) fn remove(&mut self, score: f64, member: &[u8]) {
        let before = |other: (f64, &[u8])| compare(other, (score, member)).is_lt();
        let at = self.piece(before);
        let Some(piece) = self.pieces.get_mut(at) else { return };
        piece.remove(piece.partition_point(|(score, key)| before((*score, key.as_slice()))));
        if piece.is_empty() {
            self.pieces.remove(at);
        }
        self.join_short(at);
    }

    /// Removes the members of these ranks, which there must be.
    pub(super) fn remove_range(&mut self, range: Range<usize>) {
        let Some((first, within)) = self.place(range.start) else { return };
        let part = range.len().min(self.pieces[first].len() - within);
        self.pieces[first].drain(within..within + part);
        let (mut left, mut end) = (range.len() - part, first + 1);
        while left > 0 {
            let count = left.min(self.pieces[end].len());
            left -= count;
            if count == self.pieces[end].len() {
                end += 1;
            } else {
                self.pieces[end].drain(..count);
            }
        }
        let start = first + usize::from(!self.pieces[first].is_empty());
        self.pieces.drain(start..end);
        self.join_short(start);
    }

    /// Joins the piece at `at` and the one before it if both are short: so there are never many pieces of few members.
    fn join_short(&mut self, at: usize) {
        let at = at.saturating_sub(1);
        if let Some([short, next]) = self.pieces.get_mut(at..at + 2)
            && short.len() + next.len() <= PIECE_MAX / 2
        {
            short.append(next);
            self.pieces.remove(at + 1);
        }
    }

    /// How many members come before the first that `before` is false for; it must be true for those before that one,
    /// and false for all after.
    pub(super) fn count_before(&self, before: impl Fn((f64, &[u8])) -> bool) -> usize {
        let at = self.piece(&before);
        let whole: usize = self.pieces[..at].iter().map(Vec::len).sum();
        let part =
            |piece: &Vec<(f64, Key)>| piece.partition_point(|(score, key)| before((*score, key.as_slice())));
        whole + self.pieces.get(at).map_or(0, part)
    }

    /// The members from a rank on, in order.
    pub(super) fn from(&self, rank: usize) -> impl Iterator<Item = (&[u8], f64)> {
        let (at, within) = self.place(rank).unwrap_or((self.pieces.len(), 0));
        self.pieces[at..].iter().flatten().skip(within).map(|(score, key)| (key.as_slice(), *score))
    }

    /// The members before a rank, the last one first.
    pub(super) fn back_from(&self, rank: usize) -> impl Iterator<Item = (&[u8], f64)> {
        let (at, within) = self.place(rank).unwrap_or((self.pieces.len(), 0));
        let part = self.pieces.get(at).map_or(&[][..], |piece| &piece[..within]);
        let whole = self.pieces[..at].iter().rev().flat_map(|piece| piece.iter().rev());
        part.iter().rev().chain(whole).map(|(score, key)| (key.as_slice(), *score))
    }

    /// The piece in which the first member lies that `before` is false for.
    fn piece(&self, before: impl Fn((f64, &[u8])) -> bool) -> usize {
        self.pieces.partition_point(|piece| {
            piece.last().is_some_and(|(score, key)| before((*score, key.as_slice())))
        })
    }

    /// The piece of the member with this rank, and its place in it.
    fn place(&self, rank: usize) -> Option<(usize, usize)> {
        let mut left = rank;
        for (at, piece) in self.pieces.iter().enumerate() {
            if left < piece.len() {
                return Some((at, left));
            }
            left -= piece.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_over_many_pieces() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut ranked, mut model) = (Ranked::default(), Vec::<(f64, Vec<u8>)>::new());
        let below = |random: &mut fastrand::Rng, len: usize| random.u64(..len as u64) as usize;
        let place = |model: &[(f64, Vec<u8>)], score: f64, member: &[u8]| {
            model.partition_point(|(other, key)| compare((*other, key), (score, member)).is_lt())
        };
        for number in 0..6_000u32 {
            let (score, member) = (f64::from(random.u8(..50)), number.to_string().into_bytes());
            ranked.insert(score, &member);
            let at = place(&model, score, &member);
            model.insert(at, (score, member));
            if number % 3 == 0 {
                let (score, member) = model.remove(below(&mut random, model.len()));
                ranked.remove(score, &member);
            }
            if number % 500 == 499 {
                let start = below(&mut random, model.len());
                let range = start..(start + below(&mut random, 400)).min(model.len());
                ranked.remove_range(range.clone());
                model.drain(range);
            }
        }
        let expected = || model.iter().map(|(score, member)| (&member[..], *score));
        assert!(ranked.from(0).eq(expected()));
        assert!(ranked.back_from(model.len()).eq(expected().rev()));
        for rank in [0, 1, 255, 256, 257, 1_000, model.len()] {
            assert!(ranked.from(rank).eq(expected().skip(rank)), "{rank}");
            assert!(ranked.back_from(rank).eq(expected().take(rank).rev()), "{rank}");
        }
        for score in -1..51 {
            let below = model.iter().filter(|(other, _)| *other < f64::from(score)).count();
            assert_eq!(ranked.count_before(|(other, _)| other < f64::from(score)), below);
        }
        assert!(ranked.pieces.iter().all(|piece| (1..=PIECE_MAX).contains(&piece.len())));
        ranked.remove_range(0..model.len());
        assert_eq!(ranked.from(0).count(), 0);
    }
}
