//! What lies beneath the bars of a lane: its own colour, a line at each mark of the ruler, strips of folded time. Knows
//! no task; the bars are painted over it, so that no line crosses them.

use super::axis::Axis;
use super::colours::{Colours, Rgb, mix};

/// How much of the lines' colour a strip of folded time has, and a line at a mark of the ruler.
pub(super) const FOLDED_SHARE: f32 = 0.45;
const MARK_SHARE: f32 = 0.5;

/// Fills `row` with one row of pixels, red, green, blue and opaque, on a lane of colour `lane`; each pixel of the axis has
/// `density` columns.
pub(super) fn paint(axis: &Axis, density: f64, colours: &Colours, lane: Rgb, row: &mut [u8]) {
    let columns = row.len() / 4;
    let mut fill = |from: f64, to: f64, share: f32| {
        let [red, green, blue] = mix(lane, colours.grid, share);
        let (from, to) = (from.clamp(0.0, columns as f64) as usize, to.clamp(0.0, columns as f64) as usize);
        for pixel in row[from * 4..to * 4].chunks_exact_mut(4) {
            pixel.copy_from_slice(&[red, green, blue, 255]);
        }
    };
    fill(0.0, columns as f64, 0.0);
    for piece in axis.pieces().iter().filter(|piece| piece.folded) {
        fill((piece.from_px * density).round(), (piece.to_px * density).round(), FOLDED_SHARE);
    }
    axis.marks(columns as f64 / density, |_, x| {
        let from = x.round() * density;
        fill(from, from + density.max(1.0), MARK_SHARE);
    });
}

#[cfg(test)]
mod tests {
    use super::super::axis::{FOLD_PX, Layout};
    use super::*;

    #[test]
    fn marks_and_folded_time_are_told_from_the_lane() {
        let layout = Layout {
            scale: 100.0,
            folds: true,
            anchor_ns: 5_000.0,
            anchor_px: 50.0,
            width_px: 300.0,
            now_ns: 2e6,
        };
        let axis = Axis::lay(layout, &[0..10_000, 1_000_000..1_100_000].into());
        let colours = Colours { grid: [200; 3], ..Colours::default() };
        let mut row = vec![0; 300 * 4];
        paint(&axis, 1.0, &colours, [100; 3], &mut row);
        let at = |column: usize| row[column * 4];
        let fold = FOLD_PX as usize;
        // The first mark, the lane, the folded strip, the mark right after it, the lane.
        assert_eq!([at(0), at(50), at(101), at(100 + fold), at(101 + fold)], [150, 100, 145, 150, 100]);
        assert!(row.chunks_exact(4).all(|pixel| pixel[3] == 255));
    }
}
