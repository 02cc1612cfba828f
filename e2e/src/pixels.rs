//! What is to be seen in a screenshot, as colours and how often each occurs. Knows nothing of what was drawn.

use std::collections::HashMap;

/// Red, green, blue.
pub type Colour = [u8; 3];

/// A part of the window, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// From the window's left edge.
    pub left: f64,
    /// From the window's upper edge.
    pub top: f64,
    /// May reach past the window's edge; only what is inside is counted.
    pub width: f64,
    /// May reach past the window's edge; only what is inside is counted.
    pub height: f64,
}

/// Counts the colours of `area` in a PNG file.
///
/// # Panics
/// When the bytes are no PNG of 8-bit RGB or RGBA pixels, which is what Chromium makes.
pub fn colours(png: &[u8], area: Area) -> HashMap<Colour, usize> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG file");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a picture that fits into memory")];
    let info = reader.next_frame(&mut pixels).expect("one picture");
    let channels = info.color_type.samples();
    assert!(info.bit_depth == png::BitDepth::Eight && channels >= 3, "expected 8-bit RGB(A), found {info:?}");
    let inside = |from: f64, length: f64, end: u32| {
        // Clamped to the picture first, so the conversion cannot leave its range.
        let clamp = |edge: f64| edge.clamp(0.0, f64::from(end)) as usize;
        clamp(from)..clamp(from + length)
    };
    let mut counts = HashMap::new();
    for row in pixels.chunks_exact(info.line_size).skip_and_take(inside(area.top, area.height, info.height)) {
        for pixel in row.chunks_exact(channels).skip_and_take(inside(area.left, area.width, info.width)) {
            *counts.entry([pixel[0], pixel[1], pixel[2]]).or_default() += 1;
        }
    }
    counts
}

trait SkipAndTake: Iterator + Sized {
    fn skip_and_take(self, range: std::ops::Range<usize>) -> impl Iterator<Item = Self::Item> {
        self.skip(range.start).take(range.len())
    }
}

impl<I: Iterator> SkipAndTake for I {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two by two pixels: red, green, blue, blue.
    fn picture() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 2);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 255]).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn check(area: Area, expected: &[(Colour, usize)]) {
        assert_eq!(colours(&picture(), area), expected.iter().copied().collect());
    }

    #[test]
    fn counts_what_is_inside() {
        const RED: Colour = [255, 0, 0];
        const GREEN: Colour = [0, 255, 0];
        const BLUE: Colour = [0, 0, 255];
        check(Area { left: 0.0, top: 0.0, width: 2.0, height: 2.0 }, &[(RED, 1), (GREEN, 1), (BLUE, 2)]);
        check(Area { left: 1.0, top: 0.0, width: 9.0, height: 9.0 }, &[(GREEN, 1), (BLUE, 1)]);
        check(Area { left: -5.0, top: 1.0, width: 7.0, height: 1.0 }, &[(BLUE, 2)]);
        check(Area { left: 7.0, top: 0.0, width: 2.0, height: 2.0 }, &[]);
    }
}
