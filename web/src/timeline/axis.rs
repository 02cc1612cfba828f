//! From moments to pixels and back. Time runs from left to right at one scale, and where nothing happened for long it is
//! folded into a narrow strip. Knows no task and no canvas.

use std::collections::VecDeque;
use std::ops::Range;

/// Width of a folded strip, in pixels: room for a short label.
pub(crate) const FOLD_PX: f64 = 34.0;

/// Pixels between two marks of the ruler, at least.
const MARK_PX: f64 = 120.0;

/// What an axis is laid out from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Nanoseconds a pixel.
    pub(crate) scale: f64,
    /// Whether quiet time is folded.
    pub(crate) folds: bool,
    /// This moment...
    pub(crate) anchor_ns: f64,
    /// ...stands at this pixel.
    pub(crate) anchor_px: f64,
    /// Pixels to be covered, from 0.
    pub(crate) width_px: f64,
    /// The end of what is recorded.
    pub(crate) now_ns: f64,
}

/// A stretch at one scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) from_ns: f64,
    pub(crate) to_ns: f64,
    pub(crate) from_px: f64,
    pub(crate) to_px: f64,
    pub(crate) folded: bool,
}

impl Piece {
    fn x(&self, at_ns: f64) -> f64 {
        let length_ns = self.to_ns - self.from_ns;
        if length_ns <= 0.0 {
            return self.from_px;
        }
        self.from_px + (at_ns - self.from_ns) / length_ns * (self.to_px - self.from_px)
    }

    fn at_ns(&self, x: f64) -> f64 {
        let length_px = self.to_px - self.from_px;
        if length_px <= 0.0 {
            return self.from_ns;
        }
        self.from_ns + (x - self.from_px) / length_px * (self.to_ns - self.from_ns)
    }
}

/// The stretches that cover the picture, in order, without holes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    pieces: Vec<Piece>,
    scale: f64,
}

impl Axis {
    /// Lays time out around the anchor. Costs as much as there are stretches to be seen.
    pub(crate) fn lay(layout: Layout, busy: &VecDeque<Range<u64>>) -> Self {
        let Layout { scale, anchor_ns, anchor_px, width_px, .. } = layout;
        let shape = Shape { layout, busy };
        let middle = shape.holding(anchor_ns);
        let (from_ns, to_ns, length_px, folded) = shape.piece(middle);
        let into_px =
            if to_ns > from_ns { (anchor_ns - from_ns) / (to_ns - from_ns) * length_px } else { 0.0 };
        let first_px = anchor_px - into_px;
        let mut left = Vec::new();
        let mut x = first_px;
        let mut index = middle;
        while x > 0.0 && index > 0 {
            index -= 1;
            let (from_ns, to_ns, length_px, folded) = shape.piece(index);
            left.push(Piece { from_ns, to_ns, from_px: x - length_px, to_px: x, folded });
            x -= length_px;
        }
        left.reverse();
        let mut pieces = left;
        pieces.push(Piece { from_ns, to_ns, from_px: first_px, to_px: first_px + length_px, folded });
        let mut x = first_px + length_px;
        let mut index = middle;
        while x < width_px && index < shape.last() {
            index += 1;
            let (from_ns, to_ns, length_px, folded) = shape.piece(index);
            pieces.push(Piece { from_ns, to_ns, from_px: x, to_px: x + length_px, folded });
            x += length_px;
        }
        Self { pieces, scale }
    }

    /// Where a moment stands; moments beyond what is laid out go on at the scale.
    pub(crate) fn x(&self, at_ns: f64) -> f64 {
        let Some((first, last)) = self.pieces.first().zip(self.pieces.last()) else { return 0.0 };
        if at_ns < first.from_ns {
            return first.from_px - (first.from_ns - at_ns) / self.scale;
        }
        if at_ns > last.to_ns {
            return last.to_px + (at_ns - last.to_ns) / self.scale;
        }
        let place = self.pieces.partition_point(|piece| piece.to_ns < at_ns).min(self.pieces.len() - 1);
        self.pieces[place].x(at_ns)
    }

    /// Finds places of moments that mostly follow each other, without a search for each.
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk { axis: self, at: 0 }
    }

    /// The moment that stands at a pixel.
    pub(crate) fn at_ns(&self, x: f64) -> f64 {
        let Some((first, last)) = self.pieces.first().zip(self.pieces.last()) else { return 0.0 };
        if x < first.from_px {
            return first.from_ns - (first.from_px - x) * self.scale;
        }
        if x > last.to_px {
            return last.to_ns + (x - last.to_px) * self.scale;
        }
        let place = self.pieces.partition_point(|piece| piece.to_px < x).min(self.pieces.len() - 1);
        self.pieces[place].at_ns(x)
    }

    /// Time between two marks of the ruler: a round number.
    pub(crate) fn mark_ns(&self) -> f64 {
        nice(self.scale * MARK_PX)
    }

    /// Calls `f` with every moment up to `width_px` that the ruler marks, and with its place. Folded time has no marks.
    pub(crate) fn marks(&self, width_px: f64, mut f: impl FnMut(f64, f64)) {
        let step_ns = self.mark_ns();
        let (from_ns, to_ns) = (self.at_ns(0.0).max(0.0), self.at_ns(width_px));
        for piece in self.pieces.iter().filter(|piece| !piece.folded) {
            let mut at_ns = (piece.from_ns.max(from_ns) / step_ns).ceil() * step_ns;
            while at_ns <= piece.to_ns.min(to_ns) {
                f(at_ns, piece.x(at_ns));
                at_ns += step_ns;
            }
        }
    }

    /// The stretches, in order.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

/// The smallest of 1, 2, 5, 10, 20, 50... that is at least `least`.
fn nice(least: f64) -> f64 {
    let power = 10_u64.pow((least.max(1.0) as u64).ilog10()) as f64;
    [1.0, 2.0, 5.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= least)
        .unwrap_or(10.0 * power)
}

/// An [`Axis`], and the stretch in which the last moment was found.
pub(crate) struct Walk<'a> {
    axis: &'a Axis,
    at: usize,
}

impl Walk<'_> {
    /// What [`Axis::x`] gives.
    pub(crate) fn x(&mut self, at_ns: f64) -> f64 {
        let pieces = &self.axis.pieces;
        let holds = |piece: &&Piece| (piece.from_ns..=piece.to_ns).contains(&at_ns);
        if let Some(piece) = pieces.get(self.at).filter(holds) {
            return piece.x(at_ns);
        }
        if let Some(piece) = pieces.get(self.at + 1).filter(holds) {
            self.at += 1;
            return piece.x(at_ns);
        }
        self.at = pieces.partition_point(|piece| piece.to_ns < at_ns);
        match pieces.get(self.at).filter(holds) {
            Some(piece) => piece.x(at_ns),
            None => self.axis.x(at_ns),
        }
    }
}

/// Time as stretches by number: quiet, busy, quiet, busy, ... quiet until now, and what is to come.
struct Shape<'a> {
    layout: Layout,
    busy: &'a VecDeque<Range<u64>>,
}

/// Where stretches end that have no end: further than any recording lasts.
const FOREVER_NS: f64 = 1e18;

impl Shape<'_> {
    fn last(&self) -> usize {
        if self.layout.folds { 2 * self.busy.len() + 1 } else { 0 }
    }

    fn holding(&self, at_ns: f64) -> usize {
        if !self.layout.folds {
            return 0;
        }
        let at = at_ns.max(0.0) as u64;
        let period = self.busy.partition_point(|period| period.end <= at);
        match self.busy.get(period) {
            Some(period_found) if period_found.start <= at => 2 * period + 1,
            Some(_) => 2 * period,
            None if at_ns < self.layout.now_ns => 2 * period,
            None => self.last(),
        }
    }

    /// From, to, pixels, folded.
    fn piece(&self, index: usize) -> (f64, f64, f64, bool) {
        let Layout { scale, now_ns, folds, anchor_ns, anchor_px, width_px } = self.layout;
        if !folds {
            // What is on the screen: from further away, nanoseconds would be lost to rounding.
            let from_ns = anchor_ns - anchor_px * scale;
            return (from_ns, from_ns + width_px * scale, width_px, false);
        }
        let end_of = |period: usize| {
            period
                .checked_sub(1)
                .and_then(|before| self.busy.get(before))
                .map_or(0.0, |period| period.end as f64)
        };
        if index == self.last() {
            let from_ns = now_ns.max(end_of(self.busy.len()));
            return (from_ns, FOREVER_NS, (FOREVER_NS - from_ns) / scale, false);
        }
        let period = index / 2;
        if index % 2 == 1 {
            let Range { start, end } = self.busy[period];
            return (start as f64, end as f64, (end - start) as f64 / scale, false);
        }
        let from_ns = end_of(period);
        let to_ns = self.busy.get(period).map_or(now_ns.max(from_ns), |period| period.start as f64);
        let in_full_px = (to_ns - from_ns) / scale;
        (from_ns, to_ns, in_full_px.min(FOLD_PX), in_full_px > FOLD_PX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout(folds: bool) -> Layout {
        Layout { scale: 100.0, folds, anchor_ns: 5_000.0, anchor_px: 50.0, width_px: 800.0, now_ns: 9e6 }
    }

    fn busy() -> VecDeque<Range<u64>> {
        [0..10_000, 1_000_000..1_030_000, 8_000_000..8_020_000].into()
    }

    #[test]
    fn in_full_time_is_even() {
        let axis = Axis::lay(layout(false), &busy());
        assert_eq!(axis.x(5_000.0).round(), 50.0);
        assert_eq!(axis.x(15_000.0).round(), 150.0);
        assert_eq!(axis.at_ns(150.0).round(), 15_000.0);
    }

    #[test]
    fn quiet_time_is_folded() {
        let axis = Axis::lay(layout(true), &busy());
        assert_eq!(axis.x(10_000.0), 100.0);
        assert_eq!(axis.x(1_000_000.0), 100.0 + FOLD_PX);
        assert_eq!(axis.x(1_030_000.0), 400.0 + FOLD_PX);
        assert_eq!(axis.x(8_000_000.0), 400.0 + 2.0 * FOLD_PX);
        let folded: Vec<bool> = axis.pieces().iter().map(|piece| piece.folded).collect();
        assert_eq!(folded, [false, true, false, true, false, true, false]);
    }

    #[test]
    fn now_stands_still_while_nothing_happens() {
        let x_of_the_last_poll = |now_ns: f64| {
            let layout = Layout { anchor_ns: now_ns, anchor_px: 700.0, now_ns, ..layout(true) };
            Axis::lay(layout, &busy()).x(8_010_000.0)
        };
        assert_eq!(x_of_the_last_poll(9e6), x_of_the_last_poll(60e9));
    }

    #[test]
    fn a_recording_without_polls_has_an_axis() {
        for folds in [false, true] {
            let axis = Axis::lay(Layout { now_ns: 0.0, ..layout(folds) }, &VecDeque::new());
            assert!((axis.x(5_000.0) - 50.0).abs() < 1.0, "{axis:?}");
        }
    }

    #[test]
    fn marks_stand_at_round_times() {
        for (least, expected) in
            [(0.5, 1.0), (1.0, 1.0), (1.1, 2.0), (48_000.0, 50_000.0), (60_000.0, 100_000.0)]
        {
            assert_eq!(nice(least), expected);
        }
        let mut marks = Vec::new();
        Axis::lay(layout(true), &busy()).marks(800.0, |at_ns, x| marks.push((at_ns, x.round())));
        // The last is where what is to come begins.
        let expected = [
            (0.0, 0.0),
            (1_000_000.0, 134.0),
            (1_020_000.0, 334.0),
            (8_000_000.0, 468.0),
            (8_020_000.0, 668.0),
            (9_000_000.0, 702.0),
        ];
        assert_eq!(marks, expected);
    }

    proptest! {
        #[test]
        fn there_and_back_again(
            gaps in prop::collection::vec((1_u64..50_000_000, 1_u64..500_000), 0..20),
            scale in 1.0_f64..1e5,
            anchor_px in -500.0_f64..1500.0,
            place in 0.0_f64..1.0,
            x in 0.0_f64..1000.0,
        ) {
            let mut at = 0;
            let busy: VecDeque<_> = gaps.iter().map(|(quiet, length)| {
                let start = at + quiet;
                at = start + length;
                start..at
            }).collect();
            let now_ns = at as f64 + 1e6;
            let layout = Layout { scale, folds: true, anchor_ns: now_ns * place, anchor_px, width_px: 1000.0, now_ns };
            let axis = Axis::lay(layout, &busy);
            // Where nothing is laid out (before the recording's start) the scale goes on.
            let back = axis.x(axis.at_ns(x));
            prop_assert!((back - x).abs() < 0.01, "{x} came back as {back}: {axis:?}");
            prop_assert!(axis.at_ns(x) <= axis.at_ns(x + 1.0));
            let mut walk = axis.walk();
            for step in [0.0, 0.1, 0.2, 0.21, 0.9, 1.0, 0.3] {
                let at_ns = now_ns * step;
                prop_assert!((walk.x(at_ns) - axis.x(at_ns)).abs() < 1e-6);
            }
            prop_assert!((axis.x(layout.anchor_ns) - anchor_px).abs() < 0.5 || !(0.0..1000.0).contains(&anchor_px));
        }
    }
}
