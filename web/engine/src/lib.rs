//! Runs that are stopped, gone back in and explored, in a worker of the page: texts and bytes in, texts and bytes out.
//!
//! A WebAssembly module of its own beside the tab's server: who only watches a server need not load it, and its memory is
//! copied and put back whole. It keeps no JavaScript object between two calls. Knows nothing of the page.

mod explore;
mod machine;

pub use self::explore::Exploration;
pub use self::machine::{Comparison, Machine, check, fail, last_panic, take_over};
