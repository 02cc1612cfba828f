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

/// Pixels of one colour beside each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// Its middle, from the window's upper left corner.
    pub middle: (f64, f64),
    /// How many pixels it has.
    pub length: usize,
}

/// Counts the colours of `area` in a PNG file.
///
/// # Panics
/// When the bytes are no PNG of 8-bit RGB or RGBA pixels, which is what Chromium makes.
pub fn colours(png: &[u8], area: Area) -> HashMap<Colour, usize> {
    let mut counts = HashMap::new();
    Picture::read(png).rows(area).flat_map(|(_, row)| row).for_each(|(_, colour)| {
        *counts.entry(colour).or_default() += 1;
    });
    counts
}

/// The longest run of `colour` in a row of `area`; of several, the uppermost.
///
/// # Panics
/// When the bytes are no PNG of 8-bit RGB or RGBA pixels, which is what Chromium makes.
pub fn longest_run(png: &[u8], area: Area, colour: Colour) -> Option<Run> {
    let mut longest = None;
    for (y, row) in Picture::read(png).rows(area) {
        let mut length = 0;
        for (x, found) in row {
            length = if found == colour { length + 1 } else { 0 };
            if length > longest.map_or(0, |run: Run| run.length) {
                let middle = (x as f64 + 1.0 - length as f64 / 2.0, y as f64 + 0.5);
                longest = Some(Run { middle, length });
            }
        }
    }
    longest
}

struct Picture {
    pixels: Vec<u8>,
    width: u32,
    height: u32,
    line: usize,
    channels: usize,
}

impl Picture {
    fn read(png: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG file");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a picture that fits into memory")];
        let info = reader.next_frame(&mut pixels).expect("one picture");
        let channels = info.color_type.samples();
        assert!(
            info.bit_depth == png::BitDepth::Eight && channels >= 3,
            "expected 8-bit RGB(A), found {info:?}"
        );
        Self { pixels, width: info.width, height: info.height, line: info.line_size, channels }
    }

    /// The rows of `area` with their pixels, each with its place in the picture.
    fn rows(&self, area: Area) -> impl Iterator<Item = (usize, impl Iterator<Item = (usize, Colour)>)> {
        let inside = |from: f64, length: f64, end: u32| {
            // Clamped to the picture first, so the conversion cannot leave its range.
            let clamp = |edge: f64| edge.clamp(0.0, f64::from(end)) as usize;
            clamp(from)..clamp(from + length)
        };
        let (columns, rows) =
            (inside(area.left, area.width, self.width), inside(area.top, area.height, self.height));
        let lines = self.pixels.chunks_exact(self.line).enumerate().skip(rows.start).take(rows.len());
        lines.map(move |(y, line)| {
            let pixels = line.chunks_exact(self.channels).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
            (y, pixels.enumerate().skip(columns.start).take(columns.len()))
        })
    }
}

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

    #[test]
    fn finds_the_longest_run() {
        const ALL: Area = Area { left: 0.0, top: 0.0, width: 9.0, height: 9.0 };
        let check = |area: Area, colour: Colour, expected: Option<Run>| {
            assert_eq!(longest_run(&picture(), area, colour), expected, "{colour:?} in {area:?}");
        };
        check(ALL, [255, 0, 0], Some(Run { middle: (0.5, 0.5), length: 1 }));
        check(ALL, [0, 0, 255], Some(Run { middle: (1.0, 1.5), length: 2 }));
        check(ALL, [7, 7, 7], None);
        check(Area { left: 1.0, ..ALL }, [0, 0, 255], Some(Run { middle: (1.5, 1.5), length: 1 }));
    }
}
