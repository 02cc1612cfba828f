//! The lanes' pixels, row by row, onto the canvas. Knows no text and no mark.

use std::ops::Range;

use interleave::scope::trace::Trace;
use wasm_bindgen::Clamped;
use web_sys::ImageData;

use super::bars::{self, Column};
use super::colours::{self, Colours};
use super::lanes::Whose;
use super::{Inner, RULER_PX, bar_half_px, chosen, ground, gutter};
use crate::page::Page;

impl Inner {
    /// Puts the lanes' pixels onto the canvas.
    pub(super) fn paint(&mut self, page: Page, trace: &Trace) {
        let Some(canvas) = &self.canvas else { return };
        let colours = self.colours.get_or_insert_with(Colours::read);
        let (width, height) = (canvas.element.width() as usize, canvas.element.height() as usize);
        let density = canvas.density;
        let gutter_columns = ((gutter(canvas.width) * density) as usize).min(width);
        let lane_px = self.lane_px;
        let chosen = chosen(page, trace);
        self.pixels.resize(width * height * 4, 0);
        // A row is painted once and copied: pixel by pixel, most of a frame's time would go into the empty ones. And those that
        // a lane fills are not painted before.
        let mut empty = std::mem::take(&mut self.empty);
        empty.resize(width * 4, 0);
        one_colour(&mut empty, colours.ground);
        let mut painted = 0;
        self.columns.resize(width - gutter_columns, Column::default());
        for (row, lane) in self.grounds.iter_mut().zip([colours.lane, colours.chosen_lane]) {
            row.resize(width * 4, 0);
            let (names, bars) = row.split_at_mut(gutter_columns * 4);
            one_colour(names, lane);
            ground::paint(&self.axis, density, colours, lane, bars);
        }
        self.polls = 0;
        for (index, &whose) in self.shown.iter().enumerate() {
            let top = ((RULER_PX + index as f64 * lane_px - self.scroll_px) * density).round();
            let bottom = top + lane_px * density - density;
            if bottom <= RULER_PX * density || top >= height as f64 {
                continue;
            }
            if whose.is_line() {
                continue;
            }
            let is_chosen = chosen.is_some_and(|task| whose == Whose::Task(task));
            let (names_ground, ground) = self.grounds[usize::from(is_chosen)].split_at(gutter_columns * 4);
            self.polls += bars::columns(trace, whose, &self.axis, density, &mut self.columns);
            self.rows.paint(&self.columns, colours, ground);
            let (middle_px, bar_px) = ((top + bottom) / 2.0, bar_half_px(lane_px) * density);
            let rows = top.max(RULER_PX * density) as usize..(bottom.max(0.0) as usize).min(height);
            fill_rows(&mut self.pixels, painted..rows.start, &empty);
            painted = rows.end.max(painted);
            for y in rows {
                let away = (y as f64 + 0.5 - middle_px).abs();
                let row = &mut self.pixels[y * width * 4..(y + 1) * width * 4];
                let (names, bars) = row.split_at_mut(gutter_columns * 4);
                names.copy_from_slice(names_ground);
                if away < density * 1.5 {
                    bars.copy_from_slice(&self.rows.line);
                } else if away < bar_px * 0.55 {
                    bars.copy_from_slice(&self.rows.middle);
                } else if away < bar_px {
                    bars.copy_from_slice(&self.rows.edge);
                } else {
                    bars.copy_from_slice(ground);
                }
            }
        }
        fill_rows(&mut self.pixels, painted..height, &empty);
        self.empty = empty;
        let data =
            ImageData::new_with_u8_clamped_array_and_sh(Clamped(&self.pixels), width as u32, height as u32);
        if let Ok(data) = data {
            let _ = canvas.context.put_image_data(&data, 0.0, 0.0);
        }
    }
}

/// Fills some of the rows of a picture with `row`.
fn fill_rows(pixels: &mut [u8], rows: Range<usize>, row: &[u8]) {
    let bytes = rows.start * row.len()..rows.end.max(rows.start) * row.len();
    if let Some(rows) = pixels.get_mut(bytes) {
        rows.chunks_exact_mut(row.len().max(1)).for_each(|there| there.copy_from_slice(row));
    }
}

/// Fills a row of pixels.
fn one_colour(row: &mut [u8], [red, green, blue]: colours::Rgb) {
    row.chunks_exact_mut(4).for_each(|pixel| pixel.copy_from_slice(&[red, green, blue, 255]));
}
