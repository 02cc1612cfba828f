//! The page's heartbeat: each animation frame reads the trace, draws the timeline, and now and then brings the numbers up
//! to date. Measures its own work; knows nothing of what is read or drawn.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

use crate::page::{Arrived, Page};

/// Time between two updates of the numbers: fast enough to feel live, slow enough to be read.
const REFRESH_MS: f64 = 150.0;

/// Time between two pictures while nothing happens but the passing of time.
const QUIET_MS: f64 = 100.0;

/// Frames whose times are kept.
const TIMES_MAX: usize = 240;

thread_local! {
    static TIMES_MS: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// Milliseconds of work in each of the last frames that drew something, oldest first.
pub(crate) fn times_ms() -> Vec<f64> {
    TIMES_MS.with_borrow(Clone::clone)
}

/// Milliseconds since the page was opened.
pub(crate) fn now_ms() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

type Tick = Closure<dyn FnMut()>;

/// Runs from now on, as often as the browser shows a new frame.
pub(crate) fn run(page: Page) {
    let tick: Rc<RefCell<Option<Tick>>> = Rc::default();
    let again = Rc::clone(&tick);
    let (refreshed_ms, drawn_ms) = (Cell::new(0.0), Cell::new(0.0));
    let draw_ms = Cell::new(0.0);
    *tick.borrow_mut() = Some(Closure::new(move || {
        let began_ms = now_ms();
        let arrived = page.read_trace(draw_ms.get(), now_ms);
        let moved = match arrived {
            Arrived::Nothing => false,
            Arrived::Time => began_ms - drawn_ms.get() >= QUIET_MS || !page.timeline.folds.get_untracked(),
            Arrived::Events => true,
        };
        let draws_ms = now_ms();
        let drew = page.timeline.draw(page, moved);
        if drew {
            drawn_ms.set(began_ms);
            draw_ms.set(now_ms() - draws_ms);
        }
        if began_ms - refreshed_ms.get() >= REFRESH_MS {
            refreshed_ms.set(began_ms);
            page.refresh();
        }
        if drew || arrived == Arrived::Events {
            TIMES_MS.with_borrow_mut(|times| {
                times.push(now_ms() - began_ms);
                if times.len() > TIMES_MAX {
                    times.remove(0);
                }
            });
        }
        request(&again);
    }));
    request(&tick);
}

fn request(tick: &Rc<RefCell<Option<Tick>>>) {
    if let Some(tick) = &*tick.borrow() {
        // Refused only to a document that is gone.
        let _ = window().request_animation_frame(tick.as_ref().unchecked_ref());
    }
}
